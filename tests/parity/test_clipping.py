"""Clipping gradients does what PyTorch's functions of the same names do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples

torch = pytest.importorskip("torch")


@examples(30)
@given(
    norm_type=st.sampled_from([1.0, 2.0, 3.0, float("inf")]),
    max_norm=st.floats(0.01, 20.0),
    seed=st.integers(0, 1000),
)
def test_norms_and_clipped_gradients_are_pytorchs(
    norm_type: float, max_norm: float, seed: int
) -> None:
    """A norm or a clipped gradient that differs from PyTorch's."""
    generator = np.random.default_rng(seed)
    gradients = [generator.standard_normal(shape) for shape in [(3, 2), (4,), ()]]
    ours, theirs = [], []
    for gradient in gradients:
        p = tg.nn.Parameter(np.zeros(gradient.shape))
        p.grad = tg.tensor(gradient)
        ours.append(p)
        q = torch.nn.Parameter(torch.zeros(gradient.shape, dtype=torch.float64))
        q.grad = torch.tensor(gradient)
        theirs.append(q)
    total = tg.nn.utils.get_total_norm([p.grad for p in ours], norm_type)
    expected = torch.nn.utils.get_total_norm([q.grad for q in theirs], norm_type)
    np.testing.assert_allclose(total.item(), expected.item(), rtol=1e-12)
    tg.nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12)
    tg.nn.utils.clip_grad_value_(ours, 0.5)
    torch.nn.utils.clip_grad_value_(theirs, 0.5)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-12)
