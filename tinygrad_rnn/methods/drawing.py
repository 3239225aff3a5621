"""Random numbers as tensors, for the functions that make tensors and the methods that fill them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import Shape
from tinygrad_rnn.context import quiet
from tinygrad_rnn.dtypes import Dtype, float64
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.generator import Generator, default_generator

if TYPE_CHECKING:
    from tinygrad_rnn.tensor import Tensor


def uniform(apply: Any, shape: Shape, dtype: Dtype, generator: Generator | None) -> Tensor:
    """Return numbers equally distributed over [0, 1)."""
    source = default_generator if generator is None else generator
    if not isinstance(source, Generator):
        raise ArgumentError(
            f"random numbers come from a Generator, not {source!r}; see Generator(seed)"
        )
    start = source.position()
    drawn: Tensor = apply(ops.uniform, generator=source, start=start, shape=shape, dtype=dtype)
    return drawn


def normal(apply: Any, shape: Shape, dtype: Dtype, generator: Generator | None) -> Tensor:
    """Return numbers of mean 0 and variance 1, the same that `Generator.normal` draws."""
    count = math.prod(shape)
    with quiet():
        u = uniform(apply, (2, -(-count // 2)), float64, generator)
        radius = ((-u[0]).log1p() * -2.0).sqrt()
        angle = u[1] * (2.0 * math.pi)
        both: Tensor = apply(
            ops.concatenate, radius * angle.cos(), radius * angle.sin(), axis=0
        )
        return both[:count].reshape(shape).to(dtype)
