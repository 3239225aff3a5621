"""examples/counting.py: what it says about counting and recurrence, on a short text."""

import csv
import math
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES, Program, assert_refused
from tests.examples.interrupting import interrupted_program
from tinygrad_rnn.checkpoints import load_weights

TEXT = EXAMPLES.parent / "tinygrad_rnn" / "text" / "shakespeare.txt"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Path:
    """The folder of a short run."""
    folder = tmp_path_factory.mktemp("runs") / "counting"
    small = ("--hidden", "64", "--epochs", "2", "--lr", "1e-2", "--dropout", "0")
    result = program("counting", "--quick", *small, "--out", str(folder))
    assert result.returncode == 0, result.stderr
    assert "LSTM" in result.stdout
    assert "What they write:" in result.stdout
    return folder


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def test_what_the_table_shows(results: Path) -> None:
    """Back-off does not help long n-grams, sparsity does not grow, or nothing was learned."""
    rows = table(results)
    nats = {name.split(",")[0]: float(row["nats"]) for name, row in rows.items()}
    added = {name[0]: float(row["nats"]) for name, row in rows.items() if ", add" in name}
    counted = {name[0]: row for name, row in rows.items() if "Kneser-Ney" in name}
    for n in ("4", "5"):
        assert float(counted[n]["nats"]) < added[n] - 0.2
        assert float(counted[n]["nats"]) < float(counted["2"]["nats"]) - 0.3
    unigram = float(counted["1"]["nats"])
    assert nats["LSTM"] < unigram - 0.4
    assert nats["window of 4"] < unigram - 0.4
    for name in ("unseen", "kept", "bytes"):
        values = [float(counted[n][name]) for n in "1245"]
        assert values == sorted(values)
    for row in rows.values():
        assert float(row["perplexity"]) == pytest.approx(math.exp(float(row["nats"])))


def test_what_is_kept(results: Path) -> None:
    """The best weights, the samples or the picture are missing."""
    assert load_weights(results / "lstm" / "best.safetensors")["output.weight"].shape[1] == 64
    assert (results / "window-of-4" / "history.csv").read_text().count("\n") == 3
    assert (results / "samples.txt").read_text().count("--- ") == len(table(results))
    assert (results / "counting.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no file"), (b"", "empty"), (b"abc" * 50, "longer text"), (b"a\xff", "not UTF-8")],
)
def test_errors_are_one_sentence(
    program: Program, tmp_path: Path, content: bytes | None, words: str
) -> None:
    """A text that cannot be used ends in a traceback."""
    path = tmp_path / "a.txt"
    if content is not None:
        path.write_bytes(content)
    result = program("counting", "--data", str(path), "--out", str(tmp_path / "out"))
    assert_refused(result.returncode, result.stderr, words)


def test_results_are_not_overwritten(program: Program, results: Path) -> None:
    """A second study mixes its results with those of the first."""
    result = program("counting", "--quick", "--out", str(results))
    assert (result.returncode, "another folder" in result.stderr) == (2, True)


def test_ctrl_c_shows_what_there_is(tmp_path: Path) -> None:
    """Ctrl-C loses what was found out until then, or the weights at hand."""
    folder = tmp_path / "out"
    begun = (folder / "window-of-4" / "history.csv").exists
    small = ("--quick", "--hidden", "32", "--no-jit")
    out = interrupted_program(begun, "counting", *small, "--out", str(folder))
    assert "5-gram, Kneser-Ney" in out
    assert load_weights(folder / "window-of-4" / "best.safetensors")
