"""Checking a program against the tape, operation by operation, with NumPy.

The tape is computed a second time by the primitives' own forwards, from the same arguments. What
the program returns and leaves behind has to agree with that, to rounding; where it does not, the
first operation that differs is named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.errors import RecordingError
from tinygrad_rnn.jit.graph import located
from tinygrad_rnn.jit.guards import Guards
from tinygrad_rnn.jit.interpret import interpret
from tinygrad_rnn.jit.passes import NAMES
from tinygrad_rnn.jit.program import Program
from tinygrad_rnn.jit.recorder import Recorder, require_no_new_nan
from tinygrad_rnn.jit.replay import Captured, Replay
from tinygrad_rnn.jit.signature import Builder, array_of
from tinygrad_rnn.jit.tape import Entry, Reference, Tape
from tinygrad_rnn.tensor import Tensor

# Of the largest number of a value.
TOLERANCE = {"f4": 1e-4, "f8": 1e-9}
# Primitives that add up, where what cancels out leaves the rounding of what was added.
_ADDS = {"add", "sub", "sum", "matmul", "linear", "sum_products", "sum_slices", "cumsum"}
# Beside views, primitives whose results are as uncertain as what they read.
_PASS_ON = {"add", "sub", "neg", "sum", "sum_slices", "copy", "concatenate", "stack", "assign"}


class Checked(Replay):
    """A recording that is compared with NumPy at every call.

    A second program, with every pass left out, keeps each operation's result in memory of its own:
    it says which kernel is at fault. Then the program itself runs, and is judged by its results.
    """

    def __init__(
        self,
        recorder: Recorder,
        tape: Tape,
        builder: Builder,
        guards: Guards,
        off: Collection[str],
    ) -> None:
        super().__init__(recorder, tape, _with_tensors(builder), guards, off)
        self._plain = Program(tape, NAMES)
        self._needed = _needed(tape)

    def _run(
        self, leaves: Sequence[Any], arguments: Sequence[Array], stale: Sequence[Captured]
    ) -> Any:
        overwritten = [self._gradient(slot, leaves) for slot in self._written_gradients]
        expected = interpret(self.tape, leaves, require_no_new_nan)
        self._run_plain(expected)
        self._require_equal(self._inside, expected)
        tensors, result = super()._run(leaves, arguments, stale)
        found = self._left_behind(leaves, overwritten)
        found.update(
            (number, x._array) for number, x in zip(self.tape.results, tensors, strict=True)
        )
        self._require_equal(found.get, expected)
        return result

    def _require_equal(
        self, found: Callable[[int], Array | None], expected: dict[int, Array]
    ) -> None:
        near: dict[int, float] = {}
        for entry in self.tape.entries:
            read = [int(x) for x in entry.inputs if isinstance(x, Reference)]
            for number in entry.outputs:
                wanted = expected[number]
                added = read if entry.primitive.name in _ADDS else []
                size = max(_largest(expected[n]) for n in (number, *added))
                near[number] = TOLERANCE.get(wanted.dtype.str[1:], 0.0) * max(size, 1e-30)
                if entry.primitive.view or entry.primitive.name in _PASS_ON:
                    near[number] = max([near[number], *[near.get(n, 0.0) for n in read]])
                array = found(number) if number in self._needed else None
                if array is not None:
                    _require_equal(array, wanted, entry, near[number])

    def _run_plain(self, expected: dict[int, Array]) -> None:
        """Run the program without passes on copies of what is outside."""
        plain = self._plain
        for slot, (origin, number) in enumerate(plain.sources):
            view = plain.graph.sinks[number].view if origin == "output" else None
            array = np.array(expected[number]) if view is None else np.empty(view.shape, view.dtype)
            plain.bind(slot, array)
        self._start_streams(plain)
        plain.run()

    def _inside(self, number: int) -> Array | None:
        """What the program without passes computed for a value, if it is in its memory."""
        view = self._plain.graph.kept.get(number)
        view = None if view is None else located(view)
        if view is None or not self._plain.keeps(view):
            return None
        return self._plain.array(view)

    def _left_behind(
        self, leaves: Sequence[Any], overwritten: Sequence[Tensor | None]
    ) -> dict[int, Array]:
        """What the tensors that the step changed hold now, by the values they should be."""
        found: dict[int, Array] = {}
        for slot in self.tape.gradients:
            gradient = self._gradient(slot, leaves)
            if slot.after is not None and gradient is not None:
                found[slot.after] = gradient._array
        held = {
            slot.before: tensor
            for slot, tensor in zip(self._written_gradients, overwritten, strict=True)
        }
        for root, last in self.tape.writes:
            value = self.tape.values[root]
            owner = leaves[value.place] if value.place >= 0 else held.get(root, value.tensor)
            found[last] = array_of(owner)
        return found


def _needed(tape: Tape) -> set[int]:
    """The values on which results, or what the step leaves behind, depend."""
    needed = {*tape.results, *(last for _, last in tape.writes)}
    needed |= {slot.after for slot in tape.gradients if slot.after is not None}
    for entry in reversed(tape.entries):
        if not needed.isdisjoint(entry.outputs):
            needed |= {int(x) for x in entry.inputs if isinstance(x, Reference)}
    return needed


def _with_tensors(builder: Builder) -> Builder:
    return lambda tensors: (tensors, builder(tensors))


def _largest(array: Array) -> float:
    """The largest magnitude among the finite numbers of an array."""
    if array.dtype.kind != "f":
        return 0.0
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def _require_equal(found: Array, wanted: Array, entry: Entry, tolerance: float) -> None:
    if wanted.dtype.kind == "f":
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


