"""Element-wise functions as modules, for use in Sequential."""

from __future__ import annotations

from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor


class Tanh(Module):
    """y = tanh(x)."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply tanh."""
        return x.tanh()


class Sigmoid(Module):
    """y = 1 / (1 + e⁻ˣ)."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the sigmoid."""
        return x.sigmoid()


class ReLU(Module):
    """y = max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply max(x, 0)."""
        return x.relu()
