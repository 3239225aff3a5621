"""Streams cover the text in order in every row, and can be left and resumed anywhere."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_rnn.errors import (
    ArgumentError,
    CheckpointError,
    DataError,
    DtypeError,
    ShapeError,
)
from tinygrad_rnn.text import Streams, Window, evaluation_windows, split


def windows_of(streams: Streams) -> list[Window]:
    return list(streams)


def same(first: Window, second: Window) -> bool:
    return (
        np.array_equal(first.inputs, second.inputs)
        and np.array_equal(first.targets, second.targets)
        and first[2:] == second[2:]
    )


@settings(deadline=None)
@given(
    length=st.integers(2, 400),
    batch_size=st.integers(1, 7),
    window=st.integers(1, 9),
)
def test_rows_put_end_to_end_are_the_text(length: int, batch_size: int, window: int) -> None:
    """A row skips or repeats symbols between windows, or targets are not the next symbols."""
    text = np.arange(length, dtype=np.uint16)
    if length < batch_size * window + 1:
        with pytest.raises(DataError):
            Streams(text, batch_size, window)
        return
    streams = Streams(text, batch_size, window)
    windows = windows_of(streams)
    inputs = np.concatenate([w.inputs for w in windows]).T.reshape(-1)
    targets = np.concatenate([w.targets for w in windows]).T.reshape(-1)
    assert len(windows) == len(streams) == (length - 1) // (batch_size * window)
    np.testing.assert_array_equal(inputs, text[: len(inputs)])
    np.testing.assert_array_equal(targets, text[1 : len(inputs) + 1])
    assert length - 1 - len(inputs) < batch_size * window
    for number, w in enumerate(windows):
        assert w.inputs.shape == w.targets.shape == (window, batch_size)
        assert w.inputs.dtype == w.targets.dtype == np.int64
        assert w.inputs.flags.c_contiguous
        assert w.position == number
        assert w.starts == (number == 0)


@settings(deadline=None)
@given(
    length=st.integers(2, 300),
    batch_size=st.integers(1, 9),
    window=st.integers(1, 9),
)
def test_evaluation_predicts_every_symbol_once(length: int, batch_size: int, window: int) -> None:
    """A symbol is predicted twice or never, or the state is carried where it must not be."""
    text = np.arange(length)
    predicted: list[int] = []
    following = np.empty(0, np.int64)
    for position, w in enumerate(evaluation_windows(text, window, batch_size)):
        assert w.position == position
        assert w.inputs.shape == w.targets.shape
        assert 1 <= w.inputs.shape[0] <= window
        np.testing.assert_array_equal(w.inputs + 1, w.targets)
        if not w.starts:
            np.testing.assert_array_equal(w.inputs[0], following)
        following = w.targets[-1]
        predicted.extend(w.targets.reshape(-1).tolist())
    assert sorted(predicted) == list(range(1, length))


def test_evaluation_of_one_row_starts_once() -> None:
    """The whole validation text is not one pass with the state carried through."""
    windows = list(evaluation_windows(np.arange(11), 4))
    assert [w.starts for w in windows] == [True, False, False]
    assert [w.inputs.shape for w in windows] == [(4, 1), (4, 1), (2, 1)]


@settings(deadline=None)
@given(
    length=st.integers(21, 300),
    batch_size=st.integers(1, 4),
    size=st.integers(1, 5),
    data=st.data(),
)
def test_the_first_windows_are_those_of_the_whole_epoch(
    length: int, batch_size: int, size: int, data: st.DataObject
) -> None:
    """A limited epoch lays the rows out anew, reads what is held out, or never begins again."""
    text = np.arange(length)
    whole = windows_of(Streams(text, batch_size, size))
    count = data.draw(st.integers(1, len(whole)))
    streams = Streams(text, batch_size, size, windows=count)
    assert len(streams) == count
    for epoch in range(2):
        assert streams.epoch == epoch
        found = windows_of(streams)
        assert len(found) == count
        assert all(map(same, found, whole))


def test_the_limit_belongs_to_the_place_in_the_text() -> None:
    """A run goes on with more or fewer windows an epoch than it began with, silently."""
    text = np.arange(100)
    state = Streams(text, 3, 7, windows=2).state_dict()
    assert state["windows"] == 2
    Streams(text, 3, 7, windows=2).load_state_dict(state)
    for windows in (None, 3):
        with pytest.raises(CheckpointError, match="windows 2, but these streams have windows"):
            Streams(text, 3, 7, windows=windows).load_state_dict(state)
    # A limit that leaves nothing out is none.
    Streams(text, 3, 7, windows=4).load_state_dict(Streams(text, 3, 7).state_dict())


def test_protocol_of_char_rnn() -> None:
    """An epoch of tiny-shakespeare is not char-rnn's 423 iterations."""
    parts = split(np.zeros(1_115_394, np.uint8))
    assert [len(part) for part in parts] == [1_059_624, 55_770, 0]
    assert len(Streams(parts.train, 50, 50)) == 423


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 10), st.integers(0, 10))
def test_split_is_contiguous_and_whole(length: int, a: int, b: int) -> None:
    """Symbols are lost between the parts."""
    total = a + b + 3
    text = np.arange(length)
    parts = split(text, (a / total, b / total, 3 / total))
    np.testing.assert_array_equal(np.concatenate(parts), text)
    assert abs(len(parts.train) - length * a / total) <= 0.5


