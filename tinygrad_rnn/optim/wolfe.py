"""A line search for a step that satisfies the strong Wolfe conditions.

Nocedal and Wright, 2006, "Numerical Optimization", algorithms 3.5 and 3.6, with cubic interpolation
(equation 3.59), as PyTorch's L-BFGS does it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tinygrad_rnn.tensor import Tensor

_DECREASE = 1e-4
"""c₁: the share of the expected decrease that is enough."""

_CURVATURE = 0.9
"""c₂: the share of the first slope that the last one may have."""

_SHORTEST = 1e-9
"""A bracket that moves no element by more is not looked into."""


class Point(NamedTuple):
    """The loss and its gradient at some place."""

    loss: float
    gradient: Tensor


@dataclass
class _End:
    """One end of the bracket: the step, and loss, gradient and slope there."""

    t: float
    point: Point
    slope: float

    @property
    def loss(self) -> float:
        return self.point.loss


def strong_wolfe(
    at: Callable[[float], Point], t: float, d: Tensor, here: Point, slope: float, most: int
) -> tuple[Point, float, int]:
    """Return the point found along `d`, its step, and how often `at` was called.

    Args:
        at: the loss and gradient after a step.
        t: the first step to try.
        d: the direction.
        here: the point at step 0.
        slope: dᵀ gradient there.
        most: stop after so many steps.
    """

    def end(t: float) -> _End:
        point = at(t)
        return _End(t, point, point.gradient.dot(d).item())

    def too_high(trial: _End) -> bool:
        return trial.loss > here.loss + _DECREASE * trial.t * slope

    def flat(trial: _End) -> bool:
        return abs(trial.slope) <= -_CURVATURE * slope

    start = _End(0.0, here, slope)
    before, trial = start, end(t)
    calls, tries = 1, 0
    bracket: list[_End] | None = None
    while tries < most:
        if too_high(trial) or (tries > 1 and trial.loss >= before.loss):
            bracket = [before, trial]
            break
        if flat(trial):
            return trial.point, trial.t, calls
        if trial.slope >= 0.0:
            bracket = [before, trial]
            break
        longer = _cubic(before, trial, trial.t + 0.01 * (trial.t - before.t), trial.t * 10.0)
        before, trial = trial, end(longer)
        calls += 1
        tries += 1
    if bracket is None:
        bracket = [start, trial]
    low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
    longest = d.abs().amax().item()
    stuck = False
    while tries < most:
        left, right = (min(e.t for e in bracket), max(e.t for e in bracket))
        if (right - left) * longest < _SHORTEST:
            break
        t = _cubic(bracket[0], bracket[1], left, right)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            # Close to an end, where little is gained: the second time in a row, keep away from it.
            inside = stuck or t >= right or t <= left
            if inside:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
            stuck = not inside
        else:
            stuck = False
        trial = end(t)
        calls += 1
        tries += 1
        if too_high(trial) or trial.loss >= bracket[low].loss:
            bracket[high] = trial
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        done = flat(trial)
        if not done and trial.slope * (bracket[high].t - bracket[low].t) >= 0.0:
            bracket[high] = bracket[low]
        bracket[low] = trial
        if done:
            break
    return bracket[low].point, bracket[low].t, calls


def _cubic(a: _End, b: _End, least: float, greatest: float) -> float:
    """The lowest place of the cubic through two points with their slopes, within limits."""
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    d2 = math.sqrt(square) if square >= 0.0 else math.nan
    bottom = b.slope - a.slope + 2.0 * d2
    if math.isnan(bottom) or bottom == 0.0:
        return (least + greatest) / 2.0
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / bottom)
    return min(max(t, least), greatest)
