"""Making tensors: from data, constant, counted and random. Names and arguments are PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Array, Shape, array_of, positive, sizes_of
from tinygrad_rnn.dtypes import dtype_of, float_of, get_default_dtype
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.generator import Generator, default_generator
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.tensor import Tensor


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor that holds a copy of `data`: numbers, nested lists, or an array.

    Python floats become the default type (float32), integers int64; arrays keep theirs.
    """
    if isinstance(data, Tensor):
        data = data.detach().numpy()
    elif isinstance(data, (list, tuple)) and any(isinstance(part, Tensor) for part in data):
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
    like = _array(x, "zeros_like")
    return zeros(like.shape, dtype=dtype or like.dtype)


def ones_like(x: Tensor, dtype: Any = None) -> Tensor:
    """Return ones of the shape and type of `x`."""
    like = _array(x, "ones_like")
    return ones(like.shape, dtype=dtype or like.dtype)


def full_like(x: Tensor, value: Any, dtype: Any = None) -> Tensor:
    """Return a tensor of the shape and type of `x` with every element equal to `value`."""
    like = _array(x, "full_like")
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
    drawn = generator.uniform(sizes_of(shape), float_of(dtype))
    return Tensor(drawn, None, requires_grad)


def randn(
    *shape: Any,
    dtype: Any = None,
    requires_grad: bool = False,
    generator: Generator = default_generator,
) -> Tensor:
    """Return numbers of mean 0 and variance 1."""
    drawn = generator.normal(sizes_of(shape), float_of(dtype))
    return Tensor(drawn, None, requires_grad)


def rand_like(x: Tensor, generator: Generator = default_generator) -> Tensor:
    """Return numbers equally distributed over [0, 1), in the shape and type of `x`."""
    like = _array(x, "rand_like")
    return rand(like.shape, dtype=like.dtype, generator=generator)


def randn_like(x: Tensor, generator: Generator = default_generator) -> Tensor:
    """Return numbers of mean 0 and variance 1, in the shape and type of `x`."""
    like = _array(x, "randn_like")
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
    return Tensor(generator.integers(low, high, sizes_of((size,))))


def randperm(n: int, generator: Generator = default_generator) -> Tensor:
    """Return 0 ... n - 1 in random order."""
    (count,) = sizes_of((n,))
    return Tensor(generator.permutation(count))


def bernoulli(p: Tensor, generator: Generator = default_generator) -> Tensor:
    """Return 1 with the probability that each element of `p` gives, else 0."""
    chances = _array(p, "bernoulli")
    if ((chances < 0) | (chances > 1)).any():
        raise ArgumentError(
            f"bernoulli needs probabilities between 0 and 1, not {chances.min()}..{chances.max()}"
        )
    return Tensor((generator.uniform(p.shape, p.dtype) < chances).astype(p.dtype))


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
    w = _array(weights, "multinomial").astype(np.float64)
    positive(num_samples, "num_samples")
    if w.ndim == 0 or w.size == 0 or not np.isfinite(w).all() or (w < 0).any():
        raise ArgumentError("multinomial needs finite weights of 0 or more, and at least one")
    available = (w > 0).sum(-1).min()
    if available < (1 if replacement else num_samples):
        raise ArgumentError(
            f"multinomial cannot draw {num_samples} of {available} indices with weight above 0"
            + ("" if replacement else "; pass replacement=True to draw one more than once")
        )
    if replacement or num_samples == 1:
        cumulative = np.cumsum(w, -1)
        u = generator.uniform((*w.shape[:-1], num_samples), np.float64) * cumulative[..., -1:]
        drawn = (u[..., None] >= cumulative[..., None, :]).sum(-1)
        # Rounding may carry u to the total; the last index with any weight is meant then.
        last = w.shape[-1] - 1 - np.argmax(w[..., ::-1] > 0, -1)
        return Tensor(np.minimum(drawn, last[..., None]).astype(np.int64))
    with np.errstate(divide="ignore"):
        keys = np.log(w) - np.log(-np.log(1.0 - generator.uniform(w.shape, np.float64)))
    return Tensor(np.argsort(-keys, -1, kind="stable")[..., :num_samples].astype(np.int64))


def one_hot(index: Tensor, num_classes: int = -1, dtype: Any = None) -> Tensor:
    """Return 1 at each index and 0 elsewhere, along a new last axis.

    Args:
        index: integers.
        num_classes: length of the new axis; -1 takes the largest index plus 1.
        dtype: element type, int64 as PyTorch's unless given.

    Raises:
        ArgumentError: if an index does not fit.
    """
    array = _array(index, "one_hot")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"one_hot takes integers, not {array.dtype}")
    count = num_classes if num_classes >= 0 else int(array.max()) + 1 if array.size else 0
    if array.size and (array.min() < 0 or array.max() >= count):
        raise ArgumentError(
            f"one_hot got indices {array.min()}..{array.max()} for {count} classes"
        )
    return Tensor((array[..., None] == np.arange(count)).astype(dtype or np.int64))


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


def _array(x: Any, name: str) -> Array:
    """Return the numbers of a Tensor, to be read only."""
    if not isinstance(x, Tensor):
        raise DtypeError(f"{name} takes a Tensor, not {type(x).__name__}; see tensor()")
    return x.detach().numpy()


def _dtype(dtype: Any) -> Any:
    return get_default_dtype() if dtype is None else dtype_of(dtype)
