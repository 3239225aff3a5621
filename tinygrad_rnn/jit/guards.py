"""What a recording took for granted outside its arguments, and whether it still holds.

Plain settings of modules and optimizers are baked into a recording; so are the tensors that a
module holds. A counter that grows with every such change makes the usual check one comparison.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_rnn.context import settings
from tinygrad_rnn.jit.signature import Thing
from tinygrad_rnn.jit.tape import CAPTURED, Tape

_PLAIN = (bool, int, str, type(None))


class Guards:
    """The settings that a recording saw."""

    def __init__(self, tape: Tape, modules: Iterable[Any], groups: Iterable[Any]) -> None:
        every = {id(below): below for module in modules for below in module.modules()}
        self._modules = [(module, _settings_of(module)) for module in every.values()]
        self._groups = [(group, group.version) for group in groups]
        self._flags = [
            (value.tensor, value.tensor._requires_grad)
            for value in tape.values
            if value.origin == CAPTURED and value.tensor is not None
        ]
        self._seen = settings.version

    def hold(self) -> bool:
        """Whether nothing has changed that the recording depends on."""
        version = settings.version
        if version == self._seen:
            return True
        if any(group.version != seen for group, seen in self._groups):
            return False
        if any(tensor._requires_grad != flag for tensor, flag in self._flags):
            return False
        if any(_settings_of(module) != seen for module, seen in self._modules):
            return False
        self._seen = version
        return True


def _settings_of(module: Any) -> Any:
    return _frozen(module.__dict__)


def _frozen(value: Any) -> Any:
    """Plain values as they are now; of everything else, which object it is."""
    kind = type(value)
    if kind in _PLAIN:
        return (kind, value)
    if kind is float:
        return value.hex()
    if kind in (tuple, list):
        return (kind, *map(_frozen, value))
    if kind is dict:
        return (kind, *[(name, _frozen(part)) for name, part in value.items()])
    return Thing(value)
