"""examples/writing_aids.py: what it says with two small models of different texts."""

import re
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES, Program, assert_refused, load

TEXT = EXAMPLES.parent / "tinygrad_rnn" / "text" / "shakespeare.txt"
SMALL = ["--hidden", "24", "--layers", "1", "--batch", "16", "--window", "25", "--lr", "1e-2"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, program: Program) -> dict[str, Path]:
    """A model of verse and one of sums, and a text of each that they were not trained on."""
    folder = tmp_path_factory.mktemp("runs")
    verse = TEXT.read_text(encoding="utf-8")
    sums = "".join(f"{a} plus {b} is {a + b}.\n" for a in range(60) for b in range(60))
    texts = {"verse": verse[:50_000], "sums": sums}
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        arguments = ["--data", str(folder / f"{name}.txt"), "--iterations", "150", *SMALL]
        made = program("shakespeare", "train", *arguments, "--out", str(folder / name))
        assert made.returncode == 0, made.stderr
    (folder / "more verse.txt").write_text(verse[-3000:], encoding="utf-8")
    (folder / "more sums.txt").write_text("71 plus 80 is 151.\n" * 9, encoding="utf-8")
    return {name: folder / name for name in texts} | {"folder": folder}


def test_completions_are_ranked_and_continue_the_prefix(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A completion drops what was typed, or a less probable one stands first."""
    assert load("writing_aids").main(["complete", "12 pl", str(runs["sums"]), "--count", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [re.fullmatch(r" *([\d.]+)%  (.*)", line) for line in lines]
    shares = [float(match[1]) for match in found if match]
    assert len(shares) == 3
    assert shares == sorted(shares, reverse=True)
    assert lines[0].endswith("12 plus")


def test_a_reply_is_one_speech_under_the_speakers_name(
    runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The reply runs into the next speech, or differs for one seed."""
    written = []
    for _ in range(2):
        arguments = ["reply", "Who is there?", str(runs["verse"]), "--speaker", "ROMEO"]
        assert load("writing_aids").main(arguments) == 0
        written.append(capsys.readouterr().out)
    assert written[0] == written[1]
    assert written[0].startswith("ROMEO:\n")
    assert "\n\n" not in written[0].rstrip("\n")
    assert len(written[0]) > len("ROMEO:\n\n")


@pytest.mark.parametrize("author", ["verse", "sums"])
def test_the_model_of_an_author_is_surprised_least(
    author: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A text is given to the model of another kind of text."""
    text = runs["folder"] / f"more {author}.txt"
    arguments = ["who", str(text), str(runs["verse"]), str(runs["sums"])]
    assert load("writing_aids").main(arguments) == 0
    out = capsys.readouterr().out
    assert f"most like what {runs[author]} was trained on" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["complete", "é", "RUN"], "é"),
        (["who", "nowhere.txt", "RUN"], "nowhere.txt"),
        (["complete", "a", "nowhere"], "nowhere"),
        (["complete", "", "RUN"], "is empty"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], said: str, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake ends in a traceback, or the line does not name what was wrong."""
    filled = [str(runs["verse"]) if a == "RUN" else a for a in arguments]
    assert_refused(load("writing_aids").main(filled), capsys.readouterr().err, said)
