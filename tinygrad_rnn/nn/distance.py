"""Distances and similarities of vectors as modules; the mathematics is in `functional`."""

from __future__ import annotations

from tinygrad_rnn.nn import functional
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor


class CosineSimilarity(Module):
    """x1·x2 / (‖x1‖ ‖x2‖) along an axis; see `functional.cosine_similarity`."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Compare two tensors of vectors."""
        return functional.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """‖x1 - x2 + eps‖ along the last axis; see `functional.pairwise_distance`."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.p = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Compare two tensors of vectors."""
        return functional.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)
