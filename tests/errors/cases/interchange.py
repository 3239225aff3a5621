"""Bad input of what exchanges weights and models with PyTorch, Keras and ONNX.

None of these needs a package that may be absent.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

import tinygrad_rnn as tg
from tests.errors.cases.mistake import FOLDER, Mistake
from tinygrad_rnn import nn, optim
from tinygrad_rnn.checkpoints import load_metadata, save_weights
from tinygrad_rnn.errors import (
    ArgumentError,
    CheckpointError,
    DtypeError,
    ShapeError,
    StateDictError,
    UnsupportedError,
)
from tinygrad_rnn.interchange import (
    export_onnx,
    from_keras,
    from_onnx,
    from_onnx_node,
    load_optimizer,
    save_optimizer,
    to_keras,
    to_onnx,
)


def in_a_folder(make: Callable[[Path], Any]) -> Any:
    with tempfile.TemporaryDirectory(prefix=FOLDER) as folder:
        return make(Path(folder) / "file")


def without(package: str, make: Callable[[Path], Any]) -> Any:
    """Make a mistake where a package is not installed."""
    with mock.patch.dict(sys.modules, {package: None}):
        return in_a_folder(make)


def zeros(*shapes: tuple[int, ...]) -> list[Any]:
    return [np.zeros(shape) for shape in shapes]


def lstm() -> Any:
    return nn.LSTM(3, 2).state_dict()


def changed(**arrays: Any) -> dict[str, Any]:
    """The state dict of an LSTM with other arrays in it; None takes one out."""
    return {n: a for n, a in (dict(lstm()) | arrays).items() if a is not None}


def adam(count: int = 1) -> optim.Adam:
    return optim.Adam([nn.Parameter(tg.ones(2)) for _ in range(count)], lr=0.1)


def optimizer_file(arrays: dict[str, Any], groups: str | None, path: Path) -> None:
    metadata = {} if groups is None else {"param_groups": groups}
    save_weights(path, arrays, metadata)
    load_optimizer(path, adam())


ONE_GROUP = '[{"params": [0], "lr": 0.1}]'


def attribute(name: str, value: Any) -> Any:
    kinds = {float: (1, "f"), int: (2, "i"), bytes: (3, "s"), list: (8, "strings")}
    number, field = kinds[type(value)]
    return SimpleNamespace(name=name, type=number, **{field: value})


def node(kind: str = "LSTM", arrays: Any = None, **attributes: Any) -> Any:
    """Read a node; what it reads of a NodeProto is no more than this."""
    made = SimpleNamespace(
        op_type=kind,
        input=["X", "W", "R", "", "", "", "", "P"][: 8 if "P" in (arrays or {}) else 3],
        attribute=[attribute(name, value) for name, value in attributes.items()],
    )
    return from_onnx_node(made, WEIGHTS if arrays is None else arrays)


WEIGHTS = {"W": np.zeros((1, 8, 3)), "R": np.zeros((1, 8, 2))}
PEEPHOLES = WEIGHTS | {"P": np.zeros((1, 6))}
RNN = {"W": np.zeros((1, 2, 3)), "R": np.zeros((1, 2, 2))}


class OwnCell(nn.Module):
    hidden_size = 3

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> Any:
        return x + h, x + h


class Function(nn.Module):
    """A module of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.layer = nn.LSTM(3, 3)
        self.function = function

    def forward(self, *given: Any, **options: Any) -> Any:
        return self.function(self.layer, *given, **options)


def exported(model: Any, x: Any = None, *given: Any, **options: Any) -> Any:
    example = tg.ones(4, 2, 3) if x is None else x
    return in_a_folder(lambda path: export_onnx(model, path, example, *given, **options))


def exported_function(function: Callable[..., Any]) -> Any:
    return exported(Function(function), states=False)


def loop(layer: Any, x: tg.Tensor) -> tg.Tensor:
    total = x[0]
    for t in range(1, x.shape[0]):
        total = total + x[t]
    return total


