"""Embedding: a table of vectors, looked up by index."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.context import no_grad
from tinygrad_rnn.creation import empty
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.tensor import Tensor


class Embedding(Module):
    """y = weight[index]: a learned vector for each of V symbols.

    Args:
        num_embeddings: V.
        embedding_dim: D.
        padding_idx: an index whose vector is 0 and is not trained.
        dtype: float32 (default) or float64.

    Parameters: weight (V, D), N(0, 1).
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = positive(num_embeddings, "num_embeddings")
        self.embedding_dim = positive(embedding_dim, "embedding_dim")
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ArgumentError(f"padding_idx {padding_idx} is none of {num_embeddings} rows")
        self.padding_idx = padding_idx
        self.weight = Parameter(empty(num_embeddings, embedding_dim, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].zero_()

    def forward(self, index: Tensor) -> Tensor:
        """Map integers (...) to vectors (..., D)."""
        return functional.embedding(index, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Return the sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
