"""What units may keep track of: properties of a text, one value a character.

The value at i says how things stand after character i has been read, as does the state h_i of a
model that has just read it. Truth values make boolean properties, numbers numeric ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError

Values = npt.NDArray[Any]
Property = Callable[[str], Any]

_OPEN, _CLOSE = "([{", ")]}"
_IF = re.compile(r"\b(?:if|while)\s*\(")
TAB = 8
"""Columns from one tab stop to the next."""


def inside_quotes(text: str) -> Values:
    """Inside "…" or “…”. An open quote ends with the paragraph, if nobody closed it."""
    found = np.zeros(len(text), bool)
    inside = False
    for i, character in enumerate(text):
        if character == "“":
            inside = True
        elif character == "”" or text[i - 1 : i + 1] == "\n\n":
            inside = False
        elif character == '"' and not _escaped(text, i):
            inside = not inside
        found[i] = inside
    return found


def _escaped(text: str, i: int) -> bool:
    backslashes = i - len(text[:i].rstrip("\\")) if i and text[i - 1] == "\\" else 0
    return backslashes % 2 == 1


def bracket_depth(text: str) -> Values:
    """How many of (, [ and { are open."""
    steps = [(c in _OPEN) - (c in _CLOSE) for c in text]
    depth = np.zeros(len(text))
    open_now = 0
    for i, step in enumerate(steps):
        open_now = max(open_now + step, 0)
        depth[i] = open_now
    return depth


def inside_brackets(text: str) -> Values:
    """Inside (…) or […]; blocks in { } do not count."""
    flat = text.replace("{", " ").replace("}", " ")
    return bracket_depth(flat) > 0


def inside_comment(text: str) -> Values:
    """Inside a C comment, /* … */ or // to the end of the line. Strings do not begin one."""
    found = np.zeros(len(text), bool)
    i, kind = 0, ""
    while i < len(text):
        two = text[i : i + 2]
        width = 1
        if not kind:
            if two in ("/*", "//"):
                kind, width = two, 2
            elif text[i] == '"':
                width = _string_length(text, i)
        elif (kind == "/*" and two == "*/") or (kind == "//" and text[i] == "\n"):
            width = 2 if kind == "/*" else 1
            found[i : i + width - 1] = True
            kind, i = "", i + width
            continue
        # The first character of the pair is read before anyone can know.
        found[i + width - 1 if kind else i : i + width] = bool(kind)
        i += width
    return found


def _string_length(text: str, start: int) -> int:
    end = start + 1
    while end < len(text) and text[end] not in '"\n':
        end += 2 if text[end] == "\\" else 1
    return min(end + 1, len(text)) - start


def inside_if_condition(text: str) -> Values:
    """Inside the parentheses of `if (…)` or `while (…)`."""
    found = np.zeros(len(text), bool)
    for match in _IF.finditer(text):
        depth, i = 1, match.end()
        found[i - 1] = True
        while i < len(text) and depth:
            depth += (text[i] == "(") - (text[i] == ")")
            found[i] = depth > 0
            i += 1
    return found


def position_in_line(text: str) -> Values:
    """How many characters of the line have been read; 0 after a newline."""
    found = np.zeros(len(text))
    count = 0
    for i, character in enumerate(text):
        count = 0 if character == "\n" else count + 1
        found[i] = count
    return found


def indentation(text: str) -> Values:
    """How far the line is indented, in columns (as far as it has been read)."""
    found = np.zeros(len(text))
    columns, leading = 0, True
    for i, character in enumerate(text):
        if character == "\n":
            columns, leading = 0, True
        elif leading and character in " \t":
            columns += 1 if character == " " else TAB - columns % TAB
        else:
            leading = False
        found[i] = columns
    return found


def after_newline(text: str) -> Values:
    """The character just read is a newline."""
    return np.array([c == "\n" for c in text], bool)


def upper_case(text: str) -> Values:
    """The character just read is a capital letter."""
    return np.array([c.isupper() for c in text], bool)


def word_boundary(text: str) -> Values:
    """The character just read belongs to no word: no letter, digit, underscore or apostrophe."""
    return np.array([not (c.isalnum() or c in "_'") for c in text], bool)


PROPERTIES: Mapping[str, Property] = {
    "inside quotes": inside_quotes,
    "inside brackets": inside_brackets,
    "bracket depth": bracket_depth,
    "inside a comment": inside_comment,
    "inside an if-condition": inside_if_condition,
    "position in the line": position_in_line,
    "indentation": indentation,
    "after a newline": after_newline,
    "upper case": upper_case,
    "word boundary": word_boundary,
}
"""The properties that `search_units` looks for unless told otherwise."""


def property_of(text: str, of: Property, name: str = "the property") -> Values:
    """Return a property of a text, checked: one truth value or finite number a character.

    Raises:
        ShapeError: for another number of values.
        DtypeError: for values that are neither truth values nor numbers.
        ArgumentError: for numbers that are not finite.
    """
    if not isinstance(text, str):
        raise DtypeError(f"a text is a str, not {type(text).__name__}")
    if not callable(of):
        raise DtypeError(f"{name} is a function of the text, not {type(of).__name__}")
    values = np.asarray(of(text))
    if values.shape != (len(text),):
        raise ShapeError(
            f"{name} gave values of shape {values.shape} for {len(text)} characters; it has to "
            "give one a character"
        )
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind not in "iuf":
        raise DtypeError(f"{name} gave {values.dtype}; it has to give truth values or numbers")
    if not np.isfinite(values).all():
        raise ArgumentError(f"{name} gave a number that is not finite")
    return values.astype(np.float64)
