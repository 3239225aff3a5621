"""examples/translation.py: that it translates what it has not seen, and reads where it should."""

import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import assert_refused, load
from tests.examples.interrupting import interrupt_second_epoch
from tinygrad_rnn.checkpoints import load_weights

translation = load("translation")
SMALL = ["--threads", "1", "--dates", "200", "--hidden", "16", "--batch", "16"]


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))["metrics"]


def pairs_file(path: Path, count: int = 90) -> Path:
    """Write pairs that are learned at once: numbers in words, and as digits from behind."""
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    lines = [
        f"{names[n // 10]} {names[n % 10]}\t{n % 10}{n // 10}\tsomebody\n" for n in range(count)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_it_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is learned, beam search is worse than greedy, or the picture is missing."""
    data = pairs_file(tmp_path / "pairs.tsv")
    settings = ["--hidden", "32", "--batch", "8", "--beam", "3", "--min-count", "1"]
    more = ["--epochs", "25", "--lr", "1e-2", "--dropout", "0.1", "--threads", "1"]
    out = tmp_path / "out"
    assert translation.main(["--data", str(data), *settings, *more, "--out", str(out)]) == 0
    found = metrics(out)
    assert found["greedy: exact match"] > 70.0
    assert found["beam of 3: exact match"] >= found["greedy: exact match"] - 12.0
    assert found["most alike sentence: exact match"] == 0.0
    assert (out / "alignment.png").read_bytes().startswith(b"\x89PNG")
    assert "held out" in capsys.readouterr().out


@pytest.mark.parametrize("attention", [True, False])
def test_padding_changes_nothing(attention: bool) -> None:
    """What stands behind a sentence in its batch reaches its translation."""
    tg.manual_seed(0)
    model = translation.Translator(9, 7, 8, 0.0, attention)
    x, y = np.array([[2, 4, 5, 3]]).T, tg.tensor(np.array([[2, 5, 6, 3]]).T)
    padded = np.concatenate([np.pad(x, ((0, 3), (0, 0))), np.full((7, 1), 8)], 1)
    with tg.no_grad():
        alone = model(tg.tensor(x), tg.tensor([4]), y).numpy()
        beside = model(tg.tensor(padded), tg.tensor([4, 7]), tg.cat([y, y], 1)).numpy()
    np.testing.assert_allclose(beside[:, 0], alone[:, 0], atol=1e-6)


def test_a_search_steps_as_the_decoder_does() -> None:
    """One symbol at a time gives other probabilities than teacher forcing of the same symbols."""
    tg.manual_seed(0)
    model = translation.Translator(9, 7, 8, 0.0, True)
    x, y = tg.tensor(np.array([[2, 4, 5, 3], [2, 6, 3, 0]]).T), np.array([[2, 5, 6], [2, 4, 4]]).T
    whole = model(x, tg.tensor([4, 3]), tg.tensor(np.pad(y, ((0, 1), (0, 0))))).log_softmax(-1)
    state = model.read(x, tg.tensor([4, 3]))
    for t, symbols in enumerate(y):
        log_p, state = model.step(tg.tensor(symbols), state)
        np.testing.assert_allclose(log_p.detach().numpy(), whole.detach().numpy()[t], atol=1e-6)


def test_where_it_reads() -> None:
    """The picture shows weights of other symbols than those below and beside it."""
    texts = ["abc", "de"]
    source = translation.Language.of_texts("char", texts, 1)
    tg.manual_seed(0)
    model = translation.Translator(len(source.vocabulary), len(source.vocabulary), 8, 0.0, True)
    shown = translation.alignment(model, source, source, "abc", source.encode("de")[1:-1])
    assert shown.source == ["⟨", "a", "b", "c", "⟩"]
    assert shown.target == ["d", "e", "⟩"]
    assert shown.weights.shape == (3, 5)
    np.testing.assert_allclose(shown.weights.sum(1), 1.0, atol=1e-5)


def test_parts_share_no_sentence() -> None:
    """A sentence that is tested was seen in training with another translation."""
    pairs = [(f"s{n % 50}", f"t{n}") for n in range(120)]
    parts = translation.split(pairs, np.random.default_rng(0))
    first = [{a for a, _ in part} for part in parts]
    assert len(set.union(*first)) == 50
    assert sorted(pair for part in parts for pair in part) == sorted(pairs)
    assert [len(sentences) for sentences in first] == [40, 5, 5]


def test_dates_are_written_right() -> None:
    """An ordinal, or a date of the default, is wrong."""
    day = date(1998, 3, 3)
    assert translation.WRITINGS[0](day) == "Tuesday the 3rd of March 1998"
    ordinals = [translation.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 31)]
    assert " ".join(ordinals) == "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 31st"
    pairs = translation.dates(500, np.random.default_rng(0))
    assert len({iso for _, iso in pairs}) == 500
    assert all(date.fromisoformat(iso).year in range(1900, 2100) for _, iso in pairs)


def test_nearest_sentence() -> None:
    """The baseline takes another translation than that of the sentence most alike."""
    train = [("good morning", "a"), ("good night", "b"), ("who is there", "c")]
    assert translation.nearest(train, ["a good morning", "who was there", "night"]) == [*"acb"]


def test_reverse_and_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--reverse, --no-attention or --seed are not heeded, or BLEU is asked of a missing library."""
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    data = pairs_file(tmp_path / "pairs.tsv", 40)
    tiny = ["--epochs", "1", "--hidden", "8", "--no-jit", "--reverse", "--no-attention"]
    tiny += ["--levels", "char", "char"]
    found = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / str(number)
        more = ["--data", str(data), "--seed", str(seed), "--out", str(out)]
        assert translation.main([*tiny, *more]) == 0
        found.append((out / "history.csv").read_text().splitlines()[1].split(",")[:3])
    assert found[0] == found[1] != found[2]
    assert not (out / "alignment.png").exists()
    weights = load_weights(out / "best.safetensors")
    assert not any("attention" in name for name in weights)
    # Ten digits are read, and letters written.
    assert weights["source.weight"].shape[0] == 14 < weights["target.weight"].shape[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file"),
        ("", "empty"),
        ("a\tb\nc\n", "line 2"),
        ("a\n", "no column"),
        ("a\tb\n", "too few"),
        ("".join(f"{n}{'x' * 60}\tb\n" for n in range(20)), "--longest"),
    ],
)
def test_errors_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    """A file that cannot be used ends in a traceback, or without saying where."""
    path = tmp_path / "a.tsv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    status = translation.main(["--data", str(path), "--out", str(tmp_path / "out")])
    assert_refused(status, capsys.readouterr().err, words)


def test_ctrl_c_keeps_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C loses the weights at hand, or what they are worth is not said."""
    interrupt_second_epoch(monkeypatch)
    assert translation.main([*SMALL, "--no-jit", "--out", str(tmp_path)]) == 130
    assert "readout.weight" in load_weights(tmp_path / "best.safetensors")
    assert "most alike sentence" in capsys.readouterr().out
