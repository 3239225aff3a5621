"""Adding rows into a table, as the gradient of an embedding look-up needs."""

from __future__ import annotations

import functools
from typing import Any

from tinygrad_rnn.kernels.cache import kernel
from tinygrad_rnn.kernels.simd import Array, array_type, types


@functools.cache
def _call(character: str) -> Any:
    real = {"f": "float32", "d": "float64"}[character]
    plane = array_type(real, 2, "A")
    line = array_type("int64", 1, "A")

    table_type = types.Array(getattr(types, real), 2, "C")

    @kernel(types.void(table_type, line, plane), key=real)
    def scatter_rows(table, index, rows):  # type: ignore[no-untyped-def]
        for i in range(index.shape[0]):
            target = index[i]
            for j in range(rows.shape[1]):
                table[target, j] += rows[i, j]

    return scatter_rows.compiled


def add_rows(table: Array, index: Array, rows: Array) -> None:
    """table[index[i]] += rows[i] for i = 0, 1, ... in this order, so repeated rows add up.

    Args:
        table: (V, D), float32 or float64, contiguous; overwritten.
        index: (N,), int64, within 0 ... V - 1. Not checked.
        rows: (N, D), of the table's type.
    """
    _call(table.dtype.char)(table, index, rows)
