"""Schedules along a cosine, or along one cycle up and down."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tinygrad_rnn import ops
from tinygrad_rnn.context import caller, no_grad, quiet, state
from tinygrad_rnn.creation import full
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, RecordingError
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.optim.lr_scheduler.base import (
    LRScheduler,
    each_group,
    integer,
    real,
    require_optimizer,
)
from tinygrad_rnn.optim.optimizer import Optimizer
from tinygrad_rnn.tensor import Tensor, apply


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial lr - eta_min)·(1 + cos(π·epoch / T_max)) / 2.

    Loshchilov and Hutter, 2017, "SGDR", without its restarts: after T_max the rate rises again.
    """

    _settings = ("T_max", "eta_min")

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = integer(T_max, "T_max", 1)
        self.eta_min = real(eta_min, "eta_min")
        super().__init__(optimizer, last_epoch)

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return eta_min + (lr - eta_min)·(the height of this epoch) / (that of the one before)."""
        height = (epoch * (math.pi / self.T_max)).cos() + 1.0
        # One epoch after the bottom, where the height before is 0.
        rises = (epoch - (1.0 + self.T_max)) % (2.0 * self.T_max) == 0.0
        before = ((epoch - 1.0) * (math.pi / self.T_max)).cos() + 1.0
        first = (self.base_lrs[i] - self.eta_min) * (1.0 - math.cos(math.pi / self.T_max)) / 2.0
        following = height / where(rises, 1.0, before) * (rate - self.eta_min) + self.eta_min
        return where(rises, rate + first, following)


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (initial lr - eta_min)·(1 + cos(π·T_cur / T_i)) / 2.

    T_cur counts the epochs since the last restart, and T_i those between two: T_0, then T_mult
    times as many each time (Loshchilov and Hutter, 2017, "SGDR").
    """

    _settings = ("T_0", "T_mult", "eta_min")

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_0 = integer(T_0, "T_0", 1)
        self.T_mult = integer(T_mult, "T_mult", 1)
        self.eta_min = real(eta_min, "eta_min")
        self._since = full((), float(integer(last_epoch, "last_epoch", -1)), float64)
        self._period = full((), float(T_0), float64)
        super().__init__(optimizer, last_epoch)

    @property
    def T_cur(self) -> float:  # noqa: N802 - PyTorch's name
        """Epochs since the last restart."""
        return float(self._since.item())

    @property
    def T_i(self) -> float:  # noqa: N802 - PyTorch's name
        """Epochs from the last restart to the next."""
        return float(self._period.item())

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to a given one, which may be a fraction."""
        if epoch is None:
            super().step()
            return
        if state.recorder is not None:
            raise RecordingError(
                f"step(epoch) at {caller()} sets an epoch by its number while a step is being "
                "recorded, which a replay would repeat for ever; call it outside, or step()"
            )
        given = real(epoch, "epoch")
        if given < 0.0:
            raise ArgumentError(f"epoch is a number of 0 or more, not {epoch!r}")
        begun, period = 0.0, float(self.T_0)
        if self.T_mult == 1:
            begun = given - given % period
        else:
            while given >= begun + period:
                begun, period = begun + period, period * self.T_mult
        self._since.assign(given - begun)
        self._period.assign(period)
        self.last_epoch = math.floor(given)
        with no_grad(), quiet():
            self._set([self._rate(i) for i, _ in self._rates()])

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return the rate after one more epoch, which is counted with the first group."""
        if i == 0:
            since = self._since + 1.0
            restarts = since >= self._period
            self._since.assign(where(restarts, since % self._period, since))
            self._period.assign(where(restarts, self._period * self.T_mult, self._period))
        return self._rate(i)

    first_rate = next_rate

    def _rate(self, i: int) -> Tensor:
        height = ((self._since * math.pi) / self._period).cos() + 1.0
        return height * (self.base_lrs[i] - self.eta_min) / 2.0 + self.eta_min

    def _step_where(self, active: Tensor, restarts: Tensor) -> None:
        since, period = self._since.clone(), self._period.clone()
        super()._step_where(active, restarts)
        self._since.assign(where(active, where(restarts, 0.0, self._since), since))
        self._period.assign(where(active & ~restarts, self._period, period))

    def _restart(self) -> None:
        super()._restart()
        self._since.assign(0.0)

    def _withdraw(self) -> None:
        super()._withdraw()
        self._since.sub_(1.0)

    def restarted_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return the initial rate."""
        return self.base_lrs[i]

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch, where it stands between restarts, the rates and the settings."""
        return {**super().state_dict(), "T_cur": self.T_cur, "T_i": self.T_i}

    def load_state_dict(self, state_dict: Any) -> None:
        """Take over what `state_dict`, or PyTorch's, returned."""
        super().load_state_dict(state_dict)
        self._since.assign(float(state_dict.get("T_cur", self.T_cur)))
        self._period.assign(float(state_dict.get("T_i", self.T_i)))


class _Phase(NamedTuple):
    """A part of a cycle: its last step, and between which settings of a group it leads."""

    end_step: float
    start_lr: str
    end_lr: str
    start_momentum: str
    end_momentum: str


