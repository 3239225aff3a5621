"""Cells and the wrapper that unrolls them: equations, states, layouts, and what BPTT is."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import Array, examples, same_bits, values
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional

KINDS: dict[str, Any] = {
    "RNN": nn.RNN,
    "relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "LSTM": nn.LSTM,
    "GRU": nn.GRU,
}
kinds = pytest.mark.parametrize("kind", list(KINDS))
sides = st.integers(1, 4)


def tensors(state: Any) -> list[tg.Tensor]:
    return nn.state_tensors(state)


def random_state(kind: str, *shape: int, dtype: Any = tg.float64) -> Any:
    parts = [tg.randn(*shape, dtype=dtype) for _ in range(2 if kind == "LSTM" else 1)]
    return nn.LSTMState(*parts) if kind == "LSTM" else parts[0]


# ---------------------------------------------------------------------- equations


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def step_by_equation(
    kind: str, weights: dict[str, Array], x: Array, state: list[Array]
) -> list[Array]:
    """One step of each cell for one row, gate by gate, as the books write it."""
    w, u, b, d = (weights[n] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h, n = state[0], state[0].shape[-1]

    def gate(i: int) -> tuple[slice, Array, Array]:
        rows = slice(i * n, (i + 1) * n)
        return rows, w[rows] @ x + b[rows], u[rows] @ h + d[rows]

    if kind in ("RNN", "relu"):
        total = w @ x + b + u @ h + d
        return [np.tanh(total) if kind == "RNN" else np.maximum(total, 0)]
    if kind == "LSTM":
        i, f, g, o = (gate(k)[1] + gate(k)[2] for k in range(4))
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    r, z = (sigmoid(gate(k)[1] + gate(k)[2]) for k in range(2))
    candidate = np.tanh(gate(2)[1] + r * gate(2)[2])
    return [(1 - z) * candidate + z * h]


@kinds
@examples(8)
@given(data=st.data())
def test_each_cell_is_its_equation(kind: str, data: Any) -> None:
    """A gate is in the wrong place, or a bias is used twice or not at all."""
    size, hidden, batch, steps = (data.draw(sides) for _ in range(4))
    tg.manual_seed(data.draw(st.integers(0, 999)))
    layer = KINDS[kind](size, hidden, dtype=tg.float64)
    x, start = tg.randn(steps, batch, size, dtype=tg.float64), random_state(kind, 1, batch, hidden)
    out, final = layer(x, start)
    weights = {name.removesuffix("_l0"): values(p) for name, p in layer.named_parameters()}
    for row in range(batch):
        state = [values(s)[0, row] for s in tensors(start)]
        for t in range(steps):
            state = step_by_equation(kind, weights, values(x)[t, row], state)
            np.testing.assert_allclose(values(out)[t, row], state[0], rtol=1e-12, atol=1e-14)
        for have, want in zip(tensors(final), state, strict=True):
            np.testing.assert_allclose(values(have)[0, row], want, rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------------- states


@kinds
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_no_state_is_a_state_of_zeros(kind: str, dtype: Any) -> None:
    """None takes another path through the mathematics than zeros."""
    layer = KINDS[kind](3, 4, 2, bidirectional=True, dtype=dtype)
    x = tg.randn(5, 2, 3, dtype=dtype)
    zeros = nn.map_state(tg.zeros_like, random_state(kind, 4, 2, 4, dtype=dtype))
    (a, state_a), (b, state_b) = layer(x), layer(x, zeros)
    assert same_bits(a, b)
    for s, t in zip(tensors(state_a), tensors(state_b), strict=True):
        assert same_bits(s, t)


@kinds
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
@examples(8)
@given(data=st.data())
def test_pieces_with_carried_state_equal_one_long_run(kind: str, dtype: Any, data: Any) -> None:
    """Splitting a sequence changes a bit: the state does not hold everything, or rounding does."""
    batch, hidden, layers = (
        data.draw(st.integers(1, 5)),
        data.draw(sides),
        data.draw(st.integers(1, 2)),
    )
    pieces = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    tg.manual_seed(data.draw(st.integers(0, 999)))
    layer = KINDS[kind](3, hidden, layers, dtype=dtype)
    x = tg.randn(sum(pieces), batch, 3, dtype=dtype)
    whole, final = layer(x)
    parts, state = [], None
    for piece in x.split(pieces, 0):
        out, state = layer(piece, state)
        parts.append(out)
    assert same_bits(tg.cat(parts, 0), whole)
    for a, b in zip(tensors(state), tensors(final), strict=True):
        assert same_bits(a, b)


@kinds
@pytest.mark.parametrize(("inputs", "hidden", "batch"), [(33, 65, 24), (65, 128, 1), (300, 400, 1)])
def test_pieces_equal_one_long_run_at_the_sizes_of_real_models(
    kind: str, inputs: int, hidden: int, batch: int
) -> None:
    """The products of wide layers depend on how many steps are taken at once."""
    layer = KINDS[kind](inputs, hidden)
    x = tg.randn(12, batch, inputs)
    whole, _ = layer(x)
    state, parts = None, []
    for piece in x.split([1, 7, 4], 0):
        out, state = layer(piece, state)
        parts.append(out)
    assert same_bits(tg.cat(parts, 0), whole)


@kinds
def test_the_gradient_reaches_the_initial_state_and_everything_else(kind: str) -> None:
    """BPTT is wrong for some parameter, the input, or the initial state."""
    layer = KINDS[kind](2, 2, 2, bidirectional=True, dtype=tg.float64)
    x = tg.randn(3, 1, 2, dtype=tg.float64)
    start = tensors(random_state(kind, 4, 1, 2))
    names = [name for name, _ in layer.named_parameters()]

    def run(x: tg.Tensor, *rest: tg.Tensor) -> Any:
        state, weights = rest[: len(start)], rest[len(start) :]
        old = {name: getattr(layer, name) for name in names}
        try:
            for name, weight in zip(names, weights, strict=True):
                place = layer._place(name)
                place.owner._parameters[place.key] = weight
            out, final = layer(x, nn.LSTMState(*state) if kind == "LSTM" else state[0])
        finally:
            for name, weight in old.items():
                place = layer._place(name)
                place.owner._parameters[place.key] = weight
        return (out, *tensors(final))

    leaves = [t.detach().requires_grad_() for t in (x, *start, *layer.parameters())]
    assert tg.gradcheck(run, leaves, eps=1e-4, rtol=1e-6, atol=1e-8)


@kinds
def test_second_order_through_time(kind: str) -> None:
    """The gradient of a gradient through time is wrong."""
    layer = KINDS[kind](2, 2, dtype=tg.float64)
    x = tg.randn(3, 1, 2, dtype=tg.float64, requires_grad=True)
    start = random_state(kind, 1, 1, 2)
    leaves = [x, *[s.requires_grad_() for s in tensors(start)]]

    def run(x: tg.Tensor, *state: tg.Tensor) -> Any:
        return layer(x, nn.LSTMState(*state) if kind == "LSTM" else state[0])[0]

    assert tg.gradcheck(run, leaves, order=2, eps=1e-4, rtol=1e-6, atol=1e-8)


# ---------------------------------------------------------------------- sizes and layouts


@kinds
@pytest.mark.parametrize(
    ("steps", "batch", "hidden"), [(0, 2, 3), (1, 2, 3), (3, 0, 3), (3, 1, 1), (0, 0, 1)]
)
def test_sizes_zero_and_one(kind: str, steps: int, batch: int, hidden: int) -> None:
    """An empty sequence, an empty batch or a single unit fails or has another shape."""
    layer = KINDS[kind](2, hidden, 2, bidirectional=True)
    x = tg.randn(steps, batch, 2, requires_grad=True)
    start = random_state(kind, 4, batch, hidden, dtype=tg.float32)
    out, final = layer(x, start)
    assert out.shape == (steps, batch, 2 * hidden)
    assert [s.shape for s in tensors(final)] == [(4, batch, hidden)] * len(tensors(final))
    if steps == 0:
        for a, b in zip(tensors(final), tensors(start), strict=True):
            assert same_bits(a, b)
    else:
        out.sum().backward()
        assert x.grad.shape == x.shape


@kinds
def test_batch_first_and_single_sequences_are_only_layouts(kind: str) -> None:
    """Another layout gives other numbers, or moves the state's axes."""
    layer = KINDS[kind](2, 3, 2, bidirectional=True)
    turned = KINDS[kind](2, 3, 2, bidirectional=True, batch_first=True)
    turned.load_state_dict(layer.state_dict())
    x = tg.randn(5, 4, 2)
    start = random_state(kind, 4, 4, 3, dtype=tg.float32)
    out, final = layer(x, start)
    other, other_final = turned(x.transpose(0, 1), start)
    assert same_bits(other.transpose(0, 1), out)
    for a, b in zip(tensors(final), tensors(other_final), strict=True):
        assert same_bits(a, b)
    for which in (layer, turned):
        single, single_final = which(x[:, 1], nn.map_state(lambda s: s[:, 1], start))
        np.testing.assert_allclose(values(single), values(out)[:, 1], rtol=1e-5, atol=1e-6)
        for a, b in zip(tensors(final), tensors(single_final), strict=True):
            np.testing.assert_allclose(values(b), values(a)[:, 1], rtol=1e-5, atol=1e-6)


