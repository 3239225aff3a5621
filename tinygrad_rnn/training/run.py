"""A run of the training loop as files: what lets it go on, and what was best.

The loop decides; this file keeps. Without a folder everything is kept in memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tinygrad_rnn.checkpoints import Array, load_checkpoint, save_checkpoint, save_weights
from tinygrad_rnn.errors import CheckpointError, StateDictError
from tinygrad_rnn.generator import default_generator
from tinygrad_rnn.nn import Module
from tinygrad_rnn.optim import Optimizer
from tinygrad_rnn.paths import path_of
from tinygrad_rnn.training.history import CsvHistory, Points, plot_curves
from tinygrad_rnn.training.saving import arrays_of, named, put_back_optimizer, settings_of

LAST = "last.safetensors"
BEST = "best.safetensors"
HISTORY = "history.csv"
CURVE = "loss.png"
KIND = "training run"


class Run:
    """What a run has come to.

    Attributes:
        records: a line of the history for each finished epoch.
        best: the best value of the measure watched, None before the first.
        best_epoch: the epoch after which it was measured, from 1.
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        schedule: Any,
        folder: str | os.PathLike[str] | None,
        resume: bool,
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._schedule = schedule
        self._folder = None if folder is None else path_of(folder)
        self._history: CsvHistory | None = None
        self._weights: dict[str, Array] = {}
        self.records: list[dict[str, float]] = []
        self.best: float | None = None
        self.best_epoch = 0
        if self._folder is None or not (self._folder / LAST).exists():
            return
        if not resume:
            raise CheckpointError(
                f"{self._folder} holds a run already; go on with it by resume=True, or choose "
                "another folder"
            )
        self._load(self._folder / LAST)

    @property
    def watched(self) -> str:
        """The name of the measure that decides which epoch was best."""
        # Behind "epoch" and "loss", unless nothing but the loss was measured.
        names = list(self.records[0])
        return names[2] if len(names) > 3 else names[1]

    def add(self, record: dict[str, float], mode: str) -> bool:
        """Keep what an epoch came to; return whether it was the best so far."""
        self.records.append(record)
        value = record[self.watched]
        better = self.best is None or (value < self.best if mode == "min" else value > self.best)
        if better:
            self.best, self.best_epoch = value, len(self.records)
            self._weights = {n: t.numpy().copy() for n, t in self._model.state_dict().items()}
        if self._folder is not None:
            self._write(self._folder, better)
        return better

    def put_back_best(self) -> None:
        """Give the model the best weights, where any were kept."""
        if self._weights:
            self._model.load_state_dict(self._weights)

    def draw(self) -> None:
        """Draw the loss over the epochs, beside the measure watched where that is a loss too."""
        if self._folder is None or not self.records:
            return
        lower = self.best == min(record[self.watched] for record in self.records)
        names = ["loss", self.watched] if lower else ["loss"]
        epochs = [record["epoch"] for record in self.records]
        curves: dict[str, Points] = {
            name: (epochs, [record[name] for record in self.records]) for name in names
        }
        plot_curves(self._folder / CURVE, curves, "epoch", "loss", markers=curves)

    def _write(self, folder: Path, better: bool) -> None:
        if better:
            save_weights(folder / BEST, self._weights)
        arrays = arrays_of(self._model, self._optimizer)
        arrays |= {f"best.{name}": array for name, array in self._weights.items()}
        settings = {
            "kind": KIND,
            "optimizer": settings_of(self._optimizer),
            "schedule": None if self._schedule is None else self._schedule.state_dict(),
            "generator": default_generator.get_state(),
            "records": self.records,
            "best": self.best,
            "best_epoch": self.best_epoch,
        }
        save_checkpoint(folder / LAST, arrays, settings)
        if self._history is None:
            kept = len(self.records) - 1
            self._history = CsvHistory(folder / HISTORY, self.records[0], kept)
        self._history.append(self.records[-1].values())

    def _load(self, path: Path) -> None:
        arrays, settings = load_checkpoint(path)
        if settings.get("kind") != KIND:
            raise CheckpointError(f"{path} is a checkpoint, but not of this training loop")
        try:
            self._model.load_state_dict(named(arrays, "model"))
            put_back_optimizer(self._optimizer, arrays, settings["optimizer"])
            if self._schedule is not None:
                self._schedule.load_state_dict(settings["schedule"])
            self.records = settings["records"]
            self.best, self.best_epoch = settings["best"], settings["best_epoch"]
            default_generator.set_state(settings["generator"])
        except (StateDictError, LookupError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} cannot be resumed from: {error}. Resume with the same model and "
                "optimizer, or choose another folder"
            ) from error
        self._weights = named(arrays, "best")
