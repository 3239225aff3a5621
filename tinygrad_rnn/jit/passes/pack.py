"""Operands are laid out for the kernel once, before the products that use them.

A matrix that several products multiply by is packed; a large left operand that lies column by
column is turned, which all threads do together, and not each of them for itself.
"""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, View, whole
from tinygrad_rnn.jit.passes.order import Memory
from tinygrad_rnn.kernels.gemm import packed_size, panel_width

LARGE = 1 << 14


def pack_weights(graph: Graph) -> str:
    """Add an operation that packs, before the first product that uses it."""
    wholes = _to_pack(graph)
    packed: dict[View, View] = {}
    turned: dict[View, View] = {}
    ops: list[Op] = []
    used = 0
    for op in graph.ops:
        right = _right(op)
        whole_right = None if right is None else wholes.get(right)
        if right is not None and whole_right is not None:
            used += 1
            depth, columns = whole_right.shape
            if whole_right not in packed:
                size = packed_size(depth, columns, str(right.dtype))
                buffer = Buffer((size,), right.dtype)
                made = Op("pack", "pack", [whole_right], [whole(buffer)], op.entry, op.position)
                ops.append(made)
                packed[whole_right] = whole(buffer)
            op.params = {**op.params, "packed": (depth, _first_row(right, whole_right))}
            op.inputs[1] = packed[whole_right]
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


def _to_pack(graph: Graph) -> dict[View, View]:
    """The right operands to be packed, each with the one whose packing it is part of.

    What is used more than once; a range of another's rows counts as a use of that one. So the
    gradients of an input's weights and of a state's, of which one lacks the first step, share.
    """
    uses: dict[View, list[int]] = {}
    for i, op in enumerate(graph.ops):
        right = _right(op)
        if right is not None:
            uses.setdefault(right, []).append(i)
    found = {right: right for right, places in uses.items() if len(places) > 1}
    alike: dict[object, list[View]] = {}
    for right in uses:
        columns = right.shape[1]
        row_by_row = right.strides[1] == 1 and right.strides[0] >= columns
        if right.size >= LARGE and row_by_row and columns % panel_width(str(right.dtype)) == 0:
            alike.setdefault((right.buffer, right.strides, columns), []).append(right)
    memory: Memory | None = None
    for views in alike.values():
        longest = max(views, key=lambda view: view.shape[0])
        inside = [view for view in views if _is_inside(view, longest)]
        if len(inside) < 2:
            continue
        # Whoever uses a part waits for all of it then, which has to be there without its result.
        memory = memory or Memory(graph.ops)
        ready = {id(op) for op in memory.writers(longest)}
        last = max((i for i, op in enumerate(graph.ops) if id(op) in ready), default=-1)
        if last < min(i for view in inside for i in uses[view]):
            found.update(dict.fromkeys(inside, longest))
    return found


def _first_row(view: View, of: View) -> int:
    """At which row of another view a view begins; -1 where it is not at one."""
    if view == of:
        return 0
    rows, rest = divmod(view.offset - of.offset, of.strides[0])
    return -1 if rest else rows


def _is_inside(view: View, of: View) -> bool:
    """Whether a view is a range of the rows of another."""
    first = _first_row(view, of)
    return first >= 0 and first + view.shape[0] <= of.shape[0]


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
