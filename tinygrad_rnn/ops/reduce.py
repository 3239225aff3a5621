"""Reductions, scans and orders over axes. `axis` is a tuple of non-negative axes, always given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_rnn import kernels
from tinygrad_rnn.ops.elementwise import equal, where
from tinygrad_rnn.ops.primitive import Primitive, Value

Axes = tuple[int, ...]
# Adding so many numbers one by one in float32 costs its last digit.
_MANY = 1 << 12
# NumPy's type stubs know no reduction over several axes.
_reduce_add: Any = np.add.reduce
_reduce_maximum: Any = np.maximum.reduce
_reduce_minimum: Any = np.minimum.reduce
_reduce_or: Any = np.logical_or.reduce
_reduce_and: Any = np.logical_and.reduce


def _sum(x: Any, axis: Axes, keepdims: bool) -> Any:
    if x.size > _MANY and x.dtype == np.float32 and _adds_many_one_by_one(x, axis):
        return _reduce_add(x, axis=axis, dtype=np.float64, keepdims=keepdims).astype(x.dtype)
    return _reduce_add(x, axis=axis, keepdims=keepdims)


def _adds_many_one_by_one(x: Any, axis: Axes) -> bool:
    # NumPy adds by halves what lies in a row.
    in_a_row = x.flags.c_contiguous and axis == tuple(range(x.ndim - len(axis), x.ndim))
    return not in_a_row and math.prod([x.shape[i] for i in axis]) > _MANY


def _amax(x: Any, axis: Axes, keepdims: bool) -> Any:
    return _reduce_maximum(x, axis=axis, keepdims=keepdims)


def _amin(x: Any, axis: Axes, keepdims: bool) -> Any:
    return _reduce_minimum(x, axis=axis, keepdims=keepdims)


def _logsumexp(x: Any, axis: Axes, keepdims: bool) -> Any:
    top = _reduce_maximum(x, axis=axis, keepdims=True, initial=-np.inf)
    # Shifting by an infinite maximum would give inf - inf.
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    total = np.log(_sum(kernels.exp(x - top), axis, keepdims=True)) + top
    return total if keepdims else total.squeeze(axis)


def _norm(x: Any, axis: Axes, keepdims: bool) -> Any:
    return np.sqrt(_sum(x * x, axis, keepdims))


def _cumsum(x: Any, axis: int) -> Any:
    if x.dtype != np.float32:
        return np.cumsum(x, axis=axis, dtype=x.dtype)
    return np.cumsum(x, axis=axis, dtype=np.float64).astype(np.float32)


def _any(x: Any, axis: Axes, keepdims: bool) -> Any:
    return _reduce_or(x, axis=axis, keepdims=keepdims)


def _all(x: Any, axis: Axes, keepdims: bool) -> Any:
    return _reduce_and(x, axis=axis, keepdims=keepdims)


def _arg(function: Any) -> Any:
    def forward(x: Any, axis: int | None, keepdims: bool) -> Any:
        return np.asarray(function(x, axis=axis, keepdims=keepdims))

    return forward


def _argsort(x: Any, axis: int, descending: bool) -> Any:
    if not descending:
        return np.argsort(x, axis, kind="stable")
    # Sorting the reversed axis and turning it round keeps equal elements in their old order.
    turned = np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    return np.ascontiguousarray(x.shape[axis] - 1 - turned)


def restore(g: Value, shape: tuple[int, ...], axis: Axes) -> Value:
    """Give back the axes that a reduction of a tensor of `shape` took away, with length 1."""
    return g.reshape(tuple(1 if i in axis else n for i, n in enumerate(shape)))


def _shared_among_ties(g: Value, out: Value, x: Value, axis: Axes) -> Value:
    # Where there is a NaN, it is the extreme.
    ties = (g.apply(equal, x, restore(out, x.shape, axis)) | x.isnan()).to(x.dtype)
    return restore(g, x.shape, axis) * (ties / ties.sum(axis, keepdim=True))


def _norm_vjp(g: Value, out: Value, x: Value, axis: Axes) -> Value:
    # At 0 the norm has no slope; 0 is the subgradient, as x / 1 gives.
    length = g.apply(where, out == 0, 1.0, out)
    return x * restore(g / length, x.shape, axis)


def _softmax_vjp(g: Value, out: Value, axis: int) -> Value:
    return out * (g - (g * out).sum(axis, keepdim=True))


def _log_softmax_vjp(g: Value, out: Value, axis: int) -> Value:
    return g - out.exp() * g.sum(axis, keepdim=True)


sum_ = Primitive(
    "sum",
    _sum,
    lambda g, out, x, axis, keepdims: restore(g, x.shape, axis).expand(x.shape),
)
amax = Primitive(
    "amax",
    _amax,
    lambda g, out, x, axis, keepdims: _shared_among_ties(g, out, x, axis),
    reads_inputs=True,
    reads_output=True,
)
amin = Primitive(
    "amin",
    _amin,
    lambda g, out, x, axis, keepdims: _shared_among_ties(g, out, x, axis),
    reads_inputs=True,
    reads_output=True,
)
logsumexp = Primitive(
    "logsumexp",
    _logsumexp,
    lambda g, out, x, axis, keepdims: (
        restore(g, x.shape, axis) * (x - restore(out, x.shape, axis)).exp()
    ),
    reads_inputs=True,
    reads_output=True,
)
norm = Primitive(
    "norm",
    _norm,
    lambda g, out, x, axis, keepdims: _norm_vjp(g, out, x, axis),
    reads_inputs=True,
    reads_output=True,
)
cumsum = Primitive(
    "cumsum", _cumsum, lambda g, out, x, axis: g.flip(axis).cumsum(axis).flip(axis)
)
softmax = Primitive(
    "softmax",
    kernels.softmax,
    lambda g, out, x, axis: _softmax_vjp(g, out, axis),
    reads_output=True,
)
log_softmax = Primitive(
    "log_softmax",
    kernels.log_softmax,
    lambda g, out, x, axis: _log_softmax_vjp(g, out, axis),
    reads_output=True,
)
argmax = Primitive("argmax", _arg(np.argmax))
argmin = Primitive("argmin", _arg(np.argmin))
argsort = Primitive("argsort", _argsort)
any_ = Primitive("any", _any)
all_ = Primitive("all", _all)
