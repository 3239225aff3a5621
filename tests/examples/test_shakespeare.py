"""examples/shakespeare.py: its sub-commands, on a short text and a small model."""

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.examples.conftest import EXAMPLES, Program, assert_refused, load
from tests.examples.interrupting import interrupted_program
from tinygrad_rnn.lm import load_model, read_history

TEXT = EXAMPLES.parent / "tinygrad_rnn" / "text" / "shakespeare.txt"
SMALL = ["--hidden", "32", "--layers", "1", "--batch", "16", "--window", "25", "--lr", "1e-2"]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a sub-command in this process: its exit code and what it printed."""
    module = load("shakespeare")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["shakespeare.py", *map(str, arguments)])
        status = module.main()
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, program: Program) -> Path:
    """The folder of a short run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["--data", str(TEXT), "--iterations", "150", "--threads", "1", *SMALL]
    result = program("shakespeare", "train", *arguments, "--out", str(folder))
    assert result.returncode == 0, result.stderr
    assert "sample after 100 iterations" in result.stdout
    assert result.stdout.count("compiled the training step: ") == 1
    return folder


def number(label: str, output: str) -> float:
    found = re.search(rf"^{label} +([\d.,]+)", output, re.M)
    assert found is not None, output
    return float(found[1].replace(",", ""))


