"""RNN, LSTM, GRU and their cells against PyTorch's, in float64."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples, values
from tinygrad_rnn import nn

torch = pytest.importorskip("torch")

CLOSE: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12}
kinds = pytest.mark.parametrize("kind", ["RNN tanh", "RNN relu", "LSTM", "GRU"])


def arguments(kind: str) -> tuple[str, dict[str, Any]]:
    """Return the class' name, and what else it takes."""
    name, _, nonlinearity = kind.partition(" ")
    return name, {"nonlinearity": nonlinearity} if nonlinearity else {}


def uniform(random: np.random.Generator, *shape: int) -> Any:
    return random.uniform(-1.0, 1.0, shape)


def pair(array: Any) -> tuple[tg.Tensor, Any]:
    """Return one array as a leaf of ours and as a leaf of PyTorch's."""
    theirs = torch.from_numpy(np.array(array)).requires_grad_()
    return tg.tensor(array, requires_grad=True), theirs


def assert_close(ours: Any, theirs: Any) -> None:
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(values(ours), theirs.detach().numpy(), **CLOSE)


def copy_weights(ours: nn.Module, theirs: Any, random: np.random.Generator) -> None:
    """Give both the same random parameters, by name."""
    numbers = {name: uniform(random, *p.shape) for name, p in theirs.named_parameters()}
    assert list(numbers) == [name for name, _ in ours.named_parameters()]
    ours.load_state_dict(numbers)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in numbers.items()})


def states_of(kind: str, state: Any) -> tuple[Any, ...]:
    return tuple(state) if kind == "LSTM" else (state,)


def assert_same_gradients(ours: nn.Module, theirs: Any) -> None:
    wanted = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None, name
        assert_close(parameter.grad, wanted[name].grad)


@kinds
@examples(15)
@given(data=st.data())
def test_layers_agree(kind: str, data: Any) -> None:
    """An output, final state or gradient differs from PyTorch's for some size or layout."""
    name, extra = arguments(kind)
    seed = data.draw(st.integers(0, 2**16))
    size, hidden, batch, steps = (data.draw(st.integers(1, 4)) for _ in range(4))
    layers, both, bias = (
        data.draw(st.integers(1, 3)),
        data.draw(st.booleans()),
        data.draw(st.booleans()),
    )
    layout = data.draw(st.sampled_from(["time first", "batch first", "one sequence"]))
    given_state = data.draw(st.booleans())
    extra |= {"bias": bias, "bidirectional": both, "batch_first": layout == "batch first"}
    random = np.random.default_rng(seed)
    ours = getattr(nn, name)(size, hidden, layers, dtype=tg.float64, **extra)
    theirs = getattr(torch.nn, name)(size, hidden, layers, dtype=torch.float64, **extra)
    copy_weights(ours, theirs, random)

    places = {"time first": (steps, batch), "batch first": (batch, steps), "one sequence": (steps,)}
    x, their_x = pair(uniform(random, *places[layout], size))
    rows = layers * (2 if both else 1)
    state_shape = (rows, hidden) if layout == "one sequence" else (rows, batch, hidden)
    count = 2 if name == "LSTM" else 1
    pairs = [pair(uniform(random, *state_shape)) for _ in range(count if given_state else 0)]
    if given_state and name == "LSTM":
        out, final = ours(x, tuple(p for p, _ in pairs))
        their_out, their_final = theirs(their_x, tuple(p for _, p in pairs))
    else:
        out, final = ours(x, *(p for p, _ in pairs))
        their_out, their_final = theirs(their_x, *(p for _, p in pairs))

    mine, other = [out, *states_of(name, final)], [their_out, *states_of(name, their_final)]
    total, their_total = tg.zeros((), dtype=tg.float64), torch.zeros((), dtype=torch.float64)
    for a, b in zip(mine, other, strict=True):
        assert_close(a, b)
        weight = uniform(random, *a.shape)
        total = total + (a * tg.tensor(weight)).sum()
        their_total = their_total + (b * torch.from_numpy(weight)).sum()
    total.backward()
    their_total.backward()
    assert_same_gradients(ours, theirs)
    for a, b in [(x, their_x), *pairs]:
        assert_close(a.grad, b.grad)


