"""What a recording took for granted and is changed behind its back is noticed at the next call."""

import functools
import json
import logging
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.jit.tools import Counted, assert_agree, copies, gradients, normal
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import RecordingError, RecordingWarning
from tinygrad_rnn.jit import jit
from tinygrad_rnn.jit.function import MOST_VALUES
from tinygrad_rnn.jit.names import places
from tinygrad_rnn.nn import functional


class Model(nn.Module):
    """Two layers with dropout and a plain setting."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4, dtype=tg.float64)
        self.drop = nn.Dropout(0.5)
        self.second = nn.Linear(4, 2, dtype=tg.float64)
        self.scale = 1.0
        self.sizes = [1, 2]
        self.config = SimpleNamespace(factor=1.0)
        self.plain = normal(2, seed=40)
        self.register_buffer("shift", normal(2, seed=41))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        out = self.second(self.drop(self.first(x).tanh())) * self.scale + self.shift
        return out * (self.sizes[0] * self.config.factor) + self.plain.to(out.dtype)


class Training:
    """A model, an optimizer and a schedule, trained by steps that may be compiled."""

    def __init__(self, momentum: float) -> None:
        tg.manual_seed(3)
        self.model = Model()
        # What `float` converts is the model; the optimizer's memory would not fit it any more.
        self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=momentum)
        self.schedule = optim.ExponentialLR(self.optimizer, 0.9)

    def step(self, x: tg.Tensor) -> Any:
        self.optimizer.zero_grad()
        out = self.model(x.to(self.model.second.weight.dtype))
        loss = (out * out).mean()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return loss, out

    def look(self) -> Any:
        state = [self.optimizer.state[p] for p in self.optimizer._parameters()
                 if p in self.optimizer.state]
        return copies([dict(self.model.state_dict()), state]), self.schedule.get_last_lr()


def other_model(t: Training) -> None:
    t.model.load_state_dict({k: v * 0.5 for k, v in t.model.state_dict().items()})


def other_optimizer_state(t: Training) -> None:
    saved = t.optimizer.state_dict()
    saved["state"] = {
        i: {name: value * 0.5 for name, value in held.items()}
        for i, held in saved["state"].items()
    }
    t.optimizer.load_state_dict(saved)


def new_parameter(t: Training) -> None:
    t.model.second.bias = nn.Parameter(normal(2, seed=8))


def new_module(t: Training) -> None:
    t.model.first = nn.Linear(3, 4, dtype=tg.float64)


def add_group(t: Training) -> None:
    t.model.second.bias = bias = nn.Parameter(normal(2, seed=8))
    t.optimizer.add_param_group({"params": [bias], "lr": 0.5})
    t.schedule.base_lrs.append(0.5)


def tie(t: Training) -> None:
    t.model.first.weight = nn.Parameter(t.model.first.weight.detach() * 2)


def other_schedule(t: Training) -> None:
    t.schedule.load_state_dict({"last_epoch": 3, "base_lrs": [0.7]})


def set_to(path: str, value: Any) -> Callable[[Training], None]:
    """Return what sets an attribute or item, given as "model.drop.p" or "group.momentum"."""

    def change(t: Training) -> None:
        owner_path, _, name = path.rpartition(".")
        if owner_path == "group":
            t.optimizer.param_groups[0][name] = value
            return
        owner: Any = t
        for part in owner_path.split("."):
            owner = getattr(owner, part)
        setattr(owner, name, value)

    return change


CHANGES: dict[str, Callable[[Training], None]] = {
    "load_state_dict": other_model,
    "another type": lambda t: t.model.float() and None,
    "a new parameter": new_parameter,
    "a new module": new_module,
    "a parameter in place of another": tie,
    "no bias": lambda t: setattr(t.model.second, "bias", None),
    "the optimizer's load_state_dict": other_optimizer_state,
    "a new group": add_group,
    "eval": lambda t: t.model.eval(),
    "eval of a part": lambda t: t.model.drop.eval(),
    "dropout's p": set_to("model.drop.p", 0.25),
    "a plain setting": set_to("model.scale", 2.0),
    "a list": set_to("model.sizes", [3, 2]),
    "a list in place": lambda t: t.model.sizes.__setitem__(0, 3),
    "an object in place": lambda t: setattr(t.model.config, "factor", 3.0),
    "a hook": lambda t: t.model.second.weight.register_hook(lambda g: g * 10.0) and None,
    "state of one parameter": lambda t: t.optimizer.state[t.model.second.weight].update(
        momentum_buffer=tg.zeros(2, 4, dtype=tg.float64)
    ),
    "no state any more": lambda t: t.optimizer.state.clear(),
    "other state": lambda t: setattr(t.optimizer, "state", {}),
    "a parameter fewer": lambda t: t.optimizer.param_groups[0]["params"].__delitem__(-1),
    "a plain tensor": set_to("model.plain", normal(2, seed=50)),
    "a buffer": set_to("model.shift", normal(2, seed=51)),
    "lr": set_to("group.lr", 0.3),
    "momentum": set_to("group.momentum", 0.5),
    "weight decay": set_to("group.weight_decay", 0.1),
    "nesterov": set_to("group.nesterov", True),
    "requires_grad": lambda t: t.model.first.requires_grad_(False) and None,
    "requires_grad of one": set_to("model.second.bias.requires_grad", False),
    "numbers in place": lambda t: _halve(t.model.second.weight),
    "the schedule's load_state_dict": other_schedule,
    "the schedule's epoch": set_to("schedule.last_epoch", 7),
    "the schedule's rates": set_to("schedule.base_lrs", [0.01]),
    "the default generator": lambda t: tg.manual_seed(77) and None,
}


def _halve(p: tg.Tensor) -> None:
    with tg.no_grad():
        p.mul_(0.5)


@pytest.mark.parametrize("change", CHANGES)
def test_changes_are_noticed(change: str) -> None:
    """A replay goes on with a setting or tensor that was replaced after the recording."""
    runs = []
    for compiled in (False, True):
        training = Training(0.0 if change == "another type" else 0.9)
        step = jit(training.step, off={"fuse"}) if compiled else training.step
        shown = []
        for number in range(6):
            if number == 3:
                CHANGES[change](training)
            shown.append((copies(step(normal(2, 3, seed=number))), training.look()))
        runs.append((shown, gradients(training.model.parameters()), tg.rand(3)))
    assert_agree(runs[1], runs[0], 1e-5 if change == "another type" else 1e-9)


def test_modes_back_and_forth_are_recorded_once() -> None:
    """Switching between two modes records each time anew."""
    training = Training(0.9)
    body = Counted(lambda x: training.model(x))
    step = jit(body)
    for _ in range(3):
        for mode in (True, False):
            training.model.train(mode)
            step(normal(2, 3))
    assert body.runs == 2
    with tg.no_grad():
        step(normal(2, 3))
        step(normal(2, 3, seed=1))
    assert body.runs == 3


class Direct(nn.Module):
    """Computes without being called, so that only its attributes say that it takes part."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(3))
        self.factor = 2.0

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return x * self.weight

    def scaled(self, x: tg.Tensor) -> tg.Tensor:
        return x * self.weight * self.factor


