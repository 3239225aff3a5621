"""NaN, infinity, zero, ties and overflow; sorting; reductions over nothing; integer types."""

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import values

INF, NAN = math.inf, math.nan
x = tg.tensor([-INF, -1e30, -1.0, -0.0, 0.0, 1.0, 1e30, INF, NAN])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: x.exp(), [0, 0, math.exp(-1), 1, 1, math.e, INF, INF, NAN]),
        (lambda: x.tanh(), [-1, -1, math.tanh(-1), -0.0, 0, math.tanh(1), 1, 1, NAN]),
        (lambda: x.sigmoid(), [0, 0, 1 / (1 + math.e), 0.5, 0.5, 1 / (1 + 1 / math.e), 1, 1, NAN]),
        (
            lambda: x.softplus(),
            [
                0,
                0,
                math.log1p(1 / math.e),
                math.log(2),
                math.log(2),
                math.log1p(math.e),
                1e30,
                INF,
                NAN,
            ],
        ),
        (lambda: x.relu(), [0, 0, 0, 0, 0, 1, 1e30, INF, NAN]),
        (lambda: x.erf(), [-1, -1, math.erf(-1), -0.0, 0, math.erf(1), 1, 1, NAN]),
        (lambda: x.clamp(-2.0, 2.0), [-2, -2, -1, -0.0, 0, 1, 2, 2, NAN]),
        (lambda: x * 1e10, [-INF, -INF, -1e10, -0.0, 0, 1e10, INF, INF, NAN]),
        (lambda: x - x, [NAN, 0, 0, 0, 0, 0, 0, NAN, NAN]),
        (lambda: x + x[[7] * 9], [NAN, INF, INF, INF, INF, INF, INF, INF, NAN]),
        (lambda: 1.0 / x, [-0.0, -1e-30, -1, -INF, INF, 1, 1e-30, 0, NAN]),
        (lambda: x**2, [INF, INF, 1, 0, 0, 1, INF, INF, NAN]),
        (lambda: x.sqrt(), [NAN, NAN, NAN, 0, 0, 1, 1e15, INF, NAN]),
        (lambda: x.log(), [NAN, NAN, NAN, -INF, -INF, 0, math.log(1e30), INF, NAN]),
        (lambda: (x.double() * 1e30).float(), [-INF, -INF, -1e30, -0.0, 0, 1e30, INF, INF, NAN]),
        (lambda: x[[6, 6, 6]].square().sum(), INF),
        (lambda: x[[1, 6, 7]].softmax(0), [NAN, NAN, NAN]),
        (lambda: x[[1, 6, 3]].softmax(0), [0, 1, 0]),
        (lambda: x[[0, 3]].softmax(0), [0, 1]),
        (lambda: x[[1, 6]].log_softmax(0), [-2e30, 0]),
        (lambda: x[[0, 0]].logsumexp(0), -INF),
        (lambda: x[[7, 0]].logsumexp(0), INF),
        (lambda: x[:0].logsumexp(0), -INF),
        (lambda: x[:0].sum(), 0),
        (lambda: x[:0].mean(), NAN),
        (lambda: x[5:6].var(), NAN),
        (lambda: x.sign(), [-1, -1, -1, 0, 0, 1, 1, 1, 0]),
        (lambda: x.isnan(), [False] * 8 + [True]),
        (lambda: x.isinf(), [True] + [False] * 6 + [True, False]),
        (lambda: x.isfinite(), [False] + [True] * 6 + [False, False]),
        (lambda: x.amax(), NAN),
        (lambda: tg.triu(tg.full((2, 2), -INF), 1), [[0, -INF], [0, 0]]),
        (lambda: x[[6]] @ x[[6]], INF),
    ],
)
def test_values_without_warnings(call: Any, expected: Any) -> None:
    """A special value is lost or changed, or NumPy's warning about it reaches the user."""
    have = values(call())
    want = np.asarray(expected)
    if want.dtype == np.bool_:
        assert have.tolist() == want.tolist()
        return
    finite = np.isfinite(want) & (want != -2e30)
    np.testing.assert_allclose(have[finite], want[finite], rtol=3e-6, atol=1e-9)
    np.testing.assert_array_equal(
        have[~np.isfinite(want)], want[~np.isfinite(want)].astype(np.float32)
    )


def slopes(function: Any, *numbers: float) -> list[float]:
    leaf = tg.tensor(list(numbers), dtype=tg.float64, requires_grad=True)
    function(leaf).sum().backward()
    found: list[float] = leaf.grad.tolist()
    return found


