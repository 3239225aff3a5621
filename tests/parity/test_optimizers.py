"""Optimizers against PyTorch's with the same arguments, and going on from its state dicts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples, values
from tinygrad_rnn import optim
from tinygrad_rnn.optim.wolfe import Point, strong_wolfe

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
            "decoupled_weight_decay": st.booleans(),
        }
    ),
    "AdamW": st.fixed_dictionaries(
        {
            "lr": st.sampled_from([1e-3, 0.1]),
            "betas": st.sampled_from([(0.9, 0.999), (0.0, 0.5), (0.5, 0.0)]),
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


def has_memory(chosen: dict[str, Any]) -> bool:
    """Without any memory the step is g / |g|, which magnifies rounding where g is near 0."""
    return chosen.get("alpha") != 0.0 and chosen.get("betas", (0, 1))[1] != 0.0


def assert_same(
    ours: list[Any], theirs: list[Any], chosen: dict[str, Any], dtype: Any = np.float64
) -> None:
    """Compare parameters after 30 updates, each of which rounds a few times."""
    if dtype is np.float64:
        rtol, atol = 1e-12 if has_memory(chosen) else 1e-8, 1e-13
    else:
        # Single precision has 1.2e-7 to an ulp.
        rtol, atol = 2e-5, 2e-6
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(values(a), b.detach().numpy(), rtol=rtol, atol=atol)


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
    assume(has_memory(chosen) or dtype is np.float64)
    start, gradients = problem(data.draw(st.integers(0, 999)), dtype)
    ours = [tg.nn.Parameter(tg.tensor(a)) for a in start]
    theirs = [torch.nn.Parameter(torch.tensor(a)) for a in start]
    run(ours, getattr(optim, name)(ours, **chosen), gradients, tg.tensor)
    run(theirs, getattr(torch.optim, name)(theirs, **chosen), gradients, torch.tensor)
    assert_same(ours, theirs, chosen, dtype)


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
    assert_same(ours, theirs, chosen)


def to_torch(value: Any) -> Any:
    """Return a state dict with PyTorch's tensors in place of ours."""
    if isinstance(value, tg.Tensor):
        return torch.tensor(values(value))
    if isinstance(value, dict):
        return {name: to_torch(part) for name, part in value.items()}
    return [to_torch(part) for part in value] if isinstance(value, list) else value


@names
@examples(8)
@given(data=st.data())
def test_pytorch_goes_on_equal_from_our_state_dict(name: str, data: Any) -> None:
    """A run continued by PyTorch from a state dict of ours is not the run that we go on with."""
    chosen = data.draw(SETTINGS[name])
    start, gradients = problem(data.draw(st.integers(0, 999)), np.float64)
    ours = [tg.nn.Parameter(tg.tensor(a)) for a in start]
    optimizer = getattr(optim, name)(ours, **chosen)
    run(ours, optimizer, gradients[:7], tg.tensor)
    theirs = [torch.nn.Parameter(torch.tensor(values(a))) for a in ours]
    their_optimizer = getattr(torch.optim, name)(theirs)
    their_optimizer.load_state_dict(to_torch(optimizer.state_dict()))
    run(theirs, their_optimizer, gradients[7:], torch.tensor)
    run(ours, optimizer, gradients[7:], tg.tensor)
    assert_same(ours, theirs, chosen)


@names
def test_state_has_pytorchs_names(name: str) -> None:
    """What is saved cannot be found by PyTorch's names, or a setting is missing."""
    more: dict[str, Any] = {
        "SGD": {"momentum": 0.9},
        "Adam": {"amsgrad": True},
        "AdamW": {"amsgrad": True},
        "RMSprop": {"momentum": 0.9, "centered": True},
    }
    start, gradients = problem(0, np.float64)
    ours = [tg.nn.Parameter(tg.tensor(a)) for a in start]
    theirs = [torch.nn.Parameter(torch.tensor(a)) for a in start]
    optimizer = getattr(optim, name)(ours, **more.get(name, {}))
    their_optimizer = getattr(torch.optim, name)(theirs, **more.get(name, {}))
    run(ours, optimizer, gradients[:2], tg.tensor)
    run(theirs, their_optimizer, gradients[:2], torch.tensor)
    have, want = optimizer.state_dict(), their_optimizer.state_dict()
    assert have["state"].keys() == want["state"].keys()
    for number, held in want["state"].items():
        assert have["state"][number].keys() == held.keys()
    (group,), (their_group,) = have["param_groups"], want["param_groups"]
    implementation = {"foreach", "fused", "capturable", "differentiable"}
    assert group.keys() == their_group.keys() - implementation
    for setting in group:
        assert group[setting] == their_group[setting]


