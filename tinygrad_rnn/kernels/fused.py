"""Element-wise expressions, each compiled into one kernel that passes over memory once.

An expression says how its inputs lie in memory, which steps make values of them, and which values
are stored where. Its kernel is a task over up to four axes; the innermost is cut into vectors, and
a vector goes from the loads through every step to the stores without leaving the registers. An
element's result depends on the elements at its place alone: a last incomplete vector goes through
the same operations as the others, so bits depend neither on the shape nor on the number of parts.

The names and meanings of the steps are those of NumPy's functions, NaN and infinities included.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import llvmlite.ir as ir
import numpy as np

from tinygrad_rnn.kernels.activations import (
    SIDE_BY_SIDE,
    emit_erf,
    emit_exp,
    emit_sigmoid,
    emit_tanh,
)
from tinygrad_rnn.kernels.cache import Kernel, kernel
from tinygrad_rnn.kernels.logarithms import emit_log, emit_log1p
from tinygrad_rnn.kernels.simd import (
    BOOL,
    BYTE,
    INDEX,
    INT32,
    Value,
    Vectors,
    cgutils,
    emit_over_vectors,
    host,
    intrinsic,
    lanes,
    types,
)

SIZES = 4  # words before the operands: the three outer sizes and the inner one
OPERAND_WORDS = 5  # address, three outer strides and the inner one, in bytes
SHORT_FUNCTIONS = 6  # elementary functions up to which two vectors go side by side: code size


class Operand(NamedTuple):
    """How one array lies in memory.

    `dtype` is "float32", "float64", "int64", "int32" or "bool"; `access` says how it is read along
    the inner axis: "unit" (neighbours in memory), "strided" (any stride), "fixed" (one element per
    row) or "scalar" (one element for everything).
    """

    dtype: str
    access: str


class Constant(NamedTuple):
    """A number known when the kernel is compiled."""

    value: float | int | bool
    dtype: str


class Step(NamedTuple):
    """One operation: its name, numbers of earlier values or constants, and the result's type."""

    name: str
    arguments: tuple[int | Constant, ...]
    dtype: str


class Expression(NamedTuple):
    """Values 0 … n − 1 are the inputs, values n, n + 1, … the steps' results.

    `outputs` pairs the number of a value with how it is stored, "unit" or "strided", and converts
    it to the stored type. An output may lie exactly on an input with the same strides; otherwise
    what is written is not read.
    """

    inputs: tuple[Operand, ...]
    steps: tuple[Step, ...]
    outputs: tuple[tuple[int, Operand], ...]


_REALS = ("float32", "float64")
_INTEGERS = ("int64", "int32")
_ELEMENTS = {
    "float32": ir.FloatType(),
    "float64": ir.DoubleType(),
    "int64": INDEX,
    "int32": INT32,
    "bool": BOOL,
}
_NAMES = {"float": "float32", "double": "float64", "i64": "int64", "i32": "int32", "i8": "bool"}


def _stored(dtype: str) -> Any:
    return BYTE if dtype == "bool" else _ELEMENTS[dtype]


def _size(element: Any) -> int:
    return int(np.dtype(_NAMES[str(element)]).itemsize)


def _suffix(element: Any) -> str:
    return {"float": "f32", "double": "f64"}.get(str(element), str(element))


