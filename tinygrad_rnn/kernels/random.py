"""Uniform random numbers from a counter: Philox4x32-10.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). There is no
state: a number is a function of key, counter and position, so eager and compiled code, and any
number of threads, draw the same.
"""

import functools
import operator
from typing import Any

import llvmlite.ir as ir
import numpy as np

from tinygrad_rnn.errors import ArgumentError, DtypeError
from tinygrad_rnn.kernels.cache import Kernel, inner, kernel
from tinygrad_rnn.kernels.simd import (
    INDEX,
    INT32,
    Array,
    Value,
    Vectors,
    array_type,
    emit_over_vectors,
    intrinsic,
    pointer_at,
    stack_words,
    types,
)
from tinygrad_rnn.kernels.threads import run_task, team_address

ROUNDS = 10
THREADED_ELEMENTS = 131_072  # below this a second thread costs more than it saves
_BLOCK_BYTES = 16  # of the numbers that a block gives, in either type
# A round waits for the one before it; four vectors of counters fill the time.
_SIDE_BY_SIDE = 8
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def uniform_blocks(n: int, dtype: Any) -> int:
    """Counter blocks that `n` numbers take: ⌈n/4⌉ for float32, ⌈n/2⌉ for float64."""
    return -(-n // _per_block(dtype))


def _per_block(dtype: Any) -> int:
    character = np.dtype(dtype).char
    if character not in "fd":
        raise DtypeError(f"uniform numbers are float32 or float64, not {np.dtype(dtype)}")
    return 4 if character == "f" else 2


def _in_every_lane(builder: Any, kind: Any, scalar: Value) -> Value:
    """A 64-bit integer copied to every lane of a vector of that type."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, scalar, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, undefined, zeros)


def _emit_philox(builder: Any, counters: Value, key: Value) -> list[Value]:
    """The four words of the block of each 64-bit counter, in the lower halves of 64-bit lanes.

    The upper halves are what the products left there: the multiplication of lower halves is one
    instruction that ignores them, so they are never cleared.
    """
    kind = counters.type

    def constant(value: int) -> Value:
        return kind([value] * kind.count)

    def multiplied(word: Value, multiplier: int) -> Value:
        return builder.mul(builder.and_(word, constant(0xFFFFFFFF)), constant(multiplier))

    def mixed(product: Value, word: Value, key_word: Value) -> Value:
        high = builder.lshr(product, constant(32))
        return builder.xor(builder.xor(high, word), _in_every_lane(builder, kind, key_word))

    words = [counters, builder.lshr(counters, constant(32)), constant(0), constant(0)]
    keys = [key, builder.lshr(key, INDEX(32))]
    for _ in range(ROUNDS):
        first = multiplied(words[0], _MULTIPLIERS[0])
        second = multiplied(words[2], _MULTIPLIERS[1])
        words = [mixed(second, words[1], keys[0]), second, mixed(first, words[3], keys[1]), first]
        keys = [builder.add(k, INDEX(step)) for k, step in zip(keys, _WEYL, strict=True)]
    return words


def _interleaved(builder: Any, left: Value, right: Value) -> Value:
    """The lanes of two vectors by turns."""
    count = left.type.count
    places = [place for lane in range(count) for place in (lane, count + lane)]
    order = ir.Constant(ir.VectorType(INT32, 2 * count), places)
    return builder.shuffle_vector(left, right, order)


def _scaled(vectors: Vectors, words: Value, dropped: int, bits: int) -> Value:
    """The 32-bit words without their lowest bits, divided by 2 to the power of `bits`; exact."""
    shift = words.type([dropped] * words.type.count)
    # As signed numbers, for which every CPU has a conversion; none of them is negative.
    whole = vectors.builder.sitofp(vectors.builder.lshr(words, shift), vectors.type)
    return vectors.multiply(whole, vectors.constant(2.0**-bits))


def _emit_numbers(vectors: Vectors, counter: Value, key: Value) -> Value:
    """A vector of numbers, those of block `counter` and of the blocks after it."""
    builder = vectors.builder
    count = vectors.count * vectors.itemsize // _BLOCK_BYTES
    wide, narrow = ir.VectorType(INDEX, count), ir.VectorType(INT32, count)
    counters = builder.add(_in_every_lane(builder, wide, counter), wide(list(range(count))))
    words = [builder.trunc(word, narrow) for word in _emit_philox(builder, counters, key)]
    evens = _interleaved(builder, words[0], words[2])
    odds = _interleaved(builder, words[1], words[3])
    if vectors.real == "float32":
        return _scaled(vectors, _interleaved(builder, evens, odds), 8, 24)
    return vectors.add(_scaled(vectors, evens, 5, 27), _scaled(vectors, odds, 6, 53))


@intrinsic
def _fill_from(
    typing_context: Any, dtype: Any, address: Any, count: Any, counter: Any, key: Any
) -> Any:
    """Write `count` numbers to an integer address, the first being the first of block `counter`."""
    real = str(dtype.dtype)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        _, start, number, first, key_value = values

        def step(vectors: Vectors, place: Value, mask: Value | None) -> None:
            block = builder.udiv(builder.sub(place, start), INDEX(_BLOCK_BYTES))
            numbers = _emit_numbers(vectors, builder.add(first, block), key_value)
            vectors.write(numbers, place, mask)

        emit_over_vectors(builder, real, _SIDE_BY_SIDE, start, number, step)
        return context.get_dummy_value()

    return types.void(dtype, types.intp, types.intp, types.uint64, types.uint64), generate


@functools.cache
def _filler(real: str) -> Any:
    """`fill(target, count, key, counter, part, parts)` for compiled code."""
    dtype = np.dtype(real).type
    per_block = _per_block(real)

    @inner(real)
    def fill(target, count, key, counter, part, parts):  # type: ignore[no-untyped-def]
        blocks = (count + per_block - 1) // per_block
        first = blocks * part // parts
        last = blocks * (part + 1) // parts
        number = min(count, last * per_block) - first * per_block
        address = target + first * _BLOCK_BYTES
        _fill_from(dtype, address, number, counter + np.uint64(first), key)

    return fill


@functools.cache
def uniform_task(real: str) -> Kernel:
    """The task that fills an array; words: target, number of elements, key, counter."""
    fill = _filler(real)

    @kernel("void(intp, intp, intp)", key=real)
    def uniform(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        fill(words[0], words[1], np.uint64(words[2]), np.uint64(words[3]), part, parts)

    return uniform


@functools.cache
def uniform_at_task(real: str) -> Kernel:
    """The task that fills an array with the numbers that `fill_uniform` gives for a stored counter.

    Words: target, number of elements, address of key and counter (two uint64), an offset that is
    added to the counter.
    """
    fill = _filler(real)

    @kernel("void(intp, intp, intp)", key=real)
    def uniform_at(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        stored = pointer_at(words[2], np.uint64)
        counter = stored[1] + np.uint64(words[3])
        fill(words[0], words[1], stored[0], counter, part, parts)

    return uniform_at


@functools.cache
def _call(character: str) -> tuple[Any, int]:
    real = {"f": "float32", "d": "float64"}[character]
    line = array_type(real, 1, "C")
    word = types.intp

    @kernel(types.void(line, word, word, word, word), key=real)
    def uniform_entry(out, key, counter, task, team):  # type: ignore[no-untyped-def]
        words = stack_words(4)
        put = pointer_at(words, np.int64)
        put[0] = out.ctypes.data
        put[1] = out.size
        put[2] = key
        put[3] = counter
        run_task(task, words, out.size >= THREADED_ELEMENTS, team)

    return uniform_entry.compiled, uniform_task(real).address


def _signed_word(name: str, value: int) -> int:
    number = operator.index(value)
    if not -(2**63) <= number < 2**64:
        raise ArgumentError(f"{name} is {number}, which 64 bits do not hold; reduce it mod 2**64")
    return number - 2**64 if number >= 2**63 else number


def fill_uniform(out: Array, key: int, counter: int) -> None:
    """Fill a contiguous 1-D float32 or float64 array with uniform numbers in [0, 1).

    Element i depends on (key, counter, i) only. Block b of the array comes from Philox4x32-10 with
    counter words (low, high of counter + b mod 2⁶⁴, 0, 0) and key words (low, high of key); it
    holds four float32, the upper 24 bits of a word each, or two float64 of 53 bits, the upper 27
    and 26 bits of two words. So n elements take `uniform_blocks(n, dtype)` blocks: use
    `counter + uniform_blocks(n, dtype)` for what is drawn next.

    Raises `ArgumentError` for an array that is not contiguous, writeable and 1-D, or for a key or
    counter beyond 64 bits; `DtypeError` for other types.
    """
    _per_block(out.dtype)
    if out.ndim != 1 or not out.flags.carray:
        raise ArgumentError(
            f"fill_uniform needs a writeable, contiguous 1-D array, not one of shape {out.shape} "
            "and these strides; fill a new array and copy"
        )
    entry, task = _call(out.dtype.char)
    words = (_signed_word("key", key), _signed_word("counter", counter))
    entry(out, *words, task, team_address())
