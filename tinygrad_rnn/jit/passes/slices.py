"""Element-wise operations on a whole that is only read in slices are done slice by slice.

Adding a bias for all T steps at once would write the whole sequence and read it again; done with
the step that needs it, it becomes part of that step's kernel.
"""

from __future__ import annotations

from collections.abc import Callable

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, View, selected, selection, whole
from tinygrad_rnn.jit.passes.uses import Uses


def compute_in_steps(graph: Graph) -> str:
    """Slices that are contiguous, such as time steps."""
    return _run(graph, lambda view: view.is_contiguous)


def compute_in_slices(graph: Graph) -> str:
    """Any slices, such as the gates side by side in one product."""
    return _run(graph, lambda view: True)


def _run(graph: Graph, suits: Callable[[View], bool]) -> str:
    uses = Uses(graph)
    ops: list[Op] = []
    cut = 0
    # Readers first, so that a chain is cut from its end to its beginning.
    for op in reversed(graph.ops):
        parts = _parts(op, uses, suits)
        if parts is None:
            ops.append(op)
            continue
        cut += 1
        fresh: dict[View, View] = {}
        for view in parts:
            chosen = selection(view)
            assert chosen is not None
            buffer = Buffer(view.shape, view.dtype)
            inputs = [
                selected(x, chosen, view.shape) if isinstance(x, View) else x for x in op.inputs
            ]
            made = Op(op.kind, op.name, inputs, [whole(buffer)], op.entry, op.position, op.params)
            for i, x in enumerate(inputs):
                if isinstance(x, View):
                    uses.readers.setdefault(x.buffer, []).append((made, i))
            ops.append(made)
            fresh[view] = whole(buffer)
        uses.forget(op)
        uses.replace(op.output.buffer, fresh.__getitem__)
    graph.ops = ops[::-1]
    return f"{cut} element-wise operations done slice by slice" if cut else ""


def _parts(op: Op, uses: Uses, suits: Callable[[View], bool]) -> list[View] | None:
    """The slices that are read of a result, if it is read in nothing else."""
    if op.kind != "map" or op.after or not op.output.is_whole:
        return None
    buffer = op.output.buffer
    readers = uses.of(buffer)
    if len(buffer.writers) > 1 or uses.leaves(buffer) or not readers:
        return None
    views: dict[View, None] = {}
    size = 0
    for reader, i in readers:
        view = reader.inputs[i]
        assert isinstance(view, View)
        if view in views:
            continue
        if reader.kind != "map" or view.size == buffer.size or not suits(view):
            return None
        if 0 in view.strides and any(
            n > 1 and s == 0 for n, s in zip(view.shape, view.strides, strict=True)
        ):
            return None
        size += view.size
        if size > buffer.size or selection(view) is None:
            return None
        views[view] = None
    return list(views)
