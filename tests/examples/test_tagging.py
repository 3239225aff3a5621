"""examples/tagging.py: that it tags words by their place and their letters."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.examples.conftest import assert_refused, load
from tests.examples.interrupting import interrupt_second_epoch
from tinygrad_rnn.checkpoints import load_weights

tagging = load("tagging")
SMALL = ["--threads", "1", "--sentences", "300", "--hidden", "32", "--batch", "16"]


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))["metrics"]


def test_it_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Words around a word, or its letters, tell nothing of its tag."""
    assert tagging.main([*SMALL, "--epochs", "6", "--lr", "1e-2", "--out", str(tmp_path)]) == 0
    found = metrics(tmp_path)
    assert found["network"] > found["most frequent tag"] + 0.1
    new = ", words never seen"
    assert found["network" + new] > found["most frequent tag" + new] + 0.3
    assert "taken for" in capsys.readouterr().out


def conllu(path: Path, sentences: list[tuple[tuple[str, ...], tuple[str, ...]]]) -> Path:
    lines = []
    for words, tags in sentences:
        rows = enumerate(zip(words, tags, strict=True), 1)
        lines += [f"{n}\t{word}\t_\t{tag}\t_\t_\t0\t_\t_\t_" for n, (word, tag) in rows] + [""]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_own_files_and_the_seed(tmp_path: Path) -> None:
    """A folder is read otherwise than its files, a word without a tag counts, or chance decides."""
    parts = tagging.generated(40, np.random.default_rng(1))
    parts[0] = (("an", "extraordinarily-long-word"), ("_", "NOUN"))
    for name, several in (("train", parts), ("dev", parts[:10]), ("test", parts[10:20])):
        conllu(tmp_path / f"en-ud-{name}.conllu", several)
    tiny = ["--epochs", "1", "--hidden", "8", "--no-jit", "--no-letters", "--min-count", "1"]
    found = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / str(number)
        data = ["--data", str(tmp_path), "--seed", str(seed), "--out", str(out)]
        assert tagging.main([*tiny, *data]) == 0
        found.append((out / "history.csv").read_text().splitlines()[1].split(",")[:3])
    assert found[0] == found[1] != found[2]
    assert metrics(out)["most frequent tag"] < 1.0
    alone = conllu(tmp_path / "alone.conllu", parts)
    assert tagging.main([*tiny, "--data", str(alone), "--out", str(tmp_path / "alone")]) == 0


def test_letters_that_are_read() -> None:
    """The end of a long word, which tells its tag, is cut off."""
    encoder = tagging.Encoder([(("antidisestablishment", "a"), ("NOUN", "DET"))], 1)
    spelled = [encoder.letters.decode(encoder._spelled(w)) for w in ("antidisestablishment", "a")]
    assert "".join(spelled[0]) == "antilishment"
    assert spelled[1] == ["a", *["<pad>"] * 11]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file"),
        ("", "empty"),
        ("1\tthe\n", "line 1"),
        ("1\tthe\tthe\tWORD\t_\t_\t0\t_\t_\t_\n", "universal tags"),
        ("1\tthe\tthe\t_\t_\t_\t0\t_\t_\t_\n", "no tags"),
        ("1\tthe\tthe\tDET\t_\t_\t0\t_\t_\t_\n", "too few"),
    ],
)
def test_errors_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    """A file that cannot be used ends in a traceback, or without saying where."""
    path = tmp_path / "a.conllu"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    status = tagging.main(["--data", str(path), "--out", str(tmp_path / "out")])
    assert_refused(status, capsys.readouterr().err, words)


def test_a_folder_without_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder in which a file is missing is taken for an empty one."""
    assert tagging.main(["--data", str(tmp_path)]) == 2
    assert "*train*.conllu" in capsys.readouterr().err


def test_ctrl_c_keeps_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C loses the weights at hand, or what they are worth is not said."""
    interrupt_second_epoch(monkeypatch)
    small = [*SMALL, "--sentences", "60", "--no-jit", "--no-letters"]
    assert tagging.main([*small, "--out", str(tmp_path)]) == 130
    assert load_weights(tmp_path / "best.safetensors")["readout.weight"].shape == (17, 64)
    assert "most frequent tag" in capsys.readouterr().out
