"""Primitives that have no gradient: checks of the numbers, random numbers, and orders."""

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import Listener, same_bits, values
from tinygrad_rnn import ops
from tinygrad_rnn.errors import ArgumentError, NumericalError, OutOfRangeError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.tensor import apply

TEXT = "{value} is outside {low}..{last}"


def in_range(index: Any, ignore: int | None = None, **more: Any) -> tg.Tensor:
    return apply(
        ops.require_range, tg.tensor(index), low=2, high=5, ignore=ignore, message=TEXT, **more
    )


@pytest.mark.parametrize("index", [[2, 4, 3], [[2], [4]], 3, np.zeros((0, 2), np.int64)])
def test_an_index_in_range_is_passed_on(index: Any) -> None:
    """A limit counts as outside, or the check changes what it looked at."""
    assert same_bits(in_range(index), np.asarray(index))


@pytest.mark.parametrize(
    ("index", "ignore", "wrong"),
    [([2, 5], None, 5), ([1, 9], None, 1), (1, None, 1), ([-100, 4, 7], -100, 7)],
)
def test_an_index_outside_is_named(index: Any, ignore: int | None, wrong: int) -> None:
    """An index is accepted outside its range, or the message names another one."""
    with pytest.raises(OutOfRangeError, match=f"^{wrong} is outside 2..4$"):
        in_range(index, ignore)
    with pytest.raises(ArgumentError, match=f"^{wrong} is outside 2..4$"):
        in_range(index, ignore, error=ArgumentError)


def test_an_ignored_index_may_be_anywhere() -> None:
    """The index that counts for nothing is refused because it is outside."""
    assert values(in_range([-100, 4], ignore=-100)).tolist() == [-100, 4]
    assert values(in_range([9, 4], ignore=9)).tolist() == [9, 4]


def test_small_types_are_compared_as_numbers() -> None:
    """A limit beyond the type of the index wraps round, or fails."""
    index = tg.tensor([0, 255], dtype=tg.uint8)
    checked = apply(ops.require_range, index, low=-1, high=300, ignore=-100, message=TEXT)
    assert same_bits(checked, index)


def test_a_checked_index_is_still_watched() -> None:
    """An index that was overwritten before backward goes unnoticed because a check came between."""
    x = tg.ones(3, requires_grad=True)
    index = tg.tensor([0, 1])
    y = x.gather(0, index).sum()
    index.assign(2)
    with pytest.raises(tg.errors.GraphError, match="overwritten"):
        y.backward()


def test_a_condition_has_to_hold_everywhere() -> None:
    """A condition that fails for one element passes, or the message shows other numbers."""
    x = tg.tensor([0.25, 2.0])
    message = "{least}..{greatest}"
    assert values(apply(ops.require_true, x > 0, x, message=message)).tolist() == [True, True]
    with pytest.raises(ArgumentError, match=r"^0.25..2.0$"):
        apply(ops.require_true, x > 1, x, message=message)


