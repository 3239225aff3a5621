"""Losses, distances and functions between layers: gradients, jit, equations, edges."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree
from tests.nn.problems import PROBLEMS, Problem
from tests.tools import Array, examples, leaf, same_bits, values
from tinygrad_rnn import nn
from tinygrad_rnn.nn import functional


def ours(array: Any) -> Any:
    return None if array is None else tg.tensor(array)


def called(problem: Problem) -> Callable[..., tg.Tensor]:
    return lambda *leaves: problem.call(functional, ours, *leaves)


@pytest.mark.parametrize("name", PROBLEMS)
@examples(8)
@given(data=st.data())
def test_gradients_of_first_and_second_order(name: str, data: Any) -> None:
    """A gradient differs from finite differences, or an input is modified."""
    problem = PROBLEMS[name](data.draw)
    inputs = [leaf(x) for x in problem.inputs]
    assert tg.gradcheck(called(problem), inputs)
    assert tg.gradcheck(called(problem), inputs, order=2)


@pytest.mark.parametrize("name", PROBLEMS)
@seed(5)
@examples(1)
@given(data=st.data())
def test_compiled_is_eager(name: str, data: Any) -> None:
    """A replay gives another value or gradient than the same call run eagerly."""
    problem = PROBLEMS[name](data.draw)
    function = called(problem)

    def step(*inputs: tg.Tensor) -> Any:
        out = function(*inputs)
        return out.detach(), tg.grad((out * out).sum(), list(inputs), allow_unused=True)

    compiled = tg.jit(step)
    for factor in (1.0, 0.9):
        inputs = [leaf(x * factor) for x in problem.inputs]
        # Only the second call runs the recording.
        assert_agree(compiled(*inputs), step(*inputs))
    assert len(compiled.recordings) == 1


D = np.array([[-2.0, -1.0, -0.25], [0.0, 0.5, 3.0]])
P = np.array([[0.1, 0.5, 0.9], [0.3, 0.6, 0.2]])
T = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.25]])


def sigmoid(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


EQUATIONS: dict[str, tuple[Callable[..., tg.Tensor], tuple[Array, ...], Any]] = {
    "l1_loss": (functional.l1_loss, (D, T), np.abs(D - T).mean()),
    "huber_loss": (
        lambda x, t: functional.huber_loss(x, t, delta=0.5),
        (D, 0 * D),
        np.mean([0.5 * (2 - 0.25), 0.5 * 0.75, 0.25**2 / 2, 0.0, 0.125, 0.5 * 2.75]),
    ),
    "smooth_l1_loss": (
        lambda x, t: functional.smooth_l1_loss(x, t, beta=0.5),
        (D, 0 * D),
        np.mean([2 - 0.25, 1 - 0.25, 0.25**2, 0.0, 0.25, 3 - 0.25]),
    ),
    "binary_cross_entropy": (
        functional.binary_cross_entropy,
        (P, T),
        -np.mean(T * np.log(P) + (1 - T) * np.log(1 - P)),
    ),
    "binary_cross_entropy_with_logits": (
        lambda x, t: functional.binary_cross_entropy_with_logits(
            x, t, tg.tensor([1.0, 2.0, 3.0], dtype=tg.float64), reduction="sum",
            pos_weight=tg.tensor([4.0, 5.0, 6.0], dtype=tg.float64),
        ),
        (D, T),
        -np.sum(
            [1, 2, 3]
            * ([4, 5, 6] * T * np.log(sigmoid(D)) + (1 - T) * np.log(1 - sigmoid(D)))
        ),
    ),
    "kl_div": (
        lambda x, t: functional.kl_div(x, t, reduction="batchmean"),
        (np.log(P), P[::-1]),
        (P[::-1] * np.log(P[::-1] / P)).sum() / 2,
    ),
    "probabilities as targets": (
        lambda x, t: functional.cross_entropy(x, t, label_smoothing=0.2),
        (D, T),
        -np.mean(np.sum((0.8 * T + 0.2 / 3) * np.log(np.exp(D).T / np.exp(D).sum(1)).T, 1)),
    ),
    "cosine_similarity": (
        functional.cosine_similarity,
        (D, P),
        (D * P).sum(1) / np.sqrt((D * D).sum(1) * (P * P).sum(1)),
    ),
    "pairwise_distance": (
        lambda a, b: functional.pairwise_distance(a, b, p=1, eps=0.0, keepdim=True),
        (D, P),
        np.abs(D - P).sum(1, keepdims=True),
    ),
    "triplet_margin_loss": (
        lambda a, b, c: functional.triplet_margin_loss(a, b, c, margin=2.0, eps=0.0),
        (D, P, T),
        np.maximum(
            0, np.linalg.norm(D - P, axis=1) - np.linalg.norm(D - T, axis=1) + 2.0
        ).mean(),
    ),
    "cosine_embedding_loss": (
        lambda a, b: functional.cosine_embedding_loss(a, b, tg.tensor([1, -1]), reduction="none"),
        (D, P),
        np.array([1, 0]) - np.array([1, -1]) * (D * P).sum(1)
        / np.sqrt((D * D).sum(1) * (P * P).sum(1)),
    ),
    "normalize": (functional.normalize, (D,), D / np.linalg.norm(D, axis=1, keepdims=True)),
    "softplus": (
        lambda x: functional.softplus(x, beta=2.0), (D,), np.log(1 + np.exp(2 * D)) / 2
    ),
    "silu": (functional.silu, (D,), D * sigmoid(D)),
    "leaky_relu": (functional.leaky_relu, (D,), np.where(D > 0, D, 0.01 * D)),
    "elu": (functional.elu, (D,), np.where(D > 0, D, np.exp(D) - 1)),
    "hardtanh": (functional.hardtanh, (D,), np.clip(D, -1, 1)),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_equations(name: str) -> None:
    """A loss or function computes something else than its equation."""
    function, arrays, wanted = EQUATIONS[name]
    found = function(*[tg.tensor(x) for x in arrays])
    np.testing.assert_allclose(values(found), wanted, rtol=1e-11)


@pytest.mark.parametrize("name", PROBLEMS)
@examples(2)
@given(data=st.data())
def test_nan_shows(name: str, data: Any) -> None:
    """A NaN among the predictions disappears."""
    problem = PROBLEMS[name](data.draw)
    inputs = [np.full(x.shape, np.nan) for x in problem.inputs]
    assert np.isnan(values(called(problem)(*[tg.tensor(x) for x in inputs]))).any()


def test_what_is_ignored_leaves_no_trace() -> None:
    """An ignored row of infinities makes the loss or its gradient NaN."""
    x = tg.tensor([[-math.inf, 0.0], [1.0, 2.0]], requires_grad=True)
    for smoothing in (0.0, 0.1):
        x.grad = None
        target = tg.tensor([7, 1])
        loss = functional.cross_entropy(x, target, None, 7, label_smoothing=smoothing)
        loss.backward()
        assert math.isfinite(loss.item())
        assert values(x.grad)[0].tolist() == [0.0, 0.0]
        assert np.isfinite(values(x.grad)).all()


def test_elu_of_large_numbers_has_a_gradient() -> None:
    """The branch that is not taken overflows, and 0 times infinity reaches the gradient."""
    x = tg.tensor([1e3, -1e3], requires_grad=True)
    functional.elu(x).sum().backward()
    assert values(x.grad).tolist() == [1.0, 0.0]


def test_weights_of_losses_are_converted_and_saved() -> None:
    """A loss in float64 refuses its own weight, or the weight is missing from the state."""
    loss = nn.BCEWithLogitsLoss(pos_weight=tg.ones(2)).double()
    x = tg.zeros(3, 2, dtype=tg.float64)
    assert loss(x, x).dtype == tg.float64
    assert list(loss.state_dict()) == ["pos_weight"]
    assert list(loss.parameters()) == []


def test_probabilities_in_range_under_jit_are_checked_in_every_call() -> None:
    """A replay of binary_cross_entropy accepts what the first call would have refused."""
    step = tg.jit(lambda p, t: functional.binary_cross_entropy(p, t))
    p = tg.tensor([0.5, 1.0])
    first, second = step(p, p), step(p, p)
    assert same_bits(first, second)
    with pytest.raises(tg.errors.ArgumentError, match=r"1\.5"):
        step(p + 0.5, p)
