"""From counting to recurrence: n-grams, a fixed window, and recurrent networks on one text.

    python examples/counting.py                        half a minute
    python examples/counting.py --data my.txt --epochs 20 --hidden 256

An n-gram model counts what followed the last n - 1 symbols. With longer contexts it meets ever
more that it never counted (sparsity) and has ever more to keep (storage). A neural model with a
fixed window shares what it learns between contexts, but has new parameters for each place in its
window. A recurrent network reads any distance with the same parameters.

All of them are measured on the last tenth of the text. The tenth before it decides how much add-k
adds and when training ends.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import Outcome, parser_of, run

import tinygrad_rnn as tg
from tinygrad_rnn import lm, optim, training
from tinygrad_rnn.errors import DataError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import Splits, Vocabulary, embedded_text, find_text, split

WINDOW = 64
"""Symbols through which gradients flow."""


class Row(NamedTuple):
    """A line of the table."""

    model: str
    context: int | None  # None: no bound
    kept: int  # n-grams or parameters
    bytes: int
    unseen: float | None  # share of the test part's n-grams that were never counted
    nats: float
    bits: float
    perplexity: float
    seconds: float


class Study:
    """The text, and what has been found out about it."""

    def __init__(self, vocabulary: Vocabulary, parts: Splits, out: Path) -> None:
        self.vocabulary = vocabulary
        self.parts = parts
        self.out = out
        self.rows: list[Row] = []
        self.samples: list[tuple[str, str]] = []

    def add(
        self,
        name: str,
        model: lm.LanguageModel,
        context: int | None,
        kept: int,
        size: int,
        begun: float,
        unseen: float | None = None,
    ) -> None:
        """Measure a model on the test part, and let it write."""
        seconds = time.perf_counter() - begun
        found = lm.evaluate(model, self.parts.test)
        measured = (found.nats, found.bits, found.perplexity)
        self.rows.append(Row(name, context, kept, size, unseen, *measured, seconds))
        written = lm.generate_text(model, self.vocabulary, "\n", length=300, seed=0, jit=False)
        self.samples.append((name, written))
        print(f"{name}: perplexity {found.perplexity:.2f} after {seconds:.1f} s")

    def count(self, orders: tuple[int, ...]) -> None:
        """N-gram models; the k of add-k is the best of three on the validation part."""
        size = len(self.vocabulary)
        for n in orders:
            begun = time.perf_counter()
            model = lm.NGramLanguageModel(self.parts.train, size, n)
            unseen = model.unseen(self.parts.test)
            name = f"{n}-gram, Kneser-Ney"
            self.add(name, model, n, model.entries, model.nbytes, begun, unseen)
            begun = time.perf_counter()
            added = [
                lm.NGramLanguageModel(self.parts.train, size, n, "add-k", k) for k in (1, 0.1, 0.01)
            ]
            model = min(added, key=lambda m: lm.evaluate(m, self.parts.validation).nats)
            name = f"{n}-gram, add {model.k:g}"
            self.add(name, model, n, model.entries, model.nbytes, begun, unseen)

    def train(
        self, name: str, model: lm.LanguageModel, context: int | None, options: argparse.Namespace
    ) -> bool:
        """Train a neural model; return whether it was left to end."""
        begun = time.perf_counter()

        def loss(inputs: tg.Tensor, targets: tg.Tensor) -> tg.Tensor:
            logits, _ = model(inputs)
            return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

        fitted = training.fit(
            model,
            optim.Adam(model.parameters(), lr=options.lr),
            loss,
            lambda epoch: self.windows(epoch, options.batch, options.seed),
            lambda: lm.evaluate(model, self.parts.validation, rows=10, jit=not options.no_jit).nats,
            epochs=options.epochs,
            patience=3,
            clip=1.0,
            folder=self.out / name.lower().replace(" ", "-"),
            progress=False,
            jit=not options.no_jit,
        )
        if fitted.best is not None:
            count = model.parameter_count()
            self.add(name, model, context, count, 4 * count, begun)
        return fitted.stopped != "interrupted"

    def windows(
        self, epoch: int, batch: int, seed: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The training part cut into windows, each epoch elsewhere, in batches (T, B)."""
        text = self.parts.train
        random = np.random.default_rng((seed, epoch))
        starts = np.arange(random.integers(WINDOW), len(text) - WINDOW, WINDOW)
        random.shuffle(starts)
        for begin in range(0, len(starts) - batch + 1, batch):
            places = starts[begin : begin + batch] + np.arange(WINDOW + 1)[:, None]
            yield text[places[:-1]], text[places[1:]]

    def show(self) -> None:
        """Print the table and samples; write both, and the picture, to the folder."""
        print(f"\n{'':22} {'n-grams or':>11} {'':11} {'unseen':>7}")
        print(f"{'model':22} {'parameters':>11} {'bytes':>11} {'n-grams':>7}", end="")
        print(f" {'nats':>6} {'bits':>6} {'perplexity':>11} {'seconds':>8}")
        for row in self.rows:
            unseen = "" if row.unseen is None else f"{row.unseen:.1%}"
            print(
                f"{row.model:22} {row.kept:11,} {row.bytes:11,} {unseen:>7} {row.nats:6.3f} "
                f"{row.bits:6.3f} {row.perplexity:11.2f} {row.seconds:8.1f}"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / "table.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([Row._fields, *self.rows])
        text = "\n".join(f"--- {name}\n{sample.strip()}\n" for name, sample in self.samples)
        (self.out / "samples.txt").write_text(text, encoding="utf-8")
        print("\nWhat they write:")
        for name, sample in self.samples:
            print(f"  {name + ':':23} {' / '.join(sample.split(chr(10))).strip(' /')[:70]}")
        self.draw()
        print(f"\nThe table, whole samples and the picture are in {self.out}")

    def draw(self) -> None:
        """Draw perplexity over the symbols known; recurrent models, without a bound, as levels."""
        kinds = {"Kneser-Ney": "Kneser-Ney", "add": "add-k", "window": "fixed window"}
        curves = {
            label: (
                [r.context or 0 for r in self.rows if mark in r.model],
                [r.perplexity for r in self.rows if mark in r.model],
            )
            for mark, label in kinds.items()
        }
        levels = {row.model: row.perplexity for row in self.rows if row.context is None}
        labels = "n: the symbols known, and the next", "perplexity on the test part"
        training.plot_curves(self.out / "counting.png", curves, *labels, curves, levels)


def counting(options: argparse.Namespace) -> Outcome:
    if options.quick:
        options.epochs = min(options.epochs, 2)
    corpus = embedded_text() if options.data is None else find_text(options.data)
    vocabulary = corpus.vocabulary()
    ids = corpus.encode(vocabulary).astype(np.int64)
    parts = split(ids, (0.8, 0.1, 0.1))
    if len(parts.train) < (WINDOW + 1) * (options.batch + 1):
        raise DataError(
            f"{corpus.name} has {len(ids)} characters, of which 80 % are trained on; that is too "
            f"few for {options.batch} windows of {WINDOW}. Give a longer text, or a lower --batch"
        )
    out = options.out
    if (out / "table.csv").exists():
        raise DataError(f"{out} holds the results of a study; choose another folder with --out")
    print(f"{corpus.name}: {len(ids):,} characters, {len(vocabulary)} of them different")
    V, H = len(vocabulary), options.hidden
    found = Study(vocabulary, parts, out)
    found.count((1, 2, 4, 5) if options.quick else (1, 2, 3, 4, 5, 6, 7))
    neural: list[tuple[str, lm.LanguageModel, int | None]] = [
        (f"window of {n}", lm.FixedWindowLanguageModel(V, n, 24, H, options.dropout), n + 1)
        for n in ((4,) if options.quick else (2, 4, 8))
    ]
    for kind in ("lstm",) if options.quick else ("rnn", "lstm", "gru"):
        model = lm.RecurrentLanguageModel(V, kind, H, options.layers, options.dropout)
        neural.append((kind.upper(), model, None))
    whole = all(found.train(name, model, n, options) for name, model, n in neural)
    found.show()
    if not whole:
        print("Stopped before the end; the best weights of each model are kept in its folder.")
    return Outcome({f"{row.model}: perplexity": row.perplexity for row in found.rows}, not whole)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = parser_of(
        "Compare n-gram, fixed-window and recurrent language models on one text.",
        "a text file instead of the package's own Shakespeare",
    )
    add = parser.add_argument
    add("--epochs", type=int, default=20, help="the most passes through the text")
    add("--hidden", type=int, default=128, help="units a layer")
    add("--layers", type=int, default=1, help="recurrent layers")
    add("--dropout", type=float, default=0.3, help="probability in training")
    add("--batch", type=int, default=16, help="windows a batch")
    add("--lr", type=float, default=4e-3, help="Adam's learning rate")
    add("--quick", action="store_true", help="fewer models and two epochs, to see that it runs")
    return run(counting, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