class Lanes:
    """Vectors of `count` lanes of any element type, in registers and in memory.

    Truth values are single bits in registers and bytes in memory.
    """

    def __init__(self, builder: Any, count: int) -> None:
        self.builder = builder
        self.count = count

    def real(self, dtype: str) -> Vectors:
        """Floating-point arithmetic on these lanes."""
        return Vectors(self.builder, dtype, self.count)

    def type(self, element: Any) -> Any:
        """The vector of an element type."""
        return ir.VectorType(element, self.count)

    def constant(self, value: float | int | bool, dtype: str) -> Value:
        """A number in every lane."""
        number = float(np.dtype(dtype).type(value)) if dtype in _REALS else int(value)
        return self.type(_ELEMENTS[dtype])([number] * self.count)

    def broadcast(self, scalar: Value) -> Value:
        """A scalar of any type in every lane."""
        undefined = ir.Constant(self.type(scalar.type), ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, INT32(0))
        zeros = ir.Constant(self.type(INT32), [0] * self.count)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def call(self, name: str, element: str, *arguments: Value) -> Value:
        """An LLVM intrinsic on vectors of one floating-point type."""
        kind = self.type(_ELEMENTS[element])
        full_name = f"llvm.{name}.v{self.count}{_suffix(_ELEMENTS[element])}"
        signature = ir.FunctionType(kind, [kind] * len(arguments))
        function = cgutils.get_or_insert_function(self.builder.module, signature, full_name)
        return self.builder.call(function, arguments)

    def load(self, address: Value, dtype: str, mask: Value | None) -> Value:
        """Neighbours in memory; where there is a mask, nothing outside it is touched."""
        element = _stored(dtype)
        kind = self.type(element)
        pointer = self.builder.inttoptr(address, kind.as_pointer())
        size = _size(element)
        if mask is None:
            return self._from_memory(self.builder.load(pointer, align=size), dtype)
        name = f"llvm.masked.load.v{self.count}{_suffix(element)}.p0"
        signature = ir.FunctionType(kind, [pointer.type, INT32, mask.type, kind])
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        zeros = ir.Constant(kind, None)
        value = self.builder.call(function, [pointer, INT32(size), mask, zeros])
        return self._from_memory(value, dtype)

    def store(self, value: Value, address: Value, dtype: str, mask: Value | None) -> None:
        """Neighbours in memory, or those of them in the mask."""
        element = _stored(dtype)
        kind = self.type(element)
        pointer = self.builder.inttoptr(address, kind.as_pointer())
        size = _size(element)
        value = self._to_memory(value, dtype)
        if mask is None:
            self.builder.store(value, pointer, align=size)
            return
        name = f"llvm.masked.store.v{self.count}{_suffix(element)}.p0"
        signature = ir.FunctionType(ir.VoidType(), [kind, pointer.type, INT32, mask.type])
        function = cgutils.get_or_insert_function(self.builder.module, signature, name)
        self.builder.call(function, [value, pointer, INT32(size), mask])

    def gather(self, place: Callable[[int], Value], dtype: str) -> Value:
        """The element at each lane's address."""
        element = _stored(dtype)
        value = ir.Constant(self.type(element), ir.Undefined)
        for lane in range(self.count):
            pointer = self.builder.inttoptr(place(lane), element.as_pointer())
            loaded = self.builder.load(pointer, align=_size(element))
            value = self.builder.insert_element(value, loaded, INT32(lane))
        return self._from_memory(value, dtype)

    def scatter(self, value: Value, place: Callable[[int], Value], dtype: str) -> None:
        """Every lane to its address."""
        element = _stored(dtype)
        value = self._to_memory(value, dtype)
        for lane in range(self.count):
            pointer = self.builder.inttoptr(place(lane), element.as_pointer())
            lane_value = self.builder.extract_element(value, INT32(lane))
            self.builder.store(lane_value, pointer, align=_size(element))

    def scatter_some(
        self, value: Value, address: Value, stride: Value, number: Value, dtype: str
    ) -> None:
        """The first `number` lanes, `stride` bytes apart."""
        builder = self.builder
        element = _stored(dtype)
        buffer = cgutils.alloca_once(builder, self.type(element))
        builder.store(self._to_memory(value, dtype), buffer)
        first = builder.bitcast(buffer, element.as_pointer())
        with cgutils.for_range(builder, number) as loop:
            target = builder.add(address, builder.mul(loop.index, stride))
            pointer = builder.inttoptr(target, element.as_pointer())
            lane_value = builder.load(builder.gep(first, [loop.index]))
            builder.store(lane_value, pointer, align=_size(element))

    def each(self, name: str, arguments: Sequence[Value], dtype: str) -> Value:
        """A function of the C library, in double precision, lane by lane."""
        builder = self.builder
        wide = _ELEMENTS["float64"]
        signature = ir.FunctionType(wide, [wide] * len(arguments))
        # The library's function and not LLVM's intrinsic of that name, which may become another
        # function where several calls stand together.
        function = cgutils.get_or_insert_function(builder.module, signature, name)
        buffers = [cgutils.alloca_once(builder, self.type(wide)) for _ in arguments]
        pointers = [builder.bitcast(buffer, wide.as_pointer()) for buffer in buffers]
        for argument, buffer in zip(arguments, buffers, strict=True):
            builder.store(self.convert(argument, dtype, "float64"), buffer)
        with cgutils.for_range(builder, INDEX(self.count)) as loop:
            places = [builder.gep(pointer, [loop.index]) for pointer in pointers]
            result = builder.call(function, [builder.load(place) for place in places])
            builder.store(result, places[0])
        return self.convert(builder.load(buffers[0]), "float64", dtype)

    def convert(self, value: Value, source: str, target: str) -> Value:
        """The values in another type, as C converts."""
        builder = self.builder
        if source == target:
            return value
        kind = self.type(_ELEMENTS[target])
        if target == "bool":
            zero = self.constant(0, source)
            if source in _REALS:
                return builder.fcmp_unordered("!=", value, zero)
            return builder.icmp_signed("!=", value, zero)
        if source == "bool":
            return builder.uitofp(value, kind) if target in _REALS else builder.zext(value, kind)
        if source in _INTEGERS:
            if target in _REALS:
                return builder.sitofp(value, kind)
            return builder.sext(value, kind) if target == "int64" else builder.trunc(value, kind)
        if target in _INTEGERS:
            return builder.fptosi(value, kind)
        if target == "float64":
            return builder.fpext(value, kind)
        return builder.fptrunc(value, kind)

    def _from_memory(self, value: Value, dtype: str) -> Value:
        if dtype != "bool":
            return value
        return self.builder.icmp_unsigned("!=", value, ir.Constant(value.type, None))

    def _to_memory(self, value: Value, dtype: str) -> Value:
        return self.builder.zext(value, self.type(BYTE)) if dtype == "bool" else value


