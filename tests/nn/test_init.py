"""Starting values: their distributions, and every gate of every layer reached by construction."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import Array, examples, same_bits, values
from tinygrad_rnn import nn
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn import init

CELLS: dict[str, Any] = {
    "RNN": nn.RNNCell,
    "IRNN": nn.IRNNCell,
    "LSTM": nn.LSTMCell,
    "projected": partial(nn.LSTMCell, proj_size=3),
    "peephole": nn.PeepholeLSTMCell,
    "coupled": nn.CoupledLSTMCell,
    "layer norm": nn.LayerNormLSTMCell,
    "layer norm of gates": nn.LayerNormGatesLSTMCell,
    "GRU": nn.GRUCell,
    "GRU before": partial(nn.GRUCell, reset_after=False),
    "MGU": nn.MGUCell,
}
KEEPING = [kind for kind in CELLS if "RNN" not in kind]
cells = pytest.mark.parametrize("kind", list(CELLS))


def stacked(kind: str, **extra: Any) -> nn.Recurrent:
    make = partial(CELLS[kind], hidden_size=5, dtype=tg.float64, **extra)
    return nn.Recurrent(lambda size: make(size), 4, num_layers=3, bidirectional=True)


def gates_of(cell: nn.GatedCell, kind: str) -> list[Array]:
    """The blocks of a parameter, gate by gate."""
    return np.split(values(getattr(cell, kind)), len(cell.gate_names))


def assert_orthogonal(block: Array) -> None:
    rows, columns = block.shape
    small = block.T @ block if rows >= columns else block @ block.T
    np.testing.assert_allclose(small, np.eye(min(rows, columns)), atol=1e-12)


# ---------------------------------------------------------------------- gate by gate


@cells
def test_no_layer_direction_or_gate_is_missed(kind: str) -> None:
    """A layer keeps its old numbers, or a stack of gates is filled as if it were one matrix."""
    layers = stacked(kind)
    with tg.no_grad():
        for parameter in layers.parameters():
            parameter.fill_(7.0)
    assert init.recurrent_(layers) is layers
    assert len(layers.cells()) == 6
    drawn = []
    for cell in layers.cells():
        for block in gates_of(cell, "weight_ih"):
            bound = math.sqrt(6 / sum(block.shape))
            assert 0.5 * bound < np.abs(block).max() <= bound
            drawn.append(block)
        for block in gates_of(cell, "weight_hh"):
            assert_orthogonal(block)
            drawn.append(block)
        assert not values(cell.bias_ih).any()
        assert not values(cell.bias_hh).any()
    assert len({block.tobytes() for block in drawn}) == len(drawn)


@cells
def test_what_is_no_gate_and_what_is_not_asked_for_stays(kind: str) -> None:
    """Gains, peepholes, projections, or weights whose filler is None get new numbers."""
    layers = stacked(kind)
    for cell in layers.cells():
        init.ones_(cell.weight_hh)
    before = {name: p.clone() for name, p in layers.state_dict().items()}
    init.recurrent_(layers, input=None, bias=None, hidden=init.eye_)
    for name, parameter in layers.named_parameters():
        assert same_bits(parameter, before[name]) == (not name.startswith("weight_hh")), name
    for cell in layers.cells():
        for block in gates_of(cell, "weight_hh"):
            np.testing.assert_array_equal(block, np.eye(*block.shape))


@pytest.mark.parametrize("kind", KEEPING)
@pytest.mark.parametrize("forget_bias", [1.0, -0.5])
def test_the_forget_bias_counts_once_and_keeps_that_much(kind: str, forget_bias: float) -> None:
    """Two biases make 2.0 of it, or it goes to another gate, or to one that counts the other way.

    With weights of 0 and no input, what a step leaves of the state is σ(forget_bias) of it.
    """
    layers = init.recurrent_(stacked(kind), init.zeros_, init.zeros_, forget_bias=forget_bias)
    for cell in layers.cells():
        if kind == "peephole":
            init.zeros_(cell.weight_ch)
        state = nn.map_state(tg.ones_like, cell.initial_state(2))
        kept = nn.state_tensors(cell(tg.zeros(2, cell.input_size, dtype=tg.float64), state))[-1]
        np.testing.assert_allclose(values(kept), 1 / (1 + math.exp(-forget_bias)), rtol=1e-12)
        gate, sign = cell.keep_gate
        where = cell.gate_names.index(gate)
        assert (gates_of(cell, "bias_ih")[where] == sign * forget_bias).all()
        assert not values(cell.bias_hh).any()
    # Asked for alone, it leaves everything else as it is, and does not grow when repeated.
    before = layers.state_dict()["bias_ih_l2_reverse"].clone()
    init.recurrent_(layers, None, None, None, forget_bias=forget_bias)
    assert same_bits(layers.bias_ih_l2_reverse, before)


FILLERS: dict[str, tuple[Any, float]] = {
    "uniform": (partial(init.uniform_, a=-0.3, b=0.3), 0.3 / math.sqrt(3)),
    "normal": (partial(init.normal_, std=0.2), 0.2),
    "xavier": (init.xavier_uniform_, math.sqrt(2 / 120)),
    "kaiming": (init.kaiming_uniform_, math.sqrt(2 / 60)),
    "kaiming normal": (partial(init.kaiming_normal_, nonlinearity="tanh"), 5 / 3 / math.sqrt(60)),
}


@pytest.mark.parametrize("filler", list(FILLERS))
def test_sizes_are_those_of_a_gate_and_not_of_the_whole(filler: str) -> None:
    """Xavier or Kaiming count the rows of all gates, so that weights start too small."""
    fill, std = FILLERS[filler]
    layers = init.recurrent_(nn.LSTM(60, 60, 2, bidirectional=True), hidden=fill)
    for cell in layers.cells():
        for block in gates_of(cell, "weight_hh"):
            np.testing.assert_allclose(block.std(), std, rtol=0.06)


class Tagger(nn.Module):
    """Cells at several depths, one of them twice, and layers that are no cells."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden_size = 3
        self.embedding = nn.Embedding(7, 4)
        self.encoder = nn.ModuleList([nn.GRU(4, 3, 2), nn.Sequential(nn.LSTM(3, 3))])
        self.cell = nn.MGUCell(3, 3)
        self.again = self.cell
        self.output = nn.Linear(3, 7)

    def initial_state(self, batch: int) -> tg.Tensor:
        return tg.zeros(batch, 3)


