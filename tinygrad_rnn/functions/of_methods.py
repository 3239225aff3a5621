"""The methods of Tensor as functions, under PyTorch's names. Each only calls the method.

They refuse anything but a Tensor with a typed error.
"""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.functions.joining import required
from tinygrad_rnn.methods.arithmetic import Scalar
from tinygrad_rnn.tensor import Tensor


def abs(x: Tensor) -> Tensor:
    """See `Tensor.abs`."""
    return required(x).abs()


def neg(x: Tensor) -> Tensor:
    """See `Tensor.neg`."""
    return required(x).neg()


def sign(x: Tensor) -> Tensor:
    """See `Tensor.sign`."""
    return required(x).sign()


def floor(x: Tensor) -> Tensor:
    """See `Tensor.floor`."""
    return required(x).floor()


def ceil(x: Tensor) -> Tensor:
    """See `Tensor.ceil`."""
    return required(x).ceil()


def round(x: Tensor) -> Tensor:
    """See `Tensor.round`."""
    return required(x).round()


def exp(x: Tensor) -> Tensor:
    """See `Tensor.exp`."""
    return required(x).exp()


def log(x: Tensor) -> Tensor:
    """See `Tensor.log`."""
    return required(x).log()


def log1p(x: Tensor) -> Tensor:
    """See `Tensor.log1p`."""
    return required(x).log1p()


def sqrt(x: Tensor) -> Tensor:
    """See `Tensor.sqrt`."""
    return required(x).sqrt()


def rsqrt(x: Tensor) -> Tensor:
    """See `Tensor.rsqrt`."""
    return required(x).rsqrt()


def square(x: Tensor) -> Tensor:
    """See `Tensor.square`."""
    return required(x).square()


def reciprocal(x: Tensor) -> Tensor:
    """See `Tensor.reciprocal`."""
    return required(x).reciprocal()


def sin(x: Tensor) -> Tensor:
    """See `Tensor.sin`."""
    return required(x).sin()


def cos(x: Tensor) -> Tensor:
    """See `Tensor.cos`."""
    return required(x).cos()


def tanh(x: Tensor) -> Tensor:
    """See `Tensor.tanh`."""
    return required(x).tanh()


def sigmoid(x: Tensor) -> Tensor:
    """See `Tensor.sigmoid`."""
    return required(x).sigmoid()


def relu(x: Tensor) -> Tensor:
    """See `Tensor.relu`."""
    return required(x).relu()


def erf(x: Tensor) -> Tensor:
    """See `Tensor.erf`."""
    return required(x).erf()


def isnan(x: Tensor) -> Tensor:
    """See `Tensor.isnan`."""
    return required(x).isnan()


def isinf(x: Tensor) -> Tensor:
    """See `Tensor.isinf`."""
    return required(x).isinf()


def isfinite(x: Tensor) -> Tensor:
    """See `Tensor.isfinite`."""
    return required(x).isfinite()


def clamp(x: Tensor, min: Scalar | None = None, max: Scalar | None = None) -> Tensor:
    """See `Tensor.clamp`."""
    return required(x).clamp(min, max)


def clip(x: Tensor, min: Scalar | None = None, max: Scalar | None = None) -> Tensor:
    """See `Tensor.clip`."""
    return required(x).clip(min, max)


def add(x: Tensor, other: Any, alpha: Scalar = 1) -> Tensor:
    """See `Tensor.add`."""
    return required(x).add(other, alpha)


def sub(x: Tensor, other: Any, alpha: Scalar = 1) -> Tensor:
    """See `Tensor.sub`."""
    return required(x).sub(other, alpha)


