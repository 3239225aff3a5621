"""Compiled updates: the first call is as good as any other, for every optimizer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.training.compiling import CompiledUpdate

OPTIMIZERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3),
    "adam": lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.5),
}


@pytest.mark.parametrize("most", [None, 1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_recording_leaves_no_trace(name: str, most: int | None) -> None:
    """The update that is recorded counts twice, or an optimizer begins from another state."""

    def run(compiled: bool) -> list[Any]:
        tg.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = OPTIMIZERS[name](model.parameters())

        def update(x: tg.Tensor) -> tg.Tensor:
            loss = (model(nn.functional.dropout(x, 0.5)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = CompiledUpdate(update, model, optimizer, most) if compiled else update
        random = np.random.default_rng(0)
        losses = []
        # A second shape comes when the optimizer has kept something already.
        for rows in (4, 4, 6, 4, 6):
            losses.append(step(tg.tensor(random.normal(size=(rows, 3)).astype(np.float32))).item())
        if isinstance(step, CompiledUpdate):
            assert len(step.recorded.recordings) == (2 if most is None else 1)
        return [losses, *(p.detach().numpy() for p in model.parameters())]

    for a, b in zip(run(True), run(False), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
