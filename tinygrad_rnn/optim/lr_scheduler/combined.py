"""Several schedules on one optimizer: one after the other, or all at once."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_rnn.context import no_grad, quiet, state
from tinygrad_rnn.errors import ArgumentError, StateDictError, UnsupportedError
from tinygrad_rnn.optim.lr_scheduler.base import LRScheduler, require_optimizer
from tinygrad_rnn.optim.lr_scheduler.factors import epochs
from tinygrad_rnn.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_rnn.optim.optimizer import Optimizer


class _Combined(LRScheduler):
    """What both share: a list of schedules, saved with this one's own state."""

    _schedulers: list[LRScheduler]

    def _check(self, schedulers: Any, optimizer: Any) -> list[LRScheduler]:
        name = type(self).__name__
        if not isinstance(schedulers, Sequence) or not schedulers:
            raise ArgumentError(f"{name} takes a list of schedules, not {schedulers!r}")
        for schedule in schedulers:
            if not isinstance(schedule, LRScheduler):
                raise ArgumentError(f"{name} takes schedules, not {type(schedule).__name__}")
            if isinstance(schedule, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{name} cannot step a ReduceLROnPlateau, which needs a metric; step it on its "
                    "own"
                )
            if schedule.optimizer is not optimizer:
                raise ArgumentError(f"the schedules of {name} are not all of the same optimizer")
        return list(schedulers)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of this schedule, and of those in it."""
        return {
            **super().state_dict(),
            "_schedulers": [schedule.state_dict() for schedule in self._schedulers],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        parts = state_dict.get("_schedulers", ())
        if len(parts) != len(self._schedulers):
            raise StateDictError(
                f"the state is of {len(parts)} schedules, {type(self).__name__} has "
                f"{len(self._schedulers)}"
            )
        # PyTorch's keeps no initial rates of its own.
        super().load_state_dict({"base_lrs": self.base_lrs, "last_epoch": 0, **state_dict})
        for schedule, part in zip(self._schedulers, parts, strict=True):
            schedule.load_state_dict(part)


class SequentialLR(_Combined):
    """One schedule after the other: the next takes over, at its epoch 0, at each milestone.

    Args:
        optimizer: the one of all schedules.
        schedulers: schedules in order.
        milestones: the epochs at which the second, third, ... takes over.
        last_epoch: has to be -1; load a state dict to go on.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        require_optimizer(optimizer)
        self._schedulers = self._check(schedulers, optimizer)
        for schedule in self._schedulers:
            if isinstance(schedule, _Combined):
                raise UnsupportedError(
                    f"SequentialLR takes no {type(schedule).__name__}; put its schedules into this "
                    "one's list"
                )
        self.milestones = epochs(milestones, "milestones")
        if list(milestones) != self.milestones or len(milestones) != len(self._schedulers) - 1:
            raise ArgumentError(
                f"{len(self._schedulers)} schedules take {len(self._schedulers) - 1} milestones in "
                f"rising order, not {list(milestones)}"
            )
        if last_epoch != -1:
            raise UnsupportedError("SequentialLR begins at epoch -1; load a state dict instead")
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for schedule in self._schedulers:
            schedule._withdraw()
        super().__init__(optimizer)

    def _begin(self) -> None:
        self._epoch.assign(0.0)
        first = self._schedulers[bisect_right(self.milestones, 0)]
        first._begin()
        self._set([group.rate for group in self.optimizer.param_groups])

    def step(self, epoch: None = None) -> None:
        """Go on to the next epoch, by the schedule whose turn it is."""
        if epoch is not None:
            raise UnsupportedError("SequentialLR.step takes no epoch")
        self._listen()
        self._epoch.add_(1.0)
        if state.recorder is None:
            turn = bisect_right(self.milestones, self.last_epoch)
            schedule = self._schedulers[turn]
            if turn > 0 and self.milestones[turn - 1] == self.last_epoch:
                schedule._restart()
            else:
                schedule.step()
        else:
            self._step_all()
        self._set([rate for _, rate in self._rates()])

    def _step_all(self) -> None:
        """Step every schedule where it is its turn, which a recording cannot tell."""
        begins = [-1, *self.milestones]
        ends = [*self.milestones, math.inf]
        for begin, end, schedule in zip(begins, ends, self._schedulers, strict=True):
            active = (self._epoch >= float(begin)) & (self._epoch < float(end))
            with no_grad(), quiet():
                schedule._step_where(active, self._epoch == float(begin))


class ChainedScheduler(_Combined):
    """All schedules at once: their factors multiply.

    Args:
        schedulers: schedules of one optimizer.
        optimizer: that optimizer; may be left out.
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if optimizer is None and isinstance(schedulers, Sequence) and schedulers:
            optimizer = getattr(schedulers[0], "optimizer", None)
        self._schedulers = self._check(schedulers, optimizer)
        super().__init__(self._schedulers[0].optimizer)

    def step(self, epoch: None = None) -> None:
        """Go on to the next epoch in every schedule."""
        if epoch is not None:
            raise UnsupportedError("ChainedScheduler.step takes no epoch")
        self._listen()
        self._epoch.add_(1.0)
        for schedule in self._schedulers:
            schedule.step()
        self._set([rate for _, rate in self._rates()])
