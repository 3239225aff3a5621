"""What the methods of a Tensor build on: its array, `apply`, and conversion to another type.

The methods are mixed into Tensor family by family, so that each family is a file of its own. They
reach the engine only through `self.apply`, and never import Tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import Array, Shape, array_of, sizes_of
from tinygrad_rnn.devices import CPU, device, names_device, require_cpu
from tinygrad_rnn.dtypes import (
    Dtype,
    bool_,
    dtype_of,
    float32,
    float64,
    get_default_dtype,
    int32,
    int64,
)
from tinygrad_rnn.errors import DtypeError
from tinygrad_rnn.ops import Primitive

if TYPE_CHECKING:
    from tinygrad_rnn.tensor import Tensor


_COMPARISONS = {
    ops.equal,
    ops.not_equal,
    ops.less,
    ops.less_equal,
    ops.greater,
    ops.greater_equal,
}

# Inside the class the plain names are methods.
Bool = bool
Int = int


class Operand:
    """An array to which primitives can be applied."""

    __slots__ = ()

    _array: Array

    @staticmethod
    def apply(primitive: Primitive, *inputs: Any, **params: Any) -> Tensor:
        """Apply a primitive. Tensor says how."""
        raise NotImplementedError

    @staticmethod
    def _wrap(array: Array) -> Tensor:
        raise NotImplementedError

    @property
    def shape(self) -> Shape:
        """Length of each axis."""
        return self._array.shape

    @property
    def ndim(self) -> Int:
        """Number of axes."""
        return self._array.ndim

    @property
    def dtype(self) -> Dtype:
        """Element type."""
        return self._array.dtype

    @property
    def device(self) -> device:
        """Where it is: on the CPU."""
        return CPU

    def to(
        self,
        target: Any = None,
        dtype: Any = None,
        non_blocking: Bool = False,
        copy: Bool = False,
        *,
        device: Any = None,
    ) -> Tensor:
        """Return it with another element type.

        Args:
            target: a type, a tensor of that type, or "cpu".
            dtype: a type.
            non_blocking: changes nothing.
            copy: return a copy even where nothing changes.
            device: "cpu".

        Raises:
            UnsupportedError: for another device.
        """
        if isinstance(target, Operand):
            dtype = target.dtype
        elif names_device(target):
            require_cpu(target)
        elif target is not None:
            dtype = target
        require_cpu(device)
        if dtype is None or dtype_of(dtype) == self._array.dtype:
            return self.clone() if copy else cast("Tensor", self)
        return self.apply(ops.cast, self, dtype=dtype_of(dtype))

    def float(self) -> Tensor:
        """Return it as float32."""
        return self.to(float32)

    def double(self) -> Tensor:
        """Return it as float64."""
        return self.to(float64)

    def long(self) -> Tensor:
        """Return it as int64."""
        return self.to(int64)

    def int(self) -> Tensor:
        """Return it as int32."""
        return self.to(int32)

    def bool(self) -> Tensor:
        """Return whether each element is other than 0."""
        return self.to(bool_)

    def cpu(self) -> Tensor:
        """Return self: everything is on the CPU."""
        return cast("Tensor", self)

    def clone(self) -> Tensor:
        """Return a copy, in the graph."""
        return self.apply(ops.copy, self)

    def contiguous(self) -> Tensor:
        """Return self if it is contiguous, else a contiguous copy."""
        return cast("Tensor", self) if self._array.flags.c_contiguous else self.clone()

    def new_zeros(self, *shape: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Return zeros of this tensor's type."""
        require_cpu(device)
        return self._wrap(np.zeros(sizes_of(shape), dtype_of(dtype or self._array.dtype)))


def operand(x: Any, like: Operand) -> Any:
    """Return an operand as a Tensor or a Python number, NotImplemented if it is neither."""
    if isinstance(x, Operand):
        return x
    if isinstance(x, (bool, int)):
        return x
    if isinstance(x, float):
        return float(x)
    if isinstance(x, (np.ndarray, np.generic)):
        # A copy: the graph must not change when the caller's array does.
        return like._wrap(array_of(x, None, get_default_dtype()).copy())
    return NotImplemented


def binary(primitive: Primitive, a: Any, b: Any) -> Tensor:
    """Apply a primitive to two operands, at least one of them a Tensor, of one element type."""
    if isinstance(a, Operand) and isinstance(b, Operand) and a._array.dtype is b._array.dtype:
        return a.apply(primitive, a, b)
    like = a if isinstance(a, Operand) else b
    a = operand(a, like)
    b = operand(b, like)
    if a is NotImplemented or b is NotImplemented:
        return cast("Tensor", NotImplemented)
    if isinstance(a, Operand) and isinstance(b, Operand):
        if a._array.dtype != b._array.dtype:
            a, b = same_type(primitive, a, b)
    elif isinstance(a, Operand):
        if type(b) is float and a._array.dtype.kind != "f":
            a = a.to(get_default_dtype())
    elif type(a) is float and b._array.dtype.kind != "f":
        b = b.to(get_default_dtype())
    return like.apply(primitive, a, b)


def named(name: str, result: Any, other: Any) -> Tensor:
    """Return the result of a method, which unlike an operator refuses wrong operands itself."""
    if result is NotImplemented:
        raise DtypeError(
            f"`{name}` takes tensors, arrays and numbers, not {type(other).__name__} {other!r}"
        )
    return cast("Tensor", result)


def same_type(primitive: Primitive, a: Any, b: Any) -> tuple[Any, Any]:
    """Bring two operands to one type: integers join floats, two floating types are refused.

    A tensor without axes joins one that has some, unless its numbers are of a higher kind.
    """
    kinds = a._array.dtype.kind + b._array.dtype.kind
    if kinds == "ff":
        raise DtypeError(
            f"`{primitive.name}` got {a.dtype} {a.shape} and {b.dtype} {b.shape}; "
            "convert one of them with .float() or .double()"
        )
    # NumPy's own rule already gives float32 for booleans, and an integer for two integers.
    if "f" in kinds and "b" not in kinds:
        return (a, b.to(a.dtype)) if kinds[0] == "f" else (a.to(b.dtype), b)
    # A comparison has no type to keep, and in the wider one numbers stay what they are.
    if "f" in kinds or "b" in kinds or primitive in _COMPARISONS or bool(a.ndim) == bool(b.ndim):
        return a, b
    return (a, b.to(a.dtype)) if a.ndim else (a.to(b.dtype), b)


def unary(primitive: Primitive, x: Operand) -> Tensor:
    """Apply a primitive that is defined for floating tensors only."""
    require_float(x, primitive.name)
    return x.apply(primitive, x)


def require_float(x: Operand, name: str) -> None:
    """Raise DtypeError if `x` holds integers or booleans."""
    if x._array.dtype.kind != "f":
        raise DtypeError(f"`{name}` needs a floating tensor, not {x.dtype}; convert with .float()")
