"""Where the boxes of a folded graph stand: time to the right, layers upward, weights at the left.

Numbers only, in pixels, y downward; drawing is left to `svg`.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad_rnn.inspect.folding import Box, Folded, Link

LETTER = 6.4
STEP_WIDTH, STEP_HEIGHT = 92.0, 48.0
FOLD_WIDTH = 104.0
COLUMN_GAP, ROW_GAP = 46.0, 30.0
BAR_HEIGHT = 30.0
LEAF_HEIGHT, LEAF_GAP = 24.0, 6.0
BAND, HEADING = 14.0, 24.0
BUS_GAP = 9.0
OPERATION_WIDTH, OPERATION_HEIGHT = 74.0, 34.0
OPERATION_GAP_X, OPERATION_GAP_Y = 26.0, 12.0
INSET, INSET_TOP = 16.0, 30.0
MARGIN = 20.0
GUTTER = 26.0

_STRIDE = OPERATION_WIDTH + OPERATION_GAP_X
# An operation (twice its box, and its column), or a way point (ends of its link, and its column).
_Item = tuple[int, int, int]


@dataclass(frozen=True)
class Rect:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> tuple[float, float]:
        """The centre."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass
class Layout:
    """Rectangles by number of the box; `bands` are the rows over time, `buses` run below them.

    A bus is the height at which the line from a weight runs below the steps that use it. Ways are
    points that a link passes through, by the numbers of its boxes.
    """

    width: float
    height: float
    rects: dict[int, Rect]
    bands: dict[int, Rect]
    buses: dict[int, float]
    ways: dict[tuple[int, int], list[tuple[float, float]]]
    left: float
    right: float


def arrange(folded: Folded, top: float = 0.0) -> Layout:
    """Return where everything stands, leaving `top` pixels above."""
    leaves = _by_row(folded, ("parameter", "constant"))
    inside = {box.index: _Inside(folded, box) for box in folded.boxes if folded.inside(box)}
    shared = {
        row: [b for b in boxes if b.kind == "parameter" and folded.rows[row].over_time]
        for row, boxes in leaves.items()
    }
    names = [b for boxes in leaves.values() for b in boxes]
    leaf_width = max((leaf_text_width(b) for b in names), default=0.0)
    left = MARGIN + (leaf_width + GUTTER + 14.0 if names else 0.0)
    columns, right = _columns(folded, inside, left + BAND)
    bands: dict[int, Rect] = {}
    buses: dict[int, float] = {}
    rects: dict[int, Rect] = {}
    ways: dict[tuple[int, int], list[tuple[float, float]]] = {}
    heights = [_row_height(folded, row, leaves, inside) for row in range(len(folded.rows))]
    room = [len(shared.get(row, ())) * BUS_GAP for row in range(len(folded.rows))]
    y = top + MARGIN
    for row in reversed(range(len(folded.rows))):
        height, over_time = heights[row], folded.rows[row].over_time
        boxes = [b for b in folded.boxes if b.row == row]
        if over_time:
            bands[row] = Rect(left, y, right - left, height)
            base = y + HEADING
            inner = height - HEADING - BAND - room[row]
            for i, box in enumerate(shared.get(row, ())):
                buses[box.index] = base + inner + BAND / 2 + (i + 0.6) * BUS_GAP
        for box in boxes:
            if box.kind == "bar":
                centre = y + (height - BAR_HEIGHT) / 2
                rects[box.index] = Rect(left, centre, right - left, BAR_HEIGHT)
            elif box.kind in ("step", "fold"):
                rects[box.index] = _step(columns[box.column or 0], base, inner, box, inside)
                if box.index in inside:
                    at = rects[box.index]
                    for index, r in inside[box.index].rects.items():
                        rects[index] = Rect(at.x + r.x, at.y + r.y, r.width, r.height)
                    for ends, way in inside[box.index].points.items():
                        ways.setdefault(ends, []).extend((at.x + x, at.y + y) for x, y in way)
        _stack_leaves(leaves.get(row, []), y, height, leaf_width, rects)
        y += height + ROW_GAP
    return Layout(right + MARGIN, y - ROW_GAP + MARGIN, rects, bands, buses, ways, left, right)


def leaf_text_width(box: Box) -> float:
    """Return how wide the text of a weight or input is."""
    return LETTER * (len(box.title) + len(str(box.vertices[0].shape)) + 1) + 22.0


def _by_row(folded: Folded, kinds: tuple[str, ...]) -> dict[int, list[Box]]:
    found: dict[int, list[Box]] = {}
    for box in folded.boxes:
        if box.kind in kinds:
            found.setdefault(box.row, []).append(box)
    return found


def _columns(
    folded: Folded, inside: dict[int, _Inside], x: float
) -> tuple[list[tuple[float, float]], float]:
    """Return left edge and width of each column, and where the last one ends."""
    columns = []
    for number, column in enumerate(folded.columns):
        width = STEP_WIDTH if len(column.steps) == 1 else FOLD_WIDTH
        for box in folded.boxes:
            if box.column == number and box.index in inside:
                width = max(width, inside[box.index].width)
        columns.append((x, width))
        x += width + COLUMN_GAP
    end = x - COLUMN_GAP if columns else x + 3 * STEP_WIDTH
    return columns, end + BAND + GUTTER


