"""Reductions against NumPy: layouts, parts, accuracy, NaN, and axes without elements."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_rnn.kernels.reductions import WORDS, arg_task, reduce_task, reduces

REALS = ("float32", "float64")
KINDS = [(kind, real) for kind in ("sum", "sum_squares", "amax", "amin") for real in REALS]
KINDS += [("sum", "int64"), ("amax", "int64"), ("amin", "int64"), ("any", "bool"), ("all", "bool")]
SIDES = st.sampled_from([1, 2, 3, 5, 17, 70])
LAYOUTS = st.permutations(range(4))


def run(kernel, x, out, parts=1):
    """Run every part on a source of four axes, of which the first two are kept."""
    words = [*x.shape, x.ctypes.data, *x.strides, out.ctypes.data, *out.strides]
    assert len(words) == WORDS
    words = np.array(words, np.int64)
    for part in range(parts):
        kernel.compiled(words.ctypes.data, part, parts)


def stated(kind, x):
    with np.errstate(all="ignore"):
        if kind == "sum_squares":
            return (x.astype(np.longdouble) ** 2).sum((2, 3))
        if kind == "sum" and x.dtype.kind == "f":
            return x.astype(np.longdouble).sum((2, 3))
        return getattr(np, kind)(x, (2, 3))


def numbers(shape, dtype, order, stride):
    """Numbers whose axes lie in memory in some order, one after the other or not."""
    random = np.random.default_rng(0)
    sizes = [shape[axis] for axis in order]
    room = random.standard_normal((*sizes[:3], sizes[3] * stride)) * 9
    room = room > -9 if dtype == "bool" else room.astype(dtype)
    return room[..., ::stride].transpose(np.argsort(order))


def assert_near(result, expected, x):
    """The same, or for sums within rounding of the numbers added up."""
    if result.dtype.kind != "f":
        np.testing.assert_array_equal(result, expected)
        return
    scale = np.abs(x.astype(np.longdouble)).sum((2, 3)) + 1
    assert (np.abs(result - expected) <= 4 * np.finfo(x.dtype).eps * scale * scale).all()


@settings(max_examples=200, deadline=None)
@given(
    case=st.sampled_from(KINDS),
    shape=st.tuples(SIDES, SIDES, SIDES, SIDES).filter(lambda s: np.prod(s) <= 30_000),
    order=LAYOUTS,
    stride=st.integers(1, 2),
    transposed=st.booleans(),
    parts=st.integers(2, 3),
)
def test_reductions_of_any_layout(case, shape, order, stride, transposed, parts):
    """Wrong if an element were left out or counted twice, or parts changed the bits of a result."""
    kind, dtype = case
    x = numbers(shape, dtype, order, stride)
    room = np.zeros(shape[1::-1] if transposed else (shape[0], 2 * shape[1]), dtype)
    out = room.T if transposed else room[:, ::2]
    run(reduce_task(kind, dtype), x, out)
    assert_near(out, stated(kind, x), x)
    if not transposed:
        assert not room[:, 1::2].any()
    whole = out.copy()
    out[...] = 0
    run(reduce_task(kind, dtype), x, out, parts)
    np.testing.assert_array_equal(out, whole)
    again = np.zeros_like(whole)
    run(reduce_task(kind, dtype), x, again)
    np.testing.assert_array_equal(again, whole)


def test_what_is_reduced():
    """Wrong if a caller were promised a kernel that fails to compile."""
    assert all(reduces(kind, dtype) for kind, dtype in KINDS)
    assert reduces("argmax", "float32")
    assert not reduces("sum", "bool")
    assert not reduces("amax", "bool")
    assert not reduces("prod", "float32")


@pytest.mark.parametrize("shape", [(0, 3, 2, 2), (2, 0, 2, 2), (2, 20, 0, 3), (2, 20, 3, 0)])
@pytest.mark.parametrize(("kind", "dtype"), KINDS)
def test_reductions_without_elements(kind, dtype, shape):
    """Wrong if an axis without elements were divided by, or left a result unwritten."""
    out = np.ones(shape[:2], dtype)
    run(reduce_task(kind, dtype), np.zeros(shape, dtype), out, 2)
    starts = {"all": True, "amax": -np.inf, "amin": np.inf}
    if dtype == "int64":
        starts = {"amax": -(2**63), "amin": 2**63 - 1}
    assert (out == starts.get(kind, 0)).all()


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (1, 3, 0, 2)])
@pytest.mark.parametrize("kind", ["amax", "amin", "argmax", "argmin"])
def test_nan_is_the_extreme(kind, order, dtype):
    """Wrong if NaN were passed over in any lane, or the last incomplete vector's rest counted."""
    for place in (0, 1, 36, 37, 73):
        x = numbers((3, 19, 2, 37), dtype, order, 1)
        x = x + 100 * (-1 if kind.endswith("max") else 1)
        x[1, 5, place // 37, place % 37] = np.nan
        flat = x.reshape(3, 19, -1)
        expected = getattr(np, kind)(flat, -1)
        out = np.zeros((3, 19), expected.dtype)
        run((arg_task if kind.startswith("arg") else reduce_task)(kind, dtype), x, out, 2)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [*REALS, "int64"])
@pytest.mark.parametrize("kind", ["argmax", "argmin"])
def test_the_first_of_equals(kind, dtype):
    """Wrong if a later one of equal extremes were found, or places counted in another order."""
    x = np.random.default_rng(0).integers(0, 3, (4, 5, 3, 7)).astype(dtype)
    for source in (x, x.transpose(1, 0, 3, 2), x[:, :, ::-1, ::2]):
        expected = getattr(np, kind)(source.reshape(*source.shape[:2], -1), -1)
        for parts in (1, 3):
            out = np.full(expected.shape, -1)
            run(arg_task(kind, dtype), source, out, parts)
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (2, 1, 0, 3)])
def test_long_sums_keep_their_digits(order):
    """Wrong if a long sum of float32 were rounded at every addition."""
    x = np.full((1, 2, 3, 1_000_000), 0.1, np.float32)
    x = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
    out = np.zeros((1, 2), np.float32)
    run(reduce_task("sum", "float32"), x, out)
    exact = np.float64(np.float32(0.1)) * 3_000_000
    np.testing.assert_allclose(out, exact, rtol=2e-7)


def test_infinities_add_up():
    """Wrong if opposite infinities, or one and a number, were not what addition makes of them."""
    x = np.zeros((1, 3, 1, 50), np.float32)
    x[0, 0, 0, 7] = np.inf
    x[0, 1, 0, [3, 40]] = np.inf, -np.inf
    out = np.zeros((1, 3), np.float32)
    run(reduce_task("sum", "float32"), x, out)
    assert out[0, 0] == np.inf
    assert np.isnan(out[0, 1])
    assert out[0, 2] == 0
