"""Fused element-wise kernels against NumPy's functions: names, layouts, parts, instructions."""

import functools
import platform
import re

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_rnn.kernels.fused import (
    OPERAND_WORDS,
    SIZES,
    Constant,
    Expression,
    Operand,
    Step,
    fused_task,
    fused_words,
    supports,
)
from tinygrad_rnn.kernels.simd import host
from tinygrad_rnn.ops import elementwise
from tinygrad_rnn.ops.primitive import Primitive

IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
REALS = ("float32", "float64")
DTYPES = (*REALS, "int64", "int32", "bool")
PRIMITIVES = {p.name: p for p in vars(elementwise).values() if isinstance(p, Primitive)}
# Units in the last place by which a step may differ from NumPy; every other one has its bits.
ULPS = {"log": 2, "log1p": 2, "sin": 4, "cos": 4, "pow": 4, "softplus": 4}
TRUTHS = ("eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf")
UNARY = ("neg", "abs", "sign", "relu", "copy", "exp", "tanh", "sigmoid", "erf", "log", "log1p")
UNARY += ("sin", "cos", "softplus", "sqrt", "floor", "ceil", "round", "not", "isnan", "isinf")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "remainder", "pow", "and", "or", "xor")
BINARY += ("eq", "ne", "lt", "le", "gt", "ge", "tanh_slope", "sigmoid_slope")
ARGUMENTS = dict.fromkeys(UNARY, 1) | dict.fromkeys(BINARY, 2)


def larger(x, y):
    return np.where((x > y) | (x != x), x, y)


# Of 0 and −0 NumPy takes the one that suits the CPU; here it is always the second.
STATED = {
    "maximum": larger,
    "minimum": lambda x, y: np.where((x < y) | (x != x), x, y),
    "relu": lambda x: larger(x, np.zeros_like(x)),
}


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def numpy_of(name, *arguments):
    return np.asarray(STATED.get(name, PRIMITIVES[name].forward)(*arguments))


def run(expression, arrays, parts=1):
    """Run every part of the task on arrays of four axes, inputs and then outputs."""
    words = list(arrays[-1].shape)
    for array in arrays:
        words += [array.ctypes.data, *array.strides]
    assert len(words) == fused_words(expression) == SIZES + OPERAND_WORDS * len(arrays)
    words = np.array(words, np.int64)
    for part in range(parts):
        fused_task(expression).compiled(words.ctypes.data, part, parts)


def results_of(arrays, steps):
    """The results of several steps in one kernel; their arguments are arrays' places or constants.

    A step is a name, its arguments and perhaps a type, if it is not that of the arguments.
    """
    operands = tuple(Operand(x.dtype.name, "unit") for x in arrays)
    made = []
    for name, arguments, *given_type in steps:
        types = [a.dtype if isinstance(a, Constant) else operands[a].dtype for a in arguments]
        common = "bool" if name in TRUTHS else np.result_type(*types[name == "where" :]).name
        result = given_type[0] if given_type else common
        assert supports(name, types, result), (name, types, result)
        made.append(Step(name, tuple(arguments), result))
    outputs = tuple(
        (len(arrays) + place, Operand(step.dtype, "unit")) for place, step in enumerate(made)
    )
    results = [np.zeros(arrays[0].size, step.dtype) for step in made]
    expression = Expression(operands, tuple(made), outputs)
    run(expression, [x.reshape(1, 1, 1, -1) for x in (*arrays, *results)])
    return results


def assert_agree(result, expected, ulps=0, name=""):
    """The same bits but for NaN's and the stated distance."""
    assert result.dtype == expected.dtype, name
    if result.dtype.kind != "f":
        np.testing.assert_array_equal(result, expected, name)
        return
    result, expected = np.ascontiguousarray(result), np.ascontiguousarray(expected)
    bits = np.dtype(f"i{result.itemsize}")
    fine = (result.view(bits) == expected.view(bits)) | (np.isnan(result) & np.isnan(expected))
    if ulps:
        fine |= np.abs(result - expected) <= ulps * np.spacing(np.abs(expected))
    assert fine.all(), (name, result[~fine], expected[~fine])


