"""Functions and methods under PyTorch's names: value, type of the result, and gradient."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import values

torch = pytest.importorskip("torch")

F = tg.nn.functional

# Each line is run with both libraries: `m` is the module, `F` its functional module, x, y
# matrices of floats, p one of positive floats, i one of integers, b one of booleans.
DIFFERENTIABLE = """
x + y | x - y | x * y | x / p | p ** y | x ** 2 | x ** 3 | p ** -0.5 | 2 ** x | x + 1 | 1 - x
x * i | x + i | i * x | x / i | i / p | x * b | x + b | p ** i | 2.0 / p | x.double() * 2
m.exp(x) | m.log(p) | p.log1p() | m.sqrt(p) | p.rsqrt() | p.reciprocal() | m.abs(x) | x.square()
m.sin(x) | m.cos(x) | m.tanh(x) | m.sigmoid(x) | m.relu(x) | x.erf() | -x | x.neg()
F.softplus(x) | F.logsigmoid(x) | F.gelu(x) | F.gelu(x, approximate="tanh")
m.clamp(x, -0.5, 0.5) | x.clamp(min=0.1) | x.clamp(max=0.1) | m.maximum(x, y) | m.minimum(x, y)
m.where(b, x, y) | x.where(b, y) | m.where(b, x, 0.0) | x.masked_fill(b, 2.5) | m.sum(x)
x.sum(0) | x.sum((0, 1)) | x.sum(-1, keepdim=True) | m.mean(x) | x.mean(1) | x.mean((0, 1))
m.max(x) | m.min(x) | x.max(1).values | x.min(0, keepdim=True).values | x.amax(1) | x.amin((0, 1))
m.var(x) | x.var(1) | x.var(0, correction=0) | x.std() | x.std(1) | m.logsumexp(x, 1)
x.logsumexp((0, 1)) | x.norm() | m.norm(x, 1) | x.norm(3, 1) | x.norm(math.inf)
x.norm(2, 0, True) | x.norm(-math.inf) | m.softmax(x, 1) | m.log_softmax(x, 0) | m.cumsum(x, 1)
x.cumsum(-2) | x @ y.T | m.matmul(x, y.mT) | x @ y[0] | x[0] @ y.t() | x.mm(y.T) | x[0].dot(y[1])
m.outer(x[0], y[0]) | m.bmm(x.unsqueeze(0), y.T.unsqueeze(0)) | m.einsum("ij,kj->ik", x, y)
m.einsum("ij->j", x) | x.reshape(-1) | x.view(2, 6) | x.flatten() | m.transpose(x, 0, 1)
x.permute(1, 0) | x.T | x.t() | x.unsqueeze(1).expand(-1, 2, -1) | x.unsqueeze(0).squeeze()
x.repeat(2, 1) | x.repeat(2, 1, 2) | x[1] | x[:, 1:3] | x[..., -1] | x[None] | x[b] | x[[0, 2, 0]]
x[:, [1, 1]] | x[::2, 1] | x.select(1, 2) | x.narrow(1, 1, 2) | x.index_select(1, i[0].long())
x.masked_select(b) | m.gather(x, 1, i.long()) | x.scatter_add(1, i.long(), y) | m.cat([x, y], 1)
m.stack([x, y], -1) | m.flip(x, [0]) | x.flip(0, 1) | m.triu(x, 1) | x.chunk(2, 1)[1]
x.unbind(1)[2] | F.pad(x, (1, 2)) | F.pad(x, (1, 0, 0, 2), value=3.0) | m.sort(x, 1).values
m.sort(x, 0, descending=True).values | m.topk(x, 2).values | m.topk(x, 2, 0, largest=False).values
F.linear(x, y) | F.linear(x, y, y[:, 0]) | F.mse_loss(x, y) | F.mse_loss(x, y, reduction="sum")
F.cross_entropy(x, i[:, 0].long()) | F.cross_entropy(x, i[:, 0].long(), reduction="none")
F.cross_entropy(x, i[:, 0].long(), weight=p[0].detach(), label_smoothing=0.1)
F.cross_entropy(x, i[:, 0].long(), weight=p[0].detach(), label_smoothing=0.1, reduction="sum")
F.cross_entropy(x, i[:, 0].long(), weight=p[0].detach(), label_smoothing=0.1, reduction="none")
F.cross_entropy(x, i[:, 0].long(), ignore_index=2) | F.cross_entropy(x[0], i[0, 0].long())
F.cross_entropy(x.reshape(1, 3, 4), i[:1].long()) | F.nll_loss(x.log_softmax(1), i[:, 0].long())
F.nll_loss(x, i[:, 0].long(), weight=p[0].detach(), ignore_index=1) | F.embedding(i[:2], x)
x % 1.5 | x.sign() * x | m.tril(x) | m.cat(m.split(x, 3, 1), 1) | x.float() * 2 | x.floor() + x
x.ceil() * x | x.round() + x | F.layer_norm(x, (4,)) | F.layer_norm(x, (4,), y[0], p[0], 0.1)
F.layer_norm(x, (3, 4), p) | F.l1_loss(x, y) | F.huber_loss(x, y, delta=0.5)
F.smooth_l1_loss(x, y) | F.smooth_l1_loss(x, y, beta=0.3)
F.binary_cross_entropy(x.sigmoid(), y.sigmoid()) | F.binary_cross_entropy_with_logits(x, p)
F.binary_cross_entropy_with_logits(x, y.sigmoid(), pos_weight=p[0].detach(), reduction="sum")
F.kl_div(x, p, reduction="batchmean") | F.cross_entropy(x, p) | F.cosine_similarity(x, y)
F.pairwise_distance(x, y) | F.normalize(x, dim=0) | F.triplet_margin_loss(x, y, p)
F.cosine_embedding_loss(x, y, b[:, 0] * 2 - 1) | F.scaled_dot_product_attention(x, y, p)
F.silu(x) | F.elu(x) | F.leaky_relu(x) | F.hardtanh(x) | F.softplus(x, 2.0, 1.0)
F.pad(x, (1, 2), "constant", 3.0)
x.sum(()) | m.sum(x, [], True) | x.mean((), keepdim=True) | x.amax(())
x.amin((), True) | x.norm(2, ()) | x.norm(1, (), True) | m.norm(x, math.inf, ()) | x.norm(3, ())
x.logsumexp((), True) | x.masked_select(b[0]) | x[0].masked_select(b) | x[1].masked_select(b[0, 0])
x.masked_select(b[:, :1]) | x.sum_to_size(1, 4) | x.sum_to_size(4) | x.sum_to_size([3, 1])
x.round(decimals=1) * x | m.round(x * 90, decimals=-1) * x | m.cumsum(x, 1, dtype=m.float64)
x[np.array(1)] | x[:, np.array([0, 2])] | x.masked_fill(b, m.tensor(2)) | x.flatten(0, -1)
"""

CONSTANT = """
i + i | i * 2 | i / 2 | i // 2 | i % 2 | i ** 2 | i + 1.5 | i * b | b + 1 | b * 2.5 | i - i | -i
x > y | x >= 0 | x == x | x != y | i < 2 | i <= i | b & (i > 1) | b.__or__(i > 1) | ~b | b ^ b
x > i | i.sum() | m.tril(i)
b.sum() | i.sum(1) | i.max() | i.max(1).indices | m.argmax(x) | m.argmax(x, 1) | x.argmin(0)
i.cumsum(0) | b.cumsum(1) | i.clamp(min=1) | i.clamp(1, 2) | i.abs() | m.where(b, i, 0)
m.where(b, i, 0.5) | m.where(b, 1, 0) | m.where(b, 1.0, 0.0) | x.isnan() | x.isinf()
x.isfinite() | b.any() | b.all(1) | b.any(0) | i.float() | i.double() | x.long() | i.bool()
x.int() | i.int().sum() | i.to(m.uint8).sum() | x // 0.7 | m.arange(5) | m.arange(1, 2, 0.25)
m.arange(1.0, 4.0) | m.linspace(0, 1, 5) | m.eye(3) | m.full((2,), 1.5) | m.full((2,), 3)
m.full((2,), True) | m.zeros(2, 3) | m.ones((2,)) | m.tensor([1, 2]) | m.tensor([1.5])
m.tensor(True) | m.tensor([[1.0], [2.0]]) | m.zeros_like(i) | m.ones_like(b) | m.full_like(x, 2)
F.one_hot(i) | F.one_hot(i, 6) | m.sort(i, 1).indices | m.sort(x, 1, descending=True).indices
m.topk(x, 3, 1).indices | i.max(0).values | x.numel() | x.dim() | x.size(1) | i[0].dot(i[1])
i @ i.T | i.amax(1) | i.flip(1) | i.repeat(1, 2) | m.cat([i, i]) | i.gather(1, i)
x.detach().var(()) | x.detach().std([], keepdim=True) | x.count_nonzero(()) | b.any(()) | b.all([])
i.sum(()) | m.tensor(2.0).flatten(-1, 0) | i.to(m.uint8) + m.tensor(250) | m.tensor(7) * i.int()
m.tensor(7) - m.tensor(3, dtype=m.int8) | b + m.tensor(2, dtype=m.int8) | i.int() + m.tensor(True)
m.where(b, i.int(), m.tensor(7)) | i.masked_fill(b, 0.5) | i.masked_fill(b, -1.9)
i.masked_fill(b, m.tensor(2.5)) | b.masked_fill(b, 2) | i.index_fill(0, i[0, :1], 2.5)
i.scatter(1, i[:, :1], 1.5) | b.tril() | b.triu(1) | b.square() | b ** 2
m.tensor([math.nan, -2.0, 0.0]).sign() | i.cumsum(0, dtype=m.float32) | b.cumsum(1, dtype=m.int8)
i.sum(dtype=m.int8) | x.detach().cumsum(0, dtype=m.int64) | m.tensor([np.float64(1.1)])
m.tensor([1.5, np.float64(1.1)]) | m.tensor([[np.float64(1.1)], [2.0]]) | m.tensor([np.int32(1)])
m.tensor([np.float32(1.1), 1.5]) | m.tensor([np.int32(1), 1.5]) | i.new_full((2,), 1.5)
i.new_tensor([1.5]) | i.to(m.uint8).new_tensor(np.array([300])) | (i * 0.5) // 0 | i // 2.5
m.tensor([], dtype=m.int64) // 0 | 7 // (i + 1) | 7 % (i + 1) | i % -2
"""


def lines(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


def arrays(dtype: Any = np.float32) -> dict[str, Any]:
    random = np.random.default_rng(11)
    return {
        "x": random.uniform(-2.0, 2.0, (3, 4)).astype(dtype),
        "y": random.uniform(-2.0, 2.0, (3, 4)).astype(dtype),
        "p": random.uniform(0.5, 2.0, (3, 4)).astype(dtype),
        "i": random.integers(0, 3, (3, 4)),
        "b": random.uniform(size=(3, 4)) > 0.5,
    }


def run(
    text: str, module: Any, make: Callable[[Any], Any], dtype: Any
) -> tuple[Any, dict[str, Any]]:
    names = {name: make(array) for name, array in arrays(dtype).items()}
    functional = module.nn.functional
    # The lines are the table above, not input from outside.
    return eval(text, {"m": module, "F": functional, "math": math, "np": np, **names}), names


def run_both(text: str, dtype: Any = np.float32) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    def ours(array: Any) -> tg.Tensor:
        return tg.tensor(array, requires_grad=array.dtype == dtype)

    def theirs(array: Any) -> Any:
        return torch.tensor(array, requires_grad=array.dtype == dtype)

    a, our_names = run(text, tg, ours, dtype)
    b, their_names = run(text, torch, theirs, dtype)
    return a, b, our_names, their_names


def assert_same(a: Any, b: Any, tolerance: float) -> None:
    assert tuple(a.shape) == tuple(b.shape)
    assert str(a.dtype) == str(b.dtype).removeprefix("torch.")
    np.testing.assert_allclose(values(a), b.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("text", lines(DIFFERENTIABLE))
def test_value_type_and_gradient(text: str, dtype: Any) -> None:
    """A call under PyTorch's name gives another number, element type or gradient."""
    tolerance = 2e-5 if dtype is np.float32 else 1e-12
    if dtype is np.float64 and text.startswith("x.float"):
        tolerance = 1e-6
    a, b, ours, theirs = run_both(text, dtype)
    assert_same(a, b, tolerance)
    weight = np.random.default_rng(5).uniform(0.5, 1.5, tuple(a.shape))
    a.backward(tg.tensor(weight, dtype=a.dtype))
    b.backward(torch.tensor(weight, dtype=b.dtype))
    for name in "xyp":
        have, want = ours[name].grad, theirs[name].grad
        assert (have is None) == (want is None)
        if want is not None:
            assert_same(have, want, tolerance)


