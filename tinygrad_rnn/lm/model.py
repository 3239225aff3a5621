"""The recurrent language model: symbols in, logits of the next symbol out, state carried along.

This file is the network alone. It does not train, draw symbols or touch files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_rnn import nn
from tinygrad_rnn.arguments import positive
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.lm.arguments import number_of
from tinygrad_rnn.lm.base import LanguageModel, State, require_ids
from tinygrad_rnn.nn import functional
from tinygrad_rnn.tensor import Tensor

CellFactory = Callable[[int], nn.Module]

_LAYERS: dict[str, Callable[..., nn.Recurrent]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
KINDS = tuple(_LAYERS)
"""The built-in kinds of recurrent layers."""

CUSTOM = "custom"
"""The kind that stands in a checkpoint for a cell that the user wrote."""


class RecurrentLanguageModel(LanguageModel):
    """p(s_{t+1} | s_1 … s_t) = softmax(W h_t + b), h_t the output of stacked recurrent layers.

    The architecture is that of char-rnn (Karpathy, 2015): one-hot inputs, layers with dropout
    between them and before the output, and a linear map to V logits.

    Args:
        vocabulary_size: V, the number of symbols.
        kind: "lstm", "gru" or "rnn"; or a function `input_size -> cell` that makes a cell of your
            own for each layer, as `nn.Recurrent` takes it (`hidden_size` is then the cell's).
        hidden_size: H, the length of each layer's state.
        num_layers: number of layers.
        dropout: probability with which each layer's outputs are dropped in training.
        embedding_size: length of a learned vector a symbol; None feeds one-hot vectors, which
            costs V · H multiplications a symbol and suits characters and bytes, not words.
        forget_bias: what the biases of an LSTM's forget gates add up to in every layer (Gers et
            al., 2000; Jozefowicz et al., 2015): `bias_ih` starts with it and `bias_hh` with 0.

    Raises:
        ArgumentError: for a size below 1, an unknown kind, or a probability out of range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        kind: str | CellFactory = "lstm",
        hidden_size: int = 128,
        num_layers: int = 2,
        dropout: float = 0.0,
        embedding_size: int | None = None,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(vocabulary_size)
        self.hidden_size = positive(hidden_size, "hidden_size")
        self.num_layers = positive(num_layers, "num_layers")
        self.dropout = number_of(dropout, "dropout")
        self.embedding_size = embedding_size
        self.forget_bias = number_of(forget_bias, "forget_bias")
        self.embedding: nn.Embedding | None = None
        if embedding_size is not None:
            self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.input_size = vocabulary_size if embedding_size is None else embedding_size
        self.recurrent = self._layers(kind)
        self.output_dropout = nn.Dropout(dropout)
        last = self.recurrent.cells()[-1]
        width = getattr(last, "output_size", getattr(last, "hidden_size", hidden_size))
        self.output = nn.Linear(int(width), vocabulary_size)

    def _layers(self, kind: str | CellFactory) -> nn.Recurrent:
        if callable(kind):
            self.kind = CUSTOM
            return nn.Recurrent(kind, self.input_size, self.num_layers, dropout=self.dropout)
        if kind not in KINDS:
            raise ArgumentError(
                f"kind is {kind!r}; it is {', '.join(map(repr, KINDS))}, or a function that makes "
                "a cell for a given input size"
            )
        self.kind = kind
        layers: nn.Recurrent = _LAYERS[kind](
            self.input_size, self.hidden_size, self.num_layers, dropout=self.dropout
        )
        if kind == "lstm":
            nn.init.recurrent_(layers, None, None, None, forget_bias=self.forget_bias)
        return layers

    def initial_state(self, batch: int) -> State:
        """Return the state before the first symbol of `batch` rows, in the layers' form."""
        return self.recurrent.initial_state(positive(batch, "batch"), self.output.weight.dtype)

    def forward(self, ids: Tensor, state: State = None) -> tuple[Tensor, State]:
        """As LanguageModel says: logits (T, B, V) and the layers' state, for symbols (T, B)."""
        require_ids(ids)
        if self.embedding is None:
            dtype = self.output.weight.dtype
            x = functional.one_hot(ids, self.vocabulary_size, dtype=dtype)
        else:
            x = self.embedding(ids)
        h, state = self.recurrent(x, state)
        return self.output(self.output_dropout(h)), state

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON types; `kind` is "custom" for a user's cell.

        `RecurrentLanguageModel(**settings)` makes a model of the same shape.
        """
        return {
            "vocabulary_size": self.vocabulary_size,
            "kind": self.kind,
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "dropout": self.dropout,
            "embedding_size": self.embedding_size,
            "forget_bias": self.forget_bias,
        }