def mul(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.mul`."""
    return required(x).mul(other)


def div(x: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """See `Tensor.div`."""
    return required(x).div(other, rounding_mode=rounding_mode)


def pow(x: Tensor, exponent: Any) -> Tensor:
    """See `Tensor.pow`."""
    return required(x).pow(exponent)


def maximum(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.maximum`."""
    return required(x).maximum(other)


def minimum(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.minimum`."""
    return required(x).minimum(other)


def eq(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.eq`."""
    return required(x).eq(other)


def ne(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.ne`."""
    return required(x).ne(other)


def lt(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.lt`."""
    return required(x).lt(other)


def le(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.le`."""
    return required(x).le(other)


def gt(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.gt`."""
    return required(x).gt(other)


def ge(x: Tensor, other: Any) -> Tensor:
    """See `Tensor.ge`."""
    return required(x).ge(other)


def matmul(x: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.matmul`."""
    return required(x).matmul(other)


def mm(x: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.mm`."""
    return required(x).mm(other)


def bmm(x: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.bmm`."""
    return required(x).bmm(other)


def dot(x: Tensor, other: Tensor) -> Tensor:
    """See `Tensor.dot`."""
    return required(x).dot(other)


def masked_fill(x: Tensor, mask: Tensor, value: Scalar) -> Tensor:
    """See `Tensor.masked_fill`."""
    return required(x).masked_fill(mask, value)


def sum(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """See `Tensor.sum`."""
    return required(x).sum(dim, keepdim, dtype)


def mean(x: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """See `Tensor.mean`."""
    return required(x).mean(dim, keepdim, dtype)


def var(
    x: Tensor,
    dim: Any = None,
    correction: int = 1,
    keepdim: bool = False,
    unbiased: bool | None = None,
) -> Tensor:
    """See `Tensor.var`."""
    return required(x).var(dim, correction, keepdim, unbiased)


def std(
    x: Tensor,
    dim: Any = None,
    correction: int = 1,
    keepdim: bool = False,
    unbiased: bool | None = None,
) -> Tensor:
    """See `Tensor.std`."""
    return required(x).std(dim, correction, keepdim, unbiased)


def amax(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.amax`."""
    return required(x).amax(dim, keepdim)


def amin(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.amin`."""
    return required(x).amin(dim, keepdim)


def max(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """See `Tensor.max`."""
    return required(x).max(dim, keepdim)


def min(x: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """See `Tensor.min`."""
    return required(x).min(dim, keepdim)


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.argmax`."""
    return required(x).argmax(dim, keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.argmin`."""
    return required(x).argmin(dim, keepdim)


def any(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.any`."""
    return required(x).any(dim, keepdim)


def all(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.all`."""
    return required(x).all(dim, keepdim)


def logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """See `Tensor.logsumexp`."""
    return required(x).logsumexp(dim, keepdim)


def norm(x: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    """See `Tensor.norm`."""
    return required(x).norm(p, dim, keepdim)


def cumsum(x: Tensor, dim: int) -> Tensor:
    """See `Tensor.cumsum`."""
    return required(x).cumsum(dim)


def softmax(x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """See `Tensor.softmax`."""
    return required(x).softmax(dim, dtype)


def log_softmax(x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """See `Tensor.log_softmax`."""
    return required(x).log_softmax(dim, dtype)


def reshape(x: Tensor, shape: Any) -> Tensor:
    """See `Tensor.reshape`."""
    return required(x).reshape(shape)


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """See `Tensor.flatten`."""
    return required(x).flatten(start_dim, end_dim)


def permute(x: Tensor, dims: Any) -> Tensor:
    """See `Tensor.permute`."""
    return required(x).permute(dims)


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """See `Tensor.transpose`."""
    return required(x).transpose(dim0, dim1)


def t(x: Tensor) -> Tensor:
    """See `Tensor.t`."""
    return required(x).t()


def squeeze(x: Tensor, dim: Any = None) -> Tensor:
    """See `Tensor.squeeze`."""
    return required(x).squeeze(dim)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """See `Tensor.unsqueeze`."""
    return required(x).unsqueeze(dim)


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.unbind`."""
    return required(x).unbind(dim)


def split(x: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.split`."""
    return required(x).split(split_size, dim)


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """See `Tensor.chunk`."""
    return required(x).chunk(chunks, dim)


def flip(x: Tensor, dims: Any) -> Tensor:
    """See `Tensor.flip`."""
    return required(x).flip(dims)


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """See `Tensor.narrow`."""
    return required(x).narrow(dim, start, length)


def select(x: Tensor, dim: int, index: int) -> Tensor:
    """See `Tensor.select`."""
    return required(x).select(dim, index)


def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """See `Tensor.index_select`."""
    return required(x).index_select(dim, index)


def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    """See `Tensor.masked_select`."""
    return required(x).masked_select(mask)


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """See `Tensor.gather`."""
    return required(x).gather(dim, index)


def scatter_add(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """See `Tensor.scatter_add`."""
    return required(x).scatter_add(dim, index, src)


def clone(x: Tensor) -> Tensor:
    """See `Tensor.clone`."""
    return required(x).clone()


def numel(x: Tensor) -> int:
    """See `Tensor.numel`."""
    return required(x).numel()
