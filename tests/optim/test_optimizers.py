"""Optimizers and schedules by themselves: equations, groups, saving. Parity is in tests/parity."""

import copy
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import Listener, same_bits, values
from tinygrad_rnn import nn, optim
from tinygrad_rnn.jit import jit

EVERY: dict[str, Any] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.1, amsgrad=True, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1),
}
every = pytest.mark.parametrize("name", list(EVERY))


def parameters(dtype: Any = tg.float32) -> list[nn.Parameter]:
    random = np.random.default_rng(2)
    return [
        nn.Parameter(tg.tensor(np.asarray(random.normal(size=s)), dtype))
        for s in ((), (3,), (2, 2))
    ]


def train(params: list[nn.Parameter], optimizer: optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss = sum(((p - 0.5) ** 2).sum() for p in params)
        loss.backward()
        optimizer.step()


@every
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_saving_in_the_middle_changes_no_bit(name: str, dtype: Any) -> None:
    """An optimizer that was saved and loaded goes on otherwise than one that was not."""
    straight, stopped = parameters(dtype), parameters(dtype)
    optimizer = EVERY[name](straight)
    train(straight, optimizer, 9)
    first = EVERY[name](stopped)
    train(stopped, first, 4)
    resumed = [nn.Parameter(p.detach().clone()) for p in stopped]
    second = type(first)(resumed, lr=7.0)
    second.load_state_dict(first.state_dict())
    train(resumed, second, 5)
    for a, b in zip(straight, resumed, strict=True):
        assert same_bits(a, b)
        assert b.dtype == dtype


@every
def test_a_loaded_state_is_a_copy(name: str) -> None:
    """Two optimizers share memory after one was loaded from the other."""
    a, b = parameters(), parameters()
    first, second = EVERY[name](a), EVERY[name](b)
    train(a, first, 2)
    second.load_state_dict(first.state_dict())
    before = {
        i: {k: values(t).copy() for k, t in s.items()}
        for i, s in first.state_dict()["state"].items()
    }
    train(b, second, 2)
    for i, held in before.items():
        for key, array in held.items():
            assert same_bits(first.state_dict()["state"][i][key], array)


@every
def test_every_optimizer_goes_downhill_and_keeps_types(name: str) -> None:
    """A step goes uphill, or changes the type of a parameter."""
    params = parameters()
    start = sum(((p - 0.5) ** 2).sum().item() for p in params)
    train(params, EVERY[name](params), 40)
    assert sum(((p - 0.5) ** 2).sum().item() for p in params) < 0.5 * start
    assert {p.dtype for p in params} == {tg.float32}


def test_parameters_without_gradient_stay() -> None:
    """A parameter that took no part is moved by weight decay or momentum."""
    used, unused = nn.Parameter(tg.ones(1)), nn.Parameter(tg.ones(1))
    optimizer = optim.SGD([used, unused], lr=0.1, weight_decay=0.5)
    used.sum().backward()
    optimizer.step()
    assert values(unused).tolist() == [1.0]
    assert values(used).item() < 1.0
    assert len(optimizer.state) <= 1


def test_groups_have_settings_of_their_own() -> None:
    """A group's setting is ignored, or leaks into another group."""
    a, b, c = (nn.Parameter(tg.ones(1)) for _ in range(3))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    optimizer.add_param_group({"params": [c], "weight_decay": 1.0})
    (a + b + c).sum().backward()
    optimizer.step()
    np.testing.assert_allclose([values(p).item() for p in (a, b, c)], [0.9, 0.5, 0.8], rtol=1e-6)
    assert [g["lr"] for g in optimizer.state_dict()["param_groups"]] == [0.1, 0.5, 0.1]
    assert [g["params"] for g in optimizer.state_dict()["param_groups"]] == [[0], [1], [2]]


def test_an_optimizer_of_ones_own_needs_only_update() -> None:
    """A subclass with a single setting fails."""

    class Sign(optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {"lr": 0.25})

        def update(self, p: Any, g: Any, state: Any, group: Any) -> None:
            p.assign(p - g.sign() * group["lr"])

    p = nn.Parameter(tg.tensor([1.0, -1.0]))
    (p * p).sum().backward()
    Sign([p]).step()
    assert values(p).tolist() == [0.75, -0.75]


def test_a_closure_is_called_first_and_its_loss_returned() -> None:
    """step(closure) moves by old gradients, records nothing, or loses the loss."""
    p = nn.Parameter(tg.tensor([1.0]))
    optimizer = optim.SGD([p], lr=0.25)

    def closure() -> tg.Tensor:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    assert values(p).tolist() == [0.5]
    with tg.no_grad():
        assert optimizer.step(closure).item() == 0.25


def test_schedules_set_every_group() -> None:
    """A schedule misses a group, starts at the wrong epoch, or drifts."""
    optimizer = optim.SGD([{"params": [tg.zeros(1, requires_grad=True)], "lr": 0.5}], lr=1.0)
    optimizer.add_param_group({"params": [tg.zeros(1, requires_grad=True)]})
    schedule = optim.LambdaLR(optimizer, lambda epoch: 1.0 if epoch < 2 else 0.5)
    rates = []
    for _ in range(4):
        rates.append(schedule.get_last_lr())
        schedule.step()
    assert rates == [[0.5, 1.0], [0.5, 1.0], [0.25, 0.5], [0.25, 0.5]]


def test_a_schedule_goes_on_where_it_was_saved() -> None:
    """A resumed schedule starts from the beginning, or multiplies twice."""

    def make() -> tuple[optim.Optimizer, optim.ExponentialLR]:
        optimizer = optim.SGD([tg.zeros(1, requires_grad=True)], lr=2.0)
        return optimizer, optim.ExponentialLR(optimizer, 0.5)

    optimizer, schedule = make()
    schedule.step()
    schedule.step()
    other, resumed = make()
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert resumed.get_last_lr() == [0.5]
    schedule.step()
    resumed.step()
    assert resumed.get_last_lr() == schedule.get_last_lr() == [0.25]


def test_printing_shows_settings() -> None:
    """The repr hides the learning rate."""
    text = repr(optim.Adam([tg.zeros(1, requires_grad=True)], lr=0.25))
    assert text.startswith("Adam(lr=0.25")
    assert "1 parameter" in text


# ---------------------------------------------------------------------- the learning rate


def descent(**settings: Any) -> tuple[nn.Parameter, optim.SGD]:
    p = nn.Parameter(tg.tensor([1.0, 2.0]))
    return p, optim.SGD([p], **settings)


def test_the_learning_rate_reads_as_a_number_and_lives_in_a_tensor() -> None:
    """A group stops being a dict with a float "lr", or its tensor holds another rate."""
    _, optimizer = descent(lr=0.1, momentum=0.9)
    (group,) = optimizer.param_groups
    rate = group.rate
    assert (rate.shape, rate.dtype) == ((), tg.float64)
    group["lr"] *= 0.5
    assert isinstance(group, dict)
    for settings in (group, dict(group), {**group}, group.copy(), dict(group.items())):
        assert (type(settings["lr"]), settings["lr"]) == (float, 0.05)
    assert group.get("lr") == 0.05
    assert dict(group) == group
    assert optimizer.state_dict()["param_groups"][0]["lr"] == 0.05
    assert repr(group).startswith("{'lr': 0.05, 'momentum': 0.9")
    group["lr"] = tg.tensor(0.25)
    group.update(momentum=0.5)
    assert (group["lr"], group["momentum"]) == (0.25, 0.5)
    group |= {"lr": 1}
    assert (group | {"momentum": 0.0})["lr"] == ({"lr": 3.0} | group)["lr"] == 1.0
    assert group.rate is rate
    assert rate.item() == 1.0


def test_a_group_counts_the_changes_of_its_other_settings() -> None:
    """A recording that has settings written into it cannot tell that one was changed."""
    _, optimizer = descent(lr=0.1)
    (group,) = optimizer.param_groups
    before = group.version
    group["lr"] = 0.2
    assert group.version == before
    group["momentum"] = 0.9
    group.update(dampening=0.1)
    assert group.version == before + 2
    optimizer.load_state_dict(optimizer.state_dict())
    assert group.version > before + 2


def test_an_assigned_learning_rate_is_used() -> None:
    """A step goes on with the learning rate that the optimizer was made with."""
    p, optimizer = descent(lr=0.1)
    optimizer.param_groups[0]["lr"] = 0.5
    p.grad = tg.ones(2)
    optimizer.step()
    assert values(p).tolist() == [0.5, 1.5]


def test_a_copied_optimizer_has_a_learning_rate_of_its_own() -> None:
    """Changing the rate of a deep copy changes that of the original."""
    _, optimizer = descent(lr=0.5)
    copied = copy.deepcopy(optimizer)
    copied.param_groups[0]["lr"] = 0.25
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optim.SGD(copied.param_groups).param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dampening", [0.0, 0.3])
def test_momentum_starts_as_the_gradient(dampening: float, dtype: Any) -> None:
    """The first step is dampened, or a later one is not, also after loading PyTorch's state."""
    random = np.random.default_rng(0)
    p = nn.Parameter(tg.zeros(3, dtype=dtype))
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9, dampening=dampening)
    x = v = np.zeros(3, dtype)
    for step in range(6):
        g = random.normal(size=3).astype(dtype)
        v = g if step == 0 else v * 0.9 + g * (1.0 - dampening)
        x = x - v * 0.1
        p.grad = tg.tensor(g)
        optimizer.step()
        if step == 2:
            saved = optimizer.state_dict()
            saved["state"][0] = {"momentum_buffer": saved["state"][0]["momentum_buffer"]}
            optimizer = optim.SGD([p], lr=7.0)
            optimizer.load_state_dict(saved)
    assert same_bits(p, x)


