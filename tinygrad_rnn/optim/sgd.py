"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.optim.groups import ParameterGroup
from tinygrad_rnn.optim.optimizer import Optimizer, buffer, in_type_of
from tinygrad_rnn.tensor import Tensor


class SGD(Optimizer):
    """p ← p - lr·v, with v ← momentum·v + (1 - dampening)·g, or v = g without momentum.

    With `nesterov`, p ← p - lr·(g + momentum·v) (Sutskever et al., 2013). v starts as g.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **implementation)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ArgumentError for a setting out of range."""
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError("nesterov needs momentum above 0 and dampening 0")

    def update(
        self, p: Tensor, g: Tensor, state: dict[str, Tensor], group: ParameterGroup
    ) -> None:
        """Apply the equation of the class."""
        if group["momentum"] != 0.0:
            momentum = in_type_of(p, group.number("momentum"))
            arriving = g
            if group["dampening"] != 0.0:
                # What was saved without a count was saved after a step.
                begun = "momentum_buffer" in state
                t = buffer(state, "step", group.rate, 1.0 if begun else 0.0)
                arriving = where(t == 0.0, g, g * in_type_of(p, 1.0 - group.number("dampening")))
                t.add_(1.0)
            v = buffer(state, "momentum_buffer", p)
            v.assign(v * momentum + arriving)
            g = g + v * momentum if group["nesterov"] else v
        p.assign(p - g * group.rate.to(p.dtype))
