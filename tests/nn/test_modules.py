"""Module and what holds modules: order, saving, modes, printing, attributes."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import checkpoints, nn, optim
from tinygrad_rnn.errors import ArgumentError, StateDictError, UnsupportedError


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
    with pytest.raises(AttributeError, match="no attribute 'wieght'"):
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


@pytest.mark.parametrize("kind", [nn.ModuleList, nn.Sequential])
def test_lists_change_as_pytorchs_do(kind: Any) -> None:
    """A module is put at another place, or the rest goes by old names."""
    torch = pytest.importorskip("torch")
    module = {nn.ModuleList: torch.nn.ModuleList, nn.Sequential: torch.nn.Sequential}[kind]
    ours, theirs = kind(), module()
    for names, held in ((nn, ours), (torch.nn, theirs)):
        held.extend([names.Tanh(), names.ReLU(), names.Sigmoid(), names.GELU()])
        held.insert(0, names.Identity())
        held.insert(5, names.Softplus())
        del held[1]
        del held[-3:-1]
        held.append(held.pop(0))
    seen, wanted = ([(n, type(m).__name__) for n, m in x.named_children()] for x in (ours, theirs))
    assert seen == wanted
    assert [module._name for module in ours] == ["0", "1", "2"]


def test_a_declared_name_does_not_replace_another() -> None:
    """A buffer destroys the sub-module of its name, where PyTorch refuses."""
    torch = pytest.importorskip("torch")
    for names, refused in ((torch, KeyError), (tg, ArgumentError)):
        module = names.nn.Module()
        module.a = names.nn.Linear(1, 1)
        module.plain = None
        module.register_buffer("b", names.ones(1))
        module.register_parameter("c", None)
        for name, declare, value in (
            ("a", module.register_buffer, names.ones(1)),
            ("a", module.register_parameter, None),
            ("b", module.add_module, names.nn.Tanh()),
            ("c", module.register_buffer, names.ones(1)),
            ("plain", module.register_buffer, names.ones(1)),
            ("forward", module.add_module, names.nn.Tanh()),
        ):
            with pytest.raises(refused, match=name):
                declare(name, value)
        assert set(module.state_dict()) == {"b", "a.weight", "a.bias"}
        module.register_buffer("b", names.zeros(1))
        module.add_module("a", names.nn.Tanh())
        module.b = names.nn.Parameter(names.ones(1))
        module.d = names.zeros(1)
        module.d = names.nn.Tanh()
        assert [name for name, _ in module.named_children()] == ["a", "d"]
        assert [name for name, _ in module.named_parameters()] == ["b"]


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


class Tied(nn.Module):
    """An embedding whose table is the output layer too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.decoder = nn.Linear(3, 5)
        self.decoder.weight = self.embedding.weight

    def forward(self, index: tg.Tensor) -> tg.Tensor:
        return self.decoder(self.embedding(index).tanh())


def test_tied_embeddings_are_one_parameter() -> None:
    """A tied table is counted twice, or its gradient misses one of its uses."""
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["embedding.weight", "decoder.bias"]
    assert model.parameter_count() == 15 + 5
    index = tg.tensor([0, 2])
    model(index).sum().backward()
    assert model.decoder.weight.grad is model.embedding.weight.grad
    table = values(model.embedding.weight).astype(np.float64)
    h = np.tanh(table[[0, 2]])
    wanted = np.tile(h.sum(0), (5, 1))
    wanted[[0, 2]] += (1 - h**2) * table.sum(0)
    np.testing.assert_allclose(values(model.embedding.weight.grad), wanted, rtol=1e-4)


@pytest.mark.parametrize("how", ["copy", "double", "load"])
def test_ties_hold(how: str) -> None:
    """Copying, converting or loading a model breaks a tie."""
    model = Tied()
    if how == "copy":
        model = copy.deepcopy(model)
    elif how == "double":
        model = model.double()
    else:
        model.load_state_dict(Tied().state_dict())
    assert model.decoder.weight is model.embedding.weight
    assert model.decoder.weight.requires_grad
    assert model(tg.tensor([1])).dtype == (tg.float64 if how == "double" else tg.float32)


