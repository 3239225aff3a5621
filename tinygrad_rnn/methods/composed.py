"""Methods made of the others: other names, comparisons of whole tensors, and small formulas."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import array_of, axis_of, integer_of, positive, shape_of, sizes_of
from tinygrad_rnn.devices import require_cpu
from tinygrad_rnn.dtypes import (
    bool_,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.methods.arithmetic import Arithmetic, Scalar, whole_division
from tinygrad_rnn.methods.operand import Bool, Int, Operand, named
from tinygrad_rnn.methods.reductions import Reductions

if TYPE_CHECKING:
    from tinygrad_rnn.tensor import Tensor


# PyTorch's own names of tensors with these elements.
_CLASSES = {
    "torch.FloatTensor": float32,
    "torch.DoubleTensor": float64,
    "torch.LongTensor": int64,
    "torch.IntTensor": int32,
    "torch.ShortTensor": int16,
    "torch.CharTensor": int8,
    "torch.ByteTensor": uint8,
    "torch.BoolTensor": bool_,
}


class Sorted(NamedTuple):
    """Elements in order, and where they came from."""

    values: Tensor
    indices: Tensor


class Composed(Reductions):
    """What needs no primitive of its own."""

    __slots__ = ()

    absolute = Arithmetic.abs
    negative = Arithmetic.neg
    multiply = Arithmetic.mul
    subtract = Arithmetic.sub
    divide = true_divide = Arithmetic.div
    not_equal = Arithmetic.ne
    less = Arithmetic.lt
    less_equal = Arithmetic.le
    greater = Arithmetic.gt
    greater_equal = Arithmetic.ge

    # ------------------------------------------------------------------ what it is, and its like

    @property
    def is_cuda(self) -> Bool:
        """Whether it is on a GPU: no."""
        return False

    def nelement(self) -> Int:
        """Return the number of elements."""
        return self._array.size

    def ndimension(self) -> Int:
        """Return the number of axes."""
        return self.ndim

    def element_size(self) -> Int:
        """Return the number of bytes of one element."""
        return self._array.itemsize

    def type(self, dtype: Any = None) -> Any:
        """Return it with another element type: a dtype, or a class such as `LongTensor`.

        Without one, return PyTorch's name of its own, such as "torch.FloatTensor"; such a name may
        be passed as well.
        """
        if dtype is None:
            return next(name for name, own in _CLASSES.items() if own == self.dtype)
        if isinstance(dtype, str):
            dtype = _CLASSES.get(dtype, dtype)
        return self.to(getattr(dtype, "element_type", dtype))

    def type_as(self, other: Tensor) -> Tensor:
        """Return it with the element type of `other`."""
        return self.to(_required(other, "type_as").dtype)

    def view_as(self, other: Tensor) -> Tensor:
        """Return the elements in the shape of `other`."""
        return self.reshape(_required(other, "view_as").shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """Return the elements in the shape of `other`."""
        return self.view_as(other)

    def new_ones(self, *shape: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Return ones of this tensor's type."""
        return self.new_zeros(*shape, dtype=dtype, device=device) + 1

    def new_empty(self, *shape: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Return a tensor of this tensor's type to be overwritten; it starts as zeros."""
        return self.new_zeros(*shape, dtype=dtype, device=device)

    def new_full(
        self, size: Any, fill_value: Scalar, dtype: Any = None, device: Any = None
    ) -> Tensor:
        """Return a tensor of this tensor's type with every element equal to `fill_value`."""
        require_cpu(device)
        fill = array_of(fill_value, dtype or self.dtype, self.dtype)
        if fill.ndim:
            raise ShapeError(f"new_full repeats one number, not an array of shape {fill.shape}")
        return self._wrap(np.full(sizes_of((size,)), fill))

    def new_tensor(self, data: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Return a tensor of this tensor's type that holds a copy of `data`."""
        require_cpu(device)
        return self._wrap(np.array(array_of(data, dtype or self.dtype, self.dtype)))

    # ------------------------------------------------------------------ arithmetic

    def floor_divide(self, other: Any) -> Tensor:
        """Return self / other, rounded down."""
        return named("floor_divide", whole_division(ops.floor_divide, self, other), other)

    def remainder(self, other: Any) -> Tensor:
        """Return what is left of self / other, with the sign of `other`."""
        return named("remainder", whole_division(ops.remainder, self, other), other)

    def clamp_min(self, min: Scalar) -> Tensor:
        """Return each element, at least `min`."""
        return self.clamp(min=min)

    def clamp_max(self, max: Scalar) -> Tensor:
        """Return each element, at most `max`."""
        return self.clamp(max=max)

    def log2(self) -> Tensor:
        """Return the logarithm to the base 2."""
        return self.log() * (1.0 / math.log(2.0))

    def log10(self) -> Tensor:
        """Return the logarithm to the base 10."""
        return self.log() * (1.0 / math.log(10.0))

    def tan(self) -> Tensor:
        """Return the tangent of an angle in radians."""
        return self.sin() / self.cos()

    def addmm(self, mat1: Tensor, mat2: Tensor, beta: Scalar = 1, alpha: Scalar = 1) -> Tensor:
        """Return beta · self + alpha · mat1 mat2, the product of two matrices."""
        return self * beta + _required(mat1, "addmm").mm(mat2) * alpha

    def baddbmm(
        self, batch1: Tensor, batch2: Tensor, beta: Scalar = 1, alpha: Scalar = 1
    ) -> Tensor:
        """Return beta · self + alpha · batch1 batch2, the products of two batches of matrices."""
        return self * beta + _required(batch1, "baddbmm").bmm(batch2) * alpha

    def addcmul(self, tensor1: Tensor, tensor2: Tensor, value: Scalar = 1) -> Tensor:
        """Return self + value · tensor1 tensor2."""
        return self + _required(tensor1, "addcmul") * tensor2 * value

    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, value: Scalar = 1) -> Tensor:
        """Return self + value · tensor1 / tensor2."""
        return self + _required(tensor1, "addcdiv") / tensor2 * value

    def lerp(self, end: Tensor, weight: Any) -> Tensor:
        """Return self + weight · (end - self)."""
        return self + (_required(end, "lerp") - self).mul(weight)

    def mv(self, vec: Tensor) -> Tensor:
        """Return the product of a matrix and a vector."""
        if self.ndim != 2 or _required(vec, "mv").ndim != 1:
            raise ShapeError(f"mv takes a matrix and a vector, not {self.shape} and {vec.shape}")
        return self @ vec

    def outer(self, vec2: Tensor) -> Tensor:
        """Return the matrix of products a_i b_j of two vectors."""
        if self.ndim != 1 or _required(vec2, "outer").ndim != 1:
            raise ShapeError(f"outer takes two vectors, not {self.shape} and {vec2.shape}")
        return self.unsqueeze(1).mul(vec2)

    # ------------------------------------------------------------------ truth

    def logical_not(self) -> Tensor:
        """Return whether each element is 0."""
        return ~self.to(bool_)

    def logical_and(self, other: Tensor) -> Tensor:
        """Return whether both are other than 0."""
        return self.to(bool_) & _required(other, "logical_and").to(bool_)

    def logical_or(self, other: Tensor) -> Tensor:
        """Return whether one is other than 0."""
        return self.to(bool_) | _required(other, "logical_or").to(bool_)

    def logical_xor(self, other: Tensor) -> Tensor:
        """Return whether exactly one is other than 0."""
        return self.to(bool_) ^ _required(other, "logical_xor").to(bool_)

    def bitwise_not(self) -> Tensor:
        """Return ~self."""
        return ~self

    def isclose(
        self, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: Bool = False
    ) -> Tensor:
        """Return whether |self - other| <= atol + rtol |other|, element by element."""
        other = _required(other, "isclose")
        near = ((self - other).abs() <= other.abs() * rtol + atol) & other.isfinite()
        near = near | (self == other)
        return near | (self.isnan() & other.isnan()) if equal_nan else near

    def allclose(
        self, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: Bool = False
    ) -> Bool:
        """Return whether `isclose` holds everywhere, as a Python truth value."""
        return bool(self.isclose(other, rtol, atol, equal_nan).all())

    def equal(self, other: Tensor) -> Bool:
        """Return whether shapes and all elements are equal, as a Python truth value."""
        same_shape = self.shape == _required(other, "equal").shape
        return same_shape and bool((self == other).all())

    def count_nonzero(self, dim: Any = None) -> Tensor:
        """Return how many elements are other than 0, over axes (all of them by default)."""
        return (self != 0).sum(dim)

    # ------------------------------------------------------------------ order and places

    def sort(self, dim: Int = -1, descending: Bool = False, stable: Bool = True) -> Sorted:
        """Return the elements in order along an axis, equal ones in their old order."""
        if self.ndim == 0:
            values, indices = self.unsqueeze(0).sort(dim, descending)
            return Sorted(values.squeeze(0), indices.squeeze(0))
        axis = axis_of(dim, self.ndim)
        indices = self.apply(ops.argsort, self, axis=axis, descending=bool(descending))
        return Sorted(self.apply(ops.gather, self, indices, axis=axis), indices)

    def argsort(self, dim: Int = -1, descending: Bool = False, stable: Bool = True) -> Tensor:
        """Return where the elements in order along an axis came from."""
        return self.sort(dim, descending).indices

    def topk(self, k: Int, dim: Int = -1, largest: Bool = True, sorted: Bool = True) -> Sorted:
        """Return the k largest (or smallest) elements along an axis, the most extreme first."""
        if self.ndim == 0:
            values, indices = self.unsqueeze(0).topk(k, dim, largest)
            return Sorted(values.reshape(self.shape), indices.reshape(self.shape))
        axis = axis_of(dim, self.ndim)
        if not 0 <= k <= self.shape[axis]:
            raise ArgumentError(
                f"topk cannot take {k} of {self.shape[axis]} elements on axis {axis}"
            )
        values, indices = self.sort(axis, descending=largest)
        return Sorted(values.narrow(axis, 0, k), indices.narrow(axis, 0, k))

    def nonzero(self, as_tuple: Bool = False) -> Any:
        """Return where elements are other than 0: a row of indices each, or a vector an axis."""
        self._read_back("nonzero()")
        found = np.nonzero(np.atleast_1d(self._array))
        if as_tuple:
            return tuple(self._wrap(axis) for axis in found)
        # A single number has no axes to name.
        rows = np.stack(found, 1) if self.ndim else np.zeros((found[0].size, 0), np.int64)
        return self._wrap(rows)

    def _read_back(self, how: Any) -> None:
        """Refuse while a step is recorded. Tensor says how."""
        raise NotImplementedError

    def broadcast_to(self, *shape: Any) -> Tensor:
        """Return a view with axes of length 1 repeated; see `expand`."""
        return self.expand(shape_of(shape))

    def tile(self, *counts: Any) -> Tensor:
        """Return copies side by side, `counts` many along each of the last axes."""
        times = shape_of(counts)
        return self.repeat((*(1,) * (self.ndim - len(times)), *times))

    def repeat_interleave(self, repeats: Int, dim: Int | None = None) -> Tensor:
        """Return each slice of an axis (by default of all elements in a row) `repeats` times."""
        if isinstance(repeats, Operand):
            raise DtypeError(
                "repeat_interleave takes one number of copies for all; for different ones index "
                "with a vector of the places, x[places]"
            )
        if dim is None:
            return self.reshape(-1).repeat_interleave(repeats, 0)
        count = positive(repeats, "the number of copies")
        after = axis_of(dim, self.ndim) + 1
        apart = self.unsqueeze(after)
        spread = apart.expand((*self.shape[:after], count, *self.shape[after:]))
        return spread.flatten(after - 1, after)

    def roll(self, shifts: Any, dims: Any = None) -> Tensor:
        """Move the elements along axes; what leaves at one end comes back at the other."""
        if dims is None:
            return self.reshape(-1).roll(shifts, 0).reshape(self.shape)
        several, axes = shape_of((shifts,)), shape_of((dims,))
        if len(several) != len(axes):
            raise ArgumentError(f"roll needs one shift an axis, not {several} for {axes}")
        x = cast("Tensor", self)
        for shift, dim in zip(several, axes, strict=True):
            length = x.shape[axis_of(dim, x.ndim)]
            if length and shift % length:
                last, first = x.split([length - shift % length, shift % length], dim)
                x = x.apply(ops.concatenate, first, last, axis=axis_of(dim, x.ndim))
        return x

    def movedim(self, source: Any, destination: Any) -> Tensor:
        """Return the axes in another order, those of `source` at `destination`."""
        moved = [axis_of(axis, self.ndim) for axis in shape_of((source,))]
        places = [axis_of(axis, self.ndim) for axis in shape_of((destination,))]
        if len(moved) != len(places) or len(set(moved)) + len(set(places)) < 2 * len(moved):
            raise ArgumentError(f"movedim needs one place an axis, not {source} to {destination}")
        rest = iter([axis for axis in range(self.ndim) if axis not in moved])
        by_place = dict(zip(places, moved, strict=True))
        return self.permute(
            [by_place[i] if i in by_place else next(rest) for i in range(self.ndim)]
        )

    moveaxis = movedim

    def swapaxes(self, axis0: Int, axis1: Int) -> Tensor:
        """Exchange two axes; see `transpose`."""
        return self.transpose(axis0, axis1)

    swapdims = swapaxes

    def unflatten(self, dim: Int, sizes: Any) -> Tensor:
        """Return an axis as several, of these lengths; one may be -1."""
        axis = axis_of(dim, self.ndim)
        return self.reshape((*self.shape[:axis], *shape_of((sizes,)), *self.shape[axis + 1 :]))

    def tril(self, diagonal: Int = 0) -> Tensor:
        """Return a matrix (or batch) with 0 above a diagonal."""
        return self._kept(np.tril, diagonal)

    def triu(self, diagonal: Int = 0) -> Tensor:
        """Return a matrix (or batch) with 0 below a diagonal."""
        return self._kept(np.triu, diagonal)

    def _kept(self, choice: Any, diagonal: Int) -> Tensor:
        if self.ndim < 2:
            raise ArgumentError(f"{choice.__name__} takes a matrix, not shape {self.shape}")
        number = integer_of(diagonal, "the number of a diagonal")
        kept = choice(np.ones(self.shape[-2:], np.bool_), number)
        return self.masked_fill(self._wrap(~kept), 0)

    def scatter(
        self, dim: Int, index: Tensor, src: Any = None, *, value: Scalar | None = None
    ) -> Tensor:
        """Return a copy with src[i][j][k] at [i][index[i][j][k]][k], for dim = 1.

        `src` may be one number, which may be called `value`.

        Raises:
            ArgumentError: if two numbers of a tensor `src` go to one place, where PyTorch leaves
                open which of them stays.
        """
        if (src is None) == (value is None):
            raise ArgumentError("scatter takes a tensor `src`, or a number `value`")
        src = value if src is None else src
        hits = self._hits(dim, index)
        if not isinstance(src, Operand):
            return self.masked_fill(hits > 0, src)
        once = self.apply(
            ops.require_range,
            hits,
            low=0,
            high=2,
            ignore=None,
            message="`scatter` puts {value} numbers in one place; see scatter_add, which adds them",
            error=ArgumentError,
        )
        placed = self.new_zeros(self.shape).scatter_add(dim, index, cast("Tensor", src))
        return placed.where(once > 0, self)

    def index_add(self, dim: Int, index: Tensor, source: Tensor, alpha: Scalar = 1) -> Tensor:
        """Return a copy with alpha · source[:, i] added at [:, index[i]], for dim = 1."""
        return self.scatter_add(dim, self._spread(dim, index, source.shape), source * alpha)

    def index_fill(self, dim: Int, index: Tensor, value: Scalar) -> Tensor:
        """Return a copy with `value` in the slices of an axis that a vector of integers names."""
        axis = axis_of(dim, self.ndim)
        shape = (*self.shape[:axis], index.numel(), *self.shape[axis + 1 :])
        hits = self._hits(dim, self._spread(dim, index, shape))
        return self.masked_fill(hits > 0, value)

    def _hits(self, dim: Int, index: Tensor) -> Tensor:
        """Return how often each place is named by an index of `scatter`."""
        ones = self._wrap(np.ones(_required(index, "scatter").shape, np.int64))
        return self.new_zeros(self.shape, dtype=int64).scatter_add(dim, index, ones)

    def _spread(self, dim: Int, index: Tensor, shape: Any) -> Tensor:
        """Return a vector of indices along one axis, repeated along the others."""
        axis = axis_of(dim, self.ndim)
        along = [1] * self.ndim
        along[axis] = -1
        return _required(index, "an index").reshape(along).expand(shape)


def _required(x: Any, name: str) -> Tensor:
    """Return `x` if it is a Tensor."""
    if not isinstance(x, Operand):
        raise DtypeError(f"{name} takes a Tensor, not {type(x).__name__}; see tensor()")
    return cast("Tensor", x)