@pytest.mark.parametrize("how", ["argument", "method", "outside", "forward"])
def test_a_module_that_is_not_called(how: str) -> None:
    """A parameter or setting of a module whose `__call__` never ran is baked in."""
    module = Direct()
    x = normal(3, seed=2)
    steps: dict[str, tuple[Any, ...]] = {
        "argument": (jit(lambda m, x: m.scaled(x)), module, x),
        "method": (jit(module.scaled), x),
        "outside": (jit(lambda x: x * module.weight * module.factor), x),
        "forward": (jit(lambda x: module.forward(x) * module.factor), x),
    }
    step, *args = steps[how]
    for change in (
        lambda: None,
        lambda: None,
        lambda: setattr(module, "weight", nn.Parameter(normal(3, seed=5))),
        lambda: setattr(module, "factor", 3.0),
    ):
        change()
        assert_agree(step(*args), x * module.weight.detach() * module.factor)


def test_gradients_set_and_cleared_outside() -> None:
    """Gradients that the caller sets to None, to zeros or to a tensor are not seen."""
    runs = []
    for compiled in (False, True):
        w = normal(3, seed=1).requires_grad_()

        def accumulate(x: tg.Tensor, w: tg.Tensor = w) -> Any:
            loss = (w * x).sum()
            loss.backward()
            return loss

        body = Counted(accumulate)
        step = jit(body) if compiled else body
        shown = []
        for number in range(10):
            if number in (4, 7):
                w.grad = None
            if number == 6:
                w.grad = normal(3, seed=66)
            step(normal(3, seed=number))
            shown.append(copies(w.grad))
        runs.append(shown)
        assert body.runs == (2 if compiled else 10)
    assert_agree(runs[1], runs[0])


