"""Every gate and state of every layer at every step, as arrays with names, and how saturated they
are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.errors import ArgumentError, DtypeError
from tinygrad_rnn.inspect.arguments import Array, Floats
from tinygrad_rnn.inspect.flow import series
from tinygrad_rnn.nn import Module
from tinygrad_rnn.nn.recording import Observation, observe
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.training.modes import inference

LEFT, RIGHT = 0.1, 0.9
"""Below the one a gate counts as saturated left, above the other as saturated right."""


class Entry(NamedTuple):
    """A row of the table: one number, and where it comes from."""

    layer: str
    name: str
    step: int
    row: int
    unit: int
    value: float


class Saturation(NamedTuple):
    """How often a gate is nearly closed and nearly open (Karpathy, Johnson and Fei-Fei, 2015).

    Attributes:
        left: the share of steps and rows in which each unit is below 0.1, (H,).
        right: the share in which it is above 0.9, (H,).
    """

    left: Floats
    right: Floats

    def total(self) -> tuple[float, float]:
        """Return both shares over all units."""
        return float(self.left.mean()), float(self.right.mean())


class Activations(Mapping[str, Array]):
    """Arrays (T, B, H) by name: "l0.f" is the forget gate of layer 0.

    Attributes:
        steps: the time steps of each.
    """

    def __init__(self, values: Mapping[str, Array], steps: Mapping[str, Array]) -> None:
        self._values = dict(values)
        self.steps = dict(steps)

    def __getitem__(self, name: str) -> Array:
        if name not in self._values:
            raise ArgumentError(f"nothing called {name!r} was recorded; there are {sorted(self)}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def table(self, names: Iterable[str] | None = None) -> Iterator[Entry]:
        """Yield every number with its layer, name, step, row of the batch and unit."""
        for full in self if names is None else names:
            layer, _, name = full.rpartition(".")
            values = self[full]
            for t, step in enumerate(self.steps[full]):
                numbers = values[t].reshape(values.shape[1], -1)
                for (row, unit), value in np.ndenumerate(numbers):
                    yield Entry(layer, name, int(step), row, unit, float(value))

    def gates(self) -> list[str]:
        """Return the names of what behaves as a gate: every number lies in 0 … 1."""
        return [n for n, v in self.items() if v.size and v.min() >= 0.0 and v.max() <= 1.0]

    def saturation(self, names: Iterable[str] | None = None) -> dict[str, Saturation]:
        """Return how saturated each gate is; `names` defaults to `gates()`.

        Raises:
            ArgumentError: for values outside 0 … 1, which are no gate's.
        """
        found: dict[str, Saturation] = {}
        for name in self.gates() if names is None else names:
            values = self[name]
            if values.size and not (values.min() >= 0.0 and values.max() <= 1.0):
                raise ArgumentError(
                    f"{name!r} has values {values.min():.3g} … {values.max():.3g}; saturation is "
                    f"about gates, 0 … 1. There are {self.gates()}"
                )
            over = tuple(range(values.ndim - 1))
            found[name] = Saturation((values < LEFT).mean(over), (values > RIGHT).mean(over))
        return found

    def __str__(self) -> str:
        lines = [f"{'name':<24}{'shape':<18}{'mean':>8}{'std':>8}{'< 0.1':>8}{'> 0.9':>8}"]
        gates = self.saturation()
        for name, values in self.items():
            left, right = gates[name].total() if name in gates else (None, None)
            shares = "".join(f"{'' if s is None else f'{s:.1%}':>8}" for s in (left, right))
            shape = str(values.shape)
            lines.append(f"{name:<24}{shape:<18}{values.mean():8.3f}{values.std():8.3f}{shares}")
        return "\n".join(lines)


def record_activations(model: Module, *inputs: Any, **settings: Any) -> Activations:
    """Run a model and return every gate and state that its cells name, at every step.

    The built-in cells name their gates, every cell of `nn.Recurrent` has its states and outputs
    named, and a cell of your own names more by `nn.record(f=f, o=o)`. Dropout is off, and no graph
    is kept.

    Args:
        model: any module with recurrent layers inside, or a cell called in a loop.
        inputs, settings: what to call it with.

    Raises:
        ArgumentError: if nothing was named at any time step.
    """
    if not isinstance(model, Module):
        raise DtypeError(f"model is a Module, not {type(model).__name__}")
    with inference(model), observe() as seen:
        model(*inputs, **settings)
    return activations_of(seen)


def activations_of(seen: Observation) -> Activations:
    """Return what was observed as arrays.

    Raises:
        ArgumentError: if nothing was named at any time step.
    """
    values, steps = {}, {}
    for name, by_step in series(seen).items():
        tensors: list[Tensor] = list(by_step.values())
        if len({x.shape for x in tensors}) == 1:
            values[name] = np.stack([x.detach().numpy() for x in tensors])
            steps[name] = np.array(list(by_step))
    if not values:
        raise ArgumentError(
            "nothing was named at a time step: run recurrent layers, or call nn.record(h=h) inside "
            "`with tg.scope(step=t):`"
        )
    return Activations(values, steps)
