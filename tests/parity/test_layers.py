"""Layers, losses and attention against PyTorch's: values, gradients and gradients of gradients."""

import copy
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.nn.problems import PROBLEMS
from tests.tools import examples, values
from tinygrad_rnn import nn

torch = pytest.importorskip("torch")

CLOSE: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}


def ours(array: Any) -> Any:
    return None if array is None else tg.tensor(array)


def theirs(array: Any) -> Any:
    return None if array is None else torch.tensor(np.array(array, order="C"))


def assert_close(a: Any, b: Any) -> None:
    """Compare a tensor of ours with one of PyTorch's; None is a gradient of 0."""
    if a is None or b is None:
        have = a if b is None else b
        assert have is None or not values_of(have).any()
        return
    assert tuple(a.shape) == tuple(b.shape)
    np.testing.assert_allclose(values_of(a), values_of(b), **CLOSE)


def values_of(x: Any) -> Any:
    return values(x) if isinstance(x, tg.Tensor) else x.detach().numpy(force=True)


def derivatives(total: Any, leaves: list[Any], grad: Any, times: list[Any]) -> list[Any]:
    """The gradients of a number, and those of their weighted sum."""
    first = grad(total, leaves, create_graph=True, allow_unused=True)
    parts = [(g * w).sum() for g, w in zip(first, times, strict=True) if g is not None]
    second_total = sum(parts[1:], parts[0])
    second: Any = [None] * len(leaves)
    if second_total.requires_grad:
        second = grad(second_total, leaves, allow_unused=True)
    return [*first, *second]


@pytest.mark.parametrize("name", PROBLEMS)
@examples(25)
@given(data=st.data())
def test_values_and_derivatives_agree(name: str, data: Any) -> None:
    """A value, a gradient or a second-order gradient differs for some settings and shapes."""
    problem = PROBLEMS[name](data.draw)
    random = np.random.default_rng(3)
    a = [tg.tensor(x, requires_grad=True) for x in problem.inputs]
    b = [theirs(x).requires_grad_() for x in problem.inputs]
    mine = problem.call(nn.functional, ours, *a)
    # PyTorch's other kernels for attention have no second derivative.
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        other = problem.call(torch.nn.functional, theirs, *b)
    assert_close(mine, other)
    weight = random.uniform(0.5, 1.5, tuple(mine.shape))
    times = [random.uniform(-1.0, 1.0, x.shape) for x in problem.inputs]
    found = derivatives((mine * ours(weight)).sum(), a, tg.grad, [ours(t) for t in times])
    wanted = derivatives(
        (other * theirs(weight)).sum(), b, torch.autograd.grad, [theirs(t) for t in times]
    )
    for have, want in zip(found, wanted, strict=True):
        assert_close(have, want)


# Modules that both libraries have, on one input x (3, 4) or on x, y and z.
UNARY = """
Softmax(dim=1) | Softmax(0) | LogSoftmax(-1) | Tanh() | Sigmoid() | ReLU() | LogSigmoid() | SiLU()
LeakyReLU() | LeakyReLU(0.3) | ELU() | ELU(0.5) | GELU() | GELU("tanh") | Softplus()
Softplus(2.0, 1.0) | Hardtanh() | Hardtanh(-0.3, 0.2) | Identity(54, unused=True) | Flatten()
Flatten(0) | LayerNorm(4) | LayerNorm((3, 4)) | LayerNorm([4], eps=0.1, elementwise_affine=False)
LayerNorm(4, bias=False) | Dropout(0.0) | Sequential(ReLU(), Tanh())
"""
BINARY = """
MSELoss() | MSELoss(reduction="sum") | L1Loss() | L1Loss(reduction="none") | HuberLoss("sum", 0.3)
HuberLoss() | SmoothL1Loss() | SmoothL1Loss(beta=0.2) | BCEWithLogitsLoss() | CosineSimilarity()
CosineSimilarity(dim=0, eps=1e-2) | PairwiseDistance() | PairwiseDistance(1, 0.1, True)
KLDivLoss(reduction="batchmean") | KLDivLoss(reduction="sum", log_target=True)
CrossEntropyLoss() | CrossEntropyLoss(label_smoothing=0.2)
"""