TABLE = {
    "Keras": [
        Mistake(
            "from_keras",
            "another kind of layer",
            lambda: from_keras("Dense", zeros((3, 2))),
            ArgumentError,
            ("'SimpleRNN', 'LSTM', 'GRU'", "'Dense'"),
        ),
        Mistake(
            "from_keras",
            "a dict of arrays",
            lambda: from_keras("LSTM", {"kernel": np.zeros((3, 8))}),
            ArgumentError,
            ("get_weights()", "dict"),
        ),
        Mistake(
            "from_keras",
            "one array alone",
            lambda: from_keras("LSTM", zeros((3, 8))),
            ArgumentError,
            ("kernel, recurrent_kernel", "1 given"),
        ),
        Mistake(
            "from_keras",
            "weights of another kind",
            lambda: from_keras("LSTM", zeros((3, 6), (2, 6), (6,))),
            ShapeError,
            ("recurrent_kernel of LSTM", "(2, 8)", "(2, 6)"),
        ),
        Mistake(
            "from_keras",
            "a kernel with one axis",
            lambda: from_keras("LSTM", zeros((8,), (2, 8))),
            ShapeError,
            ("two axes", "(8,)"),
        ),
        Mistake(
            "from_keras",
            "a bias of another size",
            lambda: from_keras("LSTM", zeros((3, 8), (2, 8), (2,))),
            ShapeError,
            ("bias of LSTM", "(8,)", "(2,)"),
        ),
        Mistake(
            "from_keras",
            "a GRU with reset_after=False",
            lambda: from_keras("GRU", zeros((3, 6), (2, 6), (6,))),
            ShapeError,
            ("reset_after=False", "nn.GRU("),
        ),
        Mistake(
            "from_keras",
            "integers",
            lambda: from_keras("LSTM", [np.zeros((3, 8), int), np.zeros((2, 8))]),
            DtypeError,
            ("array 0 of LSTM", "int64"),
        ),
        Mistake(
            "from_keras",
            "a layer of -1",
            lambda: from_keras("LSTM", zeros((3, 8), (2, 8)), layer=-1),
            ArgumentError,
            ("0, 1, …", "-1"),
        ),
        Mistake(
            "from_keras",
            "two directions for a cell",
            lambda: from_keras("LSTM", zeros((3, 8), (2, 8), (3, 8), (2, 8)), layer=None),
            ArgumentError,
            ("one direction", "layer="),
        ),
        Mistake(
            "to_keras",
            "a module",
            lambda: to_keras("LSTM", nn.LSTM(3, 2)),  # type: ignore[arg-type]
            ArgumentError,
            ("state_dict()", "LSTM"),
        ),
        Mistake(
            "to_keras",
            "a layer that there is not",
            lambda: to_keras("LSTM", lstm(), layer=1),
            StateDictError,
            ("weight_ih_l1", "weight_hh_l1", "weight_ih_l0"),
        ),
        Mistake(
            "to_keras",
            "one bias of two",
            lambda: to_keras("LSTM", changed(bias_hh_l0=None)),
            StateDictError,
            ("lacks bias_hh_l0",),
        ),
        Mistake(
            "to_keras",
            "another kind than the weights'",
            lambda: to_keras("GRU", lstm()),
            ShapeError,
            ("weight_hh_l0 of GRU", "(6, 2)", "(8, 2)"),
        ),
        Mistake(
            "to_keras",
            "an LSTM with a projection",
            lambda: to_keras("LSTM", nn.LSTM(3, 4, proj_size=2).state_dict()),
            UnsupportedError,
            ("weight_hr_l0", "proj_size"),
        ),
    ],
    "ONNX: weights and nodes": [
        Mistake(
            "from_onnx",
            "another kind of operator",
            lambda: from_onnx("Gemm", {}),
            ArgumentError,
            ("'RNN', 'LSTM', 'GRU'", "'Gemm'"),
        ),
        Mistake(
            "from_onnx",
            "a list of arrays",
            lambda: from_onnx("LSTM", zeros((1, 8, 3))),  # type: ignore[arg-type]
            ArgumentError,
            ('"W"', "list"),
        ),
        Mistake(
            "from_onnx",
            "R is missing",
            lambda: from_onnx("LSTM", {"W": np.zeros((1, 8, 3))}),
            StateDictError,
            ("R missing",),
        ),
        Mistake(
            "from_onnx",
            "peepholes of a GRU",
            lambda: from_onnx("GRU", PEEPHOLES),
            StateDictError,
            ("'P' unknown", "W, R, B"),
        ),
        Mistake(
            "from_onnx",
            "W of another kind",
            lambda: from_onnx("LSTM", WEIGHTS | {"W": np.zeros((1, 6, 3))}),
            ShapeError,
            ("W of LSTM", "(1, 8, 3)", "(1, 6, 3)"),
        ),
        Mistake(
            "from_onnx",
            "no axis of directions",
            lambda: from_onnx("LSTM", {"W": np.zeros((8, 3)), "R": np.zeros((8, 2))}),
            ShapeError,
            ("directions", "(8, 3)"),
        ),
        Mistake(
            "from_onnx",
            "three directions",
            lambda: from_onnx("RNN", {"W": np.zeros((3, 2, 3)), "R": np.zeros((3, 2, 2))}),
            ShapeError,
            ("1 or 2 directions", "3"),
        ),
        Mistake(
            "from_onnx",
            "one bias instead of both",
            lambda: from_onnx("LSTM", WEIGHTS | {"B": np.zeros((1, 8))}),
            ShapeError,
            ("B of LSTM", "(1, 16)", "(1, 8)"),
        ),
        Mistake(
            "to_onnx",
            "peepholes of one direction alone",
            lambda: to_onnx(
                "LSTM",
                dict(nn.LSTM(3, 2, bidirectional=True).state_dict())
                | {"weight_ch_l0": np.zeros(6)},
            ),
            StateDictError,
            ("weight_ch_l0_reverse",),
        ),
        Mistake(
            "to_onnx",
            "no tensor",
            lambda: to_onnx("LSTM", changed(weight_hh_l0="x")),
            DtypeError,
            ("weight_hh_l0",),
        ),
        Mistake(
            "from_onnx_node",
            "another operator",
            lambda: node("Conv"),
            ArgumentError,
            ("RNN, LSTM, GRU", "Conv"),
        ),
        Mistake(
            "from_onnx_node",
            "no node",
            lambda: from_onnx_node(3, WEIGHTS),
            ArgumentError,
            ("RNN, LSTM, GRU", "int"),
        ),
        Mistake(
            "from_onnx_node",
            "weights are missing",
            lambda: node(arrays={"W": WEIGHTS["W"]}),
            StateDictError,
            ("['X', 'W', 'R']", "lack R"),
        ),
        Mistake(
            "from_onnx_node",
            "a list of weights",
            lambda: node(arrays=[1]),
            ArgumentError,
            ("mapping", "list"),
        ),
        Mistake(
            "from_onnx_node",
            "activation functions that no cell has",
            lambda: node("RNN", RNN, activations=[b"Softsign"]),
            UnsupportedError,
            ("activations=['Softsign']", "['Tanh'] or ['Relu']", "cell of your own"),
        ),
        Mistake(
            "from_onnx_node",
            "settings of an activation function",
            lambda: node("RNN", RNN, activation_alpha=0.5),
            UnsupportedError,
            ("activation_alpha", "clip, direction"),
        ),
        Mistake(
            "from_onnx_node",
            "peepholes and coupled gates",
            lambda: node(arrays=PEEPHOLES, input_forget=1),
            UnsupportedError,
            ("peepholes and input_forget", "CoupledLSTMCell"),
        ),
        Mistake(
            "from_onnx_node",
            "one direction's weights for two",
            lambda: node(direction=b"bidirectional"),
            ShapeError,
            ("direction=bidirectional", "(2, gates * hidden, hidden)", "(1, 8, 2)"),
        ),
        Mistake(
            "from_onnx_node",
            "an unknown direction",
            lambda: node(direction=b"backward"),
            ArgumentError,
            ("forward, reverse, bidirectional", "'backward'"),
        ),
        Mistake(
            "OnnxLayer",
            "an input without a batch",
            lambda: node()(tg.ones(4, 3, dtype=tg.float64)),
            ShapeError,
            ("time, batch and features", "(4, 3)"),
        ),
    ],
    "ONNX: export_onnx": [
        Mistake(
            "export_onnx",
            "a function",
            lambda: exported(len),
            ArgumentError,
            ("a Module", "builtin_function_or_method"),
        ),
        Mistake(
            "export_onnx",
            "an array as the example",
            lambda: exported(nn.LSTM(3, 2), np.ones((4, 2, 3))),
            DtypeError,
            ("Tensor", "ndarray"),
        ),
        Mistake(
            "export_onnx",
            "an example without a batch",
            lambda: exported(nn.Linear(3, 2), tg.ones(3)),
            ShapeError,
            ("(batch, features)", "(3,)"),
        ),
        Mistake(
            "export_onnx",
            "an empty example",
            lambda: exported(nn.Linear(3, 2), tg.ones(0, 3)),
            ShapeError,
            ("nothing empty", "(0, 3)"),
        ),
        Mistake(
            "export_onnx",
            "a single sequence for recurrent layers",
            lambda: exported(nn.GRU(3, 2), tg.ones(4, 3), states=False),
            UnsupportedError,
            ("three axes",),
        ),
        Mistake(
            "export_onnx",
            "a state of another batch",
            lambda: exported(nn.GRU(3, 2), None, tg.ones(1, 5, 2)),
            ShapeError,
            ("axis 1", "2 rows", "(1, 5, 2)"),
        ),
        Mistake(
            "export_onnx",
            "a state and states=False",
            lambda: exported(nn.GRU(3, 2), None, tg.ones(1, 2, 2), states=False),
            ArgumentError,
            ("states=False",),
        ),
        Mistake(
            "export_onnx",
            "lengths of another batch",
            lambda: exported(nn.GRU(3, 2), lengths=tg.tensor([1, 2, 3])),
            ShapeError,
            ("lengths", "2 rows", "(3,)"),
        ),
        Mistake(
            "export_onnx",
            "a cell of one's own",
            lambda: exported(nn.Recurrent(OwnCell()), states=False),
            UnsupportedError,
            ("Recurrent.l0", "OwnCell", "RNN, LSTM", "fix the length"),
        ),
        Mistake(
            "export_onnx",
            "an LSTM with a projection",
            lambda: exported(nn.LSTM(3, 4, proj_size=2)),
            UnsupportedError,
            ("LSTM.l0", "projection"),
        ),
        Mistake(
            "export_onnx",
            "zoneout",
            lambda: exported(nn.LSTM(3, 4, zoneout=0.1)),
            UnsupportedError,
            ("zoneout", "each step"),
        ),
        Mistake(
            "export_onnx",
            "different cells in the two directions",
            lambda: exported(
                nn.Recurrent([nn.GRUCell(3, 3), nn.RNNCell(3, 3)], bidirectional=True)
            ),
            UnsupportedError,
            ("different kinds", "layer 0"),
        ),
        Mistake(
            "export_onnx",
            "a bias in one direction alone",
            lambda: exported(
                nn.Recurrent([nn.GRUCell(3, 3), nn.GRUCell(3, 3, False)], bidirectional=True)
            ),
            UnsupportedError,
            ("different kinds", "layer 0"),
        ),
        Mistake(
            "export_onnx",
            "a mask",
            lambda: exported_function(
                lambda layer, x: layer(x, mask=tg.ones(*x.shape[:2]) > 0)[0]
            ),
            UnsupportedError,
            ("mask=",),
        ),
        Mistake(
            "export_onnx",
            "a loop over time",
            lambda: exported_function(loop),
            UnsupportedError,
            ("depends on the size of the example", "nn.Recurrent"),
        ),
        Mistake(
            "export_onnx",
            "a length that is computed with",
            lambda: exported_function(lambda layer, x: x / x.shape[0]),
            UnsupportedError,
            ("the number 4", "depends on the size"),
        ),
        Mistake(
            "export_onnx",
            "a tensor as long as the example",
            lambda: exported_function(lambda layer, x: x.sum(2) * tg.arange(x.shape[1])),
            UnsupportedError,
            ("a tensor that the model makes", "depends on the size"),
        ),
        Mistake(
            "export_onnx",
            "a number that is read back",
            lambda: exported_function(lambda layer, x: x * x.sum().item()),
            UnsupportedError,
            ("reads a number back", "where()"),
        ),
        Mistake(
            "export_onnx",
            "an operation that has no form",
            lambda: exported_function(lambda layer, x: x.sort(0).values),
            UnsupportedError,
            ("argsort", "no form in ONNX"),
        ),
        Mistake(
            "export_onnx",
            "an index of booleans",
            lambda: exported_function(lambda layer, x: x[x > 0]),
            UnsupportedError,
            ("index of booleans", "where()"),
        ),
        Mistake(
            "export_onnx",
            "random numbers",
            lambda: exported_function(lambda layer, x: x * tg.rand(3)),
            UnsupportedError,
            ("uniform",),
        ),
        Mistake(
            "export_onnx",
            "a tensor that is changed",
            lambda: exported_function(lambda layer, x: layer(x)[0].zero_()),
            UnsupportedError,
            ("changes tensors",),
        ),
        Mistake(
            "export_onnx",
            "a result that is no tensor",
            lambda: exported_function(lambda layer, x: "x"),
            DtypeError,
            ("return tensors", "str"),
        ),
        Mistake(
            "export_onnx",
            "onnx is not installed",
            lambda: without("onnx", lambda path: export_onnx(nn.Tanh(), path, tg.ones(2, 3))),
            UnsupportedError,
            ('pip install "tinygrad_rnn[onnx]"',),
        ),
    ],
    "Optimizers in files": [
        Mistake(
            "save_optimizer",
            "a module",
            lambda: in_a_folder(lambda path: save_optimizer(path, nn.Linear(2, 2))),  # type: ignore[arg-type]
            ArgumentError,
            ("tinygrad_rnn.optim", "Linear"),
        ),
        Mistake(
            "load_optimizer",
            "a dict",
            lambda: load_optimizer("file", {}),  # type: ignore[arg-type]
            ArgumentError,
            ("tinygrad_rnn.optim", "dict"),
        ),
        Mistake(
            "load_optimizer",
            "no such file",
            lambda: in_a_folder(lambda path: load_optimizer(path, adam())),
            CheckpointError,
            ("there is no file",),
        ),
        Mistake(
            "load_optimizer",
            "a file of weights",
            lambda: in_a_folder(lambda path: optimizer_file({"w": np.ones(2)}, None, path)),
            CheckpointError,
            ("holds no optimizer", "save_optimizer"),
        ),
        Mistake(
            "load_optimizer",
            "groups that are no JSON",
            lambda: in_a_folder(lambda path: optimizer_file({}, "[{", path)),
            CheckpointError,
            ("damaged", "settings"),
        ),
        Mistake(
            "load_optimizer",
            "groups without parameters",
            lambda: in_a_folder(lambda path: optimizer_file({}, '[{"lr": 0.1}]', path)),
            CheckpointError,
            ("damaged", "settings"),
        ),
        Mistake(
            "load_optimizer",
            "an array that is no state",
            lambda: in_a_folder(lambda path: optimizer_file({"w": np.ones(2)}, ONE_GROUP, path)),
            CheckpointError,
            ("'w'", "state.NUMBER.NAME"),
        ),
        Mistake(
            "load_optimizer",
            "state of another shape",
            lambda: in_a_folder(
                lambda path: optimizer_file({"state.0.exp_avg": np.ones(3)}, ONE_GROUP, path)
            ),
            StateDictError,
            ("exp_avg", "(3,)", "(2,)"),
        ),
        Mistake(
            "load_optimizer",
            "another number of parameters",
            lambda: in_a_folder(
                lambda path: [save_optimizer(path, adam(2)), load_optimizer(path, adam(1))]
            ),
            StateDictError,
            ("[1]", "[2]"),
        ),
        Mistake(
            "load_metadata",
            "no such file",
            lambda: in_a_folder(load_metadata),
            CheckpointError,
            ("there is no file",),
        ),
    ],
}