def test_a_hook_that_is_removed() -> None:
    """A replay goes on changing gradients as a hook did that is gone."""
    w = normal(3).requires_grad_()
    handle = w.register_hook(lambda g: g * 10.0)

    def body(x: tg.Tensor) -> None:
        w.grad = None
        (w * x).sum().backward()

    step, x = jit(body), normal(3, seed=1)
    step(x)
    handle.remove()
    step(x)
    assert_agree(w.grad, x)


class Plain:
    """An object that is no module, with what a step may find in it."""

    def __init__(self) -> None:
        self.h = normal(2)
        self.factor = 1.0
        self.calls = 0

    def step(self, x: tg.Tensor) -> tg.Tensor:
        return (self.h + x) * self.factor


def test_what_a_plain_object_holds() -> None:
    """A tensor or number that an object holds now is ignored; or what a step never reads is not."""
    plain = Plain()
    body = Counted(plain.step)
    method, by_argument = jit(plain.step), jit(lambda p, x: (p.h + x) * p.factor)
    for change in (
        lambda: None,
        lambda: setattr(plain, "h", normal(2, seed=7)),
        lambda: setattr(plain, "factor", 2.0),
        lambda: setattr(plain, "calls", 5),
    ):
        change()
        x = normal(2, seed=9)
        assert_agree(method(x), body(x))
        assert_agree(by_argument(plain, x), body(x))
    assert len(method.recordings) == 3


@pytest.mark.parametrize("place", ["cell", "dict", "list"])
def test_a_tensor_put_under_the_same_name(place: str) -> None:
    """A recording goes on with the tensor that a name stood for when it was made."""
    h = normal(2)
    held: Any = {"h": h} if place == "dict" else [h]

    def by_cell(x: tg.Tensor) -> tg.Tensor:
        return h + x

    def by_place(x: tg.Tensor) -> tg.Tensor:
        return held["h" if place == "dict" else 0] + x

    step, x = jit(by_cell if place == "cell" else by_place), normal(2, seed=2)
    step(x)
    h = held["h" if place == "dict" else 0] = normal(2, seed=5)
    assert_agree(step(x), h + x)


class Double(nn.Module):
    """y = 2x."""

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return x * 2.0


@pytest.mark.parametrize("kind", [nn.ModuleList, nn.Sequential, nn.ModuleDict])
def test_modules_of_a_list_that_is_never_called(kind: Any) -> None:
    """A module that was added, or put in place of another, takes no part."""
    held: Any = nn.Sequential(Double())
    if kind is not nn.Sequential:
        held = kind({"0": Double()}) if kind is nn.ModuleDict else kind([Double()])

    def body(x: tg.Tensor) -> tg.Tensor:
        for module in held.values() if kind is nn.ModuleDict else held:
            x = module(x)
        return x

    step, x = jit(body), normal(2)
    assert_agree(step(x), x * 2.0)
    if kind is nn.ModuleDict:
        held["1"] = Double()
    else:
        held.append(Double())
    assert_agree(step(x), x * 4.0)
    held["0" if kind is nn.ModuleDict else 0] = nn.Identity()
    assert_agree(step(x), x * 2.0)


