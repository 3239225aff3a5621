"""Text, DOT and SVG: few boxes for many steps, and documents that other programs can read."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import tinygrad_rnn as tg
from tests.inspection.models import KINDS, layers, loss_of, sequence
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.inspect.layout import arrange

HOSTILE = '</text><script>alert("1")</script>&\\'


def recorded(kind: str, steps: int, num_layers: int = 2, bidirectional: bool = False) -> tg.Tensor:
    with inspect.observe():
        return loss_of(layers(kind, num_layers, bidirectional)(sequence(steps))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_steps_are_a_few_boxes(kind: str) -> None:
    """A long sequence is thousands of boxes, or folding drops operations or edges."""
    graph = inspect.graph_of(recorded(kind, 100))
    folded = inspect.fold(graph, show=3)
    assert len(folded.boxes) < 45
    assert [len(column.steps) for column in folded.columns] == [1, 1, 1, 94, 1, 1, 1]
    shown = sorted(v.index for box in folded.boxes for v in box.vertices if v.kind == "operation")
    assert shown == [v.index for v in graph.operations()]
    for link in folded.links:
        if link.kind == "time":
            ends = [folded.boxes[i].column or 0 for i in (link.source, link.target)]
            assert ends[1] == ends[0] + 1


def test_any_step_unfolds() -> None:
    """An unfolded step does not show each of its operations and what passes between them."""
    graph = inspect.graph_of(recorded("lstm", 40))
    folded = inspect.fold(graph, show=1, unfold=[20, 21])
    assert [len(column.steps) for column in folded.columns] == [1, 19, 1, 1, 17, 1]
    inner = [box for box in folded.boxes if box.kind == "operation"]
    wanted = [v for v in graph.operations() if v.step in (20, 21)]
    assert sorted(box.vertices[0].index for box in inner) == [v.index for v in wanted]
    within = {
        (folded.boxes[link.source].vertices[0].index, folded.boxes[link.target].vertices[0].index)
        for link in folded.links
        if folded.boxes[link.source].kind == folded.boxes[link.target].kind == "operation"
    }
    known = {v.index for v in wanted}
    expected = {(s.vertex, v.index) for v in wanted for s in v.inputs if s.vertex in known}
    assert within == expected


def test_gradients_on_links_are_those_of_the_trace() -> None:
    """The colour of a line is not the gradient that passes."""
    loss = recorded("gru", 5, 1)
    graph, passed = inspect.graph_of(loss), inspect.trace(loss)
    folded = inspect.fold(graph, unfold=range(5), trace=passed)
    assert {link.tracked for link in folded.links} == {True, False}
    for link in folded.links:
        if link.tracked:
            squares = sum(passed.passed.get(use, 0.0) ** 2 for use in link.uses)
            assert link.gradient == pytest.approx(squares**0.5)
        else:
            assert link.gradient is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unfold", [(), (1,)])
def test_boxes_do_not_overlap(kind: str, unfold: tuple[int, ...]) -> None:
    """Boxes of the drawing lie on each other, or outside of the picture."""
    graph = inspect.graph_of(recorded(kind, 9, 2, bidirectional=True))
    folded = inspect.fold(graph, 2, unfold)
    layout = arrange(folded)
    rects = {i: r for i, r in layout.rects.items() if folded.boxes[i].kind != "operation"}
    for i, a in rects.items():
        assert min(a.x, a.y) >= 0
        assert a.right <= layout.width
        assert a.bottom <= layout.height
        for j, b in rects.items():
            apart = a.right <= b.x or b.right <= a.x or a.bottom <= b.y or b.bottom <= a.y
            assert i >= j or apart, (folded.boxes[i], folded.boxes[j])
    for box in folded.boxes:
        if box.parent is not None:
            outer, own = layout.rects[box.parent], layout.rects[box.index]
            assert outer.x < own.x
            assert own.right < outer.right
            assert outer.y < own.y
            assert own.bottom < outer.bottom
    columns = {b.column: layout.rects[b.index].x for b in folded.boxes if b.kind == "step"}
    assert [columns[c] for c in sorted(columns, key=lambda c: c or 0)] == sorted(columns.values())


@pytest.mark.parametrize("kind", KINDS)
def test_svg_is_xml_and_says_everything(kind: str) -> None:
    """The drawing is broken, or misses a step, a layer, a weight or its gradients."""
    model = layers(kind, 2)
    with inspect.observe():
        loss = loss_of(model(sequence(20))[0])
    svg = inspect.to_svg(
        inspect.graph_of(loss, model), show=2, unfold=5, trace=inspect.trace(loss), title="A & B"
    )
    root = ElementTree.fromstring(svg)
    text = "\n".join(root.itertext())
    assert "A & B" in text
    for word in ("t=0", "t=5", "t=19", "l0", "l1", "t=2 … 4", "⋯ 3 steps", "‖∂L‖", "log scale"):
        assert word in text
    for name, _ in model.named_parameters():
        assert name in text
    assert "nan" not in svg


def test_names_are_escaped() -> None:
    """A name from outside breaks the document, or runs in it."""
    x = tg.randn(2, 3, requires_grad=True)
    h = x
    for t in range(3):
        with tg.scope(HOSTILE, t):
            h = h.tanh()
    graph = inspect.graph_of(h.sum(), names={HOSTILE: x})
    svg = inspect.to_svg(graph, title=HOSTILE)
    root = ElementTree.fromstring(svg)
    assert not [e for e in root.iter() if e.tag.endswith("script")]
    assert HOSTILE in "".join(root.itertext())
    dot = inspect.to_dot(graph)
    assert '\\"1\\"' in dot
    quotes = re.sub(r"\\.", "", dot).count('"')
    assert quotes % 2 == 0


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("kind", KINDS)
def test_graphviz_reads_it(kind: str) -> None:
    """Graphviz cannot read the document, or reads fewer boxes than there are."""
    loss = recorded(kind, 12)
    graph = inspect.graph_of(loss)
    dot = inspect.to_dot(graph, show=2, unfold=4, trace=inspect.trace(loss))
    plain = subprocess.run(
        ["dot", "-Tplain"], input=dot, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    folded = inspect.fold(graph, 2, 4)
    drawn = [box for box in folded.boxes if not folded.inside(box)]
    assert sum(line.startswith("node ") for line in plain.splitlines()) == len(drawn)


def test_text_counts_and_unfolds() -> None:
    """The text misses a step, a shape or the user's line."""
    model = nn.LSTM(3, 4, 2)
    x = tg.randn(100, 2, 3)
    graph = inspect.graph_of(model(x)[0].sum(), model, {"x": x})
    text = inspect.to_text(graph, show=2, unfold=50)
    assert f"{len(graph.operations()):,} operations, 100 time steps × 2 layers" in text
    assert "weight_hh_l1 (16, 4) float32 → l1 at t=0–99, 100 uses" in text
    assert "x (100, 2, 3) float32 → l0, 1 use" in text
    assert "⋯ 48 steps, t=2 … 49" in text
    assert len(re.findall(r"%\d+ = .*test_drawings\.py:\d+", text)) == sum(
        v.step == 50 for v in graph.operations()
    )
    assert f"{len(graph.operations())} operations, 100 time steps" in repr(graph)


def test_a_graph_without_time_is_drawn() -> None:
    """A graph outside of any loop, or of one operation, cannot be drawn."""
    x = tg.ones(3, requires_grad=True)
    graph = inspect.graph_of(x.sum())
    ElementTree.fromstring(inspect.to_svg(graph))
    assert "the model, outside the loop: sum" in inspect.to_text(graph)
    assert "digraph" in inspect.to_dot(graph)
