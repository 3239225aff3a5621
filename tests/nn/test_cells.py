"""Every cell against its equation, written gate by gate in NumPy; derivatives, sizes, compiling."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, copies, gradients
from tests.tools import Array, examples, same_bits, values
from tinygrad_rnn import nn, optim

Weights = dict[str, Array]
Limit = Callable[[Array], Array]
Step = Callable[[Weights, Array, list[Array], Limit], tuple[list[Array], dict[str, Array]]]

# ---------------------------------------------------------------------- the equations


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def normalized(a: Array, weights: Weights, which: str) -> Array:
    deviation = a - a.sum() / a.size
    out = deviation / np.sqrt((deviation**2).sum() / a.size + 1e-5) * weights[f"gain_{which}"]
    return out + weights.get(f"bias_{which}", 0.0)


def block(weights: Weights, kind: str, gate: int, count: int) -> Array:
    """The rows of one gate; zeros where there is no such bias."""
    rows = weights["weight_ih"].shape[0] // count
    if kind not in weights:
        return np.zeros(rows)
    return weights[kind][gate * rows : (gate + 1) * rows]


def gate_sum(weights: Weights, gate: int, count: int, x: Array, h: Array) -> Array:
    return (
        block(weights, "weight_ih", gate, count) @ x
        + block(weights, "bias_ih", gate, count)
        + block(weights, "weight_hh", gate, count) @ h
        + block(weights, "bias_hh", gate, count)
    )


def read_out(weights: Weights, o: Array, c: Array) -> Array:
    h = o * np.tanh(c)
    return weights["weight_hr"] @ h if "weight_hr" in weights else h


def plain(nonlinearity: Callable[[Array], Array]) -> Step:
    def step(w: Weights, x: Array, s: list[Array], limit: Limit) -> Any:
        return [nonlinearity(limit(gate_sum(w, 0, 1, x, s[0])))], {}

    return step


def lstm(w: Weights, x: Array, s: list[Array], limit: Limit) -> Any:
    i, f, g, o = (limit(gate_sum(w, k, 4, x, s[0])) for k in range(4))
    gates = {"i": sigmoid(i), "f": sigmoid(f), "g": np.tanh(g), "o": sigmoid(o)}
    c = gates["f"] * s[1] + gates["i"] * gates["g"]
    return [read_out(w, gates["o"], c), c], gates


def peephole(w: Weights, x: Array, s: list[Array], limit: Limit) -> Any:
    p_i, p_f, p_o = np.split(w["weight_ch"], 3)
    i = sigmoid(limit(gate_sum(w, 0, 4, x, s[0]) + p_i * s[1]))
    f = sigmoid(limit(gate_sum(w, 1, 4, x, s[0]) + p_f * s[1]))
    g = np.tanh(limit(gate_sum(w, 2, 4, x, s[0])))
    c = f * s[1] + i * g
    o = sigmoid(limit(gate_sum(w, 3, 4, x, s[0]) + p_o * c))
    return [read_out(w, o, c), c], {"i": i, "f": f, "g": g, "o": o}


def coupled(w: Weights, x: Array, s: list[Array], limit: Limit) -> Any:
    i = sigmoid(limit(gate_sum(w, 0, 3, x, s[0])))
    g = np.tanh(limit(gate_sum(w, 1, 3, x, s[0])))
    o = sigmoid(limit(gate_sum(w, 2, 3, x, s[0])))
    c = s[1] - i * s[1] + i * g
    return [read_out(w, o, c), c], {"i": i, "f": 1 - i, "g": g, "o": o}


def layer_norm(of_c: bool) -> Step:
    def step(w: Weights, x: Array, s: list[Array], limit: Limit) -> Any:
        total = normalized(w["weight_ih"] @ x, w, "ih") + normalized(w["weight_hh"] @ s[0], w, "hh")
        i, f, g, o = np.split(limit(total), 4)
        gates = {"i": sigmoid(i), "f": sigmoid(f), "g": np.tanh(g), "o": sigmoid(o)}
        c = gates["f"] * s[1] + gates["i"] * gates["g"]
        return [read_out(w, gates["o"], normalized(c, w, "ch") if of_c else c), c], gates

    return step


def gru(after: bool) -> Step:
    def step(w: Weights, x: Array, s: list[Array], limit: Limit) -> Any:
        r = sigmoid(limit(gate_sum(w, 0, 3, x, s[0])))
        z = sigmoid(limit(gate_sum(w, 1, 3, x, s[0])))
        from_x = block(w, "weight_ih", 2, 3) @ x + block(w, "bias_ih", 2, 3)
        weight, bias = block(w, "weight_hh", 2, 3), block(w, "bias_hh", 2, 3)
        from_h = r * (weight @ s[0] + bias) if after else weight @ (r * s[0]) + bias
        n = np.tanh(limit(from_x + from_h))
        return [(1 - z) * n + z * s[0]], {"r": r, "z": z, "n": n}

    return step


def minimal(w: Weights, x: Array, s: list[Array], limit: Limit) -> Any:
    f = sigmoid(limit(gate_sum(w, 0, 2, x, s[0])))
    n = np.tanh(limit(gate_sum(w, 1, 2, x, f * s[0])))
    return [(1 - f) * s[0] + f * n], {"f": f, "n": n}


class Kind(NamedTuple):
    make: Callable[..., nn.GatedCell]
    step: Step


def rectified(a: Array) -> Array:
    return np.maximum(a, 0)


KINDS = {
    "RNN": Kind(nn.RNNCell, plain(np.tanh)),
    "RNN relu": Kind(lambda *a, **k: nn.RNNCell(*a, nonlinearity="relu", **k), plain(rectified)),
    "IRNN": Kind(nn.IRNNCell, plain(rectified)),
    "LSTM": Kind(nn.LSTMCell, lstm),
    "peephole": Kind(nn.PeepholeLSTMCell, peephole),
    "coupled": Kind(nn.CoupledLSTMCell, coupled),
    "layer norm": Kind(nn.LayerNormLSTMCell, layer_norm(True)),
    "layer norm of gates": Kind(nn.LayerNormGatesLSTMCell, layer_norm(False)),
    "GRU": Kind(nn.GRUCell, gru(True)),
    "GRU before": Kind(lambda *a, **k: nn.GRUCell(*a, reset_after=False, **k), gru(False)),
    "MGU": Kind(nn.MGUCell, minimal),
}
WITH_MEMORY = ["LSTM", "peephole", "coupled", "layer norm", "layer norm of gates"]
kinds = pytest.mark.parametrize("kind", list(KINDS))


def randomized(cell: nn.GatedCell, seed: int) -> nn.GatedCell:
    """Fill every parameter with numbers that none of them starts with."""
    random = np.random.default_rng(seed)
    for parameter in cell.parameters():
        with tg.no_grad():
            parameter.assign(random.normal(0.0, 0.8, parameter.shape).astype(parameter.dtype))
    return cell


def random_state(cell: nn.GatedCell, batch: int, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    return nn.map_state(
        lambda s: tg.tensor(random.normal(0.0, 0.8, s.shape).astype(s.dtype)),
        cell.initial_state(batch),
    )


@kinds
@examples(12)
@given(data=st.data())
def test_each_cell_is_its_equation(kind: str, data: Any) -> None:
    """A gate is in the wrong place or of another name, or a bias is used twice or not at all."""
    size, hidden, batch = (data.draw(st.integers(1, 4)) for _ in range(3))
    bias, clip = data.draw(st.booleans()), data.draw(st.sampled_from([None, 0.6]))
    extra = {}
    if kind in WITH_MEMORY and hidden > 1 and data.draw(st.booleans()):
        extra["proj_size"] = data.draw(st.integers(1, hidden - 1))
    make, step = KINDS[kind]
    seed = data.draw(st.integers(0, 999))
    cell = randomized(make(size, hidden, bias=bias, dtype=tg.float64, clip=clip, **extra), seed)
    weights = {name: values(p) for name, p in cell.named_parameters()}
    x = tg.tensor(np.random.default_rng(seed).normal(size=(3, batch, size)))
    state = random_state(cell, batch, seed)
    expected = [[values(s)[row] for s in nn.state_tensors(state)] for row in range(batch)]
    for t in range(3):
        with nn.observe() as seen:
            state = cell(x[t], state)
        (found,) = seen.values.values() or [{}]
        for row in range(batch):
            expected[row], gates = step(
                weights,
                values(x)[t, row],
                expected[row],
                lambda a: a if clip is None else np.clip(a, -clip, clip),
            )
            for have, want in zip(nn.state_tensors(state), expected[row], strict=True):
                np.testing.assert_allclose(values(have)[row], want, rtol=1e-11, atol=1e-13)
            assert set(found) == set(gates)
            for name, gate in gates.items():
                have = values(found[name][None])[row]
                np.testing.assert_allclose(have, gate, rtol=1e-11, atol=1e-13)


def test_no_two_forms_of_a_cell_are_the_same() -> None:
    """An argument that chooses between two equations changes nothing."""
    pairs = [("GRU", "GRU before"), ("layer norm", "layer norm of gates"), ("RNN", "RNN relu")]
    x = tg.tensor(np.random.default_rng(0).normal(size=(2, 3)))
    for first, second in pairs:
        cells = [KINDS[k].make(3, 4, dtype=tg.float64) for k in (first, second)]
        randomized(cells[0], 1)
        cells[1].load_state_dict(cells[0].state_dict(), strict=False)
        state = random_state(cells[0], 2)
        a, b = (nn.state_tensors(cell(x, state))[0] for cell in cells)
        assert np.abs(values(a) - values(b)).max() > 0.01, (first, second)


def test_a_coupled_cell_that_forgets_instead_has_its_signs_turned() -> None:
    """The docstring's way from i = 1 - f to f = 1 - i gives another cell."""
    cell = randomized(nn.CoupledLSTMCell(3, 4, dtype=tg.float64), 0)
    w = {name: values(p) for name, p in cell.named_parameters()}
    turned = {n: np.concatenate([-a[:4], a[4:]]) for n, a in w.items()}
    x, state = np.random.default_rng(1).normal(size=3), random_state(cell, 1)
    h, c = (values(s)[0] for s in state)
    f = sigmoid(gate_sum(turned, 0, 3, x, h))
    new = f * c + (1 - f) * np.tanh(gate_sum(turned, 1, 3, x, h))
    found = cell(tg.tensor(x[None]), state)
    np.testing.assert_allclose(values(found.c)[0], new, rtol=1e-11)