@pytest.mark.parametrize("call", [lambda a, b: a // b, lambda a, b: a % b, lambda a, b: 7 // b])
def test_a_compiled_step_divides_no_integer_by_0(call: Any) -> None:
    """A divisor that becomes 0 after the recording gives numbers that mean nothing."""
    step = tg.jit(call)
    a = tg.tensor([7, -7])
    for divisor in ([2, 3], [3, -2]):
        assert same_bits(step(a, tg.tensor(divisor)), call(a, tg.tensor(divisor)))
    with pytest.raises(NumericalError, match="by 0"):
        step(a, tg.tensor([1, 0]))


def test_random_numbers_depend_on_their_place() -> None:
    """A draw begins elsewhere than asked, or leaves the stream elsewhere than at its end."""
    generator = tg.Generator(3)
    whole = generator.uniform((12,), np.float32)
    assert generator.position() == 3
    for start in (1, 0, 2):
        drawn = apply(ops.uniform, generator=generator, start=start, shape=(2, 2), dtype=tg.float32)
        assert same_bits(drawn, whole[4 * start : 4 * start + 4].reshape(2, 2))
        assert generator.position() == start + 1


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_equal_elements_keep_their_order(axis: int, descending: bool) -> None:
    """Sorting exchanges equal elements, or sorts along another axis."""
    x = np.random.default_rng(0).integers(0, 3, (6, 5))
    order = apply(ops.argsort, tg.tensor(x), axis=axis, descending=descending)
    expected = np.argsort(-x if descending else x, axis, kind="stable")
    assert same_bits(order, expected)


# ---------------------------------------------------------------------- seeded numbers

WEIGHTS = [[0.1, 0.0, 0.6, 0.3], [0.0, 5.0, 1.0, 0.0]]
SEEDED: dict[str, tuple[Any, Any]] = {
    "rand": (
        lambda g: tg.rand(3, generator=g),
        [0.9545971155166626, 0.7501521706581116, 0.11417734622955322],
    ),
    "rand in float64": (
        lambda g: tg.rand(2, dtype=tg.float64, generator=g),
        [0.9545971285563127, 0.11417736176891524],
    ),
    "randint": (lambda g: tg.randint(-3, 9, (8,), generator=g), [8, -2, 1, -1, -3, 6, 1, -2]),
    "randperm": (lambda g: tg.randperm(8, generator=g), [4, 1, 7, 3, 6, 2, 5, 0]),
    "bernoulli": (
        lambda g: tg.bernoulli(tg.full((8,), 0.4), generator=g),
        [0, 0, 1, 1, 0, 0, 1, 0],
    ),
    "multinomial": (
        lambda g: tg.multinomial(tg.tensor(WEIGHTS), 6, True, generator=g),
        [[3, 2, 2, 2, 0, 3], [1, 1, 1, 1, 1, 2]],
    ),
    "multinomial without replacement": (
        lambda g: tg.multinomial(tg.tensor(WEIGHTS), 2, generator=g),
        [[3, 2], [1, 2]],
    ),
    "dropout": (
        lambda g: functional.dropout(tg.arange(1, 7).float().reshape(2, 3), 0.4, generator=g),
        [[1.6666666269302368, 3.3333332538604736, 0.0], [0.0, 8.333333015441895, 10.0]],
    ),
}


@pytest.mark.parametrize("name", list(SEEDED))
def test_a_seed_gives_the_numbers_it_always_gave(name: str) -> None:
    """A run that was seeded cannot be repeated with this version."""
    draw, expected = SEEDED[name]
    assert draw(tg.Generator(7)).tolist() == expected


@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 4)])
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_normal_numbers_are_the_generators(shape: tuple[int, ...], dtype: Any) -> None:
    """randn draws other numbers than the generator does, or reads on from elsewhere."""
    ours, theirs = tg.Generator(7), tg.Generator(7)
    assert same_bits(tg.randn(shape, dtype=dtype, generator=ours), theirs.normal(shape, dtype))
    assert ours.get_state() == theirs.get_state()


def test_normal_numbers_are_those_of_before() -> None:
    """A weight that was drawn at random differs by more than the rounding of sin, cos and log."""
    drawn = tg.randn(3, dtype=tg.float64, generator=tg.Generator(7))
    expected = [-2.073876009318558, 0.2323332259657306, 1.3723695400751497]
    np.testing.assert_allclose(values(drawn), expected, rtol=1e-14)


def test_draws_follow_each_other() -> None:
    """A function takes more or fewer numbers from the stream than it did."""
    generator = tg.Generator(7)
    tg.rand(3, generator=generator)
    tg.randn(3, generator=generator)
    tg.randint(5, (3,), generator=generator)
    tg.multinomial(tg.tensor(WEIGHTS), generator=generator)
    assert generator.get_state() == {"seed": 7, "counter": 6}


# ---------------------------------------------------------------------- nothing reads numbers


def every_function(x: tg.Tensor, whole: tg.Tensor, p: tg.Tensor) -> list[Any]:
    generator = tg.Generator(0)
    return [
        tg.tensor(x),
        tg.zeros_like(x),
        tg.rand_like(x, generator),
        tg.randn_like(x, generator),
        tg.randint(3, (2,), generator=generator),
        tg.randperm(3, generator),
        tg.bernoulli(p, generator),
        tg.multinomial(p, 1, generator=generator),
        tg.multinomial(p, 2, generator=generator),
        tg.sort(x, 0, descending=True),
        tg.topk(x, 1),
        x.max(1),
        x.gather(1, whole.unsqueeze(1)),
        x.scatter_add(1, whole.unsqueeze(1), x),
        x[whole],
        functional.one_hot(whole, 3),
        functional.embedding(whole, x, padding_idx=0),
        functional.dropout(x, generator=generator),
        functional.cross_entropy(x, whole, p[0], label_smoothing=0.1),
        functional.nll_loss(x, whole),
        tg.einsum("ij,ij->j", x, x),
    ]


def test_no_function_reads_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function cannot be recorded, because it reads a tensor back to compute its result."""
    inputs = (tg.ones(2, 3), tg.tensor([0, 1]), tg.full((2, 3), 0.5))
    monkeypatch.setattr(tg.context.state, "recorder", Listener())
    assert every_function(*inputs)