def test_it_learns(trained: Path, command: Command) -> None:
    """After 150 updates the model predicts no better than the frequencies of letters do."""
    status, out, _ = command("evaluate", trained)
    assert status == 0
    text = TEXT.read_text(encoding="utf-8")
    shares = np.unique(list(text), return_counts=True)[1] / len(text)
    nats = number("nats a symbol", out)
    assert nats < -np.sum(shares * np.log(shares)) < math.log(len(shares))
    assert number("bits a character", out) == pytest.approx(nats / math.log(2), abs=1e-3)
    assert number("perplexity", out) == pytest.approx(math.exp(nats), rel=1e-3)
    assert 0 < number("accuracy", out) < 100
    last = [r.validation_loss for r in read_history(trained / "history.csv")][-1]
    assert last == pytest.approx(nats, abs=1e-4)
    assert (trained / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_evaluating_another_text(trained: Path, command: Command, tmp_path: Path) -> None:
    """The model is measured on its own text whatever file is given."""
    other = tmp_path / "other.txt"
    other.write_text("To be, or not to be" * 5)
    status, out, _ = command("evaluate", trained, "--data", other)
    assert (status, number("symbols predicted", out)) == (0, 94)
    other.write_text("snow☃man")
    status, _, err = command("evaluate", trained, "--data", other)
    assert status == 2
    assert "U+2603" in err
    status, out, _ = command("evaluate", trained, "--data", other, "--unknown", "skip")
    assert (status, number("symbols predicted", out)) == (0, 6)


def test_the_validation_part_is_that_of_the_text_trained_on(
    command: Command, tmp_path: Path
) -> None:
    """Another text that is found in the place of the first one passes for it."""
    text = tmp_path / "text.txt"
    text.write_text("To be, or not to be, that is the question.\n" * 20, encoding="utf-8")
    run = tmp_path / "run"
    small = ["--hidden", 4, "--layers", 1, "--batch", 4, "--window", 5, "--iterations", 2]
    assert command("train", "--data", text, "--out", run, *small)[0] == 0
    assert command("evaluate", run)[0] == 0
    text.write_text("To be, or not to be; that is the question.\n" * 20, encoding="utf-8")
    status, _, err = command("evaluate", run)
    assert status == 2
    assert "';'" in err
    text.write_text("That is to be, or not to be, the question.\n" * 19, encoding="utf-8")
    status, _, err = command("evaluate", run)
    assert status == 2
    assert "same text" in err


def test_sampling(trained: Path, command: Command, tmp_path: Path) -> None:
    """A setting of the sample has no effect, or the prime is not printed."""
    base = ["sample", trained, "--length", 40, "--prime", "ROMEO:"]
    status, out, _ = command(*base)
    assert (status, len(out)) == (0, 6 + 40 + 1)
    assert out.startswith("ROMEO:")
    assert command(*base)[1] == out
    assert command(*base, "--seed", 1)[1] != out
    greedy = command(*base, "--greedy")[1]
    for more in (["--temperature", 0], ["--top-k", 1], ["--top-p", 1e-9]):
        assert command(*base, *more)[1] == greedy
    prime = tmp_path / "prime.txt"
    prime.write_text("ROMEO:")
    assert command("sample", trained, "--length", 40, "--prime-file", prime)[1] == out
    assert command(*base[:-1], "é")[0] == 2
    assert command(*base[:-1], "é", "--unknown", "skip")[0] == 0


def test_resuming_trains_on(trained: Path, command: Command) -> None:
    """`resume` begins anew, or not where the run ended."""
    status, out, _ = command("resume", trained, "--iterations", 160)
    assert status == 0
    assert "going on from iteration 150 of 160" in out
    assert load_model(trained / "last.safetensors").progress["iteration"] == 160


def test_training_into_a_run_is_refused(trained: Path, command: Command) -> None:
    """A second run overwrites the checkpoints of the first."""
    status, _, err = command("train", "--data", TEXT, "--out", trained)
    assert status == 2
    assert "holds a run already" in err


def test_nothing_is_compiled_unless_wanted(command: Command, tmp_path: Path) -> None:
    """`--no-jit` is not heeded, or a run that was started with it is resumed without."""
    text, run = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("To be, or not to be, that is the question.\n" * 20, encoding="utf-8")
    small = ["--hidden", 4, "--layers", 1, "--batch", 4, "--window", 5, "--iterations", 2]
    status, out, _ = command("train", "--data", text, "--out", run, "--no-jit", *small)
    assert (status, "compiled the" in out) == (0, False)
    status, out, _ = command("resume", run, "--iterations", 3)
    assert (status, "compiled the" in out) == (0, False)
    whole = ["sample", run, "--length", 30]
    assert command(*whole)[1] == command(*whole, "--no-jit")[1]
    ways: list[list[str]] = [[], ["--no-jit"]]
    nats = [number("nats a symbol", command("evaluate", run, *way)[1]) for way in ways]
    assert nats[0] == pytest.approx(nats[1], abs=1e-4)


@pytest.mark.parametrize("level", ["byte", "word"])
def test_other_levels(level: str, command: Command, tmp_path: Path) -> None:
    """Bytes or words can be trained but not measured, or not written."""
    text = tmp_path / "text.txt"
    text.write_text("The cat sat on the mat, née Katze. And so on.\n" * 60, encoding="utf-8")
    run = tmp_path / "run"
    small = ["--hidden", 8, "--layers", 1, "--batch", 4, "--window", 10, "--iterations", 5]
    assert command("train", "--data", text, "--level", level, "--out", run, *small)[0] == 0
    status, out, _ = command("evaluate", run)
    assert status == 0
    characters = number("nats a symbol", out) / math.log(2)
    assert (number("bits a character", out) < characters) == (level == "word")
    status, out, _ = command("sample", run, "--prime", "The cat", "--length", 10)
    assert status == 0
    assert out.startswith("The cat")


@pytest.mark.parametrize("seconds", ["-1", "nan"])
def test_a_time_that_is_none_is_refused(command: Command, tmp_path: Path, seconds: str) -> None:
    """The demo trains for one update, or to the end, and reports a time that cannot be."""
    place = ["--data", TEXT, "--out", tmp_path / "run"]
    status, _, err = command("demo", "--seconds", seconds, *place, *SMALL)
    assert_refused(status, err, "seconds is")
    assert not (tmp_path / "run" / "last.safetensors").exists()


def test_the_demo_trains_evaluates_and_writes(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`make demo` ends early, or shows nothing at its end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYGRAD_RNN_OFFLINE", "1")
    status, out, _ = command("demo", "--seconds", 2, "--sample-length", 20, *SMALL)
    assert status == 0
    assert "perplexity" in out
    assert "bits a character" in out
    assert "temperature 0.7" in out
    assert out.count("come with the package") == 1
    assert "2 seconds" in out
    assert out.index("bits a character") < out.index("temperature 0.7") < out.index("Let it write")
    assert [p.parent.name for p in tmp_path.glob("runs/*/best.safetensors")]
    # Without a name, the newest run is meant.
    assert command("sample", "--length", 5)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample"], "no run"),
        (["sample", "nowhere"], "no file"),
        (["resume", "nowhere"], "no file"),
        (["evaluate", "nowhere"], "no file"),
        (["train", "--data", "nowhere"], "no file"),
        (["train", "--data", TEXT, "--dropout", "2"], "between 0 and 1"),
        (["train", "--data", TEXT, "--batch", "0"], "batch_size"),
        (["train", "--data", TEXT, "--batch", "100000"], "lower batch_size"),
        (["train", "--data", TEXT, "--clip", "-1"], "clip"),
        (["train", "--threads", "0"], "thread"),
    ],
)
def test_errors_are_one_sentence(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    words: str,
) -> None:
    """A mistake of the user ends in a traceback, or without saying what it was."""
    monkeypatch.chdir(tmp_path)
    status, _, err = command(*arguments)
    assert_refused(status, err, words)


def test_ctrl_c_leaves_a_run_that_can_be_resumed(tmp_path: Path, command: Command) -> None:
    """Ctrl-C ends in a traceback, or what was learned is lost."""
    run = tmp_path / "run"
    history = run / "history.csv"

    def updated() -> bool:
        return history.exists() and history.read_bytes().count(b"\n") > 2

    where = ("--data", str(TEXT), "--out", str(run), "--threads", "1")
    out = interrupted_program(updated, "shakespeare", "train", *SMALL, *where)
    assert f"resume {run}" in out
    done = load_model(run / "last.safetensors").progress["iteration"]
    assert done >= 20
    assert command("resume", run, "--iterations", done + 1)[0] == 0
