"""A sum of many sums of one kind becomes one: the gradient of a bias that every step uses."""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Graph, Op, View
from tinygrad_rnn.jit.passes.accumulate import Term, inner_sum, is_inner_sum, is_sum, terms_of
from tinygrad_rnn.jit.passes.uses import Uses

FEWEST = 3


def sum_at_once(graph: Graph) -> str:
    """Collect Σ_t Σ x_t into one operation over all x_t."""
    uses = Uses(graph)
    gone: set[Op] = set()
    made: dict[Op, Op] = {}
    count = 0
    for op in graph.ops:
        if not is_sum(op) or is_inner_sum(op, uses):
            continue
        terms = terms_of(op, uses)
        parts = [_reduction(term, uses) for term in terms]
        if len(parts) < FEWEST or any(part is None for part in parts):
            continue
        found = [part for part in parts if part is not None]
        if len({_kind(part) for part in found}) > 1:
            continue
        inputs = [next(part.reads()) for part in found]
        many = Op(
            "sum_reduced",
            "sum",
            inputs,
            [op.output],
            op.entry,
            op.position,
            {"axis": found[0].params["axis"]},
        )
        op.output.buffer.writers.remove(op)
        gone.update(found)
        gone.update(node for node, _ in terms)
        gone.update(_inner(op, uses))
        made[op] = many
        count += len(found)
    graph.ops = [made.get(op, op) for op in graph.ops if op not in gone or op in made]
    return f"{count} sums became {len(made)}" if made else ""


def _reduction(term: Term, uses: Uses) -> Op | None:
    """The reduction behind a term that nothing else needs."""
    view = term[0].inputs[term[1]]
    if not isinstance(view, View) or len(view.buffer.writers) != 1:
        return None
    op = view.buffer.writers[0]
    if op.kind != "reduce" or op.name != "sum" or op.output.dtype.kind != "f":
        return None
    same = view.is_contiguous and view.size == view.buffer.size
    return op if same and uses.count(view.buffer) == 1 else None


def _kind(op: Op) -> tuple[object, ...]:
    view = next(op.reads())
    return (view.shape, view.dtype, op.params["axis"])


def _inner(op: Op, uses: Uses) -> list[Op]:
    """The sums inside a sum."""
    found = []
    pending = [op]
    while pending:
        node = pending.pop()
        for x in node.inputs:
            inner = inner_sum(x, uses)
            if inner is not None:
                found.append(inner)
                pending.append(inner)
    return found

