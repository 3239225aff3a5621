"""Linear: the affine map of the last axis."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.creation import empty
from tinygrad_rnn.devices import require_cpu
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.tensor import Tensor


class Linear(Module):
    """y = x Wᵀ + b.

    Args:
        in_features: length of the last axis of x.
        out_features: length of the last axis of y.
        bias: whether to add b.
        device: "cpu".
        dtype: float32 (default) or float64.

    Parameters: weight (out, in) and bias (out), both U(-1/√in, 1/√in).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        require_cpu(device)
        self.in_features = positive(in_features, "in_features")
        self.out_features = positive(out_features, "out_features")
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_features, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1.0 / math.sqrt(self.in_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Map x (..., in) to (..., out)."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.in_features}, {self.out_features}" + (
            ", bias=False" if self.bias is None else ""
        )
