"""Products of many steps with one matrix become one product, where no step waits for another.

x_t W for all t, and g_t Wᵀ on the way back, in cells that were written step by step.
"""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, View, row_major, split_up, whole
from tinygrad_rnn.jit.passes.order import Memory, sort
from tinygrad_rnn.jit.passes.uses import Uses


def batch_products(graph: Graph) -> str:
    """Merge until there is nothing to merge."""
    merged = products = 0
    refused: set[View] = set()
    while True:
        members = _independent(graph, refused)
        if members is None:
            break
        merged += 1
        products += len(members)
        _merge(graph, members)
        refused.add(members[0].inputs[1])  # type: ignore[arg-type]
        graph.ops = sort(graph.ops)
    return f"{products} products became {merged}" if merged else ""


def _independent(graph: Graph, refused: set[View]) -> list[Op] | None:
    """Products with one right operand, none of which needs the result of another."""
    groups: dict[View, list[Op]] = {}
    for op in graph.ops:
        right = op.inputs[1] if op.kind == "product" and len(op.inputs) == 2 else None
        if isinstance(right, View) and len(right.shape) == 2 and right not in refused:
            groups.setdefault(right, []).append(op)
    bits = {
        op: 1 << i
        for i, ops in enumerate(ops for ops in groups.values() if len(ops) > 1)
        for op in ops
    }
    if not bits:
        return None
    memory = Memory(graph.ops)
    # The groups of which something lies before an operation.
    seen: dict[Op, int] = {}
    free: dict[int, list[Op]] = {}
    for op in graph.ops:
        before = 0
        for other in memory.before(op):
            before |= seen[other]
        bit = bits.get(op, 0)
        if bit and not before & bit:
            free.setdefault(bit, []).append(op)
        seen[op] = before | bit
    return next((ops for ops in free.values() if len(ops) > 1), None)


def _merge(graph: Graph, members: list[Op]) -> None:
    first = members[0]
    right = first.inputs[1]
    assert isinstance(right, View)
    lefts = {op: op.inputs[0] for op in members}
    members = sorted(members, key=lambda op: _place(lefts[op]))
    rows = [op.output.shape[0] for op in members]
    position = max(op.position for op in members)
    dtype = first.output.dtype
    left = _one_behind_the_other([lefts[op] for op in members])  # type: ignore[misc]
    if left is None:
        depth = right.shape[0]
        buffer = Buffer((sum(rows), depth), dtype)
        targets = split_up(whole(buffer), rows, 0)
        joined = Op(
            "join", "join", [lefts[op] for op in members], [whole(buffer)], first.entry, position
        )
        joined.params["targets"] = targets
        graph.ops.append(joined)
        left = whole(buffer)
    out = Buffer((sum(rows), right.shape[1]), dtype)
    graph.ops.append(
        Op("product", "product", [left, right], [whole(out)], first.entry, position)
    )
    gone = set(members)
    graph.ops = [op for op in graph.ops if op not in gone]
    uses = Uses(graph)
    start = 0
    for op, count in zip(members, rows, strict=True):
        offset = start * right.shape[1]
        start += count
        uses.replace(
            op.output.buffer, lambda view, offset=offset: View(  # type: ignore[misc]
                out, view.offset + offset, view.shape, view.strides
            )
        )


def _place(view: object) -> tuple[int, int]:
    assert isinstance(view, View)
    return (view.buffer.number, view.offset)


def _one_behind_the_other(views: list[View]) -> View | None:
    """Matrices whose rows follow each other in memory, as one matrix."""
    first = views[0]
    if first.strides != row_major(first.shape):
        return None
    offset = first.offset
    for view in views:
        if (view.buffer, view.offset, view.strides) != (first.buffer, offset, first.strides):
            return None
        if view.shape[1] != first.shape[1]:
            return None
        offset += view.size
    rows = sum(view.shape[0] for view in views)
    return View(first.buffer, first.offset, (rows, first.shape[1]), first.strides)