class OneCycleLR(LRScheduler):
    """One cycle: from max_lr / div_factor up to max_lr, and down to almost nothing.

    The way up takes the share `pct_start` of `total_steps`; the way down ends at the initial rate
    divided by `final_div_factor`. With `three_phase` it goes down to the initial rate as fast as it
    came up, and the rest of the steps from there (Smith and Topin, 2018, "Super-convergence").

    With `cycle_momentum` the momentum (or the first beta) moves the other way, between
    `max_momentum` and `base_momentum`. That is done in Python, and so has to be
    `cycle_momentum=False` where `jit` compiles step() itself.
    """

    _settings = ("total_steps", "cycle_momentum", "_anneal_func_type")

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ArgumentError(
                    "OneCycleLR needs total_steps, or both epochs and steps_per_epoch"
                )
            total_steps = integer(epochs, "epochs", 1) * integer(
                steps_per_epoch, "steps_per_epoch", 1
            )
        self.total_steps = integer(total_steps, "total_steps", 1)
        share = real(pct_start, "pct_start")
        if not 0.0 <= share <= 1.0:
            raise ArgumentError(f"pct_start lies between 0 and 1, not {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"anneal_strategy is 'cos' or 'linear', not {anneal_strategy!r}")
        self._anneal_func_type = anneal_strategy
        up = share * self.total_steps - 1.0
        if up == 0.0:
            raise ArgumentError(
                f"pct_start {pct_start} of {self.total_steps} steps leaves one step for the way "
                "up, which has no beginning and end; give another share"
            )
        last = self.total_steps - 1.0
        self._phases = [_Phase(up, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        if three_phase:
            down = 2.0 * share * self.total_steps - 2.0
            self._phases += [
                _Phase(down, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                _Phase(last, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            self._phases += [_Phase(last, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        self.cycle_momentum = bool(cycle_momentum)
        groups = require_optimizer(optimizer).param_groups
        rates = each_group(max_lr, "max_lr", optimizer)
        if last_epoch == -1:
            for group, rate in zip(groups, rates, strict=True):
                group["initial_lr"] = real(rate, "max_lr") / real(div_factor, "div_factor")
                group["max_lr"] = real(rate, "max_lr")
                group["min_lr"] = group["initial_lr"] / real(final_div_factor, "final_div_factor")
        if self.cycle_momentum:
            if not {"momentum", "betas"} & optimizer.defaults.keys():
                raise ArgumentError(
                    f"{type(optimizer).__name__} has neither momentum nor betas to cycle; give "
                    "cycle_momentum=False"
                )
            highest = each_group(max_momentum, "max_momentum", optimizer)
            lowest = each_group(base_momentum, "base_momentum", optimizer)
            if last_epoch == -1:
                for group, high, low in zip(groups, highest, lowest, strict=True):
                    group["max_momentum"] = real(high, "max_momentum")
                    group["base_momentum"] = real(low, "base_momentum")
        super().__init__(optimizer, last_epoch)

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return the rate of this step, and set its momentum."""
        group = self.optimizer.param_groups[i]
        if state.recorder is not None:
            if self.cycle_momentum:
                raise RecordingError(
                    f"step() at {caller()} of a OneCycleLR with cycle_momentum sets the momentum, "
                    "which is a plain number, while a step is being recorded; give "
                    "cycle_momentum=False, or step outside"
                )
            state.recorder.uses_settings(group)
        require_at_most(epoch, self.total_steps)
        if self.cycle_momentum:
            ends = [(group[p.start_momentum], group[p.end_momentum]) for p in self._phases]
            momentum = self._value(ends, epoch).item()
            if "betas" in self.optimizer.defaults:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum
        ends = [(group[p.start_lr], group[p.end_lr]) for p in self._phases]
        return self._value(ends, epoch)

    first_rate = next_rate

    def restarted_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return the rate of step 0."""
        return self.next_rate(i, rate, full((), 0.0, float64))

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch, the rates, the settings and the parts of the cycle."""
        phases = [phase._asdict() for phase in self._phases]
        return {**super().state_dict(), "_schedule_phases": phases}

    def load_state_dict(self, state_dict: Any) -> None:
        """Take over what `state_dict`, or PyTorch's, returned."""
        super().load_state_dict(state_dict)
        if "_schedule_phases" in state_dict:
            self._phases = [_Phase(**phase) for phase in state_dict["_schedule_phases"]]

    def _value(self, ends: list[tuple[float, float]], epoch: Tensor) -> Tensor:
        anneal = _along_cosine if self._anneal_func_type == "cos" else _along_line
        begin = 0.0
        values = []
        for phase, (low, high) in zip(self._phases, ends, strict=True):
            share = (epoch - begin) / (phase.end_step - begin or 1.0)
            values.append(anneal(low, high, share))
            begin = phase.end_step
        value = values.pop()
        for phase, earlier in zip(reversed(self._phases[:-1]), reversed(values), strict=True):
            value = where(epoch <= phase.end_step, earlier, value)
        return value


def require_at_most(epoch: Tensor, steps: int) -> None:
    """Raise ArgumentError for a step that the cycle does not have, in a replay too."""
    apply(
        ops.require_true,
        epoch <= steps,
        epoch,
        message=f"step {{greatest:g}} of a OneCycleLR of {steps} steps; give more total_steps",
    )


def _along_cosine(begin: float, end: float, share: Tensor) -> Tensor:
    return ((share * math.pi).cos() + 1.0) * ((begin - end) / 2.0) + end


def _along_line(begin: float, end: float, share: Tensor) -> Tensor:
    return share * (end - begin) + begin

