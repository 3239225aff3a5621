"""Element types, and the one that Python floats become."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn.context import settings
from tinygrad_rnn.errors import DtypeError

Dtype = np.dtype[Any]

float32: Dtype = np.dtype(np.float32)
float64: Dtype = np.dtype(np.float64)
int64: Dtype = np.dtype(np.int64)
int32: Dtype = np.dtype(np.int32)
int16: Dtype = np.dtype(np.int16)
int8: Dtype = np.dtype(np.int8)
uint8: Dtype = np.dtype(np.uint8)
bool_: Dtype = np.dtype(np.bool_)

_default = float32


def dtype_of(dtype: Any) -> Dtype:
    """Return a dtype that a tensor can have. Raises DtypeError for any other."""
    try:
        found: Dtype = np.dtype(dtype)
    except TypeError:
        raise DtypeError(
            f"{dtype!r} is no element type; use float32, float64, int64 or bool"
        ) from None
    if found.kind not in "fiub" or (found.kind == "f" and found not in (float32, float64)):
        raise DtypeError(f"there are no {found} tensors; use float32, float64, int64 or bool")
    return found


def float_of(dtype: Any) -> Dtype:
    """Return a floating dtype, the default one for None. Raises DtypeError for any other."""
    found = _default if dtype is None else dtype_of(dtype)
    if found.kind != "f":
        raise DtypeError(f"float32 or float64 is needed here, not {found}")
    return found


def set_default_dtype(dtype: Any) -> None:
    """Set the type that Python floats become: float32 (the default) or float64."""
    global _default
    _default = float_of(dtype)
    settings.version += 1


def get_default_dtype() -> Dtype:
    """Return the type that Python floats become."""
    return _default
