"""softmax and log-softmax along one axis.

A row's bits depend on that row alone: its sum is taken lane by lane and then by halves, in an order
that only the row's length decides.
"""

import functools
from typing import Any

import llvmlite.ir as ir
import numpy as np

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.kernels.activations import SIDE_BY_SIDE, emit_exp
from tinygrad_rnn.kernels.cache import Kernel, kernel
from tinygrad_rnn.kernels.simd import (
    Array,
    Value,
    Vectors,
    array_type,
    cgutils,
    emit_over_vectors,
    intrinsic,
    lanes,
    pointer_at,
    stack_words,
    types,
)
from tinygrad_rnn.kernels.threads import run_task, team_address

THREADED_ELEMENTS = 16_384  # below this a second thread costs more than it saves


def _emit_largest(vectors: Vectors, source: Value, count: Value) -> Value:
    """The largest element of a row, NaN not counted; −∞ if there is none."""
    builder = vectors.builder
    lowest = vectors.constant(float("-inf"))
    largest = cgutils.alloca_once_value(builder, lowest)

    def step(vectors: Vectors, address: Value, mask: Value | None) -> None:
        value = vectors.read(address, mask)
        if mask is not None:
            value = vectors.select(mask, value, lowest)
        builder.store(vectors.maximum(value, builder.load(largest)), largest)

    emit_over_vectors(builder, vectors.real, 1, source, count, step)
    return vectors.fold(vectors.maximum, builder.load(largest))


def _emit_log(vectors: Vectors, x: Value) -> Value:
    """log(x) of a scalar, from the C library's double precision."""
    builder = vectors.builder
    wide = x if vectors.real == "float64" else builder.fpext(x, ir.DoubleType())
    kind = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
    log = cgutils.get_or_insert_function(builder.module, kind, "llvm.log.f64")
    result = builder.call(log, [wide])
    return result if vectors.real == "float64" else builder.fptrunc(result, ir.FloatType())


def _emit_row(vectors: Vectors, source: Value, target: Value, count: Value, as_log: bool) -> None:
    """One row: exp(x − max) / Σ exp(x − max), or x − max − log Σ exp(x − max)."""
    builder = vectors.builder
    real = vectors.real
    zero = vectors.constant(0.0)
    largest = _emit_largest(vectors, source, count)
    distance = builder.sub(target, source)
    total = cgutils.alloca_once_value(builder, zero)

    def add_up(wide: Vectors, address: Value, mask: Value | None) -> None:
        shift = wide.broadcast(largest)
        value = emit_exp(wide, wide.subtract(wide.read(address, mask), shift))
        if not as_log:
            wide.write(value, builder.add(address, distance), mask)
        if mask is not None:
            value = wide.select(mask, value, zero)
        # Vector after vector, so that the order does not depend on how many are side by side.
        for part in wide.split(value, vectors.count):
            builder.store(vectors.add(builder.load(total), part), total)

    emit_over_vectors(builder, real, SIDE_BY_SIDE, source, count, add_up)
    divisor = vectors.fold(vectors.add, builder.load(total))
    if as_log:
        divisor = _emit_log(vectors, divisor)

    def finish(wide: Vectors, address: Value, mask: Value | None) -> None:
        place = builder.add(address, distance)
        by = wide.broadcast(divisor)
        if as_log:
            value = wide.subtract(wide.read(address, mask), wide.broadcast(largest))
            wide.write(wide.subtract(value, by), place, mask)
        else:
            wide.write(wide.divide(wide.read(place, mask), by), place, mask)

    emit_over_vectors(builder, real, 1, source, count, finish)


@functools.cache
def softmax_task(real: str, as_log: bool) -> Kernel:
    """The task over rows that lie one after the other; words: source, target, rows, columns."""
    itemsize = np.dtype(real).itemsize

    @intrinsic
    def one_row(typing_context: Any, source: Any, target: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
            source_at, target_at, number = values
            _emit_row(Vectors(builder, real, lanes(real)), source_at, target_at, number, as_log)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp), generate

    @kernel("void(intp, intp, intp)", key=f"{real} {as_log}")
    def softmax_rows(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        rows = words[2]
        columns = words[3]
        for row in range(rows * part // parts, rows * (part + 1) // parts):
            start = row * columns * itemsize
            one_row(words[0] + start, words[1] + start, columns)

    return softmax_rows


@functools.cache
def _entry(real: str) -> Any:
    """`(x, out, columns, task, team)` for contiguous arrays of one type."""
    line = array_type(real, 1, "C")
    word = types.intp

    @kernel(types.void(line, line, word, word, word), key=real)
    def softmax_entry(x, out, columns, task, team):  # type: ignore[no-untyped-def]
        words = stack_words(4)
        put = pointer_at(words, np.int64)
        put[0] = x.ctypes.data
        put[1] = out.ctypes.data
        put[2] = x.size // columns
        put[3] = columns
        run_task(task, words, x.size >= THREADED_ELEMENTS, team)

    return softmax_entry.compiled


@functools.cache
def _call(character: str, as_log: bool) -> tuple[Any, int]:
    real = {"f": "float32", "d": "float64"}[character]
    return _entry(real), softmax_task(real, as_log).address


def _along_axis(x: Array, axis: int, as_log: bool) -> Array:
    dimensions = max(x.ndim, 1)
    if not -dimensions <= axis < dimensions:
        raise ArgumentError(
            f"axis {axis} of an array of shape {x.shape}; use one from {-dimensions} to "
            f"{dimensions - 1}"
        )
    is_last = axis in (-1, dimensions - 1)
    source = x if is_last else np.moveaxis(x, axis, -1)
    source = np.ascontiguousarray(source)
    out = np.empty(source.shape, x.dtype)
    if x.size:
        entry, task = _call(x.dtype.char, as_log)
        entry(source.ravel(), out.ravel(), source.shape[-1], task, team_address())
    if is_last:
        return out.reshape(x.shape)
    return np.ascontiguousarray(np.moveaxis(out, -1, axis))


def softmax(x: Array, axis: int) -> Array:
    """exp(x) / Σ exp(x) along `axis`, as a new C-contiguous array of x's shape and type.

    Shifted by the largest element, so finite for every finite x. A row with NaN or +∞, or of −∞
    only, gives NaN. Raises `ArgumentError` for an axis that x does not have.
    """
    return _along_axis(x, axis, as_log=False)


def log_softmax(x: Array, axis: int) -> Array:
    """x − log Σ exp(x) along `axis`; shifts, NaN, infinities and errors as in `softmax`."""
    return _along_axis(x, axis, as_log=True)
