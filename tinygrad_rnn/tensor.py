"""Tensor: an ndarray and its place in the graph. Methods are thin and named as PyTorch's.

`apply` is the one door through which every primitive goes: it computes, and links the result into
the graph when a gradient is wanted. Nothing else here does arithmetic.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from tinygrad_rnn import engine, ops
from tinygrad_rnn.arguments import Array, Shape, array_of, axes_of, axis_of, shape_of
from tinygrad_rnn.context import Scope, Site, caller, no_grad, state
from tinygrad_rnn.errors import ArgumentError, DtypeError, GraphError, OutOfRangeError, ShapeError
from tinygrad_rnn.ops import Primitive

Dtype = np.dtype[Any]
Scalar = bool | int | float
# Inside the class the plain names are methods.
Bool = bool
Int = int
Float = float

float32: Dtype = np.dtype(np.float32)
float64: Dtype = np.dtype(np.float64)
int64: Dtype = np.dtype(np.int64)
int32: Dtype = np.dtype(np.int32)
uint8: Dtype = np.dtype(np.uint8)
bool_: Dtype = np.dtype(np.bool_)

_default_dtype = float32


def set_default_dtype(dtype: Any) -> None:
    """Set the type that Python floats become: float32 (the default) or float64."""
    global _default_dtype
    dtype = np.dtype(dtype)
    if dtype not in (float32, float64):
        raise DtypeError(f"the default type must be float32 or float64, not {dtype}")
    _default_dtype = dtype


def get_default_dtype() -> Dtype:
    """Return the type that Python floats become."""
    return _default_dtype


class Memory:
    """Shared by all tensors that see the same numbers: when and where these last changed."""

    __slots__ = ("mutated_at", "site")

    def __init__(self) -> None:
        self.mutated_at = 0
        self.site: Site | None = None


class Operation(engine.Node):
    """A primitive that was applied, with what its vjps need."""

    __slots__ = ("memory", "output", "params", "primitive", "scope", "site")

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Any, ...],
        params: dict[str, Any],
        output: Array | None,
        outputs: int,
    ) -> None:
        super().__init__(inputs, outputs)
        self.primitive = primitive
        self.params = params
        self.output = output
        self.memory: Memory | None = None
        self.scope: Scope = state.scope
        self.site: Site = caller()

    def pull(self, gradients: Sequence[Any], wanted: Sequence[bool]) -> Sequence[Any]:
        """Apply the primitive's vjps."""
        primitive = self.primitive
        inputs = self.inputs
        assert inputs is not None
        if primitive.reads_inputs:
            for x in inputs:
                if isinstance(x, Tensor) and x._memory is not None:
                    self._refuse_if_mutated(x._memory, "an input")
        out = None
        if primitive.reads_output:
            if self.memory is not None:
                self._refuse_if_mutated(self.memory, "the output")
            assert self.output is not None
            out = _wrap(self.output)
            out._requires_grad = True
            out._node = self
        g = gradients if primitive.multiple else gradients[0]
        if primitive.joint is not None:
            return primitive.joint(g, out, wanted, *inputs, **self.params)
        return [
            vjp(g, out, *inputs, **self.params) if want and vjp is not None else None
            for vjp, want in zip(primitive.vjps, wanted, strict=True)
        ]

    def release(self) -> None:
        """Forget inputs and output."""
        self.inputs = None
        self.output = None

    def describe(self) -> str:
        """Name the primitive, the module, the time step and the user's line."""
        where = f" in {self.scope}" if any(part is not None for part in self.scope[1:]) else ""
        if self.scope.path and not where:
            where = f" in {self.scope}"
        return f"`{self.primitive.name}`{where} ({self.site})"

    def _refuse_if_mutated(self, memory: Memory, which: str) -> None:
        if memory.mutated_at > self.order:
            raise GraphError(
                f"{which} of {self.describe()} was overwritten at {memory.site} before backward "
                "read it. Call backward before assigning, or assign to a clone()."
            )


_new = object.__new__


def _wrap(array: Array) -> Tensor:
    """Make a leaf tensor of an array, without copying or checking."""
    tensor: Tensor = _new(Tensor)
    tensor._array = array
    return tensor


def apply(primitive: Primitive, *inputs: Any, **params: Any) -> Tensor:
    """Apply a primitive to tensors and Python numbers; record it if a gradient is wanted.

    Returns a Tensor; for primitives with several outputs, a tuple of them (iterate over it).
    """
    tracked = False
    arrays = []
    for x in inputs:
        if isinstance(x, Tensor):
            arrays.append(x._array)
            if x._requires_grad:
                tracked = True
        else:
            arrays.append(x)
    try:
        result = primitive.forward(*arrays, **params)
    except (ValueError, IndexError, TypeError) as error:
        raise _explained(error, primitive, inputs, params) from error

    if tracked and not (state.grad_enabled and primitive.differentiable):
        tracked = False
    if primitive.multiple:
        outputs = tuple([_wrap(part) for part in result])
    else:
        outputs = (_wrap(result if type(result) is np.ndarray else np.asarray(result)),)
    if primitive.view:
        memory = inputs[0]._shared_memory()
        for out in outputs:
            out._memory = memory
    if tracked:
        node = Operation(
            primitive,
            inputs if primitive.reads_inputs else tuple([_edge(x) for x in inputs]),
            params,
            outputs[0]._array if primitive.reads_output else None,
            len(outputs),
        )
        for slot, out in enumerate(outputs):
            out._requires_grad = True
            out._node = node
            out._slot = slot
    return outputs if primitive.multiple else outputs[0]  # type: ignore[return-value]