@kinds
@examples(12)
@given(data=st.data())
def test_cells_agree(kind: str, data: Any) -> None:
    """A cell's new state or gradient differs from PyTorch's."""
    name, extra = arguments(kind)
    random = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    size, hidden, batch = (data.draw(st.integers(1, 4)) for _ in range(3))
    extra["bias"] = data.draw(st.booleans())
    lead = data.draw(st.sampled_from([(batch,), ()]))
    ours = getattr(nn, name + "Cell")(size, hidden, dtype=tg.float64, **extra)
    theirs = getattr(torch.nn, name + "Cell")(size, hidden, dtype=torch.float64, **extra)
    copy_weights(ours, theirs, random)
    x, their_x = pair(uniform(random, *lead, size))
    pairs = [pair(uniform(random, *lead, hidden)) for _ in range(2 if name == "LSTM" else 1)]
    if not data.draw(st.booleans()):
        pairs = []
    wrap = tuple if name == "LSTM" else (lambda parts: parts[0])
    state = (wrap([p for p, _ in pairs]),) if pairs else ()
    their_state = (wrap([p for _, p in pairs]),) if pairs else ()
    after, their_after = ours(x, *state), theirs(their_x, *their_state)
    for a, b in zip(states_of(name, after), states_of(name, their_after), strict=True):
        assert_close(a, b)
        (a * a).sum().backward(retain_graph=True)
        (b * b).sum().backward(retain_graph=True)
    assert_same_gradients(ours, theirs)
    for a, b in [(x, their_x), *pairs]:
        assert_close(a.grad, b.grad)


@kinds
def test_second_derivatives_agree(kind: str) -> None:
    """The gradient of the squared norm of the gradient differs from PyTorch's."""
    name, extra = arguments(kind)
    random = np.random.default_rng(7)
    ours = getattr(nn, name)(2, 3, 2, bidirectional=True, dtype=tg.float64, **extra)
    theirs = getattr(torch.nn, name)(2, 3, 2, bidirectional=True, dtype=torch.float64, **extra)
    copy_weights(ours, theirs, random)
    x, their_x = pair(uniform(random, 4, 2, 2))
    first = tg.grad((ours(x)[0] ** 2).sum(), [x, *ours.parameters()], create_graph=True)
    their_first = torch.autograd.grad(
        (theirs(their_x)[0] ** 2).sum(), [their_x, *theirs.parameters()], create_graph=True
    )
    for a, b in zip(first, their_first, strict=True):
        assert_close(a, b)
    sum((g * g).sum() for g in first).backward()
    sum((g * g).sum() for g in their_first).backward()
    assert_same_gradients(ours, theirs)
    assert_close(x.grad, their_x.grad)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_float32_agrees_to_rounding(name: str) -> None:
    """Single precision loses more than rounding against PyTorch's."""
    random = np.random.default_rng(3)
    ours, theirs = getattr(nn, name)(5, 16, 2), getattr(torch.nn, name)(5, 16, 2)
    numbers = {
        n: uniform(random, *p.shape).astype(np.float32) * 0.25 for n, p in theirs.named_parameters()
    }
    ours.load_state_dict(numbers)
    theirs.load_state_dict({n: torch.from_numpy(a) for n, a in numbers.items()})
    x = uniform(random, 20, 3, 5).astype(np.float32)
    out, _ = ours(tg.tensor(x))
    their_out, _ = theirs(torch.from_numpy(x))
    np.testing.assert_allclose(values(out), their_out.detach().numpy(), rtol=1e-4, atol=2e-6)


def test_initial_numbers_have_pytorchs_bounds() -> None:
    """Parameters start outside U(-1/√H, 1/√H), or nowhere near its edges."""
    for name in ("RNN", "LSTM", "GRU"):
        layer = getattr(nn, name)(20, 100, 2, bidirectional=True)
        for parameter in layer.parameters():
            size = np.abs(values(parameter))
            assert size.max() <= 0.1
            assert size.max() > 0.09
