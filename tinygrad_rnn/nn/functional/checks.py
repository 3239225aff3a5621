"""What the functions here require of their arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.tensor import Tensor

Loss = TypeVar("Loss", bound=Callable[..., Any])


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
    """Return a Python number, also that of NumPy or of a tensor with one. Raises ArgumentError."""
    if isinstance(value, (np.integer, np.floating)) or (
        isinstance(value, Tensor) and value.numel() == 1
    ):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentError(f"{name} is a number, not {value!r}")
    return value


def applied(function: Callable[[Tensor], Tensor], x: Tensor, inplace: bool) -> Tensor:
    """Return function(x): a new tensor or, `inplace`, x itself with what it became."""
    return x._rewrite(function) if inplace else function(x)


def legacy_reduction(loss: Loss) -> Loss:
    """Let a loss be called with `size_average` and `reduce`, which PyTorch had before `reduction`.

    Without `reduce` nothing is summed up; without `size_average` nothing is divided.
    """

    @functools.wraps(loss)
    def called(
        *given: Any, size_average: bool | None = None, reduce: bool | None = None, **settings: Any
    ) -> Any:
        if size_average is not None or reduce is not None:
            kind = "mean" if size_average in (None, True) else "sum"
            settings["reduction"] = kind if reduce in (None, True) else "none"
        return loss(*given, **settings)

    return cast("Loss", called)
