"""Running a trained model over a text, and keeping what every unit did at every symbol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.functions import stack
from tinygrad_rnn.inspect.arguments import Array
from tinygrad_rnn.inspect.flow import series
from tinygrad_rnn.nn import Module
from tinygrad_rnn.nn.recording import observe
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.training.compiling import CompiledFunction
from tinygrad_rnn.training.modes import inference


@dataclass(frozen=True)
class Reading:
    """What a model did while it read N symbols.

    Attributes:
        values: (N, H) by name, "recurrent.l0.h": row i is the state after symbol i was read.
        top: the most probable next symbols after each, (N, k), the most probable first.
        probabilities: their probabilities, (N, k).
    """

    values: dict[str, Array]
    top: npt.NDArray[np.int64]
    probabilities: Array

    def __len__(self) -> int:
        return len(self.top)

    def unit(self, name: str, number: int) -> Array:
        """Return what one unit did, (N,).

        Raises:
            ArgumentError: for a name or a number that there is not.
        """
        if name not in self.values:
            raise ArgumentError(
                f"nothing called {name!r} was kept; there are {sorted(self.values)}"
            )
        values = self.values[name]
        if not 0 <= number < values.shape[1]:
            raise ArgumentError(f"{name!r} has units 0 … {values.shape[1] - 1}, not {number}")
        column: Array = values[:, number]
        return column


def read(
    model: Module,
    ids: npt.ArrayLike,
    names: Iterable[str] = ("h", "c"),
    window: int = 128,
    top: int = 5,
    jit: bool = True,
) -> Reading:
    """Run a language model over a text, and return what every unit did after every symbol.

    The state is carried from window to window, so the window changes nothing but speed. Dropout is
    off, and no graph is kept.

    Args:
        model: maps symbol numbers (T, 1) and a state to logits (T, 1, V) and the next state, as
            `lm.RecurrentLanguageModel` does; its layers are `nn.Recurrent`, or it names what it
            computes by `nn.record` at each step.
        ids: symbol numbers, (N,).
        names: what to keep, of every layer that has it: states "h", "c", gates "f", "o", …
        window: symbols at a time.
        top: how many predictions to keep after each symbol.
        jit: read whole windows by a compiled step; recording it takes a moment, so False may be
            faster for a short text. The results differ by rounding.

    Raises:
        ShapeError, DtypeError: for anything but one row of symbol numbers.
        ArgumentError: if none of the names was observed.
    """
    if not isinstance(model, Module):
        raise DtypeError(f"model is a Module, not {type(model).__name__}")
    text = np.asarray(ids)
    if text.ndim != 1 or text.size == 0:
        raise ShapeError(f"a text is one row of symbol numbers (N,), not of shape {text.shape}")
    if text.dtype.kind not in "iu":
        raise DtypeError(f"a text is symbol numbers (integers), not {text.dtype}")
    positive(window, "window")
    positive(top, "top")
    step = _Step(model, [names] if isinstance(names, str) else list(names))
    whole = CompiledFunction(step) if jit and len(text) > window else step
    begin = getattr(model, "initial_state", None)
    parts: list[dict[str, Array]] = []
    tops: list[tuple[Array, Array]] = []
    with inference(model):
        state = None if begin is None else begin(1)
        for start in range(0, len(text), window):
            part = np.ascontiguousarray(text[start : start + window, None], np.int64)
            run = whole if len(part) == window else step
            probabilities, state, kept = run(from_numpy(part), state)
            arrays = [x.numpy()[:, 0] for x in kept]
            parts.append(dict(zip(step.names, arrays, strict=True)))
            tops.append(_top(probabilities.numpy()[:, 0], top))
    joined = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    best, shares = (np.concatenate(column) for column in zip(*tops, strict=True))
    return Reading(joined, best, shares)


class _Step:
    """Reads one window: probabilities, state, and what was observed."""

    def __init__(self, model: Module, wanted: list[str]) -> None:
        self._model = model
        self._wanted = wanted
        self.names: list[str] = []

    def __call__(self, ids: Tensor, state: Any) -> tuple[Tensor, Any, list[Tensor]]:
        with observe() as seen:
            logits, state = self._model(ids, state)
        found = series(seen)
        chosen = {
            name: steps
            for name, steps in found.items()
            if name in self._wanted or name.rpartition(".")[2] in self._wanted
        }
        if not chosen:
            raise ArgumentError(
                f"nothing called {', '.join(self._wanted)} was observed; there are {sorted(found)}"
            )
        self.names = list(chosen)
        return logits.softmax(-1), state, [stack(list(s.values())) for s in chosen.values()]


def _top(probabilities: Array, count: int) -> tuple[Array, Array]:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(probabilities, order, 1)
