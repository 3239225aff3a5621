"""Making tensors: from data, constant, counted and random. Names and arguments are PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_rnn import ops
from tinygrad_rnn.arguments import Array, Shape, array_of, positive, sizes_of
from tinygrad_rnn.context import quiet
from tinygrad_rnn.dtypes import Dtype, dtype_of, float64, float_of, get_default_dtype, int64
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.tensor import Tensor, apply


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor that holds a copy of `data`: numbers, nested lists, or an array.

    Python floats become the default type (float32), integers int64; arrays keep theirs.
    """
    if isinstance(data, Tensor):
        held = data.detach() if dtype is None else data.detach().to(dtype)
        return held.clone().requires_grad_(requires_grad)
    if isinstance(data, (list, tuple)) and any(isinstance(part, Tensor) for part in data):
        data = [part.tolist() if isinstance(part, Tensor) else part for part in data]
    return Tensor(np.array(array_of(data, dtype, get_default_dtype())), None, requires_grad)


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """Return `data` as a tensor, without copying where the type allows it."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return Tensor(data, dtype)


def from_numpy(array: Array) -> Tensor:
    """Return a tensor that shares its memory with an array."""
    if not isinstance(array, np.ndarray):
        raise ArgumentError(f"from_numpy takes an array, not {type(array).__name__}; see tensor()")
    return Tensor(array)


def full(shape: Any, value: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor with every element equal to `value`."""
    fill = array_of(value, dtype, get_default_dtype())
    if fill.ndim:
        raise ShapeError(f"full repeats one number, not an array of shape {fill.shape}")
    return Tensor(np.full(sizes_of((shape,)), fill), None, requires_grad)


