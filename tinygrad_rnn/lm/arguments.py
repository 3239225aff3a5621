"""Reading the arguments of this package: what is no number, or another kind of object."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from tinygrad_rnn.errors import ArgumentError, DtypeError, OutOfRangeError


def require(value: Any, kind: type, name: str) -> None:
    """Raise DtypeError that says what `name` is to be, unless it is a `kind`."""
    if not isinstance(value, kind):
        raise DtypeError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")


def require_known(ids: npt.NDArray[Any], size: int) -> None:
    """Raise OutOfRangeError unless all of an array's integers are symbol numbers below `size`."""
    if not ids.size or ids.dtype.kind not in "iu":
        return
    least, most = int(ids.min()), int(ids.max())
    if least < 0 or most >= size:
        raise OutOfRangeError(
            f"the text has symbol numbers {least}..{most}, and the model knows 0..{size - 1}; "
            "encode it with the model's own vocabulary"
        )


def is_number(value: object) -> bool:
    """Whether `value` is a Python number, NaN and infinities too, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_of(value: Any, name: str) -> float:
    """Return `value` as a float. Raises ArgumentError when it is no number."""
    if not is_number(value):
        raise ArgumentError(f"{name} is {value!r}; it must be a number")
    return float(value)
