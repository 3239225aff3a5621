"""Primitives that move numbers without changing them: views, joins, padding and indexing.

Taking T steps out of a tensor costs work proportional to the data. Forwards are views; backwards
gather all slices of one tensor (`Slices`) and write them into one buffer (`sum_slices`), instead
of a full-size array of zeros for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.engine import Deferred
from tinygrad_rnn.kernels.scatter import add_rows
from tinygrad_rnn.ops.primitive import Primitive, Value

Shape = tuple[int, ...]


class ArrayIndex:
    """Marks the place in an index where the next index array goes."""

    def __repr__(self) -> str:
        return "array"


ARRAY = ArrayIndex()
Index = tuple[Any, ...]


def filled(index: Index, arrays: Sequence[Any]) -> Index:
    """Put the arrays into the places that `index` marks."""
    if not arrays:
        return index
    remaining = iter(arrays)
    return tuple([next(remaining) if part is ARRAY else part for part in index])


class Slices(Deferred):
    """g arrived for `x[index]`."""

    __slots__ = ("arrays", "dtype", "g", "index", "shape")

    def __init__(self, g: Value, x: Value, index: Index, arrays: tuple[Value, ...]) -> None:
        self.g = g
        self.shape = x.shape
        self.dtype = x.dtype
        self.index = index
        self.arrays = arrays

    def total(self, parts: Sequence[Slices]) -> Value:
        """Write all the gradients into one buffer of zeros, adding where they overlap."""
        inputs: list[Value] = []
        for part in parts:
            inputs.append(part.g)
            inputs.extend(part.arrays)
        indices = tuple([part.index for part in parts])
        return self.g.apply(sum_slices, *inputs, indices=indices, shape=self.shape)


def _sum_slices(*inputs: Any, indices: tuple[Index, ...], shape: Shape) -> Any:
    total = np.zeros(shape, inputs[0].dtype)
    remaining = iter(inputs)
    for index in indices:
        g = next(remaining)
        arrays = [next(remaining) for part in index if part is ARRAY]
        if not arrays:
            total[index] += g
        elif len(index) == 1 and arrays[0].dtype != np.bool_:
            rows = arrays[0].reshape(-1).astype(np.int64, copy=False)
            width = int(np.prod(shape[1:]))
            # A negative index counts from the end, as it did on the way in.
            rows = np.where(rows < 0, rows + shape[0], rows)
            add_rows(total.reshape(shape[0], width), rows, g.reshape(len(rows), width))
        else:
            np.add.at(total, filled(index, arrays), g)
    return total


def _sum_slices_vjp(
    g: Value, out: None, wanted: Sequence[int], *inputs: Value, indices: Any, shape: Shape
) -> list[Value | None]:
    gradients: list[Value | None] = []
    for index in indices:
        count = sum(part is ARRAY for part in index)
        at = len(gradients)
        arrays = inputs[at + 1 : at + 1 + count]
        gradients.append(g.apply(getitem, g, *arrays, index=index) if wanted[at] else None)
        gradients.extend([None] * count)
    return gradients


def _getitem(x: Any, *arrays: Any, index: Index) -> Any:
    # The Ellipsis makes NumPy return a view without axes where it would return a scalar.
    if arrays or any(part is Ellipsis for part in index):
        return x[filled(index, arrays)]
    return x[(*index, ...)]


def _getitem_vjp(
    g: Value, out: None, wanted: Sequence[int], x: Value, *arrays: Value, index: Index
) -> list[Value | None]:
    return [Slices(g, x, index, arrays), *[None] * len(arrays)]


def _unbind(x: Any, axis: int) -> tuple[Any, ...]:
    moved = np.moveaxis(x, axis, 0)
    # Iterating over a vector would make numbers, which are no views.
    return tuple(moved) if moved.ndim > 1 else tuple([moved[i, ...] for i in range(len(moved))])


def _zeros_for_missing(
    g: Sequence[Value | None], shape_of: Callable[[int], Shape]
) -> Sequence[Any]:
    missing = [slot for slot, part in enumerate(g) if part is None]
    if not missing:
        return g
    some = next(part for part in g if part is not None)
    parts = list(g)
    for slot in missing:
        parts[slot] = some.new_zeros(shape_of(slot))
    return parts


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _unbind_vjp(g: Any, out: None, x: Value, axis: int) -> Value:
    parts = _zeros_for_missing(g, lambda slot: _without(x.shape, axis))
    return parts[0].apply(stack, *parts, axis=axis)


def _split(x: Any, sizes: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    parts = []
    start = 0
    before = (slice(None),) * axis
    for size in sizes:
        parts.append(x[(*before, slice(start, start + size))])
        start += size
    return tuple(parts)


def _split_vjp(g: Any, out: None, x: Value, sizes: tuple[int, ...], axis: int) -> Value:
    parts = _zeros_for_missing(
        g, lambda slot: (*x.shape[:axis], sizes[slot], *x.shape[axis + 1 :])
    )
    return parts[0].apply(concatenate, *parts, axis=axis)


def _concatenate(*arrays: Any, axis: int) -> Any:
    return np.concatenate(arrays, axis=axis)


def _concatenate_vjp(
    g: Value, out: None, wanted: Sequence[int], *inputs: Value, axis: int
) -> Any:
    sizes = tuple([x.shape[axis] for x in inputs])
    return g.apply(split, g, sizes=sizes, axis=axis)


def _stack(*arrays: Any, axis: int) -> Any:
    return np.stack(arrays, axis=axis)


def _stack_vjp(
    g: Value, out: None, wanted: Sequence[int], *inputs: Value, axis: int
) -> Any:
    return g.apply(unbind, g, axis=axis)


def _pad(x: Any, widths: tuple[tuple[int, int], ...], value: float) -> Any:
    shape = [n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)]
    out = np.full(shape, value, x.dtype)
    out[_inner(x.shape, widths)] = x
    return out


def _inner(shape: Shape, widths: tuple[tuple[int, int], ...]) -> Index:
    return tuple([slice(b, b + n) for n, (b, _) in zip(shape, widths, strict=True)])


def _permute(x: Any, axes: tuple[int, ...]) -> Any:
    return x.transpose(axes)


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _reshape(x: Any, shape: Shape) -> Any:
    return x.reshape(shape)


def _expand(x: Any, shape: Shape) -> Any:
    return np.broadcast_to(x, shape)


def _gather(x: Any, index: Any, axis: int) -> Any:
    return np.take_along_axis(x, index, axis)


def _scatter_add(x: Any, index: Any, source: Any, axis: int) -> Any:
    out = x.copy()
    others = x.shape[:axis] + x.shape[axis + 1 :]
    if index.shape[axis] == 1 and index.shape[:axis] + index.shape[axis + 1 :] == others:
        np.put_along_axis(out, index, np.take_along_axis(out, index, axis) + source, axis)
        return out
    grid = list(np.ogrid[tuple([slice(n) for n in index.shape])])
    grid[axis] = index
    np.add.at(out, tuple(grid), source)
    return out


reshape = Primitive("reshape", _reshape, lambda g, out, x, shape: g.reshape(x.shape), view=True)
permute = Primitive(
    "permute", _permute, lambda g, out, x, axes: g.permute(_inverse(axes)), view=True
)
expand = Primitive("expand", _expand, lambda g, out, x, shape: g, view=True)
getitem = Primitive("getitem", _getitem, joint=_getitem_vjp, view=True)
sum_slices = Primitive("sum_slices", _sum_slices, joint=_sum_slices_vjp)
unbind = Primitive("unbind", _unbind, _unbind_vjp, multiple=True, view=True)
split = Primitive("split", _split, _split_vjp, multiple=True, view=True)
concatenate = Primitive("cat", _concatenate, joint=_concatenate_vjp)
stack = Primitive("stack", _stack, joint=_stack_vjp)
pad = Primitive(
    "pad", _pad, lambda g, out, x, widths, value: g[_inner(x.shape, widths)]
)
gather = Primitive(
    "gather",
    _gather,
    lambda g, out, x, index, axis: g.apply(
        scatter_add, g.new_zeros(x.shape), index, g, axis=axis
    ),
    None,
    reads_inputs=True,
)
scatter_add: Primitive = Primitive(
    "scatter_add",
    _scatter_add,
    lambda g, out, x, index, source, axis: g,
    None,
    lambda g, out, x, index, source, axis: g.gather(axis, index),
    reads_inputs=True,
)
