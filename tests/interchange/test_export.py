"""Exported models compute in ONNX Runtime what they compute here, at any length and batch."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples, values
from tinygrad_rnn import lm, nn
from tinygrad_rnn.errors import CheckpointError, NumericalError, UnsupportedError
from tinygrad_rnn.interchange import export_onnx, from_onnx_node
from tinygrad_rnn.interchange.onnx_rules import RULES

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

F = nn.functional


def session(path: Path) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    return runtime.InferenceSession(path, options, ["CPUExecutionProvider"])


def ids(*shape: int) -> tg.Tensor:
    return tg.tensor(np.random.default_rng(0).integers(0, 7, shape))


def assert_same(path: Path, model: Any, x: tg.Tensor, state: Any = None) -> None:
    """The file, run on arrays, gives what the model gives."""
    model.eval()
    result = model(x) if state is None else model(x, state)
    names = ["input", *(f"{name}_0" for name in ("h", "c"))]
    given = dict(zip(names, [x, *nn.state_tensors(state)], strict=False))
    found = session(path).run(None, {n: values(t) for n, t in given.items()})
    parts = result if isinstance(result, tuple) else (result,)
    wanted = [values(t) for t in nn.state_tensors(tuple(parts))]
    assert len(found) == len(wanted)
    for got, expected in zip(found, wanted, strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@examples(25)
@given(
    kind=st.sampled_from(["RNN", "LSTM", "GRU"]),
    layers=st.integers(1, 3),
    settings=st.fixed_dictionaries(
        {
            "bidirectional": st.booleans(),
            "batch_first": st.booleans(),
            "bias": st.booleans(),
            "learn_initial_state": st.booleans(),
            "residual": st.booleans(),
            "dropout": st.sampled_from([0.0, 0.5]),
        }
    ),
    states=st.booleans(),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_layers(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    layers: int,
    settings: dict[str, Any],
    states: bool,
    size: tuple[int, int],
) -> None:
    """Layers, directions, layouts or states of recurrent layers come out wrong somewhere.

    Length and batch are other ones than the example's.
    """
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    model = getattr(nn, kind)(3, 4, layers, **settings)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -1.0, 1.0)
    export_onnx(model, path, tg.randn(*size, 3), states=states, check=False)
    x = tg.randn(6, 5, 3)
    state = nn.map_state(
        lambda s: tg.randn(*s.shape), model.initial_state(6 if model.batch_first else 5)
    )
    assert_same(path, model, x, state if states else None)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_lengths(kind: str, tmp_path: Path) -> None:
    """Padding is read as steps: a short row's outputs and final state are those of the padding."""
    model = getattr(nn, kind)(3, 4, 2, bidirectional=True, residual=True, batch_first=True)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, tg.randn(2, 3, 3), lengths=tg.tensor([3, 1]))
    x, lengths = tg.randn(4, 6, 3), tg.tensor([2, 6, 1, 5])
    state = model.initial_state(4)
    given = dict(zip(["h_0", "c_0"], nn.state_tensors(state), strict=False))
    given |= {"input": x, "lengths": lengths}
    found = session(path).run(None, {name: values(t) for name, t in given.items()})
    output, final = model(x, state, lengths=lengths)
    for got, expected in zip(found, [output, *nn.state_tensors(final)], strict=True):
        np.testing.assert_allclose(got, values(expected), rtol=1e-5, atol=1e-5)


CELLS: dict[str, Callable[[int], nn.Module]] = {
    "RNN of relu": lambda size: nn.RNNCell(size, 4, nonlinearity="relu"),
    "IRNN": lambda size: nn.IRNNCell(size, 4),
    "GRU, reset before": lambda size: nn.GRUCell(size, 4, reset_after=False),
    "GRU, clipped": lambda size: nn.GRUCell(size, 4, clip=0.25),
    "LSTM, clipped": lambda size: nn.LSTMCell(size, 4, clip=0.25),
    "peepholes": lambda size: nn.PeepholeLSTMCell(size, 4),
    "coupled": lambda size: nn.CoupledLSTMCell(size, 4),
    "peepholes, clipped, no bias": lambda size: nn.PeepholeLSTMCell(size, 4, False, clip=0.25),
}


