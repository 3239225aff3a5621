"""Tensors made from numbers and shapes, starting values and gradients, as PyTorch has them."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import values

torch = pytest.importorskip("torch")

MADE = """
m.arange(3.0, requires_grad=True) | m.linspace(0, 1, 3, requires_grad=True)
m.eye(2, 3, requires_grad=True) | m.zeros_like(m.ones(2), requires_grad=True)
m.ones_like(m.ones(2), dtype=m.float64, requires_grad=True)
m.full_like(m.ones(2), 3.0, requires_grad=True) | m.arange(m.tensor(3)) | m.arange(m.tensor(2.5))
m.arange(np.float32(2.5)) | m.arange(np.int64(3)) | m.arange(3, 0, -1) | m.arange(1, 1)
m.arange(0, 2.5, dtype=m.int64) | m.linspace(m.tensor(0.0), 1, m.tensor(3))
m.linspace(0, 1, 5, dtype=m.int64) | m.eye(m.tensor(2)) | m.tril(m.ones(2, 2), -1)
F.one_hot(m.tensor([], dtype=m.int64), 3) | init.uniform_(m.zeros(2), 1, 1)
init.normal_(m.zeros(2), 3, 0) | init.orthogonal_(m.zeros(1, 1)).abs()
init.eye_(m.zeros(2, 2, dtype=m.int64)) | init.constant_(m.zeros(2), m.tensor(2.0))
m.autograd.grad(w.square().sum(), iter([w]))[0]
m.autograd.grad((w * w for _ in "a"), w, (m.ones(2) for _ in "a"))[0]
"""

REFUSED = """
m.arange(3, requires_grad=True) | m.arange(float("nan")) | m.arange(float("inf")) | m.arange(5, 3)
m.arange(0, -1) | m.arange("a") | m.arange(0, 1, 0.25, dtype=m.int64) | m.arange(3, dtype=m.bool)
m.zeros(2**62) | m.ones(2**70) | m.linspace(0, 1, (3, 4))
m.linspace(0, 1, 2.5) | m.randperm((3, 4)) | m.eye(2.5) | m.rand(2, generator=3) | m.tril(m.ones(2))
m.triu(m.ones(2, 2), 0.5) | F.one_hot(m.tensor([], dtype=m.int64)) | F.one_hot(m.tensor([1]), 0)
F.one_hot(m.tensor([1]), -3) | init.uniform_(w, 2, 1) | init.uniform_(w, float("nan"))
init.uniform_(w, -3e38, 3e38) | init.uniform_(w, "a") | init.normal_(w, 0, -1)
init.normal_(w, 0, float("nan")) | init.normal_(m.zeros(2, dtype=m.int64)) | init.normal_(w, "a")
init.uniform_(m.zeros(2, dtype=m.int64)) | init.orthogonal_(m.zeros(2, 2, dtype=m.int64))
init.orthogonal_(m.zeros(2, 2), "a") | init.xavier_normal_(m.zeros(2, 2), "a")
init.sparse_(m.zeros(2, 2), 0.5, -1.0) | init.normal_(w, generator=3) | m.autograd.grad(w.sum(), [])
m.autograd.grad(w, w, 3) | m.nn.Tanh().train(5) | m.nn.LSTM("a", 5) | m.nn.LSTMCell(2, 3)([[1.0]])
m.nn.utils.clip_grad_norm_([3], 1.0) | m.nn.utils.clip_grad_norm_([w], "a")
m.nn.utils.parameters_to_vector(3) | F.linear(m.ones(2, 2), [1.0]) | F.embedding(w.long(), [1.0])
"""


def lines(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


def made(text: str, module: ModuleType) -> Any:
    w = module.ones(2, requires_grad=True)
    names = {"m": module, "F": module.nn.functional, "init": module.nn.init, "np": np, "w": w}
    # The lines are the tables above, not input from outside.
    return eval(text, names)


@pytest.mark.parametrize("text", lines(MADE))
def test_what_is_made(text: str) -> None:
    """A call that PyTorch takes fails, or gives other numbers or another type."""
    ours, theirs = made(text, tg), made(text, torch)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    assert ours.requires_grad == theirs.requires_grad
    np.testing.assert_allclose(values(ours), theirs.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize("text", lines(REFUSED))
def test_what_is_refused(text: str) -> None:
    """A mistake that PyTorch reports is taken, or fails with an untyped error."""
    with pytest.raises((RuntimeError, ValueError, TypeError, AttributeError)):
        made(text, torch)
    with pytest.raises(tg.errors.TinygradRnnError):
        made(text, tg)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_all_weights(kind: str, bidirectional: bool) -> None:
    """The weights of a layer are missing, or stand in another order than PyTorch's."""
    options = {"num_layers": 2, "bidirectional": bidirectional, "bias": not bidirectional}
    options |= {"proj_size": 2} if kind == "LSTM" else {}
    ours, theirs = (getattr(module.nn, kind)(4, 3, **options) for module in (tg, torch))
    names = {id(parameter): name for name, parameter in ours.named_parameters()}
    held = [[names[id(parameter)] for parameter in layer] for layer in ours.all_weights]
    assert held == theirs._all_weights
