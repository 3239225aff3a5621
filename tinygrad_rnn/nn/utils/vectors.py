"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from tinygrad_rnn.context import no_grad
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.functions import cat
from tinygrad_rnn.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return the numbers of all parameters, one after the other, as one vector."""
    several = tensors_of(parameters, "parameters_to_vector")
    if not several:
        raise ArgumentError("there are no parameters to join; pass model.parameters()")
    return cat([p.reshape(-1) for p in several])


def vector_to_parameters(vector: Tensor, parameters: Iterable[Tensor]) -> None:
    """Overwrite parameters with the numbers of a vector, in the order of `parameters`.

    Raises:
        ShapeError: if the vector is longer or shorter than all parameters together.
    """
    several = tensors_of(parameters, "vector_to_parameters")
    sizes = [p.numel() for p in several]
    if not isinstance(vector, Tensor):
        raise DtypeError(f"vector_to_parameters takes a Tensor, not {type(vector).__name__}")
    if vector.shape != (sum(sizes),):
        raise ShapeError(
            f"the parameters need a vector of {sum(sizes)} numbers, not one of shape {vector.shape}"
        )
    with no_grad():
        for parameter, part in zip(several, vector.split(sizes, 0), strict=True):
            parameter.assign(part.reshape(parameter.shape))


def tensors_of(given: Tensor | Iterable[Tensor], name: str) -> list[Tensor]:
    """Return a tensor, or several such as `model.parameters()`, as a list."""
    if isinstance(given, Tensor):
        return [given]
    several = list(given) if isinstance(given, Iterable) else [given]
    for x in several:
        if not isinstance(x, Tensor):
            kind = type(x).__name__
            raise ArgumentError(f"{name} takes tensors, such as model.parameters(), not {kind}")
    return several
