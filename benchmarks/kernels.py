"""Rates of the kernels beside NumPy's and PyTorch's, and as a share of this machine's FMA peak.

    python benchmarks/kernels.py [--quick]

Each thread count runs in a process of its own, because NumPy's BLAS takes its thread count from the
environment when it is loaded. Contenders take turns within every round, and medians over the rounds
are printed, so that what else the machine does meets all of them alike. The peak is measured in
the same rounds, by a loop of independent fused multiply-adds at full vector width; a row is
compared with the highest median up to then.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUND_SECONDS = 1.5e-3
# Libraries' idle threads spin for a while after their work, OpenBLAS's for a tenth of a second.
# Each contender works this long before it is timed: until the others' threads sleep and its own
# are awake. A pause instead would let the CPUs of a virtual machine sleep, too, which take
# milliseconds to come back.
WARM_SECONDS = 10e-3
WARM_SECONDS_AFTER = {"NumPy": 0.13, "PyTorch": 0.05}
LOOP_PRODUCTS = 2e7
ASSUMED_RATE = 100e9  # products a second
WEIGHTS = [
    (64, 64),
    (64, 256),
    (128, 128),
    (128, 512),
    (256, 256),
    (256, 1024),
    (512, 512),
    (512, 2048),
    (1024, 1024),
    (2048, 512),
]
ROWS = [1, 24, 32, 48, 64, 480]
ODD = [(3, 3, 3), (7, 65, 129), (33, 127, 255), (1, 512, 65), (32, 128, 65)]
QUICK_WEIGHTS = [(128, 512), (256, 1024), (512, 2048)]
QUICK_ROWS = [1, 24, 32, 64]
SIZES = [3, 256, 4096, 16_384, 131_072, 1_048_576]
ROWS_OF_SCORES = [(32, 65), (1600, 65), (32, 10_000)]
TINY_MICROSECONDS = 1.5

Work = Callable[[], object]

# Run from a clone without installing it: the package is one directory up.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def medians(contenders: dict[str, Work], rounds: int) -> dict[str, float]:
    """Seconds for one call of each, the contenders taking turns."""
    calls = {}
    for name, work in contenders.items():
        work()
        start = time.perf_counter()
        work()
        once = max(time.perf_counter() - start, 1e-7)
        calls[name] = max(1, int(ROUND_SECONDS / once))
    seen: dict[str, list[float]] = {name: [] for name in contenders}
    before = list(contenders)[-1]
    for _ in range(rounds):
        for name, work in contenders.items():
            repeats = range(calls[name])
            warm_until = time.perf_counter() + WARM_SECONDS_AFTER.get(before, WARM_SECONDS)
            before = name
            while time.perf_counter() < warm_until:
                work()
            start = time.perf_counter()
            for _ in repeats:
                work()
            seen[name].append((time.perf_counter() - start) / calls[name])
    return {name: statistics.median(times) for name, times in seen.items()}


def compiled_loop(a: Any, packed: Any, out: Any) -> tuple[Work, int]:
    """A call that runs A · packed many times from compiled code, and how many times.

    This is the kernel as a recorded program runs it: by address, into memory that is there, on a
    team that is entered once and meets at a barrier after each product.
    """
    import numpy as np

    from tinygrad_rnn.kernels import gemm, team

    words = np.zeros(gemm.WORDS, np.int64)
    words[gemm.A], words[gemm.B], words[gemm.C] = (
        x.ctypes.data for x in (a, packed.data, out)
    )
    words[gemm.A_ROW], words[gemm.A_STEP] = a.strides
    words[gemm.C_ROW] = out.strides[0]
    words[gemm.PACKED], words[gemm.BATCH] = a.shape[1], 1
    words[gemm.ROWS], words[gemm.DEPTH], words[gemm.COLUMNS] = *a.shape, out.shape[1]
    times = max(1, int(LOOP_PRODUCTS / (a.size * out.shape[1])))

    task = gemm.gemm_task(str(a.dtype)).address
    row = [task, words.ctypes.data, team.DIVIDED + team.BARRIER]
    status = np.zeros(team.STATUS_WORDS, np.int64)
    seconds = LOOP_PRODUCTS / ASSUMED_RATE
    header = team.Header(np.array(row * times, np.int64), status, seconds)
    run = team.runner()

    def work() -> object:
        run(header.address, True)
        # Compiled code holds addresses only; the arrays have to live as long as this function.
        return header, words, a, packed, out

    return work, times


def bench_matmul(quick: bool, rounds: int, torch: Any, findings: dict[str, Any]) -> None:
    import numpy as np

    from benchmarks._peak import peak_loop
    from tinygrad_rnn import kernels
    from tinygrad_rnn.kernels.gemm import matmul_packed, pack

    peak, peak_operations = peak_loop()
    generator = np.random.default_rng(0)
    weights = QUICK_WEIGHTS if quick else WEIGHTS
    rows = QUICK_ROWS if quick else ROWS
    shapes = [(m, k, n) for k, n in weights for m in rows] + ODD
    print("matmul, GFLOP/s; B row-major, or its transpose with unit stride along K")
    print("kernel: packed B, in a compiled program; packed: called by Python; eager: matmul")
    print(
        f"{'M x K x N':>16} {'B':>5} {'kernel':>7} {'packed':>7} {'eager':>7} {'NumPy':>7} "
        f"{'PyTorch':>7} {'peak':>6} {'kernel/peak':>11} {'eager/NumPy':>11}"
    )
    shares = []
    ratios = []
    highest = 0.0
    for m, k, n in shapes:
        a = generator.standard_normal((m, k), dtype=np.float32)
        for layout in ("row", "trans"):
            b = generator.standard_normal((k, n), dtype=np.float32)
            if layout == "trans":
                b = np.ascontiguousarray(b.T).T
            packed = pack(b)
            loop, times = compiled_loop(a, packed, np.empty((m, n), np.float32))
            contenders: dict[str, Work] = {
                "peak": peak,
                "kernel": loop,
                "packed": lambda a=a, packed=packed: matmul_packed(a, packed),
                "eager": lambda a=a, b=b: kernels.matmul(a, b),
                "NumPy": lambda a=a, b=b: a @ b,
            }
            if torch is not None:
                ta, tb = torch.from_numpy(a), torch.from_numpy(b)
                contenders["PyTorch"] = lambda ta=ta, tb=tb: torch.mm(ta, tb)
            seconds = medians(contenders, rounds)
            seconds["kernel"] /= times
            rate = {name: 2e-9 * m * k * n / time for name, time in seconds.items()}
            # What other programs take from the peak must not flatter a kernel.
            highest = max(highest, 1e-9 * peak_operations / seconds["peak"])
            share = rate["kernel"] / highest
            ratio = rate["eager"] / rate["NumPy"]
            ratios.append((ratio, f"{m}x{k}x{n} {layout}"))
            if m >= 24 and k >= 128 and n >= 128:
                shares.append((share, f"{m}x{k}x{n}"))
            shape = f"{m} x {k} x {n}"
            other = f"{rate['PyTorch']:7.1f}" if torch is not None else "      -"
            print(
                f"{shape:>16} {layout:>5} {rate['kernel']:7.1f} {rate['packed']:7.1f} "
                f"{rate['eager']:7.1f} {rate['NumPy']:7.1f} {other} {highest:6.0f} {share:11.2f} "
                f"{ratio:11.2f}"
            )
    a = generator.standard_normal((16, 32, 64), dtype=np.float32)
    b = generator.standard_normal((16, 64, 32), dtype=np.float32)
    seconds = medians({"ours": lambda: kernels.matmul(a, b), "NumPy": lambda: a @ b}, rounds)
    print(
        f"16 of 32 x 64 x 32: {2e-9 * a.size * 32 / seconds['ours']:.1f} "
        f"NumPy {2e-9 * a.size * 32 / seconds['NumPy']:.1f}"
    )
    ratios.append((seconds["NumPy"] / seconds["ours"], "16 of 32x64x32"))
    findings["share"] = min(shares)
    findings["median_share"] = statistics.median(share for share, _ in shares)
    findings["share_of_total"] = shares
    findings["ratio"] = min(ratios)
    findings["slower"] = sorted(name for ratio, name in ratios if ratio < 0.9)


def bench_elements(rounds: int, torch: Any, findings: dict[str, Any]) -> None:
    import numpy as np

    from tinygrad_rnn import kernels

    generator = np.random.default_rng(0)
    print("\nelement by element, ns an element (3 elements: ns a call)")
    print(f"{'function':>12} {'elements':>10} {'ours':>8} {'NumPy':>8} {'PyTorch':>8}")
    ratios = []
    numpy_functions: dict[str, Callable[[Any], Any]] = {
        "exp": np.exp,
        "tanh": np.tanh,
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    }
    for name in ("exp", "tanh", "sigmoid", "erf"):
        ours = getattr(kernels, name)
        for size in SIZES:
            x = generator.standard_normal(size, dtype=np.float32)
            contenders: dict[str, Work] = {"ours": lambda x=x, ours=ours: ours(x)}
            if name in numpy_functions:
                contenders["NumPy"] = lambda x=x, other=numpy_functions[name]: other(x)
            if torch is not None:
                tensor = torch.from_numpy(x)
                other = getattr(torch, name)
                contenders["PyTorch"] = lambda t=tensor, other=other: other(t)
            print_row(name, size, medians(contenders, rounds), ratios)
    for shape in ROWS_OF_SCORES:
        x = generator.standard_normal(shape, dtype=np.float32)
        for name in ("softmax", "log_softmax"):
            ours = getattr(kernels, name)
            contenders = {"ours": lambda x=x, ours=ours: ours(x, 1)}
            if name == "softmax":
                contenders["NumPy"] = lambda x=x: numpy_softmax(x)
            if torch is not None:
                tensor = torch.from_numpy(x)
                other = getattr(torch, name)
                contenders["PyTorch"] = lambda t=tensor, other=other: other(t, 1)
            label = f"{shape[0]}x{shape[1]}"
            print_row(name, x.size, medians(contenders, rounds), ratios, label)
    out = np.empty(16_384, np.float32)
    contenders = {
        "ours": lambda: kernels.fill_uniform(out, 1, 2),
        "NumPy": lambda: generator.random(dtype=np.float32, out=out),
    }
    print_row("uniform", out.size, medians(contenders, rounds), [])
    findings["element_ratio"] = min(ratios)
    findings["elements_slower"] = sorted(name for ratio, name in ratios if ratio < 1)

    small = np.ones((3, 3), np.float32)
    seconds = medians(
        {"matmul": lambda: kernels.matmul(small, small), "tanh": lambda: kernels.tanh(small)},
        rounds,
    )
    findings["tiny"] = {name: 1e6 * value for name, value in seconds.items()}


def numpy_softmax(x: Any) -> Any:
    import numpy as np

    powers = np.exp(x - x.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def print_row(
    name: str,
    size: int,
    seconds: dict[str, float],
    ratios: list[tuple[float, str]],
    label: str = "",
) -> None:
    if "NumPy" in seconds and size > 3:
        ratios.append((seconds["NumPy"] / seconds["ours"], f"{name} of {label or size}"))
    count = 1 if size == 3 else size
    cells = [
        f"{1e9 * seconds[who] / count:8.3f}" if who in seconds else f"{'-':>8}"
        for who in ("ours", "NumPy", "PyTorch")
    ]
    print(f"{name:>12} {label or size:>10} {' '.join(cells)}")


def run_one(count: int, quick: bool) -> None:
    """All measurements on `count` threads; the last line is the findings as JSON."""
    from tinygrad_rnn import kernels

    kernels.set_num_threads(count)
    try:
        import torch
    except ImportError:
        torch = None
        print("PyTorch is not installed: its columns stay empty")
    else:
        torch.set_num_threads(count)
        torch.set_grad_enabled(False)
    rounds = 7 if quick else 15
    findings: dict[str, Any] = {}
    bench_matmul(quick, rounds, torch, findings)
    bench_elements(rounds, torch, findings)
    print("FINDINGS " + json.dumps(findings))


def summary(count: int, findings: dict[str, Any]) -> None:
    def line(met: bool, text: str) -> None:
        print(f"{'met   ' if met else 'missed'} {text}")

    threads = f"{count} thread{'s' if count > 1 else ''}"
    goal = 0.85 if count == 1 else 0.80
    share, shape = findings["share"]
    reached = sum(value >= goal for value, _ in findings["share_of_total"])
    line(
        share >= goal,
        f"{threads}: matmul kernel at least {goal:.0%} of the peak: median "
        f"{findings['median_share']:.0%}, lowest {share:.0%} at {shape}, "
        f"{reached} of {len(findings['share_of_total'])} shapes reach it",
    )
    ratio, shape = findings["ratio"]
    slower = ", ".join(findings["slower"])
    line(
        ratio >= 0.9,
        f"{threads}: whole matmul call at least 0.9 x NumPy's rate: lowest {ratio:.2f} x at {shape}"
        + (f" (below: {slower})" if slower else ""),
    )
    ratio, name = findings["element_ratio"]
    slower = ", ".join(findings["elements_slower"])
    line(
        ratio >= 1,
        f"{threads}: element functions not slower than NumPy: lowest {ratio:.2f} x at {name}"
        + (f" (below: {slower})" if slower else ""),
    )
    tiny = findings["tiny"]
    line(
        max(tiny.values()) <= TINY_MICROSECONDS,
        f"{threads}: a 3x3 call in {TINY_MICROSECONDS} µs: matmul {tiny['matmul']:.2f} µs, "
        f"tanh {tiny['tanh']:.2f} µs",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer shapes and rounds")
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        run_one(options.threads, options.quick)
        return
    found = {}
    for count in (1, 2):
        print(f"\n=== {count} thread{'s' if count > 1 else ''} ===")
        environment = dict(os.environ)
        for library in ("OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM"):
            environment[f"{library}_NUM_THREADS"] = str(count)
        command = [sys.executable, __file__, f"--threads={count}"]
        if options.quick:
            command.append("--quick")
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            for text in run.stdout:
                if text.startswith("FINDINGS "):
                    found[count] = json.loads(text.removeprefix("FINDINGS "))
                else:
                    print(text, end="", flush=True)
    print("\n=== targets ===")
    for count, findings in found.items():
        summary(count, findings)


if __name__ == "__main__":
    main()
