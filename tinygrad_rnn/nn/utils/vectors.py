"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from tinygrad_rnn.context import no_grad
from tinygrad_rnn.errors import ArgumentError, ShapeError
from tinygrad_rnn.functions import cat
from tinygrad_rnn.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return the numbers of all parameters, one after the other, as one vector."""
    several = list(parameters)
    if not several:
        raise ArgumentError("there are no parameters to join; pass model.parameters()")
    return cat([p.reshape(-1) for p in several])


def vector_to_parameters(vector: Tensor, parameters: Iterable[Tensor]) -> None:
    """Overwrite parameters with the numbers of a vector, in the order of `parameters`.

    Raises:
        ShapeError: if the vector is longer or shorter than all parameters together.
    """
    several = list(parameters)
    sizes = [p.numel() for p in several]
    if vector.shape != (sum(sizes),):
        raise ShapeError(
            f"the parameters need a vector of {sum(sizes)} numbers, not one of shape {vector.shape}"
        )
    with no_grad():
        for parameter, part in zip(several, vector.split(sizes, 0), strict=True):
            parameter.assign(part.reshape(parameter.shape))
