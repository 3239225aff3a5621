"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_rnn.optim.groups import ParameterGroup
from tinygrad_rnn.optim.optimizer import Optimizer, buffer, count_step, in_type_of
from tinygrad_rnn.tensor import Tensor


class Adagrad(Optimizer):
    """s ← s + g²;  p ← p - lr / (1 + (t - 1)·lr_decay)·g / (√s + eps).

    Duchi, Hazan and Singer, 2011, "Adaptive subgradient methods".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **implementation)

    def update(
        self, p: Tensor, g: Tensor, state: dict[str, Tensor], group: ParameterGroup
    ) -> None:
        """Apply the equation of the class."""
        t = count_step(state)
        rate = (group.rate / ((t - 1.0) * group.number("lr_decay") + 1.0)).to(p.dtype)
        s = buffer(state, "sum", p, group["initial_accumulator_value"])
        s.assign(s + g * g)
        p.assign(p - g / (s.sqrt() + in_type_of(p, group.number("eps"))) * rate)
