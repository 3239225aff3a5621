"""What a recording took for granted outside its arguments, and whether it still holds.

Plain settings of modules and optimizers are baked into a recording; so are the tensors that a
module or an optimizer holds, and those that the step found under a name. A counter that grows with
every change of a module or optimizer makes the usual check one comparison; only lists, dicts and
plain objects, which count nothing, are looked at anew for every call.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tinygrad_rnn.context import settings
from tinygrad_rnn.errors import RecordingError
from tinygrad_rnn.jit.recorder import Recorder, plain_settings
from tinygrad_rnn.jit.signature import Thing, is_record
from tinygrad_rnn.jit.tape import CAPTURED, Tape
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor

_PLAIN = (bool, int, str, type(None))
_CONTAINERS = (list, dict, set)
_MISSING = object()


class Guards:
    """The settings that a recording saw.

    Args:
        recorder: what it noted while it listened.
        tape: the recording.
        function: the function that was recorded.
        objects: those among its arguments that count by identity.
    """

    def __init__(
        self, recorder: Recorder, tape: Tape, function: Callable[..., Any], objects: Iterable[Any]
    ) -> None:
        every = {id(below): below for module in recorder.modules for below in module.modules()}
        self._modules = [(module, _frozen(module.__dict__)) for module in every.values()]
        for module, before in recorder.settings:
            _refuse_changed(module, before)
        self._groups = [(group, group.version) for group in recorder.groups]
        self._optimizers = [(one, _contents(one)) for one in recorder.optimizers]
        captured = [
            value.tensor
            for value in tape.values
            if value.origin == CAPTURED and value.tensor is not None
        ]
        self._flags = [(tensor, _flags_of(tensor)) for tensor in captured]
        self._containers = [
            (value, _frozen(value))
            for module in every.values()
            for name, value in vars(module).items()
            if not name.startswith("_") and (type(value) in _CONTAINERS or is_record(value))
        ]
        known = {id(tensor) for tensor in captured}
        self._places = [
            (place, key, _frozen(value)) for place, key, value in _places(function, objects, known)
        ]
        self._seen = settings.version

    def hold(self) -> bool:
        """Whether nothing has changed that the recording depends on."""
        for container, seen in self._containers:
            if _frozen(container) != seen:
                return False
        for place, key, seen in self._places:
            if _frozen(_at(place, key)) != seen:
                return False
        version = settings.version
        if version == self._seen:
            return True
        if any(group.version != seen for group, seen in self._groups):
            return False
        if any(_contents(optimizer) != seen for optimizer, seen in self._optimizers):
            return False
        if any(_flags_of(tensor) != seen for tensor, seen in self._flags):
            return False
        if any(_frozen(module.__dict__) != seen for module, seen in self._modules):
            return False
        self._seen = version
        return True


def _flags_of(tensor: Tensor) -> tuple[bool, tuple[Any, ...]]:
    """What recording looks at beside a tensor's numbers."""
    return tensor._requires_grad, tuple((tensor._hooks or {}).values())


def _contents(optimizer: Any) -> Any:
    """Which groups, parameters and tensors of state an optimizer has."""
    groups = [(Thing(group), *map(Thing, group["params"])) for group in optimizer.param_groups]
    state = [
        (Thing(parameter), *[(name, _frozen(x)) for name, x in held.items()])
        for parameter, held in optimizer.state.items()
    ]
    return groups, state


def _refuse_changed(module: Module, before: Mapping[str, Any]) -> None:
    """Raise RecordingError if the step changed a plain setting of a module."""
    after = plain_settings(module)
    changed = [name for name in before if name in after and after[name] != before[name]]
    if changed:
        raise RecordingError(
            f"the step changes the setting '{changed[0]}' of {type(module).__name__}, which no "
            "replay would do: a replay runs no Python. Change it outside the step, or keep the "
            "number in a tensor (register_buffer) and assign() to it"
        )


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
    if kind is set:
        return (kind, frozenset(map(_frozen, value)))
    if is_record(value):
        return (Thing(value), _frozen(vars(value)))
    return Thing(value)


# ---------------------------------------------------------------------- where tensors were found


def _at(place: Any, key: Any) -> Any:
    """What stands at a place: in a dict, a list, or the cell of a closure."""
    if type(place) is types.CellType:
        return place.cell_contents
    if isinstance(place, dict):
        return place.get(key, _MISSING)
    return place[key] if key < len(place) else _MISSING


def _places(
    function: Any, objects: Iterable[Any], known: set[int]
) -> Iterator[tuple[Any, Any, Any]]:
    """Where the function found plain values, and tensors that it captured, other than in modules.

    That is under a name that its code mentions: global, of an enclosing function, or of a plain
    object that it was given. Tensors are looked for in lists and dicts with such a name, too.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        return
    names = set(code.co_names)
    space = function.__globals__
    found: list[tuple[Any, Any, Any]] = [(space, n, space[n]) for n in names if n in space]
    for cell in function.__closure__ or ():
        try:
            found.append((cell, None, cell.cell_contents))
        except ValueError:  # a name of the enclosing function that has no value yet
            continue
    for one in (*objects, getattr(function, "__self__", None)):
        inside = _attributes(one)
        found += [(inside, name, inside[name]) for name in names if name in inside]
    for place, key, value in found:
        if type(value) in _PLAIN or type(value) is float or id(value) in known:
            yield place, key, value
            continue
        parts = value if isinstance(value, (list, dict)) else _attributes(value)
        for inner, part in parts.items() if isinstance(parts, dict) else enumerate(parts):
            if id(part) in known:
                yield parts, inner, part


def _attributes(value: Any) -> dict[str, Any]:
    """The attributes of a plain object."""
    special = (type, Module, Tensor, types.ModuleType, types.FunctionType)
    return vars(value) if hasattr(value, "__dict__") and not isinstance(value, special) else {}
