"""Sorting, and choosing the most extreme elements."""

from __future__ import annotations

from tinygrad_rnn.functions.joining import required
from tinygrad_rnn.methods.composed import Sorted as Sorted
from tinygrad_rnn.tensor import Tensor


def sort(input: Tensor, dim: int = -1, descending: bool = False) -> Sorted:
    """See `Tensor.sort`."""
    return required(input).sort(dim, descending)


def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Sorted:
    """See `Tensor.topk`."""
    return required(input).topk(k, dim, largest, sorted)
