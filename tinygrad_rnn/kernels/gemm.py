"""Matrix multiplication: blocking, packing and division of work around the register tiles.

The bits of C[i, j] are those of one chain of fused multiply-adds over k = 0 … K−1, whatever the
shapes, strides and threads; nothing here may split that chain other than by storing its value and
taking it up again. The exception is a single row times a B whose unit stride runs along K, which is
bound by reading B: there each lane of a vector has a chain. Strides are in bytes throughout.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from tinygrad_rnn.errors import ShapeError
from tinygrad_rnn.kernels.cache import Kernel, inner, kernel
from tinygrad_rnn.kernels.simd import (
    Array,
    array_type,
    lanes,
    multiply_add,
    pointer_at,
    stack_words,
    types,
)
from tinygrad_rnn.kernels.threads import run_task, team_address
from tinygrad_rnn.kernels.tile import (
    PANEL_VECTORS,
    ask_for,
    block_bits,
    copy_lines,
    dots_at_once,
    panels_at_once,
    run_dots,
    run_streamed_row,
    run_tile,
    tallest,
    transpose_strip,
)
from tinygrad_rnn.kernels.ufuncs import BySize, as_ufunc

DEPTH_BLOCK = 512  # k taken at a time: a panel of B then stays in the nearest caches
UNPACKED_ROWS = 14  # up to this many rows, a row-major B is read where it lies
# Multiplications, some 60 microseconds of them, below which a second thread does not pay: it saves
# little beside the call, and where another program has its CPU, the join waits for a time slice.
THREADED_PRODUCTS = 8_000_000
# Elements of B from which on reading it takes that long, however few the rows.
THREADED_MATRIX = 1 << 19
GROUP = 4  # panels of a row-major B that are packed together, to read more of each row at once
ALIGNMENT = 64
TINY_PRODUCTS = 128  # multiplications that take less time than setting up a tile
TRANSPOSED_ROWS = 16  # at a time, a cache line of the target in float32

# The words of a task's argument block, all 64-bit integers.
A, A_BATCH, A_ROW, A_STEP = 0, 1, 2, 3
B, B_BATCH, B_STEP, B_COLUMN, PACKED = 4, 5, 6, 7, 8
C, C_BATCH, C_ROW = 9, 10, 11
BATCH, ROWS, DEPTH, COLUMNS = 12, 13, 14, 15
ACCUMULATE, CHAINED = 16, 17
WORDS = 18


def panel_width(real: str) -> int:
    """Columns in one panel of a packed matrix on this CPU."""
    return PANEL_VECTORS * lanes(real)


def packed_size(depth: int, columns: int, real: str) -> int:
    """Elements that a packed (depth, columns) matrix takes."""
    width = panel_width(real)
    return depth * width * -(-columns // width)


@functools.cache
def _movers(real: str) -> tuple[Any, Any, Any]:
    """Compiled code that copies, transposes and packs elements of one type."""
    dtype = np.dtype(real).type
    itemsize = np.dtype(real).itemsize
    width = panel_width(real)
    block_rows = block_bits() // (8 * itemsize)
    block_depth = 16 // itemsize

    @inner(real)
    def copy(source, source_row, source_column, rows, columns, target, target_row):  # type: ignore[no-untyped-def]
        """target[i, j] = source[i, j]; the target's columns are neighbours."""
        for i in range(rows):
            line = pointer_at(target + i * target_row, dtype)
            start = source + i * source_row
            for j in range(columns):
                line[j] = pointer_at(start + j * source_column, dtype)[0]

    @inner(real)
    def transpose(source, source_row, rows, columns, target, target_row):  # type: ignore[no-untyped-def]
        """target[j, i] = source[i, j]; the columns of both are neighbours."""
        whole_rows = rows - rows % block_rows
        whole_columns = columns - columns % block_depth
        for i in range(0, whole_rows, block_rows):
            transpose_strip(
                pointer_at(source + i * source_row, dtype),
                source_row,
                whole_columns // block_depth,
                pointer_at(target + i * itemsize, dtype),
                target_row,
            )
        copy(
            source + whole_columns * itemsize,
            itemsize,
            source_row,
            columns - whole_columns,
            whole_rows,
            target + whole_columns * target_row,
            target_row,
        )
        copy(
            source + whole_rows * source_row,
            itemsize,
            source_row,
            columns,
            rows - whole_rows,
            target + whole_rows * itemsize,
            target_row,
        )

    @inner(real)
    def pack(b, b_step, b_column, depth, columns, target, target_width):  # type: ignore[no-untyped-def]
        """One panel: target[k, j] = B[k, j] for j < columns, and 0 up to the panel's width."""
        line_bytes = target_width * itemsize
        if b_column == itemsize and columns == width:
            copy_lines(1, depth, b, b_step, target, 0, dtype(0))
            return
        if b_step == itemsize:
            transpose(b, b_column, columns, depth, target, line_bytes)
        else:
            copy(b, b_step, b_column, depth, columns, target, line_bytes)
        for k in range(depth):
            line = pointer_at(target + k * line_bytes, dtype)
            for j in range(columns, target_width):
                line[j] = dtype(0)

    return copy, transpose, pack