def test_tied_weights_are_saved_once(tmp_path: Path) -> None:
    """A tied table is written twice, or does not come back under both of its names."""
    model = Tied()
    arrays = {name: t.numpy() for name, t in model.state_dict().items()}
    copies = {name: array.copy() for name, array in arrays.items()}
    checkpoints.save_weights(tmp_path / "once", arrays)
    checkpoints.save_weights(tmp_path / "twice", copies)
    names = b"".join((tmp_path / "once").read_bytes().split(b"__metadata__")[:1])
    assert b"embedding.weight" not in names
    size = [(tmp_path / name).stat().st_size for name in ("once", "twice")]
    assert size[0] < size[1]
    for name in ("once", "twice"):
        loaded = checkpoints.load_weights(tmp_path / name)
        assert list(loaded) == sorted(arrays)
        other = Tied()
        other.load_state_dict(loaded)
        assert same_bits(other.embedding.weight, model.embedding.weight)
    checkpoints.save_checkpoint(tmp_path / "checkpoint", arrays, {})
    held = checkpoints.load_checkpoint(tmp_path / "checkpoint").arrays
    assert all(same_bits(held[name], arrays[name]) for name in arrays)


def test_a_tied_weight_may_be_given_under_one_name() -> None:
    """What another library saved once cannot be loaded strictly, or contradictions pass."""
    model, other = Tied(), Tied()
    state = dict(model.state_dict())
    del state["decoder.weight"]
    assert other.load_state_dict(state).missing_keys == []
    assert same_bits(other.decoder.weight, model.decoder.weight)
    before = values(other.decoder.weight).copy()
    contradiction = {**state, "decoder.weight": state["embedding.weight"] + 1.0}
    with pytest.raises(StateDictError, match=r"decoder\.weight.*embedding\.weight|shared"):
        other.load_state_dict(contradiction)
    assert same_bits(other.decoder.weight, before)
    with pytest.raises(StateDictError, match="missing: decoder"):
        other.load_state_dict({"decoder.bias": np.zeros(5, np.float32)})


def test_embedding_of_a_given_table() -> None:
    """from_pretrained copies, draws random numbers, trains a frozen table, or moves its padding."""
    table = tg.arange(6).float().reshape(3, 2)
    tg.manual_seed(3)
    layer = nn.Embedding.from_pretrained(table, padding_idx=1)
    drawn = tg.rand(1)
    assert same_bits(drawn, tg.manual_seed(3) and tg.rand(1))
    assert (layer.num_embeddings, layer.embedding_dim, layer.padding_idx) == (3, 2, 1)
    assert values(layer(tg.tensor([1, 2]))).tolist() == [[2.0, 3.0], [4.0, 5.0]]
    assert not layer.weight.requires_grad
    assert not layer(tg.tensor([1])).requires_grad
    free = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=1)
    free(tg.tensor([1, 2])).sum().backward()
    assert values(free.weight.grad).tolist() == [[0, 0], [0, 0], [1, 1]]


def test_the_optimizer_leaves_frozen_parameters() -> None:
    """A frozen parameter moves, by weight decay or momentum of its past."""
    layer = nn.Linear(2, 2)
    optimizer = optim.Adam(layer.parameters(), lr=0.1, weight_decay=0.1)
    x = tg.ones(1, 2)
    layer(x).sum().backward()
    optimizer.step()
    layer.weight.requires_grad_(False)
    before, bias = values(layer.weight).copy(), values(layer.bias).copy()
    optimizer.zero_grad()
    layer(x).sum().backward()
    optimizer.step()
    assert same_bits(layer.weight, before)
    assert not same_bits(layer.bias, bias)
    layer.requires_grad_(True)
    assert all(p.requires_grad for p in layer.parameters())