@pytest.mark.parametrize(
    ("function", "numbers", "expected"),
    [
        (lambda a: a.relu(), (0.0,), [0.0]),
        (lambda a: a.abs(), (0.0,), [0.0]),
        (lambda a: a.clamp(0.0, 1.0), (0.0, 1.0, 2.0), [1.0, 1.0, 0.0]),
        (lambda a: a.amax(), (2.0, 2.0, 1.0), [0.5, 0.5, 0.0]),
        (lambda a: a.amin(), (2.0, 1.0, 1.0), [0.0, 0.5, 0.5]),
        (lambda a: a.max(0).values, (2.0, 2.0), [1.0, 0.0]),
        (lambda a: a.maximum(a.detach()), (3.0,), [0.5]),
        (lambda a: a.minimum(3.0), (3.0,), [0.5]),
        (lambda a: a.norm(), (0.0, 0.0), [0.0, 0.0]),
        (lambda a: a.norm(1), (0.0, -2.0), [0.0, -1.0]),
        (lambda a: a.norm(3), (0.0, 0.0), [0.0, 0.0]),
        (lambda a: a.norm(1.5), (0.0, 2.0), [0.0, 1.0]),
        (lambda a: a.std(), (1.0, 1.0), [0.0, 0.0]),
        (lambda a: a**2, (0.0,), [0.0]),
        (lambda a: a**1, (0.0,), [1.0]),
        (lambda a: a**0, (0.0,), [0.0]),
        (lambda a: 0.0**a, (2.0, 0.0), [0.0, 0.0]),
        (lambda a: a ** tg.tensor([0.0, 1.0, 2.0], dtype=tg.float64), (0.0,) * 3, [0.0, 1.0, 0.0]),
        (lambda a: a.sqrt(), (0.0,), [INF]),
        (lambda a: a.tanh(), (1e3, -1e3), [0.0, 0.0]),
        (lambda a: a.sigmoid(), (1e3, -1e3), [0.0, 0.0]),
        (lambda a: a.softplus(), (1e3, -1e3), [1.0, 0.0]),
        (lambda a: a.logsumexp(0), (1e3, -1e3), [1.0, 0.0]),
        (lambda a: tg.where(a > 0, a.log(), 0.0), (1.0,), [1.0]),
        (lambda a: 0.0**a, (-1.0, -INF), [-INF, -INF]),
        (lambda a: 0**a, (-1.0, 0.0, 1.0), [-INF, 0.0, 0.0]),
        (lambda a: tg.zeros(3, dtype=tg.float64) ** a, (-1.0, 0.0, 1.0), [-INF, 0.0, 0.0]),
        (lambda a: a.relu(), (NAN, 1.0, -1.0), [1.0, 1.0, 0.0]),
        (lambda a: a.maximum(0.0), (NAN, 1.0, -1.0), [1.0, 1.0, 0.0]),
        (lambda a: a.minimum(0.0), (NAN, 1.0, -1.0), [1.0, 0.0, 1.0]),
        (lambda a: a.maximum(tg.full((1,), NAN, dtype=tg.float64)), (NAN, 1.0), [1.0, 1.0]),
        (lambda a: a.max(), (NAN, 1.0, -1.0), [1.0, 0.0, 0.0]),
        (lambda a: a.min(), (NAN, 1.0, NAN), [0.5, 0.0, 0.5]),
        (lambda a: a.amax(0), (1.0, NAN), [0.0, 1.0]),
    ],
)
def test_slopes_at_kinks_and_limits(function: Any, numbers: Any, expected: list[float]) -> None:
    """At a kink, a tie or far out the gradient is NaN, or another subgradient than documented."""
    assert slopes(function, *numbers) == expected


def slopes_at_nan(x: tg.Tensor, y: tg.Tensor) -> tuple[tg.Tensor, ...]:
    x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
    total = x.relu().sum() + x.maximum(y).sum() + x.minimum(y).sum() + x.max()
    powers = (tg.zeros(4) ** y).sum() + (0.0**y).sum()
    return (*tg.grad(total, [x, y]), *tg.grad(powers, [y]), x.sign())


def test_compiled_slopes_are_those_of_single_operations() -> None:
    """A compiled step gives other gradients at NaN and at powers of 0 than one by one."""
    x, y = tg.tensor([NAN, 1.0, -1.0, 0.0]), tg.tensor([-1.0, 0.0, 1.0, NAN])
    step = tg.jit(slopes_at_nan)
    for _ in range(2):
        for have, want in zip(step(x, y), slopes_at_nan(x, y), strict=True):
            np.testing.assert_array_equal(values(have), values(want))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda a: 1.0 / a, [INF, -INF, 0.0, 0.0]),
        (lambda a: a.reciprocal(), [INF, -INF, 0.0, 0.0]),
        (lambda a: tg.full((4,), 2.0, dtype=tg.float64) / a, [INF, -INF, 0.0, 0.0]),
        (lambda a: a[[0, 2]].rsqrt(), [INF, 0.0, 0.0, 0.0]),
    ],
)
def test_second_derivatives_of_quotients(function: Any, expected: list[float]) -> None:
    """At 0 or infinity the second derivative is NaN, because a factor overflowed on its way."""
    leaf = tg.tensor([0.0, -0.0, INF, -INF], dtype=tg.float64, requires_grad=True)
    (slope,) = tg.grad(function(leaf).sum(), leaf, create_graph=True)
    (curvature,) = tg.grad(slope.sum(), leaf)
    assert curvature.tolist() == expected


