"""Making tensors: from data, constant, counted and random. Names and arguments are PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import Array, Shape, array_of, integer_of, positive, sizes_of
from tinygrad_rnn.context import quiet
from tinygrad_rnn.devices import require_cpu
from tinygrad_rnn.dtypes import (
    Dtype,
    bool_,
    dtype_of,
    float32,
    float64,
    float_of,
    get_default_dtype,
    int32,
    int64,
)
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.generator import Generator
from tinygrad_rnn.methods import drawing
from tinygrad_rnn.tensor import Tensor, apply

_TOO_MANY = 2**60
"""As many numbers of 8 bytes are more than an array can address."""


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None) -> Tensor:
    """Return a tensor that holds a copy of `data`: numbers, nested lists, or an array.

    Python floats become the default type (float32), integers int64; arrays keep theirs.
    """
    require_cpu(device)
    if isinstance(data, Tensor):
        held = data.detach() if dtype is None else data.detach().to(dtype)
        return held.clone().requires_grad_(requires_grad)
    if isinstance(data, (list, tuple)) and any(isinstance(part, Tensor) for part in data):
        data = [part.tolist() if isinstance(part, Tensor) else part for part in data]
    return Tensor(np.array(array_of(data, dtype, get_default_dtype())), requires_grad=requires_grad)


def is_tensor(obj: Any) -> bool:
    """Whether `x` is a Tensor."""
    return isinstance(obj, Tensor)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Return `data` as a tensor, without copying where the type allows it."""
    require_cpu(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return Tensor(array_of(data, dtype, get_default_dtype()))


def from_numpy(array: Array) -> Tensor:
    """Return a tensor that shares its memory with an array."""
    if not isinstance(array, np.ndarray):
        raise ArgumentError(f"from_numpy takes an array, not {type(array).__name__}; see tensor()")
    return Tensor(array)


class _Typed:
    """A constructor for one element type, such as PyTorch has them from early on."""

    def __init__(self, element_type: Dtype) -> None:
        self.element_type = element_type

    def __call__(self, *data: Any) -> Tensor:
        """Return the numbers of a list or array, or zeros of a shape. See `tensor`."""
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], self.element_type)
        return empty(*data, dtype=self.element_type)


FloatTensor = _Typed(float32)
DoubleTensor = _Typed(float64)
LongTensor = _Typed(int64)
IntTensor = _Typed(int32)
BoolTensor = _Typed(bool_)


def full(
    size: Any, fill_value: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None
) -> Tensor:
    """Return a tensor with every element equal to `fill_value`."""
    require_cpu(device)
    fill = array_of(fill_value, dtype, get_default_dtype())
    if fill.ndim:
        raise ShapeError(f"full repeats one number, not an array of shape {fill.shape}")
    return Tensor(np.full(_sizes((size,)), fill), requires_grad=requires_grad)


def zeros(
    *shape: Any,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    size: Any = None,
) -> Tensor:
    """Return zeros."""
    require_cpu(device)
    array = np.zeros(_sizes(_shape(shape, size)), _dtype(dtype))
    return Tensor(array, requires_grad=requires_grad)


def ones(
    *shape: Any,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    size: Any = None,
) -> Tensor:
    """Return ones."""
    require_cpu(device)
    array = np.ones(_sizes(_shape(shape, size)), _dtype(dtype))
    return Tensor(array, requires_grad=requires_grad)


def empty(
    *shape: Any,
    dtype: Any = None,
    requires_grad: bool = False,
    device: Any = None,
    size: Any = None,
) -> Tensor:
    """Return a tensor to be overwritten; its elements start as zeros."""
    require_cpu(device)
    return zeros(*_shape(shape, size), dtype=dtype, requires_grad=requires_grad)


