"""How many threads kernels use, and the fork-join that runs a task on them.

A task is a compiled `task(arguments, part, parts)`, all 64-bit integers; it does part `part` of
`parts` of its work, divided by output. Numba's threading layer runs the parts: TBB or OpenMP where
there is one, else its own work queue, which admits one Python thread at a time and is guarded by
a lock here. Numba's global thread settings are read, never changed.
"""

import contextlib
import operator
import os
import threading
from collections.abc import Iterator
from typing import Any

import numba
import numba.np.ufunc.parallel

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.kernels.cache import kernel
from tinygrad_rnn.kernels.simd import call_task


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


SPINS = "10000"  # some 30 microseconds

_threading_layer: Any = numba.np.ufunc.parallel.threading_layer


class _Team:
    """The thread count, and the launcher once it is needed."""

    def __init__(self) -> None:
        self.limit = _usable_cpus()
        self.count = self.limit
        self.launcher = 0
        self.guard: Any = contextlib.nullcontext()


_team = _Team()
_starting = threading.Lock()


def set_num_threads(n: int) -> None:
    """Let kernels use `n` threads; more than the usable CPUs count as that many.

    Results do not depend on it: work is divided by output, never by summation.

    Raises `ArgumentError` if n is not an integer of at least 1.
    """
    try:
        count = operator.index(n)
    except TypeError:
        count = 0
    if count < 1 or isinstance(n, bool):
        raise ArgumentError(
            f"set_num_threads takes an integer of at least 1, not {n!r}; "
            f"use set_num_threads({_team.limit}) for every CPU this process may use"
        )
    _team.count = min(count, _team.limit)


def get_num_threads() -> int:
    """The number of threads that kernels use; at first, the CPUs this process may run on."""
    return _team.count


@kernel("void(intp, intp, intp)", parallel=True)
def _launch(task: int, arguments: int, parts: int) -> None:
    for part in numba.prange(parts):
        call_task(task, arguments, part, parts)


@contextlib.contextmanager
def _short_spinning() -> Iterator[None]:
    """Let GNU OpenMP's idle threads spin for microseconds, not milliseconds, if it loads in here.

    It reads its settings once, when it is loaded. Where other programs want the CPUs, its own
    choice makes a fork-join wait for whole time slices; a user's setting is respected.
    """
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    if any(name in os.environ for name in names):
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = SPINS
    try:
        yield
    finally:
        os.environ.pop("GOMP_SPINCOUNT", None)


def launcher() -> int:
    """Address of the fork-join `launch(task, arguments, parts)`; starts the layer when first asked.

    0 if one thread is all there is.
    """
    if _team.count == 1:
        return 0
    if not _team.launcher:
        with _starting:
            if not _team.launcher:
                with _short_spinning():
                    address = _launch.address
                if _threading_layer() == "workqueue":
                    _team.guard = threading.Lock()
                _team.launcher = address
    return _team.launcher


def guard() -> Any:
    """A context to hold while a launcher runs: a lock where a layer takes one caller at a time."""
    launcher()
    return _team.guard


def run(entry: Any, *arguments: Any) -> None:
    """Call a kernel's entry, whose last two arguments are launcher and parts, on all threads."""
    if _team.count == 1:
        entry(*arguments, 0, 1)
        return
    address = launcher()
    with _team.guard:
        entry(*arguments, address, _team.count)
