"""Reading numbers while a step is recorded is refused, with the line and what to do instead."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, normal
from tinygrad_rnn import errors
from tinygrad_rnn.context import state
from tinygrad_rnn.jit import jit


def branch(x: tg.Tensor) -> Any:
    if x > 0:
        return x
    return -x


READS: dict[str, Callable[[tg.Tensor], Any]] = {
    "item": lambda x: x.item(),
    "float": float,
    "bool": bool,
    "int": int,
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "if": branch,
    "asarray": np.asarray,
    "array": np.array,
    "index": lambda x: [1, 2, 3][x.long()],
    "range": lambda x: range(x.long()),
    "format": lambda x: f"{x:.3f}",
    "round": lambda x: round(float(x)),
    "while": lambda x: [None for _ in iter(lambda: bool(x < 100), False)],
    "comparison": lambda x: max(x, x + 1),
    "computed": lambda x: (x * 2).item(),
    "a number for NumPy": lambda x: np.full((2,), x),
    "view": lambda x: x.reshape(1)[0].item(),
    "in": lambda x: x in [x + 1],
    "error if not finite": lambda x: tg.nn.utils.get_total_norm([x], error_if_nonfinite=True),
}


@pytest.mark.parametrize("how", READS)
def test_reading_back_raises_with_the_line(how: str) -> None:
    """A number of the first call is used for ever, or the error does not say where and what."""
    function = READS[how]
    step = jit(lambda x: function(x * 1.0))
    with pytest.raises(errors.RecordingError, match="outside") as caught:
        step(tg.tensor(2.0))
    line = branch if how == "if" else function
    if hasattr(line, "__code__"):
        assert f"{__file__}:{line.__code__.co_firstlineno}"[:-1] in str(caught.value)
    assert __file__ in str(caught.value)
    assert "where()" in str(caught.value)
    assert state.recorder is None
    assert step.recordings == []


def test_constants_may_be_read() -> None:
    """A number that the step made itself, and that no call changes, may not be read."""
    step = jit(lambda x: x * tg.arange(3).sum().item() if False else x * tg.ones(1).item())
    x = normal(3)
    for _ in range(2):
        assert_agree(step(x), x)


def test_a_constant_that_was_assigned_to_may_not_be_read() -> None:
    """A number that depends on the call is read as if it were a constant."""

    def function(x: tg.Tensor) -> Any:
        total = tg.zeros((), dtype=tg.float64)
        total.assign(x.sum())
        return x * total.item()

    with pytest.raises(errors.RecordingError, match="item"):
        jit(function)(normal(3))


def test_masks_are_refused() -> None:
    """A result whose size depends on the numbers is recorded with the size of the first call."""
    with pytest.raises(errors.RecordingError, match=r"where\(\)"):
        jit(lambda x: x[x > 0])(normal(5))


class Holder:
    """Something that outlives a step."""

    kept: Any = None


def stash_on_an_object(holder: Holder, x: tg.Tensor) -> Any:
    holder.kept = x * 2
    return x.sum()


def stash_a_view(holder: Holder, x: tg.Tensor) -> Any:
    holder.kept = (x * 2)[0]
    return x.sum()


def stash_in_a_list(holder: Holder, x: tg.Tensor) -> Any:
    y = x * 2
    holder.kept = [y]
    return y.sum()


def stash_detached(holder: Holder, x: tg.Tensor) -> Any:
    holder.kept = {"loss": (x * x).sum().detach()}
    return x.sum()


@pytest.mark.parametrize(
    "function", [stash_on_an_object, stash_a_view, stash_in_a_list, stash_detached]
)
def test_keeping_a_computed_tensor_is_refused(function: Any) -> None:
    """A tensor that a step leaves on an object goes stale without a word."""
    holder = Holder()
    step = jit(lambda x: function(holder, x))
    with pytest.raises(errors.RecordingError, match="outlives the call") as caught:
        step(normal(3))
    assert __file__ in str(caught.value)
    assert state.recorder is None
    assert step.recordings == []


def test_keeping_a_result_is_allowed_where_it_is_the_users() -> None:
    """A tensor made before the step, and assigned to, is refused or not renewed."""
    held = tg.zeros(3, dtype=tg.float64)

    def function(x: tg.Tensor) -> Any:
        held.assign(x * 2)
        return x.sum()

    step = jit(function)
    for seed in range(3):
        x = normal(3, seed=seed)
        step(x)
        assert_agree(held, x * 2)


def test_an_exception_of_the_body_leaves_no_trace() -> None:
    """After an error inside the body recording goes on, or the next call is not recorded."""
    fails = True

    def function(x: tg.Tensor) -> Any:
        y = x * 2
        if fails:
            raise KeyError("mine")
        return y

    step = jit(function)
    x = normal(3)
    with pytest.raises(KeyError, match="mine"):
        step(x)
    assert state.recorder is None
    assert step.recordings == []
    assert x.sum().item() == pytest.approx(float(x.numpy().sum()))
    fails = False
    for _ in range(2):
        assert_agree(step(x), x * 2)
    assert len(step.recordings) == 1


def test_history_from_outside_is_refused() -> None:
    """A backward through operations of before the step is recorded, and goes stale."""
    w = normal(3).requires_grad_()
    step = jit(lambda x: x.sum().backward())
    with pytest.raises(errors.RecordingError, match="detach"):
        step(w * 2)
    assert state.recorder is None
    outside = w * 2
    with pytest.raises(errors.RecordingError, match="detach"):
        jit(lambda x: (outside * x).sum().backward())(normal(3))
