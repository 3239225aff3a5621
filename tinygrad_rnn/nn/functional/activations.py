"""Functions of each element, as used between layers."""

from __future__ import annotations

import math

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn.functional.checks import floating, number
from tinygrad_rnn.tensor import Tensor


def softplus(x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + e^(beta x)) / beta, and x itself where beta x is above the threshold."""
    floating("softplus", x)
    if not number("beta", beta) > 0:
        raise ArgumentError(f"beta is above 0, not {beta}")
    scaled = x * beta
    return where(scaled > number("threshold", threshold), x, scaled.softplus() * (1.0 / beta))


def logsigmoid(x: Tensor) -> Tensor:
    """Return log(1 / (1 + e⁻ˣ)), without overflow."""
    floating("logsigmoid", x)
    return -(-x).softplus()


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x), Φ the normal distribution function (Hendrycks and Gimpel, 2016).

    `approximate="tanh"` gives x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
    """
    floating("gelu", x)
    if approximate == "none":
        return x * (((x * math.sqrt(0.5)).erf() + 1.0) * 0.5)
    if approximate == "tanh":
        inner = (x + x * x * x * 0.044715) * math.sqrt(2.0 / math.pi)
        return x * ((inner.tanh() + 1.0) * 0.5)
    raise ArgumentError(f"approximate is 'none' or 'tanh', not {approximate!r}")


def silu(x: Tensor) -> Tensor:
    """Return x σ(x) (Elfwing, Uchibe and Doya, 2017)."""
    floating("silu", x)
    return x * x.sigmoid()


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Return x above 0, else negative_slope · x (Maas, Hannun and Ng, 2013)."""
    floating("leaky_relu", x)
    return where(x > 0, x, x * number("negative_slope", negative_slope))


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x above 0, else alpha (eˣ - 1) (Clevert, Unterthiner and Hochreiter, 2016)."""
    floating("elu", x)
    # Above 0 the exponential could overflow, and its gradient be 0 · inf.
    below = where(x > 0, 0.0, x)
    return where(x > 0, x, (below.exp() - 1.0) * number("alpha", alpha))


def hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Return x limited to [min_val, max_val], with slope 0 at the limits as in PyTorch."""
    floating("hardtanh", x)
    low, high = number("min_val", min_val), number("max_val", max_val)
    if not low <= high:
        raise ArgumentError(f"min_val is at most max_val, not {low} and {high}")
    return where(x <= low, low, where(x >= high, high, x))