MANY = np.random.default_rng(0).uniform(size=(300_000, 2)).astype(np.float32)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.sum(0),
        lambda x: x.mean(0),
        lambda x: x.var(0),
        lambda x: x.norm(2, 0),
        lambda x: x.logsumexp(0),
        lambda x: x.T.sum(1),
        lambda x: x.reshape(3, -1, 2, 1).sum((0, 1)),
        lambda x: x.cumsum(0)[-1],
        lambda x: x.sum(),
    ],
)
def test_many_numbers_are_added_up_without_loss(call: Any) -> None:
    """float32 numbers are added one by one in float32, and the sum loses digits."""
    exact = values(call(tg.tensor(MANY.astype(np.float64))))
    np.testing.assert_allclose(values(call(tg.tensor(MANY))), exact, rtol=3e-7)


def test_sorting_is_stable_in_both_directions() -> None:
    """Equal elements change their order."""
    keys = tg.tensor([1.0, 2.0, 1.0, 2.0, 1.0])
    assert tg.sort(keys).indices.tolist() == [0, 2, 4, 1, 3]
    assert tg.sort(keys, descending=True).indices.tolist() == [1, 3, 0, 2, 4]
    assert tg.topk(keys, 3).indices.tolist() == [1, 3, 0]
    assert tg.topk(keys, 2, largest=False).values.tolist() == [1.0, 1.0]


def test_tensors_without_axes() -> None:
    """A tensor without axes is refused where PyTorch takes axis 0, or gains an axis."""
    one = tg.tensor(2.0)
    for call in (
        lambda: one.cumsum(0),
        lambda: one.max(0).values,
        lambda: tg.sort(one).values,
        lambda: tg.topk(one, 1).values,
        lambda: one.sum(0),
        lambda: one.logsumexp(-1),
        lambda: one.gather(0, tg.tensor(0)),
        lambda: one.squeeze(0),
        lambda: one.T,
    ):
        assert call().shape == ()
        assert call().item() == 2.0
    assert one.softmax(0).item() == 1.0
    assert one.argmax(0).item() == one.argmin(-1).item() == 0
    assert one.flatten().shape == (1,)
    assert one.unsqueeze(0).shape == (1,)


def test_mixed_types_follow_the_rules() -> None:
    """Two floating types mix silently, or an integer changes the floating type."""
    single, double, whole, truth = (
        tg.ones(2),
        tg.ones(2, dtype=tg.float64),
        tg.tensor([1, 2]),
        tg.tensor([True, False]),
    )
    for name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "eq", "lt"):
        with pytest.raises(tg.errors.DtypeError, match=r"float32.*float64"):
            getattr(single, name)(double)
    for name in ("add", "sub", "mul", "div", "pow", "maximum"):
        for floating in (single, double):
            for other in (whole, truth):
                assert getattr(floating, name)(other).dtype == floating.dtype
            assert getattr(floating, name)(2).dtype == floating.dtype
            assert getattr(floating, name)(2.5).dtype == floating.dtype
            assert getattr(whole, name)(floating).dtype == floating.dtype
    assert (whole / 2).dtype == tg.float32
    assert (whole * 2).dtype == tg.int64
    assert tg.tensor([1], dtype=tg.uint8).sum().dtype == tg.int64


def test_comparisons_keep_numbers_beyond_the_type() -> None:
    """A number is wrapped round to the type that it is compared with, and is no longer itself."""
    small = tg.tensor([100], dtype=tg.int8)
    assert (small < tg.tensor(300)).tolist() == (tg.tensor(300) > small).tolist() == [True]
    assert (small == tg.tensor(356)).tolist() == [False]


def test_the_default_type_is_used_everywhere() -> None:
    """A creation function ignores set_default_dtype."""
    tg.set_default_dtype(tg.float64)
    try:
        made = [
            tg.tensor(1.5),
            tg.zeros(1),
            tg.ones(1),
            tg.rand(1),
            tg.randn(1),
            tg.eye(2),
            tg.full((1,), 0.5),
            tg.arange(0.0, 1.0),
            tg.linspace(0, 1, 2),
            tg.tensor([1]) / 2,
            tg.nn.Linear(1, 1).weight,
            tg.nn.LSTM(1, 1)(tg.zeros(1, 1, 1))[0],
            tg.empty(1),
        ]
    finally:
        tg.set_default_dtype(tg.float32)
    assert [t.dtype for t in made] == [tg.float64] * len(made)
