"""What schedules share: the epoch, the initial rates, and saving both.

Epoch and rates are tensors, and a step is made of Tensor operations, so that a schedule may step
inside a function that `jit` records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinygrad_rnn.context import no_grad, quiet, settings, state
from tinygrad_rnn.creation import full
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, StateDictError, UnsupportedError
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.optim.optimizer import Optimizer
from tinygrad_rnn.tensor import Tensor


class LRScheduler:
    """Sets the learning rates of an optimizer at each `step()`. Subclasses define `next_rate`.

    As in PyTorch, most schedules change the rate that they find by a factor, so that several of
    them on one optimizer multiply, and a rate that was set by hand stays set.

    Args:
        optimizer: its groups' "lr" is set. Each keeps its first rate as "initial_lr".
        last_epoch: the epoch that a run was left at, to go on with it; -1 begins anew.

    Raises:
        ArgumentError: for anything but an optimizer, or a setting out of range.
    """

    # Grows with every attribute that is set.
    version = 0

    # Settings that are saved with the epoch.
    _settings: tuple[str, ...] = ()

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = require_optimizer(optimizer)
        epoch = integer(last_epoch, "last_epoch", -1)
        for group in optimizer.param_groups:
            if epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ArgumentError(
                    'a group has no "initial_lr" to go on from; load the state dict of the '
                    "optimizer first, or leave last_epoch out and load that of the schedule"
                )
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self._epoch = full((), float(epoch), float64)
        self._last = [full((), group["lr"], float64) for group in optimizer.param_groups]
        self._begin()

    # ------------------------------------------------------------------ what subclasses define

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return the rate of group i at this epoch, 1 or later, from that of the epoch before."""
        raise UnsupportedError(f"{type(self).__name__} defines neither next_rate() nor get_lr()")

    def get_lr(self) -> list[Any]:
        """Return the rates of the groups at this epoch: PyTorch's way to define a schedule.

        A subclass may define it in place of `next_rate`, and read `last_epoch` and `base_lrs`.
        """
        return [self.next_rate(i, rate, self._epoch) for i, rate in self._rates()]

    def first_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return the rate of group i that the schedule begins with; `rate` is the one it finds."""
        return rate

    def restarted_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return the rate of group i at epoch 0 where SequentialLR goes on to this schedule."""
        return self.first_rate(i, full((), self.base_lrs[i], float64), epoch)

    # ------------------------------------------------------------------ stepping

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

    def step(self, epoch: None = None) -> None:
        """Go on to the next epoch."""
        if epoch is not None:
            raise UnsupportedError(
                f"{type(self).__name__}.step takes no epoch; call step() once an epoch, or set "
                "last_epoch before it"
            )
        self._listen()
        with no_grad(), quiet():
            self._epoch.add_(1.0)
            self._set(self.get_lr())

    def _begin(self) -> None:
        with no_grad(), quiet():
            self._epoch.add_(1.0)
            if type(self).get_lr is not LRScheduler.get_lr:
                self._set(self.get_lr())
            else:
                self._set([self.first_rate(i, r, self._epoch) for i, r in self._rates()])

    def _restart(self) -> None:
        """Begin again at epoch 0, where SequentialLR goes on to this schedule."""
        self._epoch.assign(0.0)
        with no_grad(), quiet():
            self._set([self.restarted_rate(i, r, self._epoch) for i, r in self._rates()])

    def _step_where(self, active: Tensor, restarts: Tensor) -> None:
        """In a recording: step only where `active`, and begin at epoch 0 where it `restarts`."""
        self._listen()
        epoch = where(active, where(restarts, 0.0, self._epoch + 1.0), self._epoch)
        self._epoch.assign(epoch)
        # Where the result is not used, any epoch that every schedule has.
        later = where(active & ~restarts, epoch, 1.0)
        rates = []
        for i, rate in self._rates():
            fresh = as_rate(self.restarted_rate(i, rate, full((), 0.0, float64)))
            following = as_rate(self.next_rate(i, rate, later))
            rates.append(where(active, where(restarts, fresh, following), rate))
        self._set(rates)

    def _withdraw(self) -> None:
        """Take back the first step, which another schedule has in its stead."""
        self._epoch.sub_(1.0)

    def _listen(self) -> None:
        if state.recorder is not None:
            state.recorder.uses_settings(self)

    def _rates(self) -> list[tuple[int, Tensor]]:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.base_lrs):
            raise ArgumentError(
                f"the schedule was made for {len(self.base_lrs)} parameter groups, the optimizer "
                f"has {len(groups)}; add groups before making the schedule, or set base_lrs"
            )
        return [(i, group.rate) for i, group in enumerate(groups)]

    def _set(self, rates: list[Any]) -> None:
        groups = self.optimizer.param_groups
        # Whoever adds a group may give base_lrs one more.
        self._last.extend(full((), 0.0, float64) for _ in groups[len(self._last) :])
        for group, rate, last in zip(groups, rates, self._last, strict=True):
            group["lr"] = rate
            last.assign(group.rate)

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group that the last step left."""
        return [last.item() for last in self._last]

    # ------------------------------------------------------------------ saving

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch, the rates and the settings, as PyTorch names them."""
        return {
            **{name: getattr(self, name) for name in self._settings},
            "last_epoch": self.last_epoch,
            "base_lrs": list(self.base_lrs),
            "_last_lr": self.get_last_lr(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict`, or PyTorch's, returned.

        The present rates are the optimizer's own state, and stay: load its state dict too.
        """
        if not isinstance(state_dict, Mapping) or not {"base_lrs", "last_epoch"} <= set(state_dict):
            raise StateDictError('a schedule\'s state dict has "last_epoch" and "base_lrs"')
        if len(state_dict["base_lrs"]) != len(self.optimizer.param_groups):
            raise ArgumentError(
                f"the schedule was saved for {len(state_dict['base_lrs'])} parameter groups, the "
                f"optimizer has {len(self.optimizer.param_groups)}"
            )
        for name in self._settings:
            if name in state_dict:
                setattr(self, name, state_dict[name])
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = [float(rate) for rate in state_dict["base_lrs"]]
        rates = state_dict.get("_last_lr", [group["lr"] for group in self.optimizer.param_groups])
        for last, rate in zip(self._last, rates, strict=True):
            last.assign(float(rate))


def require_optimizer(optimizer: Any) -> Optimizer:
    """Return the argument if it is an optimizer. Raises ArgumentError."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"a schedule takes an optimizer, not {type(optimizer).__name__}")
    if any("lr" not in group for group in optimizer.param_groups):
        raise ArgumentError(f"{type(optimizer).__name__} has no learning rate to schedule")
    return optimizer


def integer(value: Any, name: str, least: int) -> int:
    """Return an integer of at least `least`. Raises ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(f"{name} is an integer of {least} or more, not {value!r}")
    return value


def real(value: Any, name: str) -> float:
    """Return a finite number. Raises ArgumentError."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not known or not abs(value) < float("inf"):
        raise ArgumentError(f"{name} is a finite number, not {value!r}")
    return float(value)


def each_group(value: Any, name: str, optimizer: Optimizer) -> list[Any]:
    """Return a value for each group, of one for all or a list. Raises ArgumentError."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ArgumentError(
            f"{name} has {len(value)} entries, the optimizer {groups} parameter groups"
        )
    return list(value)


def as_rate(value: Any) -> Tensor:
    """Return a rate as a float64 tensor without axes."""
    return value.to(float64) if isinstance(value, Tensor) else full((), float(value), float64)
