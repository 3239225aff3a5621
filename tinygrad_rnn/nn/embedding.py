"""Embedding: a table of vectors, looked up by index."""

from __future__ import annotations

from typing import Any, Self

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.context import no_grad
from tinygrad_rnn.creation import empty
from tinygrad_rnn.devices import require_cpu
from tinygrad_rnn.errors import DtypeError, ShapeError
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.nn.functional.layers import refuse_options, require_row
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.tensor import Tensor


class Embedding(Module):
    """y = weight[index]: a learned vector for each of V symbols.

    `decoder.weight = embedding.weight`, where the decoder is `Linear(D, V)`, ties the two: there is
    one parameter, counted and saved once, and its gradient is the sum of both uses (Press and Wolf,
    2017, "Using the output embedding to improve language models").

    Args:
        num_embeddings: V.
        embedding_dim: D.
        padding_idx: an index whose vector is 0 and is not trained.
        max_norm, norm_type, scale_grad_by_freq, sparse: not supported.
        device: "cpu".
        dtype: float32 (default) or float64.

    Parameters: weight (V, D), N(0, 1).

    Raises:
        UnsupportedError: for what is not supported.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        *,
        device: Any = None,
        dtype: Any = None,
        _weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        require_cpu(device)
        refuse_options(max_norm, scale_grad_by_freq, sparse)
        self.num_embeddings = positive(num_embeddings, "num_embeddings")
        self.embedding_dim = positive(embedding_dim, "embedding_dim")
        require_row(padding_idx, self.num_embeddings)
        self.padding_idx = padding_idx
        if _weight is None:
            self.weight = Parameter(empty(num_embeddings, embedding_dim, dtype=dtype))
            self.reset_parameters()
        else:
            self.weight = Parameter(_weight)

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None, **options: Any
    ) -> Self:
        """Return an embedding that holds a table (V, D), whose memory it shares.

        Args:
            embeddings: the table.
            freeze: whether the table is not to be trained.
            padding_idx: an index whose vector is not trained; it keeps its numbers.
            options: those of Embedding.
        """
        if not isinstance(embeddings, Tensor) or not embeddings.is_floating_point():
            kind = embeddings.dtype if isinstance(embeddings, Tensor) else type(embeddings).__name__
            raise DtypeError(f"from_pretrained takes a floating tensor, not {kind}; see tensor()")
        if embeddings.ndim != 2:
            raise ShapeError(f"from_pretrained takes a table (V, D), not {embeddings.shape}")
        rows, columns = embeddings.shape
        made = cls(rows, columns, padding_idx, _weight=embeddings, **options)
        made.weight.requires_grad = not freeze
        return made

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].zero_()

    def forward(self, input: Tensor) -> Tensor:
        """Map integers (...) to vectors (..., D)."""
        return functional.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Return the sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