def _row_height(
    folded: Folded,
    row: int,
    leaves: dict[int, list[Box]],
    inside: dict[int, _Inside],
) -> float:
    given = leaves.get(row, [])
    needed = len(given) * (LEAF_HEIGHT + LEAF_GAP) - LEAF_GAP
    if not folded.rows[row].over_time:
        return max(BAR_HEIGHT, needed)
    inner = STEP_HEIGHT
    for box in folded.boxes:
        if box.row == row and box.index in inside:
            inner = max(inner, inside[box.index].height)
    room = BUS_GAP * sum(box.kind == "parameter" for box in given)
    return max(inner + HEADING + BAND + room, needed)


def _step(
    column: tuple[float, float],
    y: float,
    inner: float,
    box: Box,
    inside: dict[int, _Inside],
) -> Rect:
    x, width = column
    height = inside[box.index].height if box.index in inside else STEP_HEIGHT
    return Rect(x, y + (inner - height) / 2, width, height)


def _stack_leaves(
    boxes: list[Box], y: float, height: float, width: float, rects: dict[int, Rect]
) -> None:
    total = len(boxes) * (LEAF_HEIGHT + LEAF_GAP) - LEAF_GAP
    y += (height - total) / 2
    for box in boxes:
        rects[box.index] = Rect(MARGIN, y, width, LEAF_HEIGHT)
        y += LEAF_HEIGHT + LEAF_GAP


class _Inside:
    """An unfolded step: operations in columns by depth, and ways for links that pass columns by.

    A link that passes columns by has a way point in each of them, which takes part in the ordering
    as a small box would (Sugiyama, Tagawa and Toda, 1981).
    """

    def __init__(self, folded: Folded, box: Box) -> None:
        self._boxes = {inner.index for inner in folded.inside(box)}
        self._folded = folded
        depth = self._depths()
        last = max(depth.values())
        self._layers: list[list[_Item]] = [[] for _ in range(last + 1)]
        self._takes: dict[_Item, list[_Item]] = {}
        for index, level in depth.items():
            self._layers[level].append((index, index, level))
            self._takes[index, index, level] = []
        for link in folded.links:
            self._thread(link, depth, last)
        self.rects: dict[int, Rect] = {}
        self.points: dict[tuple[int, int], list[tuple[float, float]]] = {}
        tall = max(map(self._tall, self._layers))
        for layer in self._layers:
            self._settle(layer, tall)
        self.width = (last + 1) * _STRIDE - OPERATION_GAP_X + 2 * INSET
        self.height = tall + INSET_TOP + INSET

    def _depths(self) -> dict[int, int]:
        depth: dict[int, int] = {}
        takes: dict[int, list[int]] = {index: [] for index in sorted(self._boxes)}
        for link in self._folded.links:
            if link.source in takes and link.target in takes:
                takes[link.target].append(link.source)
        # Boxes are numbered in the order of recording, so what one takes is known before it.
        for index, sources in takes.items():
            depth[index] = 1 + max((depth[source] for source in sources), default=-1)
        return depth

    def _thread(self, link: Link, depth: dict[int, int], last: int) -> None:
        """Tie the ends of a link together, by a way point in each column between."""
        within = (link.source in self._boxes, link.target in self._boxes)
        if not any(within) or (not all(within) and link.kind != "time"):
            return
        start = depth[link.source] if within[0] else -1
        end = depth[link.target] if within[1] else last + 1
        before: list[_Item] = [(link.source, link.source, start)] if within[0] else []
        for level in range(start + 1, end):
            point = (link.source, link.target, level)
            self._layers[level].append(point)
            self._takes[point] = before
            before = [point]
        if within[1]:
            self._takes[link.target, link.target, end] += before

    @staticmethod
    def _tall(layer: list[_Item]) -> float:
        return sum(_height(item) + OPERATION_GAP_Y for item in layer) - OPERATION_GAP_Y

    def _settle(self, layer: list[_Item], tall: float) -> None:
        wishes = {item: self._wish(item, tall) for item in layer}
        order = sorted(layer, key=lambda item: wishes[item])
        own = self._tall(layer)
        centre = sum(wishes.values()) / len(wishes)
        y = INSET_TOP + min(max(centre - INSET_TOP - own / 2, 0.0), tall - own)
        for item in order:
            source, target, level = item
            x = INSET + level * _STRIDE
            if source == target:
                self.rects[source] = Rect(x, y, OPERATION_WIDTH, OPERATION_HEIGHT)
            else:
                middle = y + _height(item) / 2
                ends = [(x, middle), (x + OPERATION_WIDTH, middle)]
                self.points.setdefault((source, target), []).extend(ends)
            y += _height(item) + OPERATION_GAP_Y

    def _wish(self, item: _Item, tall: float) -> float:
        heights = [self._middle(before) for before in self._takes[item]]
        if heights:
            return sum(heights) / len(heights)
        # What arrives from the step before and is not needed at once passes above.
        return INSET_TOP if item[0] != item[1] else INSET_TOP + tall / 2

    def _middle(self, item: _Item) -> float:
        source, target, level = item
        if source == target:
            return self.rects[source].middle[1]
        at = INSET + level * _STRIDE
        return next(y for x, y in self.points[source, target] if x == at)


def _height(item: _Item) -> float:
    return OPERATION_HEIGHT if item[0] == item[1] else 4.0
