"""Training steps compiled and eager: layers, losses, optimizers, schedules, many steps in a row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.jit.tools import Counted, assert_agree, copies, gradients, integers, normal
from tinygrad_rnn import nn, optim
from tinygrad_rnn.generator import default_generator
from tinygrad_rnn.jit import jit
from tinygrad_rnn.nn import functional


class PeepholeCell(nn.Module):
    """An LSTM whose gates look at the cell state (Gers and Schmidhuber, 2000)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size, dtype=tg.float64)
        self.peep = nn.Parameter(normal(3, hidden_size, seed=9) * 0.3)

    def initial_state(self, batch: int) -> Any:
        zero = tg.zeros(batch, self.hidden_size, dtype=tg.float64)
        return zero, zero

    def forward(self, x: tg.Tensor, state: Any) -> Any:
        h, c = state
        i, f, g, o = self.gates(tg.cat([x, h], -1)).chunk(4, -1)
        c = (f + self.peep[0] * c).sigmoid() * c + (i + self.peep[1] * c).sigmoid() * g.tanh()
        h = (o + self.peep[2] * c).sigmoid() * c.tanh()
        return h, (h, c)


class Untied(nn.Module):
    """Uses a single cell step by step."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: tg.Tensor, state: Any = None) -> Any:
        outputs = []
        for part in x.unbind(0):
            state = self.cell(part) if state is None else self.cell(part, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return tg.stack(outputs), state


F64: dict[str, Any] = {"dtype": tg.float64}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "RNN": lambda: nn.RNN(3, 4, **F64),
    "RNN relu": lambda: nn.RNN(3, 4, nonlinearity="relu", **F64),
    "LSTM": lambda: nn.LSTM(3, 4, **F64),
    "GRU": lambda: nn.GRU(3, 4, **F64),
    "stacked LSTM with dropout": lambda: nn.LSTM(3, 4, 2, dropout=0.3, **F64),
    "LSTM of two directions": lambda: nn.LSTM(3, 4, 2, bidirectional=True, **F64),
    "GRU of two directions": lambda: nn.GRU(3, 4, bidirectional=True, bias=False, **F64),
    "LSTM, batch first": lambda: nn.LSTM(3, 4, batch_first=True, **F64),
    "peephole": lambda: nn.Recurrent(lambda size: PeepholeCell(size, 4), 3, 2),
    "RNNCell": lambda: Untied(nn.RNNCell(3, 4, **F64)),
    "LSTMCell": lambda: Untied(nn.LSTMCell(3, 4, **F64)),
    "GRUCell": lambda: Untied(nn.GRUCell(3, 4, **F64)),
}


def trainer(model: nn.Module, optimizer: Any, with_state: bool) -> Callable[..., Any]:
    """A step of a sequence model that carries its state."""

    def step(x: tg.Tensor, target: tg.Tensor, state: Any = None) -> Any:
        optimizer.zero_grad()
        out, state = model(x, state) if with_state else model(x)
        loss = functional.mse_loss(out, target)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        return loss, norm, nn.detach_state(state)

    return step


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_trains_as_in_eager(name: str) -> None:
    """A layer's output, state, gradient or update differs in a replay."""
    runs = []
    for compiled in (False, True):
        tg.manual_seed(1)
        model = LAYERS[name]()
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        body = Counted(trainer(model, optimizer, with_state=True))
        step = jit(body) if compiled else body
        shown = []
        state: Any = None
        for number in range(5):
            x = normal(5, 2, 3, seed=number)
            width = 8 if "two" in name else 4
            loss, norm, state = step(x, normal(5, 2, width, seed=90 + number), state)
            if name == "LSTM, batch first":
                state = None
            shown.append(copies((loss, norm, state)))
        runs.append((shown, copies(dict(model.state_dict())), gradients(model.parameters())))
        if compiled:
            assert body.runs == (1 if name == "LSTM, batch first" else 2)
    assert_agree(runs[1], runs[0], 1e-9)


class Language(nn.Module):
    """Embedding, LSTM, dropout, linear."""

    def __init__(self, dtype: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 5, padding_idx=2, dtype=dtype)
        self.lstm = nn.LSTM(5, 6, dtype=dtype)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(6, 7, dtype=dtype)

    def forward(self, tokens: tg.Tensor, state: Any = None) -> Any:
        out, state = self.lstm(self.embedding(tokens), state)
        return self.out(self.drop(out)), state


