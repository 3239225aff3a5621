"""What a function finds by name outside its arguments: read from its compiled code.

A path is where the code starts to look and the attributes that it asks for one after the other:
`self.config.clip`, or a global `model`.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sysconfig
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tinygrad_rnn.jit.signature import is_record
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor

MISSING = object()
_GLOBAL, _LOCAL, _FREE = range(3)
_LIBRARIES = ("tinygrad_rnn", "numpy", "builtins")
_INSTALLED = {"site-packages", "dist-packages"}
_FOLDERS = (Path(__file__).parents[1], Path(sysconfig.get_path("stdlib")))
# More code than this is not looked through.
_MOST_FUNCTIONS = 200


class Place(NamedTuple):
    """Something with a name: in a dict, the cell of a closure, or an attribute of an object."""

    holder: Any
    name: str
    value: Any

    def now(self) -> Any:
        """What stands there now."""
        if type(self.holder) is dict:
            return self.holder.get(self.name, MISSING)
        if type(self.holder) is types.CellType:
            return _contents(self.holder)
        return getattr(self.holder, self.name, MISSING)


def places(
    function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], things: Iterable[Any] = ()
) -> list[Place]:
    """Everything that the code of a function mentions by name, as it is now.

    So does the code of functions, methods and modules' `forward` that it mentions, and of those
    that they mention, and that of `things`, which the function was given.
    """
    found: dict[tuple[int, str], Place] = {}
    waiting = [(function, args, kwargs)]
    waiting += [(part, (), {}) for thing in (function, *things) for part in _functions_of(thing)]
    read: set[Any] = set()
    while waiting and len(read) < _MOST_FUNCTIONS:
        mentioning, args, kwargs = waiting.pop(0)
        plain = inspect.unwrap(mentioning)
        key = getattr(plain, "__func__", plain), id(getattr(plain, "__self__", None))
        if key in read or not hasattr(plain, "__code__"):
            continue
        read.add(key)
        for place in _mentioned(plain, args, kwargs):
            if (id(place.holder), place.name) not in found:
                found[id(place.holder), place.name] = place
                waiting += [(part, (), {}) for part in _functions_of(place.now())]
    return list(found.values())


def _functions_of(value: Any) -> Iterator[Any]:
    """What a call of a value runs, if it is Python code of no library."""
    for part in value.modules() if isinstance(value, Module) else [value]:
        run = part.forward if isinstance(part, Module) else part
        while isinstance(run, functools.partial):
            run = run.func
        if "__wrapped__" in getattr(run, "__dict__", ()):
            run = inspect.unwrap(run)
        plain = isinstance(run, types.FunctionType | types.MethodType)
        if plain and not _is_of_a_library(run.__code__.co_filename):
            yield run


@functools.cache
def _is_of_a_library(file: str) -> bool:
    """Whether a file was installed, with Python or later, or is this package's."""
    path = Path(file).absolute()
    return not _INSTALLED.isdisjoint(path.parts) or any(map(path.is_relative_to, _FOLDERS))


def _mentioned(plain: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Place]:
    code = plain.__code__
    bound = getattr(plain, "__self__", None)
    given = args if bound is None else (bound, *args)
    parameters = {**dict(zip(code.co_varnames[: code.co_argcount], given, strict=False)), **kwargs}
    cells = dict(zip(code.co_freevars, plain.__closure__ or (), strict=True))
    for start, (root, *attributes) in _paths(code):
        if start == _GLOBAL and root in plain.__globals__:
            place = Place(plain.__globals__, root, plain.__globals__[root])
        elif start == _FREE and root in cells:
            place = Place(cells[root], root, _contents(cells[root]))
        elif start != _GLOBAL and root in parameters:
            place = Place(None, root, parameters[root])
        else:
            continue
        yield from _along(place, attributes)


@functools.cache
def _paths(code: types.CodeType) -> frozenset[tuple[int, tuple[str, ...]]]:
    found: set[tuple[int, tuple[str, ...]]] = set()
    path: tuple[str, ...] = ()
    start = _GLOBAL
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            start, path = _GLOBAL, (step.argval,)
        elif step.opname.startswith("LOAD_FAST"):
            name = step.argval if isinstance(step.argval, str) else step.argval[-1]
            start, path = _LOCAL, (name,)
        elif step.opname == "LOAD_DEREF":
            start, path = _FREE, (step.argval,)
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and path:
            path = (*path, step.argval)
        else:
            path = ()
            continue
        found.add((start, path))
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            found |= {(start, path) for start, path in _paths(inner) if start != _LOCAL}
    return frozenset(found)


def _along(place: Place, attributes: Sequence[str]) -> Iterator[Place]:
    """A place and those of the attributes, up to what a module or the library answers for."""
    value = place.value
    if place.holder is not None:
        yield place
    elif is_record(value):  # an argument whose parts belong to the signature
        return
    for name in attributes:
        if isinstance(value, (Module, Tensor)):
            return
        if isinstance(value, types.ModuleType) and value.__name__.split(".")[0] in _LIBRARIES:
            return
        held = _attribute(value, name)
        if isinstance(held, types.FunctionType):
            yield Place(value, name, held)
        if held is MISSING or hasattr(type(held), "__get__"):
            return
        yield Place(value, name, held)
        value = held


def _attribute(value: Any, name: str) -> Any:
    """An attribute as it lies there, without running code that computes it."""
    for held in (getattr(value, "__dict__", {}), *map(vars, type(value).__mro__)):
        if name in held:
            return held[name]
    return MISSING


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name of the enclosing function that has no value, or no longer
        return MISSING
