"""From tape to graph: each primitive as operations that kernels know, views without copying.

Constants are computed here and now, and what was computed before with the same inputs is taken
from there; both can be switched off. A primitive without a rule runs by its own NumPy forward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import Array, Shape
from tinygrad_rnn.context import quiet
from tinygrad_rnn.errors import OutOfRangeError
from tinygrad_rnn.jit import graph as layout
from tinygrad_rnn.jit.graph import Buffer, Graph, Op, Scalar, Sink, View, whole
from tinygrad_rnn.jit.tape import ARGUMENT, CAPTURED, CONSTANT, Entry, Reference, Tape
from tinygrad_rnn.kernels.fused import supports
from tinygrad_rnn.kernels.reductions import reduces
from tinygrad_rnn.ops import ARRAY, Primitive

Rule = Callable[..., Any]
_rules: dict[str, Rule] = {}
# A constant of one repeated number above this size is kept as one number.
_LARGE = 1 << 16

_MAPS = (
    "add sub mul div pow neg exp log log1p sqrt abs sin cos tanh tanh_slope sigmoid sigmoid_slope "
    "relu softplus erf maximum minimum where sign floor ceil round remainder floor_divide eq ne lt "
    "le gt ge and or xor not isnan isinf"
)
_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}
_REDUCTIONS = {"sum": "sum", "amax": "amax", "amin": "amin", "any": "any", "all": "all"}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorate `(lowering, entry, *inputs, **params) -> view(s)` as the rule of primitives."""

    def decorate(function: Rule) -> Rule:
        for name in names:
            _rules[name] = function
        return function

    return decorate


def lower(tape: Tape, off: Collection[str] = ()) -> Graph:
    """Return the graph of a tape; `off` names the simplifications to leave out."""
    return Lowering(tape, off).run()