def emit_over_indices(
    builder: Any,
    real: str,
    side_by_side: int,
    first: Value,
    last: Value,
    step: Callable[[Lanes, Value, Value | None], None],
) -> None:
    """Emit `step(lanes_of, index, mask)` from index `first` to `last`, as `emit_over_vectors`.

    The lanes are those of host vectors of `real`.
    """
    size = np.dtype(real).itemsize

    def at_position(vectors: Vectors, position: Value, mask: Value | None) -> None:
        index = builder.lshr(position, INDEX(size.bit_length() - 1), flags=["exact"])
        step(Lanes(builder, vectors.count), index, mask)

    # Positions count bytes of `real`, as an address in an array of it would.
    position = builder.mul(first, INDEX(size))
    emit_over_vectors(builder, real, side_by_side, position, builder.sub(last, first), at_position)


def load_words(builder: Any, address: Value, first: int, count: int) -> list[Value]:
    """A task's argument words from number `first` on."""
    words = builder.inttoptr(address, INDEX.as_pointer())
    return [builder.load(builder.gep(words, [INDEX(first + i)])) for i in range(count)]


# A step's emitter: lanes, the type it computes in, arguments of that type.
_Emitter = Callable[..., Value]


def _either(real: str, whole: str) -> _Emitter:
    """One instruction of the builder for floating-point numbers, another for integers."""

    def emit(lanes_of: Lanes, dtype: str, *arguments: Value) -> Value:
        return getattr(lanes_of.builder, real if dtype in _REALS else whole)(*arguments)

    return emit


def _comparison(operator: str) -> _Emitter:
    def emit(lanes_of: Lanes, dtype: str, left: Value, right: Value) -> Value:
        builder = lanes_of.builder
        if dtype in _REALS:
            # NaN differs from everything, itself included.
            compare = builder.fcmp_unordered if operator == "!=" else builder.fcmp_ordered
            return compare(operator, left, right)
        if dtype == "bool":
            return builder.icmp_unsigned(operator, left, right)
        return builder.icmp_signed(operator, left, right)

    return emit


def _extreme(operator: str) -> _Emitter:
    """The larger (">") or smaller ("<") of two, the right one of equals; NaN where one is NaN."""

    def emit(lanes_of: Lanes, dtype: str, left: Value, right: Value) -> Value:
        builder = lanes_of.builder
        if dtype in _INTEGERS:
            return builder.select(builder.icmp_signed(operator, left, right), left, right)
        wins = builder.fcmp_ordered(operator, left, right)
        is_nan = builder.fcmp_unordered("uno", left, left)
        return builder.select(builder.or_(wins, is_nan), left, right)

    return emit