def language_step(model: nn.Module, optimizer: Any, schedule: Any = None) -> Callable[..., Any]:
    """A training step of a language model with padding that does not count."""

    def step(tokens: tg.Tensor, targets: tg.Tensor, state: Any) -> Any:
        optimizer.zero_grad()
        logits, state = model(tokens, state)
        loss = functional.cross_entropy(logits.reshape(-1, 7), targets.reshape(-1), ignore_index=0)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        return loss, norm, nn.detach_state(state)

    return step


def batch(number: int) -> tuple[tg.Tensor, tg.Tensor]:
    return integers(7, 4, 3, seed=number), integers(7, 4, 3, seed=1000 + number)


def test_two_hundred_steps_in_double_precision() -> None:
    """Losses of compiled training drift away from those of eager training."""
    losses = []
    for compiled in (False, True):
        tg.manual_seed(5)
        model = Language(tg.float64)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        schedule = optim.ExponentialLR(optimizer, 0.99)
        body = Counted(language_step(model, optimizer, schedule))
        step = jit(body) if compiled else body
        state = model.lstm.initial_state(3)
        shown = []
        for number in range(200):
            loss, _, state = step(*batch(number), state)
            shown.append(loss.item())
        losses.append(shown)
        assert body.runs == (1 if compiled else 200)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-9)


def test_each_step_in_single_precision_from_the_same_state() -> None:
    """A step in float32 differs by more than rounding from eager, started from the same numbers."""
    tg.manual_seed(5)
    model, twin = Language(tg.float32), Language(tg.float32)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    other = optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    step = jit(language_step(model, optimizer))
    eager = language_step(twin, other)
    state = model.lstm.initial_state(3)
    for number in range(25):
        twin.load_state_dict(model.state_dict())
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            for name, held in optimizer.state.get(p, {}).items():
                other.state.setdefault(q, {})[name] = held.clone()
        random = default_generator.get_state()
        wanted = eager(*batch(number), state)
        default_generator.set_state(random)
        loss, norm, state = step(*batch(number), state)
        assert_agree((loss, norm, state), wanted, 1e-5)
        assert_agree(dict(model.state_dict()), dict(twin.state_dict()), 1e-5)
        assert_agree(gradients(model.parameters()), gradients(twin.parameters()), 1e-5)


