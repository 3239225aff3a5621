"""Gathers, look-ups and additions at indices against NumPy, and what is out of range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_rnn.kernels.rows import (
    add_rows_task,
    gather_task,
    look_up_task,
    range_task,
    scatter_add_task,
)

ELEMENTS = (np.bool_, np.float32, np.float64, np.int64)


def run(kernel, words, parts=1):
    numbers = [word.ctypes.data if isinstance(word, np.ndarray) else word for word in words]
    arguments = np.array(numbers, np.int64)
    for part in range(parts):
        kernel.compiled(arguments.ctypes.data, part, parts)


def indices(random, size, shape):
    return random.integers(-size, size, shape) if size else np.zeros(shape, np.int64)


sides = st.integers(0, 4)
parts_drawn = st.integers(1, 3)


@settings(max_examples=100)
@given(shape=st.tuples(sides, sides, sides, st.integers(0, 40)), parts=parts_drawn, data=st.data())
def test_gather(shape, parts, data):
    """Wrong if an element came from another row, block or column, or a part left some out."""
    o, n, m, i = shape
    dtype = data.draw(st.sampled_from(ELEMENTS))
    random = np.random.default_rng(0)
    x = (random.standard_normal((o, n, i)) * 9).astype(dtype)
    index = indices(random, n, (o, m, i))
    out = np.zeros((o, m, i), dtype)
    status = np.zeros(1, np.int64)
    run(gather_task(x.itemsize), [*shape, x, index, out, status], parts)
    if n:
        np.testing.assert_array_equal(out, np.take_along_axis(x, index % n, 1))
        assert status[0] == 0
    else:
        assert not out.any()
        assert status[0] == (index.size > 0)


@settings(max_examples=100)
@given(shape=st.tuples(sides, sides, sides, st.integers(0, 40)), parts=parts_drawn, data=st.data())
def test_scatter_add(shape, parts, data):
    """Wrong if repeated rows were lost, added in another order, or added twice by two parts."""
    o, n, m, i = shape
    dtype = data.draw(st.sampled_from(ELEMENTS[1:]))
    random = np.random.default_rng(0)
    start = (random.standard_normal((o, n, i)) * 9).astype(dtype)
    source = (random.standard_normal((o, m, i)) * 9).astype(dtype)
    index = indices(random, n, (o, m, i))
    out = start.copy()
    status = np.zeros(1, np.int64)
    run(scatter_add_task(np.dtype(dtype).name), [*shape, out, index, source, status], parts)
    blocks, _, columns = np.indices((o, m, i))
    if n:
        np.add.at(start, (blocks, index, columns), source)
    np.testing.assert_array_equal(out, start)
    assert status[0] == (index.size > 0 and n == 0)


def tables(random, n, width, dtype, layout):
    """A table of n rows in memory of some order, in which nothing else may be touched."""
    room = (random.standard_normal((n + 1, 2 * width + 1)) * 9).astype(dtype)
    if layout == "columns first":
        room = np.asfortranarray(room)
    return room, room[:n, ::2][:, :width] if layout == "strided" else room[1:, :width]


@settings(max_examples=100)
@given(
    m=st.integers(0, 6),
    n=st.integers(1, 5),
    width=st.sampled_from([0, 1, 3, 16, 17, 70]),
    layout=st.sampled_from(["rows first", "columns first", "strided"]),
    parts=parts_drawn,
    data=st.data(),
)
def test_rows_of_tables(m, n, width, layout, parts, data):
    """Wrong if a stride, a part or a repeated row were mistaken in look-ups or additions."""
    dtype = data.draw(st.sampled_from(ELEMENTS[1:]))
    random = np.random.default_rng(0)
    room, table = tables(random, n, width, dtype, layout)
    index = indices(random, n, m)
    status = np.zeros(1, np.int64)
    out = np.zeros((m, width + 2), dtype)
    places = [table, *table.strides, index]
    words = [m, n, width, *places, out, out.strides[0], status]
    run(look_up_task(out.itemsize), words, parts)
    np.testing.assert_array_equal(out[:, :width], table[index])
    assert not out[:, width:].any()

    out[...] = (random.standard_normal(out.shape) * 9).astype(dtype)
    before = room.copy()
    start = table.copy()
    wanted = table.copy()
    np.add.at(wanted, index, out[:, :width])
    run(add_rows_task(out.dtype.name), words, parts)
    np.testing.assert_array_equal(table, wanted)
    table[...] = start
    np.testing.assert_array_equal(room, before)
    assert status[0] == 0


@pytest.mark.parametrize("wrong", [3, -4, 2**62, -(2**63), 2**63 - 1])
def test_indices_out_of_range(wrong):
    """Wrong if memory outside an array were touched, or nobody were told."""
    index = np.array([2, wrong, -1])
    x = np.array([[1.0, 2], [3, 4], [5, 6]], np.float32)
    row_strides = (8, 4)
    out = np.zeros((3, 2), np.float32)
    status = np.zeros(1, np.int64)
    run(look_up_task(4), [3, 3, 2, x, *row_strides, index, out, 8, status])
    assert out.tolist() == [[5, 6], [1, 2], [5, 6]]
    assert status[0] == 1

    status[0] = 0
    line = np.zeros(3, np.float32)
    run(gather_task(4), [1, 3, 3, 1, np.array([1.0, 3, 5], np.float32), index, line, status])
    assert line.tolist() == [5, 1, 5]
    assert status[0] == 1

    for words, task in (
        ([3, 3, 2, x, *row_strides, index, np.ones((3, 2), np.float32), 8], add_rows_task),
        ([1, 3, 3, 1, x[:, 0].copy(), index, np.ones(3, np.float32)], scatter_add_task),
    ):
        status[0] = 0
        run(task("float32"), [*words, status])
        assert status[0] == 1
    assert x.tolist() == [[1, 2], [3, 4], [7, 8]]


@settings(max_examples=100)
@given(
    numbers=st.lists(st.integers(-3, 8), max_size=40),
    low=st.integers(-2, 1),
    high=st.integers(3, 7),
    ignored=st.none() | st.integers(-3, 8),
    parts=parts_drawn,
)
def test_ranges(numbers, low, high, ignored, parts):
    """Wrong if a number out of range passed, or one inside or ignored were refused."""
    line = np.array(numbers, np.int64)
    status = np.zeros(2, np.int64)
    words = [line.size, line, low, high, int(ignored is not None), ignored or 0, status]
    run(range_task(), words, parts)
    wrong = [v for v in numbers if not low <= v < high and v != ignored]
    assert status[0] == bool(wrong)
    if wrong:
        assert status[1] in wrong