@pytest.mark.parametrize("form", CELLS)
def test_cells_whose_form_onnx_has(form: str, tmp_path: Path) -> None:
    """An attribute of the operator is left out, or weights go to another gate."""
    model = nn.Recurrent(CELLS[form], 3, num_layers=2, bidirectional=True)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -1.0, 1.0)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, tg.randn(2, 2, 3))
    state = nn.map_state(lambda s: tg.randn(*s.shape), model.initial_state(3))
    assert_same(path, model, tg.randn(5, 3, 3), state)


def test_layers_of_different_cells(tmp_path: Path) -> None:
    """States that are not stacked are handed to the wrong layer."""
    cells = [nn.LSTMCell(3, 4), nn.GRUCell(4, 5), nn.LSTMCell(5, 2)]
    model = nn.Recurrent(cells)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, tg.randn(2, 2, 3))
    state = nn.map_state(lambda s: tg.randn(*s.shape), model.initial_state(3))
    x = tg.randn(4, 3, 3)
    opened = session(path)
    arrays = [values(s) for s in nn.state_tensors(state)]
    names = [given.name for given in opened.get_inputs()]
    found = opened.run(None, dict(zip(names, [values(x), *arrays], strict=True)))
    output, final = model(x, state)
    for got, expected in zip(found, [output, *nn.state_tensors(final)], strict=True):
        np.testing.assert_allclose(got, values(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("embedding_size", [None, 5])
def test_language_models(kind: str, embedding_size: int | None, tmp_path: Path) -> None:
    """A language model, trained or not, does not leave the library with its state."""
    model = lm.RecurrentLanguageModel(7, kind, 8, dropout=0.5, embedding_size=embedding_size)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, ids(3, 2))
    assert model.training
    state = nn.map_state(lambda s: tg.randn(*s.shape), model.initial_state(4))
    assert_same(path, model, ids(9, 4), state)
    h_0 = session(path).get_inputs()[1]
    assert (h_0.name, h_0.shape) == ("h_0", [2, "batch", 8])
    assert session(path).get_inputs()[0].shape == ["time", "batch"]
    shapes = [given.shape for given in session(path).get_outputs()]
    assert shapes[:2] == [["time", "batch", 7], [2, "batch", 8]]


def test_a_language_model_without_recurrence(tmp_path: Path) -> None:
    """A state that has the batch on another axis stays as long as the example's."""
    model = lm.FixedWindowLanguageModel(7, window=3, direct=True)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, ids(4, 2))
    assert_same(path, model, ids(6, 5), model.initial_state(5))


class Tagger(nn.Module):
    """What a user writes: layers, and tensor operations between them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 5, padding_idx=0)
        self.lstm = nn.LSTM(5, 3, num_layers=2, bidirectional=True, dropout=0.3)
        self.norm = nn.LayerNorm(6)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(6, 4)

    def forward(self, x: tg.Tensor) -> Any:
        h, (last, memory) = self.lstm(self.embedding(x))
        h = self.dropout(self.norm(h))
        weights = self.output(h)[..., :1].softmax(0)
        pooled = (weights * h).sum(0) + h.mean(0) - h.amax(0) * 0.5
        both = tg.cat([last[-2], last[-1]], -1)
        tags = self.output(h.flatten(0, 1)).log_softmax(-1)
        seen = tg.where((x == 0).unsqueeze(-1), 0.0, h)
        return tags, pooled, h[-1] + both, h.transpose(0, 1)[:, 1:], seen.clamp(-0.5, 0.5), memory


def test_a_module_of_ones_own(tmp_path: Path) -> None:
    """Operations between layers keep a length or a batch of the example."""
    model = Tagger()
    path = tmp_path / "model.onnx"
    export_onnx(model, path, ids(3, 2))
    assert_same(path, model, ids(8, 5))
    shapes = [given.shape for given in session(path).get_outputs()]
    assert shapes[:4] == [
        ["output_0_axis_0", 4],
        ["batch", 6],
        ["batch", 6],
        ["batch", "output_3_axis_1", 6],  # a step less than the input
    ]
    names = {tensor.name for tensor in onnx.load(path).graph.initializer}
    assert {"embedding.weight", "norm.weight", "output.weight", "lstm.l1.W"} <= names


def test_a_state_that_the_model_makes_itself(tmp_path: Path) -> None:
    """Zeros for the example's batch stay in the file as they are."""

    class Stateful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 4, 2)
            self.lstm = nn.LSTM(4, 2)
            self.start = nn.Parameter(tg.randn(1, 1, 2))

        def forward(self, x: tg.Tensor) -> Any:
            h, last = self.gru(x, tg.zeros(2, x.shape[1], 4))
            begin = self.start + last[-1:, :, :2] * 0.0
            zero = tg.zeros(1, x.shape[1], 2)
            return self.lstm(h, (begin, begin.tanh()))[0] + self.lstm(h, (zero, begin))[0]

    path = tmp_path / "model.onnx"
    model = Stateful()
    export_onnx(model, path, tg.randn(2, 2, 3))
    assert_same(path, model, tg.randn(4, 5, 3))


