"""Who reads a buffer, and putting one view in the place of another."""

from __future__ import annotations

from collections.abc import Callable

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, View


class Uses:
    """The readers of every buffer: operations by the number of the input, and sinks."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.readers: dict[Buffer, list[tuple[Op, int]]] = {}
        self.sinks: dict[Buffer, list[int]] = {}
        for op in graph.ops:
            for i, x in enumerate(op.inputs):
                if isinstance(x, View):
                    self.readers.setdefault(x.buffer, []).append((op, i))
        for i, sink in enumerate(graph.sinks):
            self.sinks.setdefault(sink.view.buffer, []).append(i)

    def of(self, buffer: Buffer) -> list[tuple[Op, int]]:
        """Operations that read a buffer, and by which input."""
        return self.readers.get(buffer, [])

    def leaves(self, buffer: Buffer) -> bool:
        """Whether a sink takes something of it."""
        return buffer in self.sinks

    def count(self, buffer: Buffer) -> int:
        """How often it is read or leaves the step."""
        return len(self.of(buffer)) + len(self.sinks.get(buffer, ()))

    def replace(self, buffer: Buffer, change: Callable[[View], View]) -> None:
        """Let every reader of `buffer` read `change(view)` instead."""
        for op, i in self.readers.pop(buffer, []):
            view = op.inputs[i]
            assert isinstance(view, View)
            fresh = change(view)
            op.inputs[i] = fresh
            self.readers.setdefault(fresh.buffer, []).append((op, i))
        for i in self.sinks.pop(buffer, []):
            sink = self.graph.sinks[i]
            fresh = change(sink.view)
            self.graph.sinks[i] = sink._replace(view=fresh)
            self.sinks.setdefault(fresh.buffer, []).append(i)

    def forget(self, op: Op) -> None:
        """Take an operation out of the lists of readers."""
        for i, x in enumerate(op.inputs):
            if isinstance(x, View):
                self.readers[x.buffer].remove((op, i))
