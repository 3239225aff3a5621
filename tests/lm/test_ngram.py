"""N-gram models: against their definition in dictionaries, symbol by symbol."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools import examples
from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import ArgumentError, DataError, OutOfRangeError, RecordingError
from tinygrad_rnn.jit import jit
from tinygrad_rnn.lm import NGramLanguageModel, evaluate, generate_text
from tinygrad_rnn.text import Vocabulary, embedded_text

Gram = tuple[int, ...]
TEXTS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


class Slow:
    """The definitions, from sets and dictionaries of tuples."""

    def __init__(self, text: Sequence[int], V: int, n: int, smoothing: str, k: float) -> None:
        self.V, self.n, self.smoothing, self.k = V, n, smoothing, k
        self.grams: list[dict[Gram, int]] = [defaultdict(int) for _ in range(n + 1)]
        for m in range(1, n + 1):
            for i in range(len(text) - m + 1):
                self.grams[m][tuple(text[i : i + m])] += 1
        self.counts = [dict(grams) for grams in self.grams]
        if smoothing == "kneser-ney":
            for m in range(1, n):
                longer = self.grams[m + 1]
                self.counts[m] = {
                    gram: len({g[0] for g in longer if g[1:] == gram}) for gram in self.grams[m]
                }

    def discount(self, m: int) -> float:
        values = list(self.counts[m].values())
        once, twice = values.count(1), values.count(2)
        return once / (once + 2 * twice) if once and twice else 0.5

    def p(self, context: Gram, w: int) -> float:
        if self.smoothing == "add-k":
            counts = self.counts[len(context) + 1]
            total = sum(c for g, c in counts.items() if g[:-1] == context)
            return (counts.get((*context, w), 0) + self.k) / (total + self.k * self.V)
        m = len(context) + 1
        lower = self.p(context[1:], w) if context else 1.0 / self.V
        after = {g: c for g, c in self.counts[m].items() if g[:-1] == context and c}
        if not after:
            return lower
        D, total = self.discount(m), sum(after.values())
        own = max(after.get((*context, w), 0) - D, 0.0) / total
        return own + D * len(after) / total * lower

    def row(self, context: Sequence[int]) -> list[float]:
        kept = tuple(context[max(0, len(context) - self.n + 1) :])
        return [self.p(kept, w) for w in range(self.V)]


@examples(60)
@given(
    text=TEXTS,
    read=TEXTS,
    n=st.integers(1, 5),
    smoothing=st.sampled_from(["kneser-ney", "add-k"]),
    k=st.sampled_from([0.01, 1.0]),
    cut=st.integers(0, 40),
)
def test_probabilities_are_those_of_the_definition(
    text: list[int], read: list[int], n: int, smoothing: str, k: float, cut: int
) -> None:
    """A count, a discount, a back-off or the state carried between two calls is wrong."""
    model = NGramLanguageModel(text, 5, n, smoothing, k)
    slow = Slow(text, 5, n, smoothing, k)
    ids = from_numpy(np.array(read)[:, None])
    cut = min(cut, len(read))
    first, state = model(ids[:cut])
    second, _ = model(ids[cut:], state)
    p = np.exp(np.concatenate([first.numpy(), second.numpy()])[:, 0])
    expected = [slow.row(read[: t + 1]) for t in range(len(read))]
    np.testing.assert_allclose(p, expected, rtol=1e-10)
    np.testing.assert_allclose(p.sum(-1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("smoothing", ["kneser-ney", "add-k"])
def test_every_context_sums_to_one(smoothing: str) -> None:
    """Probability is lost or made somewhere among seen and unseen contexts of a real text."""
    text = embedded_text().read()[:20000]
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    model = NGramLanguageModel(ids[:15000], len(vocabulary), 4, smoothing)
    random = np.random.default_rng(0).integers(0, len(vocabulary), (30, 50))
    for read in (random, ids[15000:18000].reshape(30, 100)):
        logits, _ = model(from_numpy(read))
        np.testing.assert_allclose(np.exp(logits.numpy()).sum(-1), 1.0, rtol=1e-12)


def test_rows_are_read_side_by_side() -> None:
    """The context of one row leaks into another, or rows are chosen wrongly."""
    text = np.random.default_rng(1).integers(0, 3, 200)
    model = NGramLanguageModel(text, 3, 3)
    read = np.array([[0, 1, 2], [2, 2, 1], [1, 0, 0]])
    together, state = model(from_numpy(read.T.copy()))
    for row in range(3):
        alone, own = model(from_numpy(read[row][:, None]))
        np.testing.assert_array_equal(together.numpy()[:, row], alone.numpy()[:, 0])
        chosen = model.select(state, from_numpy(np.array([row])))
        np.testing.assert_array_equal(chosen.numpy(), own.numpy())


def test_the_memory_that_counting_takes() -> None:
    """Storage or sparsity is misreported."""
    model = NGramLanguageModel([0, 1, 0, 1, 2], 3, 3)
    # 0 1 2; 01 10 12; 010 101 012
    assert model.entries == 9
    assert model.nbytes == sum(a.nbytes for grams in model.grams for a in grams)
    # 20 and 02 do not occur; 01 and 12 do.
    assert model.unseen([0, 1, 2, 0, 2], 2) == 0.5
    assert model.unseen([0, 1, 2, 0, 2]) == pytest.approx(2 / 3)
    assert model.unseen([0, 1, 2], 1) == 0.0


def test_back_off_is_what_makes_long_contexts_good() -> None:
    """On held-out text long n-grams without back-off do as well as with it, so one is wrong."""
    text = embedded_text().read()
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    cut = int(0.9 * len(ids))
    nats: dict[Any, float] = {}
    for n in (1, 3, 5):
        for smoothing in ("kneser-ney", "add-k"):
            model = NGramLanguageModel(ids[:cut], len(vocabulary), n, smoothing, 0.1)
            nats[n, smoothing] = evaluate(model, ids[cut:]).nats
    assert nats[5, "kneser-ney"] < nats[3, "kneser-ney"] < nats[1, "kneser-ney"] - 0.8
    assert nats[5, "kneser-ney"] < nats[5, "add-k"] - 0.4
    assert nats[3, "add-k"] < nats[5, "add-k"]


def test_it_writes_what_it_read() -> None:
    """Drawing from an n-gram model needs another call than from any other model."""
    verse = "the cat sat on the mat. " * 10
    vocabulary = Vocabulary.from_text(verse)
    model = NGramLanguageModel(vocabulary.encode(verse), len(vocabulary), 6)
    assert generate_text(model, vocabulary, "the ca", length=20, greedy=True) == (
        "t sat on the mat. th"
    )
    # There is nothing to compile, and it is not asked for.
    texts = [generate_text(model, vocabulary, "t", length=30, seed=1, jit=j) for j in (True, False)]
    assert texts[0] == texts[1]


def test_a_text_of_one_symbol_and_one_shorter_than_n() -> None:
    """The smallest texts cannot be counted."""
    for smoothing in ("kneser-ney", "add-k"):
        model = NGramLanguageModel([1], 2, 4, smoothing)
        p = np.exp(model(from_numpy(np.array([[1], [1]])))[0].numpy())
        np.testing.assert_allclose(p.sum(-1), 1.0)
    assert np.exp(model(from_numpy(np.zeros((0, 2), np.int64)))[0].numpy()).shape == (0, 2, 2)


def test_symbol_numbers_of_any_type_and_unmodified() -> None:
    """A memory-mapped text of small integers overflows, or is changed."""
    text = np.random.default_rng(0).integers(0, 200, 300).astype(np.uint8)
    before = text.copy()
    small, large = (NGramLanguageModel(t, 200, 3) for t in (text, text.astype(np.int64)))
    np.testing.assert_array_equal(text, before)
    assert evaluate(small, text) == evaluate(large, text.astype(np.int64)[::1])
    for a, b in zip(small.grams, large.grams, strict=True):
        np.testing.assert_array_equal(a.keys, b.keys)


def test_what_cannot_be_counted_is_refused() -> None:
    """A wrong setting gives wrong probabilities instead of an error."""
    for bad in ({"n": 0}, {"smoothing": "none"}, {"k": 0.0}, {"k": float("inf")}):
        with pytest.raises(ArgumentError):
            NGramLanguageModel([0, 1], 2, **bad)
    with pytest.raises(DataError):
        NGramLanguageModel(np.empty(0, np.int64), 2)
    model = NGramLanguageModel([0, 1], 2, 3)
    with pytest.raises(OutOfRangeError):
        model(from_numpy(np.array([[5]])))
    with pytest.raises(ArgumentError):
        model.unseen([0, 1, 0, 1], 4)
    with pytest.raises(RecordingError):
        jit(lambda ids: model(ids)[0])(from_numpy(np.array([[0]])))
