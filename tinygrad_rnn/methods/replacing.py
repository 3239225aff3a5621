"""A tensor with some of its elements replaced, as a new tensor through which gradients go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import Shape
from tinygrad_rnn.errors import ArgumentError, OutOfRangeError, ShapeError
from tinygrad_rnn.methods.arithmetic import where

if TYPE_CHECKING:
    from tinygrad_rnn.tensor import Tensor


def replaced(x: Tensor, template: tuple[Any, ...], arrays: list[Any], value: Tensor) -> Tensor:
    """Return `x` with `value`, broadcast, in the place of what an index names.

    `template` and `arrays` are what `split_index` returns. Of several values for one place the
    last one stays.

    Raises:
        ArgumentError: if a slice has a step of 0, or is not made of integers.
        OutOfRangeError: if the index names what is not there.
        ShapeError: if the value does not fit.
    """
    index = ops.filled(template, [one._array for one in arrays])
    try:
        shape = x._array[index].shape
    except IndexError as error:
        raise OutOfRangeError(f"index out of range: {error}") from error
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"an index of {template} cannot be read: {error}") from error
    value = _fitted(value, shape)
    axis = None if arrays else _only_axis(template, x.ndim)
    if axis is None:
        return _scattered(x, index, value)
    # Only the pieces are copied, which is what filling an output step by step comes to.
    place, part = axis
    if isinstance(part, slice):
        start, stop, _ = part.indices(x.shape[place])
        stop = max(start, stop)
    else:
        start = part % x.shape[place]
        stop, value = start + 1, value.unsqueeze(place)
    before = x.narrow(place, 0, start)
    after = x.narrow(place, stop, x.shape[place] - stop)
    return x.apply(ops.concatenate, before, value, after, axis=place)


def _fitted(value: Tensor, shape: Shape) -> Tensor:
    """Broadcast a value to a shape; leading axes of length 1 too many are dropped."""
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = value.squeeze(0)
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"a value of shape {value.shape} does not fit an index of shape {shape}")
    return value if value.shape == shape else value.expand(shape)


def _only_axis(template: tuple[Any, ...], ndim: int) -> tuple[int, Any] | None:
    """Return the one axis that an index cuts, with the number or slice; None for all others."""
    parts = list(template)
    if any(part is None for part in parts):
        return None
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (ndim - len(parts) + 1)
    cut = [(axis, part) for axis, part in enumerate(parts) if part != slice(None)]
    if len(cut) != 1 or isinstance(cut[0][1], bool):
        return None
    part = cut[0][1]
    return None if isinstance(part, slice) and part.step not in (None, 1) else cut[0]


def _scattered(x: Tensor, index: tuple[Any, ...], value: Tensor) -> Tensor:
    places = np.arange(x.numel()).reshape(x.shape)[index].reshape(-1)
    if not places.size:
        return x.clone()
    taken = np.zeros(x.numel(), np.int64)
    taken[places] = np.arange(places.size)
    chosen = np.zeros(x.numel(), np.bool_)
    chosen[places] = True
    spread = value.reshape(-1)[x._wrap(taken)].reshape(x.shape)
    return where(x._wrap(chosen.reshape(x.shape)), spread, x)
