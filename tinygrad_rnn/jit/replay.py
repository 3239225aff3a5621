"""A recording ready to be replayed: its program, and how arguments and results go in and out."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import engine
from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import caller
from tinygrad_rnn.jit.guards import Guards
from tinygrad_rnn.jit.program import Program
from tinygrad_rnn.jit.recorder import Recorder
from tinygrad_rnn.jit.signature import Builder, array_of
from tinygrad_rnn.jit.tape import Gradient, Tape, Value
from tinygrad_rnn.tensor import Tensor

_KEYS = 2**64


class _Pool:
    """Arrays that were handed out and that nobody holds any more are used again."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self._shape = shape
        self._dtype = dtype
        self._held: list[tuple[Array, int]] = []

    def take(self) -> tuple[Array, int]:
        """An array that the caller alone will hold, and its address."""
        for pair in self._held:
            if sys.getrefcount(pair[0]) == _UNUSED:
                return pair
        array = np.empty(self._shape, self._dtype)
        pair = (array, int(array.ctypes.data))
        self._held.append(pair)
        return pair


def _references_of_unused() -> int:
    pair = (np.empty(1), 0)
    return sys.getrefcount(pair[0])


_UNUSED = _references_of_unused()


class Replay:
    """One signature's recording.

    Attributes:
        tape: what was recorded.
        program: what runs.
        seconds: how long recording, passes and compiling took, by name.
    """

    def __init__(
        self, recorder: Recorder, tape: Tape, builder: Builder, off: Collection[str]
    ) -> None:
        begun = time.perf_counter()
        self.tape = tape
        self.program = Program(tape, off)
        self.seconds = {"passes and compiling": time.perf_counter() - begun}
        self.guards = Guards(tape, recorder.modules, recorder.groups)
        self._builder = builder
        self._lock = threading.Lock()
        values = tape.values
        before = {
            slot.before: slot
            for slot in tape.gradients
            if slot.read and slot.before is not None
        }
        self._arguments: list[tuple[int, int, bool]] = []
        self._captured: list[tuple[int, Tensor, bool]] = []
        self._old_gradients: list[tuple[int, Gradient]] = []
        self._outputs: list[tuple[int, int, _Pool]] = []
        written = {root for root, _ in tape.writes}
        sinks = self.program.graph.sinks
        for slot, (origin, number) in enumerate(self.program.sources):
            if origin == "output":
                view = sinks[number].view
                self._outputs.append((slot, number, _Pool(view.shape, view.dtype)))
                continue
            value = values[number]
            writes = number in written
            if value.place >= 0:
                self._arguments.append((slot, value.place, writes))
            elif number in before:
                self._old_gradients.append((slot, before[number]))
            else:
                assert value.tensor is not None
                self._captured.append((slot, value.tensor, writes))
        self._written = [values[root] for root in written]
        self._reads = [slot for slot in tape.gradients if slot.read]
        self._sets = [slot for slot in tape.gradients if slot.written]
        self._result_at = [
            next(i for i, sink in enumerate(sinks) if sink[:2] == ("result", n))
            for n in range(len(tape.results))
        ]
        self._gradient_at = {
            sink.number: i for i, sink in enumerate(sinks) if sink.kind == "gradient"
        }
        self._shapes = [
            (tensor, tensor._array.shape, tensor._array.dtype) for _, tensor, _ in self._captured
        ]
        self._bound: list[Array | None] = [None] * len(self.program.sources)

    # ------------------------------------------------------------------ does it fit

    def fits(self, leaves: Sequence[Any]) -> bool:
        """Whether everything that the recording depends on is as it was then."""
        for slot in self._reads:
            if (self._owner(slot.owner, leaves)._grad is None) != (slot.before is None):
                return False
        bound = self._bound
        for (slot_number, tensor, _), (_, shape, dtype) in zip(
            self._captured, self._shapes, strict=True
        ):
            array = tensor._array
            if array is not bound[slot_number] and (array.shape != shape or array.dtype != dtype):
                return False
        return self.guards.hold()

    def _owner(self, number: int, leaves: Sequence[Any]) -> Tensor:
        value: Value = self.tape.values[number]
        tensor = leaves[value.place] if value.place >= 0 else value.tensor
        assert isinstance(tensor, Tensor)
        return tensor

    # ------------------------------------------------------------------ running

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """Run with these arguments, and return what the step returns."""
        with self._lock:
            return self._run(leaves)

    def _run(self, leaves: Sequence[Any]) -> Any:
        copies: list[tuple[Array, Array]] = []
        for slot, place, writes in self._arguments:
            self._bind(slot, array_of(leaves[place]), writes, copies)
        for slot, tensor, writes in self._captured:
            self._bind(slot, tensor._array, writes, copies)
        for slot, gradient in self._old_gradients:
            held = self._owner(gradient.owner, leaves)._grad
            assert held is not None
            self._bind(slot, held._array, False, copies)
        arrays: dict[int, Array] = {}
        program = self.program
        for slot, number, pool in self._outputs:
            array, address = pool.take()
            arrays[number] = array
            program.bind(slot, array, address)
        if self.tape.generators:
            self._start_streams()
        failed = program.run()
        for slot, _, _ in self._outputs:
            program.release(slot)
        if failed:
            program.fail(failed)
        for target, source in copies:
            np.copyto(target, source)
        self._after(leaves, arrays)
        return self._builder([Tensor._wrap(arrays[i]) for i in self._result_at])

    def _bind(
        self, slot: int, array: Array, writes: bool, copies: list[tuple[Array, Array]]
    ) -> None:
        if array is self._bound[slot]:
            return
        flags = array.flags
        if flags.c_contiguous and flags.aligned:
            self._bound[slot] = array
            self.program.bind(slot, array)
            return
        copy = np.array(array, order="C")
        self._bound[slot] = None
        self.program.bind(slot, copy)
        if writes:
            copies.append((array, copy))

    def _start_streams(self) -> None:
        for row, (generator, _) in zip(
            self.program.streams, self.tape.generators, strict=True
        ):
            begun = generator.get_state()
            row[0] = begun["seed"] % _KEYS
            row[1] = begun["counter"] % _KEYS

    def _after(self, leaves: Sequence[Any], arrays: dict[int, Array]) -> None:
        """Leave behind what the step leaves behind."""
        for generator, read in self.tape.generators:
            begun = generator.get_state()
            generator.set_state({**begun, "counter": begun["counter"] + read})
        for slot in self._sets:
            owner = self._owner(slot.owner, leaves)
            if slot.after is None:
                owner._grad = None
            else:
                owner._grad = Tensor._wrap(arrays[self._gradient_at[slot.owner]])
        if self._written:
            moment = engine.now()
            site = caller()
            for value in self._written:
                memory = self._owner(value.number, leaves)._shared_memory()
                memory.mutated_at = moment
                memory.site = site
