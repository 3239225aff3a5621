"""examples/own_cells.py: the three cells compute their equations, and learn."""

import signal
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import Help, Run, assert_refused, load
from tinygrad_rnn import nn

NAMES = ("UGRNN", "JANET", "RHN")
QUICK = ["--hidden", 4, "--epochs", 1, "--batch", 16, "--window", 16, "--no-jit"]
VERSE = "the rain in spain stays mainly in the plain. " * 60


@pytest.fixture
def verse(tmp_path: Path) -> Path:
    path = tmp_path / "verse.txt"
    path.write_text(VERSE)
    return path


def test_they_learn(run_main: Run, verse: Path, tmp_path: Path) -> None:
    """A cell predicts no better than the frequencies of characters, or is not timed."""
    settings = ["--hidden", 32, "--epochs", 12, "--batch", 8, "--window", 16, "--lr", 2e-2]
    ran = run_main(load("own_cells"), "--data", verse, *settings)
    assert (ran.status, ran.err) == (0, "")
    metrics = ran.results["metrics"]
    for name in ("LSTM", *NAMES):
        assert metrics[f"{name}: nats"] < 0.5 * metrics["frequencies of characters: nats"]
        assert metrics[f"{name}: ms"] < metrics[f"{name}: ms without jit"]
        assert (tmp_path / "run1" / name.lower() / "best.safetensors").exists()
    assert (tmp_path / "run1" / "cells.png").read_bytes().startswith(b"\x89PNG")


def sigma(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def test_the_cells_follow_their_equations() -> None:
    """A cell is not the one of its paper."""
    module = load("own_cells")
    random = np.random.default_rng(0)
    x, h = random.normal(size=(3, 5)), random.normal(size=(3, 4))
    both = np.concatenate([x, h], 1)
    tensors = [tg.tensor(a) for a in (x, h)]
    found = {}
    with tg.no_grad():
        for name in NAMES:
            cell = getattr(module, name)(5, 4).double()
            w = {n: p.detach().numpy() for n, p in cell.named_parameters()}
            output, state = cell(*tensors)
            np.testing.assert_array_equal(output.numpy(), state.numpy())
            found[name] = output.numpy(), w
    for name in ("UGRNN", "JANET"):
        output, w = found[name]
        a, b = np.split(both @ w["sums.weight"].T + w["sums.bias"], 2, 1)
        wanted = {
            "UGRNN": sigma(a + 1) * h + (1 - sigma(a + 1)) * np.tanh(b),
            "JANET": sigma(a) * h + (1 - sigma(a - 1)) * np.tanh(b),
        }
        np.testing.assert_allclose(output, wanted[name], rtol=1e-12)
    output, w = found["RHN"]
    s = h
    for k in range(2):
        sums = s @ w[f"deep.{k}.weight"].T + w[f"deep.{k}.bias"]
        n, t = np.split(sums + (x @ w["seen.weight"].T if k == 0 else 0), 2, 1)
        s = sigma(t) * np.tanh(n) + (1 - sigma(t)) * s
    np.testing.assert_allclose(output, s, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_and_wiring(name: str) -> None:
    """Backpropagation through a cell is wrong, or it cannot be stacked and compiled."""
    cell = getattr(load("own_cells"), name)
    layer = nn.Recurrent(lambda size: cell(size, 3), 2, num_layers=2, bidirectional=True).double()
    x = tg.randn(3, 2, 2, dtype=tg.float64)
    assert tg.gradcheck(lambda x: layer(x, lengths=[3, 2])[0], x.requires_grad_())
    compiled = tg.jit(lambda x: layer(x)[0])
    eager = layer(x)[0].detach().numpy()
    for _ in range(2):
        np.testing.assert_allclose(compiled(x).numpy(), eager, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "words"), [(None, "no file"), ("", "is empty"), (VERSE[:400], "are needed")]
)
def test_errors_are_one_sentence(
    run_main: Run, tmp_path: Path, text: str | None, words: str
) -> None:
    """A file that cannot be used ends in a traceback, or without saying why."""
    path = tmp_path / "some.txt"
    if text is not None:
        path.write_text(text)
    ran = run_main(load("own_cells"), "--data", path)
    assert_refused(ran.status, ran.err, words)


def test_bytes_that_are_no_text(run_main: Run, tmp_path: Path) -> None:
    """A file that is no text ends in a traceback."""
    path = tmp_path / "some.txt"
    path.write_bytes(b"\xff\xfe\x00" * 100)
    ran = run_main(load("own_cells"), "--data", path)
    assert_refused(ran.status, ran.err)


def test_the_seed_decides(run_main: Run, verse: Path) -> None:
    """The same seed gives other results, or another seed the same."""
    module = load("own_cells")

    def nats(seed: int) -> dict[str, float]:
        metrics = run_main(module, "--data", verse, *QUICK, "--seed", seed).results["metrics"]
        return {name: value for name, value in metrics.items() if name.endswith("nats")}

    first = nats(3)
    assert len(first) == 5
    assert first == nats(3)
    assert first != nats(4)


def test_ctrl_c_keeps_the_best(
    run_main: Run, monkeypatch: pytest.MonkeyPatch, verse: Path, tmp_path: Path
) -> None:
    """Ctrl-C ends in a traceback, goes on with the next cell, or loses what was learned."""
    module = load("own_cells")
    loss_of = module.loss_of

    def interrupting(*arguments: object) -> tg.Tensor:
        if (tmp_path / "run1" / "ugrnn" / "last.safetensors").exists():
            signal.raise_signal(signal.SIGINT)
        return loss_of(*arguments)

    monkeypatch.setattr(module, "loss_of", interrupting)
    ran = run_main(module, "--data", verse, *QUICK, "--epochs", 3)
    assert ran.status == 130
    assert ran.results["interrupted"] is True
    assert "LSTM: nats" in ran.results["metrics"]
    assert "RHN: nats" not in ran.results["metrics"]
    assert (tmp_path / "run1" / "ugrnn" / "best.safetensors").exists()


def test_help(help_of: Help) -> None:
    """`--help` fails, or does not name an option."""
    out = help_of("own_cells")
    for option in ("--data", "--seed", "--epochs", "--no-jit"):
        assert option in out
