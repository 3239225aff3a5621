"""Linear, Embedding, Dropout, losses, starting values and clipping."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional, init


def test_linear_is_an_affine_map_of_the_last_axis() -> None:
    """y = x Wᵀ + b does not hold for some number of axes."""
    layer = nn.Linear(3, 2, dtype=tg.float64)
    w, b = values(layer.weight), values(layer.bias)
    for shape in ((3,), (1, 3), (4, 3), (2, 4, 3), (0, 3)):
        x = np.random.default_rng(0).normal(size=shape)
        np.testing.assert_allclose(values(layer(tg.tensor(x))), x @ w.T + b, rtol=1e-13)
    assert nn.Linear(3, 2, bias=False).bias is None
    assert np.abs(w).max() <= 1 / math.sqrt(3)


def test_the_padding_vector_is_zero_and_stays_zero() -> None:
    """padding_idx starts elsewhere than at 0, or receives a gradient."""
    for padding in (2, -2):
        layer = nn.Embedding(4, 3, padding_idx=padding)
        assert not values(layer.weight)[2].any()
        layer(tg.tensor([[2, 1], [2, 1]])).sum().backward()
        assert values(layer.weight.grad).tolist() == [[0] * 3, [2] * 3, [0] * 3, [0] * 3]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(p: float) -> None:
    """Dropout drops another share, forgets to scale, or scales the gradient otherwise."""
    x = tg.ones(20_000, requires_grad=True)
    y = nn.Dropout(p)(x)
    kept = values(y) != 0
    # Five standard deviations of the share of 20,000 draws.
    assert abs(kept.mean() - (1 - p)) < 5 * math.sqrt(p * (1 - p) / 20_000)
    np.testing.assert_allclose(values(y)[kept], 1 / (1 - p), rtol=1e-6)
    y.sum().backward()
    assert same_bits(x.grad, y)


def test_dropout_at_its_edges() -> None:
    """p = 0, p = 1 or evaluation mode change what they must not."""
    x = tg.randn(10)
    assert same_bits(nn.Dropout(0.0)(x), x)
    assert not values(nn.Dropout(1.0)(x)).any()
    assert same_bits(nn.Dropout(0.5).eval()(x), x)


def test_losses_as_modules_are_the_functions() -> None:
    """A module of a loss drops one of its settings."""
    x, target = tg.randn(4, 3), tg.tensor([0, 2, 1, -1])
    weight = tg.tensor([1.0, 2.0, 3.0])
    have = nn.CrossEntropyLoss(weight, -1, "sum", 0.2)(x, target)
    want = functional.cross_entropy(x, target, weight, -1, "sum", 0.2)
    assert same_bits(have, want)
    p = x.log_softmax(1)
    assert same_bits(
        nn.NLLLoss(weight, -1, "none")(p, target),
        functional.nll_loss(p, target, weight, -1, "none"),
    )
    assert same_bits(nn.MSELoss("sum")(x, p), functional.mse_loss(x, p, "sum"))


def test_cross_entropy_of_extreme_logits_is_finite() -> None:
    """A large logit overflows, or its gradient becomes NaN."""
    x = tg.tensor([[1e4, -1e4, 0.0], [-1e30, 1e30, 0.0]], requires_grad=True)
    loss = functional.cross_entropy(x, tg.tensor([0, 1]))
    loss.backward()
    assert loss.item() == 0.0
    assert np.isfinite(values(x.grad)).all()


def test_a_uniform_guess_costs_log_of_the_number_of_classes() -> None:
    """The loss is not in nats, or not the mean."""
    loss = functional.cross_entropy(tg.zeros(7, 65), tg.arange(7))
    np.testing.assert_allclose(loss.item(), math.log(65), rtol=1e-6)


def test_starting_values_have_their_distributions() -> None:
    """An initialisation has another range, spread, or structure than it says."""
    w = tg.empty(200, 100)
    bound = math.sqrt(6 / 300)
    assert 0.98 * bound < np.abs(values(init.xavier_uniform_(w))).max() <= bound
    np.testing.assert_allclose(values(init.xavier_normal_(w)).std(), math.sqrt(2 / 300), rtol=0.03)
    uniform = values(init.uniform_(w, 2.0, 3.0))
    assert 2.0 <= uniform.min() < 2.01 < 2.99 < uniform.max() < 3.0
    normal = values(init.normal_(w, 1.0, 0.5))
    np.testing.assert_allclose([normal.mean(), normal.std()], [1.0, 0.5], rtol=0.03)
    for shape in ((6, 4), (4, 6), (5, 5)):
        q = values(init.orthogonal_(tg.empty(*shape, dtype=tg.float64), gain=2.0))
        small = q.T @ q if shape[0] >= shape[1] else q @ q.T
        np.testing.assert_allclose(small, 4 * np.eye(min(shape)), atol=1e-12)
    assert values(init.eye_(tg.empty(2, 3))).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert values(init.constant_(tg.empty(2), 3.0)).tolist() == [3.0, 3.0]
    assert values(init.ones_(tg.empty(1))).tolist() == [1.0]
    assert values(init.zeros_(tg.ones(1))).tolist() == [0.0]
    leaf = tg.empty(3, requires_grad=True)
    assert init.uniform_(leaf) is leaf
    assert leaf.grad_fn is None


def gradients(*arrays: list[float]) -> list[nn.Parameter]:
    found = []
    for array in arrays:
        parameter = nn.Parameter(tg.zeros(len(array)))
        parameter.grad = tg.tensor(array)
        found.append(parameter)
    return found


def test_clipping_by_norm() -> None:
    """Gradients above the limit keep their length, or those below it change."""
    several = gradients([3.0], [4.0])
    total = nn.utils.clip_grad_norm_(several, 1.0)
    assert total.item() == 5.0
    np.testing.assert_allclose([values(p.grad).item() for p in several], [0.6, 0.8], rtol=1e-5)
    nn.utils.clip_grad_norm_(several, 100.0)
    np.testing.assert_allclose([values(p.grad).item() for p in several], [0.6, 0.8], rtol=1e-5)
    without = nn.Parameter(tg.zeros(1))
    assert nn.utils.clip_grad_norm_([without], 1.0).item() == 0.0
    (alone,) = gradients([-8.0])
    assert nn.utils.clip_grad_norm_(alone, 2.0).item() == 8.0
    with pytest.raises(tg.errors.NumericalError, match="learning rate"):
        nn.utils.clip_grad_norm_(gradients([math.nan]), 1.0, error_if_nonfinite=True)


def test_clipping_by_value() -> None:
    """Elements beyond the limit stay, or others move."""
    (parameter,) = gradients([-3.0, 0.5, 2.0])
    nn.utils.clip_grad_value_([parameter], 1.0)
    assert values(parameter.grad).tolist() == [-1.0, 0.5, 1.0]
