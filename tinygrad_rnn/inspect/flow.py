"""How gradients flow through time: ∂L/∂h_t, credit assignment, and Jacobians between states.

States are the tensors of the path itself, as `nn.recording.observe` keeps them, or lists that a
loop of the user's collected. Nothing here releases the graph or touches `.grad`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_rnn.autograd import grad
from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import ArgumentError, GraphError, ShapeError
from tinygrad_rnn.inspect.arguments import Array, Floats, norm_of, recorded_nodes, tensors_of
from tinygrad_rnn.nn.cells import RNNCell
from tinygrad_rnn.nn.recording import Observation
from tinygrad_rnn.tensor import Tensor, require_grad_of, run_backward

Steps = Mapping[int, Tensor] | Sequence[Tensor]


@dataclass(frozen=True)
class Flow:
    """∂L/∂s_t of recorded tensors over time.

    Attributes:
        steps: the time steps of each tensor, by its name ("l0.h").
        gradients: ∂L/∂s_t stacked over these steps, (T, B, ...). Zero where L does not depend on
            s_t.
        norms: their Euclidean norms over all but the first axis, (T,).
    """

    steps: dict[str, Array]
    gradients: dict[str, Array]
    norms: dict[str, Floats]

    def distances(self, name: str) -> Array:
        """Return how many steps before the last one each entry lies."""
        steps = self.steps[name]
        distances: Array = steps.max() - steps
        return distances


def series(
    seen: Observation, names: Iterable[str] | None = None
) -> dict[str, dict[int, Tensor]]:
    """Return what was observed at time steps as {"l0.h": {t: tensor}}, in order of time.

    Args:
        seen: from `with nn.recording.observe() as seen:`.
        names: keep only these: "h" for every layer's, "l0.h" for one layer's. All if None.

    Raises:
        ArgumentError: for a name that was not observed.
    """
    if not isinstance(seen, Observation):
        raise ArgumentError(
            f"seen is what `with observe() as seen:` gives, not {type(seen).__name__}"
        )
    found: dict[str, dict[int, Tensor]] = {}
    for path, named in seen.values.items():
        for name, by_step in named.items():
            steps = sorted((t, x) for t, x in by_step.items() if t is not None)
            if steps:
                found[f"{path}.{name}" if path else name] = dict(steps)
    if names is None:
        return found
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if not any(_is_called(full, name) for full in found):
            raise ArgumentError(
                f"nothing called {name!r} was observed over time; there are {sorted(found)}"
            )
    return {
        full: steps for full, steps in found.items() if any(_is_called(full, n) for n in wanted)
    }


def _is_called(full: str, name: str) -> bool:
    return full == name or full.endswith(f".{name}")


def gradient_flow(
    outputs: Tensor | Sequence[Tensor],
    states: Observation | Mapping[str, Steps],
    names: Iterable[str] | None = None,
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
) -> Flow:
    """Return ∂L/∂s_t of every state (and gate) at every step, from one backward pass.

    What arrives at s_t is everything that L owes to it: through the output of step t and through
    all later steps. In a vanilla RNN its norm falls or grows like a power of the distance
    (Hochreiter, 1991; Bengio, Simard and Frasconi, 1994).

    Args:
        outputs: L; several are added up.
        states: an observation, or your own {"h": [h_0, h_1, ...]}.
        names: which of an observation's tensors; "h" for those of all layers. All if None.
        grad_outputs: the gradient of each output; may be left out where it has one element.

    Raises:
        GraphError: if there is no graph, it was released, or a state requires no gradient.
    """
    roots = tensors_of(outputs, "outputs")
    recorded_nodes(roots, "the output")
    if isinstance(states, Observation):
        chosen: dict[str, dict[int, Tensor]] = series(states, names)
    else:
        chosen = {name: _by_step(steps, name) for name, steps in states.items()}
    tensors = [x for steps in chosen.values() for x in steps.values()]
    if not tensors:
        raise ArgumentError("there are no states: nothing was observed over time")
    require_grad_of(tensors)
    found = iter(grad(roots, tensors, grad_outputs, retain_graph=True, allow_unused=True))
    flow = Flow({}, {}, {})
    for name, steps in chosen.items():
        arrived = [
            np.zeros(x.shape, x.dtype) if g is None else g.numpy()
            for x, g in zip(steps.values(), found, strict=False)
        ]
        flow.steps[name] = np.array(list(steps))
        flow.gradients[name] = np.stack(arrived)
        flow.norms[name] = np.array([norm_of(g) for g in arrived])
    return flow


def _by_step(steps: Steps, name: str) -> dict[int, Tensor]:
    found = dict(steps) if isinstance(steps, Mapping) else dict(enumerate(steps))
    tensors_of(list(found.values()), name)
    return found


def credit(losses: Steps, states: Steps) -> Floats:
    """Return the matrix ‖∂L_t/∂s_k‖, t down and k across: which past step each loss is due to.

    One backward pass a loss. It is 0 above the diagonal wherever time runs forward.

    Args:
        losses: L_t, each with one element.
        states: s_k, such as one layer's h.
    """
    rows = _by_step(losses, "losses")
    columns = list(_by_step(states, "states").values())
    require_grad_of(columns)
    matrix = np.zeros((len(rows), len(columns)))
    for i, loss in enumerate(rows.values()):
        recorded_nodes([loss], f"the loss of step {i}")
        found = grad(loss, columns, retain_graph=True, allow_unused=True)
        matrix[i] = [0.0 if g is None else norm_of(g.numpy()) for g in found]
    return matrix


# ---------------------------------------------------------------------- Jacobians


def state_jacobian(
    later: Tensor, earlier: Tensor, row: int = 0, holding: Tensor | Sequence[Tensor] = ()
) -> Array:
    """Return ∂later/∂earlier of one row of the batch, (H_later, H_earlier).

    One backward pass an element of `later`, which goes back no further than `earlier`.

    Args:
        later: h_t, (B, H).
        earlier: h_k, (B, H).
        row: which row of the batch.
        holding: tensors that are held fixed: paths through them are cut. The LSTM's ∂c_t/∂c_{t-1}
            with h_{t-1} held is diag(f_t).

    Raises:
        GraphError: if there is no graph, it was released, or `later` does not depend on `earlier`.
        ShapeError: for anything but (B, H), or a row out of range.
    """
    held = tensors_of(holding, "holding")
    for x, what in ((later, "later"), (earlier, "earlier")):
        tensors_of([x], what)
        if x.ndim != 2 or not 0 <= row < x.shape[0]:
            raise ShapeError(f"{what} is a state (B, H) with a row {row}, not of shape {x.shape}")
    recorded_nodes([later], "the later state")
    require_grad_of([later, earlier, *held])
    rows = []
    for i in range(later.shape[1]):
        seed = np.zeros(later.shape, later.dtype)
        seed[row, i] = 1.0
        rows.append(_pulled(later, earlier, seed, held)[row])
    return np.stack(rows)


def _pulled(later: Tensor, earlier: Tensor, seed: Array, held: Sequence[Tensor]) -> Array:
    """Return (∂later/∂earlier)ᵀ seed, going back no further than `earlier` and what is held."""
    seeds = [from_numpy(seed)]
    found = run_backward([later], seeds, [earlier, *held], True, False, stop_at_inputs=True)
    gradient = found.of(earlier)
    if gradient is None:
        raise GraphError(
            "the later state does not depend on the earlier one; are they of one sequence, in the "
            "order of time, and not detached from each other?"
        )
    numbers: Array = gradient.numpy()
    return numbers


def state_jacobians(states: Steps, row: int = 0) -> list[Array]:
    """Return ∂s_t/∂s_{t-1} for each pair of neighbours, in order; their product is ∂s_T/∂s_0.

    The product form holds for a state that is one tensor (RNN, GRU), where every path from s_0 to
    s_T leads through all states between.
    """
    given = list(_by_step(states, "states").values())
    pairs = zip(given[1:], given, strict=False)
    return [state_jacobian(later, earlier, row) for later, earlier in pairs]


def product_of(factors: Sequence[Array]) -> Array:
    """Return J_T ⋯ J_2 J_1, the chain rule over the factors ∂s_t/∂s_{t-1} given from 1 to T."""
    if not len(factors):
        raise ArgumentError("a product needs at least one factor")
    product: Array = np.asarray(factors[0])
    for factor in factors[1:]:
        product = np.asarray(factor @ product)
    return product


def singular_values(jacobian: Array) -> Array:
    """Return the singular values, the largest first: how far a step stretches and shrinks."""
    values: Array = np.linalg.svd(np.asarray(jacobian), compute_uv=False)
    return values


def rnn_factors(cell: RNNCell, states: Steps, row: int = 0) -> list[Array]:
    """Return the vanilla RNN's ∂h_t/∂h_{t-1} in closed form: diag(φ'(a_t)) W_hh.

    φ' is 1 - h_t² for tanh and 1 or 0 for relu (Pascanu, Mikolov and Bengio, 2013, equation 5).
    Each equals what `state_jacobians` finds in the graph. The first state has no factor.
    """
    if not isinstance(cell, RNNCell):
        raise ArgumentError(
            f"the closed form is that of nn.RNNCell, not {type(cell).__name__}; state_jacobians "
            "works for any cell"
        )
    weight = cell.weight_hh.detach().numpy()
    given = list(_by_step(states, "states").values())
    factors = []
    for state in given[1:]:
        h = state.detach().numpy()[row]
        slope = 1.0 - h * h if cell.nonlinearity == "tanh" else (h > 0).astype(h.dtype)
        factors.append(slope[:, None] * weight)
    return factors


def elementwise_factor(
    later: Tensor, earlier: Tensor, holding: Tensor | Sequence[Tensor] = (), seed: int = 0
) -> Array:
    """Return d where ∂later/∂earlier = diag(d), (B, H), checked to be of that form.

    The LSTM's memory: with h_{t-1} held, d of c_t by c_{t-1} is the forget gate f_t, so the
    gradient along c is multiplied by f_t and nothing else (Gers, Schmidhuber and Cummins, 2000).

    Args:
        later: c_t.
        earlier: c_{t-1}, of the same shape.
        holding: tensors that are held fixed, such as h_{t-1}.
        seed: of the random direction in which the form is checked.

    Raises:
        ArgumentError: if ∂later/∂earlier is not diagonal: some element depends on another.
    """
    held = tensors_of(holding, "holding")
    tensors_of([later, earlier], "states")
    if later.shape != earlier.shape:
        raise ShapeError(f"states of shapes {later.shape} and {earlier.shape} have no common form")
    recorded_nodes([later], "the later state")
    require_grad_of([later, earlier, *held])
    factor = _pulled(later, earlier, np.ones(later.shape, later.dtype), held)
    probe = np.random.default_rng(seed).uniform(0.5, 2.0, later.shape).astype(later.dtype)
    arrived = _pulled(later, earlier, probe, held)
    if not np.allclose(arrived, factor * probe, rtol=1e-4, atol=1e-6):
        raise ArgumentError(
            "∂later/∂earlier is not diagonal: an element depends on others. Hold what they pass "
            "through, such as holding=h_{t-1}, or use state_jacobian"
        )
    return factor


def memory_factors(seen: Observation, path: str, h: str = "h", c: str = "c") -> dict[int, Any]:
    """Return ∂c_t/∂c_{t-1} with h_{t-1} held, (B, H) for every step but the first.

    For an LSTM this is the forget gate f_t at each step. For cells whose state has an h and a c.
    """
    found = series(seen)
    prefix = f"{path}." if path else ""
    for name in (h, c):
        if prefix + name not in found:
            raise ArgumentError(f"nothing called {prefix + name!r} was observed: {sorted(found)}")
    hidden, memory = found[prefix + h], found[prefix + c]
    order = list(memory)
    if order and not _depends(memory[order[-1]], memory[order[0]]):
        order.reverse()
    pairs = zip(order[1:], order, strict=False)
    return {t: elementwise_factor(memory[t], memory[s], hidden[s]) for t, s in pairs}


def _depends(later: Tensor, earlier: Tensor) -> bool:
    return earlier.grad_fn in recorded_nodes([later], "the state")
