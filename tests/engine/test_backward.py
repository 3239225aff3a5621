"""backward and grad: retaining, hooks, detaching, recording modes, orders, errors by name."""

import copy
import threading
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits, values
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError, ShapeError


def vector(*numbers: float) -> tg.Tensor:
    return tg.tensor(list(numbers), dtype=tg.float64, requires_grad=True)


# ---------------------------------------------------------------------- keeping and releasing


def test_gradients_accumulate_over_passes() -> None:
    """A second backward replaces `.grad`, or adds into memory that was read before."""
    x = vector(1.0, 2.0)
    (x * x).sum().backward()
    first = x.grad
    (x * 3.0).sum().backward()
    assert values(x.grad).tolist() == [5.0, 7.0]
    assert values(first).tolist() == [2.0, 4.0]


def test_a_released_graph_names_the_tensor_and_the_remedy() -> None:
    """Truncated BPTT without detach fails with a message that does not help."""
    x = vector(1.0, 2.0)
    h = x.tanh()
    h.sum().backward()
    with pytest.raises(GraphError) as caught:
        (h * 2.0).sum().backward()
    message = str(caught.value)
    for part in ("`mul`", "`tanh`", "(2,)", "detach", "retain_graph", __file__):
        assert part in message


def test_running_backward_twice_says_so() -> None:
    """The plainest mistake is not explained."""
    y = (vector(1.0) * 2.0).sum()
    y.backward()
    with pytest.raises(GraphError, match="retain_graph=True"):
        y.backward()


def test_retain_graph_allows_any_number_of_passes() -> None:
    """A kept graph was released, or its saved numbers changed."""
    x = vector(0.5)
    y = x.tanh() * x
    passes = [values(tg.grad(y, x, retain_graph=True)[0]).item() for _ in range(3)]
    assert passes[0] == passes[1] == passes[2]


def test_a_computed_tensor_keeps_its_gradient_only_when_asked() -> None:
    """`.grad` appears on other tensors than leaves, or retain_grad does nothing."""
    x = vector(2.0)
    y = x * 3.0
    z = y * y
    y.retain_grad()
    z.backward()
    assert values(y.grad).tolist() == [12.0]
    assert z.grad is None
    assert values(x.grad).tolist() == [36.0]


def test_retained_gradients_are_buffers_of_their_own() -> None:
    """Clearing one `.grad` changes another, or the gradient that the user passed in."""
    x = vector(1.0)
    y = x * 2.0
    z = y + 0.0
    seed = tg.ones(1, dtype=tg.float64)
    y.retain_grad()
    z.retain_grad()
    z.backward(seed)
    y.grad.zero_()
    assert values(z.grad).tolist() == [1.0]
    z.grad.zero_()
    assert values(seed).tolist() == [1.0]
    total = y.detach().requires_grad_() * 1.0
    total.retain_grad()
    total.sum().backward()
    total.grad.zero_()


def test_inputs_limits_who_gets_a_gradient() -> None:
    """backward(inputs=...) touches `.grad` of other leaves, or misses a computed tensor."""
    a, b = vector(2.0), vector(3.0)
    y = a * b
    (y * y).backward(inputs=[a, y])
    assert b.grad is None
    assert values(a.grad).tolist() == [36.0]
    assert values(y.grad).tolist() == [12.0]


def test_the_gradient_of_a_leaf_by_itself_is_its_seed() -> None:
    """backward on a leaf hands out the seed's own memory."""
    x = vector(1.0)
    seed = tg.ones(1, dtype=tg.float64)
    x.backward(seed)
    x.grad.zero_()
    assert values(seed).tolist() == [1.0]


# ---------------------------------------------------------------------- grad


def test_grad_reaches_computed_tensors_and_leaves_at_once() -> None:
    """An input in the middle of the graph cuts off, or doubles, what lies behind it."""
    x = vector(3.0)
    y = x * x
    z = y * y
    gy, gx = tg.grad(z, [y, x])
    assert values(gy).tolist() == [18.0]
    assert values(gx).tolist() == [108.0]
    assert x.grad is None


def test_unused_inputs() -> None:
    """An unused input is silently None, or an error although None was asked for."""
    x, unused = vector(1.0), vector(1.0)
    assert tg.grad((x * 2.0).sum(), [x, unused], allow_unused=True)[1] is None
    with pytest.raises(GraphError, match="allow_unused=True"):
        tg.grad((x * 2.0).sum(), [x, unused])


