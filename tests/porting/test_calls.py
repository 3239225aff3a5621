"""Calls that scripts for PyTorch make: value, type and gradient, over random arguments."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.parity.test_functions import assert_same, lines
from tests.tools import Listener, examples, values
from tinygrad_rnn.errors import UnsupportedError

torch = pytest.importorskip("torch")

# Each line is run with both libraries: x and y are matrices of floats, p positive, i of integers
# below the width, b of truth values; d is an axis, k a length on it, n an integer, s one of
# -3 ... 3.
DIFFERENTIABLE = """
x.add(y, alpha=0.3) | m.sub(x, y, alpha=2) | x.multiply(y) | m.divide(x, p) | x.true_divide(p)
m.subtract(x, y) | x.negative() | m.absolute(x) | x.addcmul(y, p, value=0.5) | m.lerp(x, y, 0.3)
m.addcdiv(x, y, p, value=-2.0) | x.lerp(y, p) | m.addmm(x, x @ y.T, y) | x.mv(y[0])
x.addmm(x @ y.T, y, beta=0.5, alpha=2) | m.baddbmm(x[None], (x @ y.T)[None], y[None])
p.log2() | m.log10(p) | m.tan(x) | x.clamp_min(0.1) | m.clamp_max(x, 0.1) | x.remainder(0.7)
x.roll(s, d) | m.roll(x, s) | x.roll((s, n), (0, 1)) | m.tile(x, (2, n)) | x.tile(n)
x.repeat_interleave(n, d) | m.repeat_interleave(x, n) | x.broadcast_to(n, *x.shape)
m.swapaxes(x, 0, d) | x.movedim(0, d) | x[None].moveaxis((0, 1), (2, 0)) | x.unflatten(d, (1, -1))
x.tril(s) | x.triu(s) | m.tril(x, s) | x.sort(d, descending=True).values | x.topk(k, d).values
x.topk(k, d, largest=False).values | x.topk(k, dim=d, sorted=True)[0] | x[0].outer(y[0])
m.hstack((x, y)) | m.vstack([x, y]) | m.concat((x, y), d) | m.concatenate([x, y], dim=d)
x.masked_fill(b, -1e9) | x.masked_fill(b == 0, -math.inf).exp() | x.scatter(d, w, y) | x.view_as(y)
x.scatter(d, w, 1.5) | x.index_add(0, r, y[:, :]) | x.index_add(0, r, y, alpha=2)
x.index_fill(0, r[:1], 3.0) | x.std(d, unbiased=False) | m.var(x, d, False) | x.var(False)
x.std(unbiased=False) | m.std(x, 0, True) | x.std(d, keepdim=True, unbiased=False)
x.type_as(y) | x.to(m.float64) | x.to("cpu", m.float64) | x.to(y) | x.to(device=m.device("cpu"))
x.to(dtype=m.float64, copy=True) | x.double() | x.cpu() | x.contiguous() | x.reshape_as(y.T).T
m.chunk(x, 2, d)[0] | m.split(x, k, dim=d)[-1] | x.select(d, 0) | m.unbind(x, d)[-1]
x.squeeze(d) | x.unsqueeze(d).squeeze(d) | x.expand_as(x) | x.narrow(d, 0, k)
x.max(d)[0] | x.min(dim=d, keepdim=True)[0] | m.max(x, dim=d).values | m.norm(x, p=2, dim=d)
x.norm(p=1, dim=d) | m.mean(x, dim=d, keepdim=True) | x.mean(dim=(0, 1)) | m.sum(x, dim=(0,))
m.softmax(x, dim=d) | F.softmax(x, dim=d) | F.log_softmax(x, d) | m.cumsum(x, dim=d)
m.gather(x, d, w) | x.index_select(d, w[0] * 0) | x[w[:, 0] * 0] | m.where(b, x, 0.0)
m.einsum("bi,ci->bc", x, y) | m.einsum("bi,bi->b", [x, y]) | m.bmm(x[None], y.T[None])
m.matmul(x, y.t()) | F.relu(x) | F.leaky_relu(x, 0.2) | F.elu(x, alpha=0.5) | x.permute(1, 0)
x.transpose(0, d) | x.flatten(0, 1) | x.sum(d, keepdim=True) * y | m.sigmoid(x) * m.tanh(y)
m.pow(x, 2) | x.pow(2).sum(1).sqrt() | m.exp(x).div(p) | 1.0 / (1.0 + m.exp(-x)) | x.clone()
F.normalize(x, p=2, dim=d) | F.cosine_similarity(x, y, dim=d) | F.mse_loss(x, y, reduction="none")
F.nll_loss(F.log_softmax(x, 1), w[:, 0] * 0) | F.cross_entropy(x, w[:, 0] * 0, reduction="sum")
x.float().sum(d, dtype=m.double) | m.mean(x.float(), 0, dtype=m.float64) | x.flip(dims=(d,))
F.softmax(x.float(), d, dtype=m.float64) | m.log_softmax(x.float(), dim=d, dtype=m.float64)
x.permute(dims=(1, 0)) | m.div(x, p) | x.type(m.float64) | x.type(m.DoubleTensor)
x.sum(axis=d) | m.sum(x, axis=d, keepdims=True) | x.mean(axis=d, keepdims=True) | x.max(axis=d)[0]
m.max(x, axis=d, keepdims=True).values | x.std(axis=d, unbiased=False) | x.softmax(axis=d)
m.cat([x, y], axis=d) | m.stack((x, y), axis=d) | x.cumsum(axis=d)
x.unsqueeze(axis=d).squeeze(axis=d)
m.sum(input=x, dim=d) | m.sigmoid(input=x) | m.matmul(input=x, other=y.T) | m.mm(x, mat2=y.T)
m.bmm(input=x[None], mat2=y.T[None]) | m.split(tensor=x, split_size_or_sections=k, dim=d)[0]
m.where(condition=b, input=x, other=y) | m.dot(input=x[0], tensor=y[0]) | m.outer(x[0], vec2=y[0])
m.addmm(x @ y.T, mat1=x, mat2=y.T) | x.addcmul(tensor1=x, tensor2=y)
m.topk(input=x, k=k, dim=d)[0]
m.softmax(input=x, dim=d) | F.softmax(input=x, dim=d) | F.linear(input=x, weight=y)
m.sort(input=x)[0]
F.pad(input=x, pad=(0, n)) | F.relu(x, inplace=False) | F.relu(x * 1, inplace=True)
F.elu(x + 0, 1.0, True)
F.leaky_relu(x * 1, 0.1, inplace=True) | F.silu(x * 1, inplace=True)
m.cat([m.zeros(0).double(), x])
F.hardtanh(x * 1, inplace=True) | F.dropout(x * 1, 0.0, True, True) | x[range(1)] | F.relu(input=x)
F.mse_loss(x, y, size_average=False) | F.l1_loss(x, y, reduce=False) | x.scatter(d, w, value=2.0)
F.dropout(x, 0.5, training=False) | F.dropout(x, p=0.0) | F.pad(x, (1, n), value=1.0)
"""

CONSTANT = """
m.div(x, 0.7, rounding_mode="floor") | i.div(2, rounding_mode="floor") | x.type(m.LongTensor)
m.where(b)[0] | m.where(b)[1] | x.type() | i.type() | b.type() | x.type("torch.LongTensor")
m.zeros_like(input=x) | m.bernoulli(input=m.ones(3)) | m.tril(input=x) | (1 in i) | (7 in i)
b.any(axis=d)
x.argmax(axis=d) | m.argmax(x, axis=d, keepdims=True)
m.ones(2, 3).scatter_(1, m.tensor([[0]]), value=3)
m.multinomial(input=m.tensor([0.0, 1.0]), num_samples=2, replacement=True)
x.new_full(size=(2,), fill_value=3.0)
m.zeros(size=(2, n)) | m.ones(size=(n,), dtype=m.long) | m.full(size=(n,), fill_value=1.5)
m.full_like(x, fill_value=2) | m.randn(size=(2, n)) * 0 | m.rand(n, generator=None) * 0
m.Tensor(2, n) * 0 | m.Tensor([1, n]) | m.Tensor() | m.Tensor([[1.5], [2]]) | m.LongTensor(2, n) * 0
x.detach().numpy().shape | x.numpy(force=True).shape
x.topk(k, d).indices | x.sort(d).indices | m.argsort(x, d, descending=True) | x.argmax(dim=d)
x.max(d)[1] | m.isclose(x, x + 1e-9) | m.isclose(x, y, rtol=0.5, atol=0.1) | m.equal(x, y)
m.allclose(x, x * (1 + 1e-7)) | x.equal(x) | b.logical_not() | m.logical_and(b, i)
b.logical_or(i) | m.logical_xor(i, b) | m.bitwise_not(b) | m.count_nonzero(i) | i.count_nonzero(d)
m.nonzero(b) | x.nonzero(as_tuple=True)[1] | b[0].nonzero() | m.tensor(3).nonzero()
i.floor_divide(2) | m.remainder(i, 2) | i.type_as(x) | m.floor_divide(x, 0.7)
x.new_zeros(2, 3) | x.new_ones((2, n))
x.new_full((n,), 2.5) | x.new_tensor([1, 2]) | i.new_zeros(n) | x.new_zeros(n, dtype=m.long)
x.new_empty(2, 0) | i.new_tensor([[1.0]]) | i.new_full((2,), n) | x.nelement() | x.element_size()
x.ndimension() | m.greater(x, y) | x.less_equal(y) | m.not_equal(i, n) | i.eq(n)
i.scatter(d, w, 1) | m.zeros(2, n, device="cpu")
m.ones(n, dtype=m.float64, device=m.device("cpu")) | m.empty_like(x) * 0
m.zeros(2, n).scatter_(1, m.tensor([[0], [n - 1]]), 1.0) | m.LongTensor([1, n])
m.FloatTensor([1, 2]) | m.tensor([1.5], device="cpu") | m.arange(n, device="cpu")
m.full((n,), 2, dtype=m.long) | m.zeros_like(x, dtype=m.int64) | m.eye(n, device="cpu")
m.linspace(0, 1, n, device="cpu") | m.tensor(3).repeat(n) | i.double().mul_(2).add_(1, alpha=3)
m.ones(3).fill_(m.tensor(n)) | m.ones(2, 3).masked_fill_(m.tensor([True, False, True]), 5.0)
m.ones(4).copy_(m.arange(4)) | m.arange(4.0).pow_(2).sqrt_().neg_().abs_()
m.zeros(3).exp_().log_() | m.zeros(2).sigmoid_() | m.ones(2).relu_().tanh_()
m.zeros(3).lerp_(m.ones(3), 0.5) | m.ones(3).clamp_(max=0.5) | m.ones(3).clamp_min_(2)
m.ones(3).clamp_max_(0.5)
m.ones(3).addcmul_(m.ones(3), m.ones(3), value=2)
m.ones(3).addcdiv_(m.ones(3), m.ones(3), value=2) | m.ones(3).index_fill_(0, m.tensor([1]), 7)
m.zeros(3).index_add_(0, m.tensor([1, 1]), m.ones(2)) | m.ones(3).sub_(1).div_(2) | i.sum().item()
m.zeros(3).scatter_add_(0, m.tensor([1, 1]), m.ones(2)) | m.numel(x) | m.is_tensor(n)
m.is_floating_point(i) | (x > 0).float().mean() | (i == n).sum().item()
m.randint(0, 5, (3,)) * 0 | m.randn(2, n) * 0 | m.rand(n, dtype=m.float64) * 0
m.zeros(2, 2).uniform_(1, 1) | m.finfo(x.dtype).max | m.zeros(2).normal_(3, 0)
m.zeros(3).bernoulli_(1.0) | m.ones(2, 2).bernoulli_(0) | m.Size([1, n]) | x.size() | x.shape[d]
x.size(-1) | x.dim() | m.tensor([[1, 2]]).tolist() | str(x.device) | x.is_cuda
m.ones(1).requires_grad_().requires_grad | m.pi | m.inf | m.tensor(2.5).item() | len(x)
int(i[0, 0])
"""


def evaluated(
    text: str, module: Any, make: Callable[[Any], Any], seed: int, shape: tuple[int, int], d: int
) -> tuple[Any, dict[str, Any]]:
    random = np.random.default_rng(seed)
    names = {
        "x": make(random.uniform(-2.0, 2.0, shape)),
        "y": make(random.uniform(-2.0, 2.0, shape)),
        "p": make(random.uniform(0.5, 2.0, shape)),
        "i": make(random.integers(0, 3, shape)),
        "b": make(random.uniform(size=shape) > 0.5),
        # Places along axis d, each once.
        "w": make(np.argsort(random.uniform(size=shape), axis=d)),
        "r": make(random.permutation(shape[0])),
    }
    numbers = {
        "d": d,
        "k": int(random.integers(1, shape[d] + 1)),
        "n": int(random.integers(1, 4)),
        "s": int(random.integers(-3, 4)),
    }
    scope = {"m": module, "F": module.nn.functional, "math": math, **names, **numbers}
    # The lines are the tables above, not input from outside.
    return eval(text, scope), names


def ours(array: Any) -> tg.Tensor:
    return tg.tensor(array, requires_grad=array.dtype == np.float64)


def theirs(array: Any) -> Any:
    return torch.tensor(array, requires_grad=array.dtype == np.float64)


ARGUMENTS = (
    st.integers(0, 2**16),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.sampled_from([0, 1, -1]),
)


@pytest.mark.filterwarnings("ignore:.*degrees of freedom", "ignore:size_average and reduce args")
@pytest.mark.parametrize("text", lines(DIFFERENTIABLE))
@given(*ARGUMENTS)
@examples(5)
def test_value_type_and_gradient(
    text: str, seed: int, shape: tuple[int, int], d: int
) -> None:
    """A call gives another number, element type or gradient than PyTorch's of the same name."""
    a, our_names = evaluated(text, tg, ours, seed, shape, d)
    b, their_names = evaluated(text, torch, theirs, seed, shape, d)
    assert_same(a, b, 1e-10)
    weight = np.random.default_rng(5).uniform(0.5, 1.5, tuple(b.shape))
    if not b.requires_grad:
        assert not a.requires_grad
        return
    a.backward(tg.tensor(weight))
    b.backward(torch.tensor(weight))
    for name in "xyp":
        have, want = our_names[name].grad, their_names[name].grad
        assert (have is None) == (want is None)
        if want is not None:
            assert_same(have, want, 1e-10)


