"""Train a character model on Shakespeare, or on a text of your own, and let it write.

    python examples/shakespeare.py demo                    less than a minute, then a sample
    python examples/shakespeare.py train --model gru       char-rnn's settings; Ctrl-C saves
    python examples/shakespeare.py train --data TEXT       any text: LaTeX, dialogue, Korean, …
    python examples/shakespeare.py train --c-source        C: the headers that NumPy has installed
    python examples/shakespeare.py resume                  go on with the newest run
    python examples/shakespeare.py sample --prime ROMEO:
    python examples/shakespeare.py evaluate --data other.txt

Every sub-command takes --help. The work is done by `tinygrad_rnn.lm`; this file reads options.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from common import reported

import tinygrad_rnn as tg
from tinygrad_rnn import lm
from tinygrad_rnn.errors import DataError
from tinygrad_rnn.text import LEVELS, Corpus, Vocabulary, embedded_text, find_text

RUNS = Path("runs")
LAST = "last.safetensors"
BEST = "best.safetensors"
HEADERS = "numpy-headers.c.txt"
DEFAULTS = lm.TrainingSettings()


def train(options: argparse.Namespace) -> int:
    name = f"{options.model}-{options.layers}x{options.hidden}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = options.out or RUNS / name
    corpus = c_source(folder) if options.c_source else find_text(options.data)
    vocabulary = corpus.vocabulary(options.level, options.min_count)
    ids = encoded(corpus, vocabulary)
    tg.manual_seed(options.seed)
    embedding = options.embedding
    if embedding is None and options.level == "word":
        embedding = options.hidden
    model = lm.RecurrentLanguageModel(
        len(vocabulary), options.model, options.hidden, options.layers, options.dropout, embedding
    )
    settings = lm.TrainingSettings(
        batch_size=options.batch,
        window=options.window,
        epochs=options.epochs,
        iterations=options.iterations,
        learning_rate=options.lr,
        alpha=options.decay,
        rate_decay=options.lr_decay,
        rate_decay_after=options.lr_decay_after,
        clip=options.clip or None,
        clip_by=options.clip_by,
        validate_every=options.validate_every,
        split=options.split,
        sample_length=options.sample_length,
        jit=not options.no_jit,
    )
    if (folder / LAST).exists():
        raise DataError(
            f"{folder} holds a run already; go on with it by `resume {folder}`, or choose another "
            "folder with --out"
        )
    # A file is remembered by its full path, so that the run can be resumed from anywhere.
    own = corpus.path if corpus.origin == "file" else None
    text_name = corpus.name if own is None else str(own.resolve())
    trainer = lm.Trainer(model, vocabulary, ids, settings, folder, text_name, lm.ConsoleReport())
    print(f"{corpus.name}: {len(ids):,} symbols, {len(vocabulary)} of them different")
    print(f"An equal choice among these costs {math.log(len(vocabulary)):.3f} nats a symbol.")
    print(model)
    limit = getattr(options, "seconds", None)
    sooner = "" if limit is None else f", or as many as {limit:g} seconds are enough for"
    print(f"{trainer.iterations:,} iterations{sooner}; everything is kept in {folder}")
    return finished(trainer, limit)


def c_source(folder: Path) -> Corpus:
    """Return NumPy's installed C headers as one text, which is kept in `folder`."""
    headers = sorted(Path(np.get_include()).rglob("*.h"), key=lambda path: path.name)
    if not headers:
        raise DataError(f"there are no headers in {np.get_include()}; give C source with --data")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / HEADERS
    path.write_text("".join(h.read_text(encoding="utf-8") for h in headers), encoding="utf-8")
    return find_text(path)


def resume(options: argparse.Namespace) -> int:
    path = checkpoint_of(options.run, LAST)
    saved = lm.load_model(path)
    changes = {
        name: value
        for name in ("epochs", "iterations")
        if (value := getattr(options, name)) is not None
    }
    if options.no_jit:
        changes["jit"] = False
    settings = dataclasses.replace(saved.training, **changes)
    ids = encoded(training_text(saved, options.data), saved.vocabulary)
    trainer = lm.Trainer.resume(path, ids, settings, report=lm.ConsoleReport())
    print(f"{path}: going on from iteration {trainer.iteration:,} of {trainer.iterations:,}")
    return finished(trainer)


