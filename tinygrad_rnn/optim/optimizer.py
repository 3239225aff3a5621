"""What optimizers share: parameter groups, state, and saving both in PyTorch's form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.context import enable_grad, no_grad, quiet, settings, state
from tinygrad_rnn.creation import full, zeros_like
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, StateDictError, UnsupportedError
from tinygrad_rnn.optim.groups import ParameterGroup
from tinygrad_rnn.optim.watched import OptimizerState, WatchedList
from tinygrad_rnn.tensor import Tensor

_NOT_NEGATIVE = {
    "alpha",
    "eps",
    "initial_accumulator_value",
    "lr",
    "lr_decay",
    "momentum",
    "tolerance_change",
    "tolerance_grad",
    "weight_decay",
}

# What schedules keep in a group, under PyTorch's names.
_SCHEDULED = {"initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"}

# PyTorch's choices of how an update is computed, and what to do instead of choosing.
_REMEDIES = {
    "foreach": "jit compiles the whole step, the update of all parameters included",
    "fused": "jit compiles the whole step, the update of all parameters included",
    "capturable": "there are no CUDA graphs; jit records any step as it is",
    "differentiable": (
        "to differentiate through an update, write it as tensor operations, such as "
        "p - lr * grad(loss, p, create_graph=True)"
    ),
}


class Optimizer:
    """Changes parameters by their gradients. Subclasses define `update` for one parameter.

    Args:
        params: parameters, or dicts with "params" and settings of their own (parameter groups).
        defaults: settings for groups that do not say otherwise.
        implementation: PyTorch's `foreach`, `fused`, `capturable` and `differentiable`, which may
            only say no (None or False).

    Raises:
        ArgumentError: for no parameters, a parameter given twice, or a setting out of range.
        UnsupportedError: for an implementation that was asked for.
    """

    def __init__(
        self, params: Iterable[Any], defaults: dict[str, Any], **implementation: Any
    ) -> None:
        self._refuse_unknown(implementation.keys() - _REMEDIES.keys(), defaults)
        self._refuse(implementation)
        if not isinstance(params, Iterable):
            raise ArgumentError(f"the optimizer takes model.parameters(), not {params!r}")
        self.defaults = defaults
        self.state = {}
        self.param_groups: list[ParameterGroup] = WatchedList()
        given = list([params] if isinstance(params, Tensor) else params)
        if not given:
            raise ArgumentError("the optimizer got no parameters; pass model.parameters()")
        grouped = [isinstance(part, dict) for part in given]
        if any(grouped) and not all(grouped):
            raise ArgumentError("the optimizer takes parameters or groups of them, not both mixed")
        groups = given if all(grouped) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """What is kept of each parameter between updates, by name."""
        return self._state

    @state.setter
    def state(self, new: Mapping[Tensor, dict[str, Any]]) -> None:
        self._state = OptimizerState()
        self._state.update(new)
        settings.version += 1

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own."""
        if "params" not in group:
            raise ArgumentError(f'a parameter group has a list "params", not only {sorted(group)}')
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        for p in params:
            if isinstance(p, tuple):
                raise UnsupportedError(
                    "an optimizer takes no pairs of a name and a parameter; pass "
                    "model.parameters() in place of model.named_parameters()"
                )
            if not isinstance(p, Tensor):
                raise ArgumentError(f"an optimizer changes tensors, not {type(p).__name__}")
            if not p.is_floating_point():
                raise ArgumentError(f"an optimizer changes floating tensors, not {p.dtype}")
            if not p.is_leaf:
                raise ArgumentError("an optimizer changes leaves; a computed tensor was given")
        known = {id(p) for other in self.param_groups for p in other["params"]}
        if len({id(p) for p in params}) != len(params) or any(id(p) in known for p in params):
            raise ArgumentError("a parameter was given to the optimizer twice")
        self._refuse(group)
        group = {name: value for name, value in group.items() if name not in _REMEDIES}
        self._refuse_unknown(group.keys() - {"params"} - _SCHEDULED, self.defaults)
        complete = {**self.defaults, **group, "params": params}
        self.check(complete)
        for other in self.param_groups:
            other.changes()
        self.param_groups.append(ParameterGroup(complete))

    def _refuse_unknown(self, names: Iterable[str], known: Iterable[str]) -> None:
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise ArgumentError(
                f"{type(self).__name__} has no setting {', '.join(unknown)}; it has "
                f"{', '.join(known)}"
            )

    def _refuse(self, settings: Mapping[str, Any]) -> None:
        for name, remedy in _REMEDIES.items():
            if settings.get(name):
                kind = type(self).__name__
                raise UnsupportedError(
                    f"{kind} has no {name}={settings[name]!r}; leave it out: {remedy}"
                )

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ArgumentError for a setting out of range."""
        for name, value in group.items():
            if name not in _NOT_NEGATIVE:
                continue
            if not isinstance(value, (int, float, np.number)) or not value >= 0.0:
                raise ArgumentError(f"{name} is a number of 0 or more, not {value!r}")

    def update(
        self, p: Tensor, g: Tensor, state: dict[str, Tensor], group: ParameterGroup
    ) -> None:
        """Change parameter `p` by its gradient `g`, in Tensor operations and `assign`.

        The learning rate is `group.rate.to(p.dtype)`; `group["lr"]`, a float, cannot be recorded.
        Where a recording is to follow changes of another setting, it is
        `in_type_of(p, group.number(name))`.
        State is made as zeros by `buffer` and counted by `count_step`, not from the first `g`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define update()")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        With a `closure`, call it first to compute the loss and its gradients, and return the loss.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad(), quiet():
            if state.recorder is not None:
                state.recorder.uses_optimizer(self)
            for group in self.param_groups:
                maximize, decay = group.get("maximize"), group.get("weight_decay")
                if group.get("decoupled_weight_decay"):
                    # Left to the update.
                    decay = 0.0
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    g = -p.grad if maximize else p.grad
                    if decay:
                        g = g + p.detach() * in_type_of(p, group.number("weight_decay"))
                    self.update(p, g, self.state[p], group)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill those that there are with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                elif p.grad.requires_grad:
                    p.grad = zeros_like(p.grad)
                else:
                    p.grad.zero_()

    # ------------------------------------------------------------------ saving

    def state_dict(self) -> dict[str, Any]:
        """Return state and settings in PyTorch's form, parameters replaced by numbers 0, 1, ...

        State has PyTorch's names: "step", "exp_avg", "exp_avg_sq", "momentum_buffer", ...
        """
        number = {id(p): i for i, p in enumerate(self._parameters())}
        groups = [
            {**group, "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {
            number[id(p)]: {name: _detached(value) for name, value in held.items()}
            for p, held in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and settings that `state_dict`, or PyTorch's, returned.

        Arrays may stand in place of tensors.

        Raises:
            StateDictError: if the groups or the shapes of the state do not fit the parameters.
        """
        if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
            raise StateDictError('an optimizer\'s state dict has "state" and "param_groups"')
        groups = state_dict["param_groups"]
        if not all(isinstance(group, Mapping) and "params" in group for group in groups):
            raise StateDictError('each of "param_groups" is a dict with a list "params"')
        have = [len(group["params"]) for group in self.param_groups]
        given = [len(group["params"]) for group in groups]
        if have != given:
            raise StateDictError(f"the groups hold {have} parameters, the given ones {given}")
        params = self._parameters()
        # The parameters' numbers, which another program may have chosen otherwise.
        numbers = [str(number) for group in groups for number in group["params"]]
        owners = dict(zip(numbers, params, strict=True))
        state: dict[Tensor, dict[str, Any]] = {}
        for number, held in state_dict["state"].items():
            p = owners.get(str(number))
            if p is None:
                raise StateDictError(f"there is state for parameter {number} of {len(params)}")
            state[p] = {
                name: self._loaded(p, number, name, value)
                for name, value in held.items()
                if value is not None
            }
        for new in groups:
            self._refuse({"differentiable": new.get("differentiable")})
        kept = self.defaults.keys() | _SCHEDULED
        complete = [
            {**group, **{name: value for name, value in new.items() if name in kept}}
            for group, new in zip(self.param_groups, groups, strict=True)
        ]
        for group in complete:
            self.check(group)
        self.state = state
        for group, new in zip(self.param_groups, complete, strict=True):
            group.update({name: value for name, value in new.items() if name != "params"})

    def _loaded(self, p: Tensor, number: Any, name: str, value: Any) -> Any:
        """Return one part of a parameter's state, as a copy of its own."""
        t = value.detach() if isinstance(value, Tensor) else Tensor(value)
        if name == "step":
            return t.to(float64).clone()
        if t.shape != p.shape:
            raise StateDictError(
                f"{name} of parameter {number} has shape {t.shape}, the parameter {p.shape}"
            )
        return t.to(p.dtype).clone()

    def _parameters(self) -> Sequence[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        lines = [
            ", ".join(f"{name}={value}" for name, value in group.items() if name != "params")
            + f", {len(group['params'])} parameters"
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(lines)})"


def _detached(value: Any) -> Any:
    if isinstance(value, list):
        return [_detached(part) for part in value]
    return value.detach() if isinstance(value, Tensor) else value


def in_type_of(p: Tensor, number: Any) -> Any:
    """Return a number that may be a tensor in the parameter's type."""
    return number.to(p.dtype) if isinstance(number, Tensor) else number


def buffer(state: dict[str, Tensor], name: str, like: Tensor, value: float = 0.0) -> Tensor:
    """Return the named state of a parameter, made with `value` when first asked for."""
    if name not in state:
        state[name] = full(like.shape, value, like.dtype)
    return state[name]


def count_step(state: dict[str, Tensor]) -> Tensor:
    """Add 1 to the parameter's step count, and return it (float64, no axes)."""
    if "step" not in state:
        state["step"] = full((), 0.0, float64)
    return state["step"].add_(1.0)