OPTIMIZERS: list[tuple[type, dict[str, Any]]] = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    (optim.Adam, {}),
    (optim.Adam, {"betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True}),
    (optim.Adam, {"maximize": True}),
    (optim.AdamW, {"weight_decay": 0.1}),
    (optim.AdamW, {"betas": (0.5, 0.8), "amsgrad": True, "maximize": True}),
    (optim.RMSprop, {"alpha": 0.9}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    (optim.RMSprop, {"centered": True, "maximize": True}),
    (optim.Adagrad, {}),
    (optim.Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    (optim.Adagrad, {"maximize": True, "eps": 1e-2}),
]


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_every_optimizer_with_every_setting(dtype: Any) -> None:
    """An update, or the optimizer's memory, differs in a replay for some setting."""
    for number, (kind, settings) in enumerate(OPTIMIZERS):
        # Single operations share their kernels, so that there are few to compile.
        off = {"fuse"} if number % 3 or dtype == tg.float32 else set[str]()
        for schedule in (False, True) if number == 0 else (True,):
            runs = []
            for compiled in (False, True):
                parameters = [
                    nn.Parameter(normal(*shape, seed=3).to(dtype)) for shape in ((), (3,), (2, 3))
                ]
                groups = [
                    {"params": parameters[:1], "lr": 0.05},
                    {"params": parameters[1:]},
                ]
                optimizer = kind(groups, **settings)
                rates = (
                    optim.LambdaLR(optimizer, lambda epoch: 1.0 / (1.0 + epoch))
                    if schedule
                    else None
                )

                def step(
                    x: tg.Tensor,
                    optimizer: Any = optimizer,
                    parameters: Any = parameters,
                    rates: Any = rates,
                ) -> Any:
                    optimizer.zero_grad()
                    loss = (parameters[2] * parameters[1] * x - parameters[0]).square().mean()
                    loss.backward()
                    optimizer.step()
                    if rates is not None:
                        rates.step()
                    return loss

                run = jit(step, off=off) if compiled else step
                losses = [copies(run(normal(3, seed=i).to(dtype))) for i in range(8)]
                states = [dict(optimizer.state[p]) for p in parameters]
                runs.append(copies((losses, [p.detach() for p in parameters], states)))
                if rates is not None:
                    assert rates.last_epoch == 8
            assert_agree(runs[1], runs[0], 1e-4 if dtype == tg.float32 else 1e-9)


LOSSES: dict[str, Callable[..., Any]] = {
    "cross_entropy": lambda x, t, w: functional.cross_entropy(x, t),
    "weighted": lambda x, t, w: functional.cross_entropy(x, t, w, ignore_index=1),
    "smoothed": lambda x, t, w: functional.cross_entropy(x, t, w, label_smoothing=0.2),
    "sum": lambda x, t, w: functional.cross_entropy(x, t, reduction="sum"),
    "none": lambda x, t, w: functional.cross_entropy(x, t, reduction="none").square().sum(),
    "nll": lambda x, t, w: functional.nll_loss(x.log_softmax(1), t, w),
    "mse": lambda x, t, w: functional.mse_loss(x, functional.one_hot(t, 4).double()),
    "mse none": lambda x, t, w: functional.mse_loss(x, x.detach() * 2, "none").sum(),
    "module": lambda x, t, w: nn.CrossEntropyLoss(w, label_smoothing=0.1)(x, t),
    "modules": lambda x, t, w: nn.MSELoss()(x, x.flip(0).detach()) + nn.NLLLoss(w)(x.sigmoid(), t),
    "more axes": lambda x, t, w: functional.cross_entropy(
        x.reshape(3, 2, 4).permute(0, 2, 1), t.reshape(3, 2), ignore_index=2
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name: str) -> None:
    """A loss or its gradient differs in a replay."""
    function = LOSSES[name]
    step = jit(lambda x, t, w: (function(x, t, w), tg.grad(function(x, t, w), [x])[0]))
    weight = normal(4, seed=5).abs() + 0.1
    for seed in range(3):
        x, target = normal(6, 4, seed=seed).requires_grad_(), integers(4, 6, seed=seed)
        found = step(x, target, weight)
        loss = function(x, target, weight)
        assert_agree(found, (loss, tg.grad(loss, [x])[0]))
    assert len(step.recordings) == 1


def test_accumulation_over_several_calls() -> None:
    """Gradients of several calls are not added up, or the update forgets some."""
    runs = []
    for compiled in (False, True):
        w = nn.Parameter(normal(3, 2))
        optimizer = optim.SGD([w], lr=0.1)

        def accumulate(x: tg.Tensor, w: Any = w) -> Any:
            loss = (x @ w).square().mean() / 3
            loss.backward()
            return loss

        def update(w: Any = w, optimizer: Any = optimizer) -> Any:
            norm = nn.utils.clip_grad_norm_([w], 0.1)
            optimizer.step()
            optimizer.zero_grad()
            return norm

        calls = [Counted(accumulate), Counted(update)]
        first, second = (jit(call) if compiled else call for call in calls)
        shown = []
        for number in range(9):
            shown.append(copies((first(normal(4, 3, seed=number)), w.grad)))
            if number % 3 == 2:
                shown.append(copies((second(), w.detach())))
                assert w.grad is None
        runs.append(shown)
        assert [call.runs for call in calls] == ([2, 1] if compiled else [9, 3])
    assert_agree(runs[1], runs[0])


def test_clipping_of_gradients_from_before() -> None:
    """Gradients that another call left are clipped in a copy, or in the tensor of the first."""
    w = nn.Parameter(normal(3, 2))
    clip = jit(lambda: nn.utils.clip_grad_value_([w], 0.5))
    for seed in range(4):
        w.grad = normal(3, 2, seed=seed)
        if seed == 3:
            w.grad = tg.as_tensor(np.asfortranarray(w.grad.numpy()))
        held, wanted = w.grad, w.grad.clamp(-0.5, 0.5)
        clip()
        assert w.grad is held
        assert_agree(held, wanted)


def test_second_order() -> None:
    """A gradient of a gradient, as of a gradient penalty, differs in a replay."""
    runs = []
    for compiled in (False, True):
        tg.manual_seed(0)
        model = nn.GRU(2, 3, **F64)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def penalized(x: tg.Tensor, model: Any = model, optimizer: Any = optimizer) -> Any:
            x.requires_grad_()
            optimizer.zero_grad()
            loss = model(x)[0].square().mean()
            (slope,) = tg.grad(loss, [x], create_graph=True)
            (loss + slope.square().sum()).backward()
            optimizer.step()
            return loss, slope

        step = jit(penalized) if compiled else penalized
        shown = [copies(step(normal(3, 2, 2, seed=seed))) for seed in range(3)]
        runs.append((shown, copies(dict(model.state_dict()))))
    assert_agree(runs[1], runs[0], 1e-9)


def test_a_gradient_with_respect_to_an_array() -> None:
    """A step that asks for the gradient of its argument fails where that is an array."""

    def saliency(x: tg.Tensor) -> Any:
        x.requires_grad_()
        (x * x).sum().backward()
        return x.grad

    step = jit(saliency)
    for seed in range(3):
        x = normal(3, seed=seed)
        assert_agree(step(x.numpy().copy()), x * 2)
        fresh = x.clone()
        assert_agree(step(fresh), x * 2)
        assert fresh.grad is not None
        assert_agree(fresh.grad, x * 2)
        assert fresh.requires_grad


def test_checkpointed_pieces() -> None:
    """Gradients through pieces that are computed twice differ, or their random numbers do."""
    runs = []
    for compiled in (False, True):
        for pieces in (False, True):
            tg.manual_seed(0)
            cell, drop = nn.LSTMCell(2, 3, **F64), nn.Dropout(0.4)

            def piece(x: Any, h: Any, c: Any, cell: Any = cell, drop: Any = drop) -> Any:
                for part in x.unbind(0):
                    h, c = cell(drop(part), (h, c))
                return h, c

            def step(x: Any, cell: Any = cell, piece: Any = piece, pieces: bool = pieces) -> Any:
                cell.zero_grad()
                h = c = tg.zeros(2, 3, **F64)
                for part in x.split(2, 0):
                    h, c = tg.checkpoint(piece, part, h, c) if pieces else piece(part, h, c)
                loss = h.square().sum()
                loss.backward()
                return loss

            run = jit(step) if compiled else step
            shown = [copies(run(normal(6, 2, 2, seed=seed))) for seed in range(3)]
            runs.append((shown, gradients(cell.parameters()), tg.rand(2)))
    for run in runs[1:]:
        assert_agree(run, runs[0], 1e-9)


def test_lengths_and_masks() -> None:
    """Steps beyond the end of a sequence count, or a mask given as argument is baked in."""
    model = nn.GRU(2, 3, **F64)

    def function(x: tg.Tensor, lengths: tg.Tensor) -> Any:
        model.zero_grad()
        out, _ = model(x)
        mask = tg.arange(x.shape[0]).unsqueeze(1) < lengths
        loss = tg.where(mask.unsqueeze(-1), out, 0.0).square().sum() / lengths.sum().double()
        last = out.gather(0, (lengths - 1).reshape(1, -1, 1).expand(1, 3, 3))
        (loss + last.sum()).backward()
        return loss, mask, last.detach()

    step = jit(function)
    for seed in range(4):
        x, lengths = normal(5, 3, 2, seed=seed), integers(5, 3, seed=seed) + 1
        found, slopes = copies(step(x, lengths)), gradients(model.parameters())
        assert_agree(found, function(x, lengths))
        assert_agree(slopes, gradients(model.parameters()))
    assert len(step.recordings) == 1


def test_generating_token_by_token() -> None:
    """A step of inference keeps a graph, or its carried state goes wrong."""
    model = Language(tg.float64).eval()
    body = Counted(lambda token, state: _generated(model, token, state))
    step = jit(tg.no_grad(body))
    state = model.lstm.initial_state(1)
    plain, wanted, found = state, [1], [1]
    for _ in range(12):
        token, state = step(tg.tensor([[found[-1]]]), state)
        found.append(token.item())
        with tg.no_grad():
            token, plain = _generated(model, tg.tensor([[wanted[-1]]]), plain)
        wanted.append(token.item())
    assert found == wanted
    assert body.runs == 1
    assert_agree(state, plain)


def _generated(model: nn.Module, token: tg.Tensor, state: Any) -> Any:
    logits, state = model(token, state)
    return logits[-1, 0].argmax(-1), state
