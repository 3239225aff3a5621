"""Vectors as LLVM values, at the host's own width, and pointers for compiled code.

Everything here builds LLVM IR while a kernel is being compiled. It knows no algorithm: register
tiles are in `tile`, elementary functions in `activations`. It may not import other kernel modules.

The width comes from the CPU that Numba compiles for (`NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES`
included), so that what is emitted never exceeds what the code generator was told it may use.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numba
import numba.core.cgutils
import numba.core.config
import numba.extending
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Value = Any  # an llvmlite IR value; llvmlite ships no types

# Numba's annotations cover it in part, and say of an intrinsic how the compiler calls it, not how
# kernels do. The kernels take these names from here.
types: Any = numba.types
cgutils: Any = numba.core.cgutils
config: Any = numba.core.config


def intrinsic(function: Callable[..., Any]) -> Any:
    """`numba.extending.intrinsic`."""
    return numba.extending.intrinsic(function)


INDEX = ir.IntType(64)
INT32 = ir.IntType(32)
BOOL = ir.IntType(1)
BYTE = ir.IntType(8)


class Host(NamedTuple):
    """What the compile target offers: its name, vector bits, vector registers and fused adds."""

    name: str
    features: str
    bits: int
    registers: int
    has_fma: bool


@functools.cache
def host() -> Host:
    """The CPU that Numba compiles for, as Numba itself decides it."""
    name = config.CPU_NAME or llvm.get_host_cpu_name()
    features = config.CPU_FEATURES
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    present = {part[1:] for part in features.split(",") if part.startswith("+")}
    architecture = llvm.get_process_triple().split("-")[0]
    if architecture in ("aarch64", "arm64"):
        return Host(name, features, bits=128, registers=32, has_fma=True)
    if architecture != "x86_64":
        return Host(name, features, bits=128, registers=16, has_fma=False)
    has_fma = "fma" in present
    if "avx512f" in present and "avx512dq" in present:
        return Host(name, features, bits=512, registers=32, has_fma=has_fma)
    if "avx2" in present and has_fma:
        return Host(name, features, bits=256, registers=16, has_fma=True)
    return Host(name, features, bits=128, registers=16, has_fma=has_fma)


def lanes(dtype: Any, bits: int | None = None) -> int:
    """Elements of `dtype` in one vector of `bits` bits (default: the host's widest)."""
    return (bits or host().bits) // (8 * np.dtype(str(dtype)).itemsize)


class Vectors:
    """Arithmetic on vectors of one element type and width, written as method calls.

    `real` is "float32" or "float64"; `count` is the number of lanes. With count 1 the values
    are plain scalars, and every operation gives the bits it gives in any lane of a vector.
    """

    def __init__(self, builder: Any, real: str, count: int) -> None:
        self.builder = builder
        self.real = real
        self.count = count
        single = real == "float32"
        self.itemsize = 4 if single else 8
        self.scalar = ir.FloatType() if single else ir.DoubleType()
        self.whole = ir.IntType(32 if single else 64)
        self.type = self.scalar if count == 1 else ir.VectorType(self.scalar, count)
        self.integers = self.whole if count == 1 else ir.VectorType(self.whole, count)
        self.mask_type = BOOL if count == 1 else ir.VectorType(BOOL, count)
        self.fused = host().has_fma

    def _splat(self, kind: Any, value: Any) -> Value:
        return kind(value) if self.count == 1 else kind([value] * self.count)

    def constant(self, value: float) -> Value:
        """`value`, rounded to the element type, in every lane."""
        rounded = float(np.float32(value)) if self.real == "float32" else float(value)
        return self._splat(self.type, rounded)

    def integer(self, value: int) -> Value:
        """A whole number of the element's size in every lane."""
        return self._splat(self.integers, value)

    def broadcast(self, scalar: Value) -> Value:
        """A scalar copied to every lane."""
        if self.count == 1:
            return scalar
        undefined = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, INT32(0))
        zeros = ir.Constant(ir.VectorType(INT32, self.count), [0] * self.count)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def load(self, address: Value) -> Value:
        """All lanes from consecutive memory; no alignment beyond the element's is assumed."""
        pointer = self.builder.bitcast(address, self.type.as_pointer())
        return self.builder.load(pointer, align=self.itemsize)

    def store(self, value: Value, address: Value) -> None:
        """All lanes to consecutive memory."""
        pointer = self.builder.bitcast(address, self.type.as_pointer())
        self.builder.store(value, pointer, align=self.itemsize)

    def first_lanes(self, number: Value) -> Value:
        """A mask of the lanes below `number` (a 64-bit integer value)."""
        small = ir.IntType(32)
        every = ir.VectorType(small, self.count)
        limit = Vectors(self.builder, "float32", self.count)
        limit.type = every
        bound = limit.broadcast(self.builder.trunc(number, small))
        return self.builder.icmp_signed("<", every(list(range(self.count))), bound)

    def masked_load(self, address: Value, mask: Value) -> Value:
        """The lanes in `mask` from memory, zero in the others, whose memory is not touched."""
        pointer = self.builder.bitcast(address, self.type.as_pointer())
        name = f"llvm.masked.load.v{self.count}f{8 * self.itemsize}.p0"
        kind = ir.FunctionType(self.type, [pointer.type, INT32, self.mask_type, self.type])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(
            function, [pointer, INT32(self.itemsize), mask, self.constant(0.0)]
        )

    def masked_store(self, value: Value, address: Value, mask: Value) -> None:
        """The lanes in `mask` to memory; nothing else is touched."""
        pointer = self.builder.bitcast(address, self.type.as_pointer())
        name = f"llvm.masked.store.v{self.count}f{8 * self.itemsize}.p0"
        kind = ir.FunctionType(ir.VoidType(), [self.type, pointer.type, INT32, self.mask_type])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        self.builder.call(function, [value, pointer, INT32(self.itemsize), mask])

    def read(self, address: Value, mask: Value | None) -> Value:
        """A vector from an integer address; lanes outside the mask, if there is one, are 0."""
        pointer = self.builder.inttoptr(address, self.scalar.as_pointer())
        return self.load(pointer) if mask is None else self.masked_load(pointer, mask)

    def write(self, value: Value, address: Value, mask: Value | None) -> None:
        """A vector to an integer address, or the lanes of it in the mask."""
        pointer = self.builder.inttoptr(address, self.scalar.as_pointer())
        if mask is None:
            self.store(value, pointer)
        else:
            self.masked_store(value, pointer, mask)

    def _intrinsic(self, name: str, arguments: Sequence[Value]) -> Value:
        suffix = (
            f"f{8 * self.itemsize}" if self.count == 1 else f"v{self.count}f{8 * self.itemsize}"
        )
        kind = ir.FunctionType(self.type, [self.type] * len(arguments))
        full_name = f"llvm.{name}.{suffix}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, full_name)
        return self.builder.call(function, arguments)

    def add(self, left: Value, right: Value) -> Value:
        """left + right."""
        return self.builder.fadd(left, right)

    def subtract(self, left: Value, right: Value) -> Value:
        """left − right."""
        return self.builder.fsub(left, right)

    def multiply(self, left: Value, right: Value) -> Value:
        """left · right."""
        return self.builder.fmul(left, right)

    def divide(self, left: Value, right: Value) -> Value:
        """left / right."""
        return self.builder.fdiv(left, right)

    def fma(self, left: Value, right: Value, added: Value) -> Value:
        """left · right + added with one rounding where the CPU has it, else with two."""
        if self.fused:
            return self._intrinsic("fma", [left, right, added])
        return self.builder.fadd(self.builder.fmul(left, right), added)

    @property
    def has_scaling(self) -> bool:
        """Whether `scaled` is there: on vectors of 512 bits, one or several."""
        return host().bits == 512 and self.count * self.itemsize % 64 == 0

    def scaled(self, x: Value, number: Value) -> Value:
        """x·2ⁿ for whole floats n, rounded once: one instruction of AVX-512."""
        width = 64 // self.itemsize
        part = ir.VectorType(self.scalar, width)
        lanes_type = ir.IntType(width)
        kind = ir.FunctionType(part, [part, part, part, lanes_type, INT32])
        suffix = "ps" if self.real == "float32" else "pd"
        name = f"llvm.x86.avx512.mask.scalef.{suffix}.512"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        every_lane = lanes_type((1 << width) - 1)
        current_rounding = INT32(4)
        results = []
        for first in range(0, self.count, width):
            value, power = (self._lanes(v, range(first, first + width)) for v in (x, number))
            arguments = [value, power, value, every_lane, current_rounding]
            results.append(self.builder.call(function, arguments))
        while len(results) > 1:
            results = [
                self._lanes(left, range(2 * left.type.count), right)
                for left, right in zip(results[::2], results[1::2], strict=True)
            ]
        return results[0]

    def split(self, vector: Value, count: int) -> list[Value]:
        """The vector as narrower ones of `count` lanes."""
        if count == self.count:
            return [vector]
        firsts = range(0, self.count, count)
        return [self._lanes(vector, range(first, first + count)) for first in firsts]

    def _lanes(self, vector: Value, places: Sequence[int], other: Value | None = None) -> Value:
        """The lanes at these places of a vector, or of two one after the other."""
        if other is None:
            other = ir.Constant(vector.type, ir.Undefined)
        order = ir.Constant(ir.VectorType(INT32, len(places)), list(places))
        return self.builder.shuffle_vector(vector, other, order)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """c₀ + c₁x + c₂x² + …, by Horner's rule."""
        result = self.constant(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = self.fma(result, x, self.constant(coefficient))
        return result

    def select(self, condition: Value, when_true: Value, when_false: Value) -> Value:
        """Lane by lane, `when_true` where the condition holds."""
        return self.builder.select(condition, when_true, when_false)

    def less(self, left: Value, right: Value) -> Value:
        """left < right; false where either is NaN."""
        return self.builder.fcmp_ordered("<", left, right)

    def at_most(self, x: Value, limit: float) -> Value:
        """min(x, limit); NaN stays NaN."""
        bound = self.constant(limit)
        return self.select(self.less(bound, x), bound, x)

    def at_least(self, x: Value, limit: float) -> Value:
        """max(x, limit); NaN stays NaN."""
        bound = self.constant(limit)
        return self.select(self.less(x, bound), bound, x)

    def maximum(self, left: Value, right: Value) -> Value:
        """The larger of two; `right` where either is NaN (one instruction on x86)."""
        return self.select(self.less(right, left), left, right)

    def bits(self, x: Value) -> Value:
        """The same bits as whole numbers."""
        return self.builder.bitcast(x, self.integers)

    def from_bits(self, x: Value) -> Value:
        """The same bits as floating-point numbers."""
        return self.builder.bitcast(x, self.type)

    @property
    def sign_bit(self) -> Value:
        """The bit that holds the sign, in every lane."""
        return self.integer(1 << (8 * self.itemsize - 1))

    def absolute(self, x: Value) -> Value:
        """|x|."""
        magnitude = self.integer((1 << (8 * self.itemsize - 1)) - 1)
        return self.from_bits(self.builder.and_(self.bits(x), magnitude))

    def with_sign_of(self, magnitude: Value, signed: Value) -> Value:
        """`magnitude` (not negative) with the sign bit of `signed`."""
        sign = self.builder.and_(self.bits(signed), self.sign_bit)
        return self.from_bits(self.builder.or_(self.bits(magnitude), sign))

    def fold(self, combine: Callable[[Value, Value], Value], vector: Value) -> Value:
        """Combine all lanes into a scalar by halves, always in the same order.

        `combine` is applied to vectors of this class's width; lanes beyond the halves are idle.
        """
        width = self.count
        undefined = ir.Constant(self.type, ir.Undefined)
        while width > 1:
            width //= 2
            order = list(range(width, 2 * width)) + [0] * (self.count - width)
            mask = ir.Constant(ir.VectorType(INT32, self.count), order)
            vector = combine(vector, self.builder.shuffle_vector(vector, undefined, mask))
        return self.builder.extract_element(vector, INT32(0))

    def fold_all(self, combine: Callable[[Value, Value], Value], given: Sequence[Value]) -> Value:
        """`fold` of 2, 4, … vectors, at most as many as there are lanes: the same bits, sooner.

        Returns a vector with a lane for each.
        """
        width = self.count
        results = list(given)
        while width > 1:
            width //= 2
            # Two vectors of half-folded lanes become one, and in the end one becomes shorter.
            several = len(results) > 1
            rights = results[1::2] if several else [None]
            length = results[0].type.count * (2 if several else 1)
            low = [lane for lane in range(length) if lane // width % 2 == 0]
            high = [lane + width for lane in low]
            results = [
                combine(self._lanes(left, low, right), self._lanes(left, high, right))
                for left, right in zip(results[::2], rights, strict=True)
            ]
        return results[0]


def emit_over_vectors(
    builder: Any,
    real: str,
    side_by_side: int,
    address: Value,
    count: Value,
    step: Callable[[Vectors, Value, Value | None], None],
) -> None:
    """Emit `step(vectors, address, mask)` over `count` elements from an integer address on.

    First `side_by_side` host vectors at a time as one wide vector, then one at a time, then the
    rest with a mask. Whole vectors have no mask.
    """
    for factor in (side_by_side, 1) if side_by_side > 1 else (1,):
        vectors = Vectors(builder, real, factor * lanes(real))
        rest = builder.and_(count, INDEX(vectors.count - 1))
        whole = builder.sub(count, rest)
        end = builder.add(address, builder.mul(whole, INDEX(vectors.itemsize)))
        before = builder.block
        body = builder.append_basic_block("vectors")
        after = builder.append_basic_block("vectors_done")
        builder.cbranch(builder.icmp_unsigned("<", address, end), body, after)
        builder.position_at_end(body)
        now = builder.phi(INDEX)
        now.add_incoming(address, before)
        step(vectors, now, None)
        following = builder.add(now, INDEX(vectors.count * vectors.itemsize))
        now.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_unsigned("<", following, end), body, after)
        builder.position_at_end(after)
        address, count = end, rest
    with builder.if_then(builder.icmp_unsigned(">", count, INDEX(0))):
        step(vectors, address, vectors.first_lanes(count))


def array_type(real: str, dimensions: int, layout: str) -> Any:
    """The Numba type of an array to be read; read-only and unaligned arrays convert to it."""
    element = getattr(types, real)
    return types.Array(element, dimensions, layout, readonly=True, aligned=False)


def offset(builder: Any, pointer: Value, distance: Value) -> Value:
    """A byte pointer `distance` bytes further on."""
    base = builder.bitcast(pointer, BYTE.as_pointer())
    return builder.gep(base, [distance])


@intrinsic
def pointer_at(typing_context: Any, address: Any, dtype: Any) -> Any:
    """A typed pointer to an address held as an integer: `pointer_at(address, np.float32)`."""
    element = dtype.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Value:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(element)(types.intp, dtype), generate


@intrinsic
def stack_words(typing_context: Any, count: Any) -> Any:
    """The address of `count` (a literal) 64-bit words on the caller's stack."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    number = count.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Value:
        words = cgutils.alloca_once(builder, ir.ArrayType(INDEX, number))
        return builder.ptrtoint(words, INDEX)

    return types.intp(count), generate


@intrinsic
def multiply_add(typing_context: Any, left: Any, right: Any, added: Any) -> Any:
    """left · right + added, with the roundings that the vectors have on this CPU."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        return Vectors(builder, str(left), 1).fma(*values)

    return left(left, left, left), generate


TASK = ir.FunctionType(ir.VoidType(), [INDEX, INDEX, INDEX])


@intrinsic
def call_task(typing_context: Any, task: Any, arguments: Any, part: Any, parts: Any) -> Any:
    """Call the task at an address: `task(arguments, part, parts)`, all 64-bit integers."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Value:
        function = builder.inttoptr(values[0], TASK.as_pointer())
        builder.call(function, values[1:])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp), generate
