"""Schedules by themselves, and beside a compiled step. Parity is in tests/parity."""

from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_rnn as tg
from tests.tools import values
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import RecordingError
from tinygrad_rnn.jit import jit
from tinygrad_rnn.optim import lr_scheduler


def made(lr: float = 1.0, **settings: Any) -> optim.SGD:
    return optim.SGD([nn.Parameter(tg.zeros(2))], lr=lr, **settings)


def test_the_module_has_pytorchs_name() -> None:
    """A script finds no `optim.lr_scheduler`, or another class in it than in `optim`."""
    import tinygrad_rnn.optim.lr_scheduler as schedules
    from tinygrad_rnn.optim.lr_scheduler import StepLR

    assert schedules is optim.lr_scheduler is tg.optim.lr_scheduler
    assert schedules.StepLR is StepLR
    assert optim.LambdaLR is schedules.LambdaLR
    for name in schedules.__all__:
        assert issubclass(getattr(schedules, name), schedules.LRScheduler)


OUTSIDE: dict[str, Callable[[optim.Optimizer], Any]] = {
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=0),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: [1.0, 0.5, 0.25, 0.125][epoch]),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda epoch: min(epoch, 0.5)),
}


@pytest.mark.parametrize("name", list(OUTSIDE))
def test_a_rate_from_outside_is_seen_by_a_compiled_step(name: str) -> None:
    """A compiled step goes on with the rate it was recorded with, or is recorded again."""
    p = nn.Parameter(tg.zeros(2))
    optimizer = optim.SGD([p], lr=1.0)
    schedule = OUTSIDE[name](optimizer)

    @jit
    def step() -> None:
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()

    wanted = 0.0
    for number in range(4):
        step()
        wanted -= 0.5**number
        assert values(p).tolist() == [wanted, wanted]
        if name != "ReduceLROnPlateau":
            if number < 3:
                schedule.step()
        else:
            schedule.step(1.0)
            if number == 0:
                # The first metric is the best so far; the second one reduces.
                schedule.step(tg.tensor(1.0))
    assert len(step.recordings) == 1


@pytest.mark.parametrize("name", list(OUTSIDE))
def test_what_decides_by_a_number_cannot_be_recorded(name: str) -> None:
    """A schedule that asks for a number stands still in a recording, without a word."""
    schedule = OUTSIDE[name](made())

    @jit
    def step(metric: tg.Tensor) -> None:
        schedule.step(*([metric] if name == "ReduceLROnPlateau" else []))

    with pytest.raises(RecordingError, match=r"test_schedules\.py"):
        step(tg.tensor(1.0))


def test_momentum_of_one_cycle_cannot_be_recorded() -> None:
    """The momentum of the first step stays in the recording."""
    schedule = lr_scheduler.OneCycleLR(made(momentum=0.9), 0.1, 10)
    with pytest.raises(RecordingError, match="cycle_momentum=False"):
        jit(schedule.step)()


def test_a_changed_setting_of_a_schedule_is_recorded_anew() -> None:
    """A compiled step goes on with the gamma that the schedule was made with."""
    optimizer = made()
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    step = jit(schedule.step)
    step()
    step()
    schedule.gamma = 0.1
    step()
    step()
    assert schedule.get_last_lr() == pytest.approx([0.0025])
    assert len(step.recordings) == 2


def test_two_schedules_multiply_and_a_rate_by_hand_stays() -> None:
    """A schedule sets the rate from its own beginning, and undoes what another one did."""
    optimizer = made(lr=8.0)
    first = lr_scheduler.StepLR(optimizer, 2, 0.5)
    second = lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(2):
        first.step()
        second.step()
    assert (first.get_last_lr(), second.get_last_lr()) == ([2.0], [1.0])
    optimizer.param_groups[0]["lr"] = 32.0
    first.step()
    second.step()
    assert optimizer.param_groups[0]["lr"] == 16.0
    assert optimizer.param_groups[0]["initial_lr"] == 8.0


EVERY: dict[str, Callable[[optim.Optimizer], Any]] = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 4, 4]),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.5, 3),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=6),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.5),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 7, 2.0),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 4),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 2.0, 20),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o,
        [
            lr_scheduler.LinearLR(o, 0.1, total_iters=2),
            lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2),
            lr_scheduler.ExponentialLR(o, 0.5),
        ],
        [5, 9],
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.1, 4), lr_scheduler.ExponentialLR(o, 0.5)]
    ),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, cooldown=1),
}


@pytest.mark.parametrize("name", list(EVERY))
def test_saving_in_the_middle_changes_nothing(name: str) -> None:
    """A schedule that was saved and loaded goes on otherwise than one that was not."""
    metrics = [1.0] if name == "ReduceLROnPlateau" else []
    straight, stopped = (made(momentum=0.9) for _ in range(2))
    schedule, first = EVERY[name](straight), EVERY[name](stopped)
    for _ in range(4):
        schedule.step(*metrics)
        first.step(*metrics)
    resumed = made(momentum=0.9)
    second = EVERY[name](resumed)
    resumed.load_state_dict(stopped.state_dict())
    second.load_state_dict(first.state_dict())
    assert second.get_last_lr() == schedule.get_last_lr()
    for _ in range(6):
        schedule.step(*metrics)
        second.step(*metrics)
        assert resumed.state_dict()["param_groups"] == straight.state_dict()["param_groups"]
        assert second.state_dict() == schedule.state_dict()


@pytest.mark.parametrize("name", ["SequentialLR", "ChainedScheduler"])
def test_several_schedules_in_a_recording(name: str) -> None:
    """Schedules whose turn it is not go on, or one begins in the middle, in a compiled step."""
    rates = []
    for compiled in (False, True):
        optimizer = made()
        schedule = EVERY[name](optimizer)
        step = jit(schedule.step, off=["fuse"]) if compiled else schedule.step
        shown = []
        for _ in range(14):
            step()
            shown += schedule.get_last_lr()
        rates.append(shown)
    assert rates[1] == pytest.approx(rates[0], rel=1e-12)
    assert len(set(rates[0])) > 6
