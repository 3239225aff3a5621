"""What a recording took for granted outside its arguments, and whether it still holds.

Plain settings of modules and optimizers are baked into a recording; so are the tensors that a
module or an optimizer holds, and those that the step found under a name. A counter that grows with
every change of a module or optimizer makes the usual check one comparison; only lists, dicts and
plain objects, which count nothing, are looked at anew for every call.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable, Iterable, Mapping
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
        self._names: list[tuple[dict[Any, Any], Any, Any]] = []
        self._cells: list[tuple[types.CellType, Any]] = []
        self._lists: list[tuple[list[Any], list[Any]]] = []
        self._look_for_names(function, objects, {id(tensor) for tensor in captured})
        self._seen = settings.version

    def _look_for_names(self, function: Any, objects: Iterable[Any], known: set[int]) -> None:
        """Note where the function found plain values and captured tensors, other than in modules.

        That is under a name that its code mentions: global, of an enclosing function, or of a plain
        object that it was given. Tensors are looked for in lists and dicts with such a name, too.
        """
        code = getattr(function, "__code__", None)
        if code is None:
            return
        cells = [cell for cell in function.__closure__ or () if not _is_empty(cell)]
        for cell in cells:
            if not self._note_inside(cell.cell_contents, known):
                self._cells.append((cell, cell.cell_contents))
        owners = [_attributes(one) for one in (*objects, getattr(function, "__self__", None))]
        for names in (function.__globals__, *owners):
            for name in code.co_names:
                if name in names and not self._note_inside(names[name], known):
                    self._names.append((names, name, names[name]))

    def _note_inside(self, value: Any, known: set[int]) -> bool:
        """Note captured tensors in a value; False if it is itself plain, or such a tensor."""
        if type(value) in _PLAIN or type(value) is float or id(value) in known:
            return False
        if isinstance(value, list):
            if any(id(part) in known for part in value):
                self._lists.append((value, list(value)))
            return True
        parts = value if isinstance(value, dict) else _attributes(value)
        self._names += [(parts, name, part) for name, part in parts.items() if id(part) in known]
        return True

    def hold(self) -> bool:
        """Whether nothing has changed that the recording depends on."""
        for container, seen in self._containers:
            if _frozen(container) != seen:
                return False
        for names, name, seen in self._names:
            found = names.get(name, _MISSING)
            if found is not seen and _differ(found, seen):
                return False
        for cell, seen in self._cells:
            if cell.cell_contents is not seen and _differ(cell.cell_contents, seen):
                return False
        for parts, held in self._lists:
            if len(parts) != len(held) or any(map(operator.is_not, parts, held)):
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


def _differ(now: Any, before: Any) -> bool:
    """Whether what stands under a name is other than it was: tensors by identity."""
    return isinstance(before, Tensor) or _frozen(now) != _frozen(before)


def _is_empty(cell: types.CellType) -> bool:
    """Whether a name of an enclosing function has no value yet."""
    try:
        cell.cell_contents  # noqa: B018 - reading it is the question
    except ValueError:
        return True
    return False


def _attributes(value: Any) -> dict[str, Any]:
    """The attributes of a plain object."""
    special = (type, Module, Tensor, types.ModuleType, types.FunctionType)
    return vars(value) if hasattr(value, "__dict__") and not isinstance(value, special) else {}
