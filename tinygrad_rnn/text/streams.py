"""Contiguous streams through a text, for truncated backpropagation through time.

A stream deals in arrays of symbol numbers, which may be memory-mapped and of any integer type;
only the window at hand is copied. It holds no model state: it says when the state that a model
carries goes on (`starts` is false) and when it begins anew (`starts` is true).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import ArgumentError, CheckpointError, DataError
from tinygrad_rnn.text.arguments import shares_of, size_of, text_of

IntegerArray = npt.NDArray[Any]


class Splits(NamedTuple):
    """The parts of a text, in the order in which they stand in it."""

    train: IntegerArray
    validation: IntegerArray
    test: IntegerArray


class Window(NamedTuple):
    """T steps of B rows: `targets[t, b]` is the symbol that follows `inputs[t, b]`.

    `inputs` and `targets` are int64 arrays of shape (T, B) and belong to the caller. `position`
    counts windows from 0. `starts` is true when the rows do not go on from the window before, so
    that the state carried along must be reset.
    """

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    position: int
    starts: bool


def split(ids: npt.ArrayLike, fractions: Sequence[float] = (0.95, 0.05, 0.0)) -> Splits:
    """Cut a text into contiguous train, validation and test parts, which are views of it.

    `fractions` are the shares of the three parts and add up to 1; ends are rounded to the nearest
    symbol. A part of a short text may come out empty: whatever takes it then raises DataError.

    Raises ArgumentError for other fractions.
    """
    text = text_of(ids)
    train, validation, test = shares_of(fractions)
    first = round(len(text) * train)
    second = round(len(text) * (train + validation))
    if not test:
        second = len(text)
    return Splits(text[:first], text[first:second], text[second:])


class Streams:
    """B parallel positions through a text, `window` steps at a time.

    The text is laid out as `batch_size` rows that follow each other, each a whole number of
    windows long. Window w + 1 continues in every row exactly where window w ended, so a model
    that carries its state from window to window reads every row from end to end. The symbols
    that do not fill another window in every row, fewer than B · T + 1 at the end of the text,
    are left out. With `windows` an epoch is the first so many windows of every row; what follows
    in each row is never read, and the layout of the rows stays the same.

    Iterating yields what is left of the epoch at hand, so a loop over epochs is

        while streams.epoch < epochs:
            for window in streams:
                ...

    `epoch` counts finished passes and `position` the windows already yielded in this one. Both
    are what `state_dict` saves: taken in the loop's body, it continues after the window at hand.

    Raises DataError when the text is shorter than B · T + 1 symbols, ArgumentError for sizes
    below 1 or more windows than a row has, ShapeError or DtypeError for anything but one row of
    integers.
    """

    def __init__(
        self, ids: npt.ArrayLike, batch_size: int, window: int, *, windows: int | None = None
    ) -> None:
        self._ids = text_of(ids)
        self.batch_size = size_of("batch_size", batch_size)
        self.window = size_of("window", window)
        self.epoch = 0
        self.position = 0
        available = len(self._ids) - 1
        symbols = self.batch_size * self.window
        self._row_windows = available // symbols
        if self._row_windows < 1:
            raise DataError(_too_short(len(self._ids), self.batch_size, self.window))
        self._windows = self._row_windows if windows is None else size_of("windows", windows)
        if self._windows > self._row_windows:
            raise ArgumentError(
                f"windows is {windows}, but each of the {self.batch_size} rows of this text has "
                f"{self._row_windows}; ask for so many at most, or for all with None"
            )
        used = symbols * self._row_windows
        self._inputs = self._ids[:used].reshape(self.batch_size, -1)
        self._targets = self._ids[1 : used + 1].reshape(self.batch_size, -1)

    def __len__(self) -> int:
        """Return the number of windows in an epoch."""
        return self._windows

    def __iter__(self) -> Iterator[Window]:
        """Yield the windows of this epoch from `position` on, then begin the next epoch."""
        while self.position < self._windows:
            position = self.position
            self.position += 1
            steps = slice(position * self.window, (position + 1) * self.window)
            yield Window(
                _time_major(self._inputs[:, steps]),
                _time_major(self._targets[:, steps]),
                position,
                position == 0,
            )
        self.epoch += 1
        self.position = 0

    def state_dict(self) -> dict[str, int]:
        """Return the place in the text, and the sizes that give it meaning, as JSON types."""
        return {
            "epoch": self.epoch,
            "position": self.position,
            "batch_size": self.batch_size,
            "window": self.window,
            "length": len(self._ids),
            "windows": self._windows,
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go to a saved place; CheckpointError when it is one in another text or layout."""
        if not isinstance(state, Mapping):
            raise CheckpointError(
                f"a saved stream position is what state_dict() returned, not {type(state).__name__}"
            )
        here = self.state_dict()
        missing = [name for name in here if not isinstance(state.get(name), int)]
        if missing:
            raise CheckpointError(
                f"the saved stream position has no integer {', '.join(missing)}; "
                f"it holds {dict(state)}"
            )
        for name in ("batch_size", "window", "length", "windows"):
            if state[name] != here[name]:
                raise CheckpointError(
                    f"the saved stream position belongs to {name} {state[name]}, but these "
                    f"streams have {name} {here[name]}; resume with the same text and sizes"
                )
        if not (0 <= state["position"] <= self._windows and state["epoch"] >= 0):
            raise CheckpointError(
                f"the saved stream position is window {state['position']} of epoch "
                f"{state['epoch']}, but an epoch has {self._windows} windows"
            )
        self.epoch = state["epoch"]
        self.position = state["position"]

    def __repr__(self) -> str:
        return (
            f"Streams({len(self._ids)} symbols, batch_size={self.batch_size}, "
            f"window={self.window}: {self._shown_windows()} an epoch; epoch {self.epoch}, "
            f"position {self.position})"
        )

    def _shown_windows(self) -> str:
        if self._windows == self._row_windows:
            return f"{self._windows} windows"
        return f"the first {self._windows} of {self._row_windows} windows"


