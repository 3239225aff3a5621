"""Depth, memory, cycles, cost and determinism. Nothing here is measured in seconds."""

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import engine, nn, ops, optim
from tinygrad_rnn.kernels import gemm

DEEP = 100_000


def chain(x: tg.Tensor, steps: int) -> tg.Tensor:
    for _ in range(steps):
        x = x * 1.0
    return x


def test_a_hundred_thousand_steps_deep() -> None:
    """Ordering, backward or releasing recurses, and overflows the stack."""
    x = tg.ones(1, requires_grad=True)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(500)
    try:
        y = chain(x, DEEP)
        assert y.grad_fn is not None
        y.backward()
    finally:
        sys.setrecursionlimit(limit)
    assert values(x.grad).tolist() == [1.0]


def nodes_alive() -> int:
    # isinstance would follow weak proxies of other libraries.
    return sum(issubclass(type(found), engine.Node) for found in gc.get_objects())


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_deep_graph_can_be_dropped_without_backward(no_collector: None) -> None:
    """Freeing a long graph that nobody differentiated overflows the C stack, or does not happen."""
    before = nodes_alive()
    y = chain(tg.ones(1, requires_grad=True), DEEP)
    assert nodes_alive() == before + DEEP
    del y
    assert nodes_alive() == before


@pytest.mark.parametrize("backward", [True, False])
def test_graphs_contain_no_cycles(backward: bool, no_collector: None) -> None:
    """A graph is freed only when the garbage collector runs: memory grows in between."""
    model = nn.LSTM(3, 4, 2, bidirectional=True)
    x = tg.randn(5, 2, 3, requires_grad=True)
    before = nodes_alive()
    out, state = model(x)
    loss = (out.softmax(-1).exp() * out.relu()).sum()
    arrays = [weakref.ref(out._array), weakref.ref(loss._array)]
    assert nodes_alive() > before + 100
    if backward:
        loss.backward()
    del loss, out, state
    assert nodes_alive() == before
    assert [ref for ref in arrays if ref() is not None] == []


def test_second_order_graphs_contain_no_cycles(no_collector: None) -> None:
    """create_graph makes a gradient's graph that keeps itself alive."""
    x = tg.randn(3, requires_grad=True)
    before = nodes_alive()
    y = tg.checkpoint(lambda a: a.tanh(), x).sigmoid()
    (g,) = tg.grad(y.sum(), x, create_graph=True)
    assert nodes_alive() > before + 3
    del g, y
    assert nodes_alive() == before


def test_a_released_graph_holds_no_arrays() -> None:
    """What was saved for backward stays in memory as long as the loss does."""
    x = tg.ones(10, requires_grad=True)
    h = x.exp()
    array = weakref.ref(h._array)
    loss = (h * h).sum()
    del h
    assert array() is not None
    loss.backward()
    assert array() is None


def test_memory_comes_back_over_two_thousand_training_steps() -> None:
    """Something grows with every training step."""
    model = nn.LSTM(2, 3)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    x = tg.randn(2, 1, 2)
    state = None

    def train(steps: int) -> None:
        nonlocal state
        for _ in range(steps):
            out, state = model(x, state)
            optimizer.zero_grad()
            (out * out).mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            state = nn.detach_state(state)

    train(20)
    gc.collect()
    before = len(gc.get_objects()), sys.getallocatedblocks()
    train(2000)
    gc.collect()
    after = len(gc.get_objects()), sys.getallocatedblocks()
    # One object left behind by each step would make 2,000.
    assert after[0] - before[0] < 200
    assert after[1] - before[1] < 1000


