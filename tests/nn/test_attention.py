"""Dot-product, general and additive attention: equations, masks, edges, gradients and jit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.jit.tools import assert_agree
from tests.tools import Array, draw_array, examples, leaf, same_bits, values
from tinygrad_rnn import nn

KINDS: dict[str, Callable[[int, int], nn.Attention]] = {
    "dot": lambda q, d: nn.DotAttention(d),
    "scaled dot": lambda q, d: nn.DotAttention(d, scale=True),
    "general": lambda q, d: nn.GeneralAttention(q, d, dtype=tg.float64),
    "additive": lambda q, d: nn.AdditiveAttention(q, d, 3, dtype=tg.float64),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def scores(attention: nn.Attention, q: Array, m: Array) -> float:
    """The score of one query and one vector of the memory, by the papers' equations."""
    w = {name: values(p) for name, p in attention.named_parameters()}
    if isinstance(attention, nn.DotAttention):
        return float(q @ m) / (np.sqrt(len(q)) if attention.scale else 1.0)
    if isinstance(attention, nn.GeneralAttention):
        return float(q @ w["memory_projection.weight"] @ m)
    inner = w["query_projection.weight"] @ q + w["memory_projection.weight"] @ m
    return float((w["score_projection.weight"] @ np.tanh(inner))[0])


def stated(attention: nn.Attention, query: Array, memory: Array, mask: Array) -> tuple[Any, Any]:
    """Context and weights, one query and one place at a time."""
    B, T, S = len(query), query.shape[1], memory.shape[1]
    contexts, weights = np.zeros((B, T, memory.shape[2])), np.zeros((B, T, S))
    for b in range(B):
        for t in range(T):
            open_places = [s for s in range(S) if mask[b, s]]
            powers = [np.exp(scores(attention, query[b, t], memory[b, s])) for s in open_places]
            for s, power in zip(open_places, powers, strict=True):
                weights[b, t, s] = power / sum(powers)
                contexts[b, t] += weights[b, t, s] * memory[b, s]
    return contexts, weights


def drawn(data: Any, kind: str) -> tuple[nn.Attention, Array, Array, Array]:
    B, T, S, D = (data.draw(st.integers(1, 3)) for _ in range(4))
    Q = D if "dot" in kind else data.draw(st.integers(1, 3))
    attention = KINDS[kind](Q, D)
    mask = draw_array(data.draw, (B, S)) > data.draw(st.sampled_from([-3.0, -0.5, 3.0]))
    query, memory = draw_array(data.draw, (B, T, Q)), draw_array(data.draw, (B, S, D))
    return attention, query, memory, mask


@every_kind
@examples(15)
@given(data=st.data())
def test_equations(kind: str, data: Any) -> None:
    """Context or weights differ from the paper's equation, for some mask, size or layout."""
    attention, query, memory, mask = drawn(data, kind)
    q, m, k = tg.as_tensor(query), tg.as_tensor(memory), tg.as_tensor(mask)
    contexts, weights = stated(attention, query, memory, mask)
    for given_mask, wanted in (
        (k, (contexts, weights)),
        (None, stated(attention, query, memory, mask | True)),
    ):
        found = attention(q, m, given_mask)
        for have, want in zip(found, wanted, strict=True):
            np.testing.assert_allclose(values(have), want, rtol=1e-10, atol=1e-12)
        single = attention(q[:, 0], m, given_mask)
        for have, want in zip(single, wanted, strict=True):
            np.testing.assert_allclose(values(have), want[:, 0], rtol=1e-10, atol=1e-12)
    keys = attention.project(m)
    read = [attention.read(q[:, t], keys, m, k) for t in range(q.shape[1])]
    np.testing.assert_allclose(values(tg.stack([c for c, _ in read], 1)), contexts, atol=1e-12)


@every_kind
@examples(5)
@given(data=st.data())
def test_gradients_of_first_and_second_order(kind: str, data: Any) -> None:
    """A gradient to query, memory or parameters is wrong, under a mask or without."""
    attention, query, memory, mask = drawn(data, kind)
    parameters = list(attention.parameters())

    def function(q: tg.Tensor, m: tg.Tensor, *weights: tg.Tensor) -> Any:
        for place, weight in zip(attention._places("_parameters"), weights, strict=True):
            place.owner._parameters[place.key] = weight  # type: ignore[assignment]
        return attention(q, m, tg.as_tensor(mask))

    inputs = [leaf(query), leaf(memory), *[leaf(values(p)) for p in parameters]]
    assert tg.gradcheck(function, inputs)
    assert tg.gradcheck(function, inputs, order=2)


