"""A matrix that several products multiply by is laid out for the kernel once."""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, View, whole
from tinygrad_rnn.kernels.gemm import packed_size


def pack_weights(graph: Graph) -> str:
    """Add an operation that packs, before the first product that uses it."""
    counts: dict[View, int] = {}
    for op in graph.ops:
        right = _right(op)
        if right is not None:
            counts[right] = counts.get(right, 0) + 1
    packed: dict[View, View] = {}
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
        ops.append(op)
    graph.ops = ops
    return f"{len(packed)} matrices packed for {used} products" if packed else ""


def _right(op: Op) -> View | None:
    """The right operand of a product of matrices that is worth packing."""
    if op.kind != "product" or len(op.output.shape) != 2 or op.output.shape[0] < 2:
        return None
    right = op.inputs[1]
    return right if isinstance(right, View) and right.size else None
