"""The training loop that the examples share: to be called, or copied and changed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.creation import as_tensor
from tinygrad_rnn.errors import ArgumentError, DataError, DtypeError, NumericalError
from tinygrad_rnn.nn import Module
from tinygrad_rnn.nn.utils import clip_grad_norm_
from tinygrad_rnn.optim import Optimizer
from tinygrad_rnn.tensor import Tensor
from tinygrad_rnn.training.compiling import CompiledUpdate
from tinygrad_rnn.training.interruption import Interruption
from tinygrad_rnn.training.modes import inference
from tinygrad_rnn.training.progress import Progress
from tinygrad_rnn.training.run import Run

MOST_SHAPES = 32
"""Shapes of batches for which the step is compiled; those beyond run operation by operation."""

Batches = Iterable[Any] | Callable[[int], Iterable[Any]]
Measures = float | Mapping[str, float]


class Fitted(NamedTuple):
    """How a training run went. The model has the weights of the best epoch.

    Attributes:
        best: the best value of the measure watched; None if no epoch was finished.
        best_epoch: the epoch that it was measured after, from 1; 0 for none.
        records: "epoch", "loss" (the mean over its batches), the measures and "seconds" (since the
            beginning of this call, or with a resumed run of all calls) of every epoch.
        stopped: "epochs", "patience" or "interrupted": what ended the run.
    """

    best: float | None
    best_epoch: int
    records: list[dict[str, float]]
    stopped: str


def fit(
    model: Module,
    optimizer: Optimizer,
    loss_of_batch: Callable[..., Tensor],
    batches: Batches,
    validate: Callable[[], Measures] | None = None,
    *,
    epochs: int,
    patience: int | None = None,
    mode: str = "min",
    clip: float | None = None,
    schedule: Any = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    jit: bool = True,
) -> Fitted:
    """Train a model in epochs, measure it after each, and keep the weights that measured best.

    Forward, backward, clipping and update of a batch are one compiled call, recorded once for
    every shape of a batch; `text.BucketedBatches` keeps these few. Ctrl-C ends the run after the
    batch at hand, with the best weights in the model; the epoch begins anew when it is resumed. A
    run that is resumed learns bit for bit what it would have learned without the break, if
    `batches` depends on the epoch alone.

    Args:
        model: it is trained in place.
        optimizer: of its parameters.
        loss_of_batch: `(*batch) -> loss`, a function of tensors that reads no number back.
        batches: an iterable of batches, or a function of the epoch, from 0, that returns one. A
            batch is a tuple of arrays or tensors.
        validate: measures the model, without dropout and graph. Returns a number, or several by
            name, of which the first decides which epoch was best. None takes the training loss.
        epochs: passes through the batches.
        patience: end after so many epochs without a better one; None never does.
        mode: "min" where lower is better, "max" where higher is.
        clip: the bound on the length of the gradient; None leaves it as it is.
        schedule: a learning-rate schedule, stepped after each epoch.
        folder: gets `best.safetensors` (weights, for `load_weights`), `last.safetensors` (from
            which to resume), `history.csv` and `loss.png`; None keeps the run in memory.
        resume: go on with the run in `folder`, if there is one.
        progress: show a bar, and a line for each epoch.
        jit: compile the step.

    Raises:
        NumericalError: when the loss is not finite, or a measure is NaN. The model has the best
            weights then.
        DataError: when there are no batches.
        CheckpointError: when the folder holds a run and `resume` is False, or one that does not
            fit.
        ArgumentError, DtypeError: for arguments out of range or of another kind.
        RecordingError: with `jit`, for a loss that reads a number back.
    """
    _check(model, optimizer, loss_of_batch, validate, epochs, patience, mode, clip)
    if not callable(batches) and not isinstance(batches, Iterable):
        raise DtypeError(f"batches are an iterable or a function of the epoch, not {batches!r}")
    if schedule is not None and not hasattr(schedule, "step"):
        raise DtypeError(f"schedule is a learning-rate schedule or None, not {schedule!r}")
    run = Run(model, optimizer, schedule, folder, resume)

    def update(*batch: Tensor) -> Tensor:
        loss = loss_of_batch(*batch)
        if not isinstance(loss, Tensor):
            raise DtypeError(f"loss_of_batch returned {loss!r}; it must return a tensor")
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        return loss.detach()

    step = CompiledUpdate(update, model, optimizer, MOST_SHAPES) if jit else update
    begun = time.perf_counter() - (run.records[-1]["seconds"] if run.records else 0.0)
    stopped = "epochs"
    with Interruption() as interruption, Progress(epochs, progress) as shown:
        while len(run.records) < epochs:
            epoch = len(run.records)
            if patience is not None and epoch - run.best_epoch >= patience:
                stopped = "patience"
                break
            model.train()
            losses: list[float] = []
            for batch in batches(epoch) if callable(batches) else batches:
                losses.append(step(*_tensors(batch)).item())
                shown.batch(epoch, losses[-1])
                if interruption.requested or not math.isfinite(losses[-1]):
                    break
            if not losses:
                raise DataError(f"there are no batches in epoch {epoch + 1}")
            if not math.isfinite(losses[-1]):
                raise _diverged(f"the loss of batch {len(losses)} is {losses[-1]}", run)
            if interruption.requested:
                stopped = "interrupted"
                break
            record: dict[str, float] = {"epoch": epoch + 1, "loss": math.fsum(losses) / len(losses)}
            if validate is not None:
                with inference(model):
                    measures = _measures(validate())
                if any(math.isnan(value) for value in measures.values()):
                    raise _diverged(f"validate returned {measures}", run)
                record |= measures
            if schedule is not None:
                schedule.step()
            best = run.add({**record, "seconds": time.perf_counter() - begun}, mode)
            shown.epoch(run.records[-1], best)
    run.put_back_best()
    run.draw()
    return Fitted(run.best, run.best_epoch, run.records, stopped)


def _tensors(batch: Any) -> list[Tensor]:
    parts = batch if isinstance(batch, tuple | list) else (batch,)
    return [part if isinstance(part, Tensor) else as_tensor(np.asarray(part)) for part in parts]


def _measures(measured: Measures) -> dict[str, float]:
    values = measured if isinstance(measured, Mapping) else {"validation": measured}
    try:
        found = {name: float(value) for name, value in values.items()}
    except (TypeError, ValueError):
        raise DtypeError(
            f"validate returned {measured!r}; it must return a number, or numbers by name"
        ) from None
    taken = {"epoch", "loss", "seconds"} & set(found)
    if taken or not found:
        raise ArgumentError(
            f"validate returned measures named {sorted(found)}; give at least one, and other names "
            "than epoch, loss and seconds"
        )
    return found


def _diverged(what: str, run: Run) -> NumericalError:
    run.put_back_best()
    kept = "must be made anew"
    if run.best_epoch:
        kept = f"has the weights of epoch {run.best_epoch} again"
    return NumericalError(
        f"training stopped in epoch {len(run.records) + 1}: {what}. Lower the learning rate, or "
        f"clip gradients (clip=1.0); the model {kept}"
    )


def _check(
    model: Module,
    optimizer: Optimizer,
    loss_of_batch: object,
    validate: object,
    epochs: int,
    patience: int | None,
    mode: str,
    clip: float | None,
) -> None:
    for name, value, kind in (("model", model, Module), ("optimizer", optimizer, Optimizer)):
        if not isinstance(value, kind):
            raise DtypeError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")
    if not callable(loss_of_batch) or not (validate is None or callable(validate)):
        raise DtypeError(
            "loss_of_batch and validate are functions: of the tensors of a batch, and of nothing"
        )
    for name, number in (("epochs", epochs), ("patience", patience)):
        if number is None and name == "patience":
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ArgumentError(f"{name} is {number!r}; it must be an integer, 1 or more")
    if mode not in ("min", "max"):
        raise ArgumentError(f'mode is {mode!r}; it must be "min" or "max"')
    if clip is not None and not (isinstance(clip, int | float) and 0.0 < clip < math.inf):
        raise ArgumentError(f"clip is {clip!r}; it must be above 0 and finite, or None")