@every_kind
def test_nothing_leaks_from_what_is_masked(kind: str) -> None:
    """NaN or infinity at a place that may not be read reaches the context or a gradient."""
    random = np.random.default_rng(4)
    attention = KINDS[kind](4, 4)
    mask = tg.tensor(np.array([[True, False, True], [False, False, False]]))
    clean = random.normal(size=(2, 3, 4))
    found = []
    for dirt in (0.0, np.nan, np.inf):
        memory = clean.copy()
        memory[0, 1] = dirt
        memory[1] = dirt
        attention.zero_grad()
        q, m = leaf(random.normal(size=(2, 5, 4)) * 0 + 0.5), leaf(memory)
        context, weights = attention(q, m, mask)
        ((context * context).sum() + weights.sum()).backward()
        found.append((context, weights, q.grad, m.grad, *[p.grad for p in attention.parameters()]))
    context, weights, _, gradient, *_ = found[0]
    assert not values(context)[1].any()
    assert not values(weights)[1].any()
    assert not values(gradient)[0, 1].any()
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert same_bits(a, b)


@every_kind
def test_nan_in_what_is_read_shows(kind: str) -> None:
    """A NaN that may be read disappears."""
    attention = KINDS[kind](2, 2)
    memory = np.ones((2, 3, 2))
    memory[0, 1] = np.nan
    context, _ = attention(tg.ones(2, 2, dtype=tg.float64), tg.tensor(memory))
    assert np.isnan(values(context)[0]).all()
    assert np.isfinite(values(context)[1]).all()


@every_kind
@pytest.mark.parametrize(("B", "T", "S"), [(2, 3, 0), (0, 3, 2), (2, 0, 2), (1, 1, 1)])
def test_edges(kind: str, B: int, T: int, S: int) -> None:
    """An empty memory, batch or sequence of queries fails, or a single place is not read."""
    attention = KINDS[kind](1, 1)
    q, m = (tg.ones(B, n, 1, dtype=tg.float64).requires_grad_() for n in (T, S))
    for mask in (None, tg.ones(B, S, dtype=tg.bool)):
        context, weights = attention(q, m, mask)
        assert context.shape == (B, T, 1)
        assert weights.shape == (B, T, S)
        assert (values(context) == (1.0 if S else 0.0)).all()
        context.sum().backward()


@every_kind
def test_large_scores_do_not_overflow(kind: str) -> None:
    """A score beyond what exp can take makes the weights NaN."""
    attention = KINDS[kind](2, 2)
    context, weights = attention(
        tg.full((1, 2), 1e4, dtype=tg.float64), tg.full((1, 3, 2), 1e4, dtype=tg.float64)
    )
    np.testing.assert_allclose(values(weights), 1 / 3)
    np.testing.assert_allclose(values(context), 1e4)


@every_kind
def test_compiled_is_eager(kind: str) -> None:
    """A decoder that reads at every step computes another loss or gradient compiled."""
    attention = KINDS[kind](3, 3)

    def step(queries: tg.Tensor, memory: tg.Tensor, mask: tg.Tensor) -> Any:
        attention.zero_grad()
        memory = memory.detach().requires_grad_()
        open_memory = attention.readable(memory, mask)
        keys = attention.project(open_memory)
        state = queries[0]
        total = tg.zeros((), dtype=tg.float64)
        for q in queries:
            context, weights = attention.read(q + state, keys, open_memory, mask)
            state = (state + context).tanh()
            total = total + (weights * weights).sum() + state.sum()
        total.backward()
        grown = [memory.grad, *[p.grad for p in attention.parameters()]]
        return total.detach(), state.detach(), grown

    compiled = tg.jit(step)
    for i in range(3):
        random = np.random.default_rng(i)
        queries = tg.tensor(random.normal(size=(3, 2, 3)))
        memory = tg.tensor(random.normal(size=(2, 4, 3)))
        # The mask changes from call to call, and hides a whole row in the last.
        mask = tg.tensor(random.random((2, 4)) > 0.3 * i + (np.arange(2) * (i == 2))[:, None])
        found, wanted = compiled(queries, memory, mask), step(queries, memory, mask)
        assert_agree(found, wanted)
    assert len(compiled.recordings) == 1


def test_a_score_of_ones_own() -> None:
    """A subclass that defines only a score does not get masks and reading."""

    class Distance(nn.Attention):
        def score(self, query: tg.Tensor, keys: tg.Tensor) -> tg.Tensor:
            return -((query.unsqueeze(2) - keys.unsqueeze(1)) ** 2).sum(-1)

    context, weights = Distance(1, 1)(tg.zeros(1, 1), tg.tensor([[[0.0], [9.0], [0.0]]]))
    np.testing.assert_allclose(values(weights), [[0.5, 0.0, 0.5]], atol=1e-6)
    np.testing.assert_allclose(values(context), [[0.0]], atol=1e-6)
    assert (Distance(4, 5).query_size, Distance(4, 5).memory_size) == (4, 5)
