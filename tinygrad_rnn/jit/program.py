"""A program: the table of kernel calls of one step, its memory, and what runs it.

`Program.run` makes one call into compiled code (or one for each piece between operations that have
no kernel). It knows arrays; tensors, signatures and gradients are the business of `compiled`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import quiet
from tinygrad_rnn.jit.codegen import Call, PythonCall, Status, Stream, generate, run_in_python
from tinygrad_rnn.jit.graph import Graph, View
from tinygrad_rnn.jit.lowering import lower
from tinygrad_rnn.jit.memory import ALIGNMENT, Arena, place_barriers
from tinygrad_rnn.jit.passes import run_passes
from tinygrad_rnn.jit.passes.fuse import fuse
from tinygrad_rnn.jit.passes.order import CircleError, sort
from tinygrad_rnn.jit.passes.overlay import overlay_results
from tinygrad_rnn.jit.passes.pack import pack_weights
from tinygrad_rnn.jit.passes.place import copy_results, place_results
from tinygrad_rnn.jit.passes.sinks import claim_outputs, own_results, write_in_place
from tinygrad_rnn.jit.tape import Tape
from tinygrad_rnn.kernels import team

# Seconds of one thread's work above which starting the others pays, and how fast it is roughly
# assumed to go: multiplications and additions, and bytes, in a second.
_WORTH_A_TEAM = 30e-6
_FLOPS, _BYTES = 150e9, 20e9


class Program:
    """One step, compiled.

    Args:
        tape: what to compile.
        off: names of passes to leave out.

    Attributes:
        graph: the operations, after all passes.
        calls: kernel calls in their order.
        sources: what the program reads and writes outside: pairs of origin ("argument",
            "captured", "write" or "output") and number.
        bases: the address of each source.
        arrays: the array of each source, for operations without a kernel.
        arena_size: bytes of memory for what is computed on the way.
    """

    def __init__(self, tape: Tape, off: Collection[str] = ()) -> None:
        self.graph = _planned(tape, off)
        self.calls = generate(self.graph)
        arena = Arena(self.calls, "reuse" not in off)
        self.barriers = place_barriers(self.calls, arena)
        self.arena_size, self.unshared_size = arena.size, arena.unshared
        self._memory = np.zeros(arena.size + ALIGNMENT, np.uint8)
        self._arena = arena
        self._start = -self._memory.ctypes.data % ALIGNMENT + self._memory.ctypes.data
        self.status = np.zeros((len(self.graph.checks) + 1, team.STATUS_WORDS), np.int64)
        self.streams = np.zeros((max(len(tape.generators), 1), 2), np.uint64)
        self.sources: list[tuple[str, int]] = []
        self._slots: dict[tuple[str, int], int] = {}
        self.arrays: list[Array | None] = []
        self._constants: list[Array] = []
        self._build()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        words: list[int] = []
        moves: list[int] = []
        rows: list[int] = []
        starts: list[int] = []
        self.pieces: list[tuple[int, int] | PythonCall] = []
        first = 0
        number = 0
        for call in self.calls:
            if isinstance(call, PythonCall):
                if number > first:
                    self.pieces.append((first, number))
                first = number
                self.pieces.append(call)
                for view in (*call.reads, *call.writes):
                    self._base(view)
                continue
            starts.append(len(words))
            for word in call.words:
                words.append(self._word(word, len(words), moves))
            flags = team.BARRIER * call.barrier + team.DIVIDED * call.divided
            flags += team.COMMIT * bool(call.op.params.get("commits"))
            rows += [call.address(), 0, flags]
            number += 1
        if number > first:
            self.pieces.append((first, number))
        self._words = np.array(words or [0], np.int64)
        self._moves = np.array(moves or [0], np.int64)
        bases = np.zeros(max(len(self.sources), 1), np.int64)
        # One number is put there faster than into an array.
        self.bases = memoryview(bases.data)
        self._table = np.array(rows or [0], np.int64)
        at = self._words.ctypes.data
        for i, start in enumerate(starts):
            self._table[i * team.TASK_WORDS + 1] = at + 8 * start
        seconds = self._seconds()
        self._header = team.Header(self._table, self.status, seconds)
        header = self._header.words
        header[team.CHECKS] = len(self.graph.checks)
        header[team.MOVES] = self._moves.ctypes.data
        header[team.MOVE_COUNT] = len(moves) // team.MOVE_WORDS
        header[team.BASES] = bases.ctypes.data
        header[team.WORDS] = at
        divided = any(isinstance(call, Call) and call.divided for call in self.calls)
        self.parallel = divided and seconds > _WORTH_A_TEAM
        self._runner = team.runner()
        self._alone = self._runner.alone(self._header.address)
        self.is_whole = len(self.pieces) == 1 and isinstance(self.pieces[0], tuple)

    def _seconds(self) -> float:
        """A guess at the time of one thread."""
        kernels = [call for call in self.calls if isinstance(call, Call)]
        return sum(call.flops / _FLOPS + call.moved / _BYTES for call in kernels)

    def _word(self, word: Any, at: int, moves: list[int]) -> int:
        if isinstance(word, View):
            base = self._base(word)
            offset: int = word.offset * word.dtype.itemsize
            if base < 0:
                return -base + offset
            moves += [at, base, offset]
            return 0
        if isinstance(word, Status):
            return int(self.status[word.check].ctypes.data)
        if isinstance(word, Stream):
            return int(self.streams[word.number].ctypes.data)
        return int(word)

    def _base(self, view: View) -> int:
        """Minus the address of memory of our own, or the number of the slot outside."""
        buffer = view.buffer
        if buffer.origin == "computed":
            return -int(self._start + self._arena.offsets[buffer])
        if buffer.origin == "constant":
            assert buffer.array is not None
            array = np.ascontiguousarray(buffer.array)
            self._constants.append(array)
            buffer.array = array
            return -int(array.ctypes.data)
        key = (buffer.origin, buffer.source)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = len(self.sources)
            self.sources.append(key)
            self.arrays.append(None)
        return slot

    # ------------------------------------------------------------------ running

    def bind(self, slot: int, array: Array) -> None:
        """Let a slot be a contiguous array of the right shape and type."""
        self.arrays[slot] = array
        self.bases[slot] = array.ctypes.data

    def fail(self, number: int) -> None:
        """Raise the error of a check that `run` reported."""
        error, message = self.graph.checks[number - 1]
        raise error(message.replace("{value}", str(self.status[number - 1, 1])))

    @property
    def runner(self) -> Callable[[], int]:
        """What runs it at the least cost of a call: `run`, or what that comes down to."""
        return self._alone if self.is_whole and not self.parallel else self.run

    def run(self) -> int:
        """Run with what is bound, and return the number, from 1, of a failed check, or 0."""
        if self.is_whole:
            return self._runner(self._header.address, self.parallel)
        header = self._header.words
        failed = 0
        for piece in self.pieces:
            if isinstance(piece, PythonCall):
                if not failed:
                    self._run_in_python(piece)
                continue
            header[team.FIRST], header[team.LAST] = piece
            failed = self._runner(self._header.address, self.parallel)
            if failed:
                break
        return failed

    def _run_in_python(self, call: PythonCall) -> None:
        with quiet():
            made = run_in_python(call.op, [self.array(view) for view in call.reads])
            for view, array in zip(call.writes, made, strict=True):
                np.copyto(self.array(view), array)

    def keeps(self, view: View) -> bool:
        """Whether a view's numbers, computed on the way, were put into memory."""
        return view.buffer in self._arena.offsets

    def array(self, view: View) -> Array:
        """The memory that a view shows, as NumPy sees it."""
        base = self._base(view)
        size = view.dtype.itemsize
        if base >= 0:
            held = self.arrays[base]
            assert held is not None
            memory, start = held, 0
        elif view.buffer.origin == "constant":
            assert view.buffer.array is not None
            memory, start = view.buffer.array, 0
        else:
            memory, start = self._memory, -base - self._memory.ctypes.data
        strides = [stride * size for stride in view.strides]
        flat = memory.reshape(-1).view(np.uint8) if memory.size else memory
        return np.ndarray(view.shape, view.dtype, flat, start + view.offset * size, strides)

    def profile(self, repetitions: int = 10) -> list[tuple[str, int, float]]:
        """Time every kernel by itself on one thread, on copies of what the last run was bound to.

        Returns (name, calls, seconds of all calls) of each kind, the slowest first.
        """
        bases, held = self.bases.tolist(), list(self.arrays)
        for slot, (origin, number) in enumerate(self.sources):
            array = held[slot]
            if origin == "output" or array is None:
                view = self.graph.sinks[number].view
                self.bind(slot, np.empty(view.shape, view.dtype))
            else:
                self.bind(slot, array.copy())
        header = self._header.words
        total: dict[str, tuple[int, float]] = {}
        kernels = [call for call in self.calls if isinstance(call, Call)]
        self._alone()
        for i, call in enumerate(kernels):
            header[team.FIRST], header[team.LAST] = i, i + 1
            times = []
            for _ in range(repetitions):
                begun = time.perf_counter()
                self._alone()
                times.append(time.perf_counter() - begun)
            count, before = total.get(call.name, (0, 0.0))
            total[call.name] = (count + 1, before + sorted(times)[repetitions // 2])
        header[team.FIRST], header[team.LAST] = 0, len(kernels)
        for slot, base in enumerate(bases):
            self.bases[slot] = base
        self.arrays[:] = held
        found = [(name, count, seconds) for name, (count, seconds) in total.items()]
        return sorted(found, key=lambda entry: -entry[2])

    # ------------------------------------------------------------------ reading

    def explain(self) -> str:
        """Say in words what runs: kernels, work, memory, and what each pass did."""
        kernels = [call for call in self.calls if isinstance(call, Call)]
        python = [call for call in self.calls if isinstance(call, PythonCall)]
        flops = sum(call.flops for call in kernels)
        moved = sum(call.moved for call in kernels)
        lines = [
            f"{len(kernels)} kernel calls, {self.barriers} barriers, "
            f"{'a team of threads' if self.parallel else 'one thread'}",
            f"{flops:,} multiplications and additions in products; "
            f"{moved:,} bytes read and written",
            f"arena {self.arena_size:,} bytes ({self.unshared_size:,} if nothing were used twice)",
        ]
        if python:
            names = Counter(call.op.name for call in python)
            shown = ", ".join(f"{name} × {count}" for name, count in names.items())
            lines.append(f"run by NumPy between compiled pieces: {shown}")
        lines.append("passes:")
        lines += [f"  {name:<11} {text}" for name, text in self.graph.notes]
        lines.append("kernels:")
        counts: dict[str, list[int]] = {}
        for call in kernels:
            entry = counts.setdefault(call.name, [0, 0, 0])
            entry[0] += 1
            entry[1] += call.flops
            entry[2] += call.moved
        for name, (count, work, size) in sorted(
            counts.items(), key=lambda item: (-item[1][1], -item[1][2])
        ):
            short = name if len(name) <= 60 else name[:57] + "..."
            lines.append(f"  {count:>5} × {short:<60} {work:>14,} FLOP {size:>14,} bytes")
        return "\n".join(lines)


def _planned(tape: Tape, off: Collection[str]) -> Graph:
    """The graph of a tape after every pass, in the order in which it runs."""
    for directly, together in ((True, True), (False, True), (False, False)):
        graph = lower(tape, off)
        run_passes(graph, off)
        own_results(graph)
        if "place" in off:
            copy_results(graph)
        else:
            graph.notes.append(("place", place_results(graph)))
        graph.ops = sort(graph.ops)
        if "pack" not in off:
            graph.notes.append(("pack", pack_weights(graph)))
        graph.notes.append(("fuse", fuse(graph, together and "fuse" not in off)))
        if "overlay" not in off:
            graph.notes.append(("overlay", overlay_results(graph)))
        claim_outputs(graph)
        write_in_place(graph, directly)
        try:
            graph.ops = sort(graph.ops, lambda op: (int(bool(op.params.get("commits"))),))
        except CircleError:
            continue
        return graph
    raise AssertionError("single operations with copies at the end cannot wait in a circle")

