"""matmul: the product, and the rule that a row's bits depend on nothing but that row."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinygrad_rnn import kernels
from tinygrad_rnn.errors import ShapeError
from tinygrad_rnn.kernels import gemm
from tinygrad_rnn.kernels.gemm import matmul_packed, pack
from tinygrad_rnn.kernels.simd import host, lanes

SIZES = st.one_of(st.integers(0, 9), st.sampled_from([15, 16, 17, 31, 32, 33, 64, 65, 127]))
DEPTHS = st.one_of(SIZES, st.sampled_from([255, 513, 600]))
DTYPES = st.sampled_from([np.float32, np.float64])
LAYOUTS = ("rows", "columns", "sliced", "reversed", "broadcast", "read-only")


def matrix(generator, rows, columns, dtype, layout):
    """A random matrix lying in memory in the way that `layout` names."""
    if layout == "columns":
        return generator.standard_normal((columns, rows)).astype(dtype).T
    if layout == "sliced":
        return generator.standard_normal((2 * rows, 3 * columns)).astype(dtype)[::2, ::3]
    if layout == "reversed":
        return generator.standard_normal((rows, columns)).astype(dtype)[::-1, ::-1]
    if layout == "broadcast":
        return np.broadcast_to(generator.standard_normal(columns).astype(dtype), (rows, columns))
    result = generator.standard_normal((rows, columns)).astype(dtype)
    result.flags.writeable = layout != "read-only"
    return result


def statement(a, b):
    """A·B, each product and sum in extended precision."""
    return np.matmul(a.astype(np.longdouble), b.astype(np.longdouble))


def assert_close(result, a, b):
    exact = statement(a, b)
    size = np.matmul(np.abs(a).astype(np.float64), np.abs(b).astype(np.float64))
    bound = (a.shape[-1] + 1) * np.finfo(a.dtype).eps * size
    assert result.shape == exact.shape
    assert result.dtype == a.dtype
    assert all(result[i].flags.c_contiguous for i in np.ndindex(result.shape[:-2]))
    assert np.all(np.abs(result - exact) <= bound)


@settings(max_examples=150, deadline=None)
@given(
    m=SIZES,
    k=DEPTHS,
    n=SIZES,
    dtype=DTYPES,
    a_layout=st.sampled_from(LAYOUTS),
    b_layout=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 99),
)
@example(m=0, k=3, n=4, dtype=np.float32, a_layout="rows", b_layout="rows", seed=0)
@example(m=3, k=0, n=4, dtype=np.float32, a_layout="rows", b_layout="columns", seed=0)
@example(m=1, k=0, n=4, dtype=np.float64, a_layout="rows", b_layout="columns", seed=0)
@example(m=1, k=0, n=40, dtype=np.float64, a_layout="rows", b_layout="rows", seed=0)
@example(m=3, k=4, n=0, dtype=np.float32, a_layout="columns", b_layout="rows", seed=0)
def test_product_of_any_matrices(m, k, n, dtype, a_layout, b_layout, seed):
    """Wrong if some shape or stride reads, adds up or writes the wrong elements."""
    generator = np.random.default_rng(seed)
    a = matrix(generator, m, k, dtype, a_layout)
    b = matrix(generator, k, n, dtype, b_layout)
    before = a.copy(), b.copy()
    result = kernels.matmul(a, b)
    assert_close(result, a, b)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])
    # The packed form holds the same numbers, so it must give the same bits.
    assert_same(matmul_packed(a, pack(b)), result, a, b)


@settings(max_examples=60, deadline=None)
@given(
    m=st.integers(2, 70),
    k=DEPTHS,
    n=st.integers(1, 140),
    dtype=DTYPES,
    a_layout=st.sampled_from(LAYOUTS),
    b_layout=st.sampled_from(LAYOUTS),
    data=st.data(),
)
def test_bits_of_a_row_do_not_depend_on_the_others(m, k, n, dtype, a_layout, b_layout, data):
    """Wrong if a sequence fed in chunks could differ from the same sequence fed at once."""
    generator = np.random.default_rng(m)
    a = matrix(generator, m, k, dtype, a_layout)
    b = matrix(generator, k, n, dtype, b_layout)
    whole = kernels.matmul(a, b)
    first = data.draw(st.integers(0, m - 1))
    last = data.draw(st.integers(first + 1, m))
    assert_same(kernels.matmul(a[first:last], b), whole[first:last], a, b)
    column = data.draw(st.integers(0, n - 1))
    assert_same(kernels.matmul(a, b[:, column:]), whole[:, column:], a, b)
    # Other strides, same numbers.
    copies = np.asfortranarray(a), np.ascontiguousarray(b.T).T
    assert_same(kernels.matmul(*copies), whole, a, b)


def assert_same(found, wanted, a, b):
    """Bit for bit; to rounding where one row meets a B whose unit stride runs along the depth."""
    if len(found) == 1 and b.strides[0] == b.itemsize:
        largest = np.abs(a).max(initial=0) * np.abs(b).max(initial=0)
        bound = 4 * len(b) * np.finfo(a.dtype).eps * largest
        np.testing.assert_allclose(found, wanted, rtol=0, atol=bound)
    else:
        np.testing.assert_array_equal(found, wanted)


@given(
    depth=st.integers(0, 200), columns=st.integers(1, 70), dtype=DTYPES, data=st.data()
)
def test_one_row_by_a_transposed_matrix_sums_by_lanes(depth, columns, dtype, data):
    """Wrong if the bits depended on neighbours, or a column fell out of its group."""
    generator = np.random.default_rng(depth)
    a = generator.standard_normal((1, depth)).astype(dtype)
    b = generator.standard_normal((columns, depth)).astype(dtype)
    found = kernels.matmul(a, b.T)
    assert_close(found, a, b.T)
    first = data.draw(st.integers(0, columns - 1))
    last = data.draw(st.integers(first + 1, columns))
    if depth * (last - first) <= gemm.TINY_PRODUCTS:
        return
    part = kernels.matmul(a, b[first:last].T)
    np.testing.assert_array_equal(part, found[:, first:last])
    if dtype == np.float32 and host().has_fma:
        width = lanes("float32")
        chains = [chain(a[0, lane::width], b[first, lane::width]) for lane in range(width)]
        while len(chains) > 1:
            half = len(chains) // 2
            chains = [low + high for low, high in zip(chains[:half], chains[half:], strict=True)]
        assert part[0, 0] == chains[0]


def chain(a, b):
    """One element as the rule states it: fused multiply-adds over k, in exact steps."""
    from fractions import Fraction

    total = np.float32(0)
    for x, y in zip(a, b, strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(total))
        total = nearest_float32(exact)
    return total


def nearest_float32(exact):
    """The float32 nearest to a fraction, ties to even, for normal numbers."""
    from fractions import Fraction

    guess = np.float32(float(exact))
    around = [
        np.nextafter(guess, np.float32(-np.inf)),
        guess,
        np.nextafter(guess, np.float32(np.inf)),
    ]
    even = [int(value.view(np.int32)) & 1 for value in around]
    distance = [abs(Fraction(float(value)) - exact) for value in around]
    return around[min(range(3), key=lambda index: (distance[index], even[index]))]


@pytest.mark.parametrize("m", [1, 2, 30])
def test_an_element_is_one_chain_of_fused_multiply_adds(m):
    """Wrong if an element were summed in parts, or products rounded before they are added."""
    if not host().has_fma:
        pytest.skip("this CPU has no fused multiply-add")
    generator = np.random.default_rng(0)
    a = generator.standard_normal((m, 37)).astype(np.float32)
    b = generator.standard_normal((37, 50)).astype(np.float32)
    for layout in (b, np.ascontiguousarray(b.T).T) if m > 1 else (b,):
        result = kernels.matmul(a, layout)
        for i, j in ((0, 0), (m - 1, 31), (m - 1, 49)):
            assert result[i, j] == chain(a[i], b[:, j])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (1, 700, 1000),
        (64, 300, 500),
        (1700, 128, 40),
        (10_000, 40, 21),
        (130, 1030, 65),
        (2, 530, 1000),
    ],
)
@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_thread_count_never_changes_a_bit(dtype, m, k, n, layout):
    """Wrong if results depended on the machine's number of CPUs."""
    assert m * k * n >= gemm.THREADED_PRODUCTS or k * n >= gemm.THREADED_MATRIX
    generator = np.random.default_rng(0)
    a = matrix(generator, m, k, dtype, "rows")
    b = matrix(generator, k, n, dtype, layout)
    before = kernels.get_num_threads()
    try:
        kernels.set_num_threads(1)
        one = kernels.matmul(a, b)
        kernels.set_num_threads(2)
        two = kernels.matmul(a, b)
    finally:
        kernels.set_num_threads(before)
    np.testing.assert_array_equal(one, two)
    assert_close(one, a, b)


