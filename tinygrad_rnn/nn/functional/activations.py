"""Functions of each element, as used between layers."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.functions.joining import required
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn.functional.checks import applied, floating, number
from tinygrad_rnn.tensor import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return max(x, 0); its slope at 0 is taken as 0."""
    return applied(Tensor.relu, required(input), inplace)


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """Return eˣ / Σ eˣ along an axis, which has to be named."""
    return required(input).softmax(_named("softmax", dim), dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """Return log softmax(x) along an axis, which has to be named."""
    return required(input).log_softmax(_named("log_softmax", dim), dtype)


def _named(name: str, dim: int | None) -> int:
    if dim is None:
        raise ArgumentError(f"{name} needs its axis as an integer, such as dim=-1, not None")
    return dim


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + e^(beta x)) / beta, and x itself where beta x is above the threshold."""
    floating("softplus", input)
    if not number("beta", beta) > 0:
        raise ArgumentError(f"beta is above 0, not {beta}")
    scaled = input * beta
    return where(scaled > number("threshold", threshold), input, scaled.softplus() * (1.0 / beta))


def logsigmoid(input: Tensor) -> Tensor:
    """Return log(1 / (1 + e⁻ˣ)), without overflow."""
    floating("logsigmoid", input)
    return -(-input).softplus()


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x Φ(x), Φ the normal distribution function (Hendrycks and Gimpel, 2016).

    `approximate="tanh"` gives x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2.
    """
    floating("gelu", input)
    if approximate == "none":
        return input * (((input * math.sqrt(0.5)).erf() + 1.0) * 0.5)
    if approximate == "tanh":
        inner = (input + input * input * input * 0.044715) * math.sqrt(2.0 / math.pi)
        return input * ((inner.tanh() + 1.0) * 0.5)
    raise ArgumentError(f"approximate is 'none' or 'tanh', not {approximate!r}")


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x σ(x) (Elfwing, Uchibe and Doya, 2017)."""
    floating("silu", input)
    return applied(lambda x: x * x.sigmoid(), input, inplace)


def leaky_relu(
    input: Tensor, negative_slope: float = 0.01, inplace: bool = False
) -> Tensor:
    """Return x above 0, else negative_slope · x (Maas, Hannun and Ng, 2013)."""
    floating("leaky_relu", input)
    slope = number("negative_slope", negative_slope)
    return applied(lambda x: where(x > 0, x, x * slope), input, inplace)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x above 0, else alpha (eˣ - 1) (Clevert, Unterthiner and Hochreiter, 2016)."""
    floating("elu", input)
    scale = number("alpha", alpha)

    def function(x: Tensor) -> Tensor:
        # Above 0 the exponential could overflow, and its gradient be 0 · inf.
        below = where(x > 0, 0.0, x)
        return where(x > 0, x, (below.exp() - 1.0) * scale)

    return applied(function, input, inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Return x limited to [min_val, max_val], with slope 0 at the limits as in PyTorch."""
    floating("hardtanh", input)
    low, high = number("min_val", min_val), number("max_val", max_val)
    if not low <= high:
        raise ArgumentError(f"min_val is at most max_val, not {low} and {high}")
    return applied(lambda x: where(x <= low, low, where(x >= high, high, x)), input, inplace)
