"""What the programs share that compare contenders: their options, their rows, and the summary."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._workers import (
    DISTURBED,
    Contender,
    DisagreementError,
    Measurement,
    Row,
    describe_machine,
    failures,
    measure,
    usable_cpus,
)

THREADS = [1, 2]
# The contender that only tells what the machine can do.
PEAK = "peak"

# Rows by what was run, which is a dataclass with a `title`, and the number of threads.
Rows = Mapping[tuple[Any, int], Row]


@dataclasses.dataclass(frozen=True)
class Turns:
    """How often each contender gets a turn, and how many seconds one takes."""

    rounds: int
    seconds: float


def parser_of(description: str, quick: str) -> argparse.ArgumentParser:
    """Return a parser with what all programs have; `quick` says what --quick does."""
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("--quick", action="store_true", help=quick)
    add("--repeat", type=int, help="rounds of turns")
    add("--turn", type=float, help="seconds of a turn")
    add("--json", type=Path, help="write all figures to this file")
    return parser


def turns_of(options: argparse.Namespace, usual: Turns, quick: Turns) -> Turns:
    """Return the turns that --repeat, --turn and --quick ask for."""
    default = quick if options.quick else usual
    return Turns(options.repeat or default.rounds, options.turn or default.seconds)


def compare(
    options: argparse.Namespace,
    turns: Turns,
    planned: Iterable[tuple[Any, dict[str, Contender]]],
    check: Callable[[dict[str, Any]], None],
    show: Callable[[Any, int, Row], None],
    targets: Sequence[str],
    facts: Callable[[Any, Row], dict[str, Any]] = lambda what, row: {},
) -> int:
    """Measure, print and write all rows, and return the exit code of the program.

    Args:
        options: those of `parser_of`, and `threads`, a list.
        turns: of each contender.
        planned: what to run, which is a dataclass with a `title`, and its contenders by name.
        check: raises DisagreementError if what the contenders' checks returned does not agree.
        show: prints a row.
        targets: the contender to be set beside others at the end, and those.
        facts: what the file says of a row besides its sizes and what was measured.
    """
    print(describe_machine())
    rows: dict[tuple[Any, int], Row] = {}
    for what, contenders in planned:
        for threads in options.threads:
            if threads > len(usable_cpus()):
                print(f"\n{threads} threads are not measured: there are fewer CPUs")
                continue
            try:
                row = measure(contenders, threads, turns.rounds, turns.seconds, check)
            except DisagreementError as error:
                print(f"error: {what.title}: {error}", file=sys.stderr)
                return 1
            rows[what, threads] = row
            show(what, threads, row)
            sys.stdout.flush()
    mine, *others = targets
    print_targets(rows, mine, others)
    if options.json:
        options.json.write_text(json.dumps(as_json(rows, facts), indent=2) + "\n")
    return int(any(failures(row.values()) for row in rows.values()))


def print_targets(rows: Rows, mine: str, others: Sequence[str]) -> None:
    """Print how many times as fast one contender is as the others, one line a row."""
    print("\n=== targets ===")
    print(f"How many times as fast {mine} is as the others, and at last as itself on 1 thread")
    titles = " ".join(f"{name:>13}" for name in others)
    print(f"{'':>20} {'threads':>7} {titles} {'1 thread':>8}")
    for (what, threads), row in rows.items():
        found = row.get(mine, Measurement())
        cells = [f"{found.times_as_fast_as(row.get(name)):>13}" for name in others]
        single = rows.get((what, 1), Row()).get(mine) if threads > 1 else None
        mark = " *" if row.disturbed else ""
        last = f"{found.times_as_fast_as(single):>8}"
        print(f"{what.title:>20} {threads:>7} {' '.join(cells)} {last}{mark}")
    if any(row.disturbed for row in rows.values()):
        print(DISTURBED)


def as_json(rows: Rows, facts: Callable[[Any, Row], dict[str, Any]]) -> dict[str, Any]:
    """All that was measured."""
    return {
        "machine": describe_machine(),
        "rows": [
            dataclasses.asdict(what)
            | {"title": what.title, "threads": threads, "cpus_used_by_others": row.others}
            | facts(what, row)
            | {
                "contenders": {
                    name: found.as_json() for name, found in row.items() if name != PEAK
                },
            }
            for (what, threads), row in rows.items()
        ],
    }
