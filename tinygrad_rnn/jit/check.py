"""Checking a program against the tape, operation by operation, with NumPy.

The tape is computed a second time by the primitives' own forwards, from the same arguments. What
the program returns and leaves behind has to agree with that, to rounding; where it does not, the
first operation that differs is named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import quiet
from tinygrad_rnn.errors import NumericalError, RecordingError
from tinygrad_rnn.jit.graph import located
from tinygrad_rnn.jit.recorder import Recorder
from tinygrad_rnn.jit.replay import Replay
from tinygrad_rnn.jit.signature import Builder, array_of
from tinygrad_rnn.jit.tape import ARGUMENT, CAPTURED, CONSTANT, Entry, Reference, Tape

# Of the largest number of a value.
TOLERANCE = {"f4": 1e-4, "f8": 1e-9}


class Checked(Replay):
    """A recording that is compared with NumPy at every call."""

    def __init__(
        self, recorder: Recorder, tape: Tape, builder: Builder, off: Collection[str]
    ) -> None:
        # What is computed on the way has to be there afterwards.
        super().__init__(recorder, tape, builder, {*off, "reuse"})

    def _run(self, leaves: Sequence[Any]) -> Any:
        expected = self._interpret(leaves)
        result = super()._run(leaves)
        self._compare(expected)
        return result

    def _interpret(self, leaves: Sequence[Any]) -> dict[int, Array]:
        tape = self.tape
        arrays: dict[int, Array] = {}
        olds = {slot.before: slot for slot in tape.gradients if slot.read}
        for value in tape.values:
            if value.origin == ARGUMENT:
                arrays[value.number] = array_of(leaves[value.place]).copy()
            elif value.origin == CAPTURED and value.number in olds:
                held = self._owner(olds[value.number].owner, leaves)._grad
                assert held is not None
                arrays[value.number] = held._array.copy()
            elif value.origin == CAPTURED:
                assert value.tensor is not None
                arrays[value.number] = value.tensor._array.copy()
            elif value.origin == CONSTANT and value.array is not None:
                arrays[value.number] = value.array
        states = [(generator, generator.get_state()) for generator, _ in tape.generators]
        begun = {id(generator): state["counter"] for generator, state in states}
        try:
            with quiet():
                for entry in tape.entries:
                    _apply(entry, arrays, begun)
        finally:
            for generator, state in states:
                generator.set_state(state)
        return arrays

    def _compare(self, expected: dict[int, Array]) -> None:
        for entry in self.tape.entries:
            for number in entry.outputs:
                view = self.program.graph.kept.get(number)
                if view is None:
                    continue
                found = located(view)
                if found is None or found.buffer.origin != "computed":
                    continue
                _require_equal(self.program.array(found), expected[number], entry)
        self._compare_sinks(expected)

    def _compare_sinks(self, expected: dict[int, Array]) -> None:
        by_output = {number: e for e in self.tape.entries for number in e.outputs}
        for root, last in self.tape.writes:
            value = self.tape.values[root]
            if value.tensor is not None and last in by_output:
                _require_equal(value.tensor._array, expected[last], by_output[last])


def _apply(entry: Entry, arrays: dict[int, Array], begun: dict[int, int]) -> None:
    given = [arrays[x] if isinstance(x, Reference) else x for x in entry.inputs]
    params = entry.params
    if entry.primitive.name == "uniform":
        params = {**params, "start": begun[id(params["generator"])] + entry.offset}
    made = entry.primitive.forward(*given, **params)
    for number, array in zip(
        entry.outputs, made if entry.primitive.multiple else [made], strict=True
    ):
        # A view would change with what it is a view of.
        arrays[number] = np.array(array)
        if _has_nan(arrays[number]) and not any(_has_nan(x) for x in given):
            raise NumericalError(f"NaN comes from {entry.describe()}, whose inputs have none")


def _has_nan(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f" and bool(np.isnan(x).any())


def _require_equal(found: Array, wanted: Array, entry: Entry) -> None:
    if wanted.dtype.kind == "f":
        finite = np.isfinite(wanted)
        size = float(np.abs(wanted[finite]).max(initial=0.0))
        tolerance = TOLERANCE[wanted.dtype.str[1:]] * max(size, 1e-30)
        near = np.isclose(found, wanted, rtol=0.0, atol=tolerance, equal_nan=True)
    else:
        near = np.equal(found, wanted)
    if near.all():
        return
    place = tuple(int(i) for i in np.argwhere(~near)[0])
    raise RecordingError(
        f"the compiled step differs from eager execution first at {entry.describe()}: element "
        f"{place} is {found[place]!r} and should be {wanted[place]!r}"
    )