def finished(trainer: lm.Trainer, limit: float | None = None) -> int:
    """Run the training, draw its curve, and say what can be done next."""
    at_end = trainer.run(math.inf if limit is None else limit)
    folder = trainer.folder
    assert folder is not None
    curve = folder / "loss.png"
    if lm.plot_history(folder / "history.csv", curve):
        print(f"Loss curve: {curve}")
    else:
        print(f"No loss curve, which needs matplotlib (the extra `viz`); see {folder}/history.csv")
    if at_end or limit is not None:
        print(f"{trainer.iteration:,} iterations in {trainer.seconds:,.0f} s.")
        if limit is None:
            print(f"Let it write with\n  python {sys.argv[0]} sample {folder}")
        return 0
    print(f"Stopped after iteration {trainer.iteration:,} and saved. Go on with")
    print(f"  python {sys.argv[0]} resume {folder}")
    return 130


def sample(options: argparse.Namespace) -> int:
    saved = lm.load_model(checkpoint_of(options.run, BEST))
    prime = options.prime if options.prime_file is None else find_text(options.prime_file).read()
    pieces = lm.generate(
        saved.model,
        saved.vocabulary,
        prime,
        options.length,
        options.temperature,
        options.top_k,
        options.top_p,
        options.greedy,
        options.seed,
        unknown=options.unknown,
        jit=not options.no_jit,
    )
    print(prime, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()
    return 0


def evaluate(options: argparse.Namespace) -> int:
    path = checkpoint_of(options.run, BEST)
    saved = lm.load_model(path)
    corpus = training_text(saved, options.data)
    if options.data is None:
        text = lm.require_same_text(path, saved.text, encoded(corpus, saved.vocabulary))
        ids = lm.cut(text, saved.training).validation
        which = "validation part"
    else:
        ids = encoded(corpus, saved.vocabulary, options.unknown)
        which = "whole text"
    result = lm.evaluate(saved.model, ids, saved.training.window, jit=not options.no_jit)
    characters = len(saved.vocabulary.decode(ids[..., 1:].ravel()))
    print(f"{path} (iteration {saved.progress['iteration']:,}) on the {which} of {corpus.name}")
    print(f"symbols predicted   {result.count:,}")
    print(f"nats a symbol       {result.nats:.4f}")
    print(f"bits a character    {result.bits_per_character(characters):.4f}")
    print(f"perplexity          {result.perplexity:.3f}")
    print(f"accuracy            {result.accuracy:.2%}")
    return 0


def demo(options: argparse.Namespace) -> int:
    started = time.strftime("%Y%m%d-%H%M%S")
    options.out = options.out or RUNS / f"demo-{started}"
    status = train(options)
    if status:
        return status
    run = str(options.out)
    print("\nHow well does it predict text that it has not seen?")
    plain = ["--no-jit"] if options.no_jit else []
    evaluate(options_of(["evaluate", run, *plain]))
    print("\nAnd what does it write? (temperature 0.7)")
    sample(options_of(["sample", run, "--temperature", "0.7", "--length", "500", *plain]))
    print(f"\nLet it write more with\n  python {sys.argv[0]} sample {run}")
    further = f"resume {run} --iterations {2 * options.iterations}"
    print(f"or let it learn more with\n  python {sys.argv[0]} {further}")
    return 0


def encoded(
    corpus: Corpus, vocabulary: Vocabulary, unknown: str | None = None
) -> npt.NDArray[np.integer]:
    """Encode a text; rare symbols that were left out of the vocabulary have a substitute in it."""
    substituted = vocabulary.level == "word" or "\ufffd" in vocabulary
    return corpus.encode(vocabulary, unknown or ("replace" if substituted else "error"))


def training_text(saved: lm.SavedModel, data: Path | None) -> Corpus:
    """Return the text at `data`, or the one that the model was trained on."""
    name = saved.text["name"]
    if data is None and name == embedded_text().name:
        return embedded_text()
    return find_text(data if data is not None else name if os.path.isabs(name) else None)


def checkpoint_of(run: Path | None, name: str) -> Path:
    """Return the checkpoint in a run's folder (by default the newest run's), or the file itself."""
    if run is None:
        found = sorted(RUNS.glob(f"*/{LAST}"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise DataError(
                f"there is no run in {RUNS.absolute()}; train one first, or name its folder"
            )
        run = found[-1].parent
    if run.is_dir():
        # A run that has not validated yet, or does not, has no best checkpoint.
        return run / (name if (run / name).exists() else LAST)
    return run


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a language model on Shakespeare, or any text, and let it write."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, function: object, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        made.set_defaults(command=function)
        made.add_argument("--threads", type=int, help="threads to compute with")
        made.add_argument("--data", type=Path, help="a text file instead of Shakespeare")
        made.add_argument("--no-jit", action="store_true", help="run every operation by itself")
        return made

    add_training(command("train", train, "train a model"))
    shown = command("demo", demo, "train for less than a minute, then evaluate and sample")
    add_training(shown)
    shown.add_argument("--seconds", type=float, default=90.0, help="time for training")
    # Small batches make the most of a short time.
    # The package's own text is short: without dropout it is learned by heart in half a minute.
    shown.set_defaults(dropout=0.5, batch=20, lr=5e-3, iterations=2000, validate_every=500)

    again = command("resume", resume, "go on with a run that was stopped or killed")
    again.add_argument("run", type=Path, nargs="?", help="its folder; the newest one by default")
    again.add_argument("--epochs", type=int, help="end after so many epochs")
    again.add_argument("--iterations", type=int, help="end after so many iterations")

    write = command("sample", sample, "let a trained model write")
    write.add_argument("run", type=Path, nargs="?", help="folder or checkpoint; the newest run")
    write.add_argument("--prime", default="", help="text to go on from")
    write.add_argument("--prime-file", type=Path, help="a file with the text to go on from")
    write.add_argument("--length", type=int, default=1000, help="symbols to write")
    write.add_argument("--temperature", type=float, default=1.0, help="0 safe … 1 as learned")
    write.add_argument("--top-k", type=int, help="draw from the k most probable only")
    write.add_argument("--top-p", type=float, help="draw from the most probable share p only")
    write.add_argument("--greedy", action="store_true", help="always the most probable symbol")
    write.add_argument("--seed", type=int, default=0, help="the same seed writes the same text")

    measure = command("evaluate", evaluate, "measure a trained model on a text")
    measure.add_argument("run", type=Path, nargs="?", help="folder or checkpoint; the newest run")
    for made in (write, measure):
        made.add_argument(
            "--unknown", choices=("error", "skip", "replace"), help="for unknown symbols"
        )
    write.set_defaults(unknown="error")
    return parser.parse_args(arguments)


def add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--c-source", action="store_true", help="train on NumPy's C headers")
    add("--model", choices=lm.KINDS, default="lstm", help="kind of recurrent layer")
    add("--hidden", type=int, default=128, help="units a layer")
    add("--layers", type=int, default=2, help="layers")
    add("--embedding", type=int, help="length of symbol vectors (one-hot; words: as --hidden)")
    add("--dropout", type=float, default=0.0, help="probability between layers")
    add("--level", choices=LEVELS, default="char", help="what a symbol is")
    add("--min-count", type=int, default=1, help="leave out symbols rarer than this")
    add("--batch", type=int, default=DEFAULTS.batch_size, help="parallel positions in the text")
    add("--window", type=int, default=DEFAULTS.window, help="steps of backpropagation")
    add("--lr", type=float, default=DEFAULTS.learning_rate, help="RMSprop's learning rate")
    add("--decay", type=float, default=DEFAULTS.alpha, help="RMSprop's decay of its mean")
    add("--lr-decay", type=float, default=DEFAULTS.rate_decay, help="factor on --lr an epoch")
    add("--lr-decay-after", type=int, default=DEFAULTS.rate_decay_after, help="epochs before it")
    add("--clip", type=float, default=DEFAULTS.clip, help="bound on gradients; 0 for none")
    add("--clip-by", choices=("value", "norm"), default=DEFAULTS.clip_by, help="what is bounded")
    add("--epochs", type=int, default=DEFAULTS.epochs, help="passes through the text")
    add("--iterations", type=int, help="end after so many iterations")
    add("--seed", type=int, default=0, help="for weights and dropout")
    add("--out", type=Path, help=f"folder of the run (a new one in {RUNS}/)")
    add("--validate-every", type=int, default=DEFAULTS.validate_every, help="iterations")
    add("--split", choices=("rows", "tail"), default=DEFAULTS.split, help="what is held out")
    add("--sample-length", type=int, default=DEFAULTS.sample_length, help="of samples on the way")


def main() -> int:
    options = options_of()

    def work() -> int:
        if options.threads is not None:
            tg.set_num_threads(options.threads)
        return int(options.command(options))

    return reported(work, "Stopped at once; the last checkpoint is whole.")


if __name__ == "__main__":
    sys.exit(main())