def samples(dtype):
    """Pairs of numbers, among them every pair of special ones."""
    random = np.random.default_rng(0)
    if dtype == "bool":
        return random.random((2, 203)) < 0.5
    if dtype not in REALS:
        return random.integers(-6, 7, (2, 203)).astype(dtype)
    tiny = float(np.finfo(dtype).smallest_subnormal)
    special = [0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, 1.5, 2.5, -2.5, 3, 7 * tiny, -tiny]
    special += [1e-30, 1e30, -1e30, float(np.finfo(dtype).max), float(np.finfo(dtype).tiny)]
    number = len(special)
    pairs = [np.repeat(special, number), np.tile(special, number)]
    return np.concatenate([pairs, 5 * random.standard_normal((2, 501))], 1).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_are_numpys_functions(dtype):
    """Wrong if a step differed from NumPy in a number, an infinity, NaN or the sign of zero."""
    arrays = samples(dtype)
    steps = []
    for name, number in ARGUMENTS.items():
        if supports(name, [dtype] * number, "bool" if name in TRUTHS else dtype):
            steps.append((name, range(number)))
        else:
            assert dtype not in REALS or name in ("and", "or", "xor", "not")
    for (name, places), result in zip(steps, results_of(arrays, steps), strict=True):
        expected = numpy_of(name, *arrays[: len(places)])
        assert_agree(result, expected, ULPS.get(name, 0), name)


@pytest.mark.parametrize("dtype", REALS)
def test_logarithms_keep_their_digits(dtype):
    """Wrong if a polynomial or a sum of parts lost digits near 0, near 1 or at denormal numbers."""
    random = np.random.default_rng(0)
    info = np.finfo(dtype)
    exponents = np.arange(info.minexp - info.nmant, info.maxexp)
    magnitudes = np.ldexp(random.uniform(1, 2, (100, exponents.size)), exponents).ravel()
    near = random.choice([-1, 1], 10_000) * 10.0 ** random.uniform(-17, 0, 10_000)
    parts = [magnitudes, -magnitudes[magnitudes < 1], near, 1 + near, random.uniform(0, 9, 10_000)]
    x = np.concatenate(parts).astype(dtype)
    for name, result in zip(
        ("log", "log1p"), results_of([x], [("log", (0,)), ("log1p", (0,))]), strict=True
    ):
        exact = getattr(np, name)(x.astype(np.longdouble))
        size = np.maximum(np.abs(exact), np.longdouble(info.tiny)).astype(dtype)
        distance = np.abs(result.astype(np.longdouble) - exact) / np.spacing(size)
        finite = np.isfinite(exact)
        assert distance[finite].max() < 1.5, x[finite][np.argmax(distance[finite])]
        np.testing.assert_array_equal(result[~finite], exact[~finite].astype(dtype))


@pytest.mark.parametrize("dtype", REALS)
def test_powers_with_a_constant_exponent(dtype):
    """Wrong if a short form of a power differed at infinity, NaN or a zero."""
    x = samples(dtype)[0]
    exponents = (-2, -1, -0.5, 0, 0.5, 1, 1.7, 2, 3, np.inf, np.nan)
    steps = [("pow", (0, Constant(exponent, dtype))) for exponent in exponents]
    for exponent, result in zip(exponents, results_of([x], steps), strict=True):
        expected = np.power(x, np.full_like(x, exponent))
        # The square of a denormal number has few digits, and a cube is made of it.
        kept = np.abs(x) > 1e-10 if exponent == 3 else slice(None)
        assert_agree(result[kept], expected[kept], ULPS["pow"], exponent)


def test_constants_on_either_side():
    """Wrong if a constant's sign, infinity or NaN were lost, or the sides exchanged."""
    x = samples("float32")[0]
    names = ("maximum", "minimum", "sub", "div", "le", "remainder")
    cases = [(name, v) for name in names for v in (0.0, -0.0, 2.5, np.inf, np.nan)]
    steps = []
    for name, value in cases:
        constant = Constant(value, "float32")
        steps += [(name, (0, constant)), (name, (constant, 0))]
    results = iter(results_of([x], steps))
    for name, value in cases:
        y = np.full_like(x, value)
        assert_agree(next(results), numpy_of(name, x, y), name=name)
        assert_agree(next(results), numpy_of(name, y, x), name=name)


