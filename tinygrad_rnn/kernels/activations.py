"""exp, tanh, sigmoid and erf, element by element.

Each is stated once, as operations on vectors (`emit_exp` and its like), from which come the
loop over an array, and the scalar function for other compiled code. An element's result depends on
its value alone: a last incomplete vector goes through the same operations as the others.

The polynomial coefficients interpolate the named function at the Chebyshev nodes of the named
interval (mpmath, 60 digits), in the lowest degree whose error stays well below half a unit in
the last place; converted to powers and rounded to the element type.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn.kernels.cache import Kernel, kernel
from tinygrad_rnn.kernels.simd import (
    INT32,
    Array,
    Value,
    Vectors,
    emit_over_vectors,
    intrinsic,
    lanes,
    pointer_at,
    types,
)
from tinygrad_rnn.kernels.ufuncs import elementwise

SIDE_BY_SIDE = 2  # vectors that go through the chain of operations together, to hide its latency

# log 2 in two parts, the first with enough zeros at its end that its whole multiples are exact.
LOG2_HIGH = {"float32": 355 / 512, "float64": float.fromhex("0x1.62e42feep-1")}
LOG2_LOW = {"float32": -2.1219444005469057e-04, "float64": 1.9082149292705877e-10}
_LOG2_E = 1.4426950408889634
# Adding and subtracting it rounds to a whole number, which then stands in the lowest bits.
ROUNDER = {"float32": 1.5 * 2.0**23, "float64": 1.5 * 2.0**52}
MANTISSA_BITS = {"float32": 23, "float64": 52}
_EXPONENT_BIAS = {"float32": 127, "float64": 1023}

# Beyond these exp is 0 or infinite, and so is its value at them.
_EXP_LOWEST = {"float32": -104.0, "float64": -746.0}
_EXP_HIGHEST = {"float32": 89.0, "float64": 710.0}
# Beyond these tanh and erf round to 1, and so does what is computed at them.
_TANH_HIGHEST = {"float32": 10.0, "float64": 20.0}
_ERF_HIGHEST = {"float32": 4.0, "float64": 6.0}

# (exp(r) − 1 − r) / r² for |r| ≤ log(2)/2.
_EXP_REST = {
    "float32": (
        0.5,
        0.16666573381900845,
        0.04166655011030512,
        0.008363773874405574,
        0.0013926926614021907,
    ),
    "float64": (
        0.5,
        0.1666666666666667,
        0.04166666666666667,
        0.008333333333325544,
        0.0013888888888883327,
        0.00019841269876864356,
        2.4801587327007187e-05,
        2.755725283351691e-06,
        2.75572718102198e-07,
        2.5106274733573296e-08,
        2.0915442297780116e-09,
    ),
}
# erf(x) / x in powers of x², for |x| ≤ 1.
_ERF_NEAR = {
    "float32": (
        1.1283791658483509,
        -0.37612626666720334,
        0.11283594715160218,
        -0.026854212010626412,
        0.005189087423433974,
        -0.000801686428716587,
        7.875875062685488e-05,
    ),
    "float64": (
        1.1283791670955126,
        -0.37612638903183754,
        0.1128379167095512,
        -0.02686617064512984,
        0.0052239776254232985,
        -0.000854832702193483,
        0.00012055332902888736,
        -1.4925647567519332e-05,
        1.6462045441468418e-06,
        -1.6364642158167616e-07,
        1.4792401209404813e-08,
        -1.216456005728345e-09,
        8.709045129053106e-11,
        -4.230945824295338e-12,
    ),
}
# (1 − erf(x)) · exp(x²) in powers of t = (x − 2)/(x + 2), for 1 ≤ x ≤ 4 and 1 ≤ x ≤ 6.
_ERF_FAR = {
    "float32": (
        0.25539567625190335,
        -0.42718584761434303,
        0.24165821109072444,
        -0.07897852327253349,
        0.0037321413513030097,
        0.006994855413599958,
        -0.0008365899736486057,
        -0.0009441596340872735,
    ),
    "float64": (
        0.25539567631050575,
        -0.4271858474139584,
        0.24165819424246632,
        -0.07897858101573253,
        0.0037328924043494834,
        0.006997461739228476,
        -0.0008471432522752253,
        -0.0009819770269162648,
        4.3555644272098927e-05,
        0.00017436114311543651,
        2.752476736316505e-05,
        -2.757901311902191e-05,
        -1.396149006742397e-05,
        1.380584247725399e-06,
        3.7601677167193133e-06,
        1.2559897861345693e-06,
        -5.060915438693049e-07,
        -6.144477167995065e-07,
        1.340884871736239e-07,
    ),
}


def _reduced(vectors: Vectors, x: Value) -> tuple[Value, Value]:
    """n and exp(r) − 1 for x = n·log 2 + r with a whole number n and |r| ≤ log(2)/2."""
    real = vectors.real
    rounder = vectors.constant(ROUNDER[real])
    number = vectors.subtract(vectors.fma(x, vectors.constant(_LOG2_E), rounder), rounder)
    rest = vectors.fma(number, vectors.constant(-LOG2_HIGH[real]), x)
    rest = vectors.fma(number, vectors.constant(-LOG2_LOW[real]), rest)
    square = vectors.multiply(rest, rest)
    return number, vectors.fma(square, vectors.polynomial(rest, _EXP_REST[real]), rest)


def _times_power_of_two(vectors: Vectors, x: Value, number: Value, normal: bool) -> Value:
    """x·2ⁿ for a whole number n held as a float; `normal` says that 2ⁿ is a normal number."""
    if vectors.has_scaling:
        return vectors.scaled(x, number)
    builder = vectors.builder
    # The number's bits, once it is added to the rounder, end in the number itself.
    rounder = vectors.constant(ROUNDER[vectors.real])
    whole = builder.sub(vectors.bits(vectors.add(number, rounder)), vectors.bits(rounder))
    if normal:
        return vectors.multiply(x, _power_of_two(vectors, whole))
    # In two steps, so that denormal results are rounded once and overflow gives infinity.
    half = builder.ashr(whole, vectors.integer(1))
    x = vectors.multiply(x, _power_of_two(vectors, half))
    return vectors.multiply(x, _power_of_two(vectors, builder.sub(whole, half)))


def _power_of_two(vectors: Vectors, exponent: Value) -> Value:
    """2ⁿ for whole numbers n whose power is a normal number."""
    builder = vectors.builder
    biased = builder.add(exponent, vectors.integer(_EXPONENT_BIAS[vectors.real]))
    return vectors.from_bits(builder.shl(biased, vectors.integer(MANTISSA_BITS[vectors.real])))


def _scaled_exp(vectors: Vectors, x: Value) -> Value:
    """exp(x) for x between the limits of its range."""
    number, less_one = _reduced(vectors, x)
    value = vectors.add(less_one, vectors.constant(1.0))
    return _times_power_of_two(vectors, value, number, normal=False)


def emit_exp(vectors: Vectors, x: Value) -> Value:
    """exp(x) = 2ⁿ · exp(r), x = n·log 2 + r."""
    x = vectors.at_least(x, _EXP_LOWEST[vectors.real])
    return _scaled_exp(vectors, vectors.at_most(x, _EXP_HIGHEST[vectors.real]))


def _doubled(vectors: Vectors, x: Value) -> tuple[Value, Value]:
    """`_reduced` of 2x ≥ 0, for tanh in float32.

    There log 2 needs no second part: what it would add is lost beside the whole multiple.
    """
    rounder = vectors.constant(ROUNDER["float32"])
    twice_log2_e = vectors.constant(2 * _LOG2_E)
    number = vectors.subtract(vectors.fma(x, twice_log2_e, rounder), rounder)
    half = vectors.fma(number, vectors.constant(-0.5 * math.log(2)), x)
    square = vectors.multiply(half, half)
    # Twice the half, and the square of it: powers of two, which cost no digits.
    scaled = [4 * c * 2**power for power, c in enumerate(_EXP_REST["float32"])]
    rest = vectors.fma(square, vectors.polynomial(half, scaled), vectors.add(half, half))
    return number, rest


def emit_tanh(vectors: Vectors, x: Value) -> Value:
    """tanh|x| = E / (E + 2) with E = exp(2|x|) − 1, then the sign of x."""
    magnitude = vectors.at_most(vectors.absolute(x), _TANH_HIGHEST[vectors.real])
    if vectors.real == "float32":
        number, less_one = _doubled(vectors, magnitude)
    else:
        number, less_one = _reduced(vectors, vectors.add(magnitude, magnitude))
    one = vectors.constant(1.0)
    scale = _times_power_of_two(vectors, one, number, normal=True)
    grown = vectors.fma(scale, less_one, vectors.subtract(scale, one))
    ratio = vectors.divide(grown, vectors.add(grown, vectors.constant(2.0)))
    return vectors.with_sign_of(ratio, x)


def emit_sigmoid(vectors: Vectors, x: Value) -> Value:
    """1 / (1 + z) for x ≥ 0 and z / (1 + z) for x < 0, with z = exp(−|x|)."""
    one = vectors.constant(1.0)
    magnitude = vectors.absolute(x)
    negated = vectors.from_bits(vectors.builder.or_(vectors.bits(magnitude), vectors.sign_bit))
    decay = _scaled_exp(vectors, vectors.at_least(negated, _EXP_LOWEST[vectors.real]))
    above = vectors.select(vectors.less(x, vectors.constant(0.0)), decay, one)
    return vectors.divide(above, vectors.add(decay, one))


def emit_erf(vectors: Vectors, x: Value) -> Value:
    """x·P(x²) up to |x| = 1, and 1 − exp(−x²)·Q((|x| − 2)/(|x| + 2)) beyond, with the sign of x."""
    real = vectors.real
    magnitude = vectors.at_most(vectors.absolute(x), _ERF_HIGHEST[real])
    square = vectors.multiply(magnitude, magnitude)
    near = vectors.multiply(magnitude, vectors.polynomial(square, _ERF_NEAR[real]))
    two = vectors.constant(2.0)
    place = vectors.divide(vectors.subtract(magnitude, two), vectors.add(magnitude, two))
    decay = _scaled_exp(vectors, vectors.subtract(vectors.constant(-0.0), square))
    tail = vectors.multiply(decay, vectors.polynomial(place, _ERF_FAR[real]))
    far = vectors.subtract(vectors.constant(1.0), tail)
    is_near = vectors.less(magnitude, vectors.constant(1.0))
    return vectors.with_sign_of(vectors.select(is_near, near, far), x)


EMITTERS: dict[str, Callable[[Vectors, Value], Value]] = {
    "exp": emit_exp,
    "tanh": emit_tanh,
    "sigmoid": emit_sigmoid,
    "erf": emit_erf,
}


def _scalar_function(name: str) -> Any:
    emit = EMITTERS[name]

    def scalar(typing_context: Any, x: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
            vectors = Vectors(builder, str(x), lanes(str(x)))
            result = emit(vectors, vectors.broadcast(values[0]))
            return builder.extract_element(result, INT32(0))

        return x(x), generate

    scalar.__name__ = f"{name}_of"
    scalar.__doc__ = f"{name}(x) of one float in compiled code: the bits of the array function."
    return intrinsic(scalar)


exp_of = _scalar_function("exp")
tanh_of = _scalar_function("tanh")
sigmoid_of = _scalar_function("sigmoid")
erf_of = _scalar_function("erf")


def _applier(name: str, real: str) -> Any:
    """`apply(source, target, count)` for compiled code: the function of neighbouring elements."""
    emit = EMITTERS[name]

    @intrinsic
    def apply(typing_context: Any, source: Any, target: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
            def step(vectors: Vectors, address: Value, mask: Value | None) -> None:
                distance = builder.sub(address, values[0])
                result = emit(vectors, vectors.read(address, mask))
                vectors.write(result, builder.add(values[1], distance), mask)

            emit_over_vectors(builder, real, SIDE_BY_SIDE, values[0], values[2], step)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp), generate

    return apply


@functools.cache
def map_task(name: str, real: str) -> Kernel:
    """The task that applies a function to an array; words: source, target, number of elements."""
    itemsize = np.dtype(real).itemsize
    block = 4 * lanes(real)
    apply = _applier(name, real)

    @kernel("void(intp, intp, intp)", key=f"{name} {real}")
    def map_elements(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        first, last = 0, words[2]
        if parts > 1:
            blocks = (last + block - 1) // block
            first = blocks * part // parts * block
            last = min(blocks * (part + 1) // parts * block, last)
        if first < last:
            apply(words[0] + first * itemsize, words[1] + first * itemsize, last - first)

    return map_elements


def _function(name: str, document: str) -> Callable[[Array], Array]:
    """What Python calls."""
    return elementwise(name, document, functools.partial(map_task, name))


exp = _function(
    "exp",
    """exp(x) of every element, as a new array of x's shape, type and order in memory.

    Within 4 units in the last place; denormal results are gradual, overflow gives infinity.
    Of an array without axes, a scalar, as NumPy's functions; so are the functions below.
    """,
)
tanh = _function(
    "tanh", "tanh(x) of every element: within 4 units in the last place, odd, ±1 at the ends."
)
sigmoid = _function(
    "sigmoid",
    "σ(x) = 1/(1 + exp(−x)) of every element, within 4 units in the last place at both ends.",
)
erf = _function(
    "erf", "The error function 2/√π ∫₀ˣ exp(−t²) dt of every element: odd, ±1 at the ends."
)
