"""N-gram models: counting what followed the last n - 1 symbols.

A text is counted by sorting integers, never symbol by symbol in Python: an m-gram's number is its
rank among those of its length that occur, and an (m + 1)-gram is the pair (number of its first m
symbols, last symbol) as one integer. So n may be as large as one likes, and V too.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.lm.arguments import number_of, require_known
from tinygrad_rnn.lm.base import LanguageModel, State, require_ids
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.text.arguments import size_of, text_of

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SMOOTHINGS = ("kneser-ney", "add-k")
"""How probability is kept for what was never counted."""


class Grams(NamedTuple):
    """The n-grams of one length, and what they say about the symbol after n - 1 others.

    Attributes:
        keys: context · V + symbol of each n-gram, sorted; its place here is the n-gram's number.
        starts: where the n-grams of each context begin in `keys`, (contexts + 1,).
        shares: what each adds to the probability of its symbol.
        left: what each context leaves to the shorter context, (contexts,).
    """

    keys: Integers
    starts: Integers
    shares: Floats
    left: Floats


class NGramLanguageModel(LanguageModel):
    """p(w | h) from the counts c(h w) of n-grams in a text, h the last n - 1 symbols.

    "kneser-ney", interpolated, with back-off to ever shorter contexts h' (h without its first
    symbol), one absolute discount D_m for each length m (Kneser and Ney, 1995; Ney, Essen and
    Kneser, 1994; in this form Chen and Goodman, 1999):

        p(w | h) = max(c(h w) - D, 0) / c(h) + D · N(h •) / c(h) · p(w | h')
        D = n_1 / (n_1 + 2 n_2)

    N(h •) is the number of symbols seen after h, n_r the number of m-grams with count r. Below the
    longest m-grams, c(g) is replaced by N(• g), the number of symbols seen before g. The shortest
    context leaves its share to 1/V. After a context never seen, p is that of the shorter one. D is
    1/2 where no m-gram has count 1 or 2.

    "add-k" (Lidstone; with k = 1 Laplace), without back-off:

        p(w | h) = (c(h w) + k) / (c(h) + k V)

    which is 1/V after a context never seen. Both use shorter contexts at the beginning of a text.

    Args:
        ids: the text to count, (N,) symbol numbers.
        vocabulary_size: V.
        n: length of the longest n-grams; 1 knows frequencies only.
        smoothing: "kneser-ney" or "add-k".
        k: what "add-k" adds to every count, above 0.

    The state is an integer tensor (n, B): how many symbols were read, at most n - 1, and the number
    of the last m symbols for m = 1 … n - 1, -1 for those that never occurred. Nothing here is
    trained, and `jit` cannot record it.

    Raises:
        ArgumentError: for n below 1, an unknown smoothing, or k not above 0.
        DataError: for an empty text.
        ShapeError, DtypeError, OutOfRangeError: for anything but symbol numbers below V.
    """

    recordable = False

    def __init__(
        self,
        ids: npt.ArrayLike,
        vocabulary_size: int,
        n: int = 5,
        smoothing: str = "kneser-ney",
        k: float = 1.0,
    ) -> None:
        super().__init__(vocabulary_size)
        self.n = size_of("n", n)
        if smoothing not in SMOOTHINGS:
            raise ArgumentError(f'smoothing is {smoothing!r}; it must be "kneser-ney" or "add-k"')
        self.smoothing = smoothing
        self.k = number_of(k, "k")
        if not 0.0 < self.k < math.inf:
            raise ArgumentError(
                f"k is {k!r}; it must be above 0, or what was not counted is impossible"
            )
        text = text_of(ids)
        require_known(text, self.vocabulary_size)
        if not len(text):
            raise DataError("there is no text to count: it has no symbols")
        self.grams = self._counted(text)

    @property
    def entries(self) -> int:
        """The number of n-grams kept, of all lengths."""
        return sum(len(grams.keys) for grams in self.grams)

    @property
    def nbytes(self) -> int:
        """What they take in memory, in bytes."""
        return sum(array.nbytes for grams in self.grams for array in grams)

    def unseen(self, ids: npt.ArrayLike, n: int | None = None) -> float:
        """Return the share of a text's n-grams that the counted text does not have, 0 … 1.

        Args:
            ids: another text, (N,).
            n: their length, 1 … the model's n; None takes the model's n.

        Raises:
            DataError: when the text is shorter than n.
            ArgumentError: for a length that was not counted.
        """
        text = text_of(ids)
        require_known(text, self.vocabulary_size)
        length = self.n if n is None else size_of("n", n)
        if length > self.n:
            raise ArgumentError(f"n is {length}, and the model counted up to {self.n} symbols")
        if len(text) < length:
            raise DataError(f"a text of {len(text)} symbols has no {length}-grams; give more text")
        number = np.zeros(len(text) + 1, np.int64)
        for grams in self.grams[:length]:
            number = self._find(grams, number[:-1], text[len(text) - len(number) + 1 :])
        return float(np.count_nonzero(number < 0) / len(number))

    def initial_state(self, batch: int) -> Tensor:
        """Return the state before the first symbol, (n, B)."""
        state = np.full((self.n, size_of("batch", batch)), -1, np.int64)
        state[0] = 0
        return from_numpy(state)

    def forward(self, ids: Tensor, state: State = None) -> tuple[Tensor, State]:
        """As LanguageModel says; the logits are ln p, in float64."""
        require_ids(ids)
        symbols = ids.detach().numpy().astype(np.int64)
        require_known(symbols, self.vocabulary_size)
        before = (self.initial_state(symbols.shape[1]) if state is None else state).numpy()
        contexts = np.zeros((self.n, *symbols.shape), np.int64)
        for m in range(1, self.n):
            shorter = np.zeros_like(symbols)
            if m > 1:
                shorter = np.concatenate([before[m - 1 : m], contexts[m - 1, :-1]])
            contexts[m] = self._find(self.grams[m - 1], shorter, symbols)
        read = before[:1] + np.arange(1, len(symbols) + 1)[:, None]
        read = np.minimum(read, self.n - 1)
        p = self._probabilities(contexts.reshape(self.n, -1), read.reshape(-1))
        after = np.concatenate([read[-1:], contexts[1:, -1]]) if len(symbols) else before
        logits = np.log(p).reshape(*symbols.shape, self.vocabulary_size)
        return from_numpy(logits), from_numpy(after)

    # ------------------------------------------------------------------ counting

    def _counted(self, text: npt.NDArray[Any]) -> list[Grams]:
        V = self.vocabulary_size
        found: list[tuple[Integers, Integers, Integers]] = []
        number = np.zeros(len(text) + 1, np.int64)
        suffixes: list[Integers] = []
        for m in range(self.n):
            keys, first, where, counts = np.unique(
                number[:-1] * V + text[m:],
                return_index=True,
                return_inverse=True,
                return_counts=True,
            )
            contexts = np.arange((len(found[-1][0]) if found else 1) + 1)
            found.append((keys, np.searchsorted(keys, contexts * V), counts))
            # The (m + 1)-gram that began at `first` ends in the m-gram that began one later.
            suffixes.append(number[first + 1])
            number = where.reshape(-1)
        grams = []
        for m, (keys, starts, counts) in enumerate(found):
            if self.smoothing == "add-k":
                shares, left = self._added(starts, counts)
            else:
                if m + 1 < self.n:
                    counts = np.bincount(suffixes[m + 1], minlength=len(keys))
                shares, left = self._discounted(starts, counts)
            grams.append(Grams(keys, starts, shares, left))
        return grams

    def _added(self, starts: Integers, counts: Integers) -> tuple[Floats, Floats]:
        mass = self.k * self.vocabulary_size
        totals = np.asarray(_summed(counts, starts) + mass, np.float64)
        return counts / np.repeat(totals, np.diff(starts)), mass / totals

    def _discounted(self, starts: Integers, counts: Integers) -> tuple[Floats, Floats]:
        once, twice = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
        D = once / (once + 2 * twice) if once and twice else 0.5
        totals = _summed(counts, starts)
        different = _summed((counts > 0).astype(np.int64), starts)
        # A context that only ends the text was seen, but nothing after it.
        sound = np.maximum(totals, 1)
        shares = np.maximum(counts - D, 0.0) / np.repeat(sound, np.diff(starts))
        return shares, np.where(totals > 0, D * different / sound, 1.0)

    # ------------------------------------------------------------------ looking up

    def _find(self, grams: Grams, contexts: Integers, symbols: npt.NDArray[Any]) -> Integers:
        """The numbers of the n-grams (context, symbol); -1 for those that never occurred."""
        if not len(grams.keys):
            return np.full(contexts.shape, -1, np.int64)
        wanted = contexts * self.vocabulary_size + symbols
        place = np.minimum(np.searchsorted(grams.keys, wanted), len(grams.keys) - 1)
        return np.where((grams.keys[place] == wanted) & (contexts >= 0), place, -1)

    def _probabilities(self, contexts: Integers, read: Integers) -> Floats:
        """p of every symbol (R, V) after contexts of each length (n, R)."""
        V = self.vocabulary_size
        p = np.full((contexts.shape[1], V), 1.0 / V)
        for m, grams in enumerate(self.grams):
            known = contexts[m] >= 0
            if self.smoothing == "add-k":
                known &= read == m
            rows = np.flatnonzero(known)
            found = contexts[m, rows]
            starts, lengths = grams.starts[found], np.diff(grams.starts)[found]
            p[rows] *= grams.left[found, None]
            # The places starts[i] … starts[i] + lengths[i] - 1 of all rows, one after another.
            places = np.arange(lengths.sum()) + np.repeat(starts - _before(lengths), lengths)
            p[np.repeat(rows, lengths), grams.keys[places] % V] += grams.shares[places]
        return p


def _summed(values: Integers, starts: Integers) -> Integers:
    """The sum of the values of each context."""
    sums = np.concatenate([[0], np.cumsum(values)])
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]])


def _before(lengths: Integers) -> Integers:
    """The sum of the lengths before each."""
    return np.cumsum(lengths) - lengths
