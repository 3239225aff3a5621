"""Nothing is left behind, overwritten or disturbed: errors, results kept, threads, mutation."""

import copy
import pickle
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.jit.tools import Counted, assert_agree, copies, gradients, integers, normal
from tests.tools import same_bits
from tinygrad_rnn import errors, nn, optim
from tinygrad_rnn.context import state
from tinygrad_rnn.errors import RecordingError
from tinygrad_rnn.generator import default_generator
from tinygrad_rnn.jit import jit
from tinygrad_rnn.jit.graph import Buffer
from tinygrad_rnn.nn import functional

WRONG: dict[str, Any] = {
    "embedding": lambda w, i: functional.embedding(i, w),
    "negative embedding": lambda w, i: functional.embedding(2 - i, w),
    "target": lambda w, i: functional.cross_entropy(w[:3], i),
    "gather": lambda w, i: w.gather(0, i.unsqueeze(1)),
    "rows": lambda w, i: w[i],
    "columns": lambda w, i: w[:, i],
    "two arrays": lambda w, i: w[i, i],
    "index_select": lambda w, i: w.index_select(1, i),
    "scatter_add": lambda w, i: w.scatter_add(0, i.unsqueeze(1), w[:3, :1]),
    "one_hot": lambda w, i: functional.one_hot(i, 4).double() * w[:3],
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_in_a_replay_change_nothing(name: str) -> None:
    """After an error, parameters, optimizer, gradients or random numbers are half-way changed."""
    function = WRONG[name]
    w = nn.Parameter(normal(4, 4))
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

    def body(i: tg.Tensor) -> Any:
        optimizer.zero_grad()
        with tg.no_grad():
            w.mul_(0.5)
        loss = (function(functional.dropout(w, 0.1), i) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    step = jit(body)
    good = tg.tensor([0, 1, 2])
    kept = step(good)
    step(good)
    before = copies((w.detach(), dict(optimizer.state[w]), w.grad))
    random = default_generator.get_state()
    bad = tg.tensor([0, 7, -9])
    for _ in range(2):
        with pytest.raises(errors.TinygradRnnError) as raised:
            step(bad)
        assert_agree((w.detach(), dict(optimizer.state[w]), w.grad), before)
        assert default_generator.get_state() == random
        assert state.recorder is None
    with pytest.raises(errors.TinygradRnnError) as wanted:
        body(bad)
    assert type(raised.value) is type(wanted.value)
    assert str(raised.value) == str(wanted.value)
    assert len(step.recordings) == 1
    assert np.isfinite(step(good).item())
    assert np.isfinite(kept.item())


def test_results_are_never_overwritten() -> None:
    """A later call writes to a result, a gradient, or a view of one that the caller kept."""
    w = nn.Parameter(normal(4, 3))
    held = normal(3, seed=9)

    def body(x: tg.Tensor) -> Any:
        w.grad = None
        out = x @ w + held
        loss = (out * out).sum()
        loss.backward()
        with tg.no_grad():
            w.sub_(w.grad * 0.01)
            held.add_(1.0)
        return {"out": out, "loss": loss, "held": held, "x": x, "part": out[1:]}

    step = jit(body)
    kept, wanted = [], []
    for seed in range(12):
        x = normal(2, 4, seed=seed)
        result = step(x)
        shown = [
            result["out"],
            result["out"][0],
            result["loss"],
            result["held"],
            result["x"],
            result["part"].unbind(1)[0],
            w.grad,
        ]
        arrays = [part.detach().numpy() for part in shown] + [result["out"].numpy()[::-1, 1]]
        del result
        # Each of these is the only one to keep the memory alive in some round.
        kept.append((shown, arrays) if seed % 3 == 0 else arrays[seed % len(arrays) :])
        wanted.append([a.copy() for a in arrays])
        x.zero_()
        del x, shown, arrays
    for seed, (found, before) in enumerate(zip(kept, wanted, strict=True)):
        if seed % 3 == 0:
            tensors, arrays = found
            for a, b in zip(tensors, before[:7], strict=True):
                np.testing.assert_array_equal(a.detach().numpy(), b)
        else:
            arrays, before = found, before[seed % len(before) :]
        for a, b in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(a, b)


def test_results_nobody_keeps_are_used_again() -> None:
    """Every call allocates its results anew, although nobody holds the old ones."""
    step = jit(lambda x: x * 2)
    x = normal(100)
    step(x)
    places = {step(x).numpy().ctypes.data for _ in range(50)}
    assert len(places) == 1


def test_a_result_fed_back_is_not_its_own_output() -> None:
    """A carried state is overwritten while it is read."""
    step = jit(lambda s, x: (s.flip(0) + x, s))
    carried = wanted = normal(5)
    for seed in range(6):
        x = normal(5, seed=seed)
        carried, before = step(carried, x)
        assert_agree(before, wanted)
        wanted = wanted.flip(0) + x
        assert_agree(carried, wanted)


def test_assigning_breaks_a_graph_that_needs_the_old_numbers() -> None:
    """Backward after a replay's assignment uses numbers that were overwritten, silently."""
    held, given = normal(3), normal(3, seed=4)
    w = normal(3, seed=1).requires_grad_()

    def body(x: tg.Tensor, y: tg.Tensor) -> Any:
        with tg.no_grad():
            held.mul_(2.0)
            y.add_(x)
        return x.sum()

    step = jit(body)
    for read in (held, given, held[1:], given.reshape(3, 1).squeeze(1)):
        for call in (body, step, step):
            loss = (w[: len(read)] * read).sum()
            call(normal(3, seed=2), given)
            with pytest.raises(errors.GraphError, match="overwritten"):
                loss.backward()
    optimizer = optim.SGD([w], lr=0.1)
    update = jit(optimizer.step)
    for _ in range(3):
        w.grad = normal(3)
        loss = (w * w).sum()
        update()
        with pytest.raises(errors.GraphError, match="overwritten"):
            loss.backward()


def training(seed: int) -> tuple[Any, Any, Any]:
    """A small model with its step."""
    tg.manual_seed(seed)
    model = nn.LSTM(3, 5, dtype=tg.float64)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(x: tg.Tensor) -> Any:
        optimizer.zero_grad()
        loss = model(x)[0].square().mean()
        loss.backward()
        optimizer.step()
        return loss, optimizer.param_groups[0]["params"][0].grad

    return model, step, [normal(4, 2, 3, seed=i) for i in range(30)]


def test_two_programs_in_two_threads() -> None:
    """Two steps that run at the same time write to each other's memory."""
    wanted = []
    for seed in range(4):
        model, step, inputs = training(seed)
        losses = [copies(step(x)) for x in inputs]
        wanted.append((losses, copies(dict(model.state_dict()))))
    made = [training(seed) for seed in range(4)]

    def work(item: Any) -> Any:
        model, step, inputs = item
        compiled = jit(step)
        losses = [copies(compiled(x)) for x in inputs]
        return losses, copies(dict(model.state_dict()))

    with ThreadPoolExecutor(4) as pool:
        assert_agree(list(pool.map(work, made)), wanted, 1e-9)


def test_one_program_in_several_threads() -> None:
    """Threads that call one step get each other's results."""
    held = normal(4, 4, seed=3)
    body = Counted(lambda x: ((x @ held).tanh() @ held, x.sum()))
    step = jit(body)
    inputs = [normal(3, 4, seed=i) for i in range(8)]
    wanted = [copies(body.function(x)) for x in inputs]
    step(inputs[0])

    def work(i: int) -> None:
        for _ in range(60):
            assert_agree(step(inputs[i]), wanted[i])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert body.runs == 1


def test_several_threads_at_the_first_call() -> None:
    """Threads that make the first call together record it once each."""

    def slow(x: tg.Tensor) -> Any:
        time.sleep(0.05)
        return x * 3

    body = Counted(slow)
    step = jit(body)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(step, [normal(2, seed=i) for i in range(8)]))
    assert_agree(found, [normal(2, seed=i) * 3 for i in range(8)])
    assert body.runs == len(step.recordings) == 1


def test_the_same_bits_for_any_number_of_threads() -> None:
    """Results depend on the number of threads, or change from run to run."""
    runs = []
    for threads in (1, 2, 1, 2):
        tg.set_num_threads(threads)
        tg.manual_seed(0)
        model = nn.LSTM(24, 48)
        head = nn.Linear(48, 200)
        parameters = [*model.parameters(), *head.parameters()]
        optimizer = optim.Adam(parameters, lr=0.01)

        def step(
            x: tg.Tensor,
            t: tg.Tensor,
            model: Any = model,
            head: Any = head,
            optimizer: Any = optimizer,
        ) -> Any:
            optimizer.zero_grad()
            out = functional.dropout(model(x)[0], 0.1)
            loss = functional.cross_entropy(head(out).reshape(-1, 200), t)
            loss.backward()
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 0.1)
            optimizer.step()
            return loss

        compiled = jit(step)
        losses = [
            compiled(normal(12, 16, 24, seed=i).float(), integers(200, 192, seed=i))
            for i in range(4)
        ]
        runs.append([*losses, *parameters, *gradients(parameters)])
    assert compiled.program.parallel
    for run in runs[1:]:
        assert all(same_bits(a, b) for a, b in zip(run, runs[0], strict=True))


