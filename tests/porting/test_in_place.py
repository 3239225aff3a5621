"""Changes in place while a graph is recorded: PyTorch's numbers and gradients, or an error."""

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.tools import examples, values
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError
from tinygrad_rnn.jit import jit

torch = pytest.importorskip("torch")

INDICES = [
    "0",
    "-1",
    "1:3",
    "..., 1",
    ":, 2",
    ":, 1:",
    "::2",
    "1, 2",
    "0, 1:3",
    "None, 1",
    "2:2",
    "b",
    ":, c",
    "i",
    "i, j",
    "i, 1:",
    ":",
    "...",
]


def both(function: Any) -> tuple[Any, Any]:
    """What a function of a library returns for both, as arrays."""

    def plain(x: Any) -> Any:
        return np.asarray(x.detach().numpy())

    return [plain(x) for x in function(tg)], [plain(x) for x in function(torch)]


def assert_equal(function: Any) -> None:
    ours, theirs = both(function)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@given(st.data(), st.integers(0, 2**16), st.booleans())
@examples(60)
def test_item_assignment(data: st.DataObject, seed: int, computed: bool) -> None:
    """An element gets another number, or a gradient is lost or goes to what was overwritten."""
    texts = data.draw(st.lists(st.sampled_from(INDICES), min_size=1, max_size=3))
    random = np.random.default_rng(seed)
    start, scale = random.normal(size=(2, 4, 3))
    sources = random.normal(size=(len(texts), 4, 3))
    weight = random.normal(size=(4, 3))

    def run(m: Any) -> list[Any]:
        scope = {
            "b": m.tensor([True, False, True, True]),
            "c": m.tensor([True, False, True]),
            "i": m.tensor([2, 0]),
            "j": m.tensor([1, 2]),
        }
        leaves = [m.tensor(x, requires_grad=True) for x in (start, *sources)]
        x = leaves[0] * m.tensor(scale) if computed else m.zeros(4, 3, dtype=m.float64)
        for text, source in zip(texts, leaves[1:], strict=True):
            index = eval(f"slot[{text}]", {**scope, "slot": Slot()})
            x[index] = (source * 2)[index] if text != "None, 1" else source[1] * 2
        (x * x * m.tensor(weight)).sum().backward()
        return [x, *(m.zeros(1) if leaf.grad is None else leaf.grad for leaf in leaves)]

    assert_equal(run)


class Slot:
    """Returns an index as it is written."""

    def __getitem__(self, index: Any) -> Any:
        return index


def decoder(m: Any) -> list[Any]:
    """The way in which most decoders collect their outputs."""
    random = np.random.default_rng(3)
    weight = m.tensor(random.normal(size=(3, 3)), requires_grad=True)
    h = m.tensor(random.normal(size=(2, 3)))
    outputs = m.zeros(5, 2, 3, dtype=m.float64)
    swapped = m.zeros(2, 5, 3, dtype=m.float64)
    loss = 0.0
    for t in range(5):
        h = m.tanh(h @ weight)
        outputs[t] = h.unsqueeze(0)
        swapped[:, t, :] = h
        swapped[:, t] += 1
        loss += outputs[t].tanh().sum()
    loss = loss + (outputs * swapped.transpose(0, 1)).sum()
    loss.backward()
    return [loss, outputs, swapped, weight.grad]


def aliases(m: Any) -> list[Any]:
    """Two names of one tensor, which was used before it was changed."""
    x = m.tensor([1.0, 2.0, 3.0], requires_grad=True)
    h = x * 2
    k = h
    before = h + 1
    h += 1
    h *= x
    after = h.sum()
    h -= 2 * x
    h /= 4
    (k.sum() + before.sum() * 5 + after).backward()
    return [h, k, before, x.grad]


def methods(m: Any) -> list[Any]:
    """Methods that overwrite."""
    x = m.tensor([-1.0, 0.5, 2.0], dtype=m.float64, requires_grad=True)
    y = x * 2
    y.mul_(3).add_(x, alpha=0.5).clamp_(max=5.0).masked_fill_(m.tensor([True, False, False]), 2.0)
    z = (x - 1).sub_(y).tanh_()
    (y * z).sum().backward()
    return [y, z, x.grad]


