"""Kernels as NumPy's kind of function, whose call costs a quarter of a call into compiled code.

NumPy finds shapes, broadcasts and makes the result. Its error state applies: unused lanes may raise
floating-point flags, so callers turn the warnings off, as every operation on tensors does.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.np.ufunc._internal import fromfunc

from tinygrad_rnn.kernels.cache import Kernel, kernel
from tinygrad_rnn.kernels.simd import Array, call_task, pointer_at, stack_words
from tinygrad_rnn.kernels.threads import run_task, team_address

THREADED_ELEMENTS = 32_768  # below this a second thread costs more than it saves

REALS = {4: "float32", 8: "float64"}  # element types by size
_NO_IDENTITY = -1  # as NumPy says that a function has none

# The words that an element-wise loop is given, and the elements that it gathers at a time.
_TASK, _ITEMSIZE, _TEAM = 0, 1, 2
_GATHERED = 128


class BySize(dict[int, Any]):
    """What `make("float32")` and `make("float64")` return, by size of element, made when needed.

    The size is what costs least to ask an array for. Other types of these sizes are no harm: NumPy
    converts what can be converted without loss, and refuses the rest.
    """

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, itemsize: int) -> Any:
        self[itemsize] = made = self._make(REALS[itemsize])
        return made


def as_ufunc(
    name: str,
    document: str | None,
    inner_loop: Kernel,
    words: dict[str, list[int]],
    inputs: int,
    signature: str | None = None,
) -> Any:
    """Return a function of `inputs` arrays of one element type with one result.

    `inner_loop(pointers, sizes, strides, data)` is what NumPy's C API calls a loop: addresses of
    the inputs and the result, lengths and byte strides of the outer axis and, with a `signature`
    such as "(m,k),(k,n)->(m,n)", of the inner ones; `data` is the address of the `words` for the
    element type.
    """
    kinds = [[np.dtype(real).num] * (inputs + 1) for real in words]
    data = [np.array(numbers, np.int64) for numbers in words.values()]
    loops = [inner_loop.address] * len(words)
    addresses = [numbers.ctypes.data for numbers in data]
    core = [] if signature is None else [signature, ()]
    kept = (inner_loop, data)
    return fromfunc(name, document, loops, kinds, inputs, 1, addresses, kept, _NO_IDENTITY, *core)


@numba.njit(error_model="numpy")
def _copy_elements(itemsize, count, source, source_step, target, target_step):  # type: ignore[no-untyped-def]
    if itemsize == 4:
        for i in range(count):
            value = pointer_at(source + i * source_step, np.int32)[0]
            pointer_at(target + i * target_step, np.int32)[0] = value
    else:
        for i in range(count):
            word = pointer_at(source + i * source_step, np.int64)[0]
            pointer_at(target + i * target_step, np.int64)[0] = word


@kernel("void(intp, intp, intp, intp)")
def _elementwise_loop(pointers, sizes, strides, data):  # type: ignore[no-untyped-def]
    """Any task whose words are source, target and number of neighbouring elements."""
    given = pointer_at(data, np.int64)
    task = given[_TASK]
    itemsize = given[_ITEMSIZE]
    source, target = pointer_at(pointers, np.int64)[0], pointer_at(pointers, np.int64)[1]
    source_step, target_step = pointer_at(strides, np.int64)[0], pointer_at(strides, np.int64)[1]
    count = pointer_at(sizes, np.int64)[0]
    words = stack_words(3)
    put = pointer_at(words, np.int64)
    if source_step == itemsize and target_step == itemsize:
        put[0] = source
        put[1] = target
        put[2] = count
        run_task(task, words, count >= THREADED_ELEMENTS, given[_TEAM])
        return
    gathered = stack_words(_GATHERED)
    put[0] = gathered
    put[1] = gathered
    for first in range(0, count, _GATHERED):
        number = min(_GATHERED, count - first)
        put[2] = number
        start = source + first * source_step
        _copy_elements(itemsize, number, start, source_step, gathered, itemsize)
        call_task(task, words, 0, 1)
        start = target + first * target_step
        _copy_elements(itemsize, number, gathered, itemsize, start, target_step)


def elementwise(
    name: str, document: str, make_task: Callable[[str], Kernel]
) -> Callable[[Array], Any]:
    """A function of every element of an array, from what makes its task for an element type.

    The task's words are addresses of source and target and the number of elements.
    """

    def function_for(reals: tuple[str, ...]) -> Any:
        team = team_address()
        words = {r: [make_task(r).address, np.dtype(r).itemsize, team] for r in reals}
        return as_ufunc(name, document, _elementwise_loop, words, 1)

    function: Any = None

    def call(x: Array) -> Any:
        try:
            return function(x)
        except TypeError:  # not made yet for this element type, or for none
            return extended(x)

    def extended(x: Array) -> Any:
        nonlocal function
        # Never for float64 alone, to which NumPy would convert a float32.
        reals = ("float32",) if x.dtype == np.float32 else ("float32", "float64")
        function = function_for(reals)
        return function(x)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = document
    return call
