"""Reading arguments the way PyTorch's calls write them: axes, shapes and data.

Knows ndarrays and Python numbers, never a Tensor.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.dtypes import dtype_of
from tinygrad_rnn.errors import ArgumentError, DtypeError, OutOfRangeError

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Function = TypeVar("Function", bound=Callable[..., Any])


def axis_of(dim: Any, ndim: int) -> int:
    """Return `dim` counted from the front. Raises OutOfRangeError if there is no such axis."""
    try:
        axis = operator.index(dim)
    except TypeError:
        raise ArgumentError(f"an axis is an integer, not {dim!r}") from None
    if not -ndim <= axis < ndim:
        raise OutOfRangeError(
            f"there is no axis {axis} in a tensor with {ndim} axes; use {-ndim}..{ndim - 1}"
        )
    return axis % ndim


def axes_of(dim: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes that `dim` names (None: all of them), in order and without repetition."""
    if dim is None:
        return tuple(range(ndim))
    if ndim == 0:
        # As in PyTorch, a tensor without axes may be reduced over "its" axis.
        for one in dim if isinstance(dim, (tuple, list)) else (dim,):
            axis_of(one, 1)
        return ()
    if isinstance(dim, (tuple, list)):
        axes = tuple(sorted(axis_of(one, ndim) for one in dim))
        if len(set(axes)) != len(axes):
            raise ArgumentError(f"an axis is named twice in {tuple(dim)}")
        return axes
    return (axis_of(dim, ndim),)


def reduced_axes(dim: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes that a reduction over `dim` takes away: of no axes named, all, as PyTorch."""
    return axes_of(dim, ndim) or tuple(range(ndim))


def shape_of(sizes: tuple[Any, ...]) -> Shape:
    """Return the shape that was given as `f(2, 3)` or as `f((2, 3))`."""
    if len(sizes) == 1 and isinstance(sizes[0], Iterable):
        sizes = tuple(sizes[0])
    try:
        return tuple([operator.index(n) for n in sizes])
    except TypeError:
        raise ArgumentError(f"a shape is made of integers, not {sizes!r}") from None


def sizes_of(sizes: tuple[Any, ...]) -> Shape:
    """Return a shape to be made, in which no length is negative."""
    shape = shape_of(sizes)
    if any(n < 0 for n in shape):
        raise ArgumentError(f"a shape has no negative lengths, not {shape}")
    return shape


def array_of(data: Any, dtype: Any, default: np.dtype[Any]) -> Array:
    """Return `data` as an array that may share memory with it.

    Python floats become `default`; arrays, and NumPy's numbers in lists, keep their type unless
    `dtype` says otherwise.

    Raises:
        DtypeError: if these are no numbers, or numbers that an integer type does not reach.
    """
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise DtypeError(f"cannot make a tensor of this data: {error}") from error
    if array.dtype.kind not in "fiub" or array.dtype == np.float16 or array.dtype.itemsize > 8:
        raise DtypeError(
            f"cannot make a tensor of {array.dtype}: numbers are needed, as float32, float64, "
            "integers or booleans, in rows of equal length"
        )
    if dtype is None:
        python_floats = array.dtype == np.float64 and not _holds_float64(data)
        dtype = default if python_floats else array.dtype
    wanted = dtype_of(dtype)
    if not hasattr(data, "__array__"):
        _require_reach(array, wanted)
    return array.astype(wanted, copy=False)


def _holds_float64(data: Any) -> bool:
    """Whether this is, or nested lists hold, an array or a number of NumPy's float64."""
    if isinstance(data, (list, tuple)):
        kinds = set(map(type, data))
        return not kinds <= {float, int, bool} and any(map(_holds_float64, data))
    return hasattr(data, "__array__") and np.asarray(data).dtype == np.float64


def _require_reach(array: Array, dtype: np.dtype[Any]) -> None:
    """Raise DtypeError if an integer type has no place for some number, cut to its whole part."""
    if dtype.kind not in "iu" or array.dtype == dtype:
        return
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    whole = np.trunc(array) if array.dtype.kind == "f" else array
    # Not <= high, which as a float64 may be the number after it.
    within = (whole >= low) & (whole < high + 1)
    if not within.all():
        raise DtypeError(
            f"{array[~within].flat[0]} does not fit {dtype}, which goes from {low} to {high}; "
            "choose a wider type"
        )


# The names that PyTorch takes beside its own, as NumPy has them.
_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(function: Function) -> Function:
    """Let a function of `dim` and `keepdim` be called with `axis` and `keepdims` as well."""

    @functools.wraps(function)
    def called(*given: Any, **settings: Any) -> Any:
        for name in settings.keys() & _NUMPY_NAMES.keys():
            if _NUMPY_NAMES[name] in settings:
                raise ArgumentError(f"{name} and {_NUMPY_NAMES[name]} say the same; pass one")
            settings[_NUMPY_NAMES[name]] = settings.pop(name)
        return function(*given, **settings)

    return cast("Function", called)


def integer_of(n: Any, name: str) -> int:
    """Return `n` if it is an integer. Raises ArgumentError."""
    try:
        number = operator.index(n)
    except TypeError:
        number = None
    if number is None or isinstance(n, bool):
        raise ArgumentError(f"{name} is an integer, not {n!r}")
    return number


def positive(n: int, name: str) -> int:
    """Return `n` if it is an integer of 1 or more. Raises ArgumentError."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ArgumentError(f"{name} is an integer of 1 or more, not {n!r}")
    return int(n)


def probability(p: float) -> float:
    """Return `p` if it lies between 0 and 1. Raises ArgumentError."""
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0.0 <= p <= 1.0:
        raise ArgumentError(f"a probability lies between 0 and 1, not {p!r}")
    return float(p)
