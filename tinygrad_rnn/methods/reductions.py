"""Reductions and scans: sums, extremes, norms, and softmax along axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import axes_of, axis_of, numpy_names, reduced_axes, shape_of
from tinygrad_rnn.dtypes import int64
from tinygrad_rnn.errors import ArgumentError, ShapeError
from tinygrad_rnn.methods.arithmetic import Arithmetic, where
from tinygrad_rnn.methods.operand import Bool, Int, require_float
from tinygrad_rnn.ops import Primitive

if TYPE_CHECKING:
    from tinygrad_rnn.tensor import Tensor


class MaxMin(NamedTuple):
    """Extreme values along an axis, and where they were found."""

    values: Tensor
    indices: Tensor


class Reductions(Arithmetic):
    """Methods that reduce or scan axes: `dim` is an axis, several, or None for all of them.

    As in PyTorch an empty tuple stands for all of them too, except that `any` and `all` take it as
    it is.
    """

    __slots__ = ()

    @numpy_names
    def sum(self, dim: Any = None, keepdim: Bool = False, dtype: Any = None) -> Tensor:
        """Return the sum over axes (all of them by default), taken in `dtype` if one is given."""
        if dtype is not None:
            return self.to(dtype).sum(dim, keepdim).to(dtype)
        return self._summable()._reduce(ops.sum_, dim, keepdim)

    @numpy_names
    def mean(self, dim: Any = None, keepdim: Bool = False, dtype: Any = None) -> Tensor:
        """Return the mean over axes, taken in `dtype` if one is given; NaN over nothing."""
        if dtype is not None:
            return self.to(dtype).mean(dim, keepdim)
        require_float(self, "mean")
        count = math.prod(self.shape[axis] for axis in reduced_axes(dim, self.ndim))
        return self.sum(dim, keepdim) * (1.0 / count if count else math.nan)

    @numpy_names
    def var(
        self,
        dim: Any = None,
        correction: Int = 1,
        keepdim: Bool = False,
        unbiased: Bool | None = None,
    ) -> Tensor:
        """Return Σ(x - mean)² / (n - correction) over axes.

        `unbiased` is the correction as a truth value; it may also stand in the place of `dim`.
        """
        require_float(self, "var")
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        correction = correction if unbiased is None else int(unbiased)
        count = math.prod(self.shape[axis] for axis in reduced_axes(dim, self.ndim))
        divisor = count - correction
        centred = self - self.mean(dim, keepdim=True)
        return (centred * centred).sum(dim, keepdim) * (1.0 / divisor if divisor > 0 else math.nan)

    @numpy_names
    def std(
        self,
        dim: Any = None,
        correction: Int = 1,
        keepdim: Bool = False,
        unbiased: Bool | None = None,
    ) -> Tensor:
        """Return the square root of `var`."""
        v = self.var(dim, correction, keepdim, unbiased)
        # The root has no slope at 0; 0 is the subgradient.
        flat = v == 0
        return where(flat, 0.0, where(flat, 1.0, v).sqrt())

    @numpy_names
    def amax(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return the largest element over axes; equal ones share the gradient."""
        return self._reduce(ops.amax, dim, keepdim)

    @numpy_names
    def amin(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return the smallest element over axes; equal ones share the gradient."""
        return self._reduce(ops.amin, dim, keepdim)

    @numpy_names
    def max(self, dim: Any = None, keepdim: Bool = False) -> Any:
        """Return the largest element; or `(values, indices)` along one axis; or of two tensors."""
        if isinstance(dim, Reductions):
            return self.maximum(dim)
        if dim is None:
            return self.amax()
        return self._extreme(ops.argmax, dim, keepdim)

    @numpy_names
    def min(self, dim: Any = None, keepdim: Bool = False) -> Any:
        """Return the smallest element; or `(values, indices)` along one axis; or of two tensors."""
        if isinstance(dim, Reductions):
            return self.minimum(dim)
        if dim is None:
            return self.amin()
        return self._extreme(ops.argmin, dim, keepdim)

    @numpy_names
    def argmax(self, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
        """Return the index of the largest element, the first of equal ones."""
        return self._place(ops.argmax, dim, keepdim)

    @numpy_names
    def argmin(self, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
        """Return the index of the smallest element, the first of equal ones."""
        return self._place(ops.argmin, dim, keepdim)

    @numpy_names
    def any(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return whether any element is true."""
        return self.apply(ops.any_, self, axis=axes_of(dim, self.ndim), keepdims=keepdim)

    @numpy_names
    def all(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return whether all elements are true."""
        return self.apply(ops.all_, self, axis=axes_of(dim, self.ndim), keepdims=keepdim)

    @numpy_names
    def logsumexp(self, dim: Any, keepdim: Bool = False) -> Tensor:
        """Return log Σ eˣ over axes, without overflow."""
        require_float(self, "logsumexp")
        return self._reduce(ops.logsumexp, dim, keepdim)

    @numpy_names
    def norm(self, p: Any = 2, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return (Σ|x|ᵖ)^(1/p) over axes; p may be infinite. The slope at 0 is taken as 0."""
        require_float(self, "norm")
        if p in (2, "fro"):
            return self._reduce(ops.norm, dim, keepdim)
        if not isinstance(p, (int, float)):
            raise ArgumentError(f"a norm's order is a number, inf or 'fro', not {p!r}")
        size = self.abs()
        if p == math.inf:
            return size.amax(dim, keepdim)
        if p == -math.inf:
            return size.amin(dim, keepdim)
        if p == 0:
            return (self != 0).to(self.dtype).sum(dim, keepdim)
        if p == 1:
            return size.sum(dim, keepdim)
        powers = where(size == 0, 0.0, where(size == 0, 1.0, size).pow(p))
        total = powers.sum(dim, keepdim)
        return where(total == 0, 0.0, where(total == 0, 1.0, total).pow(1.0 / p))

    @numpy_names
    def cumsum(self, dim: Int, dtype: Any = None) -> Tensor:
        """Return the running sum along an axis, taken in `dtype` if one is given."""
        if dtype is not None:
            return self.to(dtype).cumsum(dim).to(dtype)
        if self.ndim == 0:
            return self.unsqueeze(0).cumsum(dim).squeeze(0)
        return self.apply(ops.cumsum, self._summable(), axis=axis_of(dim, self.ndim))

    @numpy_names
    def softmax(self, dim: Int, dtype: Any = None) -> Tensor:
        """Return eˣ / Σ eˣ along an axis, taken in `dtype` if one is given."""
        if dtype is not None:
            return self.to(dtype).softmax(dim)
        require_float(self, "softmax")
        if self.ndim == 0:
            return self.unsqueeze(0).softmax(dim).squeeze(0)
        return self.apply(ops.softmax, self, axis=axis_of(dim, self.ndim))

    @numpy_names
    def log_softmax(self, dim: Int, dtype: Any = None) -> Tensor:
        """Return x - log Σ eˣ along an axis, taken in `dtype` if one is given."""
        if dtype is not None:
            return self.to(dtype).log_softmax(dim)
        require_float(self, "log_softmax")
        if self.ndim == 0:
            return self.unsqueeze(0).log_softmax(dim).squeeze(0)
        axis = axis_of(dim, self.ndim)
        return self.apply(ops.log_softmax, self, axis=axis)

    def _summable(self) -> Tensor:
        """Return self, small integers and booleans as int64 so that sums have room."""
        return self.to(int64) if self.dtype.kind in "iub" else cast("Tensor", self)

    def _reduce(self, primitive: Primitive, dim: Any, keepdim: Bool) -> Tensor:
        axis = reduced_axes(dim, self.ndim)
        return self.apply(primitive, self, axis=axis, keepdims=keepdim)

    def _place(self, primitive: Primitive, dim: Int | None, keepdim: Bool) -> Tensor:
        axis = None if dim is None else axis_of(dim, max(self.ndim, 1))
        axis = axis if self.ndim else None
        return self.apply(primitive, self, axis=axis, keepdims=keepdim)

    def _extreme(self, primitive: Primitive, dim: Int, keepdim: Bool) -> MaxMin:
        if self.ndim == 0:
            values, indices = self.unsqueeze(0)._extreme(primitive, dim, keepdim=False)
            return MaxMin(values, indices)
        axis = axis_of(dim, self.ndim)
        indices = self.apply(primitive, self, axis=axis, keepdims=True)
        values = self.apply(ops.gather, self, indices, axis=axis)
        if keepdim:
            return MaxMin(values, indices)
        return MaxMin(values.squeeze(axis), indices.squeeze(axis))

    def sum_to_size(self, *size: Any) -> Tensor:
        """Sum over the axes along which a shape `size` was broadcast to this shape.

        Raises:
            ShapeError: if it cannot be broadcast to this shape.
        """
        shape = shape_of(size)
        lengths = self._array.shape
        extra = len(lengths) - len(shape)
        inner = []
        for axis, n in enumerate(shape, start=extra):
            if axis < 0 or n not in (1, lengths[axis]):
                raise ShapeError(f"{shape} cannot be broadcast to {lengths}")
            if n != lengths[axis]:
                inner.append(axis)
        if not extra and not inner:
            return cast("Tensor", self)
        # In one sum. Only where axes stay, with length 1, do the new ones stay too, and have to go.
        axes = (*range(extra), *inner)
        summed = self.apply(ops.sum_, self, axis=axes, keepdims=bool(inner))
        return summed.reshape(shape) if extra and inner else summed