@pytest.mark.parametrize("text", lines(CONSTANT))
@given(*ARGUMENTS)
@examples(3)
def test_value_and_type(text: str, seed: int, shape: tuple[int, int], d: int) -> None:
    """A call without gradient gives another number or type than PyTorch's of the same name."""
    a, _ = evaluated(text, tg, ours, seed, shape, d)
    b, _ = evaluated(text, torch, theirs, seed, shape, d)
    if isinstance(b, torch.Tensor):
        assert_same(a, b, 1e-6)
    else:
        assert a == b
        assert isinstance(a, tuple) or type(a) is type(b) or isinstance(a, np.floating)


@pytest.mark.parametrize("text", lines(DIFFERENTIABLE))
def test_no_number_is_read_to_compute_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call cannot be recorded by jit, because it looks at numbers while it computes."""
    monkeypatch.setattr(tg.context.state, "recorder", Listener())
    evaluated(text, tg, ours, 3, (3, 4), 1)


PARTS: dict[str, Any] = {"number": 0, "slice": slice(None), "new axis": None, "tensor": [1, 0, 1]}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_mix_of_indices_is_pytorchs_or_refused(count: int) -> None:
    """An index of numbers, slices and tensors gives other axes than in PyTorch."""
    x = np.arange(16).reshape(2, 2, 2, 2)
    refused = 0
    for kinds in itertools.product(PARTS, repeat=count):

        def index(make: Callable[[Any], Any], kinds: Any = kinds) -> Any:
            return tuple(make(PARTS[k]) if k == "tensor" else PARTS[k] for k in kinds)

        expected = torch.tensor(x)[index(torch.tensor)]
        try:
            found = tg.tensor(x)[index(tg.tensor)]
        except UnsupportedError:
            refused += 1
            continue
        assert found.shape == tuple(expected.shape), kinds
        assert found.tolist() == expected.tolist(), kinds
    assert refused < 0.2 * len(PARTS) ** count


@pytest.mark.parametrize("arguments", [(100, 200, 0.1), (5, 0, -0.3), (1e3, 1.1e3, 0.01), (2.5,)])
def test_counting_does_not_drift(arguments: tuple[float, ...]) -> None:
    """arange adds up a step that was rounded to float32, and is off in the end."""
    assert_same(tg.arange(*arguments), torch.arange(*arguments), 1e-6)


def composed(x: tg.Tensor, y: tg.Tensor, i: tg.Tensor) -> tuple[tg.Tensor, ...]:
    """Several calls that are made of others, and a gradient through them."""
    x = x.detach().requires_grad_()
    results = [
        x.roll(1, 0).lerp(y, 0.25),
        x.scatter(1, i, y),
        x.index_add(1, i[0, :1], y[:, :1]),
        x.index_fill(1, i[0, :1], 2.0),
        x.topk(2, 1).values,
        x.sort(0).values,
        x.tril() + x.triu(1),
        x.std(0, unbiased=False).outer(y[0]),
        x.repeat_interleave(2, 1).unflatten(1, (-1, 2)).movedim(0, 2),
        x.addcmul(y, y, value=0.5),
        x.log_softmax(1, dtype=tg.float64).float(),
        tg.zeros(3).add_(x.detach()[0, :3]).clamp_min_(0.1).sqrt_(),
        tg.isclose(x, y, rtol=0.5).float(),
    ]
    total = sum(((part * part).sum() for part in results[:11]), tg.zeros(()))
    (gradient,) = tg.grad(total, [x])
    return (*(part.detach() for part in results), gradient)


def test_compiled_calls_give_the_same_numbers() -> None:
    """A call gives other numbers in a compiled step than one by one."""
    random = np.random.default_rng(7)
    step = tg.jit(composed)
    for _ in range(3):
        x, y = (tg.tensor(random.uniform(-1, 1, (3, 4)).astype(np.float32)) for _ in range(2))
        i = tg.tensor(np.argsort(random.uniform(size=(3, 4)), axis=1))
        for a, b in zip(step(x, y, i), composed(x, y, i), strict=True):
            np.testing.assert_allclose(values(a), values(b), rtol=1e-5, atol=1e-6)
