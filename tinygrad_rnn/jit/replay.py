"""A recording ready to be replayed: its program, and how arguments and results go in and out."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from tinygrad_rnn import engine
from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import caller, settings, state
from tinygrad_rnn.errors import ShapeError
from tinygrad_rnn.jit.guards import Guards
from tinygrad_rnn.jit.interpret import interpret
from tinygrad_rnn.jit.program import Program
from tinygrad_rnn.jit.recorder import Recorder, shares_memory
from tinygrad_rnn.jit.signature import Builder, Thing, aliases, matcher
from tinygrad_rnn.jit.tape import Gradient, Tape, Value
from tinygrad_rnn.tensor import Changes, Tensor, wrap

_KEYS = 2**64


# A slot, the tensor whose numbers it shows, and the shape and type that they had.
Captured = tuple[int, Tensor, tuple[int, ...], Any]


class _Pool:
    """Arrays that were handed out; those that nobody holds any more are used again.

    Attributes:
        held: the arrays with their addresses.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self._shape = shape
        self._dtype = dtype
        self.held: list[tuple[Array, int]] = []

    def another(self) -> tuple[Array, int]:
        """One more array, and its address."""
        array = np.empty(self._shape, self._dtype)
        pair = (array, int(array.ctypes.data))
        self.held.append(pair)
        return pair


def _references_of_unused() -> int:
    array, _ = pair = (np.empty(1), 0)
    assert pair[0] is array
    return getrefcount(array)


_UNUSED = _references_of_unused()


