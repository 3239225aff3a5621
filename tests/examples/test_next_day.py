"""examples/next_day.py: what it predicts, beside what is trivial and what is best."""

import signal
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from tests.examples.conftest import Help, Run, assert_refused, load
from tinygrad_rnn.checkpoints import load_weights

SMALL = ["--folds", 1, "--hidden", 8, "--epochs", 2, "--no-jit"]
HEADER = "Date,Close\n"


def table(values: np.ndarray, first: str = "2001-01-01") -> str:
    days = np.arange(first, len(values), dtype="datetime64[D]")
    return HEADER + "".join(f"{d},{v:.6f}\n" for d, v in zip(days, values, strict=True))


def test_it_learns(run_main: Run, tmp_path: Path) -> None:
    """The network predicts no better than today's value, or better than is possible."""
    settings = ["--days", 3000, "--folds", 2, "--hidden", 16, "--epochs", 25, "--lr", 1e-2]
    ran = run_main(load("next_day"), *settings)
    assert (ran.status, ran.err) == (0, "")
    metrics = ran.results["metrics"]
    naive = metrics["tomorrow equals today: RMSE"]
    best = metrics["the best there can be: RMSE"]
    assert best < 0.96 * naive
    for view in ("levels", "returns", "both"):
        # A few days are not enough to tell the best from one that is almost as good.
        assert 0.97 * best < metrics[f"LSTM, {view}: RMSE"] < 1.1 * naive
    assert metrics["LSTM, both: RMSE"] < 0.98 * naive
    assert metrics["LSTM, both: t"] > 2
    assert (tmp_path / "run1" / "prediction.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "run1" / "both-2" / "history.csv").exists()


def test_on_a_random_walk_nothing_is_claimed(run_main: Run, tmp_path: Path) -> None:
    """Where there is nothing to be learned, the table says that something was."""
    path = tmp_path / "walk.csv"
    random = np.random.default_rng(0)
    path.write_text(table(30 * np.exp(0.02 * random.normal(size=1500).cumsum())))
    ran = run_main(load("next_day"), "--data", path, *SMALL, "--epochs", 5)
    assert ran.status == 0
    assert ran.results["metrics"]["LSTM, returns: t"] < 2
    assert "which may be chance" in ran.out or "above that" in ran.out


def test_what_is_known_on_a_day() -> None:
    """A scale, an input or the straight line looks ahead at days that are to be predicted."""
    module = load("next_day")
    values = 20 + np.random.default_rng(0).normal(size=900).cumsum().clip(-10, None)
    other = values.copy()
    other[700:] *= 3.0
    for name, view in module.views(values, 600).items():
        changed = module.views(other, 600)[name]
        np.testing.assert_array_equal(view.inputs[:700], changed.inputs[:700])
        np.testing.assert_array_equal(view.targets[:699], changed.targets[:699])
        # What is predicted as it was comes out as it was.
        today = values[:-1]
        np.testing.assert_allclose(view.values_of(view.targets, today), values[1:], rtol=1e-9)
    line = module.straight_line(values, 600, 599)
    assert len(line) == 300
    np.testing.assert_array_equal(line[:101], module.straight_line(other, 600, 599)[:101])


def test_the_state_is_carried_and_begins_anew() -> None:
    """Windows are learned from an empty state, or a pass goes on from the end of the one before."""
    module = load("next_day")
    model = module.Forecaster(1, 4)
    x = np.random.default_rng(0).normal(size=(64, 16, 1)).astype(np.float32)
    targets = np.zeros((64, 16), np.float32)
    whole, _ = model(module.tg.tensor(x))
    wanted = (whole.detach().numpy() ** 2).reshape(2, -1).mean(1)
    for _ in range(2):
        for number in range(2):
            part = slice(32 * number, 32 * number + 32)
            begins = np.full(16, number == 0)
            loss = model.loss(*map(module.tg.tensor, (x[part], targets[part], begins)))
            assert loss.item() == pytest.approx(wanted[number], rel=1e-5)


def test_measures() -> None:
    """RMSE, MAE, direction or t are not what their names say."""
    today, truth = np.array([1.0, 2.0, 3.0, 3.0]), np.array([2.0, 3.0, 3.0, 1.0])
    found = load("next_day").measured(np.array([2.0, 1.0, 4.0, 1.0]), today, truth)
    gain = np.array([1.0, -3.0, -1.0, 4.0])
    assert found["RMSE"] == pytest.approx(np.sqrt(5 / 4))
    assert found["MAE"] == pytest.approx(3 / 4)
    assert found["direction"] == pytest.approx(2 / 3)
    assert found["t"] == pytest.approx(gain.mean() / (gain.std() / 2))


def test_the_best_is_the_mean() -> None:
    """The best prediction of the generated series is beaten by a multiple of itself."""
    series = load("next_day").generated(20000, np.random.default_rng(0))
    ratio = series.values[1:] / series.best[:-1]
    assert ratio.mean() == pytest.approx(1.0, abs=3e-3)
    assert abs(np.corrcoef(ratio[1:], ratio[:-1])[0, 1]) < 0.03


def test_reading(tmp_path: Path) -> None:
    """Days are not put in order, not read in their form, or gaps are taken for values."""
    path = tmp_path / "some.csv"
    path.write_text("when,x,v\n03/01/2001,,4\n01/01/2001,,2\n02/01/2001,,\n")
    form = "%d/%m/%Y"
    options = Namespace(data=path, date="when", value="v", date_format=form)
    found = load("next_day").read(options)
    assert found.values.tolist() == [2.0, 4.0]
    assert found.days.astype(str).tolist() == ["2001-01-01", "2001-01-03"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no file"),
        ("", "is empty"),
        (HEADER, "no rows"),
        ("day,Close\n2001-01-01,1\n", "no column 'Date'"),
        (HEADER + "2001-01-01,much\n", "line 2"),
        (HEADER + "01/02/2001,1\n", "--date-format"),
        (HEADER + "2001-01-01,1\n" * 2, "two values"),
        (HEADER + "2001-01-01,-1\n", "above 0"),
        (HEADER + "2001-01-01,nan\n", "above 0"),
        (table(np.ones(500)), "too few"),
        (table(np.full(1000, 7.0)), "never changes"),
    ],
)
def test_errors_are_one_sentence(
    run_main: Run, tmp_path: Path, text: str | None, words: str
) -> None:
    """A file that cannot be used ends in a traceback, or without saying why."""
    path = tmp_path / "some.csv"
    if text is not None:
        path.write_text(text)
    ran = run_main(load("next_day"), "--data", path)
    assert_refused(ran.status, ran.err, words)


