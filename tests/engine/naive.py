"""A reverse-mode engine in sixty lines, too simple to be wrong in the same way as the real one.

Scalars only live inside NumPy arrays of one shape (2, 3); there is no broadcasting, no release, no
sharing: a gradient is computed by walking every path from the output to the input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Naive:
    """A value, the values it was computed from, and the slope with respect to each."""

    def __init__(
        self, value: Array, parents: tuple[tuple[Naive, Callable[[Array], Array]], ...] = ()
    ) -> None:
        self.value = value
        self.parents = parents

    def add(self, other: Naive) -> Naive:
        return Naive(self.value + other.value, ((self, lambda g: g), (other, lambda g: g)))

    def sub(self, other: Naive) -> Naive:
        return Naive(self.value - other.value, ((self, lambda g: g), (other, lambda g: -g)))

    def mul(self, other: Naive) -> Naive:
        a, b = self.value, other.value
        return Naive(a * b, ((self, lambda g: g * b), (other, lambda g: g * a)))

    def tanh(self) -> Naive:
        h = np.tanh(self.value)
        return Naive(h, ((self, lambda g: g * (1 - h**2)),))

    def scaled(self, factor: float) -> Naive:
        return Naive(self.value * factor, ((self, lambda g: g * factor),))

    def mixed(self, matrix: Array) -> Naive:
        return Naive(matrix @ self.value, ((self, lambda g: matrix.T @ g),))

    def turned(self) -> Naive:
        return Naive(self.value[::-1].copy(), ((self, lambda g: g[::-1]),))

    def summed(self) -> Naive:
        """Each column becomes its sum in every row."""
        ones = np.ones((2, 2))
        return self.mixed(ones)

    def detach(self) -> Naive:
        return Naive(self.value)


def gradient(output: Naive, seed: Array, target: Naive) -> Array | None:
    """Sum over all paths from the output back to the target."""
    total = seed if output is target else None
    for parent, pull in output.parents:
        part = gradient(parent, pull(seed), target)
        if part is not None:
            total = part if total is None else total + part
    return total
