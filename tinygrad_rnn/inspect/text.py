"""A folded graph as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinygrad_rnn.inspect.backward import Trace
from tinygrad_rnn.inspect.folding import Box, Folded, Link, fold, sized, tallied, values_of
from tinygrad_rnn.inspect.graph import Graph, Vertex


def to_text(
    graph: Graph, show: int = 3, unfold: int | Iterable[int] = (), trace: Trace | None = None
) -> str:
    """Return the graph as text: leaves, then layer by layer what each time step computes.

    Args are those of `folding.fold`. An unfolded step lists its operations with inputs, shapes
    and the line of the user's code; a folded one counts them.
    """
    folded = fold(graph, show, unfold, trace)
    return "\n".join([*_head(graph), "", *_leaves(folded), "", *_rows(folded)])


def _head(graph: Graph) -> list[str]:
    steps = graph.steps()
    over = f", {len(steps):,} time steps × {len(graph.layers())} layers" if steps else ""
    return [
        f"{len(graph.operations()):,} operations{over}; results take {sized(graph.bytes())}, kept "
        f"for backward {sized(graph.held_bytes)}",
        ", ".join(f"{name} {count:,}" for name, count in graph.counts().items()),
    ]


def _leaves(folded: Folded) -> list[str]:
    lines = []
    for box in folded.boxes:
        if box.kind not in ("parameter", "constant"):
            continue
        vertex = box.vertices[0]
        links = [link for link in folded.links if link.source == box.index]
        users = [folded.boxes[link.target] for link in links]
        steps = sorted({v.step for u in users for v in u.vertices if v.step is not None})
        where = ", ".join(dict.fromkeys(folded.rows[u.row].title or "the model" for u in users))
        when = f" at t={_ranges(steps)}" if steps else ""
        uses = sum(len(link.uses) for link in links)
        count = f"{uses} use" + "s" * (uses != 1)
        norm = _gradient(links)
        lines.append(f"{box.title} {vertex.shape} {vertex.dtype} → {where}{when}, {count}{norm}")
    return lines


def _rows(folded: Folded) -> list[str]:
    lines = []
    for number, row in enumerate(folded.rows):
        boxes = [b for b in folded.boxes if b.row == number and b.kind in ("bar", "step", "fold")]
        title = row.title or "the model"
        if not row.over_time:
            (bar,) = boxes
            lines.append(f"{title}, outside the loop: {tallied(bar.vertices)} → {_result(bar)}")
            continue
        lines.append(title)
        for box in sorted(boxes, key=lambda b: b.column or 0):
            lines += _step(folded, box)
    return lines


def _step(folded: Folded, box: Box) -> list[str]:
    if box.kind == "fold":
        steps = [v.step for v in box.vertices]
        return [f"  ⋯ {len(set(steps)):,} steps, {box.title}: {len(box.vertices):,} operations"]
    arrives = [
        link
        for link in folded.links
        if link.kind == "time" and folded.boxes[link.target] in (box, *folded.inside(box))
    ]
    state = ", ".join(dict.fromkeys(values_of(folded, link) for link in arrives))
    takes = f"  ← {state}{_gradient(arrives)}" if arrives else ""
    lines = [f"  {box.title}: {tallied(box.vertices)}{takes}"]
    if folded.inside(box):
        lines += [f"    {_operation(v, folded.graph)}" for v in box.vertices]
    return lines


def _operation(vertex: Vertex, graph: Graph) -> str:
    inputs = ", ".join(
        graph.vertices[source.vertex].name or f"%{source.vertex}"
        if graph.vertices[source.vertex].kind != "operation"
        else f"%{source.vertex}"
        for source in vertex.inputs
    )
    name = f" “{vertex.label}”" if vertex.label else ""
    shapes = " ".join(str(shape) for shape in dict.fromkeys(vertex.shapes))
    place = f"  {vertex.site}" if vertex.site else ""
    return f"%{vertex.index} = {vertex.name}({inputs}){name}  {shapes}{place}"


def _result(box: Box) -> str:
    last = box.vertices[-1]
    count = f"{len(last.shapes)} × " if len(last.shapes) > 1 else ""
    return f"{count}{last.shape} {last.dtype}"


def _gradient(links: Sequence[Link]) -> str:
    found = [link.gradient for link in links if link.gradient is not None]
    return f"  ‖∂L‖ {sum(g * g for g in found) ** 0.5:.3g}" if found else ""


def _ranges(steps: Sequence[int]) -> str:
    """Return numbers as "0–4, 7"."""
    parts: list[list[int]] = []
    for step in steps:
        if parts and step == parts[-1][1] + 1:
            parts[-1][1] = step
        else:
            parts.append([step, step])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in parts)
