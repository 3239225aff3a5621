"""Parameter groups: parameters with their settings, of which those that move are tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.context import no_grad, settings, state
from tinygrad_rnn.creation import full, zeros
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.optim.watched import WatchedList
from tinygrad_rnn.tensor import Tensor

if TYPE_CHECKING:
    Settings = dict[str, Any]
else:

    class Settings(MutableMapping, dict):
        """A dict whose methods all go through __getitem__ and __setitem__."""


class ParameterGroup(Settings):
    """A dict of parameters and settings whose "lr" lives in a tensor, so that it can be computed.

    `group["lr"]` reads a float, and `group["lr"] = value` assigns a number or a tensor without
    axes to `group.rate`. While `jit` records a step, `group["lr"]` is `group.rate` itself. Other
    numbers are tensors too once they have changed, for updates that ask for `number(name)`.

    Attributes:
        version: grows with every change of an item that a recording does not follow, or of the
            groups beside it.
    """

    version = 0

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self._moving: dict[str, list[Tensor]] = {}
        self.update(settings)

    @property
    def rate(self) -> Tensor:
        """The learning rate, a float64 tensor without axes. Raises KeyError if there is none."""
        rate: Tensor = dict.__getitem__(self, "lr")
        return rate

    def __getitem__(self, name: str) -> Any:
        if name == "lr" and state.recorder is None:
            return self.rate.item()
        return dict.__getitem__(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        if name != "lr":
            before = _numbers(dict.get(self, name))
            dict.__setitem__(self, name, WatchedList(value) if name == "params" else value)
            self._follow(name, before, _numbers(value))
            return
        if not isinstance(value, (int, float, np.number, Tensor)):
            raise ArgumentError(f"lr is a number or a tensor without axes, not {value!r}")
        if not dict.__contains__(self, "lr"):
            dict.__setitem__(self, "lr", zeros((), dtype=float64))
        with no_grad():
            self.rate.assign(value.to(float64) if isinstance(value, Tensor) else float(value))

    def number(self, name: str) -> Any:
        """A number, or a tuple of them, as updates compute with it.

        While `jit` records a step, what has changed since it was first set is float64 tensors
        without axes, so that a recording follows it through further changes.
        """
        value = self[name]
        moving = self._moving.get(name)
        if state.recorder is None or moving is None:
            return value
        return tuple(moving) if isinstance(value, (tuple, list)) else moving[0]

    def _follow(self, name: str, before: list[float], now: list[float]) -> None:
        """Let recordings know of a change: through tensors where only numbers have changed."""
        if len(before) != len(now) or not now or state.recorder is not None:
            self._moving.pop(name, None)
            self.changes()
        elif name in self._moving:
            for tensor, number in zip(self._moving[name], now, strict=True):
                tensor.assign(number)
        elif before != now:
            self._moving[name] = [full((), number, float64) for number in now]
            self.changes()

    def changes(self) -> None:
        """Count a change, which recordings of `jit` notice."""
        self.version += 1
        settings.version += 1

    def __delitem__(self, name: str) -> None:
        self._moving.pop(name, None)
        self.changes()
        dict.__delitem__(self, name)

    # An __iter__ of our own also makes dict(group) and {**group} read through __getitem__.
    def __iter__(self) -> Iterator[str]:
        return dict.__iter__(self)

    def __len__(self) -> int:
        return dict.__len__(self)

    def __repr__(self) -> str:
        return repr(dict(self))

    def copy(self) -> dict[str, Any]:
        """Return the settings as a plain dict."""
        return dict(self)

    def __or__(self, other: Any) -> Any:
        return dict(self) | other

    def __ror__(self, other: Any) -> Any:
        return other | dict(self)

    def __ior__(self, other: Any) -> ParameterGroup:  # type: ignore[override]
        self.update(other)
        return self


def _numbers(value: Any) -> list[float]:
    """The numbers in a setting if none is 0, which may mean that something is left out."""
    values = value if isinstance(value, (tuple, list)) else [value]
    plain = all(isinstance(x, (int, float)) and not isinstance(x, bool) and x for x in values)
    return [float(x) for x in values] if plain else []
