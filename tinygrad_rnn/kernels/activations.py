"""exp, tanh, sigmoid and erf, element by element.

Each is stated once, as operations on vectors (`emit_exp` and its like), from which come the
loop over an array, and the scalar function for other compiled code. An element's result depends on
its value alone: a last incomplete vector goes through the same operations as the others.

The polynomial coefficients interpolate the named function at the Chebyshev nodes of the named
interval (mpmath, 60 digits), in the lowest degree whose error stays well below half a unit in
the last place; converted to powers and rounded to the element type.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_rnn.kernels import threads
from tinygrad_rnn.kernels.cache import Kernel, kernel
from tinygrad_rnn.kernels.simd import (
    Array,
    Value,
    Vectors,
    array_type,
    call_task,
    emit_over_vectors,
    intrinsic,
    lanes,
    pointer_at,
    stack_words,
    types,
)

THREADED_ELEMENTS = 32_768  # below this a second thread costs more than it saves

# log 2 in two parts, the first with enough zeros at its end that its whole multiples are exact.
_LOG2_HIGH = {"float32": 355 / 512, "float64": float.fromhex("0x1.62e42feep-1")}
_LOG2_LOW = {"float32": -2.1219444005469057e-04, "float64": 1.9082149292705877e-10}
_LOG2_E = 1.4426950408889634
# Adding and subtracting it rounds to a whole number, which then stands in the lowest bits.
_ROUNDER = {"float32": 1.5 * 2.0**23, "float64": 1.5 * 2.0**52}
_MANTISSA_BITS = {"float32": 23, "float64": 52}
_EXPONENT_BIAS = {"float32": 127, "float64": 1023}

# Beyond these exp is 0 or infinite, and so is its value at them.
_EXP_LOWEST = {"float32": -104.0, "float64": -746.0}
_EXP_HIGHEST = {"float32": 89.0, "float64": 710.0}
# Beyond these tanh and erf round to 1.
_TANH_HIGHEST = {"float32": 9.02, "float64": 20.0}
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
# tanh(x) / x ≈ P(x²) / Q(x²) for |x| ≤ 9.1 in float32: least squares of the relative error on 500
# points, weighted anew 25 times towards the largest errors (Lawson); relative error 2⁻²⁷.
_TANH_ABOVE = (
    0.9999999925790656,
    0.130797238750138,
    0.00309916172010566,
    1.1103921843186059e-05,
    -2.0019114780598488e-08,
    5.177674086234784e-11,
    -8.228427526407958e-14,
)
_TANH_BELOW = (1.0, 0.4641305025426717, 0.024476104662903623, 0.00025391502568866567)
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
    rounder = vectors.constant(_ROUNDER[real])
    shifted = vectors.fma(x, vectors.constant(_LOG2_E), rounder)
    whole = vectors.builder.sub(vectors.bits(shifted), vectors.bits(rounder))
    number = vectors.subtract(shifted, rounder)
    rest = vectors.fma(number, vectors.constant(-_LOG2_HIGH[real]), x)
    rest = vectors.fma(number, vectors.constant(-_LOG2_LOW[real]), rest)
    square = vectors.multiply(rest, rest)
    return whole, vectors.fma(square, vectors.polynomial(rest, _EXP_REST[real]), rest)


def _power_of_two(vectors: Vectors, exponent: Value) -> Value:
    """2ⁿ for whole numbers n whose power is a normal number."""
    builder = vectors.builder
    biased = builder.add(exponent, vectors.integer(_EXPONENT_BIAS[vectors.real]))
    return vectors.from_bits(builder.shl(biased, vectors.integer(_MANTISSA_BITS[vectors.real])))


def _scaled_exp(vectors: Vectors, x: Value) -> Value:
    """exp(x) for x between the limits of its range."""
    whole, less_one = _reduced(vectors, x)
    value = vectors.add(less_one, vectors.constant(1.0))
    # In two steps, so that denormal results are rounded once and overflow gives infinity.
    half = vectors.builder.ashr(whole, vectors.integer(1))
    other = vectors.builder.sub(whole, half)
    value = vectors.multiply(value, _power_of_two(vectors, half))
    return vectors.multiply(value, _power_of_two(vectors, other))


def emit_exp(vectors: Vectors, x: Value) -> Value:
    """exp(x) = 2ⁿ · exp(r), x = n·log 2 + r."""
    x = vectors.at_least(x, _EXP_LOWEST[vectors.real])
    return _scaled_exp(vectors, vectors.at_most(x, _EXP_HIGHEST[vectors.real]))


def _emit_single_tanh(vectors: Vectors, x: Value) -> Value:
    """tanh|x| = |x|·P(x²) / Q(x²), then the sign of x."""
    highest = _TANH_HIGHEST["float32"]
    one = vectors.constant(1.0)
    magnitude = vectors.absolute(x)
    bounded = vectors.at_most(magnitude, highest)
    square = vectors.multiply(bounded, bounded)
    above = vectors.multiply(bounded, vectors.polynomial(square, _TANH_ABOVE))
    ratio = vectors.divide(above, vectors.polynomial(square, _TANH_BELOW))
    ratio = vectors.at_most(ratio, 1.0)
    is_beyond = vectors.less(vectors.constant(highest), magnitude)
    return vectors.with_sign_of(vectors.select(is_beyond, one, ratio), x)


def emit_tanh(vectors: Vectors, x: Value) -> Value:
    """tanh|x| = E / (E + 2) with E = exp(2|x|) − 1, then the sign of x; float32: a ratio."""
    if vectors.real == "float32":
        return _emit_single_tanh(vectors, x)
    magnitude = vectors.at_most(vectors.absolute(x), _TANH_HIGHEST[vectors.real])
    whole, less_one = _reduced(vectors, vectors.add(magnitude, magnitude))
    scale = _power_of_two(vectors, whole)
    one = vectors.constant(1.0)
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
            return emit(Vectors(builder, str(x), 1), values[0])

        return x(x), generate

    scalar.__name__ = f"{name}_of"
    scalar.__doc__ = f"{name}(x) of one float in compiled code: the bits of the array function."
    return intrinsic(scalar)


exp_of = _scalar_function("exp")
tanh_of = _scalar_function("tanh")
sigmoid_of = _scalar_function("sigmoid")
erf_of = _scalar_function("erf")


@functools.cache
def map_task(name: str, real: str) -> Kernel:
    """The task that applies a function to an array; words: source, target, number of elements."""
    emit = EMITTERS[name]
    itemsize = np.dtype(real).itemsize
    block = 4 * lanes(real)

    @intrinsic
    def apply(typing_context: Any, source: Any, target: Any, count: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
            vectors = Vectors(builder, real, lanes(real))

            def step(address: Value, mask: Value | None) -> None:
                distance = builder.sub(address, values[0])
                result = emit(vectors, vectors.read(address, mask))
                vectors.write(result, builder.add(values[1], distance), mask)

            emit_over_vectors(vectors, values[0], values[2], step)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp), generate

    @kernel("void(intp, intp, intp)", key=f"{name} {real}")
    def elementwise(arguments, part, parts):  # type: ignore[no-untyped-def]
        words = pointer_at(arguments, np.int64)
        count = words[2]
        blocks = (count + block - 1) // block
        first = blocks * part // parts * block
        last = min(blocks * (part + 1) // parts * block, count)
        if first < last:
            apply(words[0] + first * itemsize, words[1] + first * itemsize, last - first)

    return elementwise


@functools.cache
def _entry(real: str) -> Any:
    """`(x, out, task, launcher, parts)` for contiguous arrays of one type."""
    line = array_type(real, 1, "C")
    word = types.intp

    @kernel(types.void(line, line, word, word, word), key=real)
    def elementwise_entry(x, out, task, launch, parts):  # type: ignore[no-untyped-def]
        words = stack_words(3)
        put = pointer_at(words, np.int64)
        put[0] = x.ctypes.data
        put[1] = out.ctypes.data
        put[2] = x.size
        if parts == 1:
            call_task(task, words, 0, 1)
        else:
            call_task(launch, task, words, parts)

    return elementwise_entry.compiled


class _Calls(dict[str, tuple[Any, int]]):
    """The entry and the task of one function, by the element type's character."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, character: str) -> tuple[Any, int]:
        real = {"f": "float32", "d": "float64"}[character]
        self[character] = call = (_entry(real), map_task(self._name, real).address)
        return call


