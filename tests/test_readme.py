"""The README tells the truth: its examples print what it says, its figures come from runs."""

import doctest
import importlib.util
import inspect
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.examples.conftest import load
from tinygrad_rnn import lm, text
from tinygrad_rnn.inspect.cells import CHANCE

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


def test_the_settings_of_the_table_are_those_of_the_runs() -> None:
    """Fails if the table is of other epochs, threads or steps than the README says it is."""
    figures = json.loads(RESULTS.read_text())
    full, rates = figures["full"], figures["iterations_a_second"]
    readme = " ".join(README.read_text(encoding="utf-8").split())
    last, an_epoch = figures["results"][0]["iterations"], full["iterations"] / full["epochs"]
    cores = {2: "two"}[int(re.findall(r"(\d+) threads", figures["machine"])[0])]
    assert f"the time for {last / an_epoch:.0f} epochs on {cores} cores" in readme
    held_out = lm.TrainingSettings().fractions[1]
    assert f"through the {held_out:.0%} held out".replace("%", " %") in readme
    drawn = re.findall(r"temperature=([\d.]+)", inspect.getsource(benchmark().trained))
    assert [f"the LSTM writes, at temperature {t}:" in readme for t in drawn] == [True]
    lstm = figures["results"][0]
    eager = not any(result.get("jit") for result in figures["results"])
    assert ("minutes of the table are of steps that ran operation by operation" in readme) == eager
    # Whatever a file of results says or leaves out, its times are of one mode or the other.
    rate = lstm["iterations"] / lstm["seconds"]
    assert (rate < math.sqrt(rates["eager"] * rates["jit"])) == eager


def test_the_demo_is_as_long_as_the_readme_says() -> None:
    """Fails if `make demo` trains for other updates or seconds than README.md says."""
    options = load("shakespeare").options_of(["demo"])
    claim = f"for {options.iterations:,} updates, or as many as {options.seconds:g} seconds are"
    assert claim in " ".join(README.read_text(encoding="utf-8").split())


def test_the_search_for_cells_is_as_the_readme_says() -> None:
    """Fails if the models, their number of units, or what counts as chance are others."""
    readme = " ".join(README.read_text(encoding="utf-8").split())
    found = json.loads((RESULTS.parent / "cells.json").read_text(encoding="utf-8"))
    (sizes,) = {
        (m["kind"], m["num_layers"], m["hidden_size"])
        for m in (of["model"] for of in found.values())
    }
    kind, layers, hidden = sizes
    assert f"Best units of {layers} × {hidden} {kind.upper()}s" in readme
    # Of h and of c.
    claim = (
        f"the best of all {2 * layers * hidden} units does not exceed in {100 * CHANCE:.0f} of 100"
    )
    assert claim in readme
    seconds = load("interpretable_cells").parser().parse_args([]).seconds
    assert f"trains for {seconds:g} seconds, ranks every unit" in readme


def test_the_folders_are_there() -> None:
    """Fails if the table of folders names a file or folder that does not exist."""
    table = README.read_text(encoding="utf-8").split("| where | what |\n")[1].split("\n\n")[0]
    rows = table.splitlines()[1:]
    assert len(rows) > 10
    for row in rows:
        first, *others = re.findall(r"`([^`]+)`", row.split("|")[1])
        # The others of a row stand beside the first.
        for path in (ROOT / first, *((ROOT / first).parent / name for name in others)):
            assert path.exists(), path
            assert path.is_dir() == (path.suffix == ""), path


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
