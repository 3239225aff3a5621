"""Optimizers against PyTorch's with the same arguments, and going on from its state dicts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples, values
from tinygrad_rnn import optim

torch = pytest.importorskip("torch")

STEPS = 30
small = st.sampled_from([0.0, 0.01, 0.3])

SETTINGS: dict[str, Any] = {
    "SGD": st.fixed_dictionaries(
        {"lr": st.sampled_from([0.0, 0.01, 0.5]), "weight_decay": small, "maximize": st.booleans()},
        optional={"momentum": st.sampled_from([0.5, 0.9])},
    ).flatmap(
        lambda chosen: (
            st.just(chosen)
            if "momentum" not in chosen
            else st.sampled_from([{}, {"dampening": 0.3}, {"nesterov": True}]).map(
                lambda m: chosen | m
            )
        )
    ),
    "Adam": st.fixed_dictionaries(
        {
            "lr": st.sampled_from([1e-3, 0.1]),
            "betas": st.sampled_from([(0.9, 0.999), (0.0, 0.5), (0.5, 0.0)]),
            "eps": st.sampled_from([1e-8, 1e-2]),
            "weight_decay": small,
            "amsgrad": st.booleans(),
            "maximize": st.booleans(),
        }
    ),
    "RMSprop": st.fixed_dictionaries(
        {
            "lr": st.sampled_from([1e-3, 0.1]),
            "alpha": st.sampled_from([0.0, 0.5, 0.99]),
            "eps": st.sampled_from([1e-8, 1e-2]),
            "weight_decay": small,
            "momentum": st.sampled_from([0.0, 0.9]),
            "centered": st.booleans(),
            "maximize": st.booleans(),
        }
    ).filter(lambda chosen: not (chosen["centered"] and chosen["alpha"] == 0.0)),
    "Adagrad": st.fixed_dictionaries(
        {
            "lr": st.sampled_from([1e-2, 0.5]),
            "lr_decay": small,
            "weight_decay": small,
            "initial_accumulator_value": small,
            "eps": st.sampled_from([1e-10, 1e-2]),
            "maximize": st.booleans(),
        }
    ),
}
names = pytest.mark.parametrize("name", list(SETTINGS))


def problem(seed: int, dtype: Any) -> tuple[list[Any], list[list[Any]]]:
    """Return starting values of three parameters, and gradients for every step."""
    random = np.random.default_rng(seed)
    shapes = ((), (3,), (2, 2))
    start = [np.asarray(random.uniform(-1, 1, s)).astype(dtype) for s in shapes]
    gradients = [
        [np.asarray(random.uniform(-1, 1, s) + 0.3).astype(dtype) for s in shapes]
        for _ in range(STEPS)
    ]
    return start, gradients


def run(parameters: list[Any], optimizer: Any, gradients: Any, make: Any) -> None:
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = make(gradient)
        optimizer.step()


@names
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@examples(12)
@given(data=st.data())
def test_the_same_updates(name: str, dtype: Any, data: Any) -> None:
    """An update differs from PyTorch's by more than rounding."""
    chosen = data.draw(SETTINGS[name])
    # Without any memory the step is g / |g|, which magnifies rounding where g is near 0.
    memory = chosen.get("alpha") != 0.0 and chosen.get("betas", (0, 1))[1] != 0.0
    assume(memory or dtype is np.float64)
    start, gradients = problem(data.draw(st.integers(0, 999)), dtype)
    ours = [tg.nn.Parameter(tg.tensor(a)) for a in start]
    theirs = [torch.nn.Parameter(torch.tensor(a)) for a in start]
    run(ours, getattr(optim, name)(ours, **chosen), gradients, tg.tensor)
    run(theirs, getattr(torch.optim, name)(theirs, **chosen), gradients, torch.tensor)
    # 30 updates, each rounded a few times; single precision has 1.2e-7 to an ulp.
    rtol, atol = (1e-12 if memory else 1e-8, 1e-13) if dtype is np.float64 else (2e-5, 2e-6)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(values(a), b.detach().numpy(), rtol=rtol, atol=atol)


@names
@examples(8)
@given(data=st.data())
def test_pytorchs_state_dict_goes_on_equal(name: str, data: Any) -> None:
    """A run continued here from PyTorch's state dict is not the run that PyTorch goes on with."""
    chosen = data.draw(SETTINGS[name])
    start, gradients = problem(data.draw(st.integers(0, 999)), np.float64)
    theirs = [torch.nn.Parameter(torch.tensor(a)) for a in start]
    their_optimizer = getattr(torch.optim, name)(theirs, **chosen)
    run(theirs, their_optimizer, gradients[:7], torch.tensor)
    ours = [tg.nn.Parameter(tg.tensor(b.detach().numpy())) for b in theirs]
    optimizer = getattr(optim, name)(ours)
    optimizer.load_state_dict(their_optimizer.state_dict())
    run(theirs, their_optimizer, gradients[7:], torch.tensor)
    run(ours, optimizer, gradients[7:], tg.tensor)
    memory = chosen.get("alpha") != 0.0 and chosen.get("betas", (0, 1))[1] != 0.0
    rtol = 1e-12 if memory else 1e-8
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(values(a), b.detach().numpy(), rtol=rtol, atol=1e-13)


def test_clipping_by_norm_agrees() -> None:
    """`clip_grad_norm_` gives another norm or other gradients than PyTorch's."""
    random = np.random.default_rng(0)
    for norm_type in (1.0, 2.0, 3.0, float("inf")):
        for limit in (0.1, 100.0):
            gradients = [random.normal(size=s) for s in ((), (3,), (2, 2))]
            ours = [tg.nn.Parameter(tg.zeros(g.shape, dtype=tg.float64)) for g in gradients]
            theirs = [
                torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for g in gradients
            ]
            for a, b, g in zip(ours, theirs, gradients, strict=True):
                a.grad, b.grad = tg.tensor(np.asarray(g)), torch.tensor(g)
            have = tg.nn.utils.clip_grad_norm_(ours, limit, norm_type)
            want = torch.nn.utils.clip_grad_norm_(theirs, limit, norm_type)
            np.testing.assert_allclose(have.item(), want.item(), rtol=1e-12)
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(values(a.grad), b.grad.numpy(), rtol=1e-12)


def test_the_exponential_schedule_agrees() -> None:
    """The learning rates of ExponentialLR differ from PyTorch's."""
    ours = optim.SGD([{"params": [tg.zeros(1, requires_grad=True)], "lr": 0.5}], lr=0.1)
    theirs = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": 0.5}], lr=0.1)
    schedule = optim.ExponentialLR(ours, 0.9)
    their_schedule = torch.optim.lr_scheduler.ExponentialLR(theirs, 0.9)
    for _ in range(20):
        np.testing.assert_allclose(schedule.get_last_lr(), their_schedule.get_last_lr(), rtol=1e-12)
        theirs.step()
        schedule.step()
        their_schedule.step()
