"""examples/long_memory.py: the two tasks, and that what can learn them does."""

import math
import signal
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.examples.conftest import Help, Run, assert_refused, load

QUICK = ["--updates", 50, "--hidden", 4, "--batch", 8, "--no-jit"]


def test_it_learns(run_main: Run, tmp_path: Path) -> None:
    """A gated network does not beat the one that remembers nothing, or the table lies about it."""
    settings = ["--length", 8, "--hidden", 32, "--updates", 600, "--cells", "gru", "irnn"]
    ran = run_main(load("long_memory"), "--task", "adding", *settings)
    assert (ran.status, ran.err) == (0, "")
    metrics = ran.results["metrics"]
    assert metrics["adding, baseline"] == pytest.approx(1 / 6)
    assert metrics["adding, gru"] < 0.1 * metrics["adding, baseline"]
    assert f"{metrics['adding, gru']:.4f}" in ran.out
    assert (tmp_path / "run1" / "adding.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "run1" / "adding-gru" / "history.csv").read_text().count("\n") == 13


def test_copying_is_learned(run_main: Run) -> None:
    """The copy task stays at its baseline with a network that sees it all at once again."""
    settings = ["--length", 2, "--hidden", 32, "--updates", 300, "--cells", "lstm"]
    ran = run_main(load("long_memory"), "--task", "copy", *settings)
    metrics = ran.results["metrics"]
    assert metrics["copy, baseline"] == pytest.approx(10 * math.log(8) / 22)
    assert metrics["copy, lstm"] < 0.97 * metrics["copy, baseline"]


@pytest.mark.parametrize("T", [2, 3, 50])
def test_adding(T: int) -> None:
    """Not two numbers are marked, one in each half, or the target is not their sum."""
    x, targets = load("long_memory").adding(T, 2000, np.random.default_rng(0))
    assert x.shape == (T, 2000, 2)
    values, marks = x[..., 0], x[..., 1]
    assert ((values >= 0) & (values <= 1)).all()
    assert (marks[: T // 2].sum(0) == 1).all()
    assert (marks[T // 2 :].sum(0) == 1).all()
    np.testing.assert_allclose((values * marks).sum(0), targets, rtol=1e-6)
    assert ((targets - 1) ** 2).mean() == pytest.approx(1 / 6, rel=0.1)


@pytest.mark.parametrize("T", [2, 10])
def test_copying(T: int) -> None:
    """The symbols are not those to be said, or the sign does not stand where saying begins."""
    module = load("long_memory")
    x, said = module.copying(T, 50, np.random.default_rng(0))
    assert x.shape == (T + 20, 50, 10)
    assert (x.sum(-1) == 1).all()
    shown = x.argmax(-1)
    assert ((shown[:10] >= 0) & (shown[:10] < 8)).all()
    np.testing.assert_array_equal(said[-10:], shown[:10])
    assert (said[:-10] == module.BLANK).all()
    assert (shown[T + 9] == module.SIGN).all()
    assert (np.delete(shown[10:], T - 1, 0) == module.BLANK).all()


def test_the_baselines() -> None:
    """A baseline is not the loss of who knows the time, and remembers nothing."""
    module = load("long_memory")
    task = module.TASKS["copy"]
    _, said = task.batch(10, 100, np.random.default_rng(0))
    logits = np.full((30, 100, 9), -100.0, np.float32)
    logits[:20, :, module.BLANK] = 100.0
    logits[20:, :, :8] = 0.0
    loss = task.loss(tg.tensor(logits), tg.tensor(said)).item()
    assert loss == pytest.approx(task.baseline(10), rel=1e-5)
    task = module.TASKS["adding"]
    _, sums = task.batch(10, 20000, np.random.default_rng(0))
    loss = task.loss(tg.ones(10, 20000, 1), tg.tensor(sums)).item()
    assert loss == pytest.approx(task.baseline(10), rel=0.03)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--length", 1], "--length"), (["--updates", 0], "--updates"), (["--hidden", 0], "--hidden")],
)
def test_errors_are_one_sentence(run_main: Run, arguments: list[object], words: str) -> None:
    """A size that cannot be ends in a traceback."""
    ran = run_main(load("long_memory"), *arguments)
    assert_refused(ran.status, ran.err, words)


def test_the_seed_decides(run_main: Run) -> None:
    """The same seed gives other results, or another seed the same."""
    module = load("long_memory")
    small = ["--task", "adding", "--cells", "gru", "--length", 4, *QUICK]
    first, again = (run_main(module, *small, "--seed", 3).results["metrics"] for _ in range(2))
    assert first == again
    assert run_main(module, *small, "--seed", 4).results["metrics"] != first


def test_ctrl_c_keeps_the_best(
    run_main: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl-C ends in a traceback, goes on with the next network, or loses what was learned."""
    module = load("long_memory")
    task = module.TASKS["adding"]

    def interrupting(*arguments: object) -> tuple[np.ndarray, np.ndarray]:
        if (tmp_path / "run1" / "adding-rnn" / "last.safetensors").exists():
            signal.raise_signal(signal.SIGINT)
        x, targets = task.batch(*arguments)
        return x, targets

    monkeypatch.setitem(module.TASKS, "adding", task._replace(batch=interrupting))
    ran = run_main(module, "--length", 4, *QUICK, "--updates", 500)
    assert ran.status == 130
    assert ran.results["interrupted"] is True
    assert set(ran.results["metrics"]) == {"adding, rnn", "adding, baseline"}
    assert (tmp_path / "run1" / "adding-rnn" / "best.safetensors").exists()


def test_help(help_of: Help) -> None:
    """`--help` fails, or does not name an option."""
    out = help_of("long_memory")
    for option in ("--task", "--length", "--seed", "--updates", "--no-jit"):
        assert option in out