def lines(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


@pytest.mark.parametrize("text", lines(UNARY) + lines(BINARY))
def test_modules_agree(text: str) -> None:
    """A module's settings or defaults mean something else than PyTorch's."""
    random = np.random.default_rng(8)
    arrays = [random.uniform(0.1, 0.9, (3, 4)) for _ in range(1 if text in lines(UNARY) else 2)]
    # The lines are the table above, not input from outside.
    mine = eval(text, vars(nn) | {"__builtins__": __builtins__})
    other = eval(text, vars(torch.nn) | {"__builtins__": __builtins__})
    assert list(mine.double().state_dict()) == list(other.double().state_dict())
    a = [tg.tensor(x, requires_grad=True) for x in arrays]
    b = [torch.tensor(x, requires_grad=True) for x in arrays]
    have, want = mine(*a), other(*b)
    assert_close(have, want)
    have.sum().backward()
    want.sum().backward()
    for x, y in zip(a, b, strict=True):
        assert_close(x.grad, y.grad)


def test_losses_with_weights_and_targets_agree() -> None:
    """A loss module passes its weight, margin or target on in another way than PyTorch's."""
    random = np.random.default_rng(9)
    x, y, z = (random.uniform(0.1, 0.9, (3, 4)) for _ in range(3))
    w, pairs = random.uniform(0.5, 1.5, 4), np.array([1, -1, 1])

    def run(library: Any, make: Any) -> list[Any]:
        a, b, c, weight = make(x), make(y), make(z), make(w)
        F, losses = library.nn.functional, library.nn
        return [
            losses.CrossEntropyLoss(weight, ignore_index=1, reduction="sum")(a, make([1, 0, 3])),
            losses.NLLLoss(weight, ignore_index=1)(F.log_softmax(a, 1), make([1, 0, 3])),
            losses.BCELoss(weight, reduction="none")(a, b),
            losses.BCEWithLogitsLoss(weight, reduction="sum", pos_weight=weight * 2)(a, b),
            losses.CosineEmbeddingLoss(0.1, reduction="sum")(a, b, make(pairs)),
            losses.TripletMarginLoss(0.2, 2, 1e-3, True, reduction="none")(a, b, c),
        ]

    for have, want in zip(run(tg, ours), run(torch, theirs), strict=True):
        assert_close(have, want)


EDGES: dict[str, Any] = {
    "all ignored": lambda F, make: F.cross_entropy(make(np.ones((2, 3))), make([-100, -100])),
    "no rows": lambda F, make: F.cross_entropy(
        make(np.ones((0, 3))), make(np.zeros(0, np.int64)), reduction="sum"
    ),
    "no rows, mean": lambda F, make: F.mse_loss(make(np.ones((0, 3))), make(np.ones((0, 3)))),
    "an ignored row of infinities": lambda F, make: F.nll_loss(
        make(np.array([[-np.inf, -np.inf], [-1.0, -2.0]])), make([-100, 1])
    ),
    "smoothing beside an infinity": lambda F, make: F.cross_entropy(
        make(np.array([[1.0, -np.inf], [1.0, 2.0]])), make([-100, 1]), label_smoothing=0.1
    ),
    "saturated logits": lambda F, make: F.binary_cross_entropy_with_logits(
        make(np.array([1e4, -1e4, 1e4])), make(np.array([1.0, 0.0, 0.0])), reduction="none"
    ),
    "certain probabilities": lambda F, make: F.binary_cross_entropy(
        make(np.array([0.0, 1.0, 1.0, 0.0, 1e-40])), make(np.array([0.0, 1.0, 0.0, 1.0, 1.0])),
        reduction="none",
    ),
    "divergence from certainty": lambda F, make: F.kl_div(
        make(np.array([[-1.0, -2.0]])), make(np.array([[0.0, 1.0]])), reduction="none"
    ),
    "vectors of zeros": lambda F, make: F.cosine_similarity(
        make(np.zeros((2, 3))), make(np.ones((2, 3)))
    ),
    "softplus beyond its threshold": lambda F, make: F.softplus(make(np.array([19.0, 21.0]))),
    "one element": lambda F, make: F.layer_norm(make(np.array([[3.0]])), (1,)),
    "labels that are neither": lambda F, make: F.cosine_embedding_loss(
        make(np.ones((2, 3))), make(np.ones((2, 3))), make(np.array([0, 1])), reduction="none"
    ),
    "nothing to attend to": lambda F, make: F.scaled_dot_product_attention(
        make(np.ones((2, 3, 4))), make(np.ones((2, 0, 4))), make(np.ones((2, 0, 5)))
    ),
    "rows that attend to nothing": lambda F, make: F.scaled_dot_product_attention(
        make(np.ones((2, 4))), make(np.ones((3, 4))), make(np.ones((3, 5))),
        attn_mask=make(np.array([[True, False, True], [False, False, False]])),
    ),
    "rows of infinite scores": lambda F, make: F.scaled_dot_product_attention(
        make(np.ones((2, 4))), make(np.ones((3, 4))), make(np.ones((3, 5))),
        attn_mask=make(np.array([[0.5, -np.inf, 0.0], [-np.inf, -np.inf, -np.inf]])),
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges_agree(name: str) -> None:
    """At an edge (nothing, certainty, infinity) the value is another than PyTorch's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = EDGES[name](torch.nn.functional, theirs)
    assert_close(EDGES[name](nn.functional, ours), wanted)


def test_gradients_at_certainty_agree() -> None:
    """binary_cross_entropy of 0 or 1 has another slope than PyTorch's, or NaN."""
    p, t = np.array([0.0, 1.0, 1.0, 0.0, 0.3]), np.array([0.0, 1.0, 0.0, 1.0, 0.3])
    a, b = tg.tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    nn.functional.binary_cross_entropy(a, tg.tensor(t), reduction="sum").backward()
    torch.nn.functional.binary_cross_entropy(b, torch.tensor(t), reduction="sum").backward()
    # PyTorch's 1e12 is the nearest float32.
    np.testing.assert_allclose(values(a.grad), b.grad.numpy(), rtol=1e-8)


class Tied:
    """An embedding whose table is also the output layer, built of either library."""

    def __new__(cls, library: Any, **dtype: Any) -> Any:
        class Model(library.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.embedding = library.nn.Embedding(5, 3, padding_idx=1, **dtype)
                self.decoder = library.nn.Linear(3, 5, **dtype)
                self.decoder.weight = self.embedding.weight

            def forward(self, index: Any) -> Any:
                return self.decoder(library.tanh(self.embedding(index)))

        return Model()


def test_tied_embeddings_agree() -> None:
    """The gradient of a tied table misses a use, or the state dict or training differs."""
    mine, other = Tied(tg, dtype=tg.float64), Tied(torch, dtype=torch.float64)
    start = {name: t.detach().numpy().copy() for name, t in other.state_dict().items()}
    assert list(mine.state_dict()) == list(start)
    mine.load_state_dict(start)
    index, target = np.array([[0, 1, 4], [2, 2, 1]]), np.array([1, 0, 4, 2, 3, 0])
    optimizers = [
        tg.optim.Adam(mine.parameters(), lr=0.1),
        torch.optim.Adam(other.parameters(), lr=0.1),
    ]
    for _ in range(3):
        losses = []
        for model, library, make, optimizer in (
            (mine, tg, ours, optimizers[0]),
            (other, torch, theirs, optimizers[1]),
        ):
            optimizer.zero_grad()
            logits = model(make(index)).reshape(-1, 5)
            loss = library.nn.functional.cross_entropy(logits, make(target))
            loss.backward()
            optimizer.step()
            losses.append(loss)
        assert_close(*losses)
        assert_close(mine.embedding.weight.grad, other.embedding.weight.grad)
        assert_close(mine.decoder.weight, other.decoder.weight)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in other.named_parameters()]


def test_hooks_agree() -> None:
    """A hook is called with other arguments, in another order, or its answer is used otherwise."""

    def run(library: Any, make: Any) -> tuple[Any, list[str]]:
        seen: list[str] = []

        class Scale(library.nn.Module):  # type: ignore[misc]
            def forward(self, x: Any, by: Any = 2.0) -> Any:
                seen.append("forward")
                return x * by

        module = library.nn.Sequential(Scale(), Scale())
        first = module[0]
        first.register_forward_pre_hook(lambda m, args: seen.append(f"pre {len(args)}"))
        first.register_forward_pre_hook(lambda m, args: args[0] + 1.0)
        first.register_forward_pre_hook(
            lambda m, args, kwargs: (args, {**kwargs, "by": 3.0}), with_kwargs=True
        )
        first.register_forward_pre_hook(lambda m, args: seen.append("first"), prepend=True)
        first.register_forward_hook(lambda m, args, out: (out * 10.0))
        first.register_forward_hook(
            lambda m, args, kwargs, out: seen.append(f"post {sorted(kwargs)}"), with_kwargs=True
        )
        removed = module.register_forward_hook(lambda m, args, out: out * 0.0)
        removed.remove()
        removed.remove()
        module.register_forward_hook(lambda m, args, out: (out, "pair"))
        out, word = copy.deepcopy(module)(make(np.array([1.0, 2.0])))
        seen.append(word)
        return out, seen

    (a, first), (b, second) = run(tg, ours), run(torch, theirs)
    assert_close(a, b)
    assert first == second


def test_walks_agree() -> None:
    """Walking over modules, parameters and buffers gives other names or another order."""

    def run(library: Any) -> list[Any]:
        nn = library.nn

        class Inner(nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("mean", library.zeros(2))
                self.register_buffer("scratch", library.zeros(2), persistent=False)
                self.register_buffer("off", None)
                self.register_parameter("none", None)
                self.gain = nn.Parameter(library.ones(2))

        inner = Inner()
        model = nn.Module()
        model.layers = nn.ModuleList([nn.Linear(2, 2), inner])
        model.again = inner
        model.by_name = nn.ModuleDict({"a": nn.Identity(), "b": nn.Linear(2, 1)})
        model.free = nn.ParameterList([library.ones(1), nn.Parameter(library.zeros(1))])
        model.named = nn.ParameterDict({"x": nn.Parameter(library.ones(3))})
        model.chain = nn.Sequential({"in": nn.Tanh()} if library is tg else nn.Identity())
        every = model.named_modules(prefix="m", remove_duplicate=False)
        return [
            [n for n, _ in model.named_parameters()],
            [n for n, _ in model.named_parameters(prefix="p", recurse=False)],
            [n for n, _ in model.named_parameters(remove_duplicate=False)],
            [n for n, _ in model.named_buffers()],
            [n for n, _ in model.named_buffers("p", True, False)],
            [n for n, _ in model.named_children()],
            [n for n, _ in model.named_modules()][:-1],
            [n for n, _ in every][:-1],
            [n for n, _ in model.named_modules({inner})][:-1],
            sorted(model.state_dict()),
            sorted(model.state_dict(prefix="x.")),
            len(list(model.parameters())),
            len(list(model.buffers())),
            type(model.get_submodule("layers.0")).__name__,
            tuple(model.get_parameter("layers.1.gain").shape),
            tuple(model.get_buffer("again.scratch").shape),
            type(model.layers[1:]).__name__,
            list(model.by_name),
            list(model.named.keys()),
            len(model.free),
        ]

    assert run(tg) == run(torch)