def constants(m: Any) -> list[Any]:
    """A constant to which results are added."""
    x = m.tensor([1.0, 2.0], requires_grad=True)
    total = m.zeros(2)
    same = total
    for t in range(3):
        total += x * t
    same.sum().backward()
    return [total, same, x.grad]


def activations(m: Any) -> list[Any]:
    """Functions with inplace=True."""
    x = m.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    y = x * 2
    z = m.nn.functional.relu(y, inplace=True)
    w = m.nn.LeakyReLU(0.2, inplace=True)(x - 1)
    assert z is y
    (z * w).sum().backward()
    return [y, w, x.grad]


def second_order(m: Any) -> list[Any]:
    """A gradient penalty through collected outputs."""
    x = m.tensor([0.3, -1.2, 2.0], requires_grad=True)
    outputs = m.zeros(3, 3)
    for t in range(3):
        outputs[t] = x**3 * (t + 1)
    (g,) = m.autograd.grad(outputs.sum(), x, create_graph=True)
    g.pow(2).sum().backward()
    return [g, x.grad]


@pytest.mark.parametrize(
    "function", [decoder, aliases, methods, constants, activations, second_order]
)
def test_programs(function: Any) -> None:
    """A program that changes tensors in place gets other numbers or gradients than in PyTorch."""
    assert_equal(function)


@pytest.mark.parametrize("m", [tg, torch])
def test_numbers_that_backward_needs_are_not_changed_unseen(m: Any) -> None:
    """A product is differentiated with numbers that came later."""
    x = m.ones(3, requires_grad=True)
    h = x * 2
    s = (h * h).sum()
    h += 1
    with pytest.raises(RuntimeError):
        s.backward()


def test_views_are_not_left_behind() -> None:
    """A view keeps old numbers where PyTorch's shows the new ones."""
    x, y = tg.zeros(2, 2), tg.ones(2, requires_grad=True)
    row = x[0]
    with pytest.raises(GraphError, match="view"):
        x[0] = y
    with pytest.raises(GraphError, match="view"):
        row[0] = y[0]
    del row
    x[0] = y
    assert values(x).tolist() == [[1, 1], [0, 0]]


def test_collected_outputs_are_freed() -> None:
    """Every state of a tensor that is filled step by step stays in memory until backward."""
    h = tg.ones(4096, requires_grad=True)
    outputs = tg.zeros(20, 4096)
    gc.collect()
    for t in range(20):
        outputs[t] = h * 2.0
    found = [x for x in gc.get_objects() if issubclass(type(x), tg.Tensor)]
    assert sum(x.shape == (20, 4096) for x in found) == 1
    outputs.sum().backward()
    assert values(h.grad).tolist() == [40.0] * 4096


def test_a_compiled_step_changes_what_it_computes() -> None:
    """A compiled step gives the name a new tensor where eager execution changes the old one."""

    def step(x: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        w = x.detach().requires_grad_()
        h = w * 2
        k = h
        h += 1
        h[0] = w[1] * 3
        k.sum().backward()
        assert w.grad is not None
        return k.detach(), w.grad

    compiled = jit(step)
    for seed in range(3):
        x = tg.tensor(np.random.default_rng(seed).normal(size=(3, 2)).astype(np.float32))
        for a, b in zip(compiled(x), step(x), strict=True):
            np.testing.assert_allclose(values(a), values(b), rtol=1e-6)


def test_a_compiled_step_does_not_record_into_a_constant() -> None:
    """A buffer from outside a compiled step keeps its numbers although the step assigned to it."""
    buffer = tg.zeros(3, 2)

    def step(x: tg.Tensor) -> tg.Tensor:
        buffer[0] = x.detach().requires_grad_() * 2
        return buffer.sum()

    with pytest.raises(GraphError, match="stack"):
        jit(step)(tg.ones(2))


def test_in_place_layers_in_a_model() -> None:
    """A model with inplace=True cannot be trained."""
    model = nn.Sequential(
        nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Dropout(0.0, inplace=True), nn.Linear(4, 1)
    )
    plain = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    plain.load_state_dict(
        {name.replace("3", "2"): x for name, x in model.state_dict().items()}
    )
    x = tg.randn(5, 3)
    for m in (model, plain):
        m(x).square().sum().backward()
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        np.testing.assert_array_equal(values(a.grad), values(b.grad))
