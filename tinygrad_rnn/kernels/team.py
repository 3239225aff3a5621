"""A compiled program: a table of tasks, walked by a team of threads that meet at barriers.

The team is entered once for the whole table. Each task is divided among the threads, or left to
the first; a thread waits only where the table says that a task needs what others wrote. Threads
that the machine does not provide in time are not waited for: whoever came first does all the work
alone, with the same bits, since tasks are divided by output. This also serves threading layers
that run one part after the other. A team whose members keep waiting for one another, because they
have to share a CPU, breaks up at the next barrier, and one thread does the rest. It also does the
next runs: threads that went to sleep meanwhile are woken on a CPU that is idle.
"""

import ctypes
import functools
import math
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
    Array,
    Value,
    call_task,
    cgutils,
    intrinsic,
    pointer_at,
    types,
)

# The words of a program's header, all 64-bit integers.
TABLE, FIRST, LAST, SYNC, YIELD, PATIENCE, STATUS, CHECKS = 0, 1, 2, 3, 4, 5, 6, 7
MOVES, MOVE_COUNT, BASES, WORDS = 8, 9, 10, 11
# How many runs one thread does alone after a team broke up twice, at least, at most and the next
# time, and how many of them are left.
LEAST_REST, MOST_REST, REST, RESTING = 12, 13, 14, 15
NAP = 16
HEADER_WORDS = 17

# The words of a row of the table: a task, its arguments, and how it is run.
TASK_WORDS = 3
BARRIER, DIVIDED, COMMIT = 1, 2, 4

# The words of a move: where an address stands, which base it counts from, and how far.
MOVE_WORDS = 3

# The words of the team's memory, a cache line each.
_LINE = 8
_ARRIVED, _DECIDED, _MET, _RELEASED, _TIRED = 0, _LINE, 2 * _LINE, 3 * _LINE, 4 * _LINE
SYNC_WORDS = 5 * _LINE
_ALONE, _TOGETHER = 1, 2
_DONE = 2**62  # released for good

STATUS_WORDS = 2  # of a check: whether it failed, and the number that made it fail
_SPINS = 5000  # before a thread gives way
_SPINS_OF_A_NAP = 2000

# How long the first to come waits for the others, as a part of the whole, and at least.
_PATIENCE, _LEAST_PATIENCE = 0.1, 20e-6
_SPINS_A_SECOND = 1e8
_SPINS_TO_WAKE = 10_000  # that a thread may take to wake up
# Seconds that one thread works alone after a team broke up: at first long enough for the others to
# fall asleep, and more each time.
_RESTS = 1e-3, 0.02
_SHORTEST = 1e-6


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
    """Call the system's `sched_yield` or, which takes one number, `usleep` of a microsecond."""
    kind = ir.FunctionType(INT32, [INT32])

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), [INT32(1)])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@functools.cache
def yield_address() -> int:
    """Address of what lets other threads run first, back at once if there is none; 0 if unknown."""
    return _address_of("SwitchToThread" if sys.platform == "win32" else "sched_yield")


@functools.cache
def nap_address() -> int:
    """Address of what leaves the CPU for some 60 microseconds; 0 if unknown.

    A thread that yields lets others have their whole time slices, one that wakes up goes first,
    and on a CPU that is idle.
    """
    return _address_of("SwitchToThread" if sys.platform == "win32" else "usleep")


def _address_of(name: str) -> int:
    try:
        library = ctypes.CDLL("kernel32" if sys.platform == "win32" else None)
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    except (AttributeError, OSError):
        return 0


@njit(error_model="numpy")
def _wait_until(address, number, patience, give_way):  # type: ignore[no-untyped-def]
    """Wait until the word at an address is at least `number`; return for about how many spins."""
    spins = 0
    while atomic_load(address) < number:
        _pause()
        spins += 1
        if spins > patience and give_way != 0:
            _give_way(give_way)
            spins += _SPINS_OF_A_NAP
    return spins


@njit(error_model="numpy")
def _join(sync, parts, spins, nap):  # type: ignore[no-untyped-def]
    """Return whether the team works together, this thread alone, or (0) without this thread."""
    if atomic_add(sync + 8 * _ARRIVED, 1) > 0:
        _wait_until(sync + 8 * _DECIDED, 1, _SPINS, nap)
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


