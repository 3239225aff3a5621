"""Results take the place of inputs that nobody reads any more.

An element-wise kernel reads an element before it writes the one at its place, so the gates of a
step may overwrite the sums that they were computed from, and less memory passes through the caches.
"""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, View, selection
from tinygrad_rnn.jit.passes.order import Memory

# These read their operands with any strides.
_ANY_STRIDES = ("fused", "product", "pack", "reduce")


def overlay_results(graph: Graph) -> str:
    """Let outputs of element-wise operations lie on inputs of the same shape."""
    memory = Memory(graph.ops)
    readers: dict[Buffer, list[tuple[Op, View]]] = {}
    writers: dict[Buffer, int] = {}
    for op in graph.ops:
        for view in op.reads():
            readers.setdefault(view.buffer, []).append((op, view))
        for view in op.outputs:
            writers[view.buffer] = writers.get(view.buffer, 0) + 1
    leaving = {sink.view.buffer for sink in graph.sinks}
    placed = [
        view.buffer
        for op in graph.ops
        for view in op.outputs
        if view.buffer.place is not None
    ]
    held_inside = {buffer.place.buffer for buffer in placed if buffer.place is not None}
    # Parts have readers of their own, who look at the same memory.
    joined = {
        buffer.place.buffer
        for buffer in placed
        if buffer.place is not None and not buffer.overwrites
    }
    count = 0
    for op in graph.ops:
        if op.kind != "fused" or op.after:
            continue
        free = [
            view
            for view in op.reads()
            if view.buffer not in joined and _is_last(op, view, readers, leaving, memory)
        ]
        for out in op.outputs:
            buffer = out.buffer
            movable = (
                out.is_whole
                and buffer.origin == "computed"
                and buffer.place is None
                and buffer not in leaving
                and buffer not in held_inside
                and writers[buffer] == 1
            )
            if not movable:
                continue
            target = next(
                (x for x in free if x.shape == out.shape and x.dtype == out.dtype), None
            )
            if target is None or not _fits(readers.get(buffer, []), target):
                continue
            free.remove(target)
            buffer.place = target
            buffer.overwrites = True
            count += 1
    return f"{count} results lie where an input was" if count else ""


def _is_last(
    op: Op,
    view: View,
    readers: dict[Buffer, list[tuple[Op, View]]],
    leaving: set[Buffer],
    memory: Memory,
) -> bool:
    """Whether nothing but this input of `op` ever reads what a view shows."""
    buffer = view.buffer
    if buffer.origin != "computed" or buffer in leaving or view.size == 0:
        return False
    if buffer.place is not None and not buffer.overwrites:
        return False
    if any(n > 1 and s <= 0 for n, s in zip(view.shape, view.strides, strict=True)):
        return False
    return not any(
        memory.overlap(view, other) and not (reader is op and other == view)
        for reader, other in readers[buffer]
    )


def _fits(readers: list[tuple[Op, View]], target: View) -> bool:
    """Whether the readers of a result can read it at its new place."""
    if target.is_contiguous:
        return True
    if target.strides[-1] != 1:
        return False
    return all(
        reader.kind in _ANY_STRIDES and selection(view) is not None for reader, view in readers
    )
