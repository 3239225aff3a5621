"""Beam search and sampling: against exhaustive search, and the shares of what is drawn."""

import itertools
import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools import examples
from tinygrad_rnn.context import is_grad_enabled
from tinygrad_rnn.creation import from_numpy, zeros
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    NumericalError,
    OutOfRangeError,
    ShapeError,
    VocabularyError,
)
from tinygrad_rnn.generator import Generator, manual_seed
from tinygrad_rnn.jit import jit
from tinygrad_rnn.lm import (
    NGramLanguageModel,
    RecurrentLanguageModel,
    beam_search,
    completions,
    generate_batch,
    generate_text,
    sample,
    surprises,
)
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.text import Vocabulary


class Pair(NamedTuple):
    """A state of two tensors whose rows are one axis."""

    last: Tensor
    count: Tensor


class Chain:
    """p(next | the last two symbols), a table of its own for each row of the batch."""

    def __init__(self, seed: int, B: int, V: int) -> None:
        p = np.random.default_rng(seed).dirichlet(np.ones(V) * 0.5, (B, V, V)) + 1e-6
        self.table = np.log(p / p.sum(-1, keepdims=True))
        self.B, self.V = B, V

    def state(self) -> Pair:
        rows = from_numpy(np.arange(self.B))
        return Pair(from_numpy(np.zeros(self.B, np.int64)), rows)

    def step(self, symbols: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        before, row = state.last.numpy(), state.count.numpy()
        return from_numpy(self.table[row, before, symbols.numpy()]), Pair(symbols, state.count)

    def log_p(self, row: int, start: int, symbols: tuple[int, ...]) -> float:
        read = (0, start, *symbols)
        return float(
            sum(self.table[row, a, b, c] for a, b, c in zip(read, read[1:], read[2:], strict=False))
        )


def everything(chain: Chain, row: int, start: int, length: int, end: int | None) -> list[Any]:
    """All sequences with the end symbol or of full length: (symbols, ln p, steps, finished)."""
    found = []
    for steps in range(1, length + 1):
        for symbols in itertools.product(range(chain.V), repeat=steps):
            ended = symbols[-1] == end
            if end in symbols[:-1] or not (ended or steps == length):
                continue
            log_p = chain.log_p(row, start, symbols)
            found.append((symbols[:-1] if ended else symbols, log_p, steps, ended))
    return found


@examples(40)
@given(
    seed=st.integers(0, 1000),
    V=st.integers(2, 3),
    length=st.integers(1, 4),
    with_end=st.booleans(),
    alpha=st.sampled_from([0.0, 0.7, 1.0]),
)
def test_a_beam_as_wide_as_everything_finds_the_best(
    seed: int, V: int, length: int, with_end: bool, alpha: float
) -> None:
    """A sequence is lost, scored wrongly, or ended too early; or rows of a batch are mixed up."""
    chain = Chain(seed, 2, V)
    end = 0 if with_end else None
    start = [1, 0]
    found = beam_search(
        chain.step,
        start,
        chain.state(),
        width=max(3, V**length),
        length=length,
        end=end,
        hypotheses=3,
        length_penalty=alpha,
    )
    for row in range(2):
        best = everything(chain, row, start[row], length, end)
        best.sort(key=lambda f: (not f[3], -f[1] / f[2] ** alpha))
        assert len(found[row]) == min(3, len(best))
        for hypothesis, (_, log_p, steps, ended) in zip(found[row], best, strict=False):
            # Equals may come in another order, and so may sums that differ by rounding.
            own = (*hypothesis.symbols, end) if ended else hypothesis.symbols
            assert chain.log_p(row, start[row], own) == pytest.approx(log_p)
            assert hypothesis.finished == ended
            assert hypothesis.log_probability == pytest.approx(log_p)
            assert hypothesis.score == pytest.approx(log_p / steps**alpha)
        assert len({h.symbols for h in found[row]}) == len(found[row]) == min(3, len(best))


def test_width_one_is_greedy_and_a_wider_beam_is_no_worse() -> None:
    """The beam follows something else than the most probable symbol."""
    better = 0
    for seed in range(20):
        chain = Chain(seed, 1, 4)
        read, symbols = [0, 1], []
        for _ in range(6):
            symbols.append(int(chain.table[0, read[-2], read[-1]].argmax()))
            read.append(symbols[-1])
        narrow, wide = (
            beam_search(chain.step, [1], chain.state(), width=w, length=6)[0][0] for w in (1, 8)
        )
        assert narrow.symbols == tuple(symbols)
        assert wide.score >= narrow.score - 1e-12
        better += wide.score > narrow.score + 1e-9
    assert better > 5


def test_rows_do_not_depend_on_their_neighbours() -> None:
    """A row that is finished, or a longer one, disturbs the others."""
    chain = Chain(3, 4, 5)
    options: dict[str, Any] = {"width": 3, "length": 7, "end": 2, "hypotheses": 2}
    together = beam_search(chain.step, [0, 1, 3, 4], chain.state(), **options)
    for row, start in enumerate([0, 1, 3, 4]):
        one = Chain(3, 4, 5)
        state = Pair(*(s[row : row + 1] for s in chain.state()))
        assert beam_search(one.step, [start], state, **options)[0] == together[row]


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_any_language_model_can_be_searched(kind: str) -> None:
    """States whose rows are another axis are chosen wrongly, or a compiled step differs."""
    manual_seed(0)
    model = RecurrentLanguageModel(5, kind, 8, 2).eval()
    options: dict[str, Any] = {"width": 3, "length": 5, "select": model.select}
    plain = beam_search(model.step, [1, 2], model.initial_state(2), **options)
    compiled = beam_search(jit(model.step), [1, 2], model.initial_state(2), **options)
    for row, start in enumerate((1, 2)):
        for a, b in zip(plain[row], compiled[row], strict=True):
            assert a.symbols == b.symbols
            assert a.log_probability == pytest.approx(b.log_probability, rel=1e-5)
        read = np.array([start, *plain[row][0].symbols])
        logits, _ = model(from_numpy(read[:-1, None]))
        log_p = logits.log_softmax(-1).detach().numpy()[np.arange(5), 0, read[1:]].sum()
        assert plain[row][0].log_probability == pytest.approx(float(log_p), rel=1e-5)
    by_axis = beam_search(
        model.step, [1, 2], model.initial_state(2), width=3, length=5, batch_axis=1
    )
    assert by_axis == plain
    assert is_grad_enabled()


def test_symbols_are_drawn_as_often_as_their_probability() -> None:
    """Drawing is biased, or all rows draw the same."""
    chain = Chain(0, 1, 3)
    B = 4000
    state = Pair(from_numpy(np.zeros(B, np.int64)), from_numpy(np.zeros(B, np.int64)))
    drawn = sample(chain.step, np.ones(B, np.int64), state, length=2, seed=1)
    counts = Counter(map(tuple, drawn.symbols.tolist()))
    for symbols in itertools.product(range(3), repeat=2):
        p = math.exp(chain.log_p(0, 1, symbols))
        # Four standard deviations.
        assert abs(counts[symbols] / B - p) < 4 * math.sqrt(p * (1 - p) / B) + 1e-9
    expected = [chain.log_p(0, 1, tuple(row)) for row in drawn.symbols[:50].tolist()]
    np.testing.assert_allclose(drawn.log_probabilities[:50], expected)


def test_a_drawn_row_ends_with_its_end_symbol() -> None:
    """Symbols after the end count, or a short row ends the longer ones."""
    chain = Chain(5, 6, 4)
    drawn = sample(chain.step, [1] * 6, chain.state(), length=30, end=2, seed=3)
    assert len(set(drawn.lengths.tolist())) > 1
    for row, (symbols, length) in enumerate(zip(drawn.symbols, drawn.lengths, strict=True)):
        assert 2 not in symbols[:length]
        assert (symbols[length:] == 2).all()
        known = (*symbols[:length].tolist(), 2)[: drawn.symbols.shape[1]]
        assert drawn.log_probabilities[row] == pytest.approx(chain.log_p(row, 1, known))
    assert drawn.symbols.shape[1] <= drawn.lengths.max() + 1


def test_settings_of_drawing() -> None:
    """Temperature, top_k or top_p has no effect on rows drawn side by side, or a seed none."""
    chain = Chain(2, 3, 6)

    def draw(**settings: Any) -> list[list[int]]:
        symbols = sample(chain.step, [0, 1, 2], chain.state(), length=20, **settings).symbols
        return symbols.tolist()  # type: ignore[no-any-return]

    greedy = draw(temperature=0.0)
    assert draw(top_k=1) == draw(top_p=1e-9) == draw(temperature=1e-9) == greedy
    assert draw(seed=1) == draw(generator=Generator(1)) != draw(seed=2)
    assert draw(seed=1) != greedy
    best = beam_search(chain.step, [0, 1, 2], chain.state(), width=1, length=20)
    assert [list(row[0].symbols) for row in best] == greedy


def test_completions_are_the_most_probable_words() -> None:
    """Words come out of order, cut, or with probabilities that are not theirs."""
    verse = "the cat sat. the cat ran. the car ran. the dog sat. " * 5
    vocabulary = Vocabulary.from_text(verse)
    model = NGramLanguageModel(vocabulary.encode(verse), len(vocabulary), 8)
    found = completions(model, vocabulary, "the c", 2)
    assert [text for text, _ in found] == ["at", "ar"]
    for text, p in found:
        nats = surprises(model, vocabulary.encode(f"the c{text} "))
        assert p == pytest.approx(math.exp(-nats[4:].sum()))
    assert completions(model, vocabulary, "th", 1, length=2, end=None)[0][0] == "e "
    with pytest.raises(VocabularyError):
        completions(model, vocabulary, "the z")


@pytest.mark.parametrize("jit", [True, False])
def test_texts_are_written_side_by_side(jit: bool) -> None:
    """Texts of one call are all the same, do not go on from the prime, or are not the model's."""
    verse = "abab cdcd " * 20
    vocabulary = Vocabulary.from_text(verse)
    counted = NGramLanguageModel(vocabulary.encode(verse), len(vocabulary), 6)
    assert generate_batch(counted, vocabulary, " ab", 3, length=3, temperature=0, jit=jit) == [
        "ab "
    ] * 3
    assert generate_batch(counted, vocabulary, " c", 2, end=" ", temperature=0.1, seed=0) == [
        "dcd"
    ] * 2
    manual_seed(0)
    model = RecurrentLanguageModel(len(vocabulary), "gru", 8, 1, dropout=0.5)
    options: dict[str, Any] = {"length": 20, "seed": 1, "jit": jit}
    texts = generate_batch(model, vocabulary, "ab", 5, **options)
    assert len(set(texts)) == 5
    assert {len(text) for text in texts} == {20}
    assert texts == generate_batch(model, vocabulary, "ab", 5, **options)
    greedy = generate_batch(model, vocabulary, "ab", 2, length=9, temperature=0, jit=jit)
    assert greedy == [generate_text(model, vocabulary, "ab", length=9, greedy=True)] * 2
    assert model.training


def nothing(symbols: Tensor, state: Any) -> Any:
    return zeros(len(symbols), 3), state


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"width": 0}, ArgumentError, "width"),
        ({"length": 0}, ArgumentError, "length"),
        ({"hypotheses": 9}, ArgumentError, "width 4"),
        ({"end": 3}, OutOfRangeError, "0 … 2"),
        ({"length_penalty": "a"}, ArgumentError, "length_penalty"),
        ({"start": []}, ShapeError, "no rows"),
        ({"start": [0.5]}, DtypeError, "integers"),
        ({"step": lambda x, s: (zeros(4, 3, 1), s)}, ShapeError, r"\(4, V\)"),
        ({"step": lambda x, s: (zeros(4, 3) * math.nan, s)}, NumericalError, "NaN"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A mistake ends in an IndexError of NumPy, or in nonsense."""
    given: dict[str, Any] = {"step": nothing, "start": [0], "state": None} | arguments
    with pytest.raises(error, match=words):
        beam_search(**given)