@kinds
def test_the_backward_direction_is_the_forward_one_on_reversed_time(kind: str) -> None:
    """The second direction keeps its outputs reversed, or reads its state at the wrong end."""
    both = KINDS[kind](2, 3, bidirectional=True)
    alone = KINDS[kind](2, 3)
    alone.load_state_dict(
        {n.removesuffix("_reverse"): p for n, p in both.state_dict().items() if "reverse" in n}
    )
    x = tg.randn(5, 4, 2)
    out, final = both(x)
    reversed_out, reversed_final = alone(x.flip(0))
    assert same_bits(out[..., 3:], reversed_out.flip(0))
    for a, b in zip(tensors(final), tensors(reversed_final), strict=True):
        assert same_bits(a[1], b[0])


def test_dropout_lies_between_layers_only() -> None:
    """Dropout touches the last output, the state, or evaluation."""
    layer = nn.RNN(2, 50, 2, dropout=0.5)
    x = tg.randn(3, 1, 2)
    first = nn.RNN(2, 50)
    first.load_state_dict({n: p for n, p in layer.state_dict().items() if n.endswith("_l0")})
    second = nn.RNN(50, 50)
    second.load_state_dict(
        {n.replace("_l1", "_l0"): p for n, p in layer.state_dict().items() if n.endswith("_l1")}
    )
    tg.manual_seed(1)
    out, _ = layer(x)
    tg.manual_seed(1)
    between = functional.dropout(first(x)[0], 0.5)
    assert same_bits(out, second(between)[0])
    assert (values(between) == 0).any()
    assert not (values(out) == 0).any()
    layer.eval()
    assert same_bits(layer(x)[0], second(first(x)[0])[0])