@pytest.mark.parametrize(
    "arguments",
    [["--days", 0], ["--days", -3], ["--test", 1.5], ["--folds", 0], ["--hidden", 0], ["--lr", -1]],
)
def test_settings_that_cannot_be(run_main: Run, arguments: list[object]) -> None:
    """A setting out of range ends in a traceback."""
    ran = run_main(load("next_day"), "--no-jit", *arguments)
    assert_refused(ran.status, ran.err)


def test_the_seed_decides(run_main: Run) -> None:
    """The same seed gives other results, or another seed the same."""
    module = load("next_day")
    small = [*SMALL, "--days", 800, "--epochs", 1]
    first, again = (run_main(module, *small, "--seed", 3).results["metrics"] for _ in range(2))
    assert first == again
    assert run_main(module, *small, "--seed", 4).results["metrics"] != first


def test_ctrl_c_keeps_the_best(
    run_main: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl-C ends in a traceback, or what was learned is lost."""
    module = load("next_day")
    predictions = module.predictions

    def interrupted(*arguments: object) -> np.ndarray:
        if (tmp_path / "run1" / "levels-1" / "last.safetensors").exists():
            monkeypatch.setattr(module, "predictions", predictions)
            signal.raise_signal(signal.SIGINT)
        return np.asarray(predictions(*arguments))

    monkeypatch.setattr(module, "predictions", interrupted)
    ran = run_main(module, *SMALL, "--days", 800, "--epochs", 50)
    assert ran.status == 130
    assert ran.results["interrupted"] is True
    assert "LSTM, levels: RMSE" in ran.results["metrics"]
    assert "LSTM, both: RMSE" not in ran.results["metrics"]
    assert "lstm.weight_hh_l0" in load_weights(tmp_path / "run1" / "levels-1" / "best.safetensors")


def test_help(help_of: Help) -> None:
    """`--help` fails, or does not name an option."""
    out = help_of("next_day")
    for option in ("--data", "--date-format", "--value", "--seed", "--epochs", "--no-jit"):
        assert option in out
