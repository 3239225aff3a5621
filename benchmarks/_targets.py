"""How many times as fast one contender is as the others, in every row that was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks._workers import DISTURBED, Measurement, Row


def print_targets(rows: Mapping[tuple[Any, int], Row], mine: str, others: Sequence[str]) -> None:
    """One line a row; rows go by what was run, which has a `title`, and the number of threads."""
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