# ---------------------------------------------------------------------- derivatives


def through_time(cell: nn.GatedCell, steps: int) -> tuple[Any, list[tg.Tensor]]:
    """A function of input, state and every parameter of a cell, and a point for all of them."""
    layer = nn.Recurrent(cell)
    state = nn.map_state(lambda s: s.unsqueeze(0), random_state(cell, 2))
    x = tg.tensor(np.random.default_rng(5).normal(size=(steps, 2, cell.input_size)))
    names = [name for name, _ in cell.named_parameters()]
    count = len(nn.state_tensors(state))

    def run(x: tg.Tensor, *rest: tg.Tensor) -> Any:
        held = dict(cell._parameters)
        try:
            cell._parameters.update(zip(names, rest[count:], strict=True))
            parts = iter(rest[:count])
            out, final = layer(x, nn.map_state(lambda s: next(parts), state))
        finally:
            cell._parameters.update(held)
        return (out, *nn.state_tensors(final))

    leaves = [x, *nn.state_tensors(state), *cell.parameters()]
    return run, [leaf.detach().clone().requires_grad_() for leaf in leaves]


@kinds
def test_gradients_through_time(kind: str) -> None:
    """BPTT is wrong for a parameter, the input, or the initial state."""
    extra = {"proj_size": 1} if kind in WITH_MEMORY else {}
    cell = randomized(KINDS[kind].make(2, 2, dtype=tg.float64, **extra), 3)
    assert tg.gradcheck(*through_time(cell, 3), eps=1e-4, rtol=1e-5, atol=1e-7)


