"""Tensor: an ndarray and its place in the graph.

`apply` is the one door through which every primitive goes: it computes, and links the result into
the graph when a gradient is wanted. The methods that call it stand in `methods/`; what is here is
reading the numbers, the graph, and mutation.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn import engine, ops
from tinygrad_rnn.arguments import Array, array_of, axis_of, sizes_of
from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.context import Scope, Site, caller, no_grad, position, quiet, settings, state
from tinygrad_rnn.dtypes import Dtype, bool_, dtype_of, get_default_dtype, int64
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    GraphError,
    OutOfRangeError,
    ShapeError,
    TinygradRnnError,
)
from tinygrad_rnn.methods.in_place import InPlace
from tinygrad_rnn.methods.replacing import replaced
from tinygrad_rnn.methods.shaping import split_index
from tinygrad_rnn.ops import Primitive

# Inside the class the plain names are methods.
Bool = bool
Int = int
Float = float
Str = str


class Changes:
    """When and where numbers last changed."""

    __slots__ = ("mutated_at", "site")

    def __init__(self) -> None:
        self.mutated_at = 0
        self.site: Site | None = None

    def happened(self) -> None:
        """Note that the numbers are overwritten now, by the user's line."""
        self.mutated_at = engine.now()
        self.site = caller()


class Memory:
    """Shared by all tensors that see the same numbers; nothing else may hold it: see `is_shared`.

    Nodes hold the changes. `before` is where the tensor stood in the graph before it was replaced,
    and the same of the time before that.
    """

    __slots__ = ("before", "changes")

    def __init__(self) -> None:
        self.changes = Changes()
        self.before: tuple[engine.Edge, Any] | None = None


def is_shared(x: Tensor) -> bool:
    """Whether another living tensor sees the same numbers."""
    return x._memory is not None and _references(x) > _references(_alone)


def _references(x: Tensor) -> int:
    return sys.getrefcount(x._memory)


# Shared by all that have none: the more dictionaries live, the more often garbage is collected.
_NO_PARAMS: dict[str, Any] = {}


class Operation(engine.Node):
    """A primitive that was applied, with what its vjps need."""

    __slots__ = ("changes", "code", "offset", "output", "params", "primitive", "scope")

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Any, ...],
        tracked: bytes,
        params: dict[str, Any],
    ) -> None:
        super().__init__(
            inputs if primitive.reads_inputs else _without_numbers(inputs), tracked
        )
        self.primitive = primitive
        self.params = params or _NO_PARAMS
        self.output: Array | None = None
        self.changes: Changes | None = None
        self.scope: Scope = state.scope
        # From the method that called `apply`, which called this.
        self.code, self.offset = position(3)

    @property
    def site(self) -> Site:
        """The line of the user's code that applied it."""
        return Site(self.code, self.offset)

    def pull(self, gradients: Sequence[Any], wanted: Sequence[int]) -> Sequence[Any]:
        """Apply the primitive's vjps."""
        primitive = self.primitive
        inputs = self.inputs
        assert inputs is not None
        if state.recorder is not None:
            state.recorder.pulls(self)
        joint = primitive.joint
        if primitive.reads_inputs or joint is not None:
            for x in inputs:
                if not isinstance(x, Tensor) or x._memory is None:
                    continue
                # Joint vjps read indices whether or not they read the numbers.
                if primitive.reads_inputs or x._array.dtype.kind != "f":
                    self._refuse_if_mutated(x._memory.changes, "an input")
        out = None
        if primitive.reads_output:
            if self.changes is not None:
                self._refuse_if_mutated(self.changes, "the output")
            assert self.output is not None
            out = wrap(self.output, self)
        g = gradients if primitive.multiple else gradients[0]
        params = self.params
        if joint is not None:
            together: Sequence[Any] = joint(g, out, wanted, *inputs, **params)
            return together
        contributions: list[Any] = []
        for i, vjp in enumerate(primitive.vjps):
            if vjp is not None and wanted[i]:
                contributions.append(vjp(g, out, *inputs, **params))
            else:
                contributions.append(None)
        return contributions

    def settled(self, value: Any) -> Any:
        """Replace an input that was changed in place since by what it was; return that."""
        if self.primitive.reads_inputs or not isinstance(value, Tensor):
            return super().settled(value)
        then: Any = value
        before = None if value._memory is None else value._memory.before
        while then._node.order > self.order and before is not None:
            then, before = before
        self.inputs = tuple([then if x is value else x for x in self.inputs or ()])
        return then

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

    def _refuse_if_mutated(self, changes: Changes, which: str) -> None:
        if changes.mutated_at > self.order:
            raise GraphError(
                f"{which} of {self.describe()} was overwritten at {changes.site} before backward "
                "read it. Call backward before assigning, or assign to a clone()."
            )


