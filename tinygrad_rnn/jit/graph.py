"""The graph that the passes work on: operations on views of buffers.

A buffer is a piece of memory with a shape, written by one operation or, where parts are joined, by
several. A view is a strided look at a buffer, counted in elements of the buffer laid out row by
row. Nothing here knows a primitive of the tape or a kernel.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tinygrad_rnn.arguments import Array, Shape
from tinygrad_rnn.jit.tape import Entry

_numbers = itertools.count()


class Buffer:
    """Memory of one shape and type.

    Attributes:
        origin: "argument", "captured", "constant" or "computed", as on the tape.
        source: which argument or captured tensor it is.
        array: the numbers of a constant.
        writers: the operations that write it.
        place: where it lies, if inside another buffer; None where it has memory of its own.
        overwrites: whether it is there in place of what was there before, not as a part of it.
        number: larger than that of every buffer made before. Whoever wants an order of buffers goes
            by it: one by address would differ from run to run, and sums with it.
    """

    __slots__ = (
        "array",
        "dtype",
        "number",
        "origin",
        "overwrites",
        "place",
        "shape",
        "source",
        "writers",
    )

    def __init__(self, shape: Shape, dtype: Any, origin: str = "computed") -> None:
        self.shape = shape
        self.dtype = dtype
        self.origin = origin
        self.source = -1
        self.array: Array | None = None
        self.writers: list[Op] = []
        self.place: View | None = None
        self.overwrites = False
        self.number = next(_numbers)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def __repr__(self) -> str:
        return f"<{self.origin} {self.number} {self.dtype} {self.shape}>"


class View(NamedTuple):
    """Element [i, j, …] is element `offset + i·strides[0] + j·strides[1] + …` of the buffer."""

    buffer: Buffer
    offset: int
    shape: Shape
    strides: Shape

    @property
    def dtype(self) -> Any:
        """Type of the elements."""
        return self.buffer.dtype

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_whole(self) -> bool:
        """Whether it shows the buffer exactly as it is."""
        return (
            self.offset == 0
            and self.shape == self.buffer.shape
            and self.strides == row_major(self.shape)
        )

    @property
    def is_contiguous(self) -> bool:
        """Whether its elements lie one after the other, row by row."""
        return same_layout(self.shape, self.strides, row_major(self.shape))


class Scalar(NamedTuple):
    """A number that the step always uses, with the type in which it counts."""

    value: Any
    dtype: Any


class Op:
    """One operation: what it is, the views it reads, the views it writes.

    `kind` chooses the rule that turns it into kernels; `name` tells apart operations of a kind.
    """

    __slots__ = ("after", "entry", "inputs", "kind", "name", "outputs", "params", "position")

    def __init__(
        self,
        kind: str,
        name: str,
        inputs: Sequence[View | Scalar],
        outputs: Sequence[View],
        entry: Entry,
        position: int,
        params: dict[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.entry = entry
        self.position = position
        self.params = {} if params is None else params
        # Operations that have to come first for another reason than their results.
        self.after: list[Op] = []
        for view in outputs:
            view.buffer.writers.append(self)

    @property
    def output(self) -> View:
        """The only output."""
        return self.outputs[0]

    def reads(self) -> Iterator[View]:
        """The inputs that are memory."""
        for x in self.inputs:
            if isinstance(x, View):
                yield x

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} {[v.shape for v in self.outputs]}>"


class Sink(NamedTuple):
    """What a step leaves behind: a view whose numbers go to a place outside.

    `kind` is "result", "gradient" (of the tensor with that number) or "write" (the memory of the
    argument or captured tensor with that number). `entry` computed it, or was the last.
    """

    kind: str
    number: int
    view: View
    entry: Entry


class Graph:
    """Operations in a possible order, and what has to come out."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.sinks: list[Sink] = []
        # What each pass reports of itself, in order.
        self.notes: list[tuple[str, str]] = []
        # Errors that a compiled check raises: (error type, message), by status number.
        self.checks: list[Any] = []
        # The view of each value of the tape, before the passes.
        self.kept: dict[int, View] = {}


# ---------------------------------------------------------------------- layouts


def row_major(shape: Shape) -> Shape:
    """Strides of elements that lie row by row."""
    strides = []
    step = 1
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def same_layout(shape: Shape, left: Shape, right: Shape) -> bool:
    """Whether two strides reach the same elements; those of axes of length 1 do not count."""
    return left == right or all(
        n == 1 or a == b for n, a, b in zip(shape, left, right, strict=True)
    )


def whole(buffer: Buffer) -> View:
    """The buffer as it is."""
    return View(buffer, 0, buffer.shape, row_major(buffer.shape))


def permuted(view: View, axes: Shape) -> View:
    """The axes in another order."""
    return view._replace(
        shape=tuple([view.shape[i] for i in axes]), strides=tuple([view.strides[i] for i in axes])
    )


def expanded(view: View, shape: Shape) -> View:
    """Broadcast to a shape: stride 0 along new and repeated axes."""
    if view.shape == shape:
        return view
    new = len(shape) - len(view.shape)
    strides = (0,) * new + tuple(
        [
            0 if have == 1 and want != 1 else stride
            for have, want, stride in zip(view.shape, shape[new:], view.strides, strict=True)
        ]
    )
    return view._replace(shape=shape, strides=strides)


