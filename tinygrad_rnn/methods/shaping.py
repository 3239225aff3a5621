"""Shape, order and selection: methods that move numbers without changing them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import (
    Array,
    axes_of,
    axis_of,
    numpy_names,
    positive,
    shape_of,
    sizes_of,
)
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    OutOfRangeError,
    ShapeError,
    UnsupportedError,
)
from tinygrad_rnn.methods.operand import Int, Operand

if TYPE_CHECKING:
    from tinygrad_rnn.tensor import Tensor


class Shaping(Operand):
    """Reshaping, transposing, joining back, slicing, indexing, gathering and scattering."""

    __slots__ = ()

    @property
    def T(self) -> Tensor:  # noqa: N802 - PyTorch's and NumPy's name
        """The axes in reverse order."""
        return self.permute(tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:  # noqa: N802 - PyTorch's and NumPy's name
        """The last two axes exchanged."""
        return self.transpose(-1, -2)

    def reshape(self, *shape: Any) -> Tensor:
        """Return the elements in another shape; one length may be -1."""
        wanted = shape_of(shape)
        if wanted and min(wanted) < -1:
            raise ShapeError(
                f"a shape has no negative lengths, but for one -1 that fills the rest: {wanted}"
            )
        return self.apply(ops.reshape, self, shape=wanted)

    view = reshape

    def flatten(self, start_dim: Int = 0, end_dim: Int = -1) -> Tensor:
        """Join the axes from `start_dim` to `end_dim` into one."""
        axes = max(self.ndim, 1)
        start, end = axis_of(start_dim, axes), axis_of(end_dim, axes)
        if start > end:
            raise ArgumentError(f"flatten goes from axis {start} to {end}, which is before it")
        middle = math.prod(self.shape[start : end + 1])
        return self.reshape((*self.shape[:start], middle, *self.shape[end + 1 :]))

    def permute(self, *axes: Any, dims: Any = None) -> Tensor:
        """Return the axes in another order."""
        given = axes if dims is None else (dims,)
        order = tuple(axis_of(axis, self.ndim) for axis in shape_of(given))
        return self.apply(ops.permute, self, axes=order)

    def transpose(self, dim0: Int, dim1: Int) -> Tensor:
        """Exchange two axes."""
        order = list(range(self.ndim))
        a, b = axis_of(dim0, self.ndim), axis_of(dim1, self.ndim)
        order[a], order[b] = order[b], order[a]
        return self.apply(ops.permute, self, axes=tuple(order))

    def t(self) -> Tensor:
        """Exchange the axes of a matrix; a vector stays as it is."""
        if self.ndim > 2:
            raise ShapeError(f"t() takes a matrix, not shape {self.shape}; use transpose or mT")
        return self.T

    def expand(self, *shape: Any) -> Tensor:
        """Return a view with axes of length 1 repeated; -1 keeps a length."""
        wanted = shape_of(shape)
        lead = len(wanted) - self.ndim
        if any(n == -1 for n in wanted[: max(lead, 0)]):
            raise ShapeError(f"expand to {wanted}: -1 keeps a length, a new axis has none to keep")
        full = tuple(self.shape[i - lead] if n == -1 else n for i, n in enumerate(wanted))
        return self.apply(ops.expand, self, shape=full)

    def expand_as(self, other: Tensor) -> Tensor:
        """Expand to the shape of `other`."""
        return self.expand(other.shape)

    def repeat(self, *counts: Any) -> Tensor:
        """Return copies side by side, `counts` many along each axis."""
        times = sizes_of(counts)
        lead = len(times) - self.ndim
        if lead < 0:
            raise ShapeError(
                f"repeat of shape {self.shape} takes {self.ndim} counts or more, not {len(times)}"
            )
        x = self.reshape((1,) * lead + self.shape)
        apart = tuple(n for length in x.shape for n in (1, length))
        spread = tuple(n for pair in zip(times, x.shape, strict=True) for n in pair)
        joined = tuple(count * n for count, n in zip(times, x.shape, strict=True))
        return x.reshape(apart).expand(spread).reshape(joined)

    @numpy_names
    def squeeze(self, dim: Any = None) -> Tensor:
        """Drop axes of length 1: all of them, or those named if they have length 1."""
        axes = axes_of(dim, self.ndim)
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if n != 1 or i not in axes))

    @numpy_names
    def unsqueeze(self, dim: Int) -> Tensor:
        """Insert an axis of length 1 at `dim`."""
        at = axis_of(dim, self.ndim + 1)
        return self.reshape((*self.shape[:at], 1, *self.shape[at:]))

    def unbind(self, dim: Int = 0) -> tuple[Tensor, ...]:
        """Return the slices along an axis, without that axis."""
        return tuple(self.apply(ops.unbind, self, axis=axis_of(dim, self.ndim)))

    def split(self, split_size: Any, dim: Int = 0) -> tuple[Tensor, ...]:
        """Cut an axis into pieces of `split_size` (the last may be shorter), or of given sizes."""
        axis = axis_of(dim, self.ndim)
        length = self.shape[axis]
        if isinstance(split_size, (int, np.integer)):
            if split_size < 1:
                raise ArgumentError(f"split needs pieces of at least 1 element, not {split_size}")
            whole, rest = divmod(length, int(split_size))
            sizes = (split_size,) * whole + ((rest,) if rest or not whole else ())
        else:
            sizes = sizes_of((split_size,))
            if sum(sizes) != length:
                raise ShapeError(
                    f"sizes {sizes} do not add up to {length}, the length of axis {dim}"
                )
        return tuple(self.apply(ops.split, self, sizes=sizes, axis=axis))

    def chunk(self, chunks: Int, dim: Int = 0) -> tuple[Tensor, ...]:
        """Cut an axis into at most `chunks` pieces of equal size (the last may be shorter)."""
        positive(chunks, "the number of chunks")
        length = self.shape[axis_of(dim, self.ndim)]
        return self.split(max(1, -(-length // chunks)), dim)

    def flip(self, *places: Any, dims: Any = None) -> Tensor:
        """Reverse the order along axes."""
        axes = axes_of(shape_of(places if dims is None else (dims,)), self.ndim)
        index = tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(self.ndim))
        return self.apply(ops.getitem, self, index=index)

    def narrow(self, dim: Int, start: Int, length: Int) -> Tensor:
        """Return `length` elements of an axis from `start`."""
        axis = axis_of(dim, self.ndim)
        first = start + self.shape[axis] if start < 0 else start
        if first < 0 or length < 0 or first + length > self.shape[axis]:
            raise OutOfRangeError(
                f"narrow cannot take {length} elements from {start} of axis {axis}, which has "
                f"length {self.shape[axis]}"
            )
        return self[(*(slice(None),) * axis, slice(first, first + length))]

    def select(self, dim: Int, index: Int) -> Tensor:
        """Return one slice of an axis, without that axis."""
        before = (slice(None),) * axis_of(dim, self.ndim)
        return self[(*before, index)]

    def __getitem__(self, index: Any) -> Tensor:
        template, arrays = split_index(self, index)
        return self.apply(ops.getitem, self, *arrays, index=template)

    def index_select(self, dim: Int, index: Tensor) -> Tensor:
        """Return the slices of an axis that a vector of integers names."""
        before = (slice(None),) * axis_of(dim, self.ndim)
        if not isinstance(index, Operand) or index.ndim > 1 or index.dtype.kind not in "iu":
            kind = f"{index.dtype} {index.shape}" if isinstance(index, Operand) else repr(index)
            raise ArgumentError(f"index_select takes a vector of integers as its index, not {kind}")
        checked = _in_range(index, self.shape[len(before)], "index_select")
        return self[(*before, checked.reshape(-1))]

    def masked_select(self, mask: Tensor) -> Tensor:
        """Return the elements where `mask` holds, as a vector; the two are broadcast."""
        if not isinstance(mask, Shaping) or mask.dtype.kind != "b":
            raise DtypeError("masked_select takes a tensor of booleans, such as x > 0")
        try:
            shape = np.broadcast_shapes(self.shape, mask.shape)
        except ValueError as error:
            raise ShapeError(f"masked_select of {self.shape} by {mask.shape}: {error}") from error
        return self.expand(shape)[mask.expand(shape)]

    def gather(self, dim: Int, index: Tensor) -> Tensor:
        """Return out[i][j][k] = self[i][index[i][j][k]][k], for dim = 1."""
        if self.ndim == 0 and isinstance(index, Shaping) and index.ndim == 0:
            return self.unsqueeze(0).gather(dim, index.unsqueeze(0)).squeeze(0)
        axis = axis_of(dim, self.ndim)
        checked = _in_range(index, self.shape[axis], "gather")
        x = _trimmed_to(self, index, axis, "gather")
        return self.apply(ops.gather, x, checked, axis=axis)

    def scatter_add(self, dim: Int, index: Tensor, src: Tensor) -> Tensor:
        """Return a copy with src[i][j][k] added at [i][index[i][j][k]][k], for dim = 1."""
        axis = axis_of(dim, self.ndim)
        checked = _in_range(index, self.shape[axis], "scatter_add")
        _trimmed_to(self, index, axis, "scatter_add")
        if not isinstance(src, Operand) or src.dtype != self.dtype:
            kind = src.dtype if isinstance(src, Operand) else type(src).__name__
            raise DtypeError(f"`scatter_add` adds a tensor of the type {self.dtype}, not {kind}")
        if src.ndim != index.ndim or any(
            n < m for n, m in zip(src.shape, index.shape, strict=True)
        ):
            raise ShapeError(
                f"`scatter_add` needs a source at least as long as its index {index.shape} on "
                f"every axis, not {src.shape}"
            )
        source = src[tuple(slice(n) for n in index.shape)]
        return self.apply(ops.scatter_add, self, checked, source, axis=axis)


def _trimmed_to(x: Shaping, index: Tensor, axis: int, name: str) -> Tensor:
    """Cut `x` to the extent of `index` on all axes but one, as gather's definition allows."""
    if x.ndim != index.ndim or any(
        n > m for i, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if i != axis
    ):
        raise ShapeError(
            f"`{name}` of {x.shape} with an index of {index.shape} on axis {axis}: the index needs "
            "as many axes, and elsewhere no greater lengths"
        )
    if all(n == m for i, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if i != axis):
        return cast("Tensor", x)
    return x[tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(index.shape))]