@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [
        ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((3, 4), (2, 4, 5)),
        ((5, 1, 3, 4), (2, 4, 6)),
        ((0, 3, 4), (4, 5)),
        ((2, 0, 4), (2, 4, 5)),
        ((2, 3, 0), (2, 0, 5)),
        ((2, 2, 60, 70), (2, 1, 70, 80)),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_stacks_broadcast_as_in_numpy(a_shape, b_shape, swap):
    """Wrong if leading dimensions were paired, folded or strided in another way than NumPy's."""
    generator = np.random.default_rng(0)
    a = generator.standard_normal(a_shape)
    b = generator.standard_normal(b_shape)
    if swap:
        a = np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0)
        b = np.swapaxes(np.swapaxes(b, -1, -2).copy(), -1, -2)
    assert_close(kernels.matmul(a, b), a, b)


@given(
    length=st.integers(1, 5),
    batch=st.integers(1, 3),
    depth=st.integers(1, 70),
    columns=st.integers(1, 140),
    dtype=DTYPES,
    batch_first=st.booleans(),
)
def test_a_row_of_a_stack_has_the_bits_it_has_alone(
    length: int, batch: int, depth: int, columns: int, dtype: type, batch_first: bool
) -> None:
    """Wrong if a sequence fed step by step could differ from the same sequence fed at once."""
    generator = np.random.default_rng(depth)
    x = generator.standard_normal((length, batch, depth)).astype(dtype)
    if batch_first:
        x = generator.standard_normal((batch, length, depth)).astype(dtype).swapaxes(0, 1)
    w = generator.standard_normal((columns, depth)).astype(dtype)
    whole = kernels.matmul(x, w.T)
    assert_close(whole, x, w.T)
    for t in range(length):
        np.testing.assert_array_equal(kernels.matmul(x[t : t + 1], w.T), whole[t : t + 1])
        one = x[t : t + 1, :1]
        np.testing.assert_array_equal(kernels.matmul(one, w.T), whole[t : t + 1, :1])


