"""Time of a training step that nothing compiles: a cell of one's own, here and in PyTorch.

    python benchmarks/eager.py [--quick] [--threads 1] [--hidden 128] [--json FILE]

The cell is the peephole LSTM of train_step.py, written as the same tensor math for both libraries;
what a step is, how the contenders take turns, and what is printed are as described there. At the
end stands how many times as fast this library is as PyTorch.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._comparison import THREADS, Turns, compare, parser_of, turns_of
from benchmarks._steps import Step
from benchmarks.train_step import (
    EAGER,
    LOOP,
    contenders,
    facts_of,
    print_row,
    require_same_losses,
)

# Steps of Python code scatter more than kernels do: more and shorter turns.
TURNS = Turns(25, 0.2)
QUICK_TURNS = Turns(5, 0.1)


def main() -> int:
    parser = parser_of(__doc__.splitlines()[0], "few and short turns")
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS)
    parser.add_argument("--hidden", type=int, default=128, help="hidden and input size")
    parser.add_argument("--batch", type=int, default=Step.batch)
    parser.add_argument("--steps", type=int, default=Step.steps, help="time steps")
    options = parser.parse_args()
    step = Step("peephole", options.hidden, 1, options.batch, options.steps)
    return compare(
        options,
        turns_of(options, TURNS, QUICK_TURNS),
        [(step, contenders(step, [EAGER, LOOP]))],
        check=require_same_losses,
        show=print_row,
        targets=[EAGER, LOOP],
        facts=facts_of,
    )


if __name__ == "__main__":
    sys.exit(main())
