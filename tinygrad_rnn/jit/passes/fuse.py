"""Chains of element-wise operations on one shape become one operation.

Every operation has a stage: one more than what it reads from another kernel. Operations of one
stage that hand each other their results element by element belong together; no path can leave such
a group and come back, because it would gain a stage on the way.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, Scalar, View, expanded, whole
from tinygrad_rnn.jit.passes.order import Memory

MOST_STEPS = 40
MOST_INPUTS = 24
# Constants that are written into the code; others are read from memory, so that the same code
# serves all values.
_LITERALS = {0.0, 1.0, -1.0, 2.0, -2.0, 0.5}


class _Group:
    """Operations that become one, and the views they read from outside."""

    __slots__ = ("inputs", "ops")

    def __init__(self, op: Op) -> None:
        self.ops = [op]
        self.inputs = set(op.reads())

    def leave(self, op: Op) -> None:
        """Take an operation out."""
        self.ops.remove(op)
        self.inputs = {view for other in self.ops for view in other.reads()}


def fuse(graph: Graph, together: bool = True) -> str:
    """Replace every element-wise operation by a fused one, of one or several steps."""
    memory = Memory(graph.ops)
    stage: dict[Op, int] = {}
    group_of: dict[Op, _Group] = {}
    # Who reads an operation's results, and whether element by element.
    readers: dict[Op, list[tuple[Op, bool]]] = {}
    for op in graph.ops:
        aligned: list[Op] = []
        level = 0
        mine = set(op.reads()) if op.kind == "map" and not op.after else set()
        for before in memory.before(op):
            near = (
                together
                and before.kind == "map"
                and not before.after
                and before.output in mine
                and before.output.shape == op.output.shape
                and not _reads_elsewhere(memory, mine, before)
            )
            level = max(level, stage[before] + (0 if near else 1))
            readers.setdefault(before, []).append((op, near))
            if near:
                aligned.append(before)
        if op.kind == "map":
            group = group_of[op] = _Group(op)
            for before in {id(b): b for b in aligned}.values():
                other = group_of[before]
                if stage[before] != level or other is group:
                    continue
                if not _fits(group, other):
                    level += 1
                    group = group_of[op] = _Group(op)
                    break
                _absorb(group, other, group_of)
        stage[op] = level
    if together:
        _postpone(graph, stage, group_of, readers)
    groups = {id(group): group for group in group_of.values() if group.ops}
    uses = _outside_uses(graph, group_of)
    scalars = _Scalars()
    fused = {id(g): _fused(g, uses, scalars) for g in groups.values()}
    placed: set[int] = set()
    ops: list[Op] = []
    for op in graph.ops:
        found = group_of.get(op)
        if found is None:
            ops.append(op)
        elif id(found) not in placed:
            placed.add(id(found))
            ops.append(fused[id(found)])
    for op in ops:
        waits = [fused[id(group_of[b])] if b in group_of else b for b in op.after]
        op.after = [b for b in dict.fromkeys(waits) if b is not op]
    graph.ops = ops
    count = sum(len(group.ops) for group in groups.values())
    return f"{count} element-wise operations became {len(groups)} kernels" if groups else ""


def _reads_elsewhere(memory: Memory, views: set[View], before: Op) -> bool:
    """Whether some view shows elements of a result in other places than their own."""
    return any(view != before.output and before in memory.writers(view) for view in views)


def _postpone(
    graph: Graph,
    stage: dict[Op, int],
    group_of: dict[Op, _Group],
    readers: dict[Op, list[tuple[Op, bool]]],
) -> None:
    """Compute what only later stages read together with the first of its readers."""
    leaving = {sink.view.buffer for sink in graph.sinks}
    for op in reversed(graph.ops):
        after = readers.get(op, [])
        if op.kind != "map" or op.after or not after or op.output.buffer in leaving:
            continue
        if not all(near for _, near in after):
            continue
        later = min(stage[reader] for reader, _ in after)
        if later <= stage[op]:
            continue
        group = _Group(op)
        others = {
            id(group_of[reader]): group_of[reader]
            for reader, _ in after
            if stage[reader] == later
        }
        if not all(_fits(group, other) for other in others.values()):
            continue
        group_of[op].leave(op)
        stage[op] = later
        group_of[op] = group
        for other in others.values():
            if _fits(group, other):
                _absorb(group, other, group_of)


def _fits(one: _Group, other: _Group) -> bool:
    made = {op.output for op in (*one.ops, *other.ops)}
    inputs = (one.inputs | other.inputs) - made
    return len(one.ops) + len(other.ops) <= MOST_STEPS and len(inputs) <= MOST_INPUTS


def _absorb(mine: _Group, other: _Group, group_of: dict[Op, _Group]) -> None:
    mine.ops = other.ops + mine.ops
    mine.inputs |= other.inputs
    for op in other.ops:
        group_of[op] = mine


def _outside_uses(graph: Graph, group_of: dict[Op, _Group]) -> dict[Buffer, set[int]]:
    """For every buffer, the groups (0: no group) that read it."""
    found: dict[Buffer, set[int]] = {}
    for op in graph.ops:
        group = group_of.get(op)
        for view in op.reads():
            found.setdefault(view.buffer, set()).add(0 if group is None else id(group))
    for sink in graph.sinks:
        found.setdefault(sink.view.buffer, set()).add(0)
    return found


def _fused(group: _Group, uses: dict[Buffer, set[int]], scalars: _Scalars) -> Op:
    ops = sorted(group.ops, key=lambda op: op.position)
    ops = _in_order(ops)
    inputs: dict[View, int] = {}
    made: dict[View, int] = {}
    internal = {op.output for op in ops}
    shape = ops[0].output.shape
    for op in ops:
        for x in op.inputs:
            if isinstance(x, Scalar) and not _is_literal(x):
                inputs.setdefault(scalars.view(x, shape), len(inputs))
            elif isinstance(x, View) and (x not in internal or op.after or x == op.output):
                inputs.setdefault(x, len(inputs))
    steps: list[tuple[str, tuple[Any, ...], str]] = []
    outputs: list[tuple[int, View]] = []
    for op in ops:
        arguments: list[Any] = []
        for x in op.inputs:
            if isinstance(x, Scalar):
                arguments.append(x if _is_literal(x) else inputs[scalars.view(x, shape)])
            else:
                known = made.get(x) if x != op.output else None
                arguments.append(inputs[x] if known is None else known)
        number = len(inputs) + len(steps)
        steps.append((op.name, tuple(arguments), str(op.output.dtype)))
        made[op.output] = number
        buffer = op.output.buffer
        readers = uses.get(buffer, set())
        if buffer.place is not None or not op.output.is_whole or readers - {id(group)}:
            outputs.append((number, op.output))
    last = max(ops, key=lambda op: op.position)
    fused = Op(
        "fused",
        "+".join(op.name for op in ops),
        list(inputs),
        [view for _, view in outputs],
        last.entry,
        last.position,
        {"steps": steps, "stored": [number for number, _ in outputs], "members": ops},
    )
    for op in ops:
        fused.after += op.after
    return fused


def _in_order(ops: list[Op]) -> list[Op]:
    """Sort the operations of a group so that results come before their use."""
    by_output = {op.output: op for op in ops if not op.after}
    done: dict[Op, None] = {}
    for op in ops:
        pending = [op]
        while pending:
            last = pending[-1]
            missing = [
                by_output[x]
                for x in last.reads()
                if x in by_output and by_output[x] not in done and by_output[x] is not last
            ]
            if missing:
                pending += missing
            else:
                done[pending.pop()] = None
    return list(done)


def _is_literal(x: Scalar) -> bool:
    if isinstance(x.value, (bool, np.bool_)):
        return True
    value = float(x.value)
    return value in _LITERALS and (value != 0.0 or math.copysign(1.0, value) > 0.0)


class _Scalars:
    """Constants in memory, each once."""

    def __init__(self) -> None:
        # By text, which tells 0.0 from -0.0.
        self._known: dict[tuple[str, Any], Buffer] = {}

    def view(self, x: Scalar, shape: tuple[int, ...]) -> View:
        """The constant, repeated over a shape."""
        key = (repr(x.value), x.dtype)
        buffer = self._known.get(key)
        if buffer is None:
            buffer = self._known[key] = Buffer((), x.dtype, "constant")
            buffer.array = np.asarray(x.value, x.dtype)
        return expanded(whole(buffer), shape)
