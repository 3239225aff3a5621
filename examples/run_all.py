"""Run all examples at full length, and write the table of their results.

    python examples/run_all.py                              those that need no file
    python examples/run_all.py --data FOLDER                real data too, where FOLDER has it
    python examples/run_all.py --only digits frames         some of them
    python examples/run_all.py --table                      write the table of earlier results anew

FOLDER has the folders optdigits, stocks, uci_sentiment, tatoeba_kor_eng, ud_english_ewt,
japanese_vowels and tinyshakespeare; what is missing is left out. Results are kept in
docs/results/examples.json, and the table stands in examples/README.md. Every figure of that table
comes from this command.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent / "docs" / "results" / "examples.json"
PAGE = HERE / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


class Task(NamedTuple):
    """A run of an example: what it is called, its arguments, and the file that it needs."""

    title: str
    arguments: tuple[str, ...]
    data: str | None = None
    shown: str = ""
    """A pattern of the metrics to show; all of them by default."""

    @property
    def command(self) -> str:
        """The command as one would type it."""
        return " ".join(["python", f"examples/{self.arguments[0]}.py", *self.arguments[1:]])


DATA = "DATA"
"""Stands for the path of the data in a task's arguments."""

TASKS = (
    Task("image to word, drawn digits", ("digits",)),
    Task("image to word, optdigits", ("digits", "--data", DATA), "optdigits"),
    Task("… the letter fed back", ("digits", "--data", DATA, "--feed-back"), "optdigits"),
    Task("sentiment, made-up sentences", ("sentiment",)),
    Task("sentiment, three sites", ("sentiment", "--data", DATA), "uci_sentiment"),
    Task(
        "… by characters",
        ("sentiment", "--data", DATA, "--level", "char", "--cell", "gru"),
        "uci_sentiment",
    ),
    Task("translation, dates", ("translation",), shown="exact match"),
    Task(
        "… without attention",
        ("translation", "--no-attention", "--hidden", "128", "--epochs", "30"),
        shown="exact match",
    ),
    Task(
        "translation, Korean to English",
        ("translation", "--data", DATA, "--reverse", "--epochs", "25"),
        "tatoeba_kor_eng/kor.txt",
        shown="BLEU$|chrF",
    ),
    Task("tagging, made-up grammar", ("tagging",)),
    Task("tagging, UD English EWT", ("tagging", "--data", DATA), "ud_english_ewt"),
    Task("frames, made-up sounds", ("frames",)),
    Task("frames, Japanese vowels", ("frames", "--data", DATA), "japanese_vowels"),
    Task("next day, made-up series", ("next_day",), shown="RMSE"),
    Task(
        "next day, VIX",
        ("next_day", "--data", DATA, "--date", "DATE", "--value", "CLOSE"),
        "stocks/*.csv",
        shown="RMSE",
    ),
    Task("long memory", ("long_memory",)),
    Task("counting, the package's Shakespeare", ("counting",)),
    Task(
        "counting, tiny-shakespeare",
        (
            *("counting", "--data", DATA, "--epochs", "30", "--hidden", "256"),
            *("--batch", "32", "--lr", "2e-3", "--dropout", "0.1"),
        ),
        "tinyshakespeare/input.txt",
    ),
    Task("cells of one's own", ("own_cells",), shown="nats"),
    Task("vanishing gradients", ("vanishing_gradients",), shown="factor|clip"),
    Task("truncation", ("truncation",), shown="accuracy.*(20|guess)"),
)


def found(data: Path | None, wanted: str) -> Path | None:
    """Return the path of a task's data below a folder, if it is there."""
    paths = [] if data is None else sorted(data.glob(wanted))
    return paths[0] if paths else None


def run(task: Task, data: Path | None) -> dict[str, Any] | None:
    """Run a task, and return its results.json; None where its data is missing or it failed."""
    path = None if task.data is None else found(data, task.data)
    if task.data is not None and path is None:
        return None
    name, *rest = task.arguments
    print(f"\n== {task.title}: {task.command}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        filled = [str(path) if argument == DATA else argument for argument in rest]
        command = [sys.executable, str(HERE / f"{name}.py"), *filled, "--out", str(out)]
        status = subprocess.run(command, check=False).returncode
        if status:
            print(f"{task.title} ended with {status}; its earlier result stays", file=sys.stderr)
            return None
        results: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    return {"command": task.command, "metrics": results["metrics"], "seconds": results["seconds"]}


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results as a Markdown table, in the order of the tasks."""
    lines = ["| task | command | result | seconds |", "| --- | --- | --- | --- |"]
    for task in TASKS:
        if task.title not in results:
            continue
        result = results[task.title]
        figures = "; ".join(
            f"{name} {value:.4g}"
            for name, value in result["metrics"].items()
            if re.search(task.shown, name)
        )
        lines.append(
            f"| {task.title} | `{result['command']}` | {figures} | {result['seconds']:.0f} |"
        )
    return "\n".join(lines)


def write_table(results: dict[str, dict[str, Any]]) -> None:
    """Put the table between its marks on the page of examples."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Run all examples at full length, and write the table of their results."
    )
    parser.add_argument("--data", type=Path, help="a folder with the folders of real data")
    parser.add_argument("--only", nargs="+", help="names of examples")
    parser.add_argument("--table", action="store_true", help="run nothing, write the table anew")
    options = parser.parse_args(arguments)
    if options.data is not None and not options.data.is_dir():
        print(f"error: {options.data} is no folder", file=sys.stderr)
        return 2
    results = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    failed = False
    for task in () if options.table else TASKS:
        if options.only and task.arguments[0] not in options.only:
            continue
        result = run(task, options.data)
        if result is not None:
            results[task.title] = result
            # After each, so that nothing is lost if a later one is interrupted.
            KEPT.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
        failed = failed or (result is None and task.data is None)
    write_table(results)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
