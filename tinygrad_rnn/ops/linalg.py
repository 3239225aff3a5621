"""Matrix products. A weight that many steps multiply by gets its gradient as one product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import kernels
from tinygrad_rnn.engine import Deferred
from tinygrad_rnn.ops.primitive import Primitive, Value


class Products(Deferred):
    """aᵀb of two matrices arrived; Σ_t a_tᵀ b_t is one product of the rows of all steps."""

    __slots__ = ("a", "b", "shape")

    def __init__(self, a: Value, b: Value) -> None:
        self.a = a
        self.b = b
        self.shape = (a.shape[1], b.shape[1])

    def total(self, parts: Sequence[Products]) -> Value:
        """Return Σ_t a_tᵀ b_t."""
        pairs = [matrix for part in parts for matrix in (part.a, part.b)]
        return self.a.apply(sum_products, *pairs)


def _sum_products(*pairs: Any) -> Any:
    return kernels.sum_of_products(
        [(pairs[i].T, pairs[i + 1]) for i in range(0, len(pairs), 2)]
    )


def _sum_products_vjp(
    g: Value, out: None, wanted: Sequence[int], *pairs: Value
) -> list[Value | None]:
    gradients: list[Value | None] = []
    for i in range(0, len(pairs), 2):
        a, b = pairs[i], pairs[i + 1]
        gradients.append(b @ g.mT if wanted[i] else None)
        gradients.append(a @ g if wanted[i + 1] else None)
    return gradients


def _folded(x: Value) -> Value:
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul(a: Any, b: Any) -> Any:
    return kernels.matmul(a, b) if a.dtype.kind == "f" else np.matmul(a, b)


def _matmul_right(g: Value, a: Value, b: Value) -> Value:
    if b.ndim == 2:
        return Products(_folded(a), _folded(g))
    return a.mT @ g


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    out = kernels.matmul(x if x.ndim > 1 else x[None], weight.T)
    out = out if x.ndim > 1 else out[0]
    if bias is not None:
        out += bias
    return out


matmul = Primitive(
    "matmul",
    _matmul,
    lambda g, out, a, b: g @ b.mT,
    lambda g, out, a, b: _matmul_right(g, a, b),
    reads_inputs=True,
)
sum_products = Primitive(
    "sum_products", _sum_products, joint=_sum_products_vjp, reads_inputs=True
)
linear = Primitive(
    "linear",
    _linear,
    lambda g, out, x, weight, bias: g @ weight,
    lambda g, out, x, weight, bias: Products(_folded(g), _folded(x)),
    lambda g, out, x, weight, bias: g,
    reads_inputs=True,
)
