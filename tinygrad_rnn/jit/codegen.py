"""From operations to calls of kernels: which task, and the words of its arguments.

Addresses are left as views: where buffers lie is decided when the whole program is known.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_rnn.jit.graph import Graph, Op, Scalar, View
from tinygrad_rnn.jit.passes.order import Memory
from tinygrad_rnn.kernels import fused, gemm, random, reductions, rows
from tinygrad_rnn.kernels.fused import Constant, Expression, Operand, Step
from tinygrad_rnn.kernels.softmax import softmax_task

# Below this much work a second thread costs more than it saves.
DIVIDED_ELEMENTS = 4096
DIVIDED_PRODUCTS = 200_000
_ELEMENTS = {"float32", "float64", "int64", "int32", "bool"}


@dataclass(frozen=True)
class Status:
    """Stands for the address of a check's status."""

    check: int


@dataclass(frozen=True)
class Stream:
    """Stands for the address of a random stream's key and counter."""

    number: int


Word = int | View | Status | Stream


@dataclass(eq=False)
class Call:
    """A task and its arguments.

    Attributes:
        name: what it is called in `explain()`.
        op: the operation it belongs to.
        address: compiles the task, and returns its address.
        words: arguments; a view stands for its address, a `Status` for that of a check.
        reads, writes: the memory it uses.
        divided: whether all threads take part.
        flops, moved: multiplications and additions of products; bytes read and written.
    """

    name: str
    op: Op
    address: Callable[[], int]
    words: list[Word]
    reads: list[View]
    writes: list[View]
    divided: bool
    flops: int = 0
    barrier: bool = False
    commits: bool = False
    moved: int = field(init=False)

    def __post_init__(self) -> None:
        self.moved = sum(_touched(view) for view in (*self.reads, *self.writes))


def _touched(view: View) -> int:
    """Bytes that a view reaches, repeated elements counted once."""
    size = math.prod(
        n for n, s in zip(view.shape, view.strides, strict=True) if s != 0 or n == 0
    )
    return int(size * view.dtype.itemsize)


@dataclass(eq=False)
class PythonCall:
    """An operation that has no kernel: its NumPy forward, called between two compiled pieces."""

    op: Op
    reads: list[View]
    writes: list[View]


def generate(graph: Graph) -> list[Call | PythonCall]:
    """Return the calls of a graph, in its order."""
    memory = Memory(graph.ops)
    calls: list[Call | PythonCall] = []
    for op in graph.ops:
        calls += _RULES[op.kind](op, memory)
    return calls


def _bytes(view: View, strides: Sequence[int]) -> list[int]:
    return [stride * view.dtype.itemsize for stride in strides]


# ---------------------------------------------------------------------- element-wise


def _fused(op: Op, memory: Memory) -> Iterator[Call | PythonCall]:
    inputs = [memory.located(view) for view in op.reads()]
    outputs = [memory.located(view) for view in op.outputs]
    if not outputs or outputs[0].size == 0:
        return
    if any(str(view.dtype) not in _ELEMENTS for view in (*inputs, *outputs)):
        yield _as_python(op, memory)
        return
    if _is_transposition(op, inputs, outputs):
        yield _transpose(op, inputs[0], outputs[0])
        return
    operands = [*inputs, *outputs]
    axes = _loops(operands, len(inputs))
    inner = axes[-1] if axes else (1, [0] * len(operands))
    outer = axes[-4:-1]
    beyond = axes[:-4]
    access = [_access(i, operands, axes, inner, i >= len(inputs)) for i in range(len(operands))]
    kinds = [Operand(str(view.dtype), how) for view, how in zip(operands, access, strict=True)]
    steps = tuple(
        Step(
            name,
            tuple(
                Constant(_plain(x), str(x.dtype)) if isinstance(x, Scalar) else x
                for x in arguments
            ),
            dtype,
        )
        for name, arguments, dtype in op.params["steps"]
    )
    stored = tuple(zip(op.params["stored"], kinds[len(inputs) :], strict=True))
    expression = Expression(tuple(kinds[: len(inputs)]), steps, stored)
    sizes = [1] * (3 - len(outer)) + [length for length, _ in outer] + [inner[0]]
    elements = math.prod(sizes)
    for start in itertools.product(*(range(length) for length, _ in beyond)):
        words: list[Word] = list(sizes)
        for i, view in enumerate(operands):
            shift = sum(at * axis[1][i] for at, axis in zip(start, beyond, strict=True))
            words.append(view._replace(offset=view.offset + shift))
            strides = [0] * (3 - len(outer)) + [axis[1][i] for axis in outer] + [inner[1][i]]
            words += _bytes(view, strides)
        yield Call(
            op.name,
            op,
            lambda: fused.fused_task(expression).address,
            words,
            inputs,
            outputs,
            elements * len(steps) >= DIVIDED_ELEMENTS,
        )


