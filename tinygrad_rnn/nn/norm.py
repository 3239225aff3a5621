"""Layer normalisation as a module; the mathematics is in `functional`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_rnn.arguments import positive, shape_of
from tinygrad_rnn.creation import ones, zeros
from tinygrad_rnn.devices import require_cpu
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.tensor import Tensor


class LayerNorm(Module):
    """y = (x - μ) / √(σ² + eps) * weight + bias, with μ and σ² those of the last axes of x.

    Ba, Kiros and Hinton, 2016, "Layer normalization".

    Args:
        normalized_shape: the lengths of the axes to normalise over, or the length of the last.
        eps: keeps the divisor above 0.
        elementwise_affine: whether to have weight and bias.
        bias: whether to add one.
        device: "cpu".
        dtype: float32 (default) or float64.

    Parameters: weight, ones, and bias, zeros, both of `normalized_shape`.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        require_cpu(device)
        sizes = shape_of((normalized_shape,))
        if not sizes:
            raise ArgumentError("normalized_shape names at least one axis, not ()")
        self.normalized_shape = tuple(positive(n, "normalized_shape") for n in sizes)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        self.register_parameter(
            "weight", Parameter(ones(shape, dtype=dtype)) if elementwise_affine else None
        )
        self.register_parameter(
            "bias", Parameter(zeros(shape, dtype=dtype)) if elementwise_affine and bias else None
        )

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.weight is not None:
            init.constant_(self.weight, 1.0)
        if self.bias is not None:
            init.constant_(self.bias, 0.0)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise x (..., *normalized_shape)."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the settings."""
        affine = "" if self.elementwise_affine else ", elementwise_affine=False"
        bias = ", bias=False" if self.elementwise_affine and self.bias is None else ""
        return f"{self.normalized_shape}, eps={self.eps}{affine}{bias}"
