"""Sums, extremes and truth of many along axes, and the places of extremes, as tasks.

The axes of an array are brought to two that are kept and two that are reduced, in any strides.
Neighbours in memory go through vectors, whether they belong to one result or to several; which of
the two, and so the order of a sum, depends on sizes and strides alone. Work is divided by results.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import llvmlite.ir as ir
import numpy as np

from tinygrad_rnn.kernels.cache import Kernel, kernel
from tinygrad_rnn.kernels.fused import Lanes, emit_over_indices, load_words
from tinygrad_rnn.kernels.simd import (
    INDEX,
    INT32,
    Value,
    cgutils,
    intrinsic,
    lanes,
    pointer_at,
    types,
)

WORDS = 12  # of the arguments of every task here
SIDE_BY_SIDE = 4  # vectors that are added up together, to hide an addition's latency

_Combine = Callable[[Any, Value, Value], Value]


class _Kind(NamedTuple):
    """How a reduction starts, what it makes of an element first, and how it joins two.

    `joined` is the type of the partial results: float32 is added up in float64, in which no sum
    is long enough to lose the digits of a float32.
    """

    joined: str
    start: float
    squares: bool
    combine: _Combine


def _extreme(operator: str, is_real: bool) -> _Combine:
    """The larger or smaller of two, NaN where either is NaN."""

    def combine(builder: Any, total: Value, value: Value) -> Value:
        if not is_real:
            return builder.select(builder.icmp_signed(operator, value, total), value, total)
        wins = builder.fcmp_ordered(operator, value, total)
        is_nan = builder.fcmp_unordered("uno", value, value)
        return builder.select(builder.or_(wins, is_nan), value, total)

    return combine


_TYPES = {
    **dict.fromkeys(("sum", "amax", "amin"), ("float32", "float64", "int64")),
    **dict.fromkeys(("sum_squares",), ("float32", "float64")),
    **dict.fromkeys(("any", "all"), ("bool",)),
    **dict.fromkeys(("argmax", "argmin"), ("float32", "float64", "int64")),
}


def reduces(kind: str, dtype: str) -> bool:
    """Whether `reduce_task` or `arg_task` makes a kernel of this kind for this type."""
    return dtype in _TYPES.get(kind, ())


def _kind(kind: str, dtype: str) -> _Kind:
    is_real = dtype in ("float32", "float64")
    if kind in ("sum", "sum_squares"):
        if not is_real:
            return _Kind(dtype, 0, False, lambda b, total, value: b.add(total, value))
        squares = kind == "sum_squares"
        return _Kind("float64", 0.0, squares, lambda b, total, value: b.fadd(total, value))
    if kind == "any":
        return _Kind(dtype, False, False, lambda b, total, value: b.or_(total, value))
    if kind == "all":
        return _Kind(dtype, True, False, lambda b, total, value: b.and_(total, value))
    lowest, highest = float("-inf"), float("inf")
    if not is_real:
        lowest, highest = np.iinfo(dtype).min, np.iinfo(dtype).max
    if kind == "amax":
        return _Kind(dtype, lowest, False, _extreme(">", is_real))
    return _Kind(dtype, highest, False, _extreme("<", is_real))


class _Words(NamedTuple):
    """The arguments: sizes kept and reduced, and where source and target lie, in bytes."""

    k0: Value
    k1: Value
    r0: Value
    r1: Value
    source: Value
    source_k0: Value
    source_k1: Value
    source_r0: Value
    source_r1: Value
    target: Value
    target_k0: Value
    target_k1: Value


class _Reduction:
    """Emits one reduction of one element type."""

    def __init__(self, builder: Any, kind: str, dtype: str, words: _Words) -> None:
        self.builder = builder
        self.dtype = dtype
        self.itemsize = np.dtype(dtype).itemsize
        self.kind = _kind(kind, dtype)
        self.words = words
        # Positions in memory are counted in lanes of a floating-point type.
        self.real = "float64" if self.itemsize == 8 else "float32"

    def start(self, lanes_of: Lanes) -> Value:
        """What the result of no elements is, in every lane of a variable."""
        value = lanes_of.constant(self.kind.start, self.kind.joined)
        return cgutils.alloca_once_value(self.builder, value)

    def join(self, lanes_of: Lanes, total: Value, address: Value, mask: Value | None) -> None:
        """Join the elements at an address to the variable of partial results."""
        builder = self.builder
        value = lanes_of.load(address, self.dtype, mask)
        value = lanes_of.convert(value, self.dtype, self.kind.joined)
        if self.kind.squares:
            value = builder.fmul(value, value)
        if mask is not None:
            start = lanes_of.constant(self.kind.start, self.kind.joined)
            value = builder.select(mask, value, start)
        builder.store(self.kind.combine(builder, builder.load(total), value), total)

    def columns(self, source: Value, target: Value, first: Value, last: Value) -> None:
        """Results `first` … `last` whose elements are neighbours, a vector of results at a time."""
        builder, words = self.builder, self.words

        def step(lanes_of: Lanes, index: Value, mask: Value | None) -> None:
            base = builder.add(source, builder.mul(index, INDEX(self.itemsize)))
            result = self.over_rows(lanes_of, base, mask)
            result = lanes_of.convert(result, self.kind.joined, self.dtype)
            place = builder.add(target, builder.mul(index, words.target_k1))
            number = INDEX(lanes_of.count)
            if mask is not None:
                number = builder.sub(last, index)
            is_unit = builder.icmp_signed("==", words.target_k1, INDEX(self.itemsize))
            with builder.if_else(is_unit) as (unit, strided):
                with unit:
                    lanes_of.store(result, place, self.dtype, mask)
                with strided:
                    lanes_of.scatter_some(result, place, words.target_k1, number, self.dtype)

        emit_over_indices(builder, self.real, SIDE_BY_SIDE, first, last, step)

    def over_rows(self, lanes_of: Lanes, base: Value, mask: Value | None) -> Value:
        """The results of neighbouring columns, element after element."""
        builder, words = self.builder, self.words
        total = self.start(lanes_of)
        with cgutils.for_range(builder, words.r0) as outer:
            row = builder.add(base, builder.mul(outer.index, words.source_r0))
            with cgutils.for_range(builder, words.r1) as inner:
                address = builder.add(row, builder.mul(inner.index, words.source_r1))
                self.join(lanes_of, total, address, mask)
        return builder.load(total)

    def each(self, source: Value, target: Value, first: Value, last: Value) -> None:
        """Results `first` … `last` of elements that lie apart."""
        builder, words = self.builder, self.words
        lanes_of = Lanes(builder, 1)
        with cgutils.for_range(builder, last, start=first) as loop:
            base = builder.add(source, builder.mul(loop.index, words.source_k1))
            result = self.over_rows(lanes_of, base, None)
            place = builder.add(target, builder.mul(loop.index, words.target_k1))
            result = lanes_of.convert(result, self.kind.joined, self.dtype)
            lanes_of.store(result, place, self.dtype, None)

    def rows(self, source: Value, target: Value, first: Value, last: Value) -> None:
        """Results `first` … `last` of neighbours each: lane by lane, then by halves."""
        builder, words = self.builder, self.words
        totals: dict[int, Value] = {}

        def step(lanes_of: Lanes, index: Value, mask: Value | None) -> None:
            address = builder.add(builder.load(row), builder.mul(index, INDEX(self.itemsize)))
            self.join(lanes_of, totals[lanes_of.count], address, mask)

        one = Lanes(builder, 1)
        row = cgutils.alloca_once(builder, INDEX)
        narrow = Lanes(builder, lanes(self.real))
        wide = Lanes(builder, SIDE_BY_SIDE * lanes(self.real))
        with cgutils.for_range(builder, last, start=first) as loop:
            for lanes_of in (narrow, wide):
                totals[lanes_of.count] = self.start(lanes_of)
            base = builder.add(source, builder.mul(loop.index, words.source_k1))
            with cgutils.for_range(builder, words.r0) as outer:
                builder.store(builder.add(base, builder.mul(outer.index, words.source_r0)), row)
                zero = INDEX(0)
                emit_over_indices(builder, self.real, SIDE_BY_SIDE, zero, words.r1, step)
            result = self.folded(builder.load(totals[wide.count]), narrow.count)
            result = self.kind.combine(builder, result, builder.load(totals[narrow.count]))
            result = self.folded(result, 1)
            result = one.convert(result, self.kind.joined, self.dtype)
            place = builder.add(target, builder.mul(loop.index, words.target_k1))
            one.store(result, place, self.dtype, None)

    def folded(self, vector: Value, count: int) -> Value:
        """The lanes joined by halves until `count` are left."""
        builder = self.builder
        while vector.type.count > count:
            half = vector.type.count // 2
            undefined = ir.Constant(vector.type, ir.Undefined)
            low, high = (
                builder.shuffle_vector(
                    vector,
                    undefined,
                    ir.Constant(ir.VectorType(INT32, half), list(range(begin, begin + half))),
                )
                for begin in (0, half)
            )
            vector = self.kind.combine(builder, low, high)
        return vector

    def emit(self, part: Value, parts: Value) -> None:
        """One part: which neighbours share a vector, its range of results, and those."""
        builder, words = self.builder, self.words
        size = INDEX(self.itemsize)
        in_rows = builder.icmp_signed("==", words.source_r1, size)
        in_columns = builder.icmp_signed("==", words.source_k1, size)
        # Where an axis has one element both may hold; the longer axis fills the vectors.
        longer = builder.icmp_signed(">", words.k1, words.r1)
        in_columns = builder.and_(in_columns, builder.or_(longer, builder.not_(in_rows)))
        block = builder.select(in_columns, INDEX(lanes(self.real)), INDEX(1))
        blocks = builder.sdiv(builder.sub(builder.add(words.k1, block), INDEX(1)), block)
        total = builder.mul(words.k0, blocks)
        begin = builder.sdiv(builder.mul(total, part), parts)
        end = builder.sdiv(builder.mul(total, builder.add(part, INDEX(1))), parts)
        with builder.if_then(builder.icmp_signed("<", begin, end)):
            last_plane = builder.sdiv(builder.sub(end, INDEX(1)), blocks)
            stop = builder.add(last_plane, INDEX(1))
            with cgutils.for_range(builder, stop, start=builder.sdiv(begin, blocks)) as planes:
                before = builder.mul(planes.index, blocks)
                first = builder.mul(builder.sub(begin, before), block)
                first = _extreme_of(builder, ">", first, INDEX(0))
                last = builder.mul(builder.sub(end, before), block)
                last = _extreme_of(builder, "<", last, words.k1)
                source = builder.mul(planes.index, words.source_k0)
                source = builder.add(words.source, source)
                target = builder.mul(planes.index, words.target_k0)
                target = builder.add(words.target, target)
                arguments = (source, target, first, last)
                with builder.if_else(in_columns) as (columns, others):
                    with columns:
                        self.columns(*arguments)
                    with others, builder.if_else(in_rows) as (rows, apart):
                        with rows:
                            self.rows(*arguments)
                        with apart:
                            self.each(*arguments)


def _extreme_of(builder: Any, operator: str, left: Value, right: Value) -> Value:
    return builder.select(builder.icmp_signed(operator, left, right), left, right)


@functools.cache
def reduce_task(kind: str, dtype: str) -> Kernel:
    """The task of a reduction.

    Words: the kept sizes k0, k1; the reduced sizes r0, r1; the source's address and byte strides
    along k0, k1, r0, r1; the target's address and byte strides along k0, k1.

    Args:
        kind: "sum", "sum_squares", "amax", "amin" (NaN where an element is), "any" or "all".
        dtype: of source and target, one that `reduces` names. No elements sum to 0; the largest of
            none is the smallest number there is, −∞ or the lowest integer.
    """

    @intrinsic
    def whole(typing_context: Any, arguments: Any, part: Any, parts: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
            words = _Words(*load_words(builder, values[0], 0, WORDS))
            _Reduction(builder, kind, dtype, words).emit(*values[1:])
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp), generate

    @kernel("void(intp, intp, intp)", key=f"{kind} {dtype}")
    def reduction(arguments, part, parts):  # type: ignore[no-untyped-def]
        whole(arguments, part, parts)

    return reduction


@functools.cache
def arg_task(kind: str, dtype: str) -> Kernel:
    """The task that finds the first place of an extreme, counted along both reduced axes.

    Words: as in `reduce_task`; the target is int64. NaN counts as the extreme, as in NumPy.

    Args:
        kind: "argmax" or "argmin".
        dtype: of the source: float32, float64 or int64.
    """
    element = np.dtype(dtype).type
    largest = kind == "argmax"

    @kernel("void(intp, intp, intp)", key=f"{kind} {dtype}")
    def place_of_extreme(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        kept = words[1]
        results = words[0] * kept
        for number in range(results * part // parts, results * (part + 1) // parts):
            index_0 = number // kept
            index_1 = number - index_0 * kept
            source = words[4] + index_0 * words[5] + index_1 * words[6]
            best = pointer_at(source, element)[0]
            place = 0
            for i in range(words[2]):
                row = source + i * words[7]
                for j in range(words[3]):
                    value = pointer_at(row + j * words[8], element)[0]
                    wins = value > best if largest else value < best
                    if wins or (value != value and best == best):
                        best = value
                        place = i * words[3] + j
            pointer_at(words[9] + index_0 * words[10] + index_1 * words[11], np.int64)[0] = place

    return place_of_extreme
