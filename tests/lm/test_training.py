"""Training: it learns, it stops when it must, and a resumed run is the run never stopped."""

import dataclasses
import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.checkpoints import load_checkpoint, save_checkpoint
from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import (
    ArgumentError,
    CheckpointError,
    DataError,
    NumericalError,
)
from tinygrad_rnn.generator import manual_seed
from tinygrad_rnn.lm import (
    ConsoleReport,
    Evaluation,
    Record,
    RecurrentLanguageModel,
    Report,
    Trainer,
    TrainingSettings,
    evaluate,
    load_model,
    read_history,
)
from tinygrad_rnn.lm.training import is_milestone
from tinygrad_rnn.nn import functional, state_tensors
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.text import Vocabulary
from tinygrad_rnn.training.compiling import CompiledUpdate

Ids = npt.NDArray[np.int64]


def trainer_of(
    vocabulary: Vocabulary,
    ids: Ids,
    settings: TrainingSettings,
    folder: Path | None = None,
    report: Report | None = None,
    seed: int = 0,
    **model: Any,
) -> Trainer:
    """A trainer with everything that depends on the seed seeded."""
    manual_seed(seed)
    shape = {"kind": "lstm", "hidden_size": 8, "num_layers": 2} | model
    built = RecurrentLanguageModel(len(vocabulary), **shape)
    return Trainer(built, vocabulary, ids, settings, folder, "a test", report)


def everything(trainer: Trainer) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Every array, bit for bit, and every number that decides how the run goes on."""
    arrays, settings = trainer.checkpoint()
    settings.pop("training")
    progress = dict(settings.pop("progress"))
    for name in ("seconds", "history_rows", "best_loss"):
        progress.pop(name)
    return {n: a.tobytes() for n, a in arrays.items()}, settings | {"progress": progress}


class Breaks(Report):
    """Puts a NaN, or a very large number, into the model after an update."""

    def __init__(self, after: int, value: float) -> None:
        self.after = after
        self.value = value
        self.model: nn.Module | None = None

    def update(self, iteration: int, loss: float, gradient_norm: float, speed: float) -> None:
        if iteration == self.after:
            assert self.model is not None
            *_, last = self.model.parameters()
            last.detach()[:1].fill_(self.value)


class Interrupts(Report):
    """Sends Ctrl-C to this process after an update."""

    def __init__(self, after: int, times: int = 1) -> None:
        self.after = after
        self.times = times

    def update(self, iteration: int, loss: float, gradient_norm: float, speed: float) -> None:
        if iteration == self.after:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)


# ---------------------------------------------------------------------- a step


def test_a_step_is_truncated_backpropagation(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings
) -> None:
    """The update is not the one that PyTorch's rules give for this window and this state."""
    trainer = trainer_of(vocabulary, ids, settings)
    before = {n: p.detach().numpy().copy() for n, p in trainer.model.named_parameters()}
    window = next(iter(trainer.streams))
    inputs, targets = from_numpy(window.inputs), from_numpy(window.targets)
    logits, state = trainer.model(inputs, trainer.state)
    loss = functional.cross_entropy(logits.reshape(-1, len(vocabulary)), targets.reshape(-1))
    loss.backward()
    gradients = {n: p.grad.numpy().copy() for n, p in trainer.model.named_parameters()}
    result = trainer.step(inputs, targets, trainer.state)
    assert result.loss.item() == loss.item()
    norm = math.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in gradients.values()))
    assert result.gradient_norm.item() == pytest.approx(norm, rel=1e-5)
    for name, p in trainer.model.named_parameters():
        g = np.clip(gradients[name], -5, 5)
        expected = before[name] - 2e-3 * g / (np.sqrt(0.05 * g * g) + 1e-8)
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-4, atol=1e-6)
    for after, here in zip(state_tensors(result.state), state_tensors(state), strict=True):
        assert not after.requires_grad
        np.testing.assert_array_equal(after.numpy(), here.detach().numpy())


