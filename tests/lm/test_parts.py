"""Training and held-out parts: nothing is both, nothing is lost, and every target is the next."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tinygrad_rnn.errors import DataError
from tinygrad_rnn.lm import TrainingSettings, cut, evaluate
from tinygrad_rnn.lm.model import RecurrentLanguageModel


@given(
    length=st.integers(20, 400),
    batch=st.integers(1, 5),
    window=st.integers(1, 6),
    shares=st.sampled_from([(0.95, 0.05, 0.0), (0.8, 0.1, 0.1), (0.5, 0.5, 0.0), (1.0, 0.0, 0.0)]),
)
def test_rows_hold_out_the_end_of_each_row(
    length: int, batch: int, window: int, shares: tuple[float, float, float]
) -> None:
    """A held-out symbol is trained on, or a target is not the symbol that follows."""
    ids = np.arange(length)
    windows = (length - 1) // (batch * window)
    assume(windows >= 10)
    settings = TrainingSettings(batch_size=batch, window=window, fractions=shares)
    parts = cut(ids, settings)
    trained = list(parts.streams)
    assert len(trained) == len(parts.streams) == int(windows * shares[0] + 1e-9)
    targets = [w.targets for w in trained]
    for w in trained:
        np.testing.assert_array_equal(w.targets, w.inputs + 1)
    for held in (parts.validation, parts.test):
        if held.size:
            np.testing.assert_array_equal(held[:, 1:], held[:, :-1] + 1)
            targets.append(held[:, 1:])
            assert not held.flags.owndata
    every = np.sort(np.concatenate([t.ravel() for t in targets]))
    np.testing.assert_array_equal(every, np.arange(1, batch * window * windows + 1))


def test_the_layout_is_that_of_char_rnn() -> None:
    """The losses are those of another split than the one they are compared with."""
    # 1,115,394 symbols: 446 windows, of which 423 are an epoch.
    parts = cut(np.zeros(1_115_394, np.uint8), TrainingSettings())
    assert len(parts.streams) == 423
    assert parts.validation.shape == (50, 23 * 50 + 1)


def test_a_memory_mapped_text_is_cut_without_reading_it(tmp_path: Path) -> None:
    """A text larger than memory is copied into it."""
    ids = np.arange(200, dtype=np.uint8)
    ids.tofile(tmp_path / "ids.bin")
    mapped = np.memmap(tmp_path / "ids.bin", np.uint8, "r")
    settings = TrainingSettings(batch_size=2, window=5, fractions=(0.5, 0.3, 0.2))
    for part, same in zip(cut(mapped, settings)[1:], cut(ids, settings)[1:], strict=True):
        assert np.shares_memory(part, mapped)
        np.testing.assert_array_equal(part, same)


def test_a_place_in_the_text_is_saved_and_found() -> None:
    """A resumed run reads windows that are held out, or skips some."""
    settings = TrainingSettings(batch_size=2, window=5, fractions=(0.7, 0.3, 0.0))
    first, second = (cut(np.arange(111), settings).streams for _ in range(2))
    windows = iter(first)
    for _ in range(3):
        next(windows)
    second.load_state_dict(first.state_dict())
    assert [w.position for w in second] == [3, 4, 5, 6]
    assert second.epoch == 1


def test_tail_holds_out_the_end_of_the_text() -> None:
    """The end of the text is trained on."""
    settings = TrainingSettings(batch_size=2, window=5, split="tail", fractions=(0.6, 0.3, 0.1))
    parts = cut(np.arange(100), settings)
    np.testing.assert_array_equal(parts.validation, np.arange(60, 90))
    np.testing.assert_array_equal(parts.test, np.arange(90, 100))
    assert max(int(w.targets.max()) for w in parts.streams) < 60


@pytest.mark.parametrize(
    ("length", "settings", "words"),
    [
        (10, {}, "symbols"),
        (100, {"fractions": (0.05, 0.95, 0.0)}, "training part"),
        (100, {"fractions": (0.98, 0.01, 0.01)}, "validation part"),
        (100, {"fractions": (0.99, 0.01, 0.0), "split": "tail"}, "validation part"),
    ],
)
def test_a_part_too_short_is_named(length: int, settings: dict[str, Any], words: str) -> None:
    """Training fails at the first validation, or has nothing to train on."""
    with pytest.raises(DataError, match=words):
        cut(np.arange(length), TrainingSettings(**({"batch_size": 2, "window": 5} | settings)))


def test_rows_are_evaluated_each_from_its_beginning() -> None:
    """The rows of the validation part are mixed up, or a window edge loses symbols."""
    model = RecurrentLanguageModel(7, "gru", 5)
    rows = np.arange(66).reshape(3, 22) ** 2 % 7
    together = evaluate(model, rows, window=4)
    apart = [evaluate(model, row) for row in rows]
    assert together.count == 63
    assert together.nats == pytest.approx(np.mean([r.nats for r in apart]), rel=1e-6)
    assert together.accuracy == pytest.approx(np.mean([r.accuracy for r in apart]))
    with pytest.raises(DataError, match="no rows"):
        evaluate(model, rows[:0])
    with pytest.raises(DataError, match="at least 2"):
        evaluate(model, rows[:, :1])
