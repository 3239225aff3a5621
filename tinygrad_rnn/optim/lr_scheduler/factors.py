"""Schedules that multiply the learning rate by a factor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tinygrad_rnn.context import caller, state
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
from tinygrad_rnn.tensor import Tensor


class LambdaLR(LRScheduler):
    """lr = initial lr · factor(epoch), epoch = 0, 1, 2, ...

    Args:
        optimizer: its groups' "lr" is set.
        lr_lambda: the function of the epoch, an integer; or a list with one for each group. While
            `jit` records a step, the epoch is a float64 tensor without axes, and the factor may be
            one; a function that reads a number from it has to be stepped outside the recording.
        last_epoch: the epoch that a run was left at; -1 begins anew.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[Any], Any] | list[Callable[[Any], Any]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = each_group(lr_lambda, "lr_lambda", require_optimizer(optimizer))
        for function in self.lr_lambdas:
            if not callable(function):
                raise ArgumentError(f"lr_lambda is a function of the epoch, not {function!r}")
        super().__init__(optimizer, last_epoch)

    def _factor(self, i: int, epoch: Tensor) -> Any:
        function = self.lr_lambdas[i]
        if state.recorder is None:
            factor = function(int(epoch.item()))
        else:
            try:
                factor = function(epoch)
            except (TypeError, AttributeError) as error:
                raise RecordingError(
                    f"the step() of {type(self).__name__} at {caller()} calls a function that does "
                    f"not take the epoch as a tensor, as it is while a step is being recorded: "
                    f"{error}. Step outside, or compute the factor in tensor operations"
                ) from error
        return factor.double() if isinstance(factor, Tensor) else factor

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return initial lr · factor(epoch)."""
        return self.base_lrs[i] * self._factor(i, epoch)

    first_rate = next_rate
    restarted_rate = next_rate


class MultiplicativeLR(LambdaLR):
    """lr ← lr · factor(epoch), epoch = 1, 2, ...; the arguments are those of LambdaLR."""

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr · factor(epoch)."""
        return rate * self._factor(i, epoch)

    restarted_rate = next_rate

    def first_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return the rate as it is."""
        return rate


class StepLR(LRScheduler):
    """lr ← lr · gamma every `step_size` epochs: lr = initial lr · gamma^⌊epoch / step_size⌋."""

    _settings = ("step_size", "gamma")

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = integer(step_size, "step_size", 1)
        self.gamma = real(gamma, "gamma")
        super().__init__(optimizer, last_epoch)

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr · gamma at multiples of `step_size`."""
        return where((epoch % self.step_size == 0.0) & (epoch > 0.0), rate * self.gamma, rate)

    first_rate = next_rate


class MultiStepLR(LRScheduler):
    """lr ← lr · gamma at each epoch in `milestones`; twice at one that stands there twice."""

    _settings = ("gamma",)

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = epochs(milestones, "milestones")
        self.gamma = real(gamma, "gamma")
        super().__init__(optimizer, last_epoch)

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr · gamma at a milestone."""
        for milestone in self.milestones:
            rate = where(epoch == float(milestone), rate * self.gamma, rate)
        return rate

    first_rate = next_rate

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch, the rates and the settings; milestones with how often each counts."""
        counts = {m: self.milestones.count(m) for m in self.milestones}
        return {**super().state_dict(), "milestones": counts}

    def load_state_dict(self, state_dict: Any) -> None:
        """Take over what `state_dict`, or PyTorch's, returned."""
        super().load_state_dict(state_dict)
        if "milestones" in state_dict:
            counts = dict(state_dict["milestones"])
            self.milestones = sorted(int(m) for m, n in counts.items() for _ in range(n))


class ConstantLR(LRScheduler):
    """lr = initial lr · factor before epoch `total_iters`, and initial lr from then on."""

    _settings = ("factor", "total_iters")

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.factor = fraction(factor, "factor")
        self.total_iters = integer(total_iters, "total_iters", 0)
        super().__init__(optimizer, last_epoch)

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr / factor at epoch `total_iters`."""
        return where(epoch == float(self.total_iters), rate * (1.0 / self.factor), rate)

    def first_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr · factor at epoch 0."""
        return where(epoch == 0.0, rate * self.factor, self.next_rate(i, rate, epoch))

    def restarted_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return initial lr · factor, or the initial lr where it has no epochs."""
        return self.base_lrs[i] * (self.factor if self.total_iters > 0 else 1.0)


class LinearLR(LRScheduler):
    """lr = initial lr · (start + (end - start)·min(epoch / total_iters, 1)): a warm-up."""

    _settings = ("start_factor", "end_factor", "total_iters")

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = fraction(start_factor, "start_factor")
        self.end_factor = fraction(end_factor, "end_factor", zero=True)
        self.total_iters = integer(total_iters, "total_iters", 1)
        super().__init__(optimizer, last_epoch)

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr · (the factor of this epoch) / (the factor of the one before)."""
        rise = self.end_factor - self.start_factor
        over = epoch > self.total_iters
        # Where it is over, any number without a division by 0.
        t = where(over, 1.0, epoch)
        before = (t - 1.0) * rise + self.total_iters * self.start_factor
        # Rounding must not lead below 0, where no optimizer can be loaded.
        return where(over, rate, rate * (rise / before + 1.0).clamp(min=0.0))

    def first_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr · start_factor at epoch 0."""
        return where(epoch == 0.0, rate * self.start_factor, rate)


class ExponentialLR(LRScheduler):
    """lr ← lr · gamma: lr = initial lr · gamma^epoch."""

    _settings = ("gamma",)

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = real(gamma, "gamma")
        if not self.gamma > 0:
            raise ArgumentError(f"gamma is above 0, not {gamma}")
        super().__init__(optimizer, last_epoch)

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr · gamma."""
        return rate * self.gamma


class PolynomialLR(LRScheduler):
    """lr = initial lr · (1 - min(epoch, total_iters) / total_iters)^power."""

    _settings = ("total_iters", "power")

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = integer(total_iters, "total_iters", 1)
        self.power = real(power, "power")
        super().__init__(optimizer, last_epoch)

    def next_rate(self, i: int, rate: Tensor, epoch: Tensor) -> Any:
        """Return lr · (what is left of the way at this epoch, of what was left before)^power."""
        over = epoch > self.total_iters
        # Where it is over, any numbers without a division by 0.
        t = where(over, 1.0, epoch)
        left = (1.0 - t / self.total_iters) / (1.0 - (t - 1.0) / self.total_iters)
        return where(over, rate, rate * left**self.power)


def fraction(value: Any, name: str, zero: bool = False) -> float:
    """Return a number above 0 (or of `zero`) and of 1 at most. Raises ArgumentError."""
    factor = real(value, name)
    if not (0.0 < factor <= 1.0 or (zero and factor == 0.0)):
        least = "0 or more" if zero else "above 0"
        raise ArgumentError(f"{name} is {least}, and 1 at most, not {value!r}")
    return factor


def epochs(values: Any, name: str) -> list[int]:
    """Return a sorted list of epochs. Raises ArgumentError."""
    if not isinstance(values, Iterable):
        raise ArgumentError(f"{name} is a list of epochs, not {values!r}")
    return sorted(integer(value, f"each of {name}", 0) for value in values)
