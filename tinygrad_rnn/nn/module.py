"""Module: parameters, sub-modules and buffers by name, in the order in which they were declared."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from tinygrad_rnn.context import Scope, caller, no_grad, settings, state
from tinygrad_rnn.dtypes import float32, float64, float_of
from tinygrad_rnn.errors import ArgumentError, StateDictError
from tinygrad_rnn.tensor import Tensor

_Self = TypeVar("_Self", bound="Module")


class Parameter(Tensor):
    """A tensor that a module owns and an optimizer changes."""

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        self._array = data.detach()._array if isinstance(data, Tensor) else Tensor(data)._array
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Place(NamedTuple):
    """Where a parameter or buffer lives: its public name, and the module and key that hold it."""

    name: str
    owner: Module
    key: str
    tensor: Tensor


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of layers and models.

    Assign parameters (`Parameter`) and sub-modules as attributes in `__init__`, after
    `super().__init__()`, and define `forward`. Calling the module calls `forward`, and names what
    is recorded meanwhile after the module.
    """

    training: bool = True
    _name: str = ""
    _parameters: dict[str, Parameter | None]
    _modules: dict[str, Module | None]
    _buffers: dict[str, Tensor]

    def __init__(self) -> None:
        # Past our own __setattr__, which needs them.
        for register in ("_parameters", "_modules", "_buffers"):
            object.__setattr__(self, register, {})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. Every subclass defines this."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call `forward`, with this module as the scope of what it records."""
        scope, site = state.scope, state.site
        if self._name:
            path = f"{scope.path}.{self._name}" if scope.path else self._name
            state.scope = Scope(path, scope.step)
        if state.recorder is not None:
            state.recorder.visits(self)
        # Inside our own layers the interesting line is the one that called them.
        state.site = caller() if type(self).__module__.startswith("tinygrad_rnn.") else None
        try:
            return self.forward(*args, **kwargs)
        finally:
            state.scope, state.site = scope, site

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        settings.version += 1
        registers = self.__dict__.get("_parameters")
        if isinstance(value, (Parameter, Module)) and registers is None:
            raise ArgumentError(
                f"call super().__init__() in {type(self).__name__}.__init__ before assigning "
                f"'{name}'"
            )
        if isinstance(value, Parameter):
            self._register(self._parameters, name, value)
        elif isinstance(value, Module):
            self._register(self._modules, name, value)
            value._name = name
        elif registers is not None and name in registers:
            if value is not None:
                raise ArgumentError(
                    f"'{name}' is a parameter of {type(self).__name__}; assign a Parameter, or "
                    "change its numbers with assign() under no_grad()"
                )
            registers[name] = None
        elif registers is not None and name in self._modules:
            if value is not None:
                raise ArgumentError(
                    f"'{name}' is a module of {type(self).__name__}; assign a Module or None, not "
                    f"{type(value).__name__}"
                )
            self._modules[name] = None
        elif registers is not None and name in self._buffers:
            self.register_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for register in ("_parameters", "_modules", "_buffers"):
            held = self.__dict__.get(register)
            if held is not None and name in held:
                if state.recorder is not None:
                    state.recorder.visits(self)
                return held[name]
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        if not self._forget(name):
            object.__delattr__(self, name)

    def _register(self, register: dict[str, Any], name: str, value: Any) -> None:
        """Declare a name; one that is declared keeps its place in the order."""
        settings.version += 1
        if name not in register:
            self._forget(name)
        register[name] = value

    def _forget(self, name: str) -> bool:
        settings.version += 1
        self.__dict__.pop(name, None)
        found = False
        for register in (self._parameters, self._modules, self._buffers):
            found = name in register or found
            register.pop(name, None)
        return found

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Declare a parameter; None declares one that is switched off."""
        if parameter is None:
            self._register(self._parameters, name, None)
        elif isinstance(parameter, Parameter):
            setattr(self, name, parameter)
        else:
            raise ArgumentError(
                f"'{name}' has to be a Parameter or None, not {type(parameter).__name__}"
            )

    def register_buffer(self, name: str, tensor: Tensor) -> None:
        """Declare a tensor that is saved with the module and is not trained."""
        if "_buffers" not in self.__dict__:
            raise ArgumentError(f"call super().__init__() in {type(self).__name__}.__init__ first")
        if not isinstance(tensor, Tensor):
            raise ArgumentError(f"the buffer '{name}' is a Tensor, not {type(tensor).__name__}")
        self._register(self._buffers, name, tensor)

    def add_module(self, name: str, module: Module) -> None:
        """Declare a sub-module."""
        if not isinstance(module, Module):
            raise ArgumentError(f"'{name}' has to be a Module, not {type(module).__name__}")
        setattr(self, name, module)

    # ------------------------------------------------------------------ walking

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the sub-modules declared here."""
        for name, module in self._modules.items():
            if module is not None:
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the sub-modules declared here, without names."""
        for _, module in self.named_children():
            yield module

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it, each once, with their paths."""
        seen: set[int] = set()
        stack = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            below = [(f"{path}.{n}" if path else n, m) for n, m in module.named_children()]
            stack.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it."""
        for _, module in self.named_modules():
            yield module

    def _places(self, register: str, prefix: str = "") -> Iterator[Place]:
        """Yield where every parameter or buffer lives, a shared one at each of its places."""
        for key, tensor in getattr(self, register).items():
            if tensor is not None:
                yield Place(prefix + key, self, key, tensor)
        for name, module in self.named_children():
            yield from module._places(register, f"{prefix}{name}.")

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once, with its path, in the order of declaration."""
        seen: set[int] = set()
        for place in self._places("_parameters", f"{prefix}." if prefix else ""):
            if id(place.tensor) not in seen:
                seen.add(id(place.tensor))
                yield place.name, place.tensor  # type: ignore[misc]

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter once, in the order of declaration."""
        for _, parameter in self.named_parameters():
            yield parameter

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every buffer with its path."""
        for place in self._places("_buffers"):
            yield place.name, place.tensor

    def parameter_count(self) -> int:
        """Return the number of trainable and frozen numbers, shared ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    # ------------------------------------------------------------------ saving

    def state_dict(self) -> OrderedDict[str, Tensor]:
        """Return every parameter and buffer by name. They share memory with the module."""
        places = [*self._places("_parameters"), *self._places("_buffers")]
        return OrderedDict((place.name, place.tensor.detach()) for place in places)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Overwrite parameters and buffers with tensors or arrays of the same names.

        Raises:
            StateDictError: lists every missing and unexpected name (unless `strict` is False) and
                every difference in shape or type. Nothing has been changed then.
        """
        if not isinstance(state_dict, Mapping):
            raise ArgumentError(f"a state dict maps names to tensors, not {state_dict!r}")
        places = {p.name: p for p in (*self._places("_parameters"), *self._places("_buffers"))}
        missing = [name for name in places if name not in state_dict]
        unexpected = [name for name in state_dict if name not in places]
        problems = []
        if strict:
            problems += [f"missing: {name} {places[name].tensor.shape}" for name in missing]
            problems += [f"unexpected: {name}" for name in unexpected]
        new: dict[str, Tensor] = {}
        for name, place in places.items():
            if name in state_dict:
                value = state_dict[name]
                new[name] = value.detach() if isinstance(value, Tensor) else Tensor(value)
                have, want = new[name], place.tensor
                if have.shape != want.shape:
                    problems.append(f"shape: {name} is {want.shape}, the given one {have.shape}")
                elif have.dtype != want.dtype:
                    problems.append(
                        f"type: {name} is {want.dtype}, the given one {have.dtype}; "
                        "convert the module with .float() or .double() first"
                    )
        if problems:
            raise StateDictError(
                f"the state dict does not fit {type(self).__name__}:\n  " + "\n  ".join(problems)
            )
        with no_grad():
            for name, value in new.items():
                places[name].tensor.assign(value)
        return IncompatibleKeys(missing, unexpected)

    # ------------------------------------------------------------------ modes

    def train(self: _Self, mode: bool = True) -> _Self:
        """Switch to training (dropout on) or, with False, to evaluation."""
        settings.version += 1
        for module in self.modules():
            object.__setattr__(module, "training", bool(mode))
        return self

    def eval(self: _Self) -> _Self:
        """Switch to evaluation (dropout off)."""
        return self.train(False)

    def requires_grad_(self: _Self, requires_grad: bool = True) -> _Self:
        """Switch the gradients of all parameters on or off."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def apply(self: _Self, function: Callable[[Module], Any]) -> _Self:
        """Call `function` on every module below this one, then on this one."""
        for module in self.children():
            module.apply(function)
        function(self)
        return self

    def to(self: _Self, dtype: Any) -> _Self:
        """Convert floating parameters and buffers to float32 or float64."""
        if isinstance(dtype, str) and dtype == "cpu":
            return self
        wanted = float_of(dtype)
        for register in ("_parameters", "_buffers"):
            for place in self._places(register):
                if place.tensor.is_floating_point() and place.tensor.dtype != wanted:
                    # In place, so that optimizers and shared owners keep the same object.
                    place.tensor._array = place.tensor._array.astype(wanted)
                    place.tensor.grad = None
        return self

    def double(self: _Self) -> _Self:
        """Convert to float64."""
        return self.to(float64)

    def float(self: _Self) -> _Self:
        """Convert to float32."""
        return self.to(float32)

    # ------------------------------------------------------------------ reading

    def extra_repr(self) -> str:
        """Return the settings to show between the parentheses of the repr."""
        return ""

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self, label: str = "") -> list[str]:
        count = f"  # {self.parameter_count():,} parameters" if self.parameter_count() else ""
        head = f"{label}{type(self).__name__}({self.extra_repr()}"
        below = [
            f"  {line}"
            for name, module in self._shown_children()
            for line in module._lines(f"({name}): ")
        ]
        return [head + count, *below, ")"] if below else [f"{head}){count}"]

    def _shown_children(self) -> Iterator[tuple[str, Module]]:
        return self.named_children()