def _is_transposition(op: Op, inputs: Sequence[View], outputs: Sequence[View]) -> bool:
    """Whether an operation copies a matrix whose rows are the source's columns."""
    if [step[0] for step in op.params["steps"]] != ["copy"] or len(inputs) != 1:
        return False
    source, target = inputs[0], outputs[0]
    return (
        len(outputs) == 1
        and len(source.shape) == 2
        and min(source.shape) > 1
        and source.dtype.kind == "f"
        and source.strides[0] == 1
        and source.strides[1] >= source.shape[0]
        and target.strides[1] == 1
        and target.strides[0] >= target.shape[1]
    )


def _transpose(op: Op, source: View, target: View) -> Call:
    columns, rows = source.shape
    real = str(source.dtype)
    itemsize = source.dtype.itemsize
    return Call(
        f"transpose {rows}×{columns}",
        op,
        lambda: gemm.transpose_task(real).address,
        [rows, columns, source, source.strides[1] * itemsize, target, target.strides[0] * itemsize],
        [source],
        [target],
        source.size >= DIVIDED_ELEMENTS,
    )


def _plain(x: Scalar) -> bool | int | float:
    if x.dtype.kind == "b":
        return bool(x.value)
    return int(x.value) if x.dtype.kind in "iu" else float(x.value)


Axis = tuple[int, list[int]]


def _loops(operands: Sequence[View], first_output: int) -> list[Axis]:
    """The axes to loop over, outermost first: as few as the layouts allow, the best one inside."""
    shape = operands[0].shape
    axes: list[Axis] = [
        (n, [view.strides[i] for view in operands]) for i, n in enumerate(shape) if n != 1
    ]
    axes.sort(key=lambda axis: -abs(axis[1][first_output]))
    if not axes:
        return []
    best = max(
        range(len(axes)),
        key=lambda i: (
            sum(s == 1 for s in axes[i][1]) - sum(s not in (0, 1) for s in axes[i][1]),
            i,
        ),
    )
    axes.append(axes.pop(best))
    merged = [axes[0]]
    for length, strides in axes[1:]:
        before, outer = merged[-1]
        if all(a == b * length for a, b in zip(outer, strides, strict=True)):
            merged[-1] = (before * length, strides)
        else:
            merged.append((length, strides))
    return merged


def _access(
    i: int, operands: Sequence[View], axes: Sequence[Axis], inner: Axis, is_output: bool
) -> str:
    stride = inner[1][i]
    if stride == 1 or (is_output and not axes):
        return "unit"
    if is_output:
        return "strided"
    if all(axis[1][i] == 0 for axis in axes):
        return "scalar"
    return "fixed" if stride == 0 else "strided"


# ---------------------------------------------------------------------- products


def _product(op: Op, memory: Memory) -> Iterator[Call]:
    views = [memory.located(view) for view in op.reads()]
    target = memory.located(op.outputs[0])
    if target.size == 0:
        return
    real = str(target.dtype)
    a, b = views[:2]
    packed = op.params.get("packed")
    if len(target.shape) == 2:
        a = a._replace(shape=(1, *a.shape), strides=(0, *a.strides))
        target = target._replace(shape=(1, *target.shape), strides=(0, *target.strides))
        if packed is None:
            b = b._replace(shape=(1, *b.shape), strides=(0, *b.strides))
    batch, height, width = target.shape
    depth = a.shape[2]
    words: list[Word] = [0] * gemm.WORDS
    words[gemm.A] = a
    words[gemm.A_BATCH], words[gemm.A_ROW], words[gemm.A_STEP] = _bytes(a, a.strides)
    words[gemm.B] = b
    if packed is None:
        words[gemm.B_BATCH], words[gemm.B_STEP], words[gemm.B_COLUMN] = _bytes(b, b.strides)
    if packed is not None:
        # A range of rows begins at the same row of every panel.
        words[gemm.PACKED], first = packed
        words[gemm.B] = b._replace(offset=b.offset + first * gemm.panel_width(real))
    words[gemm.C] = target
    words[gemm.C_BATCH], words[gemm.C_ROW] = _bytes(target, target.strides)[:2]
    words[gemm.BATCH], words[gemm.ROWS] = batch, height
    words[gemm.DEPTH], words[gemm.COLUMNS] = depth, width
    words[gemm.ACCUMULATE] = int(len(op.inputs) > 2)
    products = batch * height * width * depth
    yield Call(
        f"product {height}×{depth}×{width}" + (" packed" if packed else ""),
        op,
        lambda: gemm.gemm_task(real).address,
        words,
        views,
        [memory.located(view) for view in op.outputs],
        products >= DIVIDED_PRODUCTS,
        2 * products,
    )