# ---------------------------------------------------------------------- a cell of one's own


class Plain(nn.Module):
    """Nothing but forward and a size."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.hidden_size = hidden
        self.both = nn.Linear(size + hidden, hidden, dtype=tg.float64)

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        h = self.both(tg.cat([x, h], -1)).tanh()
        return h, h


class Memory(NamedTuple):
    fast: tg.Tensor
    slow: tg.Tensor


class Structured(nn.Module):
    """A cell whose state has the structure that it is made with."""

    def __init__(self, structure: str) -> None:
        super().__init__()
        self.structure = structure
        self.hidden_size = 2
        self.rate = nn.Parameter(tg.tensor([0.5, 0.25], dtype=tg.float64))

    def pack(self, fast: Any, slow: Any) -> Any:
        return {
            "tuple": lambda: (fast, slow),
            "named": lambda: Memory(fast, slow),
            "nested": lambda: (fast, (slow, fast)),
            "dict": lambda: {"fast": fast, "slow": slow},
            "matrix": lambda: (fast, slow.unsqueeze(-1).expand(-1, -1, 3)),
        }[self.structure]()

    def unpack(self, state: Any) -> Any:
        if self.structure == "dict":
            return state["fast"], state["slow"]
        if self.structure == "nested":
            return state[0], state[1][0]
        if self.structure == "matrix":
            return state[0], state[1][..., 0]
        return state[0], state[1]

    def initial_state(self, batch: int) -> Any:
        one = tg.ones(batch, 2, dtype=tg.float64)
        return self.pack(one, one * 2.0)

    def forward(self, x: tg.Tensor, state: Any) -> tuple[tg.Tensor, Any]:
        fast, slow = self.unpack(state)
        fast = fast * self.rate + x
        slow = slow * 0.5 + fast
        return slow, self.pack(fast, slow)


def test_a_cell_needs_only_forward_and_a_size() -> None:
    """A cell written as plain tensor math does not run, or starts from something else than 0."""
    cell = Plain(3, 2)
    layer = nn.Recurrent(cell)
    x = tg.randn(4, 5, 3, dtype=tg.float64)
    out, final = layer(x)
    h = tg.zeros(5, 2, dtype=tg.float64)
    for t in range(4):
        h, _ = cell(x[t], h)
        np.testing.assert_allclose(values(out)[t], values(h), rtol=1e-12)
    assert final.shape == (1, 5, 2)
    assert {n for n, _ in layer.named_parameters()} == {"both.weight_l0", "both.bias_l0"}


def test_layers_and_directions_of_ones_own_cells() -> None:
    """The wrapper gives a user's cell less than the built-in ones."""
    layer = nn.Recurrent(lambda size: Plain(size, 2), 3, num_layers=2, bidirectional=True)
    out, final = layer(tg.randn(4, 5, 3, dtype=tg.float64))
    assert out.shape == (4, 5, 4)
    assert final.shape == (4, 5, 2)
    assert [c.both.in_features for c in layer.cells()] == [5, 5, 6, 6]
    different = nn.Recurrent([Plain(3, 2), Plain(2, 4)])
    out, states = different(tg.randn(4, 5, 3, dtype=tg.float64))
    assert out.shape == (4, 5, 4)
    assert [s.shape for s in states] == [(5, 2), (5, 4)]
    again, _ = different(tg.randn(4, 5, 3, dtype=tg.float64), states)
    assert again.shape == (4, 5, 4)