_maximum = _extreme(">")
_minimum = _extreme("<")
_less = _comparison("<")


def _negative(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    return lanes_of.builder.fneg(x) if dtype in _REALS else lanes_of.builder.neg(x)


def _absolute(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    if dtype in _REALS:
        return lanes_of.real(dtype).absolute(x)
    builder = lanes_of.builder
    return builder.select(_less(lanes_of, dtype, x, lanes_of.constant(0, dtype)), builder.neg(x), x)


def _sign(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    builder = lanes_of.builder
    zero, one, minus_one = (lanes_of.constant(number, dtype) for number in (0, 1, -1))
    below = builder.select(_less(lanes_of, dtype, x, zero), minus_one, zero)
    sign = builder.select(_less(lanes_of, dtype, zero, x), one, below)
    if dtype in _REALS:
        sign = builder.select(builder.fcmp_unordered("uno", x, x), x, sign)
    return sign


def _relu(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    return _maximum(lanes_of, dtype, x, lanes_of.constant(0, dtype))


def _function(emit_function: Callable[[Vectors, Value], Value]) -> _Emitter:
    def emit(lanes_of: Lanes, dtype: str, x: Value) -> Value:
        return emit_function(lanes_of.real(dtype), x)

    return emit


def _instruction(name: str) -> _Emitter:
    def emit(lanes_of: Lanes, dtype: str, x: Value) -> Value:
        return lanes_of.call(name, dtype, x)

    return emit


def _library(name: str) -> _Emitter:
    def emit(lanes_of: Lanes, dtype: str, *arguments: Value) -> Value:
        return lanes_of.each(name, arguments, dtype)

    return emit


def _softplus(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    """max(x, 0) + log(1 + exp(−|x|))."""
    real = lanes_of.real(dtype)
    decay = emit_exp(real, lanes_of.builder.fneg(real.absolute(x)))
    return real.add(_relu(lanes_of, dtype, x), emit_log1p(real, decay))


def _tanh_slope(lanes_of: Lanes, dtype: str, h: Value, y: Value) -> Value:
    """h (1 − y²)."""
    real = lanes_of.real(dtype)
    slope = real.subtract(real.constant(1.0), real.multiply(y, y))
    return real.multiply(slope, h)


def _sigmoid_slope(lanes_of: Lanes, dtype: str, h: Value, y: Value) -> Value:
    """h y (1 − y)."""
    real = lanes_of.real(dtype)
    slope = real.multiply(real.subtract(real.constant(1.0), y), y)
    return real.multiply(slope, h)


def _remainder(lanes_of: Lanes, dtype: str, x: Value, y: Value) -> Value:
    """x − y·⌊x/y⌋, of y's sign: C's remainder, which has x's, moved by y where the two differ."""
    builder = lanes_of.builder
    real = lanes_of.real(dtype)
    zero = real.constant(0.0)
    rest = lanes_of.each("fmod", [x, y], dtype)
    differs = builder.xor(real.less(y, zero), real.less(rest, zero))
    rest_is_zero = builder.fcmp_ordered("==", rest, zero)
    moved = builder.select(differs, real.add(rest, y), rest)
    return builder.select(rest_is_zero, real.with_sign_of(zero, y), moved)


def _is_nan(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    return lanes_of.builder.fcmp_unordered("uno", x, x)


def _is_infinite(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    magnitude = lanes_of.real(dtype).absolute(x)
    infinity = lanes_of.constant(float("inf"), dtype)
    return lanes_of.builder.fcmp_ordered("==", magnitude, infinity)


def _square_root(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    return lanes_of.call("sqrt", dtype, x)


def _power_of_half(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    """x to the ½: √x but for −0, which gives 0, and −∞, which gives ∞."""
    builder = lanes_of.builder
    root = _square_root(lanes_of, dtype, builder.fadd(x, lanes_of.constant(0.0, dtype)))
    infinity = lanes_of.constant(float("inf"), dtype)
    lowest = builder.fcmp_ordered("==", x, lanes_of.constant(float("-inf"), dtype))
    return builder.select(lowest, infinity, root)


def _reciprocal(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    return lanes_of.builder.fdiv(lanes_of.constant(1.0, dtype), x)


def _constant_power(lanes_of: Lanes, dtype: str, x: Value, exponent: float) -> Value | None:
    """x to an exponent that needs no library, or None for others."""
    builder = lanes_of.builder
    if exponent == 0:
        return lanes_of.constant(1.0, dtype)
    if exponent == 1:
        return x
    if exponent == 2:
        return builder.fmul(x, x)
    if exponent == 3:
        return builder.fmul(builder.fmul(x, x), x)
    if exponent == 0.5:
        return _power_of_half(lanes_of, dtype, x)
    if exponent == -1:
        return _reciprocal(lanes_of, dtype, x)
    if exponent == -0.5:
        return _reciprocal(lanes_of, dtype, _power_of_half(lanes_of, dtype, x))
    return None


def _same(lanes_of: Lanes, dtype: str, x: Value) -> Value:
    return x


class _Rule(NamedTuple):
    """Of a step: its number of arguments, the types it computes in, its emitter."""

    arguments: int
    computes_in: tuple[str, ...]
    emit: _Emitter


_NUMBERS = (*_REALS, *_INTEGERS)
_BITS = ("bool", *_INTEGERS)
_ANY = tuple(_ELEMENTS)
# Steps whose result has the type they compute in, to which the arguments are converted.
_RULES = {
    "add": _Rule(2, _NUMBERS, _either("fadd", "add")),
    "sub": _Rule(2, _NUMBERS, _either("fsub", "sub")),
    "mul": _Rule(2, _NUMBERS, _either("fmul", "mul")),
    "div": _Rule(2, _REALS, _either("fdiv", "fdiv")),
    "neg": _Rule(1, _NUMBERS, _negative),
    "abs": _Rule(1, _NUMBERS, _absolute),
    "sign": _Rule(1, _NUMBERS, _sign),
    "maximum": _Rule(2, _NUMBERS, _maximum),
    "minimum": _Rule(2, _NUMBERS, _minimum),
    "relu": _Rule(1, _NUMBERS, _relu),
    "copy": _Rule(1, _ANY, _same),
    "exp": _Rule(1, _REALS, _function(emit_exp)),
    "tanh": _Rule(1, _REALS, _function(emit_tanh)),
    "sigmoid": _Rule(1, _REALS, _function(emit_sigmoid)),
    "erf": _Rule(1, _REALS, _function(emit_erf)),
    "log": _Rule(1, _REALS, _function(emit_log)),
    "log1p": _Rule(1, _REALS, _function(emit_log1p)),
    "sin": _Rule(1, _REALS, _library("sin")),
    "cos": _Rule(1, _REALS, _library("cos")),
    "pow": _Rule(2, _REALS, _library("pow")),
    "softplus": _Rule(1, _REALS, _softplus),
    "sqrt": _Rule(1, _REALS, _square_root),
    "floor": _Rule(1, _REALS, _instruction("floor")),
    "ceil": _Rule(1, _REALS, _instruction("ceil")),
    "round": _Rule(1, _REALS, _instruction("rint")),
    "remainder": _Rule(2, _REALS, _remainder),
    "tanh_slope": _Rule(2, _REALS, _tanh_slope),
    "sigmoid_slope": _Rule(2, _REALS, _sigmoid_slope),
    "and": _Rule(2, _BITS, _either("and_", "and_")),
    "or": _Rule(2, _BITS, _either("or_", "or_")),
    "xor": _Rule(2, _BITS, _either("xor", "xor")),
    "not": _Rule(1, _BITS, _either("not_", "not_")),
}
# Steps that compute truth values from arguments of a common type.
_TESTS = {
    "eq": _Rule(2, _ANY, _comparison("==")),
    "ne": _Rule(2, _ANY, _comparison("!=")),
    "lt": _Rule(2, _ANY, _comparison("<")),
    "le": _Rule(2, _ANY, _comparison("<=")),
    "gt": _Rule(2, _ANY, _comparison(">")),
    "ge": _Rule(2, _ANY, _comparison(">=")),
    "isnan": _Rule(1, _REALS, _is_nan),
    "isinf": _Rule(1, _REALS, _is_infinite),
}
_UNMIXED = ("tanh_slope", "sigmoid_slope")  # these are several operations, not one of NumPy's
_LONG = ("exp", "tanh", "sigmoid", "erf", "softplus", "log", "log1p", "sin", "cos", "pow")


def _common(dtypes: Sequence[str]) -> str:
    return np.result_type(*dtypes).name


def supports(name: str, dtypes: Sequence[str], result: str) -> bool:
    """Whether a step of this name, argument types and result type is compiled.

    Arguments of several types are converted to their common type, as NumPy does.
    """
    if not all(dtype in _ELEMENTS for dtype in (*dtypes, result)):
        return False
    if name == "cast":
        return len(dtypes) == 1
    if name == "where":
        return len(dtypes) == 3 and dtypes[0] == "bool" and _common(dtypes[1:]) == result
    rule = _RULES.get(name) or _TESTS.get(name)
    if rule is None or len(dtypes) != rule.arguments:
        return False
    if name in _UNMIXED and len(set(dtypes)) > 1:
        return False
    common = _common(dtypes)
    return common in rule.computes_in and result == ("bool" if name in _TESTS else common)


def _emit_step(lanes_of: Lanes, step: Step, arguments: Sequence[Value], dtypes: list[str]) -> Value:
    if step.name == "cast":
        return lanes_of.convert(arguments[0], dtypes[0], step.dtype)
    if step.name == "where":
        choices = [
            lanes_of.convert(value, dtype, step.dtype)
            for value, dtype in zip(arguments[1:], dtypes[1:], strict=True)
        ]
        return lanes_of.builder.select(arguments[0], *choices)
    common = _common(dtypes)
    values = [
        lanes_of.convert(value, dtype, common)
        for value, dtype in zip(arguments, dtypes, strict=True)
    ]
    if step.name == "pow" and isinstance(step.arguments[1], Constant):
        power = _constant_power(lanes_of, common, values[0], step.arguments[1].value)
        if power is not None:
            return power
    rule = _RULES.get(step.name) or _TESTS[step.name]
    return rule.emit(lanes_of, common, *values)


def fused_words(expression: Expression) -> int:
    """How many 64-bit words the arguments of the expression's task take."""
    return SIZES + OPERAND_WORDS * (len(expression.inputs) + len(expression.outputs))


def _dtypes(expression: Expression) -> list[str]:
    """The type of every value."""
    inputs = [operand.dtype for operand in expression.inputs]
    return inputs + [step.dtype for step in expression.steps]


def _widest(expression: Expression) -> str:
    """The floating-point type whose vectors decide the number of lanes."""
    constants = [
        argument.dtype
        for step in expression.steps
        for argument in step.arguments
        if isinstance(argument, Constant)
    ]
    return "float64" if "float64" in (*_dtypes(expression), *constants) else "float32"


def _side_by_side(expression: Expression) -> int:
    """How many vectors go through the steps together: more for a short chain, to hide latency."""
    inputs = len(expression.inputs)
    last_use = dict.fromkeys(range(inputs + len(expression.steps)), -1)
    for place, step in enumerate(expression.steps):
        last_use.update({number: place for number in step.arguments if isinstance(number, int)})
    most = 0
    for place in range(len(expression.steps)):
        begun = range(inputs + place + 1)
        most = max(most, sum(last_use[number] >= place for number in begun) + 1)
    functions = sum(step.name in _LONG for step in expression.steps)
    room = host().registers // 2 - 2
    return SIDE_BY_SIDE if most <= room and functions <= SHORT_FUNCTIONS else 1


class _Array(NamedTuple):
    """An operand in memory, or the plane or row of it that starts at the address."""

    operand: Operand
    address: Value
    stride_0: Value
    stride_1: Value
    stride_2: Value
    inner: Value

    def plane(self, builder: Any, index_0: Value, index_1: Value) -> "_Array":
        """The part at these indices of the two outermost axes."""
        outer = builder.mul(index_0, self.stride_0)
        outer = builder.add(outer, builder.mul(index_1, self.stride_1))
        return self._replace(address=builder.add(self.address, outer))

    def row(self, builder: Any, index: Value) -> "_Array":
        """The part of a plane at an index of the third axis."""
        distance = builder.mul(index, self.stride_2)
        return self._replace(address=builder.add(self.address, distance))

    def element(self, builder: Any, index: Value) -> Value:
        """The address of the element of a row at an index of the inner axis."""
        size = INDEX(_size(_stored(self.operand.dtype)))
        stride = size if self.operand.access == "unit" else self.inner
        return builder.add(self.address, builder.mul(index, stride))

    def first_element(self, builder: Any) -> Value:
        """The scalar at the address."""
        pointer = builder.inttoptr(self.address, _stored(self.operand.dtype).as_pointer())
        value = builder.load(pointer)
        is_bool = self.operand.dtype == "bool"
        return builder.icmp_unsigned("!=", value, BYTE(0)) if is_bool else value

    def load(self, lanes_of: Lanes, index: Value, last: Value, mask: Value | None) -> Value:
        """A vector from `index` on; the row ends before `last`."""
        builder = lanes_of.builder
        if self.operand.access == "unit":
            return lanes_of.load(self.element(builder, index), self.operand.dtype, mask)
        end = builder.sub(last, INDEX(1))

        def place(lane: int) -> Value:
            at = builder.add(index, INDEX(lane))
            if mask is not None:  # lanes beyond the end read the last element once more
                at = builder.select(builder.icmp_signed("<", at, end), at, end)
            return self.element(builder, at)

        return lanes_of.gather(place, self.operand.dtype)

    def store(
        self, value: Value, lanes_of: Lanes, index: Value, last: Value, mask: Value | None
    ) -> None:
        """A vector from `index` on; the row ends before `last`."""
        builder = lanes_of.builder
        address = self.element(builder, index)
        dtype = self.operand.dtype
        if self.operand.access == "unit":
            lanes_of.store(value, address, dtype, mask)
        elif mask is not None:
            number = builder.sub(last, index)
            lanes_of.scatter_some(value, address, self.inner, number, dtype)
        else:

            def place(lane: int) -> Value:
                return builder.add(address, builder.mul(self.inner, INDEX(lane)))

            lanes_of.scatter(value, place, dtype)


def _emit_vector(
    lanes_of: Lanes,
    expression: Expression,
    load: Callable[[int], Value],
    store: Callable[[int, Value], None],
) -> None:
    """All loads, then the steps, each followed by the stores of its result."""
    dtypes = _dtypes(expression)
    values = [load(number) for number in range(len(expression.inputs))]

    def finish(number: int) -> None:
        for place, (stored, operand) in enumerate(expression.outputs):
            if stored == number:
                store(place, lanes_of.convert(values[number], dtypes[number], operand.dtype))

    for number in range(len(values)):
        finish(number)
    for step in expression.steps:
        arguments, types_of = [], []
        for argument in step.arguments:
            if isinstance(argument, Constant):
                arguments.append(lanes_of.constant(argument.value, argument.dtype))
                types_of.append(argument.dtype)
            else:
                arguments.append(values[argument])
                types_of.append(dtypes[argument])
        values.append(_emit_step(lanes_of, step, arguments, types_of))
        finish(len(values) - 1)


class _Part(NamedTuple):
    """What one part does: a range of the rows, and of every row a range of elements."""

    first_row: Value
    last_row: Value
    first: Value
    last: Value


def _smaller(builder: Any, left: Value, right: Value) -> Value:
    return builder.select(builder.icmp_signed("<", left, right), left, right)


def _emit_part(
    builder: Any, rows: Value, inner: Value, block: int, part: Value, parts: Value
) -> _Part:
    """Rows where there are enough of them for every part, else whole blocks of every row."""
    blocks = builder.sdiv(builder.add(inner, INDEX(block - 1)), INDEX(block))
    many_rows = builder.icmp_signed(">=", rows, builder.mul(parts, INDEX(2)))
    by_rows = builder.or_(many_rows, builder.icmp_signed("<", blocks, parts))
    total = builder.select(by_rows, rows, blocks)
    begin = builder.sdiv(builder.mul(total, part), parts)
    end = builder.sdiv(builder.mul(total, builder.add(part, INDEX(1))), parts)
    last = _smaller(builder, builder.mul(end, INDEX(block)), inner)
    return _Part(
        first_row=builder.select(by_rows, begin, INDEX(0)),
        last_row=builder.select(by_rows, end, rows),
        first=builder.select(by_rows, INDEX(0), builder.mul(begin, INDEX(block))),
        last=builder.select(by_rows, inner, last),
    )


def _emit_task(
    builder: Any, expression: Expression, words_at: Value, part: Value, parts: Value
) -> None:
    """Everything: the part's rows, plane by plane, and their vectors."""
    n0, n1, n2, inner = load_words(builder, words_at, 0, SIZES)
    block = _side_by_side(expression) * lanes(_widest(expression))
    rows = builder.mul(builder.mul(n0, n1), n2)
    share = _emit_part(builder, rows, inner, block, part, parts)
    some_rows = builder.icmp_signed("<", share.first_row, share.last_row)
    some_elements = builder.icmp_signed("<", share.first, share.last)
    with builder.if_then(builder.and_(some_rows, some_elements)):
        operands = [*expression.inputs, *(operand for _, operand in expression.outputs)]
        arrays = [
            _Array(
                operand,
                *load_words(builder, words_at, SIZES + OPERAND_WORDS * number, OPERAND_WORDS),
            )
            for number, operand in enumerate(operands)
        ]
        scalars = {
            number: array.first_element(builder)
            for number, array in enumerate(arrays)
            if array.operand.access == "scalar"
        }
        first_plane = builder.sdiv(share.first_row, n2)
        last_plane = builder.add(builder.sdiv(builder.sub(share.last_row, INDEX(1)), n2), INDEX(1))
        with cgutils.for_range(builder, last_plane, start=first_plane) as planes:
            before = builder.mul(planes.index, n2)
            begin = builder.sub(share.first_row, before)
            begin = builder.select(builder.icmp_signed("<", begin, INDEX(0)), INDEX(0), begin)
            end = _smaller(builder, builder.sub(share.last_row, before), n2)
            index_0 = builder.sdiv(planes.index, n1)
            index_1 = builder.sub(planes.index, builder.mul(index_0, n1))
            bases = [array.plane(builder, index_0, index_1) for array in arrays]
            with cgutils.for_range(builder, end, start=begin) as loop:
                places = [array.row(builder, loop.index) for array in bases]
                _emit_row(builder, expression, places, scalars, share)


def _emit_row(
    builder: Any,
    expression: Expression,
    places: Sequence["_Array"],
    scalars: dict[int, Value],
    share: _Part,
) -> None:
    """The vectors of one row of the arrays, which start at these places."""
    inputs = len(expression.inputs)
    fixed = scalars | {
        number: place.first_element(builder)
        for number, place in enumerate(places)
        if place.operand.access == "fixed"
    }

    def vector(lanes_of: Lanes, index: Value, mask: Value | None) -> None:
        def load(number: int) -> Value:
            if number in fixed:
                return lanes_of.broadcast(fixed[number])
            return places[number].load(lanes_of, index, share.last, mask)

        def store(number: int, value: Value) -> None:
            places[inputs + number].store(value, lanes_of, index, share.last, mask)

        _emit_vector(lanes_of, expression, load, store)

    factor = _side_by_side(expression)
    emit_over_indices(builder, _widest(expression), factor, share.first, share.last, vector)


def fused_task(expression: Expression) -> Kernel:
    """The task of an expression.

    Words: the sizes of the three outer axes and of the inner one; then of each input and of each
    output, in order, `OPERAND_WORDS` words: address and strides in bytes. The inner stride is read
    of "strided" operands only, and no stride of "scalar" ones.
    """
    # As text too, since 0.0 and −0.0 are equal, and 1 and True.
    return _fused_task(repr(expression), expression)


@functools.cache
def _fused_task(text: str, expression: Expression) -> Kernel:
    @intrinsic
    def whole(typing_context: Any, arguments: Any, part: Any, parts: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
            _emit_task(builder, expression, *values)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.intp), generate

    # All of it is emitted: Numba takes longer to type such loops than LLVM to compile them.
    @kernel("void(intp, intp, intp)", key=text)
    def fused(arguments, part, parts):  # type: ignore[no-untyped-def]
        whole(arguments, part, parts)

    return fused
