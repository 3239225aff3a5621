"""Results are written where they are wanted: parts of a join into the joined buffer.

What remains are copies of parts that cannot be moved: arguments, constants, parts that a second
join wants as well. Sums Σ aᵀb get their factors lined up in memory, one behind the other, so that
they become one product over all time steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_rnn.jit.graph import (
    Buffer,
    Graph,
    Op,
    View,
    located,
    located_once,
    permuted,
    reshaped,
    selection,
    unbound,
    whole,
)

# These write their results row by row, with any distance between rows.
_STRIDED = ("map", "product", "look_up")
# These read from anywhere; all others want rows that lie one after the other.
_READ_STRIDED = ("map", "product", "reduce", "arg", "sum_products", "sum_reduced", "join", "numpy")


class _Places:
    """Where buffers may be moved, and where they were moved to."""

    def __init__(self, graph: Graph) -> None:
        self.views: dict[Buffer, list[View]] = {}
        self.writers: dict[Buffer, list[Op]] = {}
        self.leaving = {sink.view.buffer for sink in graph.sinks}
        self.read_in_rows = {
            view.buffer
            for op in graph.ops
            if op.kind not in _READ_STRIDED
            for view in op.reads()
        }
        for op in graph.ops:
            for view in (*op.reads(), *op.outputs):
                self.views.setdefault(view.buffer, []).append(view)
            for view in op.outputs:
                self.writers.setdefault(view.buffer, []).append(op)
        for buffer in list(self.views):
            self._pass_on(buffer)

    def _pass_on(self, buffer: Buffer) -> None:
        """Let the buffer in which this one lies know of the views of this one."""
        inner: Buffer | None = buffer
        views = self.views.get(buffer, [])
        while inner is not None and inner.place is not None:
            outer = inner.place.buffer
            seen = [located_once(view) for view in views]
            if all(view is not None for view in seen):
                views = [view for view in seen if view is not None]
                self.views.setdefault(outer, []).extend(views)
            self.writers.setdefault(outer, []).extend(self.writers.get(inner, ()))
            if inner in self.read_in_rows:
                self.read_in_rows.add(outer)
            inner = outer

    def free(self, view: View) -> bool:
        """Whether a view shows all of a buffer that may be moved."""
        buffer = view.buffer
        return (
            buffer.origin == "computed"
            and buffer.place is None
            and view.size == buffer.size > 0
            and view.is_contiguous
            and buffer not in self.leaving
            and bool(self.writers.get(buffer))
        )

    def move(self, view: View, target: View) -> bool:
        """Put the buffer that `view` shows to `target`, if it and its readers can be there."""
        buffer = view.buffer
        if not self.free(view) or target.dtype != buffer.dtype:
            return False
        outer: Buffer | None = target.buffer
        while outer is not None:
            if outer is buffer:
                return False
            outer = None if outer.place is None else outer.place.buffer
        if not target.is_contiguous:
            if target.strides[-1] != 1 or buffer in self.read_in_rows:
                return False
            if any(op.kind not in _STRIDED for op in self.writers[buffer]):
                return False
            if any(selection(look) is None for look in self.views[buffer]):
                return False
        place = reshaped(target, buffer.shape)
        if place is None:
            return False
        buffer.place = place
        self._pass_on(buffer)
        return True


def place_results(graph: Graph) -> str:
    """Move what can be moved; copy the rest."""
    places = _Places(graph)
    moved = copied = 0
    ops: list[Op] = []
    for op in graph.ops:
        if op.kind != "join":
            ops.append(op)
            continue
        for part, target in zip(op.inputs, op.params["targets"], strict=True):
            assert isinstance(part, View)
            if places.move(part, target):
                moved += 1
                continue
            copied += 1
            made = Op("map", "copy", [part], [target], op.entry, op.position)
            places.views.setdefault(part.buffer, []).append(part)
            places.views.setdefault(target.buffer, []).append(target)
            places.writers.setdefault(target.buffer, []).append(made)
            ops.append(made)
    graph.ops = ops
    products = _line_up_sums(graph, places)
    note = f"{moved} results written into what they are joined to, {copied} copied"
    return note + (f"; {products} parts of sums added up as few" if products else "")


def copy_results(graph: Graph) -> None:
    """Join by copying, and sum product by product: what is done when the pass is off."""
    ops: list[Op] = []
    for op in graph.ops:
        if op.kind == "join":
            for part, target in zip(op.inputs, op.params["targets"], strict=True):
                ops.append(Op("map", "copy", [part], [target], op.entry, op.position))
        elif op.kind == "sum_products":
            ops += _products(op, _pairs(op))
        elif op.kind == "sum_reduced":
            ops += _reductions(op, [_stacked(view, 1, 0) for view in op.reads()])
        else:
            ops.append(op)
    graph.ops = ops


# ---------------------------------------------------------------------- sums of products

Pair = tuple[View, View]


def _pairs(op: Op) -> list[Pair]:
    views = [view for view in op.inputs if isinstance(view, View)]
    return [(views[i], views[i + 1]) for i in range(0, len(views), 2)]


def _line_up_sums(graph: Graph, places: _Places) -> int:
    ops: list[Op] = []
    count = 0
    for op in graph.ops:
        if op.kind == "sum_reduced":
            views = sorted(op.reads(), key=lambda view: _rank(view, places))
            count += len(views)
            _line_up(views, places)
            ops += _reductions(op, _stacks(views))
            continue
        if op.kind != "sum_products":
            ops.append(op)
            continue
        pairs = _pairs(op)
        count += len(pairs)
        for side in _by_weight(pairs, places):
            pairs.sort(key=lambda pair: _rank(pair[side], places))
        for side in (0, 1):
            _line_up([pair[side] for pair in pairs], places)
        pairs.sort(key=lambda pair: _spot(pair[0]))
        ops += _products(op, _runs(pairs))
    graph.ops = ops
    return count


def _by_weight(pairs: Sequence[Pair], places: _Places) -> list[int]:
    """The sides of pairs: last the one whose order counts most.

    What has a place cannot follow the other side. A side with only some that have one, such as a
    first state among those that were computed, says nothing of the order of the others.
    """

    def weight(side: int) -> int:
        free = [places.free(pair[side]) for pair in pairs]
        return 1 if all(free) else 0 if any(free) else 2

    return sorted((0, 1), key=weight)


def _rank(view: View, places: _Places) -> tuple[int, int]:
    """An order in memory: of views that have a place that of their places, of others of time.

    Backward comes from the last step to the first, so there time goes against the order of
    computing.
    """
    if places.free(view):
        last = max(places.writers[view.buffer], key=lambda op: op.position)
        return (0, -last.position if last.entry.backward else last.position)
    return (1, _spot(view)[1])


def _spot(view: View) -> tuple[int, int]:
    found = located(view) or view
    return found.buffer.number, found.offset


def _line_up(views: Sequence[View], places: _Places) -> None:
    free: dict[tuple[int, ...], list[View]] = {}
    seen: set[Buffer] = set()
    for view in views:
        if places.free(view) and view.buffer not in seen:
            seen.add(view.buffer)
            free.setdefault(view.shape, []).append(view)
    for shape, group in free.items():
        if len(group) < 2:
            continue
        buffer = Buffer((len(group), *shape), group[0].dtype)
        for view, target in zip(group, unbound(whole(buffer), 0), strict=True):
            places.move(view, target)


def _runs(pairs: Sequence[Pair]) -> list[Pair]:
    """Merge pairs that follow each other in memory on both sides."""
    merged: list[Pair] = []
    for pair in pairs:
        a, b = (_where(view) for view in pair)
        if merged:
            left, right = merged[-1]
            if _follows(left, a) and _follows(right, b):
                merged[-1] = (_longer(left, a), _longer(right, b))
                continue
        merged.append((a, b))
    return merged


def _follows(first: View, second: View) -> bool:
    return (
        first.buffer is second.buffer
        and first.strides == second.strides
        and first.shape[1] == second.shape[1]
        and second.offset == first.offset + first.shape[0] * first.strides[0]
    )


def _longer(first: View, second: View) -> View:
    return first._replace(shape=(first.shape[0] + second.shape[0], first.shape[1]))


def _products(op: Op, pairs: Sequence[Pair]) -> list[Op]:
    """Σ aᵀb as products, each adding to the one before.

    The operand that has to be transposed for it should be the narrower one.
    """
    rows, columns = op.output.shape
    flips = columns < rows
    made: list[Op] = []
    target = Buffer((columns, rows) if flips else (rows, columns), op.output.dtype)
    if not flips:
        target.place = op.output
        target.overwrites = True
    before: View | None = None
    for a, b in pairs:
        left, right = (b, a) if flips else (a, b)
        inputs = [permuted(left, (1, 0)), right]
        view = whole(target)
        if before is not None:
            inputs.append(before)
            buffer = Buffer(target.shape, target.dtype)
            buffer.place = before
            buffer.overwrites = True
            view = whole(buffer)
        made.append(Op("product", "product", inputs, [view], op.entry, op.position))
        before = view
    assert before is not None
    if flips:
        turned = permuted(before, (1, 0))
        made.append(Op("map", "copy", [turned], [op.output], op.entry, op.position))
    else:
        # Readers of the sum have to wait for its last product.
        made[-1].outputs.append(op.output)
    return made


# ---------------------------------------------------------------------- sums of reductions


def _stacked(view: View, count: int, step: int) -> View:
    """`count` views of one layout, `step` elements apart, as one with an axis in front."""
    return view._replace(shape=(count, *view.shape), strides=(step, *view.strides))


def _where(view: View) -> View:
    """The view in terms of the largest buffer of which its own is a part.

    Not of one that it overwrites: what is read there is not what was there before.
    """
    while view.buffer.place is not None and not view.buffer.overwrites:
        outer = located_once(view)
        if outer is None:
            break
        view = outer
    return view


def _stacks(views: Sequence[View]) -> list[View]:
    """Views of one layout at equal distances, as few with an axis in front."""
    found = [_where(view) for view in views]
    found.sort(key=lambda view: (view.buffer.number, view.offset))
    stacks: list[View] = []
    for view in found:
        if stacks:
            last = stacks[-1]
            count, step = last.shape[0], last.strides[0]
            distance = view.offset - last.offset - (count - 1) * step
            same = last.buffer is view.buffer and last.strides[1:] == view.strides
            if same and distance > 0 and (count == 1 or distance == step):
                first = last._replace(shape=last.shape[1:], strides=last.strides[1:])
                stacks[-1] = _stacked(first, count + 1, distance)
                continue
        stacks.append(_stacked(view, 1, 0))
    return stacks


def _reductions(op: Op, stacks: Sequence[View]) -> list[Op]:
    """One reduction for each stack, and their sum."""
    axis = (0, *(i + 1 for i in op.params["axis"]))
    made: list[Op] = []
    total: View | None = None
    for i, stack in enumerate(stacks):
        only = len(stacks) == 1
        part = op.output if only else whole(Buffer(op.output.shape, op.output.dtype))
        made.append(Op("reduce", "sum", [stack], [part], op.entry, op.position, {"axis": axis}))
        if total is not None:
            last = i == len(stacks) - 1
            target = op.output if last else whole(Buffer(op.output.shape, op.output.dtype))
            made.append(Op("map", "add", [total, part], [target], op.entry, op.position))
            part = target
        total = part
    return made
