"""A sum with a product becomes a product that adds to what is there already.

x W + h V: the second product goes on where the first one ended, and the sum takes no pass over
memory. Sums are regrouped for it, which changes results by rounding.
"""

from __future__ import annotations

from tinygrad_rnn.jit.graph import Graph, Op, Scalar, View, extent, reshaped
from tinygrad_rnn.jit.passes.uses import Uses

# An operation that adds, and which of its inputs is meant.
Term = tuple[Op, int]


def accumulate_products(graph: Graph) -> str:
    """Let products add to other terms of the sums they are in."""
    uses = Uses(graph)
    shared = _shared(graph, uses)
    gone: set[Op] = set()
    for op in graph.ops:
        if is_sum(op) and op not in gone and not is_inner_sum(op, uses):
            while _merge_one(op, uses, shared, gone):
                if op in gone:
                    break
    graph.ops = [op for op in graph.ops if op not in gone]
    return f"{len(gone)} sums became part of a product" if gone else ""


def is_sum(op: Op) -> bool:
    """Whether an operation adds two floating-point tensors."""
    return (
        op.kind == "map"
        and op.name == "add"
        and op.output.is_whole
        and len(op.output.buffer.writers) == 1
        and op.output.dtype.kind == "f"
        and not op.after
    )


def is_inner_sum(op: Op, uses: Uses) -> bool:
    """Whether a sum is nothing but a term of another."""
    readers = uses.of(op.output.buffer)
    if len(readers) != 1 or uses.leaves(op.output.buffer):
        return False
    reader, i = readers[0]
    return is_sum(reader) and reader.inputs[i] == op.output


def terms_of(op: Op, uses: Uses) -> list[Term]:
    """The terms of a sum of sums: which operation has them, and as which input."""
    found = []
    pending = [op]
    while pending:
        node = pending.pop()
        for i, x in enumerate(node.inputs):
            inner = inner_sum(x, uses)
            if inner is not None:
                pending.append(inner)
            else:
                found.append((node, i))
    return found


def inner_sum(x: View | Scalar, uses: Uses) -> Op | None:
    """The sum that `x` is the result of, if it is nothing but a term of another."""
    if not isinstance(x, View) or len(x.buffer.writers) != 1:
        return None
    op = x.buffer.writers[0]
    return op if is_sum(op) and x == op.output and is_inner_sum(op, uses) else None


def _merge_one(op: Op, uses: Uses, shared: set[Term], gone: set[Op]) -> bool:
    terms = terms_of(op, uses)
    for product_at in terms:
        product = _product(product_at, uses)
        if product is None:
            continue
        for base_at in terms:
            base = _base(base_at, product_at, product, uses, shared)
            if base is not None:
                _merge(product, base, base_at, uses, shared, gone)
                return True
    return False


def _product(term: Term, uses: Uses) -> Op | None:
    """The product behind a term, if the term is its only use and it adds to nothing yet."""
    view = term[0].inputs[term[1]]
    if not isinstance(view, View) or len(view.buffer.writers) != 1:
        return None
    op = view.buffer.writers[0]
    buffer = view.buffer
    if op.kind != "product" or len(op.inputs) > 2 or len(buffer.shape) != 2:
        return None
    if uses.count(buffer) != 1 or not view.is_contiguous or view.size != buffer.size:
        return None
    return op


def _base(
    term: Term, other: Term, product: Op, uses: Uses, shared: set[Term]
) -> View | None:
    """The term as a matrix that the product may overwrite with the sum."""
    if term == other or term in shared:
        return None
    view = term[0].inputs[term[1]]
    if not isinstance(view, View) or view.buffer.origin != "computed":
        return None
    if uses.leaves(view.buffer) or any(
        n > 1 and s == 0 for n, s in zip(view.shape, view.strides, strict=True)
    ):
        return None
    if any(op.kind == "join" for op in view.buffer.writers):
        return None
    base = reshaped(view, product.output.shape)
    if base is None or base.strides[1] != 1 or base.size == 0:
        return None
    return base


def _merge(
    product: Op, base: View, base_at: Term, uses: Uses, shared: set[Term], gone: set[Op]
) -> None:
    """Let `product` start from `base`, and take that term out of the sum."""
    product.inputs.append(base)
    product.output.buffer.place = base
    product.output.buffer.overwrites = True
    node, i = base_at
    rest = node.inputs[1 - i]
    assert isinstance(rest, View)
    if (node, 1 - i) in shared:
        # Whoever reads the sum will read the rest in its place.
        shared.update(uses.of(node.output.buffer))
    uses.forget(node)
    uses.readers.setdefault(base.buffer, []).append((product, 2))
    gone.add(node)
    out = node.output

    def instead(view: View) -> View:
        if view == out:
            return rest
        # Another look at the sum: the rest has its shape, and no gaps where it is looked at so.
        assert rest.is_contiguous
        return View(rest.buffer, rest.offset + view.offset, view.shape, view.strides)

    uses.replace(out.buffer, instead)


def _shared(graph: Graph, uses: Uses) -> set[Term]:
    """Inputs that show memory which another input of an operation shows, too."""
    found: set[Term] = set()
    for readers in uses.readers.values():
        looks = []
        for op, i in readers:
            view = op.inputs[i]
            assert isinstance(view, View)
            looks.append((*extent(view), (op, i)))
        looks.sort(key=lambda look: look[:2])
        reach = -1
        last: Term | None = None
        for low, high, term in looks:
            if low < reach:
                found.add(term)
                if last is not None:
                    found.add(last)
            if high > reach:
                reach, last = high, term
    return found