@pytest.mark.parametrize(("clip_by", "clip"), [("value", 1e-3), ("norm", 1e-3), ("value", None)])
def test_gradients_are_clipped_as_asked(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, clip_by: str, clip: float | None
) -> None:
    """Clipping does nothing, or the norm that is reported is the one after it."""
    settings = dataclasses.replace(settings, clip=clip, clip_by=clip_by)
    trainer = trainer_of(vocabulary, ids, settings)
    window = next(iter(trainer.streams))
    norm = trainer.step(
        from_numpy(window.inputs), from_numpy(window.targets), trainer.state
    ).gradient_norm.item()
    gradients = np.concatenate([p.grad.numpy().ravel() for p in trainer.model.parameters()])
    assert norm > 1e-2
    if clip is None:
        assert np.linalg.norm(gradients) == pytest.approx(norm, rel=1e-5)
    elif clip_by == "value":
        assert np.abs(gradients).max() == pytest.approx(clip)
    else:
        assert np.linalg.norm(gradients) == pytest.approx(clip, rel=1e-2)


def test_the_state_is_carried_and_reset_each_epoch(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings
) -> None:
    """A window begins with the wrong state: zeros within an epoch, or the end of the last one."""
    seen: list[tuple[bool, bool]] = []

    class Recorded(Trainer):
        def step(self, inputs: Tensor, targets: Tensor, state: Any) -> Any:
            zero = all((s.detach().numpy() == 0).all() for s in state_tensors(state))
            expected = all(
                np.array_equal(a.numpy(), b.numpy())
                for a, b in zip(state_tensors(state), state_tensors(self.state), strict=True)
            )
            seen.append((zero, expected))
            return super().step(inputs, targets, state)

    model = RecurrentLanguageModel(len(vocabulary), "gru", 4)
    trainer = Recorded(model, vocabulary, ids, settings)
    windows = len(trainer.streams)
    # Numbers can be read inside a step while it is not being recorded.
    settings = dataclasses.replace(settings, iterations=2 * windows + 1, jit=False)
    trainer.settings = settings
    trainer.run()
    assert [zero for zero, _ in seen] == [i % windows == 0 for i in range(2 * windows + 1)]
    assert all(carried for _, carried in seen)


# ---------------------------------------------------------------------- a run


def test_it_learns(vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings) -> None:
    """After some passes the model predicts no better than symbol frequencies do."""
    settings = dataclasses.replace(settings, iterations=250, learning_rate=1e-2)
    trainer = trainer_of(vocabulary, ids, settings, hidden_size=24, num_layers=1)
    assert trainer.run()
    shares = np.bincount(ids) / len(ids)
    entropy = -float(np.sum(shares[shares > 0] * np.log(shares[shares > 0])))
    assert evaluate(trainer.model, trainer.parts.validation).nats < 0.5 * entropy


@pytest.mark.parametrize("clip_by", ["value", "norm"])
def test_compiled_updates_are_the_updates(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, clip_by: str
) -> None:
    """A compiled run learns something else: other clipping, dropout, rates or states."""
    settings = dataclasses.replace(settings, iterations=20, clip_by=clip_by, clip=0.1)
    runs = [
        trainer_of(
            vocabulary, ids, dataclasses.replace(settings, jit=jit), kind="gru", dropout=0.3
        )
        for jit in (True, False)
    ]
    for trainer in runs:
        manual_seed(1)
        trainer.run()
    compiled, plain = (everything(trainer)[0] for trainer in runs)
    assert list(compiled) == list(plain)
    for name in compiled:
        arrays = [np.frombuffer(held[name], np.float32) for held in (compiled, plain)]
        np.testing.assert_allclose(*arrays, rtol=1e-2, atol=1e-3, err_msg=name)
    assert runs[0].smoothed_loss == pytest.approx(runs[1].smoothed_loss, rel=1e-4)


def test_recording_a_step_changes_nothing(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings
) -> None:
    """The first update of a run, or the first after it was resumed, is made twice."""
    trainer = trainer_of(vocabulary, ids, settings, dropout=0.3)
    trainer.run()
    window = next(iter(trainer.streams))
    given = (from_numpy(window.inputs), from_numpy(window.targets), trainer.state)
    update = CompiledUpdate(trainer.step, trainer.model, trainer.optimizer)
    before = everything(trainer)
    update.prepare(*given)
    assert everything(trainer) == before
    update(*given)
    assert everything(trainer) != before


