"""examples/sentiment.py: that the order of words is read, and what is made of the last state."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import assert_refused, load
from tests.examples.interrupting import interrupt_second_epoch
from tinygrad_rnn.checkpoints import load_weights
from tinygrad_rnn.text import BucketedBatches

sentiment = load("sentiment")
SMALL = ["--threads", "1", "--sentences", "400", "--embedding", "16", "--hidden", "16"]


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))["metrics"]


def test_order_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network learns no more of a sentence than which words it has, or is not shown."""
    settings = ["--cell", "gru", "--epochs", "12", "--lr", "2e-2", "--dropout", "0"]
    assert sentiment.main([*SMALL, *settings, "--out", str(tmp_path)]) == 0
    found = metrics(tmp_path)
    assert found["gru"] > found["bag of words"] + 0.15
    assert found["bag of words"] > 0.5
    assert (tmp_path / "sentences.png").read_bytes().startswith(b"\x89PNG")
    assert "nearest to them by the last state of gru" in capsys.readouterr().out


@pytest.mark.parametrize("cell", sorted(sentiment.CELLS))
def test_a_sentence_is_read_as_if_alone(cell: str) -> None:
    """A sentence's vector depends on how long the others of its batch are, or on their order."""
    tg.manual_seed(0)
    options = sentiment.argparse.Namespace(embedding=4, hidden=5, dropout=0.5)
    model = sentiment.Reader(9, cell, options)
    random = np.random.default_rng(0)
    sentences = [random.integers(1, 9, length) for length in (7, 1, 4, 9, 2)]
    batches = BucketedBatches(sentences, np.ones(5, np.float32), batch_size=2, shuffle=False)
    vectors, praised = sentiment.embedded(model, batches)
    model.eval()
    for row, ids in enumerate(sentences):
        alone = model.sentence(tg.tensor(ids[:, None]), tg.tensor([len(ids)]))
        np.testing.assert_allclose(vectors[row], alone.detach().numpy()[0], atol=1e-6)
        assert praised[row] == (model.readout(alone).item() > 0)


def test_made_sentences_mean_what_they_say() -> None:
    """The last clause, its negation minded, does not tell the label."""
    data = sentiment.generated(200, np.random.default_rng(0))
    assert 60 < data.labels.sum() < 140
    for text, label in zip(data.texts, data.labels, strict=True):
        verbs = sentiment.PLAINLY.split("|") + sentiment.NEGATED.split("|")
        said = [(text.rfind(f" {verb} "), len(verb), verb) for verb in verbs]
        place, _, verb = max(said)
        rest = text[place:]
        praise = any(word in rest for word in sentiment.PRAISE.split("|"))
        assert (praise == (verb in sentiment.PLAINLY.split("|"))) == bool(label), text


def test_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is read otherwise than its files, --level is not heeded, or matplotlib needed."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for number in (1, 2):
        lines = [f"A good one, {n}!\t1\nA bad one: {n}\t0\n" for n in range(20)]
        (tmp_path / f"{number}.txt").write_text("".join(lines), encoding="utf-8")
    assert len(sentiment.read(tmp_path).texts) == 80
    tiny = ["--cell", "rnn", "--epochs", "1", "--hidden", "8", "--no-jit", "--level", "char"]
    found = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / f"out{number}"
        more = ["--data", str(tmp_path), "--seed", str(seed), "--out", str(out)]
        assert sentiment.main([*tiny, *more]) == 0
        found.append((out / "rnn" / "history.csv").read_text().splitlines()[1].split(",")[:3])
    assert found[0] == found[1] != found[2]
    assert capsys.readouterr().out.count("No sentences.png, which needs matplotlib") == 3
    # Letters, digits and marks are fewer than thirty.
    assert len(load_weights(out / "rnn" / "best.safetensors")["embedding.weight"]) < 30


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file"),
        ("", "empty"),
        ("good\t1\nbad\n", "line 2"),
        ("good\t1\nbad\tno\n", "line 2"),
        ("good\t1\nbad\t2\n", "sentence 2"),
        ("good\t1\n" * 30, "both labels"),
    ],
)
def test_errors_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    """A file that cannot be used ends in a traceback, or without saying where."""
    path = tmp_path / "a.tsv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    status = sentiment.main(["--data", str(path), "--out", str(tmp_path / "out")])
    assert_refused(status, capsys.readouterr().err, words)


def test_a_folder_without_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder ends in a traceback."""
    assert sentiment.main(["--data", str(tmp_path)]) == 2
    assert "no .txt or .tsv" in capsys.readouterr().err


def test_ctrl_c_keeps_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C loses the weights at hand, goes on with the next network, or shows no table."""
    interrupt_second_epoch(monkeypatch)
    settings = ["--no-jit", "--cell", "rnn", "lstm"]
    assert sentiment.main([*SMALL, *settings, "--out", str(tmp_path)]) == 130
    assert load_weights(tmp_path / "rnn" / "best.safetensors")["readout.weight"].shape == (1, 16)
    assert not (tmp_path / "lstm").exists()
    assert "bag of words" in capsys.readouterr().out
