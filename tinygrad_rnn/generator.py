"""Random numbers from a counter: the state is two integers, the numbers a function of them.

The generator is Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011, "Parallel random numbers: as
easy as 1, 2, 3"). Equal seeds give equal bits on every machine and for any number of threads, and
saving two integers saves everything. Knows ndarrays, never a Tensor.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from tinygrad_rnn import kernels
from tinygrad_rnn.arguments import Array, Shape
from tinygrad_rnn.context import state
from tinygrad_rnn.devices import names_device, require_cpu
from tinygrad_rnn.errors import ArgumentError

_KEYS = 2**64


class Generator:
    """A stream of random numbers.

    Args:
        seed: any integer; streams of different seeds are unrelated. None takes one from the
            operating system. PyTorch's `device="cpu"`, in its place, says nothing.
        device: "cpu".
    """

    def __init__(self, seed: Any = None, device: Any = None) -> None:
        if names_device(seed):
            seed, device = None, seed
        require_cpu(device)
        self.manual_seed(int.from_bytes(os.urandom(7), "little") if seed is None else seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of `seed` from its beginning."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise ArgumentError(f"a seed is an integer, not {seed!r}")
        self._seed = int(seed)
        self._counter = 0
        if state.recorder is not None:
            state.recorder.seeds(self)
        return self

    def initial_seed(self) -> int:
        """Return the seed that the stream was started with."""
        return self._seed

    def get_state(self) -> dict[str, int]:
        """Return the seed and how far the stream has been read."""
        return {"seed": self._seed, "counter": self._counter}

    def set_state(self, state: dict[str, int]) -> None:
        """Go to a place that `get_state` returned."""
        try:
            seed, counter = int(state["seed"]), int(state["counter"])
        except (KeyError, TypeError, ValueError):
            raise ArgumentError(
                f"a generator's state has the integers seed and counter, not {state!r}"
            ) from None
        self._seed, self._counter = seed, counter

    def position(self) -> int:
        """Return how far the stream has been read: the place at which the next draw begins."""
        return self._counter

    def uniform(self, shape: Shape, dtype: Any) -> Array:
        """Return numbers equally distributed over [0, 1)."""
        return self.uniform_from(self._counter, shape, dtype)

    def uniform_from(self, start: int, shape: Shape, dtype: Any) -> Array:
        """Return what `uniform` does at a place of the stream, and go to just behind it."""
        out = np.empty(math.prod(shape), dtype)
        kernels.fill_uniform(out, self._seed % _KEYS, start)
        self._counter = start + kernels.uniform_blocks(out.size, out.dtype)
        return out.reshape(shape)

    def normal(self, shape: Shape, dtype: Any) -> Array:
        """Return numbers of mean 0 and variance 1, by Box and Muller's transform (1958)."""
        count = math.prod(shape)
        pairs = -(-count // 2)
        u = self.uniform((2, pairs), np.float64)
        # 1 - u lies in (0, 1], so that its logarithm is finite.
        radius = np.sqrt(-2.0 * np.log1p(-u[0]))
        angle = 2.0 * math.pi * u[1]
        both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
        drawn: Array = both[:count].reshape(shape).astype(dtype)
        return drawn


default_generator = Generator(0)


def manual_seed(seed: int) -> Generator:
    """Seed the generator that everything uses unless it is given another; return it."""
    return default_generator.manual_seed(seed)