def test_cells_are_found_wherever_they_are() -> None:
    """A cell in a model, a list or by itself is missed; a layer that is no cell is overwritten."""
    model = Tagger()
    others = [model.embedding.weight.clone(), model.output.weight.clone()]
    init.recurrent_(model)
    gru, (lstm,) = model.encoder[0], model.encoder[1]
    for cell in (*gru.cells(), *lstm.cells(), model.cell):
        for block in gates_of(cell, "weight_hh"):
            np.testing.assert_allclose(block @ block.T, np.eye(3), atol=1e-6)
    assert same_bits(others[0], model.embedding.weight)
    assert same_bits(others[1], model.output.weight)
    alone = init.recurrent_(nn.GRUCell(2, 3), hidden=init.eye_, bias=init.ones_)
    assert (values(alone.bias_hh) == 1.0).all()


def test_what_the_wrapper_adds_is_left_alone() -> None:
    """Attention, a learned initial state or dropped weights hide a cell, or are overwritten."""
    layers = nn.Recurrent(
        lambda size: nn.PeepholeLSTMCell(size, 4),
        3,
        num_layers=2,
        attention=nn.AdditiveAttention(4, 5, 6),
        learn_initial_state=True,
        weight_drop=0.5,
    )
    before = {name: p.clone() for name, p in layers.state_dict().items()}
    init.recurrent_(layers, init.ones_, init.ones_, init.ones_, forget_bias=2.0)
    changed = {n for n, p in layers.named_parameters() if not same_bits(p, before[n])}
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    assert changed == {f"{kind}_l{layer}" for kind in kinds for layer in range(2)}


# ---------------------------------------------------------------------- a cell of one's own


class Stacked(nn.Module):
    """A user's cell with PyTorch's names: the attribute is enough."""

    gate_names = ("f", "n")
    keep_gate = ("f", -1.0)
    ungated = ("scale",)

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.hidden_size = hidden
        self.weight_ih = nn.Parameter(tg.full((2 * hidden, size), 7.0))
        self.weight_hh = nn.Parameter(tg.full((2 * hidden, hidden), 7.0))
        self.bias = nn.Parameter(tg.full((2 * hidden,), 7.0))
        self.scale = nn.LayerNorm(hidden)

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        return h, h


