"""Drawing text from a language model, symbol by symbol.

Nothing here changes a model, and no random numbers are drawn but from the generator at hand.
"""

from __future__ import annotations

import codecs
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, NumericalError
from tinygrad_rnn.functions import cat
from tinygrad_rnn.generator import Generator
from tinygrad_rnn.lm.arguments import require
from tinygrad_rnn.lm.base import LanguageModel, State
from tinygrad_rnn.lm.drawing import (
    Settings,
    check_settings,
    drawn_from,
    generator_of,
    settings_of,
    weights_of,
)
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.text import Vocabulary
from tinygrad_rnn.text.arguments import size_of
from tinygrad_rnn.training.modes import inference

Ids = npt.NDArray[np.int64]

BLOCK = 16
"""Symbols drawn by one compiled call."""


def generate(
    model: LanguageModel,
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
    jit: bool = True,
) -> Iterator[str]:
    """Yield the text that the model writes after `prime`, piece by piece.

    With `jit`, symbols are drawn by a compiled step, which is kept with the model, some of them
    at a time and ahead of what is yielded.

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
        jit: draw by a compiled step. Recording it takes a moment, so for a few symbols False may
            be faster. The text is the same, unless the rounding of a logit decides a symbol.

    Raises:
        ArgumentError: for a setting out of range, or a vocabulary of another size.
        VocabularyError: for an unknown character in the prime; it is named.
        NumericalError: when the model's logits are not finite.
        RecordingError: with `jit`, for a cell of your own that reads a number back.
    """
    require(model, LanguageModel, "model")
    require(vocabulary, Vocabulary, "vocabulary")
    size_of("length", length, 0)
    check_settings(temperature, top_k, top_p)
    source = generator_of(seed, generator)
    if len(vocabulary) != model.vocabulary_size:
        raise ArgumentError(
            f"the vocabulary has {len(vocabulary)} symbols and the model "
            f"{model.vocabulary_size}; use the one that was saved with the model"
        )
    primed = vocabulary.encode(prime, unknown)
    start = vocabulary.index("\n") if "\n" in vocabulary else 0
    read = primed if primed.size else np.array([start], dtype=np.int64)
    settings = settings_of(0.0 if greedy else temperature, top_k, top_p)
    decode = _decoder(vocabulary, primed)
    return _generated(model, read, length, source, settings, decode, jit)


def generate_text(
    model: LanguageModel, vocabulary: Vocabulary, prime: str = "", **settings: Any
) -> str:
    """Return what `generate` with the same arguments yields, as one string."""
    return "".join(generate(model, vocabulary, prime, **settings))


def _generated(
    model: LanguageModel,
    read: Ids,
    length: int,
    source: Generator,
    settings: Settings | None,
    decode: Callable[[int], str],
    jit: bool,
) -> Iterator[str]:
    compiles = jit and model.recordable
    size = BLOCK if compiles else 1
    step = model.compiled.of(draw, model) if compiles else functools.partial(draw, model)
    symbol, state = from_numpy(read[-1:]), None
    for begun in range(0, length, size):
        count = min(size, length - begun)
        numbers = None if settings is None else _numbers(source, count, size)
        # Entered anew for each block: the caller's code runs in between.
        with inference(model):
            if state is None:
                state = model.initial_state(1)
                if len(read) > 1:
                    _, state = model(from_numpy(read[:-1, None]), state)
            drawn = step(size, symbol, state, numbers, settings)
        symbol, state = drawn.last, drawn.state
        sound = np.isfinite(drawn.spreads.numpy()).tolist()
        for i, number in enumerate(drawn.symbols.tolist()[:count]):
            if not sound[i]:
                raise NumericalError(
                    f"the model's logits for symbol {begun + i} are not finite, so nothing can be "
                    "drawn from them; use an earlier checkpoint"
                )
            yield decode(number)


def _numbers(source: Generator, count: int, size: int) -> Tensor:
    """The numbers that `count` draws of one number give, and zeros up to `size`."""
    numbers = np.zeros(size)
    # A draw of one number uses up as much of the stream as two numbers do.
    numbers[:count] = source.uniform((2 * count,), np.float64)[::2]
    return from_numpy(numbers)


class Drawn(NamedTuple):
    """Symbols drawn one after the other.

    Attributes:
        symbols: their numbers, (N,).
        last: the last of them, (1,).
        state: the state before the last of them is read.
        spreads: the difference of the highest and the lowest logit at each draw, (N,); it is
            finite if all logits are.
    """

    symbols: Tensor
    last: Tensor
    state: State
    spreads: Tensor


def draw(
    model: LanguageModel,
    count: int,
    symbol: Tensor,
    state: State,
    numbers: Tensor | None,
    settings: Settings | None,
) -> Drawn:
    """Draw symbols, each from the model's probabilities after the one before.

    Reads no number back.

    Args:
        model: the model.
        count: how many symbols.
        symbol: what is read first, (1,).
        state: the state before it.
        numbers: equally distributed over [0, 1), (count,); None takes the most probable symbols.
        settings: what the probabilities depend on besides the logits; None as with `numbers`.
    """
    symbols, spreads = [], []
    for i in range(count):
        logits, state = model(symbol.unsqueeze(1), state)
        row = logits[0, 0].to(float64)
        if numbers is None or settings is None:
            spreads.append(row.amax(0, True) - row.amin(0, True))
            symbol = row.argmax(0, True)
        else:
            weights, spread = weights_of(row, settings)
            spreads.append(spread)
            symbol = drawn_from(weights, numbers[i : i + 1])
        symbols.append(symbol)
    return Drawn(cat(symbols), symbol, state, cat(spreads))


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
