"""What the examples share: their options, errors as one line, and the file of results."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tinygrad_rnn as tg
from tinygrad_rnn.errors import ArgumentError, TinygradRnnError

RUNS = Path("runs")
RESULTS = "results.json"


class Outcome(NamedTuple):
    """What an example measured, by name, and whether Ctrl-C ended it early."""

    metrics: Mapping[str, float]
    interrupted: bool = False


def parser_of(description: str, data: str | None = None) -> argparse.ArgumentParser:
    """Return a parser with the options that all examples have; `data` says what --data takes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    if data is not None:
        add("--data", type=Path, help=data)
    add("--seed", type=int, default=0, help="for data, weights and order")
    add("--out", type=Path, help=f"folder of the run (a new one in {RUNS}/)")
    add("--threads", type=int, help="threads to compute with")
    add("--no-jit", action="store_true", help="run every operation by itself")
    return parser


def run(
    example: Callable[[argparse.Namespace], Outcome],
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
) -> int:
    """Run an example and keep what it measured in its folder; return the exit code.

    0 is success, 2 a mistake, told in one line, and 130 stands for Ctrl-C.
    """
    options = parser.parse_args(arguments)
    name = example.__name__
    settings = {key: _plain(value) for key, value in vars(options).items() if key != "out"}
    if options.out is None:
        options.out = RUNS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"

    def work() -> int:
        begun = time.perf_counter()
        if options.threads is not None:
            tg.set_num_threads(options.threads)
        tg.manual_seed(options.seed)
        outcome = example(options)
        seconds = time.perf_counter() - begun
        results = {
            "example": name,
            "settings": settings,
            "metrics": dict(outcome.metrics),
            "interrupted": outcome.interrupted,
            "seconds": round(seconds, 1),
        }
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / RESULTS).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        end = "Stopped early" if outcome.interrupted else "Done"
        print(f"{end} in {seconds:.0f} s; everything is kept in {options.out}")
        return 130 if outcome.interrupted else 0

    return reported(work)


def reported(work: Callable[[], int], stopped: str = "Stopped at once.") -> int:
    """Do some work and return its exit code; a mistake is told in one line, with the code 2."""
    try:
        return work()
    except KeyboardInterrupt:
        print(f"\n{stopped}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TinygradRnnError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def data_files(options: argparse.Namespace, train: str, test: str) -> tuple[Path, Path]:
    """Return the file to learn from and the one to test with: --data and --test, or one folder.

    Args:
        options: with `data`, a file or a folder, and `test`, a file or None.
        train, test: what the files are called in a folder.

    Raises:
        ArgumentError: if --data is a file, and --test is not given.
    """
    folder = options.data if options.data.is_dir() else None
    learned = folder / train if folder else options.data
    tested = options.test or (folder / test if folder else None)
    if tested is None:
        raise ArgumentError(f"{learned} is to learn from; name a file to test with by --test")
    return learned, tested


def picture(path: Path, draw: Callable[[Any], None], width: float = 8, height: float = 5) -> None:
    """Let `draw` fill a figure, and keep it as a PNG; say where it is, or that there is none.

    Args:
        path: the picture.
        draw: a function of matplotlib's Figure.
        width, height: of the figure, in inches.
    """
    try:
        # Without pyplot, which would choose a window system and keep every figure.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        say_picture(False, path)
        return
    figure = Figure(figsize=(width, height), layout="constrained")
    draw(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(path)
    say_picture(True, path)


def legible(token: str) -> str:
    """Return a label of a token for a picture: matplotlib's own font does not have all scripts.

    A character that it lacks is told by the last word of its name: 가 is "ga".
    """
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    shown = token.replace(" ", "␣")
    names = (unicodedata.name(c, "?").split()[-1].lower() for c in shown)
    pairs = zip(shown, names, strict=True)
    return "".join(c if font.get_char_index(ord(c)) else named for c, named in pairs)


def say_picture(drawn: bool, picture: Path) -> None:
    """Say where a picture is, or that there is none."""
    if drawn:
        print(f"Picture: {picture}")
    else:
        print(f"No {picture.name}, which needs matplotlib (the extra `viz`)")


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
