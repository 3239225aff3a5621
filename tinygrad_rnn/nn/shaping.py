"""Modules that compute nothing: they pass on or reshape."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.errors import DtypeError
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor


class Identity(Module):
    """y = x; takes any arguments, so that it can stand in for another module."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x


class Flatten(Module):
    """y = x.flatten(start_dim, end_dim): one axis in place of several."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Join the axes of x."""
        if not isinstance(x, Tensor):
            raise DtypeError(f"Flatten takes a tensor, not {type(x).__name__}; see tensor()")
        return x.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
