"""Contenders in processes of their own, measured in turns.

Libraries keep idle threads that spin for a while after their work, and most take their thread
count from the environment when they are loaded. So each contender is prepared in a worker process
with that environment and its own share of the CPUs. A worker waits for its turn on its standard
input, where it uses no CPU. Turns go round, so that what else the machine does meets all alike.

The parent imports neither NumPy nor any contender: a child's peak memory counts from its parent's.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# After each turn the libraries' idle threads spin for some milliseconds more; the pause outlasts
# them.
SETTLE_SECONDS = 10e-3
WARM_SECONDS = 20e-3
# A call that takes longer than this needs no warming: its own beginning does that.
LONG_CALL_SECONDS = 100e-3
BLOCK_SECONDS = 1e-3
# What the system itself does in the background stays below this.
BUSY_CPUS = 0.1
NOT_INSTALLED = "not installed"


class UnavailableError(Exception):
    """A contender that cannot take part; the message is printed in its place."""


class DisagreementError(Exception):
    """Contenders that do not compute the same, so that their times say nothing."""


@dataclasses.dataclass
class Work:
    """What a contender prepared.

    Attributes:
        call: what is timed.
        check: turns the first call's result into what has to agree among the contenders.
        facts: anything else that the parent wants to know.
    """

    call: Callable[[], Any]
    check: Callable[[Any], Any] = lambda first: None
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Contender:
    """Where a contender's work is prepared: `function(**arguments, threads=…)` of a module."""

    module: str
    function: str
    arguments: dict[str, Any]


@dataclasses.dataclass
class Measurement:
    """What one worker told: either why it was not measured, or the seconds of its calls."""

    status: str = ""
    first: float | None = None
    check: Any = None
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    memory_imported: int | None = None
    memory: int | None = None
    seconds: list[float] = dataclasses.field(default_factory=list)

    @property
    def measured(self) -> bool:
        """Whether there are times."""
        return bool(self.seconds)

    @property
    def median(self) -> float:
        """Seconds for one call."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third quartile of the seconds for one call."""
        if len(self.seconds) < 2:
            return self.seconds[0], self.seconds[0]
        first, _, third = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return first, third

    def times_as_fast_as(self, other: Measurement | None) -> str:
        """How many times as long the other takes, or a dash where one was not measured."""
        if other is None or not other.measured or not self.measured:
            return "-"
        return f"{other.median / self.median:.2f}"

    def as_json(self) -> dict[str, Any]:
        """Return what was measured, summed up."""
        if not self.measured:
            return {"status": self.status}
        first, third = self.quartiles
        return {
            "status": "measured",
            "median": self.median,
            "quartiles": [first, third],
            "calls": len(self.seconds),
            "first_call": self.first,
            "memory": self.memory,
            "memory_imported": self.memory_imported,
            "check": self.check,
        }


class Row(dict[str, Measurement]):
    """What contenders measured in turns; `others` is how many CPUs other programs used meanwhile.

    Two threads that wait for each other lose far more to another program than one thread does.
    """

    others: float | None = None

    @property
    def disturbed(self) -> bool:
        """Whether other programs took CPUs, so that the times are not to be relied on."""
        return self.others is not None and self.others >= BUSY_CPUS

    def warning(self) -> str:
        """What follows a row's title where other programs disturbed it."""
        return f"; * other programs used {self.others:.1f} CPUs" if self.disturbed else ""


DISTURBED = "* Other programs used the CPUs at that time; do not rely on the figures."

# ---------------------------------------------------------------------- in the parent


def usable_cpus() -> list[int]:
    """The CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def describe_machine() -> str:
    """Name the processor and the number of CPUs."""
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {len(usable_cpus())} CPUs, Python {platform.python_version()}"


def environment(threads: int) -> dict[str, str]:
    """The environment in which libraries start with `threads` threads."""
    changed = dict(os.environ)
    for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM"):
        changed[f"{library}_NUM_THREADS"] = str(threads)
    # XLA reads its pool's size from here; its flags only turn threads off.
    changed["NPROC"] = str(threads)
    changed["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        changed["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    return changed


def busy_seconds() -> float | None:
    """Seconds that all CPUs together have worked since the machine started, where it tells."""
    statistics_file = Path("/proc/stat")
    if not statistics_file.exists():
        return None
    user, nice, system, _, _, irq, softirq, steal = map(
        int, statistics_file.read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


class Worker:
    """A process that prepares one contender and runs it when told to."""

    def __init__(self, contender: Contender, threads: int) -> None:
        self.measurement = Measurement()
        self.processor_seconds = 0.0
        order = dataclasses.asdict(contender) | {
            "threads": threads,
            "cpus": usable_cpus()[:threads],
        }
        start = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
            "from benchmarks._workers import serve; serve()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", start, json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(threads),
            text=True,
        )

    @property
    def able(self) -> bool:
        """Whether nothing has gone wrong so far."""
        return not self.measurement.status

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"status": "failed: it ended early"}
        self.measurement.status = answer.get("status", "")
        self.measurement.memory = answer.get("memory")
        self.processor_seconds = answer.get("processor_seconds", self.processor_seconds)
        return answer

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self.measurement.status = "failed: it ended early"
            return {}
        return self._receive()

    def wait_for_import(self) -> None:
        """Wait until the contender's library is loaded."""
        self._receive()
        self.measurement.memory_imported = self.measurement.memory

    def prepare(self) -> None:
        """Let it prepare, call once and check."""
        answer = self._ask({"do": "prepare"})
        self.measurement.first = answer.get("first")
        self.measurement.check = answer.get("check")
        self.measurement.facts = answer.get("facts", {})

    def run(self, seconds: float) -> None:
        """Let it call again and again for some time, at least once."""
        answer = self._ask({"do": "run", "seconds": seconds})
        self.measurement.seconds += answer.get("seconds", [])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@contextmanager
