"""What leaves a step gets memory of its own: results, gradients, and the tensors assigned to."""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, Sink, whole


def own_results(graph: Graph) -> None:
    """Give every sink a buffer that is nobody else's, by a copy where it takes one."""
    taken: set[Buffer] = set()
    for i, sink in enumerate(graph.sinks):
        view = sink.view
        buffer = view.buffer
        private = (
            view.is_whole
            and buffer.origin == "computed"
            and buffer.place is None
            and bool(buffer.writers)
            and buffer not in taken
        )
        if not private:
            buffer = Buffer(view.shape, view.dtype)
            position = max((op.position for op in graph.ops), default=0) + 1
            graph.ops.append(Op("map", "copy", [view], [whole(buffer)], sink.entry, position))
            graph.sinks[i] = sink._replace(view=whole(buffer))
        taken.add(buffer)


def claim_outputs(graph: Graph) -> None:
    """Let results and gradients be written straight to the arrays that are handed out."""
    for i, sink in enumerate(graph.sinks):
        if sink.kind != "write":
            sink.view.buffer.origin = "output"
            sink.view.buffer.source = i


def write_in_place(graph: Graph, directly: bool) -> None:
    """Let the last operation on a tensor that is assigned to write it where it lies.

    It has to wait for all who read the old numbers. Where that is not possible (`directly` is
    false), the new numbers are kept aside and copied at the end.
    """
    old: dict[int, list[Op]] = {}
    for op in graph.ops:
        for view in op.reads():
            if view.buffer.origin in ("argument", "captured"):
                old.setdefault(view.buffer.source, []).append(op)
    writers: dict[Buffer, list[Op]] = {}
    for op in graph.ops:
        for view in op.outputs:
            writers.setdefault(view.buffer, []).append(op)
    last = max((op.position for op in graph.ops), default=0) + 1
    for i, sink in enumerate(graph.sinks):
        if sink.kind != "write":
            continue
        buffer = sink.view.buffer
        made_by = writers.get(buffer, [])
        writer = made_by[0] if len(made_by) == 1 else None
        if not directly or writer is None or not _element_by_element(writer, sink):
            outside = Buffer(buffer.shape, buffer.dtype)
            writer = Op("map", "copy", [whole(buffer)], [whole(outside)], sink.entry, last)
            writer.kind = "fused"
            writer.params = {"steps": [("copy", (0,), str(buffer.dtype))], "stored": [1]}
            graph.ops.append(writer)
            graph.sinks[i] = sink._replace(view=whole(outside))
            buffer = outside
        buffer.origin = "write"
        buffer.source = sink.number
        writer.params = {**writer.params, "commits": True}
        writer.after += [op for op in old.get(sink.number, []) if op is not writer]


def _element_by_element(op: Op, sink: Sink) -> bool:
    """Whether an operation may overwrite what it reads of the tensor that it writes."""
    if op.kind != "fused":
        return False
    return all(
        view.is_whole and view.shape == sink.view.shape
        for view in op.reads()
        if view.buffer.origin in ("argument", "captured") and view.buffer.source == sink.number
    )
