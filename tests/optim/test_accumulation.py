"""Gradients added up over several backward calls, and what `zero_grad` leaves of them."""

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import values
from tinygrad_rnn import nn, optim
from tinygrad_rnn.jit import jit
from tinygrad_rnn.nn import functional

F64: dict[str, Any] = {"dtype": tg.float64}


def made() -> tuple[Any, Any, Any, Any]:
    tg.manual_seed(1)
    model = nn.LSTM(3, 4, **F64)
    model.bias_hh_l0.requires_grad_(False)
    optimizer = optim.AdamW(model.parameters(), lr=0.05)
    return model, optimizer, tg.randn(5, 6, 3, **F64), tg.randn(5, 6, 4, **F64)


@pytest.mark.parametrize("compiled", [False, True])
def test_micro_batches_make_the_update_of_the_whole_batch(compiled: bool) -> None:
    """The mean over micro-batches is another update than that of the batch, or frozen ones move."""
    model, optimizer, x, y = made()
    other, whole, _, _ = made()

    def accumulate(x: Any, y: Any) -> Any:
        loss = functional.mse_loss(model(x)[0], y) / 3
        loss.backward()
        return loss.detach()

    call = jit(accumulate, off=["fuse"]) if compiled else accumulate
    for _ in range(3):
        losses = [
            call(a, b).item() for a, b in zip(x.split(2, 1), y.split(2, 1), strict=True)
        ]
        optimizer.step()
        optimizer.zero_grad()
        loss = functional.mse_loss(other(x)[0], y)
        whole.zero_grad()
        loss.backward()
        whole.step()
        np.testing.assert_allclose(sum(losses), loss.item(), rtol=1e-12)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(values(p), values(q), rtol=1e-10)
    fresh = made()[0]
    assert values(model.bias_hh_l0).tolist() == values(fresh.bias_hh_l0).tolist()


def test_micro_batches_agree_with_pytorchs() -> None:
    """Accumulated gradients make another update than in PyTorch."""
    torch: Any = pytest.importorskip("torch")
    model, optimizer, x, y = made()
    other = torch.nn.LSTM(3, 4, dtype=torch.float64)
    other.load_state_dict({n: torch.tensor(values(t)) for n, t in model.state_dict().items()})
    other.bias_hh_l0.requires_grad_(False)
    theirs = torch.optim.AdamW(other.parameters(), lr=0.05)
    for _ in range(2):
        for library, net, o in ((tg.nn, model, optimizer), (torch.nn, other, theirs)):
            o.zero_grad()
            for part in range(3):
                rows = slice(2 * part, 2 * part + 2)
                a, b = x[:, rows], y[:, rows]
                if library is torch.nn:
                    a, b = torch.tensor(values(a)), torch.tensor(values(b))
                (library.functional.mse_loss(net(a)[0], b) / 3).backward()
            o.step()
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(values(p), q.detach().numpy(), rtol=1e-10)


def test_zeros_in_place_of_no_gradients() -> None:
    """`set_to_none=False` forgets a gradient, makes one where there was none, or keeps numbers."""
    used, unused = nn.Parameter(tg.ones(2)), nn.Parameter(tg.ones(2))
    optimizer = optim.SGD([used, unused], lr=1.0)
    (used * 3.0).sum().backward()
    held = used.grad
    optimizer.zero_grad(set_to_none=False)
    assert used.grad is held
    assert values(held).tolist() == [0.0, 0.0]
    assert unused.grad is None
    (used**3.0).sum().backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert values(used.grad).tolist() == [0.0, 0.0]
    assert not used.grad.requires_grad
    optimizer.zero_grad()
    assert used.grad is None


def test_zeros_in_a_recording() -> None:
    """A compiled step adds to the gradients of the call before."""
    p = nn.Parameter(tg.ones(2))
    optimizer = optim.SGD([p], lr=1.0)

    @jit
    def step(x: tg.Tensor) -> None:
        optimizer.zero_grad(set_to_none=False)
        (p * x).sum().backward()

    for number in range(3):
        step(tg.full((2,), float(number)))
        assert values(p.grad).tolist() == [number, number]
