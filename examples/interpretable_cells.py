"""Find the cells that one can read: which unit of a model knows that a quote is open?

    python examples/interpretable_cells.py                       a minute: trains on Shakespeare
    python examples/interpretable_cells.py --c-source            the same on C: NumPy's headers
    python examples/interpretable_cells.py --python-source       on Python: its standard library
    python examples/interpretable_cells.py --checkpoint runs/…   for what shakespeare.py trained

It runs the model over a text that it was not trained on, ranks all units of h and c by how well
they track properties of the text, prints the best, and writes atlas.html, one page to open from
disk, in which every unit colours the text. The idea is that of Karpathy, Johnson and Fei-Fei,
"Visualizing and understanding recurrent networks" (2015).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import common
import numpy as np
import numpy.typing as npt
import shakespeare

from tinygrad_rnn import inspect, lm
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.inspect import PROPERTIES
from tinygrad_rnn.inspect.pages import atlas_page
from tinygrad_rnn.inspect.properties import Property
from tinygrad_rnn.text import Corpus, find_text

PAGE = "atlas.html"
LIBRARY = "standard-library.py.txt"
LIBRARY_SIZE = 1_000_000
"""Characters of Python source at most."""

BEGINNINGS = {shakespeare.HEADERS: r"\*/\n", LIBRARY: r"\n\n\n(?=def |class )"}
"""After what a passage of these may begin."""

SAMPLE = 480
"""Characters of the coloured sample in the terminal."""

_SPEAKER = re.compile(r"(?:\A|(?<=\n\n))[A-Z][^\n:]{0,40}:(?=\n)")
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\\\n]|\\[\s\S])*", re.MULTILINE)
_C = re.compile(r'/\*[\s\S]*?(?:\*/|\Z)|//[^\n]*|"(?:[^"\\\n]|\\[\s\S])*"?')
_PYTHON_STRING = (
    r"'''(?:[^\\]|\\[\s\S])*?(?:'''|\Z)"
    r'|"""(?:[^\\]|\\[\s\S])*?(?:"""|\Z)'
    r"|'(?:[^'\\\n]|\\[\s\S])*'?"
    r'|"(?:[^"\\\n]|\\[\s\S])*"?'
)
TRIPLE = ("'''", '"""')
_PYTHON = re.compile(rf"#[^\n]*|{_PYTHON_STRING}")


def speaker(text: str) -> npt.NDArray[np.bool_]:
    """Inside the name of who speaks: the line of a play that ends in a colon."""
    return _inside(_SPEAKER, text)


def directive(text: str) -> npt.NDArray[np.bool_]:
    """Inside a preprocessor directive, with the lines that a backslash joins to it."""
    return _inside(_DIRECTIVE, text)


def string_literal(text: str) -> npt.NDArray[np.bool_]:
    """Inside a C string: quotes in comments do not begin one."""
    return _strings(_C, text)


def python_quotes(text: str) -> npt.NDArray[np.bool_]:
    """Inside a Python string in single or double quotes; those in comments do not begin one."""
    return _strings(_PYTHON, text) & ~_inside(_PYTHON, text, TRIPLE)


def triple_quotes(text: str) -> npt.NDArray[np.bool_]:
    """Inside a Python string in triple quotes, such as a docstring."""
    return _strings(_PYTHON, text) & _inside(_PYTHON, text, TRIPLE)


def python_comment(text: str) -> npt.NDArray[np.bool_]:
    """Inside a Python comment: a # in a string does not begin one."""
    return _inside(_PYTHON, text, ("#",))


def position_in_paragraph(text: str) -> npt.NDArray[np.float64]:
    """How many characters have been read since the last empty line: in a play, of the speech."""
    found = np.arange(len(text), dtype=np.float64)
    for match in re.finditer(r"\n\n+", text):
        found[match.end() :] = np.arange(len(text) - match.end())
    return found


def _strings(pattern: re.Pattern[str], text: str) -> npt.NDArray[np.bool_]:
    found = _inside(pattern, text, ('"', "'"))
    for match in pattern.finditer(text):
        if match.end() - match.start() > 1 and match[0][0] == match[0][-1]:
            # As for all properties: the closing quote, once read, is outside.
            found[match.end() - 1] = False
    return found


def _inside(
    pattern: re.Pattern[str], text: str, begins: tuple[str, ...] = ("",)
) -> npt.NDArray[np.bool_]:
    """Inside a match, of those that begin with one of a few."""
    found = np.zeros(len(text), bool)
    for match in pattern.finditer(text):
        found[match.start() : match.end()] = match[0].startswith(begins)
    return found


# A property is any function of the text that gives one truth value or number a character.
PLAY = {
    "a speaker's name": speaker,
    "position in the paragraph": position_in_paragraph,
}
C_SOURCE = {
    "inside a C string": string_literal,
    "inside a directive": directive,
}
PYTHON_SOURCE = {
    "inside quotes": python_quotes,
    "inside triple quotes": triple_quotes,
    "inside a comment": python_comment,
}


LAST_CHARACTER = {"after a newline", "upper case", "word boundary"}


class Subject(NamedTuple):
    """A trained model, and the text that it is looked at with."""

    saved: lm.SavedModel
    ids: npt.NDArray[np.integer]
    text: str
    source: str


def interpretable_cells(options: argparse.Namespace) -> common.Outcome:
    begun = time.perf_counter()
    if options.checkpoint is None:
        path = trained(options)
        if path is None:
            return common.Outcome({}, interrupted=True)
    else:
        path = shakespeare.checkpoint_of(options.checkpoint, shakespeare.BEST)
    subject = subject_of(path, options)
    told = f"{kind_of(subject.saved)} read {subject.source}"
    print(f"\n{told}.")
    properties = properties_for(subject)
    reading = inspect.read(subject.saved.model, subject.ids, jit=not options.no_jit)
    found = inspect.search_units(
        reading, subject.text, properties, shifts=options.shifts, seed=options.seed
    )
    if not found:
        raise DataError("no property changes in this text; give a longer one with --data")
    print(table_of(found, reading))
    name = striking(found) if options.property is None else options.property
    if name not in found:
        raise ArgumentError(f"no units were ranked by {name!r}; there are {', '.join(found)}")
    best = found[name].best()
    part = stretch(properties[name](subject.text), subject.text)
    values = reading.unit(best.name, best.unit)
    # A few bursts would leave the rest pale.
    full = float(np.quantile(np.abs(values), 0.99))
    print(f"\nThe best for {name!r} is unit {best.unit} of {label(best.name)}.")
    if coloured(options.colour):
        print("Red is positive, blue negative:\n")
        print(inspect.colour_ansi(subject.text[part], values[part], full))
    if options.picture is not None:
        picture = inspect.colour_svg(subject.text[part], values[part], full)
        options.picture.write_text(picture, encoding="utf-8")
        print(f"Picture: {options.picture}")
    page = options.out / PAGE
    options.out.mkdir(parents=True, exist_ok=True)
    symbols = subject.saved.vocabulary.symbols
    title = f"Cell atlas: {corpus_name(subject.saved)}"
    atlas = atlas_page(
        reading, subject.text, symbols, found, properties, title, f"{told}.", start=name
    )
    page.write_text(atlas, encoding="utf-8")
    print(f"\nThe atlas ({page.stat().st_size / 1e6:.1f} MB, open it in a browser): {page}")
    if options.results is not None:
        keep_results(
            options.results, options.name or corpus_name(subject.saved), subject, found
        )
    seconds = time.perf_counter() - begun
    metrics = {name: ranking.best().held_out for name, ranking in found.items()}
    return common.Outcome({**metrics, "seconds": round(seconds, 1)})


def trained(options: argparse.Namespace) -> Path | None:
    """Train a model for some seconds, and return its best checkpoint; None if Ctrl-C ended it."""
    corpus = text_of(options)
    vocabulary = corpus.vocabulary()
    settings = lm.TrainingSettings(
        batch_size=20,
        window=options.window,
        epochs=1000,
        learning_rate=options.lr,
        rate_decay=1.0,
        # The atlas is made of text that the model has not seen.
        split="tail",
        fractions=(0.9, 0.1, 0.0),
        validate_every=250,
        sample_length=0,
        jit=not options.no_jit,
    )
    model = lm.RecurrentLanguageModel(
        len(vocabulary), options.model, options.hidden, options.layers, options.dropout
    )
    if (options.out / shakespeare.LAST).exists():
        raise DataError(
            f"{options.out} holds a run already; look at it by --checkpoint {options.out}, or "
            "choose another folder with --out"
        )
    own = corpus.path if corpus.origin == "file" else None
    text_name = corpus.name if own is None else str(own.resolve())
    ids = corpus.encode(vocabulary)
    report = lm.ConsoleReport()
    trainer = lm.Trainer(model, vocabulary, ids, settings, options.out, text_name, report)
    print(f"{corpus.name}: {len(ids):,} characters, {len(vocabulary)} of them different")
    print(f"Training for {options.seconds:g} s ({options.layers} × {options.hidden} units) …")
    begun = time.perf_counter()
    trainer.run(options.seconds)
    if time.perf_counter() - begun < options.seconds and trainer.iteration < trainer.iterations:
        again = f"python {sys.argv[0]} --checkpoint {options.out}"
        print(f"Stopped and saved. Look at it with\n  {again}")
        return None
    return shakespeare.checkpoint_of(options.out, shakespeare.BEST)


def text_of(options: argparse.Namespace) -> Corpus:
    if options.c_source:
        return shakespeare.c_source(options.out)
    return python_source(options.out) if options.python_source else find_text(options.data)


def python_source(folder: Path) -> Corpus:
    """Return modules of Python's standard library as one text, which is kept in `folder`."""
    modules = sorted(Path(os.__file__).parent.glob("[a-z]*.py"))
    # Neighbours in the alphabet are often of one kind; what is held out should be of all kinds.
    random.Random(0).shuffle(modules)
    text = ""
    for path in modules:
        source = path.read_text(encoding="utf-8")
        if source.isascii() and len(text) + len(source) <= LIBRARY_SIZE:
            text += source
    return kept(folder / LIBRARY, text)


def kept(path: Path, text: str) -> Corpus:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return find_text(path)


def subject_of(path: Path, options: argparse.Namespace) -> Subject:
    """Return a model and `--characters` of text: what it was not trained on, where one can tell."""
    saved = lm.load_model(path)
    if saved.vocabulary.level != "char":
        raise DataError(
            f"the atlas shows models that read characters, and the symbols of {path} are of level "
            f"{saved.vocabulary.level!r}; train one with --level char"
        )
    corpus = shakespeare.training_text(saved, options.data)
    ids = shakespeare.encoded(corpus, saved.vocabulary)
    where = ""
    if options.data is None or options.checkpoint is None:
        lm.require_same_text(path, saved.text, ids)
        if saved.training.split == "tail":
            ids = lm.cut(ids, saved.training).validation
            ids = ids[beginning(saved.vocabulary.decode(ids), corpus_name(saved)) :]
            where = ", from the part that it was not trained on"
        else:
            where = ", which it was trained on for the most part"
    ids = ids[options.start : options.start + options.characters]
    text = saved.vocabulary.decode(ids)
    if not len(ids):
        raise DataError(f"there is no text from character {options.start:,} on")
    name = corpus_name(saved) if options.data is None else corpus.name
    return Subject(saved, ids, text, f"{len(ids):,} characters of {name}{where}")


def properties_for(subject: Subject) -> dict[str, Property]:
    """Return the properties to search for: those of the library, and some of one's own."""
    name = corpus_name(subject.saved)
    if name == LIBRARY or name.endswith(".py"):
        # In the library's own properties quotes are English, comments and conditions C.
        return {
            name: PYTHON_SOURCE.get(name, of)
            for name, of in {**PYTHON_SOURCE, **PROPERTIES}.items()
            if name != "inside an if-condition"
        }
    is_c = "#include" in subject.text or name == shakespeare.HEADERS
    return {**(C_SOURCE if is_c else PLAY), **PROPERTIES}


def beginning(text: str, name: str) -> int:
    """Return where a passage of a text begins outside of strings and comments, or with a line."""
    found = re.search(BEGINNINGS.get(name, r"\n"), text)
    return found.end() if found and found.end() < len(text) else 0


def corpus_name(saved: lm.SavedModel) -> str:
    """Return what the text of a model is called, without its folder."""
    return os.path.basename(saved.text["name"]) or "its text"


def kind_of(saved: lm.SavedModel) -> str:
    """Return a few words on a model: its kind, its size, and how well it predicts."""
    model, nats = saved.model, nats_of(saved)
    measured = "" if nats is None else f", {nats:.3f} nats a character on text held out"
    size = f"{model.num_layers} × {model.hidden_size} units"
    return f"{model.kind.upper()} of {size}, {saved.progress['iteration']:,} updates{measured},"


def nats_of(saved: lm.SavedModel) -> float | None:
    """Return the loss on text held out; None for a run that has not validated yet."""
    loss = saved.progress.get("best_loss")
    return loss if loss is not None and math.isfinite(loss) else None


def label(name: str) -> str:
    """Return "l1.c" for "recurrent.l1.c"."""
    return ".".join(name.split(".")[-2:])


def table_of(found: Mapping[str, inspect.Ranking], reading: inspect.Reading) -> str:
    """Return the best unit of each property, with its score."""
    units = sum(values.shape[1] for values in reading.values.values())
    ranking = next(iter(found.values()))
    lines = [
        f"The best of {units} units for each property, chosen by the first {ranking.split:,} "
        "characters and",
        "checked on the rest. Scores: area under the ROC curve (AUC, 0.5 … 1) or rank correlation.",
        "Chance: what the best unit reaches in 99 of 100 shifts of the property against the text.",
        "",
        f"{'property':<26}{'unit':>9}{'sign':>6}{'found':>8}{'held out':>10}{'chance':>9}  score",
    ]
    for name, ranking in found.items():
        best = ranking.best()
        beaten = "" if best.held_out > ranking.chance else "  (no better than chance)"
        lines.append(
            f"{name:<26}{f'{label(best.name)} {best.unit}':>9}{best.sign:>+6}{best.found:8.3f}"
            f"{best.held_out:10.3f}{ranking.chance:9.3f}  {ranking.measure}{beaten}"
        )
    return "\n".join(lines)


def striking(found: Mapping[str, inspect.Ranking]) -> str:
    """Return the property that a unit tracks farthest beyond chance.

    What the last character alone tells is passed over, if there is anything else.
    """

    def beyond(name: str) -> tuple[bool, float]:
        ranking = found[name]
        # An AUC has half the range of a correlation.
        scale = 2.0 if ranking.measure == "AUC" else 1.0
        return name not in LAST_CHARACTER, scale * (ranking.best().held_out - ranking.chance)

    return max(found, key=beyond)


def stretch(wanted: npt.NDArray[Any], text: str) -> slice:
    """Return the stretch of text, from the beginning of a line, with most changes of a property."""
    changes = np.cumsum(np.diff(wanted.astype(float), prepend=0.0) != 0)
    begins = np.array([0, *(i + 1 for i, c in enumerate(text) if c == "\n")])
    begins = begins[begins <= max(len(text) - SAMPLE, 0)]
    ends = np.minimum(begins + SAMPLE, len(text)) - 1
    start = int(begins[np.argmax(changes[ends] - changes[begins])])
    return slice(start, start + SAMPLE)


def coloured(wish: str) -> bool:
    """Say whether to print colours: "auto" is yes in a terminal, unless NO_COLOR is set."""
    if wish != "auto":
        return wish == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def keep_results(
    path: Path, name: str, subject: Subject, found: Mapping[str, inspect.Ranking]
) -> None:
    """Write the best units into a JSON file, beside those of other models that it holds."""
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    saved = subject.saved
    results[name] = {
        "text": corpus_name(saved),
        "model": saved.model.settings(),
        "updates": saved.progress["iteration"],
        "nats": nats if (nats := nats_of(saved)) is None else round(nats, 4),
        "characters": len(subject.text),
        "properties": {
            name: {
                "measure": ranking.measure,
                "unit": f"{label(ranking.best().name)} {ranking.best().unit}",
                "sign": ranking.best().sign,
                "found": round(ranking.best().found, 4),
                "held_out": round(ranking.best().held_out, 4),
                "chance": round(ranking.chance, 4),
                "p": round(ranking.best().p, 4),
                **({"share": round(ranking.baseline, 4)} if ranking.measure == "AUC" else {}),
            }
            for name, ranking in found.items()
        },
    }
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"Results of {name!r}: {path}")


