"""A folded graph as SVG, drawn by the library itself: time to the right, layers upward."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from itertools import pairwise

from tinygrad_rnn.inspect.backward import Trace
from tinygrad_rnn.inspect.folding import (
    Box,
    Folded,
    Link,
    fold,
    gradient_range,
    sized,
    tallied,
    values_of,
)
from tinygrad_rnn.inspect.graph import Graph
from tinygrad_rnn.inspect.layout import LETTER, Layout, Rect, arrange

# Hues of layers, told apart also by those who do not see red and green as different.
_LAYERS = ("#3b76c4", "#c4692b", "#2b9a84", "#9356b8", "#b83f6a", "#7d8a2e")
_WEAK, _STRONG = (148, 170, 204), (200, 30, 80)
_LEGEND = 44.0
_MAX_LINES = 3

_STYLE = """
.unrolled { --ground: #ffffff; --ink: #1f2933; --faint: #66727f; --line: #8793a1; --bar: #eef1f4;
  --edge: #c3cbd4; --weight: #fdf3dc; --gold: #b7862c; --box: #ffffff; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { .unrolled { --ground: #14181d; --ink: #e6eaee;
  --faint: #98a4b0; --line: #7d8a97; --bar: #232a32; --edge: #3d4853; --weight: #33290f;
  --gold: #d9ab4e; --box: #1b2128; } }
.unrolled text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 11px;
  fill: var(--ink); }
