"""Modules that hold modules or parameters, as lists and dictionaries."""

from __future__ import annotations

import operator
from collections.abc import (
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    Sequence,
    ValuesView,
)
from typing import Any, Self, TypeVar

from tinygrad_rnn.errors import ArgumentError, OutOfRangeError
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.tensor import Tensor

_Name = TypeVar("_Name", str, int)


class ModuleList(Module):
    """A list of modules, with the methods of a list.

    Modules are named by their places, from 0; those behind one that is inserted or deleted are
    named anew.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        return self._append(str(len(self)), module)

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        if not isinstance(modules, Iterable):
            raise ArgumentError(f"a list of modules is needed, not {type(modules).__name__}")
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module in front of the one at a place."""
        held = list(self)
        place = _place(index, range(len(held) + (index == len(held))), "module")
        held.insert(place, _module(module, str(place)))
        return self._hold(held)

    def pop(self, index: int = -1) -> Module:
        """Take out the module at a place, and return it."""
        module: Module = self[index]
        del self[index]
        return module

    def _hold(self, modules: list[Module]) -> Self:
        """Hold these modules and no others."""
        for name in list(self._modules):
            delattr(self, name)
        return self.extend(modules)

    def _append(self, name: str, module: Module) -> Self:
        self.add_module(name, _module(module, name))
        return self

    def __len__(self) -> int:
        return len(self._read())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ModuleList(list(self)[index])
        held = self._read()
        return held[_place(index, list(held), "module")]

    def __setitem__(self, index: int, module: Module) -> None:
        self._append(_place(index, list(self._modules), "module"), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)
        gone = names[index] if isinstance(index, slice) else [_place(index, names, "module")]
        self._hold([module for name, module in self.named_children() if name not in gone])

    def __iter__(self) -> Iterator[Module]:
        return self.children()


class Sequential(ModuleList):
    """Modules one after the other: y = f_n(... f_2(f_1(x))).

    Args:
        modules: the modules; or one mapping of names to modules, which are then called by them.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self._append(name, module)
        else:
            self.extend(modules)  # type: ignore[arg-type]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Sequential(dict(list(self.named_children())[index]))
        return super().__getitem__(index)

    def forward(self, x: Any) -> Any:
        """Pass `x` through every module in turn."""
        for module in self:
            x = module(x)
        return x


class ModuleDict(Module):
    """A dictionary of modules, with the methods of a dict."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update({} if modules is None else modules)

    def update(self, modules: Mapping[str, Module]) -> None:
        """Add modules by name, in place of those of the same name."""
        _check_mapping(modules, "modules")
        for name, module in modules.items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        return _held(self._read(), name, "module")  # type: ignore[no-any-return]

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(_free(self, name), _module(module, name))

    def __delitem__(self, name: str) -> None:
        _held(self._modules, name, "module")
        delattr(self, name)

    def pop(self, name: str) -> Module:
        """Take out the module of a name, and return it."""
        module = self[name]
        del self[name]
        return module

    def clear(self) -> None:
        """Take out all modules."""
        for name in list(self):
            del self[name]

    def __len__(self) -> int:
        return len(self._read())

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __contains__(self, name: object) -> bool:
        return name in self._read()

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._read().keys()

    def values(self) -> ValuesView[Module | None]:
        """Return the modules."""
        return self._read().values()

    def items(self) -> ItemsView[str, Module | None]:
        """Return names and modules."""
        return self._read().items()


class ParameterList(Module):
    """A list of parameters; tensors become parameters."""

    def __init__(self, parameters: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.extend(parameters)

    def append(self, parameter: Tensor) -> Self:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), _parameter(parameter))
        return self

    def extend(self, parameters: Iterable[Tensor]) -> Self:
        """Add parameters at the end."""
        if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
            raise ArgumentError(f"a list of parameters is needed, not {type(parameters).__name__}")
        for parameter in parameters:
            self.append(parameter)
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __getitem__(self, index: int) -> Parameter:
        return getattr(self, _place(index, list(self._parameters), "parameter"))  # type: ignore[no-any-return]

    def __setitem__(self, index: int, parameter: Tensor) -> None:
        name = _place(index, list(self._parameters), "parameter")
        self.register_parameter(name, _parameter(parameter))

    def __iter__(self) -> Iterator[Parameter]:
        return iter([self[i] for i in range(len(self))])


class ParameterDict(Module):
    """A dictionary of parameters; tensors become parameters."""

    def __init__(self, parameters: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        self.update({} if parameters is None else parameters)

    def update(self, parameters: Mapping[str, Tensor]) -> None:
        """Add parameters by name, in place of those of the same name."""
        _check_mapping(parameters, "parameters")
        for name, parameter in parameters.items():
            self[name] = parameter

    def __getitem__(self, name: str) -> Parameter:
        _held(self._parameters, name, "parameter")
        return getattr(self, name)  # type: ignore[no-any-return]

    def __setitem__(self, name: str, parameter: Tensor) -> None:
        self.register_parameter(_free(self, name), _parameter(parameter))

    def __delitem__(self, name: str) -> None:
        _held(self._parameters, name, "parameter")
        delattr(self, name)

    def pop(self, name: str) -> Parameter:
        """Take out the parameter of a name, and return it."""
        parameter = self[name]
        del self[name]
        return parameter

    def clear(self) -> None:
        """Take out all parameters."""
        for name in list(self):
            del self[name]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._parameters.keys()

    def values(self) -> list[Parameter]:
        """Return the parameters."""
        return [self[name] for name in self]

    def items(self) -> list[tuple[str, Parameter]]:
        """Return names and parameters."""
        return [(name, self[name]) for name in self]


def _check_mapping(given: Any, kind: str) -> None:
    if not isinstance(given, Mapping):
        raise ArgumentError(f"a dictionary of {kind} is needed, not {type(given).__name__}")


def _module(module: Any, name: str) -> Module:
    if not isinstance(module, Module):
        raise ArgumentError(f"'{name}' has to be a Module, not {type(module).__name__}")
    return module


def _parameter(tensor: Tensor) -> Parameter:
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"a Parameter is needed, not {type(tensor).__name__}")
    return tensor if isinstance(tensor, Parameter) else Parameter(tensor)


def _place(index: Any, names: Sequence[_Name], kind: str) -> _Name:
    """Return the name under which a list holds what stands at a place."""
    try:
        place = operator.index(index)
    except TypeError:
        raise ArgumentError(f"the place of a {kind} is an integer, not {index!r}") from None
    if not -len(names) <= place < len(names):
        raise OutOfRangeError(f"there is no {kind} {place} in a list of {len(names)}")
    return names[place]


def _held(register: Mapping[str, Any], name: str, kind: str) -> Any:
    if name not in register:
        raise ArgumentError(f"there is no {kind} {name!r}, only {', '.join(register) or 'none'}")
    return register[name]


def _free(holder: Module, name: str) -> str:
    """Return a name under which something can be held beside the methods of a dictionary."""
    if hasattr(type(holder), str(name)):
        raise ArgumentError(
            f"{name!r} cannot be a name here: it is a method of {type(holder).__name__}"
        )
    return name
