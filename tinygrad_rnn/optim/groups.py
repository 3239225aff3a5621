"""Parameter groups: parameters with their settings, of which the learning rate is a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_rnn.context import no_grad, settings, state
from tinygrad_rnn.creation import zeros
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
    axes to `group.rate`. While `jit` records a step, `group["lr"]` is `group.rate` itself.

    Attributes:
        version: grows with every change of an item other than "lr", or of the groups beside it.
    """

    version = 0

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
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
            self.changes()
            dict.__setitem__(self, name, WatchedList(value) if name == "params" else value)
            return
        if not isinstance(value, (int, float, np.number, Tensor)):
            raise ArgumentError(f"lr is a number or a tensor without axes, not {value!r}")
        if not dict.__contains__(self, "lr"):
            dict.__setitem__(self, "lr", zeros((), dtype=float64))
        with no_grad():
            self.rate.assign(value.to(float64) if isinstance(value, Tensor) else float(value))

    def changes(self) -> None:
        """Count a change, which recordings of `jit` notice."""
        self.version += 1
        settings.version += 1

    def __delitem__(self, name: str) -> None:
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
