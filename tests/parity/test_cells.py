"""Cells that PyTorch has in part, against PyTorch in float64: projections, and layer norm."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.parity.test_recurrent_layers import (
    assert_close,
    assert_same_gradients,
    copy_weights,
    pair,
    uniform,
)
from tests.tools import examples
from tinygrad_rnn import nn

torch = pytest.importorskip("torch")


@examples(15)
@given(data=st.data())
def test_projected_lstm_agrees(data: Any) -> None:
    """An output, state or gradient of an LSTM with proj_size differs from PyTorch's."""
    size, batch, steps, layers = (data.draw(st.integers(1, 3)) for _ in range(4))
    hidden = data.draw(st.integers(2, 5))
    projected = data.draw(st.integers(1, hidden - 1))
    both, bias, given_state = (data.draw(st.booleans()) for _ in range(3))
    random = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    settings = {"bias": bias, "bidirectional": both, "proj_size": projected}
    ours = nn.LSTM(size, hidden, layers, dtype=tg.float64, **settings)
    theirs = torch.nn.LSTM(size, hidden, layers, dtype=torch.float64, **settings)
    copy_weights(ours, theirs, random)

    x, their_x = pair(uniform(random, steps, batch, size))
    rows = layers * (2 if both else 1)
    pairs = [pair(uniform(random, rows, batch, n)) for n in (projected, hidden) if given_state]
    out, final = ours(x, *([tuple(p for p, _ in pairs)] if pairs else []))
    their_out, their_final = theirs(their_x, *([tuple(p for _, p in pairs)] if pairs else []))
    total, their_total = tg.zeros((), dtype=tg.float64), torch.zeros((), dtype=torch.float64)
    for a, b in zip((out, *final), (their_out, *their_final), strict=True):
        assert_close(a, b)
        total, their_total = total + (a * a).sum(), their_total + (b * b).sum()
    total.backward()
    their_total.backward()
    assert_same_gradients(ours, theirs)
    for a, b in [(x, their_x), *pairs]:
        assert_close(a.grad, b.grad)


def test_second_derivatives_of_a_projected_lstm_agree() -> None:
    """The gradient of the squared norm of the gradient differs from PyTorch's."""
    random = np.random.default_rng(7)
    ours = nn.LSTM(2, 4, 2, proj_size=3, dtype=tg.float64)
    theirs = torch.nn.LSTM(2, 4, 2, proj_size=3, dtype=torch.float64)
    copy_weights(ours, theirs, random)
    x, their_x = pair(uniform(random, 4, 2, 2))
    first = tg.grad((ours(x)[0] ** 2).sum(), [x, *ours.parameters()], create_graph=True)
    their_first = torch.autograd.grad(
        (theirs(their_x)[0] ** 2).sum(), [their_x, *theirs.parameters()], create_graph=True
    )
    sum((g * g).sum() for g in first).backward()
    sum((g * g).sum() for g in their_first).backward()
    assert_same_gradients(ours, theirs)
    assert_close(x.grad, their_x.grad)


@pytest.mark.parametrize("of_c", [True, False])
def test_layer_norm_lstm_agrees_with_one_of_pytorchs_parts(of_c: bool) -> None:
    """A gradient through the normalisations differs from that of torch's layer_norm."""
    make = nn.LayerNormLSTMCell if of_c else nn.LayerNormGatesLSTMCell
    random = np.random.default_rng(2)
    cell = make(3, 4, dtype=tg.float64)
    numbers = {name: uniform(random, *p.shape) for name, p in cell.named_parameters()}
    cell.load_state_dict(numbers)
    theirs = {name: torch.from_numpy(a.copy()).requires_grad_() for name, a in numbers.items()}
    x, their_x = pair(uniform(random, 5, 2, 3))

    def normalized(a: Any, which: str) -> Any:
        gain, bias = theirs[f"gain_{which}"], theirs[f"bias_{which}"]
        return torch.nn.functional.layer_norm(a, a.shape[-1:], gain, bias)

    out, (_, last) = nn.Recurrent(cell)(x)
    h = c = torch.zeros(2, 4, dtype=torch.float64)
    hs = []
    for x_t in their_x.unbind(0):
        total = normalized(x_t @ theirs["weight_ih"].T, "ih")
        total = total + normalized(h @ theirs["weight_hh"].T, "hh")
        i, f, g, o = total.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * (normalized(c, "ch") if of_c else c).tanh()
        hs.append(h)
    their_out = torch.stack(hs)
    assert_close(out, their_out)
    assert_close(last[0], c)
    ((out * out).sum() + last.sum()).backward()
    ((their_out * their_out).sum() + c.sum()).backward()
    for name, parameter in cell.named_parameters():
        assert_close(parameter.grad, theirs[name].grad)
    assert_close(x.grad, their_x.grad)
