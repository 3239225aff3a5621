"""Windows of truncated backpropagation through time, against the definition of BPTT(k2; k1)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples, same_bits, values
from tinygrad_rnn import nn, optim
from tinygrad_rnn.jit import jit
from tinygrad_rnn.nn import functional

F64: dict[str, Any] = {"dtype": tg.float64}


class Cell(nn.Module):
    """An Elman cell with an output of its own, which knows nothing of windows."""

    hidden_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.RNNCell(3, 2, **F64)
        self.out = nn.Linear(2, 2, **F64)

    def forward(self, x: tg.Tensor, state: tg.Tensor) -> Any:
        h = self.inner(x, state)
        return self.out(h), h


MODELS: dict[str, Any] = {
    "RNN": lambda **settings: nn.RNN(3, 2, **F64, **settings),
    "LSTM of two layers": lambda **settings: nn.LSTM(3, 2, 2, **F64, **settings),
    "a cell": lambda **settings: nn.Recurrent(Cell(), **settings),
}
models = pytest.mark.parametrize("name", list(MODELS))


def normal(*shape: int, seed: int = 0) -> tg.Tensor:
    return tg.tensor(np.random.default_rng(seed).normal(size=shape))


def made(name: str, seed: int = 0, **settings: Any) -> Any:
    tg.manual_seed(seed)
    return MODELS[name](**settings)


def updates(steps: int, k1: int, k2: int) -> list[tuple[int, int, int]]:
    """The definition: (where the gradient ends, the first and last step whose loss counts)."""
    ends = sorted({*range(k1, steps + 1, k1), steps} - {0})
    pairs = list(zip([0, *ends], ends, strict=False))
    if k1 == k2:
        return [(before, before, end) for before, end in pairs]
    return [(max(end - k2, 0), before, end) for before, end in pairs]


def slopes(loss: tg.Tensor, model: Any) -> list[Any]:
    return values(tg.grad(loss, list(model.parameters())))


@models
@examples(12)
@given(
    steps=st.integers(1, 9), k1=st.integers(1, 4), more=st.integers(0, 6), seed=st.integers(0, 9)
)
def test_the_gradient_of_each_update_is_that_of_the_definition(
    name: str, steps: int, k1: int, more: int, seed: int
) -> None:
    """A window counts other losses, or its gradient reaches back too far or not far enough."""
    model, x, y = made(name, seed), normal(steps, 2, 3, seed=seed), normal(steps, 2, 2)
    k2 = k1 + more
    found = []
    state: Any = None
    for window in nn.truncated_windows((x, y), k1, k2):
        inputs, targets = window.steps
        output, state = window.run(model, inputs, state)
        loss = (output - window.new(targets)).square().sum()
        found.append((loss.item(), slopes(loss, model)))
    wanted = []
    for begin, counted, end in updates(steps, k1, k2):
        # One step at a time, from a state that is a constant.
        h: Any = None
        with tg.no_grad():
            for t in range(begin):
                _, h = model(x[t : t + 1], h)
        total: Any = 0.0
        for t in range(begin, end):
            output, h = model(x[t : t + 1], h)
            if t >= counted:
                total = total + (output[0] - y[t]).square().sum()
        wanted.append((total.item(), slopes(total, model)))
    assert len(found) == len(wanted)
    for (loss, gradients), (other, others) in zip(found, wanted, strict=True):
        np.testing.assert_allclose(loss, other, rtol=1e-11)
        for a, b in zip(gradients, others, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def train(model: Any, x: tg.Tensor, y: tg.Tensor, k1: int, k2: int | None) -> list[float]:
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    losses = []
    state: Any = None
    for window in nn.truncated_windows({"x": x, "y": y}, k1, k2):
        optimizer.zero_grad()
        output, state = window.run(model, window.steps["x"], state)
        loss = functional.mse_loss(output, window.new(window.steps["y"]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@models
def test_without_more_history_it_is_carrying_the_state(name: str) -> None:
    """k2 = k1 is another training than to carry the state, detached, from window to window."""
    x, y = normal(11, 2, 3), normal(11, 2, 2, seed=1)
    model, other = made(name), made(name)
    optimizer = optim.SGD(other.parameters(), lr=0.1)
    losses = []
    state: Any = None
    for begin in range(0, 11, 3):
        optimizer.zero_grad()
        output, state = other(x[begin : begin + 3], state)
        loss = functional.mse_loss(output, y[begin : begin + 3])
        loss.backward()
        optimizer.step()
        state = nn.detach_state(state)
        losses.append(loss.item())
    assert train(model, x, y, 3, None) == losses
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert same_bits(p, q)


def test_history_is_run_again_from_the_state_that_was_found() -> None:
    """With updates between, a window begins with a state of other parameters than it says."""
    x, y = normal(10, 2, 3), normal(10, 2, 2, seed=1)
    model, other = made("RNN"), made("RNN")
    optimizer = optim.SGD(other.parameters(), lr=0.1)
    found: dict[int, Any] = {0: None}
    losses = []
    plan = updates(10, 2, 5)
    for number, (begin, counted, end) in enumerate(plan):
        optimizer.zero_grad()
        h, outputs = found[begin], []
        for t in range(begin, end):
            output, h = other(x[t : t + 1], h)
            outputs.append(output)
            if number + 1 < len(plan) and t + 1 == plan[number + 1][0]:
                found[t + 1] = h.detach()
        loss = functional.mse_loss(tg.cat(outputs[counted - begin :]), y[counted:end])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(train(model, x, y, 2, 5), losses, rtol=1e-11)


@models
def test_enough_history_is_full_backpropagation(name: str) -> None:
    """With k2 = T, the gradient of the last window misses steps."""
    x, model = normal(7, 2, 3), made(name)
    state: Any = None
    for window in nn.truncated_windows(x, 2, 7):
        output, state = window.run(model, window.steps, state)
        found = slopes(output.square().sum(), model)
    whole, final = model(x)
    for a, b in zip(found, slopes(whole[6:].square().sum(), model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)
    for a, b in zip(nn.state_tensors(state.end), nn.state_tensors(final), strict=True):
        np.testing.assert_allclose(values(a), values(b), rtol=1e-12)
        assert not a.requires_grad


@models
@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_of_a_padded_batch_are_as_if_alone(name: str, batch_first: bool) -> None:
    """Padding reaches a loss, a gradient or a state, or a row that has ended goes on."""
    lengths = [8, 3, 0, 5]
    x, model = normal(9, 4, 3), made(name, batch_first=batch_first)
    for row, length in enumerate(lengths):
        x[length:, row] = float("nan")
    given = x.transpose(0, 1) if batch_first else x
    state: Any = None
    found = [np.zeros(p.shape) for p in model.parameters()]
    counted = 0
    for window in nn.truncated_windows(given, 2, 4, lengths=lengths, batch_first=batch_first):
        output, state = window.run(model, window.steps, state)
        assert window.mask is not None
        counted += int(window.mask.sum().item())
        loss = tg.where(window.mask.unsqueeze(-1), output.square(), 0.0).sum()
        found = [a + b for a, b in zip(found, slopes(loss, model), strict=True)]
    assert counted == sum(lengths)
    wanted = [np.zeros(p.shape) for p in model.parameters()]
    for row, length in enumerate(lengths):
        own = (given[row : row + 1] if batch_first else given[:, row : row + 1]).detach()

        def run(first: int, last: int, state: Any, own: tg.Tensor = own) -> Any:
            return model(own[:, first:last] if batch_first else own[first:last], state)

        for begin, counted, end in updates(8, 2, 4):
            if counted >= length:
                continue
            alone = nn.detach_state(run(0, begin, None)[1]) if begin else None
            output, _ = run(begin, min(end, length), alone)
            output = output.transpose(0, 1) if batch_first else output
            loss = output[counted - begin :].square().sum()
            wanted = [a + b for a, b in zip(wanted, slopes(loss, model), strict=True)]
        if length:
            _, final = run(0, length, None)
            for a, b in zip(nn.state_tensors(state.end), nn.state_tensors(final), strict=True):
                np.testing.assert_allclose(values(a)[:, row], values(b)[:, 0], rtol=1e-11)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("k1", "k2", "recordings"), [(2, 2, 2), (2, 6, 3)])
def test_full_windows_share_a_recording(k1: int, k2: int, recordings: int) -> None:
    """A compiled step learns otherwise, or is recorded for windows that look the same."""
    x, y = normal(16, 2, 3), normal(16, 2, 2, seed=1)
    runs = []
    for compiled in (False, True):
        model = made("LSTM of two layers")
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(
            window: nn.TruncatedWindow, state: Any, model: Any = model, optimizer: Any = optimizer
        ) -> Any:
            inputs, targets = window.steps
            optimizer.zero_grad()
            output, state = window.run(model, inputs, state)
            loss = functional.mse_loss(output, window.new(targets))
            loss.backward()
            optimizer.step()
            return loss, state

        call = jit(step, off=["fuse"]) if compiled else step
        state: Any = model.initial_state(2)
        losses = []
        for window in nn.truncated_windows((x, y), k1, k2):
            loss, state = call(window, state)
            losses.append(loss.item())
        runs.append((losses, values(nn.state_tensors(state.end)), values(list(model.parameters()))))
        if compiled:
            # The first k2 / k1 windows have less history, or a state that is not from a window.
            assert len(call.recordings) == recordings
    np.testing.assert_allclose(runs[1][0], runs[0][0], rtol=1e-10)
    for part in (1, 2):
        for a, b in zip(runs[1][part], runs[0][part], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)


def test_a_padded_batch_in_a_recording() -> None:
    """The lengths of the first call stay in the recording."""
    model, x = made("RNN"), normal(6, 3, 3)

    def step(window: nn.TruncatedWindow, state: Any) -> Any:
        output, state = window.run(model, window.steps, state)
        return output, state, tg.grad(output.square().sum(), list(model.parameters()))

    compiled = jit(step, off=["fuse"])
    for lengths in ([6, 2, 3], [1, 6, 0]):
        states: list[Any] = [None, None]
        for window in nn.truncated_windows(x, 2, lengths=lengths):
            wanted, states[0], slope = step(window, states[0])
            found, states[1], other = compiled(window, states[1])
            np.testing.assert_allclose(values(found), values(wanted), rtol=1e-12)
            for a, b in zip(values(other), values(slope), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
    assert len(compiled.recordings) == 2


def test_a_learned_initial_state_is_learned() -> None:
    """No gradient reaches a leaf that the first windows begin with."""
    x, model = normal(8, 2, 3), made("RNN")
    h = tg.zeros(1, 2, 2, **F64).requires_grad_()
    state: Any = h
    reached = []
    for window in nn.truncated_windows(x, 2, 4):
        output, state = window.run(model, window.steps, state)
        h.grad = None
        output.sum().backward()
        reached.append(h.grad is not None)
    assert reached == [True, True, False, False]


def test_arrays_and_structures_are_cut_alike() -> None:
    """A part of what is given is left whole, copied, or cut along another axis."""
    tokens, target = np.arange(10).reshape(5, 2), tg.arange(5)
    (first, *_, last) = nn.truncated_windows({"a": tokens, "b": (target,)}, 2, 3)
    assert values(first.steps["a"]).tolist() == [[0, 1], [2, 3]]
    assert values(last.steps["b"][0]).tolist() == [2, 3, 4]
    assert values(last.new(last.steps)["b"][0]).tolist() == [4]
    assert np.shares_memory(values(first.steps["a"]), tokens)
    assert tokens.tolist() == np.arange(10).reshape(5, 2).tolist()
    assert (first.history, last.history, last.lengths, last.mask) == (0, 2, None, None)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_short_sequences(steps: int) -> None:
    """A sequence of no or one step, or shorter than a window, fails or is counted twice."""
    model = made("RNN")
    windows = list(nn.truncated_windows(normal(steps, 2, 3), 3, 5))
    assert len(windows) == min(steps, 1)
    for window in windows:
        output, state = window.run(model, window.steps, None)
        assert output.shape == (steps, 2, 2)
        assert same_bits(state.end, model(window.steps)[1])
    assert list(nn.truncated_windows(normal(4, 2, 3), 2, lengths=[0, 0])) == []
    assert list(nn.truncated_windows(normal(4, 0, 3), 2, lengths=np.zeros(0, int))) == []
