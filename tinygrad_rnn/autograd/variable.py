"""Variable: what early PyTorch wrapped a tensor in to have it recorded. Today it is the tensor."""

from __future__ import annotations

from tinygrad_rnn.errors import DtypeError, UnsupportedError
from tinygrad_rnn.tensor import Tensor


class _AnyTensor(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_AnyTensor):
    """`Variable(x)` is x without its history, sharing its memory; every tensor is an instance.

    Raises:
        UnsupportedError: for `volatile`.
    """

    def __new__(  # type: ignore[misc]
        cls, data: Tensor, requires_grad: bool = False, volatile: bool = False
    ) -> Tensor:
        """Return the tensor that stands for it."""
        if volatile:
            raise UnsupportedError("there are no volatile tensors; compute under no_grad()")
        if not isinstance(data, Tensor):
            raise DtypeError(f"Variable takes a Tensor, not {type(data).__name__}; see tensor()")
        return data.detach().requires_grad_(requires_grad)
