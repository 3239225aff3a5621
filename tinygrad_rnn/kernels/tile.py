"""Register tiles: the innermost loops of matmul, as LLVM functions.

A tile is a few rows of the result by a few vectors of columns, held in registers while the depth
K runs past. Each element of it is one chain c ← fma(a, b, c) over k = 0 … K−1, whatever the shape
of the tile, so the choice of tile never shows in the result. All strides are in bytes.
Blocking, packing and threads are the business of `gemm`.
"""

from typing import Any, NamedTuple

import llvmlite.ir as ir

from tinygrad_rnn.kernels.simd import (
    BOOL,
    BYTE,
    INDEX,
    INT32,
    Value,
    Vectors,
    cgutils,
    emit_over_vectors,
    host,
    intrinsic,
    lanes,
    offset,
    types,
)

PANEL_VECTORS = 2  # vectors of columns in one panel of a packed matrix
ROWS_PER_BASE = 3  # an x86 address reaches rows 0, 1 and 2 from one pointer
UNROLL = 2
STREAMED_ROWS = 8  # rows of B that `run_streamed_row` reads side by side
PREFETCH_STEPS = 16  # rows of B between what is read and what is asked for
# The same where B is copied: more lines a power of two apart push each other out of a cache's set.
COPIED_AHEAD = 6


class Form(NamedTuple):
    """Shape of a tile: rows, and vectors of columns in each of several neighbouring panels."""

    rows: int
    vectors: int
    panels: int


def tallest() -> int:
    """Rows of the tallest tile: what the registers hold beside a row of B and one value of A."""
    return 14 if host().registers == 32 else 6


def panels_at_once(rows: int) -> int:
    """Panels taken together: short tiles need several, or they wait for one sum after the other."""
    if host().registers == 32:
        return {1: 4, 2: 4, 3: 2, 4: 2}.get(rows, 1)
    return {1: 4, 2: 2}.get(rows, 1)


def _opaque(builder: Any, value: Value) -> Value:
    """The same value, whose origin the optimiser cannot see.

    Without it LLVM rewrites the row pointers as one long chain of additions, which take the
    execution ports that the fused multiply-adds need.
    """
    kind = ir.FunctionType(value.type, [value.type])
    return builder.asm(kind, "", "=r,0", [value], False)


def _prefetch(builder: Any, pointer: Value) -> None:
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    read, keep, data = INT32(0), INT32(3), INT32(1)
    builder.call(function, [pointer, read, keep, data])