_new = object.__new__
# An array of so many bytes is not kept for backward by a node that does not read its numbers.
_WORTH_FREEING = 1 << 13
# The C library (glibc) gives memory at the end of its heap back to the system when 128 KB there are
# free, and a training step then gets it back page by page. From the first time that so large a
# block was freed, it keeps up to twice as much. Nothing is written to the block.
np.empty(31 << 20, np.uint8)


def wrap(
    array: Any, node: engine.Node | None = None, slot: int = 0, kind: type[Tensor] | None = None
) -> Tensor:
    """Make a tensor of an array, without copying or checking: a leaf, or what `node` computed."""
    tensor: Tensor = _new(kind or Tensor)
    tensor._array = array
    tensor._requires_grad = node is not None
    tensor._node = node
    tensor._slot = slot
    tensor._memory = None
    tensor._hooks = None
    tensor._grad = None
    return tensor


def replace_array(tensor: Tensor, array: Array) -> None:
    """Let a tensor be made of another array from now on."""
    tensor._array = array
    settings.arrays += 1


def _leaf(array: Array) -> Tensor:
    """Make a constant tensor of an array that nobody else holds."""
    tensor = wrap(array)
    if state.recorder is not None:
        state.recorder.constant(tensor)
    return tensor


def apply(primitive: Primitive, *inputs: Any, **params: Any) -> Tensor:
    """Apply a primitive to tensors and Python numbers; record it if a gradient is wanted.

    Returns a Tensor; for primitives with several outputs, a tuple of them (iterate over it).
    """
    arrays = []
    tracked = []
    for x in inputs:
        if isinstance(x, Tensor):
            arrays.append(x._array)
            tracked.append(x._requires_grad)
        else:
            arrays.append(x)
            tracked.append(False)
    try:
        if state.quiet:
            result = primitive.forward(*arrays, **params)
        else:
            with quiet():
                result = primitive.forward(*arrays, **params)
    except TinygradRnnError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise explained(error, primitive, inputs, params) from error

    node = None
    if True in tracked and primitive.differentiable and state.grad_enabled:
        node = Operation(primitive, inputs, bytes(tracked), params)
    if primitive.multiple:
        outputs = tuple([wrap(part, node, slot) for slot, part in enumerate(result)])
    else:
        outputs = (wrap(result if type(result) is np.ndarray else np.asarray(result), node),)
    if node is not None:
        node.outputs = len(outputs)
        if primitive.reads_output:
            node.output = outputs[0]._array
    if primitive.view:
        memory = inputs[0]._shared_memory()
        for out in outputs:
            out._memory = memory
    if state.recorder is not None:
        state.recorder.record(primitive, inputs, params, outputs)
    return outputs if primitive.multiple else outputs[0]  # type: ignore[return-value]