@pytest.mark.parametrize("text", lines(CONSTANT))
def test_value_and_type(text: str) -> None:
    """A call without gradient gives another number or element type than PyTorch's."""
    a, b, _, _ = run_both(text)
    if isinstance(b, (int, float)):
        assert a == b
    else:
        assert_same(a, b, 1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "x + y[:2]",
        "x @ y",
        "x.reshape(5)",
        "x.expand(-1, 3, 4)",
        "x.narrow(0, 2, 5)",
        "x.repeat(2)",
        "x.flatten(1, 0)",
        "x.split([1, 1])",
        "x.split([4, -1])",
        "m.cat([x, x[0]])",
        "x.sum(2)",
        "x.repeat(-1, 1)",
        "x[5]",
        "x[i[0] + 9]",
        "m.einsum('ij,ij', x, y[:2])",
        "x.item()",
        "x.gather(1, i + 9)",
        "x.scatter_add(1, i, y[:1])",
        "m.stack([x, x[0]])",
        "x.view(-1, -1)",
        "x.backward()",
        "x.unsqueeze(4)",
        "x.permute(0)",
        "m.topk(x, 9)",
        "i.mean()",
        "F.one_hot(i, 2)",
        "F.cross_entropy(x, i[0])",
        "F.cross_entropy(x, i[:, 0] + 9)",
        "m.zeros(-1)",
        "x.narrow(0, 0, -1)",
        "m.where(x, x, x)",
        "bool(x)",
        "x.permute(0, 0)",
        "i ** -1",
        "i.requires_grad_()",
        "m.eye(-1)",
        "m.bernoulli(p * 9)",
        "m.multinomial(p, -1)",
        "m.multinomial(p, 9)",
        "x[0].bmm(x)",
        "m.randn(-1)",
        "F.embedding(i + 9, x)",
        "F.pad(x, (1,))",
        "x.clamp()",
        "x.chunk(0)",
        "x.index_select(0, i)",
        "x.index_select(0, m.tensor([-1]))",
        "i // 0",
        "i % m.tensor(0)",
        "7 // (i * 0)",
        "i.div(0, rounding_mode='floor')",
        "m.remainder(i, 0)",
        "i.floor_divide(False)",
        "i.masked_fill(b, math.nan)",
        "i.scatter(1, i[:, :1], 1e30)",
        "i.to(m.uint8).new_full((2,), 300)",
        "i.new_full((2,), math.inf)",
        "i.new_tensor([2**70])",
        "i.new_tensor([[1], [1, 2]])",
        "m.tensor([300], dtype=m.uint8)",
        "x.mm([1])",
        "x.mm(None)",
        "x[0].dot([1.0])",
        "x[None].bmm(None)",
        "x.tril('a')",
        "x.triu(1.5)",
        "x.reshape(-2, 6)",
        "x.view(-3, 4)",
        "m.tensor(1.0).flatten(1)",
        "m.tensor(1.0).flatten(0, 9)",
        "m.rand(3, generator=5)",
        "x.sum_to_size(2)",
        "i.round(decimals=1)",
        "x.round(decimals=0.5)",
        "x.masked_select(b[:, 0])",
        "x.masked_select(x)",
        "x[::0]",
        "x.__setitem__(slice(None, None, 0), 0.0)",
        "x[:, [[0, 1], [0]]]",
    ],
)
def test_what_pytorch_refuses_is_refused(text: str) -> None:
    """A mistake that PyTorch reports is silently computed, or fails with an untyped error."""
    with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)):
        run(text, torch, torch.tensor, np.float32)
    with pytest.raises(tg.errors.TinygradRnnError):
        run(text, tg, tg.tensor, np.float32)
