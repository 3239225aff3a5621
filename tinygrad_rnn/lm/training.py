"""Training a language model by truncated backpropagation through time.

The text is read in windows of T steps by B rows. The state is carried from window to window, and
cut out of the graph between them, so gradients flow back at most T steps (Williams and Peng,
1990). Everything that decides how a run goes on is in its checkpoint: a run that was stopped, or
killed, and resumed has bit for bit the weights of one that never stopped.

`Trainer.step` is a function of tensors, and with the setting `jit` runs as one compiled call.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.checkpoints import Checkpoint, save_checkpoint
from tinygrad_rnn.context import no_grad
from tinygrad_rnn.creation import from_numpy
from tinygrad_rnn.errors import ArgumentError, CheckpointError, NumericalError, ShapeError
from tinygrad_rnn.generator import Generator
from tinygrad_rnn.jit import JitFunction
from tinygrad_rnn.jit.replay import Replay
from tinygrad_rnn.lm.arguments import number_of, require, require_known
from tinygrad_rnn.lm.base import State
from tinygrad_rnn.lm.evaluation import Evaluation, evaluate, perplexity, predict, predictor
from tinygrad_rnn.lm.generation import draw, generate_text
from tinygrad_rnn.lm.history import History, Record
from tinygrad_rnn.lm.model import CellFactory, RecurrentLanguageModel
from tinygrad_rnn.lm.parts import cut
from tinygrad_rnn.lm.reports import Report
from tinygrad_rnn.lm.resuming import checkpoint_of, put_back
from tinygrad_rnn.lm.saving import fingerprint, read_run, require_same_text, restored
from tinygrad_rnn.lm.settings import TrainingSettings, require_same
from tinygrad_rnn.nn import detach_state, functional, state_tensors
from tinygrad_rnn.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm
from tinygrad_rnn.optim import LambdaLR, RMSprop
from tinygrad_rnn.paths import path_of
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.text import Vocabulary, Window
from tinygrad_rnn.text.arguments import text_of
from tinygrad_rnn.training.compiling import CompiledUpdate
from tinygrad_rnn.training.interruption import Interruption
from tinygrad_rnn.training.modes import inference

LAST = "last.safetensors"
BEST = "best.safetensors"
HISTORY = "history.csv"
SAMPLES = "samples.txt"

EXPLOSION = 3.0
"""A loss above this many times the first one is no learning any more (char-rnn's rule)."""

_SMOOTHING = 0.95


class StepResult(NamedTuple):
    """What a training step returns: three tensors or structures of them, outside the graph."""

    loss: Tensor
    gradient_norm: Tensor
    state: State


class Trainer:
    """Trains a model on a text, and keeps the run in a folder.

    The folder gets `last.safetensors` and `best.safetensors` (the checkpoint of the lowest
    validation loss), `history.csv` and `samples.txt`.

    Args:
        model: a language model; its parameters are trained in place.
        vocabulary: what the numbers of the text mean.
        ids: the whole text as symbol numbers, (N,); may be memory-mapped. It is cut into
            training, validation and test parts as the settings say.
        settings: defaults are char-rnn's.
        folder: where the run is kept; None keeps it in memory only.
        text_name: what the text is called in checkpoints.
        report: hears of progress; by default nobody does.

    Random numbers (dropout) come from the generator of `manual_seed`, whose state is saved.

    Raises:
        ArgumentError: when the vocabulary does not fit the model.
        DataError: when the text is too short for the settings.
        ShapeError, DtypeError, OutOfRangeError: for anything but one row of the model's symbol
            numbers, or an argument of another kind.
    """

    def __init__(
        self,
        model: RecurrentLanguageModel,
        vocabulary: Vocabulary,
        ids: npt.ArrayLike,
        settings: TrainingSettings | None = None,
        folder: str | os.PathLike[str] | None = None,
        text_name: str = "",
        report: Report | None = None,
    ) -> None:
        require(model, RecurrentLanguageModel, "model")
        require(vocabulary, Vocabulary, "vocabulary")
        self.settings = TrainingSettings() if settings is None else settings
        require(self.settings, TrainingSettings, "settings")
        self.report = Report() if report is None else report
        require(self.report, Report, "report")
        require(text_name, str, "text_name")
        if len(vocabulary) != model.vocabulary_size:
            raise ArgumentError(
                f"the vocabulary has {len(vocabulary)} symbols, the model {model.vocabulary_size}"
            )
        self.model = model
        self.vocabulary = vocabulary
        self.folder = None if folder is None else path_of(folder)
        text = text_of(ids)
        require_known(text, model.vocabulary_size)
        self.text = {"name": text_name, "symbols": len(text), "sha256": fingerprint(text)}
        self.parts = cut(text, self.settings)
        self.streams = self.parts.streams
        self.optimizer = RMSprop(
            model.parameters(), lr=self.settings.learning_rate, alpha=self.settings.alpha
        )
        self.schedule = LambdaLR(self.optimizer, self.settings.rate_factor)
        self.state: State = model.initial_state(self.settings.batch_size)
        self.iteration = 0
        self.first_loss = math.nan
        self.smoothed_loss = math.nan
        self.best_loss = math.inf
        self.seconds = 0.0
        self.gradient_norm = math.nan
        self._step_seconds = math.nan
        self._compiled = CompiledUpdate(self.step, model, self.optimizer)
        self._told: list[Replay] = []
        self._saved: tuple[Path, int] | None = None
        self._history: History | None = None

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        ids: npt.ArrayLike,
        settings: TrainingSettings | None = None,
        folder: str | os.PathLike[str] | None = None,
        cell: CellFactory | None = None,
        report: Report | None = None,
    ) -> Trainer:
        """Return a trainer that goes on exactly where the checkpoint at `path` was written.

        The state of the generator of `manual_seed` is put back, too.

        Args:
            path: a checkpoint that a Trainer wrote.
            ids: the same text, encoded with the vocabulary in the checkpoint.
            settings: the same settings, where only `settings.MAY_CHANGE` may differ, such as
                `iterations` to train longer; None takes those of the checkpoint.
            folder: None goes on in the folder of the checkpoint.
            cell: the function that makes the cell, where the model has one of your own.
            report: hears of progress.

        Raises:
            CheckpointError: when the file is damaged or foreign, or when the text or the settings
                are others; it names what differs.
        """
        checkpoint = read_run(path)
        saved = restored(path, checkpoint, cell)
        if settings is not None:
            require(settings, TrainingSettings, "settings")
            require_same(saved.training, settings, str(path))
        trainer = cls(
            saved.model.train(),
            saved.vocabulary,
            require_same_text(path, saved.text, ids),
            saved.training if settings is None else settings,
            Path(path).parent if folder is None else folder,
            saved.text.get("name", ""),
            report,
        )
        rows = put_back(trainer, path, checkpoint)
        if trainer.folder is not None:
            trainer._history = History(trainer.folder / HISTORY, rows)
        trainer._saved = (Path(path), trainer.iteration)
        return trainer

    # ------------------------------------------------------------------ one step

    def step(self, inputs: Tensor, targets: Tensor, state: State) -> StepResult:
        """Forward, backward, clipping and update for one window. Reads no number back.

        Args:
            inputs: symbol numbers (T, B).
            targets: the symbols that follow, (T, B).
            state: carried from the window before.

        Returns:
            The mean cross-entropy in nats a symbol, the length of the gradient before clipping,
            and the state to carry on.

        Raises:
            ShapeError: when inputs and targets differ in shape.
            DtypeError, OutOfRangeError: for anything but symbol numbers.
        """
        for name, numbers in (("inputs", inputs), ("targets", targets)):
            require(numbers, Tensor, name)
        if inputs.shape != targets.shape:
            raise ShapeError(
                f"inputs {inputs.shape} and targets {targets.shape} are both (time, batch), with a "
                "target for every input"
            )
        logits, state = self.model(inputs, state)
        loss = functional.cross_entropy(
            logits.reshape(-1, self.model.vocabulary_size), targets.reshape(-1)
        )
        self.optimizer.zero_grad()
        loss.backward()
        norm = self._clip()
        self.optimizer.step()
        return StepResult(loss.detach(), norm, detach_state(state))

    def _clip(self) -> Tensor:
        parameters = list(self.model.parameters())
        clip = self.settings.clip
        if clip is not None and self.settings.clip_by == "norm":
            return clip_grad_norm_(parameters, clip)
        with no_grad():
            norm = get_total_norm([p.grad for p in parameters if p.grad is not None])
        if clip is not None:
            clip_grad_value_(parameters, clip)
        return norm

    # ------------------------------------------------------------------ the run

    @property
    def iterations(self) -> int:
        """The number of updates after which the run ends."""
        whole = self.settings.epochs * len(self.streams)
        return whole if self.settings.iterations is None else min(whole, self.settings.iterations)

    @property
    def checkpoint_path(self) -> Path | None:
        """The file from which the run can be resumed, once it is written."""
        return None if self._saved is None else self._saved[0]

    def run(self, seconds: float = math.inf) -> bool:
        """Train to the end, and return True; or to a Ctrl-C or a time limit, and return False.

        After a Ctrl-C the step at hand is finished and the run saved; a second one raises
        KeyboardInterrupt at once.

        Args:
            seconds: end after this time as if the run were over; it can be resumed.

        Raises:
            NumericalError: when the loss or the gradient is not finite, or the loss explodes. No
                checkpoint is written from then on, so that the last one is good.
            RecordingError: when a cell of your own reads a number back, so that no step can be
                recorded; the setting `jit=False` does without.
            CheckpointError: when a checkpoint cannot be written.
            ArgumentError: when `seconds` is no number of 0 or more.
        """
        limit = number_of(seconds, "seconds")
        if not limit >= 0.0:
            raise ArgumentError(f"seconds is {seconds}; it must be 0 or more")
        self._open_history()
        self.report.begin(self.iteration, self.iterations)
        self.model.train()
        try:
            with Interruption() as interruption:
                if self.iteration == 0:
                    self._sample()
                    self._save(LAST)
                self._train(interruption, limit)
        finally:
            self.report.end()
        return self.iteration >= self.iterations

    def _train(self, interruption: Interruption, limit: float) -> None:
        begun = time.perf_counter()
        before = self.seconds
        over = self.iteration >= self.iterations
        while not over:
            for window in self.streams:
                self._update(window)
                passed = time.perf_counter() - begun
                self.seconds = before + passed
                ends = self.iteration >= self.iterations or passed > limit
                interrupted = interruption.requested
                self._after_update(window, ends, interrupted)
                over = ends or interrupted
                if over:
                    break

    def _update(self, window: Window) -> None:
        if window.starts:
            self.state = self.model.initial_state(self.settings.batch_size)
        state = self.state
        if any(tensor.requires_grad for tensor in state_tensors(state)):
            # A learned one: computed inside the step, so that gradients reach it.
            state = None
        given = (from_numpy(window.inputs), from_numpy(window.targets), state)
        if self.settings.jit:
            self._compiled.prepare(*given)
            self._tell("the training step", self._compiled.recorded)
        begun = time.perf_counter()
        result = (self._compiled if self.settings.jit else self.step)(*given)
        loss, norm = result.loss.item(), result.gradient_norm.item()
        passed = time.perf_counter() - begun
        before = passed if math.isnan(self._step_seconds) else self._step_seconds
        self._step_seconds = _smoothed(before, passed)
        self.iteration += 1
        if math.isnan(self.first_loss):
            self.first_loss = self.smoothed_loss = loss
        self._require_learning(loss, "the loss")
        if not math.isfinite(norm):
            self._stop(f"the length of the gradient is {norm}")
        self.smoothed_loss = _smoothed(self.smoothed_loss, loss)
        self.state = result.state
        self.gradient_norm = norm

    def _after_update(self, window: Window, ends: bool, interrupted: bool) -> None:
        settings = self.settings
        rate = self.schedule.get_last_lr()[0]
        epoch_ends = window.position + 1 == len(self.streams)
        if epoch_ends:
            self.schedule.step()
        validates = ends or epoch_ends or self.iteration % settings.validate_every == 0
        evaluation = self._validate() if validates else None
        speed = settings.batch_size * settings.window / self._step_seconds
        self.report.update(self.iteration, self.smoothed_loss, self.gradient_norm, speed)
        if evaluation is not None or self.iteration % settings.log_every == 0:
            self._log(window, rate, evaluation, speed)
        if is_milestone(self.iteration) or ends:
            self._sample()
        if validates or interrupted or self.iteration % settings.checkpoint_every == 0:
            self._require_sound(window)
            self._save(LAST)

    def _log(
        self, window: Window, rate: float, evaluation: Evaluation | None, speed: float
    ) -> None:
        assert self._history is not None
        loss = self.smoothed_loss if evaluation is None else evaluation.nats
        record = Record(
            self.iteration,
            self.streams.epoch + (window.position + 1) / len(self.streams),
            self.smoothed_loss,
            None if evaluation is None else evaluation.nats,
            perplexity(loss),
            self.gradient_norm,
            rate,
            self.seconds,
            speed,
        )
        self._history.append(record)
        if evaluation is None:
            return
        best = evaluation.nats < self.best_loss
        self.report.validated(record, evaluation, best)
        if best:
            self.best_loss = evaluation.nats
            self._require_sound(window)
            self._save(BEST)

    def _validate(self) -> Evaluation | None:
        part = self.parts.validation
        if part.shape[-1] < 2:
            return None
        rows = min(self.settings.validation_rows, part.shape[-1] - 1)
        evaluation = evaluate(self.model, part, self.settings.window, rows, self.settings.jit)
        self._tell("the validation", self.model.compiled.of(predict, self.model).recorded)
        self._require_learning(evaluation.nats, "the validation loss")
        return evaluation

    def _sample(self) -> None:
        if not self.settings.sample_length:
            return
        text = generate_text(
            self.model,
            self.vocabulary,
            length=self.settings.sample_length,
            # A stream of its own, so that samples change nothing of what is learned.
            generator=Generator(self.iteration),
            jit=self.settings.jit,
        )
        self._tell("the drawing of symbols", self.model.compiled.of(draw, self.model).recorded)
        self.report.sampled(self.iteration, text)
        if self.folder is not None:
            with (self.folder / SAMPLES).open("a", encoding="utf-8", errors="replace") as file:
                file.write(f"--- after {self.iteration} iterations\n{text}\n")

    def _tell(self, what: str, function: JitFunction) -> None:
        """Report what has been compiled since, once."""
        for recording in function.recordings:
            if recording not in self._told:
                self._told.append(recording)
                recorded, *others = recording.seconds.values()
                self.report.compiled(what, len(recording.program.calls), recorded, sum(others))

    # ------------------------------------------------------------------ what must not happen

    def _require_learning(self, loss: float, name: str) -> None:
        if not math.isfinite(loss):
            self._stop(f"{name} is {loss}")
        if loss > EXPLOSION * self.first_loss:
            self._stop(
                f"{name} has exploded to {loss:.4g} nats, from {self.first_loss:.4g} at first"
            )

    def _require_sound(self, window: Window) -> None:
        """Stop unless the updated weights are finite and still predict the window just read."""
        for name, parameter in self.model.named_parameters():
            if not np.isfinite(parameter.detach().numpy()).all():
                self._stop(f"{name} is not finite any more")
        read = predictor(self.model, self.settings.jit)
        with inference(self.model):
            state = self.model.initial_state(self.settings.batch_size)
            loss = read(from_numpy(window.inputs), from_numpy(window.targets), state).nats.mean()
        self._require_learning(loss.item(), "the loss after the update")

    def _stop(self, what: str) -> None:
        if self._saved is None:
            kept = "no checkpoint was written"
        else:
            kept = f"the last good checkpoint, of iteration {self._saved[1]}, is {self._saved[0]}"
        rate = self.schedule.get_last_lr()[0]
        clip = "no clipping" if self.settings.clip is None else f"clip {self.settings.clip:g}"
        raise NumericalError(
            f"training stopped at iteration {self.iteration}: {what}. Lower the learning rate "
            f"(now {rate:g}) or clip gradients harder (now {clip} by {self.settings.clip_by}), "
            f"and start again; {kept}"
        )

    # ------------------------------------------------------------------ saving

    def _open_history(self) -> None:
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CheckpointError(
                    f"{self.folder} cannot be made: {error.strerror or error}"
                ) from error
        if self._history is None:
            self._history = History(None if self.folder is None else self.folder / HISTORY)

    def _save(self, name: str) -> None:
        if self.folder is None:
            return
        path = self.folder / name
        arrays, settings = self.checkpoint()
        save_checkpoint(path, arrays, settings)
        if name == LAST:
            self._saved = (path, self.iteration)

    def checkpoint(self) -> Checkpoint:
        """Return everything that decides how the run goes on, as arrays and JSON types.

        The arrays share memory with the model, and change with it.
        """
        rows = 0 if self._history is None else self._history.rows
        return checkpoint_of(self, rows)


def _smoothed(before: float, now: float) -> float:
    return _SMOOTHING * before + (1.0 - _SMOOTHING) * now


def is_milestone(iteration: int) -> bool:
    """Whether a sample is drawn here: at 0, 100, 300, 1,000, 3,000, 10,000, …"""
    if iteration == 0:
        return True
    digits = str(iteration)
    return iteration >= 100 and digits[0] in "13" and not digits[1:].strip("0")