def _apply(calls: _Calls, x: Array) -> Array:
    source = x if x.flags.c_contiguous else np.array(x, order="C")
    out = np.empty(x.shape, x.dtype)
    entry, task = calls[x.dtype.char]
    if x.size < THREADED_ELEMENTS:
        entry(source.ravel(), out.ravel(), task, 0, 1)
    else:
        threads.run(entry, source.ravel(), out.ravel(), task)
    return out


_EXP = _Calls("exp")
_TANH = _Calls("tanh")
_SIGMOID = _Calls("sigmoid")
_ERF = _Calls("erf")


def exp(x: Array) -> Array:
    """exp(x) of every element, as a new C-contiguous array of x's shape and type.

    Within 4 units in the last place; denormal results are gradual, overflow gives infinity.
    """
    return _apply(_EXP, x)


def tanh(x: Array) -> Array:
    """tanh(x) of every element: within 4 units in the last place, odd, ±1 at the ends."""
    return _apply(_TANH, x)


def sigmoid(x: Array) -> Array:
    """σ(x) = 1/(1 + exp(−x)) of every element, within 4 units in the last place at both ends."""
    return _apply(_SIGMOID, x)


def erf(x: Array) -> Array:
    """The error function 2/√π ∫₀ˣ exp(−t²) dt of every element: odd, ±1 at the ends."""
    return _apply(_ERF, x)
