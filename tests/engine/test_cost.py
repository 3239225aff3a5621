"""Depth, memory, cycles, cost and determinism. Nothing here is measured in seconds."""

import gc
import os
import platform
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import engine, nn, ops, optim
from tinygrad_rnn.context import quiet
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


def test_numbers_that_no_gradient_reads_are_freed_at_once() -> None:
    """A sum keeps what was added until backward: a graph takes twice the memory that it needs."""
    x = tg.ones(32, 128, requires_grad=True)
    h = x * 2.0
    array = weakref.ref(h._array)
    y = (h + 1.0).tanh()
    del h
    assert array() is None
    y.backward(tg.ones(32, 128))
    assert values(x.grad)[0, 0] == pytest.approx(2.0 * (1.0 - np.tanh(3.0) ** 2), rel=1e-4)


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


def python_calls(function: Callable[[], Any]) -> int:
    """How many functions of the package, written in Python, a call goes through."""
    package = os.path.dirname(tg.__file__)
    count = 0

    def watch(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(package)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


@quiet()
def test_an_operation_goes_through_few_python_functions() -> None:
    """More happens between two kernels than has to: eager steps are slower than PyTorch's."""
    a, x = tg.ones(2, 4), tg.ones(2, 4, requires_grad=True)
    h = x * 1.0
    # The operator, its rule of types, apply, the Tensor; recorded, also the node and its place.
    assert python_calls(lambda: a * a) <= 4
    assert python_calls(lambda: h * a) <= 7
    assert python_calls(lambda: h + a) <= 8

    def backward(steps: int) -> int:
        y = x
        for _ in range(steps):
            y = (y * a + a).sigmoid()
        loss = y.sum()
        return python_calls(loss.backward)

    backward(1)
    # Three nodes a step: visited, summed, pulled back by two operations, released.
    assert backward(20) - backward(10) <= 10 * 40


@pytest.mark.parametrize("shape", [(3,), (5, 1), (1, 3), ()])
def test_a_broadcast_gets_its_gradient_by_one_sum_a_use(
    shape: tuple[int, ...], counter: Counter
) -> None:
    """Undoing a broadcast takes several operations, at every time step."""

    def calls(uses: int) -> int:
        vector = tg.ones(shape, requires_grad=True)
        h = tg.ones(5, 3)
        for _ in range(uses):
            h = h + vector
        counter.read()
        h.backward(tg.ones(5, 3))
        assert values(vector.grad).sum() == 15.0 * uses
        return counter.read()[0]

    # Adding up is done in place, and is no operation.
    assert calls(20) - calls(10) == 10


def test_a_tensor_has_no_dictionary() -> None:
    """A class below Tensor lacks __slots__: making a tensor takes twice as long."""
    assert not hasattr(tg.ones(1), "__dict__")


def test_a_training_step_keeps_its_memory() -> None:
    """The C library gives the heap back after each step: every page is fetched and cleared anew."""
    resource = pytest.importorskip("resource")
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("another C library has other habits")
    assert resource
    program = """if True:
        import resource
        import tinygrad_rnn as tg

        def step():
            h = tg.ones(32, 128, requires_grad=True)
            for _ in range(500):
                h = h * 1.0
            h.sum().backward()

        for _ in range(3):
            step()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            step()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    # 8 MB a step are 2,000 pages.
    assert int(found.stdout) < 1000


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
