"""A schedule that waits for a metric to get no better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tinygrad_rnn.context import caller, state
from tinygrad_rnn.errors import ArgumentError, RecordingError, StateDictError
from tinygrad_rnn.optim.lr_scheduler.base import (
    LRScheduler,
    each_group,
    integer,
    real,
    require_optimizer,
)
from tinygrad_rnn.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """lr ← max(lr · factor, min_lr) once a metric got no better for more than `patience` steps.

    It decides by a number, so it steps outside what `jit` records; a compiled step sees the new
    rate with its next call.

    Args:
        optimizer: its groups' "lr" is set.
        mode: "min" for a metric that is to fall, "max" for one that is to rise.
        factor: what the rate is multiplied by, below 1.
        patience: how many steps without improvement are borne.
        threshold: how much better counts as better.
        threshold_mode: "rel" for a share of the best metric, "abs" for a difference.
        cooldown: steps after a reduction that are not counted.
        min_lr: a lower limit, for all groups or a list with one for each.
        eps: reductions by less are left out.
    """

    _settings = (
        "factor",
        "min_lrs",
        "patience",
        "cooldown",
        "eps",
        "mode",
        "threshold",
        "threshold_mode",
        "best",
        "cooldown_counter",
        "num_bad_epochs",
    )

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.factor = real(factor, "factor")
        if self.factor >= 1.0:
            raise ArgumentError(f"factor is below 1, not {factor!r}")
        if mode not in ("min", "max"):
            raise ArgumentError(f"mode is 'min' or 'max', not {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentError(f"threshold_mode is 'rel' or 'abs', not {threshold_mode!r}")
        limits = each_group(min_lr, "min_lr", require_optimizer(optimizer))
        self.min_lrs = [real(limit, "min_lr") for limit in limits]
        self.mode = mode
        self.patience = integer(patience, "patience", 0)
        self.threshold = real(threshold, "threshold")
        self.threshold_mode = threshold_mode
        self.cooldown = integer(cooldown, "cooldown", 0)
        self.eps = real(eps, "eps")
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        super().__init__(optimizer)

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction was so short ago that steps are not counted."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: None = None) -> None:  # type: ignore[override]
        """Go on to the next epoch, which ended with this metric: a number or a tensor of one."""
        if state.recorder is not None:
            raise RecordingError(
                f"ReduceLROnPlateau.step at {caller()} decides by a number, so it cannot be "
                "recorded; return the metric, and step outside: the compiled step sees the new "
                "rate with its next call"
            )
        try:
            metric = float(metrics)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"ReduceLROnPlateau.step takes the metric, a number, not {metrics!r}"
            ) from None
        self._epoch.add_(1.0)
        if self._is_better(metric):
            self.best = metric
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        rates = [rate.item() for _, rate in self._rates()]
        if self.num_bad_epochs > self.patience:
            lower = [max(r * self.factor, low) for r, low in zip(rates, self.min_lrs, strict=True)]
            rates = [b if a - b > self.eps else a for a, b in zip(rates, lower, strict=True)]
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._set(rates)

    def _is_better(self, metric: float) -> bool:
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            limit = self.best * (1.0 + sign * self.threshold)
        else:
            limit = self.best + sign * self.threshold
        return metric < limit if self.mode == "min" else metric > limit

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict`, or PyTorch's, returned."""
        if not isinstance(state_dict, Mapping) or "num_bad_epochs" not in state_dict:
            raise StateDictError('the state dict of a ReduceLROnPlateau has "num_bad_epochs"')
        # PyTorch's keeps no initial rates.
        super().load_state_dict({"base_lrs": self.base_lrs, **state_dict})
