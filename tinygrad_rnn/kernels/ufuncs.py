"""Kernels as NumPy's kind of function, whose call costs a quarter of a call into compiled code.

NumPy finds shapes, broadcasts and makes the result. Its error state applies: unused lanes may raise
floating-point flags, so callers turn the warnings off, as every operation on tensors does.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.np.ufunc._internal import fromfunc

from tinygrad_rnn.kernels.cache import Kernel

REALS = {"f": "float32", "d": "float64"}  # element types by NumPy's character
_NO_IDENTITY = -1  # as NumPy says that a function has none


class ByType(dict[str, Any]):
    """What `make("float32")` and `make("float64")` return, by character, made when needed."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, character: str) -> Any:
        self[character] = made = self._make(REALS[character])
        return made


def as_ufunc(
    name: str,
    document: str | None,
    inner_loop: Kernel,
    real: str,
    inputs: int,
    signature: str | None = None,
    data: int = 0,
) -> Any:
    """Return a function of `inputs` arrays of one element type with one result.

    `inner_loop(pointers, sizes, strides, data)` is what NumPy's C API calls a loop: addresses of
    the inputs and the result, lengths and byte strides of the outer axis and, with a `signature`
    such as "(m,k),(k,n)->(m,n)", of the inner ones.
    """
    kinds = [[np.dtype(real).num] * (inputs + 1)]
    given = [name, document, [inner_loop.address], kinds, inputs, 1, [data], (inner_loop,)]
    core = [] if signature is None else [signature, ()]
    return fromfunc(*given, _NO_IDENTITY, *core)
