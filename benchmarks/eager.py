"""Time of a training step that nothing compiles: a cell of one's own, here and in PyTorch.

    python benchmarks/eager.py [--quick] [--threads 1] [--hidden 128] [--json FILE]

The cell is the peephole LSTM of train_step.py, written as the same tensor math for both libraries;
what a step is, how the contenders take turns, and what is printed are as described there. At the
end stands how many times as fast this library is as PyTorch.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._steps import Step
from benchmarks._targets import print_targets
from benchmarks._workers import (
    DisagreementError,
    Row,
    describe_machine,
    failures,
    measure,
    usable_cpus,
)
from benchmarks.train_step import (
    EAGER,
    LOOP,
    PEAK,
    as_json,
    contenders,
    print_row,
    require_same_losses,
)

THREADS = [1, 2]
# Steps of Python code scatter more than kernels do: more and shorter turns.
REPEAT = 25
QUICK_REPEAT = 5
TURN_SECONDS = 0.2
QUICK_TURN_SECONDS = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few and short turns")
    parser.add_argument("--threads", nargs="+", type=int, default=THREADS)
    parser.add_argument("--hidden", type=int, default=128, help="hidden and input size")
    parser.add_argument("--batch", type=int, default=Step.batch)
    parser.add_argument("--steps", type=int, default=Step.steps, help="time steps")
    parser.add_argument("--repeat", type=int, help="rounds of turns")
    parser.add_argument("--turn", type=float, help="seconds of a turn")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    rounds = options.repeat or (QUICK_REPEAT if options.quick else REPEAT)
    turn = options.turn or (QUICK_TURN_SECONDS if options.quick else TURN_SECONDS)

    print(describe_machine())
    step = Step("peephole", options.hidden, 1, options.batch, options.steps)
    both = {name: contenders(step)[name] for name in (EAGER, LOOP)}
    rows: dict[tuple[Step, int], Row] = {}
    for threads in options.threads:
        if threads > len(usable_cpus()):
            print(f"\n{threads} threads are not measured: there are fewer CPUs")
            continue
        try:
            row = measure({"peak": PEAK} | both, threads, rounds, turn, require_same_losses)
        except DisagreementError as error:
            print(f"error: {step.title}: {error}", file=sys.stderr)
            return 1
        rows[step, threads] = row
        print_row(step, threads, row)
    print_targets(rows, EAGER, [LOOP])
    if options.json:
        options.json.write_text(json.dumps(as_json(rows), indent=2) + "\n")
    return int(any(failures(row.values()) for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