def started(contenders: dict[str, Contender], threads: int) -> Iterator[dict[str, Worker]]:
    """Workers that have loaded their libraries and prepared, one after the other."""
    workers: dict[str, Worker] = {}
    try:
        for name, contender in contenders.items():
            workers[name] = Worker(contender, threads)
        for worker in workers.values():
            worker.wait_for_import()
        for worker in workers.values():
            if worker.able:
                time.sleep(SETTLE_SECONDS)
                worker.prepare()
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def measure(
    contenders: dict[str, Contender],
    threads: int,
    rounds: int,
    seconds: float,
    check: Callable[[dict[str, Any]], None] = lambda checks: None,
) -> Row:
    """Measure all in turns of some seconds.

    `check` gets what each contender's check returned, before any time is taken.
    """
    with started(contenders, threads) as workers:
        able = {name: worker for name, worker in workers.items() if worker.able}
        check({name: worker.measurement.check for name, worker in able.items()})

        def ours() -> float:
            own = sum(worker.processor_seconds for worker in workers.values())
            return own + time.process_time()

        start, busy, own = time.perf_counter(), busy_seconds(), ours()
        for _ in range(rounds):
            for worker in able.values():
                if worker.able:
                    time.sleep(SETTLE_SECONDS)
                    worker.run(seconds)
        found = Row({name: worker.measurement for name, worker in workers.items()})
        busy_now = busy_seconds()
        if busy is not None and busy_now is not None:
            by_others = busy_now - busy - (ours() - own)
            found.others = max(0.0, by_others / (time.perf_counter() - start))
    for measurement in found.values():
        if measurement.status:
            # Times up to a failure would look like a result.
            measurement.seconds = []
    return found


def failures(found: Iterable[Measurement]) -> bool:
    """Whether one of them failed, as opposed to not being there."""
    return any(measurement.status.startswith("failed") for measurement in found)


def power_of(points: Sequence[tuple[float, float]]) -> float:
    """The exponent p of y = a · x^p, fitted to points (x, y) on logarithmic scales."""
    import math

    return statistics.linear_regression(
        [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    ).slope


# ---------------------------------------------------------------------- in the worker


def peak_memory() -> int | None:
    """The most memory, in bytes, that this process has held at a time."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def serve() -> None:
    """Be a worker: one JSON line in, one out."""
    # What libraries print goes to standard error, so that it cannot get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**facts: Any) -> None:
        facts |= {"memory": peak_memory(), "processor_seconds": time.process_time()}
        answers.write(json.dumps(facts) + "\n")
        answers.flush()

    order = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, order["cpus"])
    work: Work | None = None
    typical = 0.0
    try:
        module = importlib.import_module(order["module"])
        answer()
        for line in sys.stdin:
            request = json.loads(line)
            if work is None:
                function = getattr(module, order["function"])
                work = function(**order["arguments"], threads=order["threads"])
                start = time.perf_counter()
                result = work.call()
                first = time.perf_counter() - start
                checked = work.check(result)
                start = time.perf_counter()
                work.call()
                typical = time.perf_counter() - start
                answer(first=first, check=checked, facts=work.facts)
            else:
                times = timed(work.call, typical, request["seconds"])
                typical = statistics.median(times)
                answer(seconds=times)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("benchmarks", "tinygrad_rnn"):
            raise
        answer(status=NOT_INSTALLED)
    except UnavailableError as error:
        answer(status=str(error))
    except Exception as error:
        traceback.print_exc()
        answer(status=f"failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}")


def timed(call: Callable[[], Any], typical: float, seconds: float) -> list[float]:
    """Seconds of single calls; those too short to be timed alone are timed in blocks."""
    now = time.perf_counter
    if typical < LONG_CALL_SECONDS:
        warm_until = now() + min(WARM_SECONDS, seconds)
        while now() < warm_until:
            call()
    block = range(max(1, int(BLOCK_SECONDS / max(typical, 1e-7))))
    times = []
    until = now() + seconds
    while not times or now() < until:
        start = now()
        for _ in block:
            call()
        times.append((now() - start) / len(block))
    return times
