"""A product with one-hot rows becomes a look-up: onehot(i) W is row i of W.

And its gradient, onehotᵀ g, adds each row of g to the row of its index. Only where the indices are
known to lie within the classes, so that every one-hot row has its 1.
"""

from __future__ import annotations

import numpy as np

from tinygrad_rnn.jit.graph import Buffer, Graph, Op, Scalar, View, permuted, reshaped, whole

# Turning a matrix pays once a third of its rows are looked up.
RARE = 3


def look_up_one_hot(graph: Graph) -> str:
    """Replace products whose one operand is one-hot."""
    checks = [op for op in graph.ops if op.kind == "range"]
    tables = _Tables(graph)
    ops: list[Op] = []
    count = 0
    for op in graph.ops:
        made: list[Op] | None = None
        if op.kind == "product" and len(op.inputs) == 2 and len(op.output.shape) == 2:
            made = _row_by_row(op, checks, tables)
        elif op.kind == "sum_products" and len(op.inputs) == 2:
            made = _add_where_looked_up(op, checks)
        if made is None:
            ops.append(op)
            continue
        count += 1
        op.output.buffer.writers.remove(op)
        ops += made
    graph.ops = ops
    return f"{count} products with one-hot rows became look-ups" if count else ""


class _Tables:
    """Matrices whose rows are looked up; those looked up often are laid out row by row first."""

    def __init__(self, graph: Graph) -> None:
        self._rows: dict[View, int] = {}
        self._turned: dict[View, View] = {}
        for op in graph.ops:
            if op.kind == "product" and isinstance(op.inputs[1], View):
                right = op.inputs[1]
                self._rows[right] = self._rows.get(right, 0) + op.output.shape[0]

    def with_rows(self, table: View, op: Op, made: list[Op]) -> View:
        """The matrix, or a copy with neighbouring columns, whose making is added to `made`."""
        rare = self._rows[table] * RARE < table.shape[0]
        if table.strides[1] == 1 or rare:
            return table
        if table not in self._turned:
            buffer = Buffer(table.shape, table.dtype)
            made.append(Op("map", "copy", [table], [whole(buffer)], op.entry, op.position))
            self._turned[table] = whole(buffer)
        return self._turned[table]


def _row_by_row(op: Op, checks: list[Op], tables: _Tables) -> list[Op] | None:
    found = _index_of(op.inputs[0], checks)
    table = op.inputs[1]
    if found is None or not isinstance(table, View):
        return None
    index, check = found
    made: list[Op] = []
    inputs = [tables.with_rows(table, op, made), index]
    params = {"check": check}
    look_up = Op("look_up", "look_up", inputs, op.outputs, op.entry, op.position, params)
    return [*made, look_up]


def _add_where_looked_up(op: Op, checks: list[Op]) -> list[Op] | None:
    """Σ gᵀ onehot, computed with classes as rows and then turned."""
    g = op.inputs[0]
    found = _index_of(op.inputs[1], checks)
    if found is None or not isinstance(g, View) or not g.is_contiguous:
        return None
    index, _ = found
    columns, classes = op.output.shape
    table = whole(Buffer((classes, columns), op.output.dtype))
    zero = Scalar(0.0, op.output.dtype)
    cleared = Op("map", "copy", [zero], [table], op.entry, op.position)
    added = Op("add_rows", "add_rows", [index, g], [table], op.entry, op.position)
    added.after.append(cleared)
    turned = Op("map", "copy", [permuted(table, (1, 0))], op.outputs, op.entry, op.position)
    return [cleared, added, turned]


def _index_of(view: View | Scalar, checks: list[Op]) -> tuple[View, int] | None:
    """The indices of which a matrix is the one-hot form, and the check that bounds them."""
    cast = _writer(view, "cast")
    if cast is None or not isinstance(view, View) or not view.is_contiguous:
        return None
    equal = _writer(cast.inputs[0], "eq")
    if equal is None or cast.inputs[0] != equal.output:
        return None
    index, numbers = equal.inputs
    if not isinstance(index, View) or not isinstance(numbers, View):
        return None
    classes = equal.output.shape[-1]
    array = numbers.buffer.array
    if array is None or not np.array_equal(array.reshape(-1), np.arange(classes)):
        return None
    steps = numbers.strides
    if view.shape[-1] != classes or index.strides[-1] != 0 or steps[-1] != 1 or any(steps[:-1]):
        return None
    bounded = next((op for op in checks if _bounds(op, index, classes)), None)
    single = index._replace(shape=index.shape[:-1], strides=index.strides[:-1])
    rows = reshaped(single, (view.shape[0],))
    if bounded is None or rows is None or index.dtype != np.int64 or not rows.is_contiguous:
        return None
    return rows, int(bounded.params["check"])


def _bounds(op: Op, index: View, classes: int) -> bool:
    checked = next(op.reads())
    inside = op.params["low"] >= 0 and op.params["high"] <= classes
    same = checked.buffer is index.buffer and checked.size == checked.buffer.size
    return bool(inside and op.params["ignore"] is None and same)


def _writer(view: View | Scalar, name: str) -> Op | None:
    """The element-wise operation of this name that writes the whole buffer of a view."""
    if not isinstance(view, View) or len(view.buffer.writers) != 1:
        return None
    op = view.buffer.writers[0]
    whole_of_it = op.kind == "map" and op.name == name and op.output.is_whole
    return op if whole_of_it and view.size == view.buffer.size else None