def zeros(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Return zeros."""
    return Tensor(np.zeros(sizes_of(shape), _dtype(dtype)), None, requires_grad)


def ones(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Return ones."""
    return Tensor(np.ones(sizes_of(shape), _dtype(dtype)), None, requires_grad)


def empty(*shape: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor to be overwritten; its elements start as zeros."""
    return zeros(*shape, dtype=dtype, requires_grad=requires_grad)


def zeros_like(x: Tensor, dtype: Any = None) -> Tensor:
    """Return zeros of the shape and type of `x`."""
    like = _required(x, "zeros_like")
    return zeros(like.shape, dtype=dtype or like.dtype)


def ones_like(x: Tensor, dtype: Any = None) -> Tensor:
    """Return ones of the shape and type of `x`."""
    like = _required(x, "ones_like")
    return ones(like.shape, dtype=dtype or like.dtype)


def full_like(x: Tensor, value: Any, dtype: Any = None) -> Tensor:
    """Return a tensor of the shape and type of `x` with every element equal to `value`."""
    like = _required(x, "full_like")
    return full(like.shape, value, dtype or like.dtype)


def eye(n: int, m: int | None = None, dtype: Any = None) -> Tensor:
    """Return the identity matrix, or its first m columns."""
    rows, columns = sizes_of((n, n if m is None else m))
    return Tensor(np.eye(rows, columns, dtype=_dtype(dtype)))


def arange(start: Any, end: Any = None, step: Any = 1, dtype: Any = None) -> Tensor:
    """Return start, start + step, ... up to but not including `end`; or 0 ... start - 1."""
    if end is None:
        start, end = 0, start
    for part in (start, end, step):
        if not isinstance(part, (int, float, np.number)):
            raise ArgumentError(f"arange counts with numbers, not {part!r}")
    if step == 0:
        raise ArgumentError("arange needs a step other than 0")
    if dtype is None and any(isinstance(part, float) for part in (start, end, step)):
        dtype = get_default_dtype()
    return Tensor(np.arange(start, end, step, dtype=None if dtype is None else dtype_of(dtype)))


def linspace(start: float, end: float, steps: int, dtype: Any = None) -> Tensor:
    """Return `steps` equally spaced numbers from `start` to `end`, both included."""
    (count,) = sizes_of((steps,))
    return Tensor(np.linspace(start, end, count, dtype=_dtype(dtype)))


def rand(
    *shape: Any,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Generator = default_generator,
) -> Tensor:
    """Return numbers equally distributed over [0, 1)."""
    drawn = _uniform(sizes_of(shape), float_of(dtype), generator)
    return drawn.requires_grad_() if requires_grad else drawn


def randn(
    *shape: Any,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Generator = default_generator,
) -> Tensor:
    """Return numbers of mean 0 and variance 1, the same that `Generator.normal` draws."""
    sizes, kind = sizes_of(shape), float_of(dtype)
    count = math.prod(sizes)
    with quiet():
        u = _uniform((2, -(-count // 2)), float64, generator)
        radius = ((-u[0]).log1p() * -2.0).sqrt()
        angle = u[1] * (2.0 * math.pi)
        both = apply(ops.concatenate, radius * angle.cos(), radius * angle.sin(), axis=0)
        drawn = both[:count].reshape(sizes).to(kind)
    return drawn.requires_grad_() if requires_grad else drawn


def rand_like(x: Tensor, generator: Generator = default_generator) -> Tensor:
    """Return numbers equally distributed over [0, 1), in the shape and type of `x`."""
    like = _required(x, "rand_like")
    return rand(like.shape, dtype=like.dtype, generator=generator)


def randn_like(x: Tensor, generator: Generator = default_generator) -> Tensor:
    """Return numbers of mean 0 and variance 1, in the shape and type of `x`."""
    like = _required(x, "randn_like")
    return randn(like.shape, dtype=like.dtype, generator=generator)


def randint(
    low: int, high: Any = None, size: Any = None, generator: Generator = default_generator
) -> Tensor:
    """Return integers low ... high - 1; `randint(high, size)` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    for limit in (low, high):
        if not isinstance(limit, (int, np.integer)):
            raise ArgumentError(f"randint's limits are integers, not {limit!r}")
    sizes = sizes_of((size,))
    if low >= high:
        raise ArgumentError(f"there is no integer from {low} up to, but not including, {high}")
    u = _uniform(sizes, float64, generator)
    return (u * (int(high) - int(low))).floor().to(int64) + int(low)


def randperm(n: int, generator: Generator = default_generator) -> Tensor:
    """Return 0 ... n - 1 in random order."""
    keys = _uniform(sizes_of((n,)), float64, generator)
    return apply(ops.argsort, keys, axis=0, descending=False)


def bernoulli(p: Tensor, generator: Generator = default_generator) -> Tensor:
    """Return 1 with the probability that each element of `p` gives, else 0."""
    dtype = float_of(_required(p, "bernoulli").dtype)
    apply(
        ops.require_true,
        ~((p < 0) | (p > 1)),
        p,
        message="bernoulli needs probabilities between 0 and 1, not {least}..{greatest}",
    )
    return (_uniform(p.shape, dtype, generator) < p).to(dtype)


def multinomial(
    weights: Tensor,
    num_samples: int = 1,
    replacement: bool = False,
    generator: Generator = default_generator,
) -> Tensor:
    """Draw indices along the last axis in proportion to non-negative weights.

    Returns int64 of shape `(..., num_samples)`. Without replacement, an index is drawn once: the
    largest of log(weight) + Gumbel noise (Gumbel-max, see Vieira, 2014).

    Raises:
        ArgumentError: if weights are negative or not finite, or too few are above 0.
    """
    given = _required(weights, "multinomial").detach()
    draws = positive(num_samples, "num_samples")
    with quiet():
        doubles = given.to(float64)
        w = apply(ops.require_weights, doubles, draws=draws, replacement=bool(replacement))
        if replacement or draws == 1:
            cumulative = w.cumsum(-1).unsqueeze(-2)
            u = _uniform((*w.shape[:-1], draws, 1), float64, generator) * cumulative[..., -1:]
            drawn = (u >= cumulative).sum(-1)
            # Rounding may carry u to the total; the last index with any weight is meant then.
            last = w.shape[-1] - 1 - (w.flip(-1) > 0).argmax(-1, keepdim=True)
            return drawn.minimum(last)
        keys = w.log() - (-(1.0 - _uniform(w.shape, float64, generator)).log()).log()
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
    count = num_classes
    if count < 0:
        count = int(index.max().item()) + 1 if index.numel() else 0
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


def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """Return a matrix (or batch) with 0 above a diagonal."""
    return where(Tensor(np.tril(np.ones(_matrix_shape(x, "tril"), np.bool_), diagonal)), x, 0)


def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """Return a matrix (or batch) with 0 below a diagonal."""
    return where(Tensor(np.triu(np.ones(_matrix_shape(x, "triu"), np.bool_), diagonal)), x, 0)


def _matrix_shape(x: Tensor, name: str) -> Shape:
    if x.ndim < 2:
        raise ArgumentError(f"{name} takes a matrix, not shape {x.shape}")
    return x.shape[-2:]


def _uniform(shape: Shape, dtype: Dtype, generator: Generator) -> Tensor:
    start = generator.position()
    return apply(ops.uniform, generator=generator, start=start, shape=shape, dtype=dtype)


def _required(x: Any, name: str) -> Tensor:
    """Return `x` if it is a Tensor."""
    if not isinstance(x, Tensor):
        raise DtypeError(f"{name} takes a Tensor, not {type(x).__name__}; see tensor()")
    return x


def _dtype(dtype: Any) -> Any:
    return get_default_dtype() if dtype is None else dtype_of(dtype)
