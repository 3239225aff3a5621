"""Characters per second when a model writes: this library, PyTorch and JAX.

    python benchmarks/generate.py [--quick] [--threads 1] [--json FILE]

An LSTM over 65 symbols at batch 1; each character is drawn from softmax(logits / temperature).
"JAX", PyTorch and "ours eager" return to Python for each; "ours jit" and "JAX in blocks" draw the
same number of characters in one compiled call. All have the same weights, and have to write the
same text when they take the most probable symbol; then they take turns as in train_step.py. Printed
are the median and the quartiles of the time per character, characters per second, the bytes of
weights read per second, the process's peak memory, and how long the first call took.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._sampling import BLOCK, CHECKED, Sampling
from benchmarks._targets import print_targets
from benchmarks._workers import (
    Contender,
    DisagreementError,
    Row,
    describe_machine,
    failures,
    measure,
    usable_cpus,
)

MODELS = [(2, 512), (1, 128)]
THREADS = [1, 2]
LENGTH = 200
REPEAT = 9
QUICK_REPEAT = 5
TURN_SECONDS = 0.5
QUICK_TURN_SECONDS = 0.1
FLOAT_BYTES = 4
NAMES = ["ours eager", "ours jit", "PyTorch LSTM", "PyTorch cells", "JAX", "JAX in blocks"]
EAGER, JIT, FUSED, CELLS, JAX, BLOCKS = NAMES


def contenders(sampling: Sampling) -> dict[str, Contender]:
    """Every contender of sampling, by the name printed."""
    settings = dataclasses.asdict(sampling)

    def contender(module: str, **arguments: Any) -> Contender:
        return Contender(
            f"benchmarks._rivals.{module}", "sampler", {"settings": settings} | arguments
        )

    return {
        EAGER: contender("ours", jit=False),
        JIT: contender("ours", jit=True),
        FUSED: contender("pytorch", fused=True),
        CELLS: contender("pytorch", fused=False),
        JAX: contender("jax_scan", block=1),
        BLOCKS: contender("jax_scan", block=BLOCK),
    }


def require_same_text(checks: dict[str, Any]) -> None:
    """Raise DisagreementError when the most probable texts differ."""
    for name, text in checks.items():
        reference, expected = next(iter(checks.items()))
        if text != expected or len(text) != CHECKED:
            raise DisagreementError(
                f"{name} writes {text!r} and {reference} {expected!r}: they do not compute the "
                "same, so times say nothing"
            )


def print_row(sampling: Sampling, threads: int, row: Row) -> None:
    """One line a contender."""
    weights = FLOAT_BYTES * sum(math.prod(shape) for shape in sampling.shapes.values())
    plural = "s" if threads > 1 else ""
    print(
        f"\n{sampling.title}, {1e-6 * weights:.1f} MB of weights, {threads} thread{plural}"
        + row.warning()
    )
    print(
        f"{'':>14} {'µs/char':>9} {'quartiles':>17} {'char/s':>9} {'GB/s':>6} {'MB':>6} "
        f"{'first s':>8}"
    )
    for name, found in row.items():
        if not found.measured:
            print(f"{name:>14} {found.status}")
            continue
        first, third = (1e6 * seconds / sampling.length for seconds in found.quartiles)
        rate = sampling.length / found.median
        memory = "-" if found.memory is None else f"{found.memory / 2**20:.0f}"
        print(
            f"{name:>14} {1e6 / rate:9.1f} {f'{first:.1f} - {third:.1f}':>17} {rate:9.0f} "
            f"{1e-9 * rate * weights:6.1f} {memory:>6} {found.first:8.2f}"
        )
    sys.stdout.flush()


def as_json(rows: dict[tuple[Sampling, int], Row]) -> dict[str, Any]:
    """All that was measured."""
    return {
        "machine": describe_machine(),
        "rows": [
            dataclasses.asdict(sampling)
            | {
                "title": sampling.title,
                "threads": threads,
                "cpus_used_by_others": row.others,
                "contenders": {name: found.as_json() for name, found in row.items()},
            }
            for (sampling, threads), row in rows.items()
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short turns")
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS)
    parser.add_argument("--hidden", type=int, help="with --layers: this one size instead")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--length", type=int, default=LENGTH, help="characters of a call")
    parser.add_argument("--repeat", type=int, help="rounds of turns")
    parser.add_argument("--turn", type=float, help="seconds of a turn")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    rounds = options.repeat or (QUICK_REPEAT if options.quick else REPEAT)
    turn = options.turn or (QUICK_TURN_SECONDS if options.quick else TURN_SECONDS)
    models = [(options.layers, options.hidden)] if options.hidden else MODELS

    print(describe_machine())
    rows: dict[tuple[Sampling, int], Row] = {}
    for layers, hidden in models:
        sampling = Sampling(hidden, layers, options.length)
        for threads in options.threads:
            if threads > len(usable_cpus()):
                print(f"\n{threads} threads are not measured: there are fewer CPUs")
                continue
            chosen = {k: c for k, c in contenders(sampling).items() if k in options.contenders}
            try:
                row = measure(chosen, threads, rounds, turn, require_same_text)
            except DisagreementError as error:
                print(f"error: {sampling.title}: {error}", file=sys.stderr)
                return 1
            rows[sampling, threads] = row
            print_row(sampling, threads, row)
    print_targets(rows, JIT, [FUSED, CELLS, JAX, BLOCKS, EAGER])
    if options.json:
        options.json.write_text(json.dumps(as_json(rows), indent=2, ensure_ascii=False) + "\n")
    return int(any(failures(row.values()) for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