def _in_range(index: Tensor, length: int, name: str) -> Tensor:
    """Return an index all of whose numbers exist on an axis of that length."""
    if not isinstance(index, Operand):
        raise DtypeError(f"`{name}` needs an index tensor, not {type(index).__name__}")
    if index.dtype.kind not in "iu":
        raise DtypeError(f"`{name}` needs an index of integers, not {index.dtype}")
    return index.apply(
        ops.require_range,
        index,
        low=0,
        high=length,
        ignore=None,
        message=f"`{name}` got index {{value}} for an axis of length {length}",
    )


def split_index(x: Operand, index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """Split an index into a template of slices and numbers, and the index arrays apart."""
    template: list[Any] = []
    arrays: list[Any] = []
    if isinstance(index, list):
        _refuse_list_of_indices(index)
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, (list, range, np.ndarray)):
            part = x._wrap(_places(part))
        if isinstance(part, Operand):
            if part._array.dtype.kind not in "iub":
                raise DtypeError(
                    f"an index must be made of integers or booleans, not {part.dtype}; "
                    "convert with .long()"
                )
            if part._array.dtype == np.uint8:
                raise UnsupportedError(
                    "PyTorch reads an index of uint8 as a mask, NumPy as places; say which with "
                    ".bool() or .long()"
                )
            template.append(ops.ARRAY)
            arrays.append(part)
        elif part is None or part is Ellipsis or isinstance(part, (int, slice, np.integer)):
            template.append(part)
        else:
            raise DtypeError(
                f"an index must be made of integers, slices, None, ... or integer and boolean "
                f"tensors, not {type(part).__name__}"
            )
    if arrays and any(isinstance(part, (int, np.integer)) for part in template):
        _refuse_ambiguous(template)
    return tuple(template), arrays


