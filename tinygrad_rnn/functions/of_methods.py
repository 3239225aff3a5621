"""The methods of Tensor as functions, under PyTorch's names. Each only calls the method.

They refuse anything but a Tensor with a typed error.
"""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.arguments import numpy_names
from tinygrad_rnn.functions.joining import required
from tinygrad_rnn.methods.arithmetic import Scalar
from tinygrad_rnn.tensor import Tensor


def abs(input: Tensor) -> Tensor:
    """See `Tensor.abs`."""
    return required(input).abs()


def neg(input: Tensor) -> Tensor:
    """See `Tensor.neg`."""
    return required(input).neg()


def sign(input: Tensor) -> Tensor:
    """See `Tensor.sign`."""
    return required(input).sign()


def floor(input: Tensor) -> Tensor:
    """See `Tensor.floor`."""
    return required(input).floor()


def ceil(input: Tensor) -> Tensor:
    """See `Tensor.ceil`."""
    return required(input).ceil()


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """See `Tensor.round`."""
    return required(input).round(decimals=decimals)


def exp(input: Tensor) -> Tensor:
    """See `Tensor.exp`."""
    return required(input).exp()


def log(input: Tensor) -> Tensor:
    """See `Tensor.log`."""
    return required(input).log()


def log1p(input: Tensor) -> Tensor:
    """See `Tensor.log1p`."""
    return required(input).log1p()


def sqrt(input: Tensor) -> Tensor:
    """See `Tensor.sqrt`."""
    return required(input).sqrt()


def rsqrt(input: Tensor) -> Tensor:
    """See `Tensor.rsqrt`."""
    return required(input).rsqrt()


def square(input: Tensor) -> Tensor:
    """See `Tensor.square`."""
    return required(input).square()


def reciprocal(input: Tensor) -> Tensor:
    """See `Tensor.reciprocal`."""
    return required(input).reciprocal()


def sin(input: Tensor) -> Tensor:
    """See `Tensor.sin`."""
    return required(input).sin()


def cos(input: Tensor) -> Tensor:
    """See `Tensor.cos`."""
    return required(input).cos()


def tanh(input: Tensor) -> Tensor:
    """See `Tensor.tanh`."""
    return required(input).tanh()


def sigmoid(input: Tensor) -> Tensor:
    """See `Tensor.sigmoid`."""
    return required(input).sigmoid()


def relu(input: Tensor) -> Tensor:
    """See `Tensor.relu`."""
    return required(input).relu()


def erf(input: Tensor) -> Tensor:
    """See `Tensor.erf`."""
    return required(input).erf()


def isnan(input: Tensor) -> Tensor:
    """See `Tensor.isnan`."""
    return required(input).isnan()


def isinf(input: Tensor) -> Tensor:
    """See `Tensor.isinf`."""
    return required(input).isinf()


def isfinite(input: Tensor) -> Tensor:
    """See `Tensor.isfinite`."""
    return required(input).isfinite()


def clamp(input: Tensor, min: Scalar | None = None, max: Scalar | None = None) -> Tensor:
    """See `Tensor.clamp`."""
    return required(input).clamp(min, max)


def clip(input: Tensor, min: Scalar | None = None, max: Scalar | None = None) -> Tensor:
    """See `Tensor.clip`."""
    return required(input).clip(min, max)


def add(input: Tensor, other: Any, alpha: Scalar = 1) -> Tensor:
    """See `Tensor.add`."""
    return required(input).add(other, alpha)


def sub(input: Tensor, other: Any, alpha: Scalar = 1) -> Tensor:
    """See `Tensor.sub`."""
    return required(input).sub(other, alpha)


