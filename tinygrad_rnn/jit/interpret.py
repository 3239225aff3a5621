"""A tape computed once more, entry by entry, by the primitives' own NumPy forwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import quiet
from tinygrad_rnn.errors import TinygradRnnError
from tinygrad_rnn.jit.signature import array_of
from tinygrad_rnn.jit.tape import ARGUMENT, CAPTURED, CONSTANT, Entry, Reference, Tape
from tinygrad_rnn.tensor import explained, wrap

# Told of every entry, its inputs and its outputs.
Watcher = Callable[[Entry, Sequence[Any], Sequence[Array]], None]


def interpret(tape: Tape, leaves: Sequence[Any], watch: Watcher | None = None) -> dict[int, Array]:
    """Return the array of every value, computed from these arguments and what is outside now.

    Nothing outside changes. Errors are those of eager execution.
    """
    arrays = _given(tape, leaves)
    states = [(generator, generator.get_state()) for generator, _ in tape.generators]
    begun = {
        id(generator): begins
        for (generator, _), begins in zip(tape.generators, tape.begins(), strict=True)
    }
    try:
        with quiet():
            for entry in tape.entries:
                given = [arrays[x] if isinstance(x, Reference) else x for x in entry.inputs]
                made = _forward(entry, given, begun)
                # A view would change with what it is a view of.
                outputs = [np.array(x) for x in made]
                arrays.update(zip(entry.outputs, outputs, strict=True))
                if watch is not None:
                    watch(entry, given, outputs)
    finally:
        for generator, before in states:
            generator.set_state(before)
    return arrays


def _given(tape: Tape, leaves: Sequence[Any]) -> dict[int, Array]:
    arrays: dict[int, Array] = {}
    before = {slot.before: slot for slot in tape.gradients if slot.read}
    for value in tape.values:
        if value.origin == ARGUMENT:
            arrays[value.number] = array_of(leaves[value.place]).copy()
        elif value.origin == CAPTURED:
            tensor = value.tensor
            if value.number in before:
                owner = tape.values[before[value.number].owner]
                held: Any = leaves[owner.place] if owner.place >= 0 else owner.tensor
                tensor = held._gradient()
            assert tensor is not None
            arrays[value.number] = tensor._array.copy()
        elif value.origin == CONSTANT and value.array is not None:
            arrays[value.number] = value.array
    return arrays


def _forward(entry: Entry, given: Sequence[Any], begun: dict[int, dict[str, int]]) -> Any:
    primitive, params = entry.primitive, entry.params
    if primitive.name == "uniform":
        generator = params["generator"]
        generator.set_state(begun[id(generator)])
        params = {**params, "start": generator.position() + entry.offset}
    try:
        made = primitive.forward(*given, **params)
    except TinygradRnnError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        shown = [wrap(x) if isinstance(x, np.ndarray) else x for x in given]
        raise explained(error, primitive, shown, params) from error
    return made if primitive.multiple else [made]
