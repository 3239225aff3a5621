"""What a training run tells while it goes on: nothing, or a progress bar with samples."""

from __future__ import annotations

import sys
from typing import Any

from tinygrad_rnn.lm.evaluation import Evaluation, perplexity
from tinygrad_rnn.lm.history import Record


class Report:
    """Hears of everything that happens in a run, and says nothing. Subclasses say what they like.

    A report sees numbers and text only, so that it cannot change what is learned.
    """

    def begin(self, iteration: int, iterations: int) -> None:
        """The run begins after `iteration` updates and is to end after `iterations`."""

    def update(self, iteration: int, loss: float, gradient_norm: float, speed: float) -> None:
        """An update was made; `loss` is smoothed, `speed` in symbols a second."""

    def validated(self, record: Record, evaluation: Evaluation, best: bool) -> None:
        """The validation part was read."""

    def sampled(self, iteration: int, text: str) -> None:
        """A sample was drawn at a milestone."""

    def compiled(self, what: str, calls: int, recording: float, compiling: float) -> None:
        """A step was compiled to so many calls of kernels; it took so many seconds."""

    def message(self, text: str) -> None:
        """Something else happened."""

    def end(self) -> None:
        """The run is over, for whatever reason."""


class ConsoleReport(Report):
    """A progress bar on standard error; validations, samples and messages on standard output."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._live = sys.stderr.isatty()

    def begin(self, iteration: int, iterations: int) -> None:
        """Draw the bar."""
        # Imported here because a silent run needs no bar.
        from tqdm import tqdm

        self._bar = tqdm(
            total=iterations,
            initial=iteration,
            unit="it",
            dynamic_ncols=self._live,
            mininterval=0.2 if self._live else 10.0,
        )

    def update(self, iteration: int, loss: float, gradient_norm: float, speed: float) -> None:
        """Move the bar."""
        self._bar.set_postfix_str(
            f"loss {loss:.3f}, perplexity {perplexity(loss):.2f}, gradient {gradient_norm:.2f}, "
            f"{speed:,.0f} symbols/s",
            refresh=False,
        )
        self._bar.update(iteration - self._bar.n)

    def validated(self, record: Record, evaluation: Evaluation, best: bool) -> None:
        """Print a line."""
        self.message(
            f"iteration {record.iteration:,} (epoch {record.epoch:.2f}): training "
            f"{record.train_loss:.4f}, validation {evaluation.nats:.4f} nats, perplexity "
            f"{evaluation.perplexity:.2f}{', the best so far' if best else ''}"
        )

    def sampled(self, iteration: int, text: str) -> None:
        """Print the sample between lines."""
        self.message(f"--- sample after {iteration:,} iterations " + "-" * 30)
        self.message(text.rstrip("\n"))
        self.message("-" * 60)

    def compiled(self, what: str, calls: int, recording: float, compiling: float) -> None:
        """Print a line."""
        self.message(
            f"compiled {what}: {calls:,} kernel calls, {recording + compiling:.1f} s "
            f"({recording:.1f} recording, {compiling:.1f} compiling)"
        )

    def message(self, text: str) -> None:
        """Print text above the bar."""
        if self._bar is None or not self._live:
            print(text, flush=True)
        else:
            self._bar.write(text, file=sys.stdout)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
