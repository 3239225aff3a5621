"""The backward pass told slowly gives what the engine gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tests.inspection.models import KINDS, layers, loss_of, sequence
from tests.tools import examples
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.inspect.timeline import uses_of


@examples(12)
@given(kind=st.sampled_from(KINDS), num_layers=st.integers(1, 2), bidirectional=st.booleans())
def test_gradients_are_those_of_the_engine(
    kind: str, num_layers: int, bidirectional: bool
) -> None:
    """A gradient that a page shows differs from the one that trains."""
    model = layers(kind, num_layers, bidirectional)
    with inspect.observe() as seen:
        loss = loss_of(model(sequence())[0])
    states = [x for steps in inspect.series(seen).values() for x in steps.values()]
    inputs = [x for x in [*states, *model.parameters()] if x.requires_grad]
    passed = inspect.trace(loss)
    gradients = tg.grad(loss, inputs, retain_graph=True, allow_unused=True)
    for x, g in zip(inputs, gradients, strict=True):
        shown = passed.of(x)
        if g is None:
            assert shown is None or not shown.numpy().any()
        else:
            assert shown is not None
            np.testing.assert_allclose(shown.numpy(), g.numpy(), atol=1e-14)


def test_what_passes_along_edges() -> None:
    """The size of an edge is not the norm of what its use contributes."""
    x = tg.tensor([3.0, 4.0], requires_grad=True)
    y = x * 2.0
    loss = (y * y).sum() + y.sum()
    passed = inspect.trace(loss)
    uses = uses_of(passed.nodes)
    found = sorted(passed.passed[use] for use in uses[y.grad_fn, 0])
    # y·y takes y twice: g y each, |(6, 8)| = 10; the sum passes (1, 1).
    assert found == pytest.approx([np.sqrt(2.0), 10.0, 10.0])
    assert passed.passed[uses[x][0]] == pytest.approx(2 * np.hypot(13.0, 17.0))


def test_several_outputs_and_their_gradients() -> None:
    """Given gradients of outputs are ignored, or only the first output counts."""
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    outputs = [x * x, x.exp()]
    seeds = [tg.tensor([1.0, -1.0]), tg.tensor([0.5, 2.0])]
    shown = inspect.trace(outputs, seeds).of(x)
    (expected,) = tg.grad(outputs, x, seeds, retain_graph=True)
    assert shown is not None
    np.testing.assert_allclose(shown.numpy(), expected.numpy())


def test_graphs_of_gradients_and_checkpoints() -> None:
    """Only graphs of plain forward passes can be traced."""
    x = tg.tensor([0.5, 1.5], dtype=tg.float64, requires_grad=True)
    (g,) = tg.grad((x * x * x).sum(), x, create_graph=True)
    penalty = (g * g).sum() + tg.checkpoint(lambda y: (y * y).sin(), x).sum()
    shown = inspect.trace(penalty).of(x)
    (expected,) = tg.grad(penalty, x, retain_graph=True)
    assert shown is not None
    np.testing.assert_allclose(shown.numpy(), expected.numpy())
    assert "checkpoint" in inspect.graph_of(penalty).counts()


def test_a_cut_leaves_the_rest_alone() -> None:
    """Truncation stops more than the state at the edge of a window, or less."""
    model = nn.LSTM(3, 4, dtype=tg.float64)
    with inspect.observe() as seen:
        loss = loss_of(model(sequence(4))[0])
    cut = inspect.trace(loss, cut=inspect.window_cut(2))
    c = inspect.series(seen, ["c"])["l0.c"]
    whole = inspect.trace(loss)
    for t in (2, 3):
        np.testing.assert_array_equal(cut.of(c[t])._array, whole.of(c[t])._array)  # type: ignore[union-attr]
    assert not np.allclose(cut.of(c[1])._array, whole.of(c[1])._array)  # type: ignore[union-attr]
