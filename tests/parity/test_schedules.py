"""Learning-rate schedules against PyTorch's with the same arguments, step by step."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples
from tinygrad_rnn import optim
from tinygrad_rnn.jit import jit
from tinygrad_rnn.optim import lr_scheduler

torch = pytest.importorskip("torch")

STEPS = 14
few = st.integers(1, 6)
rate = st.sampled_from([0.0, 1e-3, 0.02])
share = st.sampled_from([0.1, 0.5, 1.0])

SETTINGS: dict[str, Any] = {
    "StepLR": st.fixed_dictionaries({"step_size": few, "gamma": st.sampled_from([0.1, 1.5])}),
    "MultiStepLR": st.fixed_dictionaries(
        {"milestones": st.lists(st.integers(0, 9), max_size=4), "gamma": share}
    ),
    "ConstantLR": st.fixed_dictionaries({"factor": share, "total_iters": st.integers(0, 6)}),
    "LinearLR": st.fixed_dictionaries(
        {
            "start_factor": share,
            "end_factor": st.sampled_from([0.0, 0.3, 1.0]),
            "total_iters": few,
        }
    ),
    "ExponentialLR": st.fixed_dictionaries({"gamma": st.sampled_from([0.5, 0.97])}),
    "PolynomialLR": st.fixed_dictionaries(
        {"total_iters": few, "power": st.sampled_from([0.5, 1.0, 2.0])}
    ),
    "CosineAnnealingLR": st.fixed_dictionaries({"T_max": few, "eta_min": rate}),
    "CosineAnnealingWarmRestarts": st.fixed_dictionaries(
        {"T_0": few, "T_mult": st.integers(1, 3), "eta_min": rate}
    ),
    "OneCycleLR": st.fixed_dictionaries(
        {
            "max_lr": st.sampled_from([0.1, [0.2, 0.3]]),
            "total_steps": st.integers(STEPS, 20),
            "pct_start": st.sampled_from([0.25, 0.3, 0.5]),
            "anneal_strategy": st.sampled_from(["cos", "linear"]),
            "three_phase": st.booleans(),
            "cycle_momentum": st.just(False),
        }
    ),
}
names = pytest.mark.parametrize("name", list(SETTINGS))
THEIRS: Any = torch.optim.lr_scheduler


@pytest.fixture(autouse=True)
def _no_remarks() -> Iterator[None]:
    """PyTorch warns of a schedule that steps before the optimizer did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def groups(library: Any, **settings: Any) -> Any:
    """An optimizer of two groups."""
    made = [{"params": [library.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.5, 0.02)]
    return library.optim.SGD(made, **settings)


def present(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def assert_same(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-16)


def same_steps(pairs: list[tuple[Any, Any, Any, Any]], steps: int = STEPS) -> None:
    for _ in range(steps):
        for ours, theirs, optimizer, their_optimizer in pairs:
            assert_same(present(optimizer), present(their_optimizer))
            assert_same(ours.get_last_lr(), [float(lr) for lr in theirs.get_last_lr()])
            ours.step()
            theirs.step()
            assert ours.last_epoch == getattr(theirs, "last_epoch", ours.last_epoch)


@names
@examples(15)
@given(data=st.data())
def test_the_same_rates(name: str, data: Any) -> None:
    """A rate differs from PyTorch's, also after going on from PyTorch's state dict."""
    chosen = data.draw(SETTINGS[name])
    optimizer, their_optimizer = groups(tg), groups(torch)
    ours = getattr(lr_scheduler, name)(optimizer, **chosen)
    theirs = getattr(THEIRS, name)(their_optimizer, **chosen)
    same_steps([(ours, theirs, optimizer, their_optimizer)], 5)
    again = getattr(lr_scheduler, name)(groups(tg), **data.draw(SETTINGS[name]))
    again.optimizer.load_state_dict(optimizer.state_dict())
    again.load_state_dict(theirs.state_dict())
    same_steps([(again, theirs, again.optimizer, their_optimizer)], STEPS - 5)


@names
@examples(4)
@given(data=st.data())
def test_the_same_rates_in_a_recording(name: str, data: Any) -> None:
    """A schedule inside a compiled step sets other rates than PyTorch's, or is recorded anew."""
    chosen = data.draw(SETTINGS[name])
    optimizer, their_optimizer = groups(tg), groups(torch)
    ours = getattr(lr_scheduler, name)(optimizer, **chosen)
    theirs = getattr(THEIRS, name)(their_optimizer, **chosen)

    def step(x: tg.Tensor) -> tg.Tensor:
        used = optimizer.param_groups[0].rate * x
        ours.step()
        return used

    compiled = jit(step, check=True, off=["fuse"])
    one = tg.ones((), dtype=tg.float64)
    for _ in range(STEPS):
        before = present(their_optimizer)
        assert_same(compiled(one).item(), before[0])
        theirs.step()
        assert_same(present(optimizer), present(their_optimizer))
        assert_same(ours.get_last_lr(), [float(lr) for lr in theirs.get_last_lr()])
    assert ours.last_epoch == STEPS
    assert len(compiled.recordings) == 1


@examples(20)
@given(data=st.data())
def test_the_same_rates_one_after_the_other(data: Any) -> None:
    """SequentialLR begins, or goes over to, a schedule in another way than PyTorch's."""
    one_after_the_other(data, compiled=False)


@examples(4)
@given(data=st.data())
def test_the_same_rates_one_after_the_other_in_a_recording(data: Any) -> None:
    """SequentialLR inside a compiled step takes the wrong schedule."""
    one_after_the_other(data, compiled=True)


def one_after_the_other(data: Any, compiled: bool) -> None:
    kinds = st.sampled_from([n for n in SETTINGS if n != "OneCycleLR"])
    drawn = data.draw(st.lists(kinds, min_size=1, max_size=3))
    chosen = [(n, data.draw(SETTINGS[n])) for n in drawn]
    several = st.lists(
        st.integers(1, 10), min_size=len(chosen) - 1, max_size=len(chosen) - 1, unique=True
    )
    milestones = sorted(data.draw(several))
    optimizer, their_optimizer = groups(tg), groups(torch)
    parts = [getattr(lr_scheduler, n)(optimizer, **c) for n, c in chosen]
    their_parts = [getattr(THEIRS, n)(their_optimizer, **c) for n, c in chosen]
    ours = lr_scheduler.SequentialLR(optimizer, parts, milestones)
    theirs = THEIRS.SequentialLR(their_optimizer, their_parts, milestones)
    step = jit(ours.step, off=["fuse"]) if compiled else ours.step
    for number in range(STEPS):
        assert_same(present(optimizer), present(their_optimizer))
        assert_same(ours.get_last_lr(), [float(lr) for lr in theirs.get_last_lr()])
        if number == 5:
            ours.load_state_dict(theirs.state_dict())
        step()
        theirs.step()
        assert [p.last_epoch for p in parts] == [p.last_epoch for p in their_parts]


@examples(8)
@given(data=st.data(), compiled=st.booleans())
def test_the_same_rates_all_at_once(data: Any, compiled: bool) -> None:
    """Factors of several schedules on one optimizer do not multiply as PyTorch's do."""
    kinds = st.sampled_from(["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR"])
    drawn = data.draw(st.lists(kinds, min_size=1, max_size=3))
    chosen = [(n, data.draw(SETTINGS[n])) for n in drawn]
    optimizer, their_optimizer = groups(tg), groups(torch)
    parts = [getattr(lr_scheduler, n)(optimizer, **c) for n, c in chosen]
    their_parts = [getattr(THEIRS, n)(their_optimizer, **c) for n, c in chosen]
    ours = lr_scheduler.ChainedScheduler(parts, optimizer)
    theirs = THEIRS.ChainedScheduler(their_parts, their_optimizer)
    step = jit(ours.step, off=["fuse"]) if compiled else ours.step
    for _ in range(STEPS):
        assert_same(present(optimizer), present(their_optimizer))
        step()
        theirs.step()
        assert_same(ours.get_last_lr(), [float(lr) for lr in theirs.get_last_lr()])
        for part, their_part in zip(parts, their_parts, strict=True):
            assert_same(part.get_last_lr(), [float(lr) for lr in their_part.get_last_lr()])


def test_functions_of_the_epoch() -> None:
    """LambdaLR or MultiplicativeLR calls its functions with other epochs than PyTorch's."""
    optimizer, their_optimizer = groups(tg), groups(torch)
    functions = [lambda epoch: 1.0 / (1 + epoch), lambda epoch: 0.5 if epoch > 3 else 1.0]
    pairs = [
        (getattr(lr_scheduler, name)(optimizer, f), getattr(THEIRS, name)(their_optimizer, f))
        for name, f in (("LambdaLR", functions), ("MultiplicativeLR", lambda epoch: 0.9**epoch))
    ]
    same_steps([(*pair, optimizer, their_optimizer) for pair in pairs])


@examples(25)
@given(
    chosen=st.fixed_dictionaries(
        {
            "mode": st.sampled_from(["min", "max"]),
            "factor": st.sampled_from([0.1, 0.5]),
            "patience": st.integers(0, 3),
            "threshold": st.sampled_from([1e-4, 0.2]),
            "threshold_mode": st.sampled_from(["rel", "abs"]),
            "cooldown": st.integers(0, 2),
            "min_lr": st.sampled_from([0.0, 0.01, [0.1, 0.001]]),
            "eps": st.sampled_from([1e-8, 1e-3]),
        }
    ),
    metrics=st.lists(st.sampled_from([0.1, 0.5, 0.9, 1.0, float("nan")]), max_size=25),
)
def test_waiting_for_a_metric(chosen: dict[str, Any], metrics: list[float]) -> None:
    """ReduceLROnPlateau reduces at another step, or by another factor, than PyTorch's."""
    optimizer, their_optimizer = groups(tg), groups(torch)
    ours = lr_scheduler.ReduceLROnPlateau(optimizer, **chosen)
    theirs = THEIRS.ReduceLROnPlateau(their_optimizer, **chosen)
    for i, metric in enumerate(metrics):
        ours.step(tg.tensor(metric) if i % 2 else metric)
        theirs.step(metric)
        assert_same(present(optimizer), present(their_optimizer))
        assert ours.last_epoch == theirs.last_epoch
        assert ours.num_bad_epochs == theirs.num_bad_epochs
        if i == 5:
            ours = lr_scheduler.ReduceLROnPlateau(optimizer)
            ours.load_state_dict(theirs.state_dict())


@examples(20)
@given(
    T_0=few,
    T_mult=st.integers(1, 3),
    places=st.lists(st.one_of(st.none(), st.floats(0.01, 30).map(lambda x: x + 1e-4)), max_size=8),
)
def test_restarts_at_fractions_of_an_epoch(T_0: int, T_mult: int, places: list[Any]) -> None:
    """CosineAnnealingWarmRestarts goes to another place than PyTorch's for step(epoch)."""
    optimizer, their_optimizer = groups(tg), groups(torch)
    ours = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0, T_mult)
    theirs = THEIRS.CosineAnnealingWarmRestarts(their_optimizer, T_0, T_mult)
    for place in places:
        ours.step(place)
        theirs.step(place)
        assert_same(present(optimizer), present(their_optimizer))
        assert (ours.last_epoch, ours.T_i) == (theirs.last_epoch, theirs.T_i)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_one_cycle_of_momentum(kind: str) -> None:
    """OneCycleLR moves momentum, or the first beta, otherwise than PyTorch's."""
    made = []
    for library in (tg, torch):
        p = [library.zeros(1, requires_grad=True)]
        optimizer = getattr(library.optim, kind)(p, lr=0.1)
        kinds: Any = library.optim.lr_scheduler
        schedule = kinds.OneCycleLR(optimizer, 0.4, epochs=4, steps_per_epoch=3)
        shown = []
        for _ in range(12):
            (group,) = optimizer.param_groups
            shown.append((group["lr"], group["momentum"] if kind == "SGD" else group["betas"][0]))
            schedule.step()
        made.append(shown)
    assert_same(*made)


def test_going_on_at_an_epoch() -> None:
    """`last_epoch` begins at another rate than PyTorch's."""
    for name, chosen in (
        ("StepLR", {"step_size": 3}),
        ("LinearLR", {}),
        ("CosineAnnealingLR", {"T_max": 5}),
        ("LambdaLR", {"lr_lambda": lambda epoch: 0.9**epoch}),
    ):
        pair = []
        for library, schedules in ((tg, lr_scheduler), (torch, THEIRS)):
            optimizer = groups(library)
            for group in optimizer.param_groups:
                group["initial_lr"] = 1.0
            pair.append((getattr(schedules, name)(optimizer, last_epoch=3, **chosen), optimizer))
        (ours, optimizer), (theirs, their_optimizer) = pair
        same_steps([(ours, theirs, optimizer, their_optimizer)], 6)


def test_a_schedule_defined_as_in_pytorch() -> None:
    """A subclass of LRScheduler with get_lr is not asked, or sees another epoch."""
    pair = []
    for library in (tg, torch):
        base: Any = library.optim.lr_scheduler.LRScheduler

        class WarmUp(base):  # type: ignore[misc]
            def get_lr(self) -> list[float]:
                return [lr * min(1.0, (self.last_epoch + 1) / 4) for lr in self.base_lrs]

        optimizer = groups(library)
        pair.append((WarmUp(optimizer), optimizer))
    (ours, optimizer), (theirs, their_optimizer) = pair
    same_steps([(ours, theirs, optimizer, their_optimizer)], 6)
    assert isinstance(ours, optim.lr_scheduler.LRScheduler)
