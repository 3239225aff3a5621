"""How many threads kernels use, and the fork-join that runs a task on them.

A task is a compiled `task(arguments, part, parts)`, all 64-bit integers; it does part `part` of
`parts` of its work, divided by output. Numba's threading layer runs the parts: TBB or OpenMP where
there is one, else its own work queue. That admits one caller at a time; whoever finds it busy runs
all parts alone. GNU's OpenMP is called directly, without the copies that Numba makes for each
thread. Numba's global thread settings are read, never changed.
"""

import contextlib
import ctypes
import importlib
import operator
import os
import threading
from collections.abc import Iterator
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numba
import numba.np.ufunc.parallel
import numpy as np

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.kernels.atomics import atomic_exchange, atomic_store
from tinygrad_rnn.kernels.cache import Kernel, kernel
from tinygrad_rnn.kernels.simd import (
    INDEX,
    INT32,
    TASK,
    Value,
    call_task,
    cgutils,
    intrinsic,
    pointer_at,
    types,
)


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


SPINS = "10000"  # some 300 microseconds

# What compiled code reads of the team, in 64-bit words: the address of the fork-join or 0, the
# number of threads, and the address of a task that starts the threading layer.
LAUNCH, PARTS, START = 0, 1, 2

_parallel: Any = numba.np.ufunc.parallel
_starting = threading.Lock()


class _Team:
    """The thread count, and the launcher once it is needed."""

    def __init__(self) -> None:
        self.limit = _usable_cpus()
        self.words = np.array([0, self.limit, 0], np.int64)
        word = ctypes.c_int64
        # ctypes frees the machine code with the object, so it is kept here.
        self._start = ctypes.CFUNCTYPE(None, word, word, word)(lambda *_: self.start())
        self.words[START] = ctypes.cast(self._start, ctypes.c_void_p).value or 0

    def start(self) -> None:
        """Start the threading layer, unless that is done."""
        with _starting:
            if not self.words[LAUNCH]:
                with _short_spinning():
                    _parallel._launch_threads()
                self.words[LAUNCH] = _launcher_of(_parallel.threading_layer()).address


_team = _Team()


def _after_fork() -> None:
    """A forked child has this thread alone, and no threading layer that could start others."""
    if _team.words[LAUNCH]:
        _team.limit = 1
        _team.words[PARTS] = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


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
    _team.words[PARTS] = min(count, _team.limit)


def get_num_threads() -> int:
    """The number of threads that kernels use; at first, the CPUs this process may run on."""
    return int(_team.words[PARTS])


@kernel("void(intp, intp, intp)", parallel=True)
def _launch(task: int, arguments: int, parts: int) -> None:
    for part in numba.prange(parts):
        call_task(task, arguments, part, parts)


@intrinsic
def _lock(typing_context: Any) -> Any:
    """The address of a word of this process, 0 at first."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        word = ir.GlobalVariable(builder.module, INDEX, "launching")
        word.linkage = "internal"
        word.initializer = INDEX(0)
        return builder.ptrtoint(word, INDEX)

    return types.intp(), generate


@kernel("void(intp, intp, intp)", parallel=True)
def _launch_if_free(task: int, arguments: int, parts: int) -> None:
    lock = _lock()
    if atomic_exchange(lock, 1) == 0:
        for part in numba.prange(parts):
            call_task(task, arguments, part, parts)
        atomic_store(lock, 0)
    else:
        for part in range(parts):
            call_task(task, arguments, part, parts)


@intrinsic
def _fork_join(typing_context: Any, task: Any, arguments: Any, parts: Any) -> Any:
    """Run a task's parts on a team of GNU's OpenMP, which may be smaller than was asked for."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        module = builder.module
        words = cgutils.alloca_once(builder, ir.ArrayType(INDEX, 3))
        for i, value in enumerate(values):
            builder.store(value, builder.gep(words, [INDEX(0), INDEX(i)]))
        whole = ir.FunctionType(ir.VoidType(), [words.type])
        member = ir.Function(module, whole, "run_parts")
        member.linkage = "internal"
        inside = ir.IRBuilder(member.append_basic_block("entry"))
        given = [inside.load(inside.gep(member.args[0], [INDEX(0), INDEX(i)])) for i in range(3)]
        number = ir.FunctionType(INT32, [])
        first, step = (
            inside.sext(
                inside.call(cgutils.get_or_insert_function(module, number, name), []), INDEX
            )
            for name in ("omp_get_thread_num", "omp_get_num_threads")
        )
        function = inside.inttoptr(given[0], TASK.as_pointer())
        with cgutils.for_range_slice(inside, first, given[2], step) as (part, _):
            inside.call(function, [given[1], part, given[2]])
        inside.ret_void()
        kind = ir.FunctionType(ir.VoidType(), [whole.as_pointer(), words.type, INT32, INT32])
        fork = cgutils.get_or_insert_function(module, kind, "GOMP_parallel")
        builder.call(fork, [member, words, builder.trunc(values[2], INT32), INT32(0)])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@kernel("void(intp, intp, intp)")
def _launch_gnu(task: int, arguments: int, parts: int) -> None:
    _fork_join(task, arguments, parts)


def _has_gnu_openmp() -> bool:
    """Whether the layer is GNU's OpenMP, and its functions are there for compiled code to call."""
    try:
        if importlib.import_module("numba.np.ufunc.omppool").openmp_vendor != "GNU":
            return False
        # Numba has loaded it; another copy would have threads of its own.
        library = ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        for name in ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads"):
            address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
            llvm.add_symbol(name, address)
    except (AttributeError, ImportError, OSError):
        return False
    return True


def _launcher_of(layer: str) -> Kernel:
    """The fork-join for one of Numba's threading layers."""
    if layer == "workqueue":
        return _launch_if_free
    return _launch_gnu if layer == "omp" and _has_gnu_openmp() else _launch


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
    """Address of the fork-join `launch(task, arguments, parts)`; starts the layer when needed."""
    if not _team.words[LAUNCH]:
        _team.start()
    return int(_team.words[LAUNCH])


def team_address() -> int:
    """Address of the team's words, for `run_task`."""
    return int(_team.words.ctypes.data)


@numba.njit(error_model="numpy")
def run_task(task, arguments, is_large, team):  # type: ignore[no-untyped-def]
    """Run a task from compiled code, on all threads if it `is_large`."""
    words = pointer_at(team, np.int64)
    parts = words[PARTS]
    if is_large and parts > 1 and words[LAUNCH] == 0:
        call_task(words[START], 0, 0, 1)
    if is_large and parts > 1 and words[LAUNCH] != 0:
        call_task(words[LAUNCH], task, arguments, parts)
    else:
        call_task(task, arguments, 0, 1)
