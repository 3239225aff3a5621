"""The graph as data: complete, with the numbers of the forward pass, and named as the user did."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.inspection.models import KINDS, OwnCell, T, layers, loss_of, sequence
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.errors import GraphError


@pytest.mark.parametrize("kind", KINDS)
def test_what_belongs_where(kind: str) -> None:
    """Operations get lost, or stand in another layer or step than they were computed in."""
    model = layers(kind, 2)
    loss = loss_of(model(sequence())[0])
    graph = inspect.graph_of(loss, model)
    assert graph.steps() == list(range(T))
    assert graph.layers() == ["l0", "l1"]
    assert sum(graph.counts().values()) == len(graph.operations())
    per_step = {
        (layer, t): sum(v.layer == layer and v.step == t for v in graph.operations())
        for layer in ("l0", "l1")
        for t in range(1, T)
    }
    assert len(set(per_step.values())) == 1
    named = {v.name for v in graph.leaves() if v.kind == "parameter"}
    assert named == {name for name, _ in model.named_parameters()}
    for vertex in graph.operations():
        assert all(source.vertex < vertex.index for source in vertex.inputs)
        assert vertex.site.partition(":")[0].endswith((".py",))
        assert vertex.dtype == "float64"


def test_a_shared_weight_stands_once_with_every_use() -> None:
    """A weight is drawn once a step, or some of its uses are missing."""
    model = layers("lstm")
    graph = inspect.graph_of(loss_of(model(sequence())[0]), model)
    (weight,) = [v for v in graph.leaves() if v.name == "weight_hh_l0"]
    users = [v for v in graph.operations() if any(s.vertex == weight.index for s in v.inputs)]
    assert [v.step for v in users] == list(range(T))
    assert weight.shapes == ((16, 4),)
    assert weight.bytes == 16 * 4 * 8


@pytest.mark.parametrize("size", [4, 96])
def test_values_are_those_of_the_forward_pass(size: int) -> None:
    """A value that was freed comes back wrong; 96 x 96 is large enough to be freed."""
    x = tg.randn(size, size, dtype=tg.float64, requires_grad=True)
    steps = [x]
    for function in ("neg", "tanh", "exp", "sigmoid"):
        steps.append(getattr(steps[-1], function)())
    first, second = (steps[-1] + steps[1]).split((size // 2, size // 2), 0)
    made = [*steps[1:], first * 2.0 + second]
    kept = [y.detach().numpy().copy() for y in made]
    places = [y.grad_fn for y in made]
    loss = made[-1].sum()
    del made, steps, first, second
    graph = inspect.graph_of(loss)
    found = {id(graph.object_of(v)): v for v in graph.vertices}
    for node, value in zip(places, kept, strict=True):
        shown = graph.value(found[id(node)])
        assert shown is not None
        np.testing.assert_array_equal(shown, value)
    assert graph.value(graph.vertices[-1]) == pytest.approx(loss.item())
    assert all(
        graph.value(v, slot) is not None
        for v in graph.vertices
        for slot, shape in enumerate(v.shapes)
        if shape is not None
    )


def test_overwritten_numbers_are_not_shown() -> None:
    """After an optimizer's step, new weights are shown as those that computed the graph."""
    w = tg.ones(2, requires_grad=True)
    y = w * 3.0
    loss = y.exp().sum()
    with tg.no_grad():
        w.assign(2.0)
    graph = inspect.graph_of(loss, names={"w": w})
    by_title = {v.title: graph.value(v) for v in graph.vertices}
    assert by_title["w"] is None
    np.testing.assert_array_equal(by_title["mul"], [3.0, 3.0])
    del y
    second = tg.ones(200, 200, requires_grad=True)
    total = (second * 3.0).neg().sum()
    with tg.no_grad():
        second.assign(2.0)
    again = inspect.graph_of(total)
    values = {v.title: again.value(v) for v in again.vertices}
    assert values["mul"] is None
    assert values["neg"] is None