def test_buffers() -> None:
    """A buffer is trained, lost by a conversion, or saved although it is not to be."""
    module = nn.Module()
    module.register_buffer("kept", tg.ones(2))
    module.register_buffer("scratch", tg.ones(2), persistent=False)
    module.register_buffer("off", None)
    assert list(module.state_dict()) == ["kept"]
    assert [name for name, _ in module.named_buffers()] == ["kept", "scratch"]
    assert module.off is None
    module.scratch = tg.zeros(2)
    assert list(module.state_dict()) == ["kept"]
    assert module.double().scratch.dtype == tg.float64
    module.load_state_dict({"kept": np.zeros(2)})
    module.register_buffer("scratch", tg.ones(2))
    assert sorted(module.state_dict()) == ["kept", "scratch"]
    module.off = tg.ones(1)
    assert "off" in module.state_dict()


def test_state_dict_with_prefix_and_variables() -> None:
    """The names lack their prefix, or keep_vars returns other tensors."""
    layer = nn.Linear(1, 1)
    assert list(layer.state_dict(prefix="a.")) == ["a.weight", "a.bias"]
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight
    assert not layer.state_dict()["weight"].requires_grad


def test_gradients_set_to_zero() -> None:
    """zero_grad(set_to_none=False) forgets gradients, or invents one."""
    model = nn.Linear(2, 1)
    model.weight.grad = tg.ones(1, 2)
    model.zero_grad(set_to_none=False)
    assert values(model.weight.grad).tolist() == [[0.0, 0.0]]
    assert model.bias.grad is None


@pytest.mark.parametrize("to", ["cuda", "cuda:0", "mps"])
def test_there_is_one_device(to: str) -> None:
    """Moving to another device is silently ignored, or moving to the CPU fails."""
    layer = nn.Linear(1, 1)
    for call in (lambda: layer.to(to), lambda: layer.to(device=to), lambda: layer.cuda()):
        with pytest.raises(UnsupportedError, match="CPU"):
            call()
    for kind in (nn.Linear, nn.Embedding):
        assert kind(1, 1, device="cpu").weight.shape == (1, 1)
        with pytest.raises(UnsupportedError, match="CPU"):
            kind(1, 1, device=to)
    assert layer.to("cpu", non_blocking=True) is layer.to(tg.device("cpu")) is layer
    assert layer.to("cpu") is layer.to(device="cpu") is layer.cpu() is layer
    assert layer.to("cpu", tg.float64).weight.dtype == tg.float64
    assert layer.to(dtype=tg.float32).weight.dtype == tg.float32
    assert layer.to(tg.zeros(1, dtype=tg.float64)).weight.dtype == tg.float64
    assert layer.to("float32").weight.dtype == tg.float32


class Counting(nn.Module):
    """Doubles, and lists the types of what hooks see."""

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return x * 2.0


def test_hooks_under_jit() -> None:
    """A replay misses a hook that was there, or keeps one that was removed."""
    module = Counting()
    step = tg.jit(lambda x: module(x).sum())
    x = tg.ones(3)
    assert [step(x).item() for _ in range(2)] == [6.0, 6.0]
    handle = module.register_forward_hook(lambda m, args, out: out + args[0])
    assert [step(x).item() for _ in range(3)] == [9.0] * 3
    before = module.register_forward_pre_hook(lambda m, args: (args[0] * 10.0,))
    assert [step(x).item() for _ in range(2)] == [90.0] * 2
    handle.remove()
    assert [step(x).item() for _ in range(2)] == [60.0] * 2
    before.remove()
    assert [step(x).item() for _ in range(2)] == [6.0] * 2
    recorded = len(step.recordings)
    step(x)
    assert len(step.recordings) == recorded


def test_hooks_watch_gradients_of_outputs() -> None:
    """The way to watch gradients that the error names does not work."""
    seen: list[Any] = []
    module = Counting()
    with module.register_forward_hook(
        lambda m, args, out: out.register_hook(lambda g: seen.append(values(g).tolist())) and None
    ):
        module(tg.ones(2, requires_grad=True)).sum().backward()
    assert seen == [[1.0, 1.0]]
    module(tg.ones(2, requires_grad=True)).sum().backward()
    assert len(seen) == 1
    with pytest.raises(UnsupportedError, match="register_forward_hook"):
        module.register_full_backward_hook(print)