def _places(part: Any) -> Array:
    try:
        places = np.array(part)
    except ValueError as error:
        raise ArgumentError(f"a list in an index needs rows of equal length: {error}") from error
    # An empty list is an index of nothing, not of floats.
    return places.astype(np.int64) if places.size == 0 and places.dtype.kind == "f" else places


def _refuse_list_of_indices(index: list[Any]) -> None:
    """Raise UnsupportedError for a list that PyTorch reads as a tuple, and NumPy as an array."""
    for part in index:
        if not isinstance(part, (int, np.integer, np.bool_)):
            raise UnsupportedError(
                f"an index that is a list of {type(part).__name__} is one array to NumPy, and one "
                "index an axis to PyTorch; say which with x[tensor(rows)] or x[tuple(rows)]"
            )


def _refuse_ambiguous(template: list[Any]) -> None:
    """Raise UnsupportedError where NumPy and PyTorch put the axes of an index in other places."""
    numbers = [isinstance(part, (int, np.integer)) for part in template]
    arrays = [i for i, part in enumerate(template) if part is ops.ARRAY]
    axes = [not number and i not in arrays for i, number in enumerate(numbers)]
    picked = [i for i, axis in enumerate(axes) if not axis]
    apart = any(axes[picked[0] : picked[-1]])
    together = not any(axes[arrays[0] : arrays[-1]])
    if apart and together and any(axes[: arrays[0]]):
        raise UnsupportedError(
            "an index that mixes a number and a tensor with a slice between them, such as "
            "x[0, :, index], orders the axes in one way in NumPy and in another in PyTorch; take "
            "the number first, x[0][:, index], and permute if need be"
        )