@functools.cache
def _single_row(real: str) -> Any:
    """Compiled code for one row times a B whose unit stride runs along K."""
    dtype = np.dtype(real).type
    itemsize = np.dtype(real).itemsize
    group = dots_at_once(real)

    @inner(real)
    def single_row(depth, a, b, b_column, columns, c, goes_on):  # type: ignore[no-untyped-def]
        whole = columns - columns % group
        for j in range(0, whole, group):
            start = b + j * b_column
            run_dots(False, depth, a, start, b_column, c + j * itemsize, goes_on, dtype(0))
        for j in range(whole, columns):
            start = b + j * b_column
            run_dots(True, depth, a, start, b_column, c + j * itemsize, goes_on, dtype(0))

    return single_row


@functools.cache
def _tiny(real: str) -> Any:
    """Compiled code for products that are over before a tile would be set up."""
    dtype = np.dtype(real).type

    @inner(real)
    def tiny(rows, depth, columns, a, a_row, a_step, b, b_step, b_column, c, c_row, goes_on):  # type: ignore[no-untyped-def]
        for i in range(rows):
            results = pointer_at(c + i * c_row, dtype)
            values = a + i * a_row
            for j in range(columns):
                column = b + j * b_column
                total = results[j] if goes_on else dtype(0)
                for k in range(depth):
                    value = pointer_at(values + k * a_step, dtype)[0]
                    total = multiply_add(value, pointer_at(column + k * b_step, dtype)[0], total)
                results[j] = total

    return tiny


