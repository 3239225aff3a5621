"""Dropout as a module."""

from __future__ import annotations

from tinygrad_rnn.arguments import probability
from tinygrad_rnn.nn import functional
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor


class Dropout(Module):
    """In training, sets each element to 0 with probability p and divides the others by 1 - p."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = probability(p)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of a tensor of any shape."""
        return functional.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the probability."""
        return f"p={self.p}"
