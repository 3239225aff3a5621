"""examples/truncation.py: what it says about windows is so."""

import argparse
import math
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.examples.conftest import Help, Run, assert_refused, load

QUICK = ["--hidden", 4, "--gap", 6, "--updates", 3, "--no-jit"]


def settings(**changes: object) -> argparse.Namespace:
    usual = {"hidden": 32, "updates": 600, "seed": 0, "no_jit": False}
    return argparse.Namespace(**usual | changes)


def test_the_stream() -> None:
    """An answer is not the symbol shown so many steps before, or a gap has another length."""
    x, symbols, asked, gaps = load("truncation").stream(0, 300, 3, 9)
    assert x.shape == (300, 32, 6)
    assert asked.sum() > 300
    assert ((gaps > 0) == (asked > 0)).all()
    assert set(gaps[gaps > 0].tolist()) == set(range(3, 10))
    for t, row in np.argwhere(asked > 0):
        before = x[t - gaps[t, row] : t, row]
        assert x[t, row, 4] == 1.0
        assert before[0, symbols[t, row]] == 1.0
        assert not before[1:, :5].any()


def test_no_gradient_leads_there() -> None:
    """A window learns what lies beyond it though no gradient does."""
    found = load("truncation").train((12, 12), 5, 5, True, settings(updates=300))
    assert found.beyond == found.all < 0.4
    assert math.isnan(found.within)


def test_the_state_carries_further_than_the_gradient() -> None:
    """Learning from short gaps does not help with longer ones, or does without the state."""
    module = load("truncation")
    carried = module.train((2, 12), 5, 5, True, settings())
    assert carried.within > 0.75
    assert carried.beyond > 0.75
    zero = module.train((2, 12), 5, 5, False, settings(updates=300))
    assert zero.beyond < 0.35


def test_often_and_far() -> None:
    """With k2 above k1 a gap is not learned that lies within k2."""
    found = load("truncation").train((12, 12), 5, 20, True, settings())
    assert found.within > 0.75


def test_memory_grows_with_the_window() -> None:
    """The memory told is not that of a window: it does not grow with k2, or the stream counts."""
    module = load("truncation")

    def kept(k1: int, k2: int, updates: int = 3) -> int:
        return module.train((4, 4), k1, k2, True, settings(updates=updates, no_jit=True)).kept

    assert kept(100, 100) - kept(50, 50) == pytest.approx(kept(50, 50), rel=0.1)
    assert kept(5, 5, updates=10) == kept(5, 5)


def test_all_of_it(run_main: Run, tmp_path: Path) -> None:
    """A run is left out, a figure is not kept, or the picture is missing."""
    ran = run_main(load("truncation"), *QUICK)
    assert (ran.status, ran.err) == (0, "")
    metrics = ran.results["metrics"]
    for what in ("accuracy", "kB", "ms an update"):
        assert len([name for name in metrics if name.startswith(f"{what}, ")]) == 15
    assert metrics["accuracy of a guess"] == 0.25
    assert "zero at edges" in ran.out
    assert (tmp_path / "run1" / "truncation.png").read_bytes().startswith(b"\x89PNG")


def test_the_seed_decides() -> None:
    """The same seed gives other results, or another seed the same."""
    module = load("truncation")

    def measured(seed: int) -> float:
        return module.train((2, 6), 5, 5, True, settings(updates=20, seed=seed)).all

    assert measured(3) == measured(3)
    assert measured(4) != measured(3)


@pytest.mark.parametrize("wrong", [["--gap", 4], ["--updates", 0], ["--hidden", 0]])
def test_errors_are_one_sentence(run_main: Run, wrong: list[object]) -> None:
    """A size that cannot be ends in a traceback."""
    ran = run_main(load("truncation"), *QUICK, *wrong)
    assert_refused(ran.status, ran.err)


def test_ctrl_c(run_main: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends in a traceback, goes on with the next run, or loses what was found out."""
    module = load("truncation")
    original = module.loss_of
    calls = 0

    def interrupting(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 6:
            signal.raise_signal(signal.SIGINT)
        return original(*arguments)

    monkeypatch.setattr(module, "loss_of", interrupting)
    ran = run_main(module, *QUICK)
    assert ran.status == 130
    assert ran.results["interrupted"] is True
    accuracies = [name for name in ran.results["metrics"] if name.startswith("accuracy, ")]
    assert len(accuracies) == 2


def test_help(help_of: Help) -> None:
    """`--help` fails, or does not name an option."""
    out = help_of("truncation")
    for option in ("--gap", "--hidden", "--seed", "--updates", "--no-jit"):
        assert option in out
