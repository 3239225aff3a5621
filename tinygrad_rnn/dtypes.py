"""Element types, and the one that Python floats become."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn.errors import DtypeError

Dtype = np.dtype[Any]

float32: Dtype = np.dtype(np.float32)
float64: Dtype = np.dtype(np.float64)
int64: Dtype = np.dtype(np.int64)
int32: Dtype = np.dtype(np.int32)
uint8: Dtype = np.dtype(np.uint8)
bool_: Dtype = np.dtype(np.bool_)

_default = float32


def set_default_dtype(dtype: Any) -> None:
    """Set the type that Python floats become: float32 (the default) or float64."""
    global _default
    dtype = np.dtype(dtype)
    if dtype not in (float32, float64):
        raise DtypeError(f"the default type must be float32 or float64, not {dtype}")
    _default = dtype


def get_default_dtype() -> Dtype:
    """Return the type that Python floats become."""
    return _default