def _pack(op: Op, memory: Memory) -> Iterator[Call]:
    source = memory.located(next(op.reads()))
    target = memory.located(op.output)
    real = str(source.dtype)
    words: list[Word] = [0] * gemm.WORDS
    words[gemm.B] = source
    words[gemm.B_STEP], words[gemm.B_COLUMN] = _bytes(source, source.strides)
    words[gemm.C] = target
    words[gemm.DEPTH], words[gemm.COLUMNS] = source.shape
    yield Call(
        f"pack {source.shape[0]}×{source.shape[1]}",
        op,
        lambda: gemm.pack_task(real).address,
        words,
        [source],
        [target],
        source.size >= DIVIDED_ELEMENTS,
    )


# ---------------------------------------------------------------------- reductions


def _reduce(op: Op, memory: Memory) -> Iterator[Call | PythonCall]:
    source = memory.located(next(op.reads()))
    target = memory.located(op.output)
    if target.size == 0:
        return
    kept, reduced = [], []
    axes = op.params["axis"]
    target_strides = _strides_of_kept(source, target, axes)
    for i, (n, s) in enumerate(zip(source.shape, source.strides, strict=True)):
        if n == 1:
            continue
        if i in axes:
            reduced.append((n, [s]))
        else:
            kept.append((n, [s, target_strides[i]]))
    kept, reduced = _merged(kept), _merged(reduced)
    if len(kept) > 2 or len(reduced) > 2:
        yield _as_python(op, memory)
        return
    kept = [(1, [0, 0])] * (2 - len(kept)) + kept
    reduced = [(1, [0])] * (2 - len(reduced)) + reduced
    size = source.dtype.itemsize
    words: list[Word] = [kept[0][0], kept[1][0], reduced[0][0], reduced[1][0], source]
    words += [axis[1][0] * size for axis in (*kept, *reduced)]
    words += [target, *(axis[1][1] * target.dtype.itemsize for axis in kept)]
    kind, dtype = op.name, str(source.dtype)
    task = reductions.arg_task if op.kind == "arg" else reductions.reduce_task
    yield Call(
        f"{kind} {source.shape} over {axes}",
        op,
        lambda: task(kind, dtype).address,
        words,
        [source],
        [target],
        source.size >= DIVIDED_ELEMENTS and target.size > 1,
    )


def _strides_of_kept(source: View, target: View, axes: Sequence[int]) -> dict[int, int]:
    """The stride in the target of each axis that is kept.

    The target has no reduced axes, or all of them, or all but one in front along which inputs were
    stacked.
    """
    kept = [i for i in range(len(source.shape)) if i not in axes]
    if len(kept) == len(target.shape):
        return dict(zip(kept, target.strides, strict=True))
    missing = len(source.shape) - len(target.shape)
    return {i: target.strides[i - missing] for i in kept}


def _merged(axes: list[Axis]) -> list[Axis]:
    axes = sorted(axes, key=lambda axis: -abs(axis[1][0]))
    merged: list[Axis] = []
    for length, strides in axes:
        if merged and all(
            a == b * length for a, b in zip(merged[-1][1], strides, strict=True)
        ):
            merged[-1] = (merged[-1][0] * length, strides)
        else:
            merged.append((length, strides))
    return merged


