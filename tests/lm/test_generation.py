"""Generation: which symbols may come, how often, and that a seed decides them."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tinygrad_rnn.context import is_grad_enabled, no_grad
from tinygrad_rnn.creation import from_numpy, multinomial, tensor
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, NumericalError, VocabularyError
from tinygrad_rnn.generator import Generator, default_generator, manual_seed
from tinygrad_rnn.lm import (
    RecurrentLanguageModel,
    drawing,
    generate,
    generate_text,
    probabilities,
)
from tinygrad_rnn.lm.drawing import drawn_from
from tinygrad_rnn.lm.generation import BLOCK, draw
from tinygrad_rnn.nn.init import constant_
from tinygrad_rnn.text import Vocabulary

LOGITS = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=12).map(
    lambda values: np.array(values, np.float32)
)


def softmax(logits: Any) -> Any:
    e = np.exp(logits.astype(np.float64) - logits.max())
    return e / e.sum()


@given(logits=LOGITS, temperature=st.floats(0.1, 10))
def test_probabilities_are_a_softmax(logits: Any, temperature: float) -> None:
    """Temperature does something else than divide the logits."""
    p = probabilities(logits, temperature)
    np.testing.assert_allclose(p, softmax(logits / np.float64(temperature)), rtol=1e-6, atol=1e-12)


@given(logits=LOGITS, k=st.integers(1, 15))
def test_top_k_keeps_the_k_most_probable(logits: Any, k: int) -> None:
    """A symbol outside the k most probable can be drawn, or one inside cannot."""
    p = probabilities(logits, top_k=k)
    kept = np.flatnonzero(p)
    assert len(kept) == min(k, len(logits))
    dropped = np.setdiff1d(np.arange(len(logits)), kept)
    assert all(logits[kept].min() >= logits[dropped])
    np.testing.assert_allclose(p[kept], softmax(logits)[kept] / softmax(logits)[kept].sum())


@given(logits=LOGITS, share=st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_that_reach_p(logits: Any, share: float) -> None:
    """Too much or too little of the distribution is left."""
    full = softmax(logits)
    kept = np.flatnonzero(probabilities(logits, top_p=share))
    assert full[kept].sum() >= share - 1e-9
    # Without the least probable of those kept, p would not be reached.
    assert full[kept].sum() - full[kept].min() < share + 1e-9


def test_top_p_is_of_what_top_k_left() -> None:
    """Both together let through what one of them forbids."""
    logits = np.log(np.array([0.4, 0.3, 0.2, 0.1]))
    assert np.flatnonzero(probabilities(logits, top_k=2, top_p=0.5)).tolist() == [0]
    assert np.flatnonzero(probabilities(logits, top_k=2, top_p=0.6)).tolist() == [0, 1]
    assert np.flatnonzero(probabilities(logits, top_k=3, top_p=1.0)).tolist() == [0, 1, 2]


@given(logits=LOGITS)
def test_a_temperature_near_zero_leaves_only_the_most_probable(logits: Any) -> None:
    """A tiny temperature overflows instead of approaching the greedy choice."""
    p = probabilities(logits, 1e-300)
    assert p.sum() == pytest.approx(1.0)
    assert (logits[np.flatnonzero(p)] == logits.max()).all()


def test_greedy_takes_the_most_probable(
    model: RecurrentLanguageModel, vocabulary: Vocabulary
) -> None:
    """Greedy choice, temperature 0 and top_k 1 differ from the argmax of the logits."""
    read = vocabulary.encode("the c")
    for _ in range(10):
        logits, _ = model(from_numpy(read[:, None]))
        read = np.append(read, logits.detach().numpy()[-1, 0].argmax())
    expected = vocabulary.decode(read[5:])
    for arguments in ({"greedy": True}, {"temperature": 0.0}, {"temperature": 1e-6}, {"top_k": 1}):
        assert generate_text(model, vocabulary, "the c", length=10, **arguments) == expected


def test_symbols_come_as_often_as_their_probability() -> None:
    """Drawing is biased."""
    model = RecurrentLanguageModel(3, "rnn", 2)
    for parameter in model.parameters():
        constant_(parameter, 0.0)
    constant_(model.output.bias[0:1].detach(), math.log(6.0))
    constant_(model.output.bias[1:2].detach(), math.log(3.0))
    counts = Counter(generate(model, Vocabulary("abc"), length=3000, seed=1))
    for symbol, p in (("a", 0.6), ("b", 0.3), ("c", 0.1)):
        # Four standard deviations.
        assert abs(counts[symbol] / 3000 - p) < 4 * math.sqrt(p * (1 - p) / 3000)


def test_a_seed_decides_the_text(model: RecurrentLanguageModel, vocabulary: Vocabulary) -> None:
    """The same seed writes different texts, or different seeds the same."""
    texts = [generate_text(model, vocabulary, length=60, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0] == generate_text(model, vocabulary, length=60, generator=Generator(1))
    manual_seed(1)
    assert texts[0] == generate_text(model, vocabulary, length=60)


SETTINGS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.5},
    {"top_k": 3},
    {"top_p": 0.6, "temperature": 2.0},
    {"top_k": 4, "top_p": 0.9},
    {"greedy": True},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_compiled_text_is_the_text(kind: str, settings: dict[str, Any]) -> None:
    """The compiled step draws other symbols than the operations it was recorded from."""
    manual_seed(4)
    model = RecurrentLanguageModel(20, kind, 16, 2)
    vocabulary = Vocabulary("abcdefghijklmnopqrst")
    # Neither a whole number of blocks nor less than one.
    length = 3 * BLOCK + 5
    streams = [Generator(2), Generator(2)]
    texts = [
        generate_text(
            model, vocabulary, "feed", length=length, generator=stream, jit=jit, **settings
        )
        for stream, jit in zip(streams, (True, False), strict=True)
    ]
    assert len(texts[0]) == length
    assert texts[0] == texts[1]
    assert streams[0].get_state() == streams[1].get_state()


def test_a_model_is_recorded_once(model: RecurrentLanguageModel, vocabulary: Vocabulary) -> None:
    """Every call waits a second for its step, or goes on with weights that are no more."""
    first = generate_text(model, vocabulary, length=40, seed=1)
    generate_text(model, vocabulary, "the", length=3, seed=2, temperature=0.3)
    assert len(model.compiled.of(draw, model).recorded.recordings) == 1
    with no_grad():
        for parameter in model.parameters():
            parameter.assign(parameter * 3.0)
    after = generate_text(model, vocabulary, length=40, seed=1)
    assert len(model.compiled.of(draw, model).recorded.recordings) == 1
    assert first != after == generate_text(model, vocabulary, length=40, seed=1, jit=False)


@given(
    weights=st.lists(st.sampled_from([0.0, 1e-300, 0.3, 1.0]), min_size=1, max_size=40),
    number=st.one_of(st.just(0.0), st.just(1.0 - 2.0**-53), st.floats(0, 1, exclude_max=True)),
)
def test_what_has_no_probability_is_never_drawn(weights: list[float], number: float) -> None:
    """A symbol that was cut is drawn where the random number is at an edge of its range."""
    weights[len(weights) // 2] = 0.7
    drawn = drawn_from(tensor(weights, float64), tensor([number], float64)).item()
    assert weights[drawn] > 0.0
    shares = np.cumsum(weights) / np.sum(weights)
    assert ([0.0, *shares][drawn]) - 1e-12 <= number <= shares[drawn] + 1e-12


@given(logits=LOGITS, k=st.integers(1, 15), share=st.floats(0.01, 1.0))
def test_sorting_and_comparing_give_the_same_order(logits: Any, k: int, share: float) -> None:
    """A large vocabulary is cut otherwise than a small one."""
    compared = probabilities(logits, 1.0, k, share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "COMPARED", 0)
        by_sorting = probabilities(logits, 1.0, k, share)
    # Where the sums reach the share but for rounding, either may keep one symbol more.
    close = np.isclose(np.cumsum(np.sort(softmax(logits))[::-1][:k]).tolist(), share).any()
    assert close or np.allclose(compared, by_sorting)


def test_a_seed_leaves_other_random_numbers_alone(
    model: RecurrentLanguageModel, vocabulary: Vocabulary
) -> None:
    """A sample during training changes what is learned."""
    before = default_generator.get_state()
    generate_text(model, vocabulary, length=5, seed=3)
    assert default_generator.get_state() == before


def test_pieces_come_one_by_one_and_leave_no_trace(vocabulary: Vocabulary) -> None:
    """The caller waits for the whole text, or finds gradients or dropout switched off."""
    model = RecurrentLanguageModel(len(vocabulary), "gru", 4, dropout=0.5)
    pieces = generate(model, vocabulary, length=1_000_000_000)
    assert len(next(pieces)) == 1
    assert is_grad_enabled()
    assert model.training


def test_an_empty_prime_is_a_newline_or_symbol_0() -> None:
    """The first symbol depends on something that is not documented."""
    lines = Vocabulary("ab\n")
    small = RecurrentLanguageModel(3, "rnn", 4)
    arguments: dict[str, Any] = {"length": 20, "seed": 5}
    assert generate_text(small, lines, **arguments) == generate_text(
        small, lines, "\n", **arguments
    )
    assert generate_text(small, Vocabulary("abc"), **arguments) == generate_text(
        small, Vocabulary("abc"), "a", **arguments
    )


def test_unknown_characters_of_the_prime(
    model: RecurrentLanguageModel, vocabulary: Vocabulary
) -> None:
    """An unknown character is silently taken for another one, or cannot be passed over."""
    with pytest.raises(VocabularyError, match="U\\+00E9"):
        generate(model, vocabulary, "caé")
    arguments: dict[str, Any] = {"length": 20, "seed": 5}
    skipped = generate_text(model, vocabulary, "caé", unknown="skip", **arguments)
    assert skipped == generate_text(model, vocabulary, "ca", **arguments)
    replaced = generate_text(model, vocabulary, "caé", unknown="replace", **arguments)
    assert replaced == generate_text(model, vocabulary, "ca ", **arguments)
    nothing = generate_text(model, vocabulary, "é", unknown="skip", **arguments)
    assert nothing == generate_text(model, vocabulary, **arguments)


def drawn_at_once(
    model: RecurrentLanguageModel, words: Vocabulary, prime: str, length: int, seed: int
) -> str:
    """The same text, decoded as a whole."""
    read = words.encode(prime)
    generator = Generator(seed)
    numbers = read.tolist()
    state = None
    for _ in range(length):
        logits, state = model(from_numpy(read[:, None]), state)
        p = probabilities(logits.detach().numpy()[-1, 0])
        read = multinomial(from_numpy(p), generator=generator).numpy()
        numbers.append(int(read[0]))
    return words.decode(numbers).removeprefix(prime)


@hypothesis_settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_pieces_of_words_join_to_their_text(seed: int) -> None:
    """Spaces between words are lost or doubled when they come one by one."""
    text = 'He said: "not now", (then)\n\nleft-over words … one,two'
    words = Vocabulary.from_text(text, "word")
    manual_seed(seed)
    model = RecurrentLanguageModel(len(words), "rnn", 4)
    pieces = list(generate(model, words, "He said", length=30, seed=seed))
    assert len(pieces) == 30
    assert "".join(pieces) == drawn_at_once(model, words, "He said", 30, seed)


def test_bytes_join_to_characters() -> None:
    """A character of several bytes is printed as rubbish while it is incomplete."""
    vocabulary = Vocabulary(level="byte")
    model = RecurrentLanguageModel(256, "rnn", 2)
    for parameter in model.parameters():
        constant_(parameter, 0.0)
    # 0xC3 0xC3 …: each byte begins a character that the next one does not complete.
    constant_(model.output.bias[0xC3:0xC4].detach(), 50.0)
    pieces = list(generate(model, vocabulary, "é", length=3, greedy=True))
    assert pieces == ["", "\ufffd", "\ufffd"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"length": -1}, "length"),
        ({"length": 1.5}, "length"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 2.0}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"unknown": "guess"}, "unknown"),
        ({"seed": 1, "generator": Generator(1)}, "not both"),
    ],
)
def test_settings_out_of_range_are_named_at_once(
    model: RecurrentLanguageModel, vocabulary: Vocabulary, arguments: dict[str, Any], words: str
) -> None:
    """A wrong setting is noticed only when the first symbol is asked for, or never."""
    with pytest.raises(ArgumentError, match=words):
        generate(model, vocabulary, **arguments)


def test_another_vocabulary_is_refused(model: RecurrentLanguageModel) -> None:
    """Numbers are written out as the wrong symbols."""
    with pytest.raises(ArgumentError, match="2 symbols"):
        generate(model, Vocabulary("ab"))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("greedy", [True, False])
@pytest.mark.parametrize("jit", [True, False])
def test_logits_that_are_not_finite_are_an_error(
    model: RecurrentLanguageModel, vocabulary: Vocabulary, value: float, greedy: bool, jit: bool
) -> None:
    """A broken model writes symbol 0 for ever."""
    constant_(model.output.bias[0:1].detach(), value)
    for length in (1, 2 * BLOCK):
        with pytest.raises(NumericalError, match="symbol 0 are not finite"):
            generate_text(model, vocabulary, length=length, greedy=greedy, jit=jit)