def test_the_same_bits_wherever_memory_happens_to_be() -> None:
    """Terms of a sum go in the order of addresses, and rounding differs from run to run."""
    arguments = [normal(3 + i % 4, 5, seed=i).float() for i in range(9)]
    weight = normal(5, 4, seed=20).float().requires_grad_()

    def step(*arguments: tg.Tensor) -> tg.Tensor:
        loss = sum((tg.tanh(x @ weight).sum() for x in arguments), tg.zeros(()))
        (gradient,) = tg.grad(loss, [weight])
        return gradient

    found = []
    for seed in range(6):
        holes = [Buffer((), np.float32) for _ in range(5000)]
        random.Random(seed).shuffle(holes)
        del holes[::2]
        compiled = jit(step)
        compiled(*arguments)
        found.append(compiled(*arguments))
    assert all(same_bits(gradient, found[0]) for gradient in found)


def test_inside_no_grad() -> None:
    """A recording made under no_grad serves calls outside, or the other way round."""
    w = normal(3).requires_grad_()

    def body(x: tg.Tensor) -> Any:
        out = x * w
        return out, out.requires_grad

    step = jit(body)
    for _ in range(2):
        with tg.no_grad():
            assert step(normal(3))[1] is False
        assert step(normal(3))[1] is True
        assert not step(normal(3))[0].requires_grad


