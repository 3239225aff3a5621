"""Each time step's share of the gradient of a shared weight.

∂J/∂W = Σ_i ∂J/∂W|₍ᵢ₎, where the i-th share is what the gradient would be if the i-th use of W were
a weight of its own. Nothing here touches `.grad`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_rnn.context import no_grad, quiet
from tinygrad_rnn.engine import Node
from tinygrad_rnn.errors import GraphError
from tinygrad_rnn.inspect.arguments import Array, name_of, norm_of, tensors_of
from tinygrad_rnn.inspect.backward import Cut, Trace, Use, pull, step_of, summed, trace
from tinygrad_rnn.inspect.timeline import Timeline, masked, uses_of
from tinygrad_rnn.ops.linalg import Products
from tinygrad_rnn.tensor import Operation, Tensor

Gradients = list[Tensor | None]


@dataclass(frozen=True)
class Contribution:
    """One use's share of a gradient, at one time step.

    Attributes:
        step: the time step, None for what belongs to none.
        path: the module that used the weight ("lstm.l0").
        operation: the primitive that took it ("linear").
        site: the line of the user's code.
        gradient: ∂J/∂W|₍ᵢ₎, in the shape of W.
        norm: its Euclidean norm.
    """

    step: int | None
    path: str
    operation: str
    site: str
    gradient: Array
    norm: float


class Contributions(Sequence[Contribution]):
    """The shares of one gradient, by time step and then in the order of the uses."""

    def __init__(self, shares: Sequence[Contribution], shape: tuple[int, ...], dtype: Any) -> None:
        self._shares = tuple(shares)
        self._shape = shape
        self._dtype = dtype

    def __len__(self) -> int:
        return len(self._shares)

    def __iter__(self) -> Iterator[Contribution]:
        return iter(self._shares)

    def __getitem__(self, index: Any) -> Any:
        return self._shares[index]

    def total(self) -> Array:
        """Return Σ_i ∂J/∂W|₍ᵢ₎, the gradient that backward leaves in `.grad`."""
        return sum((share.gradient for share in self), np.zeros(self._shape, self._dtype))

    def by_step(self) -> dict[int | None, Array]:
        """Return the sum of the shares of each step."""
        found: dict[int | None, Array] = {}
        for share in self:
            earlier = found.get(share.step)
            found[share.step] = share.gradient if earlier is None else earlier + share.gradient
        return found

    def norms(self) -> dict[int | None, float]:
        """Return the norm of each step's share."""
        return {step: norm_of(gradient) for step, gradient in self.by_step().items()}

    def __str__(self) -> str:
        norms = self.norms()
        largest = max(norms.values(), default=0.0) or 1.0
        total = norm_of(self.total())
        lines = [f"{len(norms)} shares of a gradient {self._shape}, norm {total:.4g}"]
        for step, norm in norms.items():
            label = "all" if step is None else f"t={step}"
            lines.append(f"{label:>6} {norm:10.3e} {'█' * round(40 * norm / largest)}")
        return "\n".join(lines)


def contributions_of(
    outputs: Tensor | Sequence[Tensor],
    weight: Tensor,
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool = True,
    cut: Cut | None = None,
) -> Contributions:
    """Return the share of each time step, and of each use within it, of a weight's gradient.

    A product over all steps at once, such as the projection of the whole input or an output
    layer, is divided into its steps; so is what reaches the weight through operations outside the
    loop (a sum of two biases, a chunk, a mask). Memory: a weight's size for each share.

    Args:
        outputs: J, usually the loss; several are added up.
        weight: a parameter, or any tensor of the graph that requires a gradient.
        grad_outputs: the gradient of each output; may be left out where it has one element.
        retain_graph: False releases the graph, as backward does.
        cut: where nothing is to pass, as in `trace`; for truncated BPTT.

    Raises:
        GraphError: if there is no graph, it was released, or the weight has no part in it.
    """
    roots = tensors_of(outputs, "outputs")
    (weight,) = tensors_of([weight], "weight")
    passed = trace(roots, grad_outputs, cut)
    shares = Shares(passed).of(weight)
    if not shares:
        raise GraphError(
            f"the tensor of shape {weight.shape} has no part in the gradient of the outputs: it "
            "was not used to compute them, or requires no gradient"
        )
    if not retain_graph:
        for node in passed.nodes:
            node.release()
    return Contributions(shares, weight.shape, weight.dtype)


def _is_sum_of_rows(contribution: Tensor, labels: Array, value: Any) -> bool:
    """Whether a value, such as a bias, was added to every row of a result."""
    return contribution.shape == labels.shape and value.shape == labels.shape[-1:]


