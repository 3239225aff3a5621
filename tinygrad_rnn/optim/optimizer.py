"""What optimizers share: parameter groups, state, and saving both in PyTorch's form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tinygrad_rnn.context import enable_grad, no_grad, quiet, state
from tinygrad_rnn.creation import full
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, StateDictError
from tinygrad_rnn.optim.groups import ParameterGroup
from tinygrad_rnn.tensor import Tensor

_NOT_NEGATIVE = {
    "alpha",
    "eps",
    "initial_accumulator_value",
    "lr",
    "lr_decay",
    "momentum",
    "weight_decay",
}


class Optimizer:
    """Changes parameters by their gradients. Subclasses define `update` for one parameter.

    Args:
        params: parameters, or dicts with "params" and settings of their own (parameter groups).
        defaults: settings for groups that do not say otherwise.

    Raises:
        ArgumentError: for no parameters, a parameter given twice, or a setting out of range.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if not isinstance(params, Iterable):
            raise ArgumentError(f"the optimizer takes model.parameters(), not {params!r}")
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self.param_groups: list[ParameterGroup] = []
        given = list([params] if isinstance(params, Tensor) else params)
        if not given:
            raise ArgumentError("the optimizer got no parameters; pass model.parameters()")
        grouped = [isinstance(part, dict) for part in given]
        if any(grouped) and not all(grouped):
            raise ArgumentError("the optimizer takes parameters or groups of them, not both mixed")
        groups = given if all(grouped) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own."""
        if "params" not in group:
            raise ArgumentError(f'a parameter group has a list "params", not only {sorted(group)}')
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        for p in params:
            if not isinstance(p, Tensor):
                raise ArgumentError(f"an optimizer changes tensors, not {type(p).__name__}")
            if not p.is_floating_point():
                raise ArgumentError(f"an optimizer changes floating tensors, not {p.dtype}")
            if not p.is_leaf:
                raise ArgumentError("an optimizer changes leaves; a computed tensor was given")
        known = {id(p) for other in self.param_groups for p in other["params"]}
        if len({id(p) for p in params}) != len(params) or any(id(p) in known for p in params):
            raise ArgumentError("a parameter was given to the optimizer twice")
        unknown = sorted(set(group) - set(self.defaults) - {"params"})
        if unknown:
            raise ArgumentError(
                f"{type(self).__name__} has no setting {', '.join(unknown)}; it has "
                f"{', '.join(self.defaults)}"
            )
        complete = {**self.defaults, **group, "params": params}
        self.check(complete)
        for other in self.param_groups:
            other.changes()
        self.param_groups.append(ParameterGroup(complete))

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ArgumentError for a setting out of range."""
        for name, value in group.items():
            if name not in _NOT_NEGATIVE:
                continue
            if not isinstance(value, (int, float)) or not value >= 0.0:
                raise ArgumentError(f"{name} is a number of 0 or more, not {value!r}")

    def update(
        self, p: Tensor, g: Tensor, state: dict[str, Tensor], group: ParameterGroup
    ) -> None:
        """Change parameter `p` by its gradient `g`, in Tensor operations and `assign`.

        The learning rate is `group.rate.to(p.dtype)`; `group["lr"]`, a float, cannot be recorded.
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
            for group in self.param_groups:
                if state.recorder is not None:
                    state.recorder.uses_settings(group)
                maximize, decay = group.get("maximize"), group.get("weight_decay")
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    g = -p.grad if maximize else p.grad
                    if decay:
                        g = g + p.detach() * decay
                    self.update(p, g, self.state.setdefault(p, {}), group)
        return loss

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    # ------------------------------------------------------------------ saving

    def state_dict(self) -> dict[str, Any]:
        """Return state and settings, parameters replaced by their numbers 0, 1, ..."""
        number = {id(p): i for i, p in enumerate(self._parameters())}
        groups = [
            {**group, "params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {
            number[id(p)]: {name: t.detach() for name, t in held.items()}
            for p, held in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and settings that `state_dict` returned.

        Raises:
            StateDictError: if the groups or the shapes of the state do not fit the parameters.
        """
        if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
            raise StateDictError('an optimizer\'s state dict has "state" and "param_groups"')
        groups = state_dict["param_groups"]
        have = [len(group["params"]) for group in self.param_groups]
        given = [len(group["params"]) for group in groups]
        if have != given:
            raise StateDictError(f"the groups hold {have} parameters, the given ones {given}")
        params = self._parameters()
        state: dict[Tensor, dict[str, Tensor]] = {}
        for i, held in state_dict["state"].items():
            if not 0 <= int(i) < len(params):
                raise StateDictError(f"there is state for parameter {i} of {len(params)}")
            p = params[int(i)]
            state[p] = {}
            for name, value in held.items():
                if value is None:
                    continue
                t = value.detach() if isinstance(value, Tensor) else Tensor(value)
                counts = name == "step"
                if not counts and t.shape != p.shape:
                    raise StateDictError(
                        f"{name} of parameter {i} has shape {t.shape}, the parameter {p.shape}"
                    )
                state[p][name] = t.to(float64 if counts else p.dtype).clone()
        complete = [
            {**group, **{name: value for name, value in new.items() if name in self.defaults}}
            for group, new in zip(self.param_groups, groups, strict=True)
        ]
        for group in complete:
            self.check(group)
        self.state = state
        for group, new in zip(self.param_groups, complete, strict=True):
            group.update({name: value for name, value in new.items() if name != "params"})

    def _parameters(self) -> Sequence[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        lines = [
            ", ".join(f"{name}={value}" for name, value in group.items() if name != "params")
            + f", {len(group['params'])} parameters"
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(lines)})"


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
