"""examples/interpretable_cells.py: its properties, and what it writes, prints and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import EXAMPLES, Program, load
from tests.examples.interrupting import interrupted_program
from tinygrad_rnn import lm
from tinygrad_rnn.text import Vocabulary

RESULTS = EXAMPLES.parent / "docs" / "results" / "cells.json"
SPEECH = 'ROMEO:\nAy, "she" said.\nWhat <light>?\n\nFIRST LORD:\nNo (I say) more.\n\n'
QUICK = ("--hidden", "16", "--layers", "1", "--shifts", "20", "--characters", "1500", "--no-jit")


def inside(values: "np.ndarray[tuple[int], np.dtype[np.bool_]]", text: str) -> list[str]:
    """Return the stretches of a text that have a property."""
    shown = "".join(c if has else "\0" for c, has in zip(text, values, strict=True))
    return [part for part in shown.split("\0") if part]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "play.txt"
    path.write_text(SPEECH * 300, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, program: Program, text: Path) -> Path:
    """The folder of a short run."""
    folder = tmp_path_factory.mktemp("runs") / "cells"
    results = folder.parent / "cells.json"
    results.write_text('{"other": {}}', encoding="utf-8")
    result = program(
        "interpretable_cells",
        *("--data", str(text), "--seconds", "3", "--out", str(folder), *QUICK),
        *("--results", str(results), "--name", "play", "--colour", "always"),
    )
    assert result.returncode == 0, result.stderr
    assert "a speaker's name" in result.stdout
    assert "chance" in result.stdout
    # Some letters are on red or blue.
    assert "\x1b[30;48;2;" in result.stdout
    return folder


def test_properties_are_what_they_are_called() -> None:
    """A unit is praised for tracking something else than what the table says."""
    cells = load("interpretable_cells")
    play = "ALL:\nSpeak.\nNow:\n\nFirst Citizen:\nYou: all.\n"
    assert inside(cells.speaker(play), play) == ["ALL:", "First Citizen:"]
    c = '#define A(x) \\\n    (x)\nint a; /* "no" */ char *b = "\\"s"; // "no\n  # if A\n'
    assert inside(cells.directive(c), c) == ["#define A(x) \\\n    (x)", "  # if A"]
    assert inside(cells.string_literal(c), c) == ['"\\"s']
    python = 'x = "it\'s"  # a "b"\ny = \'\'\'one\n# "two\'\'\'; z = "open\nreturn\n'
    assert inside(cells.python_quotes(python), python) == ['"it\'s', '"open']
    assert inside(cells.triple_quotes(python), python) == ["'''one\n# \"two''"]
    assert inside(cells.python_comment(python), python) == ['# a "b"']
    verse = "ab\nc\n\nde"
    assert list(cells.position_in_paragraph(verse)) == [0, 1, 2, 3, 4, 5, 0, 1]


def test_the_page_and_the_results(made: Path) -> None:
    """The page lacks the text, or results lose those of other models or differ from the table."""
    page = (made / "atlas.html").read_text("utf-8")
    assert "What \\u003clight\\u003e?" in page
    assert "recurrent.l0.c" in page
    kept = json.loads((made.parent / "cells.json").read_text("utf-8"))
    assert set(kept) == {"other", "play"}
    metrics = json.loads((made / "results.json").read_text("utf-8"))["metrics"]
    for name, best in kept["play"]["properties"].items():
        assert best["held_out"] == pytest.approx(metrics[name], abs=1e-4)
        assert best["unit"].startswith("l0.")
    # Which character came last is in the state of any model that was trained at all.
    assert kept["play"]["properties"]["upper case"]["held_out"] > 0.8


def test_a_run_is_looked_at_again(made: Path, program: Program, tmp_path: Path) -> None:
    """A checkpoint cannot be opened again, or the same model gets other scores."""
    picture = tmp_path / "cell.svg"
    shown = ("--property", "upper case", "--picture", str(picture))
    again = ("--checkpoint", str(made), "--out", str(tmp_path), *QUICK, *shown)
    result = program("interpretable_cells", *again)
    assert result.returncode == 0, result.stderr
    assert "not trained on" in result.stdout
    # No colours where nobody looks at a terminal.
    assert "\x1b" not in result.stdout
    assert "best for 'upper case'" in result.stdout
    assert "ROMEO:" in picture.read_text("utf-8")
    first, second = (
        json.loads((folder / "results.json").read_text("utf-8"))["metrics"]
        for folder in (made, tmp_path)
    )
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_mistakes_are_told_in_a_line(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake ends in a traceback, or a run is written over."""
    words = Vocabulary.from_text("to be or not to be\n" * 40, "word")
    ids = words.encode("to be or not to be\n" * 40)
    tg.manual_seed(0)
    settings = lm.TrainingSettings(
        batch_size=2, window=4, iterations=1, sample_length=0, jit=False
    )
    cells = load("interpretable_cells")
    model = lm.RecurrentLanguageModel(len(words), hidden_size=4, num_layers=1)
    text = tmp_path / "words.txt"
    text.write_text("to be or not to be\n" * 40, encoding="utf-8")
    lm.Trainer(model, words, ids, settings, tmp_path / "words", str(text)).run()
    for arguments, told in (
        (("--checkpoint", str(tmp_path / "words")), "level 'word'"),
        (("--checkpoint", str(made), "--start", "1000000"), "no text from"),
        (("--checkpoint", str(tmp_path / "nothing")), "nothing"),
        (("--checkpoint", str(made), "--property", "rhymes"), "ranked by 'rhymes'"),
        (("--data", str(text), "--out", str(made)), "holds a run already"),
    ):
        out = () if "--out" in arguments else ("--out", str(tmp_path / "out"))
        given = (*arguments, *out, *QUICK)
        assert cells.common.run(cells.interpretable_cells, cells.parser(), given) == 2
        assert told in capsys.readouterr().err