def test_functions_between_layers(tmp_path: Path) -> None:
    """A primitive is written as another function."""

    class Functions(nn.Module):
        def forward(self, x: tg.Tensor) -> Any:
            p = x.abs() + 0.5
            mask = x > 0.1
            return (
                [p.log(), p.sqrt(), p**0.5, 2.0 / p, -x, x.exp(), x.sin() + x.cos(), p.log1p()],
                [x.erf(), x.floor(), x.ceil(), x.round(), x.sign(), x.relu(), x.sigmoid()],
                [F.gelu(x), F.silu(x), F.elu(x), F.leaky_relu(x), F.softplus(x), F.logsigmoid(x)],
                [x.maximum(p), x.minimum(p), tg.where(mask, x, p), mask.float(), (~mask).long()],
                [(x <= p).float(), (x >= 0).float(), (x != p).float(), (x < p).float()],
                [x.sum((0, 2)), x.sum(-1, keepdim=True), x.mean((0, 1)), x.mean(), x.norm(2, 0)],
                [x.logsumexp(-1), x.amin(1), x.argmax(-1), x.argmin(0), x.cumsum(0), x.var(0, 0)],
                [x[0], x[-1], x[1:], x[:-1], x[:, :, 1], x[::2], x[None], x[..., -1:], x[-2:, 0]],
                [x[:3], x[x.shape[0] - 1], x[: x.shape[0] - 1], x.narrow(1, -1, 1), x[::-2]],
                [x.unsqueeze(1), x.flatten(1), x.permute(2, 0, 1), x.select(1, 0), x.flip(0)],
                [x.expand(2, *x.shape), tg.stack([x, p]), tg.cat([x, p], 1), F.pad(x, (1, 2))],
                [*x.split([1, 2], -1), *x.unbind(-1), *x.chunk(3, -1), x.reshape(-1, 3)],
                [x @ x.mT, x[:, :, tg.tensor([2, 0])], x.gather(2, (p > 1).long())],
            )

    path = tmp_path / "model.onnx"
    export_onnx(Functions(), path, tg.randn(1, 1, 3))
    opened = session(path)
    x = tg.randn(7, 4, 3)
    found = opened.run(None, {"input": values(x)})
    wanted = nn.state_tensors(Functions()(x))
    assert len(found) == len(wanted) > 60
    for got, expected in zip(found, wanted, strict=True):
        assert got.dtype == values(expected).dtype
        np.testing.assert_allclose(got, values(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_a_single_step(cell: Any, tmp_path: Path) -> None:
    """A cell, called for one step, cannot be written."""
    model = cell(3, 4)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, tg.randn(2, 3))
    state = nn.map_state(lambda s: tg.randn(*s.shape), model.initial_state(5))
    assert_same(path, model, tg.randn(5, 3), state)


def test_a_written_node_is_read_back(tmp_path: Path) -> None:
    """What is written cannot be read by `from_onnx_node`."""
    model = nn.Recurrent(lambda size: nn.PeepholeLSTMCell(size, 4), 3, bidirectional=True)
    path = tmp_path / "model.onnx"
    export_onnx(model, path, tg.randn(2, 2, 3))
    graph = onnx.load(path).graph
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    (node,) = (node for node in graph.node if node.op_type == "LSTM")
    again = from_onnx_node(node, weights)
    for name, tensor in again.recurrent.state_dict().items():
        np.testing.assert_array_equal(values(tensor), values(model.state_dict()[name]))


def test_weights_are_stored_once(tmp_path: Path) -> None:
    """Tied weights, or a layer that is called twice, stand in the file twice."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 3)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.gru(self.gru(x)[0])[0]

    path = tmp_path / "model.onnx"
    model = Twice()
    export_onnx(model, path, tg.randn(2, 2, 3))
    assert_same(path, model, tg.randn(4, 3, 3))
    names = [t.name for t in onnx.load(path).graph.initializer]
    assert sum(name.endswith(".W") for name in names) == 1


def test_layers_in_lists_keep_their_own_weights(tmp_path: Path) -> None:
    """Two layers with one name, each the first of a list, get the weights of one of them."""

    class Lists(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.ModuleList([nn.GRU(3, 3), nn.Linear(3, 3)])
            self.second = nn.ModuleList([nn.GRU(3, 3), nn.Linear(3, 3)])

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            for layer, output in (self.first, self.second):
                x = output(layer(x)[0])
            return x

    path = tmp_path / "model.onnx"
    model = Lists()
    export_onnx(model, path, tg.randn(2, 2, 3), check=False)
    assert_same(path, model, tg.randn(4, 3, 3))


def test_the_mode_of_the_model_is_put_back(tmp_path: Path) -> None:
    """After an export, dropout is off, a recorder listens on, or layers keep another forward."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    model[0].eval()
    export_onnx(model, tmp_path / "model.onnx", tg.randn(2, 3))
    assert [m.training for m in model.modules()] == [True, False, True]
    layers = nn.LSTM(3, 2)
    export_onnx(layers, tmp_path / "model.onnx", tg.randn(2, 2, 3))
    assert "forward" not in layers.__dict__
    assert layers(tg.randn(2, 2, 3))[0].requires_grad


def test_a_result_that_differs_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    """The comparison with ONNX Runtime compares nothing, or a wrong file is written."""
    path = tmp_path / "model.onnx"

    def wrong(w: Any, a: Any, b: Any) -> str:
        return w.graph.node("Sin", w.name(a.inputs[0], a))

    monkeypatch.setitem(RULES, "tanh", wrong)
    with pytest.raises(NumericalError, match="output"):
        export_onnx(nn.Tanh(), path, tg.randn(2, 3))
    assert not path.exists()
    export_onnx(nn.Tanh(), path, tg.randn(2, 3), check=False)
    assert path.exists()


def test_without_onnx_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only `onnx` is installed, nothing can be written, or the error says not what to do."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UnsupportedError, match=r"pip install \"tinygrad_rnn\[onnx\]\""):
        export_onnx(nn.Tanh(), tmp_path / "model.onnx", tg.randn(2, 3))
    export_onnx(nn.Tanh(), tmp_path / "model.onnx", tg.randn(2, 3), check=False)


def test_equal_models_give_equal_bytes(tmp_path: Path) -> None:
    """The file depends on something else than the model."""
    model = Tagger()
    for name in ("a", "b"):
        export_onnx(model, tmp_path / name, ids(3, 2), check=False)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_float64(tmp_path: Path) -> None:
    """Weights lose half of their digits on the way, where ONNX Runtime can compute in float64."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.LayerNorm(4)).double()
    path = tmp_path / "model.onnx"
    export_onnx(model, path, tg.randn(2, 3, dtype=tg.float64))
    x = tg.randn(5, 3, dtype=tg.float64)
    (found,) = session(path).run(None, {"input": values(x)})
    np.testing.assert_allclose(found, values(model(x)), rtol=1e-10, atol=1e-12)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A path that cannot be written raises a bare OSError."""
    with pytest.raises(CheckpointError, match="cannot be written"):
        export_onnx(nn.Tanh(), tmp_path, tg.randn(2, 3))
    with pytest.raises(UnsupportedError):
        export_onnx(nn.LSTM(3, 4, proj_size=2), tmp_path / "model.onnx", tg.randn(2, 2, 3))
    assert list(tmp_path.iterdir()) == []
