"""Which units keep track of what: a score for every unit, checked on text it was not chosen by.

Boolean properties are scored by the area under the ROC curve, numeric ones by Spearman's rank
correlation. Chance is what the same search finds when the property is shifted in a circle against
the text: it keeps its rhythm and loses its connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.errors import ArgumentError, DataError, DtypeError, ShapeError
from tinygrad_rnn.inspect.arguments import Array, Floats
from tinygrad_rnn.inspect.properties import PROPERTIES, Property, property_of
from tinygrad_rnn.inspect.reading import Reading

_BLOCK = 64
"""Units whose shifts are scored at a time, which bounds the memory used."""

CHANCE = 0.99
"""The share of shifts in which the best of all units stays at or below `Ranking.chance`."""


class UnitScore(NamedTuple):
    """How well a unit tracks a property.

    Attributes:
        name: the array that the unit stands in ("recurrent.l1.c").
        unit: its number.
        sign: 1 if it rises with the property, -1 if it falls.
        found: the score on the first part of the text, by which it was ranked.
        held_out: the score on the rest, with the same sign.
        p: the share of shifts in which the best of all units did as well on the rest as this one.
    """

    name: str
    unit: int
    sign: int
    found: float
    held_out: float
    p: float


@dataclass(frozen=True)
class Ranking:
    """Units by how well they track a property, the best first.

    Attributes:
        measure: "AUC" (0.5 is chance, 1 perfect) or "Spearman" (0 … 1).
        scores: the units.
        chance: the score, on the rest, that the best of all units does not exceed in 99 of 100
            shifts.
        shifts: how many shifts were tried.
        split: how many characters the units were chosen by.
        baseline: for a boolean property the share of characters that have it.
    """

    measure: str
    scores: tuple[UnitScore, ...]
    chance: float
    shifts: int
    split: int
    baseline: float

    def best(self) -> UnitScore:
        """Return the unit that was ranked first."""
        return self.scores[0]

    def __str__(self) -> str:
        lines = [
            f"{self.measure}, chosen by {self.split:,} characters; chance {self.chance:.3f} (best "
            f"unit, {100 * CHANCE:.0f} of 100 of {self.shifts} shifts)",
            f"{'unit':<26}{'sign':>5}{'found':>8}{'held out':>10}{'p':>8}",
        ]
        lines += [
            f"{f'{s.name}[{s.unit}]':<26}{s.sign:>+5}{s.found:8.3f}{s.held_out:10.3f}{s.p:8.3f}"
            for s in self.scores
        ]
        return "\n".join(lines)


def rank_units(
    values: Mapping[str, Array],
    target: npt.ArrayLike,
    split: float = 0.5,
    shifts: int = 200,
    keep: int = 10,
    seed: int = 0,
) -> Ranking:
    """Rank units by how well they track a property, and check the best on the rest of the text.

    For a boolean property the score is the area under the ROC curve: the probability that the unit
    is higher at a character that has the property than at one that has not (Hanley and McNeil,
    1982). For a numeric one it is |Spearman's ρ|. A unit's sign is chosen with it.

    Args:
        values: (N, H) by name, as `read` gives.
        target: the property, (N,), truth values or numbers.
        split: the share of the text by which units are chosen; the rest checks them.
        shifts: how many circular shifts of the rest measure chance, at random distances of at
            least a twentieth of it.
        keep: how many units to return.
        seed: of the distances.

    Raises:
        ShapeError: for values and a property of different lengths.
        DataError: if the property is the same everywhere in one of the parts.
    """
    wanted = np.asarray(target)
    if not isinstance(values, Mapping) or not values:
        raise DtypeError("values maps names to arrays (N, H), and needs at least one")
    if wanted.ndim != 1 or wanted.dtype.kind not in "biuf":
        raise ShapeError(
            f"a property is one truth value or number a character, not {wanted.dtype} of shape "
            f"{wanted.shape}"
        )
    for name, array in values.items():
        if np.ndim(array) != 2 or len(array) != len(wanted):
            raise ShapeError(
                f"{name!r} has shape {np.shape(array)}, the property {wanted.shape}; values are "
                "(N, H) for N characters"
            )
    if not 0.0 < split < 1.0:
        raise ArgumentError(f"split is a share between 0 and 1, not {split}")
    positive(keep, "keep")
    positive(shifts, "shifts")
    names = [(name, unit) for name, array in values.items() for unit in range(array.shape[1])]
    units = np.concatenate([np.asarray(a) for a in values.values()], axis=1)
    cut = round(split * len(wanted))
    first, rest = wanted[:cut], wanted[cut:]
    for part, which in ((first, "first part"), (rest, "rest")):
        if part.size == 0 or (part == part[0]).all():
            raise DataError(
                f"the property is the same everywhere in the {which} of the text "
                f"({part.size} characters); give a longer text, or move the split"
            )
    score = _Auc if wanted.dtype.kind == "b" else _Spearman
    found = score(units[:cut]).at(first)
    signs = np.where(found < 0, -1, 1)
    held = score(units[cut:])
    checked = held.at(rest) * signs
    by_chance = _chance(held, rest, shifts, seed)
    order = np.argsort(-np.abs(found), kind="stable")[:keep]
    scores = []
    for i in order:
        p = (1 + np.count_nonzero(by_chance >= checked[i])) / (1 + len(by_chance))
        name, unit = names[i]
        best, rest_score = score.shown(abs(found[i])), score.shown(checked[i])
        scores.append(UnitScore(name, unit, int(signs[i]), best, rest_score, float(p)))
    chance = score.shown(float(np.quantile(by_chance, CHANCE)))
    share = float(np.mean(wanted != 0))
    return Ranking(score.measure, tuple(scores), chance, len(by_chance), cut, share)


def search_units(
    reading: Reading,
    text: str,
    properties: Mapping[str, Property] | None = None,
    **settings: Any,
) -> dict[str, Ranking]:
    """Rank a model's units by every property of a text that it read.

    Properties that are the same everywhere in a part of the text are left out.

    Args:
        reading: what `read` returned for this text, one symbol a character.
        text: the text.
        properties: functions of the text by name; `PROPERTIES` by default. Add your own.
        settings: passed on to `rank_units`.

    Raises:
        ShapeError: if the text has another length than what was read, or a property another
            length than the text.
    """
    if not isinstance(reading, Reading):
        raise DtypeError(f"reading is what `read` returned, not {type(reading).__name__}")
    if len(text) != len(reading):
        raise ShapeError(
            f"the model read {len(reading)} symbols, and the text has {len(text)} characters; "
            "units are searched in models that read a character at a time"
        )
    found: dict[str, Ranking] = {}
    for name, of in (PROPERTIES if properties is None else properties).items():
        values = property_of(text, of, name)
        try:
            found[name] = rank_units(reading.values, values, **settings)
        except DataError:
            continue
    return found


def _chance(held: _Score, rest: Array, shifts: int, seed: int) -> Floats:
    """Return the best score of any unit, of either sign, for shifted properties."""
    N = len(rest)
    distance = max(N // 20, 1)
    possible = np.arange(distance, N - distance + 1)
    drawn = np.random.default_rng(seed).permutation(possible)[:shifts]
    best = np.zeros(len(drawn))
    for block in held.shifted(rest):
        best = np.maximum(best, np.abs(block[:, drawn]).max(0))
    return best


class _Score:
    """Scores of all units at once, -1 … 1; `shifted` gives them for every circular shift.

    Both are linear in the property once the units are ranked, so that all shifts are one
    correlation, computed by Fourier transform.
    """

    measure = ""

    def __init__(self, units: Array) -> None:
        ranks = np.stack([_ranks(column) for column in units.T])
        self._ranks = ranks - ranks.mean(1, keepdims=True)

    def at(self, wanted: Array) -> Floats:
        """Return the score of each unit, (units,)."""
        scale, centred = self._prepared(wanted)
        scores: Floats = self._ranks @ centred * scale
        return scores

    def shifted(self, wanted: Array) -> Iterator[Floats]:
        """Yield the scores of some units at a time for the property moved on by 0 … N - 1."""
        scale, centred = self._prepared(wanted)
        moved = np.conj(np.fft.rfft(centred))
        for start in range(0, len(self._ranks), _BLOCK):
            some = slice(start, start + _BLOCK)
            frequencies = np.fft.rfft(self._ranks[some], axis=1) * moved
            yield np.fft.irfft(frequencies, len(wanted), axis=1) * scale[some, None]

    def _prepared(self, wanted: Array) -> tuple[Floats, Floats]:
        raise NotImplementedError

    @staticmethod
    def shown(score: float) -> float:
        """Return a score as it is reported."""
        raise NotImplementedError


class _Auc(_Score):
    """2 AUC - 1, from the sum of the ranks where the property holds (Mann and Whitney, 1947)."""

    measure = "AUC"

    def _prepared(self, wanted: Array) -> tuple[Floats, Floats]:
        has = wanted.astype(np.float64)
        pairs = has.sum() * (1.0 - has).sum()
        return np.full(len(self._ranks), 2.0 / pairs), has

    @staticmethod
    def shown(score: float) -> float:
        """Return the AUC itself, 0 … 1."""
        return (float(score) + 1.0) / 2.0


class _Spearman(_Score):
    """The correlation of ranks (Spearman, 1904)."""

    measure = "Spearman"

    def _prepared(self, wanted: Array) -> tuple[Floats, Floats]:
        ranks = _ranks(wanted)
        ranks = ranks - ranks.mean()
        lengths = np.sqrt((self._ranks**2).sum(1) * (ranks @ ranks))
        # A unit that never moves tracks nothing.
        scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return scale, ranks

    @staticmethod
    def shown(score: float) -> float:
        """Return the correlation."""
        return float(score)


def _ranks(x: Array) -> Floats:
    """Return ranks from 1; equal numbers share the mean of theirs."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middles: Floats = last - (counts - 1) / 2.0
    ranks: Floats = middles[inverse.reshape(-1)]
    return ranks