@kinds
def test_second_derivatives_through_time(kind: str) -> None:
    """The gradient of a gradient through time is wrong."""
    cell = randomized(KINDS[kind].make(1, 2, dtype=tg.float64, clip=1.5), 4)
    assert tg.gradcheck(*through_time(cell, 2), order=2, eps=1e-4, rtol=1e-5, atol=1e-7)


# ---------------------------------------------------------------------- compiled


@kinds
def test_a_compiled_training_step_equals_an_eager_one(kind: str) -> None:
    """`jit` gives another loss, gradient, state or parameter than the same step run eagerly."""
    results = []
    random = np.random.default_rng(0)
    x, target = random.normal(size=(3, 2, 3)), random.normal(size=(3, 2, 4))
    for compiled in (False, True):
        cell = randomized(KINDS[kind].make(3, 4, dtype=tg.float64, clip=3.0), 2)
        layer = nn.Recurrent(cell)
        optimizer = optim.SGD(layer.parameters(), lr=0.1)

        def step(x: tg.Tensor, target: tg.Tensor, state: Any, layer=layer, by=optimizer) -> Any:
            out, state = layer(x, state)
            loss = nn.functional.mse_loss(out, target)
            by.zero_grad()
            loss.backward()
            by.step()
            return loss.detach(), nn.detach_state(state)

        run = tg.jit(step) if compiled else step
        state, seen = layer.initial_state(2), []
        for _ in range(3):
            loss, state = run(tg.tensor(x), tg.tensor(target), state)
            seen += [copies(loss), copies(state), gradients(layer.parameters())]
        results.append([*seen, copies(list(layer.parameters()))])
    assert_agree(results[1], results[0], 1e-10)


