"""Drawing text from a language model, symbol by symbol.

Nothing here changes a model, and no random numbers are drawn but from the generator at hand.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.creation import as_tensor, from_numpy, multinomial
from tinygrad_rnn.errors import ArgumentError, NumericalError, ShapeError
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.lm.arguments import is_number, require
from tinygrad_rnn.lm.model import RecurrentLanguageModel, inference
from tinygrad_rnn.text import Vocabulary
from tinygrad_rnn.text.arguments import size_of

Ids = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


def generate(
    model: RecurrentLanguageModel,
    vocabulary: Vocabulary,
    prime: str = "",
    length: int = 200,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    greedy: bool = False,
    seed: int | None = None,
    generator: Generator | None = None,
    unknown: str = "error",
) -> Iterator[str]:
    """Yield the text that the model writes after `prime`, piece by piece as symbols come.

    The pieces joined together are the text, without the prime. A piece is one character; at level
    "word" a word with the space before it; at level "byte" what the byte completes, which may be
    nothing.

    Args:
        model: the model.
        vocabulary: the vocabulary it was trained with.
        prime: what the model reads first. An empty one stands for a newline, as if a line had
            just ended, or for symbol 0 where the vocabulary has no newline.
        length: how many symbols to draw.
        temperature: logits are divided by it. Below 1 the model plays safe, above 1 it takes
            risks; 0 is the same as `greedy`.
        top_k: draw from the k most probable symbols only.
        top_p: draw from the fewest symbols whose probabilities add up to p (Holtzman et al.,
            2019); of what `top_k` left, where both are given.
        greedy: always take the most probable symbol, the one of lowest number among equals.
        seed: start a new stream of random numbers, so that the same call gives the same text.
        generator: the stream to draw from instead; by default that of `manual_seed`.
        unknown: "error", "skip" or "replace", for characters of the prime that the vocabulary
            does not hold; see `Vocabulary.encode`.

    Raises:
        ArgumentError: for a setting out of range, or a vocabulary of another size.
        VocabularyError: for an unknown character in the prime; it is named.
        NumericalError: when the model's logits are not finite.
    """
    require(model, RecurrentLanguageModel, "model")
    require(vocabulary, Vocabulary, "vocabulary")
    size_of("length", length, 0)
    _check(temperature, top_k, top_p)
    if generator is not None:
        require(generator, Generator, "generator")
    if seed is not None and generator is not None:
        raise ArgumentError("give a seed or a generator, not both")
    if len(vocabulary) != model.vocabulary_size:
        raise ArgumentError(
            f"the vocabulary has {len(vocabulary)} symbols and the model "
            f"{model.vocabulary_size}; use the one that was saved with the model"
        )
    primed = vocabulary.encode(prime, unknown)
    start = vocabulary.index("\n") if "\n" in vocabulary else 0
    read = primed if primed.size else np.array([start], dtype=np.int64)
    if seed is not None:
        generator = Generator(seed)
    source = default_generator if generator is None else generator

    def choose(logits: npt.NDArray[Any]) -> int:
        if greedy or temperature == 0.0:
            return int(np.argmax(logits))
        p = probabilities(logits, temperature, top_k, top_p)
        return int(multinomial(as_tensor(p), generator=source).item())

    decode = _decoder(vocabulary, primed)
    return _generated(model, read, length, choose, decode)


def generate_text(
    model: RecurrentLanguageModel, vocabulary: Vocabulary, prime: str = "", **settings: Any
) -> str:
    """Return what `generate` with the same arguments yields, as one string."""
    return "".join(generate(model, vocabulary, prime, **settings))


def probabilities(
    logits: npt.NDArray[Any],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Probabilities:
    """Return softmax(logits / temperature), cut to the `top_k` and `top_p` and scaled to sum 1.

    Of equally probable symbols, those of lower number are kept first. At least one symbol is
    always kept.

    Args:
        logits: (V,).
        temperature: above 0.
        top_k: the number of symbols kept; None keeps all.
        top_p: the probability kept, in (0, 1]; None keeps all.

    Raises:
        ArgumentError, ShapeError: for a setting out of range, or logits of another shape.
        NumericalError: when a logit is NaN, or the highest is infinite.
    """
    _check(temperature, top_k, top_p)
    if temperature == 0.0:
        raise ArgumentError("temperature is 0, which has no probabilities; take logits.argmax()")
    logits = np.asarray(logits)
    if logits.ndim != 1 or not logits.size or logits.dtype.kind not in "fiu":
        raise ShapeError(
            "logits are one row of numbers, one for each symbol, not an array of shape "
            f"{logits.shape} and type {logits.dtype}"
        )
    if not np.isfinite(logits.max()):
        raise NumericalError(f"the highest logit is {logits.max()}; it must be finite")
    shifted = logits.astype(np.float64) - logits.max()
    with np.errstate(over="ignore", under="ignore"):
        p: Probabilities = np.exp(shifted / temperature)
    p /= p.sum()
    if top_k is None and top_p is None:
        return p
    # By logits, which tell apart what rounds to the same probability.
    order = np.argsort(-logits, kind="stable")
    kept = len(order) if top_k is None else min(top_k, len(order))
    if top_p is not None:
        cumulative = np.cumsum(p[order[:kept]])
        kept = int(np.searchsorted(cumulative, top_p * cumulative[-1])) + 1
    p[order[kept:]] = 0.0
    return np.asarray(p / p.sum())


def _check(temperature: float, top_k: int | None, top_p: float | None) -> None:
    if not is_number(temperature) or not 0.0 <= temperature < float("inf"):
        raise ArgumentError(
            f"temperature is {temperature!r}; it must be 0 (the most probable symbol always) or "
            "more, and finite"
        )
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1):
        raise ArgumentError(f"top_k is {top_k!r}; it must be an integer, 1 or more, or None")
    if top_p is not None and not (is_number(top_p) and 0.0 < top_p <= 1.0):
        raise ArgumentError(f"top_p is {top_p!r}; it must be above 0 and at most 1, or None")


def _generated(
    model: RecurrentLanguageModel,
    read: Ids,
    length: int,
    choose: Callable[[npt.NDArray[Any]], int],
    decode: Callable[[int], str],
) -> Iterator[str]:
    state = None
    for number in range(length):
        # Entered anew for each symbol: the caller's code runs in between.
        with inference(model):
            logits, state = model(from_numpy(read[:, None]), state)
        last = logits[-1, 0].numpy()
        if not np.isfinite(last).all():
            raise NumericalError(
                f"the model's logits for symbol {number} are not finite, so nothing can be drawn "
                "from them; use an earlier checkpoint"
            )
        chosen = choose(last)
        yield decode(chosen)
        read = np.array([chosen], dtype=np.int64)


def _decoder(vocabulary: Vocabulary, before: Ids) -> Callable[[int], str]:
    """Return a function from each next number to the text that it adds."""
    if vocabulary.level == "char":
        return lambda number: vocabulary.symbols[number]
    if vocabulary.level == "byte":
        bytewise = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda number: bytewise.decode(bytes([number]))
    # A word's space depends on the word before it, and on a mark that may stand between them.
    tail = before[-2:].tolist()

    def decode_word(number: int) -> str:
        known = vocabulary.decode(tail)
        text = vocabulary.decode([*tail, number])
        tail[:] = [*tail[-1:], number]
        return text[len(known) :]

    return decode_word
