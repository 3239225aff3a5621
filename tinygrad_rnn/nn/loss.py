"""Losses as modules; the mathematics is in `functional`."""

from __future__ import annotations

from tinygrad_rnn.nn import functional
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor


class CrossEntropyLoss(Module):
    """-log softmax(x)[target], in nats; see `functional.cross_entropy`."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Compare logits (N, C, ...) with class numbers (N, ...)."""
        return functional.cross_entropy(
            x, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(Module):
    """-log p(target), given log-probabilities; see `functional.nll_loss`."""

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.weight = weight
        self.ignore_index = ignore_index
        self.reduction = reduction

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Compare log-probabilities (N, C, ...) with class numbers (N, ...)."""
        return functional.nll_loss(x, target, self.weight, self.ignore_index, self.reduction)


class MSELoss(Module):
    """The mean of (x - target)²."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of one shape."""
        return functional.mse_loss(x, target, self.reduction)
