"""Drawing text from a language model, symbol by symbol.

Nothing here changes a model, and no random numbers are drawn but from the generator at hand.
"""

from __future__ import annotations

import codecs
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.creation import as_tensor, from_numpy
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, NumericalError, ShapeError
from tinygrad_rnn.functions import cat, sort, where
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.lm.arguments import is_number, require
from tinygrad_rnn.lm.model import RecurrentLanguageModel, State, inference
from tinygrad_rnn.nn import functional
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.text import Vocabulary
from tinygrad_rnn.text.arguments import size_of

Ids = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]

BLOCK = 16
"""Symbols drawn by one compiled call."""

COMPARED = 256
"""The largest vocabulary whose symbols are put in order by comparing each with each."""


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

    greedy = greedy or temperature == 0.0
    cut = Settings(
        *(
            None if value is None or greedy else as_tensor(value, float64)
            for value in (temperature, top_k, top_p)
        )
    )
    decode = _decoder(vocabulary, primed)
    return _generated(model, read, length, None if greedy else source, cut, decode, jit)


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
    given = (temperature, top_k, top_p)
    _check(*given)
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
    settings = Settings(*(None if x is None else as_tensor(x, float64) for x in given))
    weights, _ = _weights(as_tensor(logits.astype(np.float64)), settings)
    return np.asarray((weights / weights.sum()).numpy())


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
    source: Generator | None,
    settings: Settings,
    decode: Callable[[int], str],
    jit: bool,
) -> Iterator[str]:
    size = BLOCK if jit else 1
    step = model.compiled.of(draw, model) if jit else functools.partial(draw, model)
    symbol, state = from_numpy(read[-1:]), None
    for begun in range(0, length, size):
        count = min(size, length - begun)
        numbers = None if source is None else _numbers(source, count, size)
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


class Settings(NamedTuple):
    """How to draw, as float64 tensors without axes, so that one recording serves all numbers."""

    temperature: Tensor | None
    top_k: Tensor | None
    top_p: Tensor | None


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
    model: RecurrentLanguageModel,
    count: int,
    symbol: Tensor,
    state: State,
    numbers: Tensor | None,
    settings: Settings,
) -> Drawn:
    """Draw symbols, each from the model's probabilities after the one before.

    Reads no number back.

    Args:
        model: the model.
        count: how many symbols.
        symbol: what is read first, (1,).
        state: the state before it.
        numbers: equally distributed over [0, 1), (count,); None takes the most probable symbols.
        settings: what the probabilities depend on besides the logits.
    """
    symbols, spreads = [], []
    for i in range(count):
        logits, state = model(symbol.unsqueeze(1), state)
        row = logits[0, 0]
        if numbers is None:
            spreads.append(row.to(float64).amax(0, True) - row.to(float64).amin(0, True))
            symbol = row.argmax(0, True)
        else:
            weights, spread = _weights(row.to(float64), settings)
            spreads.append(spread)
            symbol = drawn_from(weights, numbers[i : i + 1])
        symbols.append(symbol)
    return Drawn(cat(symbols), symbol, state, cat(spreads))


def _weights(logits: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """e^(logits / temperature) up to a factor, 0 for what is cut, (V,); and the logits' spread."""
    assert settings.temperature is not None
    highest = logits.amax(0, True)
    spread = highest - logits.amin(0, True)
    weights = ((logits - highest) / settings.temperature).exp()
    if settings.top_k is None and settings.top_p is None:
        return weights, spread
    # By logits, which tell apart what rounds to the same probability.
    ranks, before = _ranked(logits, weights)
    if settings.top_k is not None:
        weights = where(ranks < settings.top_k, weights, 0.0)
    if settings.top_p is not None:
        weights = where(before < settings.top_p * weights.sum(), weights, 0.0)
    return weights, spread


def _ranked(logits: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """For each symbol, how many are more probable, and the sum of their weights, (V,) each.

    Of equals, those of lower number count as more probable.
    """
    size = len(logits)
    if size > COMPARED:
        order = sort(-logits).indices
        in_order = weights.gather(0, order)
        places = sort(order).indices
        return places.to(float64), (in_order.cumsum(0) - in_order).gather(0, places)
    theirs, own = logits.unsqueeze(0), logits.unsqueeze(1)
    lower = from_numpy(np.tri(size, k=-1, dtype=np.bool_))
    ahead = ((theirs > own) | ((theirs == own) & lower)).to(float64)
    return ahead.sum(1), (ahead * weights).sum(1)


def drawn_from(weights: Tensor, number: Tensor) -> Tensor:
    """The first symbol at which the sum of weights exceeds the share `number` of their total."""
    sums = _summed_up(weights)
    possible = weights > 0.0
    # The total is one of the sums, so that no rounding leaves a share without a symbol.
    total = where(possible, sums, 0.0).amax(0, True)
    return ((number * total < sums) & possible).to(float64).argmax(0, True)


def _summed_up(weights: Tensor) -> Tensor:
    """The cumulative sum, by two products with triangles of ones: within rows and of rows."""
    size = len(weights)
    width = math.isqrt(size - 1) + 1
    height = -(-size // width)
    table = functional.pad(weights, (0, height * width - size)).reshape(height, width)
    within = table @ from_numpy(np.tri(width).T.copy())
    before = from_numpy(np.tri(height, k=-1)) @ within[:, -1:]
    return (within + before).flatten()[:size]


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