.unrolled .small { font-size: 9.5px; fill: var(--faint); } .unrolled .bold { font-weight: 600; }
.unrolled .middle { text-anchor: middle; } .unrolled .end { text-anchor: end; }
.unrolled .halo { paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }
.unrolled .bar { fill: var(--bar); stroke: var(--edge); } .unrolled .box { fill: var(--box); }
.unrolled .leaf { fill: var(--weight); stroke: var(--gold); }
.unrolled .input { fill: var(--box); stroke: var(--line); }
.unrolled .data { fill: none; stroke: var(--line); }
.unrolled .weight { fill: none; stroke: var(--gold); }
.unrolled .untracked { stroke-dasharray: 2 3; }
.unrolled .head { stroke: none; fill: var(--line); }
.unrolled .weight.head { fill: var(--gold); }
""".strip()


def to_svg(
    graph: Graph,
    show: int = 3,
    unfold: int | Iterable[int] = (),
    trace: Trace | None = None,
    title: str = "Unrolled graph",
) -> str:
    """Return the graph as an SVG document.

    Each layer is a row of boxes, one a time step; bars are what is computed for all steps at once;
    weights stand once, at the left, with a line to every step that uses them. Hovering shows
    operations, shapes, memory and the line of the user's code.

    Args:
        graph: what `graph_of` returned.
        show: how many steps to show at each end; those between are folded into one box.
        unfold: time steps to show operation by operation.
        trace: what `trace` returned for the same outputs: lines are coloured and sized by the norm
            of the gradient that passes back along them, on a log scale.
        title: read out by screen readers, and shown above.
    """
    folded = fold(graph, show, unfold, trace)
    return _Drawing(folded, arrange(folded, top=26.0), title).document()


class _Drawing:
    def __init__(self, folded: Folded, layout: Layout, title: str) -> None:
        self._folded = folded
        self._layout = layout
        self._title = title
        self._range = gradient_range(folded)
        over_time = [i for i, row in enumerate(folded.rows) if row.over_time]
        self._hues = {row: _LAYERS[i % len(_LAYERS)] for i, row in enumerate(over_time)}

    def document(self) -> str:
        """Return the whole document."""
        layout, graph = self._layout, self._folded.graph
        height = layout.height + (_LEGEND if self._range else 0.0)
        steps = graph.steps()
        about = f"{len(graph.operations()):,} operations, {sized(graph.bytes())} of results"
        if steps:
            count = len(graph.layers())
            about += f", {len(steps):,} time steps, {count} layer{'s' * (count != 1)}"
        size = f'width="{layout.width:.0f}" height="{height:.0f}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="unrolled" role="img" {size} '
            f'viewBox="0 0 {layout.width:.0f} {height:.0f}">',
            f"<title>{escape(self._title)}</title>",
            f"<desc>{escape(about)}</desc>",
            f"<style>{_STYLE}</style>",
            '<rect width="100%" height="100%" style="fill: var(--ground)"/>',
            _text(20, 24, self._title, "bold"),
            _text(20 + LETTER * 1.12 * len(self._title) + 8, 24, about, "small"),
            *[self._band(row, rect) for row, rect in layout.bands.items()],
        ]
        outer = [b for b in self._folded.boxes if b.kind != "operation"]
        parts += [self._box(b) for b in outer if self._folded.inside(b)]
        parts += [self._link(link) for link in self._folded.links]
        parts += [self._box(b) for b in self._folded.boxes if not self._folded.inside(b)]
        parts += [self._heading(row, rect) for row, rect in layout.bands.items()]
        if self._range:
            parts.append(self._legend(*self._range))
        return "\n".join([*parts, "</svg>", ""])

    # ------------------------------------------------------------------ boxes

    def _band(self, row: int, rect: Rect) -> str:
        hue = self._hues[row]
        return f'<rect {_geometry(rect)} rx="8" fill="{hue}" fill-opacity="0.07"/>'

    def _heading(self, row: int, rect: Rect) -> str:
        title = self._folded.rows[row].title or "the model"
        return (
            f'<text x="{rect.x + 12:.1f}" y="{rect.y + 16:.1f}" class="bold halo" '
            f'style="fill: {self._hues[row]}">{escape(title)}</text>'
        )

    def _box(self, box: Box) -> str:
        rect = self._layout.rects[box.index]
        draw = {
            "bar": self._bar,
            "step": self._step,
            "fold": self._step,
            "operation": self._operation,
            "parameter": self._leaf,
            "constant": self._leaf,
        }[box.kind]
        return f"<g><title>{escape(self._tip(box))}</title>{draw(box, rect)}</g>"

    def _bar(self, box: Box, rect: Rect) -> str:
        x, y = rect.x, rect.y + rect.height / 2 + 4
        title = box.title or "the model"
        start = x + 12 + LETTER * 1.1 * len(title) + 12
        room = int((rect.right - start - 30) / LETTER)
        return (
            f'<rect {_geometry(rect)} rx="6" class="bar"/>{_text(x + 12, y, title, "bold")}'
            + _text(start, y, _short(tallied(box.vertices), room), "small")
        )

    def _step(self, box: Box, rect: Rect) -> str:
        hue = self._hues[box.row]
        x, y = rect.middle
        if self._folded.inside(box):
            return (
                f'<rect {_geometry(rect)} rx="8" class="box" stroke="{hue}" stroke-width="1.4"/>'
                + _text(rect.x + 12, rect.y + 18, box.title, "bold")
            )
        count = len(box.vertices)
        if box.kind == "fold":
            steps = len({v.step for v in box.vertices})
            back = "".join(
                f'<rect {_geometry(Rect(rect.x + d, rect.y - d, rect.width, rect.height))} rx="8" '
                f'class="box" stroke="{hue}" stroke-opacity="0.45"/>'
                for d in (6, 3)
            )
            return (
                f'{back}<rect {_geometry(rect)} rx="8" class="box" stroke="{hue}" '
                f'stroke-dasharray="4 3"/>{_text(x, y - 3, f"⋯ {steps:,} steps", "bold middle")}'
                + _text(x, y + 13, box.title, "small middle")
            )
        return (
            f'<rect {_geometry(rect)} rx="8" class="box" stroke="{hue}" stroke-width="1.4"/>'
            + _text(x, y - 3, box.title, "bold middle")
            + _text(x, y + 13, f"{count} operation{'s' * (count != 1)}", "small middle")
        )

    def _operation(self, box: Box, rect: Rect) -> str:
        vertex, hue = box.vertices[0], self._hues[box.row]
        x, y = rect.middle
        name = f"{vertex.label} = {vertex.name}" if vertex.label else vertex.name
        return (
            f'<rect {_geometry(rect)} rx="6" class="box"/>'
            f'<rect {_geometry(rect)} rx="6" fill="{hue}" fill-opacity="0.13" stroke="{hue}" '
            f'stroke-opacity="0.6"/>{_text(x, y - 2, _short(name, 12), "middle")}'
            + _text(x, y + 11, _shape(vertex.shape), "small middle")
        )

    def _leaf(self, box: Box, rect: Rect) -> str:
        kind = "leaf" if box.kind == "parameter" else "input"
        y = rect.y + rect.height / 2 + 4
        return (
            f'<rect {_geometry(rect)} rx="12" class="{kind}"/>{_text(rect.x + 12, y, box.title)}'
            + _text(rect.right - 12, y, _shape(box.vertices[0].shape), "small end")
        )

    def _tip(self, box: Box) -> str:
        first = box.vertices[0]
        if box.kind in ("parameter", "constant"):
            return f"{box.title} {first.shape} {first.dtype}, {sized(first.bytes)}"
        lines = [f"{box.title or 'the model'}: {tallied(box.vertices)}"]
        if box.kind == "operation":
            shapes = " ".join(str(shape) for shape in dict.fromkeys(first.shapes))
            lines = [f"{first.title} = {first.name}, {shapes} {first.dtype}", first.path]
        lines.append(sized(box.bytes()))
        lines += list(dict.fromkeys(v.site for v in box.vertices if v.site))[:3]
        return "\n".join(line for line in lines if line)

    # ------------------------------------------------------------------ links

    def _link(self, link: Link) -> str:
        source, target = (self._folded.boxes[i] for i in (link.source, link.target))
        colour, width = self._colour(link)
        style = "weight" if link.kind == "weight" else "data"
        if not link.tracked:
            style += " untracked"
        paths = self._route(link, source, target)
        paint = _painted("stroke", colour)
        lines = "".join(
            f'<path d="{path}" class="{style}" stroke-width="{width:.1f}"{paint}/>'
            + _head(end, direction, width, style, colour)
            for path, end, direction in paths
        )
        passed = "" if link.gradient is None else f"\n‖∂L‖ {link.gradient:.3g}"
        tip = f"{values_of(self._folded, link)}{passed}"
        return f"<g><title>{escape(tip)}</title>{lines}{self._names(link, source, target)}</g>"

    def _colour(self, link: Link) -> tuple[str, float]:
        if self._range is None or link.gradient is None:
            return "", 1.2
        if link.gradient <= 0.0:
            return "var(--edge)", 0.8
        share = _share(link.gradient, *self._range)
        return _mixed(share), 1.0 + 4.0 * share

    def _route(
        self, link: Link, source: Box, target: Box
    ) -> list[tuple[str, tuple[float, float], str]]:
        """Return paths with their ends and the direction in which they arrive."""
        a, b = self._layout.rects[source.index], self._layout.rects[target.index]
        if link.kind == "weight" and source.index in self._layout.buses:
            return [self._bus(source, a, b)]
        if source.kind in ("parameter", "constant"):
            return [_across(a.right, a.middle[1], b.x, b.middle[1])]
        if source.row == target.row and source.kind != "bar" and target.kind != "bar":
            return self._within_row(link, source, target, a, b)
        if source.kind == "bar" and target.kind == "bar":
            x = self._layout.right - 14 - 5 * (source.index % 3)
            return [_straight(x, a.y, x, b.bottom)]
        if source.kind != "bar" and target.kind != "bar" and source.column != target.column:
            return [_curve(a.middle[0], a.y, b.middle[0], b.bottom)]
        return [self._upward(source, target, a, b)]

    def _bus(
        self, source: Box, a: Rect, b: Rect
    ) -> tuple[str, tuple[float, float], str]:
        y = self._layout.buses[source.index]
        shift = 10 + 7 * (source.index % 4)
        x = min(b.x + shift, b.right - 6)
        turn = (a.right + self._layout.left) / 2
        start = a.middle[1]
        bend = 8 if y > start else -8
        bend = 0 if abs(y - start) < 16 else bend
        path = (
            f"M{a.right:.1f} {start:.1f}H{turn - 8:.1f}Q{turn:.1f} {start:.1f} {turn:.1f} "
            f"{start + bend:.1f}V{y - bend:.1f}Q{turn:.1f} {y:.1f} {turn + 8:.1f} {y:.1f}"
            f"H{x - 6:.1f}Q{x:.1f} {y:.1f} {x:.1f} {y - 6:.1f}V{b.bottom:.1f}"
        )
        return path, (x, b.bottom), "up"

    def _within_row(
        self, link: Link, source: Box, target: Box, a: Rect, b: Rect
    ) -> list[tuple[str, tuple[float, float], str]]:
        columns = (source.column or 0, target.column or 0)
        forward = columns[1] > columns[0] or (columns[0] == columns[1] and a.x <= b.x)
        x1, x2 = (a.right, b.x) if forward else (a.x, b.right)
        direction = "right" if forward else "left"
        if abs(columns[1] - columns[0]) > 1:
            top = min(a.y, b.y) - 14
            start, end = a.middle[0], b.middle[0]
            path = (
                f"M{start:.1f} {a.y:.1f}C{start:.1f} {top:.1f} {end:.1f} {top:.1f} "
                f"{end:.1f} {b.y:.1f}"
            )
            return [(path, (end, b.y), "down")]
        way = self._layout.ways.get((source.index, target.index))
        if way:
            points = [(x1, a.middle[1]), *sorted(way, reverse=not forward), (x2, b.middle[1])]
            return [_along(points, direction)]
        count = min(len(link.values), _MAX_LINES)
        paths = []
        for i in range(count):
            shift = 11.0 * (i - (count - 1) / 2)
            y1, y2 = a.middle[1] + shift, b.middle[1] + shift
            paths.append(_across(x1, y1, x2, y2, direction))
        return paths

    def _upward(
        self, source: Box, target: Box, a: Rect, b: Rect
    ) -> tuple[str, tuple[float, float], str]:
        """Return the way to a row above; past what stands between, in the gap beside a column."""
        step = target if source.kind == "bar" else source
        rect = self._layout.rects[step.index]
        x = rect.middle[0]
        if step.parent is not None:
            return self._through(rect, a, b, source)
        if a.y < b.bottom:
            return _curve(a.middle[0], a.y, x, b.bottom)
        if not self._blocked(source.row, target.row, step.column):
            if source.kind != "bar" and target.kind != "bar":
                return _straight(a.middle[0], a.y, b.middle[0], b.bottom)
            return _straight(x, a.y, x, b.bottom)
        gap = rect.right + 9 + 4 * (source.row % 3)
        if source.kind == "bar":
            path = (
                f"M{gap:.1f} {a.y:.1f}V{rect.bottom + 16:.1f}Q{gap:.1f} {rect.bottom + 8:.1f} "
                f"{x + 14:.1f} {rect.bottom + 8:.1f}Q{x:.1f} {rect.bottom + 8:.1f} {x:.1f} "
                f"{rect.bottom:.1f}"
            )
            return path, (x, rect.bottom), "up"
        ahead = b.bottom
        path = (
            f"M{x:.1f} {rect.y:.1f}Q{x:.1f} {rect.y - 8:.1f} {x + 14:.1f} {rect.y - 8:.1f}"
            f"H{gap - 6:.1f}Q{gap:.1f} {rect.y - 8:.1f} {gap:.1f} {rect.y - 14:.1f}V{ahead:.1f}"
        )
        return path, (gap, ahead), "up"

    def _through(
        self, rect: Rect, a: Rect, b: Rect, source: Box
    ) -> tuple[str, tuple[float, float], str]:
        """Return the way between a bar and an operation of an unfolded step."""
        side = rect.x - 10 if source.kind == "bar" else rect.right + 10
        if source.kind == "bar":
            y = rect.middle[1] + 3
            path = (
                f"M{side:.1f} {a.y:.1f}V{y + 5:.1f}Q{side:.1f} {y:.1f} {rect.x:.1f} {y:.1f}"
            )
            return path, (rect.x, y), "right"
        path = (
            f"M{rect.right:.1f} {rect.middle[1]:.1f}Q{side:.1f} {rect.middle[1]:.1f} {side:.1f} "
            f"{rect.middle[1] - 10:.1f}V{b.bottom:.1f}"
        )
        return path, (side, b.bottom), "up"

    def _blocked(self, lower: int, upper: int, column: int | None) -> bool:
        return any(
            lower < box.row < upper and box.column == column and box.kind in ("step", "fold")
            for box in self._folded.boxes
        )

    def _names(self, link: Link, source: Box, target: Box) -> str:
        """Write what passes from one step to the next into the gap between them."""
        near = abs((source.column or 0) - (target.column or 0)) == 1
        if link.kind != "time" or source.row != target.row or not near:
            return ""
        a, b = self._layout.rects[source.index], self._layout.rects[target.index]
        x = (a.right + b.x) / 2 if a.x < b.x else (b.right + a.x) / 2
        way = self._layout.ways.get((source.index, target.index))
        if way or "operation" in (source.kind, target.kind):
            return self._name_at_wall(link, source, target, way or [])
        labels = [self._folded.graph.vertices[s.vertex].label for s in link.values][:_MAX_LINES]
        parts = []
        for i, label in enumerate(labels):
            shift = 11.0 * (i - (len(labels) - 1) / 2)
            y = (a.middle[1] + b.middle[1]) / 2 + shift
            if label:
                height = y - 3 if shift <= 0 else y + 9
                parts.append(_text(x - 4, height, label, "small middle halo"))
        return "".join(parts)

    def _name_at_wall(
        self, link: Link, source: Box, target: Box, way: list[tuple[float, float]]
    ) -> str:
        """Write what passes beside the step that is not unfolded, or else half-way."""
        a, b = self._layout.rects[source.index], self._layout.rects[target.index]
        points = [(a.right, a.middle[1]), *way, (b.x, b.middle[1])]
        at = 0 if target.kind == "operation" else len(points) - 2
        x = (points[at][0] + points[at + 1][0]) / 2
        y = (points[at][1] + points[at + 1][1]) / 2
        label = ", ".join(self._folded.graph.vertices[s.vertex].label for s in link.values)
        return _text(x, y - 5, label, "small middle halo") if label else ""

    # ------------------------------------------------------------------ legend

    def _legend(self, smallest: float, largest: float) -> str:
        x, y = self._layout.left, self._layout.height + 2
        cells = "".join(
            f'<rect x="{x + 6 * i:.1f}" y="{y:.1f}" width="6.5" height="10" '
            f'fill="{_mixed(i / 23)}"/>'
            for i in range(24)
        )
        label = "norm of the gradient that passes back, log scale"
        return (
            f"{cells}{_text(x, y + 24, f'{smallest:.1e}', 'small')}"
            f"{_text(x + 144, y + 24, f'{largest:.1e}', 'small end')}"
            f"{_text(x + 156, y + 9, label, 'small')}"
        )


def _share(value: float, smallest: float, largest: float) -> float:
    """Return where a value lies between two others on a log scale, 0 … 1."""
    if largest <= smallest:
        return 1.0
    return (math.log(value) - math.log(smallest)) / (math.log(largest) - math.log(smallest))


def _mixed(share: float) -> str:
    mixed = (round(a + (b - a) * share) for a, b in zip(_WEAK, _STRONG, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _painted(what: str, colour: str) -> str:
    return f' style="{what}: {colour}"' if colour else ""


def _geometry(rect: Rect) -> str:
    return (
        f'x="{rect.x:.1f}" y="{rect.y:.1f}" width="{rect.width:.1f}" height="{rect.height:.1f}"'
    )


def _text(x: float, y: float, text: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}>{escape(text)}</text>'


def _short(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(room - 1, 0)] + "…"


def _shape(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return ""
    return " × ".join(map(str, shape)) if shape else "scalar"


_Path = tuple[str, tuple[float, float], str]


def _straight(x1: float, y1: float, x2: float, y2: float) -> _Path:
    return f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}", (x2, y2), "up" if y2 < y1 else "down"


def _across(x1: float, y1: float, x2: float, y2: float, direction: str = "right") -> _Path:
    bend = (x2 - x1) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return path, (x2, y2), direction


def _along(points: list[tuple[float, float]], direction: str) -> _Path:
    """Return a smooth way through points that lie side by side."""
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        bend = (x2 - x1) / 2
        path += f"C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return path, points[-1], direction


def _curve(x1: float, y1: float, x2: float, y2: float) -> _Path:
    bend = (y2 - y1) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    return path, (x2, y2), "up" if y2 < y1 else "down"


_TURNS = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}


def _head(
    end: tuple[float, float], direction: str, width: float, style: str, colour: str
) -> str:
    """Return an arrow's head."""
    dx, dy = _TURNS[direction]
    size = 4.5 + width
    x, y = end
    back = (x - size * dx, y - size * dy)
    side = size * 0.5
    points = f"{x:.1f},{y:.1f} {back[0] - side * dy:.1f},{back[1] + side * dx:.1f} "
    points += f"{back[0] + side * dy:.1f},{back[1] - side * dx:.1f}"
    return f'<polygon points="{points}" class="{style} head"{_painted("fill", colour)}/>'
