"""The arithmetic of drawing a symbol: temperature, top-k, top-p, and the choice by one number.

Works on rows (..., V) and reads no number back, except `probabilities`, which takes an array.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.creation import as_tensor, from_numpy
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError, NumericalError, ShapeError
from tinygrad_rnn.functions import sort, where
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.lm.arguments import is_number, require
from tinygrad_rnn.nn import functional
from tinygrad_rnn.tensor import Tensor

Probabilities = npt.NDArray[np.float64]

COMPARED = 256
"""The largest vocabulary whose symbols are put in order by comparing each with each."""


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
    settings = settings_of(temperature, top_k, top_p)
    if settings is None:
        raise ArgumentError("temperature is 0, which has no probabilities; take logits.argmax()")
    logits = np.asarray(logits)
    if logits.ndim != 1 or not logits.size or logits.dtype.kind not in "fiu":
        raise ShapeError(
            "logits are one row of numbers, one for each symbol, not an array of shape "
            f"{logits.shape} and type {logits.dtype}"
        )
    if not np.isfinite(logits.max()):
        raise NumericalError(f"the highest logit is {logits.max()}; it must be finite")
    weights, _ = weights_of(as_tensor(logits.astype(np.float64)), settings)
    return np.asarray((weights / weights.sum()).numpy())


class Settings(NamedTuple):
    """How to draw, as float64 tensors without axes, so that one recording serves all numbers."""

    temperature: Tensor | None
    top_k: Tensor | None
    top_p: Tensor | None


def settings_of(temperature: float, top_k: int | None, top_p: float | None) -> Settings | None:
    """Return how to draw; None for the most probable symbol always. Raises ArgumentError."""
    check_settings(temperature, top_k, top_p)
    if temperature == 0.0:
        return None
    given = (temperature, top_k, top_p)
    return Settings(*(None if value is None else as_tensor(value, float64) for value in given))


def weights_of(logits: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """e^(logits / temperature) up to a factor, 0 for what is cut, (..., V); the logits' spread."""
    assert settings.temperature is not None
    highest = logits.amax(-1, True)
    spread = highest - logits.amin(-1, True)
    weights = ((logits - highest) / settings.temperature).exp()
    if settings.top_k is None and settings.top_p is None:
        return weights, spread
    # By logits, which tell apart what rounds to the same probability.
    ranks, before = _ranked(logits, weights)
    if settings.top_k is not None:
        weights = where(ranks < settings.top_k, weights, 0.0)
    if settings.top_p is not None:
        weights = where(before < settings.top_p * weights.sum(-1, keepdim=True), weights, 0.0)
    return weights, spread


def _ranked(logits: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """For each symbol, how many are more probable, and the sum of their weights.

    Of equals, those of lower number count as more probable.
    """
    size = logits.shape[-1]
    if size > COMPARED:
        order = sort(-logits).indices
        in_order = weights.gather(-1, order)
        places = sort(order).indices
        return places.to(float64), (in_order.cumsum(-1) - in_order).gather(-1, places)
    theirs, own = logits.unsqueeze(-2), logits.unsqueeze(-1)
    lower = from_numpy(np.tri(size, k=-1, dtype=np.bool_))
    ahead = ((theirs > own) | ((theirs == own) & lower)).to(float64)
    return ahead.sum(-1), (ahead * weights.unsqueeze(-2)).sum(-1)


def drawn_from(weights: Tensor, number: Tensor) -> Tensor:
    """The first symbol at which the sum of weights exceeds the share `number` of their total.

    Args:
        weights: (..., V), not all 0 in any row.
        number: equally distributed over [0, 1), (..., 1).

    Returns:
        Symbol numbers, (..., 1).
    """
    sums = _summed_up(weights)
    possible = weights > 0.0
    # The total is one of the sums, so that no rounding leaves a share without a symbol.
    total = where(possible, sums, 0.0).amax(-1, True)
    return ((number * total < sums) & possible).to(float64).argmax(-1, True)


def _summed_up(weights: Tensor) -> Tensor:
    """The cumulative sum, by two products with triangles of ones: within rows and of rows."""
    size = weights.shape[-1]
    width = math.isqrt(size - 1) + 1
    height = -(-size // width)
    padded = functional.pad(weights, (0, height * width - size))
    within = padded.reshape(-1, width) @ from_numpy(np.tri(width).T.copy())
    before = within[:, -1].reshape(-1, height) @ from_numpy(np.tri(height, k=-1).T.copy())
    sums = within.reshape(-1, height, width) + before.unsqueeze(-1)
    return sums.reshape(*weights.shape[:-1], height * width)[..., :size]


def check_settings(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raise ArgumentError for a temperature, top_k or top_p out of range."""
    if not is_number(temperature) or not 0.0 <= temperature < float("inf"):
        raise ArgumentError(
            f"temperature is {temperature!r}; it must be 0 (the most probable symbol always) or "
            "more, and finite"
        )
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1):
        raise ArgumentError(f"top_k is {top_k!r}; it must be an integer, 1 or more, or None")
    if top_p is not None and not (is_number(top_p) and 0.0 < top_p <= 1.0):
        raise ArgumentError(f"top_p is {top_p!r}; it must be above 0 and at most 1, or None")


def generator_of(seed: int | None, generator: Generator | None) -> Generator:
    """Return the stream that `seed` or `generator` names; by default that of `manual_seed`."""
    if generator is not None:
        require(generator, Generator, "generator")
    if seed is not None and generator is not None:
        raise ArgumentError("give a seed or a generator, not both")
    if seed is not None:
        return Generator(seed)
    return default_generator if generator is None else generator