def test_ctrl_c_keeps_the_run(text: Path, tmp_path: Path) -> None:
    """Ctrl-C while the model is being trained ends in a traceback, or loses the model."""
    folder = tmp_path / "run"
    trained = (folder / "last.safetensors").exists
    where = ("--data", str(text), "--out", str(folder))
    out = interrupted_program(trained, "interpretable_cells", "--seconds", "60", *where, *QUICK)
    assert "--checkpoint" in out
    assert lm.load_model(folder / "last.safetensors").text["name"] == str(text)


def test_c_source_is_numpys_headers(tmp_path: Path) -> None:
    """The C text is not what the page says that it is."""
    corpus = load("shakespeare").c_source(tmp_path)
    read = corpus.read()
    assert corpus.path == tmp_path / "numpy-headers.c.txt"
    assert "typedef struct" in read
    assert "NPY_NO_EXPORT" in read


def test_python_source_is_the_standard_library(tmp_path: Path) -> None:
    """The Python text is not what the page says that it is, or differs from time to time."""
    cells = load("interpretable_cells")
    read = cells.python_source(tmp_path).read()
    assert "\nimport " in read
    assert 100_000 < len(read) <= cells.LIBRARY_SIZE
    assert cells.python_source(tmp_path).read() == read


def test_the_recorded_scores_beat_chance() -> None:
    """What the README shows of a quote cell is no better than chance, or not recorded."""
    kept = json.loads(RESULTS.read_text("utf-8"))
    assert set(kept) == {"Shakespeare", "C", "Python"}
    for name, wanted in (
        ("Shakespeare", ("a speaker's name", "position in the line")),
        ("C", ("inside a comment", "inside brackets")),
        ("Python", ("inside quotes",)),
    ):
        for which in wanted:
            best = kept[name]["properties"][which]
            assert best["held_out"] > best["chance"]
            assert best["p"] < 0.05