class Waves:
    """LSTM cells that continue sine waves, as in PyTorch's example, with the same weights twice."""

    def __init__(self, library: Any, make: Any, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.library = library
        nn = library.nn
        self.cell = nn.LSTMCell(1, 5, dtype=library.float64)
        self.linear = nn.Linear(5, 1, dtype=library.float64)
        self.parameters = [*self.cell.parameters(), *self.linear.parameters()]
        with library.no_grad():
            for p in self.parameters:
                p.copy_(make(random.uniform(-0.5, 0.5, tuple(p.shape))))
        steps = np.arange(8) / 2.0 + random.uniform(0, 6, (3, 1))
        self.x, self.target = make(np.sin(steps[:, :-1])), make(np.sin(steps[:, 1:]))

    def loss(self) -> Any:
        h = self.library.zeros(3, 5, dtype=self.library.float64)
        c = self.library.zeros(3, 5, dtype=self.library.float64)
        outputs = []
        for x in self.x.split(1, 1):
            h, c = self.cell(x, (h, c))
            outputs.append(self.linear(h))
        return self.library.nn.functional.mse_loss(self.library.cat(outputs, 1), self.target)

    def closure(self, optimizer: Any) -> Any:
        optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        return loss


@names
def test_training_goes_on_with_the_same_losses_in_the_other_library(name: str) -> None:
    """An LSTM that was trained here and there by turns has other losses than one that was not."""
    library: Any = {True: (tg, tg.tensor), False: (torch, torch.tensor)}
    chosen = {"weight_decay": 0.01, "lr": 0.02}
    if name in ("SGD", "RMSprop"):
        chosen["momentum"] = 0.9
    losses = []
    for turns in ([False] * 4, [True, False, True, True], [False, True, False, True]):
        state, weights, shown = None, None, []
        for ours in turns:
            waves = Waves(*library[ours], 0)
            with waves.library.no_grad():
                for p, w in zip(waves.parameters, weights or waves.parameters, strict=True):
                    p.copy_(library[ours][1](w) if weights else w)
            optimizer = getattr(waves.library.optim, name)(waves.parameters, **chosen)
            if state is not None:
                optimizer.load_state_dict(state if ours else to_torch(state))
            for _ in range(3):
                shown.append(waves.closure(optimizer).item())
                optimizer.step()
            state = optimizer.state_dict()
            weights = [np.array(p.detach().numpy()) for p in waves.parameters]
        losses.append(shown)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-10)
    np.testing.assert_allclose(losses[2], losses[0], rtol=1e-10)


LBFGS_SETTINGS: list[dict[str, Any]] = [
    {"lr": 0.5, "max_iter": 6},
    {"lr": 0.8, "max_iter": 5, "history_size": 3},
    {"lr": 0.8, "line_search_fn": "strong_wolfe", "max_iter": 6},
    {"lr": 4.0, "line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "max_iter": 20, "max_eval": 7},
    {"lr": 0.1, "max_iter": 10, "tolerance_change": 0.01, "tolerance_grad": 0.02},
]


@pytest.mark.parametrize("chosen", LBFGS_SETTINGS, ids=str)
def test_lbfgs_takes_the_same_steps(chosen: dict[str, Any]) -> None:
    """A direction, a step length or a line search of LBFGS differs from PyTorch's."""
    for seed in range(2):
        ours, theirs = Waves(tg, tg.tensor, seed), Waves(torch, torch.tensor, seed)
        optimizer = optim.LBFGS(ours.parameters, **chosen)
        their_optimizer = torch.optim.LBFGS(theirs.parameters, **chosen)
        for step in range(3):
            loss = optimizer.step(lambda: ours.closure(optimizer))  # noqa: B023
            their_loss = their_optimizer.step(lambda: theirs.closure(their_optimizer))  # noqa: B023
            np.testing.assert_allclose(loss.item(), their_loss.item(), rtol=1e-9, atol=1e-12)
            for a, b in zip(ours.parameters, theirs.parameters, strict=True):
                np.testing.assert_allclose(values(a), b.detach().numpy(), rtol=1e-7, atol=1e-9)
            held = optimizer.state[ours.parameters[0]]
            their_held = their_optimizer.state[theirs.parameters[0]]
            assert held["n_iter"] == their_held["n_iter"]
            assert held["func_evals"] == their_held["func_evals"]
            if step == 1:
                # Each goes on from what the other has saved.
                states = optimizer.state_dict(), their_optimizer.state_dict()
                optimizer = optim.LBFGS(ours.parameters)
                their_optimizer = torch.optim.LBFGS(theirs.parameters)
                optimizer.load_state_dict(states[1])
                their_optimizer.load_state_dict(to_torch(states[0]))


@examples(60)
@given(
    weights=st.tuples(*[st.floats(-3, 3)] * 4),
    t=st.sampled_from([0.01, 0.3, 1.0, 5.0, 40.0]),
    most=st.integers(1, 12),
)
def test_the_line_search_finds_the_same_step(weights: Any, t: float, most: int) -> None:
    """On a bumpy line, the bracket is opened, narrowed or given up otherwise than PyTorch does."""
    from torch.optim.lbfgs import _strong_wolfe

    a, b, c, e = weights

    def bumps(x: float) -> tuple[float, float]:
        value = a * np.sin(3 * x) + b * np.cos(7 * x + 1) + c * np.sin(x / 3) + 0.01 * e * e * x * x
        slope = 3 * a * np.cos(3 * x) - 7 * b * np.sin(7 * x + 1) + c * np.cos(x / 3) / 3
        return float(value), float(slope + 0.02 * e * e * x)

    loss, slope = bumps(0.0)
    assume(abs(slope) > 1e-3)
    tried: list[float] = []
    their_tried: list[float] = []

    def at(step: float) -> Point:
        tried.append(step)
        value, change = bumps(-slope * step)
        return Point(value, tg.tensor([change], tg.float64))

    def their_at(_: Any, step: float, __: Any) -> Any:
        their_tried.append(float(step))
        value, change = bumps(-slope * float(step))
        return value, torch.tensor([change], dtype=torch.float64)

    here = Point(loss, tg.tensor([slope], tg.float64))
    _, found, calls = strong_wolfe(
        at, t, tg.tensor([-slope], tg.float64), here, -slope * slope, most
    )
    gradient = torch.tensor([slope], dtype=torch.float64)
    _, _, wanted, their_calls = _strong_wolfe(
        their_at, None, t, -gradient, loss, gradient, -gradient.dot(gradient), max_ls=most
    )
    np.testing.assert_allclose(tried, their_tried, rtol=1e-6)
    np.testing.assert_allclose(found, float(wanted), rtol=1e-6)
    assert calls == their_calls == len(tried)


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