def zeros_like(
    input: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return zeros of the shape and type of `input`."""
    like = _required(input, "zeros_like")
    return zeros(
        like.shape, dtype=_dtype_like(like, dtype), requires_grad=requires_grad, device=device
    )


def ones_like(
    input: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return ones of the shape and type of `input`."""
    like = _required(input, "ones_like")
    return ones(
        like.shape, dtype=_dtype_like(like, dtype), requires_grad=requires_grad, device=device
    )


def empty_like(
    input: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor to be overwritten, of the shape and type of `input`; it starts as zeros."""
    return zeros_like(_required(input, "empty_like"), dtype, device, requires_grad)


def full_like(
    input: Tensor,
    fill_value: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of the shape and type of `input` with every element equal to `fill_value`."""
    like = _required(input, "full_like")
    return full(like.shape, fill_value, _dtype_like(like, dtype), requires_grad, device)


def eye(
    n: int,
    m: int | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the identity matrix, or its first m columns."""
    require_cpu(device)
    rows, columns = _sizes((n, n if m is None else m))
    return Tensor(np.eye(rows, columns, dtype=_dtype(dtype)), requires_grad=requires_grad)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return start, start + step, ... up to but not including `end`; or 0 ... start - 1.

    Raises:
        ArgumentError: for anything but finite numbers, and a step of 0 or away from `end`.
    """
    require_cpu(device)
    if end is None:
        start, end = 0, start
    start, end, step = (_number(part, "arange counts with numbers") for part in (start, end, step))
    if not all(map(math.isfinite, (start, end, step))):
        raise ArgumentError(f"arange counts to an end, not from {start} to {end} by {step}")
    if dtype is None:
        dtype = get_default_dtype() if float in map(type, (start, end, step)) else int64
    kind = dtype_of(dtype)
    if kind.kind != "f":
        start, end, step = int(start), int(end), int(step)
    if step == 0:
        raise ArgumentError("arange needs a step other than 0")
    if (end - start) * step < 0:
        raise ArgumentError(f"arange cannot come from {start} to {end} by steps of {step}")
    _sizes((math.ceil((end - start) / step),))
    try:
        # NumPy adds up the step as the type rounds it, and drifts off.
        counted = np.arange(start, end, step, dtype=float64 if kind.kind == "f" else kind)
    except (OverflowError, TypeError):
        raise ArgumentError(f"{kind} does not reach from {start} to {end}") from None
    return Tensor(counted.astype(kind, copy=False), requires_grad=requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return `steps` equally spaced numbers from `start` to `end`, both included."""
    require_cpu(device)
    first, last = (_number(part, "linspace joins numbers") for part in (start, end))
    spaced = np.linspace(first, last, _length(steps, "steps"), dtype=_dtype(dtype))
    return Tensor(spaced, requires_grad=requires_grad)


def rand(
    *shape: Any,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
    device: Any = None,
    size: Any = None,
) -> Tensor:
    """Return numbers equally distributed over [0, 1)."""
    require_cpu(device)
    drawn = drawing.uniform(apply, _sizes(_shape(shape, size)), float_of(dtype), generator)
    return drawn.requires_grad_() if requires_grad else drawn


def randn(
    *shape: Any,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Generator | None = None,
    device: Any = None,
    size: Any = None,
) -> Tensor:
    """Return numbers of mean 0 and variance 1, the same that `Generator.normal` draws."""
    require_cpu(device)
    drawn = drawing.normal(apply, _sizes(_shape(shape, size)), float_of(dtype), generator)
    return drawn.requires_grad_() if requires_grad else drawn


def rand_like(
    input: Tensor,
    generator: Generator | None = None,
    device: Any = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers equally distributed over [0, 1), in the shape and type of `input`."""
    like = _required(input, "rand_like")
    kind = _dtype_like(like, dtype)
    return rand(
        like.shape, dtype=kind, requires_grad=requires_grad, generator=generator, device=device
    )


def randn_like(
    input: Tensor,
    generator: Generator | None = None,
    device: Any = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return numbers of mean 0 and variance 1, in the shape and type of `input`."""
    like = _required(input, "randn_like")
    kind = _dtype_like(like, dtype)
    return randn(
        like.shape, dtype=kind, requires_grad=requires_grad, generator=generator, device=device
    )


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    dtype: Any = None,
    generator: Generator | None = None,
    device: Any = None,
) -> Tensor:
    """Return integers low ... high - 1; `randint(high, size)` starts at 0."""
    require_cpu(device)
    if size is None:
        low, high, size = 0, low, high
    for limit in (low, high):
        if not isinstance(limit, (int, np.integer)):
            raise ArgumentError(f"randint's limits are integers, not {limit!r}")
    sizes = _sizes((size,))
    if low >= high:
        raise ArgumentError(f"there is no integer from {low} up to, but not including, {high}")
    u = drawing.uniform(apply, sizes, float64, generator)
    drawn = (u * (int(high) - int(low))).floor().to(int64) + int(low)
    return drawn if dtype is None else drawn.to(dtype)


def randperm(n: int, generator: Generator | None = None, device: Any = None) -> Tensor:
    """Return 0 ... n - 1 in random order."""
    require_cpu(device)
    keys = drawing.uniform(apply, (_length(n, "n"),), float64, generator)
    return apply(ops.argsort, keys, axis=0, descending=False)


def bernoulli(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Return 1 with the probability that each element of `input` gives, else 0."""
    p = _required(input, "bernoulli")
    dtype = float_of(p.dtype)
    apply(
        ops.require_true,
        ~((p < 0) | (p > 1)),
        p,
        message="bernoulli needs probabilities between 0 and 1, not {least}..{greatest}",
    )
    return (drawing.uniform(apply, p.shape, dtype, generator) < p).to(dtype)


def multinomial(
    input: Tensor,
    num_samples: int = 1,
    replacement: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Draw indices along the last axis in proportion to non-negative weights.

    Returns int64 of shape `(..., num_samples)`. Without replacement, an index is drawn once: the
    largest of log(weight) + Gumbel noise (Gumbel-max, see Vieira, 2014).

    Raises:
        ArgumentError: if weights are negative or not finite, or too few are above 0.
    """
    given = _required(input, "multinomial").detach()
    draws = positive(num_samples, "num_samples")
    with quiet():
        doubles = given.to(float64)
        w = apply(ops.require_weights, doubles, draws=draws, replacement=bool(replacement))
        if replacement or draws == 1:
            cumulative = w.cumsum(-1).unsqueeze(-2)
            u = drawing.uniform(apply, (*w.shape[:-1], draws, 1), float64, generator)
            drawn = (u * cumulative[..., -1:] >= cumulative).sum(-1)
            # Rounding may carry u to the total; the last index with any weight is meant then.
            last = w.shape[-1] - 1 - (w.flip(-1) > 0).argmax(-1, keepdim=True)
            return drawn.minimum(last)
        keys = w.log() - (-(1.0 - drawing.uniform(apply, w.shape, float64, generator)).log()).log()
        order = apply(ops.argsort, -keys, axis=w.ndim - 1, descending=False)
        return order[..., :draws]


def one_hot(index: Tensor, num_classes: int = -1, dtype: Any = None) -> Tensor:
    """Return 1 at each index and 0 elsewhere, along a new last axis.

    Args:
        index: integers.
        num_classes: length of the new axis; -1 takes the largest index plus 1.
        dtype: element type, int64 as PyTorch's unless given.

    Raises:
        ArgumentError: if an index does not fit.
    """
    if _required(index, "one_hot").dtype.kind not in "iu":
        raise DtypeError(f"one_hot takes integers, not {index.dtype}")
    count = integer_of(num_classes, "num_classes")
    if count == -1 and not index.numel():
        raise ArgumentError("one_hot cannot count the classes of no index; pass num_classes")
    count = int(index.max().item()) + 1 if count == -1 else positive(count, "num_classes")
    with quiet():
        checked = apply(
            ops.require_range,
            index,
            low=0,
            high=count,
            ignore=None,
            message=f"one_hot got index {{value}} for {count} classes",
            error=ArgumentError,
        )
        return (checked.unsqueeze(-1) == Tensor(np.arange(count))).to(dtype or int64)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """See `Tensor.tril`."""
    return _required(input, "tril").tril(diagonal)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """See `Tensor.triu`."""
    return _required(input, "triu").triu(diagonal)


def _required(x: Any, name: str) -> Tensor:
    """Return `x` if it is a Tensor."""
    if not isinstance(x, Tensor):
        raise DtypeError(f"{name} takes a Tensor, not {type(x).__name__}; see tensor()")
    return x


def _shape(lengths: tuple[Any, ...], size: Any) -> tuple[Any, ...]:
    """Return the shape that was given as f(2, 3), f((2, 3)) or f(size=(2, 3))."""
    return lengths if size is None else (size,)


def _sizes(sizes: tuple[Any, ...]) -> Shape:
    """Return a shape to be made, of which an array can be that long."""
    shape = sizes_of(sizes)
    if math.prod(n or 1 for n in shape) >= _TOO_MANY:
        raise ArgumentError(f"no memory holds a tensor of the shape {shape}; make a smaller one")
    return shape


def _length(n: Any, name: str) -> int:
    """Return the length of a vector to be made."""
    (length,) = _sizes((integer_of(n, name),))
    return length


def _number(x: Any, wanted: str) -> int | float:
    """Return `x` as a Python number, if it is one or a NumPy number or a tensor without axes."""
    if isinstance(x, (np.integer, np.floating)) or (isinstance(x, Tensor) and x.ndim == 0):
        x = x.item()
    if not isinstance(x, (int, float)):
        raise ArgumentError(f"{wanted}, not {x!r}")
    return x


def _dtype_like(like: Tensor, dtype: Any) -> Any:
    return like.dtype if dtype is None else dtype


def _dtype(dtype: Any) -> Any:
    return get_default_dtype() if dtype is None else dtype_of(dtype)