def _edge(x: Any) -> Any:
    """Return what a node keeps of an input whose numbers it will not read."""
    if isinstance(x, Tensor) and (x._node is not None or not x._requires_grad):
        array = x._array
        if array.dtype.kind != "f":
            # Indices and masks are small, and joint vjps read them.
            return x
        return engine.Edge(x._node, x._slot, array.shape, array.dtype, x._requires_grad)
    return x


def _explained(
    error: Exception, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]
) -> Exception:
    """Turn NumPy's error into one of ours, naming the operation and its operands."""
    operands = " and ".join(
        f"{tuple(x.shape)} {x.dtype}" if isinstance(x, Tensor) else repr(x) for x in inputs
    )
    settings = "".join(f", {name}={value}" for name, value in params.items())
    message = f"`{primitive.name}` cannot take {operands}{settings}: {error}"
    if isinstance(error, IndexError):
        return OutOfRangeError(message)
    if isinstance(error, TypeError):
        return DtypeError(message)
    return ShapeError(message)


class MaxMin(NamedTuple):
    """Extreme values along an axis, and where they were found."""

    values: Tensor
    indices: Tensor


class Tensor:
    """An array of numbers that remembers how it was computed.

    Make one with `tensor(data)`, `zeros(shape)` and their like. Arithmetic, methods and indexing
    follow PyTorch's names and NumPy's broadcasting. Two floating types are never mixed silently;
    integers and booleans join floats as floats.
    """

    # Class attributes are the state of a constant, so that making one sets a single field.
    _array: Array
    _requires_grad: Bool = False
    _node: Any = None
    _slot: Int = 0
    _memory: Memory | None = None
    _hooks: list[Callable[[Tensor], Tensor | None]] | None = None
    grad: Tensor | None = None
    """The gradient that `backward` left here, or None."""

    # Arrays on the left hand of an operator leave the operation to the Tensor.
    __array_ufunc__ = None

    def __init__(self, data: Any, dtype: Any = None, requires_grad: Bool = False) -> None:
        self._array = array_of(data, dtype, _default_dtype)
        if requires_grad:
            self.requires_grad = True

    apply = staticmethod(apply)

    # ------------------------------------------------------------------ what it is

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
    def requires_grad(self) -> Bool:
        """Whether `backward` computes a gradient for it, or through it."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: Bool) -> None:
        if self._node is not None:
            raise GraphError(
                f"requires_grad of a computed tensor ({self._node.describe()}) follows from its "
                "inputs; use detach() to cut it off"
            )
        if value and self._array.dtype.kind != "f":
            raise DtypeError(
                f"only floating tensors have gradients, not {self.dtype}; convert with .float()"
            )
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: Bool = True) -> Tensor:
        """Set `requires_grad` and return self."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> Bool:
        """Whether it was made by the user and not by a recorded operation."""
        return self._node is None

    @property
    def grad_fn(self) -> engine.Node | None:
        """The node that made it, or None for a leaf."""
        node: engine.Node | None = self._node
        return node

    @property
    def data(self) -> Tensor:
        """The same numbers, outside the graph. Shares memory."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        with no_grad():
            self.assign(value)

    @property
    def T(self) -> Tensor:  # noqa: N802 - PyTorch's and NumPy's name
        """The axes in reverse order."""
        return self.permute(tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:  # noqa: N802 - PyTorch's and NumPy's name
        """The last two axes exchanged."""
        return self.transpose(-1, -2)

    def size(self, dim: Int | None = None) -> Any:
        """Return the shape, or the length of one axis."""
        return self.shape if dim is None else self.shape[axis_of(dim, self.ndim)]

    def dim(self) -> Int:
        """Return the number of axes."""
        return self.ndim

    def numel(self) -> Int:
        """Return the number of elements."""
        return self._array.size

    def is_contiguous(self) -> Bool:
        """Whether the elements lie in memory in row-major order without gaps."""
        return bool(self._array.flags.c_contiguous)

    def is_floating_point(self) -> Bool:
        """Whether the elements are float32 or float64."""
        return self._array.dtype.kind == "f"

    def __len__(self) -> Int:
        if self.ndim == 0:
            raise ShapeError("a tensor without axes has no length; item() gives its value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.unbind(0))

    def __repr__(self) -> str:
        with np.printoptions(precision=4, threshold=100, edgeitems=3):
            body = np.array2string(self._array, separator=", ", prefix="tensor(")
        dtype = "" if self.dtype in (_default_dtype, int64, bool_) else f", dtype={self.dtype}"
        if self._node is not None:
            history = f", grad_fn=<{self._node.describe().split('`')[1]}>"
        else:
            history = ", requires_grad=True" if self._requires_grad else ""
        return f"tensor({body}{dtype}{history})"

    __hash__ = object.__hash__

    def __deepcopy__(self, memo: dict[Int, Any]) -> Tensor:
        if self._node is not None:
            raise GraphError("only leaves can be deep-copied; use detach().clone()")
        copied: Tensor = _new(type(self))
        copied._array = self._array.copy()
        copied._requires_grad = self._requires_grad
        copied.grad = None if self.grad is None else self.grad.detach().clone()
        memo[id(self)] = copied
        return copied

    # ------------------------------------------------------------------ reading the numbers

    def item(self) -> Any:
        """Return the only element as a Python number."""
        if self._array.size != 1:
            raise ShapeError(
                f"item() needs exactly one element, this tensor has shape {self.shape}; "
                "use tolist(), or reduce it first"
            )
        return self._array.item()

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers."""
        return self._array.tolist()

    def numpy(self) -> Array:
        """Return the numbers as a read-only view; `.copy()` it to write.

        Raises:
            GraphError: if it requires a gradient, which the array could not carry.
        """
        if self._requires_grad:
            raise GraphError("this tensor requires a gradient; use detach().numpy()")
        view = self._array.view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: Any = None, copy: Bool | None = None) -> Array:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __float__(self) -> Float:
        return float(self.item())

    def __int__(self) -> Int:
        return int(self.item())

    def __bool__(self) -> Bool:
        if self._array.size != 1:
            raise ShapeError(
                f"the truth of a tensor of shape {self.shape} is ambiguous; use any() or all()"
            )
        return bool(self.item())

    def __index__(self) -> Int:
        if self._array.dtype.kind not in "iub":
            raise DtypeError(f"only an integer tensor can be an index, not {self.dtype}")
        return int(self.item())

    def __format__(self, specification: str) -> str:
        if self.ndim == 0:
            return format(self.item(), specification)
        return format(str(self), specification)

    # ------------------------------------------------------------------ the graph

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: Bool | None = None,
        create_graph: Bool = False,
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf that it was computed from.

        Args:
            gradient: the gradient of this tensor; may be left out if it has one element.
            retain_graph: keep the graph for another backward. Defaults to `create_graph`.
            create_graph: record the backward pass, so that gradients can be differentiated.
            inputs: if given, only these get a gradient.

        Raises:
            GraphError: if nothing was recorded, the graph was released, or a tensor that it needs
                was overwritten since.
            ShapeError: if `gradient` is missing for several elements, or has another shape.
        """
        found = run_backward([self], [gradient], inputs, retain_graph, create_graph)
        if inputs is None:
            received = list(found.leaves.items())
        else:
            pairs = [(x, found.of(x)) for x in inputs]
            received = [(x, g) for x, g in pairs if g is not None]
        for tensor, g in received:
            tensor.grad = g if tensor.grad is None else tensor.grad + g

    def detach(self) -> Tensor:
        """Return the same numbers outside the graph. Shares memory."""
        out = _wrap(self._array)
        out._memory = self._shared_memory()
        return out

    def retain_grad(self) -> None:
        """Keep the gradient of this computed tensor in `.grad` at backward."""
        if not self._requires_grad:
            raise GraphError("retain_grad() on a tensor that requires no gradient")
        if self._node is not None:
            if self._node.retained is None:
                self._node.retained = {}
            self._node.retained[self._slot] = weakref.ref(self)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHook:
        """Call `hook(gradient)` when this tensor's gradient is known; it may return another.

        Returns a handle whose `remove()` takes the hook away.
        """
        if not self._requires_grad:
            raise GraphError("a hook on a tensor that requires no gradient would never be called")
        if self._node is None:
            if self._hooks is None:
                self._hooks = []
            hooks = self._hooks
        else:
            if self._node.hooks is None:
                self._node.hooks = {}
            hooks = self._node.hooks.setdefault(self._slot, [])
        hooks.append(hook)
        return RemovableHook(hooks, hook)

    def _shared_memory(self) -> Memory:
        memory = self._memory
        if memory is None:
            memory = self._memory = Memory()
            if self._node is not None:
                self._node.memory = memory
        return memory

    def _accumulate(self, other: Tensor) -> Tensor:
        """Add to a buffer that the engine alone holds."""
        self._array += other._array
        return self

    # ------------------------------------------------------------------ mutation

    def assign(self, value: Any) -> Tensor:
        """Overwrite the numbers in place, and return self. The only mutation there is.

        Args:
            value: a tensor, array or number; broadcast to this shape.

        Raises:
            GraphError: if this tensor belongs to a graph being recorded, or `value` carries one.
            DtypeError: if the types differ.
            ShapeError: if the shapes do not fit.
        """
        if state.grad_enabled:
            if self._requires_grad:
                kind = "a leaf that requires a gradient" if self._node is None else "computed"
                raise GraphError(
                    f"this tensor is {kind}; assign to it inside `with no_grad():`, or compute a "
                    "new tensor instead"
                )
            if isinstance(value, Tensor) and value._requires_grad:
                raise GraphError("assign would lose the value's history; pass value.detach()")
        array = value._array if isinstance(value, Tensor) else _constant(value, self.dtype)
        if array.dtype != self._array.dtype:
            raise DtypeError(
                f"cannot assign {array.dtype} to a {self.dtype} tensor; convert with "
                f".to(tg.{self.dtype})"
            )
        try:
            np.copyto(self._array, array)
        except ValueError as error:
            raise ShapeError(
                f"cannot assign shape {array.shape} to a tensor of shape {self.shape}"
                + ("" if self._array.flags.writeable else ", which is read-only; clone() it first")
            ) from error
        memory = self._shared_memory()
        memory.mutated_at = engine.now()
        memory.site = caller()
        return self

    def copy_(self, source: Any) -> Tensor:
        """Overwrite with `source`, converting its type."""
        return self.assign(source.to(self.dtype) if isinstance(source, Tensor) else source)

    def zero_(self) -> Tensor:
        """Overwrite with 0."""
        return self.assign(0)

    def fill_(self, value: Scalar) -> Tensor:
        """Overwrite with one number."""
        return self.assign(value)

    def add_(self, other: Any, alpha: Scalar = 1) -> Tensor:
        """Overwrite with `self + alpha * other`."""
        return self.assign(self + (other if alpha == 1 else other * alpha))

    def sub_(self, other: Any, alpha: Scalar = 1) -> Tensor:
        """Overwrite with `self - alpha * other`."""
        return self.assign(self - (other if alpha == 1 else other * alpha))

    def mul_(self, other: Any) -> Tensor:
        """Overwrite with `self * other`."""
        return self.assign(self * other)

    def div_(self, other: Any) -> Tensor:
        """Overwrite with `self / other`."""
        return self.assign(self / other)

    def clamp_(self, min: Scalar | None = None, max: Scalar | None = None) -> Tensor:
        """Overwrite with `clamp(min, max)`."""
        return self.assign(self.clamp(min, max))

    def _in_place(self, result: Tensor) -> Tensor:
        """Finish `self op= other`: a recorded result replaces the name, others the numbers."""
        if result._requires_grad:
            if self._node is None and self._requires_grad:
                raise GraphError(
                    "a leaf that requires a gradient cannot be changed in place while recording; "
                    "use `with no_grad():`"
                )
            return result
        return self.assign(result)

    def __iadd__(self, other: Any) -> Tensor:
        return self._in_place(self + other)

    def __isub__(self, other: Any) -> Tensor:
        return self._in_place(self - other)

    def __imul__(self, other: Any) -> Tensor:
        return self._in_place(self * other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._in_place(self / other)

    def __setitem__(self, index: Any, value: Any) -> None:
        recorded = self._requires_grad or (isinstance(value, Tensor) and value._requires_grad)
        if recorded and state.grad_enabled:
            raise GraphError(
                "item assignment cannot be recorded; build the tensor with stack, cat, where "
                "or scatter_add instead"
            )
        template, arrays = _index(self, index)
        if arrays:
            filled = [x._array for x in arrays]
            new = self._array.copy()
            new[ops.filled(template, filled)] = (
                value._array if isinstance(value, Tensor) else value
            )
            self.assign(_wrap(new))
        else:
            apply(ops.getitem, self.detach(), index=template).copy_(value)

    # ------------------------------------------------------------------ conversion

    def to(self, dtype: Any) -> Tensor:
        """Return it with another element type (a dtype, or a tensor of that type)."""
        if isinstance(dtype, Tensor):
            dtype = dtype.dtype
        elif isinstance(dtype, str) and dtype == "cpu":
            return self
        dtype = np.dtype(dtype)
        if dtype == self._array.dtype:
            return self
        if dtype.kind not in "fiub" or (dtype.kind == "f" and dtype not in (float32, float64)):
            raise DtypeError(f"there are no {dtype} tensors; use float32, float64, int64 or bool")
        return apply(ops.cast, self, dtype=dtype)

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
        return self

    def clone(self) -> Tensor:
        """Return a copy, in the graph."""
        return apply(ops.copy, self)

    def contiguous(self) -> Tensor:
        """Return self if it is contiguous, else a contiguous copy."""
        return self if self.is_contiguous() else self.clone()

    def new_zeros(self, shape: Shape) -> Tensor:
        """Return zeros of this tensor's type."""
        return _wrap(np.zeros(shape, self._array.dtype))

    # ------------------------------------------------------------------ arithmetic

    def __add__(self, other: Any) -> Tensor:
        return _binary(ops.add, self, other)

    def __radd__(self, other: Any) -> Tensor:
        return _binary(ops.add, other, self)

    def __sub__(self, other: Any) -> Tensor:
        return _binary(ops.sub, self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return _binary(ops.sub, other, self)

    def __mul__(self, other: Any) -> Tensor:
        return _binary(ops.mul, self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return _binary(ops.mul, other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _divide(other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return _binary(ops.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return _binary(ops.floor_divide, other, self)

    def __mod__(self, other: Any) -> Tensor:
        return _binary(ops.remainder, self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return _binary(ops.remainder, other, self)

    def __pow__(self, other: Any) -> Tensor:
        return _binary(ops.pow_, self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return _binary(ops.pow_, other, self)

    def __neg__(self) -> Tensor:
        return apply(ops.neg, self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return apply(ops.abs_, self)

    def __matmul__(self, other: Any) -> Tensor:
        return _matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _matmul(other, self)

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override]
        return _binary(ops.equal, self, other)

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return _binary(ops.not_equal, self, other)

    def __lt__(self, other: Any) -> Tensor:
        return _binary(ops.less, self, other)

    def __le__(self, other: Any) -> Tensor:
        return _binary(ops.less_equal, self, other)

    def __gt__(self, other: Any) -> Tensor:
        return _binary(ops.greater, self, other)

    def __ge__(self, other: Any) -> Tensor:
        return _binary(ops.greater_equal, self, other)

    def __and__(self, other: Any) -> Tensor:
        return _binary(ops.bitwise_and, self, other)

    def __or__(self, other: Any) -> Tensor:
        return _binary(ops.bitwise_or, self, other)

    def __xor__(self, other: Any) -> Tensor:
        return _binary(ops.bitwise_xor, self, other)

    def __invert__(self) -> Tensor:
        return apply(ops.invert, self)

    def add(self, other: Any) -> Tensor:
        """Return self + other."""
        return self + other

    def sub(self, other: Any) -> Tensor:
        """Return self - other."""
        return self - other

    def mul(self, other: Any) -> Tensor:
        """Return self * other."""
        return self * other

    def div(self, other: Any) -> Tensor:
        """Return self / other."""
        return self / other

    def neg(self) -> Tensor:
        """Return -self."""
        return -self

    def pow(self, exponent: Any) -> Tensor:
        """Return self ** exponent."""
        return self**exponent

    def abs(self) -> Tensor:
        """Return the absolute value; its slope at 0 is taken as 0."""
        return abs(self)

    def square(self) -> Tensor:
        """Return self * self."""
        return self * self

    def matmul(self, other: Any) -> Tensor:
        """Return self @ other."""
        return self @ other

    def mm(self, other: Tensor) -> Tensor:
        """Return the product of two matrices."""
        _same_ndim("mm", 2, self, other)
        return self @ other

    def bmm(self, other: Tensor) -> Tensor:
        """Return the products of two batches of matrices."""
        _same_ndim("bmm", 3, self, other)
        return self @ other

    def dot(self, other: Tensor) -> Tensor:
        """Return the inner product of two vectors."""
        _same_ndim("dot", 1, self, other)
        return self @ other

    def eq(self, other: Any) -> Tensor:
        """Return self == other, element by element."""
        return self == other

    def ne(self, other: Any) -> Tensor:
        """Return self != other, element by element."""
        return self != other

    def lt(self, other: Any) -> Tensor:
        """Return self < other, element by element."""
        return self < other

    def le(self, other: Any) -> Tensor:
        """Return self <= other, element by element."""
        return self <= other

    def gt(self, other: Any) -> Tensor:
        """Return self > other, element by element."""
        return self > other

    def ge(self, other: Any) -> Tensor:
        """Return self >= other, element by element."""
        return self >= other

    # ------------------------------------------------------------------ functions of each element

    def exp(self) -> Tensor:
        """Return e to the power of each element."""
        return _unary(ops.exp, self)

    def log(self) -> Tensor:
        """Return the natural logarithm; log(0) is -inf, below 0 it is NaN."""
        return _unary(ops.log, self)

    def log1p(self) -> Tensor:
        """Return log(1 + self), accurate near 0."""
        return _unary(ops.log1p, self)

    def sqrt(self) -> Tensor:
        """Return the square root; NaN below 0."""
        return _unary(ops.sqrt, self)

    def rsqrt(self) -> Tensor:
        """Return 1 / sqrt(self)."""
        return 1.0 / self.sqrt()

    def reciprocal(self) -> Tensor:
        """Return 1 / self."""
        return 1.0 / self

    def sin(self) -> Tensor:
        """Return the sine of an angle in radians."""
        return _unary(ops.sin, self)

    def cos(self) -> Tensor:
        """Return the cosine of an angle in radians."""
        return _unary(ops.cos, self)

    def tanh(self) -> Tensor:
        """Return (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""
        return _unary(ops.tanh, self)

    def sigmoid(self) -> Tensor:
        """Return 1 / (1 + e⁻ˣ)."""
        return _unary(ops.sigmoid, self)

    def relu(self) -> Tensor:
        """Return max(x, 0); its slope at 0 is taken as 0."""
        return apply(ops.relu, self)

    def softplus(self) -> Tensor:
        """Return log(1 + eˣ)."""
        return _unary(ops.softplus, self)

    def erf(self) -> Tensor:
        """Return 2/√π ∫₀ˣ e^(-t²) dt."""
        return _unary(ops.erf, self)

    def sign(self) -> Tensor:
        """Return -1, 0 or 1. Has no gradient."""
        return apply(ops.sign, self)

    def floor(self) -> Tensor:
        """Round down. Has no gradient."""
        return apply(ops.floor, self)

    def ceil(self) -> Tensor:
        """Round up. Has no gradient."""
        return apply(ops.ceil, self)

    def round(self) -> Tensor:
        """Round to the nearest integer, halves to even. Has no gradient."""
        return apply(ops.round_, self)

    def isnan(self) -> Tensor:
        """Return whether each element is NaN."""
        return apply(ops.isnan, self)

    def isinf(self) -> Tensor:
        """Return whether each element is infinite."""
        return apply(ops.isinf, self)

    def isfinite(self) -> Tensor:
        """Return whether each element is neither NaN nor infinite."""
        return ~(self.isnan() | self.isinf())

    def clamp(self, min: Scalar | None = None, max: Scalar | None = None) -> Tensor:
        """Return each element limited to [min, max]. The slope is 1 inside and at the limits."""
        if min is None and max is None:
            raise ArgumentError("clamp needs min, max or both")
        low, high = (None if limit is None else float(limit) for limit in (min, max))
        return apply(ops.clip, self, low=low, high=high)

    clip = clamp

    def maximum(self, other: Any) -> Tensor:
        """Return the larger of each pair; equal ones share the gradient."""
        return _binary(ops.maximum, self, other)

    def minimum(self, other: Any) -> Tensor:
        """Return the smaller of each pair; equal ones share the gradient."""
        return _binary(ops.minimum, self, other)

    def where(self, condition: Tensor, other: Any) -> Tensor:
        """Return self where `condition` holds, else `other`."""
        return where(condition, self, other)

    def masked_fill(self, mask: Tensor, value: Scalar) -> Tensor:
        """Return self with `value` where `mask` holds."""
        return where(mask, value, self)

    # ------------------------------------------------------------------ reductions

    def sum(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return the sum over axes (all of them by default)."""
        x = self.to(int64) if self._array.dtype == bool_ else self
        return x._reduce(ops.sum_, dim, keepdim)

    def mean(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return the mean over axes; NaN over nothing."""
        _require_float(self, "mean")
        count = math.prod(self.shape[axis] for axis in axes_of(dim, self.ndim))
        return self.sum(dim, keepdim) * (1.0 / count if count else math.nan)

    def var(self, dim: Any = None, correction: Int = 1, keepdim: Bool = False) -> Tensor:
        """Return Σ(x - mean)² / (n - correction) over axes."""
        _require_float(self, "var")
        count = math.prod(self.shape[axis] for axis in axes_of(dim, self.ndim))
        divisor = count - correction
        centred = self - self.mean(dim, keepdim=True)
        return (centred * centred).sum(dim, keepdim) * (1.0 / divisor if divisor > 0 else math.nan)

    def std(self, dim: Any = None, correction: Int = 1, keepdim: Bool = False) -> Tensor:
        """Return the square root of `var`."""
        return self.var(dim, correction, keepdim).sqrt()

    def amax(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return the largest element over axes; equal ones share the gradient."""
        return self._reduce(ops.amax, dim, keepdim)

    def amin(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return the smallest element over axes; equal ones share the gradient."""
        return self._reduce(ops.amin, dim, keepdim)

    def max(self, dim: Any = None, keepdim: Bool = False) -> Any:
        """Return the largest element; or `(values, indices)` along one axis; or of two tensors."""
        if isinstance(dim, Tensor):
            return self.maximum(dim)
        if dim is None:
            return self.amax()
        return self._extreme(ops.argmax, dim, keepdim)

    def min(self, dim: Any = None, keepdim: Bool = False) -> Any:
        """Return the smallest element; or `(values, indices)` along one axis; or of two tensors."""
        if isinstance(dim, Tensor):
            return self.minimum(dim)
        if dim is None:
            return self.amin()
        return self._extreme(ops.argmin, dim, keepdim)

    def argmax(self, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
        """Return the index of the largest element, the first of equal ones."""
        axis = None if dim is None else axis_of(dim, self.ndim)
        return apply(ops.argmax, self, axis=axis, keepdims=keepdim)

    def argmin(self, dim: Int | None = None, keepdim: Bool = False) -> Tensor:
        """Return the index of the smallest element, the first of equal ones."""
        axis = None if dim is None else axis_of(dim, self.ndim)
        return apply(ops.argmin, self, axis=axis, keepdims=keepdim)

    def any(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return whether any element is true."""
        return self._reduce(ops.any_, dim, keepdim)

    def all(self, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return whether all elements are true."""
        return self._reduce(ops.all_, dim, keepdim)

    def logsumexp(self, dim: Any, keepdim: Bool = False) -> Tensor:
        """Return log Σ eˣ over axes, without overflow."""
        _require_float(self, "logsumexp")
        return self._reduce(ops.logsumexp, dim, keepdim)

    def norm(self, p: Any = 2, dim: Any = None, keepdim: Bool = False) -> Tensor:
        """Return (Σ|x|ᵖ)^(1/p) over axes; p may be infinite. The slope at 0 is taken as 0."""
        _require_float(self, "norm")
        if p == 2:
            return self._reduce(ops.norm, dim, keepdim)
        if p == math.inf:
            return self.abs().amax(dim, keepdim)
        if p == 1:
            return self.abs().sum(dim, keepdim)
        return (self.abs() ** p).sum(dim, keepdim) ** (1.0 / p)

    def cumsum(self, dim: Int) -> Tensor:
        """Return the running sum along an axis."""
        return apply(ops.cumsum, self, axis=axis_of(dim, self.ndim))

    def softmax(self, dim: Int) -> Tensor:
        """Return eˣ / Σ eˣ along an axis."""
        _require_float(self, "softmax")
        return apply(ops.softmax, self, axis=axis_of(dim, self.ndim))

    def log_softmax(self, dim: Int) -> Tensor:
        """Return x - log Σ eˣ along an axis."""
        _require_float(self, "log_softmax")
        axis = axis_of(dim, self.ndim)
        return apply(ops.log_softmax, self, axis=axis)

    def _reduce(self, primitive: Primitive, dim: Any, keepdim: Bool) -> Tensor:
        axis = axes_of(dim, self.ndim)
        return apply(primitive, self, axis=axis, keepdims=keepdim)

    def _extreme(self, primitive: Primitive, dim: Int, keepdim: Bool) -> MaxMin:
        axis = axis_of(dim, self.ndim)
        indices = apply(primitive, self, axis=axis, keepdims=True)
        values = self.gather(axis, indices)
        if keepdim:
            return MaxMin(values, indices)
        return MaxMin(values.squeeze(axis), indices.squeeze(axis))

    def sum_to_size(self, shape: Shape) -> Tensor:
        """Sum over the axes along which `shape` was broadcast to this shape."""
        extra = self.ndim - len(shape)
        repeated = tuple(
            i for i, n in enumerate(self.shape) if i < extra or (shape[i - extra] == 1 and n != 1)
        )
        summed = self._reduce(ops.sum_, repeated, True) if repeated else self
        return summed.reshape(shape) if extra else summed

    # ------------------------------------------------------------------ shape

    def reshape(self, *shape: Any) -> Tensor:
        """Return the elements in another shape; one length may be -1."""
        return apply(ops.reshape, self, shape=shape_of(shape))

    view = reshape

    def flatten(self, start_dim: Int = 0, end_dim: Int = -1) -> Tensor:
        """Join the axes from `start_dim` to `end_dim` into one."""
        start, end = axis_of(start_dim, self.ndim), axis_of(end_dim, self.ndim)
        middle = math.prod(self.shape[start : end + 1])
        return self.reshape((*self.shape[:start], middle, *self.shape[end + 1 :]))

    def permute(self, *axes: Any) -> Tensor:
        """Return the axes in another order."""
        order = tuple(axis_of(axis, self.ndim) for axis in shape_of(axes))
        return apply(ops.permute, self, axes=order)

    def transpose(self, dim0: Int, dim1: Int) -> Tensor:
        """Exchange two axes."""
        order = list(range(self.ndim))
        a, b = axis_of(dim0, self.ndim), axis_of(dim1, self.ndim)
        order[a], order[b] = order[b], order[a]
        return apply(ops.permute, self, axes=tuple(order))

    def t(self) -> Tensor:
        """Exchange the axes of a matrix; a vector stays as it is."""
        if self.ndim > 2:
            raise ShapeError(f"t() takes a matrix, not shape {self.shape}; use transpose or mT")
        return self.T

    def expand(self, *shape: Any) -> Tensor:
        """Return a view with axes of length 1 repeated; -1 keeps a length."""
        wanted = shape_of(shape)
        lead = len(wanted) - self.ndim
        full = tuple(self.shape[i - lead] if n == -1 else n for i, n in enumerate(wanted))
        return apply(ops.expand, self, shape=full)

    def expand_as(self, other: Tensor) -> Tensor:
        """Expand to the shape of `other`."""
        return self.expand(other.shape)

    def repeat(self, *counts: Any) -> Tensor:
        """Return copies side by side, `counts` many along each axis."""
        times = shape_of(counts)
        lead = len(times) - self.ndim
        x = self.reshape((1,) * lead + self.shape)
        apart = tuple(n for length in x.shape for n in (1, length))
        spread = tuple(n for pair in zip(times, x.shape, strict=True) for n in pair)
        joined = tuple(count * n for count, n in zip(times, x.shape, strict=True))
        return x.reshape(apart).expand(spread).reshape(joined)

    def squeeze(self, dim: Any = None) -> Tensor:
        """Drop axes of length 1: all of them, or those named if they have length 1."""
        axes = axes_of(dim, self.ndim)
        return self.reshape(tuple(n for i, n in enumerate(self.shape) if n != 1 or i not in axes))

    def unsqueeze(self, dim: Int) -> Tensor:
        """Insert an axis of length 1 at `dim`."""
        at = axis_of(dim, self.ndim + 1)
        return self.reshape((*self.shape[:at], 1, *self.shape[at:]))

    def unbind(self, dim: Int = 0) -> tuple[Tensor, ...]:
        """Return the slices along an axis, without that axis."""
        return tuple(apply(ops.unbind, self, axis=axis_of(dim, self.ndim)))

    def split(self, split_size: Any, dim: Int = 0) -> tuple[Tensor, ...]:
        """Cut an axis into pieces of `split_size` (the last may be shorter), or of given sizes."""
        axis = axis_of(dim, self.ndim)
        length = self.shape[axis]
        if isinstance(split_size, int):
            if split_size < 1:
                raise ArgumentError(f"split needs pieces of at least 1 element, not {split_size}")
            sizes = tuple(
                min(split_size, length - start) for start in range(0, max(length, 1), split_size)
            )
        else:
            sizes = tuple(int(size) for size in split_size)
            if sum(sizes) != length:
                raise ShapeError(
                    f"sizes {sizes} do not add up to {length}, the length of axis {dim}"
                )
        return tuple(apply(ops.split, self, sizes=sizes, axis=axis))

    def chunk(self, chunks: Int, dim: Int = 0) -> tuple[Tensor, ...]:
        """Cut an axis into at most `chunks` pieces of equal size (the last may be shorter)."""
        if chunks < 1:
            raise ArgumentError(f"chunk needs at least 1 piece, not {chunks}")
        length = self.shape[axis_of(dim, self.ndim)]
        return self.split(max(1, -(-length // chunks)), dim)

    def flip(self, *dims: Any) -> Tensor:
        """Reverse the order along axes."""
        axes = axes_of(shape_of(dims), self.ndim)
        index = tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(self.ndim))
        return apply(ops.getitem, self, index=index)

    def narrow(self, dim: Int, start: Int, length: Int) -> Tensor:
        """Return `length` elements of an axis from `start`."""
        before = (slice(None),) * axis_of(dim, self.ndim)
        return self[(*before, slice(start, start + length))]

    def select(self, dim: Int, index: Int) -> Tensor:
        """Return one slice of an axis, without that axis."""
        before = (slice(None),) * axis_of(dim, self.ndim)
        return self[(*before, index)]

    def __getitem__(self, index: Any) -> Tensor:
        template, arrays = _index(self, index)
        return apply(ops.getitem, self, *arrays, index=template)

    def index_select(self, dim: Int, index: Tensor) -> Tensor:
        """Return the slices of an axis that a vector of integers names."""
        before = (slice(None),) * axis_of(dim, self.ndim)
        return self[(*before, index)]

    def masked_select(self, mask: Tensor) -> Tensor:
        """Return the elements where `mask` holds, as a vector."""
        return self[mask]

    def gather(self, dim: Int, index: Tensor) -> Tensor:
        """Return out[i][j][k] = self[i][index[i][j][k]][k], for dim = 1."""
        axis = axis_of(dim, self.ndim)
        x = _trimmed_to(self, index, axis, "gather")
        _check_range(index, self.shape[axis], "gather")
        return apply(ops.gather, x, index, axis=axis)

    def scatter_add(self, dim: Int, index: Tensor, src: Tensor) -> Tensor:
        """Return a copy with src[i][j][k] added at [i][index[i][j][k]][k], for dim = 1."""
        axis = axis_of(dim, self.ndim)
        _check_range(index, self.shape[axis], "scatter_add")
        source = src[tuple(slice(n) for n in index.shape)]
        return apply(ops.scatter_add, self, index, source, axis=axis)


class RemovableHook:
    """A handle to a hook."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks = hooks
        self._hook = hook

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


# ---------------------------------------------------------------------- operands


def _constant(value: Any, dtype: Dtype) -> Array:
    """Return a Python number or array as an array, a Python number with `dtype`."""
    if isinstance(value, (bool, int, float)):
        return np.asarray(value, dtype)
    return array_of(value, None, dtype)


def _operand(x: Any) -> Any:
    """Return an operand as a Tensor or a Python number, NotImplemented if it is neither."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, (bool, int)):
        return x
    if isinstance(x, float):
        return float(x)
    if isinstance(x, (np.ndarray, np.generic)):
        return _wrap(array_of(x, None, _default_dtype))
    return NotImplemented


def _binary(primitive: Primitive, a: Any, b: Any) -> Tensor:
    """Apply a primitive to two operands, at least one of them a Tensor, of one element type."""
    a = _operand(a)
    b = _operand(b)
    if a is NotImplemented or b is NotImplemented:
        return cast(Tensor, NotImplemented)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a._array.dtype != b._array.dtype:
            a, b = _same_type(primitive, a, b)
    elif isinstance(a, Tensor):
        if type(b) is float and a._array.dtype.kind != "f":
            a = a.to(_default_dtype)
    elif type(a) is float and b._array.dtype.kind != "f":
        b = b.to(_default_dtype)
    return apply(primitive, a, b)


def _same_type(primitive: Primitive, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Bring two operands to one type: integers join floats, two floating types are refused."""
    kinds = a._array.dtype.kind + b._array.dtype.kind
    if kinds == "ff":
        raise DtypeError(
            f"`{primitive.name}` got {a.dtype} {a.shape} and {b.dtype} {b.shape}; "
            "convert one of them with .float() or .double()"
        )
    # NumPy's own rule already gives float32 for booleans, and an integer for two integers.
    if "f" in kinds and "b" not in kinds:
        return (a, b.to(a.dtype)) if kinds[0] == "f" else (a.to(b.dtype), b)
    return a, b


def _divide(a: Any, b: Any) -> Tensor:
    """True division; integers become floats of the default type first."""
    a = a.to(_default_dtype) if isinstance(a, Tensor) and a._array.dtype.kind != "f" else a
    b = b.to(_default_dtype) if isinstance(b, Tensor) and b._array.dtype.kind != "f" else b
    return _binary(ops.div, a, b)


def _unary(primitive: Primitive, x: Tensor) -> Tensor:
    _require_float(x, primitive.name)
    return apply(primitive, x)


def _require_float(x: Tensor, name: str) -> None:
    if x._array.dtype.kind != "f":
        raise DtypeError(f"`{name}` needs a floating tensor, not {x.dtype}; convert with .float()")


def _same_ndim(name: str, ndim: int, *tensors: Tensor) -> None:
    if any(x.ndim != ndim for x in tensors):
        shapes = " and ".join(str(x.shape) for x in tensors)
        raise ShapeError(f"`{name}` takes tensors with {ndim} axes, not {shapes}; see matmul")


def _matmul(a: Any, b: Any) -> Tensor:
    """Product of matrices, vectors or batches of matrices, with NumPy's rules."""
    a = _operand(a)
    b = _operand(b)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return cast(Tensor, NotImplemented)
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
    out = apply(ops.matmul, left, right)
    if vector_a and vector_b:
        return out.reshape(())
    if vector_a:
        return out.squeeze(-2)
    return out.squeeze(-1) if vector_b else out


def _trimmed_to(x: Tensor, index: Tensor, axis: int, name: str) -> Tensor:
    """Cut `x` to the extent of `index` on all axes but one, as gather's definition allows."""
    if x.ndim != index.ndim or any(
        n > m for i, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if i != axis
    ):
        raise ShapeError(
            f"`{name}` of {x.shape} with an index of {index.shape} on axis {axis}: the index needs "
            "as many axes, and elsewhere no greater lengths"
        )
    if all(n == m for i, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if i != axis):
        return x
    return x[tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(index.shape))]


def _check_range(index: Tensor, length: int, name: str) -> None:
    array = index._array
    if array.dtype.kind not in "iu":
        raise DtypeError(f"`{name}` needs an index of integers, not {index.dtype}")
    if array.size and (array.min() < 0 or array.max() >= length):
        wrong = array.min() if array.min() < 0 else array.max()
        raise OutOfRangeError(f"`{name}` got index {wrong} for an axis of length {length}")


def _index(x: Tensor, index: Any) -> tuple[tuple[Any, ...], list[Tensor]]:
    """Split an index into a template of slices and numbers, and the index arrays apart."""
    template: list[Any] = []
    arrays: list[Tensor] = []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, (list, np.ndarray)):
            # An empty list is an index of nothing, not of floats.
            part = _wrap(np.asarray(part, np.int64 if len(part) == 0 else None))
        if isinstance(part, Tensor):
            if part._array.dtype.kind not in "iub":
                raise DtypeError(
                    f"an index must be made of integers or booleans, not {part.dtype}; "
                    "convert with .long()"
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
    return tuple(template), arrays


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return `a` where `condition` holds, else `b`; all three are broadcast.

    Raises:
        DtypeError: if `condition` is not boolean, or `a` and `b` are of two floating types.
    """
    condition, a, b = _operand(condition), _operand(a), _operand(b)
    if not isinstance(condition, Tensor) or condition._array.dtype.kind != "b":
        raise DtypeError("`where` needs a tensor of booleans as its condition, such as x > 0")
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a = Tensor(a)
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a._array.dtype != b._array.dtype:
        a, b = _same_type(ops.where, a, b)
    return apply(ops.where, condition, a, b)


# ---------------------------------------------------------------------- backward


def run_backward(
    outputs: Sequence[Tensor],
    seeds: Sequence[Tensor | None],
    inputs: Sequence[Tensor] | None,
    retain_graph: bool | None,
    create_graph: bool,
    stop_at_inputs: bool = False,
) -> engine.Gradients:
    """Check what `backward` and `grad` were given, and run the engine."""
    roots = [(out, _seed(out, seed)) for out, seed in zip(outputs, seeds, strict=True)]
    keep = create_graph if retain_graph is None else retain_graph
    before = state.grad_enabled
    state.grad_enabled = create_graph
    try:
        with np.errstate(all="ignore"):
            return engine.backpropagate(roots, inputs, keep, not create_graph, stop_at_inputs)
    finally:
        state.grad_enabled = before


def _seed(out: Tensor, seed: Tensor | None) -> Tensor:
    if not isinstance(out, Tensor):
        raise DtypeError(f"a gradient is taken of a Tensor, not of {type(out).__name__}")
    if not out._requires_grad:
        raise GraphError(
            "this tensor requires no gradient and has no history: none of its inputs had "
            "requires_grad=True, or it was computed under no_grad() or detached"
        )
    if seed is None:
        if out._array.size != 1:
            raise ShapeError(
                f"backward needs the gradient of an output of shape {out.shape}; reduce it to one "
                "number with sum() or mean(), or pass gradient="
            )
        return _wrap(np.ones_like(out._array))
    if seed.shape != out.shape:
        raise ShapeError(f"the gradient has shape {seed.shape}, its tensor {out.shape}")
    if seed.dtype != out.dtype:
        raise DtypeError(f"the gradient is {seed.dtype}, its tensor {out.dtype}")
    return seed
