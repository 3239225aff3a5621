"""The history of a training run: a CSV file that grows by whole lines, and its picture."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any, NamedTuple

from tinygrad_rnn.errors import DataError
from tinygrad_rnn.paths import path_of


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


class History:
    """The CSV file of a run.

    A line is written in one go and reaches the system at once, so a run that is killed leaves
    whole lines. `rows` counts them; resuming cuts the file back to the count in the checkpoint.
    """

    def __init__(self, path: Path | None, rows: int = 0) -> None:
        self.path = path
        self.rows = 0
        if path is None:
            return
        kept: list[bytes] = []
        if rows and path.exists():
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines[1 : rows + 1] if line.endswith(b"\n")]
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(b"".join([_line(Record._fields), *kept]))
        os.replace(temporary, path)
        self.rows = len(kept)

    def append(self, record: Record) -> None:
        """Write a line."""
        self.rows += 1
        if self.path is not None:
            with self.path.open("ab", buffering=0) as file:
                file.write(_line(_shown(value) for value in record))


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
    picture = path_of(png_path)
    try:
        # Without pyplot, which would choose a window system and keep every figure.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure: Any = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(
        [r.iteration for r in records], [r.train_loss for r in records], label="training, smoothed"
    )
    measured = [(r.iteration, r.validation_loss) for r in records if r.validation_loss is not None]
    if measured:
        axes.plot(*zip(*measured, strict=True), "o-", markersize=4, label="validation")
    axes.set_xlabel("iteration")
    axes.set_ylabel("cross-entropy, nats a symbol")
    axes.grid(alpha=0.3)
    axes.legend()
    canvas: Any = FigureCanvasAgg(figure)
    try:
        canvas.print_png(os.fspath(picture))
    except OSError as error:
        raise DataError(f"{picture} cannot be written: {error.strerror or error}") from error
    return True


def _line(values: object) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)  # type: ignore[arg-type]
    return text.getvalue().encode()


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