def test_several_outputs_are_added() -> None:
    """Gradients of several outputs are not summed."""
    x = vector(2.0)
    seeds = [tg.tensor([2.0], dtype=tg.float64), None]
    (g,) = tg.grad([x * 3.0, (x * x).sum()], x, seeds)
    assert values(g).tolist() == [10.0]


def test_orders_one_to_four_of_a_polynomial() -> None:
    """A derivative of a derivative is wrong: x⁴ has 4x³, 12x², 24x, 24."""
    x = vector(2.0)
    g = x * x * x * x
    for expected in (32.0, 48.0, 48.0, 24.0):
        (g,) = tg.grad(g, x, create_graph=True)
        assert values(g).item() == expected


def test_orders_one_to_three_of_tanh_and_sigmoid() -> None:
    """Primitives that save their output are wrong from the second order on."""
    x = vector(0.3)
    t = np.tanh(0.3)
    slope = 1 - t * t
    g = x.tanh()
    for expected in (slope, -2 * t * slope, slope * (6 * t * t - 2)):
        (g,) = tg.grad(g, x, create_graph=True)
        np.testing.assert_allclose(values(g).item(), expected, rtol=1e-14)
    s = 1 / (1 + np.exp(-0.3))
    g = x.sigmoid()
    for expected in (s * (1 - s), s * (1 - s) * (1 - 2 * s), s * (1 - s) * (1 - 6 * s + 6 * s * s)):
        (g,) = tg.grad(g, x, create_graph=True)
        np.testing.assert_allclose(values(g).item(), expected, rtol=1e-13)


def test_gradients_with_respect_to_the_seed() -> None:
    """The gradient is not recorded as a function of the gradient that was passed in."""
    x, seed = vector(0.5), vector(2.0)
    (g,) = tg.grad(x.tanh(), x, seed, create_graph=True)
    (by_seed,) = tg.grad(g, seed)
    np.testing.assert_allclose(values(by_seed), 1 - np.tanh(0.5) ** 2)


# ---------------------------------------------------------------------- hooks


@pytest.mark.parametrize("leaf", [True, False])
def test_a_hook_sees_the_total_and_may_replace_it(leaf: bool) -> None:
    """A hook runs for each part instead of the sum, or what it returns is ignored."""
    x = vector(1.0)
    y = x if leaf else x * 1.0
    seen: list[float] = []

    def hook(g: tg.Tensor) -> tg.Tensor:
        seen.append(values(g).item())
        return g * 10.0

    y.register_hook(hook)
    (y * 2.0 + y * 3.0).backward()
    assert seen == [5.0]
    assert values(x.grad).tolist() == [50.0]


@pytest.mark.parametrize("leaf", [True, False])
def test_hooks_run_in_order_and_can_be_removed(leaf: bool) -> None:
    """Removing one hook removes another, removes it only at the second try, or skips the next."""
    x = vector(1.0)
    y = x if leaf else x * 1.0
    calls: list[str] = []
    handles: list[Any] = []

    def once(g: tg.Tensor) -> None:
        calls.append("once")
        handles[0].remove()

    def again(g: tg.Tensor) -> None:
        calls.append("again")

    handles = [y.register_hook(once), y.register_hook(again), y.register_hook(again)]
    y.backward(retain_graph=True)
    assert calls == ["once", "again", "again"]
    handles[1].remove()
    handles[1].remove()
    y.backward()
    assert calls[3:] == ["again"]


@pytest.mark.parametrize("leaf", [True, False])
@pytest.mark.parametrize(
    "replacement",
    [3.0, tg.ones(3, dtype=tg.float64), tg.ones(4, 1, dtype=tg.float64), tg.ones(1)],
    ids=["number", "longer", "broadcastable", "float32"],
)
def test_a_hooks_replacement_is_checked(leaf: bool, replacement: Any) -> None:
    """A replacement of another shape or type flows on, and shows up far from the hook."""
    x = vector(1.0)
    y = x if leaf else x * 1.0
    y.register_hook(lambda g: replacement)
    with pytest.raises(tg.errors.TinygradRnnError, match="hook"):
        (y * 2.0).backward()


# ---------------------------------------------------------------------- recording


def test_recording_modes_nest_and_come_back() -> None:
    """A mode leaks out of its block, or an exception leaves it changed."""
    with tg.no_grad():
        assert not tg.is_grad_enabled()
        with tg.enable_grad():
            assert tg.is_grad_enabled()
            with tg.set_grad_enabled(False):
                assert not tg.is_grad_enabled()
            assert tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert tg.is_grad_enabled()
    tg.set_grad_enabled(False)
    assert not tg.is_grad_enabled()
    tg.set_grad_enabled(True)


