"""What a recording took for granted outside its arguments, and whether it still holds.

Plain settings of modules and optimizers are baked into a recording; so are the tensors that a
module or an optimizer holds, and what the step found under a name. A counter that grows with
every change of a module or optimizer makes the usual check one comparison; only names, lists, dicts
and plain objects, which count nothing, are looked at anew for every call. What the step itself
changes is not guarded: it would be found changed at every call.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.context import settings
from tinygrad_rnn.dtypes import get_default_dtype
from tinygrad_rnn.jit.names import MISSING, Place
from tinygrad_rnn.jit.recorder import Recorder
from tinygrad_rnn.jit.signature import Thing, frozen, is_record
from tinygrad_rnn.jit.tape import CAPTURED, Tape
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor

_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
_CONTAINERS = (list, dict, set)
# A longer list or dict is data, and only which one it is counts.
_FEW = 64


class Guards:
    """The settings that a recording saw.

    Args:
        recorder: what it noted while it listened.
        tape: the recording.
        places: what the function's code mentions by name, as it was before.
    """

    def __init__(self, recorder: Recorder, tape: Tape, places: Sequence[Place]) -> None:
        every = {id(below): below for module in recorder.modules for below in module.modules()}
        self._modules = [
            (module, _settings(module, ignored := _changed(module, recorder)), ignored)
            for module in every.values()
        ]
        self._groups = [(group, group.version) for group in recorder.groups]
        self._optimizers = [(one, _contents(one)) for one in recorder.optimizers]
        captured = [
            value.tensor
            for value in tape.values
            if value.origin == CAPTURED and value.tensor is not None
        ]
        self._flags = [(tensor, _flags_of(tensor)) for tensor in captured]
        self._containers = [
            (value, frozen(value))
            for module, _, ignored in self._modules
            for name, value in vars(module).items()
            if not name.startswith("_")
            and name not in ignored
            and (type(value) in _CONTAINERS or is_record(value))
        ]
        self._names: list[tuple[dict[str, Any], str, Any]] = []
        self._cells: list[tuple[types.CellType, str, Any]] = []
        self._attributes: list[tuple[Any, str, Any]] = []
        self._lists: list[tuple[list[Any], list[Any]]] = []
        known = {id(tensor) for tensor in captured}
        for place in places:
            self._guard(place, known)
        self._default_dtype = get_default_dtype()
        self._seen = settings.version

    def _guard(self, place: Place, known: set[int]) -> None:
        """Watch a name, unless the step changed what it stands for, or it is a tensor it let be."""
        value = place.value
        if isinstance(value, (types.ModuleType, type)) or _differ(place.now(), value):
            return
        if isinstance(value, Tensor) and id(value) not in known:
            return
        if type(place.holder) is dict:
            self._names.append((place.holder, place.name, value))
        elif type(place.holder) is types.CellType:
            self._cells.append((place.holder, place.name, value))
        else:
            self._attributes.append((place.holder, place.name, value))
        parts = value if isinstance(value, (list, dict)) else ()
        if len(parts) > _FEW:
            return
        if isinstance(parts, list):
            self._lists.append((parts, list(parts)))
        elif isinstance(parts, dict):
            held = [(k, v) for k, v in parts.items() if id(v) in known or isinstance(v, _PLAIN)]
            self._names += [(parts, name, part) for name, part in held]

    def hold(self) -> bool:
        """Whether nothing has changed that the recording depends on."""
        version = settings.version
        if version != self._seen and not self._others_hold(version):
            return False
        # What counts nothing: names, and what lists, dicts and objects hold.
        try:
            for cell, _, seen in self._cells:
                if cell.cell_contents is not seen and _differ(cell.cell_contents, seen):
                    return False
        except ValueError:  # the name was deleted
            return False
        for names, name, seen in self._names:
            found = names.get(name)
            if found is not seen and _differ(found, seen):
                return False
        for holder, name, seen in self._attributes:
            found = getattr(holder, name, MISSING)
            if found is not seen and _differ(found, seen):
                return False
        for parts, held in self._lists:
            if _any_differs(parts, held):
                return False
        return not self._containers or all(frozen(x) == seen for x, seen in self._containers)

    def _others_hold(self, version: int) -> bool:
        """Whether what counts its changes is as it was, although something has changed."""
        if get_default_dtype() != self._default_dtype:
            return False
        if any(group.version != seen for group, seen in self._groups):
            return False
        if any(_contents(optimizer) != seen for optimizer, seen in self._optimizers):
            return False
        if any(_flags_of(tensor) != seen for tensor, seen in self._flags):
            return False
        if any(_settings(module, ignored) != seen for module, seen, ignored in self._modules):
            return False
        self._seen = version
        return True


    def changes(self) -> Iterator[str]:
        """What has changed that the recording depends on, in words."""
        if get_default_dtype() != self._default_dtype:
            yield "the default type"
        if any(group.version != seen for group, seen in self._groups) or any(
            _contents(optimizer) != seen for optimizer, seen in self._optimizers
        ):
            yield "an optimizer's settings or state"
        if any(_flags_of(tensor) != seen for tensor, seen in self._flags):
            yield "which tensors require gradients, or hooks"
        for module, before, ignored in self._modules:
            now = _settings(module, ignored)
            changed = [name for name in before | now if before.get(name) != now.get(name)]
            yield from (f"{name!r} of a {type(module).__name__}" for name in changed)
        for names, name, seen in self._names:
            if _differ(names.get(name, MISSING), seen):
                yield repr(name)
        for holder, name, seen in (*self._cells, *self._attributes):
            if _differ(Place(holder, name, seen).now(), seen):
                yield repr(name)
        if any(frozen(container) != seen for container, seen in self._containers) or any(
            _any_differs(parts, held) for parts, held in self._lists
        ):
            yield "what a list, dict or object holds"


def _differ(now: Any, before: Any) -> bool:
    """Whether what stands under a name is other than it was: plain values by value."""
    if now is before:
        return False
    return not isinstance(before, (*_PLAIN, tuple)) or frozen(now) != frozen(before)


def _any_differs(now: Sequence[Any], before: Sequence[Any]) -> bool:
    """Whether two lists hold other things, with the usual case first."""
    if len(now) != len(before):
        return True
    return any(map(operator.is_not, now, before)) and any(map(_differ, now, before))


def _flags_of(tensor: Tensor) -> tuple[bool, tuple[Any, ...]]:
    """What recording looks at beside a tensor's numbers."""
    return tensor._requires_grad, tuple((tensor._hooks or {}).values())


def _contents(optimizer: Any) -> Any:
    """Which groups, parameters and tensors of state an optimizer has."""
    groups = [(Thing(group), *map(Thing, group["params"])) for group in optimizer.param_groups]
    state = [
        (Thing(parameter), *[(name, frozen(x)) for name, x in held.items()])
        for parameter, held in optimizer.state.items()
    ]
    return groups, state


def _settings(module: Module, ignored: set[str]) -> dict[str, Any]:
    return {name: frozen(x) for name, x in vars(module).items() if name not in ignored}


def _changed(module: Module, recorder: Recorder) -> set[str]:
    """The settings of a module that the step itself changes."""
    before = recorder.settings.get(id(module), {})
    after = vars(module)
    return {
        name
        for name, seen in before.items()
        if not name.startswith("_") and (name not in after or frozen(after[name]) != seen)
    }