def mul(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.mul`."""
    return required(input).mul(other)


def div(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """See `Tensor.div`."""
    return required(input).div(other, rounding_mode=rounding_mode)


def pow(input: Tensor, exponent: Any) -> Tensor:
    """See `Tensor.pow`."""
    return required(input).pow(exponent)


def maximum(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.maximum`."""
    return required(input).maximum(other)


def minimum(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.minimum`."""
    return required(input).minimum(other)


def eq(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.eq`."""
    return required(input).eq(other)


def ne(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.ne`."""
    return required(input).ne(other)


def lt(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.lt`."""
    return required(input).lt(other)


def le(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.le`."""
    return required(input).le(other)


def gt(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.gt`."""
    return required(input).gt(other)


def ge(input: Tensor, other: Any) -> Tensor:
    """See `Tensor.ge`."""
    return required(input).ge(other)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.matmul`."""
    return required(input).matmul(other)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """See `Tensor.mm`."""
    return required(input).mm(mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """See `Tensor.bmm`."""
    return required(input).bmm(mat2)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """See `Tensor.dot`."""
    return required(input).dot(tensor)


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """See `Tensor.masked_fill`."""
    return required(input).masked_fill(mask, value)


@numpy_names
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """See `Tensor.sum`."""
    return required(input).sum(dim, keepdim, dtype)


@numpy_names
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """See `Tensor.mean`."""
    return required(input).mean(dim, keepdim, dtype)


@numpy_names
def var(
    input: Tensor,
    dim: Any = None,
    correction: int = 1,
    keepdim: bool = False,
    unbiased: bool | None = None,
) -> Tensor:
    """See `Tensor.var`."""
    return required(input).var(dim, correction, keepdim, unbiased)


@numpy_names
def std(
    input: Tensor,
    dim: Any = None,
    correction: int = 1,
    keepdim: bool = False,
    unbiased: bool | None = None,
) -> Tensor:
    """See `Tensor.std`."""
    return required(input).std(dim, correction, keepdim, unbiased)


@numpy_names
def amax(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.amax`."""
    return required(input).amax(dim, keepdim)


@numpy_names
def amin(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.amin`."""
    return required(input).amin(dim, keepdim)


@numpy_names
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """See `Tensor.max`."""
    return required(input).max(dim, keepdim)


@numpy_names
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """See `Tensor.min`."""
    return required(input).min(dim, keepdim)


@numpy_names
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.argmax`."""
    return required(input).argmax(dim, keepdim)


@numpy_names
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.argmin`."""
    return required(input).argmin(dim, keepdim)


@numpy_names
def any(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.any`."""
    return required(input).any(dim, keepdim)


@numpy_names
def all(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.all`."""
    return required(input).all(dim, keepdim)


@numpy_names
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """See `Tensor.logsumexp`."""
    return required(input).logsumexp(dim, keepdim)


@numpy_names
def norm(input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.norm`."""
    return required(input).norm(p, dim, keepdim)


@numpy_names
def cumsum(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """See `Tensor.cumsum`."""
    return required(input).cumsum(dim, dtype)


@numpy_names
def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """See `Tensor.softmax`."""
    return required(input).softmax(dim, dtype)


@numpy_names
def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """See `Tensor.log_softmax`."""
    return required(input).log_softmax(dim, dtype)


def reshape(input: Tensor, shape: Any) -> Tensor:
    """See `Tensor.reshape`."""
    return required(input).reshape(shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """See `Tensor.flatten`."""
    return required(input).flatten(start_dim, end_dim)


def permute(input: Tensor, dims: Any) -> Tensor:
    """See `Tensor.permute`."""
    return required(input).permute(dims)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """See `Tensor.transpose`."""
    return required(input).transpose(dim0, dim1)


def t(input: Tensor) -> Tensor:
    """See `Tensor.t`."""
    return required(input).t()


@numpy_names
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """See `Tensor.squeeze`."""
    return required(input).squeeze(dim)


@numpy_names
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """See `Tensor.unsqueeze`."""
    return required(input).unsqueeze(dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.unbind`."""
    return required(input).unbind(dim)


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.split`."""
    return required(tensor).split(split_size_or_sections, dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.chunk`."""
    return required(input).chunk(chunks, dim)


def flip(input: Tensor, dims: Any) -> Tensor:
    """See `Tensor.flip`."""
    return required(input).flip(dims)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """See `Tensor.narrow`."""
    return required(input).narrow(dim, start, length)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """See `Tensor.select`."""
    return required(input).select(dim, index)


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """See `Tensor.index_select`."""
    return required(input).index_select(dim, index)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """See `Tensor.masked_select`."""
    return required(input).masked_select(mask)


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """See `Tensor.gather`."""
    return required(input).gather(dim, index)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """See `Tensor.scatter_add`."""
    return required(input).scatter_add(dim, index, src)


def clone(input: Tensor) -> Tensor:
    """See `Tensor.clone`."""
    return required(input).clone()


def numel(input: Tensor) -> int:
    """See `Tensor.numel`."""
    return required(input).numel()