def test_what_the_step_changes_itself() -> None:
    """A count, or train() at its beginning, makes every call record anew."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.drop = nn.Dropout(0.5)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            self.calls += 1
            return self.drop(x)

    model, runs = Counting(), 0

    def body(x: tg.Tensor) -> tg.Tensor:
        nonlocal runs
        runs += 1
        model.train()
        return model(x)

    step = jit(body)
    for _ in range(4):
        step(normal(100))
        model.eval()
    # The first time train() changed nothing.
    assert runs == 2
    assert (step(normal(100)) == 0.0).any()


def test_leaves_that_the_step_makes_for_itself() -> None:
    """The gradient of a leaf made inside is left at the tensor whose numbers it shows."""
    w, x = normal(2).requires_grad_(), normal(2, seed=1)

    def body(x: tg.Tensor) -> Any:
        q, r = w.detach().requires_grad_(), x.detach().requires_grad_()
        ((q * q).sum() + (r * 3.0).sum()).backward()
        w.grad = None
        (w * x).sum().backward()
        return q.grad, r.grad

    step = jit(body)
    for _ in range(3):
        assert_agree(step(x), body(x))
        assert_agree(w.grad, x)
        assert x.grad is None
        assert not x.requires_grad


def test_tensors_that_share_memory_and_have_gradients() -> None:
    """A gradient is left at another tensor of the same numbers."""
    x = normal(2)
    w = nn.Parameter(x)

    def body(x: tg.Tensor) -> Any:
        w.grad = None
        (w * x).sum().backward()

    with pytest.raises(RecordingError, match="share their memory"):
        jit(body)(x)
    assert not x.requires_grad
    a, b = normal(1).requires_grad_(), normal(1).requires_grad_()
    a.grad = b.grad = tg.zeros(1, dtype=tg.float64)
    with pytest.raises(RecordingError, match="also a gradient of another"):
        jit(lambda x: (a * x + b * x).sum().backward())(normal(1))


clip = 1.0
config = SimpleNamespace(clip=1.0, deeper=SimpleNamespace(clip=1.0))
numbers = [1.0, 2.0]
scale = np.float64(1.0)
pair = (1.0, 2.0)
first = nn.Linear(1, 1)
step = "a name that is only an attribute inside"


class Settings:
    clip = 1.0


class Owner:
    clip = 1.0

    def __init__(self) -> None:
        self.config = SimpleNamespace(clip=1.0)
        self.step = 0

    def own(self, x: tg.Tensor) -> tg.Tensor:
        return x * self.clip * self.config.clip


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (lambda x: x * clip, lambda: ("clip", 3.0)),
        (lambda x: x * scale, lambda: ("scale", np.float64(3.0))),
        (lambda x: x * pair[1], lambda: ("pair", (1.0, 3.0))),
        (lambda x: x * numbers[1], lambda: numbers.__setitem__(1, 5.0)),
        (lambda x: x * config.clip, lambda: setattr(config, "clip", 3.0)),
        (lambda x: x * config.deeper.clip, lambda: setattr(config.deeper, "clip", 3.0)),
        (lambda x: x * Settings.clip, lambda: setattr(Settings, "clip", 3.0)),
        (lambda x: sum(x * clip for _ in range(2)), lambda: ("clip", 5.0)),
        (lambda x: first(x.reshape(-1, 1).float()), lambda: ("first", nn.Linear(1, 1))),
        (tg.no_grad()(lambda x: x * clip), lambda: ("clip", 7.0)),
    ],
)
def test_what_a_name_stands_for_is_changed(body: Any, change: Any) -> None:
    """A number, setting or module under a name that the function mentions is baked in."""
    step, x = jit(body), normal(3)
    step(x)
    new = change()
    if new is not None:
        globals()[new[0]] = new[1]
    assert_agree(step(x), copies(body(x)), 1e-6)


def test_attributes_along_a_path() -> None:
    """An attribute of self, of its class or of what it holds is baked in."""
    owner, x = Owner(), normal(3)
    step = jit(owner.own)
    for change in (
        lambda: None,
        lambda: setattr(owner.config, "clip", 3.0),
        lambda: setattr(owner, "config", SimpleNamespace(clip=5.0)),
        lambda: setattr(Owner, "clip", 7.0),
        lambda: setattr(owner, "clip", 11.0),
    ):
        change()
        assert_agree(step(x), owner.own(x))


def test_usual_loops_are_recorded_once() -> None:
    """Names that occur only as attributes, counters or data make every call record anew."""
    model, losses = nn.Linear(2, 1), []
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    owner = Owner()
    data = list(range(1000))

    def body(x: tg.Tensor) -> tg.Tensor:
        optimizer.zero_grad()
        loss = model(x).square().mean() * len(data)
        loss.backward()
        optimizer.step()
        return loss

    train = jit(body)
    globals()["step"] = 0
    for number in range(6):
        globals()["step"] = owner.step = number
        data.append(number)
        data.pop(0)
        losses.append(train(tg.ones(3, 2)).item())
    assert len(train.recordings) == 1


def test_modes_of_a_module_that_is_used_by_another_method() -> None:
    """eval() is not seen where a module is never called."""

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.5)
            self.scale = 1.0

        def encode(self, x: tg.Tensor) -> tg.Tensor:
            return functional.dropout(x, 0.5, self.training) * self.scale

    encoder, x = Encoder(), normal(3)
    step = jit(lambda x: encoder.encode(x))
    step(x)
    encoder.eval()
    assert_agree(step(x), x)
    encoder.scale = 2.0
    assert_agree(step(x), x * 2.0)


def test_a_name_that_is_gone() -> None:
    """A closure's variable that was deleted ends in an error about cells."""
    factor = 2.0

    def body(x: tg.Tensor) -> tg.Tensor:
        return x * factor  # noqa: F821 - until it is deleted

    step = jit(body)
    step(normal(2))
    del factor
    with pytest.raises(NameError):
        step(normal(2))


