"""The data behind a page: valid JSON, with the numbers of the forward and the backward pass."""

import json

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.inspection.models import KINDS, T, layers, loss_of, sequence
from tinygrad_rnn import inspect


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_those_of_the_model(kind: str) -> None:
    """A page shows values or gradients that are not the model's."""
    model = layers(kind, 2)
    x = sequence()
    with inspect.observe() as seen:
        loss = loss_of(model(x)[0])
    data = json.loads(json.dumps(inspect.report(loss, model, {"x": x}, seen), allow_nan=False))
    assert data["format"] == "tinygrad_rnn.inspect.report/1"
    states = inspect.series(seen, ["h"])
    flow = inspect.gradient_flow(loss, states)
    for name, steps in states.items():
        shown = data["flow"][name]
        np.testing.assert_allclose(shown["norms"], flow.norms[name], rtol=1e-12)
        for i, h in enumerate(steps.values()):
            slot = data["nodes"][shown["nodes"][i]]["slots"][shown["slots"][i]]
            assert slot["value"]["numbers"] == h.detach().numpy().reshape(-1).tolist()
            expected = flow.gradients[name][i].reshape(-1)
            np.testing.assert_allclose(slot["gradient"]["numbers"], expected, atol=1e-14)
            assert slot["shape"] == list(h.shape)
    (root,) = [node for node in data["nodes"] if node["output"]]
    assert root["slots"][0]["value"]["numbers"] == [loss.item()]
    loss.backward()
    by_name = {weight["name"]: weight for weight in data["weights"]}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert by_name[name]["norm"] == pytest.approx(np.linalg.norm(parameter.grad.numpy()))
        assert [share["step"] for share in by_name[name]["shares"]] == list(range(T))


def test_the_graph_can_be_played() -> None:
    """An edge points to a node that comes later, or a line of code or a row is missing."""
    model = layers("lstm", 2)
    data = inspect.report(loss_of(model(sequence())[0]), model, numbers=2)
    for edge in data["edges"]:
        assert edge["source"] < edge["target"]
        source = data["nodes"][edge["source"]]
        assert source["slots"][edge["slot"]]["shape"] is not None
        assert not edge["cut"]
    for node in data["nodes"]:
        if node["kind"] == "operation":
            assert node["file"].endswith(".py")
            assert not node["file"].startswith("/")
            assert data["rows"][node["row"]]["over_time"] == (node["step"] is not None)
        for slot in node["slots"]:
            assert slot["value"] is None or len(slot["value"]["numbers"]) <= 2


@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_window_cuts_the_edges_between(window: int) -> None:
    """Truncation cuts other edges than those between windows, or a gradient passes a cut one."""
    model = layers("lstm")
    loss = loss_of(model(sequence(8))[0])
    whole = inspect.report(loss, model)
    cut = inspect.report(loss, model, window=window)
    assert [edge["cut"] for edge in whole["edges"]].count(True) == 0
    for edge in cut["edges"]:
        steps = [cut["nodes"][edge[end]]["step"] for end in ("source", "target")]
        between = None not in steps and steps[0] // window != steps[1] // window
        assert edge["cut"] == (between and edge["tracked"])
        if edge["cut"]:
            assert edge["gradient"] is None
    # h and c once each at every edge of a window: c is used by one product, h by one product.
    assert sum(edge["cut"] for edge in cut["edges"]) == 2 * (8 // window - 1)


def test_what_is_not_finite_is_json_too() -> None:
    """A model that exploded makes a page that no browser reads."""
    x = tg.tensor([1e30, 1.0], requires_grad=True)
    data = inspect.report((x * x * x).sum())
    text = json.dumps(data, allow_nan=False)
    assert '"inf"' in text
