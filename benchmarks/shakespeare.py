"""What the character models reach on tiny-shakespeare with char-rnn's settings, and in what time.

    python benchmarks/shakespeare.py [--data PATH] [--epochs 10]

trains an LSTM, a GRU and a vanilla RNN (2 × 128, batch 50, 50 steps) one after the other, prints
the README's table, and writes the figures to docs/results/shakespeare.json, from which a test
checks the README. Losses are nats a character on the 5 % held out, with the state carried through.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import tinygrad_rnn as tg
from tinygrad_rnn import lm
from tinygrad_rnn.text import find_text

RESULTS = Path(__file__).parent.parent / "docs" / "results" / "shakespeare.json"
EARLY = 1000
NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN (tanh)"}


def trained(kind: str, data: Path | None, epochs: int, folder: Path) -> dict[str, Any]:
    """Train one kind of model, and return what it reached."""
    corpus = find_text(data)
    vocabulary = corpus.vocabulary()
    ids = corpus.encode(vocabulary)
    tg.manual_seed(0)
    model = lm.RecurrentLanguageModel(len(vocabulary), kind)
    settings = lm.TrainingSettings(epochs=epochs, validate_every=EARLY, sample_length=0)
    trainer = lm.Trainer(
        model, vocabulary, ids, settings, folder, corpus.name, lm.ConsoleReport()
    )
    trainer.run()
    measured = {
        record.iteration: record.validation_loss
        for record in lm.read_history(folder / "history.csv")
        if record.validation_loss is not None
    }
    tg.manual_seed(1)
    sample = lm.generate_text(model, vocabulary, "\n", length=220, temperature=0.7, seed=1)
    return {
        "kind": kind,
        "parameters": model.parameter_count(),
        "iterations": trainer.iteration,
        "loss_early": measured.get(EARLY),
        "loss": measured[trainer.iteration],
        "seconds": trainer.seconds,
        "sample": sample,
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="tiny-shakespeare, or another text")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures go")
    options = parser.parse_args()
    results = []
    for kind in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            results.append(trained(kind, options.data, options.epochs, Path(folder)))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {tg.get_num_threads()} threads"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figures = {"machine": machine, "results": results}
    options.out.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    print(table(results))
    print(f"({machine})")


if __name__ == "__main__":
    main()
