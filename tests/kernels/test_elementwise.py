"""exp, tanh, sigmoid, erf, softmax and log-softmax against their plain statements."""

import functools
import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_rnn import kernels
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.kernels import activations
from tinygrad_rnn.kernels.ufuncs import elementwise

DTYPES = [np.float32, np.float64]
ULPS = 4
LARGEST = {np.float32: 120.0, np.float64: 800.0}


@pytest.fixture(autouse=True)
def _quiet():
    """Small arrays go through NumPy ufuncs, whose warnings are the caller's business."""
    with np.errstate(all="ignore"):
        yield


def exact_sigmoid(x):
    decay = np.exp(-np.abs(x))
    return np.where(x < 0, decay, 1) / (1 + decay)


def exact_erf(x):
    if x.dtype == np.float32:
        return np.array([math.erf(value) for value in x.astype(np.float64)], np.longdouble)
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(30):
        parts = [mpmath.erf(mpmath.mpf(float(value))) for value in x]
        high = np.array([float(part) for part in parts], np.longdouble)
        low = [float(part - mpmath.mpf(float(part))) for part in parts]
    return high + np.array(low, np.longdouble)


EXACT = {
    "exp": lambda x: np.exp(x.astype(np.longdouble)),
    "tanh": lambda x: np.tanh(x.astype(np.longdouble)),
    "sigmoid": lambda x: exact_sigmoid(x.astype(np.longdouble)),
    "erf": exact_erf,
}
SPECIAL = {
    "exp": {0.0: 1.0, np.inf: np.inf, -np.inf: 0.0, 1e4: np.inf, -1e4: 0.0},
    "tanh": {np.inf: 1.0, -np.inf: -1.0, 30.0: 1.0, -30.0: -1.0, 1e30: 1.0},
    "sigmoid": {0.0: 0.5, np.inf: 1.0, -np.inf: 0.0, 1e30: 1.0, -1e30: 0.0},
    "erf": {np.inf: 1.0, -np.inf: -1.0, 30.0: 1.0, -30.0: -1.0, 1e30: 1.0},
}


def ulps(result, exact, dtype):
    """Distance in units in the last place of the exact value, denormal ones included."""
    info = np.finfo(dtype)
    size = np.maximum(np.abs(exact), np.longdouble(info.tiny)).astype(dtype)
    return np.abs(result.astype(np.longdouble) - exact) / np.spacing(size).astype(np.longdouble)


def samples(dtype, number):
    """Every exponent densely, both signs, and more where the functions bend."""
    generator = np.random.default_rng(0)
    info = np.finfo(dtype)
    exponents = np.arange(info.minexp - info.nmant, 11)
    magnitudes = np.ldexp(generator.uniform(1, 2, (number, exponents.size)), exponents).ravel()
    magnitudes = magnitudes[magnitudes < LARGEST[dtype]]
    parts = [magnitudes, -magnitudes, generator.uniform(-20, 20, 100 * number)]
    parts.append(generator.uniform(-LARGEST[dtype], LARGEST[dtype], 100 * number))
    return np.concatenate(parts).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_within_four_units_in_the_last_place(name, dtype):
    """Wrong if a polynomial, a reduction or a scaling loses digits anywhere in its range."""
    x = samples(dtype, 500 if dtype == np.float32 and name != "erf" else 20)
    result = getattr(kernels, name)(x)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x)
        rounded = exact.astype(dtype)
        distance = ulps(result, exact, dtype)
    np.testing.assert_array_equal(np.isinf(result), np.isinf(rounded))
    distance[np.isinf(rounded)] = 0
    worst = np.argmax(distance)
    assert distance[worst] <= ULPS, (x[worst], result[worst], exact[worst])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXACT)
def test_ends_and_nan(name, dtype):
    """Wrong if saturation were inexact or NaN became a number."""
    function = getattr(kernels, name)
    for x, expected in SPECIAL[name].items():
        assert function(np.array([x], dtype))[0] == expected
    assert np.isnan(function(np.array([1, np.nan, 2], dtype))).tolist() == [False, True, False]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_odd_functions_are_odd_to_the_bit(name, dtype):
    """Wrong if −0.0 lost its sign or f(−x) differed from −f(x)."""
    function = getattr(kernels, name)
    x = np.concatenate([[0.0], samples(dtype, 5)]).astype(dtype)
    integers = np.dtype(f"i{x.itemsize}")
    np.testing.assert_array_equal(function(-x).view(integers), (-function(x)).view(integers))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(EXACT)),
    dtype=st.sampled_from(DTYPES),
    length=st.integers(1, 100),
    data=st.data(),
)
def test_a_result_depends_on_its_element_alone(name, dtype, length, data):
    """Wrong if the last incomplete vector were computed in another way than whole ones."""
    function = getattr(kernels, name)
    x = np.random.default_rng(length).uniform(-9, 9, length).astype(dtype)
    whole = function(x)
    start = data.draw(st.integers(0, length - 1))
    np.testing.assert_array_equal(function(x[start:]), whole[start:])
    np.testing.assert_array_equal(function(x[start : start + 1]), whole[start : start + 1])


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_shape_and_stride(name, dtype):
    """Wrong if strided, read-only, empty or 0-d arrays came out in another shape or type."""
    function = getattr(kernels, name)
    block = np.random.default_rng(0).standard_normal((4, 5, 6)).astype(dtype)
    read_only = block.copy()
    read_only.flags.writeable = False
    arrays = [
        block,
        block.T,
        block[::-1, ::2, 1:-1],
        np.broadcast_to(block[:1], (3, 5, 6)),
        np.array(0.5, dtype),
        np.empty((0, 3), dtype),
        np.asfortranarray(block[0]),
        read_only,
    ]
    for x in arrays:
        before = x.copy()
        result = function(x)
        assert result.shape == x.shape
        assert result.dtype == dtype
        assert not np.shares_memory(result, x)
        expected = EXACT[name](np.ravel(x)).reshape(x.shape)
        np.testing.assert_allclose(result, expected.astype(dtype), rtol=1e-6)
        np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_far_apart_give_the_bits_of_neighbours(name, dtype):
    """Wrong if what is gathered from a stride were taken, or put, to a wrong place."""
    function = getattr(kernels, name)
    block = np.random.default_rng(0).standard_normal((1000, 3)).astype(dtype)
    np.testing.assert_array_equal(function(block[::2, 1]), function(block[::2, 1].copy()))
    np.testing.assert_array_equal(function(block[::-1]), function(block[::-1].copy()))