def test_names_of_cells_and_loops() -> None:
    """Names that the user gave are not shown: of gates, inputs, loops and lines of code."""
    cell = OwnCell(3)
    x = tg.randn(2, 3, dtype=tg.float64)
    h = tg.zeros(2, 4, dtype=tg.float64, requires_grad=True)
    with tg.scope("mine", 7):
        _, after = cell(x, h)
    graph = inspect.graph_of(after.sum(), cell, {"h": h})
    assert [v.label for v in graph.operations() if v.label] == ["z"]
    assert {v.name for v in graph.leaves()} > {"gate.weight", "gate.bias", "h"}
    assert graph.steps() == [7]
    assert graph.layers() == ["mine"]
    assert {v.path for v in graph.operations()} == {"mine", "mine.gate", "mine.new", ""}
    assert inspect.graph_of(after.sum(), layer_of=str.upper).layers()[0].startswith("MINE")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["lengths", "reset", "zoneout"])
def test_masks_stand_in_the_layer_that_they_mask(kind: str, call: str) -> None:
    """What the wrapper adds to a step (a mask, a reset, zoneout) is drawn as a layer of its own."""
    model = layers(kind, 2)
    if call == "zoneout":
        model = nn.Recurrent(lambda size: OwnCell(size), 3, 2, zoneout=0.5)
        output, _ = model(sequence())
    elif call == "lengths":
        output, _ = model(sequence(), lengths=[5, 3])
    else:
        output, _ = model(sequence(), reset=tg.tensor([[False, True]] * T))
    loss = loss_of(output)
    assert inspect.graph_of(loss, model).layers() == ["l0", "l1"]
    for name, parameter in model.named_parameters():
        (expected,) = tg.grad(loss, parameter, retain_graph=True)
        shares = inspect.contributions_of(loss, parameter)
        np.testing.assert_allclose(shares.total(), expected.numpy(), atol=1e-13, err_msg=name)
        assert {share.step for share in shares} == set(range(T))


def test_memory_counts_each_array_once() -> None:
    """Memory is counted twice for a shared array, or for a view."""
    x = tg.ones(10, 10, requires_grad=True)
    y = x.reshape(100) * 2.0
    graph = inspect.graph_of((y * y).sum(), names={"x": x})
    assert [v.bytes for v in graph.operations()] == [0, 400, 400, 4]
    # x (also through its view), 2 x and its square; the sum only knows the shape of large inputs.
    assert graph.held_bytes == 3 * 400


def test_a_released_graph_says_so() -> None:
    """A view of a released graph fails in a way that does not tell what to do."""
    model = layers("gru")
    loss = loss_of(model(sequence())[0])
    loss.backward(retain_graph=True)
    assert len(inspect.graph_of(loss)) > 10
    loss.backward()
    for look in (inspect.graph_of, inspect.trace):
        with pytest.raises(GraphError, match=r"released.*before calling backward.*retain_graph"):
            look(loss)
    with tg.no_grad(), pytest.raises(GraphError, match="no graph"):
        inspect.graph_of(loss_of(model(sequence())[0]))


def test_graphs_of_gradients() -> None:
    """The graph of a gradient cannot be shown."""
    model = layers("rnn")
    loss = loss_of(model(sequence())[0])
    weight = model.cells()[0].weight_hh
    (g,) = tg.grad(loss, weight, create_graph=True)
    graph = inspect.graph_of((g * g).sum(), model)
    assert len(graph) > len(inspect.graph_of(loss))
    assert graph.steps() == list(range(T))


def test_ten_thousand_steps_do_not_recurse() -> None:
    """A deep graph ends in a RecursionError."""
    x = tg.ones(1, requires_grad=True)
    y = x
    for t in range(10_000):
        with tg.scope("loop", t):
            y = y * 1.0
    graph = inspect.graph_of(y.sum())
    assert len(graph.steps()) == 10_000
    assert "9,994 steps" in inspect.to_text(graph)
    assert len(inspect.contributions_of(y.sum(), x)) == 1