def parser() -> argparse.ArgumentParser:
    made = common.parser_of("Find the units of a model that track structure.", "a text file")
    add = made.add_argument
    add("--checkpoint", type=Path, help="folder or file of a run instead of training")
    source = made.add_mutually_exclusive_group()
    source.add_argument("--c-source", action="store_true", help="train on NumPy's C headers")
    source.add_argument(
        "--python-source", action="store_true", help="train on Python's standard library"
    )
    add("--seconds", type=float, default=40.0, help="time for training")
    add("--model", choices=lm.KINDS, default="lstm", help="kind of recurrent layer")
    add("--hidden", type=int, default=128, help="units a layer")
    add("--layers", type=int, default=2, help="layers")
    add("--dropout", type=float, default=0.2, help="probability between layers")
    add("--window", type=int, default=100, help="steps of backpropagation")
    add("--lr", type=float, default=4e-3, help="RMSprop's learning rate")
    add("--characters", type=int, default=20_000, help="of text to look at")
    add("--start", type=int, default=0, help="character to begin with")
    add("--shifts", type=int, default=200, help="shifts that measure chance")
    add("--colour", choices=("auto", "always", "never"), default="auto", help="of the sample")
    add("--property", help="the one to show first (what a unit tracks best)")
    add("--picture", type=Path, help="SVG file to draw the sample into")
    add("--results", type=Path, help="JSON file to add the best units to")
    add("--name", help="what the results are called there (the text's name)")
    return made


if __name__ == "__main__":
    sys.exit(common.run(interpretable_cells, parser()))
