"""The methods of Tensor that are made of others, as functions. Each only calls the method."""

from __future__ import annotations

from typing import Any, overload

from tinygrad_rnn.functions.joining import required
from tinygrad_rnn.functions.of_methods import abs, div, ge, gt, le, lt, mul, ne, neg, sub
from tinygrad_rnn.methods import arithmetic
from tinygrad_rnn.methods.arithmetic import Scalar
from tinygrad_rnn.tensor import Tensor


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, beta: Scalar = 1, alpha: Scalar = 1
) -> Tensor:
    """See `Tensor.addmm`."""
    return required(input).addmm(mat1, mat2, beta, alpha)


def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, beta: Scalar = 1, alpha: Scalar = 1
) -> Tensor:
    """See `Tensor.baddbmm`."""
    return required(input).baddbmm(batch1, batch2, beta, alpha)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, value: Scalar = 1) -> Tensor:
    """See `Tensor.addcmul`."""
    return required(input).addcmul(tensor1, tensor2, value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, value: Scalar = 1) -> Tensor:
    """See `Tensor.addcdiv`."""
    return required(input).addcdiv(tensor1, tensor2, value)


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """See `Tensor.lerp`."""
    return required(input).lerp(end, weight)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """See `Tensor.mv`."""
    return required(input).mv(vec)


def floor_divide(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.floor_divide`."""
    return required(input).floor_divide(other)


def remainder(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.remainder`."""
    return required(input).remainder(other)


def clamp_min(input: Tensor, min: Scalar) -> Tensor:
    """See `Tensor.clamp_min`."""
    return required(input).clamp_min(min)


def clamp_max(input: Tensor, max: Scalar) -> Tensor:
    """See `Tensor.clamp_max`."""
    return required(input).clamp_max(max)


def log2(input: Tensor) -> Tensor:
    """See `Tensor.log2`."""
    return required(input).log2()


def log10(input: Tensor) -> Tensor:
    """See `Tensor.log10`."""
    return required(input).log10()


def tan(input: Tensor) -> Tensor:
    """See `Tensor.tan`."""
    return required(input).tan()


def logical_not(input: Tensor) -> Tensor:
    """See `Tensor.logical_not`."""
    return required(input).logical_not()


def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.logical_and`."""
    return required(input).logical_and(other)


def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.logical_or`."""
    return required(input).logical_or(other)


def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.logical_xor`."""
    return required(input).logical_xor(other)


def bitwise_not(input: Tensor) -> Tensor:
    """See `Tensor.bitwise_not`."""
    return required(input).bitwise_not()


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """See `Tensor.isclose`."""
    return required(input).isclose(other, rtol, atol, equal_nan)


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """See `Tensor.allclose`."""
    return required(input).allclose(other, rtol, atol, equal_nan)


def equal(input: Tensor, other: Tensor) -> bool:
    """See `Tensor.equal`."""
    return required(input).equal(other)


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """See `Tensor.count_nonzero`."""
    return required(input).count_nonzero(dim)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """See `Tensor.argsort`."""
    return required(input).argsort(dim, descending, stable)


def nonzero(input: Tensor, as_tuple: bool = False) -> Any:
    """See `Tensor.nonzero`."""
    return required(input).nonzero(as_tuple)


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Any, input: Any, other: Any) -> Tensor: ...
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """Return `input` where `condition` holds, else `other`; all three are broadcast.

    Of a condition alone, return `condition.nonzero(as_tuple=True)`.

    Raises:
        DtypeError: if `condition` is not boolean, or the others are of two floating types.
    """
    if input is None and other is None:
        return required(condition).nonzero(as_tuple=True)
    return arithmetic.where(condition, input, other)


def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """See `Tensor.broadcast_to`."""
    return required(input).broadcast_to(shape)


def tile(input: Tensor, dims: Any) -> Tensor:
    """See `Tensor.tile`."""
    return required(input).tile(dims)


def repeat_interleave(input: Tensor, repeats: int, dim: int | None = None) -> Tensor:
    """See `Tensor.repeat_interleave`."""
    return required(input).repeat_interleave(repeats, dim)


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """See `Tensor.roll`."""
    return required(input).roll(shifts, dims)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """See `Tensor.movedim`."""
    return required(input).movedim(source, destination)


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """See `Tensor.swapaxes`."""
    return required(input).swapaxes(axis0, axis1)


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """See `Tensor.unflatten`."""
    return required(input).unflatten(dim, sizes)


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Scalar | None = None
) -> Tensor:
    """See `Tensor.scatter`."""
    return required(input).scatter(dim, index, src, value=value)


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Scalar = 1) -> Tensor:
    """See `Tensor.index_add`."""
    return required(input).index_add(dim, index, source, alpha)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Scalar) -> Tensor:
    """See `Tensor.index_fill`."""
    return required(input).index_fill(dim, index, value)


def is_floating_point(input: Tensor) -> bool:
    """See `Tensor.is_floating_point`."""
    return required(input).is_floating_point()


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
