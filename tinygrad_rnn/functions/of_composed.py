"""The methods of Tensor that are made of others, as functions. Each only calls the method."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.functions.joining import required
from tinygrad_rnn.functions.of_methods import abs, div, ge, gt, le, lt, mul, ne, neg, sub
from tinygrad_rnn.methods.arithmetic import Scalar
from tinygrad_rnn.tensor import Tensor


def addmm(x: Tensor, a: Tensor, b: Tensor, beta: Scalar = 1, alpha: Scalar = 1) -> Tensor:
    """See `Tensor.addmm`."""
    return required(x).addmm(a, b, beta, alpha)


def baddbmm(x: Tensor, a: Tensor, b: Tensor, beta: Scalar = 1, alpha: Scalar = 1) -> Tensor:
    """See `Tensor.baddbmm`."""
    return required(x).baddbmm(a, b, beta, alpha)


def addcmul(x: Tensor, a: Tensor, b: Tensor, value: Scalar = 1) -> Tensor:
    """See `Tensor.addcmul`."""
    return required(x).addcmul(a, b, value)


def addcdiv(x: Tensor, a: Tensor, b: Tensor, value: Scalar = 1) -> Tensor:
    """See `Tensor.addcdiv`."""
    return required(x).addcdiv(a, b, value)


def lerp(x: Tensor, end: Tensor, weight: Any) -> Tensor:
    """See `Tensor.lerp`."""
    return required(x).lerp(end, weight)


def mv(x: Tensor, vector: Tensor) -> Tensor:
    """See `Tensor.mv`."""
    return required(x).mv(vector)


def floor_divide(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.floor_divide`."""
    return required(x).floor_divide(other)


def remainder(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.remainder`."""
    return required(x).remainder(other)


def clamp_min(x: Tensor, min: Scalar) -> Tensor:
    """See `Tensor.clamp_min`."""
    return required(x).clamp_min(min)


def clamp_max(x: Tensor, max: Scalar) -> Tensor:
    """See `Tensor.clamp_max`."""
    return required(x).clamp_max(max)


def log2(x: Tensor) -> Tensor:
    """See `Tensor.log2`."""
    return required(x).log2()


def log10(x: Tensor) -> Tensor:
    """See `Tensor.log10`."""
    return required(x).log10()


def tan(x: Tensor) -> Tensor:
    """See `Tensor.tan`."""
    return required(x).tan()


def logical_not(x: Tensor) -> Tensor:
    """See `Tensor.logical_not`."""
    return required(x).logical_not()


def logical_and(x: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.logical_and`."""
    return required(x).logical_and(other)


def logical_or(x: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.logical_or`."""
    return required(x).logical_or(other)


def logical_xor(x: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.logical_xor`."""
    return required(x).logical_xor(other)


def bitwise_not(x: Tensor) -> Tensor:
    """See `Tensor.bitwise_not`."""
    return required(x).bitwise_not()


def isclose(
    x: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """See `Tensor.isclose`."""
    return required(x).isclose(other, rtol, atol, equal_nan)


def allclose(
    x: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """See `Tensor.allclose`."""
    return required(x).allclose(other, rtol, atol, equal_nan)


def equal(x: Tensor, other: Tensor) -> bool:
    """See `Tensor.equal`."""
    return required(x).equal(other)


def count_nonzero(x: Tensor, dim: Any = None) -> Tensor:
    """See `Tensor.count_nonzero`."""
    return required(x).count_nonzero(dim)


def argsort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """See `Tensor.argsort`."""
    return required(x).argsort(dim, descending, stable)


def nonzero(x: Tensor, as_tuple: bool = False) -> Any:
    """See `Tensor.nonzero`."""
    return required(x).nonzero(as_tuple)


def broadcast_to(x: Tensor, shape: Any) -> Tensor:
    """See `Tensor.broadcast_to`."""
    return required(x).broadcast_to(shape)


def tile(x: Tensor, dims: Any) -> Tensor:
    """See `Tensor.tile`."""
    return required(x).tile(dims)


def repeat_interleave(x: Tensor, repeats: int, dim: int | None = None) -> Tensor:
    """See `Tensor.repeat_interleave`."""
    return required(x).repeat_interleave(repeats, dim)


def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """See `Tensor.roll`."""
    return required(x).roll(shifts, dims)


def movedim(x: Tensor, source: Any, destination: Any) -> Tensor:
    """See `Tensor.movedim`."""
    return required(x).movedim(source, destination)


def swapaxes(x: Tensor, axis0: int, axis1: int) -> Tensor:
    """See `Tensor.swapaxes`."""
    return required(x).swapaxes(axis0, axis1)


def unflatten(x: Tensor, dim: int, sizes: Any) -> Tensor:
    """See `Tensor.unflatten`."""
    return required(x).unflatten(dim, sizes)


def scatter(x: Tensor, dim: int, index: Tensor, src: Any) -> Tensor:
    """See `Tensor.scatter`."""
    return required(x).scatter(dim, index, src)


def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Scalar = 1) -> Tensor:
    """See `Tensor.index_add`."""
    return required(x).index_add(dim, index, source, alpha)


def index_fill(x: Tensor, dim: int, index: Tensor, value: Scalar) -> Tensor:
    """See `Tensor.index_fill`."""
    return required(x).index_fill(dim, index, value)


def is_floating_point(x: Tensor) -> bool:
    """See `Tensor.is_floating_point`."""
    return required(x).is_floating_point()


# PyTorch's second names of what there is.
absolute = abs
divide = true_divide = div
greater = gt
greater_equal = ge
less = lt
less_equal = le
moveaxis = movedim
multiply = mul
negative = neg
not_equal = ne
subtract = sub
swapdims = swapaxes
