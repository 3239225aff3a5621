"""What cells say about themselves while they run: gates and states by name, for whoever asked.

A cell names what is worth seeing with `record`; the wrapper adds states and outputs. With nobody
observing, nothing is kept. May not know cells or layers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tinygrad_rnn.context import Scope, state
from tinygrad_rnn.tensor import Tensor


class Observation:
    """What was named while observing.

    `values[path][name][t]` is the very tensor that took part in the computation, so that gradients
    can be asked for it: `path` is the cell's ("lstm.l0"), `t` its time step (None outside the
    wrapper).
    """

    def __init__(self) -> None:
        self.values: dict[str, dict[str, dict[int | None, Tensor]]] = {}

    def note(self, scope: Scope, named: dict[str, Tensor]) -> None:
        """Keep tensors under the place that is being computed."""
        kept = self.values.setdefault(scope.path, {})
        for name, tensor in named.items():
            kept.setdefault(name, {})[scope.step] = tensor


def record(**named: Tensor) -> None:
    """Name tensors of the running cell: `record(f=f, o=o)` inside its step.

    They appear under these names in recordings (`layer(x, record=True)`), in `observe`, and in
    pictures of the graph. It costs next to nothing when nobody asked.
    """
    for name, tensor in named.items():
        node = tensor._node
        if node is not None and node.outputs == 1:
            node.name = name
    for observation in state.observers:
        observation.note(state.scope, named)


@contextlib.contextmanager
def observe() -> Iterator[Observation]:
    """Keep what cells name inside the block: `with observe() as seen: model(x)`.

    Every cell that `nn.Recurrent` unrolls is seen, with its states and outputs at every step, and
    cells that are called by hand with what they `record` themselves. The tensors are those of the
    graph, and keep it alive as long as the observation is kept.
    """
    before = state.observers
    observation = Observation()
    state.observers = (*before, observation)
    try:
        yield observation
    finally:
        state.observers = before