def test_the_default_type():
    """Wrong if a replay went on making numbers of the type that was the default at recording."""
    step = tg.jit(lambda x: (x.sum(), tg.ones(2)))
    x = tg.ones(3, dtype=tg.float32)
    assert step(x)[1].dtype == tg.float32
    tg.set_default_dtype(tg.float64)
    try:
        assert step(x)[1].dtype == tg.float64
        assert step(x)[1].dtype == tg.float64
    finally:
        tg.set_default_dtype(tg.float32)
    assert step(x)[1].dtype == tg.float32
    assert len(step.recordings) == 2


MOVING = {
    "momentum": (lambda p: optim.SGD(p, 0.1, momentum=0.9, dampening=0.1, weight_decay=0.01),
                 {"momentum": 0.8, "dampening": 0.2, "weight_decay": 0.1}),
    "nesterov": (lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True), {"momentum": 0.5}),
    "betas": (lambda p: optim.AdamW(p, 0.1, betas=(0.9, 0.99)),
              {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.3}),
    "alpha": (lambda p: optim.RMSprop(p, 0.1, momentum=0.5, centered=True),
              {"alpha": 0.5, "eps": 1e-2, "momentum": 0.7}),
    "lr_decay": (lambda p: optim.Adagrad(p, 0.1, lr_decay=0.1), {"lr_decay": 0.5, "eps": 1e-3}),
}


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64], ids=str)
def test_settings_of_an_optimizer_that_move(name: str, dtype: Any) -> None:
    """Wrong if a setting were baked in, or recorded anew at every change of a number."""
    make, last = MOVING[name]
    runs = []
    for compiled in (False, True):
        w = normal(5, seed=1).to(dtype).requires_grad_()
        optimizer = make([w])
        group = optimizer.param_groups[0]
        first = {setting: group[setting] for setting in last}

        def body(x: tg.Tensor, w: tg.Tensor = w, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            (w.exp() * x).sum().backward()
            optimizer.step()

        counted = Counted(body)
        step = jit(counted) if compiled else counted
        shown = []
        for number in range(8):
            step(normal(5, seed=number).to(dtype))
            shown.append(copies(w.detach()))
            for setting, value in last.items():
                mixed = (number + 1) / 8
                pairs = zip(np.atleast_1d(first[setting]), np.atleast_1d(value), strict=True)
                between = [float((1 - mixed) * a + mixed * b) for a, b in pairs]
                group[setting] = tuple(between) if isinstance(value, tuple) else between[0]
                assert group[setting] == (tuple(between) if len(between) > 1 else between[0])
        runs.append(shown)
        assert counted.runs == (2 if compiled else 8)
    assert_agree(runs[1], runs[0])


def test_a_setting_that_becomes_zero() -> None:
    """Wrong if an update kept what a setting of 0 leaves out, or left it out for ever."""
    runs = []
    for compiled in (False, True):
        w = normal(3, seed=1).requires_grad_()
        optimizer = optim.SGD([w], 0.1, momentum=0.9, weight_decay=0.1)

        def body(x: tg.Tensor, w: tg.Tensor = w, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            (w * w * x).sum().backward()
            optimizer.step()

        step = jit(body) if compiled else body
        shown = []
        for number, decay in enumerate((0.1, 0.2, 0.0, 0.0, 0.3, 0.4, 0.4)):
            optimizer.param_groups[0]["weight_decay"] = decay
            step(normal(3, seed=number))
            shown.append(copies(w.detach()))
        runs.append(shown)
    assert_agree(runs[1], runs[0])


def test_a_schedule_that_cycles_momentum() -> None:
    """Wrong if OneCycleLR, which moves the momentum too, made every call a recording."""
    runs = []
    for compiled in (False, True):
        w = normal(4, seed=1).requires_grad_()
        optimizer = optim.SGD([w], 0.1, momentum=0.9)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=12)

        def body(x: tg.Tensor, w: tg.Tensor = w, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            (w.tanh() * x).sum().backward()
            optimizer.step()

        counted = Counted(body)
        step = jit(counted) if compiled else counted
        shown = []
        for number in range(11):
            step(normal(4, seed=number))
            schedule.step()
            shown.append((copies(w.detach()), optimizer.param_groups[0]["momentum"]))
        runs.append(shown)
        assert counted.runs <= (2 if compiled else 11)
    assert_agree(runs[1], runs[0])


factor = 1.0


def _inner(x: tg.Tensor) -> tg.Tensor:
    return x * factor


def _outer(x: tg.Tensor) -> tg.Tensor:
    return _inner(x) + 1.0


class _Scaling(nn.Module):
    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return x * factor + 1.0


class _Plain:
    def run(self, x: tg.Tensor) -> tg.Tensor:
        return _outer(x)


_scaling, _plain = _Scaling(), _Plain()
INDIRECT: dict[str, tuple[Callable[..., tg.Tensor], tuple[Any, ...]]] = {
    "a function": (lambda x: _outer(x), ()),
    "itself": (_outer, ()),
    "a partial function": (functools.partial(lambda y, x: _inner(x) + y, 1.0), ()),
    "a method": (lambda x: _plain.run(x), ()),
    "a module": (lambda x: _scaling(x), ()),
    "modules in modules": (nn.Sequential(nn.Identity(), _scaling), ()),
    "an argument": (lambda x, run: run(x), (_outer,)),
    "an argument's part": (lambda x, parts: parts[0](x), ([_scaling],)),
}


@pytest.mark.parametrize("way", INDIRECT)
def test_a_name_in_code_that_the_step_runs(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong if a number were baked in that a function looks up which the step calls."""
    body, others = INDIRECT[way]
    step = jit(body)
    x = normal(3, seed=1)
    for now in (1.0, 1.0, 2.0, 3.0, 3.0):
        monkeypatch.setattr(sys.modules[__name__], "factor", now)
        assert_agree(step(x, *others), x * now + 1.0)
    assert len(step.recordings) == 3


def test_a_function_under_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong if a replay went on with a function that was replaced by another."""
    step = jit(lambda x: _outer(x))
    x = normal(3, seed=1)
    assert_agree(step(x), x + 1.0)
    monkeypatch.setattr(sys.modules[__name__], "_inner", lambda x: x * 5.0)
    assert_agree(step(x), x * 5.0 + 1.0)
    assert_agree(step(x), x * 5.0 + 1.0)
    assert len(step.recordings) == 2


def test_functions_that_mention_each_other() -> None:
    """Wrong if code were looked through without an end."""
    def even(n: int, x: tg.Tensor) -> tg.Tensor:
        return x if n == 0 else odd(n - 1, x) * 2.0

    def odd(n: int, x: tg.Tensor) -> tg.Tensor:
        return even(n - 1, x) + 1.0

    step = jit(lambda x: even(4, x))
    x = normal(3, seed=1)
    for _ in range(2):
        assert_agree(step(x), even(4, x))


@pytest.mark.parametrize("what", ["a name", "a setting", "an optimizer"])
def test_a_step_that_is_recorded_at_every_call_says_why(what: str) -> None:
    """Wrong if a step that is recorded again and again were just slow, without a word."""
    module = _Scaling()
    config = SimpleNamespace(factor=0.0)
    w = normal(3, seed=1).requires_grad_()
    optimizer = optim.SGD([w], 0.1)

    def body(x: tg.Tensor) -> tg.Tensor:
        if what == "an optimizer":
            (w * x).sum().backward()
            optimizer.step()
        return module(x) * (config.factor if what == "a name" else 1.0)

    def change(number: int) -> None:
        if what == "a name":
            config.factor += 1.0
        elif what == "a setting":
            module.speed = number
        else:
            optimizer.param_groups[0]["maximize"] = f"{number}"

    step, calls = jit(body), 0

    def call_and_change(times: int) -> None:
        nonlocal calls
        for _ in range(times):
            step(normal(3))
            calls += 1
            change(calls)

    wanted = {"a name": "'factor'", "a setting": "'speed' of a _Scaling"}
    call_and_change(8)
    with pytest.warns(RecordingWarning, match=wanted.get(what, "optimizer's settings")):
        call_and_change(1)
    call_and_change(5)


def test_a_plain_number_that_changes_with_every_call() -> None:
    """Wrong if each number's recording were kept for ever, or nothing said why it is slow."""
    step = jit(lambda x, rate: x * rate)
    x = normal(3)
    for number in range(8):
        assert_agree(step(x, float(number)), x * float(number))
    with pytest.warns(RecordingWarning, match="a plain value among the arguments"):
        step(x, -1.0)
    for number in range(MOST_VALUES + 10):
        assert_agree(step(x, float(number)), x * float(number))
    assert len(step.recordings) == MOST_VALUES
    assert_agree(step(x, 0.0), x * 0.0)


def test_code_of_libraries_is_not_looked_through() -> None:
    """Wrong if a name that changes inside a library made a step be recorded anew."""
    logger = logging.getLogger("steps")
    found = places(lambda x: logger.info(json.dumps(x)), (), {})
    assert {place.name for place in found} == {"logger", "info", "json", "dumps"}
