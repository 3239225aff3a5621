"""Reading the arguments of this package: tensors, one or several, and functions of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_rnn.errors import ArgumentError, DtypeError
from tinygrad_rnn.tensor import Tensor


def several(given: Any, name: str) -> list[Any]:
    """Return a tensor, or several such as `model.parameters()`, as a list. Raises DtypeError."""
    if isinstance(given, Tensor):
        return [given]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise DtypeError(f"{name} takes Tensors or sequences of them, not {type(given).__name__}")
    return list(given)


def require_tensors(given: Iterable[Any], wanted: str) -> None:
    """Raise DtypeError unless all are tensors."""
    for x in given:
        if not isinstance(x, Tensor):
            raise DtypeError(f"{wanted}, not {type(x).__name__}")


def require_function(function: Any, name: str) -> None:
    """Raise ArgumentError for what cannot be called."""
    if not callable(function):
        raise ArgumentError(f"{name} takes a function, and its arguments apart, not {function!r}")
