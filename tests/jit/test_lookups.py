"""Products with one-hot rows, computed as look-ups."""

from typing import Any

import pytest

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree, copies
from tinygrad_rnn import nn

CLASSES = 12


def one_hot_step(weight: nn.Parameter) -> Any:
    """Return a step whose result is the sum of squares of onehot(i) Wᵀ, and its gradient."""

    def step(index: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        x = nn.functional.one_hot(index, CLASSES, dtype=tg.float64)
        out = nn.functional.linear(x, weight)
        weight.grad = None
        (out * out).sum().backward()
        assert weight.grad is not None
        return out.detach(), weight.grad

    return step


@pytest.mark.parametrize("count", [2, 30])
def test_look_ups_equal_products(count: int) -> None:
    """Rows are looked up, or gradients added, in another place than the product would have."""
    tg.manual_seed(1)
    weight = nn.Parameter(tg.randn(5, CLASSES, dtype=tg.float64))
    steps = [tg.jit(one_hot_step(weight), off=off) for off in ((), ("lookups",))]
    for seed in range(3):
        index = tg.randint(CLASSES, (count,), generator=tg.Generator(seed))
        found = [copies(step(index)) for step in steps]
        assert_agree(*found, 1e-12)
    with_look_ups, with_products = (step.program.explain() for step in steps)
    assert f"look up {count} of" in with_look_ups
    assert "look up" not in with_products
    assert "product" not in "".join(
        line for line in with_look_ups.splitlines() if " × " in line
    )


def test_rare_look_ups_leave_the_weights_where_they_are() -> None:
    """Drawing a symbol turns the whole weight matrix round to read one column of it."""
    weight = nn.Parameter(tg.randn(200, CLASSES, dtype=tg.float64))

    def step(index: tg.Tensor) -> tg.Tensor:
        x = nn.functional.one_hot(index, CLASSES, dtype=tg.float64)
        return nn.functional.linear(x, weight).detach()

    rare, often = tg.jit(step), tg.jit(step)
    for compiled, count in ((rare, 1), (often, 50)):
        compiled(tg.randint(CLASSES, (count,)))
    assert "transpose" not in rare.program.explain()
    assert "transpose" in often.program.explain()


def test_without_a_check_of_the_range_nothing_is_looked_up() -> None:
    """A row of zeros, for an index that is no class, becomes some row of the weights."""
    weight = tg.randn(CLASSES, 3)

    @tg.jit
    def step(index: tg.Tensor) -> tg.Tensor:
        return (index.unsqueeze(-1) == tg.arange(CLASSES)).to(tg.float32) @ weight

    step(tg.tensor([0, 1]))
    assert step(tg.tensor([0, CLASSES + 5]))[1].tolist() == [0.0, 0.0, 0.0]
