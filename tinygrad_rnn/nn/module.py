"""Module: parameters, sub-modules and buffers by name, in the order in which they were declared.

Also what goes over all of them: saving, modes, conversion, and hooks around `forward`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn, TypeVar

import numpy as np

from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.context import Scope, caller, no_grad, settings, state
from tinygrad_rnn.creation import zeros_like
from tinygrad_rnn.devices import names_device, require_cpu
from tinygrad_rnn.dtypes import float32, float64, float_of
from tinygrad_rnn.errors import ArgumentError, StateDictError, UnsupportedError
from tinygrad_rnn.nn import hooks
from tinygrad_rnn.tensor import RemovableHook, Tensor, replace_array

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


def _misfits(name: str, have: Tensor, want: Tensor) -> list[str]:
    """Return what keeps one tensor from being overwritten with another."""
    if have.shape != want.shape:
        return [f"shape: {name} is {want.shape}, the given one {have.shape}"]
    if have.dtype != want.dtype:
        return [
            f"type: {name} is {want.dtype}, the given one {have.dtype}; "
            "convert the module with .float() or .double() first"
        ]
    return []


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
    _buffers: dict[str, Tensor | None]
    _unsaved: tuple[str, ...] = ()
    # None as long as there are none, so that a call asks only once.
    _hooks_before: hooks.Hooks | None = None
    _hooks_after: hooks.Hooks | None = None

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
            if self._hooks_before is None or self._hooks_after is None:
                return self.forward(*args, **kwargs)
            return hooks.call(self, self._hooks_before, self._hooks_after, args, kwargs)
        finally:
            state.scope, state.site = scope, site

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        settings.version += 1
        registers = self.__dict__.get("_parameters")
        if isinstance(value, Parameter):
            self._make_way("_parameters", name)
            self.register_parameter(name, value)
        elif registers is not None and name in registers:
            if value is not None:
                raise ArgumentError(
                    f"'{name}' is a parameter of {type(self).__name__}; assign a Parameter, or "
                    "change its numbers with assign() under no_grad()"
                )
            registers[name] = None
        elif isinstance(value, Module):
            self._make_way("_modules", name)
            self.add_module(name, value)
        elif registers is not None and name in self._modules:
            if value is not None:
                raise ArgumentError(
                    f"'{name}' is a module of {type(self).__name__}; assign a Module or None, not "
                    f"{type(value).__name__}"
                )
            self._modules[name] = None
        elif registers is not None and name in self._buffers:
            self.register_buffer(name, value, name not in self._unsaved)
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for register in ("_parameters", "_modules", "_buffers"):
            held = self.__dict__.get(register)
            if held is not None and name in held:
                if state.recorder is not None:
                    state.recorder.visits(self)
                return held[name]
        raise missing("Module", name, self)

    def __delattr__(self, name: str) -> None:
        if not self._forget(name):
            object.__delattr__(self, name)

    def _register(self, kind: str, name: str, value: Any) -> None:
        """Declare a name in a register; one that it has keeps its place in the order."""
        register = self._register_of(kind, name)
        if not isinstance(name, str) or not name or "." in name:
            raise ArgumentError(
                f"{name!r} cannot be a name in {type(self).__name__}: it is a string without dots, "
                "which separate the names in a path"
            )
        if name not in register and self._has(name):
            raise ArgumentError(
                f"{type(self).__name__} has an attribute '{name}' already; take another name, or "
                "delete that first"
            )
        settings.version += 1
        register[name] = value

    def _register_of(self, kind: str, name: str) -> dict[str, Any]:
        if kind not in self.__dict__:
            raise ArgumentError(
                f"call super().__init__() in {type(self).__name__}.__init__ before assigning "
                f"'{name}'"
            )
        register: dict[str, Any] = self.__dict__[kind]
        return register

    def _has(self, name: str) -> bool:
        """Whether an attribute has this name; a property is not asked for its value."""
        held = (self.__dict__, self._parameters, self._modules, self._buffers)
        return any(name in register for register in held) or hasattr(type(self), name)

    def _make_way(self, kind: str, name: str) -> None:
        """Forget a name, unless it stands in the register that it is to stand in."""
        if name not in self._register_of(kind, name):
            self._forget(name)

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
        if parameter is not None and not isinstance(parameter, Parameter):
            raise ArgumentError(
                f"'{name}' has to be a Parameter or None, not {type(parameter).__name__}"
            )
        self._register("_parameters", name, parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Declare a tensor that is not trained; None declares one that is switched off.

        It is converted with the module and, if `persistent`, saved with it.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentError(f"the buffer '{name}' is a Tensor, not {type(tensor).__name__}")
        self._register("_buffers", name, tensor)
        if persistent == (name in self._unsaved):
            others = tuple(other for other in self._unsaved if other != name)
            self._unsaved = others if persistent else (*others, name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Declare a sub-module; None declares one that is switched off."""
        if module is not None and not isinstance(module, Module):
            raise ArgumentError(f"'{name}' has to be a Module, not {type(module).__name__}")
        self._register("_modules", name, module)
        if module is not None:
            module._name = name

    def register_module(self, name: str, module: Module | None) -> None:
        """Declare a sub-module, as `add_module` does."""
        self.add_module(name, module)

    # ------------------------------------------------------------------ hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHook:
        """Call `hook(module, args)` before every `forward`; it may return other arguments.

        Args:
            hook: returns None, or what `forward` is to be called with: a tuple, or the only one.
            prepend: call it before the hooks that are there already.
            with_kwargs: call `hook(module, args, kwargs)`, which returns None or (args, kwargs).

        Returns:
            A handle whose `remove()` takes the hook away.
        """
        return hooks.add(self._hooks()[0], hook, with_kwargs, prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHook:
        """Call `hook(module, args, output)` after every `forward`; it may return another output.

        Args:
            hook: returns None, or what the call of the module is to return.
            prepend: call it before the hooks that are there already.
            with_kwargs: call `hook(module, args, kwargs, output)`.
            always_call: not supported: a hook is not called when `forward` raises.

        Returns:
            A handle whose `remove()` takes the hook away.
        """
        if always_call:
            raise UnsupportedError(
                "hooks are not called when forward() raises; leave always_call out and use try"
            )
        return hooks.add(self._hooks()[1], hook, with_kwargs, prepend)

    def register_full_backward_hook(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise UnsupportedError: gradients are watched on tensors."""
        raise UnsupportedError(
            "modules have no backward hooks; watch the gradient of a tensor instead: "
            "module.register_forward_hook(lambda module, args, output: "
            "output.register_hook(print) and None), or x.register_hook for that of an input"
        )

    register_full_backward_pre_hook = register_full_backward_hook
    register_backward_hook = register_full_backward_hook

    def _hooks(self) -> tuple[hooks.Hooks, hooks.Hooks]:
        if self._hooks_before is None or self._hooks_after is None:
            self._hooks_before, self._hooks_after = {}, {}
        return self._hooks_before, self._hooks_after

    # ------------------------------------------------------------------ walking

    def _read(self) -> dict[str, Module | None]:
        """The modules declared here, on which a recording that asks for them depends."""
        if state.recorder is not None:
            state.recorder.visits(self)
        return self._modules

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the sub-modules declared here."""
        for name, module in self._read().items():
            if module is not None:
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the sub-modules declared here, without names."""
        for _, module in self.named_children():
            yield module

    def named_modules(
        self,
        memo: set[Module] | None = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it, with their paths.

        Args:
            memo: modules to leave out; those found are added.
            prefix: the path of this module.
            remove_duplicate: yield a module that stands at several places only at the first.
        """
        if memo is not None and not isinstance(memo, set):
            raise ArgumentError(f"memo is a set of modules, not {memo!r}; see prefix=")
        seen = set() if memo is None else memo
        stack = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if remove_duplicate and module in seen:
                continue
            seen.add(module)
            yield path, module
            below = [(f"{path}.{n}" if path else n, m) for n, m in module.named_children()]
            stack.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it, each once."""
        for _, module in self.named_modules():
            yield module

    def _places(self, register: str, prefix: str = "") -> Iterator[Place]:
        """Yield where every parameter or buffer lives, a shared one at each of its places."""
        for key, tensor in getattr(self, register).items():
            if tensor is not None:
                yield Place(prefix + key, self, key, tensor)
        for name, module in self.named_children():
            yield from module._places(register, f"{prefix}{name}.")

    def _named(
        self, register: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for place in self._places(register):
            inner = "." in place.name
            if (inner and not recurse) or (remove_duplicate and id(place.tensor) in seen):
                continue
            seen.add(id(place.tensor))
            yield (f"{prefix}.{place.name}" if prefix else place.name), place.tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter with its path, in the order of declaration.

        Args:
            prefix: the path of this module.
            recurse: include those of the modules below.
            remove_duplicate: yield a shared parameter only at the first of its places.
        """
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield every parameter once, in the order of declaration."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield every buffer with its path; for arguments see `named_parameters`."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield every buffer once, in the order of declaration."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """Return the module at a path such as "encoder.layers.0"; "" is this one."""
        found = self
        for name in target.split(".") if target else ():
            below = found._modules.get(name)
            if below is None:
                raise ArgumentError(
                    f"{type(self).__name__} has no module '{target}': {type(found).__name__} holds "
                    + (", ".join(found._modules) or "none")
                )
            found = below
        return found

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a path such as "encoder.weight"."""
        return self._get("_parameters", target)  # type: ignore[return-value]

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer at a path such as "norm.mean"."""
        return self._get("_buffers", target)

    def _get(self, register: str, target: str) -> Tensor:
        names = []
        for place in self._places(register):
            if place.name == target:
                return place.tensor
            names.append(place.name)
        raise ArgumentError(
            f"{type(self).__name__} has no '{target}' among its {register.removeprefix('_')}: "
            + (", ".join(names) or "there are none")
        )

    def parameter_count(self) -> int:
        """Return the number of trainable and frozen numbers, shared ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    # ------------------------------------------------------------------ saving

    def _saved(self) -> list[Place]:
        buffers = [p for p in self._places("_buffers") if p.key not in p.owner._unsaved]
        return [*self._places("_parameters"), *buffers]

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> OrderedDict[str, Tensor]:
        """Return every parameter and persistent buffer by name. They share memory with the module.

        Args:
            prefix: put in front of every name.
            keep_vars: return the parameters themselves, not detached.
        """
        return OrderedDict(
            (prefix + place.name, place.tensor if keep_vars else place.tensor.detach())
            for place in self._saved()
        )

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Overwrite parameters and buffers with tensors or arrays of the same names.

        A tensor that the module holds under several names may be given under one of them.

        Raises:
            StateDictError: lists every missing and unexpected name (unless `strict` is False),
                every difference in shape or type, and names of one tensor that are given different
                numbers. Nothing has been changed then.
            UnsupportedError: for `assign`.
        """
        if assign:
            raise UnsupportedError(
                "load_state_dict overwrites the parameters that are there; for other objects set "
                "the attributes, and for another type convert the module first"
            )
        if not isinstance(state_dict, Mapping):
            raise ArgumentError(f"a state dict maps names to tensors, not {state_dict!r}")
        places = {place.name: place for place in self._saved()}
        given = {id(place.tensor): n for n, place in places.items() if n in state_dict}
        missing = [n for n, place in places.items() if id(place.tensor) not in given]
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
                problems += _misfits(name, new[name], place.tensor)
        for name, value in new.items():
            last = given[id(places[name].tensor)]
            if name != last and not np.array_equal(value._array, new[last]._array, equal_nan=True):
                problems.append(f"shared: {name} and {last} are one tensor, but given two")
        if problems:
            raise StateDictError(
                f"the state dict does not fit {type(self).__name__}:\n  " + "\n  ".join(problems)
            )
        with no_grad():
            for name in given.values():
                places[name].tensor.assign(new[name])
        return IncompatibleKeys(missing, unexpected)

    # ------------------------------------------------------------------ modes

    def train(self: _Self, mode: bool = True) -> _Self:
        """Switch to training (dropout on) or, with False, to evaluation."""
        if not isinstance(mode, bool):
            raise ArgumentError(f"training is switched on by True and off by False, not {mode!r}")
        settings.version += 1
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self: _Self) -> _Self:
        """Switch to evaluation (dropout off)."""
        return self.train(False)

    def requires_grad_(self: _Self, requires_grad: bool = True) -> _Self:
        """Switch the gradients of all parameters on or off."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; or set those that there are to 0."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = zeros_like(parameter.grad)

    def apply(self: _Self, function: Callable[[Module], Any]) -> _Self:
        """Call `function` on every module below this one, then on this one."""
        for module in self.children():
            module.apply(function)
        function(self)
        return self

    def to(
        self: _Self,
        *target: Any,
        device: Any = None,
        dtype: Any = None,
        non_blocking: bool = False,
    ) -> _Self:
        """Convert floating parameters and buffers to float32 or float64.

        Args:
            target: a type, a tensor of that type, or "cpu".
            device: "cpu".
            dtype: a type.
            non_blocking: changes nothing.

        Raises:
            UnsupportedError: for another device.
        """
        for one in target:
            if names_device(one):
                require_cpu(one)
            else:
                dtype = one.dtype if isinstance(one, Tensor) else one
        require_cpu(device)
        return self if dtype is None else self._convert(dtype)

    def _convert(self: _Self, dtype: Any) -> _Self:
        wanted = float_of(dtype)
        for register in ("_parameters", "_buffers"):
            for place in self._places(register):
                if place.tensor.is_floating_point() and place.tensor.dtype != wanted:
                    # In place, so that optimizers and shared owners keep the same object.
                    replace_array(place.tensor, place.tensor._array.astype(wanted))
                    place.tensor.grad = None
        return self

    def double(self: _Self) -> _Self:
        """Convert to float64."""
        return self._convert(float64)

    def float(self: _Self) -> _Self:
        """Convert to float32."""
        return self._convert(float32)

    def cpu(self: _Self) -> _Self:
        """Return self: everything is on the CPU."""
        return self

    def cuda(self, device: Any = None) -> None:
        """Raise UnsupportedError: everything is on the CPU."""
        require_cpu("cuda")

    def half(self) -> NoReturn:
        """Raise UnsupportedError: there are float32 and float64."""
        raise UnsupportedError("modules are float32 or float64; use .float() or .double()")

    bfloat16 = half

    def type(self, dst_type: Any) -> NoReturn:
        """Raise UnsupportedError: integer buffers keep their type."""
        raise UnsupportedError(
            "type() would convert integer buffers too; use .to(dtype) for what is floating"
        )

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
