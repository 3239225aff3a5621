"""A folded graph in the language of Graphviz: `dot -Tsvg graph.dot > graph.svg`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from tinygrad_rnn.inspect.backward import Trace
from tinygrad_rnn.inspect.folding import Box, Folded, Link, fold, tallied, values_of
from tinygrad_rnn.inspect.graph import Graph

_SHAPES = {
    "parameter": 'shape=cylinder, style=filled, fillcolor="#fdf0d5"',
    "constant": "shape=plaintext",
    "fold": 'shape=box, style="rounded,dashed"',
    "step": 'shape=box, style="rounded,filled", fillcolor="#e8f0fb"',
    "bar": 'shape=box, style=filled, fillcolor="#f1f3f5"',
    "operation": 'shape=box, style="rounded,filled", fillcolor="white", fontsize=9, height=0.3',
}


def to_dot(
    graph: Graph, show: int = 3, unfold: int | Iterable[int] = (), trace: Trace | None = None
) -> str:
    """Return the graph as a Graphviz document, time to the right.

    Args are those of `folding.fold`. With a trace, links carry the norm of the gradient that
    passes back along them.
    """
    folded = fold(graph, show, unfold, trace)
    lines = [
        "digraph unrolled {",
        '  graph [rankdir=LR, newrank=true, fontname="sans-serif", nodesep=0.25, ranksep=0.5];',
        '  node [fontname="sans-serif", fontsize=10];',
        '  edge [fontname="sans-serif", fontsize=9, color="#495057", arrowsize=0.6];',
    ]
    for number, row in enumerate(folded.rows):
        lines += _row(folded, number, row.title or "the model")
    for box in folded.boxes:
        if box.kind in ("parameter", "constant"):
            lines.append(f"  {_node(box)}")
    aside = _between_layers(folded)
    lines += [f"  {_edge(folded, link, aside)}" for link in folded.links]
    return "\n".join([*lines, "}", ""])


def _row(folded: Folded, number: int, title: str) -> list[str]:
    lines = [
        f"  subgraph cluster_row{number} {{",
        f'    label={_quoted(title)}; labeljust=l; color="#ced4da";',
    ]
    for box in folded.boxes:
        if box.row != number or box.kind not in ("bar", "step", "fold"):
            continue
        inside = folded.inside(box)
        if not inside:
            lines.append(f"    {_node(box)}")
            continue
        lines.append(f"    subgraph cluster_step{box.index} {{")
        lines.append(f'      label={_quoted(box.title)}; color="#4c6ef5";')
        lines += [f"      {_node(inner)}" for inner in inside]
        lines.append("    }")
    return [*lines, *_in_order(folded, number), "  }"]


def _in_order(folded: Folded, number: int) -> list[str]:
    """Tie the steps of a row to each other in the order of time, by edges that are not seen."""
    boxes = [b for b in folded.boxes if b.row == number and b.kind in ("step", "fold")]
    spans = [(folded.inside(b) or [b]) for b in sorted(boxes, key=lambda b: b.column or 0)]
    return [
        f"    n{before[-1].index} -> n{after[0].index} [style=invis, weight=10];"
        for before, after in pairwise(spans)
    ]


def _node(box: Box) -> str:
    if box.kind == "operation":
        vertex = box.vertices[0]
        text = f"{box.title}\n{vertex.shape}"
        if vertex.label:
            text = f"{vertex.label} = {vertex.name}\n{vertex.shape}"
    elif box.kind in ("parameter", "constant"):
        text = f"{box.title}\n{box.vertices[0].shape}"
    elif box.kind == "fold":
        text = f"⋯\n{box.title}"
    elif box.kind == "bar":
        text = tallied(box.vertices)
    else:
        text = f"{box.title}\n{len(box.vertices)} operations"
    tip = _quoted(tallied(box.vertices))
    return f"n{box.index} [label={_quoted(text)}, tooltip={tip}, {_SHAPES[box.kind]}];"


def _edge(folded: Folded, link: Link, aside: set[int]) -> str:
    style = [f"tooltip={_quoted(values_of(folded, link))}"]
    if link.kind == "weight":
        style.append('color="#d9a441"')
    elif link.kind == "time":
        style.append("penwidth=1.8")
    if link.kind == "time" or link.target in aside:
        style.append("constraint=false")
    if not link.tracked:
        style.append("style=dotted")
    if link.gradient is not None:
        style.append(f'label="{link.gradient:.2g}"')
    return f"n{link.source} -> n{link.target} [{', '.join(style)}];"


def _between_layers(folded: Folded) -> set[int]:
    """Return the bars that follow steps and lead to steps of another layer.

    Standing to the right of the one they would push the other out of its column.
    """
    kinds = {box.index: box.kind for box in folded.boxes}
    bars = {i for i, kind in kinds.items() if kind == "bar"}
    leads: set[int] = set()
    # A link leads from a box made earlier to one made later, so one pass backwards is enough.
    for link in sorted(folded.links, key=lambda link: link.source, reverse=True):
        if link.source in bars and (link.target not in bars or link.target in leads):
            leads.add(link.source)
    follows = {
        link.target for link in folded.links if kinds[link.source] in ("step", "fold", "operation")
    }
    return leads & follows


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