class Lowering:
    """One run over a tape."""

    def __init__(self, tape: Tape, off: Collection[str]) -> None:
        self.tape = tape
        self.graph = Graph()
        self.views: dict[int, View] = {}
        self.constants: dict[int, Array] = {}
        self.folds = "constants" not in off
        self.shares = "common" not in off
        self.folded = 0
        self.shared = 0
        self._known: dict[Any, tuple[View, ...]] = {}
        self.entry: Entry = None  # type: ignore[assignment]

    def run(self) -> Graph:
        """Lower every entry, then what the step leaves behind."""
        for value in self.tape.values:
            if value.origin == CONSTANT and value.array is not None:
                self.constants[value.number] = value.array
        for entry in self.tape.entries:
            self.entry = entry
            if self.folds and self._fold(entry):
                continue
            inputs = [self.view(x) if isinstance(x, Reference) else x for x in entry.inputs]
            find: Rule = _rules.get(entry.primitive.name, _fallback)
            made = find(self, entry, *inputs, **entry.params)
            views = [made] if isinstance(made, View) else made
            for number, view in zip(entry.outputs, views, strict=True):
                self.views[number] = self.graph.kept[number] = view
        makers = {number: entry for entry in self.tape.entries for number in entry.outputs}
        leaving = [("result", i, number) for i, number in enumerate(self.tape.results)]
        leaving += [
            ("gradient", slot.owner, slot.after)
            for slot in self.tape.gradients
            if slot.after is not None
        ]
        leaving += [("write", root, last) for root, last in self.tape.writes]
        for kind, place, number in leaving:
            entry = makers.get(number, self.entry)
            self.graph.sinks.append(Sink(kind, place, self.view(number), entry))
        if self.folds:
            self.note("constants", f"{self.folded} operations computed once and for all")
        if self.shares:
            self.note("common", f"{self.shared} operations found computed already")
        return self.graph

    def note(self, name: str, text: str) -> None:
        """Say what a simplification did."""
        self.graph.notes.append((name, text))

    # ------------------------------------------------------------------ values

    def view(self, number: int) -> View:
        """The view of a value of the tape."""
        found = self.views.get(number)
        if found is None:
            value = self.tape.values[number]
            if number in self.constants:
                found = self.constant(self.constants[number])
            else:
                assert value.origin in (ARGUMENT, CAPTURED), value.origin
                buffer = Buffer(value.shape, value.dtype, value.origin)
                buffer.source = number
                found = whole(buffer)
            self.views[number] = found
        return found

    def constant(self, array: Array) -> View:
        """A view of constant numbers."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        shape = array.shape
        if array.size > _LARGE and (array == array.flat[0]).all():
            array = array.reshape(-1)[:1].reshape((1,) * array.ndim)
        key = ("constant", array.shape, array.dtype.str, array.tobytes())
        held = self._known.get(key)
        if held is None:
            buffer = Buffer(array.shape, array.dtype, CONSTANT)
            buffer.array = array
            held = self._known[key] = (whole(buffer),)
        return layout.expanded(held[0], shape)

    def _fold(self, entry: Entry) -> bool:
        """Compute an entry whose inputs are all constant."""
        name = entry.primitive.name
        if name == "uniform" or not entry.inputs or name == "update":
            return False
        arrays = []
        for x in entry.inputs:
            if isinstance(x, Reference):
                array = self.constants.get(x)
                if array is None or self.tape.values[x].origin == CAPTURED:
                    return False
                arrays.append(array)
            else:
                arrays.append(x)
        with quiet():
            made = entry.primitive.forward(*arrays, **entry.params)
        for number, array in zip(
            entry.outputs, made if entry.primitive.multiple else [made], strict=True
        ):
            self.constants[number] = np.asarray(array)
        self.folded += 1
        return True

    # ------------------------------------------------------------------ operations

    def op(
        self,
        kind: str,
        name: str,
        inputs: Sequence[View | Scalar],
        outputs: Sequence[tuple[Shape, Any]],
        **params: Any,
    ) -> tuple[View, ...]:
        """Add an operation with fresh outputs, or find the one that computed the same before."""
        # By its text, which tells 0.0 from -0.0.
        known = tuple([(repr(x.value), x.dtype) if isinstance(x, Scalar) else x for x in inputs])
        key = (kind, name, known, repr(params), self.entry.region)
        if self.shares and kind not in ("uniform", "range", "numpy"):
            held = self._known.get(key)
            if held is not None:
                self.shared += 1
                return held
        views = tuple([whole(Buffer(shape, np.dtype(dtype))) for shape, dtype in outputs])
        made = Op(kind, name, inputs, views, self.entry, len(self.graph.ops), params)
        self.graph.ops.append(made)
        self._known[key] = views
        return views

    def map(self, name: str, inputs: Sequence[View | Scalar], shape: Shape, dtype: Any) -> View:
        """Add an element-wise operation; its inputs are broadcast to the shape."""
        given = [layout.expanded(x, shape) if isinstance(x, View) else x for x in inputs]
        return self.op("map", name, given, [(shape, dtype)])[0]

    def write(self, target: View, source: View | Scalar, after: Sequence[Op] = ()) -> Op:
        """Copy into a part of a buffer."""
        given = layout.expanded(source, target.shape) if isinstance(source, View) else source
        made = Op("map", "copy", [given], [target], self.entry, len(self.graph.ops))
        made.after += after
        self.graph.ops.append(made)
        return made

    def cast(self, view: View, dtype: Any) -> View:
        """Another element type."""
        if view.dtype == dtype:
            return view
        if supports("cast", [str(view.dtype)], str(np.dtype(dtype))):
            return self.map("cast", [view], view.shape, dtype)
        return self.numpy(ops.cast, [view], [(view.shape, dtype)], dtype=dtype)[0]

    def numpy(
        self,
        primitive: Primitive,
        inputs: Sequence[Any],
        outputs: Sequence[tuple[Shape, Any]],
        **settings: Any,
    ) -> tuple[View, ...]:
        """Add a primitive's own forward, between compiled pieces."""
        views = [x for x in inputs if isinstance(x, View)]
        made = self.op("numpy", primitive.name, views, outputs)
        op = self.graph.ops[-1]
        op.params["primitive"] = primitive
        op.params["arguments"] = [None if isinstance(x, View) else x for x in inputs]
        op.params["settings"] = settings
        return made

    def contiguous(self, view: View) -> View:
        """The same elements one after the other, copied if need be."""
        return view if view.is_contiguous else self.map("copy", [view], view.shape, view.dtype)

    def reshape(self, view: View, shape: Shape) -> View:
        """Another shape, copied if need be."""
        found = layout.reshaped(view, shape)
        if found is None:
            found = layout.reshaped(self.contiguous(view), shape)
            assert found is not None
        return found

    def check(self, message: str) -> int:
        """Number a condition that is checked while the program runs."""
        self.graph.checks.append((OutOfRangeError, f"{message} in {self.entry.describe()}"))
        return len(self.graph.checks) - 1

    def join(
        self, shape: Shape, dtype: Any, parts: Sequence[View], targets: Sequence[View]
    ) -> View:
        """A buffer put together of parts that do not overlap."""
        buffer = targets[0].buffer if targets else Buffer(shape, np.dtype(dtype))
        made = Op("join", "join", parts, [whole(buffer)], self.entry, len(self.graph.ops))
        made.params["targets"] = list(targets)
        self.graph.ops.append(made)
        return whole(buffer)