def _without_numbers(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what a node keeps of inputs whose numbers it will not read."""
    kept = []
    for x in inputs:
        # Joint vjps read indices; and an edge in place of a small array would save nothing, unless
        # it is a view, which would keep the whole from being changed in place.
        if (
            isinstance(x, Tensor)
            and (x._array.nbytes >= _WORTH_FREEING or x._memory is not None)
            and x._array.dtype.kind == "f"
            and (x._node is not None or not x._requires_grad)
        ):
            x = engine.Edge(x._node, x._slot, x._array.shape, x._array.dtype)
        kept.append(x)
    return tuple(kept)


def explained(
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
    if isinstance(error, (TypeError, OverflowError)):
        return DtypeError(message)
    return ShapeError(message)


class Tensor(InPlace):
    """An array of numbers that remembers how it was computed.

    Make one with `tensor(data)`, `zeros(shape)` and their like; `Tensor(2, 3)` makes floats that
    are to be overwritten, `Tensor([1, 2])` floats of these values. Arithmetic, methods and indexing
    follow PyTorch's names and NumPy's broadcasting. Two floating types are never mixed silently;
    integers and booleans join floats as floats.
    """

    __slots__ = (
        "__weakref__",
        "_array",
        "_grad",
        "_hooks",
        "_memory",
        "_node",
        "_requires_grad",
        "_slot",
    )

    _array: Array
    _requires_grad: Bool
    _node: Any
    _slot: Int
    _memory: Memory | None
    _hooks: engine.Hooks | None
    # An array is a gradient that nobody has asked for yet.
    _grad: Tensor | Array | None

    # Arrays on the left hand of an operator leave the operation to the Tensor.
    __array_ufunc__ = None

    def __new__(cls, *args: Any, **settings: Any) -> Any:
        """Make a tensor without an array, which `__init__` adds."""
        return wrap(None, kind=cls)

    def __init__(self, *data: Any, dtype: Any = None, requires_grad: Bool = False) -> None:
        self._array = _constructed(data, dtype)
        if requires_grad:
            self.requires_grad = True
        if state.recorder is not None:
            state.recorder.constant(self)

    apply = staticmethod(apply)
    _wrap = staticmethod(_leaf)

    # ------------------------------------------------------------------ what it is

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
        settings.version += 1

    def requires_grad_(self, requires_grad: Bool = True) -> Tensor:
        """Set `requires_grad` and return self."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, or None."""
        if state.recorder is not None:
            state.recorder.reads_gradient(self)
        return self._gradient()

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise DtypeError(f"a gradient is a Tensor or None, not {type(value).__name__}")
        if value is not None and (value.shape != self.shape or value.dtype != self.dtype):
            raise ShapeError(
                f"the gradient of a {self.dtype} tensor of {self.shape} cannot be "
                f"{value.dtype} of {value.shape}"
            )
        if state.recorder is not None:
            state.recorder.writes_gradient(self)
        self._grad = value

    def _gradient(self) -> Tensor | None:
        held = self._grad
        if isinstance(held, np.ndarray):
            held = self._grad = wrap(held)
        return held

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
        dtype = "" if self.dtype in (get_default_dtype(), int64, bool_) else f", dtype={self.dtype}"
        if self._node is not None:
            history = f", grad_fn=<{self._node.describe().split('`')[1]}>"
        else:
            history = ", requires_grad=True" if self._requires_grad else ""
        return f"tensor({body}{dtype}{history})"

    if not TYPE_CHECKING:

        def __getattr__(self, name: Str) -> Any:
            raise missing("Tensor", name, self)

    __hash__ = object.__hash__

    def __deepcopy__(self, memo: dict[Int, Any]) -> Tensor:
        if self._node is not None:
            raise GraphError("only leaves can be deep-copied; use detach().clone()")
        numbers = self._array.copy() if state.recorder is None else self.detach().clone()._array
        copied = wrap(numbers, kind=type(self))
        copied._requires_grad = self._requires_grad
        copied._grad = None if self.grad is None else self.grad.detach().clone()
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        if self._node is not None:
            raise GraphError("only leaves can be pickled; use detach()")
        self._read_back("pickling")
        return _unpickled, (type(self), self._array, self._requires_grad, self.grad)

    def __contains__(self, value: Any) -> Bool:
        return bool((self == value).any())

    # ------------------------------------------------------------------ reading the numbers

    def item(self) -> Any:
        """Return the only element as a Python number."""
        if self._array.size != 1:
            raise ShapeError(
                f"item() needs exactly one element, this tensor has shape {self.shape}; "
                "use tolist(), or reduce it first"
            )
        self._read_back("item()")
        return self._array.item()

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers."""
        self._read_back("tolist()")
        return self._array.tolist()

    def numpy(self, *, force: Bool = False) -> Array:
        """Return the numbers as a read-only view; `.copy()` it to write.

        Args:
            force: return them also where the tensor requires a gradient.

        Raises:
            GraphError: if it requires a gradient, which the array could not carry.
        """
        if self._requires_grad and not force:
            raise GraphError("this tensor requires a gradient; use detach().numpy()")
        self._read_back("numpy()")
        view = self._array.view()
        view.flags.writeable = False
        return view

    def _read_back(self, how: Str) -> None:
        """Refuse while a step is recorded: the number read now would be used in every replay."""
        if state.recorder is not None:
            state.recorder.reads(self, how)

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
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf that it was computed from.

        Args:
            gradient: the gradient of this tensor; may be left out if it has one element.
            retain_graph: keep the graph for another backward. Defaults to `create_graph`.
            create_graph: record the backward pass, so that gradients can be differentiated.
            inputs: if given, only these get a gradient.

        Raises:
            ArgumentError: for no `inputs`.
            GraphError: if nothing was recorded, the graph was released, or a tensor that it needs
                was overwritten since.
            ShapeError: if `gradient` is missing for several elements, or has another shape.
        """
        inputs = [inputs] if isinstance(inputs, Tensor) else inputs
        if inputs is not None and len(inputs) == 0:
            raise ArgumentError("backward got no inputs; leave them out for every leaf")
        require_grad_of(inputs or ())
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
        out = wrap(self._array)
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
        if not callable(hook):
            raise ArgumentError(f"a hook is a function of the gradient, not {hook!r}")
        if not self._requires_grad:
            raise GraphError("a hook on a tensor that requires no gradient would never be called")
        if self._node is None:
            if self._hooks is None:
                self._hooks = {}
            hooks = self._hooks
        else:
            if self._node.hooks is None:
                self._node.hooks = {}
            hooks = self._node.hooks.setdefault(self._slot, {})
        handle = RemovableHook(hooks)
        hooks[handle] = hook
        settings.version += 1
        return handle

    def _shared_memory(self) -> Memory:
        memory = self._memory
        if memory is None:
            memory = self._memory = Memory()
            if self._node is not None:
                self._node.changes = memory.changes
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
        if state.recorder is not None:
            state.recorder.assigns(self, value if isinstance(value, Tensor) else _leaf(array))
        try:
            np.copyto(self._array, array)
        except ValueError as error:
            raise ShapeError(
                f"cannot assign shape {array.shape} to a tensor of shape {self.shape}"
                + ("" if self._array.flags.writeable else ", which is read-only; clone() it first")
            ) from error
        self._shared_memory().changes.happened()
        return self

    def _in_place(self, function: Callable[[Tensor], Tensor], other: Any) -> Tensor:
        """Compute `self op= other`.

        Where a graph is recorded that changes the tensor's place in it; except that if it is a view
        or has views, or a step is compiled, the name gets a new tensor.
        """
        wanted = self._requires_grad or (isinstance(other, Tensor) and other._requires_grad)
        if not (wanted and state.grad_enabled):
            return self.assign(function(self))
        leaf = self._node is None and (self._requires_grad or state.recorder is not None)
        if not leaf and not self._is_watched():
            return self._replace(function)
        self._refuse_leaf()
        return self._fitting(function(self))

    def _is_watched(self) -> Bool:
        """Whether changing its place in the graph would be missed by views or hooks."""
        node = self._node
        return is_shared(self) or (node is not None and bool(node.hooks or node.retained))

    def _refuse_leaf(self) -> None:
        if self._requires_grad and self._node is None:
            raise GraphError(
                "a leaf that requires a gradient cannot be changed in place while recording; "
                "use `with no_grad():`"
            )

    def _fitting(self, result: Tensor) -> Tensor:
        if result.shape != self.shape:
            raise ShapeError(
                f"the result has shape {result.shape} and cannot replace one of {self.shape}"
            )
        if result.dtype != self.dtype:
            raise DtypeError(f"the result is {result.dtype} and cannot replace {self.dtype}")
        return result

    def __iadd__(self, other: Any) -> Tensor:
        return self._in_place(lambda x: x + other, other)

    def __isub__(self, other: Any) -> Tensor:
        return self._in_place(lambda x: x - other, other)

    def __imul__(self, other: Any) -> Tensor:
        return self._in_place(lambda x: x * other, other)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._in_place(lambda x: x / other, other)

    def __setitem__(self, index: Any, value: Any) -> None:
        recorded = self._requires_grad or (isinstance(value, Tensor) and value._requires_grad)
        if recorded and state.grad_enabled:
            self._replace_part(index, value)
            return
        if isinstance(value, Tensor) and value._array.dtype.kind != "f":
            value = value.to(self.dtype) if self._array.dtype.kind == "f" else value
        template, arrays = split_index(self, index)
        if arrays and state.recorder is not None:
            self._scatter(template, arrays, value)
        elif arrays:
            filled = [x._array for x in arrays]
            new = self._array.copy()
            array = value._array if isinstance(value, Tensor) else _constant(value, self.dtype)
            if array.dtype != self.dtype:
                raise DtypeError(f"cannot put {array.dtype} into a {self.dtype} tensor; convert it")
            try:
                new[ops.filled(template, filled)] = array
            except IndexError as error:
                raise OutOfRangeError(f"index out of range: {error}") from error
            except ValueError as error:
                raise ShapeError(f"the value does not fit the index: {error}") from error
            self.assign(wrap(new))
        else:
            apply(ops.getitem, self.detach(), index=template).assign(value)

    def _scatter(self, template: tuple[Any, ...], arrays: Sequence[Tensor], value: Any) -> None:
        """Assign to the elements that arrays name, in operations of which a recording consists."""
        if not isinstance(value, Tensor):
            value = _leaf(_constant(value, self.dtype))
        if value.dtype != self.dtype:
            raise DtypeError(f"cannot put {value.dtype} into a {self.dtype} tensor; convert it")
        numbers = _leaf(np.arange(self._array.size).reshape(self.shape))
        places = apply(ops.getitem, numbers, *arrays, index=template)
        spread = value.expand(places.shape).reshape(-1)
        flat = self.detach().reshape(-1).scatter(0, places.reshape(-1), spread)
        self.assign(flat.reshape(self.shape))

    def _replace_part(self, index: Any, value: Any) -> None:
        """Assign to elements while a graph is recorded."""
        if not isinstance(value, Tensor):
            value = wrap(_constant(value, self.dtype))
        if value.dtype != self.dtype:
            raise DtypeError(f"cannot put {value.dtype} into a {self.dtype} tensor; convert it")
        template, arrays = split_index(self, index)
        if arrays:
            self._read_back("item assignment by an array of indices")
        self._replace(lambda x: replaced(x, template, arrays, value))

    def _rewrite(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Overwrite with what `function` makes of this tensor, recorded or not; return self."""
        if not (self._requires_grad and state.grad_enabled):
            return self.assign(function(self))
        return self._replace(function)

    def _replace(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Take over the place in the graph of what `function` makes of this tensor.

        What was recorded before with this tensor keeps the numbers that it had, or refuses to run
        backward. Views of it would keep them too, and show that nothing was written through them;
        so there must be none.
        """
        self._refuse_leaf()
        if state.recorder is not None and self._node is None:
            # It may be from outside the step, where the change would have to be seen, too.
            raise GraphError(
                "a compiled step cannot put what carries a gradient into a constant; collect the "
                "parts in a list and join them with stack or cat, or use where or scatter_add"
            )
        if self._is_watched():
            raise GraphError(
                "this tensor is a view of another, or has views or hooks, which changing it in "
                "place while recording would miss; index the other tensor in one go, as in "
                "x[i, j] = y, or collect the parts in a list and join them with stack or cat"
            )
        old = wrap(self._array, self._node, self._slot)
        result = self._fitting(function(old))
        self._node, self._slot = result._node, result._slot
        replace_array(self, result._array)
        self._requires_grad = result._requires_grad
        edge = engine.Edge(old._node, old._slot, old.shape, old.dtype)
        before = (edge, None if self._memory is None else self._memory.before)
        self._memory = Memory()
        self._memory.before = before
        self._memory.changes.happened()
        return self


_alone = wrap(np.zeros(0))
_alone._memory = Memory()


class RemovableHook:
    """A handle to a hook."""

    def __init__(self, hooks: engine.Hooks) -> None:
        self._hooks = hooks

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._hooks.pop(self, None)
        settings.version += 1


def _unpickled(
    kind: type[Tensor], array: Array, requires_grad: bool, gradient: Tensor | None
) -> Tensor:
    tensor = wrap(array, kind=kind)
    tensor._requires_grad = requires_grad
    tensor._grad = gradient
    return tensor


def _constructed(data: tuple[Any, ...], dtype: Any) -> Array:
    """Return what `Tensor` was called with: an array, nested lists, or lengths as in PyTorch."""
    if not data or isinstance(data[0], (int, np.integer)):
        kind = get_default_dtype() if dtype is None else dtype_of(dtype)
        return np.zeros(sizes_of(data or (0,)), kind)
    if len(data) > 1:
        raise ArgumentError(
            f"Tensor takes an array, nested lists, or the lengths of its axes, not {data!r}"
        )
    array = array_of(data[0], dtype, get_default_dtype())
    # Of lists, PyTorch's class makes floats; tensor() keeps whole numbers whole.
    floats = dtype is None and isinstance(data[0], (list, tuple)) and array.dtype.kind != "f"
    return array.astype(get_default_dtype()) if floats else array


def _constant(value: Any, dtype: Dtype) -> Array:
    """Return a Python number or array as an array, a Python number with `dtype`."""
    if not isinstance(value, (bool, int, float)):
        return array_of(value, None, dtype)
    return array_of(value, dtype, dtype) if dtype.kind in "iu" else np.asarray(value, dtype)


# ---------------------------------------------------------------------- backward


def require_grad_of(inputs: Sequence[Any]) -> None:
    """Raise GraphError if one of the inputs of a derivative requires no gradient."""
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor) or not x._requires_grad:
            raise GraphError(
                f"input {i} requires no gradient; set requires_grad=True before it is used"
            )


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
        with quiet():
            # A recording knows no sum that changes its first operand.
            in_place = not create_graph and state.recorder is None
            return engine.backpropagate(roots, inputs, keep, in_place, stop_at_inputs)
    finally:
        state.grad_enabled = before
        if state.recorder is not None:
            state.recorder.pulls(None)


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
        return _leaf(np.ones_like(out._array))
    if not isinstance(seed, Tensor):
        raise DtypeError(f"a gradient is a Tensor, not {type(seed).__name__}; see tensor()")
    if seed.shape != out.shape:
        raise ShapeError(f"the gradient has shape {seed.shape}, its tensor {out.shape}")
    if seed.dtype != out.dtype:
        raise DtypeError(f"the gradient is {seed.dtype}, its tensor {out.dtype}")
    return seed
