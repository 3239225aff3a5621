"""Calls of PyTorch's that are missing, and bad input of those that scripts bring with them."""

import pickle
import tempfile
from pathlib import Path
from typing import Any

import tinygrad_rnn as tg
from tests.errors.cases.mistake import FOLDER, Mistake
from tinygrad_rnn import nn
from tinygrad_rnn.errors import (
    ArgumentError,
    CheckpointError,
    DtypeError,
    GraphError,
    MissingImportError,
    MissingNameError,
    ShapeError,
    UnsupportedError,
)
from tinygrad_rnn.utils.data import DataLoader, TensorDataset, default_collate, random_split


def rows(n: int = 4) -> TensorDataset:
    return TensorDataset(tg.arange(n))


def execute(statement: str) -> None:
    exec(statement, {})


def in_folder(function: Any) -> Any:
    with tempfile.TemporaryDirectory(prefix=FOLDER) as folder:
        return function(Path(folder))


def load_training_checkpoint(folder: Path) -> None:
    tg.checkpoints.save_checkpoint(folder / "run.ckpt", {}, {"epoch": 1})
    tg.load(folder / "run.ckpt")


def assigned_beside_a_view() -> None:
    x = tg.zeros(2, 2)
    row = x[0]
    x[0] = tg.ones(2, requires_grad=True)
    assert row.shape == (2,)


def assigned_through_a_view() -> None:
    x = tg.zeros(2, 2)
    x[0][1] = tg.ones((), requires_grad=True)


MISSING = [
    Mistake(
        "torch.conv2d",
        "a convolution",
        lambda: tg.conv2d,
        MissingNameError,
        ("tinygrad_rnn.conv2d", "nn.LSTM"),
    ),
    Mistake(
        "torch.compile(model)",
        "another compiler",
        lambda: tg.compile(nn.Linear(1, 1)),
        MissingNameError,
        ("tinygrad_rnn.compile", "tg.jit"),
    ),
    Mistake(
        "from torch.nn import Transformer",
        "a layer of another kind",
        lambda: execute("from tinygrad_rnn.nn import Transformer"),
        MissingImportError,
        ("nn.Transformer", "nn.DotAttention"),
    ),
    Mistake(
        "torch.optim.Rprop",
        "an optimizer that is not there",
        lambda: tg.optim.Rprop,
        MissingNameError,
        ("optim.Rprop", "Adam"),
    ),
    Mistake(
        "x.cuda()",
        "another device",
        lambda: tg.zeros(2).cuda(),
        MissingNameError,
        ("Tensor.cuda", "CPU", "leave it out"),
    ),
    Mistake(
        "x.unsqueeze_(0)",
        "a shape changed in place",
        lambda: tg.zeros(2).unsqueeze_(0),
        MissingNameError,
        ("Tensor.unsqueeze_", "x = x.unsqueeze(...)"),
    ),
    Mistake(
        "h.detach_()",
        "a graph cut in place",
        lambda: tg.zeros(2).detach_(),
        MissingNameError,
        ("Tensor.detach_", "x = x.detach()"),
    ),
    Mistake(
        "model.compile()",
        "another compiler",
        lambda: nn.Linear(1, 1).compile(),
        MissingNameError,
        ("Module.compile", "tg.jit"),
    ),
    Mistake(
        "import torch.distributions",
        "a module that is not there",
        lambda: execute("import tinygrad_rnn.distributions"),
        MissingImportError,
        ("distributions", "multinomial"),
    ),
    Mistake(
        "from torch.cuda.amp import autocast",
        "a module of another device",
        lambda: execute("from tinygrad_rnn.cuda.amp import autocast"),
        MissingImportError,
        ("cuda", "leave the import out"),
    ),
    Mistake(
        "from torch.jit import script",
        "another compiler",
        lambda: execute("from tinygrad_rnn.jit import script"),
        MissingImportError,
        ("jit.script", "tg.jit"),
    ),
]

DEVICES = [
    Mistake(
        'torch.device("cuda")',
        "another device",
        lambda: tg.device("cuda"),
        UnsupportedError,
        ("cuda", "CPU"),
    ),
    Mistake(
        "torch.device(0)",
        "no name of a device",
        lambda: tg.device(0),
        ArgumentError,
        ("'cpu'", "0"),
    ),
    Mistake(
        'torch.zeros(2, device="cuda")',
        "another device",
        lambda: tg.zeros(2, device="cuda"),
        UnsupportedError,
        ("cuda", "leave the device out"),
    ),
    Mistake(
        'x.to("mps")',
        "another device",
        lambda: tg.zeros(2).to("mps"),
        UnsupportedError,
        ("mps", "CPU"),
    ),
    Mistake(
        'nn.GRU(2, 3, device="cuda")',
        "another device",
        lambda: nn.GRU(2, 3, device="cuda"),
        UnsupportedError,
        ("cuda", "CPU"),
    ),
    Mistake(
        "torch.cuda.synchronize()",
        "a call for another device",
        lambda: tg.cuda.synchronize(),
        UnsupportedError,
        ("cuda.synchronize", "is_available()"),
    ),
]

