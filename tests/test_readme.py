"""The README tells the truth: its examples print what it says, its figures come from runs."""

import doctest
import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tinygrad_rnn import text

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results" / "shakespeare.json"


def test_every_example_prints_what_the_readme_shows() -> None:
    """Fails if a printed number, shape or text in README.md differs from what the code gives."""
    result = doctest.testfile(
        str(README), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.attempted > 20
    assert result.failed == 0


def benchmark() -> ModuleType:
    specification = importlib.util.spec_from_file_location(
        "shakespeare_benchmark", ROOT / "benchmarks" / "shakespeare.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_table_of_losses_is_what_the_benchmark_wrote() -> None:
    """Fails if a figure of the Shakespeare table was typed in, or is of another run."""
    results = json.loads(RESULTS.read_text())["results"]
    assert benchmark().table(results) in README.read_text()


def test_the_speed_and_the_minutes_are_what_the_benchmark_wrote() -> None:
    """Fails if a figure of the updates a second or of the whole run was typed in."""
    sentences = benchmark().sentences(json.loads(RESULTS.read_text()))
    assert len(sentences) == 2
    readme = " ".join(README.read_text().split())
    for sentence in sentences:
        assert sentence in readme


def test_the_table_of_cells_is_what_the_search_found() -> None:
    """Fails if a unit, score or level of chance was typed in, or is of another run."""
    found = json.loads((RESULTS.parent / "cells.json").read_text(encoding="utf-8"))
    measures = {"AUC": "AUC", "Spearman": "ρ"}
    possible = {
        f"| {name} | {what} | {unit['unit']} | {measures[unit['measure']]} "
        f"{unit['held_out']:.3f} | {unit['chance']:.3f} |"
        for name, text_of in found.items()
        for what, unit in text_of["properties"].items()
    }
    table = README.read_text(encoding="utf-8").split("| score, held out | chance |\n")[1]
    rows = table.split("\n\n")[0].splitlines()[1:]
    assert len(rows) > 5
    assert set(rows) <= possible


def test_the_sample_shown_is_what_the_model_wrote() -> None:
    """Fails if the sample in the README is not the benchmark's own."""
    results = json.loads(RESULTS.read_text())["results"]
    assert results[0]["sample"].strip("\n") in README.read_text()


def test_the_demo_starts_where_the_readme_says() -> None:
    """Fails if the embedded text has another number of symbols or bytes than README.md says."""
    corpus = text.embedded_text()
    symbols = len(corpus.vocabulary())
    claim = f"{math.log(symbols):.2f} nats a character (an equal choice among {symbols})"
    readme = README.read_text()
    assert claim in readme
    assert f"{corpus.size / 1000:.0f} kB" in readme


def test_hello_ends_as_the_readme_says() -> None:
    """Fails if the line that README.md quotes is not what examples/hello.py prints."""
    run = subprocess.run(
        [sys.executable, "examples/hello.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    last = run.stdout.strip().splitlines()[-1]
    assert last.endswith("hello")
    assert f"```\n{last}\n```" in README.read_text()


@pytest.mark.parametrize(("kind", "early", "late"), [("lstm", 1.80, 1.45), ("gru", 1.70, 1.45)])
def test_the_losses_are_as_low_as_promised(kind: str, early: float, late: float) -> None:
    """Fails if the recorded run is worse than PyTorch's own with these settings, give or take."""
    results = json.loads(RESULTS.read_text())["results"]
    (of_kind,) = [result for result in results if result["kind"] == kind]
    assert of_kind["loss_early"] <= early
    assert of_kind["loss"] <= late
