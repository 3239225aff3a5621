"""The history of a training run: a CSV file that grows by whole lines, and its picture."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

from tinygrad_rnn.errors import DataError
from tinygrad_rnn.paths import path_of
from tinygrad_rnn.training.history import CsvHistory, Points, plot_curves


class Record(NamedTuple):
    """One line of the history.

    Attributes:
        iteration: updates so far.
        epoch: passes through the training part, with the fraction of the one at hand.
        train_loss: smoothed over some 20 updates, nats a symbol.
        validation_loss: nats a symbol; None where none was measured.
        perplexity: e^validation_loss where one was measured, else e^train_loss.
        gradient_norm: length of the gradient before clipping.
        learning_rate: of the update before.
        seconds: spent on the run, including what was before it was resumed.
        symbols_per_second: read by updates, smoothed; validations and samples do not count.
    """

    iteration: int
    epoch: float
    train_loss: float
    validation_loss: float | None
    perplexity: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    symbols_per_second: float


class History(CsvHistory):
    """The CSV file of a language model's run."""

    def __init__(self, path: Path | None, rows: int = 0) -> None:
        super().__init__(path, Record._fields, rows)


def read_history(path: str | os.PathLike[str]) -> list[Record]:
    """Return the lines of a history file; DataError when it is none."""
    path = path_of(path)
    try:
        with open(path, encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
        if tuple(header) != Record._fields:
            raise ValueError("another header")
        return [
            Record(int(line[0]), *(float(v) if v else None for v in line[1:]))  # type: ignore[arg-type]
            for line in lines
        ]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, IndexError):
        raise DataError(f"{path} is not the history of a training run") from None


def plot_history(csv_path: str | os.PathLike[str], png_path: str | os.PathLike[str]) -> bool:
    """Draw the losses over iterations as a PNG; return False when matplotlib is not installed.

    Raises DataError when the CSV cannot be read or the PNG cannot be written.
    """
    records = read_history(csv_path)
    trained = [r.iteration for r in records], [r.train_loss for r in records]
    curves: dict[str, Points] = {"training, smoothed": trained}
    measured = [(r.iteration, r.validation_loss) for r in records if r.validation_loss is not None]
    if measured:
        curves["validation"] = [i for i, _ in measured], [loss for _, loss in measured]
    return plot_curves(
        png_path, curves, "iteration", "cross-entropy, nats a symbol", markers=["validation"]
    )
