"""A graph of thousands of operations as some dozens of boxes: one a layer and time step.

`fold` decides what is seen; `text`, `dot` and `svg` draw it. Rows are layers, bottom to top in the
order in which they were computed; columns are time steps, those in the middle folded into one. A
row of operations outside the loop is a bar over all columns. Weights stand once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tinygrad_rnn.errors import ArgumentError, DtypeError
from tinygrad_rnn.inspect.backward import Trace, Use
from tinygrad_rnn.inspect.graph import Graph, Source, Vertex


class Column(NamedTuple):
    """A time step that is shown, or several that are folded."""

    steps: tuple[int, ...]
    unfolded: bool

    @property
    def title(self) -> str:
        """What stands above it."""
        if len(self.steps) == 1:
            return f"t={self.steps[0]}"
        return f"t={self.steps[0]} … {self.steps[-1]}"


class Row(NamedTuple):
    """A layer over time, or (`over_time` False) operations for all steps at once."""

    title: str
    over_time: bool


@dataclass
class Box:
    """What is drawn as one box.

    Attributes:
        kind: "step" (a layer at a time step), "fold" (at several), "bar" (outside the loop),
            "operation" (of an unfolded step), "parameter" or "constant".
        title: its name.
        row: number of its row, from the bottom.
        column: number of its column; None for bars and leaves.
        vertices: what it contains.
        parent: for an operation the box of its step.
    """

    index: int
    kind: str
    title: str
    row: int
    column: int | None
    vertices: list[Vertex] = field(default_factory=list)
    parent: int | None = None

    def bytes(self) -> int:
        """Return the memory of the results in it."""
        return sum(v.bytes for v in self.vertices)


@dataclass
class Link:
    """All that passes from one box to another.

    Attributes:
        source, target: numbers of boxes.
        values: the values that pass.
        kind: "time" (from step to step), "weight" (from a parameter) or "data".
        tracked: whether gradients flow back along it.
        uses: the places where the target takes them.
        gradient: the norm of all contributions that pass back along it; None without a trace.
    """

    source: int
    target: int
    kind: str
    values: list[Source] = field(default_factory=list)
    tracked: bool = False
    uses: list[Use] = field(default_factory=list)
    gradient: float | None = None


@dataclass
class Folded:
    """What `fold` returns: boxes and links, laid out in rows and columns."""

    graph: Graph
    rows: list[Row]
    columns: list[Column]
    boxes: list[Box]
    links: list[Link]
    _places: dict[int, int] = field(default_factory=dict)

    def box_of(self, vertex: Vertex) -> Box:
        """Return the box in which a vertex is drawn, the innermost."""
        return self.boxes[self._places[vertex.index]]

    def row_of(self, vertex: Vertex) -> int | None:
        """Return the row of a vertex; None for constants that are not drawn."""
        place = self._places.get(vertex.index)
        return None if place is None else self.boxes[place].row

    def inside(self, box: Box) -> list[Box]:
        """Return the boxes of the operations of an unfolded step."""
        return [inner for inner in self.boxes if inner.parent == box.index]


def fold(
    graph: Graph,
    show: int = 3,
    unfold: int | Iterable[int] = (),
    trace: Trace | None = None,
) -> Folded:
    """Group a graph by layer and time step.

    Args:
        graph: what `graph_of` returned.
        show: how many steps to show at each end; those between are folded into one box.
        unfold: time steps to show operation by operation.
        trace: what `trace` returned for the same outputs, to put gradients on the links.

    Raises:
        ArgumentError: for a step that the graph does not have.
    """
    if not isinstance(graph, Graph):
        raise DtypeError(
            f"what is drawn is a Graph, not {type(graph).__name__}; graph_of(loss, model) makes one"
        )
    if isinstance(show, bool) or not isinstance(show, int) or show < 1:
        raise ArgumentError(f"show is a number of steps from 1, not {show!r}")
    opened = {unfold} if isinstance(unfold, int) else set(unfold)
    steps = graph.steps()
    unknown = sorted(opened - set(steps))
    if unknown:
        extent = f"{steps[0]} … {steps[-1]}" if steps else "none"
        raise ArgumentError(f"the graph has no step {unknown[0]}; its steps are {extent}")
    columns = _columns(steps, show, opened)
    return _Folding(graph, columns, trace).folded


def _columns(steps: list[int], show: int, opened: set[int]) -> list[Column]:
    columns: list[Column] = []
    hidden: list[int] = []

    def close() -> None:
        # A box for one folded step would save nothing.
        if len(hidden) == 1:
            columns.append(Column((hidden[0],), False))
        elif hidden:
            columns.append(Column(tuple(hidden), False))
        hidden.clear()

    for i, step in enumerate(steps):
        if step in opened or i < show or i >= len(steps) - show:
            close()
            columns.append(Column((step,), step in opened))
        else:
            hidden.append(step)
    close()
    return columns


class _Folding:
    def __init__(self, graph: Graph, columns: list[Column], trace: Trace | None) -> None:
        self.folded = Folded(graph, [], columns, [], [])
        self._column_of = {t: i for i, column in enumerate(columns) for t in column.steps}
        self._boxes: dict[Any, Box] = {}
        self._rows: dict[Any, int] = {}
        self._used_by: dict[int, list[Vertex]] = {}
        for vertex in graph.operations():
            for source in vertex.inputs:
                self._used_by.setdefault(source.vertex, []).append(vertex)
        below = _layers_below(graph)
        for vertex in graph.operations():
            self._place(vertex, below[vertex.index])
        for box in self.folded.boxes:
            if box.kind == "fold":
                # A layer may end before the column does, as a decoder beside a longer encoder.
                own = sorted({v.step for v in box.vertices if v.step is not None})
                box.title = Column(tuple(own), False).title
        self._sort_rows()
        for vertex in graph.leaves():
            self._place_leaf(vertex)
        self._link(trace)

    def _row(self, key: Any, title: str, over_time: bool) -> int:
        if key not in self._rows:
            self._rows[key] = len(self.folded.rows)
            self.folded.rows.append(Row(title, over_time))
        return self._rows[key]

    def _sort_rows(self) -> None:
        """Put a layer where its first step was computed, and a bar where it was finished."""
        folded = self.folded
        moments: dict[int, list[int]] = {}
        for box in folded.boxes:
            moments.setdefault(box.row, []).extend(v.index for v in box.vertices)

        def moment(row: int) -> int:
            return min(moments[row]) if folded.rows[row].over_time else max(moments[row])

        order = sorted(range(len(folded.rows)), key=moment)
        folded.rows = [folded.rows[row] for row in order]
        for box in folded.boxes:
            box.row = order.index(box.row)

    def _box(self, key: Any, kind: str, title: str, row: int, column: int | None) -> Box:
        if key not in self._boxes:
            box = Box(len(self.folded.boxes), kind, title, row, column)
            self.folded.boxes.append(box)
            self._boxes[key] = box
        return self._boxes[key]

    def _put(self, vertex: Vertex, box: Box) -> None:
        box.vertices.append(vertex)
        self.folded._places[vertex.index] = box.index

    def _place(self, vertex: Vertex, below: int) -> None:
        if vertex.step is None:
            key = (vertex.layer, None, below)
            row = self._row(key, vertex.layer, False)
            self._put(vertex, self._box(key, "bar", vertex.layer, row, None))
            return
        row = self._row(vertex.layer, vertex.layer, True)
        at = self._column_of[vertex.step]
        column = self.folded.columns[at]
        kind = "step" if len(column.steps) == 1 else "fold"
        box = self._box((vertex.layer, at), kind, column.title, row, at)
        self._put(vertex, box)
        if column.unfolded:
            inner = self._box(vertex.index, "operation", vertex.title, row, at)
            inner.parent = box.index
            inner.vertices.append(vertex)
            self.folded._places[vertex.index] = inner.index

    def _place_leaf(self, vertex: Vertex) -> None:
        users = self._used_by.get(vertex.index, [])
        if not users or (vertex.kind == "constant" and not self._is_input(vertex, users)):
            return
        row = min(self.folded.box_of(user).row for user in users)
        title = vertex.name or vertex.kind
        self._put(vertex, self._box(("leaf", vertex.index), vertex.kind, title, row, None))

    def _is_input(self, vertex: Vertex, users: list[Vertex]) -> bool:
        """Whether a constant is worth a box: it has a name, or is what a layer reads at once."""
        shape = vertex.shape
        large = shape is not None and len(shape) > 1
        return bool(vertex.name) or (large and all(user.step is None for user in users))

    def _link(self, trace: Trace | None) -> None:
        links: dict[tuple[int, int], Link] = {}
        places = self.folded._places
        for vertex in self.folded.graph.operations():
            node = self.folded.graph.object_of(vertex)
            positions = [i for i, x in enumerate(node.inputs or ()) if hasattr(x, "_node")]
            for at, source, tracked in zip(positions, vertex.inputs, vertex.tracked, strict=True):
                start, end = places.get(source.vertex), places[vertex.index]
                if start is None or start == end:
                    continue
                link = links.get((start, end))
                if link is None:
                    link = links[start, end] = Link(start, end, self._kind(start, end))
                if source not in link.values:
                    link.values.append(source)
                link.tracked = link.tracked or tracked
                link.uses.append(Use(node, at))
        for link in links.values():
            if trace is not None and link.tracked:
                passed = [trace.passed.get(use, 0.0) for use in link.uses]
                link.gradient = math.sqrt(sum(norm * norm for norm in passed))
        self.folded.links = list(links.values())

    def _kind(self, start: int, end: int) -> str:
        source, target = self.folded.boxes[start], self.folded.boxes[end]
        if source.kind == "parameter":
            return "weight"
        columns = (source.column, target.column)
        return "time" if None not in columns and columns[0] != columns[1] else "data"


def _layers_below(graph: Graph) -> dict[int, int]:
    """Return for each vertex, as bits, which layers over time it depends on.

    What only prepares something for a bar of the same layer, such as the sum of two biases, counts
    as what it prepares.
    """
    bits = {layer: 1 << i for i, layer in enumerate(graph.layers())}
    found: dict[int, int] = {}
    users: dict[int, list[Vertex]] = {}
    for vertex in graph.vertices:
        below = 0
        for source in vertex.inputs:
            below |= found[source.vertex]
            users.setdefault(source.vertex, []).append(vertex)
        if vertex.step is not None:
            below |= bits[vertex.layer]
        found[vertex.index] = below
    for vertex in reversed(graph.vertices):
        if vertex.step is None:
            places = {(u.layer, u.step, found[u.index]) for u in users.get(vertex.index, ())}
            if len(places) == 1 and (vertex.layer, None) == next(iter(places))[:2]:
                found[vertex.index] = next(iter(places))[2]
    return found


def tallied(vertices: Iterable[Vertex]) -> str:
    """Return operations as "linear, add, sigmoid ×3": in order, equal ones counted."""
    counts: dict[str, int] = {}
    for vertex in vertices:
        counts[vertex.name] = counts.get(vertex.name, 0) + 1
    return ", ".join(name if n == 1 else f"{name} ×{n}" for name, n in counts.items())


def sized(count: float) -> str:
    """Return a number of bytes in B, kB, MB or GB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def values_of(folded: Folded, link: Link) -> str:
    """Return what passes along a link: names (or operations) and shapes."""
    parts = []
    for source in link.values:
        vertex = folded.graph.vertices[source.vertex]
        shape = vertex.shapes[source.slot]
        parts.append(f"{vertex.title} {'' if shape is None else shape}".strip())
    return ", ".join(dict.fromkeys(parts))


def gradient_range(folded: Folded) -> tuple[float, float] | None:
    """Return the smallest and the largest gradient on a link; None without a trace."""
    found = [link.gradient for link in folded.links if link.gradient]
    return (min(found), max(found)) if found else None