def _shape_of(lowering: Lowering, entry: Entry) -> tuple[Shape, Any]:
    value = lowering.tape.values[entry.outputs[0]]
    return value.shape, value.dtype


def _fallback(lowering: Lowering, entry: Entry, *inputs: Any, **params: Any) -> Sequence[View]:
    """Run the primitive's own forward."""
    outputs = [
        (lowering.tape.values[n].shape, lowering.tape.values[n].dtype) for n in entry.outputs
    ]
    return lowering.numpy(entry.primitive, inputs, outputs, **params)


# ---------------------------------------------------------------------- element-wise


def _typed(x: Any, dtype: Any, lowering: Lowering) -> View | Scalar:
    return lowering.cast(x, dtype) if isinstance(x, View) else Scalar(x, np.dtype(dtype))


@rule(*_MAPS.split())
def _map(lowering: Lowering, entry: Entry, *inputs: Any) -> View:
    shape, dtype = _shape_of(lowering, entry)
    name = entry.primitive.name
    if name in _COMPARISONS or name in ("isnan", "isinf"):
        kinds = [x.dtype if isinstance(x, View) else x for x in inputs]
        common = np.result_type(*kinds)
        given = [_typed(x, common, lowering) for x in inputs]
    elif name == "where":
        given = [inputs[0], *(_typed(x, dtype, lowering) for x in inputs[1:])]
    else:
        given = [_typed(x, dtype, lowering) for x in inputs]
    if not supports(name, [str(x.dtype) for x in given], str(dtype)):
        return _fallback(lowering, entry, *inputs)[0]
    return lowering.map(name, given, shape, dtype)


@rule("clip")
def _clip(lowering: Lowering, entry: Entry, x: View, low: Any, high: Any) -> View:
    if low is not None:
        x = lowering.map("maximum", [x, Scalar(low, x.dtype)], x.shape, x.dtype)
    if high is not None:
        x = lowering.map("minimum", [x, Scalar(high, x.dtype)], x.shape, x.dtype)
    return x


@rule("cast")
def _cast(lowering: Lowering, entry: Entry, x: View, dtype: Any) -> View:
    return lowering.cast(x, np.dtype(dtype))


@rule("copy")
def _copy(lowering: Lowering, entry: Entry, x: View) -> View:
    return x


@rule("assign")
def _assign(lowering: Lowering, entry: Entry, x: View, shape: Shape) -> View:
    return layout.expanded(x, shape)


