"""Text coloured by what a unit does: red where it is positive, blue where it is negative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.inspect.arguments import Floats
from tinygrad_rnn.inspect.reading import Reading

RED, BLUE = (214, 39, 40), (31, 119, 180)
LEVELS = 10
"""Shades of each colour."""

TAB = 4
"""Columns from one tab stop to the next in a picture."""

_ADVANCE, _LINE, _MARGIN = 8.0, 19, 12
"""Of a picture: the width of a character, the height of a line, and the room around, in pixels."""


def strengths(values: npt.ArrayLike, scale: float | None = None) -> Floats:
    """Return values as -1 … 1: divided by `scale`, by default the largest absolute value."""
    given = np.asarray(values, np.float64)
    if scale is None:
        scale = float(np.abs(given).max(initial=0.0)) or 1.0
    if not scale > 0.0:
        raise ArgumentError(f"scale is a number above 0, not {scale}")
    found: Floats = np.clip(given / scale, -1.0, 1.0)
    return found


def colour_ansi(text: str, values: npt.ArrayLike, scale: float | None = None) -> str:
    """Return a text for a terminal with true colours, on red (positive) or blue (negative).

    Control characters other than newlines are replaced by their pictures (␛), so that a text
    cannot steer the terminal.

    Args:
        text: N characters.
        values: what the unit did after each, (N,).
        scale: the value that gets the full colour; by default the largest.
    """
    parts = []
    for run, level in _runs(text, values, scale):
        shown = "".join(_printable(c) for c in run)
        if level == 0:
            parts.append(shown)
            continue
        colour = _mixed(level, (255, 255, 255))
        code = f"\x1b[30;48;2;{colour[0]};{colour[1]};{colour[2]}m"
        # A colour that ran over the end of a line would fill the rest of the line.
        lines = (f"{code}{line}\x1b[0m" if line else "" for line in shown.split("\n"))
        parts.append("\n".join(lines))
    return "".join(parts)


def colour_html(text: str, values: npt.ArrayLike, scale: float | None = None) -> str:
    """Return a text as HTML spans with a translucent background, for use inside `<pre>`.

    The text is escaped: a corpus with `<script>` in it is shown, not run. The colours go with light
    and dark pages.

    Args are those of `colour_ansi`.
    """
    parts = []
    for run, level in _runs(text, values, scale):
        shown = escape("".join(_printable(c) for c in run))
        if level == 0:
            parts.append(shown)
            continue
        red, green, blue = RED if level > 0 else BLUE
        style = f"background:rgba({red},{green},{blue},{abs(level) / LEVELS * 0.85:.2f})"
        parts.append(f'<span style="{style}">{shown}</span>')
    return "".join(parts)


def colour_svg(
    text: str, values: npt.ArrayLike, scale: float | None = None, columns: int = 80
) -> str:
    """Return a text as an SVG picture, on red (positive) or blue (negative), for any page.

    Lines longer than `columns` are broken. Args and the shades are otherwise those of
    `colour_ansi`; the text is escaped.
    """
    positive(columns, "columns")
    rows: list[list[str]] = [[]]
    marks: list[tuple[int, int, int, int]] = []
    column = 0
    for run, level in _runs(text, values, scale):
        for character in run:
            width = TAB - column % TAB if character == "\t" else 1
            if column + width > columns and character != "\n":
                rows.append([])
                column = 0
            if level and character != "\n":
                at, row, covered, shade = marks[-1] if marks else (0, -1, 0, 0)
                if (row, at + covered, shade) == (len(rows) - 1, column, level):
                    marks[-1] = (at, row, covered + width, level)
                else:
                    marks.append((column, len(rows) - 1, width, level))
            if character == "\n":
                rows.append([])
                column = 0
                continue
            rows[-1].append(" " * width if character == "\t" else _printable(character))
            column += width
    lines = ["".join(row).rstrip() for row in rows]
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    wide = max([*map(len, lines), *(column + width for column, _, width, _ in marks), 1])
    size = (wide * _ADVANCE + 2 * _MARGIN, len(lines) * _LINE + 2 * _MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]:g}" height="{size[1]:g}" '
        f'viewBox="0 0 {size[0]:g} {size[1]:g}">',
        f'<rect width="{size[0]:g}" height="{size[1]:g}" rx="8" fill="#fff"/>',
    ]
    for at, row, width, level in marks:
        red, green, blue = _mixed(level, (255, 255, 255))
        parts.append(
            f'<rect x="{_MARGIN + at * _ADVANCE:g}" y="{_MARGIN + row * _LINE:g}" '
            f'width="{width * _ADVANCE:g}" height="{_LINE}" fill="rgb({red},{green},{blue})"/>'
        )
    parts.append(
        f'<g fill="#1c242d" font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" '
        f'font-size="{_LINE * 0.72:g}">'
    )
    for row, line in enumerate(lines):
        if line:
            # The length is given, so that letters stand on their colours in any font; blanks at
            # the beginning of a line would be dropped.
            kept = escape(line).replace(" ", "\u00a0")
            parts.append(
                f'<text x="{_MARGIN}" y="{_MARGIN + (row + 0.74) * _LINE:g}" '
                f'textLength="{len(line) * _ADVANCE:g}">{kept}</text>'
            )
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def predictions_under(
    reading: Reading, symbols: Sequence[str]
) -> list[list[tuple[str, float]]]:
    """Return for each symbol read the most probable next ones, with their probabilities.

    Args:
        reading: what `read` returned.
        symbols: the text of each symbol number, such as `vocabulary.symbols`.
    """
    if not isinstance(reading, Reading):
        raise DtypeError(f"reading is what `read` returned, not {type(reading).__name__}")
    if reading.top.size and reading.top.max() >= len(symbols):
        raise ShapeError(f"{len(symbols)} symbols do not cover number {int(reading.top.max())}")
    rows = zip(reading.top.tolist(), reading.probabilities.tolist(), strict=True)
    return [[(symbols[i], p) for i, p in zip(*row, strict=True)] for row in rows]


def _runs(text: str, values: npt.ArrayLike, scale: float | None) -> Iterator[tuple[str, int]]:
    """Yield stretches of text of one shade, -LEVELS … LEVELS."""
    if not isinstance(text, str):
        raise DtypeError(f"a text is a str, not {type(text).__name__}")
    given = np.asarray(values)
    if given.shape != (len(text),):
        raise ShapeError(f"{len(text)} characters need as many values, not shape {given.shape}")
    levels = np.rint(strengths(given, scale) * LEVELS).astype(int).tolist()
    start = 0
    for i in range(1, len(text) + 1):
        if i == len(text) or levels[i] != levels[start]:
            yield text[start:i], levels[start]
            start = i


def _mixed(level: int, ground: tuple[int, int, int]) -> tuple[int, ...]:
    share = abs(level) / LEVELS
    ink = RED if level > 0 else BLUE
    return tuple(round(g + (i - g) * share * 0.8) for i, g in zip(ink, ground, strict=True))


def _printable(character: str) -> Any:
    code = ord(character)
    if character in "\n\t" or (code >= 32 and not 127 <= code < 160):
        return character
    return chr(0x2400 + code) if code < 32 else "␡" if code == 127 else "�"
