"""Distances and similarities of vectors."""

from __future__ import annotations

from tinygrad_rnn.nn.functional.checks import floating, one_type
from tinygrad_rnn.tensor import Tensor


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x1·x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along an axis; shapes are broadcast."""
    one_type("cosine_similarity", x1, x2)
    lengths = [x.norm(2, dim, keepdim=True).clamp(min=eps) for x in (x1, x2)]
    return ((x1 / lengths[0]) * (x2 / lengths[1])).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return ‖x1 - x2 + eps‖ of order p along the last axis; shapes are broadcast."""
    one_type("pairwise_distance", x1, x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim)


def normalize(x: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Return x / max(‖x‖, eps), the norm of order p along an axis."""
    floating("normalize", x)
    return x / x.norm(p, dim, keepdim=True).clamp(min=eps)