class Counter:
    """Calls of primitives, and bytes of the arrays that they returned, since it was last read."""

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0

    def watch(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arrays: Any, **params: Any) -> Any:
            out = forward(*arrays, **params)
            self.calls += 1
            for part in out if isinstance(out, tuple) else (out,):
                array = np.asarray(part)
                # A view costs nothing but its own object.
                self.bytes += array.nbytes if array.base is None else 0
            return out

        return watched

    def read(self) -> tuple[int, int]:
        found = self.calls, self.bytes
        self.calls = self.bytes = 0
        return found


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    found = Counter()
    for name in ops.__all__:
        value = getattr(ops, name)
        if isinstance(value, ops.Primitive):
            monkeypatch.setattr(value, "forward", found.watch(value.forward))
    return found


WAYS: dict[str, Callable[[tg.Tensor], Any]] = {
    "indexing": lambda x: [x[t] for t in range(x.shape[0])],
    "slicing": lambda x: [x[t : t + 1] for t in range(x.shape[0])],
    "unbind": lambda x: x.unbind(0),
    "iteration": list,
    "split": lambda x: x.split(1, 0),
    "select": lambda x: [x.select(0, t) for t in range(x.shape[0])],
    "embedding": lambda x: [x[tg.tensor([t])] for t in range(x.shape[0])],
}


@pytest.mark.parametrize("way", list(WAYS))
def test_taking_all_steps_costs_in_proportion_to_their_number(way: str, counter: Counter) -> None:
    """Each slice's gradient is a full-size array of zeros: T steps cost T² bytes."""

    def cost(steps: int) -> tuple[int, int]:
        x = tg.ones(steps, 64, requires_grad=True)
        counter.read()
        tg.stack([h * 2.0 for h in WAYS[way](x)]).sum().backward()
        assert values(x.grad).min() == values(x.grad).max() == 2.0
        return counter.read()

    (calls, size), (more_calls, more_size) = cost(20), cost(80)
    assert more_calls <= 4.2 * calls
    assert more_size <= 4.2 * size


def test_one_weight_in_many_steps_gets_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient of a recurrent weight is formed and added T times."""
    steps = 30
    out, _ = nn.RNN(3, 8)(tg.randn(steps, 2, 3))
    operands: list[int] = []
    forward = ops.sum_products.forward

    def watched(*arrays: Any) -> Any:
        operands.append(len(arrays))
        return forward(*arrays)

    monkeypatch.setattr(ops.sum_products, "forward", watched)
    out.sum().backward()
    # weight_ih is used once, for all steps together; weight_hh at each of them.
    assert sorted(operands) == [2, 2 * steps]


def test_checkpoints_in_a_row_cost_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every checkpoint walks the whole graph behind it."""
    h = chain(tg.ones(1, requires_grad=True), 3000)
    walked: list[int] = []
    reachable = engine.reachable

    def watched(*args: Any, **settings: Any) -> Any:
        found = reachable(*args, **settings)
        walked.append(len(found))
        return found

    monkeypatch.setattr(engine, "reachable", watched)
    for _ in range(10):
        h = tg.checkpoint(lambda a: a.tanh(), h)
    assert sum(walked) < 100


def trained(threads: int, seed: int) -> list[Any]:
    """A few training steps with dropout; everything that came out of them."""
    tg.set_num_threads(threads)
    tg.manual_seed(seed)
    model = nn.LSTM(16, 32, 2, dropout=0.3)
    optimizer = optim.RMSprop(model.parameters())
    x = tg.randn(8, 24, 16)
    for _ in range(3):
        out, state = model(x)
        optimizer.zero_grad()
        (out.softmax(-1).log() * out).sum().backward()
        optimizer.step()
    return [out, *state, *model.parameters(), *(p.grad for p in model.parameters())]


def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sum is ordered by threads, or a random number depends on something else than the seed."""
    monkeypatch.setattr(gemm, "THREADED_PRODUCTS", 1000)
    first, again, two = trained(1, 5), trained(1, 5), trained(2, 5)
    other = trained(1, 6)
    for a, b, c, d in zip(first, again, two, other, strict=True):
        assert same_bits(a, b)
        assert same_bits(a, c)
        assert not same_bits(a, d)
