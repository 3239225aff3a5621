"""The neural model with a fixed window: what came before recurrence (Bengio et al., 2003)."""

from __future__ import annotations

from tinygrad_rnn import nn
from tinygrad_rnn.arguments import positive
from tinygrad_rnn.creation import full
from tinygrad_rnn.dtypes import int64
from tinygrad_rnn.functions import cat
from tinygrad_rnn.lm.arguments import number_of
from tinygrad_rnn.lm.base import LanguageModel, State, require_ids
from tinygrad_rnn.tensor import Tensor


class FixedWindowLanguageModel(LanguageModel):
    """p(s_{t+1} | s_{t-n+1} … s_t) = softmax(b + W x + U tanh(d + H x)).

    x = [C(s_{t-n+1}); …; C(s_t)], the vectors of the last n symbols one after the other (Bengio et
    al., 2003, equation 1). Each position of the window has columns of its own in H and W, so the
    parameters grow with n, and what lies before the window cannot matter. Before the first symbol
    stands a vector of its own.

    Args:
        vocabulary_size: V, the number of symbols.
        window: n, the symbols looked at.
        embedding_size: length of C(s).
        hidden_size: length of the hidden layer.
        dropout: probability with which hidden units are dropped in training.
        direct: whether W is there, the connection past the hidden layer.

    The state is the last n symbols, (n, B).

    Raises:
        ArgumentError: for a size below 1, or a probability out of range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        window: int = 8,
        embedding_size: int = 24,
        hidden_size: int = 128,
        dropout: float = 0.0,
        direct: bool = False,
    ) -> None:
        super().__init__(vocabulary_size)
        self.window = positive(window, "window")
        self.embedding_size = positive(embedding_size, "embedding_size")
        self.hidden_size = positive(hidden_size, "hidden_size")
        self.embedding = nn.Embedding(self.vocabulary_size + 1, self.embedding_size)
        self.hidden = nn.Linear(self.window * self.embedding_size, self.hidden_size)
        self.dropout = nn.Dropout(number_of(dropout, "dropout"))
        self.output = nn.Linear(self.hidden_size, self.vocabulary_size)
        self.direct: nn.Linear | None = None
        if direct:
            self.direct = nn.Linear(self.hidden.in_features, self.vocabulary_size, bias=False)

    def initial_state(self, batch: int) -> Tensor:
        """Return the state before the first symbol, (n, B)."""
        return full((self.window, positive(batch, "batch")), self.vocabulary_size, dtype=int64)

    def forward(self, ids: Tensor, state: State = None) -> tuple[Tensor, State]:
        """As LanguageModel says: logits (T, B, V) and the last n symbols, for symbols (T, B)."""
        require_ids(ids)
        T, B = ids.shape
        before = self.initial_state(B) if state is None else state
        read = cat([before, ids.to(int64)])
        vectors = self.embedding(read[1:])
        x = cat([vectors[i : i + T] for i in range(self.window)], -1)
        logits = self.output(self.dropout(self.hidden(x).tanh()))
        if self.direct is not None:
            logits = logits + self.direct(x)
        return logits, read[T:]
