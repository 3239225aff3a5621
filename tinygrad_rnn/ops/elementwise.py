"""Element-wise primitives. Shapes broadcast as in NumPy; the engine sums gradients back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_rnn import kernels
from tinygrad_rnn.ops.primitive import Primitive, Value


def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _power(base: Any, exponent: Any) -> Any:
    # Truth values are not closed under powers: True ** 2 is the integer 1.
    if isinstance(exponent, (int, float)) and exponent == 2 and base.dtype.kind != "b":
        return base * base
    return np.power(base, exponent)


def _tanh_slope(h: Any, y: Any) -> Any:
    """Return h·tanh'(x) in terms of y = tanh(x): h (1 - y²)."""
    slope = np.multiply(y, y, out=np.empty_like(y))
    np.subtract(1.0, slope, out=slope)
    return np.multiply(slope, h, out=slope)


def _sigmoid_slope(h: Any, y: Any) -> Any:
    """Return h·σ'(x) in terms of y = σ(x): h y (1 - y)."""
    slope = np.subtract(1.0, y, out=np.empty_like(y))
    np.multiply(slope, y, out=slope)
    return np.multiply(slope, h, out=slope)


def _clip(x: Any, low: float | None, high: float | None) -> Any:
    return np.clip(x, low, high)


def _cast(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


def _share(g: Value, larger: Value, smaller: Value) -> Value:
    """Return g where `larger` wins, and half of it where the two are equal: the halves sum to g.

    Where one is NaN neither loses, and both get g.
    """
    return g * ((~(larger < smaller)).to(g.dtype) - (larger == smaller).to(g.dtype) * 0.5)


def _inside(x: Value, low: float | None, high: float | None) -> Value:
    above = (x >= low) if low is not None else (x == x)
    return above & (x <= high) if high is not None else above


def _pow_base(g: Value, base: Value, exponent: Value) -> Value:
    if isinstance(exponent, (int, float)):
        return g * 0.0 if exponent == 0 else g * (exponent * base ** (exponent - 1))
    # Where the exponent is 0 the slope is 0, although 0 * base ** -1 may be 0 * inf.
    constant = exponent == 0
    slope = exponent * base ** g.apply(where, constant, 1.0, exponent - 1)
    return g * g.apply(where, constant, 0.0, slope)


def _pow_exponent(g: Value, out: Value, base: Value, exponent: Value) -> Value:
    # Where 0 ** b is finite its slope is 0, at b = 0 the limit from above, instead of 0 * -inf.
    if not isinstance(base, (int, float)):
        flat = (base == 0) & (exponent >= 0)
        return g * g.apply(where, flat, 0.0, out * g.apply(where, flat, 1.0, base).log())
    if base == 0:
        flat = exponent >= 0
        return g * g.apply(where, flat, 0.0, g.apply(where, flat, 1.0, out) * -math.inf)
    return g * out * (math.log(base) if base > 0 else math.nan)


add = Primitive("add", np.add, lambda g, out, a, b: g, lambda g, out, a, b: g)
sub = Primitive("sub", np.subtract, lambda g, out, a, b: g, lambda g, out, a, b: -g)
mul = Primitive(
    "mul",
    np.multiply,
    lambda g, out, a, b: g * b,
    lambda g, out, a, b: g * a,
    reads_inputs=True,
)
div = Primitive(
    "div",
    np.true_divide,
    lambda g, out, a, b: g / b,
    # Dividing by b twice and not by b * b, of which the gradient at 0 would be 0 * inf.
    lambda g, out, a, b: -(g * (a / b)) / b,
    reads_inputs=True,
)
pow_ = Primitive(
    "pow",
    _power,
    lambda g, out, a, b: _pow_base(g, a, b),
    lambda g, out, a, b: _pow_exponent(g, out, a, b),
    reads_inputs=True,
    reads_output=True,
)
neg = Primitive("neg", np.negative, lambda g, out, a: -g)
exp = Primitive("exp", kernels.exp, lambda g, out, a: g * out, reads_output=True)
log = Primitive("log", np.log, lambda g, out, a: g / a, reads_inputs=True)
log1p = Primitive("log1p", np.log1p, lambda g, out, a: g / (a + 1.0), reads_inputs=True)
sqrt = Primitive("sqrt", np.sqrt, lambda g, out, a: g * 0.5 / out, reads_output=True)
abs_ = Primitive("abs", np.abs, lambda g, out, a: g * g.apply(sign, a), reads_inputs=True)
sin = Primitive("sin", np.sin, lambda g, out, a: g * a.cos(), reads_inputs=True)
cos = Primitive("cos", np.cos, lambda g, out, a: -(g * a.sin()), reads_inputs=True)
tanh_slope: Primitive = Primitive(
    "tanh_slope",
    _tanh_slope,
    lambda g, out, h, y: g.apply(tanh_slope, g, y),
    lambda g, out, h, y: g * h * y * -2.0,
    reads_inputs=True,
)
tanh = Primitive(
    "tanh", kernels.tanh, lambda g, out, a: g.apply(tanh_slope, g, out), reads_output=True
)
sigmoid_slope: Primitive = Primitive(
    "sigmoid_slope",
    _sigmoid_slope,
    lambda g, out, h, y: g.apply(sigmoid_slope, g, y),
    lambda g, out, h, y: g * h * (1.0 - 2.0 * y),
    reads_inputs=True,
)
sigmoid = Primitive(
    "sigmoid",
    kernels.sigmoid,
    lambda g, out, a: g.apply(sigmoid_slope, g, out),
    reads_output=True,
)
relu = Primitive("relu", _relu, lambda g, out, a: g * ~(out <= 0), reads_output=True)
softplus = Primitive(
    "softplus", _softplus, lambda g, out, a: g * a.sigmoid(), reads_inputs=True
)
erf = Primitive(
    "erf",
    kernels.erf,
    lambda g, out, a: g * ((-(a * a)).exp() * (2.0 / math.sqrt(math.pi))),
    reads_inputs=True,
)
clip = Primitive(
    "clip",
    _clip,
    lambda g, out, a, low, high: g * _inside(a, low, high),
    reads_inputs=True,
)
maximum = Primitive(
    "maximum",
    np.maximum,
    lambda g, out, a, b: _share(g, a, b),
    lambda g, out, a, b: _share(g, b, a),
    reads_inputs=True,
)
minimum = Primitive(
    "minimum",
    np.minimum,
    lambda g, out, a, b: _share(g, b, a),
    lambda g, out, a, b: _share(g, a, b),
    reads_inputs=True,
)
where: Primitive = Primitive(
    "where",
    np.where,
    None,
    lambda g, out, condition, a, b: g.apply(where, condition, g, 0.0),
    lambda g, out, condition, a, b: g.apply(where, condition, 0.0, g),
    reads_inputs=True,
)
cast = Primitive("cast", _cast, lambda g, out, a, dtype: g.to(a.dtype))
copy = Primitive("copy", np.array, lambda g, out, a: g)

sign: Primitive = Primitive("sign", np.sign, lambda g, out, a: g * 0.0)
floor = Primitive("floor", np.floor, lambda g, out, a: g * 0.0)
ceil = Primitive("ceil", np.ceil, lambda g, out, a: g * 0.0)
round_ = Primitive("round", np.round, lambda g, out, a: g * 0.0)
remainder = Primitive(
    "remainder",
    np.remainder,
    lambda g, out, a, b: g,
    lambda g, out, a, b: -(g * (a // b)),
    reads_inputs=True,
)

floor_divide = Primitive("floor_divide", np.floor_divide)
equal = Primitive("eq", np.equal)
not_equal = Primitive("ne", np.not_equal)
less = Primitive("lt", np.less)
less_equal = Primitive("le", np.less_equal)
greater = Primitive("gt", np.greater)
greater_equal = Primitive("ge", np.greater_equal)
bitwise_and = Primitive("and", np.bitwise_and)
bitwise_or = Primitive("or", np.bitwise_or)
bitwise_xor = Primitive("xor", np.bitwise_xor)
invert = Primitive("not", np.invert)
isnan = Primitive("isnan", np.isnan)
isinf = Primitive("isinf", np.isinf)