def _owner_of(array: Array) -> Array:
    """The array whose memory an array shows."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


class Replay:
    """One signature's recording.

    Attributes:
        tape: what was recorded.
        program: what runs.
        seconds: how long recording, passes and compiling took, by name.
    """

    def __init__(
        self,
        recorder: Recorder,
        tape: Tape,
        builder: Builder,
        guards: Guards,
        off: Collection[str],
    ) -> None:
        begun = time.perf_counter()
        self.tape = tape
        self.program = Program(tape, off)
        self.seconds = {"passes and compiling": time.perf_counter() - begun}
        self.guards = guards
        self._fixed = list(recorder.fixed.items())
        self._builder = builder
        self._lock = threading.Lock()
        values = tape.values
        before = {
            slot.before: slot
            for slot in tape.gradients
            if slot.read and slot.before is not None
        }
        # Slots of the program by what fills them: arguments by place, captured tensors with the
        # shape and type they had, gradients that were there before, arrays to hand out.
        self._arguments: list[tuple[int, int]] = []
        self._captured: list[Captured] = []
        self._old_gradients: list[tuple[int, Gradient]] = []
        self._outputs: list[tuple[int, int, _Pool]] = []
        written = {root for root, _ in tape.writes}
        self._written_slots: set[int] = set()
        sinks = self.program.graph.sinks
        for slot, (origin, number) in enumerate(self.program.sources):
            if origin == "output":
                view = sinks[number].view
                self._outputs.append((slot, number, _Pool(view.shape, view.dtype)))
                continue
            value = values[number]
            if number in written:
                self._written_slots.add(slot)
            if value.place >= 0:
                self._arguments.append((slot, value.place))
            elif number in before:
                self._old_gradients.append((slot, before[number]))
            else:
                assert value.tensor is not None
                shape, dtype = value.tensor._array.shape, value.tensor._array.dtype
                self._captured.append((slot, value.tensor, shape, dtype))
        self._execute = self.program.runner
        self._bound: list[Array | None] = [None] * len(self.program.sources)
        # When all captured tensors were found to be bound, by the count of `settings.arrays`.
        self._bound_at = -1
        # Results without elements are never touched by a kernel, and the same for every call.
        written_out = {number for _, number, _ in self._outputs}
        self._handed_out: list[Any] = [
            None if i in written_out else np.empty(sink.view.shape, sink.view.dtype)
            for i, sink in enumerate(sinks)
        ]
        # For what is not there afterwards.
        self._handed_out.append(None)
        # Where NumPy computes between the compiled pieces, addresses are not enough.
        self._shows_arrays = not self.program.is_whole
        self._result_at = [
            next(i for i, sink in enumerate(sinks) if sink[:2] == ("result", n))
            for n in range(len(tape.results))
        ]
        gradient_at = {sink.number: i for i, sink in enumerate(sinks) if sink.kind == "gradient"}
        self._reads = [slot for slot in tape.gradients if slot.read]
        # Whose gradient a step leaves behind, tensors from outside or arguments by place, and which
        # sink it is; -1 where there is none afterwards.
        self._gradients_outside: list[tuple[Tensor, int]] = []
        self._gradients_of_arguments: list[tuple[int, int]] = []
        for gradient in tape.gradients:
            if gradient.written:
                value = values[gradient.owner]
                number = gradient_at.get(gradient.owner, -1)
                if value.place >= 0:
                    self._gradients_of_arguments.append((value.place, number))
                elif value.tensor is not None:
                    self._gradients_outside.append((value.tensor, number))
        self._changes: list[Changes] = []
        self._written_arguments: list[int] = []
        self._written_gradients: list[Gradient] = []
        for root in written:
            value = values[root]
            if value.place >= 0:
                self._written_arguments.append(value.place)
            elif root in before:
                self._written_gradients.append(before[root])
            else:
                assert value.tensor is not None
                self._changes.append(value.tensor._shared_memory().changes)
        self._site = caller()
        self._look_outside()

    # ------------------------------------------------------------------ does it fit

    def expect(self, key: tuple[Any, ...]) -> None:
        """Remember the signature: structure, aliases, gradient mode, default type, named or not.

        The default type is watched by the guards.
        """
        structure, self._aliases, self._grad_enabled, _, by_name = key
        self._match = matcher(Thing(self) if by_name else structure)

    def like(self, args: tuple[Any, ...], leaves: list[Any], arrays: list[Array]) -> bool:
        """Whether a call has this signature; appends what it holds to `leaves` and `arrays`."""
        return (
            self._match(args, leaves, arrays)
            and state.grad_enabled is self._grad_enabled
            and aliases(arrays) == self._aliases
        )

    def fits(self, leaves: Sequence[Any], arrays: Sequence[Array]) -> list[Captured] | None:
        """Whether everything that the recording depends on is as it was then: if not, None.

        Returns those that have other memory by now, to be bound before the program runs.
        """
        for slot in self._reads:
            if (self._gradient(slot, leaves) is None) != (slot.before is None):
                return None
        for place, tensor in self._fixed:
            if leaves[place] is not tensor:
                return None
        stale: list[Captured] = []
        version = settings.arrays
        if version != self._bound_at:
            bound = self._bound
            stale = [entry for entry in self._captured if entry[1]._array is not bound[entry[0]]]
            for _, tensor, shape, dtype in stale:
                array = tensor._array
                if (
                    array.shape != shape
                    or array.dtype != dtype
                    or any(given is array for given in arrays)
                ):
                    return None
            if not stale:
                self._bound_at = version
        outside = self._outside
        for array in arrays:
            if array.base is not None or id(array) in outside or self._written_arguments:
                if self._meets_outside(arrays):
                    return None
                break
        return stale if self.guards.hold() else None

    def _look_outside(self) -> None:
        """Note which arrays are known from outside, and whose memory is written there."""
        self._outside = {id(tensor._array) for _, tensor, _, _ in self._captured}
        self._written_memory: dict[int, list[Array]] = {}
        for slot, tensor, _, _ in self._captured:
            if slot in self._written_slots:
                array = tensor._array
                self._written_memory.setdefault(id(_owner_of(array)), []).append(array)

    def _meets_outside(self, arrays: Sequence[Array]) -> bool:
        """Whether an argument is, or shares memory with, what the recording takes for another."""
        for place, array in enumerate(arrays):
            if id(array) in self._outside and not any(place == other for other, _ in self._fixed):
                return True
            if array.base is not None:
                written = self._written_memory.get(id(_owner_of(array)), ())
                if any(other is not array and shares_memory(array, other) for other in written):
                    return True
        for place in self._written_arguments:
            array = arrays[place]
            if any(other is not array and shares_memory(array, other) for other in arrays):
                return True
        return False

    def _gradient(self, slot: Gradient, leaves: Sequence[Any]) -> Tensor | None:
        """The gradient that is there before the step; arrays have none."""
        value: Value = self.tape.values[slot.owner]
        owner = leaves[value.place] if value.place >= 0 else value.tensor
        return owner._gradient() if isinstance(owner, Tensor) else None

    # ------------------------------------------------------------------ running

    def __call__(
        self, leaves: Sequence[Any], arguments: Sequence[Array], stale: Sequence[Captured]
    ) -> Any:
        """Run with these arguments, after binding what is stale; return what the step returns."""
        self._lock.acquire()
        try:
            return self._run(leaves, arguments, stale)
        finally:
            self._lock.release()

    def _run(
        self, leaves: Sequence[Any], arguments: Sequence[Array], stale: Sequence[Captured]
    ) -> Any:
        bound = self._bound
        program = self.program
        bases = program.bases
        copies: list[tuple[Array, Array]] = []
        for slot, place in self._arguments:
            array = arguments[place]
            if array is not bound[slot]:
                self._bind(slot, array, copies)
        for slot, tensor, _, _ in stale:
            self._bind(slot, tensor._array, copies)
        if stale:
            self._look_outside()
        for slot, gradient in self._old_gradients:
            held = self._gradient(gradient, leaves)
            assert held is not None
            self._bind(slot, held._array, copies)
        # By the number of the sink; a dict would do, and a list is faster.
        arrays = self._handed_out.copy()
        for slot, number, pool in self._outputs:
            for pair in pool.held:
                array, bases[slot] = pair
                if getrefcount(array) == _UNUSED:
                    break
            else:
                array, bases[slot] = pool.another()
            arrays[number] = array
        if self._shows_arrays:
            for slot, number, _ in self._outputs:
                program.arrays[slot] = arrays[number]
        if self.tape.generators:
            self._start_streams(program)
        try:
            failed = self._execute()
        except Exception:
            # Nothing outside has changed; say it as eager execution does.
            interpret(self.tape, leaves)
            raise
        finally:
            if self._shows_arrays:
                for slot, _, _ in self._outputs:
                    program.arrays[slot] = None
        if failed:
            interpret(self.tape, leaves)
            program.fail(failed)
        for target, source in copies:
            np.copyto(target, source)
        self._leave(leaves, arrays)
        return self._builder([wrap(arrays[i]) for i in self._result_at])

    def _bind(self, slot: int, array: Array, copies: list[tuple[Array, Array]]) -> None:
        flags = array.flags
        if slot in self._written_slots and not flags.writeable:
            raise ShapeError("cannot assign to a tensor which is read-only; clone() it first")
        if flags.c_contiguous and flags.aligned:
            self._bound[slot] = array
            self.program.bind(slot, array)
            return
        copy = np.array(array, order="C")
        self._bound[slot] = None
        self.program.bind(slot, copy)
        if slot in self._written_slots:
            copies.append((array, copy))

    def _start_streams(self, program: Program) -> None:
        for row, begun in zip(program.streams, self.tape.begins(), strict=False):
            row[0] = begun["seed"] % _KEYS
            row[1] = begun["counter"] % _KEYS

    def _leave(self, leaves: Sequence[Any], arrays: Sequence[Array]) -> None:
        """Leave behind what the step leaves behind."""
        generators = self.tape.generators
        if generators:
            for (generator, read), begun in zip(generators, self.tape.begins(), strict=True):
                generator.set_state({**begun, "counter": begun["counter"] + read})
        if self._changes or self._written_arguments or self._written_gradients:
            every = self._changes
            if self._written_arguments or self._written_gradients:
                written = [leaves[place] for place in self._written_arguments]
                written += [self._gradient(slot, leaves) for slot in self._written_gradients]
                every = every + [
                    x._shared_memory().changes for x in written if isinstance(x, Tensor)
                ]
            moment = engine.now()
            site = self._site
            for changes in every:
                changes.mutated_at = moment
                changes.site = site
        for tensor, number in self._gradients_outside:
            tensor._requires_grad = True
            tensor._grad = arrays[number]
        for place, number in self._gradients_of_arguments:
            if isinstance(leaves[place], Tensor):
                leaves[place]._requires_grad = True
                leaves[place]._grad = arrays[number]
