"""Arithmetic: operators, products of matrices, and functions of each element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import array_of, integer_of
from tinygrad_rnn.dtypes import get_default_dtype, int64
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    NumericalError,
    ShapeError,
    UnsupportedError,
)
from tinygrad_rnn.methods.operand import (
    Int,
    Operand,
    binary,
    named,
    operand,
    require_float,
    same_type,
    unary,
)
from tinygrad_rnn.methods.shaping import Shaping
from tinygrad_rnn.ops import Primitive

if TYPE_CHECKING:
    from tinygrad_rnn.tensor import Tensor

Scalar = bool | int | float


class Arithmetic(Shaping):
    """Operators and functions of each element, with NumPy's broadcasting."""

    __slots__ = ()

    def __add__(self, other: Any) -> Tensor:
        return binary(ops.add, self, other)

    def __radd__(self, other: Any) -> Tensor:
        return binary(ops.add, other, self)

    def __sub__(self, other: Any) -> Tensor:
        return binary(ops.sub, self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return binary(ops.sub, other, self)

    def __mul__(self, other: Any) -> Tensor:
        return binary(ops.mul, self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return binary(ops.mul, other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _divide(other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return whole_division(ops.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return whole_division(ops.floor_divide, other, self)

    def __mod__(self, other: Any) -> Tensor:
        return whole_division(ops.remainder, self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return whole_division(ops.remainder, other, self)

    def __pow__(self, other: Any) -> Tensor:
        return binary(ops.pow_, self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return binary(ops.pow_, other, self)

    def __neg__(self) -> Tensor:
        return self.apply(ops.neg, self)

    def __pos__(self) -> Tensor:
        return cast("Tensor", self)

    def __abs__(self) -> Tensor:
        return self.apply(ops.abs_, self)

    def __matmul__(self, other: Any) -> Tensor:
        return _matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _matmul(other, self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return binary(ops.equal, self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return binary(ops.not_equal, self, other)

    def __lt__(self, other: Any) -> Tensor:
        return binary(ops.less, self, other)

    def __le__(self, other: Any) -> Tensor:
        return binary(ops.less_equal, self, other)

    def __gt__(self, other: Any) -> Tensor:
        return binary(ops.greater, self, other)

    def __ge__(self, other: Any) -> Tensor:
        return binary(ops.greater_equal, self, other)

    def __and__(self, other: Any) -> Tensor:
        return binary(ops.bitwise_and, self, other)

    def __or__(self, other: Any) -> Tensor:
        return binary(ops.bitwise_or, self, other)

    def __xor__(self, other: Any) -> Tensor:
        return binary(ops.bitwise_xor, self, other)

    def __invert__(self) -> Tensor:
        return self.apply(ops.invert, self)

    def add(self, other: Any, alpha: Scalar = 1) -> Tensor:
        """Return self + alpha · other."""
        other = _scaled(other, alpha)
        return named("add", binary(ops.add, self, other), other)

    def sub(self, other: Any, alpha: Scalar = 1) -> Tensor:
        """Return self - alpha · other."""
        other = _scaled(other, alpha)
        return named("sub", binary(ops.sub, self, other), other)

    def mul(self, other: Any) -> Tensor:
        """Return self * other."""
        return named("mul", binary(ops.mul, self, other), other)

    def div(self, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """Return self / other; with `rounding_mode="floor"`, rounded down as by `//`."""
        if rounding_mode == "floor":
            return named("div", whole_division(ops.floor_divide, self, other), other)
        if rounding_mode is not None:
            raise UnsupportedError(
                f"div rounds down (rounding_mode='floor') or not at all, not {rounding_mode!r}; "
                "use floor() or ceil() on the quotient"
            )
        return named("div", _divide(self, other), other)

    def neg(self) -> Tensor:
        """Return -self."""
        return -self

    def pow(self, exponent: Any) -> Tensor:
        """Return self ** exponent."""
        return named("pow", binary(ops.pow_, self, exponent), exponent)

    def abs(self) -> Tensor:
        """Return the absolute value; its slope at 0 is taken as 0."""
        return abs(self)

    def square(self) -> Tensor:
        """Return self * self."""
        x = self.to(int64) if self.dtype.kind == "b" else self
        return binary(ops.mul, x, x)

    def matmul(self, other: Any) -> Tensor:
        """Return self @ other."""
        return named("matmul", _matmul(self, other), other)

    def mm(self, mat2: Tensor) -> Tensor:
        """Return the product of two matrices."""
        _same_ndim("mm", 2, self, mat2)
        return _matmul(self, mat2)

    def bmm(self, mat2: Tensor) -> Tensor:
        """Return the products of two batches of matrices."""
        _same_ndim("bmm", 3, self, mat2)
        return _matmul(self, mat2)

    def dot(self, tensor: Tensor) -> Tensor:
        """Return the inner product of two vectors."""
        _same_ndim("dot", 1, self, tensor)
        return _matmul(self, tensor)

    def eq(self, other: Any) -> Tensor:
        """Return self == other, element by element."""
        return named("equal", binary(ops.equal, self, other), other)

    def ne(self, other: Any) -> Tensor:
        """Return self != other, element by element."""
        return named("not_equal", binary(ops.not_equal, self, other), other)

    def lt(self, other: Any) -> Tensor:
        """Return self < other, element by element."""
        return named("less", binary(ops.less, self, other), other)

    def le(self, other: Any) -> Tensor:
        """Return self <= other, element by element."""
        return named("less_equal", binary(ops.less_equal, self, other), other)

    def gt(self, other: Any) -> Tensor:
        """Return self > other, element by element."""
        return named("greater", binary(ops.greater, self, other), other)

    def ge(self, other: Any) -> Tensor:
        """Return self >= other, element by element."""
        return named("greater_equal", binary(ops.greater_equal, self, other), other)

    def exp(self) -> Tensor:
        """Return e to the power of each element."""
        return unary(ops.exp, self)

    def log(self) -> Tensor:
        """Return the natural logarithm; log(0) is -inf, below 0 it is NaN."""
        return unary(ops.log, self)

    def log1p(self) -> Tensor:
        """Return log(1 + self), accurate near 0."""
        return unary(ops.log1p, self)

    def sqrt(self) -> Tensor:
        """Return the square root; NaN below 0."""
        return unary(ops.sqrt, self)

    def rsqrt(self) -> Tensor:
        """Return 1 / sqrt(self)."""
        return _divide(1.0, self.sqrt())

    def reciprocal(self) -> Tensor:
        """Return 1 / self."""
        return _divide(1.0, self)

    def sin(self) -> Tensor:
        """Return the sine of an angle in radians."""
        return unary(ops.sin, self)

    def cos(self) -> Tensor:
        """Return the cosine of an angle in radians."""
        return unary(ops.cos, self)

    def tanh(self) -> Tensor:
        """Return (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""
        return unary(ops.tanh, self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + e⁻ˣ)."""
        return unary(ops.sigmoid, self)

    def relu(self) -> Tensor:
        """Return max(x, 0); its slope at 0 is taken as 0."""
        return self.apply(ops.relu, self)

    def softplus(self) -> Tensor:
        """Return log(1 + eˣ)."""
        return unary(ops.softplus, self)

    def erf(self) -> Tensor:
        """Return 2/√π ∫₀ˣ e^(-t²) dt."""
        return unary(ops.erf, self)

    def sign(self) -> Tensor:
        """Return -1, 0 or 1, and 0 for NaN. Has no gradient."""
        signs = self.apply(ops.sign, self)
        return signs.masked_fill(self.isnan(), 0) if self.dtype.kind == "f" else signs

    def floor(self) -> Tensor:
        """Round down. Has no gradient."""
        return self.apply(ops.floor, self)

    def ceil(self) -> Tensor:
        """Round up. Has no gradient."""
        return self.apply(ops.ceil, self)

    def round(self, *, decimals: Int = 0) -> Tensor:
        """Round to so many decimals, to the nearest integer for 0, halves to even. No gradient.

        As in PyTorch, it is 10^decimals · self that is rounded; of a negative number of decimals,
        tens, hundreds and so on stay.
        """
        if integer_of(decimals, "the number of decimals") == 0:
            return self.apply(ops.round_, self)
        require_float(self, "round")
        scale = 10.0 ** abs(decimals)
        if decimals > 0:
            return self.apply(ops.round_, self * scale) / scale
        return self.apply(ops.round_, self / scale) * scale

    def isnan(self) -> Tensor:
        """Return whether each element is NaN."""
        return self.apply(ops.isnan, self)

    def isinf(self) -> Tensor:
        """Return whether each element is infinite."""
        return self.apply(ops.isinf, self)

    def isfinite(self) -> Tensor:
        """Return whether each element is neither NaN nor infinite."""
        return ~(self.isnan() | self.isinf())

    def clamp(self, min: Scalar | None = None, max: Scalar | None = None) -> Tensor:
        """Return each element limited to [min, max]. The slope is 1 inside and at the limits."""
        if min is None and max is None:
            raise ArgumentError("clamp needs min, max or both")
        for limit in (min, max):
            if limit is not None and not isinstance(limit, (bool, int, float)):
                raise DtypeError(
                    f"clamp takes numbers, not {type(limit).__name__}; see maximum and minimum"
                )
        whole = self.dtype.kind != "f" and not isinstance(min, float) and not isinstance(max, float)
        x = self if whole or self.dtype.kind == "f" else self.to(get_default_dtype())
        return self.apply(ops.clip, x, low=min, high=max)

    clip = clamp

    def maximum(self, other: Any) -> Tensor:
        """Return the larger of each pair; equal ones share the gradient."""
        return named("maximum", binary(ops.maximum, self, other), other)

    def minimum(self, other: Any) -> Tensor:
        """Return the smaller of each pair; equal ones share the gradient."""
        return named("minimum", binary(ops.minimum, self, other), other)

    def where(self, condition: Tensor, other: Any) -> Tensor:
        """Return self where `condition` holds, else `other`."""
        return where(condition, self, other)

    def masked_fill(self, mask: Tensor, value: Any) -> Tensor:
        """Return self with `value`, converted to its type, where `mask` holds."""
        if isinstance(value, Operand):
            value = value.to(self.dtype)
        elif self.dtype.kind != "f" and isinstance(value, (bool, int, float, np.number)):
            value = array_of(value, self.dtype, self.dtype).item()
        return where(mask, value, self)


def _scaled(other: Any, alpha: Any) -> Any:
    if not isinstance(alpha, (bool, int, float, np.number)):
        raise DtypeError(
            f"alpha is a number, not {type(alpha).__name__}; what is added or subtracted stands "
            "before it, as in x.add(other, alpha=0.5)"
        )
    return other if alpha == 1 else other * alpha


def _divide(a: Any, b: Any) -> Tensor:
    """True division; integers become floats of the default type first."""
    like = a if isinstance(a, Operand) else b
    a, b = operand(a, like), operand(b, like)
    floats = [x.dtype for x in (a, b) if isinstance(x, Operand) and x.dtype.kind == "f"]
    dtype = floats[0] if floats else get_default_dtype()
    a = a.to(dtype) if isinstance(a, Operand) and a.dtype.kind != "f" else a
    b = b.to(dtype) if isinstance(b, Operand) and b.dtype.kind != "f" else b
    return binary(ops.div, a, b)


def whole_division(primitive: Primitive, a: Any, b: Any) -> Tensor:
    """Apply `//` or `%`, which among integers have no result for a divisor of 0."""
    like = a if isinstance(a, Operand) else b
    a, b = operand(a, like), operand(b, like)
    if _is_whole(a) and _is_whole(b):
        message = f"`{primitive.name}` of integers by 0; divide as floats, or replace the zeros"
        if isinstance(b, Operand):
            not_zero = b.apply(ops.not_equal, b, 0)
            limits = {"low": 1, "high": 2, "ignore": None}
            b.apply(ops.require_range, not_zero, **limits, message=message, error=NumericalError)
        elif not b and like._array.size:
            raise NumericalError(message)
    return binary(primitive, a, b)


def _is_whole(x: Any) -> bool:
    return x.dtype.kind != "f" if isinstance(x, Operand) else isinstance(x, int)


def _same_ndim(name: str, ndim: int, *tensors: Any) -> None:
    for x in tensors:
        if not isinstance(x, Operand):
            raise DtypeError(f"`{name}` takes tensors, not {type(x).__name__}; see tensor()")
    if any(x.ndim != ndim for x in tensors):
        shapes = " and ".join(str(x.shape) for x in tensors)
        raise ShapeError(f"`{name}` takes tensors with {ndim} axes, not {shapes}; see matmul")


def _matmul(a: Any, b: Any) -> Tensor:
    """Product of matrices, vectors or batches of matrices, with NumPy's rules."""
    like = a if isinstance(a, Operand) else b
    a = operand(a, like)
    b = operand(b, like)
    if not isinstance(a, Arithmetic) or not isinstance(b, Arithmetic):
        return cast("Tensor", NotImplemented)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"`matmul` needs at least one axis each, not {a.shape} and {b.shape}")
    if a._array.dtype != b._array.dtype:
        raise DtypeError(
            f"`matmul` got {a.dtype} {a.shape} and {b.dtype} {b.shape}; convert one of them"
        )
    vector_a, vector_b = a.ndim == 1, b.ndim == 1
    left = a.reshape((1, *a.shape)) if vector_a else a
    right = b.reshape((*b.shape, 1)) if vector_b else b
    if left.shape[-1] != right.shape[-2]:
        raise ShapeError(
            f"`matmul` of {a.shape} and {b.shape}: the last axis of the first has length "
            f"{left.shape[-1]}, the matching axis of the second {right.shape[-2]}; "
            "a transpose (.mT) may be missing"
        )
    if vector_b and a.ndim == 2 and a._array.dtype.kind == "f":
        # W x is x Wᵀ: as a row, the gradient of a W that many steps share is one product.
        return like.apply(ops.linear, b, a, None)
    out = like.apply(ops.matmul, left, right)
    if vector_a and vector_b:
        return out.reshape(())
    if vector_a:
        return out.squeeze(-2)
    return out.squeeze(-1) if vector_b else out


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return `a` where `condition` holds, else `b`; all three are broadcast.

    Raises:
        DtypeError: if `condition` is not boolean, or `a` and `b` are of two floating types.
    """
    like = next((x for x in (condition, a, b) if isinstance(x, Operand)), None)
    if like is None:
        raise DtypeError("`where` needs a tensor of booleans as its condition, such as x > 0")
    given = (a, b)
    condition, a, b = operand(condition, like), operand(a, like), operand(b, like)
    if not isinstance(condition, Operand) or condition._array.dtype.kind != "b":
        raise DtypeError("`where` needs a tensor of booleans as its condition, such as x > 0")
    for choice, one in zip((a, b), given, strict=True):
        if choice is NotImplemented:
            raise DtypeError(
                f"`where` chooses between tensors, arrays and numbers, not {type(one).__name__}"
            )
    if not isinstance(a, Operand) and not isinstance(b, Operand):
        whole = not isinstance(a, float) and not isinstance(b, float)
        a = like._wrap(np.asarray(a, np.int64 if whole else get_default_dtype()))
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Operand) and one.dtype.kind != "f" and type(other) is float:
            a, b = (x.to(get_default_dtype()) if x is one else x for x in (a, b))
    if isinstance(a, Operand) and isinstance(b, Operand) and a._array.dtype != b._array.dtype:
        a, b = same_type(ops.where, a, b)
    return like.apply(ops.where, condition, a, b)
