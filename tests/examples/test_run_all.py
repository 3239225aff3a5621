"""examples/run_all.py: the table of results, and where it stands."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.examples.conftest import Help, load


def test_the_table_on_the_page_is_what_the_runs_gave() -> None:
    """A figure of the table was typed in, or the results are of other runs."""
    run_all = load("run_all")
    results = json.loads(run_all.KEPT.read_text(encoding="utf-8"))
    assert len(results) > 5
    assert run_all.table(results) in run_all.PAGE.read_text(encoding="utf-8")


def test_the_order_of_models_that_the_page_states_is_that_of_the_runs() -> None:
    """The page says of n-grams, windows and recurrent networks what the results do not."""
    results = json.loads(load("run_all").KEPT.read_text(encoding="utf-8"))
    metrics = results["counting, tiny-shakespeare"]["metrics"]
    found = {name.removesuffix(": perplexity"): value for name, value in metrics.items()}
    counted = {n: found[f"{n}-gram, Kneser-Ney"] for n in range(1, 8)}
    added = {int(name[0]): value for name, value in found.items() if ", add" in name}
    assert min(added, key=added.__getitem__) == 4
    assert min(counted, key=counted.__getitem__) == 6
    assert found["GRU"] < counted[6] < found["RNN"] < found["window of 8"]
    assert abs(found["LSTM"] / counted[6] - 1.0) < 0.005


def test_every_task_is_an_example_with_such_options(help_of: Help) -> None:
    """A task names an example that is not there, or an option that it does not have."""
    for task in load("run_all").TASKS:
        name, *arguments = task.arguments
        options = set(re.findall(r"--[\w-]+", help_of(name)))
        assert {a for a in arguments if a.startswith("--")} <= options, task.title


def test_a_run_is_kept_and_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What an example measured does not arrive in the table, or replaces other rows."""
    run_all = load("run_all")
    page, kept = tmp_path / "README.md", tmp_path / "examples.json"
    page.write_text(f"before\n{run_all.BEGIN}\nold\n{run_all.END}\nafter\n", encoding="utf-8")
    other: dict[str, Any] = {"command": "python x.py", "metrics": {"a": 0.5}, "seconds": 2.0}
    kept.write_text(json.dumps({run_all.TASKS[1].title: other}), encoding="utf-8")
    small = run_all.Task(run_all.TASKS[0].title, ("digits", "--epochs", "1", "--hidden", "16"))
    monkeypatch.setattr(run_all, "TASKS", (small, run_all.TASKS[1]))
    monkeypatch.setattr(run_all, "PAGE", page)
    monkeypatch.setattr(run_all, "KEPT", kept)
    assert run_all.main(["--only", "digits"]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "exact match" in text
    assert "a 0.5" in text
    assert run_all.main(["--data", str(tmp_path / "nowhere")]) == 2
