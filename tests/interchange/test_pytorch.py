"""Weights and optimizers go to PyTorch and back through safetensors files."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import values
from tinygrad_rnn import nn, optim
from tinygrad_rnn.checkpoints import load_weights, save_weights
from tinygrad_rnn.errors import StateDictError
from tinygrad_rnn.interchange import load_optimizer, optimizers, save_optimizer

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

RECURRENT = [
    (name, settings)
    for name in ("RNN", "LSTM", "GRU")
    for settings in (
        {},
        {"num_layers": 2, "bidirectional": True},
        {"num_layers": 3, "bias": False, "batch_first": True},
    )
]
PROJECTED = [("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True})]
MODULES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *((name, (3, 4), settings) for name, settings in [*RECURRENT, *PROJECTED]),
    ("RNN", (3, 4), {"nonlinearity": "relu"}),
    *((f"{name}Cell", (3, 4), {}) for name in ("RNN", "LSTM", "GRU")),
    ("Linear", (3, 4), {}),
    ("Linear", (3, 4), {"bias": False}),
    ("Embedding", (5, 4), {"padding_idx": 1}),
    ("LayerNorm", (3,), {}),
]


def numbers_of(ours: Any) -> list[Any]:
    """Every array of a nested result of either library."""
    if isinstance(ours, (tuple, list)):
        return [array for part in ours for array in numbers_of(part)]
    return [ours.detach().numpy()]


@pytest.mark.parametrize(("name", "sizes", "settings"), MODULES)
def test_weights_move_both_ways(
    name: str, sizes: tuple[int, ...], settings: dict[str, Any], tmp_path: Path
) -> None:
    """A name, shape or meaning of a weight differs from PyTorch's: the outputs differ."""
    ours = getattr(nn, name)(*sizes, **settings).double()
    theirs = getattr(torch.nn, name)(*sizes, **settings).double()
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3) if name.endswith("Cell") else (4, 2, 3))
    given = random.integers(0, 5, (4, 2)) if name == "Embedding" else x

    def assert_equal() -> None:
        here = numbers_of(ours(tg.tensor(given)))
        there = numbers_of(theirs(torch.tensor(given)))
        assert len(here) == len(there)
        for a, b in zip(here, there, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)

    safetensors_torch.save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    ours.load_state_dict(load_weights(tmp_path / "theirs.safetensors"))
    assert_equal()
    for parameter in ours.parameters():
        tg.nn.init.uniform_(parameter, -0.5, 0.5)
    save_weights(tmp_path / "ours.safetensors", ours.state_dict())
    theirs.load_state_dict(safetensors_torch.load_file(tmp_path / "ours.safetensors"))
    assert_equal()


def test_weights_of_another_layer_are_refused(tmp_path: Path) -> None:
    """A file that lacks weights, or has more, is taken in part."""
    path = tmp_path / "file.safetensors"
    safetensors_torch.save_file(torch.nn.LSTM(3, 4).state_dict(), path)
    with pytest.raises(StateDictError, match="missing: weight_ih_l1"):
        nn.LSTM(3, 4, num_layers=2).load_state_dict(load_weights(path))
    with pytest.raises(StateDictError, match="shape: weight_ih_l0"):
        nn.GRU(3, 4).load_state_dict(load_weights(path))


# ---------------------------------------------------------------------- optimizers

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.02, "betas": (0.8, 0.99), "weight_decay": 0.01}),
    ("Adam", {"lr": 0.02, "amsgrad": True}),
    ("AdamW", {"lr": 0.02}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True}),
    ("Adagrad", {"lr": 0.1}),
    ("LBFGS", {"lr": 0.5, "max_iter": 2, "line_search_fn": "strong_wolfe"}),
]


def recipe() -> dict[str, Any]:
    """The two functions for PyTorch that stand at the head of interchange/optimizers.py."""
    assert optimizers.__doc__ is not None
    code = [line for line in optimizers.__doc__.splitlines() if line.startswith("    ") or not line]
    found: dict[str, Any] = {}
    exec(textwrap.dedent("\n".join(code)), found)
    return found


class Training:
    """A small regression in one of the libraries: the same data, and the same first weights."""

    def __init__(self, library: Any, optimizer: str, settings: dict[str, Any]) -> None:
        random = np.random.default_rng(0)
        self.library = library
        self.model = library.nn.Linear(3, 2).double()
        weights = {n: random.uniform(-1.0, 1.0, tuple(p.shape)) for n, p in self.named()}
        self.model.load_state_dict({n: library.tensor(w) for n, w in weights.items()})
        self.x = library.tensor(random.standard_normal((8, 3)))
        self.y = library.tensor(random.standard_normal((8, 2)))
        parts: Any = [{"params": [p]} for _, p in self.named()]
        parts[1]["lr"] = 0.05
        if optimizer == "LBFGS":  # which has one group
            parts = self.model.parameters()
        self.optimizer = getattr(library.optim, optimizer)(parts, **settings)

    def named(self) -> Any:
        return self.model.named_parameters()

    def losses(self, steps: int) -> list[float]:
        def closure() -> Any:
            self.optimizer.zero_grad()
            loss = ((self.model(self.x) - self.y) ** 4).mean()
            loss.backward()
            return loss

        return [self.optimizer.step(closure).item() for _ in range(steps)]

    def weights(self) -> dict[str, Any]:
        return {n: np.array(p.detach().numpy()) for n, p in self.named()}

    def take_weights(self, other: "Training") -> None:
        moved = {n: self.library.tensor(w) for n, w in other.weights().items()}
        self.model.load_state_dict(moved)


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
@pytest.mark.parametrize("begins", ["here", "there"])
def test_training_goes_on_in_the_other_library(
    name: str, settings: dict[str, Any], begins: str, tmp_path: Path
) -> None:
    """Running means, step counts or settings get lost or change their meaning on the way.

    The second half is run by an optimizer that was made with other settings.
    """
    path = tmp_path / "optimizer.safetensors"
    libraries = (tg, torch) if begins == "here" else (torch, tg)
    write = save_optimizer if begins == "here" else recipe()["write"]
    read = recipe()["read"] if begins == "here" else load_optimizer
    never_moved = Training(libraries[1], name, settings)
    never_moved.losses(5)
    first = Training(libraries[0], name, settings)
    first.losses(5)
    write(path, first.optimizer)
    second = Training(libraries[1], name, {"lr": 3.0})
    second.take_weights(first)
    read(path, second.optimizer)
    expected = never_moved.losses(8)
    np.testing.assert_allclose(second.losses(8), expected, rtol=1e-10)
    np.testing.assert_allclose(first.losses(8), expected, rtol=1e-10)


def test_more_than_ten_parameters_keep_their_order(tmp_path: Path) -> None:
    """State of parameter 10 is taken for that of 2: names are sorted as text."""
    def make() -> tuple[list[Any], Any]:
        params = [nn.Parameter(tg.full((1,), float(i))) for i in range(12)]
        return params, optim.Adam(params, lr=0.1)

    params, optimizer = make()
    for i, p in enumerate(params):
        p.grad = tg.full((1,), float(i + 1))
    optimizer.step()
    save_optimizer(tmp_path / "file", optimizer)
    again, other = make()
    load_optimizer(tmp_path / "file", other)
    for i, p in enumerate(again):
        np.testing.assert_allclose(values(other.state[p]["exp_avg"]), [(i + 1) * 0.1], rtol=1e-6)
