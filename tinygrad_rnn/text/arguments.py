"""Reading the arguments of this package: symbol numbers, sizes and shares."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError


def array_of(ids: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return symbol numbers as an array of any shape, not copied where they are one already.

    Raises DtypeError for rows of unequal length.
    """
    try:
        return np.asanyarray(ids)
    except ValueError:
        raise DtypeError(
            "symbol numbers are integers in one row; these rows differ in length, so they make "
            "no array"
        ) from None


def text_of(ids: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return a text as an array (N,) of integers. Raises ShapeError or DtypeError."""
    array = array_of(ids)
    if array.ndim != 1:
        raise ShapeError(
            f"a text is one row of symbol numbers, not an array of shape {array.shape}"
        )
    if array.size and array.dtype.kind not in "iu":
        raise DtypeError(f"a text is a row of integers, not of {array.dtype}; encode it first")
    return array


def size_of(name: str, value: object, least: int = 1) -> int:
    """Return `value` if it is an integer of at least `least`. Raises ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(f"{name} is {value!r}; it must be an integer, {least} or more")
    return int(value)


def require_number(name: str, value: object) -> None:
    """Raise ArgumentError unless `value` is a number."""
    if not isinstance(value, int | float | np.integer | np.floating):
        raise ArgumentError(f"{name} is {value!r}; it must be a number")


def shares_of(fractions: Sequence[float]) -> tuple[float, float, float]:
    """Return the shares of train, validation and test parts. Raises ArgumentError."""
    try:
        train, validation, test = map(float, fractions)
        sound = min(train, validation, test) >= 0 and abs(train + validation + test - 1) < 1e-6
    except (TypeError, ValueError):
        sound = False
    if not sound:
        shown = tuple(fractions) if isinstance(fractions, list) else fractions
        raise ArgumentError(
            f"fractions is {shown!r}; it must be three shares (train, validation, test), none "
            "negative, that add up to 1, such as (0.9, 0.05, 0.05)"
        )
    return train, validation, test