@njit(error_model="numpy")
def _work(header, part, parts):  # type: ignore[no-untyped-def]
    """Do this thread's part of every task; return 0 if it left, for another to do the rest."""
    table = pointer_at(header[TABLE], np.int64)
    sync = header[SYNC]
    met = 0
    waited = 0
    is_fair = True
    for i in range(header[FIRST], header[LAST]):
        row = i * TASK_WORDS
        flags = table[row + 2]
        if flags & BARRIER and parts > 1:
            met += 1
            if atomic_add(sync + 8 * _MET, 1) + 1 == parts * met:
                if atomic_load(sync + 8 * _TIRED) != 0:
                    # The others leave; whoever comes last is surely running.
                    atomic_store(sync + 8 * _DECIDED, _ALONE)
                    part, parts = 0, 1
                atomic_store(sync + 8 * _RELEASED, met)
            else:
                give_way = header[NAP] if is_fair else header[YIELD]
                spins = _wait_until(sync + 8 * _RELEASED, met, _SPINS, give_way)
                if atomic_load(sync + 8 * _DECIDED) == _ALONE:
                    return 0
                if is_fair and spins > _SPINS:
                    waited += spins
                if waited > header[PATIENCE]:
                    atomic_store(sync + 8 * _TIRED, 1)
            is_fair = True
        if flags & COMMIT and _failed(header[STATUS], header[CHECKS]) != 0:
            return 1
        if flags & DIVIDED:
            call_task(table[row], table[row + 1], part, parts)
        else:
            # The others have to wait for this one, however long it takes.
            is_fair = False
            if part == 0:
                call_task(table[row], table[row + 1], 0, 1)
    return 1


@kernel("void(intp, intp, intp)")
def _walk(program, part, parts):  # type: ignore[no-untyped-def]
    header = pointer_at(program, np.int64)
    if parts == 1:
        _work(header, 0, 1)
        return
    sync = header[SYNC]
    nap = header[NAP]
    spins = header[PATIENCE]
    if header[REST] > 0:
        spins += _SPINS_TO_WAKE
    joined = _join(sync, parts, spins, nap)
    if joined == _ALONE:
        part, parts = 0, 1
    if joined == 0 or _work(header, part, parts) == 0:
        # Out of the way of whoever does it alone, perhaps on this CPU; OpenMP would spin.
        _wait_until(sync + 8 * _RELEASED, _DONE, 0, nap)
    elif atomic_load(sync + 8 * _DECIDED) == _ALONE:
        atomic_store(sync + 8 * _RELEASED, _DONE)
        if nap != 0:
            _give_way(nap)


@kernel("intp(intp, intp, intp, intp)")
def _run(program, walk, launch, parts):  # type: ignore[no-untyped-def]
    header = pointer_at(program, np.int64)
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
    if parts > 1 and header[RESTING] > 0:
        header[RESTING] -= 1
        parts = 1
    if parts == 1:
        call_task(walk, program, 0, 1)
    else:
        sync = pointer_at(header[SYNC], np.int64)
        for i in range(SYNC_WORDS):
            sync[i] = 0
        call_task(launch, walk, program, parts)
        if sync[_DECIDED] == _ALONE:
            # None at first: threads that were asleep are awake by now.
            header[RESTING] = header[REST]
            header[REST] = min(max(2 * header[REST], header[LEAST_REST]), header[MOST_REST])
        else:
            header[REST] = 0
    return _failed(header[STATUS], header[CHECKS])


class Header:
    """The words of a program, and the memory that they are about.

    Args:
        table: addresses of tasks and of their arguments, and flags, a row each.
        status: the memory of the program's checks.
        seconds: about how long one thread takes.

    Attributes:
        words: for whoever sets the words that this class knows nothing of.
        address: what a `Runner` takes.
    """

    def __init__(self, table: Array, status: Array, seconds: float) -> None:
        self._kept = table, status, np.zeros(SYNC_WORDS, np.int64)
        patience = max(_LEAST_PATIENCE, _PATIENCE * seconds)
        rests = [math.ceil(rest / max(seconds, _SHORTEST)) for rest in _RESTS]
        self.words = np.zeros(HEADER_WORDS, np.int64)
        self.address = int(self.words.ctypes.data)
        self.words[[TABLE, STATUS, SYNC]] = [array.ctypes.data for array in self._kept]
        self.words[LAST] = table.size // TASK_WORDS
        self.words[PATIENCE] = int(patience * _SPINS_A_SECOND)
        self.words[[LEAST_REST, MOST_REST]] = rests
        self.words[[YIELD, NAP]] = yield_address(), nap_address()


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
