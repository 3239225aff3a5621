"""The page that plays a graph: its data are the model's, and the file needs nothing else."""

import base64
import hashlib
import json
import re
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.browser.studies import TEXT, run_of
from tinygrad_rnn import inspect
from tinygrad_rnn.inspect.pages import Run, study, study_data, study_page

KINDS = ("RNN", "LSTM", "GRU", "own")


def data_in(html: str) -> dict[str, Any]:
    """The data of a page, as its program reads them."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert match is not None
    found: dict[str, Any] = json.loads(match[1])
    return found


def place_of(run: dict[str, Any], node: int, slot: int) -> int:
    places = zip(run["slots"]["node"], run["slots"]["slot"], strict=True)
    return list(places).index((node, slot))


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_the_model(kind: str) -> None:
    """The page shows other numbers than the model computes, for some objective or window."""
    run = run_of(kind, layers=2)
    windows = (1, 3)
    (data,) = study_data([run], windows=windows)["runs"]
    assert len(data["variants"]) == len(run.objectives) * (1 + len(windows))
    states = inspect.series(run.seen, ["h"])
    assert set(states) <= set(data["states"])
    for variant in data["variants"]:
        cut = None if variant["window"] is None else inspect.window_cut(variant["window"])
        passed = inspect.trace(run.objectives[variant["objective"]], cut=cut)
        for name, steps in states.items():
            shown = data["states"][name]
            assert shown["steps"] == list(steps)
            for i, h in enumerate(steps.values()):
                at = place_of(data, shown["nodes"][i], shown["slots"][i])
                value = data["arrays"][data["slots"]["value"][at]]
                np.testing.assert_allclose(value[3:], h.detach().numpy().reshape(-1), rtol=1e-3)
                gradient = data["arrays"][variant["gradient"][at]]
                found = passed.of(h)
                expected = np.zeros(h.numel()) if found is None else found.numpy().reshape(-1)
                # A gradient that does not arrive may be None or 0: the other objective's.
                given = np.zeros(h.numel()) if gradient is None else gradient[3:]
                np.testing.assert_allclose(given, expected, rtol=1e-3)
                norm = float(np.linalg.norm(expected))
                assert variant["flow"][name][i] == pytest.approx(norm, rel=1e-3)
        shares = {weight["name"]: weight for weight in variant["weights"]}
        for name, weight in run.module.named_parameters():
            total = passed.of(weight)
            norm = 0.0 if total is None else float(np.linalg.norm(total.numpy()))
            assert shares[name]["norm"] == pytest.approx(norm, rel=1e-3)


def test_edges_that_are_cut_are_those_between_windows() -> None:
    """The page marks other edges than those that truncation cuts."""
    run = run_of("LSTM")
    (data,) = study_data([run], windows=(2,))["runs"]
    steps, edges = data["nodes"]["step"], data["edges"]
    for variant in data["variants"]:
        for i, (source, target) in enumerate(zip(edges["source"], edges["target"], strict=True)):
            times = (steps[source], steps[target])
            window = variant["window"]
            between = window and None not in times and times[0] // window != times[1] // window
            assert (i in variant["cut"]) == bool(between and edges["tracked"][i])
            if i in variant["cut"]:
                assert variant["passed"][i] is None


@pytest.mark.parametrize("window", [None, 2])
def test_credit_is_what_each_loss_owes_to_each_state(window: int | None) -> None:
    """The credit matrix is not the gradient of each loss, or ignores the window."""
    run = run_of("GRU")
    (data,) = study_data([run], windows=(2,))["runs"]
    (steps,) = inspect.series(run.seen, ["h"]).values()
    expected = inspect.credit(list(run.losses), list(steps.values()))
    if window is not None:
        t, k = np.indices(expected.shape)
        expected = np.where(t // window == k // window, expected, 0.0)
    credit = data["credit"]
    assert credit["rows"] == credit["columns"] == list(range(len(TEXT) - 1))
    matrix = credit["matrices"][0 if window is None else 1]
    np.testing.assert_allclose(matrix, expected, rtol=1e-3)


def test_gradients_of_all_steps_at_once_are_divided_by_step() -> None:
    """What the loss sends into a step is shown at another, or at all of them."""
    run = run_of("LSTM")
    (data,) = study_data([run])["runs"]
    last = [t for t, name in enumerate(data["nodes"]["path"]) if data["texts"][name] == "readout"]
    place = data["slots"]["node"].index(max(last))
    for variant in data["variants"]:
        norms = variant["by_step"][place]
        whole = data["arrays"][variant["gradient"][place]][0]
        assert np.linalg.norm(norms) == pytest.approx(whole, rel=1e-3)
        if variant["objective"] == "last step":
            assert norms[:-1] == [0] * (len(TEXT) - 2)
            # ∂L_t/∂logits = p - y, where p[target] = exp(-L_t).
            assert norms[-1] > 1.0 - np.exp(-run.losses[-1].item())


def test_long_sequences_have_some_rows_of_credit() -> None:
    """A long sequence costs a backward pass for every step, or leaves out its last loss."""
    run = run_of("RNN", "abcab" * 12)
    (data,) = study_data([run])["runs"]
    rows = data["credit"]["rows"]
    assert len(rows) <= study.CREDIT_ROWS
    assert rows[-1] == 58
    assert len(data["credit"]["columns"]) == 59


def test_the_graph_and_gradients_are_left_alone() -> None:
    """Writing a page releases the graph, or changes `.grad`."""
    run = run_of("LSTM")
    study_page([run], windows=(2,))
    assert all(p.grad is None for p in run.module.parameters())
    run.objectives["all steps"].backward()
    assert all(p.grad is not None for p in run.module.parameters())


def test_a_large_page_shows_fewer_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a large model grows without bounds, or loses states or norms."""
    run = run_of("LSTM", "the quick brown fox jumps over the lazy dog")
    whole = study_data([run])
    most = max(len(array) for array in whole["runs"][0]["arrays"] if array)
    monkeypatch.setattr(study, "MAX_CHARACTERS", len(json.dumps(whole)) // 2)
    data = study_data([run])
    assert len(study_page([run])) < len(json.dumps(whole)) // 2 + 150_000
    kept = [array for array in data["runs"][0]["arrays"] if array]
    assert all(len(array) >= 4 for array in kept)
    assert max(len(array) for array in kept) < most
    (run_data,) = data["runs"]
    for name, states in run_data["states"].items():
        tensors = inspect.series(run.seen, [name])[name]
        for node, slot, h in zip(states["nodes"], states["slots"], tensors.values(), strict=True):
            array = run_data["arrays"][run_data["slots"]["value"][place_of(run_data, node, slot)]]
            assert len(array) == 3 + min(h.numel(), study.STATE_NUMBERS)


def test_the_file_needs_nothing_else() -> None:
    """The page names an address, loads a file, or runs what is not its own program."""
    html = study_page([run_of("RNN")], TEXT[:-1], TEXT[1:])
    for word in ("http:", "https:", "//cdn", "@import", "url(", " src=", "<link"):
        assert word not in html
    script = html[html.rindex("<script>") + len("<script>") : html.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in html


ATTACK = "</script><script>alert(1)</script><!--\u2028&\ud800"


def test_text_cannot_leave_the_data() -> None:
    """A text that looks like a program becomes one."""
    plain = study_page([run_of("RNN")], [""] * 4, [""] * 4, (), "")
    html = study_page([run_of("RNN")], [ATTACK] * 4, [ATTACK] * 4, (), ATTACK)
    assert html.count("<script") == plain.count("<script") == 2
    assert html.count("</script") == plain.count("</script") == 2
    data = data_in(html)
    assert data["inputs"] == data["targets"] == [ATTACK] * 4
    assert data["title"] == ATTACK


def test_what_is_not_finite_is_shown_too() -> None:
    """A model that exploded makes a page that no browser reads."""
    x = tg.tensor([1e30, 1.0], requires_grad=True)
    with inspect.observe() as seen:
        loss = (x * x * x).sum()
    run = Run("one", {"loss": loss}, tg.nn.Identity(), seen)
    (data,) = data_in(study_page([run]))["runs"]
    assert any("inf" in array for array in data["arrays"] if array)
    assert data["credit"] is None
    assert data["states"] == {}
