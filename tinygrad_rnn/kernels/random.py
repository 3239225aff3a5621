"""Uniform random numbers from a counter: Philox4x32-10.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011). There is no
state: a number is a function of key, counter and position, so eager and compiled code, and any
number of threads, draw the same.
"""

import functools
import operator
from typing import Any

import numpy as np
from numba import njit

from tinygrad_rnn.errors import ArgumentError, DtypeError
from tinygrad_rnn.kernels import threads
from tinygrad_rnn.kernels.cache import Kernel, inner, kernel
from tinygrad_rnn.kernels.simd import Array, array_type, call_task, pointer_at, stack_words, types

ROUNDS = 10
THREADED_ELEMENTS = 16_384  # below this a second thread costs more than it saves
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)


@njit(error_model="numpy")
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """One block: four 32-bit words from four words of counter and two of key, all as uint64."""
    for _ in range(ROUNDS):
        product_0 = _MULTIPLIER_0 * c0
        product_1 = _MULTIPLIER_1 * c2
        c0 = (product_1 >> _HALF) ^ c1 ^ k0
        c1 = product_1 & _LOW
        c2 = (product_0 >> _HALF) ^ c3 ^ k1
        c3 = product_0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


def uniform_blocks(n: int, dtype: Any) -> int:
    """Counter blocks that `n` numbers take: ⌈n/4⌉ for float32, ⌈n/2⌉ for float64."""
    return -(-n // _per_block(dtype))


def _per_block(dtype: Any) -> int:
    character = np.dtype(dtype).char
    if character not in "fd":
        raise DtypeError(f"uniform numbers are float32 or float64, not {np.dtype(dtype)}")
    return 4 if character == "f" else 2


@functools.cache
def _filler(real: str) -> Any:
    """`fill(target, count, key, counter, part, parts)` for compiled code."""
    single = real == "float32"
    dtype = np.dtype(real).type
    per_block = _per_block(real)
    drop = np.uint64(8)
    shift_high = np.uint64(5)
    shift_low = np.uint64(6)
    unit_32 = np.float32(2.0**-24)
    unit_64 = 2.0**-53
    high_weight = 2.0**26

    @inner(real)
    def block(key_0, key_1, index):  # type: ignore[no-untyped-def]
        zero = np.uint64(0)
        w0, w1, w2, w3 = philox(index & _LOW, index >> _HALF, zero, zero, key_0, key_1)
        if single:
            return (
                np.float32(np.int32(w0 >> drop)) * unit_32,
                np.float32(np.int32(w1 >> drop)) * unit_32,
                np.float32(np.int32(w2 >> drop)) * unit_32,
                np.float32(np.int32(w3 >> drop)) * unit_32,
            )
        first = (w0 >> shift_high) * high_weight + (w1 >> shift_low)
        second = (w2 >> shift_high) * high_weight + (w3 >> shift_low)
        return first * unit_64, second * unit_64, 0.0, 0.0

    @inner(real)
    def fill(target, count, key, counter, part, parts):  # type: ignore[no-untyped-def]
        out = pointer_at(target, dtype)
        key_0 = key & _LOW
        key_1 = key >> _HALF
        blocks = (count + per_block - 1) // per_block
        whole = count // per_block
        last = blocks * (part + 1) // parts
        for index in range(blocks * part // parts, min(last, whole)):
            u0, u1, u2, u3 = block(key_0, key_1, counter + np.uint64(index))
            place = index * per_block
            out[place] = u0
            out[place + 1] = u1
            if single:
                out[place + 2] = u2
                out[place + 3] = u3
        if last == blocks and whole < blocks and part == parts - 1:
            values = block(key_0, key_1, counter + np.uint64(whole))
            for place in range(whole * per_block, count):
                out[place] = values[place - whole * per_block]

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

    @kernel(types.void(line, word, word, word, word, word), key=real)
    def uniform_entry(out, key, counter, task, launch, parts):  # type: ignore[no-untyped-def]
        words = stack_words(4)
        put = pointer_at(words, np.int64)
        put[0] = out.ctypes.data
        put[1] = out.size
        put[2] = key
        put[3] = counter
        if parts == 1:
            call_task(task, words, 0, 1)
        else:
            call_task(launch, task, words, parts)

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
    if out.size < THREADED_ELEMENTS:
        entry(out, *words, task, 0, 1)
    else:
        threads.run(entry, out, *words, task)
