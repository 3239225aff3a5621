"""log and log(1 + x) on vectors, within 2 units in the last place.

x = 2ⁿ·(1 + f) with 1 + f between √½ and √2, and log(1 + f) = f − f²/2 + s·(f²/2 + s²·P(s²)) with
s = f / (2 + f). The polynomial interpolates (log((1 + s)/(1 − s)) − 2s) / s³ at the Chebyshev nodes
of the interval of s² (mpmath, 60 digits).
"""

import math

from tinygrad_rnn.kernels.activations import LOG2_HIGH, LOG2_LOW, MANTISSA_BITS, ROUNDER
from tinygrad_rnn.kernels.simd import Value, Vectors

_SMALLEST_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022}
_REST = {
    "float32": (0.6666668509542907, 0.39988757716604845, 0.29580985929974424),
    "float64": (
        0.666666666666667,
        0.3999999999989889,
        0.28571428626253836,
        0.22222211089379496,
        0.1818289243253687,
        0.15331611722055008,
        0.14617807153417325,
    ),
}


def _split(vectors: Vectors, x: Value) -> tuple[Value, Value]:
    """n and 1 + f of positive, normal x; of others anything."""
    builder = vectors.builder
    bits = vectors.integer(MANTISSA_BITS[vectors.real])
    lowest = vectors.bits(vectors.constant(math.sqrt(0.5)))
    whole = builder.ashr(builder.sub(vectors.bits(x), lowest), bits)
    scaled = builder.sub(vectors.bits(x), builder.shl(whole, bits))
    rounder = vectors.constant(ROUNDER[vectors.real])
    number = vectors.from_bits(builder.add(vectors.bits(rounder), whole))
    return vectors.subtract(number, rounder), vectors.from_bits(scaled)


def _sum(vectors: Vectors, number: Value, f: Value, correction: Value) -> Value:
    """n·log 2 + log(1 + f) + a correction, from the smallest part to the largest."""
    real = vectors.real
    s = vectors.divide(f, vectors.add(f, vectors.constant(2.0)))
    square = vectors.multiply(s, s)
    rest = vectors.multiply(square, vectors.polynomial(square, _REST[real]))
    half = vectors.multiply(vectors.multiply(f, f), vectors.constant(0.5))
    low = vectors.fma(number, vectors.constant(LOG2_LOW[real]), correction)
    small = vectors.subtract(half, vectors.fma(s, vectors.add(half, rest), low))
    high = vectors.multiply(number, vectors.constant(LOG2_HIGH[real]))
    return vectors.subtract(high, vectors.subtract(small, f))


def _with_ends(vectors: Vectors, result: Value, x: Value) -> Value:
    """The logarithm of x itself where x is not a positive number."""
    zero = vectors.constant(0.0)
    infinity = vectors.constant(float("inf"))
    result = vectors.select(vectors.less(x, infinity), result, x)
    is_zero = vectors.builder.fcmp_ordered("==", x, zero)
    result = vectors.select(is_zero, vectors.constant(float("-inf")), result)
    return vectors.select(vectors.less(x, zero), vectors.constant(float("nan")), result)


def emit_log(vectors: Vectors, x: Value) -> Value:
    """log x: −∞ at 0, NaN below."""
    real = vectors.real
    more_bits = float(MANTISSA_BITS[real] + 1)
    is_denormal = vectors.less(x, vectors.constant(_SMALLEST_NORMAL[real]))
    raised = vectors.multiply(x, vectors.constant(2.0**more_bits))
    number, scaled = _split(vectors, vectors.select(is_denormal, raised, x))
    lowered = vectors.subtract(number, vectors.constant(more_bits))
    number = vectors.select(is_denormal, lowered, number)
    f = vectors.subtract(scaled, vectors.constant(1.0))
    return _with_ends(vectors, _sum(vectors, number, f, vectors.constant(0.0)), x)


def emit_log1p(vectors: Vectors, x: Value) -> Value:
    """log(1 + x), with the digits of a small x: −∞ at −1, NaN below."""
    one, zero = vectors.constant(1.0), vectors.constant(0.0)
    grown = vectors.add(x, one)
    number, scaled = _split(vectors, grown)
    # What the addition of 1 lost, as a part of the sum. Without a factor x itself is f.
    is_large = vectors.less(one, x)
    larger, smaller = vectors.select(is_large, x, one), vectors.select(is_large, one, x)
    lost = vectors.subtract(smaller, vectors.subtract(grown, larger))
    is_near = vectors.builder.fcmp_ordered("==", number, zero)
    correction = vectors.select(is_near, zero, vectors.divide(lost, grown))
    f = vectors.select(is_near, x, vectors.subtract(scaled, one))
    result = _with_ends(vectors, _sum(vectors, number, f, correction), grown)
    is_zero = vectors.builder.fcmp_ordered("==", x, zero)
    return vectors.select(is_zero, x, result)
