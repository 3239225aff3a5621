"""Checks that depend on the numbers: each passes on what it was given, or raises.

They are primitives so that whoever records and repeats operations repeats the checks too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn.errors import ArgumentError, OutOfRangeError, TinygradRnnError
from tinygrad_rnn.ops.primitive import Primitive


def _require_range(
    index: Any,
    low: int,
    high: int,
    ignore: int | None,
    message: str,
    error: type[TinygradRnnError] = OutOfRangeError,
) -> Any:
    if index.size == 0 or (index.min() >= low and index.max() < high):
        return index.view()
    wrong = (index < low) | (index >= high)
    if ignore is not None:
        wrong &= index != ignore
    if wrong.any():
        raise error(message.format(value=index[wrong].flat[0], low=low, last=high - 1))
    return index.view()


def _require_true(condition: Any, shown: Any, message: str) -> Any:
    if not condition.all():
        raise ArgumentError(message.format(least=shown.min(), greatest=shown.max()))
    return condition.view()


def _require_weights(weights: Any, draws: int, replacement: bool) -> Any:
    finite = (weights >= 0) & (weights < np.inf)
    if weights.ndim == 0 or weights.size == 0 or not finite.all():
        raise ArgumentError("multinomial needs finite weights of 0 or more, and at least one")
    available = (weights > 0).sum(-1).min()
    if available < (1 if replacement else draws):
        raise ArgumentError(
            f"multinomial cannot draw {draws} of {available} indices with weight above 0"
            + ("" if replacement else "; pass replacement=True to draw one more than once")
        )
    return weights.view()


require_range = Primitive("require_range", _require_range, view=True)
require_true = Primitive("require_true", _require_true, view=True)
require_weights = Primitive("require_weights", _require_weights, view=True)
