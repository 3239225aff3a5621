"""Reading and adding at places that an index gives, as tasks that check the index themselves.

An index counts from the end where it is negative. One out of range never touches memory that is
not the array's: the task writes 1 to the int64 at a status address and goes on, and whoever runs
it looks there afterwards. A status word is never cleared here.
"""

import functools
from typing import Any

import numpy as np
from numba import njit

from tinygrad_rnn.kernels.cache import Kernel, kernel
from tinygrad_rnn.kernels.simd import pointer_at

COLUMNS = 16  # of a table, that one part has at least: less would share cache lines

_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@njit(error_model="numpy")
def _row_of(index, size, status):  # type: ignore[no-untyped-def]
    """The place from the start that an index names, or −1 and a status of 1."""
    row = index + size if index < 0 else index
    if row < 0 or row >= size:
        pointer_at(status, np.int64)[0] = 1
        return -1
    return row


@njit(error_model="numpy")
def _columns_of(width, part, parts):  # type: ignore[no-untyped-def]
    """A part's range of columns, in multiples of `COLUMNS`."""
    blocks = (width + COLUMNS - 1) // COLUMNS
    first = blocks * part // parts * COLUMNS
    return first, min(blocks * (part + 1) // parts * COLUMNS, width)


@functools.cache
def gather_task(itemsize: int) -> Kernel:
    """out[o, m, i] = x[o, index[o, m, i], i], of arrays (O, N, I) and (O, M, I), contiguous.

    Words: O, N, M, I, addresses of x, index, out, status. In place of what is out of range stands
    an element of row 0; if N is 0 nothing is written.
    """
    element: Any = _BITS[itemsize]

    @kernel("void(intp, intp, intp)", key=str(itemsize))
    def gather(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        size = words[1]
        height = words[2]
        width = words[3]
        x = pointer_at(words[4], element)
        index = pointer_at(words[5], np.int64)
        out = pointer_at(words[6], element)
        rows = words[0] * height
        for row in range(rows * part // parts, rows * (part + 1) // parts):
            block = row // height * size
            for i in range(width):
                place = row * width + i
                found = max(_row_of(index[place], size, words[7]), 0)
                if size > 0:
                    out[place] = x[(block + found) * width + i]

    return gather


@functools.cache
def scatter_add_task(dtype: str) -> Kernel:
    """out[o, index[o, m, i], i] += source[o, m, i] in the order of m; out (O, N, I), contiguous.

    Words: O, N, M, I, addresses of out, index, source, status. What is out of range adds nothing.
    """
    element = np.dtype(dtype).type

    @kernel("void(intp, intp, intp)", key=dtype)
    def scatter_add(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        size = words[1]
        height = words[2]
        width = words[3]
        out = pointer_at(words[4], element)
        index = pointer_at(words[5], np.int64)
        source = pointer_at(words[6], element)
        first_block = 0
        last_block = words[0]
        first = 0
        last = width
        if last_block >= parts:
            first_block = last_block * part // parts
            last_block = last_block * (part + 1) // parts
        else:
            first, last = _columns_of(width, part, parts)
        for block in range(first_block, last_block):
            for row in range(block * height, (block + 1) * height):
                for i in range(first, last):
                    place = row * width + i
                    found = _row_of(index[place], size, words[7])
                    if found >= 0:
                        out[(block * size + found) * width + i] += source[place]

    return scatter_add


@functools.cache
def look_up_task(itemsize: int) -> Kernel:
    """out[m, :] = table[index[m], :] for M indices into N rows.

    Words: M, N, width, address, row stride and column stride of the table, address of the index,
    address and row stride of out (whose rows are contiguous), status; strides in bytes. A row out
    of range is read as row 0; if N is 0 nothing is written.
    """
    element: Any = _BITS[itemsize]

    @kernel("void(intp, intp, intp)", key=str(itemsize))
    def look_up(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        row = 0
        last_row = words[0]
        first = 0
        last = words[2]
        step = words[5]
        index = pointer_at(words[6], np.int64)
        if last_row >= parts:
            row = last_row * part // parts
            last_row = last_row * (part + 1) // parts
        else:
            first, last = _columns_of(last, part, parts)
        while row < last_row:
            found = max(_row_of(index[row], words[1], words[9]), 0)
            place = words[3] + found * words[4]
            target = pointer_at(words[7] + row * words[8], element)
            if words[1] > 0:
                if step == itemsize:
                    source = pointer_at(place, element)
                    for j in range(first, last):
                        target[j] = source[j]
                else:
                    for j in range(first, last):
                        target[j] = pointer_at(place + j * step, element)[0]
            row += 1

    return look_up


@functools.cache
def add_rows_task(dtype: str) -> Kernel:
    """table[index[m], :] += rows[m, :] for m = 0, 1, … in this order.

    Words: M, N, width, address, row stride and column stride of the table, address of the index,
    address and row stride of the rows (which are contiguous), status; strides in bytes. What is
    out of range adds nothing.
    """
    element = np.dtype(dtype).type
    itemsize = np.dtype(dtype).itemsize

    @kernel("void(intp, intp, intp)", key=dtype)
    def add_rows(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        step = words[5]
        index = pointer_at(words[6], np.int64)
        first, last = _columns_of(words[2], part, parts)
        for row in range(words[0] if first < last else 0):
            found = _row_of(index[row], words[1], words[9])
            if found < 0:
                continue
            place = words[3] + found * words[4]
            source = pointer_at(words[7] + row * words[8], element)
            if step == itemsize:
                target = pointer_at(place, element)
                for j in range(first, last):
                    target[j] += source[j]
            else:
                for j in range(first, last):
                    pointer_at(place + j * step, element)[0] += source[j]

    return add_rows


@functools.cache
def range_task() -> Kernel:
    """Check that every int64 v of a line has low ≤ v < high, or is the one to ignore.

    Words: count, address, low, high, whether one is ignored, which, status. Where one is out of
    range 1 goes to the status and such a number to the word after it.
    """

    @kernel("void(intp, intp, intp)")
    def check_range(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        numbers = pointer_at(words[1], np.int64)
        low = words[2]
        high = words[3]
        has_ignored = words[4] != 0
        ignored = words[5]
        first = words[0] * part // parts
        last = words[0] * (part + 1) // parts
        wrong = False
        for i in range(first, last):  # without a way out, so that it goes through vectors
            number = numbers[i]
            inside = (number >= low) & (number < high)
            wrong |= not (inside | (has_ignored & (number == ignored)))
        if not wrong:
            return
        for i in range(first, last):
            number = numbers[i]
            if not (low <= number < high) and not (has_ignored and number == ignored):
                status = pointer_at(words[6], np.int64)
                status[0] = 1
                status[1] = number
                return

    return check_range