class Joined(nn.Module):
    """A user's cell of layers that read [x, h]: a method says what is where."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = size, hidden
        self.forget = nn.Linear(size + hidden, hidden)
        self.candidate = nn.Linear(size + hidden, hidden)

    def gate_blocks(self) -> Iterator[init.GateBlock]:
        for gate in ("forget", "candidate"):
            layer, size = getattr(self, gate), self.input_size
            yield init.GateBlock("input", gate, layer.weight, columns=slice(0, size))
            yield init.GateBlock("hidden", gate, layer.weight, columns=slice(size, None))
            yield init.GateBlock("bias", gate, layer.bias)

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        return h, h


class Undeclared(nn.Module):
    """A user's cell that says nothing of its gates."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.hidden_size = hidden
        self.both = nn.Linear(size + hidden, hidden)

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        return h, h


def test_ones_own_cells_are_filled_as_they_declare() -> None:
    """A user's cell gets less than a built-in one, or a part of it is left out."""
    layers = nn.Recurrent(lambda size: Stacked(size, 4), 3, num_layers=2, bidirectional=True)
    init.recurrent_(layers, hidden=init.eye_, forget_bias=2.0)
    for cell in layers.cells():
        np.testing.assert_array_equal(values(cell.weight_hh), np.tile(np.eye(4), (2, 1)))
        assert values(cell.bias).tolist() == [-2.0] * 4 + [0.0] * 4
        assert np.abs(values(cell.weight_ih)).max() < 1.0
        assert (values(cell.scale.weight) == 1.0).all()
    joined = nn.Recurrent(lambda size: Joined(size, 4), 3, num_layers=2)
    init.recurrent_(joined, input=init.ones_, hidden=init.eye_)
    for cell in joined.cells():
        for layer in (cell.forget, cell.candidate):
            weight = values(layer.weight)
            assert (weight[:, : cell.input_size] == 1.0).all()
            np.testing.assert_array_equal(weight[:, cell.input_size :], np.eye(4))
            assert not values(layer.bias).any()


def test_a_cell_that_declares_nothing_stops_everything() -> None:
    """A cell is passed over in silence, or the cells before it have been changed already."""
    for make in (
        lambda: nn.Recurrent([nn.GRUCell(3, 4), Undeclared(4, 4)]),
        lambda: nn.Sequential(nn.LSTM(3, 4), Undeclared(4, 4)),
    ):
        model = make()
        before = {name: p.clone() for name, p in model.state_dict().items()}
        with pytest.raises(ArgumentError, match=r"1 \(Undeclared\).*gate_names.*gate_blocks"):
            init.recurrent_(model)
        for name, tensor in model.state_dict().items():
            assert same_bits(tensor, before[name])


def test_a_parameter_that_no_gate_owns_stops_everything() -> None:
    """A second weight matrix, or half of one, keeps its numbers without a word."""

    class Extended(nn.LSTMCell):
        def __init__(self) -> None:
            super().__init__(2, 3)
            self.weight_mh = nn.Parameter(tg.ones(3, 3))

    class Half(Joined):
        def gate_blocks(self) -> Iterator[init.GateBlock]:
            return (block for block in super().gate_blocks() if block.role != "input")

    with pytest.raises(ArgumentError, match=r"weight_mh \(3, 3\).*0 numbers out of 9"):
        init.recurrent_(Extended())
    with pytest.raises(ArgumentError, match=r"forget\.weight \(3, 5\).*9 numbers out of 15"):
        init.recurrent_(Half(2, 3))


def test_a_module_that_only_looks_like_a_cell_says_so() -> None:
    """`gate_names = ()` is no way out, or hides the cells below."""

    class Head(Undeclared):
        gate_names = ()

    model = nn.Sequential(nn.GRU(3, 4), Head(4, 4))
    before = model[1].both.weight.clone()
    init.recurrent_(model, hidden=init.zeros_)
    assert not values(model[0].weight_hh_l0).any()
    assert same_bits(model[1].both.weight, before)
    holder = Head(4, 4)
    holder.below = nn.GRUCell(2, 3)
    init.recurrent_(holder, hidden=init.zeros_)
    assert not values(holder.below.weight_hh).any()


