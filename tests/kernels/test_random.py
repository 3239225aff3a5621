"""Uniform numbers: the published generator, and numbers that depend on their place alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_rnn import kernels
from tinygrad_rnn.errors import ArgumentError, DtypeError
from tinygrad_rnn.kernels.random import THREADED_ELEMENTS, uniform_at_task, uniform_task

MASK = 0xFFFFFFFF


def stated_block(counter, key):
    """Philox4x32-10 as the paper's figure has it, on Python integers or arrays of uint64."""
    c = list(counter)
    k = list(key)
    for _ in range(10):
        first = 0xD2511F53 * c[0]
        second = 0xCD9E8D57 * c[2]
        c = [
            (second >> 32) ^ c[1] ^ k[0],
            second & MASK,
            (first >> 32) ^ c[3] ^ k[1],
            first & MASK,
        ]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def stated_uniform(count, dtype, key, counter):
    places = np.arange(kernels.uniform_blocks(count, dtype), dtype=np.uint64) + np.uint64(counter)
    zeros = np.zeros_like(places)
    w = stated_block([places & MASK, places >> 32, zeros, zeros], [key & MASK, key >> 32])
    if dtype == np.float32:
        numbers = [(word >> 8) / 2**24 for word in w]
    else:
        numbers = [((w[i] >> 5) * 2**26 + (w[i + 1] >> 6)) / 2**53 for i in (0, 2)]
    return np.stack(numbers, 1).reshape(-1)[:count].astype(dtype)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (MASK, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ],
)
def test_known_answers_of_random123(word, expected):
    """Wrong if the statement, which all else is held against, were not what others have."""
    assert tuple(stated_block([word] * 4, [word] * 2)) == expected


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 400),
    dtype=st.sampled_from([np.float32, np.float64]),
    key=st.integers(0, 2**64 - 1),
    counter=st.integers(0, 2**64 - 1),
)
def test_numbers_are_those_of_the_statement(count, dtype, key, counter):
    """Wrong if words were split, ordered or scaled otherwise than documented."""
    out = np.full(count, np.nan, dtype)
    kernels.fill_uniform(out, key, counter)
    np.testing.assert_array_equal(out, stated_uniform(count, dtype, key, counter))


@pytest.mark.parametrize("counter", [0, 2**32 - 20, 2**63 - 20, 2**64 - 20])
@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_count_past_two_widest_groups(dtype, parts, counter):
    """Wrong if a group's end, a part's end or a carry lost, moved or overwrote numbers.

    The widest group is 128 numbers (eight vectors of 512 bits).
    """
    key = 0xFEDCBA9876543210
    most = 300
    expected = stated_uniform(most, dtype, key, counter)
    task = uniform_task(np.dtype(dtype).name).compiled
    for count in range(most + 1):
        out = np.full(most + 2, -1, dtype)
        words = np.array([out[1:].ctypes.data, count, key, counter], np.uint64)
        for part in reversed(range(parts)):
            task(words.ctypes.data, part, parts)
        np.testing.assert_array_equal(out[1 : count + 1], expected[:count])
        assert out[0] == -1
        assert (out[count + 1 :] == -1).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_stream_goes_on_where_the_count_says(dtype):
    """Wrong if a second draw repeated or skipped numbers, or if threads changed them."""
    whole = np.empty(300_000, dtype)
    assert whole.size - 100_000 >= THREADED_ELEMENTS
    kernels.fill_uniform(whole, 5, 7)
    np.testing.assert_array_equal(whole, stated_uniform(whole.size, dtype, 5, 7))
    first, second = np.empty(100_000, dtype), np.empty(200_000, dtype)
    kernels.fill_uniform(first, 5, 7)
    kernels.fill_uniform(second, 5, 7 + kernels.uniform_blocks(first.size, dtype))
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    before = kernels.get_num_threads()
    try:
        kernels.set_num_threads(1)
        again = np.empty_like(whole)
        kernels.fill_uniform(again, 5, 7)
    finally:
        kernels.set_num_threads(before)
    np.testing.assert_array_equal(again, whole)
    assert whole.min() >= 0
    assert whole.max() < 1
    assert abs(whole.mean() - 0.5) < 0.005
    assert abs(whole.var() * 12 - 1) < 0.02


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 400),
    dtype=st.sampled_from([np.float32, np.float64]),
    key=st.integers(0, 2**64 - 1),
    counter=st.integers(0, 2**64 - 1),
    offset=st.integers(0, 2**40),
    parts=st.integers(1, 3),
)
def test_a_stored_counter_gives_the_same_numbers(count, dtype, key, counter, offset, parts):
    """Wrong if a counter in memory gave other numbers than the same one as an argument."""
    expected = np.empty(count, dtype)
    kernels.fill_uniform(expected, key, (counter + offset) % 2**64)
    out = np.full(count, np.nan, dtype)
    stored = np.array([key, counter], np.uint64)
    words = np.array([out.ctypes.data, count, stored.ctypes.data, offset], np.int64)
    for part in range(parts):
        uniform_at_task(out.dtype.name).compiled(words.ctypes.data, part, parts)
    np.testing.assert_array_equal(out, expected)


def test_blocks_are_counted_whole():
    """Wrong if the last, incomplete block were not counted."""
    assert [kernels.uniform_blocks(n, np.float32) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert [kernels.uniform_blocks(n, np.float64) for n in (0, 1, 2, 3)] == [0, 1, 1, 2]


def test_what_cannot_be_filled():
    """Wrong if memory were written in another layout than the array's."""
    with pytest.raises(ArgumentError, match="contiguous 1-D"):
        kernels.fill_uniform(np.empty((2, 2), np.float32), 0, 0)
    with pytest.raises(ArgumentError, match="contiguous 1-D"):
        kernels.fill_uniform(np.empty(8, np.float32)[::2], 0, 0)
    with pytest.raises(DtypeError, match="int64"):
        kernels.fill_uniform(np.empty(8, np.int64), 0, 0)
    with pytest.raises(ArgumentError, match="64 bits"):
        kernels.fill_uniform(np.empty(8, np.float32), 2**64, 0)
