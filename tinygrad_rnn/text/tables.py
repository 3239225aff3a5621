"""Tables in text files: CSV and TSV, with columns by name or number and errors by line."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.text.corpora import find_text

Column = str | int
Columns = Mapping[Column, type] | Sequence[Column]

_TYPES: dict[type, str] = {str: "text", int: "an integer", float: "a number"}


def read_csv(
    path: str | os.PathLike[str],
    columns: Columns | None = None,
    *,
    header: bool = True,
    delimiter: str = ",",
    skip_missing: bool = False,
) -> dict[Column, Any]:
    """Read columns of a CSV file, in which values may be quoted (RFC 4180).

        table = read_csv("prices.csv", {"Date": str, "Close": float})

    Args:
        path: a UTF-8 file.
        columns: which columns, by the name in the header or by number from 0; and what each holds:
            str, int or float, text where that is not said. None reads all as text, by name if
            there is a header, else by number.
        header: whether the first line names the columns.
        delimiter: the character between values.
        skip_missing: leave out rows in which a wanted number is missing (empty); otherwise that
            is an error.

    Returns:
        For each column a list of strings, or an array of int64 or float64.

    Raises:
        DataError: names file and line of whatever cannot be read: a missing or empty file, bytes
            that are not UTF-8, a row of another number of values, an unknown column, a value that
            is no number, no rows.
        ArgumentError: for a type, delimiter or path that cannot be.
    """
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise ArgumentError(f"delimiter is {delimiter!r}; it must be one character, such as ','")
    return _read(path, columns, header, skip_missing, {"delimiter": delimiter, "strict": True})


def read_tsv(
    path: str | os.PathLike[str],
    columns: Columns | None = None,
    *,
    header: bool = False,
    skip_missing: bool = False,
) -> dict[Column, Any]:
    """Read columns of a file with tabs between values, in which quotes mean nothing.

    Arguments, results and errors are those of `read_csv`.
    """
    dialect = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    return _read(path, columns, header, skip_missing, dialect)


def _read(
    path: str | os.PathLike[str],
    columns: Columns | None,
    header: bool,
    skip_missing: bool,
    dialect: dict[str, Any],
) -> dict[Column, Any]:
    corpus = find_text(path)
    rows = _rows(corpus.read(), corpus.name, dialect)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{corpus.name} has no rows, only empty lines")
    width = len(first[1])
    names = first[1] if header else None
    types = _types_of(columns, names, width)
    places = {column: _place(column, names, width, corpus.name) for column in types}
    found: dict[Column, list[Any]] = {column: [] for column in types}
    for line, values in rows if header else _with(first, rows):
        if len(values) != width:
            raise DataError(
                f"{corpus.name}, line {line}: {len(values)} values, where the first line has "
                f"{width}; put quotes around values that hold a delimiter, or mend the line"
            )
        if skip_missing and any(
            not values[places[c]].strip() for c, kind in types.items() if kind is not str
        ):
            continue
        for column, kind in types.items():
            value = values[places[column]]
            try:
                found[column].append(kind(value))
            except ValueError:
                raise DataError(
                    f"{corpus.name}, line {line}: column {column!r} has {value[:40]!r}, which is "
                    f"not {_TYPES[kind]}"
                    + ("; skip_missing=True leaves out such rows" if not value.strip() else "")
                ) from None
    if not any(found.values()):
        raise DataError(f"{corpus.name} has no rows of values")
    return {
        column: values if types[column] is str else np.array(values, types[column])
        for column, values in found.items()
    }


def _rows(text: str, name: str, dialect: dict[str, Any]) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each row that is not empty begins, and its values."""
    reader = csv.reader(io.StringIO(text, newline=""), **dialect)
    line = 1
    try:
        for values in reader:
            if values:
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{name}, line {line}: {error}; inside of a quoted value, a quotation mark stands twice"
        ) from error


def _with(
    first: tuple[int, list[str]], rest: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    yield first
    yield from rest


def _types_of(columns: Columns | None, names: list[str] | None, width: int) -> dict[Column, type]:
    if columns is None:
        return dict.fromkeys(range(width) if names is None else names, str)
    if isinstance(columns, str) or not isinstance(columns, Mapping | Sequence):
        raise ArgumentError(
            f"columns is {columns!r}; it is a list of names or numbers, or says what each holds, "
            "as {'Close': float} does"
        )
    types: dict[Column, type] = (
        dict(columns) if isinstance(columns, Mapping) else dict.fromkeys(columns, str)
    )
    for column, kind in types.items():
        if kind not in _TYPES:
            raise ArgumentError(f"column {column!r} is to hold {kind!r}; it is str, int or float")
    return types


def _place(column: Column, names: list[str] | None, width: int, name: str) -> int:
    if isinstance(column, str):
        if names is None:
            raise DataError(
                f"column {column!r} of {name} is wanted by name, and header=False says that no "
                f"line names them; give a number 0 … {width - 1}"
            )
        if column not in names:
            raise DataError(f"{name} has no column {column!r}; it has {', '.join(names)}")
        return names.index(column)
    if isinstance(column, bool) or not isinstance(column, int) or not 0 <= column < width:
        raise DataError(f"{name} has no column {column!r}; its columns are 0 … {width - 1}")
    return column
