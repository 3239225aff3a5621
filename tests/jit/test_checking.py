"""`check=True`: compiled against NumPy operation by operation, and where a NaN comes from."""

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, copies, integers, normal
from tinygrad_rnn import errors, nn, optim
from tinygrad_rnn.jit import codegen, jit
from tinygrad_rnn.nn import functional
from tinygrad_rnn.ops import Primitive


class Model(nn.Module):
    """An LSTM and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, dtype=tg.float64)
        self.out = nn.Linear(4, 5, dtype=tg.float64)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.out(self.lstm(x)[0])


def make(**settings: Any) -> tuple[Any, Any]:
    """A model and its training step."""
    tg.manual_seed(1)
    model = Model()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def body(x: tg.Tensor, t: tg.Tensor) -> Any:
        optimizer.zero_grad()
        out = functional.dropout(model(x), 0.2)
        loss = functional.cross_entropy(out.reshape(-1, 5), t)
        loss.backward()
        optimizer.step()
        return loss

    return model, jit(body, **settings) if settings else body


def test_a_right_program_passes() -> None:
    """Checking changes results or state, draws random numbers, or finds what is not there."""
    runs = []
    for settings in ({}, {"check": True}, {"check": True, "off": {"fuse"}}):
        model, step = make(**settings)
        losses = [
            copies(step(normal(3, 2, 3, seed=i), integers(5, 6, seed=i))) for i in range(4)
        ]
        runs.append((losses, copies(dict(model.state_dict())), tg.rand(2)))
    assert_agree(runs[1:], [runs[0], runs[0]], 1e-9)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("product", "`linear` in lstm.l0 ("), ("softmax", "`log_softmax`"), ("uniform", "`uniform`")],
)
def test_the_first_wrong_operation_is_named(
    kind: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that computes something wrong passes, or another operation is blamed."""
    honest = codegen._RULES[kind]

    seen = []

    def wrong(op: Any, memory: Any) -> Any:
        # The first operation of the kind in each program computes nothing.
        is_first = not any(memory is other for other in seen)
        seen.append(memory)
        return () if is_first else honest(op, memory)

    monkeypatch.setitem(codegen._RULES, kind, wrong)
    _, step = make(check=True)
    x, t = normal(3, 2, 3), integers(5, 6)
    step(x, t)
    with pytest.raises(errors.RecordingError, match="differs from eager") as caught:
        step(x, t)
    assert f"first at {expected}" in str(caught.value)
    assert __file__ in str(caught.value)


def test_a_wrong_pass_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that only the passes have made wrong agrees with one without passes."""
    honest = codegen._RULES["softmax"]
    calls = []

    def wrong(op: Any, memory: Any) -> Any:
        calls.append(op)
        return () if op is calls[0] else honest(op, memory)

    monkeypatch.setitem(codegen._RULES, "softmax", wrong)
    _, step = make(check=True)
    x, t = normal(3, 2, 3), integers(5, 6)
    step(x, t)
    with pytest.raises(errors.RecordingError, match="differs from eager"):
        step(x, t)


class Risky(nn.Module):
    """Divides."""

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return (x / x).exp()


def test_nan_is_traced_to_its_operation() -> None:
    """A NaN is not noticed, or not where it was made: operation, module, line."""

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.risky = Risky()

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.risky(x + 1.0).sum()

    step = jit(Outer(), check=True)
    step(tg.ones(3))
    for bad in (tg.tensor([0.0, -1.0, 2.0]), tg.tensor([-1.0, -1.0])):
        # The second has another shape, so that the NaN is made while it is recorded.
        with pytest.raises(errors.NumericalError, match="NaN comes from `div` in risky") as caught:
            step(bad)
        line = Risky.forward.__code__.co_firstlineno + 1
        assert f"{__file__}:{line}" in str(caught.value)
    step(tg.ones(3))


def test_nan_in_the_backward_pass_is_traced() -> None:
    """A NaN that only the gradient has is not traced to the operation it belongs to."""
    step = jit(lambda x: tg.grad((x * x).sum().sqrt(), [x])[0], check=True)
    step(tg.ones(3).requires_grad_())
    with pytest.raises(errors.NumericalError, match="gradient of"):
        step(tg.zeros(3).requires_grad_())


def test_errors_of_checked_steps_are_eagers() -> None:
    """An index out of range in a checked step has another type or text."""
    w = normal(4, 2)
    step = jit(lambda i: w[i] * 2, check=True)
    step(tg.tensor([0, 1]))
    bad = tg.tensor([0, 4])
    with pytest.raises(errors.OutOfRangeError) as found:
        step(bad)
    with pytest.raises(errors.OutOfRangeError) as wanted:
        w[bad]
    assert str(found.value) == str(wanted.value)


def test_what_nobody_reads_is_not_compared() -> None:
    """A value that nobody reads, and that therefore is never computed, is called wrong."""
    held = normal(3)

    def body(x: tg.Tensor) -> Any:
        held[2] = x.sum()
        held.assign(x * 0.25)
        return x.sum()

    step = jit(body, check=True)
    for seed in range(3):
        x = normal(3, seed=seed)
        assert_agree((step(x), held), (x.sum(), x * 0.25))


def test_a_gradient_that_cancels_out_is_no_difference() -> None:
    """Rounding of a sum that is zero by mathematics is taken for a wrong result."""
    w, b = normal(5, 4).requires_grad_(), normal(1, seed=1).requires_grad_()

    def body(x: tg.Tensor, targets: tg.Tensor) -> tg.Tensor:
        w.grad = b.grad = None
        loss = tg.nn.functional.cross_entropy(x @ w + b, targets)
        loss.backward()
        return loss

    step = jit(body, check=True)
    for seed in range(4):
        step(normal(6, 5, seed=seed), integers(4, 6, seed=seed))


def test_small_results_of_large_numbers_are_still_compared() -> None:
    """A wrong exp(-30) passes because 30 is large beside it."""
    step = jit(lambda x: x.exp(), check=True)
    x = tg.full((4,), -30.0, dtype=tg.float64)
    step(x)
    (entry,) = (e for e in step.tape.entries if e.primitive.name == "exp")
    right = entry.primitive
    entry.primitive = Primitive("exp", lambda x: np.exp(x) * 1.001)
    try:
        with pytest.raises(errors.RecordingError, match="differs from eager"):
            step(x)
    finally:
        entry.primitive = right
