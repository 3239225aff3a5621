"""How time and memory grow with the size of the problem.

    python benchmarks/scaling.py [--quick] [--threads 2] [--plot FILE] [--json FILE]

Time of a training step (as in train_step.py) of an LSTM, eager and through jit, against time steps,
batch, hidden size and layers, one varied at a time; the memory that a gradient takes against time
steps, with and without `tg.checkpoint` around pieces of √T steps, each point in a fresh process;
and what recording and compiling a long step costs. The exponent p of growth like x^p is fitted to
each series, and to its upper half, where fixed costs matter less.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._comparison import Turns, parser_of, turns_of
from benchmarks._steps import Step
from benchmarks._workers import (
    DISTURBED,
    NOT_INSTALLED,
    Contender,
    Measurement,
    Row,
    describe_machine,
    failures,
    measure,
    power_of,
    usable_cpus,
)

BASE = Step("lstm", hidden=128)
VARIED = {
    "steps": [12, 25, 50, 100, 200],
    "batch": [8, 16, 32, 64, 128],
    "hidden": [32, 64, 128, 256, 512],
    "layers": [1, 2, 3, 4],
}
QUICK_VARIED = {
    "steps": [12, 50, 200],
    "batch": [8, 32, 128],
    "hidden": [64, 128, 256],
    "layers": [1, 2, 4],
}
TITLES = {"steps": "T", "batch": "B", "hidden": "H", "layers": "layers"}
MEMORY_STEPS = [100, 200, 400, 800, 1600, 3200]
QUICK_MEMORY_STEPS = [100, 400, 1600]
LONG = Step("lstm", hidden=128, layers=2, steps=100)
TURNS = Turns(5, 0.2)
QUICK_TURNS = Turns(3, 0.1)
EAGER, JIT = "ours eager", "ours jit"
PLAIN, CHECKPOINTED = "whole graph", "checkpointed"

Points = list[tuple[int, float]]


@dataclasses.dataclass
class Series:
    """What was measured against one size, a list of points for each line of the plot."""

    title: str
    unit: str
    lines: dict[str, Points]
    disturbed: list[int] = dataclasses.field(default_factory=list)

    def show(self) -> None:
        """Print a table, and the exponents below it."""
        held = [dict(points) for points in self.lines.values()]
        print(f"{self.title:>10} " + " ".join(f"{f'{n}, {self.unit}':>18}" for n in self.lines))
        for x in dict.fromkeys(x for points in held for x in points):
            cells = [f"{p[x]:18.3f}" if x in p else f"{'-':>18}" for p in held]
            mark = " *" if x in self.disturbed else ""
            print(f"{x:>10} {' '.join(cells)}{mark}")
        for label, exponents in zip(("all", "upper half"), self._exponents(), strict=True):
            cells = [f"{'-' if p is None else f'{self.title}^{p:.2f}':>18}" for p in exponents]
            print(f"{label:>10} {' '.join(cells)}")
        if self.disturbed:
            print(DISTURBED)
        print(flush=True)

    def _exponents(self) -> list[list[float | None]]:
        lines = list(self.lines.values())
        return [
            [exponent(points) for points in lines],
            [exponent(points[(len(points) - 1) // 2 :]) for points in lines],
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the points and the exponents."""
        whole, upper = self._exponents()
        return {
            "against": self.title,
            "unit": self.unit,
            "disturbed": self.disturbed,
            "lines": self.lines,
            "exponents": dict(zip(self.lines, whole, strict=True)),
            "upper_exponents": dict(zip(self.lines, upper, strict=True)),
        }


def exponent(points: Points) -> float | None:
    """The power with which y grows, if there is anything to fit."""
    positive = [(x, y) for x, y in points if y > 0]
    return power_of(positive) if len(positive) > 1 else None


