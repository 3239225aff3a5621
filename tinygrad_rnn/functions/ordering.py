"""Sorting, and choosing the most extreme elements."""

from __future__ import annotations

from typing import NamedTuple

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import axis_of
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.functions.joining import required
from tinygrad_rnn.tensor import Tensor, apply


class Sorted(NamedTuple):
    """Elements in order, and where they came from."""

    values: Tensor
    indices: Tensor


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> Sorted:
    """Return the elements in order along an axis, equal ones in their old order."""
    if required(x).ndim == 0:
        values, indices = sort(x.unsqueeze(0), dim, descending)
        return Sorted(values.squeeze(0), indices.squeeze(0))
    axis = axis_of(dim, x.ndim)
    indices = apply(ops.argsort, x, axis=axis, descending=bool(descending))
    return Sorted(apply(ops.gather, x, indices, axis=axis), indices)


def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True) -> Sorted:
    """Return the k largest (or smallest) elements along an axis, the most extreme first."""
    if required(x).ndim == 0:
        values, indices = topk(x.unsqueeze(0), k, dim, largest)
        return Sorted(values.reshape(x.shape), indices.reshape(x.shape))
    axis = axis_of(dim, x.ndim)
    if not 0 <= k <= x.shape[axis]:
        raise ArgumentError(f"topk cannot take {k} of {x.shape[axis]} elements on axis {axis}")
    values, indices = sort(x, axis, descending=largest)
    return Sorted(values.narrow(axis, 0, k), indices.narrow(axis, 0, k))