@pytest.mark.parametrize("source", DTYPES)
def test_casts(source):
    """Wrong if a conversion rounded, cut or signed otherwise than NumPy's."""
    x = samples(source)[0]
    small = x[np.abs(x) < 1e9] if source in REALS else x
    for numbers, targets in ((x, (*REALS, "bool")), (small, ("int64", "int32"))):
        results = results_of([numbers], [("cast", (0,), target) for target in targets])
        for target, result in zip(targets, results, strict=True):
            assert_agree(result, numbers.astype(target))


def test_large_integers_keep_their_digits():
    """Wrong if int64 went through a floating-point number or lost its upper half."""
    x = np.array([2**62 + 1, -(2**63), 2**53 + 1, 2**31, -1, 0], np.int64)
    steps = [("cast", (0,), target) for target in DTYPES]
    *casts, added, multiplied = results_of([x], [*steps, ("add", (0, 0)), ("mul", (0, 0))])
    for target, result in zip(DTYPES, casts, strict=True):
        assert_agree(result, x.astype(target))
    assert_agree(added, x + x)
    assert_agree(multiplied, x * x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_where(dtype):
    """Wrong if the choice were reversed, or a truth value other than 1 were false."""
    x, y = samples(dtype)
    condition = np.arange(x.size) % 3 == 0
    for truth in (1, 2):
        odd = (condition * np.uint8(truth)).view(bool)
        (result,) = results_of([odd, x, y], [("where", (0, 1, 2))])
        assert_agree(result, np.where(condition, x, y))


@pytest.mark.parametrize("dtypes", [("float32", "bool"), ("int64", "float32"), ("int32", "int64")])
def test_arguments_of_several_types(dtypes):
    """Wrong if arguments were not brought to NumPy's common type before they are compared."""
    x, y = (samples(dtype)[place][:200] for place, dtype in enumerate(dtypes))
    common = np.result_type(x, y)
    names = ("mul", "add", "lt", "eq", "maximum")
    results = results_of([x, y], [(name, (0, 1)) for name in names])
    for name, result in zip(names, results, strict=True):
        assert_agree(result, numpy_of(name, x.astype(common), y.astype(common)), name=name)


def test_what_is_not_supported():
    """Wrong if a caller were promised a step that NumPy defines otherwise, or that fails."""
    assert not supports("div", ["int64", "int64"], "float64")
    assert not supports("floor_divide", ["float32", "float32"], "float32")
    assert not supports("add", ["bool", "bool"], "bool")
    assert not supports("add", ["float32", "float32"], "float64")
    assert not supports("add", ["float32"], "float32")
    assert not supports("exp", ["float16"], "float16")
    assert not supports("where", ["float32", "float32", "float32"], "float32")


@functools.cache
def case_of(seed):
    """An expression that the seed decides, so that its code is compiled once and kept."""
    random = np.random.default_rng(seed)
    accesses = ("unit", "fixed", "scalar", "strided")
    dtypes = [str(random.choice(DTYPES)) for _ in range(random.integers(1, 4))]
    inputs = tuple(Operand(dtype, str(random.choice(accesses))) for dtype in dtypes)
    exact = [name for name in (*ARGUMENTS, "cast", "where") if name not in ULPS]
    steps = []
    wanted = random.integers(1, 9)
    while len(steps) < wanted:
        name = str(random.choice(exact))
        number = {"cast": 1, "where": 3}.get(name) or ARGUMENTS[name]
        arguments = [int(random.integers(len(dtypes))) for _ in range(number)]
        types = [dtypes[argument] for argument in arguments]
        if number > 1 and types[-1] in REALS and random.random() < 0.3:
            arguments[-1] = Constant(float(random.choice([-1.5, 0.0, 2.0])), types[-1])
        result = str(random.choice(DTYPES))
        # C leaves open what a number becomes that the integers do not hold.
        if name == "cast" and types[0] in REALS and result in ("int64", "int32"):
            continue
        if supports(name, types, result):
            steps.append(Step(name, tuple(arguments), result))
            dtypes.append(result)
    outputs = {len(dtypes) - 1, int(random.integers(len(dtypes)))}
    stored = tuple((n, Operand(dtypes[n], str(random.choice(accesses[::3])))) for n in outputs)
    return Expression(inputs, tuple(steps), stored)


def expected_of(expression, inputs):
    values = list(inputs)
    for step in expression.steps:
        arguments = [
            np.full(inputs[0].shape, argument.value, argument.dtype)
            if isinstance(argument, Constant)
            else values[argument]
            for argument in step.arguments
        ]
        if step.name == "cast":
            values.append(arguments[0].astype(step.dtype))
        else:
            if step.name in STATED:
                arguments = [argument.astype(step.dtype) for argument in arguments]
            values.append(numpy_of(step.name, *arguments))
    return [values[number] for number, _ in expression.outputs]


def room_for(operand, shape, random, layout):
    """An array of the operand's access, in a larger one of numbers that nobody may touch."""
    n0, n1, n2, inner = shape
    if operand.access == "scalar":
        numbers = np.zeros((1, 1, 1, 1))
    elif operand.access == "fixed":
        numbers = np.zeros((n0, n1, n2, 1))
    else:
        numbers = np.zeros((n0 + 1, n1 + 1, n2 + 1, 2 * inner + 1))
    numbers = random.standard_normal(numbers.shape) * 3
    whole = numbers > 0 if operand.dtype == "bool" else numbers.astype(operand.dtype)
    if operand.access in ("scalar", "fixed"):
        return whole, np.broadcast_to(whole, shape)
    if operand.access == "unit":
        part = whole[:n0, 1 : n1 + 1, ::-1][:, :, :n2, 1 : inner + 1]
        if layout:
            whole = np.ascontiguousarray(whole.transpose(2, 0, 1, 3))
            part = whole.transpose(1, 2, 0, 3)[1:, :n1, :n2, :inner]
        return whole, part
    part = whole[:n0, :n1, :n2, inner::-1][..., :inner] if layout else whole[..., 1::2]
    return whole, part[:n0, :n1, :n2]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 39),
    shape=st.tuples(*[st.integers(0, 3)] * 3, st.sampled_from([0, 1, 2, 5, 16, 31, 33, 70, 200])),
    parts=st.integers(1, 3),
    layouts=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_expressions_of_any_shape_layout_and_division(seed, shape, parts, layouts):
    """Wrong if a stride, a last vector, a part or a step took, left out or wrote another number."""
    expression = case_of(seed)
    random = np.random.default_rng(1)
    operands = [*expression.inputs, *(operand for _, operand in expression.outputs)]
    wholes, arrays = zip(
        *(
            room_for(operand, shape, random, layout)
            for operand, layout in zip(operands, layouts, strict=False)
        ),
        strict=True,
    )
    number = len(expression.inputs)
    expected = expected_of(expression, [array.copy() for array in arrays[:number]])
    before = [array.copy() for array in (*wholes, *arrays)]
    run(expression, arrays, parts)
    for array, value in zip(arrays[number:], expected, strict=True):
        assert_agree(array.copy(), np.broadcast_to(value, shape))
    for array, old in zip(arrays[number:], before[len(wholes) + number :], strict=True):
        array[...] = old
    for whole, old in zip(wholes, before, strict=False):
        assert whole.tobytes() == old.tobytes()


