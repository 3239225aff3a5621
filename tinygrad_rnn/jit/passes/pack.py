"""Operands are laid out for the kernel once, before the products that use them.

A matrix that several products multiply by is packed; a large left operand that lies column by
column is turned, which all threads do together, and not each of them for itself.
"""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, View, whole
from tinygrad_rnn.kernels.gemm import packed_size

LARGE = 1 << 14


def pack_weights(graph: Graph) -> str:
    """Add an operation that packs, before the first product that uses it."""
    counts: dict[View, int] = {}
    for op in graph.ops:
        right = _right(op)
        if right is not None:
            counts[right] = counts.get(right, 0) + 1
    packed: dict[View, View] = {}
    turned: dict[View, View] = {}
    ops: list[Op] = []
    used = 0
    for op in graph.ops:
        right = _right(op)
        if right is not None and counts[right] > 1:
            used += 1
            if right not in packed:
                depth, columns = right.shape
                size = packed_size(depth, columns, str(right.dtype))
                buffer = Buffer((size,), right.dtype)
                made = Op("pack", "pack", [right], [whole(buffer)], op.entry, op.position)
                ops.append(made)
                packed[right] = whole(buffer)
            op.params = {**op.params, "packed": right.shape}
            op.inputs[1] = packed[right]
        left = _column_major_left(op)
        if left is not None:
            if left not in turned:
                buffer = Buffer(left.shape, left.dtype)
                ops.append(Op("map", "copy", [left], [whole(buffer)], op.entry, op.position))
                turned[left] = whole(buffer)
            op.inputs[0] = turned[left]
        ops.append(op)
    graph.ops = ops
    return f"{len(packed)} matrices packed for {used} products, {len(turned)} turned"


def _right(op: Op) -> View | None:
    """The right operand of a product of matrices that is worth packing."""
    if op.kind != "product" or len(op.output.shape) != 2 or op.output.shape[0] < 2:
        return None
    right = op.inputs[1]
    return right if isinstance(right, View) and right.size else None


def _column_major_left(op: Op) -> View | None:
    """The left operand of a product, if it is large and its columns lie in memory."""
    if op.kind != "product" or len(op.output.shape) != 2:
        return None
    left = op.inputs[0]
    if not isinstance(left, View) or left.size < LARGE or 1 in left.shape:
        return None
    return left if left.strides[0] == 1 and left.strides[1] >= left.shape[0] else None