def test_float64_first_does_not_make_float32_wider():
    """Wrong if a function used on float64 at first took float32 for it from then on."""
    function = elementwise("tanh", "", functools.partial(activations.map_task, "tanh"))
    x = np.random.default_rng(0).standard_normal(9)
    np.testing.assert_array_equal(function(x), kernels.tanh(x))
    narrow = function(x.astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_array_equal(narrow, kernels.tanh(x.astype(np.float32)))


@pytest.mark.parametrize("name", EXACT)
def test_other_types_are_refused_or_converted_without_loss(name):
    """Wrong if the bits of other numbers were taken for floats."""
    function = getattr(kernels, name)
    np.testing.assert_array_equal(function(np.arange(3)), function(np.arange(3.0)))
    with pytest.raises(TypeError):
        function(np.ones(3, np.complex64))
    assert function(np.ones(3, np.float32)).dtype == np.float32


@pytest.mark.parametrize("name", EXACT)
def test_thread_count_never_changes_a_bit(name):
    """Wrong if the place where the array is divided showed in the result."""
    x = np.random.default_rng(0).standard_normal(200_003).astype(np.float32)
    function = getattr(kernels, name)
    before = kernels.get_num_threads()
    try:
        kernels.set_num_threads(1)
        one = function(x)
        kernels.set_num_threads(2)
        two = function(x)
    finally:
        kernels.set_num_threads(before)
    np.testing.assert_array_equal(one, two)


def test_scalar_functions_of_compiled_code_give_the_same_bits():
    """Wrong if generated code that calls `tanh_of` could differ from the array function."""
    tanh_of, sigmoid_of = activations.tanh_of, activations.sigmoid_of

    @numba.njit
    def loop(x, out):
        for index in range(x.size):
            out[index] = tanh_of(x[index]) + sigmoid_of(x[index])

    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    out = np.empty_like(x)
    loop(x, out)
    np.testing.assert_array_equal(out, kernels.tanh(x) + kernels.sigmoid(x))


def stated_softmax(x, axis):
    x = x.astype(np.longdouble)
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def stated_log_softmax(x, axis):
    x = x.astype(np.longdouble)
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


@settings(max_examples=80, deadline=None)
@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    dtype=st.sampled_from(DTYPES),
    scale=st.sampled_from([1.0, 50.0, 1e30]),
    transposed=st.booleans(),
    data=st.data(),
)
def test_softmax_of_finite_numbers(shape, dtype, scale, transposed, data):
    """Wrong if a large number overflowed, or another axis or stride were summed."""
    x = (np.random.default_rng(0).standard_normal(shape) * scale).astype(dtype)
    x = x.T if transposed else x
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    eps = 16 * np.finfo(dtype).eps
    result = kernels.softmax(x, axis)
    np.testing.assert_allclose(result, stated_softmax(x, axis), rtol=eps * 4, atol=eps)
    assert result.shape == x.shape
    assert result.flags.c_contiguous
    result = kernels.log_softmax(x, axis)
    np.testing.assert_allclose(result, stated_log_softmax(x, axis), rtol=eps * 4, atol=eps * scale)


@pytest.mark.parametrize("function", [kernels.softmax, kernels.log_softmax])
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_of_what_is_not_finite(function, dtype):
    """Wrong if NaN, +∞ or a row of −∞ gave anything but NaN, or touched another row."""
    for row in ([np.nan, 1, 2], [np.inf, 1, 2], [-np.inf] * 3):
        result = function(np.array([row, [1, 2, 3]], dtype), 1)
        assert np.isnan(result).tolist() == [[True] * 3, [False] * 3]
    result = function(np.array([-np.inf, 0, 0], dtype), 0)
    assert result[0] == (0 if function is kernels.softmax else -np.inf)
    assert np.isfinite(result[1:]).all()


@pytest.mark.parametrize("function", [kernels.softmax, kernels.log_softmax])
def test_bits_of_a_softmax_row_depend_on_that_row(function):
    """Wrong if neighbours, threads or the axis's place changed a row."""
    x = np.random.default_rng(0).standard_normal((700, 65)).astype(np.float32)
    whole = function(x, 1)
    np.testing.assert_array_equal(function(x[3:4], -1), whole[3:4])
    np.testing.assert_array_equal(function(np.asfortranarray(x).T, 0), whole.T)
    before = kernels.get_num_threads()
    try:
        kernels.set_num_threads(1)
        np.testing.assert_array_equal(function(x, 1), whole)
    finally:
        kernels.set_num_threads(before)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), ()])
def test_softmax_of_nothing_and_of_one(shape):
    """Wrong if empty or 0-d arrays failed."""
    x = np.zeros(shape, np.float32)
    assert kernels.softmax(x, -1).shape == shape
    assert kernels.log_softmax(x, 0).shape == shape


def test_softmax_names_the_axes_that_exist():
    """Wrong if a wrong axis were taken for another."""
    with pytest.raises(ArgumentError, match="axis 2"):
        kernels.softmax(np.zeros((2, 3)), 2)
