"""One cell over the steps of a sequence: the graph of a sequence is the cell's graph once a step.

Backpropagation through time is nothing more than `backward` through it. What may be done to the
state between two steps (padding, resets, noise) is a `Rule`; a plain run has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_rnn.context import Scope, quiet
from tinygrad_rnn.context import state as context
from tinygrad_rnn.creation import ones, rand, zeros
from tinygrad_rnn.errors import ArgumentError, DtypeError, UnsupportedError
from tinygrad_rnn.functions import cat, stack
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn import functional
from tinygrad_rnn.nn.attention import Attention
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.nn.recording import record
from tinygrad_rnn.nn.state import State, map_state, named_tensors, state_tensors
from tinygrad_rnn.tensor import Tensor


class Rule:
    """What happens to the state around a cell's step, besides the cell."""

    def carried(self, t: int, state: State) -> State:
        """Return the state with which step t begins."""
        return state

    def read(self, state: State) -> State:
        """Return what the cell gets to see of it."""
        return state

    def kept(self, t: int, before: State, after: State) -> State:
        """Return what is carried on to the next step."""
        return after


class Padding(Rule):
    """The state stays as it is where a row has no step. `mask`: (T, B), True at real steps."""

    def __init__(self, mask: Tensor) -> None:
        self._real = mask.unbind(0)

    def kept(self, t: int, before: State, after: State) -> State:
        """Return the new state of rows that have a step, the old one of the others."""
        return map_state(lambda old, new: where(_rows(self._real[t], new), new, old), before, after)


class Reset(Rule):
    """Rows start anew from `start`. `begins`: (T, B), True where a new sequence begins."""

    def __init__(self, begins: Tensor, start: State, reverse: bool) -> None:
        self._begins: Sequence[Tensor | None] = begins.unbind(0)
        if reverse:
            # Read backwards, a sequence ends, and another begins, after its first step.
            self._begins = [*self._begins[1:], None]
        self._start = start

    def carried(self, t: int, state: State) -> State:
        """Return the state, begun anew in the rows where a sequence begins."""
        begins = self._begins[t]
        if begins is None:
            return state
        return begun_anew(state, self._start, begins)


def begun_anew(state: State, start: State, rows: Tensor) -> State:
    """Return a cell's state with `start` in the chosen rows (B,)."""
    return map_state(lambda s, s0: where(_rows(rows, s), s0, s), state, start)


class StateDropout(Rule):
    """Dropout on h as the cell reads it, with one mask for all steps (Gal and Ghahramani, 2016).

    h is the first tensor of the state. "A theoretically grounded application of dropout in
    recurrent neural networks".
    """

    def __init__(self, p: float, state: State) -> None:
        self._h = state_tensors(state)[0]
        self._scale = functional.dropout(ones(self._h.shape, dtype=self._h.dtype), p)

    def read(self, state: State) -> State:
        """Return the state with h masked."""
        h = state_tensors(state)[0]
        return map_state(lambda s: s * self._scale if s is h else s, state)


class Zoneout(Rule):
    """Each number of the state keeps its old value with probability z (Krueger et al., 2016).

    In evaluation the state is the expected one: z old + (1 - z) new. "Zoneout: regularizing RNNs by
    randomly preserving hidden activations".
    """

    def __init__(self, rates: Sequence[float], state: State, steps: int, training: bool) -> None:
        tensors = state_tensors(state)
        if len(rates) == 1:
            rates = [rates[0]] * len(tensors)
        if len(rates) != len(tensors):
            raise ArgumentError(
                f"zoneout has {len(rates)} probabilities, the state {len(tensors)} tensors; give "
                "one for all, or one for each"
            )
        self._rates = rates
        self._keeps = [
            (rand(steps, *s.shape, dtype=s.dtype) < z).unbind(0) if training and z else None
            for z, s in zip(rates, tensors, strict=True)
        ]

    def kept(self, t: int, before: State, after: State) -> State:
        """Return the new state, mixed with the old one."""
        rates, keeps = iter(self._rates), iter(self._keeps)

        def mixed(old: Tensor, new: Tensor) -> Tensor:
            rate, keep = next(rates), next(keeps)
            if keep is not None:
                return where(keep[t], old, new)
            return new + (old - new) * rate if rate else new

        return map_state(mixed, before, after)


