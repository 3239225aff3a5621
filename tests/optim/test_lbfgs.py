"""LBFGS by itself, and with a compiled closure. Parity is in tests/parity."""

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import RecordingError
from tinygrad_rnn.jit import jit
from tinygrad_rnn.nn import functional

SEARCHES: list[dict[str, Any]] = [{"lr": 0.5}, {"line_search_fn": "strong_wolfe"}]
searches = pytest.mark.parametrize("chosen", SEARCHES, ids=["steps", "search"])


def problem() -> tuple[Any, Any, Any]:
    tg.manual_seed(3)
    x = tg.randn(6, 2, 3, dtype=tg.float64)
    return nn.LSTM(3, 4, dtype=tg.float64), x, tg.sin(tg.randn(6, 2, 4, dtype=tg.float64))


@searches
def test_a_compiled_closure_gives_the_same_steps(chosen: dict[str, Any]) -> None:
    """LBFGS loses its way with a loss and gradients that were computed by a compiled step."""
    runs = []
    for compiled in (False, True):
        model, x, target = problem()
        optimizer = optim.LBFGS(model.parameters(), max_iter=8, **chosen)

        def closure(model: Any = model, x: Any = x, target: Any = target) -> tg.Tensor:
            model.zero_grad()
            loss = functional.mse_loss(model(x)[0], target)
            loss.backward()
            return loss.detach()

        call = jit(closure) if compiled else closure
        losses = [optimizer.step(call).item() for _ in range(3)]
        runs.append((losses, values(list(model.parameters()))))
        if compiled:
            # The first call finds no gradients.
            assert len(call.recordings) <= 2
    np.testing.assert_allclose(runs[1][0], runs[0][0], rtol=1e-9)
    assert runs[0][0][2] < 0.8 * runs[0][0][0]
    for a, b in zip(runs[1][1], runs[0][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7)


def test_a_step_cannot_be_recorded() -> None:
    """The number of iterations, and every decision, of the first step stays in a recording."""
    model, x, target = problem()
    optimizer = optim.LBFGS(model.parameters())

    @jit
    def step() -> Any:
        return optimizer.step(lambda: functional.mse_loss(model(x)[0], target))

    with pytest.raises(RecordingError, match=r"test_lbfgs\.py.*jitted function"):
        step()


@searches
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_saving_in_the_middle_changes_no_bit(chosen: dict[str, Any], dtype: Any) -> None:
    """A run that was saved and loaded goes on otherwise than one that was not."""
    start = [tg.tensor([3.0, -1.0], dtype), tg.tensor(0.5, dtype)]

    def run(parameters: list[nn.Parameter], optimizer: Any, steps: int) -> None:
        a, b = parameters

        def closure() -> tg.Tensor:
            optimizer.zero_grad()
            loss = (a[0] - 1.0) ** 4 + (a[1] * b - 2.0) ** 2 + (b - a[0]).cosh_like()
            loss.backward()
            return loss

        for _ in range(steps):
            optimizer.step(closure)

    tg.Tensor.cosh_like = lambda x: x.exp() + (-x).exp()  # type: ignore[attr-defined]
    try:
        straight, stopped = ([nn.Parameter(t.clone()) for t in start] for _ in range(2))
        run(straight, optim.LBFGS(straight, max_iter=2, **chosen), 6)
        first = optim.LBFGS(stopped, max_iter=2, **chosen)
        run(stopped, first, 3)
        second = optim.LBFGS(stopped)
        second.load_state_dict(first.state_dict())
        run(stopped, second, 3)
    finally:
        del tg.Tensor.cosh_like  # type: ignore[attr-defined]
    for a, b in zip(straight, stopped, strict=True):
        assert same_bits(a, b)
        assert a.dtype == dtype


def test_parameters_without_gradient_stay() -> None:
    """A parameter that took no part is moved, or makes the step fail."""
    used, unused = nn.Parameter(tg.tensor([2.0, 1.0])), nn.Parameter(tg.ones(3))
    optimizer = optim.LBFGS([unused, used], line_search_fn="strong_wolfe")

    def closure() -> tg.Tensor:
        optimizer.zero_grad()
        loss = (used - tg.tensor([0.5, 0.25])).square().sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert optimizer.step(closure).item() == 2.8125
    assert values(unused).tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(values(used), [0.5, 0.25], rtol=1e-5)
    assert optimizer.step(closure).item() < 1e-9


def test_a_loss_that_is_no_number_shows() -> None:
    """NaN in the loss makes a step go on for ever, or disappear."""
    p = nn.Parameter(tg.tensor([1.0]))
    for chosen in SEARCHES:
        optimizer = optim.LBFGS([p], **chosen)

        def closure(optimizer: Any = optimizer) -> tg.Tensor:
            optimizer.zero_grad()
            loss = (p * float("nan")).sum()
            loss.backward()
            return loss

        assert np.isnan(optimizer.step(closure).item())