class Benchmark:
    """The measurements with one set of options; `failed` tells if one of them went wrong."""

    def __init__(self, threads: int, turns: Turns) -> None:
        self.threads = threads
        self.turns = turns
        self.failed = False
        self._measured: dict[Step, Row] = {}

    def _measure(self, contenders: dict[str, Contender], turns: Turns) -> Row:
        row = measure(contenders, self.threads, turns.rounds, turns.seconds)
        for name, found in row.items():
            if found.status:
                print(f"{name}: {found.status}")
        self.failed |= failures(row.values())
        return row

    def step(self, step: Step) -> Row:
        """Times of one training step; the base of all series is measured once."""
        if step not in self._measured:
            size = dataclasses.asdict(step)
            contenders = {
                name: Contender("benchmarks._rivals.ours", "train_step", {"step": size, "jit": jit})
                for name, jit in ((EAGER, False), (JIT, True))
            }
            self._measured[step] = self._measure(contenders, self.turns)
        return self._measured[step]

    def times(self, base: Step, size: str, values: list[int]) -> Series:
        """Milliseconds of a step as one size varies."""
        lines: dict[str, Points] = {EAGER: [], JIT: []}
        disturbed = []
        for value in values:
            row = self.step(dataclasses.replace(base, **{size: value}))
            if row.disturbed:
                disturbed.append(value)
            for name, found in row.items():
                if found.measured:
                    lines[name].append((value, 1e3 * found.median))
        return Series(TITLES[size], "ms", lines, disturbed)

    def gradient_memory(self, base: Step, steps: list[int]) -> Series:
        """Megabytes that a gradient takes, beyond its inputs, as the number of steps varies."""
        lines: dict[str, Points] = {PLAIN: [], CHECKPOINTED: []}
        for T in steps:
            size = dataclasses.asdict(dataclasses.replace(base, steps=T))
            for name, checkpointed in ((PLAIN, False), (CHECKPOINTED, True)):
                arguments = {"step": size, "checkpointed": checkpointed}
                contender = Contender("benchmarks._rivals.ours", "growing", arguments)
                # The gradient is computed once, while the worker prepares.
                found = self._measure({name: contender}, Turns(0, 0.0))[name]
                if found.check is not None and found.facts["before"] is not None:
                    lines[name].append((T, (found.check - found.facts["before"]) / 2**20))
        return Series("T", "MB", lines)

    def compile_cost(self, step: Step) -> tuple[Measurement, Measurement]:
        """First and later calls of a long step: eager, and through jit."""
        row = self.step(step)
        return row[EAGER], row[JIT]


def show_compile_cost(step: Step, eager: Measurement, jit: Measurement) -> None:
    """Print what the first call cost, and after how many calls it is paid back."""
    print(f"first call of {step.title}, {step.steps} steps:")
    for name, found in ((EAGER, eager), (JIT, jit)):
        if found.measured and found.first is not None:
            print(f"  {name}: {found.first:.3f} s; later {1e3 * found.median:.3f} ms")
    if eager.measured and jit.measured and jit.first is not None:
        saved = eager.median - jit.median
        if saved > 0:
            print(f"  the first call of jit is paid back by {jit.first / saved:.0f} later ones")


def plot(series: list[Series], path: Path) -> str:
    """Draw the series on logarithmic scales, and return what became of it."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return f"no plot: matplotlib is {NOT_INSTALLED}"
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(series), figsize=(4 * len(series), 3.6))
    for axis, shown in zip(axes, series, strict=True):
        for name, points in shown.lines.items():
            if points:
                axis.loglog(*zip(*points, strict=True), "o-", label=name)
        values = sorted({x for points in shown.lines.values() for x, _ in points})
        axis.set_xticks(values, labels=[str(x) for x in values])
        axis.set_xticks([], minor=True)
        axis.set_xlabel(shown.title)
        axis.set_ylabel(shown.unit)
        axis.grid(True, which="both", alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return f"plot: {path}"


def main() -> int:
    parser = parser_of(__doc__.splitlines()[0], "fewer points, short turns")
    parser.add_argument("--threads", type=int, default=len(usable_cpus()))
    parser.add_argument("--hidden", type=int, default=BASE.hidden, help="H where it is not varied")
    for size, title in TITLES.items():
        parser.add_argument(f"--vary-{size}", nargs="+", type=int, help=f"values of {title}")
    parser.add_argument("--memory-steps", nargs="+", type=int, help="values of T for memory")
    parser.add_argument("--plot", type=Path, help="draw the series into this file")
    options = parser.parse_args()
    if not 1 <= options.threads <= len(usable_cpus()):
        parser.error(f"--threads is 1 to {len(usable_cpus())} here")
    base = dataclasses.replace(BASE, hidden=options.hidden)
    long = dataclasses.replace(LONG, hidden=options.hidden)
    benchmark = Benchmark(options.threads, turns_of(options, TURNS, QUICK_TURNS))

    print(describe_machine())
    print(f"around {base.title}, batch {base.batch}, {base.steps} steps; {options.threads} threads")
    print()
    series = []
    for size, values in (QUICK_VARIED if options.quick else VARIED).items():
        asked = getattr(options, f"vary_{size}")
        series.append(benchmark.times(base, size, asked or values))
        series[-1].show()
    memory_steps = QUICK_MEMORY_STEPS if options.quick else MEMORY_STEPS
    series.append(benchmark.gradient_memory(base, options.memory_steps or memory_steps))
    series[-1].show()
    eager, jit = benchmark.compile_cost(long)
    show_compile_cost(long, eager, jit)
    if options.plot:
        print(plot(series, options.plot))
    if options.json:
        found = {
            "machine": describe_machine(),
            "threads": options.threads,
            "series": [shown.as_json() for shown in series],
            "first_calls": {EAGER: eager.as_json(), JIT: jit.as_json()},
        }
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return int(benchmark.failed)


if __name__ == "__main__":
    sys.exit(main())
