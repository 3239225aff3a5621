"""Joining tensors, along an axis that exists or a new one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import axis_of, numpy_names
from tinygrad_rnn.errors import ArgumentError, DtypeError
from tinygrad_rnn.tensor import Tensor, apply


def required(x: Any) -> Tensor:
    """Return `x` if it is a Tensor."""
    if not isinstance(x, Tensor):
        raise DtypeError(f"a Tensor is needed here, not {type(x).__name__}; see tensor()")
    return x


@numpy_names
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along an axis that exists; all other lengths agree.

    Raises:
        ShapeError: if they do not.
        DtypeError: if the element types differ.
    """
    parts = _same_kind(tensors, "cat")
    if any(x.ndim != 1 for x in parts):
        # As PyTorch does: programs collect parts behind an empty tensor.
        parts = [x for x in parts if x.shape != (0,)]
    return apply(ops.concatenate, *parts, axis=axis_of(dim, parts[0].ndim))


@numpy_names
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    parts = _same_kind(tensors, "stack")
    return apply(ops.stack, *parts, axis=axis_of(dim, parts[0].ndim + 1))


concat = concatenate = cat


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join tensors along the first axis; vectors as rows."""
    parts = _same_kind(tensors, "vstack")
    return cat([x.reshape((1, -1)) if x.ndim < 2 else x for x in parts], 0)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join tensors along the second axis; vectors along their only one."""
    parts = [x.reshape(1) if x.ndim == 0 else x for x in _same_kind(tensors, "hstack")]
    return cat(parts, 0 if parts[0].ndim == 1 else 1)


def _same_kind(tensors: Sequence[Tensor], name: str) -> Sequence[Tensor]:
    if not isinstance(tensors, Iterable):
        raise DtypeError(f"`{name}` takes a sequence of tensors, not {type(tensors).__name__}")
    parts = list(tensors)
    if not parts:
        raise ArgumentError(f"`{name}` needs at least one tensor")
    for part in parts:
        if not isinstance(part, Tensor):
            raise DtypeError(f"`{name}` takes tensors, not {type(part).__name__}; see tensor()")
        if part.dtype != parts[0].dtype:
            raise DtypeError(
                f"`{name}` got {parts[0].dtype} and {part.dtype}; convert them to one type"
            )
    return parts
