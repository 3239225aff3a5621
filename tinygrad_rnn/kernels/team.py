"""A compiled program: a table of tasks, walked by a team of threads that meet at barriers.

The team is entered once for the whole table. Each task is divided among the threads, or left to
the first; a thread waits only where the table says that a task needs what others wrote. Threads
that the machine does not provide in time are not waited for: whoever came first does all the work
alone, with the same bits, since tasks are divided by output. This also serves threading layers
that run one part after the other.
"""

import ctypes
import functools
import sys
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numpy as np
from numba import njit

from tinygrad_rnn.kernels import threads
from tinygrad_rnn.kernels.atomics import atomic_add, atomic_load, atomic_store
from tinygrad_rnn.kernels.cache import kernel
from tinygrad_rnn.kernels.simd import (
    INT32,
    Value,
    call_task,
    cgutils,
    intrinsic,
    pointer_at,
    types,
)

# The words of a program's header, all 64-bit integers.
TABLE, FIRST, LAST, SYNC, YIELD, JOIN_SPINS, STATUS, CHECKS = 0, 1, 2, 3, 4, 5, 6, 7
MOVES, MOVE_COUNT, BASES, WORDS, MOVED = 8, 9, 10, 11, 12
HEADER_WORDS = 13

# The words of a row of the table: a task, its arguments, and how it is run.
TASK_WORDS = 3
BARRIER, DIVIDED, COMMIT = 1, 2, 4

# The words of a move: where an address stands, which base it counts from, and how far.
MOVE_WORDS = 3

# The words of the team's memory, a cache line each.
_LINE = 8
_ARRIVED, _DECIDED, _MET, _RELEASED = 0, _LINE, 2 * _LINE, 3 * _LINE
SYNC_WORDS = 4 * _LINE
_ALONE, _TOGETHER = 1, 2

STATUS_WORDS = 2  # of a check: whether it failed, and the number that made it fail
_SPINS_BEFORE_YIELD = 1000


@intrinsic
def _pause(typing_context: Any) -> Any:
    """Tell the CPU that this is a loop that waits."""
    is_x86 = llvm.get_process_triple().startswith(("x86_64", "i686"))

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        if is_x86:
            kind = ir.FunctionType(ir.VoidType(), [])
            name = "llvm.x86.sse2.pause"
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _give_way(typing_context: Any, address: Any) -> Any:
    """Call the system's `sched_yield`, so that whoever is waited for can run."""
    kind = ir.FunctionType(INT32, [])

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@functools.cache
def yield_address() -> int:
    """Address of the function that gives the CPU to another thread; 0 if there is none."""
    try:
        library = ctypes.CDLL("kernel32" if sys.platform == "win32" else None)
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    except (AttributeError, OSError):
        return 0


@njit(error_model="numpy")
def _wait_until(address, number, give_way):  # type: ignore[no-untyped-def]
    """Wait until the word at an address is at least `number`."""
    spins = 0
    while atomic_load(address) < number:
        _pause()
        spins += 1
        if spins > _SPINS_BEFORE_YIELD and give_way != 0:
            _give_way(give_way)


@njit(error_model="numpy")
def _join(sync, parts, spins, give_way):  # type: ignore[no-untyped-def]
    """Return whether the team works together, this thread alone, or (0) without this thread."""
    if atomic_add(sync + 8 * _ARRIVED, 1) > 0:
        _wait_until(sync + 8 * _DECIDED, 1, give_way)
        together = atomic_load(sync + 8 * _DECIDED) == _TOGETHER
        return _TOGETHER if together else 0
    left = spins
    while left > 0 and atomic_load(sync + 8 * _ARRIVED) < parts:
        _pause()
        left -= 1
    decision = _TOGETHER if atomic_load(sync + 8 * _ARRIVED) == parts else _ALONE
    atomic_store(sync + 8 * _DECIDED, decision)
    return decision


@njit(error_model="numpy")
def _failed(status, checks):  # type: ignore[no-untyped-def]
    """The number, from 1, of the first check that failed, or 0."""
    words = pointer_at(status, np.int64)
    for i in range(checks):
        if words[i * STATUS_WORDS] != 0:
            return i + 1
    return 0


@kernel("void(intp, intp, intp)")
def _walk(program, part, parts):  # type: ignore[no-untyped-def]
    header = pointer_at(program, np.int64)
    sync = header[SYNC]
    give_way = header[YIELD]
    if parts > 1:
        joined = _join(sync, parts, header[JOIN_SPINS], give_way)
        if joined == 0:
            return
        if joined == _ALONE:
            part, parts = 0, 1
    table = pointer_at(header[TABLE], np.int64)
    met = 0
    for i in range(header[FIRST], header[LAST]):
        row = i * TASK_WORDS
        flags = table[row + 2]
        if flags & BARRIER and parts > 1:
            met += 1
            if atomic_add(sync + 8 * _MET, 1) + 1 == parts * met:
                atomic_store(sync + 8 * _RELEASED, met)
            else:
                _wait_until(sync + 8 * _RELEASED, met, give_way)
        if flags & COMMIT and _failed(header[STATUS], header[CHECKS]) != 0:
            return
        if flags & DIVIDED:
            call_task(table[row], table[row + 1], part, parts)
        elif part == 0:
            call_task(table[row], table[row + 1], 0, 1)


@kernel("intp(intp, intp, intp, intp)")
def _run(program, walk, launch, parts):  # type: ignore[no-untyped-def]
    header = pointer_at(program, np.int64)
    if header[MOVED] != 0:
        header[MOVED] = 0
        moves = pointer_at(header[MOVES], np.int64)
        bases = pointer_at(header[BASES], np.int64)
        words = pointer_at(header[WORDS], np.int64)
        for i in range(header[MOVE_COUNT]):
            row = i * MOVE_WORDS
            words[moves[row]] = bases[moves[row + 1]] + moves[row + 2]
    status = pointer_at(header[STATUS], np.int64)
    if header[FIRST] == 0:
        for i in range(header[CHECKS]):
            status[i * STATUS_WORDS] = 0
    if parts == 1:
        call_task(walk, program, 0, 1)
    else:
        sync = pointer_at(header[SYNC], np.int64)
        for i in range(SYNC_WORDS):
            sync[i] = 0
        call_task(launch, walk, program, parts)
    return _failed(header[STATUS], header[CHECKS])


class Runner:
    """What Python calls to run a program: `runner(header address, parallel)`.

    Returns the number, from 1, of the first check that failed, or 0.
    """

    def __init__(self) -> None:
        self._run = _run.compiled
        self._walk = _walk.address

    def alone(self, program: int) -> Callable[[], int]:
        """A function that runs a program on this thread, at the least cost of a call."""
        return functools.partial(self._run, program, self._walk, 0, 1)

    def __call__(self, program: int, parallel: bool) -> int:
        """Run what the header at an address says, on the team if `parallel`."""
        if not parallel or threads.get_num_threads() == 1:
            return int(self._run(program, self._walk, 0, 1))
        return int(self._run(program, self._walk, threads.launcher(), threads.get_num_threads()))


@functools.cache
def runner() -> Runner:
    """The runner, compiled at its first use."""
    return Runner()
