"""What the functions here require of their arguments."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from tinygrad_rnn.tensor import Tensor


def floating(name: str, *tensors: Any) -> None:
    """Raise DtypeError unless all are floating tensors."""
    for x in tensors:
        if not isinstance(x, Tensor):
            raise DtypeError(f"{name} takes tensors, not {type(x).__name__}; see tensor()")
        if not x.is_floating_point():
            raise DtypeError(f"{name} takes floating tensors, not {x.dtype}; convert with .float()")


def one_type(name: str, *tensors: Any) -> None:
    """Raise DtypeError unless all are tensors of one floating type."""
    floating(name, *tensors)
    for x in tensors:
        if x.dtype != tensors[0].dtype:
            raise DtypeError(
                f"{name} takes one floating type, not {tensors[0].dtype} and {x.dtype}; see .to()"
            )


def equal_shapes(name: str, x: Any, target: Any) -> None:
    """Raise ShapeError or DtypeError unless both are floating tensors of one shape and type."""
    one_type(name, x, target)
    if x.shape != target.shape:
        raise ShapeError(
            f"{name} compares equal shapes, not {x.shape} and {target.shape}; reshape or expand "
            "one of them"
        )


def number(name: str, value: Any) -> float:
    """Return a Python number, or raise ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentError(f"{name} is a number, not {value!r}")
    return value


def refuse_in_place(inplace: bool, name: str) -> None:
    """Raise UnsupportedError for a function that is to overwrite its input."""
    if inplace:
        raise UnsupportedError(
            f"{name} has no inplace=True, because the graph needs its input; leave it out"
        )
