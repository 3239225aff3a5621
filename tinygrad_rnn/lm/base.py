"""What every language model answers, however it was made: the one interface of this package.

Evaluation, generation and search know models by this class only. It counts and trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_rnn import nn
from tinygrad_rnn.arguments import positive
from tinygrad_rnn.errors import DtypeError, ShapeError
from tinygrad_rnn.nn import map_state, state_tensors
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.training.compiling import Compiled

State = Any
Select = Callable[[State, Tensor], State]


class LanguageModel(nn.Module):
    """p(s_{t+1} | s_1 … s_t) = softmax(logits_t), where a state stands for what was read before.

    A subclass defines `initial_state` and `forward`. Logits may be log-probabilities, of which
    softmax gives the probabilities back.

    Args:
        vocabulary_size: V, the number of symbols.

    Attributes:
        compiled: what `evaluate` and `generate` have compiled of this model, kept for later calls.
        recordable: whether `forward` is made of tensor operations, which `jit` can record.
    """

    recordable = True

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.vocabulary_size = positive(vocabulary_size, "vocabulary_size")
        self.compiled = Compiled()

    def initial_state(self, batch: int) -> State:
        """Return the state before the first symbol of `batch` rows: tensors, nested at will."""
        raise NotImplementedError(f"{type(self).__name__} does not define initial_state()")

    def forward(self, ids: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return the logits of each next symbol, and the state after the last step.

        Args:
            ids: symbol numbers (T, B), integers 0 … V - 1.
            state: what an earlier call returned, to go on from there; None begins anew.

        Returns:
            Logits (T, B, V), where [t, b] predicts the symbol after ids[t, b], and the state.

        Raises:
            ShapeError, DtypeError, OutOfRangeError: for anything but symbol numbers (T, B).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def step(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one symbol a row: the protocol of `beam_search` and `sample`.

        Args:
            symbols: symbol numbers (B,).
            state: what was read before.

        Returns:
            ln p of each next symbol (B, V), and the state after `symbols`.
        """
        logits, state = self(symbols.unsqueeze(0), state)
        return logits[0].log_softmax(-1), state

    def select(self, state: State, rows: Tensor) -> State:
        """Return the state whose row i is row `rows[i]` of `state`; rows may repeat."""
        shapes = [[s.shape for s in state_tensors(self.initial_state(n))] for n in (1, 2)]
        axes = iter(
            [next(i for i in range(len(a)) if a[i] != b[i]) for a, b in zip(*shapes, strict=True)]
        )
        return map_state(lambda s: s.index_select(next(axes), rows), state)


def require_ids(ids: Tensor) -> None:
    """Raise DtypeError or ShapeError unless `ids` is a tensor of integers (time, batch)."""
    if not isinstance(ids, Tensor):
        raise DtypeError(
            f"the model takes a tensor of symbol numbers, not {type(ids).__name__}; make one "
            "with tensor() or from_numpy()"
        )
    if ids.ndim != 2:
        raise ShapeError(
            f"the model takes symbol numbers (time, batch), not shape {ids.shape}; for a "
            "single row use ids.unsqueeze(1)"
        )
    if ids.is_floating_point():
        raise DtypeError(f"the model takes symbol numbers (integers), not {ids.dtype}")
