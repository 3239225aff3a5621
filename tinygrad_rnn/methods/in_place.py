"""Methods that overwrite: `x.op_(...)` puts `x.op(...)` in the place of x, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinygrad_rnn.arguments import probability
from tinygrad_rnn.dtypes import float64
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.generator import Generator
from tinygrad_rnn.methods import drawing
from tinygrad_rnn.methods.arithmetic import Scalar
from tinygrad_rnn.methods.composed import Composed
from tinygrad_rnn.methods.operand import Int, require_float

if TYPE_CHECKING:
    from tinygrad_rnn.tensor import Tensor


class InPlace(Composed):
    """Each overwrites this tensor with the result of the method without the underscore."""

    __slots__ = ()

    def assign(self, value: Any) -> Tensor:
        """Overwrite the numbers. Tensor says how."""
        raise NotImplementedError

    def _rewrite(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Overwrite with what a function makes of this tensor. Tensor says how."""
        raise NotImplementedError

    def copy_(self, source: Any, non_blocking: Any = False) -> Tensor:
        """Overwrite with `source`, converting its type."""
        if isinstance(source, Composed):
            return self.assign(source.to(self.dtype))
        return self.assign(source)

    def zero_(self) -> Tensor:
        """Overwrite with 0."""
        return self.assign(0)

    def fill_(self, value: Any) -> Tensor:
        """Overwrite with one number."""
        if isinstance(value, Composed):
            if value.ndim:
                raise ArgumentError(f"fill_ takes one number, not a tensor of shape {value.shape}")
            return self.assign(value.to(self.dtype))
        return self.assign(value)

    def add_(self, other: Any, alpha: Scalar = 1) -> Tensor:
        """Overwrite with `self + alpha * other`."""
        return self._rewrite(lambda x: x.add(other, alpha))

    def sub_(self, other: Any, alpha: Scalar = 1) -> Tensor:
        """Overwrite with `self - alpha * other`."""
        return self._rewrite(lambda x: x.sub(other, alpha))

    def mul_(self, other: Any) -> Tensor:
        """Overwrite with `self * other`."""
        return self._rewrite(lambda x: x * other)

    def div_(self, other: Any) -> Tensor:
        """Overwrite with `self / other`."""
        return self._rewrite(lambda x: x / other)

    def clamp_(self, min: Scalar | None = None, max: Scalar | None = None) -> Tensor:
        """Overwrite with `clamp(min, max)`."""
        return self._rewrite(lambda x: x.clamp(min, max))

    def clamp_min_(self, min: Scalar) -> Tensor:
        """Overwrite with `clamp_min(min)`."""
        return self._rewrite(lambda x: x.clamp_min(min))

    def clamp_max_(self, max: Scalar) -> Tensor:
        """Overwrite with `clamp_max(max)`."""
        return self._rewrite(lambda x: x.clamp_max(max))

    def neg_(self) -> Tensor:
        """Overwrite with -self."""
        return self._rewrite(lambda x: -x)

    def abs_(self) -> Tensor:
        """Overwrite with the absolute value."""
        return self._rewrite(lambda x: x.abs())

    def pow_(self, exponent: Any) -> Tensor:
        """Overwrite with `self ** exponent`."""
        return self._rewrite(lambda x: x.pow(exponent))

    def sqrt_(self) -> Tensor:
        """Overwrite with the square root."""
        return self._rewrite(lambda x: x.sqrt())

    def exp_(self) -> Tensor:
        """Overwrite with e to the power of each element."""
        return self._rewrite(lambda x: x.exp())

    def log_(self) -> Tensor:
        """Overwrite with the natural logarithm."""
        return self._rewrite(lambda x: x.log())

    def tanh_(self) -> Tensor:
        """Overwrite with tanh."""
        return self._rewrite(lambda x: x.tanh())

    def sigmoid_(self) -> Tensor:
        """Overwrite with the sigmoid."""
        return self._rewrite(lambda x: x.sigmoid())

    def relu_(self) -> Tensor:
        """Overwrite with max(x, 0)."""
        return self._rewrite(lambda x: x.relu())

    def lerp_(self, end: Tensor, weight: Any) -> Tensor:
        """Overwrite with `lerp(end, weight)`."""
        return self._rewrite(lambda x: x.lerp(end, weight))

    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, value: Scalar = 1) -> Tensor:
        """Overwrite with `addcmul(tensor1, tensor2, value)`."""
        return self._rewrite(lambda x: x.addcmul(tensor1, tensor2, value))

    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, value: Scalar = 1) -> Tensor:
        """Overwrite with `addcdiv(tensor1, tensor2, value)`."""
        return self._rewrite(lambda x: x.addcdiv(tensor1, tensor2, value))

    def masked_fill_(self, mask: Tensor, value: Any) -> Tensor:
        """Overwrite with `value` where `mask` holds."""
        return self._rewrite(lambda x: x.masked_fill(mask, value))

    def scatter_(self, dim: Int, index: Tensor, src: Any = None, *, value: Any = None) -> Tensor:
        """Overwrite with `scatter(dim, index, src)`; a single number may be called `value`."""
        return self._rewrite(lambda x: x.scatter(dim, index, src, value=value))

    def scatter_add_(self, dim: Int, index: Tensor, src: Tensor) -> Tensor:
        """Overwrite with `scatter_add(dim, index, src)`."""
        return self._rewrite(lambda x: x.scatter_add(dim, index, src))

    def index_add_(self, dim: Int, index: Tensor, source: Tensor, alpha: Scalar = 1) -> Tensor:
        """Overwrite with `index_add(dim, index, source, alpha)`."""
        return self._rewrite(lambda x: x.index_add(dim, index, source, alpha))

    def index_fill_(self, dim: Int, index: Tensor, value: Scalar) -> Tensor:
        """Overwrite with `index_fill(dim, index, value)`."""
        return self._rewrite(lambda x: x.index_fill(dim, index, value))

    def uniform_(
        self, low: float = 0.0, high: float = 1.0, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite with numbers equally distributed over [low, high)."""
        require_float(self, "uniform_")
        drawn = drawing.uniform(self.apply, self.shape, self.dtype, generator)
        return self.assign(drawn * (high - low) + low)

    def normal_(
        self, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
    ) -> Tensor:
        """Overwrite with numbers of a normal distribution."""
        require_float(self, "normal_")
        drawn = drawing.normal(self.apply, self.shape, self.dtype, generator)
        return self.assign(drawn * std + mean)

    def bernoulli_(self, p: float = 0.5, generator: Generator | None = None) -> Tensor:
        """Overwrite with 1 with probability `p`, else 0."""
        limit = probability(p)
        drawn = drawing.uniform(self.apply, self.shape, float64, generator)
        return self.assign((drawn < limit).to(self.dtype))
