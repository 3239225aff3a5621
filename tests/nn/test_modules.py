"""Module and what holds modules: order, saving, modes, printing, attributes."""

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import nn
from tinygrad_rnn.errors import ArgumentError, StateDictError


class Model(nn.Module):
    """Parameters of its own, a buffer, children, a shared weight and a parameter switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(tg.ones(2))
        self.embedding = nn.Embedding(5, 2)
        self.register_buffer("mean", tg.zeros(2))
        self.register_parameter("shift", None)
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2, bias=False)])
        self.decoder = nn.Linear(2, 5)
        self.decoder.weight = self.embedding.weight
        self.last = nn.Parameter(tg.zeros(1))

    def forward(self, index: tg.Tensor) -> tg.Tensor:
        h = self.embedding(index) * self.scale - self.mean
        for layer in self.layers:
            h = layer(h).tanh()
        return self.decoder(h)


NAMES = [
    "scale",
    "last",
    "embedding.weight",
    "layers.0.weight",
    "layers.0.bias",
    "layers.1.weight",
    "decoder.bias",
]


def test_parameters_come_in_the_order_of_declaration_and_once() -> None:
    """Order changes between runs, or a shared parameter is trained twice."""
    model = Model()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert len(list(model.parameters())) == len({id(p) for p in model.parameters()})
    assert model.parameter_count() == 2 + 10 + 6 + 4 + 5 + 1


def test_a_new_parameter_under_an_old_name_keeps_its_place() -> None:
    """Re-assigning a parameter or module moves it to the end of the order."""
    layer = nn.Linear(2, 3)
    layer.weight = nn.Parameter(tg.ones(3, 2))
    assert list(layer.state_dict()) == ["weight", "bias"]
    model = Model()
    model.embedding = nn.Embedding(5, 2)
    assert next(name for name, _ in model.named_children()) == "embedding"


def test_the_state_dict_holds_shared_parameters_at_each_place() -> None:
    """A tied weight is missing from the state dict, or is not shared memory."""
    model = Model()
    state = model.state_dict()
    assert set(state) == {*NAMES, "decoder.weight", "mean"}
    assert same_bits(state["decoder.weight"], state["embedding.weight"])
    state["scale"].fill_(4.0)
    assert values(model.scale).tolist() == [4.0, 4.0]


def test_strict_loading_lists_every_mismatch_and_changes_nothing() -> None:
    """Only the first problem is reported, or half of the parameters were already overwritten."""
    model = Model()
    before = {name: values(t).copy() for name, t in model.state_dict().items()}
    wrong = {name: values(t) + 1 for name, t in model.state_dict().items()}
    del wrong["last"]
    del wrong["mean"]
    wrong["scale"] = np.ones((3, 2), np.float32)
    wrong["layers.0.bias"] = np.ones(2, np.float64)
    wrong["extra.weight"] = np.ones(1, np.float32)
    with pytest.raises(StateDictError) as caught:
        model.load_state_dict(wrong)
    message = str(caught.value)
    for part in (
        "last",
        "mean",
        "scale",
        "(2,)",
        "(3, 2)",
        "layers.0.bias",
        "float64",
        "extra.weight",
    ):
        assert part in message
    assert message.count("\n") == 5
    for name, t in model.state_dict().items():
        assert same_bits(t, before[name])


def test_loading_without_strict_reports_what_it_passed_over() -> None:
    """strict=False refuses missing names, or hides them."""
    model = Model()
    found = model.load_state_dict({"scale": tg.zeros(2), "other": tg.zeros(1)}, strict=False)
    assert found.unexpected_keys == ["other"]
    assert set(found.missing_keys) == {*NAMES, "decoder.weight", "mean"} - {"scale"}
    assert values(model.scale).tolist() == [0.0, 0.0]


def test_loading_gives_the_same_model() -> None:
    """A model does not come back from its own state dict."""
    a, b = Model(), Model()
    index = tg.tensor([[0, 4], [2, 2]])
    assert not same_bits(a(index), b(index))
    b.load_state_dict(a.state_dict())
    assert same_bits(a(index), b(index))


def test_loading_keeps_the_parameters_themselves() -> None:
    """Loading replaces the objects that an optimizer holds."""
    model = Model()
    before = list(model.parameters())
    model.load_state_dict(Model().state_dict())
    assert all(a is b for a, b in zip(before, model.parameters(), strict=True))


def test_modes_reach_every_module() -> None:
    """train() or eval() misses a nested module."""
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    x = tg.ones(100)
    assert same_bits(model(x), x)
    assert not same_bits(model.train()(x), x)


def test_printing_shows_the_tree_with_counts() -> None:
    """The repr loses a setting, a module or the number of parameters."""
    model = nn.Sequential(
        nn.Embedding(10, 4, padding_idx=0),
        nn.LSTM(4, 3, num_layers=2, bidirectional=True, dropout=0.5),
        nn.Sequential(nn.Dropout(0.1), nn.Tanh()),
        nn.Linear(6, 1000, bias=False),
    )
    assert repr(model) == (
        "Sequential(  # 6,520 parameters\n"
        "  (0): Embedding(10, 4, padding_idx=0)  # 40 parameters\n"
        "  (1): LSTM(4, 3, num_layers=2, dropout=0.5, bidirectional=True)  # 480 parameters\n"
        "  (2): Sequential(\n"
        "    (0): Dropout(p=0.1)\n"
        "    (1): Tanh()\n"
        "  )\n"
        "  (3): Linear(6, 1000, bias=False)  # 6,000 parameters\n"
        ")"
    )
    assert repr(nn.GRU(2, 3, bias=False, batch_first=True)) == (
        "GRU(2, 3, bias=False, batch_first=True)  # 45 parameters"
    )
    assert repr(nn.RNNCell(2, 3, nonlinearity="relu")) == (
        "RNNCell(2, 3, nonlinearity=relu)  # 21 parameters"
    )


def test_attributes() -> None:
    """A missing attribute, or a parameter replaced by something else, is not reported."""
    model = Model()
    with pytest.raises(AttributeError, match="Model has no attribute 'wieght'"):
        _ = model.wieght
    with pytest.raises(ArgumentError, match="'scale' is a parameter of Model"):
        model.scale = tg.ones(2)
    with pytest.raises(tg.errors.TinygradRnnError, match="decoder"):
        model.decoder = 5
    model.decoder = None
    assert model.decoder is None
    model.scale = None
    assert "scale" not in model.state_dict()
    del model.embedding
    assert not hasattr(model, "embedding")
    model.mean = tg.ones(2)
    assert values(model.state_dict()["mean"]).tolist() == [1.0, 1.0]
    model.plain = 5
    assert model.plain == 5


def test_converting_the_type_keeps_the_parameters() -> None:
    """double() makes other objects, or misses a buffer or integer."""
    model = Model()
    model.register_buffer("count", tg.tensor([1, 2]))
    before = list(model.parameters())
    assert model.double() is model
    assert {t.dtype for t in model.state_dict().values()} == {tg.float64, tg.int64}
    assert all(a is b for a, b in zip(before, model.parameters(), strict=True))
    assert model(tg.tensor([1])).dtype == tg.float64
    assert model.float()(tg.tensor([1])).dtype == tg.float32


def test_walking_and_applying() -> None:
    """A walk misses a module, visits one twice, or forgets the path."""
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Tanh()))
    assert [name for name, _ in model.named_modules()] == ["", "0", "1", "1.0"]
    seen: list[nn.Module] = []
    assert model.apply(seen.append) is model
    assert [type(m).__name__ for m in seen] == ["Linear", "Tanh", "Sequential", "Sequential"]


def test_frozen_parameters_get_no_gradient() -> None:
    """requires_grad_(False) still trains, or zero_grad leaves gradients."""
    model = Model()
    model.layers.requires_grad_(False)
    model(tg.tensor([1])).sum().backward()
    assert model.layers[0].weight.grad is None
    assert model.scale.grad is not None
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_module_lists() -> None:
    """A list of modules misses list behaviour, or registers nothing."""
    layers = nn.ModuleList([nn.Tanh()])
    assert layers.append(nn.ReLU()) is layers
    layers.extend([nn.Sigmoid()])
    assert len(layers) == 3
    assert [type(m).__name__ for m in layers] == ["Tanh", "ReLU", "Sigmoid"]
    assert type(layers[-1]) is nn.Sigmoid
    for bad in (5, tg.ones(1), None):
        with pytest.raises(tg.errors.TinygradRnnError):
            nn.Sequential(bad)
    with pytest.raises(IndexError):
        layers[3]


def test_names_of_modules_reach_the_graph() -> None:
    """A node cannot say which module and time step it belongs to."""

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(2, 3, 2)
            self.head = nn.Linear(3, 1)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(x)[0])

    out = Outer()(tg.ones(4, 1, 2))
    places = {str(node.scope) for node in tg.autograd.engine.reachable([out])}
    assert {"head", "lstm.l0, t=0", "lstm.l0, t=3", "lstm.l1, t=2"} <= places
