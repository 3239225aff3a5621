"""Every operation of the table, with its gradients, recorded and replayed against eager."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, copies
from tests.ops.cases import CASES, Case
from tests.tools import Draw
from tinygrad_rnn.jit import jit

RECORDED = [case for case in CASES if case.name != "masks"]


def with_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """A step that returns what the function does, and the gradients of a weighted sum of it."""

    def step(*inputs: tg.Tensor) -> Any:
        result = function(*inputs)
        outs = [result] if isinstance(result, tg.Tensor) else list(result)
        total = tg.zeros((), dtype=inputs[0].dtype)
        for i, out in enumerate(outs):
            if out.requires_grad:
                total = total + (out * out * (1.0 + i)).sum()
        if not total.requires_grad:
            return outs, []
        found = tg.grad(total, list(inputs), allow_unused=True)
        return outs, [g for g in found if g is not None]

    return step


# The same examples every time, so that what was compiled for them is found again.
@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
@settings(max_examples=2, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(data=st.data())
def test_replays_equal_eager(case: Case, data: Draw) -> None:
    """A replay gives other numbers, shapes, types or gradients than the operation itself."""
    problem = data.draw(st.composite(case.draw)())
    # Single operations share kernels, of which fewer have to be compiled.
    inputs = [tg.as_tensor(x).requires_grad_() for x in problem.inputs]
    step = with_gradients(problem.function)
    compiled = jit(step, off={"fuse"})
    wanted = copies(step(*inputs))
    compiled(*inputs)
    found = compiled(*inputs)
    assert_agree(found, wanted, 1e-10)
    assert len(compiled.recordings) == 1
