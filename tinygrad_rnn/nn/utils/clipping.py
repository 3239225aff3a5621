"""Clipping gradients, under the names of torch.nn.utils."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinygrad_rnn.context import no_grad
from tinygrad_rnn.creation import zeros
from tinygrad_rnn.errors import ArgumentError, NumericalError
from tinygrad_rnn.functions import stack
from tinygrad_rnn.nn.functional.checks import number
from tinygrad_rnn.nn.utils.vectors import tensors_of
from tinygrad_rnn.tensor import Tensor


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Return the norm of several tensors seen as one vector; 0 for none.

    Raises:
        NumericalError: if it is NaN or infinite and `error_if_nonfinite` is set.
    """
    several = tensors_of(tensors, "get_total_norm")
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
    most = number("max_norm", max_norm)
    if not most > 0:
        raise ArgumentError(f"max_norm is above 0, not {most}")
    gradients = _gradients(parameters, "clip_grad_norm_")
    with no_grad():
        total = get_total_norm(gradients, norm_type, error_if_nonfinite)
        factor = (most / (total + 1e-6)).clamp(max=1.0)
        for g in gradients:
            g.assign(g * factor)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value]."""
    most = number("clip_value", clip_value)
    if not most >= 0:
        raise ArgumentError(f"clip_value is 0 or more, not {most}")
    with no_grad():
        for g in _gradients(parameters, "clip_grad_value_"):
            g.assign(g.clamp(-most, most))


def _gradients(parameters: Tensor | Iterable[Tensor], name: str) -> list[Tensor]:
    return [p.grad for p in tensors_of(parameters, name) if p.grad is not None]
