"""Gradients through time against retained gradients, finite differences, closed forms and torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.inspection.models import KINDS, B, H, T, layers, loss_of, sequence
from tests.tools import examples
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.errors import ArgumentError


@examples(12)
@given(kind=st.sampled_from(KINDS), num_layers=st.integers(1, 2), bidirectional=st.booleans())
def test_flow_is_what_backward_retains(kind: str, num_layers: int, bidirectional: bool) -> None:
    """The curve of ∂L/∂h_t is not made of the gradients of the states."""
    model = layers(kind, num_layers, bidirectional)
    with inspect.observe() as seen:
        loss = loss_of(model(sequence())[0])
    flow = inspect.gradient_flow(loss, seen, names=["h"])
    states = inspect.series(seen, ["h"])
    assert set(flow.norms) == set(states)
    assert len(states) == num_layers * (1 + bidirectional)
    for steps in states.values():
        for x in steps.values():
            x.retain_grad()
    loss.backward()
    for name, steps in states.items():
        for i, x in enumerate(steps.values()):
            assert x.grad is not None
            np.testing.assert_allclose(flow.gradients[name][i], x.grad.numpy(), atol=1e-14)
            expected = np.linalg.norm(x.grad.numpy())
            assert flow.norms[name][i] == pytest.approx(expected, rel=1e-12)
        assert list(flow.steps[name]) == list(range(T))
        assert list(flow.distances(name)) == list(range(T))[::-1]


def test_flow_against_torch_hooks() -> None:
    """∂L/∂h_t or ∂L/∂c_t differs from what PyTorch sends through the same LSTM."""
    torch = pytest.importorskip("torch")
    model = nn.LSTM(3, H, dtype=tg.float64)
    x = sequence()
    with inspect.observe() as seen:
        output, _ = model(x)
        loss = (output * output).sum()
    flow = inspect.gradient_flow(loss, seen, names=("h", "c"))
    cell = torch.nn.LSTMCell(3, H, dtype=torch.float64)
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            parameter.copy_(torch.tensor(getattr(model, f"{name}_l0").detach().numpy()))
    state = (torch.zeros(B, H, dtype=torch.float64), torch.zeros(B, H, dtype=torch.float64))
    kept: dict[str, list[object]] = {"l0.h": [], "l0.c": []}
    total = 0.0
    for t in range(T):
        state = cell(torch.tensor(x[t].numpy()), state)
        for name, s in zip(kept, state, strict=True):
            s.retain_grad()
            kept[name].append(s)
        total = total + (state[0] * state[0]).sum()
    total.backward()  # type: ignore[attr-defined]
    for name, states in kept.items():
        grads = np.stack([s.grad.numpy() for s in states])  # type: ignore[attr-defined]
        np.testing.assert_allclose(flow.gradients[name], grads, atol=1e-10)


def test_credit_against_finite_differences() -> None:
    """An entry of the matrix is not how a loss changes with an earlier state."""
    cell = nn.RNNCell(3, H, dtype=tg.float64)
    x = sequence(4)

    def run(moved: int = -1, shift: np.ndarray | None = None) -> tuple[list, list]:  # type: ignore[type-arg]
        h = tg.zeros(B, H, dtype=tg.float64)
        states, losses = [], []
        for t in range(4):
            h = cell(x[t], h)
            if t == moved:
                h = h + tg.tensor(shift)
            states.append(h)
            losses.append((h * h).sum())
        return states, losses

    states, losses = run()
    matrix = inspect.credit(losses, states)
    assert matrix.shape == (4, 4)
    assert not np.triu(matrix, 1).any()
    for k in range(4):
        columns = []
        for place in np.ndindex(B, H):
            shift = np.zeros((B, H))
            shift[place] = 1e-6
            up = [loss.item() for loss in run(k, shift)[1]]
            down = [loss.item() for loss in run(k, -shift)[1]]
            columns.append((np.array(up) - np.array(down)) / 2e-6)
        np.testing.assert_allclose(matrix[:, k], np.linalg.norm(columns, axis=0), rtol=1e-6)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_rnn_jacobians_have_their_closed_form(nonlinearity: str) -> None:
    """diag(φ') W_hh is not what the graph says, or its product not the long Jacobian."""
    model = nn.RNN(3, H, nonlinearity=nonlinearity, dtype=tg.float64)
    with inspect.observe() as seen:
        model(sequence())
    h = inspect.series(seen, ["h"])["l0.h"]
    for row in range(B):
        from_graph = inspect.state_jacobians(h, row)
        closed = inspect.rnn_factors(model.cells()[0], h, row)
        assert len(from_graph) == len(closed) == T - 1
        for a, b in zip(from_graph, closed, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-14)
        long = inspect.state_jacobian(h[T - 1], h[0], row)
        np.testing.assert_allclose(inspect.product_of(closed), long, atol=1e-14)
        values = inspect.singular_values(long)
        assert values[0] == pytest.approx(np.linalg.norm(long, 2), abs=1e-14)


def test_a_linear_rnn_keeps_the_spectral_radius() -> None:
    """For h' = ρ Q h with orthogonal Q every singular value over n steps is ρⁿ."""
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    W = tg.tensor(0.9 * Q, dtype=tg.float64)
    h = tg.ones(1, 5, dtype=tg.float64, requires_grad=True)
    states = [h]
    for _ in range(6):
        states.append(states[-1] @ W)
    values = inspect.singular_values(inspect.state_jacobian(states[-1], states[0]))
    np.testing.assert_allclose(values, np.full(5, 0.9**6), rtol=1e-12)


@pytest.mark.parametrize("kind", ["lstm", "gru", "own"])
def test_jacobians_are_those_of_the_cell(kind: str) -> None:
    """∂h_t/∂h_{t-1} in the graph is not the Jacobian of the cell at that step."""
    model, x = layers(kind), sequence()
    with inspect.observe() as seen:
        model(x)
    found = inspect.series(seen, ["h"])["l0.h"]
    cell = model.cells()[0]
    if kind == "lstm":
        c = inspect.series(seen, ["c"])["l0.c"][1].detach()

        def step(h: tg.Tensor) -> tg.Tensor:
            # The cell state depends on h_1 only through what came before.
            return cell(x[2, :1], (h, c[:1]))[0]
    else:

        def step(h: tg.Tensor) -> tg.Tensor:
            result = cell(x[2, :1], h)
            return result[0] if kind == "own" else result

    expected = tg.jacobian(step, found[1].detach()[:1]).numpy()[0, :, 0]
    held = [inspect.series(seen, ["c"])["l0.c"][1]] if kind == "lstm" else []
    shown = inspect.state_jacobian(found[2], found[1], row=0, holding=held)
    np.testing.assert_allclose(shown, expected, atol=1e-13)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_lstm_forgets_by_its_forget_gate(bidirectional: bool) -> None:
    """With the h-paths cut ∂c_t/∂c_{t-1} is the forget gate, in either direction of time."""
    model = nn.LSTM(3, H, 2, bidirectional=bidirectional, dtype=tg.float64)
    with inspect.observe() as seen:
        model(sequence())
    for path in ["l0", "l1"] + ["l0_reverse", "l1_reverse"] * bidirectional:
        gate = inspect.series(seen)[f"{path}.f"]
        factors = inspect.memory_factors(seen, path)
        first = T - 1 if path.endswith("reverse") else 0
        assert sorted(factors) == [t for t in range(T) if t != first]
        for t, factor in factors.items():
            np.testing.assert_allclose(factor, gate[t].detach().numpy(), atol=1e-14)


def test_a_factor_that_is_not_diagonal_is_refused() -> None:
    """With its h-paths open the LSTM's ∂c_t/∂c_{t-1} is shown as if it were diagonal."""
    model = nn.LSTM(3, H, dtype=tg.float64)
    with inspect.observe() as seen:
        model(sequence())
    c = inspect.series(seen)["l0.c"]
    with pytest.raises(ArgumentError, match="not diagonal"):
        inspect.elementwise_factor(c[1], c[0])


def test_states_of_a_plain_loop() -> None:
    """Only models of the library's layers can be studied."""
    W = tg.randn(4, 4, dtype=tg.float64, requires_grad=True)
    h = tg.ones(1, 4, dtype=tg.float64)
    states = []
    with inspect.observe() as seen:
        for t in range(5):
            with tg.scope("loop", t):
                h = (h @ W).tanh()
                nn.record(h=h)
            states.append(h)
    loss = h.sum()
    by_name = inspect.gradient_flow(loss, seen)
    by_list = inspect.gradient_flow(loss, {"loop.h": states})
    np.testing.assert_array_equal(by_name.norms["loop.h"], by_list.norms["loop.h"])
    assert by_list.norms["loop.h"][-1] == 2.0
    assert W.grad is None