def evaluation_windows(ids: npt.ArrayLike, window: int, batch_size: int = 1) -> Iterator[Window]:
    """Yield windows in which every symbol but the first is a target exactly once.

    With `batch_size` 1 the whole text is one row, with the state carried from its beginning to
    its end: the way to measure a model. A larger batch is faster and begins that many rows with
    an empty state. The last window of the rows may be shorter; what the rows cannot share
    equally, fewer than `batch_size` symbols, follows as one row that starts anew.

    Raises DataError when the text has fewer than 2 symbols, and otherwise as Streams does.
    """
    text = text_of(ids)
    size_of("batch_size", batch_size)
    size_of("window", window)
    if len(text) < 2:
        raise DataError(
            f"the text to evaluate has {len(text)} symbols and a prediction needs at least 2; "
            "give more text, or a larger share of it for this part"
        )
    return _evaluation_windows(text, window, batch_size)


def _evaluation_windows(text: IntegerArray, window: int, batch_size: int) -> Iterator[Window]:
    targets = len(text) - 1
    shared = targets - targets % batch_size
    position = 0
    for begin, end, rows in ((0, shared, batch_size), (shared, targets, 1)):
        inputs = text[begin:end].reshape(rows, -1)
        following = text[begin + 1 : end + 1].reshape(rows, -1)
        for step in range(0, inputs.shape[1], window):
            steps = slice(step, step + window)
            yield Window(
                _time_major(inputs[:, steps]),
                _time_major(following[:, steps]),
                position,
                step == 0,
            )
            position += 1


def _time_major(rows: IntegerArray) -> npt.NDArray[np.int64]:
    """Return a fresh (T, B) int64 copy of (B, T) rows."""
    return np.array(rows.T, dtype=np.int64, order="C")


def _too_short(length: int, batch_size: int, window: int) -> str:
    message = (
        f"the text has {length} symbols; batch_size {batch_size} with windows of {window} steps "
        f"needs at least {batch_size * window + 1} (batch_size × window + 1). Give more text"
    )
    rows = (length - 1) // window
    steps = (length - 1) // batch_size
    if rows >= 1:
        message += f", or lower batch_size to {rows}"
    if steps >= 1:
        message += f", or lower window to {steps}"
    return message + "."
