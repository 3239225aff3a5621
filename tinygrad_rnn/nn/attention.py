"""Attention modules: how strongly a query reads each place of a memory, and what it reads.

The three scores of the papers, under one interface that decoders and `Recurrent` use.
"""

from __future__ import annotations

import math
from typing import Any

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.errors import DtypeError, ShapeError
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn.functional.attention import masked_softmax
from tinygrad_rnn.nn.linear import Linear
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor


class Attention(Module):
    """weights = softmax(score(query, keys)), context = Σ_s weights_s memory_s.

    A subclass defines `score`, and `project` if part of the score depends on the memory alone. A
    decoder that reads once a step calls `project` once, and `read` at every step:

        memory = attention.readable(memory, mask)
        keys = attention.project(memory)
        context, weights = attention.read(query, keys, memory, mask)  # at every step

    Args:
        query_size: Q, the length of a query.
        memory_size: D, the length of a vector of the memory.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.query_size = positive(query_size, "query_size")
        self.memory_size = positive(memory_size, "memory_size")

    def project(self, memory: Tensor) -> Tensor:
        """Return what the score needs of memory (B, S, D): keys (B, S, ...)."""
        return memory

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return how well queries (B, T, Q) fit keys (B, S, ...): (B, T, S)."""
        raise NotImplementedError(f"{type(self).__name__} does not define score()")

    def forward(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read the memory.

        Args:
            query: (B, Q) or (B, T, Q).
            memory: (B, S, D).
            mask: (B, S) booleans, True where the memory may be read; None: everywhere. What stands
                at other places, NaN included, changes neither result nor gradients.

        Returns:
            context (B, D) or (B, T, D), and weights (B, S) or (B, T, S). Both are 0 where there is
            nothing to read.

        Raises:
            ShapeError, DtypeError: if shapes or types are others than these.
        """
        self._check(query, memory, mask)
        memory = self.readable(memory, mask)
        return self.read(query, self.project(memory), memory, mask)

    def readable(self, memory: Tensor, mask: Tensor | None) -> Tensor:
        """Return the memory with 0 at places that may not be read, whose weight 0 times NaN is NaN.

        It costs a copy of the memory, and so is no part of `read`.
        """
        return memory if mask is None else where(mask.unsqueeze(-1), memory, 0.0)

    def read(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read a memory whose keys are known; see `forward`.

        Args:
            keys: `project(memory)`.
            memory: finite also at places that may not be read; see `readable`.
        """
        self._check(query, memory, mask)
        single = query.ndim == 2
        scores = self.score(query.unsqueeze(1) if single else query, keys)
        weights = masked_softmax(scores, None if mask is None else mask.unsqueeze(1))
        context = weights @ memory
        return (context.squeeze(1), weights.squeeze(1)) if single else (context, weights)

    def _check(self, query: Tensor, memory: Tensor, mask: Tensor | None) -> None:
        for name, x in (("query", query), ("memory", memory)):
            if not isinstance(x, Tensor) or not x.is_floating_point():
                kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
                raise DtypeError(f"the {name} of attention is a floating tensor, not {kind}")
        if query.dtype != memory.dtype:
            raise DtypeError(
                f"query is {query.dtype} and memory {memory.dtype}; convert one with .to()"
            )
        if (
            query.ndim not in (2, 3)
            or memory.ndim != 3
            or query.shape[-1] != self.query_size
            or memory.shape[-1] != self.memory_size
            or query.shape[0] != memory.shape[0]
        ):
            raise ShapeError(
                f"{type(self).__name__} takes query (B, {self.query_size}) or "
                f"(B, T, {self.query_size}) and memory (B, S, {self.memory_size}), not "
                f"{query.shape} and {memory.shape}"
            )
        if mask is None:
            return
        if not isinstance(mask, Tensor) or mask.dtype.kind != "b":
            kind = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
            raise DtypeError(f"mask is a tensor of booleans, not {kind}; see .bool()")
        if mask.shape != memory.shape[:2]:
            raise ShapeError(f"mask needs shape {memory.shape[:2]}, not {mask.shape}")


class DotAttention(Attention):
    """score = qᵀ m, or qᵀ m / √size.

    Luong, Pham and Manning, 2015, "Effective approaches to attention-based neural machine
    translation" (dot); with the divisor, Vaswani et al., 2017, "Attention is all you need".

    Args:
        size: Q and D, which are equal.
        scale: whether to divide by √size.
    """

    def __init__(self, size: int, scale: bool = False) -> None:
        super().__init__(size, size)
        self.scale = scale

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Multiply (B, T, D) by (B, S, D)."""
        if self.scale:
            query = query * (1.0 / math.sqrt(self.query_size))
        return query @ keys.mT

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{self.query_size}" + (", scale=True" if self.scale else "")


class GeneralAttention(Attention):
    """score = qᵀ W m.

    Luong, Pham and Manning, 2015, "Effective approaches to attention-based neural machine
    translation" (general).

    Parameters: memory_projection.weight W (Q, D), U(-1/√D, 1/√D).
    """

    def __init__(self, query_size: int, memory_size: int, dtype: Any = None) -> None:
        super().__init__(query_size, memory_size)
        self.memory_projection = Linear(memory_size, query_size, bias=False, dtype=dtype)

    def project(self, memory: Tensor) -> Tensor:
        """Return W m, (B, S, Q)."""
        keys: Tensor = self.memory_projection(memory)
        return keys

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Multiply (B, T, Q) by (B, S, Q)."""
        return query @ keys.mT


class AdditiveAttention(Attention):
    """score = vᵀ tanh(W q + U m).

    Bahdanau, Cho and Bengio, 2015, "Neural machine translation by jointly learning to align and
    translate".

    Args:
        query_size: Q.
        memory_size: D.
        hidden_size: A, the length of what tanh is taken of.

    Parameters: query_projection.weight W (A, Q), memory_projection.weight U (A, D) and
    score_projection.weight vᵀ (1, A), each U(-1/√n, 1/√n) with n its second length.
    """

    def __init__(
        self, query_size: int, memory_size: int, hidden_size: int, dtype: Any = None
    ) -> None:
        super().__init__(query_size, memory_size)
        self.query_projection = Linear(query_size, hidden_size, bias=False, dtype=dtype)
        self.memory_projection = Linear(memory_size, hidden_size, bias=False, dtype=dtype)
        self.score_projection = Linear(hidden_size, 1, bias=False, dtype=dtype)

    def project(self, memory: Tensor) -> Tensor:
        """Return U m, (B, S, A)."""
        keys: Tensor = self.memory_projection(memory)
        return keys

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Compare (B, T, Q) with (B, S, A)."""
        inner = self.query_projection(query).unsqueeze(2) + keys.unsqueeze(1)
        scores: Tensor = self.score_projection(inner.tanh())
        return scores.squeeze(-1)
