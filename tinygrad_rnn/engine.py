"""Reverse-mode differentiation of a recorded graph.

A *value* is anything with `shape`, `_node` (the `Node` that made it, or None for a leaf),
`_slot` (which of that node's outputs it is), `+`, `sum_to_size(shape)` and
`_accumulate(other)`. The engine knows no array library and no operation, and may import nothing
but `errors`. What it does is one sentence: visit the nodes from the last recorded to the first,
hand each the total gradient of its outputs, and pass on what it answers to its inputs.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_rnn.errors import GraphError

Value = Any
# Hooks by the handle that removes them.
Hooks = dict[Any, Callable[[Any], Any]]

_clock = itertools.count(1)


def now() -> int:
    """Return the next tick of the clock that orders recordings and mutations."""
    return next(_clock)


class Node:
    """One recorded operation: its inputs, and how a gradient is pulled back through it.

    `inputs` is None once the graph has been released. Nodes are numbered as they are recorded, so
    descending numbers are a topological order and no recursion is needed, however deep the graph.
    """

    __slots__ = ("hooks", "inputs", "name", "order", "outputs", "retained", "tracked")

    inputs: tuple[Value, ...] | None
    # What the user calls the output, "f" for a forget gate; not set on most nodes.
    name: str

    def __init__(
        self, inputs: tuple[Value, ...], tracked: Sequence[int], outputs: int = 1
    ) -> None:
        self.inputs = inputs
        # 1 for inputs that require a gradient; bytes, so that collecting garbage need not look.
        self.tracked = tracked
        self.outputs = outputs
        self.order = next(_clock)
        self.hooks: dict[int, Hooks] | None = None
        self.retained: dict[int, Callable[[], Value | None]] | None = None

    def tracked_inputs(self) -> list[Value]:
        """Return the inputs that require a gradient."""
        return list(itertools.compress(self.inputs or (), self.tracked))

    def pull(self, gradients: Sequence[Value | None], wanted: Sequence[int]) -> Sequence[Any]:
        """Return one contribution (a value, a `Deferred` or None) for each input that is wanted.

        `gradients` holds the total gradient of each output; None means that none arrived.
        """
        raise NotImplementedError

    def settled(self, value: Value) -> Value:
        """Replace an input that was changed in place since by what it was; return that.

        Raises GraphError if this needs its numbers.
        """
        raise GraphError(
            f"{self.describe()} used a tensor of shape {tuple(value.shape)} that was changed in "
            f"place since, by {value._node.describe()}. Use it after all changes, or use a clone()."
        )

    def release(self) -> None:
        """Forget the inputs and whatever was saved for `pull`."""
        self.inputs = None

    def describe(self) -> str:
        """Name this operation in an error message."""
        return type(self).__name__


class Edge:
    """Stands in for an input whose numbers `pull` does not need, so that they can be freed."""

    __slots__ = ("_node", "_slot", "dtype", "shape")

    def __init__(self, node: Node | None, slot: int, shape: tuple[int, ...], dtype: Any) -> None:
        self._node = node
        self._slot = slot
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)


class Deferred:
    """A contribution that is cheaper to sum together with the others of its kind.

    T slices of one tensor, or T products aᵀg into one weight, become a single operation over all
    of them. Until then the parts stay separate, which is also what shows each time step's share.
    """

    __slots__ = ()

    shape: tuple[int, ...]

    def total(self, parts: Sequence[Any]) -> Value:
        """Return the sum of `parts`, all of this type and for the same input; self is the first."""
        raise NotImplementedError


class Accumulator:
    """The gradient of one value while its contributions arrive."""

    __slots__ = ("_deferred", "_owned", "_sum")

    def __init__(self) -> None:
        self._sum: Value | None = None
        self._owned = False
        self._deferred: list[Deferred] | None = None

    def add(self, contribution: Any, shape: tuple[int, ...], in_place: bool) -> None:
        """Add a contribution to a value of `shape`, undoing the broadcast that the forward did."""
        if isinstance(contribution, Deferred):
            if self._deferred is None:
                self._deferred = []
            self._deferred.append(contribution)
            return
        if contribution.shape != shape:
            contribution = contribution.sum_to_size(shape)
        if self._sum is None:
            self._sum = contribution
        elif self._owned and in_place:
            self._sum = self._sum._accumulate(contribution)
        else:
            # A first contribution may be shared with other inputs, so the sum is a new buffer.
            self._sum = self._sum + contribution
            self._owned = True

    def total(self, in_place: bool) -> Value:
        """Return the sum of everything that arrived."""
        if self._deferred is not None:
            kinds: dict[type, list[Deferred]] = {}
            for part in self._deferred:
                kinds.setdefault(type(part), []).append(part)
            self._deferred = None
            for parts in kinds.values():
                summed = parts[0].total(parts)
                fresh = self._sum is None
                self.add(summed, summed.shape, in_place)
                self._owned = self._owned or fresh
        return self._sum

    def own_total(self, in_place: bool) -> Value:
        """Return the sum in a buffer that no other gradient shares."""
        total = self.total(in_place)
        return total if self._owned else total.clone()


def reachable(
    roots: Iterable[Value], stop: frozenset[tuple[Node, int]] | None = None
) -> list[Node]:
    """Return the nodes that the roots depend on, the last recorded first.

    Outputs named in `stop` are treated as leaves. Raises GraphError at a released node.
    """
    found: set[Node] = set()
    pending: list[Node] = []
    values = roots
    consumer: Node | None = None
    while True:
        for value in values:
            node = value._node
            if node is None:
                continue
            if consumer is not None and node.order > consumer.order:
                value = consumer.settled(value)
                node = value._node
            if node in found or (stop and (node, value._slot) in stop):
                continue
            if node.inputs is None:
                raise GraphError(_released(value, node, consumer))
            found.add(node)
            pending.append(node)
        if not pending:
            return sorted(found, key=_recorded_at, reverse=True)
        consumer = pending.pop()
        values = consumer.tracked_inputs()


_recorded_at = operator.attrgetter("order")


def _released(value: Value, node: Node, consumer: Node | None) -> str:
    if consumer is None:
        return (
            f"backward ran through {node.describe()} before, and its graph was released. "
            "Call backward(retain_graph=True) the first time if you need to run it twice."
        )
    return (
        f"{consumer.describe()} used a tensor of shape {tuple(value.shape)} made by "
        f"{node.describe()}, whose graph an earlier backward released: the tensor still carried "
        "its history. Detach it at the edge of the window (state = detach_state(state), or "
        "x = x.detach()), or keep the graph with backward(retain_graph=True)."
    )


class Gradients:
    """What one backward pass found: totals of leaves, and of the outputs that were asked for."""

    __slots__ = ("leaves", "outputs")

    def __init__(self) -> None:
        self.leaves: dict[Value, Value] = {}
        self.outputs: dict[tuple[Node, int], Value] = {}

    def of(self, value: Value) -> Value | None:
        """Return the gradient of `value`, or None if none reached it."""
        if value._node is None:
            return self.leaves.get(value)
        return self.outputs.get((value._node, value._slot))


def backpropagate(
    roots: Sequence[tuple[Value, Value]],
    targets: Sequence[Value] | None = None,
    keep: bool = False,
    in_place: bool = True,
    stop_at_targets: bool = False,
) -> Gradients:
    """Pull the seeds of `roots` (pairs of value and gradient) back through the graph.

    With `targets` only what leads to them is visited, otherwise everything that requires a
    gradient. `keep` leaves the graph for another pass; `in_place=False` makes the sums part of a
    graph themselves; `stop_at_targets` treats the targets as leaves. Gradients are dropped as they
    are used: what is returned are those of leaves and targets.
    """
    found = Gradients()
    wanted_outputs = frozenset((t._node, t._slot) for t in targets or () if t._node is not None)
    stop = wanted_outputs if stop_at_targets else None
    nodes = reachable((value for value, _ in roots), stop)
    leads = None if targets is None else _leading_to(nodes, targets, wanted_outputs)

    pending: dict[Node, list[Accumulator | None]] = {}
    leaves: dict[Value, Accumulator] = {}

    def deposit(value: Value, contribution: Any) -> None:
        node = value._node
        if node is None:
            accumulator = leaves.get(value)
            if accumulator is None:
                accumulator = leaves[value] = Accumulator()
        else:
            slots = pending.get(node)
            if slots is None:
                slots = pending[node] = [None] * node.outputs
            accumulator = slots[value._slot]
            if accumulator is None:
                accumulator = slots[value._slot] = Accumulator()
        accumulator.add(contribution, value.shape, in_place)

    for value, seed in roots:
        deposit(value, seed)

    for node in nodes:
        slots = pending.pop(node, None)
        if slots is None:
            continue
        gradients = []
        for accumulator in slots:
            gradients.append(None if accumulator is None else accumulator.total(in_place))
        if node.hooks is not None:
            for slot, hooks in node.hooks.items():
                if gradients[slot] is not None:
                    gradients[slot] = _hooked(gradients[slot], hooks)
        if node.retained is not None:
            _retain(node.retained, gradients)
        if wanted_outputs:
            for slot, gradient in enumerate(gradients):
                if (node, slot) in wanted_outputs and gradient is not None:
                    found.outputs[node, slot] = gradient.clone()
        inputs = node.inputs
        assert inputs is not None
        wanted = node.tracked
        if leads is not None:
            wanted = bytes(map(leads, inputs, wanted))
        if 1 in wanted:
            contributions = node.pull(gradients, wanted)
            for x, want, contribution in zip(inputs, wanted, contributions, strict=True):
                if want and contribution is not None:
                    deposit(x, contribution)
        if not keep:
            node.release()

    for node, slots in pending.items():
        # Only outputs at which the pass was told to stop are left over.
        for slot, leftover in enumerate(slots):
            if leftover is not None:
                found.outputs[node, slot] = leftover.own_total(in_place)
    for leaf, accumulator in leaves.items():
        gradient = accumulator.own_total(in_place)
        found.leaves[leaf] = _hooked(gradient, leaf._hooks) if leaf._hooks else gradient
    return found


def _leading_to(
    nodes: Sequence[Node], targets: Sequence[Value], outputs: frozenset[tuple[Node, int]]
) -> Callable[..., bool]:
    """Return a predicate: does a gradient that arrives at this value reach one of the targets?"""
    leaf_ids = {id(t) for t in targets if t._node is None}
    useful: set[Node] = set()

    def leads(x: Value, tracked: int = 1) -> bool:
        if not tracked:
            return False
        node = x._node
        if node is None:
            return id(x) in leaf_ids
        return node in useful or (node, x._slot) in outputs

    for node in reversed(nodes):
        if any(leads(x) for x in node.tracked_inputs()):
            useful.add(node)
    return leads


def _hooked(gradient: Value, hooks: Hooks) -> Value:
    """Pass a gradient through the hooks of its value, each of which may replace it."""
    for hook in list(hooks.values()):
        replacement = hook(gradient)
        if replacement is None:
            continue
        if type(replacement) is not type(gradient):
            raise GraphError(
                f"a hook returned a {type(replacement).__name__}; it has to return a "
                f"{type(gradient).__name__} or None"
            )
        for aspect in ("shape", "dtype"):
            have, want = getattr(replacement, aspect), getattr(gradient, aspect)
            if have != want:
                raise GraphError(f"a hook returned a gradient of {aspect} {have}, not {want}")
        gradient = replacement
    return gradient


def _retain(
    retained: dict[int, Callable[[], Value | None]], gradients: Sequence[Value | None]
) -> None:
    for slot, reference in retained.items():
        tensor = reference()
        gradient = gradients[slot]
        if tensor is not None and gradient is not None:
            tensor.grad = gradient.clone() if tensor.grad is None else tensor.grad + gradient
