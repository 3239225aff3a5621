"""Element-wise operations whose results are only stacked are done once, on the stack.

A bias added to the logits of each step before they are stacked, the square roots of the norms of
all gradients: T small kernels become one.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_rnn.jit.graph import (
    Buffer,
    Graph,
    Op,
    Scalar,
    View,
    expanded,
    unbound,
    whole,
)
from tinygrad_rnn.jit.passes.uses import Uses

# Elements of a stack above which its parts are better computed where their inputs are at hand.
MOST_ELEMENTS = 4096


def compute_on_stacks(graph: Graph) -> str:
    """Move element-wise operations behind the joins that take nothing but their results."""
    uses = Uses(graph)
    ops: list[Op] = []
    gone: set[Op] = set()
    stacks = 0
    for op in graph.ops:
        made = _moved(op, uses, gone) if op.kind == "join" else []
        stacks += len([one for one in made if one.kind == "map"])
        ops += made or [op]
    graph.ops = [op for op in ops if op not in gone]
    return f"{len(gone)} element-wise operations became {stacks}" if stacks else ""


def _moved(join: Op, uses: Uses, gone: set[Op]) -> list[Op]:
    """The operations that take the place of a join, if it and its parts are such."""
    maps = _maps(join, uses)
    if not maps:
        return []
    shape = (len(maps), *maps[0].output.shape)
    before: list[Op] = []
    inputs: list[View | Scalar] = []
    for terms in zip(*(op.inputs for op in maps), strict=True):
        joined = _common(terms, shape) or _evenly_spaced(terms) or _joined(terms, join, uses)
        if joined is None:
            return []
        if isinstance(joined, Op):
            before.append(joined)
            inputs.append(whole(joined.output.buffer))
        else:
            inputs.append(joined)
    first = maps[0]
    buffer = Buffer(shape, first.output.dtype)
    made = Op("map", first.name, inputs, [whole(buffer)], join.entry, join.position, first.params)
    uses.replace(join.output.buffer, lambda view: view._replace(buffer=buffer))
    gone.update(maps)
    further: list[Op] = []
    for op in before:
        for i, x in enumerate(op.inputs):
            assert isinstance(x, View)
            uses.readers[x.buffer] = [(op, i)]
        uses.readers[op.output.buffer] = [(made, made.inputs.index(whole(op.output.buffer)))]
        further += _moved(op, uses, gone) or [op]
    return [*further, made]


def _maps(join: Op, uses: Uses) -> list[Op]:
    """The operations of one kind that made the parts, if these lie behind each other in order."""
    buffer = join.output.buffer
    parts = [x for x in join.inputs if isinstance(x, View)]
    targets: Sequence[View] = join.params["targets"]
    if len(parts) < 2 or buffer.size == 0 or len(buffer.writers) > 1:
        return []
    size = parts[0].size
    offsets = [i * size for i in range(len(parts))]
    if [target.offset for target in targets] != offsets or size * len(parts) != buffer.size:
        return []
    maps = []
    for part, target in zip(parts, targets, strict=True):
        made = part.buffer
        if len(made.writers) != 1 or uses.count(made) != 1 or not target.is_contiguous:
            return []
        if part.size != size or made.size != size or not part.is_contiguous:
            return []
        maps.append(made.writers[0])
    first = maps[0]
    alike = all(
        op.kind == "map"
        and not op.after
        and op.output.is_whole
        and (op.name, op.params, op.output.shape) == (first.name, first.params, first.output.shape)
        and op.output.dtype == first.output.dtype
        and [(type(x), x.dtype) for x in op.inputs] == [(type(x), x.dtype) for x in first.inputs]
        for op in maps
    )
    return maps if alike else []


def _common(terms: Sequence[View | Scalar], shape: tuple[int, ...]) -> View | Scalar | None:
    """One input of all."""
    first = terms[0]
    if any(x != first for x in terms):
        return None
    return expanded(first, shape) if isinstance(first, View) else first


def _evenly_spaced(terms: Sequence[View | Scalar]) -> View | None:
    """Views of one buffer, each as far behind the one before, as one with an axis in front."""
    first, second = terms[0], terms[1]
    if not isinstance(first, View) or not isinstance(second, View):
        return None
    step = second.offset - first.offset
    for i, view in enumerate(terms):
        if view != first._replace(offset=first.offset + i * step):
            return None
    return first._replace(shape=(len(terms), *first.shape), strides=(step, *first.strides))


def _joined(terms: Sequence[View | Scalar], join: Op, uses: Uses) -> Op | None:
    """Small results that nobody else needs, to be written one behind the other."""
    first = terms[0]
    shape = first.shape if isinstance(first, View) else ()
    for view in terms:
        free = (
            isinstance(view, View)
            and view.shape == shape
            and view.is_whole
            and view.buffer.origin == "computed"
            and uses.count(view.buffer) == 1
        )
        if not free:
            return None
    buffer = Buffer((len(terms), *shape), first.dtype)
    if buffer.size > MOST_ELEMENTS:
        return None
    made = Op("join", "join", terms, [whole(buffer)], join.entry, join.position)
    made.params["targets"] = unbound(whole(buffer), 0)
    return made