def _softmax(op: Op, memory: Memory) -> Iterator[Call]:
    source = memory.located(next(op.reads()))
    target = memory.located(op.output)
    columns = source.shape[-1]
    real, as_log = str(source.dtype), op.name == "log_softmax"
    yield Call(
        f"{op.name} {source.shape}",
        op,
        lambda: softmax_task(real, as_log).address,
        [source, target, source.size // columns, columns],
        [source],
        [target],
        source.size >= DIVIDED_ELEMENTS // 4,
    )


# ---------------------------------------------------------------------- look-ups, checks, random


def _look_up(op: Op, memory: Memory) -> Iterator[Call]:
    table, index = (memory.located(view) for view in op.reads())
    target = memory.located(op.output)
    if target.size == 0:
        return
    itemsize = table.dtype.itemsize
    count, width = target.shape
    words: list[Word] = [count, table.shape[0], width, table]
    words += _bytes(table, table.strides)
    words += [index, target, target.strides[0] * itemsize, Status(op.params["check"])]
    yield Call(
        f"look up {count} of {table.shape}",
        op,
        lambda: rows.look_up_task(itemsize).address,
        words,
        [table, index],
        [target],
        target.size >= DIVIDED_ELEMENTS,
    )


def _add_rows(op: Op, memory: Memory) -> Iterator[Call]:
    index, source = (memory.located(view) for view in op.reads())
    table = memory.located(op.output)
    count, width = source.shape
    if table.size == 0 or source.size == 0:
        return
    dtype = str(table.dtype)
    words: list[Word] = [count, table.shape[0], width, table, *_bytes(table, table.strides)]
    words += [index, source, source.strides[0] * source.dtype.itemsize, Status(-1)]
    yield Call(
        f"add {count} rows to {table.shape}",
        op,
        lambda: rows.add_rows_task(dtype).address,
        words,
        [index, source],
        [table],
        source.size >= DIVIDED_ELEMENTS,
    )


def _gather(op: Op, memory: Memory) -> Iterator[Call]:
    source, index = (memory.located(view) for view in op.reads())
    target = memory.located(op.output)
    if target.size == 0:
        return
    before, length, behind = source.shape
    itemsize = source.dtype.itemsize
    status = Status(op.params["check"])
    yield Call(
        f"gather {target.shape} of {source.shape}",
        op,
        lambda: rows.gather_task(itemsize).address,
        [before, length, index.shape[1], behind, source, index, target, status],
        [source, index],
        [target],
        target.size >= DIVIDED_ELEMENTS,
    )


def _scatter(op: Op, memory: Memory) -> Iterator[Call]:
    index, source = (memory.located(view) for view in op.reads())
    target = memory.located(op.output)
    if source.size == 0:
        return
    before, length, behind = target.shape
    dtype = str(target.dtype)
    yield Call(
        f"scatter {source.shape} into {target.shape}",
        op,
        lambda: rows.scatter_add_task(dtype).address,
        [before, length, index.shape[1], behind, target, index, source, Status(-1)],
        [index, source],
        [target],
        source.size >= DIVIDED_ELEMENTS,
    )


def _range(op: Op, memory: Memory) -> Iterator[Call]:
    source = memory.located(next(op.reads()))
    ignore = op.params["ignore"]
    yield Call(
        f"check {source.size} indices",
        op,
        lambda: rows.range_task().address,
        [
            source.size,
            source,
            op.params["low"],
            op.params["high"],
            int(ignore is not None),
            0 if ignore is None else int(ignore),
            Status(op.params["check"]),
        ],
        [source],
        [],
        divided=False,
    )


def _uniform(op: Op, memory: Memory) -> Iterator[Call]:
    target = memory.located(op.output)
    if target.size == 0:
        return
    real = str(target.dtype)
    yield Call(
        f"uniform {target.shape}",
        op,
        lambda: random.uniform_at_task(real).address,
        [target, target.size, Stream(op.params["stream"]), op.params["offset"]],
        [],
        [target],
        target.size >= DIVIDED_ELEMENTS,
    )


# ---------------------------------------------------------------------- without a kernel


def _as_python(op: Op, memory: Memory) -> PythonCall:
    reads = [memory.located(view) for view in op.reads()]
    return PythonCall(op, reads, [memory.located(view) for view in op.outputs])


def _numpy(op: Op, memory: Memory) -> Iterator[PythonCall]:
    yield _as_python(op, memory)


_REDUCERS = {
    "sum": np.add.reduce,
    "amax": np.maximum.reduce,
    "amin": np.minimum.reduce,
    "any": np.logical_or.reduce,
    "all": np.logical_and.reduce,
}


def run_in_python(op: Op, arrays: Sequence[Any]) -> Sequence[Any]:
    """Compute an operation that has no kernel from NumPy views of its inputs."""
    if op.kind == "fused":
        # Of types that no kernel knows, numbers are only moved about.
        assert all(step[0] == "copy" for step in op.params["steps"])
        return [arrays[0]] * len(op.outputs)
    if op.kind == "reduce":
        axis = op.params["axis"]
        if op.name == "sum_squares":
            made: Any = np.add.reduce(arrays[0] * arrays[0], axis=axis)
        else:
            made = _REDUCERS[op.name](arrays[0], axis=axis)
        return [np.asarray(made).reshape(op.output.shape)]
    if op.kind == "arg":
        function = np.argmax if op.name == "argmax" else np.argmin
        made = function(arrays[0], axis=op.params["axis"][0])
        return [np.asarray(made).reshape(op.output.shape)]
    given = iter(arrays)
    arguments = [next(given) if x is None else x for x in op.params["arguments"]]
    primitive = op.params["primitive"]
    made = primitive.forward(*arguments, **op.params["settings"])
    return list(made) if primitive.multiple else [made]


_RULES: dict[str, Callable[[Op, Memory], Iterator[Any]]] = {
    "add_rows": _add_rows,
    "arg": _reduce,
    "fused": _fused,
    "gather": _gather,
    "look_up": _look_up,
    "numpy": _numpy,
    "pack": _pack,
    "product": _product,
    "range": _range,
    "reduce": _reduce,
    "scatter": _scatter,
    "softmax": _softmax,
    "uniform": _uniform,
}