CALLS = [
    Mistake(
        "Tensor(2, 'x')",
        "lengths that are no integers",
        lambda: tg.Tensor(2, "x"),
        ArgumentError,
        ("integers", "'x'"),
    ),
    Mistake(
        "Tensor([1], [2])",
        "two lists",
        lambda: tg.Tensor([1], [2]),
        ArgumentError,
        ("nested lists", "([1], [2])"),
    ),
    Mistake(
        "x.scatter(1, index, src)",
        "two numbers for one place",
        lambda: tg.zeros(1, 3).scatter(1, tg.tensor([[1, 1]]), tg.ones(1, 2)),
        ArgumentError,
        ("2 numbers", "scatter_add"),
    ),
    Mistake(
        "x[0, :, index]",
        "a number and a tensor with a slice between them",
        lambda: tg.zeros(2, 3, 4)[0, :, tg.tensor([1, 2])],
        UnsupportedError,
        ("x[0][:, index]", "PyTorch"),
    ),
    Mistake(
        "x[index]",
        "an index of uint8",
        lambda: tg.zeros(3)[tg.tensor([1, 0, 1], dtype=tg.uint8)],
        UnsupportedError,
        ("mask", ".bool()", ".long()"),
    ),
    Mistake(
        "x.add(alpha, y)",
        "the order of early PyTorch",
        lambda: tg.ones(3).add(0.5, tg.ones(3)),  # type: ignore[arg-type]
        DtypeError,
        ("alpha is a number", "x.add(other, alpha=0.5)"),
    ),
    Mistake(
        "x.sum(dim=0, axis=0)",
        "one axis under two names",
        lambda: tg.ones(3).sum(dim=0, axis=0),
        ArgumentError,
        ("axis and dim",),
    ),
    Mistake(
        "x[i][j] = y",
        "a value with history put into a view",
        lambda: assigned_through_a_view(),
        GraphError,
        ("view", "x[i, j] = y", "stack"),
    ),
    Mistake(
        "x[i] = y",
        "a view in use",
        lambda: assigned_beside_a_view(),
        GraphError,
        ("has views", "stack"),
    ),
    Mistake(
        "F.relu(x, inplace=True)",
        "a leaf",
        lambda: nn.functional.relu(tg.ones(2, requires_grad=True), inplace=True),
        GraphError,
        ("leaf", "no_grad()"),
    ),
    Mistake(
        "functional.softmax(x)",
        "no axis",
        lambda: nn.functional.softmax(tg.ones(2)),
        ArgumentError,
        ("dim=-1",),
    ),
    Mistake(
        "x.scatter(0, index)",
        "nothing to put there",
        lambda: tg.ones(2).scatter(0, tg.tensor([0])),
        ArgumentError,
        ("src", "value"),
    ),
    Mistake(
        "autograd.Variable(x, volatile=True)",
        "a switch of early PyTorch",
        lambda: tg.autograd.Variable(tg.ones(2), volatile=True),
        UnsupportedError,
        ("volatile", "no_grad()"),
    ),
    Mistake(
        "autograd.Variable([1.0])",
        "a list",
        lambda: tg.autograd.Variable([1.0]),  # type: ignore[arg-type]
        DtypeError,
        ("Variable", "list", "tensor()"),
    ),
    Mistake(
        "autograd.functional.jacobian(f, x, strict=True)",
        "an error in place of zeros",
        lambda: tg.autograd.functional.jacobian(lambda x: x, tg.ones(1), strict=True),
        UnsupportedError,
        ("strict",),
    ),
    Mistake(
        "pickle.dumps(x)",
        "a computed tensor",
        lambda: pickle.dumps(tg.ones(1, requires_grad=True) * 2),
        GraphError,
        ("detach()",),
    ),
    Mistake(
        "x.div(y, rounding_mode='trunc')",
        "rounding towards 0",
        lambda: tg.ones(2).div(2, rounding_mode="trunc"),
        UnsupportedError,
        ("trunc", "floor()"),
    ),
    Mistake(
        "x.repeat_interleave(counts)",
        "a number of copies for each",
        lambda: tg.ones(2).repeat_interleave(tg.tensor([1, 2])),
        DtypeError,
        ("one number", "x[places]"),
    ),
    Mistake(
        "x.roll((1, 2), 0)",
        "two shifts for one axis",
        lambda: tg.ones(2, 2).roll((1, 2), 0),
        ArgumentError,
        ("one shift an axis", "(1, 2)"),
    ),
    Mistake(
        "x.movedim(0, (0, 1))",
        "two places for one axis",
        lambda: tg.ones(2, 2).movedim(0, (0, 1)),
        ArgumentError,
        ("one place an axis",),
    ),
    Mistake(
        "x.mv(y)",
        "two matrices",
        lambda: tg.ones(2, 2).mv(tg.ones(2, 2)),
        ShapeError,
        ("matrix and a vector", "(2, 2)"),
    ),
    Mistake(
        "x.outer(y)",
        "a matrix",
        lambda: tg.ones(2, 2).outer(tg.ones(2)),
        ShapeError,
        ("two vectors", "(2, 2)"),
    ),
    Mistake(
        "x.fill_(y)",
        "several numbers",
        lambda: tg.ones(2).fill_(tg.ones(2)),
        ArgumentError,
        ("one number", "(2,)"),
    ),
    Mistake(
        "x.uniform_()",
        "integers to fill",
        lambda: tg.arange(3).uniform_(),
        DtypeError,
        ("uniform_", "int64"),
    ),
    Mistake(
        "x.view_as(y)",
        "a number in place of a tensor",
        lambda: tg.ones(2).view_as(2),  # type: ignore[arg-type]
        DtypeError,
        ("view_as", "int"),
    ),
    Mistake(
        "autograd.grad(only_inputs=False)",
        "gradients of all leaves",
        lambda: tg.grad(tg.ones(()), tg.ones(()), only_inputs=False),
        UnsupportedError,
        ("backward()",),
    ),
]

