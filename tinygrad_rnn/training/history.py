"""What a run leaves to look at: a CSV file that grows by whole lines, and curves as a picture."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tinygrad_rnn.errors import DataError
from tinygrad_rnn.paths import path_of


class CsvHistory:
    """The CSV file of a run: a header with the fields, then a line for each thing recorded.

    A line is written in one go and reaches the system at once, so a run that is killed leaves
    whole lines. `rows` counts them; resuming cuts the file back to the count in the checkpoint.

    Args:
        path: the file; None writes nothing and only counts.
        fields: the names of the columns.
        rows: lines of the file to keep.
    """

    def __init__(self, path: Path | None, fields: Iterable[str], rows: int = 0) -> None:
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
        temporary.write_bytes(b"".join([_line(fields), *kept]))
        os.replace(temporary, path)
        self.rows = len(kept)

    def append(self, values: Iterable[float | None]) -> None:
        """Write a line; None leaves its column empty."""
        self.rows += 1
        if self.path is not None:
            with self.path.open("ab", buffering=0) as file:
                file.write(_line(_shown(value) for value in values))


Points = tuple[Sequence[float], Sequence[float]]


def plot_curves(
    path: str | os.PathLike[str],
    curves: Mapping[str, Points],
    x_label: str,
    y_label: str,
    markers: Iterable[str] = (),
    levels: Mapping[str, float] | None = None,
    log: bool = False,
) -> bool:
    """Draw curves as a PNG; return False when matplotlib is not installed.

    Args:
        path: the picture.
        curves: x and y of each curve by its name in the legend.
        x_label: below the x axis.
        y_label: beside the y axis.
        markers: names of curves whose points are marked.
        levels: heights of dashed horizontal lines by name, such as a baseline's.
        log: whether the y axis is logarithmic; numbers that are not above 0 are left out.

    Raises DataError when the picture cannot be written.
    """
    picture = path_of(path)
    try:
        # Without pyplot, which would choose a window system and keep every figure.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure: Any = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    marked = set(markers)
    for name, (x, y) in curves.items():
        axes.plot(x, y, "o-" if name in marked else "-", markersize=4, label=name)
    for number, (name, height) in enumerate((levels or {}).items()):
        axes.axhline(height, linestyle="--", color=f"C{len(curves) + number}", label=name)
    if log:
        axes.set_yscale("log")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    axes.legend()
    canvas: Any = FigureCanvasAgg(figure)
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        canvas.print_png(os.fspath(picture))
    except OSError as error:
        raise DataError(f"{picture} cannot be written: {error.strerror or error}") from error
    return True


def _line(values: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