# ---------------------------------------------------------------------- single functions


@examples(25)
@given(data=st.data())
def test_kaiming_and_gain_are_pytorchs(data: Any) -> None:
    """A fan is counted along the other axis, or a gain is another."""
    torch = pytest.importorskip("torch")
    rows, columns = (data.draw(st.integers(20, 40)) for _ in range(2))
    name = data.draw(st.sampled_from(["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]))
    slope = data.draw(st.sampled_from([0.0, 0.3, math.sqrt(5)]))
    mode = data.draw(st.sampled_from(["fan_in", "fan_out"]))
    assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain(name, slope) == torch.nn.init.calculate_gain(name, slope)
    gain = torch.nn.init.calculate_gain(name, slope)
    std = gain / math.sqrt(columns if mode == "fan_in" else rows)
    ours, theirs = tg.empty(rows, columns), torch.empty(rows, columns)
    bounds = [
        np.abs(values(init.kaiming_uniform_(ours, slope, mode, name))).max(),
        torch.nn.init.kaiming_uniform_(theirs, slope, mode, name).abs().max().item(),
    ]
    for bound in bounds:
        assert 0.95 * math.sqrt(3) * std < bound <= math.sqrt(3) * std * (1 + 1e-6)
    found = values(init.kaiming_normal_(tg.empty(4 * rows, columns), slope, mode, name))
    want = std if mode == "fan_in" else std / 2
    np.testing.assert_allclose(found.std(), want, rtol=0.06)


@pytest.mark.parametrize(("a", "b"), [(-2.0, 2.0), (-1.0, 0.5), (2.0, 3.0), (-9.0, 9.0), (9.0, 11)])
def test_a_truncated_normal_is_a_normal_between_its_bounds(a: float, b: float) -> None:
    """Numbers lie outside, pile up at a bound, or have another mean and spread.

    With density φ and Z = Φ(b) - Φ(a), the mean is (φ(a) - φ(b)) / Z.
    """
    tg.manual_seed(0)
    found = values(init.trunc_normal_(tg.empty(20000, dtype=tg.float64), 0.0, 1.0, a, b))
    assert a <= found.min() <= found.max() <= b
    assert len(set(found.tolist())) > 19000
    phi = [math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in (a, b)]
    z = (math.erfc(a / math.sqrt(2)) - math.erfc(b / math.sqrt(2))) / 2
    np.testing.assert_allclose(found.mean(), (phi[0] - phi[1]) / z, atol=0.02)
    shifted = values(init.trunc_normal_(tg.empty(50, 40), 5.0, 0.1, 4.9, 5.2))
    assert shifted.dtype == np.float32
    assert 4.9 <= shifted.min() < 4.91 < 5.15 < shifted.max() <= 5.2


def test_sparse_leaves_the_same_number_in_each_column() -> None:
    """Columns are emptied together, or by chance, or always in the same rows."""
    found = values(init.sparse_(tg.empty(20, 50), 0.33, std=0.5))
    assert ((found == 0).sum(0) == 7).all()
    assert 0 < (found == 0).sum(1).min() < (found == 0).sum(1).max() < 50
    np.testing.assert_allclose(found[found != 0].std(), 0.5, rtol=0.1)


def test_the_same_seed_gives_the_same_numbers() -> None:
    """Starting values depend on something besides the seed."""
    runs = []
    for _ in range(2):
        tg.manual_seed(3)
        layers = init.recurrent_(nn.LSTM(3, 4, 2), forget_bias=1.0)
        w = tg.empty(5, 4)
        extra = [f(w).clone() for f in (init.trunc_normal_, partial(init.sparse_, sparsity=0.5))]
        runs.append([*layers.parameters(), *extra])
    for a, b in zip(*runs, strict=True):
        assert same_bits(a, b)


def test_numbers_may_be_numpys_or_tensors_and_the_generator_none() -> None:
    """A bound that is a float32 of NumPy, or a generator passed on as None, is refused."""
    w = tg.empty(4, 5)
    init.uniform_(w, np.float32(2.0), tg.tensor(3.0), generator=None)
    assert 2.0 <= float(w.min()) <= float(w.max()) < 3.0
    init.uniform_(w, 1, 1)
    assert (w == 1.0).all()
    init.normal_(w, 5.0, 0, generator=None)
    assert (w == 5.0).all()