class Reading:
    """An attention read at each step: the cell gets [x_t, context], with h as the query."""

    def __init__(self, attention: Attention, memory: Tensor, mask: Tensor | None) -> None:
        self._attention = attention
        self._memory = attention.readable(memory, mask)
        self._mask = mask
        self._keys = attention.project(self._memory)

    def __call__(self, x: Tensor, state: State) -> Tensor:
        """Return x (B, in) with what was read beside it (B, in + D)."""
        h = state_tensors(state)[0]
        read, weights = self._attention.read(h, self._keys, self._memory, self._mask)
        record(attention=weights)
        return cat([x, read], -1)


@quiet()
def unroll(
    cell: Module,
    x: Tensor,
    initial: State,
    reverse: bool = False,
    rules: Sequence[Rule] = (),
    reading: Reading | None = None,
) -> tuple[Tensor, State]:
    """Apply a cell at each step of x (T, B, in), and return outputs (T, B, ...) and final state.

    With `reverse` the last step comes first; outputs stay in the order of x.
    """
    outside = context.scope
    splits = hasattr(cell, "project")
    if splits and (cell._hooks_before or cell._hooks_after):
        raise UnsupportedError(
            f"{type(cell).__name__} is unrolled through project() and step(), past the hooks that "
            "stand on it; use nn.observe() to see its steps, or a hook on the layer"
        )
    own = ".".join(part for part in (outside.path, cell._name) if part)
    # A cell that is called adds its name by itself.
    path = own if splits else outside.path
    step: Callable[..., Any] = cell.step if splits else cell
    if splits and reading is None:
        context.scope = Scope(path, None)
        x = cell.project(x)
    inputs = x.unbind(0)
    outputs: list[Any] = [None] * len(inputs)
    current = initial
    try:
        for t in reversed(range(len(inputs))) if reverse else range(len(inputs)):
            context.scope = Scope(own, t)
            x_t, seen = inputs[t], current
            if rules:
                for rule in rules:
                    current = rule.carried(t, current)
                seen = current
                for rule in rules:
                    seen = rule.read(seen)
            if reading is not None:
                x_t = reading(x_t, seen)
                x_t = cell.project(x_t) if splits else x_t
            context.scope = Scope(path, t)
            result = step(x_t, seen)
            context.scope = Scope(own, t)
            if not isinstance(result, tuple) or len(result) != 2:
                raise ArgumentError(
                    f"{type(cell).__name__} has to return (output, state) at each step, not "
                    f"{type(result).__name__}"
                )
            output, after = result
            if not isinstance(output, Tensor):
                raise DtypeError(
                    f"the output of {type(cell).__name__} is a Tensor, not "
                    f"{type(output).__name__}; it has to return (output, state)"
                )
            for rule in rules:
                kept = rule.kept(t, current, after)
                output, after = _counterpart(output, after, kept), kept
            outputs[t], current = output, after
            if context.observers:
                record(**{"output": output, **named_tensors(after)})
    finally:
        context.scope = outside
    if not outputs:
        size = output_size(cell)
        return zeros(0, x.shape[1], size, dtype=x.dtype), current
    return stack(outputs), current


def _counterpart(output: Tensor, before: State, after: State) -> Tensor:
    """Return the output, or what became of it where the output is a tensor of the state itself."""
    for old, new in zip(state_tensors(before), state_tensors(after), strict=True):
        if old is output:
            return new
    return output


def _rows(choice: Tensor, s: Tensor) -> Tensor:
    """Return a choice of rows (B,) in a shape that broadcasts over s (B, ...)."""
    return choice.reshape(-1, *[1] * (s.ndim - 1))


def initial_state(cell: Module, batch: int, dtype: Any = None) -> State:
    """Return a cell's state before the first step: its own `initial_state`, or zeros of `dtype`."""
    own = getattr(cell, "initial_state", None)
    if own is not None:
        return own(batch)
    size = getattr(cell, "hidden_size", None)
    if size is None:
        name = type(cell).__name__
        raise ArgumentError(
            f"{name} says nothing of its state before the first step; give it a method "
            "`initial_state(self, batch)` that returns a tensor or a tuple of tensors, or an "
            "attribute `hidden_size`"
        )
    return zeros(batch, size, dtype=dtype)


def output_size(cell: Module) -> int:
    """Return the length of a cell's output, as it says itself."""
    for name in ("output_size", "hidden_size"):
        size = getattr(cell, name, None)
        if size is not None:
            return int(size)
    raise ArgumentError(
        f"{type(cell).__name__} says nothing of the length of its output, which the next layer "
        "needs; give it an attribute `hidden_size` or `output_size`"
    )
