"""examples/frames.py: that a state which is carried tells more than the frame at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import assert_refused, load
from tests.examples.interrupting import interrupt_second_epoch
from tinygrad_rnn.checkpoints import load_weights

frames = load("frames")
SMALL = ["--threads", "1", "--utterances", "150", "--hidden", "32", "--epochs", "20"]


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))["metrics"]


def test_memory_beats_single_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state is not carried from call to call, or nothing is learned."""
    assert frames.main([*SMALL, "--out", str(tmp_path / "a")]) == 0
    found = metrics(tmp_path / "a")
    assert found["GRU: frames"] > found["logistic regression: frames"] + 0.1
    assert found["GRU: utterances"] > found["logistic regression: utterances"] + 0.2
    assert (tmp_path / "a" / "frames.png").read_bytes().startswith(b"\x89PNG")
    assert "A frame takes" in capsys.readouterr().out


def test_the_seed_decides(tmp_path: Path) -> None:
    """Two runs of one seed differ, or those of two seeds do not."""
    tiny = ["--utterances", "60", "--hidden", "8", "--epochs", "1", "--no-jit"]
    found = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / str(number)
        assert frames.main([*tiny, "--seed", str(seed), "--out", str(out)]) == 0
        found.append(metrics(out))
    assert found[0] == found[1] != found[2]


def test_streaming_equals_one_pass() -> None:
    """Frames heard one by one get other labels than the same frames at once."""
    tg.manual_seed(0)
    model = frames.Listener(12, 6, 16, 0.5)
    some = frames.generated(5, np.random.default_rng(0))
    log_p, lengths = frames.streamed(model, some, jit=False)
    model.eval()
    for row, (one, length) in enumerate(zip(some.frames, lengths, strict=True)):
        whole, _ = model(tg.tensor(one.astype(np.float32))[:, None])
        np.testing.assert_allclose(log_p[:length, row], whole.detach().numpy()[:, 0], atol=1e-5)


def written(path: Path, counts: list[int]) -> Path:
    """Write utterances as the files of the vowels have them."""
    random = np.random.default_rng(0)
    lines = []
    for speaker, count in enumerate(counts):
        for _ in range(count):
            lines += [f"{speaker + x:.3f} {x:.3f} " for x in random.normal(0.0, 0.1, 5)]
            lines += ["1.0 1.0", ""]
    path.write_text("\r\n".join(lines), encoding="utf-8")
    return path


def test_own_recordings(tmp_path: Path) -> None:
    """Rows of ones are taken for frames, or utterances for another speaker's."""
    train, test = written(tmp_path / "ae.train", [12, 18]), written(tmp_path / "ae.test", [4, 3])
    recordings = frames.read(train, [12, 18])
    assert {f.shape for f in recordings.frames} == {(5, 2)}
    assert recordings.speakers.tolist() == [0] * 12 + [1] * 18
    counts = ["--counts", "12,18", "--test-counts", "4,3"]
    small = ["--epochs", "8", "--hidden", "8", "--no-jit", "--noise", "0.1", "--dropout", "0"]
    for number, data in enumerate((["--data", tmp_path], ["--data", train, "--test", test])):
        out = tmp_path / str(number)
        assert frames.main([*map(str, data), *counts, *small, "--out", str(out)]) == 0
        assert metrics(out)["GRU: utterances"] > 0.7


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file"),
        ("", "empty"),
        ("1.5 2.5\nabc 2\n", "line 2"),
        ("1.5 2.5\n1 2 3\n", "line 2"),
        ("1.5 2.5\n1.0 1.0\n", "270 are expected"),
    ],
)
def test_errors_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    """A file that cannot be used ends in a traceback, or without saying where."""
    path = tmp_path / "ae.train"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    out = str(tmp_path / "out")
    status = frames.main(["--data", str(path), "--test", str(path), "--out", out])
    assert_refused(status, capsys.readouterr().err, words)


def test_ctrl_c_keeps_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C loses the weights at hand, or goes on with the next model."""
    interrupt_second_epoch(monkeypatch)
    assert frames.main([*SMALL, "--no-jit", "--out", str(tmp_path)]) == 130
    assert load_weights(tmp_path / "gru" / "best.safetensors")["readout.weight"].shape == (6, 32)
    assert not (tmp_path / "logistic").exists()
    assert json.loads((tmp_path / "results.json").read_text())["interrupted"] is True