@functools.cache
def gemm_task(real: str) -> Kernel:
    """The task of C = A · B, or C = C + A · B, for a batch of matrices of one element type.

    `arguments` is the address of `WORDS` 64-bit integers: addresses, byte strides and sizes in the
    places named above. PACKED is 0, or the depth of the packed matrix that B is the address of, for
    the whole batch; of a range of its rows, the address of the first in the first panel.
    C's columns are neighbours.
    """
    dtype = np.dtype(real).type
    itemsize = np.dtype(real).itemsize
    vector = lanes(real)
    width = panel_width(real)
    width_bytes = width * itemsize
    tallest_tile = tallest()
    together = tuple(panels_at_once(rows) for rows in range(1, 5))
    corner_words = (tallest_tile * width_bytes) // 8
    copy, transpose, pack = _movers(real)
    single_row = _single_row(real)
    tiny = _tiny(real)

    @kernel("void(intp, intp, intp)", key=real)
    def gemm(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        batch = words[BATCH]
        rows = words[ROWS]
        depth = words[DEPTH]
        last = words[COLUMNS]
        packed_depth = words[PACKED]
        packed = packed_depth > 0
        # Of the whole, not of this part: the order of sums may not depend on the number of parts.
        alone = rows == 1 and not packed
        is_tiny = rows * depth * last <= TINY_PRODUCTS and not packed
        batch_from, batch_to = 0, batch
        row_from = 0
        first = 0
        if batch >= parts:
            batch_from = batch * part // parts
            batch_to = batch * (part + 1) // parts
        else:
            panels = (last + width - 1) // width
            widest = (panels + parts - 1) // parts
            highest = (rows + parts - 1) // parts
            if widest * rows <= highest * panels:
                first = min(panels * part // parts * width, last)
                last = min(panels * (part + 1) // parts * width, last)
            else:
                row_from = rows * part // parts
                rows = rows * (part + 1) // parts - row_from
        if rows == 0 or first == last:
            return
        a_step = words[A_STEP]
        b_step = words[B_STEP]
        b_column = words[B_COLUMN]
        goes_on = words[ACCUMULATE] != 0
        c_row = words[C_ROW]
        if is_tiny:
            for index in range(batch_from, batch_to):
                tiny(
                    rows,
                    depth,
                    last - first,
                    words[A] + index * words[A_BATCH] + row_from * words[A_ROW],
                    words[A_ROW],
                    a_step,
                    words[B] + index * words[B_BATCH] + first * b_column,
                    b_step,
                    b_column,
                    words[C] + index * words[C_BATCH] + row_from * c_row + first * itemsize,
                    c_row,
                    goes_on,
                )
            return
        copies_a = a_step != itemsize and depth > 1
        line_bytes = (depth * itemsize + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        lies_ready = packed or (b_column == itemsize and rows <= UNPACKED_ROWS)
        transposed_row = alone and b_step == itemsize and not lies_ready and words[CHAINED] == 0
        streamed_row = alone and b_column == itemsize
        packs_several = b_column == itemsize and not lies_ready
        in_row = 1
        if rows <= 4:
            in_row = together[rows - 1]
        panel_bytes = DEPTH_BLOCK * width_bytes
        size = 0
        if copies_a:
            size += rows * line_bytes
        ready = packed or (lies_ready and (last - first) % width == 0)
        if not (ready or transposed_row or streamed_row):
            size += max(in_row, GROUP) * panel_bytes
        scratch = 0
        if size > 0:
            memory = np.empty(size + ALIGNMENT, np.uint8)
            scratch = (memory.ctypes.data + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        corner = stack_words(corner_words)
        tiles = (rows + tallest_tile - 1) // tallest_tile
        # Equal blocks: each begins by loading C, which a short one at the end would do for little.
        blocks = max((depth + DEPTH_BLOCK - 1) // DEPTH_BLOCK, 1)
        depth_block = max((depth + blocks - 1) // blocks, 1)
        if lies_ready and tiles == 1:
            depth_block = max(depth, 1)
        for index in range(batch_from, batch_to):
            a_row = words[A_ROW]
            a = words[A] + index * words[A_BATCH] + row_from * a_row
            b = words[B] + index * words[B_BATCH]
            c = words[C] + index * words[C_BATCH] + row_from * c_row
            spare = scratch
            if copies_a:
                if a_row == itemsize:
                    transpose(a, a_step, depth, rows, spare, line_bytes)
                else:
                    copy(a, a_row, a_step, rows, depth, spare, line_bytes)
                a = spare
                a_row = line_bytes
                spare += rows * line_bytes
            if transposed_row:
                start = b + first * b_column
                result = c + first * itemsize
                single_row(depth, a, start, b_column, last - first, result, goes_on)
                continue
            if streamed_row:
                result = c + first * itemsize
                if not goes_on:
                    line = pointer_at(result, dtype)
                    for j in range(last - first):
                        line[j] = dtype(0)
                values = pointer_at(a, dtype)
                run_streamed_row(depth, values, b + first * itemsize, b_step, last - first, result)
                continue
            j = first
            while j < last:
                remaining = last - j
                several = in_row > 1 and remaining >= in_row * width
                panels = in_row if several else 1
                group = panels
                if packs_several and in_row == 1 and remaining >= GROUP * width:
                    group = GROUP
                narrow = remaining <= vector
                columns = min(remaining, group * width)
                tile_width = vector if narrow else width
                partial = columns < tile_width
                k = 0
                while True:
                    steps = min(depth_block, depth - k)
                    adds = k > 0 or goes_on
                    if packed:
                        b_now = b + j * packed_depth * itemsize + k * tile_width * itemsize
                        b_next = tile_width * itemsize
                        b_panel = packed_depth * width_bytes
                    elif lies_ready and not partial:
                        b_now = b + k * b_step + j * itemsize
                        b_next = b_step
                        b_panel = width_bytes
                    else:
                        steps = min(steps, DEPTH_BLOCK)
                        b_now = spare
                        b_next = tile_width * itemsize
                        b_panel = panel_bytes
                        start = b + k * b_step + j * b_column
                        if group > panels:
                            copy_lines(GROUP, steps, start, b_step, spare, panel_bytes, dtype(0))
                        else:
                            for panel in range(panels):
                                pack(
                                    start + panel * width * b_column,
                                    b_step,
                                    b_column,
                                    steps,
                                    min(columns, tile_width),
                                    spare + panel * panel_bytes,
                                    tile_width,
                                )
                    for panel in range(group // panels):
                        b_tile = b_now + panel * b_panel
                        c_tile = c + (j + panel * width) * itemsize
                        a_tile = a + k * itemsize
                        for tile in range(tiles):
                            height = rows // tiles + (1 if tile < rows % tiles else 0)
                            result = c_tile
                            result_row = c_row
                            if adds:
                                # What the next panel adds to comes while this one is computed.
                                ask_for(c_tile + panels * width_bytes, c_row, height)
                            if partial:
                                result = corner
                                result_row = width_bytes
                                if adds:
                                    copy(
                                        c_tile, c_row, itemsize, height, columns, corner, result_row
                                    )
                            run_tile(
                                height,
                                narrow,
                                several,
                                steps,
                                pointer_at(a_tile, dtype),
                                a_row,
                                pointer_at(b_tile, dtype),
                                b_next,
                                b_panel,
                                pointer_at(result, dtype),
                                result_row,
                                adds,
                            )
                            if partial:
                                copy(corner, width_bytes, itemsize, height, columns, c_tile, c_row)
                            a_tile += height * a_row
                            c_tile += height * c_row
                    k += steps
                    if k >= depth:
                        break
                j += columns
        if size > 0:
            memory[0] = 0  # keeps the scratch memory alive to this point

    return gemm


@functools.cache
def pack_task(real: str) -> Kernel:
    """The task that packs B; the same argument words, of which A and C's strides are not used.

    Format: panels of `panel_width` columns, each (K, width) with its rows one after the other; the
    columns beyond N are 0. A last panel of no more than half the width is stored half as wide.
    """
    dtype = np.dtype(real).type
    itemsize = np.dtype(real).itemsize
    vector = lanes(real)
    width = panel_width(real)
    _, _, pack = _movers(real)

    @kernel("void(intp, intp, intp)", key=real)
    def pack_matrix(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        depth = words[DEPTH]
        columns = words[COLUMNS]
        panels = (columns + width - 1) // width
        panel = panels * part // parts
        last = panels * (part + 1) // parts
        while panel < last:
            j = panel * width
            remaining = columns - j
            if words[B_COLUMN] == itemsize and panel + GROUP <= last and remaining >= GROUP * width:
                target = words[C] + j * depth * itemsize
                apart = depth * width * itemsize
                source = words[B] + j * itemsize
                copy_lines(GROUP, depth, source, words[B_STEP], target, apart, dtype(0))
                panel += GROUP
                continue
            panel += 1
            pack(
                words[B] + j * words[B_COLUMN],
                words[B_STEP],
                words[B_COLUMN],
                depth,
                min(remaining, width),
                words[C] + j * depth * itemsize,
                vector if remaining <= vector else width,
            )

    return pack_matrix


@functools.cache
def transpose_task(real: str) -> Kernel:
    """The task of target[j, i] = source[i, j].

    Words: rows, columns, address and byte stride of rows of the source, the same of the target;
    the columns of both are neighbours.
    """
    itemsize = np.dtype(real).itemsize
    _, transpose, _ = _movers(real)

    @kernel("void(intp, intp, intp)", key=real)
    def transpose_matrix(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        rows = words[0]
        blocks = (rows + TRANSPOSED_ROWS - 1) // TRANSPOSED_ROWS
        first = blocks * part // parts * TRANSPOSED_ROWS
        last = min(blocks * (part + 1) // parts * TRANSPOSED_ROWS, rows)
        if first < last:
            source = words[2] + first * words[3]
            target = words[4] + first * itemsize
            transpose(source, words[3], last - first, words[1], target, words[5])

    return transpose_matrix


@kernel("void(intp, intp, intp, intp)")
def _product_loop(pointers, sizes, strides, data):  # type: ignore[no-untyped-def]
    places = pointer_at(pointers, np.int64)
    lengths = pointer_at(sizes, np.int64)
    steps = pointer_at(strides, np.int64)
    given = pointer_at(data, np.int64)
    words = stack_words(WORDS)
    put = pointer_at(words, np.int64)
    put[A] = places[0]
    put[B] = places[1]
    put[C] = places[2]
    put[BATCH] = lengths[0]
    put[ROWS] = lengths[1]
    put[DEPTH] = lengths[2]
    put[COLUMNS] = lengths[3]
    put[A_BATCH] = steps[0]
    put[B_BATCH] = steps[1]
    put[C_BATCH] = steps[2]
    put[A_ROW] = steps[3]
    put[A_STEP] = steps[4]
    put[B_STEP] = steps[5]
    put[B_COLUMN] = steps[6]
    put[C_ROW] = steps[7]
    put[PACKED] = 0
    put[ACCUMULATE] = 0
    put[CHAINED] = given[2]
    run_task(given[0], words, _is_large(words), given[1])


def _gufunc(real: str, chained: bool) -> Any:
    """The product as NumPy's kind of function."""
    words = {real: [gemm_task(real).address, team_address(), int(chained)]}
    return as_ufunc("matmul", matmul.__doc__, _product_loop, words, 2, "(m,k),(k,n)->(m,n)")


@numba.njit(error_model="numpy")
def _is_large(arguments):  # type: ignore[no-untyped-def]
    """Whether a product is worth a second thread."""
    words = pointer_at(arguments, np.int64)
    matrix = words[DEPTH] * words[COLUMNS]
    many = words[BATCH] * words[ROWS] * matrix >= THREADED_PRODUCTS
    return many or (words[PACKED] == 0 and words[BATCH] * matrix >= THREADED_MATRIX)


class _Entry:
    """What Python calls for one element type; each part is compiled when it is first needed."""

    def __init__(self, real: str) -> None:
        self.real = real
        self.task = gemm_task(real).address

    @functools.cached_property
    def adding(self) -> Any:
        """`(a, b, out, accumulate, task, team)` for matrices."""
        plane = array_type(self.real, 2, "A")
        word = types.intp

        @kernel(types.void(plane, plane, plane, word, word, word), key=self.real)
        def adding(a, b, c, accumulate, task, team):  # type: ignore[no-untyped-def]
            words = stack_words(WORDS)
            put = pointer_at(words, np.int64)
            put[ACCUMULATE] = accumulate
            put[CHAINED] = 0
            put[A] = a.ctypes.data
            put[A_ROW] = a.strides[0]
            put[A_STEP] = a.strides[1]
            put[B] = b.ctypes.data
            put[B_STEP] = b.strides[0]
            put[B_COLUMN] = b.strides[1]
            put[PACKED] = 0
            put[C] = c.ctypes.data
            put[C_ROW] = c.strides[0]
            put[A_BATCH] = 0
            put[B_BATCH] = 0
            put[C_BATCH] = 0
            put[BATCH] = 1
            put[ROWS] = a.shape[0]
            put[DEPTH] = a.shape[1]
            put[COLUMNS] = b.shape[1]
            run_task(task, words, _is_large(words), team)

        return adding.compiled

    @functools.cached_property
    def pack_task(self) -> int:
        """Address of the packing task."""
        return pack_task(self.real).address

    @functools.cached_property
    def packing(self) -> Any:
        """`(b, packed, task, team)`."""
        plane = array_type(self.real, 2, "A")
        line = array_type(self.real, 1, "A")
        word = types.intp

        @kernel(types.void(plane, line, word, word), key=self.real)
        def packing(b, packed, task, team):  # type: ignore[no-untyped-def]
            words = stack_words(WORDS)
            put = pointer_at(words, np.int64)
            put[B] = b.ctypes.data
            put[B_STEP] = b.strides[0]
            put[B_COLUMN] = b.strides[1]
            put[C] = packed.ctypes.data
            put[DEPTH] = b.shape[0]
            put[COLUMNS] = b.shape[1]
            run_task(task, words, 4 * b.size >= THREADED_PRODUCTS, team)

        return packing.compiled

    @functools.cached_property
    def with_packed(self) -> Any:
        """`(a, packed, out, task, team)` for a packed B."""
        plane = array_type(self.real, 2, "A")
        line = array_type(self.real, 1, "A")
        word = types.intp

        @kernel(types.void(plane, line, plane, word, word), key=self.real)
        def with_packed(a, packed, c, task, team):  # type: ignore[no-untyped-def]
            words = stack_words(WORDS)
            put = pointer_at(words, np.int64)
            put[ACCUMULATE] = 0
            put[CHAINED] = 0
            put[A] = a.ctypes.data
            put[A_ROW] = a.strides[0]
            put[A_STEP] = a.strides[1]
            put[B] = packed.ctypes.data
            put[PACKED] = max(a.shape[1], 1)
            put[C] = c.ctypes.data
            put[C_ROW] = c.strides[0]
            put[A_BATCH] = 0
            put[B_BATCH] = 0
            put[C_BATCH] = 0
            put[B_STEP] = 0
            put[B_COLUMN] = 0
            put[BATCH] = 1
            put[ROWS] = a.shape[0]
            put[DEPTH] = a.shape[1]
            put[COLUMNS] = c.shape[1]
            run_task(task, words, _is_large(words), team)

        return with_packed.compiled


_entries = BySize(_Entry)
_products = BySize(functools.partial(_gufunc, chained=False))
_chains = BySize(functools.partial(_gufunc, chained=True))


def _shape_error(a: Array, b: Array) -> ShapeError:
    return ShapeError(
        f"matmul of {a.shape} by {b.shape}: the last dimension of the first must equal the "
        "second-last of the second, and the leading dimensions must broadcast; both need at least "
        "2 dimensions"
    )


def matmul(a: Array, b: Array) -> Array:
    """C = A · B for (…, M, K) and (…, K, N); leading dimensions broadcast.

    Any strides, any sizes; float32 or float64, the same for both. The result is new, its matrices
    lie row by row. Every element is one chain of fused multiply-adds over k = 0 … K−1 (with a
    rounding more where the CPU has no fused multiply-add), so it depends on its row of A and its
    column of B alone: not on the other rows, the strides, or the number of threads. Only where A is
    one row, or a stack of single rows by a stack of matrices, and B is the transpose of what lies
    row by row (and there are more than `TINY_PRODUCTS`) is it the sum of several chains, always the
    same ones, and differs by rounding.

    A stack of matrices A by one matrix B is the product of all rows of the stack. So each row of a
    sequence has the same bits, whether the sequence comes whole or step by step.

    NumPy's error state applies, as to `numpy.matmul`: what meets NaN or infinity warns of an
    invalid value.

    Raises `ShapeError` for shapes that do not fit.
    """
    try:
        if a.ndim > 2 and b.ndim == 2:
            lines = a.reshape(math.prod(a.shape[:-1]), a.shape[-1])
            product: Array = _chains[a.itemsize](lines, b)
            return product.reshape(*a.shape[:-1], b.shape[-1])
        result: Array = _products[a.itemsize](a, b)
    except ValueError:
        raise _shape_error(a, b) from None
    return result


def sum_of_products(pairs: Sequence[tuple[Array, Array]]) -> Array:
    """C = Σ_t A_t · B_t for matrices (M, K_t) and (K_t, N), summed in the order given.

    The bits are those of `matmul` for the A_t side by side and the B_t one below the other, and
    nothing is copied together for it.

    Raises `ShapeError` for shapes that do not fit.
    """
    rows, columns = pairs[0][0].shape[0], pairs[0][1].shape[1]
    result = np.empty((rows, columns), pairs[0][0].dtype)
    entry = _entries[result.itemsize]
    for t, (a, b) in enumerate(pairs):
        if a.shape != (rows, b.shape[0]) or b.shape[1] != columns:
            raise _shape_error(a, b)
        entry.adding(a, b, result, min(t, 1), entry.task, team_address())
    return result


class PackedMatrix:
    """A matrix B of shape (K, N) laid out for matmul, to be used for many A.

    `data` is the packed array (aligned to 64 bytes), whose address a task takes with the PACKED
    word set; see `pack_task` for its format.
    """

    def __init__(self, depth: int, columns: int, data: Array) -> None:
        self.depth = depth
        self.columns = columns
        self.data = data


def pack(b: Array) -> PackedMatrix:
    """Pack a (K, N) matrix of any strides; later changes to `b` do not show in the result."""
    if b.ndim != 2:
        raise ShapeError(f"pack takes a matrix, not an array of shape {b.shape}; pack each matrix")
    depth, columns = b.shape
    entry = _entries[b.itemsize]
    size = packed_size(depth, columns, entry.real)
    memory = np.empty(size + ALIGNMENT // b.itemsize, b.dtype)
    skipped = -memory.ctypes.data % ALIGNMENT // b.itemsize
    packed = memory[skipped : skipped + size]
    entry.packing(b, packed, entry.pack_task, team_address())
    return PackedMatrix(depth, columns, packed)


def matmul_packed(a: Array, b: PackedMatrix) -> Array:
    """A · B for an (M, K) matrix A and a packed (K, N) matrix B: the same bits as `matmul`."""
    if a.ndim != 2 or a.shape[1] != b.depth or a.dtype != b.data.dtype:
        raise ShapeError(
            f"matmul_packed of {a.shape} {a.dtype} by a packed ({b.depth}, {b.columns}) "
            f"{b.data.dtype}: a must be a matrix with {b.depth} columns of the same type"
        )
    out = np.empty((a.shape[0], b.columns), a.dtype)
    entry = _entries[a.itemsize]
    entry.with_packed(a, b.data, out, entry.task, team_address())
    return out