def reshaped(view: View, shape: Shape) -> View | None:
    """Another shape over the same elements, or None where that takes a copy."""
    if view.shape == shape:
        return view
    if view.size == 0 or view.is_contiguous:
        return view._replace(shape=shape, strides=row_major(shape))
    old = [(n, s) for n, s in zip(view.shape, view.strides, strict=True) if n != 1]
    # Runs of old axes that can be walked with one stride, as (length, stride of the last).
    strides: list[int] = []
    old_at = 0
    new_at = 0
    new = list(shape)
    while new_at < len(new):
        if new[new_at] == 1:
            strides.append(0)
            new_at += 1
            continue
        start, first = old_at, new_at
        have, want = old[old_at][0], new[new_at]
        while have != want:
            if have < want:
                old_at += 1
                have *= old[old_at][0]
            else:
                new_at += 1
                want *= new[new_at]
        for left, right in zip(old[start:old_at], old[start + 1 : old_at + 1], strict=False):
            if left[1] != right[0] * right[1]:
                return None
        step = old[old_at][1]
        run = []
        for length in reversed(new[first : new_at + 1]):
            run.append(step)
            step *= length
        strides += reversed(run)
        old_at += 1
        new_at += 1
    return view._replace(shape=shape, strides=tuple(strides))


def sliced(view: View, index: tuple[Any, ...]) -> View:
    """Basic indexing: integers, slices, None and Ellipsis, as NumPy understands them."""
    taken = sum(part is not None and part is not Ellipsis for part in index)
    if not any(part is Ellipsis for part in index):
        index = (*index, Ellipsis)
    offset = view.offset
    shape: list[int] = []
    strides: list[int] = []
    axis = 0
    for part in index:
        if part is None:
            shape.append(1)
            strides.append(0)
        elif part is Ellipsis:
            for _ in range(len(view.shape) - taken):
                shape.append(view.shape[axis])
                strides.append(view.strides[axis])
                axis += 1
        elif isinstance(part, slice):
            start, stop, step = part.indices(view.shape[axis])
            length = len(range(start, stop, step))
            offset += start * view.strides[axis] if length else 0
            shape.append(length)
            strides.append(step * view.strides[axis])
            axis += 1
        else:
            number = int(part)
            offset += (number + view.shape[axis] * (number < 0)) * view.strides[axis]
            axis += 1
    return View(view.buffer, offset, tuple(shape), tuple(strides))


def unbound(view: View, axis: int) -> list[View]:
    """The slices along an axis, without it."""
    shape = view.shape[:axis] + view.shape[axis + 1 :]
    strides = view.strides[:axis] + view.strides[axis + 1 :]
    step = view.strides[axis]
    return [
        View(view.buffer, view.offset + i * step, shape, strides) for i in range(view.shape[axis])
    ]


def split_up(view: View, sizes: Sequence[int], axis: int) -> list[View]:
    """Pieces of the given lengths along an axis."""
    pieces = []
    start = 0
    for size in sizes:
        shape = (*view.shape[:axis], size, *view.shape[axis + 1 :])
        offset = view.offset + start * view.strides[axis]
        pieces.append(View(view.buffer, offset, shape, view.strides))
        start += size
    return pieces


class Selection(NamedTuple):
    """A view as a choice along each axis of its buffer: (start, step, length), and its order.

    `order[i]` is the axis of the buffer that axis i of the view runs along, or None for an axis of
    length 1 or of repetition.
    """

    starts: tuple[int, ...]
    steps: tuple[int, ...]
    order: tuple[int | None, ...]


def selection(view: View) -> Selection | None:
    """How a view chooses from its buffer axis by axis; None where it mixes axes."""
    buffer = view.buffer
    strides = row_major(buffer.shape)
    rest = view.offset
    starts = []
    for length, stride in zip(buffer.shape, strides, strict=True):
        if length == 1:
            starts.append(0)
            continue
        start, rest = divmod(rest, stride)
        starts.append(start)
    if rest:
        return None
    steps = [1] * len(strides)
    order: list[int | None] = []
    used = set()
    for length, stride in zip(view.shape, view.strides, strict=True):
        if length == 1 or stride == 0:
            order.append(None)
            continue
        if stride < 0:
            return None
        for axis, step in enumerate(strides):
            if (
                buffer.shape[axis] > 1
                and axis not in used
                and stride % step == 0
                and starts[axis] + (length - 1) * (stride // step) < buffer.shape[axis]
            ):
                used.add(axis)
                order.append(axis)
                steps[axis] = stride // step
                break
        else:
            return None
    return Selection(tuple(starts), tuple(steps), tuple(order))


def selected(base: View, chosen: Selection, shape: Shape) -> View:
    """The same choice made from another view of the buffer's shape."""
    offset = base.offset + sum(
        start * stride for start, stride in zip(chosen.starts, base.strides, strict=True)
    )
    strides = tuple(
        [0 if axis is None else chosen.steps[axis] * base.strides[axis] for axis in chosen.order]
    )
    return View(base.buffer, offset, shape, strides)


def located_once(view: View) -> View | None:
    """The view in terms of the buffer in which its own lies; None if it has no such form."""
    place = view.buffer.place
    assert place is not None
    if place.is_contiguous:
        return View(place.buffer, place.offset + view.offset, view.shape, view.strides)
    chosen = selection(view)
    return None if chosen is None else selected(place, chosen, view.shape)


def located(view: View) -> View | None:
    """The view in terms of the buffer that has memory of its own; None if it has no such form."""
    found: View | None = view
    while found is not None and found.buffer.place is not None:
        found = located_once(found)
    return found


def extent(view: View) -> tuple[int, int]:
    """The first element of the buffer that a view reaches, and the one after the last."""
    low = high = view.offset
    for length, stride in zip(view.shape, view.strides, strict=True):
        if length == 0:
            return view.offset, view.offset
        reach = (length - 1) * stride
        low += min(reach, 0)
        high += max(reach, 0)
    return low, high + 1
