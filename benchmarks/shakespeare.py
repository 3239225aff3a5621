"""What the character models reach on tiny-shakespeare with char-rnn's settings, and in what time.

    python benchmarks/shakespeare.py [--data PATH] [--epochs 10] [--kinds lstm gru rnn]
    python benchmarks/shakespeare.py --speed [--data PATH]
    python benchmarks/shakespeare.py --full [--data PATH]

The first trains an LSTM, a GRU and a vanilla RNN (2 × 128, batch 50, 50 steps) one after the
other, and prints the README's table; losses are nats a character on the 5 % held out, with the
state carried through. `--speed` times the LSTM's updates, every operation by itself and compiled,
in turns; `--full` trains it for 50 epochs, as char-rnn does. Each writes its figures to
its own part of docs/results/shakespeare.json, from which a test checks the README.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tinygrad_rnn as tg
from tinygrad_rnn import lm
from tinygrad_rnn.text import find_text

RESULTS = Path(__file__).parent.parent / "docs" / "results" / "shakespeare.json"
EARLY = 1000
FULL_EPOCHS = 50
NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN (tanh)"}
MODES = {"eager": False, "jit": True}
TURNS = 6
TURN_SECONDS = 4.0


class Figures(lm.ConsoleReport):
    """Adds up how long compiling took, and keeps the times from one update to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.intervals: list[float] = []
        self._last: float | None = None

    def begin(self, iteration: int, iterations: int) -> None:
        """Draw the bar; the first update has none before it."""
        super().begin(iteration, iterations)
        self._last = None

    def update(self, iteration: int, loss: float, gradient_norm: float, speed: float) -> None:
        """Move the bar, and keep the time."""
        super().update(iteration, loss, gradient_norm, speed)
        now = time.perf_counter()
        if self._last is not None:
            self.intervals.append(now - self._last)
        self._last = now

    def compiled(self, what: str, calls: int, recording: float, compiling: float) -> None:
        """Print a line, and add."""
        super().compiled(what, calls, recording, compiling)
        self.seconds += recording + compiling


def trainer_of(kind: str, data: Path | None, folder: Path | None, **settings: Any) -> lm.Trainer:
    """A trainer of one kind of model, from the beginning."""
    corpus = find_text(data)
    vocabulary = corpus.vocabulary()
    tg.manual_seed(0)
    model = lm.RecurrentLanguageModel(len(vocabulary), kind)
    given = lm.TrainingSettings(**settings, validate_every=EARLY, sample_length=0)
    ids = corpus.encode(vocabulary)
    return lm.Trainer(model, vocabulary, ids, given, folder, corpus.name, Figures())


def trained(kind: str, data: Path | None, epochs: int) -> dict[str, Any]:
    """Train one kind of model, and return what it reached."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(kind, data, Path(folder), epochs=epochs)
        trainer.run()
        history = lm.read_history(Path(folder) / "history.csv")
    measured = {
        record.iteration: record.validation_loss
        for record in history
        if record.validation_loss is not None
    }
    sample = lm.generate_text(
        trainer.model, trainer.vocabulary, "\n", length=220, temperature=0.7, seed=1
    )
    assert isinstance(trainer.report, Figures)
    return {
        "kind": kind,
        "jit": trainer.settings.jit,
        "epochs": epochs,
        "parameters": trainer.model.parameter_count(),
        "iterations": trainer.iteration,
        "loss_early": measured.get(EARLY),
        "loss": measured[trainer.iteration],
        "loss_best": trainer.best_loss,
        "seconds": trainer.seconds,
        "seconds_compiling": trainer.report.seconds,
        "sample": sample,
    }


def speed(data: Path | None) -> dict[str, Any]:
    """Updates a second of the LSTM in both modes, which take turns: the median of all updates."""
    trainers = {name: trainer_of("lstm", data, None, jit=jit) for name, jit in MODES.items()}
    for _ in range(TURNS):
        for trainer in trainers.values():
            trainer.run(TURN_SECONDS)
    return {
        name: 1.0 / statistics.median(trainer.report.intervals)
        for name, trainer in trainers.items()
        if isinstance(trainer.report, Figures)
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the README's table."""
    last = results[0]["iterations"]
    lines = [
        f"| model | parameters | after {EARLY:,} iterations | after {last:,} | minutes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for r in results:
        early = "" if r["loss_early"] is None else f"{r['loss_early']:.3f}"
        lines.append(
            f"| {NAMES[r['kind']]} | {r['parameters']:,} | {early} | {r['loss']:.3f} "
            f"| {r['seconds'] / 60:.1f} |"
        )
    return "\n".join(lines)


def sentences(figures: dict[str, Any]) -> list[str]:
    """Return what the README says of the speed and of the whole run, as far as it was measured."""
    found = []
    if "iterations_a_second" in figures:
        rates = figures["iterations_a_second"]
        found.append(
            f"{rates['jit']:.0f} updates a second compiled, {rates['eager']:.0f} with `--no-jit`"
        )
    if "full" in figures:
        full = figures["full"]
        found.append(
            f"{full['epochs']} epochs, {full['iterations']:,} updates, take "
            f"{full['seconds'] / 60:.0f} minutes"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="tiny-shakespeare, or another text")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--kinds", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--speed", action="store_true", help="updates a second in both modes")
    parser.add_argument("--full", action="store_true", help=f"the LSTM for {FULL_EPOCHS} epochs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures go")
    options = parser.parse_args()
    figures: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    figures["machine"] = (
        f"{platform.machine()}, {os.cpu_count()} cores, {tg.get_num_threads()} threads"
    )
    if options.speed:
        figures["iterations_a_second"] = speed(options.data)
    if options.full:
        figures["full"] = trained("lstm", options.data, FULL_EPOCHS)
    if not (options.speed or options.full):
        before = {result["kind"]: result for result in figures.get("results", [])}
        for kind in options.kinds:
            before[kind] = trained(kind, options.data, options.epochs)
        figures["results"] = [before[kind] for kind in NAMES if kind in before]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    if "results" in figures:
        print(table(figures["results"]))
    print("\n".join(sentences(figures)))
    print(f"({figures['machine']})")


if __name__ == "__main__":
    main()
