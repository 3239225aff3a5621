"""Who has to come before whom, and an order that keeps to it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

from tinygrad_rnn.jit.graph import Buffer, Op, View, extent, located, located_once, selection


class CircleError(Exception):
    """No order exists: some plan of the passes was too bold."""


class Memory:
    """Which operations write which part of each buffer that has memory of its own."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self._writes: dict[Buffer, list[tuple[int, int, View, Op]]] = {}
        self._located: dict[View, View] = {}
        self._boxes: dict[View, list[tuple[int, int]] | None] = {}
        for op in ops:
            for view in op.outputs:
                self._add(view, op)

    def _add(self, view: View, op: Op) -> None:
        """Note a write in its buffer, and in those of which that is a part."""
        while True:
            self._writes.setdefault(view.buffer, []).append((*extent(view), view, op))
            place = view.buffer.place
            if place is None or view.buffer.overwrites:
                return
            view = located_once(view) or place

    def located(self, view: View) -> View:
        """The view in terms of the memory that it lies in."""
        if view.buffer.place is None:
            return view
        found = self._located.get(view)
        if found is None:
            found = located(view)
            assert found is not None, "a buffer was placed where its views have no form"
            self._located[view] = found
        return found

    def writers(self, view: View) -> Iterator[Op]:
        """The operations that write what the view shows."""
        written = self._writes.get(view.buffer, ())
        if len(written) == 1:
            yield written[0][3]
            return
        low, high = extent(view)
        for first, last, target, op in written:
            if first < high and low < last and self.overlap(view, target):
                yield op

    def overlap(self, left: View, right: View) -> bool:
        """Whether two views of one buffer, whose extents overlap, may share an element."""
        if left == right:
            return True
        one, other = self._box(left), self._box(right)
        if one is None or other is None:
            return True
        return all(a < d and c < b for (a, b), (c, d) in zip(one, other, strict=True))

    def _box(self, view: View) -> list[tuple[int, int]] | None:
        if view in self._boxes:
            return self._boxes[view]
        chosen = selection(view)
        box = None
        if chosen is not None:
            lengths = [1] * len(chosen.starts)
            for axis, length in zip(chosen.order, view.shape, strict=True):
                if axis is not None:
                    lengths[axis] = length
            box = [
                (start, start + (length - 1) * step + 1)
                for start, step, length in zip(chosen.starts, chosen.steps, lengths, strict=True)
            ]
        self._boxes[view] = box
        return box

    def before(self, op: Op) -> Iterator[Op]:
        """The operations that `op` has to wait for."""
        for view in op.reads():
            # An operation that adds to what is there says itself what it comes after.
            if op.after and view in op.outputs:
                continue
            for writer in self.writers(view):
                if writer is not op:
                    yield writer
        yield from op.after


def sort(ops: Sequence[Op], key: Callable[[Op], tuple[int, ...]] | None = None) -> list[Op]:
    """Return the operations in an order that respects what they wait for, else by position."""
    memory = Memory(ops)
    waiting = dict.fromkeys(ops, 0)
    next_ops: dict[Op, list[Op]] = {op: [] for op in ops}
    for op in ops:
        for before in {id(b): b for b in memory.before(op)}.values():
            waiting[op] += 1
            next_ops[before].append(op)
    rank = {op: (*(key(op) if key else ()), op.position, i) for i, op in enumerate(ops)}
    ready = [(rank[op], i) for i, op in enumerate(ops) if waiting[op] == 0]
    heapq.heapify(ready)
    index = {op: i for i, op in enumerate(ops)}
    ordered = []
    while ready:
        op = ops[heapq.heappop(ready)[1]]
        ordered.append(op)
        for after in next_ops[op]:
            waiting[after] -= 1
            if waiting[after] == 0:
                heapq.heappush(ready, (rank[after], index[after]))
    if len(ordered) < len(ops):
        raise CircleError("operations wait for each other in a circle")
    return ordered
