"""The training loop: it learns, keeps the best, and goes on where it was stopped."""

import csv
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.tools import same_bits
from tinygrad_rnn import nn, optim
from tinygrad_rnn.checkpoints import load_weights
from tinygrad_rnn.errors import (
    ArgumentError,
    CheckpointError,
    DataError,
    DtypeError,
    NumericalError,
    RecordingError,
)
from tinygrad_rnn.text import BucketedBatches
from tinygrad_rnn.training import Fitted, fit, loop

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3)).astype(np.float32)
Y = (X @ np.array([[1.0], [-2.0], [0.5]])).astype(np.float32)


def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
    order = np.random.default_rng(epoch).permutation(40)
    for part in np.split(order, 4):
        yield X[part], Y[part]


class Problem:
    """A small regression with dropout, Adam and a schedule."""

    def __init__(self, dropout: float = 0.3, lr: float = 0.05) -> None:
        tg.manual_seed(0)
        self.model = nn.Sequential(
            nn.Linear(3, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1)
        )
        self.optimizer = optim.Adam(self.model.parameters(), lr=lr)
        self.schedule = optim.ExponentialLR(self.optimizer, 0.8)

    def loss(self, x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        return nn.functional.mse_loss(self.model(x), y)

    def measure(self) -> float:
        return float(self.loss(tg.tensor(X), tg.tensor(Y)).item())

    def fit(self, validate: Any = "own", **more: Any) -> Fitted:
        settings: dict[str, Any] = {
            "epochs": 6,
            "progress": False,
            "clip": 1.0,
            "schedule": self.schedule,
        }
        return fit(
            self.model,
            self.optimizer,
            self.loss,
            more.pop("batches", batches),
            self.measure if validate == "own" else validate,
            **(settings | more),
        )

    def weights(self) -> list[Any]:
        return [p.detach().numpy().copy() for p in self.model.parameters()]


def test_it_learns_as_a_plain_loop_does() -> None:
    """The loop does something else than forward, backward, clipping, update and schedule."""
    own = Problem()
    fitted = own.fit(jit=False)
    plain = Problem()
    losses = []
    for epoch in range(6):
        plain.model.train()
        of_epoch = []
        for x, y in batches(epoch):
            loss = plain.loss(tg.tensor(x), tg.tensor(y))
            plain.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(plain.model.parameters(), 1.0)
            plain.optimizer.step()
            of_epoch.append(loss.item())
        plain.schedule.step()
        plain.model.eval()
        losses.append((np.mean(of_epoch), plain.measure()))
    found = [(record["loss"], record["validation"]) for record in fitted.records]
    np.testing.assert_allclose(found, losses, rtol=1e-6)
    assert fitted.best < 0.5 * losses[0][1]
    assert fitted.stopped == "epochs"
    assert own.model.training


def test_the_compiled_step_learns_the_same() -> None:
    """With jit another loss, other dropout or another update is run."""
    weights = []
    for jit in (True, False):
        problem = Problem()
        problem.fit(jit=jit)
        weights.append(problem.weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path) -> None:
    """The run ends too early or too late, or with the weights of its last epoch."""
    problem = Problem()
    values = iter([3.0, 2.0, 2.5, 1.0, 1.5, 1.0, 4.0, 0.0])
    seen: list[list[Any]] = []

    def validate() -> float:
        seen.append(problem.weights())
        return next(values)

    fitted = problem.fit(validate, epochs=50, patience=3, folder=tmp_path)
    assert (fitted.best, fitted.best_epoch, fitted.stopped) == (1.0, 4, "patience")
    assert len(fitted.records) == 7
    kept = load_weights(tmp_path / "best.safetensors")
    for own, best, name in zip(problem.weights(), seen[3], problem.model.state_dict(), strict=True):
        assert same_bits(own, best)
        assert same_bits(kept[name], best)


def test_a_score_is_better_the_higher() -> None:
    """An accuracy is minimised."""
    values = iter([{"accuracy": a, "loss_too": 1.0 - a} for a in (0.2, 0.6, 0.5)])
    fitted = Problem().fit(lambda: next(values), epochs=3, mode="max")
    assert (fitted.best, fitted.best_epoch) == (0.6, 2)
    assert [record["loss_too"] for record in fitted.records] == [0.8, 0.4, 0.5]


def test_without_validation_the_training_loss_decides() -> None:
    """A run without held-out data keeps nothing."""
    fitted = Problem().fit(None)
    assert fitted.best == min(record["loss"] for record in fitted.records)


def test_the_history_is_a_csv_file(tmp_path: Path) -> None:
    """Numbers in the file are not those of the run, or there is no picture."""
    fitted = Problem().fit(folder=tmp_path)
    with (tmp_path / "history.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["epoch", "loss", "validation", "seconds"]
    for line, record in zip(lines, fitted.records, strict=True):
        np.testing.assert_allclose([float(v) for v in line], list(record.values()), rtol=1e-5)
    pytest.importorskip("matplotlib")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("jit", [True, False])
def test_a_resumed_run_is_the_run_that_was_never_stopped(tmp_path: Path, jit: bool) -> None:
    """Optimizer, schedule, dropout, the best epoch or the order of batches begin anew."""
    whole = Problem()
    expected = whole.fit(jit=jit)
    Problem().fit(jit=jit, epochs=2, folder=tmp_path)
    tg.manual_seed(99)
    resumed = Problem()
    found = resumed.fit(jit=jit, folder=tmp_path, resume=True)
    assert [(r["loss"], r["validation"]) for r in found.records] == [
        (r["loss"], r["validation"]) for r in expected.records
    ]
    for a, b in zip(resumed.weights(), whole.weights(), strict=True):
        assert same_bits(a, b)
    with (tmp_path / "history.csv").open(newline="") as file:
        assert [line[0] for line in csv.reader(file)] == ["epoch", *"123456"]
    seconds = [record["seconds"] for record in found.records]
    assert seconds == sorted(seconds)
    again = Problem()
    assert again.fit(folder=tmp_path, resume=True).records == found.records
    assert same_bits(again.weights()[0], resumed.weights()[0])


def interrupting(after: int) -> Callable[[int], Iterator[tuple[Any, Any]]]:
    """Batches that press Ctrl-C before the one of this number."""
    count = 0

    def made(epoch: int) -> Iterator[tuple[Any, Any]]:
        nonlocal count
        for batch in batches(epoch):
            if count == after:
                os.kill(os.getpid(), signal.SIGINT)
            count += 1
            yield batch

    return made


def test_ctrl_c_keeps_the_best_and_can_be_resumed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends in a traceback, loses what was learned, or spoils the run that goes on."""
    whole = Problem()
    whole.fit()
    stopped = Problem()
    # In the middle of the third epoch.
    fitted = stopped.fit(batches=interrupting(10), folder=tmp_path)
    assert (fitted.stopped, len(fitted.records)) == ("interrupted", 2)
    assert "Finishing this step" in capfd.readouterr().err
    kept = load_weights(tmp_path / "best.safetensors")
    for name, tensor in stopped.model.state_dict().items():
        assert same_bits(kept[name], tensor.numpy())
    resumed = Problem()
    assert resumed.fit(folder=tmp_path, resume=True).stopped == "epochs"
    for a, b in zip(resumed.weights(), whole.weights(), strict=True):
        assert same_bits(a, b)


def test_ctrl_c_in_the_first_epoch() -> None:
    """A run that is stopped at once fails for want of a best epoch."""
    problem = Problem()
    fitted = problem.fit(batches=interrupting(2))
    assert fitted == (None, 0, [], "interrupted")


SCRIPT = """
import sys
from pathlib import Path
from tests.training.test_loop import Problem, batches

def slow(epoch):
    import time
    time.sleep(0.2)
    print(epoch, flush=True)
    return batches(epoch)

Problem().fit(batches=slow, folder=Path(sys.argv[1]))
"""


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """kill -9 leaves files from which nothing can be resumed."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 3:
            break
    process.kill()
    process.communicate(timeout=60)
    whole = Problem()
    whole.fit()
    resumed = Problem()
    assert len(resumed.fit(folder=tmp_path, resume=True).records) == 6
    for a, b in zip(resumed.weights(), whole.weights(), strict=True):
        assert same_bits(a, b)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(bad: float) -> None:
    """NaN is trained on for hours, or the good weights are lost."""
    problem = Problem()

    def broken(epoch: int) -> Iterator[tuple[Any, Any]]:
        for x, y in batches(epoch):
            yield x, y * (bad if epoch == 2 else 1.0)

    with pytest.raises(NumericalError, match=r"epoch 3: the loss of batch 1 is .*of epoch [12]"):
        problem.fit(batches=broken)
    assert all(np.isfinite(w).all() for w in problem.weights())


def test_a_measure_that_is_nan_stops_the_run() -> None:
    """NaN is the best epoch for ever, as nothing is below it."""
    values = iter([1.0, math.nan])
    problem = Problem()
    with pytest.raises(NumericalError, match=r"epoch 2: validate returned .*nan.*of epoch 1 again"):
        problem.fit(lambda: next(values))


def test_few_shapes_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every length of a sequence waits for a recording of its own."""
    monkeypatch.setattr(loop, "MOST_SHAPES", 2)
    made: list[Any] = []
    real = loop.CompiledUpdate

    def spied(*arguments: Any) -> Any:
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(loop, "CompiledUpdate", spied)
    lengths = np.random.default_rng(0).integers(1, 20, 40)
    sequences = [np.ones((n, 1), np.float32) for n in lengths]
    target = lengths.astype(np.float32)
    model = nn.Linear(1, 1)

    def loss(x: tg.Tensor, count: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        return nn.functional.mse_loss(model(x).sum(0)[:, 0] / 20.0, y / 20.0)

    found = [
        fit(
            model.load_state_dict({"weight": [[0.0]], "bias": [0.0]}) and model,
            optim.SGD(model.parameters(), lr=0.05),
            loss,
            BucketedBatches(sequences, target, batch_size=8, buckets=4),
            epochs=5,
            progress=False,
            jit=jit,
        )
        for jit in (True, False)
    ]
    assert len(made) == 1
    assert len(made[0].recorded.recordings) == 2
    assert found[0].best == pytest.approx(found[1].best, rel=1e-4)
    assert found[0].best < 0.2 * found[0].records[0]["loss"]


def test_lines_of_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is told how the run goes, or somebody who did not ask."""
    Problem().fit(epochs=2, progress=True)
    out, err = capsys.readouterr()
    assert "epoch 2 of 2: loss " in out
    assert "the best so far" in out
    assert err == ""
    Problem().fit(epochs=1)
    assert capsys.readouterr() == ("", "")


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    """A second run destroys the first, or goes on with another model's weights."""
    Problem().fit(epochs=1, folder=tmp_path)
    with pytest.raises(CheckpointError, match="resume=True"):
        Problem().fit(epochs=1, folder=tmp_path)
    other = nn.Linear(3, 1)
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        fit(
            other,
            optim.Adam(other.parameters()),
            lambda x, y: nn.functional.mse_loss(other(x), y),
            batches,
            epochs=1,
            folder=tmp_path,
            resume=True,
            progress=False,
        )


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"epochs": 0}, ArgumentError, "epochs"),
        ({"patience": 0}, ArgumentError, "patience"),
        ({"mode": "best"}, ArgumentError, "mode"),
        ({"clip": -1.0}, ArgumentError, "clip"),
        ({"validate": 3}, DtypeError, "functions"),
        ({"validate": lambda: "a"}, DtypeError, "'a'"),
        ({"validate": lambda: {"loss": 1.0}}, ArgumentError, "other names"),
        ({"batches": []}, DataError, "no batches"),
    ],
)
def test_mistakes_are_named(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A wrong argument is noticed after an hour, or never."""
    with pytest.raises(error, match=words):
        Problem().fit(**arguments)


def test_a_loss_that_reads_numbers_back_cannot_be_compiled() -> None:
    """A loss with an `if` in it is replayed as its first call went."""
    problem = Problem()

    def loss(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
        value = problem.loss(x, y)
        return value * 2.0 if value.item() > 1.0 else value

    def run(jit: bool) -> Fitted:
        return fit(
            problem.model, problem.optimizer, loss, batches, epochs=1, jit=jit, progress=False
        )

    with pytest.raises(RecordingError):
        run(True)
    assert run(False).best_epoch == 1
