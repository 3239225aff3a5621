"""Learning-rate schedules: call `step()` after each epoch (or whatever the schedule counts)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_rnn.context import settings, state
from tinygrad_rnn.creation import zeros
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, StateDictError
from tinygrad_rnn.optim.optimizer import Optimizer
from tinygrad_rnn.tensor import Tensor


class LambdaLR:
    """lr = initial lr · factor(epoch), epoch = 0, 1, 2, ...

    Args:
        optimizer: its groups' "lr" is set.
        lr_lambda: the function of the epoch, an integer. While `jit` records a step, the epoch is
            a float64 tensor without axes, and the factor may be one.
    """

    # Grows with every attribute that is set.
    version = 0

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[Any], Any]) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ArgumentError(f"a schedule takes an optimizer, not {type(optimizer).__name__}")
        if not callable(lr_lambda):
            raise ArgumentError(f"lr_lambda is a function of the epoch, not {lr_lambda!r}")
        self.optimizer = optimizer
        self.lr_lambda = lr_lambda
        self._epoch = zeros((), dtype=float64)
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self._apply()

    @property
    def last_epoch(self) -> int:
        """The epoch whose learning rates are set."""
        return int(self._epoch.item())

    @last_epoch.setter
    def last_epoch(self, epoch: int) -> None:
        self._epoch.assign(float(epoch))

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, "version", self.version + 1)
        object.__setattr__(self, name, value)
        settings.version += 1

    def step(self) -> None:
        """Go on to the next epoch."""
        if state.recorder is not None:
            state.recorder.uses_settings(self)
        self._epoch.add_(1.0)
        self._apply()

    def get_last_lr(self) -> list[float]:
        """Return the present learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch and the initial learning rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over an epoch and initial learning rates, and set the rates that follow."""
        if not {"base_lrs", "last_epoch"} <= state_dict.keys():
            raise StateDictError('a schedule\'s state dict has "last_epoch" and "base_lrs"')
        if len(state_dict["base_lrs"]) != len(self.optimizer.param_groups):
            raise ArgumentError(
                f"the schedule was saved for {len(state_dict['base_lrs'])} parameter groups, the "
                f"optimizer has {len(self.optimizer.param_groups)}"
            )
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = list(state_dict["base_lrs"])
        self._apply()

    def _apply(self) -> None:
        factor = self.lr_lambda(self.last_epoch if state.recorder is None else self._epoch)
        if isinstance(factor, Tensor):
            factor = factor.to(float64)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * factor


class ExponentialLR(LambdaLR):
    """lr = initial lr · gamma^epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        if not gamma > 0:
            raise ArgumentError(f"gamma is above 0, not {gamma}")
        self.gamma = gamma
        super().__init__(optimizer, lambda epoch: gamma**epoch)