# ---------------------------------------------------------------------- sizes, types, layouts


@kinds
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_sizes_zero_and_one_in_both_types(kind: str, bias: bool, dtype: Any) -> None:
    """No rows, no steps or a single unit fail, or the type of the parameters is lost."""
    for steps, batch, hidden in ((0, 2, 3), (3, 0, 3), (3, 1, 1), (0, 0, 1)):
        cell = KINDS[kind].make(2, hidden, bias=bias, dtype=dtype)
        assert {p.dtype for p in cell.parameters()} == {np.dtype(dtype)}
        assert any("bias" in name for name, _ in cell.named_parameters()) == bias
        x = tg.zeros(steps, batch, 2, dtype=dtype, requires_grad=True)
        out, final = nn.Recurrent(cell)(x)
        assert (out.shape, out.dtype) == ((steps, batch, hidden), dtype)
        for s in nn.state_tensors(final):
            assert (s.shape, s.dtype) == ((1, batch, hidden), dtype)
        if steps:
            out.sum().backward()
            for leaf in (x, *cell.parameters()):
                assert leaf.grad.shape == leaf.shape
                assert np.isfinite(values(leaf.grad)).all()


@kinds
def test_one_row_none_and_strides_change_nothing(kind: str) -> None:
    """x (in,), no state, or numbers that do not lie one after the other give other results."""
    cell = randomized(KINDS[kind].make(3, 4, dtype=tg.float64), 0)
    room = np.random.default_rng(0).normal(size=(3, 4))
    before = room.copy()
    x = tg.from_numpy(room).T[::2]
    want = nn.state_tensors(cell(x.clone(), cell.initial_state(2)))
    single = nn.map_state(lambda s: s[0], cell.initial_state(2))
    for have, whole, alone, from_zeros in zip(
        nn.state_tensors(cell(x)),
        want,
        nn.state_tensors(cell(x[0])),
        nn.state_tensors(cell(x[0], single)),
        strict=True,
    ):
        assert same_bits(have, whole)
        assert same_bits(alone, from_zeros)
        np.testing.assert_allclose(values(alone), values(whole)[0], rtol=1e-12)
    assert same_bits(room, before)