@pytest.mark.parametrize("structure", ["tuple", "named", "nested", "dict", "matrix"])
def test_states_of_any_structure(structure: str) -> None:
    """A structured state comes back in another form, or its parts are mixed up."""
    layer = nn.Recurrent(Structured(structure))
    x = tg.randn(5, 3, 2, dtype=tg.float64)
    whole, final = layer(x)
    first, state = layer(x[:2])
    second, end = layer(x[2:], state)
    assert type(final) is type(layer.cells()[0].initial_state(1))
    assert same_bits(tg.cat([first, second]), whole)
    for a, b in zip(tensors(end), tensors(final), strict=True):
        assert same_bits(a, b)
    single, single_final = layer(x[:, 0])
    assert same_bits(single, whole[:, 0])
    for a, b in zip(tensors(single_final), tensors(final), strict=True):
        assert same_bits(a, b[:, 0])
    again, _ = layer(x[:, 0], single_final)
    assert again.shape == (5, 2)


def test_a_dict_state_is_matched_by_key() -> None:
    """The parts of a dict are taken by position, so that another order swaps them."""
    layer = nn.Recurrent(Structured("dict"))
    x = tg.randn(2, 3, 2, dtype=tg.float64)
    fast, slow = (tg.randn(1, 3, 2, dtype=tg.float64) for _ in range(2))
    assert same_bits(
        layer(x, {"slow": slow, "fast": fast})[0], layer(x, {"fast": fast, "slow": slow})[0]
    )
    with pytest.raises(tg.errors.TinygradRnnError, match="slow"):
        layer(x, {"fast": fast, "wrong": slow})