def test_split_without_a_test_part_keeps_the_last_symbol() -> None:
    """Rounding of the shares leaves a symbol to a part that was not asked for."""
    assert [len(p) for p in split(np.arange(3), (0.9, 0.1 - 1e-9, 0.0))] == [3, 0, 0]
    assert len(split(np.arange(10**6), (0.7, 0.3, 0.0)).test) == 0


def test_parts_are_views() -> None:
    """Splitting a memory-mapped text copies it."""
    text = np.arange(100)
    assert all(np.shares_memory(part, text) for part in split(text, (0.5, 0.3, 0.2)))


@settings(deadline=None)
@given(st.integers(0, 3), st.integers(0, 4))
def test_resuming_continues_where_it_was_left(epochs: int, seen: int) -> None:
    """A resumed run sees other windows than the run that was never stopped."""
    text = np.arange(100)
    unbroken = Streams(text, 3, 7)
    broken = Streams(text, 3, 7)
    for _ in range(epochs):
        windows_of(broken)
    iterator = iter(broken)
    for _ in range(seen):
        next(iterator)
    saved = json.loads(json.dumps(broken.state_dict()))
    resumed = Streams(text, 3, 7)
    resumed.load_state_dict(saved)
    assert resumed.epoch == epochs
    expected = windows_of(unbroken)[seen:]
    actual = windows_of(resumed)
    assert len(expected) == len(actual)
    assert all(map(same, expected, actual))
    assert (resumed.epoch, resumed.position) == (epochs + 1, 0)
    assert windows_of(resumed)[0].starts


def test_windows_belong_to_the_caller() -> None:
    """Writing into a window changes the text."""
    text = np.arange(20)
    for windows in (windows_of(Streams(text, 1, 5)), list(evaluation_windows(text, 5))):
        for w in windows:
            w.inputs[:] = -1
            w.targets[:] = -1
    np.testing.assert_array_equal(text, np.arange(20))


def test_too_short_a_text_names_numbers_and_remedies() -> None:
    """The error does not help to choose sizes that fit."""
    with pytest.raises(DataError) as caught:
        Streams(np.arange(121), 50, 50)
    message = str(caught.value)
    for part in ("121 symbols", "2501", "batch_size to 2", "window to 2"):
        assert part in message
    Streams(np.arange(121), 2, 50)
    Streams(np.arange(121), 50, 2)
    with pytest.raises(DataError, match=r"more text\.$"):
        Streams(np.arange(1), 5, 5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 4}, "batch_size 4, but these streams have batch_size 3"),
        ({"window": 8}, "window 8"),
        ({"length": 99}, "length 99"),
        ({"position": 5}, "window 5 .* has 4 windows"),
        ({"position": -1}, "window -1"),
        ({"epoch": -1}, "epoch -1"),
        ({"epoch": "1"}, "no integer epoch"),
        ({"window": None, "length": None}, "no integer window, length"),
    ],
)
def test_a_position_in_another_text_is_refused(change: dict[str, object], words: str) -> None:
    """Training goes on somewhere else than it was left, silently."""
    streams = Streams(np.arange(100), 3, 7)
    with pytest.raises(CheckpointError, match=words):
        streams.load_state_dict(streams.state_dict() | change)  # type: ignore[arg-type]
    assert (streams.epoch, streams.position) == (0, 0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Streams([[1, 2]], 1, 1), ShapeError, r"\(1, 2\)"),
        (lambda: Streams([0.5, 1.5], 1, 1), DtypeError, "float64"),
        (lambda: Streams([1, 2], 0, 1), ArgumentError, "batch_size is 0"),
        (lambda: Streams([1, 2], 1, -1), ArgumentError, "window is -1"),
        (lambda: Streams([1, 2], 1, 1.0), ArgumentError, "window is 1.0"),  # type: ignore[arg-type]
        (lambda: Streams([1, 2, 3], True, 1), ArgumentError, "batch_size is True"),
        (lambda: Streams([1, 2, 3], 1, 1, windows=3), ArgumentError, "windows is 3, .* has 2"),
        (lambda: Streams([1, 2, 3], 1, 1, windows=0), ArgumentError, "windows is 0"),
        (lambda: Streams([1, 2, 3], 1, 1, windows=1.0), ArgumentError, "1.0"),  # type: ignore[arg-type]
        (lambda: evaluation_windows([1], 5), DataError, "1 symbols"),
        (lambda: evaluation_windows([], 5), DataError, "0 symbols"),
        (lambda: evaluation_windows([1, 2], 0), ArgumentError, "window is 0"),
        (lambda: evaluation_windows([1, 2], 1, 0), ArgumentError, "batch_size is 0"),
        (lambda: split([1, 2], (0.5, 0.5)), ArgumentError, "three"),
        (lambda: split([1, 2], (1.5, -0.5, 0)), ArgumentError, "negative"),
        (lambda: split([1, 2], (0.5, 0.1, 0.1)), ArgumentError, "add up to 1"),
        (lambda: split([1, 2], (float("nan"), 0.5, 0.5)), ArgumentError, "nan"),
    ],
)
def test_misuse_is_named(call, error, words) -> None:  # type: ignore[no-untyped-def]
    """A wrong argument passes, or its error does not name it."""
    with pytest.raises(error, match=words):
        call()


def test_repr_says_where_it_is() -> None:
    """A person cannot see the sizes and place of a stream."""
    streams = Streams(np.arange(100), 3, 7)
    next(iter(streams))
    assert repr(streams) == (
        "Streams(100 symbols, batch_size=3, window=7: 4 windows an epoch; epoch 0, position 1)"
    )
    assert "the first 2 of 4 windows an epoch" in repr(Streams(np.arange(100), 3, 7, windows=2))
