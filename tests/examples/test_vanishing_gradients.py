"""examples/vanishing_gradients.py: what it says about gradients is so."""

import argparse
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.examples.conftest import Help, Run, assert_refused, load
from tinygrad_rnn import nn, optim, training

QUICK = ["--hidden", 8, "--steps", 12, "--updates", 10, "--recall", 4, "--no-jit"]


def settings(**changes: object) -> argparse.Namespace:
    usual = {"hidden": 64, "updates": 200, "seed": 0, "no_jit": False}
    return argparse.Namespace(**usual | changes)


def test_the_three_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """The product printed is not what small changes of h_1 do to h_3, or the engine differs."""
    assert load("vanishing_gradients").three_steps() < 1e-15
    printed = capsys.readouterr().out
    W = np.array([[0.5, -0.3], [0.8, 0.2]])

    def h_3(h: np.ndarray) -> np.ndarray:
        for x in ([0.0, 1.0], [0.5, 0.5]):
            h = np.tanh(W @ h + x)
        return h

    h_1 = np.tanh([1.0, 0.0])
    for column, step in enumerate(np.eye(2) * 1e-6):
        for value in (h_3(h_1 + step) - h_3(h_1 - step)) / 2e-6:
            assert f"{value:9.5f}" in printed.split("∂h_3/∂h_1")[1], column


def test_the_factor_of_a_step() -> None:
    """Without tanh a step's factor is not the spectral radius, or tanh does not lower it."""
    module = load("vanishing_gradients")
    for radius in module.RADII:
        plain, squashed = (
            module.flow(module.PLAIN[f"{name}, radius {radius}"], 16, 60, 0)
            for name in ("no tanh", "tanh")
        )
        assert plain[0] == 1.0
        assert plain[-1] ** (1 / 59) == pytest.approx(radius, rel=0.06)
        assert squashed[-1] < plain[-1]


def test_what_helps() -> None:
    """The forget bias, the initialisation or residual connections do not help a gradient."""
    module = load("vanishing_gradients")
    biases = [module.flow(module.GATED[f"LSTM, forget bias {b}"], 16, 40, 0)[-1] for b in (0, 1, 2)]
    assert biases == sorted(biases)
    first, *others = (module.flow(make, 16, 40, 0)[-1] for make in module.HELPERS.values())
    assert min(others) > 1e3 * first
    assert module.depth(True, 16, 0) > 10 * module.depth(False, 16, 0)


@pytest.mark.parametrize(("clip", "learned"), [(1.0, True), (None, False)])
def test_clipping(clip: float | None, learned: bool) -> None:
    """The exploding case learns without clipping, or does not with it."""
    module = load("vanishing_gradients")

    def sgd(model: nn.Module) -> optim.Optimizer:
        return optim.SGD(model.parameters(), 0.15)

    make = module.PLAIN["tanh, radius 1.5"]
    losses, accuracy, interrupted = module.train(make, sgd, 30, clip, settings())
    assert len(losses) == 20
    assert (accuracy > 0.9, interrupted) == (learned, False)


def test_all_of_it(run_main: Run, tmp_path: Path) -> None:
    """A study is left out, a figure is not kept, or a picture is missing."""
    ran = run_main(load("vanishing_gradients"), *QUICK)
    assert (ran.status, ran.err) == (0, "")
    metrics = ran.results["metrics"]
    assert len([name for name in metrics if name.endswith("factor a step")]) == 15
    assert len([name for name in metrics if name.startswith("accuracy, ")]) == 9
    assert metrics["accuracy of a guess"] == 0.25
    assert 0.0 <= metrics["accuracy, GRU"] <= 1.0
    assert f"{metrics['GRU: factor a step']:9.3f}" in ran.out
    for name in ("radius", "gates", "help", "clipping"):
        assert (tmp_path / "run1" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_curves_are_drawn_on_a_log_axis(tmp_path: Path) -> None:
    """Numbers of very different sizes are drawn on a linear axis, where all but one are 0."""
    pictures = []
    for log in (False, True):
        path = tmp_path / f"{log}.png"
        curve = {"a": ([0.0, 1.0, 2.0], [1.0, 1e-3, 1e-6])}
        assert training.plot_curves(path, curve, "x", "y", log=log)
        pictures.append(path.read_bytes())
    assert pictures[0] != pictures[1]


def test_the_task() -> None:
    """The first step does not show the symbol, or a later one does."""
    x, symbols = load("vanishing_gradients").sequences((0,), 6, 40)
    assert x.shape == (6, 40, 8)
    np.testing.assert_array_equal(x[0, :, :4], np.eye(4)[symbols])
    assert not x[1:, :, :4].any()
    assert set(symbols.tolist()) == {0, 1, 2, 3}


def test_the_seed_decides(run_main: Run) -> None:
    """The same seed gives other results, or another seed the same."""
    module = load("vanishing_gradients")
    small = [*QUICK, "--no-training"]
    first, again = (run_main(module, *small, "--seed", 3).results["metrics"] for _ in range(2))
    assert first == again
    assert run_main(module, *small, "--seed", 4).results["metrics"] != first


@pytest.mark.parametrize("wrong", [["--steps", 1], ["--updates", 0], ["--hidden", 0]])
def test_errors_are_one_sentence(run_main: Run, wrong: list[object]) -> None:
    """A size that cannot be ends in a traceback."""
    ran = run_main(load("vanishing_gradients"), *QUICK, *wrong)
    assert_refused(ran.status, ran.err)


def test_ctrl_c(run_main: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends in a traceback, or loses what was measured before."""
    module = load("vanishing_gradients")
    deal = module.sequences
    calls = 0

    def interrupting(*arguments: object) -> tuple[np.ndarray, np.ndarray]:
        nonlocal calls
        calls += 1
        if calls == 15:
            signal.raise_signal(signal.SIGINT)
        return deal(*arguments)

    monkeypatch.setattr(module, "sequences", interrupting)
    ran = run_main(module, *QUICK)
    assert ran.status == 130
    assert ran.results["interrupted"] is True
    assert "GRU: factor a step" in ran.results["metrics"]
    assert "accuracy without clipping" in ran.results["metrics"]
    assert "accuracy, GRU" not in ran.results["metrics"]


def test_help(help_of: Help) -> None:
    """`--help` fails, or does not name an option."""
    out = help_of("vanishing_gradients")
    for option in ("--steps", "--recall", "--seed", "--updates", "--no-training", "--no-jit"):
        assert option in out
