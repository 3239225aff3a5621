"""The backward pass told slowly: what passes along every edge of the graph, kept.

It visits nodes as `engine.backpropagate` does and adds up as it does, but keeps the gradient of
every output and the contribution that each use of a value makes to its gradient. It neither
releases the graph nor touches `.grad`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tinygrad_rnn import engine
from tinygrad_rnn.arguments import positive
from tinygrad_rnn.context import no_grad, quiet
from tinygrad_rnn.engine import Accumulator, Deferred, Node
from tinygrad_rnn.errors import ShapeError
from tinygrad_rnn.inspect.arguments import norm_of, recorded_nodes, tensors_of
from tinygrad_rnn.tensor import Operation, Tensor, _seed


class Use(NamedTuple):
    """The place at which a node takes a value: the number of the input."""

    node: Node
    place: int


Cut = Callable[[Node, int], bool]


def step_of(node: Node) -> int | None:
    """Return the time step in which a node was recorded, or None outside of any."""
    return node.scope.step if isinstance(node, Operation) else None


class Trace:
    """What one backward pass sent through the graph.

    Attributes:
        nodes: the nodes, in the order in which they were recorded.
        outputs: the gradient of each output (node, slot) that received one.
        leaves: the gradient of each leaf that received one.
        passed: the norm of what each use of a value contributed to the value's gradient.
        seeds: the gradients that the pass began with, by (node, slot).
    """

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.outputs: dict[tuple[Node, int], Tensor] = {}
        self.leaves: dict[Tensor, Tensor] = {}
        self.passed: dict[Use, float] = {}
        self.seeds: dict[tuple[Node, int], Tensor] = {}

    def of(self, value: Any) -> Tensor | None:
        """Return the gradient of a tensor (or edge) of the graph, or None if none reached it."""
        if value._node is None:
            return self.leaves.get(value)
        return self.outputs.get((value._node, value._slot))

    def gradients_of(self, node: Node) -> list[Tensor | None]:
        """Return the gradient of each output of a node."""
        return [self.outputs.get((node, slot)) for slot in range(node.outputs)]


def trace(
    outputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    cut: Cut | None = None,
) -> Trace:
    """Pull gradients back from `outputs`, keeping what passes along every edge.

    Hooks of computed tensors are called, as backward calls them; those of leaves are not.

    Args:
        outputs: what is differentiated; several are added up.
        grad_outputs: the gradient of each output; may be left out where it has one element.
        cut: `cut(node, i)` tells whether nothing is to pass from a node to its input i, as if that
            input had been detached. `inspect.window_cut` makes one for truncated BPTT.

    Raises:
        GraphError: if there is no graph, or it was released.
        ShapeError, DtypeError: for a gradient that does not fit its output.
    """
    roots = tensors_of(outputs, "outputs")
    nodes = recorded_nodes(roots, "the output")
    found = Trace(nodes)
    pending: dict[Any, Accumulator] = {}

    def deposit(value: Any, contribution: Any) -> None:
        key = value if value._node is None else (value._node, value._slot)
        pending.setdefault(key, Accumulator()).add(contribution, value.shape, False)

    with no_grad(), quiet():
        for root, seed in zip(roots, _seeds(roots, grad_outputs), strict=True):
            deposit(root, seed)
            place = (root._node, root._slot)
            earlier = found.seeds.get(place)
            found.seeds[place] = seed if earlier is None else earlier + seed
        for node in reversed(nodes):
            for slot in range(node.outputs):
                accumulator = pending.pop((node, slot), None)
                if accumulator is None:
                    continue
                total = accumulator.total(False)
                hooks = (node.hooks or {}).get(slot)
                found.outputs[node, slot] = engine._hooked(total, hooks) if hooks else total
            for use, value, contribution in pull(node, found.gradients_of(node)):
                if cut is None or not cut(*use):
                    found.passed[use] = norm_of(summed(contribution, value.shape)._array)
                    deposit(value, contribution)
        for leaf, accumulator in pending.items():
            found.leaves[leaf] = accumulator.total(False)
    return found


def pull(
    node: Node, gradients: Sequence[Tensor | None], wanted: Sequence[int] | None = None
) -> list[tuple[Use, Any, Any]]:
    """Return (use, input, contribution) for the inputs of a node that a gradient reaches."""
    if all(gradient is None for gradient in gradients):
        return []
    wanted = node.tracked if wanted is None else wanted
    assert node.inputs is not None
    return [
        (Use(node, i), value, contribution)
        for i, (value, want, contribution) in enumerate(
            zip(node.inputs, wanted, node.pull(gradients, wanted), strict=True)
        )
        if want and contribution is not None
    ]


def summed(contribution: Any, shape: tuple[int, ...]) -> Tensor:
    """Return a contribution as a tensor of `shape`."""
    total = contribution
    if isinstance(contribution, Deferred):
        total = contribution.total([contribution])
    result: Tensor = total if total.shape == shape else total.sum_to_size(shape)
    return result


def window_cut(window: int) -> Cut:
    """Return the cut of truncated BPTT: nothing passes between windows of so many steps.

    The edges that are cut lead from a step of one window to a step of the one before: they carry
    the state that a training loop would detach there.
    """
    positive(window, "window")

    def cut(node: Node, index: int) -> bool:
        assert node.inputs is not None
        source = node.inputs[index]._node
        later = step_of(node)
        earlier = None if source is None else step_of(source)
        if later is None or earlier is None:
            return False
        return later // window != earlier // window

    return cut


def _seeds(
    roots: Sequence[Tensor], given: Tensor | Sequence[Tensor | None] | None
) -> list[Tensor]:
    seeds: Sequence[Tensor | None]
    if given is None:
        seeds = [None] * len(roots)
    else:
        seeds = [given] if isinstance(given, Tensor) else list(given)
    if len(seeds) != len(roots):
        raise ShapeError(f"{len(roots)} outputs, but {len(seeds)} gradients of outputs")
    return [_seed(root, seed) for root, seed in zip(roots, seeds, strict=True)]