@intrinsic
def ask_for(typing_context: Any, start: Any, stride: Any, rows: Any) -> Any:
    """Have the width of a panel brought to the nearest cache, of each of `rows` (at least 1) rows.

    Start and stride in bytes; what is not there to be read does no harm.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        start, stride, rows = values
        end = builder.add(start, builder.mul(stride, rows))
        before = builder.block
        body = builder.append_basic_block("lines")
        done = builder.append_basic_block("lines_done")
        builder.branch(body)
        builder.position_at_end(body)
        here = builder.phi(INDEX)
        here.add_incoming(start, before)
        for column in range(PANEL_VECTORS):
            place = builder.add(here, INDEX(column * (host().bits // 8)))
            _prefetch(builder, builder.inttoptr(place, BYTE.as_pointer()))
        following = builder.add(here, stride)
        here.add_incoming(following, body)
        builder.cbranch(builder.icmp_signed("!=", following, end), body, done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


def _internal_function(module: Any, kind: Any, name: str) -> Any:
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    return function


class _Loop(NamedTuple):
    """What a tile carries from one k to the next."""

    sums: list[Value]
    a: list[Value]
    b: Value


def _emit_steps(
    builder: Any, vectors: Vectors, form: Form, now: _Loop, strides: list[Value], unroll: int
) -> _Loop:
    """`unroll` steps of k: a vector of B for each column, a broadcast of A for each row."""
    a_row, a_double, b_step, b_panel, ahead = strides
    width = vectors.count * vectors.itemsize
    columns = form.vectors * form.panels
    sums = list(now.sums)
    b_now = now.b
    for step in range(unroll):
        b_vectors = []
        for panel in range(form.panels):
            start = offset(builder, b_now, builder.mul(b_panel, INDEX(panel))) if panel else b_now
            for column in range(form.vectors):
                address = offset(builder, start, INDEX(column * width))
                b_vectors.append(vectors.load(address))
                _prefetch(builder, offset(builder, address, ahead))
        for row in range(form.rows):
            base = offset(builder, now.a[row // ROWS_PER_BASE], INDEX(step * vectors.itemsize))
            place = row % ROWS_PER_BASE
            address = offset(builder, base, (a_row, a_double)[place - 1]) if place else base
            scalar = builder.load(builder.bitcast(address, vectors.scalar.as_pointer()))
            value = vectors.broadcast(scalar)
            for column in range(columns):
                index = row * columns + column
                sums[index] = vectors.fma(value, b_vectors[column], sums[index])
        b_now = offset(builder, b_now, b_step)
    a_now = [offset(builder, base, INDEX(unroll * vectors.itemsize)) for base in now.a]
    return _Loop(sums, a_now, b_now)


def _emit_loop(
    builder: Any,
    vectors: Vectors,
    form: Form,
    start: _Loop,
    strides: list[Value],
    unroll: int,
    count: Value,
) -> _Loop:
    """`count` times `unroll` steps of k; the builder is left after the loop."""
    before = builder.block
    body = builder.append_basic_block("steps")
    done = builder.append_basic_block("steps_done")
    builder.cbranch(builder.icmp_signed(">", count, INDEX(0)), body, done)
    builder.position_at_end(body)

    def carried(values: list[Value]) -> list[Value]:
        phis = []
        for value in values:
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            phis.append(phi)
        return phis

    first = [*start.sums, *start.a, start.b, count]
    phis = carried(first)
    number = len(start.sums)
    now = _Loop(phis[:number], phis[number:-2], phis[-2])
    after = _emit_steps(builder, vectors, form, now, strides, unroll)
    left = builder.sub(phis[-1], INDEX(1))
    last = [*after.sums, *after.a, after.b, left]
    for phi, value in zip(phis, last, strict=True):
        phi.add_incoming(value, body)
    builder.cbranch(builder.icmp_signed(">", left, INDEX(0)), body, done)

    builder.position_at_end(done)
    results = carried(first)
    for phi, value in zip(results, last, strict=True):
        phi.add_incoming(value, body)
    return _Loop(results[:number], results[number:-2], results[-2])


def _tile_function(module: Any, real: str, form: Form) -> Any:
    """Emit (once per module) the function that computes one tile of the given form."""
    name = f"tile_{real}_{form.rows}x{form.vectors}x{form.panels}"
    if name in module.globals:
        return module.globals[name]
    pointer = BYTE.as_pointer()
    kind = ir.FunctionType(
        ir.VoidType(), [INDEX, pointer, INDEX, pointer, INDEX, INDEX, pointer, INDEX, BOOL]
    )
    function = _internal_function(module, kind, name)
    depth, a, a_row, b, b_step, b_panel, c, c_row, accumulate = function.args
    entry = function.append_basic_block("entry")
    reload = function.append_basic_block("reload")
    head = function.append_basic_block("head")
    builder = ir.IRBuilder(entry)
    vectors = Vectors(builder, real, lanes(real))
    width = vectors.count * vectors.itemsize
    columns = form.vectors * form.panels
    targets = [
        offset(builder, offset(builder, c, builder.mul(c_row, INDEX(row))), INDEX(column * width))
        for row in range(form.rows)
        for column in range(columns)
    ]
    bases = [
        _opaque(builder, offset(builder, a, builder.mul(a_row, INDEX(row))))
        for row in range(0, form.rows, ROWS_PER_BASE)
    ]
    strides = [
        _opaque(builder, a_row),
        _opaque(builder, builder.mul(a_row, INDEX(2))),
        b_step,
        b_panel,
        _opaque(builder, builder.mul(b_step, INDEX(PREFETCH_STEPS))),
    ]
    builder.cbranch(accumulate, reload, head)

    builder.position_at_end(reload)
    loaded = [vectors.load(target) for target in targets]
    builder.branch(head)

    builder.position_at_end(head)
    sums = []
    for value in loaded:
        phi = builder.phi(vectors.type)
        phi.add_incoming(vectors.constant(0.0), entry)
        phi.add_incoming(value, reload)
        sums.append(phi)
    rounds = builder.sdiv(depth, INDEX(UNROLL))
    rest = builder.sub(depth, builder.mul(rounds, INDEX(UNROLL)))
    state = _Loop(sums, bases, b)
    state = _emit_loop(builder, vectors, form, state, strides, UNROLL, rounds)
    state = _emit_loop(builder, vectors, form, state, strides, 1, rest)
    for value, target in zip(state.sums, targets, strict=True):
        vectors.store(value, target)
    builder.ret_void()
    return function


@intrinsic
def run_tile(
    typing_context: Any,
    rows: Any,
    narrow: Any,
    several: Any,
    depth: Any,
    a: Any,
    a_row: Any,
    b: Any,
    b_step: Any,
    b_panel: Any,
    c: Any,
    c_row: Any,
    accumulate: Any,
) -> Any:
    """Compute one tile: C[rows, columns] (+)= A[rows, K] · B[K, columns].

    `rows` is at most `tallest()`. `narrow` asks for one vector of columns, not a panel's two;
    `several` for `panels_at_once(rows)` neighbouring panels, `b_panel` bytes apart in B.
    a, b and c are pointers to the element type; strides are in bytes. A's elements are
    consecutive along K.
    """
    real = str(a.dtype)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        row_count, is_narrow, is_several = values[:3]
        rest = list(values[3:])
        for position in (1, 3, 6):
            rest[position] = builder.bitcast(rest[position], BYTE.as_pointer())
        after = builder.append_basic_block("after_tile")
        nowhere = builder.append_basic_block("no_tile")
        choice = builder.add(
            builder.shl(row_count, INDEX(2)),
            builder.or_(
                builder.zext(is_narrow, INDEX),
                builder.shl(builder.zext(is_several, INDEX), INDEX(1)),
            ),
        )
        switch = builder.switch(choice, nowhere)
        for height in range(1, tallest() + 1):
            forms = {0: Form(height, PANEL_VECTORS, 1), 1: Form(height, 1, 1)}
            if panels_at_once(height) > 1:
                forms[2] = Form(height, PANEL_VECTORS, panels_at_once(height))
            for flags, form in forms.items():
                block = builder.append_basic_block("tile")
                switch.add_case(INDEX(4 * height + flags), block)
                builder.position_at_end(block)
                builder.call(_tile_function(builder.module, real, form), rest)
                builder.branch(after)
        builder.position_at_end(nowhere)
        builder.branch(after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    flag = types.boolean
    number = types.intp
    signature = types.void(
        number, flag, flag, number, a, number, b, number, number, c, number, flag
    )
    return signature, generate


def _strip_function(module: Any, real: str) -> Any:
    """Emit the function behind `transpose_strip`."""
    name = f"strip_{real}"
    if name in module.globals:
        return module.globals[name]
    pointer = BYTE.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, INDEX, INDEX, pointer, INDEX])
    function = _internal_function(module, kind, name)
    source, source_row, count, target, target_row = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    itemsize = 4 if real == "float32" else 8
    chunk = 16 // itemsize
    rows = _Multiples(builder, source_row, block_bits() // (8 * itemsize))
    lines = _Multiples(builder, target_row, chunk)
    step = builder.mul(target_row, INDEX(chunk))
    before = builder.block
    body = builder.append_basic_block("blocks")
    done = builder.append_basic_block("blocks_done")
    builder.cbranch(builder.icmp_signed(">", count, INDEX(0)), body, done)
    builder.position_at_end(body)
    phis = []
    for value in (count, source, target):
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        phis.append(phi)
    left, here, there = phis
    vectors, columns = emit_transpose(builder, real, here, rows)
    for index, column in enumerate(columns):
        vectors.store(column, lines.reach(there, index))
    remaining = builder.sub(left, INDEX(1))
    left.add_incoming(remaining, body)
    here.add_incoming(offset(builder, here, INDEX(16)), body)
    there.add_incoming(offset(builder, there, step), body)
    builder.cbranch(builder.icmp_signed(">", remaining, INDEX(0)), body, done)
    builder.position_at_end(done)
    builder.ret_void()
    return function


@intrinsic
def transpose_strip(
    typing_context: Any, source: Any, source_row: Any, blocks: Any, target: Any, target_row: Any
) -> Any:
    """Transpose a strip of rows in registers: target[k, j] = source[j, k].

    j runs over `block_bits()` bits' worth of rows, `source_row` bytes apart; k over `blocks` times
    16 bytes of consecutive elements in each. Rows of the target are `target_row` bytes apart.
    """
    real = str(source.dtype)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        arguments = list(values)
        for position in (0, 3):
            arguments[position] = builder.bitcast(arguments[position], BYTE.as_pointer())
        builder.call(_strip_function(builder.module, real), arguments)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp), generate


def block_bits() -> int:
    """Vector bits of the in-register transpose: 256 shuffle on more ports than 512 do."""
    return min(host().bits, 256)


class _Multiples:
    """Multiples of a stride within reach of x86 addressing: odd ones are kept in registers."""

    def __init__(self, builder: Any, stride: Value, count: int) -> None:
        self._builder = builder
        self._odd = {
            number: _opaque(builder, builder.mul(stride, INDEX(number)))
            for number in range(1, count, 2)
        }

    def reach(self, pointer: Value, number: int) -> Value:
        """`pointer` and `number` strides more."""
        if number == 0:
            return pointer
        doublings = (number & -number).bit_length() - 1
        odd = self._odd[number >> doublings]
        return offset(self._builder, pointer, self._builder.shl(odd, INDEX(doublings)))


def emit_transpose(
    builder: Any, real: str, start: Value, rows: _Multiples
) -> tuple[Vectors, list[Value]]:
    """Load a block of rows and return its columns, one vector for each k.

    Each 128-bit quarter or half of a register is loaded from its own row, so that only shuffles
    within 128 bits remain: two for each vector of float32, one for float64.
    """
    itemsize = 4 if real == "float32" else 8
    chunk = 16 // itemsize
    count = block_bits() // (8 * itemsize)
    vectors = Vectors(builder, real, count)
    small = Vectors(builder, real, chunk)
    pieces = [small.load(rows.reach(start, row)) for row in range(count)]
    joined = []
    for first in range(chunk):
        parts = pieces[first::chunk]
        while len(parts) > 1:
            length = parts[0].type.count
            order = ir.Constant(ir.VectorType(INT32, 2 * length), list(range(2 * length)))
            parts = [
                builder.shuffle_vector(parts[i], parts[i + 1], order)
                for i in range(0, len(parts), 2)
            ]
        joined.append(parts[0])

    def shuffle(left: Value, right: Value, picks: list[int]) -> Value:
        order = []
        for group in range(count // chunk):
            for pick in picks:
                source = pick if pick < chunk else pick - chunk + count
                order.append(group * chunk + source)
        return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(INT32, count), order))

    if chunk == 2:
        return vectors, [
            shuffle(joined[0], joined[1], [0, 2]),
            shuffle(joined[0], joined[1], [1, 3]),
        ]
    low01 = shuffle(joined[0], joined[1], [0, 4, 1, 5])
    high01 = shuffle(joined[0], joined[1], [2, 6, 3, 7])
    low23 = shuffle(joined[2], joined[3], [0, 4, 1, 5])
    high23 = shuffle(joined[2], joined[3], [2, 6, 3, 7])
    return vectors, [
        shuffle(low01, low23, [0, 1, 4, 5]),
        shuffle(low01, low23, [2, 3, 6, 7]),
        shuffle(high01, high23, [0, 1, 4, 5]),
        shuffle(high01, high23, [2, 3, 6, 7]),
    ]


def dots_at_once(real: str) -> int:
    """Columns that `run_dots` takes together.

    Enough to hide the latency of the sums; more would be lines a power of two apart that push each
    other out of a set of the first cache.
    """
    return min(8, lanes(real))


def _dots_function(module: Any, real: str, columns: int) -> Any:
    """Emit the function behind `run_dots`."""
    name = f"dots_{real}_{columns}"
    if name in module.globals:
        return module.globals[name]
    kind = ir.FunctionType(ir.VoidType(), [INDEX, INDEX, INDEX, INDEX, INDEX, BOOL])
    function = _internal_function(module, kind, name)
    depth, a, b, b_column, c, goes_on = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    vectors = Vectors(builder, real, lanes(real))
    sums = [cgutils.alloca_once_value(builder, vectors.constant(0.0)) for _ in range(columns)]
    starts = [builder.add(b, builder.mul(b_column, INDEX(j))) for j in range(columns)]

    def step(wide: Vectors, address: Value, mask: Value | None) -> None:
        values = wide.read(address, mask)
        place = builder.sub(address, a)
        for total, start in zip(sums, starts, strict=True):
            column = wide.read(builder.add(start, place), mask)
            builder.store(wide.fma(values, column, builder.load(total)), total)

    emit_over_vectors(builder, real, 1, a, depth, step)
    totals = [builder.load(total) for total in sums]
    if columns == 1:
        result = vectors.fold(vectors.add, totals[0])
    else:
        result = vectors.fold_all(vectors.add, totals)
    target = Vectors(builder, real, columns)
    with builder.if_else(goes_on) as (added, fresh):
        with added:
            target.write(target.add(target.read(c, None), result), c, None)
        with fresh:
            target.write(result, c, None)
    builder.ret_void()
    return function


@intrinsic
def run_dots(
    typing_context: Any,
    single: Any,
    depth: Any,
    a: Any,
    b: Any,
    b_column: Any,
    c: Any,
    goes_on: Any,
    like: Any,
) -> Any:
    """One row of C = A · B, or C + A · B, for a B whose unit stride runs along K.

    Takes `dots_at_once` columns, or one if `single`. Lane l of a vector adds up
    k = l, l + lanes, …, and the lanes are added by halves: the same for either number of columns.
    Addresses and the stride are in bytes; `like` is any number of the element type.
    """
    real = str(like)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        is_single, *rest = values
        with builder.if_else(is_single) as (one, several):
            with one:
                builder.call(_dots_function(builder.module, real, 1), rest[:-1])
            with several:
                builder.call(_dots_function(builder.module, real, dots_at_once(real)), rest[:-1])
        return context.get_dummy_value()

    words = [types.intp] * 5
    return types.void(types.boolean, *words, types.boolean, like), generate


@intrinsic
def run_streamed_row(
    typing_context: Any, depth: Any, a: Any, b: Any, b_step: Any, columns: Any, c: Any
) -> Any:
    """One row of C = A · B for a row-major B, reading its rows from end to end.

    A few rows at a time are multiplied into C, which stays in the first cache; so memory is read in
    the order in which it lies. C must hold zeros; each element's chain is that of a tile.
    Strides and addresses are in bytes; A's elements are consecutive.
    """
    real = str(a.dtype)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        function = _streamed_row_function(builder.module, real)
        builder.call(function, [values[0], *values[1:]])
        return context.get_dummy_value()

    return types.void(types.intp, a, types.intp, types.intp, types.intp, types.intp), generate


def _streamed_row_function(module: Any, real: str) -> Any:
    name = f"streamed_row_{real}"
    if name in module.globals:
        return module.globals[name]
    scalar = ir.FloatType() if real == "float32" else ir.DoubleType()
    kind = ir.FunctionType(ir.VoidType(), [INDEX, scalar.as_pointer(), INDEX, INDEX, INDEX, INDEX])
    function = _internal_function(module, kind, name)
    depth, a, b, b_step, columns, c = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    vectors = Vectors(builder, real, lanes(real))
    first = INDEX(0)
    for rows in (STREAMED_ROWS, 1):
        rest = builder.srem(builder.sub(depth, first), INDEX(rows))
        end = builder.sub(depth, rest)
        before = builder.block
        body = builder.append_basic_block("rows")
        done = builder.append_basic_block("rows_done")
        builder.cbranch(builder.icmp_signed("<", first, end), body, done)
        builder.position_at_end(body)
        k = builder.phi(INDEX)
        k.add_incoming(first, before)
        factors = [
            vectors.broadcast(builder.load(builder.gep(a, [builder.add(k, INDEX(row))])))
            for row in range(rows)
        ]
        starts = [
            builder.add(b, builder.mul(builder.add(k, INDEX(row)), b_step)) for row in range(rows)
        ]

        def step(
            wide: Vectors,
            address: Value,
            mask: Value | None,
            factors: Any = factors,
            starts: Any = starts,
        ) -> None:
            place = builder.sub(address, c)
            total = wide.read(address, mask)
            for factor, start in zip(factors, starts, strict=True):
                total = wide.fma(factor, wide.read(builder.add(start, place), mask), total)
            wide.write(total, address, mask)

        emit_over_vectors(builder, real, 1, c, columns, step)
        following = builder.add(k, INDEX(rows))
        k.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, end), body, done)
        builder.position_at_end(done)
        first = end
    builder.ret_void()
    return function


@intrinsic
def copy_lines(
    typing_context: Any,
    panels: Any,
    count: Any,
    source: Any,
    source_step: Any,
    target: Any,
    apart: Any,
    like: Any,
) -> Any:
    """Copy from each of `count` rows the full width of `panels` (a literal) panels.

    Each panel's lines go to consecutive memory, the panels `apart` bytes apart. Addresses and
    strides in bytes; `like` is a value of the element type.
    """
    if not isinstance(panels, types.IntegerLiteral):
        return None
    together = panels.literal_value
    real = str(like)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        _, number, start, stride, destination, apart, _ = values
        vectors = Vectors(builder, real, lanes(real))
        width = vectors.count * vectors.itemsize
        before = builder.block
        body = builder.append_basic_block("lines")
        done = builder.append_basic_block("lines_done")
        builder.cbranch(builder.icmp_signed(">", number, INDEX(0)), body, done)
        builder.position_at_end(body)
        phis = []
        for value in (number, start, destination):
            phi = builder.phi(INDEX)
            phi.add_incoming(value, before)
            phis.append(phi)
        left, here, there = phis
        ahead = builder.add(here, builder.mul(stride, INDEX(COPIED_AHEAD)))
        for panel in range(together):
            target = builder.add(there, builder.mul(apart, INDEX(panel)))
            for column in range(PANEL_VECTORS):
                place = INDEX((panel * PANEL_VECTORS + column) * width)
                line = builder.inttoptr(builder.add(ahead, place), BYTE.as_pointer())
                _prefetch(builder, line)
                value = vectors.read(builder.add(here, place), None)
                vectors.write(value, builder.add(target, INDEX(column * width)), None)
        remaining = builder.sub(left, INDEX(1))
        left.add_incoming(remaining, body)
        here.add_incoming(builder.add(here, stride), body)
        there.add_incoming(builder.add(there, INDEX(PANEL_VECTORS * width)), body)
        builder.cbranch(builder.icmp_signed(">", remaining, INDEX(0)), body, done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(panels, *[types.intp] * 5, like), generate
