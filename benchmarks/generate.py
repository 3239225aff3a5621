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

import dataclasses
import math
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._comparison import THREADS, Turns, compare, parser_of, turns_of
from benchmarks._sampling import BLOCK, CHECKED, Sampling
from benchmarks._workers import Contender, DisagreementError, Row

MODELS = [(2, 512), (1, 128)]
LENGTH = 200
TURNS = Turns(9, 0.5)
QUICK_TURNS = Turns(5, 0.1)
FLOAT_BYTES = 4
NAMES = ["ours eager", "ours jit", "PyTorch LSTM", "PyTorch cells", "JAX", "JAX in blocks"]
EAGER, JIT, FUSED, CELLS, JAX, BLOCKS = NAMES


def contenders(sampling: Sampling, names: Collection[str]) -> dict[str, Contender]:
    """The contenders of sampling, by the name printed."""
    settings = dataclasses.asdict(sampling)

    def contender(module: str, **arguments: Any) -> Contender:
        return Contender(
            f"benchmarks._rivals.{module}", "sampler", {"settings": settings} | arguments
        )

    every = {
        EAGER: contender("ours", jit=False),
        JIT: contender("ours", jit=True),
        FUSED: contender("pytorch", fused=True),
        CELLS: contender("pytorch", fused=False),
        JAX: contender("jax_scan", block=1),
        BLOCKS: contender("jax_scan", block=BLOCK),
    }
    return {name: found for name, found in every.items() if name in names}


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


def main() -> int:
    parser = parser_of(__doc__.splitlines()[0], "short turns")
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS)
    parser.add_argument("--hidden", type=int, help="with --layers: this one size instead")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--length", type=int, default=LENGTH, help="characters of a call")
    options = parser.parse_args()
    models = [(options.layers, options.hidden)] if options.hidden else MODELS
    planned = [Sampling(hidden, layers, options.length) for layers, hidden in models]
    return compare(
        options,
        turns_of(options, TURNS, QUICK_TURNS),
        [(sampling, contenders(sampling, options.contenders)) for sampling in planned],
        check=require_same_text,
        show=print_row,
        targets=[JIT, FUSED, CELLS, JAX, BLOCKS, EAGER],
    )


if __name__ == "__main__":
    sys.exit(main())
