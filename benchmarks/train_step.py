"""Time of one training step: this library, PyTorch, JAX, and backpropagation by hand in NumPy.

    python benchmarks/train_step.py [--quick] [--only lstm peephole] [--threads 1] [--json FILE]

A step is forward over all time steps, loss, backward, clipping the gradients' norm, and
p ← p - rate · g, from the same weights on the same numbers; before anything is timed, all have to
agree on the losses of the first three steps. Each contender runs in a process of its own, on as
many CPUs as it has threads, and they take turns. Printed are the median and the quartiles of the
time per step; characters (time steps × batch) per second; GFLOP/s of the matrix products, counting
backward as twice forward for all; their share of the machine's multiply-adds, which are measured
in the same rounds; the process's peak memory; how long the first call took, which for jit and JAX
includes compiling; and the first loss.

The cells of "PyTorch loop" and of all peephole rows are plain tensor math, with the input's product
inside the step. Elsewhere, and always in NumPy, that product is taken for all steps at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._comparison import PEAK, THREADS, Turns, compare, parser_of, turns_of
from benchmarks._steps import HELLO, Step
from benchmarks._workers import Contender, DisagreementError, Measurement, Row

KINDS = ["lstm", "gru", "rnn", "peephole"]
HIDDEN = [128, 256, 512]
LAYERS = [1, 2]
QUICK_HIDDEN = [128]
TURNS = Turns(9, 0.3)
QUICK_TURNS = Turns(5, 0.1)
TOLERANCE = 1e-3
EAGER, JIT, FUSED, LOOP, JAX, NUMPY = (
    "ours eager",
    "ours jit",
    "PyTorch fused",
    "PyTorch loop",
    "JAX",
    "NumPy by hand",
)
NAMES = [EAGER, JIT, FUSED, LOOP, JAX, NUMPY]


def contenders(step: Step, names: Collection[str] = NAMES) -> dict[str, Contender]:
    """The contenders of a training step, by the name printed, after the machine's peak rate."""
    size = dataclasses.asdict(step)

    def contender(module: str, **arguments: Any) -> Contender:
        return Contender(f"benchmarks._rivals.{module}", "train_step", {"step": size} | arguments)

    every = {
        EAGER: contender("ours", jit=False),
        JIT: contender("ours", jit=True),
        FUSED: contender("pytorch", fused=True),
        LOOP: contender("pytorch", fused=False),
        JAX: contender("jax_scan"),
        NUMPY: contender("numpy_bptt"),
    }
    peak = Contender("benchmarks._rivals.peak", "peak", {})
    return {PEAK: peak} | {name: found for name, found in every.items() if name in names}


def require_same_losses(checks: dict[str, Any]) -> None:
    """Raise DisagreementError when the losses of the first steps differ."""
    losses = {name: check for name, check in checks.items() if check}
    for name, found in losses.items():
        reference, expected = next(iter(losses.items()))
        for number, (loss, wanted) in enumerate(zip(found, expected, strict=True), 1):
            # Written so that NaN does not pass.
            if not abs(loss - wanted) <= TOLERANCE * abs(wanted):
                raise DisagreementError(
                    f"the loss of step {number} is {loss:.6f} with {name} and {wanted:.6f} with "
                    f"{reference}: they do not compute the same, so times say nothing"
                )


def highest_rate(peak: Measurement) -> float | None:
    """Floating-point operations per second, the most that was seen: that is the machine's."""
    return peak.facts["operations"] / min(peak.seconds) if peak.measured else None


def print_row(step: Step, threads: int, row: Row) -> None:
    """One line a contender."""
    highest = highest_rate(row[PEAK])
    plural = "s" if threads > 1 else ""
    print(
        f"\n{step.title}, batch {step.batch}, {step.steps} steps, {threads} thread{plural}, "
        + (f"peak {1e-9 * highest:.0f} GFLOP/s" if highest else "peak not measured")
        + row.warning()
    )
    print(
        f"{'':>14} {'ms/step':>9} {'quartiles':>17} {'k char/s':>9} {'GFLOP/s':>8} {'of peak':>7} "
        f"{'MB':>6} {'first s':>8} {'loss':>9}"
    )
    for name, found in row.items():
        if name == PEAK:
            continue
        if not found.measured:
            print(f"{name:>14} {found.status}")
            continue
        first, third = (1e3 * seconds for seconds in found.quartiles)
        rate = step.operations / found.median
        share = f"{rate / highest:7.1%}" if highest else f"{'-':>7}"
        memory = "-" if found.memory is None else f"{found.memory / 2**20:.0f}"
        print(
            f"{name:>14} {1e3 * found.median:9.3f} {f'{first:.3f} - {third:.3f}':>17} "
            f"{1e-3 * step.characters / found.median:9.1f} {1e-9 * rate:8.2f} {share} "
            f"{memory:>6} {found.first:8.2f} {found.check[0]:9.6f}"
        )


def facts_of(step: Step, row: Row) -> dict[str, Any]:
    """What the file says of a row besides its sizes and times."""
    return {"operations": step.operations, "peak": highest_rate(row[PEAK])}


def sizes(options: argparse.Namespace) -> list[Step]:
    """The rows that were asked for."""
    hidden = options.hidden or (QUICK_HIDDEN if options.quick else HIDDEN)
    steps = [
        Step(kind, H, layers, options.batch, options.steps)
        for kind in KINDS
        for layers in options.layers
        for H in hidden
    ]
    return [
        step
        for step in [*steps, HELLO]
        if not options.only or step.kind in options.only
    ]


def main() -> int:
    parser = parser_of(__doc__.splitlines()[0], "H = 128 only, short turns")
    parser.add_argument("--only", nargs="+", choices=[*KINDS, "hello"], help="these kinds only")
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS)
    parser.add_argument("--hidden", nargs="+", type=int, help="hidden and input sizes")
    parser.add_argument("--layers", nargs="+", type=int, default=LAYERS)
    parser.add_argument("--batch", type=int, default=Step.batch)
    parser.add_argument("--steps", type=int, default=Step.steps, help="time steps")
    options = parser.parse_args()
    return compare(
        options,
        turns_of(options, TURNS, QUICK_TURNS),
        [(step, contenders(step, options.contenders)) for step in sizes(options)],
        check=require_same_losses,
        show=print_row,
        targets=[JIT, FUSED, LOOP, JAX, NUMPY, EAGER],
        facts=facts_of,
    )


if __name__ == "__main__":
    sys.exit(main())
