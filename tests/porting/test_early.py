"""What scripts for early PyTorch are written with, and what scripts do to tensors as objects."""

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import Variable
from tinygrad_rnn.autograd.functional import hessian, jacobian


def test_a_variable_is_a_tensor_without_history() -> None:
    """A Variable carries a graph, copies its numbers, or is no instance of its class."""
    x = tg.ones(2, requires_grad=True) * 3
    v = Variable(x)
    assert v.is_leaf
    assert not v.requires_grad
    assert Variable(tg.ones(2), requires_grad=True).requires_grad
    assert isinstance(x, Variable)
    assert not isinstance(3, Variable)
    tensor = tg.zeros(2)
    Variable(tensor)[0] = 1.0
    assert values(tensor).tolist() == [1, 0]


def cubes(*xs: Any) -> Any:
    return sum((x**3).sum() * (i + 1) for i, x in enumerate(xs)) + (xs[0] * xs[-1]).sum()


def test_functional_derivatives() -> None:
    """The Jacobian or Hessian of one or two inputs is another than PyTorch's."""
    torch = pytest.importorskip("torch")
    a, b = np.random.default_rng(0).normal(size=(2, 3))
    theirs = torch.autograd.functional
    x, y, u, v = tg.tensor(a), tg.tensor(b), torch.tensor(a), torch.tensor(b)
    pairs = [
        (hessian(cubes, x), theirs.hessian(cubes, u)),
        (jacobian(lambda x: x.cumsum(0) * x, x), theirs.jacobian(lambda x: x.cumsum(0) * x, u)),
        *zip(
            sum(hessian(cubes, (x, y)), ()), sum(theirs.hessian(cubes, (u, v)), ()), strict=True
        ),
    ]
    for ours, expected in pairs:
        np.testing.assert_allclose(values(ours), expected.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("legacy", "reduction"),
    [
        ({"size_average": True}, "mean"),
        ({"size_average": False}, "sum"),
        ({"reduce": False}, "none"),
        ({"reduce": False, "size_average": False}, "none"),
        ({"reduce": True}, "mean"),
    ],
)
def test_size_average_and_reduce(legacy: dict[str, bool], reduction: str) -> None:
    """An old switch of a loss is taken for another reduction."""
    x, y = tg.randn(4, 3), tg.randn(4, 3)
    expected = nn.functional.mse_loss(x, y, reduction=reduction)
    assert same_bits(nn.functional.mse_loss(x, y, **legacy), expected)
    assert same_bits(nn.MSELoss(**legacy)(x, y), expected)
    assert nn.CrossEntropyLoss(**legacy).reduction == reduction


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_tensors_and_modules_are_copied_whole(copied: Any) -> None:
    """A copy lacks a gradient or its class, shares memory, or cannot be made after a change."""
    model = nn.LSTM(2, 3)
    with tg.no_grad():
        model.weight_ih_l0.add_(1)
    x = tg.randn(4, 1, 2)
    model(x)[0].sum().backward()
    again = copied(model)
    assert same_bits(again(x)[0], model(x)[0])
    for a, b in zip(again.parameters(), model.parameters(), strict=True):
        assert type(a) is type(b) is nn.Parameter
        assert a.requires_grad
        assert same_bits(a.grad, b.grad)
    with tg.no_grad():
        again.weight_ih_l0.zero_()
    assert values(model.weight_ih_l0).any()


def test_open_files() -> None:
    """What is saved to an open file is not what is loaded from it."""
    file = io.BytesIO()
    tg.save({"epoch": 2, "model": nn.Linear(1, 2).state_dict()}, file)
    file.seek(0)
    found = tg.load(file, map_location="cpu")
    assert found["epoch"] == 2
    assert found["model"]["weight"].shape == (2, 1)


def test_packed_sequences_are_tuples_of_four() -> None:
    """A packed sequence cannot be taken apart."""
    packed = nn.utils.rnn.pack_sequence([tg.ones(1, 2), tg.zeros(3, 2)], enforce_sorted=False)
    data, batch_sizes, order, back = packed
    assert data is packed.data
    assert [x.tolist() for x in (batch_sizes, order, back)] == [[2, 1, 1], [1, 0], [1, 0]]


def test_names_of_the_state() -> None:
    """hx is not taken for the state."""
    x, h = tg.randn(4, 1, 2), tg.ones(1, 1, 3)
    layer, cell = nn.GRU(2, 3), nn.GRUCell(2, 3)
    assert same_bits(layer(x, hx=h)[0], layer(x, h)[0])
    assert same_bits(cell(x[0], hx=h[0]), cell(x[0], h[0]))


def test_a_generator_is_on_the_cpu() -> None:
    """Generator(device="cpu") takes the device for a seed, or ignores a seed."""
    for generator in (tg.Generator("cpu"), tg.Generator(device=tg.device("cpu"))):
        generator.manual_seed(3)
        assert same_bits(tg.rand(2, generator=generator), tg.rand(2, generator=tg.Generator(3)))