@pytest.mark.parametrize("jit", [True, False])
def test_a_learned_first_state_is_learned(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, jit: bool
) -> None:
    """Gradients do not reach a cell's own state before the first step."""

    class Cell(nn.Module):
        def __init__(self, input_size: int) -> None:
            super().__init__()
            self.hidden_size = 6
            self.x = nn.Linear(input_size, 6)
            self.h_0 = nn.Parameter(np.zeros(6, np.float32))

        def initial_state(self, batch: int) -> Tensor:
            return self.h_0.expand(batch, 6)

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            h = (self.x(x) + h).tanh()
            return h, h

    settings = dataclasses.replace(settings, jit=jit)
    trainer = trainer_of(vocabulary, ids, settings, kind=Cell, num_layers=1)
    trainer.run()
    learned = dict(trainer.model.named_parameters())["recurrent.h_0_l0"]
    assert (learned.detach().numpy() != 0.0).all()


def test_what_was_compiled_is_reported_once(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings
) -> None:
    """Nobody learns why a run takes a moment to begin, or is told at every update."""
    heard: list[str] = []

    class Heard(Report):
        def compiled(self, what: str, calls: int, recording: float, compiling: float) -> None:
            assert calls > 0
            assert min(recording, compiling) > 0.0
            heard.append(what)

    trainer_of(vocabulary, ids, settings, report=Heard()).run()
    assert heard == ["the drawing of symbols", "the training step", "the validation"]
    plain = dataclasses.replace(settings, jit=False)
    trainer_of(vocabulary, ids, plain, report=Heard()).run()
    assert len(heard) == 3


