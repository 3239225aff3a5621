"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_rnn.optim.groups import ParameterGroup
from tinygrad_rnn.optim.optimizer import Optimizer, buffer, count_step, in_type_of
from tinygrad_rnn.tensor import Tensor


class RMSprop(Optimizer):
    """v ← alpha·v + (1 - alpha)·g²;  p ← p - lr·g / (√v + eps).

    Tieleman and Hinton, 2012, lecture 6.5. With `centered`, v is replaced by v - m², m the
    running mean of g (Graves, 2013); with momentum, b ← momentum·b + g / (√v + eps) and
    p ← p - lr·b.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults, **implementation)

    def update(
        self, p: Tensor, g: Tensor, state: dict[str, Tensor], group: ParameterGroup
    ) -> None:
        """Apply the equation of the class."""
        # Not needed here, but PyTorch does not go on from a state without it.
        count_step(state)
        alpha = group.number("alpha")
        kept, added = in_type_of(p, alpha), in_type_of(p, 1.0 - alpha)
        v = buffer(state, "square_avg", p)
        v.assign(v * kept + g * g * added)
        spread = v
        if group["centered"]:
            m = buffer(state, "grad_avg", p)
            m.assign(m * kept + g * added)
            spread = v - m * m
        direction = g / (spread.sqrt() + in_type_of(p, group.number("eps")))
        if group["momentum"] > 0:
            b = buffer(state, "momentum_buffer", p)
            direction = b.assign(b * in_type_of(p, group.number("momentum")) + direction)
        p.assign(p - direction * group.rate.to(p.dtype))
