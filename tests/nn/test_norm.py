"""Layer normalisation: the equation, its invariances, edges, and jit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree
from tests.tools import draw_array, examples, leaf, values
from tinygrad_rnn import nn


@examples(30)
@given(data=st.data())
def test_the_equation(data: Any) -> None:
    """The mean, the biased variance, eps, gain or bias enter in another way."""
    shape = tuple(data.draw(st.integers(1, 4)) for _ in range(data.draw(st.integers(1, 3))))
    count = data.draw(st.integers(1, len(shape)))
    layer = nn.LayerNorm(shape[-count:], eps=0.01, dtype=tg.float64)
    gain, bias = (draw_array(data.draw, shape[-count:]) for _ in range(2))
    layer.load_state_dict({"weight": gain, "bias": bias})
    x = draw_array(data.draw, shape)
    axes = tuple(range(-count, 0))
    mean = x.mean(axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axes, keepdims=True)
    wanted = (x - mean) / np.sqrt(variance + 0.01) * gain + bias
    np.testing.assert_allclose(values(layer(tg.as_tensor(x))), wanted, rtol=1e-11, atol=1e-13)


def test_shift_and_scale_do_not_show() -> None:
    """Normalised rows depend on the mean or the scale of their input."""
    layer = nn.LayerNorm(50, eps=0.0, dtype=tg.float64)
    x = tg.randn(3, 50, dtype=tg.float64)
    np.testing.assert_allclose(values(layer(x * 7.0 + 3.0)), values(layer(x)), rtol=1e-10)
    out = values(layer(x))
    np.testing.assert_allclose(out.mean(1), 0.0, atol=1e-14)
    np.testing.assert_allclose(out.std(1), 1.0, rtol=1e-13)


def test_far_from_zero_in_float32() -> None:
    """The variance is the difference of two large numbers, and loses its digits."""
    x = np.random.default_rng(0).normal(size=(4, 64)).astype(np.float32) + np.float32(3000.0)
    exact = x.astype(np.float64) - x.astype(np.float64).mean(1, keepdims=True)
    exact /= np.sqrt((exact**2).mean(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(values(nn.LayerNorm(64)(tg.tensor(x))), exact, atol=2e-3)


def test_equal_numbers_and_no_rows() -> None:
    """A row without spread divides by 0, or an empty batch fails."""
    layer = nn.LayerNorm(3)
    x = tg.full((2, 3), 5.0, requires_grad=True)
    layer(x).sum().backward()
    assert not values(layer(x)).any()
    assert np.isfinite(values(x.grad)).all()
    assert layer(tg.zeros(0, 3)).shape == (0, 3)
    assert values(nn.LayerNorm(1)(tg.tensor([[4.0]]))).tolist() == [[0.0]]


def test_settings() -> None:
    """A switched-off parameter is there all the same, or resetting forgets one."""
    assert list(nn.LayerNorm(2, elementwise_affine=False).state_dict()) == []
    assert list(nn.LayerNorm(2, bias=False).state_dict()) == ["weight"]
    layer = nn.LayerNorm((2, 3))
    with tg.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(9.0)
    layer.reset_parameters()
    assert values(layer.weight).tolist() == [[1.0] * 3] * 2
    assert values(layer.bias).tolist() == [[0.0] * 3] * 2
    assert repr(nn.LayerNorm(2, bias=False)) == (
        "LayerNorm((2,), eps=1e-05, bias=False)  # 2 parameters"
    )


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_training_compiled_is_eager(dtype: Any) -> None:
    """A compiled step over a layer norm gives another loss or update."""
    runs = []
    for compiled in (False, True):
        tg.manual_seed(1)
        layer = nn.Sequential(nn.Linear(3, 5, dtype=dtype), nn.LayerNorm(5, dtype=dtype))
        optimizer = tg.optim.SGD(layer.parameters(), lr=0.1)

        def step(x: Any, layer: Any = layer, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (layer(x).tanh() ** 3).mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = tg.jit(step) if compiled else step
        random = np.random.default_rng(2)
        losses = [run(leaf(random.normal(size=(4, 3)), dtype).detach()) for _ in range(3)]
        runs.append((losses, [p.detach() for p in layer.parameters()]))
    assert_agree(runs[1], runs[0], 1e-4 if dtype == tg.float32 else 1e-10)
