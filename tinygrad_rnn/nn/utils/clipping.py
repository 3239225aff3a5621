"""Clipping gradients, under the names of torch.nn.utils."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinygrad_rnn.context import no_grad
from tinygrad_rnn.creation import zeros
from tinygrad_rnn.errors import ArgumentError, NumericalError
from tinygrad_rnn.functions import stack
from tinygrad_rnn.tensor import Tensor


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Return the norm of several tensors seen as one vector; 0 for none.

    Raises:
        NumericalError: if it is NaN or infinite and `error_if_nonfinite` is set.
    """
    several = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not several:
        return zeros(())
    total = stack([x.norm(norm_type) for x in several]).norm(norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise NumericalError(
            f"the norm of the gradients is {total.item()}; lower the learning rate, or look for "
            "the first step with a NaN loss"
        )
    return total


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients together so that their norm is at most `max_norm`.

    The norm is that of all gradients seen as one vector (Pascanu, Mikolov and Bengio, 2013); each
    is multiplied by min(1, max_norm / (norm + 1e-6)).

    Returns:
        The norm before clipping.

    Raises:
        NumericalError: if it is NaN or infinite and `error_if_nonfinite` is set.
    """
    if not max_norm > 0:
        raise ArgumentError(f"max_norm is above 0, not {max_norm}")
    gradients = _gradients(parameters)
    with no_grad():
        total = get_total_norm(gradients, norm_type, error_if_nonfinite)
        factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
        for g in gradients:
            g.assign(g * factor)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value]."""
    if not clip_value >= 0:
        raise ArgumentError(f"clip_value is 0 or more, not {clip_value}")
    with no_grad():
        for g in _gradients(parameters):
            g.assign(g.clamp(-clip_value, clip_value))


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    several = [parameters] if isinstance(parameters, Tensor) else parameters
    if not isinstance(several, Iterable):
        raise ArgumentError(
            f"gradients of parameters are clipped; pass model.parameters(), not "
            f"{type(parameters).__name__}"
        )
    return [p.grad for p in several if p.grad is not None]