class Shares:
    """Divides the gradients of one backward pass by time step.

    Attributes:
        timeline: which step each number of the graph belongs to.
    """

    def __init__(self, passed: Trace) -> None:
        self._passed = passed
        self._uses = uses_of(passed.nodes)
        self.timeline = Timeline(passed.nodes, self._uses)
        self._relayed: dict[Node, dict[int | None, Gradients]] = {}

    def of(self, weight: Tensor) -> list[Contribution]:
        """Return the shares of one weight."""
        key = weight if weight._node is None else (weight._node, weight._slot)
        uses = self._uses.get(key, [])
        with no_grad(), quiet():
            self._relay(uses)
            found = [share for use in uses for share in self._of_use(use)]
        return sorted(found, key=lambda share: (share.step is None, share.step or 0))

    def _of_use(self, use: Use) -> Iterator[Contribution]:
        node = use.node
        scope = node.scope if isinstance(node, Operation) else None
        for step, gradient in self._by_rows(use) or self._one_by_one(use):
            yield Contribution(
                step,
                "" if scope is None else scope.path,
                name_of(node),
                str(getattr(node, "site", "")),
                gradient._array,
                norm_of(gradient._array),
            )

    def _one_by_one(self, use: Use) -> Iterator[tuple[int | None, Tensor]]:
        for step, gradients in self._divided(use.node).items():
            for gradient in self._pulled(use, gradients):
                yield step, gradient

    def _by_rows(self, use: Use) -> list[tuple[int | None, Tensor]]:
        """Divide aᵀb, or a sum over rows, by the steps of its rows: no more work than the whole.

        Empty where the weight is not used so.
        """
        node = use.node
        labels = self.timeline.labels(node, 0)
        if step_of(node) is not None or node in self._relayed or labels is None or not labels.ndim:
            return []
        pulled = self._pull(use, self._passed.gradients_of(node))
        if len(pulled) != 1 or not (labels == labels[..., :1]).all():
            return []
        _, value, contribution = pulled[0]
        rows = labels[..., 0].reshape(-1)
        found: list[tuple[int | None, Tensor]] = []
        for step in np.unique(rows):
            of_step = rows == step
            if isinstance(contribution, Products):
                a, b = (Tensor._wrap(x._array[of_step]) for x in (contribution.a, contribution.b))
                found.append((int(step), summed(Products(a, b), value.shape)))
            elif isinstance(contribution, Tensor) and _is_sum_of_rows(contribution, labels, value):
                part = contribution._array.reshape(len(rows), -1)[of_step]
                found.append((int(step), Tensor._wrap(part.sum(0))))
            else:
                return []
        return found

    def _pull(self, use: Use, gradients: Gradients) -> list[tuple[Use, Any, Any]]:
        wanted = bytes(i == use.place for i in range(len(use.node.tracked)))
        return pull(use.node, gradients, wanted)

    def _pulled(self, use: Use, gradients: Gradients) -> list[Tensor]:
        found = self._pull(use, gradients)
        return [summed(contribution, value.shape) for _, value, contribution in found]

    def _divided(self, node: Node) -> dict[int | None, Gradients]:
        """Return the gradients of a node's outputs, divided by time step."""
        if node in self._relayed:
            return self._relayed[node]
        gradients = self._passed.gradients_of(node)
        labels = [self.timeline.labels(node, slot) for slot in range(node.outputs)]
        if step_of(node) is not None or all(part is None for part in labels):
            return {step_of(node): gradients}
        steps = sorted({int(t) for part in labels if part is not None for t in np.unique(part)})
        return {
            step: [masked(g, part, step) for g, part in zip(gradients, labels, strict=True)]
            for step in steps
        }

    def _relay(self, uses: Sequence[Use]) -> None:
        """Divide the gradients of operations outside the loop by what is done with their results.

        These are those that compute one thing for all steps, such as the sum of two biases.
        """
        found: set[Node] = set()
        pending = [use.node for use in uses]
        while pending:
            node = pending.pop()
            if node in found or node in self._relayed or self._stands_alone(node):
                continue
            found.add(node)
            for slot in range(node.outputs):
                pending += [use.node for use in self._uses.get((node, slot), ())]
        for node in sorted(found, key=lambda node: node.order, reverse=True):
            divided: dict[int | None, Gradients] = {}
            for slot in range(node.outputs):
                for step, part in self._parts(node, slot):
                    gradients = divided.setdefault(step, [None] * node.outputs)
                    earlier = gradients[slot]
                    gradients[slot] = part if earlier is None else earlier + part
            self._relayed[node] = divided

    def _stands_alone(self, node: Node) -> bool:
        if node.hooks:
            # What a hook makes of a sum is not the sum of what it makes of the parts.
            return True
        slots = range(node.outputs)
        return step_of(node) is not None or any(
            self.timeline.labels(node, slot) is not None for slot in slots
        )

    def _parts(self, node: Node, slot: int) -> Iterator[tuple[int | None, Tensor]]:
        seed = self._passed.seeds.get((node, slot))
        if seed is not None:
            yield None, seed
        for use in self._uses.get((node, slot), ()):
            yield from self._by_rows(use) or self._one_by_one(use)
