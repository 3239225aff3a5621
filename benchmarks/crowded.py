"""A compiled training step beside other programs that want the CPUs.

    python benchmarks/crowded.py [--hidden 128] [--seconds 3] [--busy 0 1 2 4]

Prints milliseconds of a step of train_step.py's LSTM, with one thread and with all, beside so many
processes that do nothing but compute: the mean, the median and the longest.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks._rivals.ours import train_step
from benchmarks._steps import Step
from tinygrad_rnn import get_num_threads

WARM_CALLS = 5
SETTLE_SECONDS = 0.3


@contextmanager
def beside(busy: int) -> Iterator[None]:
    """Processes that compute until the block ends."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(busy)]
    time.sleep(SETTLE_SECONDS)
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden", type=int, default=128, help="hidden and input size")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2, 4], help="processes")
    options = parser.parse_args()
    step = dataclasses.asdict(Step("lstm", options.hidden))
    print(f"{'busy':>4} {'threads':>7} {'mean':>7} {'median':>7} {'longest':>7}   ms a step")
    threads = sorted({1, get_num_threads()})
    for busy in options.busy:
        for count in threads:
            call = train_step(count, step, True).call
            for _ in range(WARM_CALLS):
                call()
            times = []
            with beside(busy):
                end = time.perf_counter() + options.seconds
                while time.perf_counter() < end:
                    begun = time.perf_counter()
                    call()
                    times.append(1e3 * (time.perf_counter() - begun))
            print(
                f"{busy:4} {count:7} {statistics.mean(times):7.2f} "
                f"{statistics.median(times):7.2f} {max(times):7.1f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
