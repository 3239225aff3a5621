"""examples/study_bptt.py: it writes one file with the numbers of the models in it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import Program, assert_refused, load


def data_of(path: Path) -> dict[str, Any]:
    html = path.read_text(encoding="utf-8")
    assert "http:" not in html
    assert "https:" not in html
    match = re.search(r'id="data">(.*?)</script>', html, re.S)
    assert match is not None
    found: dict[str, Any] = json.loads(match[1])
    return found


def test_the_page_is_written(program: Program, tmp_path: Path) -> None:
    """There is no page, or it lacks a model, a window, a symbol or the numbers."""
    path = tmp_path / "new" / "page.html"
    result = program("study_bptt", "--out", str(path))
    assert result.returncode == 0, result.stderr
    assert f"Open {path} in a browser" in result.stdout
    data = data_of(path)
    assert [run["name"] for run in data["runs"]] == ["RNN", "LSTM", "GRU"]
    assert data["inputs"] == list("hell")
    assert data["targets"] == list("ello")
    assert data["windows"] == [None, 1, 2]
    for run in data["runs"]:
        loss = float(re.findall(rf"^{run['name']}: .* loss (\S+)$", result.stdout, re.M)[0])
        assert np.mean(run["losses"]) == pytest.approx(loss, rel=1e-3)
        shown = run["arrays"][
            run["slots"]["value"][run["slots"]["node"].index(run["outputs"]["all steps"])]
        ]
        assert shown[3] == pytest.approx(loss, rel=1e-3)
        lines = [run["texts"][i] for i in run["nodes"]["code"]]
        assert any(line and line.startswith("h = ") for line in lines)


def test_the_cells_are_pytorchs() -> None:
    """A cell that is written out computes something else than the library's (and PyTorch's)."""
    study = load("study_bptt")
    x = tg.randn(5, 1, 4, dtype=tg.float64)
    for name, layer in (("RNN", tg.nn.RNN), ("LSTM", tg.nn.LSTM), ("GRU", tg.nn.GRU)):
        cell = study.CELLS[name](4, 3).to(tg.float64)
        built = layer(4, 3, dtype=tg.float64)
        given = dict(cell.named_parameters())
        with tg.no_grad():
            for own, whole in (("W_x", "ih"), ("W_h", "hh")):
                own += "h" if name == "RNN" else ""
                own = {"W_xh": "W_xh", "W_hh": "W_hh"}.get(own, own)
                getattr(built, f"weight_{whole}_l0").assign(given[f"{own}.weight"].detach())
                bias = given.get(f"{own}.bias")
                target = getattr(built, f"bias_{whole}_l0")
                target.assign(tg.zeros_like(target) if bias is None else bias.detach())
        expected, _ = built(x)
        found, _ = tg.nn.Recurrent([cell])(x)
        np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), atol=1e-12)


def test_options(program: Program, tmp_path: Path) -> None:
    """A text of one's own, a window, a cell or a type is not heeded, or markup gets loose."""
    text = tmp_path / "text.txt"
    text.write_text("<script>x</script>" * 9, encoding="utf-8")
    path = tmp_path / "page.html"
    result = program(
        *("study_bptt", "--input", str(text), "--steps", "12", "--cell", "GRU", "--layers", "2"),
        *("--window", "4", "--dtype", "float64", "--updates", "2", "--out", str(path)),
    )
    assert result.returncode == 0, result.stderr
    data = data_of(path)
    assert [run["name"] for run in data["runs"]] == ["GRU"]
    assert data["windows"] == [None, 4]
    assert "".join(data["inputs"]) == "<script>x</s"
    assert path.read_text(encoding="utf-8").count("<script") == 2
    (run,) = data["runs"]
    assert "float64" in run["texts"]
    assert len(run["summary"]["steps"]) == 12
    assert len(run["summary"]["layers"]) == 2


def test_a_model_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, program: Program, tmp_path: Path
) -> None:
    """A model from another file is not shown."""
    source = "from tinygrad_rnn import nn\n\ndef build(V, H):\n    return nn.Linear(V, V)\n"
    (tmp_path / "mine_of_test.py").write_text(source, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = tmp_path / "page.html"
    result = program("study_bptt", "--model", "mine_of_test:build", "--out", str(path))
    assert result.returncode == 0, result.stderr
    assert [run["name"] for run in data_of(path)["runs"]] == ["build"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--text", "a"],
        ["--hidden", "0"],
        ["--window", "0"],
        ["--input", "no such file"],
        ["--model", "nothing"],
        ["--model", "no_such_module:build"],
    ],
)
def test_what_cannot_work_is_one_sentence(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake ends in a traceback."""
    monkeypatch.setattr("sys.argv", ["study_bptt.py", *arguments])
    assert_refused(load("study_bptt").main(), capsys.readouterr().err)
