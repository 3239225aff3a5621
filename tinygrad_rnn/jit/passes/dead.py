"""Dead code: what nothing that leaves the step depends on is not computed."""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Graph, Op


def is_check(op: Op) -> bool:
    """Whether an operation is there for the error that it may raise."""
    return op.kind == "range" or (op.kind == "numpy" and op.name.startswith("require"))


def remove_dead(graph: Graph) -> str:
    """Keep checks, and what sinks depend on."""
    alive: set[Op] = set()
    pending = [op for op in graph.ops if is_check(op)]
    pending += [writer for sink in graph.sinks for writer in sink.view.buffer.writers]
    while pending:
        op = pending.pop()
        if op in alive:
            continue
        alive.add(op)
        pending += op.after
        for view in op.reads():
            pending += view.buffer.writers
        for view in op.outputs:
            pending += view.buffer.writers
    before = len(graph.ops)
    graph.ops = [op for op in graph.ops if op in alive]
    return f"{before - len(graph.ops)} of {before} operations were not needed"
