"""How each primitive is written as ONNX nodes, so that no length of the example stays in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.errors import UnsupportedError
from tinygrad_rnn.interchange.onnx_writer import Rule, Sum, Writer
from tinygrad_rnn.interchange.tracing import Reference, Step

_END = np.iinfo(np.int64).max


# ---------------------------------------------------------------------- element by element


def _unary(operator: str) -> Rule:
    return lambda w, a, b: w.graph.node(operator, w.name(a.inputs[0], a))


def _passed_on(w: Writer, a: Step, b: Step) -> str:
    return w.name(a.inputs[0], a)


def _binary(operator: str) -> Rule:
    def rule(w: Writer, a: Step, b: Step) -> str:
        dtype = w.result_dtype(a)
        return w.graph.node(operator, *(w.operand(a, b, i, dtype) for i in (0, 1)))

    return rule


def _times(w: Writer, a: Step, b: Step) -> str:
    """A product; a sum times the reciprocal of the count is a mean, whatever the count."""
    x, scale, other = a.inputs[0], a.inputs[1], b.inputs[1]
    summed = w.sums.get(w.names.get(x.number, "")) if isinstance(x, Reference) else None
    if summed is None or isinstance(scale, Reference) or scale == other:
        product: str = _binary("Mul")(w, a, b)
        return product
    if (scale, other) != (1.0 / summed.counts[0], 1.0 / summed.counts[1]):
        raise w.varies(a, f"the number {scale}")
    axes, keeps = list(summed.axes), summed.keepdims
    return w.graph.node("ReduceMean", summed.source, axes=axes, keepdims=keeps)


def _compared(operator: str, negated: bool = False) -> Rule:
    def rule(w: Writer, a: Step, b: Step) -> str:
        dtypes = [w.dtype(x) for x in a.inputs if isinstance(x, Reference)]
        numbers = [x for x in a.inputs if not isinstance(x, Reference)]
        dtype = np.result_type(*dtypes, *numbers)
        made = w.graph.node(operator, *(w.operand(a, b, i, dtype) for i in (0, 1)))
        return w.graph.node("Not", made) if negated else made

    return rule


def _where(w: Writer, a: Step, b: Step) -> str:
    dtype = w.result_dtype(a)
    condition = w.operand(a, b, 0, np.dtype(bool))
    return w.graph.node("Where", condition, *(w.operand(a, b, i, dtype) for i in (1, 2)))


def _clip(w: Writer, a: Step, b: Step) -> str:
    name, dtype = w.name(a.inputs[0], a), w.result_dtype(a)
    bounds = [w.same(a, b, "low"), w.same(a, b, "high")]
    given = ["" if bound is None else w.graph.constant(bound, dtype) for bound in bounds]
    return w.graph.node("Clip", name, *given)


def _cast(w: Writer, a: Step, b: Step) -> str:
    return w.cast(w.name(a.inputs[0], a), w.result_dtype(a))


def _log1p(w: Writer, a: Step, b: Step) -> str:
    one = w.graph.constant(1.0, w.result_dtype(a))
    return w.graph.node("Log", w.graph.node("Add", w.name(a.inputs[0], a), one))


# ---------------------------------------------------------------------- products


def _linear(w: Writer, a: Step, b: Step) -> str:
    x, weight, bias = a.inputs
    turned = w.graph.node("Transpose", w.name(weight, a), perm=[1, 0])
    made = w.graph.node("MatMul", w.name(x, a), turned)
    return made if bias is None else w.graph.node("Add", made, w.name(bias, a))


def _matmul(w: Writer, a: Step, b: Step) -> str:
    return w.graph.node("MatMul", *(w.name(x, a) for x in a.inputs))


# ---------------------------------------------------------------------- shapes


def _reshape(w: Writer, a: Step, b: Step) -> str:
    name = w.name(a.inputs[0], a)
    before = w.shapes(a.inputs[0])
    after = w.shapes(Reference(a.outputs[0]))
    # Where only axes of length 1 come and go, no length has to be known.
    if [n for n in before[1] if n != 1] == [n for n in after[1] if n != 1]:
        gone = [axis for axis, n in enumerate(before[1]) if n == 1]
        come = [axis for axis, n in enumerate(after[1]) if n == 1]
        bare = w.graph.node("Squeeze", name, w.graph.constant(gone)) if gone else name
        return w.graph.node("Unsqueeze", bare, w.graph.constant(come)) if come else bare
    lengths = []
    for axis, (n, other) in enumerate(zip(*after, strict=True)):
        if n == other:
            lengths.append(n)
        elif axis < len(before[0]) and (n, other) == (before[0][axis], before[1][axis]):
            lengths.append(0)  # as it was
        else:
            lengths.append(-1)  # what remains
    if lengths.count(-1) > 1:
        raise w.varies(a, f"the shape {after[0]}")
    return w.graph.node("Reshape", name, w.graph.constant(lengths))


def _expand(w: Writer, a: Step, b: Step) -> str:
    before, after = w.shapes(a.inputs[0]), w.shapes(Reference(a.outputs[0]))
    lengths = []
    added = len(after[0]) - len(before[0])
    for axis, (n, other) in enumerate(zip(*after, strict=True)):
        kept = axis >= added and (n, other) == (before[0][axis - added], before[1][axis - added])
        if n != other and not kept:
            raise w.varies(a, f"the shape {after[0]}")
        lengths.append(1 if kept else n)
    return w.graph.node("Expand", w.name(a.inputs[0], a), w.graph.constant(lengths))


def _permute(w: Writer, a: Step, b: Step) -> str:
    return w.graph.node("Transpose", w.name(a.inputs[0], a), perm=list(a.params["axes"]))


def _getitem(w: Writer, a: Step, b: Step) -> str:
    """Slices come first, then arrays, single numbers and new axes, from the last axis on."""
    x, *arrays = a.inputs
    shapes = w.shapes(x)
    index = [_spelled_out(step.params["index"], len(shapes[0])) for step in (a, b)]
    mixed = len(arrays) + sum(isinstance(part, int | np.integer) for part in index[0]) > 1
    if arrays and (mixed or w.dtype(arrays[0]).kind == "b"):
        raise UnsupportedError(
            "an index of booleans, or of an array and other numbers, has no form in ONNX here; at "
            f"{a.site} use where(), gather(), or one index after the other"
        )
    starts, ends, steps, cut = [], [], [], []
    later: list[tuple[int, Any]] = []
    axis = 0
    for part, other in zip(*index, strict=True):
        if part is None:
            later.append((axis, None))
            continue
        sizes = (shapes[0][axis], shapes[1][axis])
        if isinstance(part, slice):
            step = 1 if part.step is None else part.step
            # What is left out is as far as it goes, in the direction of the step.
            far = (0, _END) if step > 0 else (_END, -_END)
            if (part.start, part.stop, step) != (None, None, 1):
                given = ((part.start, other.start), (part.stop, other.stop))
                start, end = (
                    default if None in pair else _bound(w, a, pair, sizes)
                    for pair, default in zip(given, far, strict=True)
                )
                starts.append(start)
                ends.append(end)
                steps.append(step)
                cut.append(axis)
        elif part is ops.ARRAY:
            later.append((axis, w.name(arrays[0], a)))
        else:
            later.append((axis, w.graph.constant(_bound(w, a, (part, other), sizes))))
        axis += 1
    name = w.name(x, a)
    if cut:
        bounds = [w.graph.constant(numbers) for numbers in (starts, ends, cut, steps)]
        name = w.graph.node("Slice", name, *bounds)
    for axis, what in reversed(later):
        if what is None:
            name = w.graph.node("Unsqueeze", name, w.graph.constant([axis]))
        else:
            name = w.graph.node("Gather", name, what, axis=axis)
    return name


def _spelled_out(index: Sequence[Any], ndim: int) -> list[Any]:
    """Return an index without an Ellipsis, one part an axis."""
    taken = sum(part is not None and part is not Ellipsis for part in index)
    parts: list[Any] = []
    for part in (*index, *([] if any(p is Ellipsis for p in index) else [Ellipsis])):
        parts += [slice(None)] * (ndim - taken) if part is Ellipsis else [part]
    return parts


def _bound(w: Writer, a: Step, given: tuple[int, int], sizes: tuple[int, int]) -> int:
    """Return a place on an axis, counted from the end if that is what stays the same."""
    if given[0] == given[1]:
        return int(given[0])
    if given[0] - sizes[0] == given[1] - sizes[1] and given[0] < sizes[0]:
        return int(given[0] - sizes[0])
    if given == sizes:
        return _END
    raise w.varies(a, f"the index {given[0]}")


def _unbind(w: Writer, a: Step, b: Step) -> list[str]:
    axis = w.same(a, b, "axis")
    name = w.name(a.inputs[0], a)
    return [
        w.graph.node("Gather", name, w.graph.constant(i), axis=axis) for i in range(len(a.outputs))
    ]


def _split(w: Writer, a: Step, b: Step) -> list[str]:
    sizes = w.graph.constant(w.same(a, b, "sizes"))
    name = w.name(a.inputs[0], a)
    return w.graph.nodes("Split", [name, sizes], len(a.outputs), axis=a.params["axis"])


def _cat(w: Writer, a: Step, b: Step) -> str:
    names = [w.name(x, a) for x in a.inputs]
    return w.graph.node("Concat", *names, axis=a.params["axis"])


def _stack(w: Writer, a: Step, b: Step) -> str:
    axis = w.graph.constant([a.params["axis"]])
    names = [w.graph.node("Unsqueeze", w.name(x, a), axis) for x in a.inputs]
    return w.graph.node("Concat", *names, axis=a.params["axis"])


def _pad(w: Writer, a: Step, b: Step) -> str:
    widths = w.same(a, b, "widths")
    pads = w.graph.constant([before for before, _ in widths] + [after for _, after in widths])
    value = w.graph.constant(a.params["value"], w.result_dtype(a))
    return w.graph.node("Pad", w.name(a.inputs[0], a), pads, value)


def _gather(w: Writer, a: Step, b: Step) -> str:
    names = [w.name(x, a) for x in a.inputs]
    return w.graph.node("GatherElements", *names, axis=a.params["axis"])


# ---------------------------------------------------------------------- reductions


def _sum(w: Writer, a: Step, b: Step) -> str:
    x, axes = w.name(a.inputs[0], a), w.same(a, b, "axis")
    keeps = int(a.params["keepdims"])
    made = w.graph.node("ReduceSum", x, w.graph.constant(list(axes)), keepdims=keeps) if axes else x
    counts = [int(np.prod([shape[i] for i in axes])) for shape in w.shapes(a.inputs[0])]
    w.sums[made] = Sum(x, axes, keeps, (counts[0], counts[1]))
    return made


def _reduced(operator: str) -> Rule:
    def rule(w: Writer, a: Step, b: Step) -> str:
        axes, keeps = list(w.same(a, b, "axis")), int(a.params["keepdims"])
        return w.graph.node(operator, w.name(a.inputs[0], a), axes=axes, keepdims=keeps)

    return rule


def _along(operator: str) -> Rule:
    return lambda w, a, b: w.graph.node(
        operator, w.name(a.inputs[0], a), axis=w.same(a, b, "axis")
    )


def _place_of(operator: str) -> Rule:
    def rule(w: Writer, a: Step, b: Step) -> str:
        name, axis = w.name(a.inputs[0], a), w.same(a, b, "axis")
        keeps = int(a.params["keepdims"])
        if axis is None:
            name, axis, keeps = w.graph.node("Reshape", name, w.graph.constant([-1])), 0, 0
        return w.graph.node(operator, name, axis=axis, keepdims=keeps)

    return rule


def _cumsum(w: Writer, a: Step, b: Step) -> str:
    return w.graph.node("CumSum", w.name(a.inputs[0], a), w.graph.constant(a.params["axis"]))


RULES: dict[str, Rule] = {
    **{
        name: _unary(operator)
        for name, operator in {
            "neg": "Neg",
            "exp": "Exp",
            "log": "Log",
            "sqrt": "Sqrt",
            "abs": "Abs",
            "sin": "Sin",
            "cos": "Cos",
            "tanh": "Tanh",
            "sigmoid": "Sigmoid",
            "relu": "Relu",
            "softplus": "Softplus",
            "erf": "Erf",
            "sign": "Sign",
            "floor": "Floor",
            "ceil": "Ceil",
            "round": "Round",
            "not": "Not",
            "isnan": "IsNaN",
            "isinf": "IsInf",
        }.items()
    },
    **{
        name: _binary(operator)
        for name, operator in {
            "add": "Add",
            "sub": "Sub",
            "div": "Div",
            "pow": "Pow",
            "maximum": "Max",
            "minimum": "Min",
        }.items()
    },
    "mul": _times,
    "eq": _compared("Equal"),
    "ne": _compared("Equal", negated=True),
    "lt": _compared("Less"),
    "le": _compared("LessOrEqual"),
    "gt": _compared("Greater"),
    "ge": _compared("GreaterOrEqual"),
    "where": _where,
    "clip": _clip,
    "cast": _cast,
    "copy": _passed_on,
    "require_range": _passed_on,
    "log1p": _log1p,
    "linear": _linear,
    "matmul": _matmul,
    "reshape": _reshape,
    "expand": _expand,
    "permute": _permute,
    "getitem": _getitem,
    "unbind": _unbind,
    "split": _split,
    "cat": _cat,
    "stack": _stack,
    "pad": _pad,
    "gather": _gather,
    "sum": _sum,
    "amax": _reduced("ReduceMax"),
    "amin": _reduced("ReduceMin"),
    "logsumexp": _reduced("ReduceLogSumExp"),
    "norm": _reduced("ReduceL2"),
    "softmax": _along("Softmax"),
    "log_softmax": _along("LogSoftmax"),
    "argmax": _place_of("ArgMax"),
    "argmin": _place_of("ArgMin"),
    "cumsum": _cumsum,
}
"""By the name of a primitive."""
