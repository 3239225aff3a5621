"""One arena for all that a program computes on the way, shared by what does not live together."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from tinygrad_rnn.jit.codegen import Call, PythonCall
from tinygrad_rnn.jit.graph import Buffer, View

ALIGNMENT = 64


def _size(buffer: Buffer) -> int:
    size: int = buffer.size * buffer.dtype.itemsize
    return max(-(-size // ALIGNMENT), 1) * ALIGNMENT


class Arena:
    """Where each buffer lies: `offsets` in bytes, in an arena of `size` bytes.

    `unshared` is the size it would have if no memory were used twice.
    """

    def __init__(self, calls: Sequence[Call | PythonCall], reuse: bool) -> None:
        self.offsets: dict[Buffer, int] = {}
        self.size = 0
        first: dict[Buffer, int] = {}
        last: dict[Buffer, int] = {}
        for i, call in enumerate(calls):
            for view in (*call.reads, *call.writes):
                if view.buffer.origin == "computed":
                    first.setdefault(view.buffer, i)
                    last[view.buffer] = i
        self.unshared = sum(_size(buffer) for buffer in first)
        ends: dict[int, list[Buffer]] = {}
        starts: dict[int, list[Buffer]] = {}
        for buffer, i in first.items():
            starts.setdefault(i, []).append(buffer)
            ends.setdefault(last[buffer], []).append(buffer)
        free = _Gaps()
        for i in range(len(calls)):
            for buffer in sorted(starts.get(i, ()), key=_size, reverse=True):
                self.offsets[buffer] = free.take(_size(buffer))
            if reuse:
                for buffer in ends.get(i, ()):
                    free.give_back(self.offsets[buffer], _size(buffer))
        self.size = free.end


class _Gaps:
    """Free stretches of the arena, by offset; neighbours are merged."""

    def __init__(self) -> None:
        self.end = 0
        self._starts: list[int] = []
        self._sizes: dict[int, int] = {}

    def take(self, size: int) -> int:
        """The smallest gap that is large enough, or the end of the arena."""
        best = None
        for start in self._starts:
            have = self._sizes[start]
            if have >= size and (best is None or have < self._sizes[best]):
                best = start
                if have == size:
                    break
        if best is None:
            start = self.end
            if self._starts and self._starts[-1] + self._sizes[self._starts[-1]] == self.end:
                start = self._starts.pop()
                del self._sizes[start]
            self.end = start + size
            return start
        have = self._sizes.pop(best)
        self._starts.remove(best)
        if have > size:
            self._insert(best + size, have - size)
        return best

    def _insert(self, start: int, size: int) -> None:
        bisect.insort(self._starts, start)
        self._sizes[start] = size

    def give_back(self, start: int, size: int) -> None:
        """Make a stretch free, and one with the gaps beside it."""
        at = bisect.bisect(self._starts, start)
        if at < len(self._starts) and self._starts[at] == start + size:
            size += self._sizes.pop(self._starts.pop(at))
        if at > 0:
            before = self._starts[at - 1]
            if before + self._sizes[before] == start:
                self._starts.pop(at - 1)
                size += self._sizes.pop(before)
                start = before
        self._insert(start, size)


def place_barriers(calls: Sequence[Call | PythonCall], arena: Arena) -> int:
    """Mark the calls that have to wait for what other threads do, and return how many."""
    count = 0
    pending: dict[object, list[tuple[int, int, bool, bool]]] = {}
    for call in calls:
        if isinstance(call, PythonCall):
            pending.clear()
            continue
        used = [(_stretch(view, arena), False) for view in call.reads]
        used += [(_stretch(view, arena), True) for view in call.writes]
        for (space, low, high), writes in used:
            if any(
                a < high and low < b and (writes or wrote) and (call.divided or divided)
                for a, b, wrote, divided in pending.get(space, ())
            ):
                call.barrier = True
                count += 1
                pending.clear()
                break
        for (space, low, high), writes in used:
            pending.setdefault(space, []).append((low, high, writes, call.divided))
    return count


def _stretch(view: View, arena: Arena) -> tuple[object, int, int]:
    """The memory space of a view and the bytes that it reaches in it."""
    low = high = view.offset
    for length, stride in zip(view.shape, view.strides, strict=True):
        reach = (length - 1) * stride
        low += min(reach, 0)
        high += max(reach, 0)
    size = view.dtype.itemsize
    low, high = low * size, (high + 1) * size
    buffer = view.buffer
    if buffer.origin == "computed":
        start = arena.offsets[buffer]
        return "arena", start + low, start + high
    if buffer.origin == "constant":
        return "constant", 0, 0
    space = "outside" if buffer.origin in ("argument", "captured", "write") else buffer.origin
    return (space, buffer.source), low, high