@every
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_a_step_reads_no_numbers(name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step or schedule cannot be recorded, or does something else while it is."""
    straight, recorded = parameters(dtype), parameters(dtype)
    first, second = EVERY[name](straight), EVERY[name](recorded)
    schedules = [optim.ExponentialLR(first, 0.5), optim.ExponentialLR(second, 0.5)]
    for _ in range(3):
        train(straight, first, 1)
        schedules[0].step()
    monkeypatch.setattr(tg.context.state, "recorder", Listener())
    for _ in range(3):
        train(recorded, second, 1)
        schedules[1].step()
    assert second.param_groups[0]["lr"] is second.param_groups[0].rate
    second.param_groups[0]["lr"] *= 1.0
    monkeypatch.undo()
    for a, b in zip(straight, recorded, strict=True):
        assert same_bits(a, b)
    assert schedules[1].state_dict() == schedules[0].state_dict()
    assert schedules[1].get_last_lr() == schedules[0].get_last_lr() == [0.0125]


def test_a_schedule_may_compute_with_tensors() -> None:
    """A factor that is a tensor sets another rate than the same number."""
    optimizer = optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.1)
    schedule = optim.LambdaLR(optimizer, lambda epoch: tg.tensor(0.5) ** epoch)
    schedule.step()
    assert schedule.get_last_lr() == [0.05]
    schedule.last_epoch = 2
    schedule.step()
    assert (schedule.last_epoch, schedule.get_last_lr()) == (3, [0.0125])
    assert type(schedule.last_epoch) is int


def test_a_group_without_learning_rate_has_none() -> None:
    """An optimizer without the setting "lr" cannot be made, printed or saved."""

    class Reset(optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {})

        def update(self, p: Any, g: Any, state: Any, group: Any) -> None:
            p.assign(p * 0.0)

    p = nn.Parameter(tg.ones(2))
    optimizer = Reset([p])
    p.grad = tg.ones(2)
    optimizer.step()
    assert values(p).tolist() == [0.0, 0.0]
    assert "lr" not in optimizer.param_groups[0]
    assert optimizer.state_dict()["param_groups"] == [{"params": [0]}]


@every
def test_a_compiled_update_is_the_eager_one(name: str) -> None:
    """An update differs in a replay, or is recorded again for a new learning rate."""
    runs = []
    for compiled in (False, True):
        params = parameters(tg.float64)
        optimizer = EVERY[name](params)

        def step(optimizer: Any = optimizer, params: Any = params) -> None:
            train(params, optimizer, 1)

        call = jit(step, off=["fuse"]) if compiled else step
        for number in range(5):
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + number)
            call()
        runs.append(values(params))
        if compiled:
            # The first call finds no gradients.
            assert len(call.recordings) <= 2
    for a, b in zip(*runs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_decay_that_is_decoupled_is_no_part_of_the_gradient() -> None:
    """AdamW divides weight decay by the running length of the gradient, as Adam does."""
    p = nn.Parameter(tg.tensor([4.0, -2.0]))
    optimizer = optim.AdamW([p], lr=0.5, weight_decay=0.25)
    p.grad = tg.zeros(2)
    optimizer.step()
    assert values(p).tolist() == [3.5, -1.75]


def test_pytorchs_choices_of_an_implementation_may_say_no() -> None:
    """A script that spells out PyTorch's defaults stops, or a saved state has the words in it."""
    for kind in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad):
        optimizer = kind([nn.Parameter(tg.ones(1))], foreach=None, differentiable=False)
        assert "foreach" not in optimizer.state_dict()["param_groups"][0]
        group = {"params": [nn.Parameter(tg.ones(1))], "fused": None, "capturable": False}
        optimizer.add_param_group(group)
        assert "fused" not in optimizer.param_groups[1]


def test_parameters_may_be_numbered_otherwise() -> None:
    """State goes to other parameters where the saved groups number them in another order."""
    params = parameters()
    optimizer = optim.SGD([{"params": params[:1]}, {"params": params[1:]}], momentum=0.9)
    train(params, optimizer, 2)
    saved = optimizer.state_dict()
    renumbered = {
        "state": {str(9 - number): held for number, held in saved["state"].items()},
        "param_groups": [
            {**group, "params": [9 - number for number in group["params"]]}
            for group in saved["param_groups"]
        ],
    }
    other = optim.SGD([{"params": params[:1]}, {"params": params[1:]}])
    other.load_state_dict(renumbered)
    for p in params:
        assert same_bits(other.state[p]["momentum_buffer"], optimizer.state[p]["momentum_buffer"])
