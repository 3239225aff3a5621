"""Filling parameters with starting values. Each function overwrites a tensor and returns it."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import no_grad
from tinygrad_rnn.errors import DtypeError, ShapeError
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.tensor import Tensor


def _fill(tensor: Tensor, values: Array) -> Tensor:
    with no_grad():
        return _target(tensor).assign(values.astype(tensor.dtype))


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator = default_generator
) -> Tensor:
    """Fill with numbers equally distributed over [a, b)."""
    return _fill(tensor, generator.uniform(_target(tensor).shape, tensor.dtype) * (b - a) + a)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator = default_generator
) -> Tensor:
    """Fill with numbers of a normal distribution."""
    return _fill(tensor, generator.normal(_target(tensor).shape, tensor.dtype) * std + mean)


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one number."""
    with no_grad():
        return _target(tensor).fill_(value)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity (as in IRNN: Le, Jaitly and Hinton, 2015)."""
    rows, columns = _matrix(tensor, "eye_")
    return _fill(tensor, np.eye(rows, columns))


def orthogonal_(
    tensor: Tensor, gain: float = 1.0, generator: Generator = default_generator
) -> Tensor:
    """Fill a matrix with a random (semi-)orthogonal one: WᵀW = gain² I, or WWᵀ if it is wide.

    Saxe, McClelland and Ganguli, 2013, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks".
    """
    rows, columns = _matrix(tensor, "orthogonal_")
    flat = generator.normal((max(rows, columns), min(rows, columns)), np.float64)
    q, r = np.linalg.qr(flat)
    # The signs of r's diagonal make the distribution uniform.
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return _fill(tensor, gain * (q if rows >= columns else q.T))


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator = default_generator
) -> Tensor:
    """Fill with U(-a, a), a = gain √(6 / (rows + columns)) (Glorot and Bengio, 2010)."""
    a = gain * math.sqrt(6.0 / sum(_matrix(tensor, "xavier_uniform_")))
    return uniform_(tensor, -a, a, generator)


def xavier_normal_(
    tensor: Tensor, gain: float = 1.0, generator: Generator = default_generator
) -> Tensor:
    """Fill with N(0, σ²), σ = gain √(2 / (rows + columns)) (Glorot and Bengio, 2010)."""
    std = gain * math.sqrt(2.0 / sum(_matrix(tensor, "xavier_normal_")))
    return normal_(tensor, 0.0, std, generator)


def _target(tensor: Tensor) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise DtypeError(f"init fills tensors, not {type(tensor).__name__}")
    return tensor


def _matrix(tensor: Tensor, name: str) -> tuple[int, int]:
    if _target(tensor).ndim != 2:
        raise ShapeError(f"{name} fills a matrix, not a tensor of shape {tensor.shape}")
    return tensor.shape[0], tensor.shape[1]
