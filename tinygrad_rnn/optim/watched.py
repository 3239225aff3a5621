"""Lists and dicts whose changes recordings of `jit` notice."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from tinygrad_rnn.context import settings

_Class = TypeVar("_Class", bound=type)


def _counting(*names: str) -> Callable[[_Class], _Class]:
    """Decorate a class so that these inherited methods count a change before they make it."""

    def decorate(kind: _Class) -> _Class:
        for name in names:
            setattr(kind, name, _counted(getattr(kind.__base__, name)))
        return kind

    return decorate


def _counted(method: Any) -> Any:
    @functools.wraps(method)
    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        settings.version += 1
        return method(self, *args, **kwargs)

    return change


@_counting(
    *("__delitem__", "__iadd__", "__imul__", "__setitem__", "append", "clear", "extend"),
    *("insert", "pop", "remove", "reverse", "sort"),
)
class WatchedList(list[Any]):
    """A list that counts its changes."""


@_counting("__delitem__", "__ior__", "__setitem__", "clear", "pop", "popitem", "update")
class WatchedDict(dict[Any, Any]):
    """A dict that counts its changes."""

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return what is there, or put the default there."""
        if key not in self:
            self[key] = default
        return self[key]


class OptimizerState(WatchedDict):
    """State by parameter, each a dict by name; empty where there is none yet, as in PyTorch."""

    def __missing__(self, parameter: Any) -> WatchedDict:
        made = WatchedDict()
        super().__setitem__(parameter, made)
        return made

    def __setitem__(self, parameter: Any, held: dict[str, Any]) -> None:
        super().__setitem__(parameter, WatchedDict(held))

    def update(self, *others: Any, **named: Any) -> None:
        """Take over the state in mappings or pairs."""
        for parameter, held in dict(*others, **named).items():
            self[parameter] = held
