"""examples/digits.py: names of digits from their images, on few images and few epochs."""

import signal
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import Help, Run, assert_refused, load
from tinygrad_rnn.checkpoints import load_weights
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import Vocabulary

SMALL = ["--images", 2000, "--hidden", 96, "--epochs", 12, "--batch", 32, "--lr", 1e-2]
LINE = ",".join(["0"] * 64 + ["7"]) + "\n"


@pytest.mark.parametrize("more", [[], ["--feed-back"]])
def test_it_learns(run_main: Run, tmp_path: Path, more: list[str]) -> None:
    """The names are no better than those of the nearest mean image."""
    ran = run_main(load("digits"), *SMALL, *more)
    assert (ran.status, ran.err) == (0, "")
    metrics = ran.results["metrics"]
    assert metrics["exact match"] > metrics["nearest mean image"] + 0.1
    assert metrics["nearest mean image"] > metrics["always the same name"]
    assert f"{100 * metrics['exact match']:.2f} %" in ran.out
    assert load_weights(tmp_path / "run1" / "best.safetensors")["readout.weight"].shape[1] == 96
    assert "@@" in ran.out


def speller(feed_back: bool) -> tuple[tg.nn.Module, list[np.ndarray]]:
    """Return a model, and the inputs that its LSTM has been given."""
    module = load("digits")
    model = module.Speller(Vocabulary(sorted({*".", *"".join(module.NAMES)})), 16, feed_back)
    given: list[np.ndarray] = []
    model.lstm.register_forward_hook(lambda layer, args, result: given.append(args[0].numpy()))
    return model.eval(), given


def test_the_image_enters_once() -> None:
    """The network sees the image again after the first step, or something else than zeros."""
    model, given = speller(feed_back=False)
    images = tg.randn(3, 64)
    model(images, tg.zeros(6, 3, dtype=tg.int64))
    model.write(images)
    for x in (given[0], np.concatenate(given[1:])):
        assert x.shape == (6, 3, 64)
        np.testing.assert_array_equal(x[0], images.numpy())
        assert not x[1:].any()


def test_the_last_letter_is_fed_back() -> None:
    """In training the letter before is not the one that should have been written, or in writing
    not the one that was."""
    model, given = speller(feed_back=True)
    images = tg.randn(3, 64)
    letters = tg.tensor(np.arange(18).reshape(6, 3) % len(model.vocabulary))
    model(images, letters)
    fed = functional.one_hot(letters, len(model.vocabulary)).numpy()
    np.testing.assert_array_equal(given[0][1:, :, 64:], fed[:-1])
    assert not given[0][0, :, 64:].any()
    assert not given[0][1:, :, :64].any()
    given.clear()
    written = model.write(images)
    x = np.concatenate(given)
    np.testing.assert_array_equal(x[0, :, :64], images.numpy())
    assert not x[1:, :, :64].any()
    letters_fed = [model.vocabulary.decode(row) for row in x[1:, :, 64:].argmax(-1).T.tolist()]
    for name, before in zip(written, letters_fed, strict=True):
        assert before.partition(".")[0] == name[:5]


def test_writing_is_what_was_trained() -> None:
    """Step by step the network writes other letters than over the whole sequence."""
    model, _ = speller(feed_back=False)
    images = tg.randn(5, 64)
    logits = model(images, tg.zeros(6, 5, dtype=tg.int64))
    names = [model.vocabulary.decode(row) for row in logits.argmax(-1).numpy().T.tolist()]
    assert model.write(images) == [name.partition(".")[0] for name in names]


def test_files(run_main: Run, tmp_path: Path) -> None:
    """Files of optdigits are not read, or the test images are learned from."""
    module = load("digits")
    images = module.drawn(300, np.random.default_rng(0))
    lines = [",".join(map(str, [*p, d])) for p, d in zip(*images, strict=True)]
    (tmp_path / "optdigits.tra").write_text("\n".join(lines[:200]) + "\n")
    (tmp_path / "optdigits.tes").write_text("\n".join(lines[200:]) + "\n")
    small = ["--hidden", 16, "--epochs", 1, "--no-jit"]
    folder = run_main(module, "--data", tmp_path, *small)
    assert folder.status == 0
    assert "180 images to learn from, 20 to choose the epoch by, 100 to test with" in folder.out
    files = ("--data", tmp_path / "optdigits.tra", "--test", tmp_path / "optdigits.tes")
    assert run_main(module, *files, *small).results["metrics"] == folder.results["metrics"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no file"),
        ("", "is empty"),
        ("1,2,3\n", "column 3"),
        (LINE.replace("0,", "17,", 1), "row 1"),
        (LINE + LINE.replace("7", "x"), "line 2"),
        (LINE * 3, "10 are the fewest"),
    ],
)
def test_errors_are_one_sentence(
    run_main: Run, tmp_path: Path, text: str | None, words: str
) -> None:
    """A file that cannot be used ends in a traceback, or without saying why."""
    path = tmp_path / "some.tra"
    if text is not None:
        path.write_text(text)
    ran = run_main(load("digits"), "--data", path, "--test", path)
    assert_refused(ran.status, ran.err, words)


def test_a_file_to_test_with_is_asked_for(run_main: Run, tmp_path: Path) -> None:
    """Without test images the example goes on, and measures nothing."""
    path = tmp_path / "some.tra"
    path.write_text(LINE * 20)
    ran = run_main(load("digits"), "--data", path)
    assert_refused(ran.status, ran.err, "--test")


@pytest.mark.parametrize("name", ["--batch", "--images", "--hidden", "--epochs"])
def test_sizes_that_cannot_be(run_main: Run, name: str) -> None:
    """A size of 0 ends in a traceback."""
    ran = run_main(load("digits"), "--no-jit", name, 0)
    assert_refused(ran.status, ran.err)


def test_the_seed_decides(run_main: Run) -> None:
    """The same seed gives other results, or another seed the same."""
    small = ["--images", 200, "--hidden", 16, "--epochs", 2, "--no-jit"]
    module = load("digits")
    first, again = (run_main(module, *small, "--seed", 3).results["metrics"] for _ in range(2))
    assert first == again
    assert run_main(module, *small, "--seed", 4).results["metrics"] != first


def test_ctrl_c_keeps_the_best(
    run_main: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl-C ends in a traceback, or what was learned is lost."""
    module = load("digits")
    write = module.Speller.write

    def interrupted(self: tg.nn.Module, images: tg.Tensor) -> list[str]:
        if (tmp_path / "run1" / "last.safetensors").exists():
            monkeypatch.setattr(module.Speller, "write", write)
            signal.raise_signal(signal.SIGINT)
        return list(write(self, images))

    monkeypatch.setattr(module.Speller, "write", interrupted)
    ran = run_main(module, "--images", 200, "--hidden", 16, "--epochs", 50, "--no-jit")
    assert ran.status == 130
    assert ran.results["interrupted"] is True
    assert "exact match" in ran.out
    assert (tmp_path / "run1" / "best.safetensors").exists()


def test_help(help_of: Help) -> None:
    """`--help` fails, or does not name an option."""
    out = help_of("digits")
    for option in ("--data", "--test", "--feed-back", "--seed", "--epochs", "--no-jit"):
        assert option in out