@kinds
def test_not_a_number_passes_through_visibly(kind: str) -> None:
    """A NaN in one row disappears, or reaches another row."""
    cell = KINDS[kind].make(2, 3, clip=5.0)
    h = nn.state_tensors(cell(tg.tensor([[1.0, float("nan")], [1.0, 2.0]])))[0]
    assert np.isnan(values(h)[0]).all()
    assert np.isfinite(values(h)[1]).all()


def test_float32_is_float64_to_rounding() -> None:
    """Single precision loses more than rounding."""
    x = np.random.default_rng(0).normal(size=(20, 3, 5))
    for kind, (make, _) in KINDS.items():
        cell = make(5, 8, dtype=tg.float64)
        double, _ = nn.Recurrent(cell)(tg.tensor(x))
        single, _ = nn.Recurrent(cell.float())(tg.tensor(x).float())
        np.testing.assert_allclose(values(single), values(double), 1e-5, 1e-5, err_msg=kind)


@pytest.mark.parametrize("kind", WITH_MEMORY)
def test_a_projection_shortens_h_and_not_c(kind: str) -> None:
    """The next layer, the state or the weights have the wrong length."""
    cell = KINDS[kind].make(3, 5, proj_size=2)
    assert cell.output_size == 2
    assert cell.weight_hr.shape == (2, 5)
    assert cell.weight_hh.shape[1] == 2
    assert [s.shape for s in cell(tg.ones(4, 3))] == [(4, 2), (4, 5)]
    stack = nn.Recurrent(
        lambda size: KINDS[kind].make(size, 5, proj_size=2), 3, num_layers=2, bidirectional=True
    )
    out, final = stack(tg.ones(6, 4, 3))
    assert out.shape == (6, 4, 4)
    assert [s.shape for s in final] == [(4, 4, 2), (4, 4, 5)]


# ---------------------------------------------------------------------- starting values


@kinds
def test_weights_start_uniform_as_the_hidden_size_says(kind: str) -> None:
    """Starting values lie outside ±1/√H, or nowhere near the edges, or not as the paper says."""
    cell = KINDS[kind].make(30, 25)
    for name, parameter in cell.named_parameters():
        found = values(parameter)
        if kind == "IRNN":
            want = {"weight_hh": np.eye(25), "bias_ih": np.zeros(25), "bias_hh": np.zeros(25)}
            if name in want:
                np.testing.assert_array_equal(found, want[name])
            else:
                np.testing.assert_allclose(found.std(), 0.001, rtol=0.1)
        elif kind.startswith("layer norm") and not name.startswith("weight"):
            assert (found == (1.0 if name.startswith("gain") else 0.0)).all(), name
        else:
            assert 0.15 < np.abs(found).max() <= 0.2, name
            assert abs(found.mean()) < 0.06, name


def test_settings_are_shown() -> None:
    """The printed form leaves out what makes a cell another one."""
    cell = nn.LSTMCell(2, 3, bias=False, proj_size=1, clip=2.0)
    assert repr(cell).startswith("LSTMCell(2, 3, bias=False, clip=2.0, proj_size=1)")
    assert "reset_after=False" in repr(nn.GRUCell(2, 3, reset_after=False))
    assert "nonlinearity=relu" in repr(nn.RNNCell(2, 3, nonlinearity="relu"))