def test_a_hook_may_remove_itself() -> None:
    """Removing a hook while hooks are called fails or skips the next."""
    module, calls = Counting(), []

    def once(m: Any, args: Any) -> None:
        calls.append("once")
        handle.remove()

    handle = module.register_forward_pre_hook(once)
    module.register_forward_pre_hook(lambda m, args: calls.append("always"))
    module(tg.ones(1))
    module(tg.ones(1))
    assert calls == ["once", "always", "always"]


def test_dictionaries_of_modules_and_parameters() -> None:
    """A container misses dictionary behaviour, or registers nothing."""
    modules = nn.ModuleDict({"a": nn.Tanh()})
    modules["b"] = nn.Linear(1, 2)
    assert list(modules) == list(modules.keys()) == ["a", "b"]
    assert "a" in modules
    assert [type(m).__name__ for m in modules.values()] == ["Tanh", "Linear"]
    assert list(modules.state_dict()) == ["b.weight", "b.bias"]
    del modules["a"]
    assert [name for name, _ in modules.items()] == ["b"]
    assert len(modules) == 1
    for wrong in ("keys", "a.b", 5, ""):
        with pytest.raises(ArgumentError):
            modules[wrong] = nn.Tanh()  # type: ignore[index]
    parameters = nn.ParameterDict({"w": tg.ones(2)})
    parameters["v"] = nn.Parameter(tg.zeros(1))
    assert [name for name, _ in parameters.items()] == ["w", "v"]
    assert all(isinstance(p, nn.Parameter) for p in parameters.values())
    del parameters["w"]
    assert list(parameters.state_dict()) == ["v"]
    assert parameters.pop("v").numel() == 1
    only = modules["b"]
    assert modules.pop("b") is only
    modules["c"] = only
    modules.clear()
    parameters.clear()
    assert not len(modules) + len(parameters)
    several = nn.ParameterList([tg.ones(1)])
    several.append(tg.zeros(2)).extend([tg.ones(3)])
    several[0] = tg.full((1,), 4.0)
    assert [p.numel() for p in several] == [1, 2, 3]
    assert list(several.state_dict()) == ["0", "1", "2"]
    assert values(several[-3]).tolist() == [4.0]


def test_slices_of_lists() -> None:
    """A slice copies modules, loses names, or an element cannot be replaced."""
    chain = nn.Sequential({"first": nn.Tanh(), "second": nn.ReLU(), "third": nn.Sigmoid()})
    assert list(dict(chain.named_children())) == ["first", "second", "third"]
    part = chain[1:]
    assert isinstance(part, nn.Sequential)
    assert part[0] is chain[1]
    assert same_bits(part(tg.tensor([-1.0])), tg.tensor([0.5]))
    chain[-1] = nn.Identity()
    assert isinstance(chain[2], nn.Identity)
    assert len(nn.ModuleList([nn.Tanh()])[:0]) == 0
    assert len(nn.ModuleList([nn.Tanh()])[:0].append(nn.Tanh())) == 1


def test_converting_is_noticed_by_jit() -> None:
    """A recording goes on with float32 parameters after the module became float64."""
    layer = nn.Linear(2, 1)
    step = tg.jit(lambda x: layer(x))
    step(tg.ones(1, 2))
    layer.double()
    x = tg.ones(1, 2, dtype=tg.float64)
    for _ in range(2):
        assert same_bits(step(x), layer(x).detach())


def test_names_and_paths() -> None:
    """A path finds another module, or an unknown one is not reported with what there is."""
    model = Model()
    assert model.get_submodule("") is model
    assert model.get_submodule("layers.1") is model.layers[1]
    assert model.get_parameter("decoder.weight") is model.embedding.weight
    assert model.get_buffer("mean") is model.mean
    for call, path in (
        (model.get_submodule, "layers.7"),
        (model.get_parameter, "layers.0.gain"),
        (model.get_buffer, "median"),
    ):
        with pytest.raises(ArgumentError, match=path):
            call(path)
