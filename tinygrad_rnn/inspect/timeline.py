"""Which time step each number of the graph belongs to, also outside the loop over time.

What is recorded inside a step says so itself. What is computed for all steps at once (a projection
of the whole input, an embedding, the output layer) has an axis of time: its numbers belong to the
step that they came from (through `stack`) or go to (through `unbind`). Labels are arrays of step
numbers, moved about by the operations that move the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.engine import Node
from tinygrad_rnn.inspect.arguments import Array
from tinygrad_rnn.inspect.backward import Use, step_of
from tinygrad_rnn.tensor import Operation, Tensor

_MOVES = frozenset({"reshape", "permute", "expand", "getitem", "unbind", "split"})
_JOINS = frozenset({"stack", "cat"})
_PRODUCTS = frozenset({"linear", "matmul"})

Labels = Array | None


def uses_of(nodes: Sequence[Node]) -> dict[Any, list[Use]]:
    """Return who uses each value: by (node, slot), leaves by themselves. Only tracked inputs."""
    uses: dict[Any, list[Use]] = {}
    for node in nodes:
        for i, (value, tracked) in enumerate(zip(node.inputs or (), node.tracked, strict=True)):
            if tracked:
                key = value if value._node is None else (value._node, value._slot)
                uses.setdefault(key, []).append(Use(node, i))
    return uses


class Timeline:
    """The time steps of the outputs of recorded nodes, given in the order of recording."""

    def __init__(self, nodes: Sequence[Node], uses: dict[Any, list[Use]]) -> None:
        self._shapes = {
            key: use.node.inputs[use.place].shape
            for key, (use, *_) in uses.items()
            if use.node.inputs is not None
        }
        self._labels: dict[tuple[Node, int], Labels] = {}
        if all(step_of(node) is None for node in nodes):
            return
        for node in nodes:
            for slot, labels in enumerate(self._from_inputs(node)):
                self._labels[node, slot] = labels
        for node in reversed(nodes):
            for slot in range(node.outputs):
                if self._labels.get((node, slot)) is None:
                    self._labels[node, slot] = self._from_uses(
                        self._shapes.get((node, slot)), uses.get((node, slot), ())
                    )

    def labels(self, node: Node, slot: int) -> Labels:
        """Return the step of every number of an output, in its shape; None where unknown."""
        return self._labels.get((node, slot))

    # ------------------------------------------------------------------ from where it came

    def _from_inputs(self, node: Node) -> Sequence[Labels]:
        unknown = [None] * node.outputs
        step = step_of(node)
        if step is not None:
            shapes = [self._shapes.get((node, slot)) for slot in range(node.outputs)]
            return [None if s is None else np.broadcast_to(np.int64(step), s) for s in shapes]
        if not isinstance(node, Operation) or not node.inputs:
            return unknown
        given = [self._of_input(x) for x in node.inputs]
        name = node.primitive.name
        if name in _JOINS:
            if any(labels is None for labels in given):
                return unknown
            return [node.primitive.forward(*given, **node.params)]
        if given[0] is not None and name in _MOVES:
            rest = [x._array for x in node.inputs[1:]]
            moved = node.primitive.forward(given[0], *rest, **node.params)
            return moved if node.primitive.multiple else [moved]
        shape = self._shapes.get((node, 0))
        if node.outputs != 1 or shape is None:
            return unknown
        if name in _PRODUCTS:
            return [_with_last(given[0], shape)]
        for labels in given:
            if labels is not None:
                return [_reduced(labels, shape, node.params)]
        return unknown

    def _of_input(self, x: Any) -> Labels:
        node = getattr(x, "_node", None)
        return None if node is None else self._labels.get((node, x._slot))

    # ------------------------------------------------------------------ to where it goes

    def _from_uses(self, shape: tuple[int, ...] | None, uses: Sequence[Use]) -> Labels:
        found: Labels = None
        for use in uses:
            labels = None if shape is None else self._towards(use, shape)
            if labels is None:
                continue
            if found is not None and not np.array_equal(found, labels):
                return None
            found = labels
        return found

    def _towards(self, use: Use, shape: tuple[int, ...]) -> Labels:
        """Return the labels of an input of `shape`, as the outputs of its user have them."""
        node = use.node
        step = step_of(node)
        if not isinstance(node, Operation):
            return None
        name = node.primitive.name
        after = [self._labels.get((node, slot)) for slot in range(node.outputs)]
        if name == "unbind":
            slots = [self._steps_of_uses(node, slot) for slot in range(node.outputs)]
            if any(s is None for s in slots):
                return None
            axis = node.params["axis"]
            one = [np.int64(s) for s in slots if s is not None]
            column = np.array(one).reshape([-1 if i == axis else 1 for i in range(len(shape))])
            return np.broadcast_to(column, shape)
        if step is not None:
            return np.broadcast_to(np.int64(step), shape)
        labels = after[0]
        if node.outputs != 1 or labels is None:
            return None
        if name in _PRODUCTS:
            return _with_last(labels, shape) if use.place == 0 else None
        if name == "permute":
            return labels.transpose(np.argsort(node.params["axes"]))
        if name == "reshape":
            return labels.reshape(shape)
        return labels if labels.shape == shape and name not in _MOVES | _JOINS else None

    def _steps_of_uses(self, node: Node, slot: int) -> int | None:
        labels = self._labels.get((node, slot))
        if labels is None or labels.size == 0:
            return None
        return int(labels.flat[0]) if (labels == labels.flat[0]).all() else None


def _with_last(labels: Labels, shape: tuple[int, ...]) -> Labels:
    """Return labels of rows for rows of another length; None where a row mixes steps."""
    if labels is None or labels.ndim != len(shape) or labels.shape[:-1] != shape[:-1]:
        return None
    first = labels[..., :1]
    return np.broadcast_to(first, shape) if (labels == first).all() else None


def _reduced(labels: Array, shape: tuple[int, ...], params: dict[str, Any]) -> Labels:
    """Return labels of a result of `shape`: element-wise, or summed over axes within a step."""
    if "keepdims" in params:
        axes = params["axis"]
        for axis in sorted(axes if isinstance(axes, tuple) else (axes,), reverse=True):
            first = labels.take([0], axis) if labels.shape[axis] else None
            if first is None or not (labels == first).all():
                return None
            labels = first if params["keepdims"] else first.squeeze(axis)
    try:
        return np.broadcast_to(labels, shape)
    except ValueError:
        return None


def masked(gradient: Tensor | None, labels: Labels, step: int) -> Tensor | None:
    """Return a gradient with the numbers that belong to other steps set to zero."""
    if gradient is None or labels is None:
        return None
    return gradient * Tensor((labels == step).astype(gradient.dtype))