@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [((2, 3), (4, 5)), ((2, 3, 4), (3, 4, 5)), ((3,), (3, 4)), ((2, 3), (3,))],
)
def test_shapes_that_do_not_fit(a_shape, b_shape):
    """Wrong if memory beyond an array could be read, or the error did not show both shapes."""
    with pytest.raises(ShapeError, match=rf"{a_shape[0]}.* by .*{b_shape[0]}"):
        kernels.matmul(np.zeros(a_shape), np.zeros(b_shape))


def test_nothing_hides_nan_and_infinity():
    """Wrong if zero padding or skipping let a NaN or an infinity leak or vanish."""
    a = np.zeros((3, 20), np.float32)
    b = np.ones((20, 40), np.float32)
    a[1, 5] = np.nan
    b[7, 33] = np.inf
    with np.errstate(invalid="ignore"):
        result = kernels.matmul(a, b)
    assert np.isnan(result[1]).all()
    assert np.isnan(result[:, 33]).all()
    assert not np.isnan(result[[0, 2]][:, :33]).any()


def test_packed_shapes_are_checked():
    """Wrong if a packed matrix could be read beyond its end."""
    packed = pack(np.zeros((4, 5), np.float32))
    with pytest.raises(ShapeError, match="packed"):
        matmul_packed(np.zeros((2, 3), np.float32), packed)
    with pytest.raises(ShapeError, match="matrix"):
        pack(np.zeros(3, np.float32))


@given(
    rows=st.integers(1, 20),
    columns=st.integers(1, 40),
    depths=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    real=st.sampled_from([np.float32, np.float64]),
)
def test_a_sum_of_products_has_the_bits_of_one_long_product(
    rows: int, columns: int, depths: list[int], real: type
) -> None:
    """Adding up step by step rounds otherwise than one product over the rows of all steps."""
    generator = np.random.default_rng(rows + 31 * columns)
    pairs = [
        (
            generator.standard_normal((depth, rows)).astype(real).T,
            generator.standard_normal((depth, columns)).astype(real),
        )
        for depth in depths
    ]
    side_by_side = np.concatenate([a for a, _ in pairs], 1)
    long = kernels.matmul(side_by_side, np.concatenate([b for _, b in pairs]))
    assert kernels.sum_of_products(pairs).tobytes() == long.tobytes()