@pytest.mark.parametrize("access", ["unit", "strided"])
@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("columns", [1, 7, 64, 77])
def test_an_output_may_lie_on_an_input(columns, dtype, access):
    """Wrong if an element were stored before another of its vector was loaded."""
    operand = Operand(dtype, access)
    steps = (Step("sub", (0, 1), dtype), Step("mul", (2, 0), dtype))
    expression = Expression((operand, operand), steps, ((3, operand), (2, operand)))
    room = np.random.default_rng(0).standard_normal((2, 5, 2 * columns)).astype(dtype)
    room = room[..., ::2] if access == "strided" else room[..., :columns]
    x, y = room.copy()
    places = [room[number][None, None] for number in (0, 1, 0, 1)]
    run(expression, places, parts=2)
    assert_agree(room[0], (x - y) * x)
    assert_agree(room[1], x - y)


def test_no_input_at_all():
    """Wrong if an array could not be filled, or an output had to have its value's type."""
    step = Step("copy", (Constant(2.5, "float32"),), "float32")
    expression = Expression((), (step,), ((0, Operand("float64", "strided")),))
    room = np.zeros((1, 2, 3, 14))
    run(expression, [room[..., ::2]], parts=2)
    assert (room[..., ::2] == 2.5).all()
    assert not room[..., 1::2].any()