def test_recording_modes_as_decorators() -> None:
    """A decorated function, or generator, runs in the caller's mode."""

    @tg.no_grad()
    def off() -> bool:
        """What it does."""
        return tg.is_grad_enabled()

    @tg.enable_grad()
    def on() -> bool:
        return tg.is_grad_enabled()

    @tg.no_grad()
    def steps() -> Any:
        yield tg.is_grad_enabled()
        yield tg.is_grad_enabled()

    assert not off()
    assert off.__doc__ == "What it does."
    with tg.no_grad():
        assert on()
    generator = steps()
    assert not next(generator)
    assert tg.is_grad_enabled()
    assert not next(generator)


def test_nothing_is_recorded_without_need() -> None:
    """Constants carry history, or a gradient is recorded where none was asked for."""
    x = vector(1.0)
    assert (tg.ones(1) * 2.0).grad_fn is None
    with tg.no_grad():
        assert not (x * 2.0).requires_grad
    (g,) = tg.grad(x * x, x)
    assert not g.requires_grad
    assert x.detach().requires_grad is False
    assert (x > 0).requires_grad is False


def test_threads_have_modes_of_their_own() -> None:
    """no_grad in one thread switches recording off in another."""
    inside, done = threading.Event(), threading.Event()
    seen: list[bool] = []

    def other() -> None:
        with tg.no_grad():
            inside.set()
            done.wait(10)
            seen.append(tg.is_grad_enabled())

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    x = vector(2.0)
    (x * x).backward()
    done.set()
    thread.join()
    assert seen == [False]
    assert values(x.grad).tolist() == [4.0]