@pytest.mark.parametrize("what", ["index", "value"])
def test_assigning_by_an_array_of_indices(what: str) -> None:
    """The elements or numbers of the recorded call are assigned in every replay."""

    def body(given: tg.Tensor) -> tg.Tensor:
        y = tg.zeros(4, dtype=tg.float64)
        if what == "index":
            y[given] = 1.0
        else:
            y[tg.tensor([0, 2])] = given
        return y * 1.0

    step = jit(body)
    for i in range(3):
        given = tg.tensor([i]) if what == "index" else normal(2, seed=i)
        assert_agree(step(given), body(given))


def test_a_deep_copy_inside_a_step() -> None:
    """A copy keeps the numbers of the recorded call."""
    step = jit(lambda x: copy.deepcopy(x * 3.0) + 0.0)
    for seed in range(3):
        x = normal(2, seed=seed)
        assert_agree(step(x), x * 3.0)
    with pytest.raises(RecordingError, match="pickling"):
        jit(lambda x: pickle.dumps(x))(normal(2))


def test_observed_steps_show_every_call() -> None:
    """A replay computes nothing that an observer could see."""
    layer = nn.LSTM(2, 3)
    step = jit(lambda x: layer(x)[0])
    for _ in range(2):
        with nn.observe() as seen:
            step(tg.randn(4, 1, 2))
        assert len(seen.values) == 1


def test_a_gradient_looked_at_once_is_one_tensor() -> None:
    """Wrong if each look at a gradient made another tensor, or a later call overwrote it."""
    weight = normal(3, seed=1).requires_grad_()
    twin = weight.detach().clone().requires_grad_()

    def step(x: tg.Tensor) -> None:
        weight.grad = None
        (weight * x).sum().backward()

    compiled = jit(step)
    seen = []
    for seed in range(5):
        x = normal(3, seed=seed)
        compiled(x)
        if seed == 3:
            twin.grad = weight.grad
        assert weight.grad is weight.grad
        seen.append((weight.grad, x))
        assert copy.deepcopy(weight).grad.tolist() == x.tolist()
    for gradient, x in seen:
        assert gradient is not None
        assert gradient.tolist() == x.tolist()
    assert twin.grad is seen[3][0]
