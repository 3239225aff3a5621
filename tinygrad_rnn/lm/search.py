"""Sequences from any model that is read step by step: beam search, and drawing many at once.

A step is `(symbols (B,), state) -> (ln p of each next symbol (B, V), state)`: the `step` of a
language model, a sequence-to-sequence decoder, or any function, compiled or not. Nothing here
knows what a state is, but for how its rows are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.context import no_grad
from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, NumericalError, OutOfRangeError, ShapeError
from tinygrad_rnn.generator import Generator
from tinygrad_rnn.lm.arguments import number_of, require
from tinygrad_rnn.lm.base import LanguageModel, Select, State
from tinygrad_rnn.lm.drawing import drawn_from, generator_of, settings_of, weights_of
from tinygrad_rnn.nn import map_state
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.text import Vocabulary
from tinygrad_rnn.text.arguments import size_of, text_of
from tinygrad_rnn.training.modes import inference

Step = Callable[[Tensor, State], tuple[Tensor, State]]
Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Hypothesis(NamedTuple):
    """A sequence that a search found.

    Attributes:
        symbols: symbol numbers, without what was read first and without the end symbol.
        log_probability: ln p of the symbols, the end symbol's included.
        score: log_probability / length ** length_penalty, by which hypotheses are compared.
        finished: whether it came to the end symbol.
    """

    symbols: tuple[int, ...]
    log_probability: float
    score: float
    finished: bool


def beam_search(
    step: Step,
    start: npt.ArrayLike,
    state: State,
    *,
    width: int = 4,
    length: int = 100,
    end: int | None = None,
    hypotheses: int = 1,
    length_penalty: float = 0.0,
    batch_axis: int = 0,
    select: Select | None = None,
) -> list[list[Hypothesis]]:
    """Return the most probable sequences that follow each row of a batch, best first.

    At every step each row keeps the `width` most probable sequences so far (Lowerre, 1976; Graves,
    2012). Width 1 is the greedy choice; a width of all sequences there are is an exact search.
    Sequences are compared by ln p / L ** length_penalty, L their length with the end symbol, which
    takes from short ones their advantage (Wu et al., 2016, section 7, in its simplest form).

    Args:
        step: `(symbols, state) -> (log-probabilities, state)`; it is always called with B · width
            rows, so that a compiled one is recorded once.
        start: the symbol that each row reads first, (B,).
        state: the state before it, for B rows.
        width: sequences kept a row.
        length: the most symbols of a sequence, the end symbol included.
        end: the symbol that ends a sequence; None lets all of them have `length` symbols.
        hypotheses: sequences returned a row, `width` at most; fewer where fewer exist.
        length_penalty: 0 compares probabilities, 1 the mean of ln p a symbol.
        batch_axis: the axis of rows in every tensor of the state.
        select: `(state, rows) -> state`, where the rows are not one axis of every tensor; the
            `select` of a language model.

    Returns:
        For each row its hypotheses; finished ones before others, then by score. Among equals the
        one found first, which is that of lower symbol numbers.

    Raises:
        ArgumentError, ShapeError, OutOfRangeError: for sizes, a start or an end that cannot be.
        NumericalError: when a log-probability is NaN.
    """
    first = _start_of(start)
    K = size_of("width", width)
    wanted = size_of("hypotheses", hypotheses)
    if wanted > K:
        raise ArgumentError(f"hypotheses is {wanted}, but width {K} keeps no more than {K}")
    size_of("length", length)
    alpha = number_of(length_penalty, "length_penalty")
    choose = _rows_of(batch_axis) if select is None else select
    B = len(first)
    done: list[list[Hypothesis]] = [[] for _ in range(B)]
    totals = np.full((B, K), -np.inf)
    totals[:, 0] = 0.0
    symbols = np.repeat(first, K)
    state = _chosen(choose, state, np.repeat(np.arange(B), K))
    written = np.empty((B * K, 0), np.int64)
    for t in range(1, length + 1):
        log_p, state = _stepped(step, symbols, state)
        V = log_p.shape[-1]
        if end is not None and not 0 <= end < V:
            raise OutOfRangeError(f"end is {end}, and symbols are numbered 0 … {V - 1}")
        sums = (totals[:, :, None] + log_p.reshape(B, K, V)).reshape(B, K * V)
        best = np.argsort(-sums, axis=1, kind="stable")[:, : 2 * K]
        rows = np.repeat(np.arange(B) * K, K).reshape(B, K)
        symbols = np.zeros((B, K), np.int64)
        before, totals = totals, np.full((B, K), -np.inf)
        for b in range(B):
            if not np.isfinite(before[b]).any():
                continue
            kept = 0
            for rank, place in enumerate(best[b].tolist()):
                total = float(sums[b, place])
                if kept == K or total == -math.inf:
                    break
                row, symbol = b * K + place // V, place % V
                if symbol == end:
                    # Below the beam's edge an ending would not have been kept either.
                    if rank < K:
                        done[b].append(_found(written[row], total, t, alpha, True))
                    continue
                rows[b, kept], symbols[b, kept], totals[b, kept] = row, symbol, total
                kept += 1
            if _is_settled(done[b], totals[b], wanted, length, alpha):
                totals[b] = -np.inf
        chosen = rows.reshape(-1)
        symbols = symbols.reshape(-1)
        written = np.concatenate([written[chosen], symbols[:, None]], axis=1)
        if not np.isfinite(totals).any():
            break
        if t < length:
            state = _chosen(choose, state, chosen)
    for b, k in zip(*np.nonzero(np.isfinite(totals)), strict=True):
        line = written[b * K + k]
        done[b].append(_found(line, float(totals[b, k]), len(line), alpha, False))
    return [sorted(d, key=lambda h: (not h.finished, -h.score))[:wanted] for d in done]


class Sampled(NamedTuple):
    """Sequences that were drawn side by side.

    Attributes:
        symbols: symbol numbers (B, L); from a row's end symbol on, the end symbol.
        lengths: how many symbols each row has before its end symbol, (B,).
        log_probabilities: ln p of each row by the model, its end symbol included, (B,).
    """

    symbols: Ids
    lengths: Ids
    log_probabilities: Floats


def sample(
    step: Step,
    start: npt.ArrayLike,
    state: State,
    *,
    length: int = 100,
    end: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    generator: Generator | None = None,
) -> Sampled:
    """Draw one sequence for every row of a batch; the rows are independent of each other.

    `generate` writes one text piece by piece and faster; this is for many rows, and any model.

    Args:
        step: `(symbols, state) -> (log-probabilities, state)`.
        start: the symbol that each row reads first, (B,).
        state: the state before it, for B rows.
        length: the most symbols of a sequence, the end symbol included.
        end: the symbol that ends a sequence; None draws `length` symbols in every row.
        temperature: below 1 plays safe, 0 always takes the most probable symbol.
        top_k: draw from the k most probable symbols only.
        top_p: draw from the fewest symbols whose probabilities add up to p.
        seed: start a new stream of random numbers.
        generator: the stream to draw from instead; by default that of `manual_seed`.

    Raises:
        ArgumentError, ShapeError, OutOfRangeError: for a setting, start or end that cannot be.
        NumericalError: when a log-probability is NaN.
    """
    symbols = _start_of(start)
    size_of("length", length)
    settings = settings_of(temperature, top_k, top_p)
    source = generator_of(seed, generator)
    B = len(symbols)
    written = np.empty((B, length), np.int64)
    lengths = np.full(B, length)
    totals = np.zeros(B)
    for t in range(length):
        log_p, state = _stepped(step, symbols, state)
        if end is not None and not 0 <= end < log_p.shape[-1]:
            raise OutOfRangeError(
                f"end is {end}, and symbols are numbered 0 … {log_p.shape[-1] - 1}"
            )
        if settings is None:
            symbols = log_p.argmax(-1)
        else:
            weights, _ = weights_of(from_numpy(log_p), settings)
            numbers = from_numpy(source.uniform((B, 1), np.float64))
            symbols = drawn_from(weights, numbers)[:, 0].numpy()
        over = lengths < t
        if end is not None:
            symbols = np.where(over, end, symbols)
            lengths = np.where(~over & (symbols == end), t, lengths)
        totals += np.where(over, 0.0, log_p[np.arange(B), symbols])
        written[:, t] = symbols
        if (lengths <= t).all():
            written = written[:, : t + 1]
            break
    return Sampled(written, lengths, totals)


def generate_batch(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prime: str,
    count: int,
    *,
    length: int = 200,
    end: str | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    generator: Generator | None = None,
    unknown: str = "error",
    jit: bool = True,
) -> list[str]:
    """Return several texts that a model writes after one prime, drawn side by side.

    Args:
        model: any language model.
        vocabulary: the vocabulary it was trained with.
        prime: what the model reads first.
        count: how many texts.
        length: the most symbols of a text.
        end: the symbol that ends a text, such as a newline; it is not returned.
        temperature: as `sample` says, and so `top_k`, `top_p`, `seed` and `generator`.
        unknown: for characters of the prime that the vocabulary does not hold: "error", "skip"
            or "replace".
        jit: draw by a compiled step, which is kept with the model.

    Raises what `sample` does; ArgumentError for an empty prime, VocabularyError for a symbol that
    the vocabulary does not hold.
    """
    first, state = _read(model, vocabulary, prime, unknown)
    last = None if end is None else vocabulary.index(end)
    compiles = jit and model.recordable
    step = model.compiled.of(LanguageModel.step, model) if compiles else model.step
    with inference(model):
        drawn = sample(
            step,
            np.repeat(first, size_of("count", count)),
            _chosen(model.select, state, np.zeros(count, np.int64)),
            length=length,
            end=last,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            generator=generator,
        )
    return [
        vocabulary.decode(row[:steps])
        for row, steps in zip(drawn.symbols, drawn.lengths, strict=True)
    ]


def completions(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prefix: str,
    count: int = 3,
    *,
    length: int = 20,
    end: str | None = " ",
    width: int | None = None,
    unknown: str = "error",
) -> list[tuple[str, float]]:
    """Return the most probable continuations of a prefix with their probabilities, best first.

    Args:
        model: any language model.
        vocabulary: the vocabulary it was trained with.
        prefix: what was typed so far.
        count: how many continuations.
        length: the most symbols of one.
        end: the symbol that ends one, such as the space after a word; it is not returned. None
            gives `length` symbols.
        width: sequences kept in the search, by default twice `count`.
        unknown: for characters of the prefix that the vocabulary does not hold: "error", "skip"
            or "replace".

    Raises:
        ArgumentError: for an empty prefix, or sizes below 1.
        VocabularyError: for an unknown character, or an end that the vocabulary does not hold.
    """
    first, state = _read(model, vocabulary, prefix, unknown)
    last = None if end is None else vocabulary.index(end)
    wanted = size_of("count", count)
    with inference(model):
        found = beam_search(
            model.step,
            first,
            state,
            width=2 * wanted if width is None else width,
            length=length,
            end=last,
            hypotheses=wanted,
            select=model.select,
        )[0]
    return [(vocabulary.decode(h.symbols), math.exp(h.log_probability)) for h in found]


def _read(
    model: LanguageModel, vocabulary: Vocabulary, text: str, unknown: str
) -> tuple[Ids, State]:
    """The last symbol of a text, (1,), and the state before it."""
    require(model, LanguageModel, "model")
    require(vocabulary, Vocabulary, "vocabulary")
    ids = vocabulary.encode(text, unknown)
    if not len(ids):
        raise ArgumentError("the text to go on from is empty; give at least one symbol")
    with inference(model):
        state = model.initial_state(1)
        if len(ids) > 1:
            _, state = model(from_numpy(ids[:-1, None]), state)
    return ids[-1:], state


def _start_of(start: npt.ArrayLike) -> Ids:
    given: Any = start.numpy() if isinstance(start, Tensor) else start
    first = text_of(given).astype(np.int64)
    if not len(first):
        raise ShapeError("start has no rows; it is one symbol number for each row, (B,)")
    return first


def _rows_of(batch_axis: int) -> Select:
    return lambda state, rows: map_state(lambda s: s.index_select(batch_axis, rows), state)


def _chosen(choose: Select, state: State, rows: Ids) -> State:
    with no_grad():
        return choose(state, from_numpy(rows))


def _stepped(step: Step, symbols: Ids, state: State) -> tuple[Floats, State]:
    with no_grad():
        log_p, state = step(from_numpy(symbols), state)
    if not isinstance(log_p, Tensor) or log_p.ndim != 2 or len(log_p) != len(symbols):
        shape = log_p.shape if isinstance(log_p, Tensor) else type(log_p).__name__
        raise ShapeError(
            f"the step returned {shape} for {len(symbols)} symbols; it must return the "
            f"log-probabilities of each next symbol, ({len(symbols)}, V), and the state"
        )
    numbers = log_p.to(float64).numpy()
    if np.isnan(numbers).any():
        raise NumericalError("the step returned log-probabilities that are NaN; nothing can follow")
    return numbers, state


def _found(symbols: Ids, total: float, length: int, alpha: float, finished: bool) -> Hypothesis:
    return Hypothesis(tuple(symbols.tolist()), total, total / length**alpha, finished)


def _is_settled(
    done: list[Hypothesis], totals: Floats, wanted: int, length: int, alpha: float
) -> bool:
    """Whether no sequence at hand can still come before those that are done."""
    if len(done) < wanted:
        return False
    worst = sorted((h.score for h in done), reverse=True)[wanted - 1]
    # ln p only falls from here; dividing by the greatest length favours it most.
    return bool(totals.max() / length ** max(alpha, 0.0) <= worst)