DATA = [
    Mistake(
        "DataLoader(num_workers=2)",
        "other processes",
        lambda: DataLoader(rows(), num_workers=2),
        UnsupportedError,
        ("num_workers=2", "leave out"),
    ),
    Mistake(
        "DataLoader(batch_size=0)",
        "empty batches",
        lambda: DataLoader(rows(), batch_size=0),
        ArgumentError,
        ("batch_size", "0"),
    ),
    Mistake(
        "DataLoader(iter(...))",
        "a data set without a length",
        lambda: DataLoader(iter([])),
        UnsupportedError,
        ("length", "iterator"),
    ),
    Mistake(
        "DataLoader(shuffle=True, sampler=...)",
        "two orders",
        lambda: DataLoader(rows(), shuffle=True, sampler=[0]),
        ArgumentError,
        ("shuffle", "sampler"),
    ),
    Mistake(
        "TensorDataset(x, y)",
        "different numbers of rows",
        lambda: TensorDataset(tg.zeros(2), tg.zeros(3)),
        ShapeError,
        ("2 and 3",),
    ),
    Mistake(
        "TensorDataset([1, 2])",
        "a list",
        lambda: TensorDataset([1, 2]),  # type: ignore[arg-type]
        DtypeError,
        ("tensors",),
    ),
    Mistake(
        "random_split(data, [1, 2])",
        "too few rows",
        lambda: random_split(rows(), [1, 2]),
        ArgumentError,
        ("[1, 2]", "4 examples"),
    ),
    Mistake(
        "default_collate([...])",
        "examples that cannot be joined",
        lambda: default_collate([object()]),
        DtypeError,
        ("object", "collate_fn"),
    ),
    Mistake(
        "default_collate([...])",
        "examples of different length",
        lambda: default_collate([(1, 2), (1,)]),
        ShapeError,
        ("different number",),
    ),
    Mistake(
        "DataLoader(sampler=3)",
        "a number as sampler",
        lambda: DataLoader(rows(), sampler=3),  # type: ignore[arg-type]
        ArgumentError,
        ("sampler", "3"),
    ),
    Mistake(
        "DataLoader(collate_fn=3)",
        "no function",
        lambda: DataLoader(rows(), collate_fn=3),  # type: ignore[arg-type]
        ArgumentError,
        ("collate_fn", "3"),
    ),
    Mistake(
        "random_split(5, ...)",
        "a number as data set",
        lambda: random_split(5, [1]),
        DtypeError,
        ("int",),
    ),
    Mistake(
        "random_split(data, 3)",
        "a number of parts",
        lambda: random_split(rows(), 3),  # type: ignore[arg-type]
        ArgumentError,
        ("[0.9, 0.1]", "3"),
    ),
]

SAVING = [
    Mistake(
        "torch.save(model, path)",
        "a module itself",
        lambda: in_folder(lambda folder: tg.save(nn.Linear(1, 1), folder / "model.pt")),
        UnsupportedError,
        ("Linear", "state_dict()"),
    ),
    Mistake(
        "torch.save({'model': model}, path)",
        "a module in a dict",
        lambda: in_folder(lambda folder: tg.save({"model": nn.Linear(1, 1)}, folder / "model.pt")),
        UnsupportedError,
        ("['model']", "Linear"),
    ),
    Mistake(
        "torch.load(path)",
        "no such file",
        lambda: in_folder(lambda folder: tg.load(folder / "model.pt")),
        CheckpointError,
        ("model.pt",),
    ),
    Mistake(
        "torch.load(path)",
        "a checkpoint of a training run",
        lambda: in_folder(load_training_checkpoint),
        CheckpointError,
        ("load_checkpoint",),
    ),
    Mistake(
        'torch.load(path, map_location="cuda")',
        "another device",
        lambda: tg.load("model.pt", map_location="cuda"),
        UnsupportedError,
        ("cuda",),
    ),
]

TABLE = {
    "Names that only PyTorch has": MISSING,
    "Devices": DEVICES,
    "Calls that scripts bring with them": CALLS,
    "Data sets and batches": DATA,
    "save and load": SAVING,
}
