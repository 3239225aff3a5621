"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.optim.groups import ParameterGroup
from tinygrad_rnn.optim.optimizer import Optimizer, buffer, count_step, in_type_of
from tinygrad_rnn.tensor import Tensor


class Adam(Optimizer):
    """m ← β₁m + (1 - β₁)g;  v ← β₂v + (1 - β₂)g²;  p ← p - lr·m̂ / (√v̂ + eps).

    m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) undo the bias of starting at 0 (Kingma and Ba, 2015).
    With `amsgrad`, v is replaced by its largest value so far (Reddi et al., 2018). With
    `decoupled_weight_decay`, decay is no part of g: p ← p·(1 - lr·weight_decay) comes first.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **implementation: Any,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults, **implementation)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ArgumentError for a setting out of range."""
        super().check(group)
        betas = group["betas"]
        pair = isinstance(betas, (tuple, list)) and len(betas) == 2
        if not pair or not all(0.0 <= beta < 1.0 for beta in betas):
            raise ArgumentError(f"betas are two numbers in [0, 1), not {betas!r}")

    def update(
        self, p: Tensor, g: Tensor, state: dict[str, Tensor], group: ParameterGroup
    ) -> None:
        """Apply the equation of the class."""
        beta1, beta2 = group.number("betas")
        t = count_step(state)
        m = buffer(state, "exp_avg", p)
        v = buffer(state, "exp_avg_sq", p)
        m.assign(m + (g - m) * in_type_of(p, 1.0 - beta1))
        v.assign(v * in_type_of(p, beta2) + g * g * in_type_of(p, 1.0 - beta2))
        if group["amsgrad"]:
            largest = buffer(state, "max_exp_avg_sq", p)
            v = largest.assign(largest.maximum(v))
        # The corrections are numbers, computed in float64 whatever the parameter's type.
        rate = (group.rate / (1.0 - beta1**t)).to(p.dtype)
        correction = (1.0 - beta2**t).sqrt().to(p.dtype)
        decayed = p
        if group["decoupled_weight_decay"]:
            decayed = p * (1.0 - group.rate * group.number("weight_decay")).to(p.dtype)
        p.assign(decayed - m / (v.sqrt() / correction + in_type_of(p, group.number("eps"))) * rate)


class AdamW(Adam):
    """Adam whose weight decay is no part of the gradient: p ← p·(1 - lr·weight_decay) first.

    Loshchilov and Hutter, 2019, "Decoupled weight decay regularization".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **implementation: Any,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
            **implementation,
        )

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ArgumentError for a setting out of range."""
        super().check(group)
        if not group["decoupled_weight_decay"]:
            raise ArgumentError("the weight decay of AdamW is decoupled; use Adam for the other")