def test_a_user_cell_is_trained_and_loaded(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """A cell of one's own can be trained but not read back, or not trained at all."""

    class Cell(nn.Module):
        def __init__(self, input_size: int) -> None:
            super().__init__()
            self.hidden_size = 6
            self.x = nn.Linear(input_size, 6)
            self.h = nn.Linear(6, 6)

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            h = (self.x(x) + self.h(h)).tanh()
            return h, h

    trainer = trainer_of(vocabulary, ids, settings, tmp_path, kind=Cell)
    trainer.run()
    assert trainer.smoothed_loss < trainer.first_loss
    with pytest.raises(CheckpointError, match="cell of its own"):
        load_model(tmp_path / "last.safetensors")
    saved = load_model(tmp_path / "last.safetensors", Cell)
    ours, theirs = trainer.model.state_dict(), saved.model.state_dict()
    assert all(np.array_equal(ours[n].numpy(), theirs[n].numpy()) for n in ours)
    more = dataclasses.replace(settings, iterations=14)
    assert Trainer.resume(tmp_path / "last.safetensors", ids, more, cell=Cell).run()


def test_what_a_run_leaves_behind(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """The history has gaps, validations are missed, or the best checkpoint is not the best."""
    trainer = trainer_of(vocabulary, ids, settings, tmp_path)
    assert trainer.iterations == 12
    assert trainer.run()
    assert {p.name for p in tmp_path.iterdir()} == {
        "last.safetensors",
        "best.safetensors",
        "history.csv",
        "samples.txt",
    }
    records = read_history(tmp_path / "history.csv")
    assert [r.iteration for r in records] == [2, 4, 6, 7, 8, 10, 12]
    validated = {r.iteration: r.validation_loss for r in records if r.validation_loss is not None}
    assert list(validated) == [7, 12]
    best = load_model(tmp_path / "best.safetensors")
    part = trainer.parts.validation
    assert evaluate(best.model, part, settings.window).nats == trainer.best_loss
    assert trainer.best_loss == pytest.approx(min(validated.values()), rel=1e-5)
    assert best.progress["iteration"] == min(validated, key=lambda i: validated[i])
    assert best.vocabulary == vocabulary
    assert best.text["name"] == "a test"
    assert (tmp_path / "samples.txt").read_text().startswith("--- after 0 iterations\n")


def test_epochs_end_with_a_validation_and_a_lower_rate(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings
) -> None:
    """The rate falls at another moment than the end of an epoch."""
    records: list[Record] = []

    class Recorded(Report):
        def validated(self, record: Record, evaluation: Evaluation, best: bool) -> None:
            records.append(record)

    settings = dataclasses.replace(settings, epochs=3, iterations=None, validate_every=1000)
    trainer = trainer_of(vocabulary, ids, settings, report=Recorded())
    trainer.run()
    assert [r.epoch for r in records] == [1.0, 2.0, 3.0]
    assert [r.learning_rate for r in records] == pytest.approx([2e-3, 2e-3 * 0.97, 2e-3 * 0.97**2])


def test_a_run_may_do_without_validation_and_samples(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """Training on the whole text fails at its first validation."""
    settings = dataclasses.replace(settings, fractions=(1.0, 0.0, 0.0), sample_length=0)
    assert trainer_of(vocabulary, ids, settings, tmp_path).run()
    assert {p.name for p in tmp_path.iterdir()} == {"last.safetensors", "history.csv"}


def test_a_time_limit_stops_and_saves(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """A run goes on for longer than it may, or loses what it did."""
    trainer = trainer_of(vocabulary, ids, settings, tmp_path)
    assert not trainer.run(seconds=0.0)
    assert load_model(tmp_path / "last.safetensors").progress["iteration"] == 1
    # It ends as a run does: measured.
    assert load_model(tmp_path / "best.safetensors").progress["iteration"] == 1


def test_milestones() -> None:
    """Samples come too often, or stop coming."""
    drawn = [i for i in range(100_001) if is_milestone(i)]
    assert drawn == [0, 100, 300, 1000, 3000, 10_000, 30_000, 100_000]


def test_the_console_shows_what_happens(
    vocabulary: Vocabulary,
    ids: Ids,
    settings: TrainingSettings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Progress, validations or samples are not to be seen."""
    trainer_of(vocabulary, ids, settings, report=ConsoleReport()).run()
    out, err = capsys.readouterr()
    assert "validation" in out
    assert "the best so far" in out
    assert "sample after 0 iterations" in out
    assert "compiled the training step: " in out
    for word in ("12/12", "loss", "perplexity", "gradient", "symbols/s"):
        assert word in err


# ---------------------------------------------------------------------- resuming


@pytest.mark.parametrize(
    ("kind", "dropout", "stop", "jit"),
    [
        *((kind, dropout, 5, True) for kind in ("lstm", "gru", "rnn") for dropout in (0.0, 0.4)),
        *(("lstm", 0.4, stop, True) for stop in (1, 7, 8)),
        *((kind, 0.4, stop, False) for kind in ("lstm", "gru", "rnn") for stop in (1, 5, 7, 8)),
    ],
)
def test_a_resumed_run_is_the_run_never_stopped(
    vocabulary: Vocabulary,
    ids: Ids,
    settings: TrainingSettings,
    tmp_path: Path,
    kind: str,
    dropout: float,
    stop: int,
    jit: bool,
) -> None:
    """Something that decides how the run goes on is not in the checkpoint."""
    settings = dataclasses.replace(settings, batch_size=10, iterations=2 * stop, jit=jit)
    model: dict[str, Any] = {"kind": kind, "dropout": dropout}
    whole = trainer_of(vocabulary, ids, settings, **model)
    whole.run()
    half = dataclasses.replace(settings, iterations=stop)
    trainer_of(vocabulary, ids, half, tmp_path, **model).run()
    manual_seed(99)  # as in another process
    resumed = Trainer.resume(tmp_path / "last.safetensors", ids, settings)
    assert resumed.iteration == stop
    assert resumed.run()
    assert everything(resumed) == everything(whole)


def test_a_run_killed_before_its_first_update_can_be_resumed(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """The checkpoint of the very beginning lacks what an update makes, and is refused."""
    whole = trainer_of(vocabulary, ids, settings)
    whole.run()
    save_checkpoint(tmp_path / "start", *trainer_of(vocabulary, ids, settings).checkpoint())
    manual_seed(99)
    resumed = Trainer.resume(tmp_path / "start", ids)
    assert resumed.iteration == 0
    resumed.run()
    assert everything(resumed) == everything(whole)


SCRIPT = """
import sys, time
import numpy as np
from tinygrad_rnn.generator import manual_seed
from tinygrad_rnn.lm import RecurrentLanguageModel, Report, Trainer, TrainingSettings
from tinygrad_rnn.text import Vocabulary

class Slow(Report):
    def update(self, iteration, loss, gradient_norm, speed):
        print(iteration, flush=True)
        time.sleep(0.05)

text, folder, settings = sys.argv[1], sys.argv[2], TrainingSettings(**eval(sys.argv[3]))
manual_seed(0)
vocabulary = Vocabulary.from_text(text)
model = RecurrentLanguageModel(len(vocabulary), "lstm", 8, 2, dropout=0.3)
ids = vocabulary.encode(text * 20)
done = Trainer(model, vocabulary, ids, settings, folder, "a test", Slow()).run()
sys.exit(0 if done else 130)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_killed_goes_on_bit_for_bit(
    vocabulary: Vocabulary,
    ids: Ids,
    settings: TrainingSettings,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    """kill -9 or Ctrl-C costs more than the updates since the last checkpoint."""
    from tests.lm.conftest import SENTENCE

    settings = dataclasses.replace(settings, iterations=40)
    whole = trainer_of(vocabulary, ids, settings, dropout=0.3)
    whole.run()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, SENTENCE, str(tmp_path), repr(settings.to_json())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 10:
            break
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), error
    resumed = Trainer.resume(tmp_path / "last.safetensors", ids)
    assert resumed.iteration >= 10 if number == signal.SIGINT else resumed.iteration in (8, 12)
    assert resumed.run()
    assert everything(resumed) == everything(whole)
    iterations = [r.iteration for r in read_history(tmp_path / "history.csv")]
    assert iterations == sorted(set(iterations))
    assert iterations[-1] == 40
    expected = [i for i in range(1, 41) if i % 2 == 0 or i % 7 == 0 or i % len(whole.streams) == 0]
    assert iterations == expected


def test_ctrl_c_finishes_the_step_and_saves(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """Ctrl-C loses updates, or stays switched off after the run."""
    before = signal.getsignal(signal.SIGINT)
    trainer = trainer_of(vocabulary, ids, settings, tmp_path, Interrupts(after=6))
    assert not trainer.run()
    assert load_model(tmp_path / "last.safetensors").progress["iteration"] == trainer.iteration
    assert trainer.iteration in (6, 7)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_at_once(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """A run that hangs cannot be stopped, or its checkpoint is lost."""
    trainer = trainer_of(vocabulary, ids, settings, tmp_path, Interrupts(after=6, times=2))
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert load_model(tmp_path / "last.safetensors").progress["iteration"] == 4


def test_the_report_sees_the_end_whatever_happens(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings
) -> None:
    """A progress bar stays on the screen after an error."""

    class Ended(Breaks):
        ended = False

        def end(self) -> None:
            self.ended = True

    report = Ended(1, math.nan)
    trainer = trainer_of(vocabulary, ids, settings, report=report)
    report.model = trainer.model
    with pytest.raises(NumericalError):
        trainer.run()
    assert report.ended


# ---------------------------------------------------------------------- what must not happen


@pytest.mark.parametrize("after", [3, 4, 6, 7])
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_a_broken_model_never_overwrites_a_good_checkpoint(
    vocabulary: Vocabulary,
    ids: Ids,
    settings: TrainingSettings,
    tmp_path: Path,
    after: int,
    value: float,
) -> None:
    """The last checkpoint holds weights that are NaN, or the message does not help."""
    report = Breaks(after, value)
    trainer = trainer_of(vocabulary, ids, settings, tmp_path, report, kind="gru")
    report.model = trainer.model
    with pytest.raises(NumericalError, match="Lower the learning rate") as caught:
        trainer.run()
    message = str(caught.value)
    assert f"iteration {trainer.iteration}" in message
    assert str(tmp_path / "last.safetensors") in message
    saved = load_model(tmp_path / "last.safetensors")
    assert saved.progress["iteration"] < after + 1
    for parameter in saved.model.parameters():
        assert (np.abs(parameter.detach().numpy()) < 10).all()


def test_an_exploding_loss_stops_the_run(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings
) -> None:
    """Training goes on for hours at a loss worse than that of an untrained model."""
    settings = dataclasses.replace(settings, learning_rate=50.0, iterations=50)
    trainer = trainer_of(vocabulary, ids, settings, kind="rnn")
    with pytest.raises(NumericalError, match=r"exploded.*no checkpoint was written"):
        trainer.run()


def test_a_gradient_that_is_not_finite_stops_the_run(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings
) -> None:
    """A finite loss hides a gradient that ruins the weights."""
    trainer = trainer_of(vocabulary, ids, settings)
    parameter = next(trainer.model.parameters())
    parameter.register_hook(lambda g: g * math.inf)
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(NumericalError, match=r"length of the gradient is (nan|inf)"),
    ):
        trainer.run()


def test_another_text_is_refused(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """A run goes on with another text, from a position that means nothing there."""
    trainer_of(vocabulary, ids, settings, tmp_path).run()
    path = tmp_path / "last.safetensors"
    with pytest.raises(CheckpointError, match=f"{len(ids)} symbols .a test.*of 500 symbols"):
        Trainer.resume(path, ids[:500])
    other = ids.copy()
    other[-1] = 0 if other[-1] else 1
    with pytest.raises(CheckpointError, match="same length, but with other contents"):
        Trainer.resume(path, other)
    Trainer.resume(path, ids.astype(np.uint8))


def test_other_settings_are_refused(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """A run goes on with another window or rate, and is neither the old run nor a new one."""
    trainer_of(vocabulary, ids, settings, tmp_path).run()
    other = dataclasses.replace(settings, window=5, learning_rate=1e-3)
    with pytest.raises(CheckpointError, match=r"learning_rate is 0\.002 there") as caught:
        Trainer.resume(tmp_path / "last.safetensors", ids, other)
    assert "window is 10 there and 5 here" in str(caught.value)


def damage(path: Path, change: str) -> None:
    """Write a checkpoint that is whole, and yet cannot be used."""
    arrays, settings = load_checkpoint(path)
    if change == "kind":
        settings["kind"] = "a cat"
    elif change == "section":
        del settings["streams"]
    elif change == "weights":
        arrays = {n: a for n, a in arrays.items() if n != "model.output.weight"}
    elif change == "shape":
        settings["model"]["hidden_size"] = 9
    elif change == "argument":
        settings["model"]["colour"] = "red"
    elif change == "vocabulary":
        settings["vocabulary"]["symbols"].append("é")
    elif change == "optimizer":
        arrays = {n: a for n, a in arrays.items() if not n.startswith("optimizer.3")}
    elif change == "state":
        arrays = {n: a for n, a in arrays.items() if not n.startswith("state.1")}
    elif change == "position":
        settings["streams"]["position"] = 1000
    elif change == "progress":
        del settings["progress"]["first_loss"]
    elif change == "generator":
        settings["generator"] = {}
    save_checkpoint(path, arrays, settings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("kind", "a cat"),
        ("section", "lacks streams"),
        ("weights", "missing: output.weight"),
        ("shape", "shape: "),
        ("argument", "colour"),
        ("vocabulary", "vocabulary of"),
        ("optimizer", "optimizer's state"),
        ("state", "carried state"),
        ("position", "window 1000"),
        ("progress", "first_loss"),
        ("generator", "seed and counter"),
    ],
)
def test_a_checkpoint_that_does_not_fit_says_why(
    vocabulary: Vocabulary,
    ids: Ids,
    settings: TrainingSettings,
    tmp_path: Path,
    change: str,
    words: str,
) -> None:
    """A foreign or incomplete checkpoint is used, or fails with an error from deep inside."""
    trainer_of(vocabulary, ids, settings, tmp_path).run()
    damage(tmp_path / "last.safetensors", change)
    with pytest.raises(CheckpointError, match=words):
        Trainer.resume(tmp_path / "last.safetensors", ids)


def test_a_damaged_file_is_refused(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """A run goes on from half a checkpoint."""
    trainer_of(vocabulary, ids, settings, tmp_path).run()
    path = tmp_path / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="truncated"):
        load_model(path)


def test_what_cannot_be_trained_is_refused_at_once(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """A run fails after an hour for a reason that was known at its beginning."""
    with pytest.raises(DataError, match="symbols"):
        trainer_of(vocabulary, ids[:30], settings)
    tail = dataclasses.replace(settings, split="tail", fractions=(0.999, 0.001, 0.0))
    with pytest.raises(DataError, match="validation part"):
        trainer_of(vocabulary, ids, tail)
    with pytest.raises(ArgumentError, match="2 symbols"):
        Trainer(RecurrentLanguageModel(3), Vocabulary("ab"), np.zeros(1000, np.int64), settings)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be made"):
        trainer_of(vocabulary, ids, settings, tmp_path / "file").run()


def test_checkpoints_are_json_and_safetensors(
    vocabulary: Vocabulary, ids: Ids, settings: TrainingSettings, tmp_path: Path
) -> None:
    """A checkpoint holds something that other programs cannot read."""
    trainer_of(vocabulary, ids, settings, tmp_path).run()
    arrays, held = load_checkpoint(tmp_path / "last.safetensors")
    assert json.loads(json.dumps(held)) == held
    assert {n.partition(".")[0] for n in arrays} == {"model", "optimizer", "state"}