@rule("update")
def _update(lowering: Lowering, entry: Entry, before: View, part: View, chain: Any) -> View:
    buffer = Buffer(before.shape, before.dtype)
    copied = lowering.write(whole(buffer), before)
    view = whole(buffer)
    for link in chain:
        made = _rules[link.primitive.name](lowering, entry, view, **link.params)
        view = made if isinstance(made, View) else made[link.slot]
    assert view.buffer is buffer
    lowering.write(view, part, [copied])
    return whole(buffer)


# ---------------------------------------------------------------------- views


@rule("reshape")
def _reshape(lowering: Lowering, entry: Entry, x: View, shape: Shape) -> View:
    if -1 in shape:
        known = math.prod(length for length in shape if length != -1)
        shape = tuple([x.size // known if length == -1 else length for length in shape])
    return lowering.reshape(x, shape)


@rule("permute")
def _permute(lowering: Lowering, entry: Entry, x: View, axes: Shape) -> View:
    return layout.permuted(x, axes)


@rule("expand")
def _expand(lowering: Lowering, entry: Entry, x: View, shape: Shape) -> View:
    return layout.expanded(x, shape)


@rule("unbind")
def _unbind(lowering: Lowering, entry: Entry, x: View, axis: int) -> list[View]:
    return [_part_of(part) for part in layout.unbound(x, axis)]


@rule("split")
def _split(lowering: Lowering, entry: Entry, x: View, sizes: Shape, axis: int) -> list[View]:
    return [_part_of(part) for part in layout.split_up(x, sizes, axis)]


def _part_of(view: View) -> View:
    """A view of joined parts as the part that it shows, if it shows exactly one."""
    writers = view.buffer.writers
    if len(writers) == 1 and writers[0].kind == "join":
        op = writers[0]
        by_place = op.params.get("by_place")
        if by_place is None:
            by_place = {
                (target.offset, target.shape): part
                for part, target in zip(op.inputs, op.params["targets"], strict=True)
            }
            op.params["by_place"] = by_place
        # The places are those of the parts themselves, so a view of one has its very layout.
        first = op.params["targets"][0] if op.params["targets"] else view
        part = by_place.get((view.offset, view.shape))
        if isinstance(part, View) and view.strides == first.strides:
            return part
    return view


@rule("getitem")
def _getitem(lowering: Lowering, entry: Entry, x: View, *arrays: View, index: Any) -> Any:
    if not arrays:
        return _part_of(layout.sliced(x, index))
    at_front = len(index) == 1 and index[0] is ARRAY and arrays[0].dtype.kind in "iu"
    if not at_front or not x.shape:
        return _fallback(lowering, entry, x, *arrays, index=index)[0]
    rows = lowering.contiguous(lowering.cast(arrays[0], np.dtype(np.int64)))
    width = math.prod(x.shape[1:])
    table = lowering.reshape(x, (x.shape[0], width))
    if table.strides[1] < 0:
        table = lowering.contiguous(table)
    shape, dtype = _shape_of(lowering, entry)
    check = lowering.check(f"index out of range for an axis of {x.shape[0]}")
    flat = lowering.reshape(rows, (rows.size,))
    out = ((rows.size, width), dtype)
    made = lowering.op("look_up", "look_up", [table, flat], [out], check=check)
    return lowering.reshape(made[0], shape)


@rule("stack")
def _stack(lowering: Lowering, entry: Entry, *parts: View, axis: int) -> View:
    shape, dtype = _shape_of(lowering, entry)
    targets = layout.unbound(whole(Buffer(shape, dtype)), axis)
    return lowering.join(shape, dtype, parts, targets)


@rule("cat")
def _concatenate(lowering: Lowering, entry: Entry, *parts: View, axis: int) -> View:
    shape, dtype = _shape_of(lowering, entry)
    sizes = [part.shape[axis] for part in parts]
    targets = layout.split_up(whole(Buffer(shape, dtype)), sizes, axis)
    return lowering.join(shape, dtype, [lowering.cast(p, dtype) for p in parts], targets)


@rule("pad")
def _pad(lowering: Lowering, entry: Entry, x: View, widths: Any, value: Any) -> View:
    shape, dtype = _shape_of(lowering, entry)
    buffer = Buffer(shape, dtype)
    filled = lowering.write(whole(buffer), Scalar(value, dtype))
    inner = tuple(slice(b, b + n) for n, (b, _) in zip(x.shape, widths, strict=True))
    lowering.write(layout.sliced(whole(buffer), inner), x, [filled])
    return whole(buffer)


@rule("sum_slices")
def _sum_slices(
    lowering: Lowering, entry: Entry, *inputs: View, indices: Any, shape: Shape
) -> View:
    _, dtype = _shape_of(lowering, entry)
    buffer = Buffer(shape, dtype)
    if any(part is ARRAY for index in indices for part in index):
        return _sum_rows(lowering, entry, inputs, indices, buffer)
    counted = np.zeros(shape, np.int8)
    targets = []
    for index in indices:
        counted[index] += 1
        targets.append(layout.sliced(whole(buffer), index))
    if counted.size and counted.max() > 1:
        total = lowering.write(whole(buffer), Scalar(0, dtype))
        for g, target in zip(inputs, targets, strict=True):
            made = Op("map", "add", [target, layout.expanded(g, target.shape)], [target], entry, 0)
            made.position = len(lowering.graph.ops)
            made.after.append(total)
            lowering.graph.ops.append(made)
            total = made
        return whole(buffer)
    if counted.size and counted.min() == 0:
        filled = lowering.write(whole(buffer), Scalar(0, dtype))
        for g, target in zip(inputs, targets, strict=True):
            lowering.write(target, g, [filled])
        return whole(buffer)
    return lowering.join(shape, dtype, inputs, targets)


def _sum_rows(
    lowering: Lowering, entry: Entry, inputs: Sequence[View], indices: Any, buffer: Buffer
) -> View:
    """The gradient of look-ups in a table: rows added up where they came from."""
    simple = all(len(index) == 1 and index[0] is ARRAY for index in indices)
    integer = all(x.dtype.kind in "iu" for x in inputs[1::2])
    if not (simple and integer and buffer.shape and buffer.dtype.kind == "f"):
        return _fallback(lowering, entry, *inputs, indices=indices, shape=buffer.shape)[0]
    before = lowering.write(whole(buffer), Scalar(0, buffer.dtype))
    width = math.prod(buffer.shape[1:])
    for g, index in zip(inputs[::2], inputs[1::2], strict=True):
        rows = lowering.contiguous(lowering.cast(index, np.dtype(np.int64)))
        flat = lowering.reshape(rows, (rows.size,))
        source = lowering.contiguous(lowering.reshape(g, (rows.size, width)))
        table = View(buffer, 0, (buffer.shape[0], width), (width, 1))
        made = Op("add_rows", "add_rows", [flat, source], [table], entry, len(lowering.graph.ops))
        made.after.append(before)
        lowering.graph.ops.append(made)
        before = made
    return whole(buffer)


# ---------------------------------------------------------------------- look-ups


def _canonical(view: View, axis: int) -> Shape:
    """The shape as what lies before the axis, the axis, what lies behind."""
    return (
        math.prod(view.shape[:axis]),
        view.shape[axis],
        math.prod(view.shape[axis + 1 :]),
    )


def _aligned(x: View, index: View, axis: int) -> bool:
    others = [i for i in range(len(x.shape)) if i != axis]
    return all(x.shape[i] == index.shape[i] for i in others)


@rule("gather")
def _gather(lowering: Lowering, entry: Entry, x: View, index: View, axis: int) -> View:
    shape, dtype = _shape_of(lowering, entry)
    if not _aligned(x, index, axis):
        return _fallback(lowering, entry, x, index, axis=axis)[0]
    data = lowering.reshape(lowering.contiguous(x), _canonical(x, axis))
    place = lowering.contiguous(lowering.cast(index, np.dtype(np.int64)))
    place = lowering.reshape(place, _canonical(index, axis))
    check = lowering.check(f"index out of range for axis {axis} of {x.shape}")
    made = lowering.op("gather", "gather", [data, place], [(place.shape, dtype)], check=check)
    return lowering.reshape(made[0], shape)


@rule("scatter_add")
def _scatter_add(
    lowering: Lowering, entry: Entry, x: View, index: View, source: View, axis: int
) -> View:
    shape, dtype = _shape_of(lowering, entry)
    if not _aligned(x, index, axis) or dtype.kind != "f" or source.shape != index.shape:
        return _fallback(lowering, entry, x, index, source, axis=axis)[0]
    buffer = Buffer(shape, dtype)
    copied = lowering.write(whole(buffer), x)
    place = lowering.contiguous(lowering.cast(index, np.dtype(np.int64)))
    place = lowering.reshape(place, _canonical(index, axis))
    added = lowering.reshape(lowering.contiguous(source), _canonical(index, axis))
    target = layout.reshaped(whole(buffer), _canonical(x, axis))
    assert target is not None
    made = Op("scatter", "scatter_add", [place, added], [target], entry, len(lowering.graph.ops))
    made.after.append(copied)
    lowering.graph.ops.append(made)
    return whole(buffer)


@rule("require_range")
def _require_range(
    lowering: Lowering,
    entry: Entry,
    x: View,
    low: int,
    high: int,
    ignore: int | None,
    message: str,
    error: Any = OutOfRangeError,
) -> View:
    text = message.replace("{low}", str(low)).replace("{last}", str(high - 1))
    lowering.graph.checks.append((error, text))
    flat = lowering.contiguous(lowering.cast(x, np.dtype(np.int64)))
    number = len(lowering.graph.checks) - 1
    made = Op("range", "require_range", [flat], [], entry, len(lowering.graph.ops))
    made.params = {"low": low, "high": high, "ignore": ignore, "check": number}
    lowering.graph.ops.append(made)
    return x


# ---------------------------------------------------------------------- reductions


@rule(*_REDUCTIONS)
def _reduce(lowering: Lowering, entry: Entry, x: View, axis: Shape, keepdims: bool) -> View:
    shape, dtype = _shape_of(lowering, entry)
    name = _REDUCTIONS[entry.primitive.name]
    return _reduced(lowering, name, x, axis, shape, dtype)


def _reduced(
    lowering: Lowering, name: str, x: View, axis: Shape, shape: Shape, dtype: Any
) -> View:
    if not axis and name != "sum_squares":
        return lowering.cast(x, dtype)
    if name in ("any", "all"):
        x = lowering.cast(x, np.dtype(bool))
    elif name == "sum":
        x = lowering.cast(x, dtype)
    if not reduces(name, str(x.dtype)):
        keepdims = len(shape) == len(x.shape)
        return _fallback(lowering, lowering.entry, x, axis=axis, keepdims=keepdims)[0]
    return lowering.op("reduce", name, [x], [(shape, dtype)], axis=axis)[0]


@rule("norm")
def _norm(lowering: Lowering, entry: Entry, x: View, axis: Shape, keepdims: bool) -> View:
    shape, dtype = _shape_of(lowering, entry)
    total = _reduced(lowering, "sum_squares", x, axis, shape, dtype)
    return lowering.map("sqrt", [total], shape, dtype)


@rule("logsumexp")
def _logsumexp(lowering: Lowering, entry: Entry, x: View, axis: Shape, keepdims: bool) -> View:
    shape, dtype = _shape_of(lowering, entry)
    kept = tuple(1 if i in axis else n for i, n in enumerate(x.shape))
    if x.size == 0 or not axis:
        return _fallback(lowering, entry, x, axis=axis, keepdims=keepdims)[0]
    top = _reduced(lowering, "amax", x, axis, kept, dtype)
    flag = np.dtype(bool)
    odd = [lowering.map(name, [top], kept, flag) for name in ("isnan", "isinf")]
    infinite = lowering.map("or", odd, kept, flag)
    shift = lowering.map("where", [infinite, Scalar(0.0, dtype), top], kept, dtype)
    grown = lowering.map("exp", [lowering.map("sub", [x, shift], x.shape, dtype)], x.shape, dtype)
    total = _reduced(lowering, "sum", grown, axis, kept, dtype)
    logarithm = lowering.map("log", [total], kept, dtype)
    return lowering.reshape(lowering.map("add", [logarithm, shift], kept, dtype), shape)


@rule("argmax", "argmin")
def _arg(lowering: Lowering, entry: Entry, x: View, axis: int | None, keepdims: bool) -> View:
    shape, dtype = _shape_of(lowering, entry)
    if axis is None or not reduces(entry.primitive.name, str(x.dtype)):
        return _fallback(lowering, entry, x, axis=axis, keepdims=keepdims)[0]
    name = entry.primitive.name
    return lowering.op("arg", name, [x], [(shape, dtype)], axis=(axis,))[0]


@rule("softmax", "log_softmax")
def _softmax(lowering: Lowering, entry: Entry, x: View, axis: int) -> View:
    last = len(x.shape) - 1
    if x.size == 0 or last < 0:
        return _fallback(lowering, entry, x, axis=axis)[0]
    axis %= last + 1
    order = (*(i for i in range(last + 1) if i != axis), axis)
    rows = lowering.contiguous(layout.permuted(x, order))
    name = entry.primitive.name
    made = lowering.op("softmax", name, [rows], [(rows.shape, x.dtype)])[0]
    return layout.permuted(made, tuple(sorted(range(last + 1), key=order.__getitem__)))


# ---------------------------------------------------------------------- products


@rule("matmul")
def _matmul(lowering: Lowering, entry: Entry, a: View, b: View) -> View:
    shape, dtype = _shape_of(lowering, entry)
    if dtype.kind != "f" or a.dtype != b.dtype:
        return _fallback(lowering, entry, a, b)[0]
    if len(b.shape) == 2:
        rows = lowering.reshape(a, (math.prod(a.shape[:-1]), a.shape[-1]))
        return lowering.reshape(_product(lowering, rows, b), shape)
    lead = shape[:-2]
    left = layout.expanded(a, (*lead, *a.shape[-2:]))
    right = layout.expanded(b, (*lead, *b.shape[-2:]))
    batch = math.prod(lead)
    left = lowering.reshape(left, (batch, *a.shape[-2:]))
    right = lowering.reshape(right, (batch, *b.shape[-2:]))
    made = lowering.op("product", "product", [left, right], [((batch, *shape[-2:]), dtype)])[0]
    return lowering.reshape(made, shape)


def _product(lowering: Lowering, a: View, b: View) -> View:
    out = ((a.shape[0], b.shape[1]), a.dtype)
    return lowering.op("product", "product", [a, b], [out])[0]


@rule("linear")
def _linear(lowering: Lowering, entry: Entry, x: View, weight: View, bias: View | None) -> View:
    shape, dtype = _shape_of(lowering, entry)
    rows = lowering.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))
    made = lowering.reshape(_product(lowering, rows, layout.permuted(weight, (1, 0))), shape)
    return made if bias is None else lowering.map("add", [made, bias], shape, dtype)


@rule("sum_products")
def _sum_products(lowering: Lowering, entry: Entry, *pairs: View) -> View:
    shape, dtype = _shape_of(lowering, entry)
    return lowering.op("sum_products", "sum_products", pairs, [(shape, dtype)])[0]


# ---------------------------------------------------------------------- random numbers


@rule("uniform")
def _uniform(
    lowering: Lowering, entry: Entry, generator: Any, start: int, shape: Shape, dtype: Any
) -> View:
    out, kind = _shape_of(lowering, entry)
    streams = [held for held, _ in lowering.tape.generators]
    stream = next(i for i, held in enumerate(streams) if held is generator)
    made = lowering.op(
        "uniform", "uniform", [], [(out, kind)], stream=stream, offset=entry.offset
    )
    return made[0]



