"""Truncated backpropagation through time: which steps a window runs, and what its loss counts.

Cuts sequences and carries states; knows no cell, loss or optimizer.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.creation import arange, as_tensor
from tinygrad_rnn.errors import ArgumentError, DtypeError, OutOfRangeError, ShapeError
from tinygrad_rnn.functions import cat
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.nn.state import State, detach_state, map_state, state_tensors
from tinygrad_rnn.tensor import Tensor


class TruncatedState(NamedTuple):
    """The state between windows, outside the graph.

    Attributes:
        start: before the first step of the next window, whose history begins there.
        end: after the last step: the final state, once the sequence is over.
    """

    start: State
    end: State


class TruncatedWindow(NamedTuple):
    """The steps of one update: some of history, and the new ones, whose losses count.

    Attributes:
        steps: what was cut, these steps of it.
        lengths: how many of these steps each row has, (B,); None if all.
        history: how many of the steps were run before.
        carry: after how many of them the next window begins.
        batch_first: whether time is axis 1 instead of 0.
    """

    steps: Any
    lengths: Tensor | None
    history: int
    carry: int
    batch_first: bool

    def run(self, model: Any, x: Any, state: State | TruncatedState) -> tuple[Any, TruncatedState]:
        """Return the outputs of the new steps, and the state for the next window.

        Gradients flow from the outputs back through all steps of the window, and no further.

        Args:
            model: maps `(x, state)` to `(output, state)`; with lengths, it also takes
                `lengths=`, as `nn.LSTM` does, and leaves the state of rows that have ended.
            x: its input at all steps of the window, as `steps` holds it.
            state: what the window before returned; at first a state of the model, or None.

        Raises:
            ShapeError: if x has another number of steps.
            ArgumentError: for a window with history, if the state is not one that `run` returned,
                and for a bidirectional model, whose other direction has no state to carry.
        """
        steps = _length(self.steps, self.batch_first)
        if _length(x, self.batch_first) != steps:
            raise ShapeError(
                f"the window has {steps} steps, x has {_length(x, self.batch_first)}; pass what is "
                "in window.steps"
            )
        if isinstance(model, Module) and any(
            getattr(module, "bidirectional", False) for module in model.modules()
        ):
            raise ArgumentError(
                "a bidirectional model reads from the end, so it cannot be run window by window; "
                "run it over the whole sequence"
            )
        self._require_call(model)
        # In two pieces, because the next window begins with the state between them.
        begun = start = end = self._begun(state)
        outputs = []
        if self.carry > 0:
            output, end = self._piece(model, x, 0, self.carry, begun)
            start = detach_state(end)
            if self.carry > self.history:
                outputs.append(self._part(output, self.history, None))
        if self.carry < steps:
            output, end = self._piece(model, x, self.carry, steps, end)
            outputs.append(self._part(output, max(self.history - self.carry, 0), None))
        axis = 1 if self.batch_first else 0
        joined = map_state(lambda *parts: cat(parts, axis), *outputs)
        return joined, TruncatedState(start, detach_state(end))

    def new(self, x: Any) -> Any:
        """Return the new steps of what `steps` holds, such as the targets."""
        return self._part(x, self.history, None)

    @property
    def mask(self) -> Tensor | None:
        """Which of the new steps are no padding, (T, B) or (B, T); None without lengths."""
        if self.lengths is None:
            return None
        steps = arange(self.history, _length(self.steps, self.batch_first))
        if self.batch_first:
            return steps.unsqueeze(0) < self.lengths.unsqueeze(1)
        return steps.unsqueeze(1) < self.lengths.unsqueeze(0)

    def _require_call(self, model: Any) -> None:
        function = model.forward if isinstance(model, Module) else model
        lengths = {} if self.lengths is None else {"lengths": self.lengths}
        try:
            inspect.signature(function).bind(None, None, **lengths)
        except (TypeError, ValueError) as error:
            shown = "model(x, state)" if self.lengths is None else "model(x, state, lengths=...)"
            raise ArgumentError(
                f"{type(model).__name__} cannot be called as {shown}: {error}"
            ) from error

    def _begun(self, state: State | TruncatedState) -> State:
        if isinstance(state, TruncatedState):
            return state.start if self.history else state.end
        if self.history:
            raise ArgumentError(
                "a window with history goes on from the state that run() returned for the window "
                f"before, as it is, not from {type(state).__name__}"
            )
        return state

    def _piece(self, model: Any, x: Any, first: int, last: int, state: State) -> Any:
        part = self._part(x, first, last)
        if self.lengths is None:
            result = model(part, state)
        else:
            result = model(part, state, lengths=(self.lengths - first).clamp(0, last - first))
        if not isinstance(result, tuple) or len(result) != 2:
            raise ArgumentError(
                f"{type(model).__name__} has to return (output, state), not "
                f"{type(result).__name__}"
            )
        return result

    def _part(self, x: Any, first: int, last: int | None) -> Any:
        steps = slice(first, last)
        return map_state(lambda t: t[:, steps] if self.batch_first else t[steps], x)


def truncated_windows(
    x: Any,
    k1: int,
    k2: int | None = None,
    *,
    lengths: Any = None,
    batch_first: bool = False,
) -> Iterator[TruncatedWindow]:
    """Yield the windows of truncated backpropagation through time: one for each update.

    Every k1 steps there is an update. Its loss is that of the last k1 steps, and its gradient flows
    back through the last k2 steps; the state before those is a constant. Williams and Peng, 1990,
    "An efficient gradient-based algorithm for on-line training of recurrent network trajectories",
    call it BPTT(k2; k1). The k2 - k1 steps of history are run again, with the parameters of the
    time, from the state that was found there.

        state = None
        for window in nn.truncated_windows((x, y), k1=20, k2=60):
            inputs, targets = window.steps
            optimizer.zero_grad()
            output, state = window.run(model, inputs, state)
            functional.mse_loss(output, window.new(targets)).backward()
            optimizer.step()

    The first windows have less history. Where k1 does not divide T, the last one has fewer new
    steps, and with k2 above k1 as much more history. With k2 = k1 there is none: each window goes
    on from the state that the one before ended with.

    A step that `jit` compiled takes window and state as arguments; the windows between share one
    recording. Give the first window `model.initial_state(B)` in place of None, and it has one less.

    Args:
        x: a tensor or array, or a tuple, list or dict of them, all (T, B, ...), or (B, T, ...) with
            `batch_first`.
        k1: steps from one update to the next.
        k2: steps that gradients flow back, k1 or more; k1 if None.
        lengths: (B,) integers 0 ... T, the steps of each row; the rest is padding. Rows that have
            ended keep their state and get outputs of 0; leave them out of the loss by
            `window.mask`. There are no windows after the end of the longest row.
        batch_first: whether time is axis 1.

    Raises:
        ArgumentError: for k2 below k1, or numbers of steps below 1.
        ShapeError: if the parts of x differ in their number of steps, or lengths does not fit.
        OutOfRangeError, DtypeError: for lengths that are no integers from 0 to T.
    """
    size = positive(k1, "k1")
    depth = size if k2 is None else positive(k2, "k2")
    if depth < size:
        raise ArgumentError(
            f"k2, the steps that gradients flow back, is k1 = {size} or more, not {depth}"
        )
    data = _tensors(x)
    steps = _length(data, batch_first)
    ends = None if lengths is None else _row_ends(lengths, data, steps, batch_first)
    if ends is not None:
        steps = int(ends.max(initial=0))
    return _windows(data, size, depth, steps, ends, batch_first)


def _windows(
    data: Any, k1: int, k2: int, steps: int, ends: Any, batch_first: bool
) -> Iterator[TruncatedWindow]:
    whole = TruncatedWindow(data, None, 0, 0, batch_first)
    for before in range(0, steps, k1):
        last = min(before + k1, steps)
        # Where the next one ends; after the last, as if there were more, so that it looks the same.
        end = last + k1 if last == steps else min(last + k1, steps)
        first, following = before, last
        if k2 > k1:
            first, following = max(last - k2, 0), max(end - k2, 0)
        rows = None if ends is None else as_tensor(np.clip(ends - first, 0, last - first))
        yield TruncatedWindow(
            whole._part(data, first, last),
            rows,
            before - first,
            min(following, last) - first,
            batch_first,
        )


def _tensors(x: Any) -> Any:
    """Return the same structure, with tensors in place of arrays."""
    if isinstance(x, (Tensor, np.ndarray)):
        return as_tensor(x)
    if isinstance(x, dict) and x:
        return {name: _tensors(part) for name, part in x.items()}
    if isinstance(x, (tuple, list)) and x:
        parts = [_tensors(part) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    raise DtypeError(
        "windows are cut from a tensor or array, or from a tuple, list or dict of them, not from "
        f"{type(x).__name__}"
    )


def _length(x: Any, batch_first: bool) -> int:
    """Return the number of steps of each tensor in x."""
    axis = 1 if batch_first else 0
    tensors = state_tensors(x)
    shapes = [t.shape for t in tensors]
    if not shapes or any(len(shape) <= axis for shape in shapes):
        layout = "(B, T, ...)" if batch_first else "(T, B, ...)"
        raise ShapeError(f"a sequence is laid out as {layout}, not {shapes}")
    if len({shape[axis] for shape in shapes}) > 1:
        raise ShapeError(f"the sequences differ in their number of steps, axis {axis}: {shapes}")
    return shapes[0][axis]


def _row_ends(lengths: Any, data: Any, steps: int, batch_first: bool) -> Any:
    """Return the lengths as an array, and check them."""
    ends = as_tensor(lengths).numpy()
    if ends.dtype.kind not in "iu" and ends.size:
        raise DtypeError(f"lengths are integers, not {ends.dtype}")
    rows = {t.shape[0 if batch_first else 1] for t in state_tensors(data) if t.ndim > 1}
    if ends.ndim != 1 or rows != {len(ends)}:
        raise ShapeError(
            f"lengths has one number for each of {sorted(rows)} rows, not shape {ends.shape}"
        )
    if ends.size and not (ends.min() >= 0 and ends.max() <= steps):
        raise OutOfRangeError(
            f"lengths lie between 0 and the {steps} steps of the sequence, not "
            f"{ends.min()}..{ends.max()}"
        )
    return ends.astype(np.int64)