def test_detach_state_keeps_numbers_and_structure() -> None:
    """The edge of a window changes numbers, or lets a gradient through."""
    layer = nn.Recurrent(Structured("nested"))
    _, state = layer(tg.randn(2, 3, 2, dtype=tg.float64))
    detached = nn.detach_state(state)
    assert type(detached[1]) is tuple
    for a, b in zip(tensors(state), tensors(detached), strict=True):
        assert a.requires_grad
        assert not b.requires_grad
        assert same_bits(a, b)


# ---------------------------------------------------------------------- what BPTT is


def per_step(kind: str, length: int, hidden: int = 3) -> tuple[Any, list[tg.Tensor], Any]:
    """A cell, T inputs, and a function that runs it with a weight of its own at every step."""
    cell = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}[kind](
        2, hidden, dtype=tg.float64
    )
    xs = list(tg.randn(length, 2, 2, dtype=tg.float64).unbind(0))

    def run(weights: list[tg.Tensor], state: Any, inputs: list[tg.Tensor]) -> tuple[tg.Tensor, Any]:
        """Return the loss (a sum over steps) and the state; weights[t] is used at step t."""
        loss = tg.zeros((), dtype=tg.float64)
        for weight, x in zip(weights, inputs, strict=True):
            kept = cell.weight_hh
            cell._parameters["weight_hh"] = weight
            state = cell(x, state)
            cell._parameters["weight_hh"] = kept
            h = tensors(state)[0]
            loss = loss + (h * h * h).sum()
        return loss, state

    return cell, xs, run


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_the_gradient_of_a_shared_weight_is_the_sum_over_time(kind: str) -> None:
    """Σ_t of the contributions of each step's own copy is not the gradient of the shared weight."""
    length = 6
    cell, xs, run = per_step(kind, length)
    run([cell.weight_hh] * length, None, xs)[0].backward()
    copies = [cell.weight_hh.detach().clone().requires_grad_() for _ in range(length)]
    run(copies, None, xs)[0].backward()
    contributions = [values(copy.grad) for copy in copies]
    np.testing.assert_allclose(
        values(cell.weight_hh.grad), sum(contributions), rtol=1e-12, atol=1e-14
    )
    # The state starts at 0, so that the first step's weight has nothing to act on.
    assert not contributions[0].any()
    assert all(c.any() for c in contributions[1:])


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("window", [1, 2, 3, 6, 9])
def test_truncated_bptt_is_its_definition(kind: str, window: int) -> None:
    """Detaching at a window's edge cuts off more, or less, than the steps before it.

    By definition the gradient of the loss at step t sees the weight only at the steps of its own
    window; with a window of T or more that is all of BPTT.
    """
    length = 6
    cell, xs, run = per_step(kind, length)
    shared, state = cell.weight_hh, None
    for start in range(0, length, window):
        piece = xs[start : start + window]
        state = None if state is None else nn.detach_state(state)
        loss, state = run([shared] * len(piece), state, piece)
        loss.backward()

    expected = np.zeros(shared.shape)
    for t in range(length):
        first = t - t % window
        constant, live = shared.detach(), shared.detach().requires_grad_()
        _, before = run([constant] * first, None, xs[:first]) if first else (None, None)
        inside = xs[first : t + 1]
        now, after = run([live] * len(inside), before, inside)
        h = tensors(after)[0]
        (g,) = tg.grad((h * h * h).sum(), live, allow_unused=True)
        expected += 0.0 if g is None else values(g)
        assert now.requires_grad
    np.testing.assert_allclose(values(shared.grad), expected, rtol=1e-11, atol=1e-14)
    if window >= length:
        full = shared.detach().requires_grad_()
        (g,) = tg.grad(run([full] * length, None, xs)[0], full)
        np.testing.assert_allclose(values(shared.grad), values(g), rtol=1e-12, atol=1e-14)


def test_a_window_without_detach_says_how_to_end_it() -> None:
    """Carrying a state with history into the next window fails without naming the cure."""
    layer = nn.LSTM(2, 3)
    out, state = layer(tg.randn(4, 1, 2))
    out.sum().backward()
    out, _ = layer(tg.randn(4, 1, 2), state)
    with pytest.raises(tg.errors.GraphError, match="detach_state"):
        out.sum().backward()