def test_equal_constants_of_other_bits_are_other_kernels():
    """Wrong if a kernel were found by equality, which 0.0 and −0.0 have."""
    x = np.array([1.0, -1.0], np.float32)
    for zero in (0.0, -0.0):
        (result,) = results_of([x], [("div", (0, Constant(zero, "float32")))])
        assert_agree(result, x / np.float32(zero))


def test_a_task_is_made_once():
    """Wrong if every compiled training step compiled its expressions anew."""
    assert fused_task(gates("float32")) is fused_task(gates("float32"))


def gates(dtype):
    """The element-wise part of an LSTM step: gates of two products, the cell, its output."""
    operand = Operand(dtype, "unit")
    sums = [("add", place, 4 + place) for place in range(4)]
    functions = [("sigmoid", 9), ("sigmoid", 10), ("tanh", 11), ("sigmoid", 12)]
    cell = [("mul", 14, 8), ("mul", 13, 15), ("add", 17, 18), ("tanh", 19), ("mul", 16, 20)]
    steps = tuple(
        Step(name, tuple(numbers), dtype) for name, *numbers in (*sums, *functions, *cell)
    )
    outputs = tuple((number, operand) for number in (13, 14, 15, 16, 19, 20, 21))
    return Expression((operand,) * 9, steps, outputs)


@pytest.mark.parametrize("dtype", REALS)
def test_the_cell_of_an_lstm(dtype):
    """Wrong if a long expression mixed up its values, or rows of wide arrays their strides."""
    expression = gates(dtype)
    random = np.random.default_rng(0)
    products = random.standard_normal((2, 1, 1, 5, 4 * 33)).astype(dtype)
    blocks = [product[..., 33 * k : 33 * k + 33] for product in products for k in range(4)]
    cell = random.standard_normal((1, 1, 5, 33)).astype(dtype)
    outputs = [np.empty_like(cell) for _ in range(7)]
    run(expression, [*blocks, cell, *outputs])
    for result, expected in zip(outputs, expected_of(expression, [*blocks, cell]), strict=True):
        assert_agree(result, expected)


def assembly_of(expression):
    """The machine code as text, compiled here: code from the cache shows none."""
    kernel = fused_task(expression)
    dispatcher = numba.njit(**kernel._options)(kernel._function)
    dispatcher.compile("void(intp, intp, intp)")
    (text,) = dispatcher.inspect_asm().values()
    return text[: text.index(".Lfunc_end0")]


@pytest.mark.skipif(not IS_X86 or host().bits < 256, reason="no wide vectors here")
@pytest.mark.parametrize("dtype", REALS)
def test_the_whole_vector_width_is_used(dtype):
    """Wrong if LLVM narrowed the vectors or called a library where there are instructions."""
    register = {512: "zmm", 256: "ymm"}[host().bits]
    suffix = {"float32": "ps", "float64": "pd"}[dtype]
    text = assembly_of(gates(dtype))
    for instruction in (f"vfmadd\\w+{suffix}", f"vdiv{suffix}", f"vmovup{suffix[1]}"):
        assert re.search(rf"{instruction}\s.*%{register}", text), instruction
    assert not re.search(r"call\w*\s+.*(exp|tanh|fma)f?\b", text)
    operand = Operand(dtype, "unit")
    names = ("floor", "ceil", "round", "sqrt", "relu", "sign", "abs")
    steps = tuple(Step(name, (place,), dtype) for place, name in enumerate(names))
    text = assembly_of(Expression((operand,), steps, ((len(steps), operand),)))
    assert re.search(rf"vsqrt{suffix}\s.*%{register}", text)
    assert not re.search(r"\scallq?\s", text)