def test_threads_differentiate_at_the_same_time() -> None:
    """Two backward passes in two threads mix their gradients."""
    found: dict[int, Any] = {}

    def work(i: int) -> None:
        for _ in range(30):
            w = tg.tensor(np.full((4, 4), 0.1 * i), requires_grad=True)
            h = w
            for _ in range(5):
                h = (h @ w).tanh()
            h.sum().backward()
        found[i] = values(w.grad).copy()

    threads = [threading.Thread(target=work, args=(i,)) for i in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = dict(found)
    for i in (1, 2):
        work(i)
        assert same_bits(together[i], found[i])


# ---------------------------------------------------------------------- mutation


def line_of(text: str) -> int:
    """Number of the only line of this file that ends with a comment."""
    with open(__file__, encoding="utf-8") as source:
        hits = [i for i, line in enumerate(source, 1) if line.rstrip().endswith(f"# {text}")]
    assert len(hits) == 1
    return hits[0]


def overwrite(x: tg.Tensor) -> None:
    with tg.no_grad():
        x.assign(7.0)  # overwritten


@pytest.mark.parametrize(
    "alias",
    [
        lambda x: x,
        lambda x: x.detach(),
        lambda x: x[0],
        lambda x: x[:1],
        lambda x: x.reshape(1, 2).detach().T,
        lambda x: x.unsqueeze(0).unbind(0)[0],
        lambda x: x.data,
    ],
    ids=["itself", "detached", "element", "slice", "view of view", "unbound", "data"],
)
def test_overwriting_an_input_names_both_places(alias: Any) -> None:
    """A gradient is computed from numbers that were overwritten since, or the error hides where."""
    x = vector(1.0, 2.0)
    y = x * x  # multiplied
    overwrite(alias(x))
    with pytest.raises(GraphError) as caught:
        y.sum().backward()
    message = str(caught.value)
    assert f"{__file__}:{line_of('multiplied')}" in message
    assert f"{__file__}:{line_of('overwritten')}" in message
    assert "`mul`" in message


def test_overwriting_a_saved_output_names_both_places() -> None:
    """tanh's gradient is computed from an output that was overwritten since."""
    for alias in (lambda y: y, lambda y: y.detach(), lambda y: y[:1]):
        x = vector(1.0, 2.0)
        y = x.tanh()
        total = y.sum()
        overwrite(alias(y))
        with pytest.raises(GraphError, match=r"the output of `tanh`.*overwritten at"):
            total.backward()


def test_overwriting_an_index_is_noticed() -> None:
    """The gradient goes to the places that an index names now, instead of then."""
    x = vector(1.0, 2.0, 3.0)
    index = tg.tensor([0, 1])
    y = x[index]
    index.assign(tg.tensor([2, 2]))
    try:
        y.sum().backward()
    except GraphError:
        return
    assert values(x.grad).tolist() == [1.0, 1.0, 0.0]


def test_arrays_that_were_indices_or_operands_may_change() -> None:
    """The gradient depends on what the user's array holds after the operation."""
    x = vector(1.0, 2.0, 3.0)
    rows, factor = np.array([0, 1]), np.full(3, 2.0)
    y = (x * factor)[rows]
    rows[:] = 2
    factor[:] = 100.0
    y.sum().backward()
    assert values(x.grad).tolist() == [2.0, 2.0, 0.0]


def test_overwriting_what_no_gradient_reads_is_fine() -> None:
    """An assignment that cannot change a gradient is refused."""
    x = vector(1.0, 2.0)
    y = x + 1.0
    overwrite(x)
    y.sum().backward()
    assert values(x.grad).tolist() == [1.0, 1.0]


def test_in_place_operators() -> None:
    """`+=` loses history, or changes another name of the tensor only half."""
    constant = tg.zeros(2)
    alias = constant.detach()
    constant += 1.0
    assert values(alias).tolist() == [1.0, 1.0]
    x = vector(1.0, 2.0)
    y = x * 2.0
    before = y
    y *= 3.0
    assert y is before
    y.sum().backward()
    assert values(x.grad).tolist() == [6.0, 6.0]
    with pytest.raises(GraphError, match="no_grad"):
        x += 1.0
    with tg.no_grad():
        x -= 1.0
    assert values(x).tolist() == [0.0, 1.0]
    grown = vector(1.0, 2.0) * 1.0
    with pytest.raises(ShapeError):
        grown += tg.ones(3, 2, dtype=tg.float64)


@pytest.mark.parametrize(
    "index",
    [0, -1, (1, 2), (slice(None), 1), slice(0, 2), (..., 0), [1, 0], (0, [2, 2]), None],
    ids=str,
)
def test_item_assignment_is_numpys(index: Any) -> None:
    """`x[index] = value` writes elsewhere than NumPy does, or nowhere."""
    array = np.arange(6.0).reshape(2, 3)
    x = tg.tensor(array)
    array[index] = 9.0
    x[index] = 9.0
    assert values(x).tolist() == array.tolist()


def test_item_assignment_with_masks_and_tensors() -> None:
    """Assignment through a mask or from a tensor writes other numbers."""
    x = tg.tensor([1.0, -2.0, 3.0])
    x[x < 0] = 0.0
    x[tg.tensor([0, 2])] = tg.tensor([7.0, 8.0])
    assert values(x).tolist() == [7.0, 0.0, 8.0]


def test_deep_copies_share_nothing() -> None:
    """A copied module's parameters are those of the original."""
    layer = nn.Linear(2, 2)
    layer(tg.ones(1, 2)).sum().backward()
    other = copy.deepcopy(layer)
    with tg.no_grad():
        other.weight.zero_()
        other.weight.grad.zero_()
    assert values(layer.weight).any()
    assert values(layer.weight.grad).any()
    assert type(other.weight) is nn.Parameter
    assert other.weight.requires_grad


@pytest.mark.parametrize(
    "shape", [(4, 2, 3), (2, 3), (3,), (2, 1), (1,), (4, 1, 3), (1, 1, 1), (4, 1, 1), ()]
)
def test_summing_to_a_shape_undoes_a_broadcast(shape: tuple[int, ...]) -> None:
    """A gradient is summed over the wrong axes, or comes out in another shape."""
    x = np.arange(24.0).reshape(4, 2, 3)
    missing = (1,) * (3 - len(shape)) + shape
    axes = tuple(i for i in range(3) if missing[i] != x.shape[i])
    expected = x.sum(axes, keepdims=True).reshape(shape)
    found = tg.tensor(x).sum_to_size(shape)
    assert found.shape == shape
    assert np.array_equal(values(found), expected)


@pytest.mark.parametrize("shape", [(2,), (2, 2), (4, 2, 3, 1), (1, 4, 2, 3), (0, 3)])
def test_summing_to_a_shape_that_does_not_broadcast(shape: tuple[int, ...]) -> None:
    """A sum over axes that have nothing to do with the shape is returned."""
    with pytest.raises(ShapeError, match="cannot be broadcast"):
        tg.ones(4, 2, 3).sum_to_size(shape)
