"""Long memory: two tasks that need an early input at the end, and who learns them.

    python examples/long_memory.py                          both tasks, half a minute
    python examples/long_memory.py --task adding --length 200 --updates 3000
    python examples/long_memory.py --task copy --length 50 --cells lstm gru

The adding problem (Hochreiter and Schmidhuber, 1997, in the form of Le et al., 2015): each of T
steps shows a number from [0, 1] and whether it is marked; the sum of the two numbers marked is to
be said at the end. Who always says 1 has a squared error of 1/6, the variance of that sum.

The copy task (Hochreiter and Schmidhuber, 1997; Arjovsky et al., 2016): ten symbols of eight, some
blanks, a sign, and then ten steps in which the symbols are to be said in order, T + 20 steps in
all. Who remembers nothing says blanks, then guesses, and loses 10 ln 8 / (T + 20) nats a step.

A vanilla RNN, LSTM, GRU and IRNN (ReLU, begun with W_hh = I) learn each on the same sequences.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from common import Outcome, parser_of, run, say_picture

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn, optim, training
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn import functional

SYMBOLS, COPIED = 8, 10
BLANK, SIGN = SYMBOLS, SYMBOLS + 1
MEASURED_EVERY = 50
"""Updates between two points of a learning curve."""
HELD_OUT = 1000
"""Sequences to measure with. Chance moves the baseline of the adding problem on them by 4 %."""

Batch = tuple[np.ndarray, np.ndarray]


class Kind(NamedTuple):
    """A recurrent layer, and the learning rate that suits it."""

    layer: Callable[[int, int], nn.Recurrent]
    rate: float


def lstm(inputs: int, hidden: int) -> nn.Recurrent:
    # A forget gate that begins open keeps the gradient alive (Jozefowicz et al., 2015).
    return nn.init.recurrent_(nn.LSTM(inputs, hidden), forget_bias=1.0)


KINDS = {
    "rnn": Kind(lambda inputs, hidden: nn.RNN(inputs, hidden), 1e-3),
    "lstm": Kind(lstm, 1e-2),
    "gru": Kind(lambda inputs, hidden: nn.GRU(inputs, hidden), 1e-2),
    "irnn": Kind(lambda inputs, hidden: nn.Recurrent(nn.IRNNCell(inputs, hidden)), 1e-3),
}


class Task(NamedTuple):
    """What is to be remembered.

    Attributes:
        inputs, outputs: features of each step.
        baseline: the loss of who remembers nothing.
        batch: makes sequences (T, B, inputs) and targets.
        loss: of outputs (T, B, outputs) and targets.
        length: T, unless another is asked for.
        unit: of the loss.
    """

    inputs: int
    outputs: int
    baseline: Callable[[int], float]
    batch: Callable[[int, int, np.random.Generator], Batch]
    loss: Callable[[Tensor, Tensor], Tensor]
    length: int
    unit: str


def adding(length: int, size: int, random: np.random.Generator) -> Batch:
    """Return numbers with two of them marked, one in each half, and their sums."""
    values, marks = random.random((length, size)), np.zeros((length, size))
    rows, half = np.arange(size), length // 2
    first, second = random.integers(0, half, size), random.integers(half, length, size)
    marks[first, rows] = marks[second, rows] = 1.0
    targets = values[first, rows] + values[second, rows]
    return np.stack([values, marks], -1).astype(np.float32), targets.astype(np.float32)


def copying(length: int, size: int, random: np.random.Generator) -> Batch:
    """Return symbols, blanks and a sign as one-hot vectors, and what is to be said at each step."""
    steps = length + 2 * COPIED
    symbols = random.integers(0, SYMBOLS, (COPIED, size))
    shown, said = np.full((2, steps, size), BLANK)
    shown[:COPIED], shown[steps - COPIED - 1], said[-COPIED:] = symbols, SIGN, symbols
    return np.eye(SYMBOLS + 2, dtype=np.float32)[shown], said


TASKS = {
    "adding": Task(
        inputs=2,
        outputs=1,
        baseline=lambda length: 1 / 6,
        batch=adding,
        loss=lambda y, targets: functional.mse_loss(y[-1].squeeze(-1), targets),
        length=50,
        unit="squared error",
    ),
    "copy": Task(
        inputs=SYMBOLS + 2,
        outputs=SYMBOLS + 1,
        baseline=lambda length: COPIED * math.log(SYMBOLS) / (length + 2 * COPIED),
        batch=copying,
        loss=lambda y, said: functional.cross_entropy(y.flatten(0, 1), said.flatten()),
        length=10,
        unit="nats a step",
    ),
}


def learn(
    name: str, task: Task, length: int, kind: str, options: argparse.Namespace
) -> training.Fitted:
    """Train one layer on one task; its loss on sequences held out is measured on the way."""
    tg.manual_seed(options.seed)
    layer = KINDS[kind].layer(task.inputs, options.hidden)
    model = nn.ModuleDict({"layer": layer, "readout": nn.Linear(options.hidden, task.outputs)})
    optimizer = optim.Adam(model.parameters(), lr=KINDS[kind].rate)
    held_out = task.batch(length, HELD_OUT, np.random.default_rng((options.seed, 1)))

    def loss_of_batch(x: Tensor, targets: Tensor) -> Tensor:
        h, _ = layer(x)
        return task.loss(model["readout"](h), targets)

    def batches(epoch: int) -> Iterator[Batch]:
        random = np.random.default_rng((options.seed, 0, epoch))
        for _ in range(min(MEASURED_EVERY, options.updates)):
            yield task.batch(length, options.batch, random)

    return training.fit(
        model,
        optimizer,
        loss_of_batch,
        batches,
        lambda: loss_of_batch(*map(tg.tensor, held_out)).item(),
        epochs=max(1, options.updates // MEASURED_EVERY),
        clip=1.0,
        folder=options.out / f"{name}-{kind}",
        progress=False,
        jit=not options.no_jit,
    )


def long_memory(options: argparse.Namespace) -> Outcome:
    for name in ("length", "hidden", "updates", "batch"):
        value = getattr(options, name)
        if value is not None and value < (2 if name == "length" else 1):
            raise ArgumentError(f"--{name} is {value}; the least is {2 if name == 'length' else 1}")
    metrics: dict[str, float] = {}
    interrupted = False
    for name in TASKS if options.task == "both" else [options.task]:
        task = TASKS[name]
        length = options.length or task.length
        baseline = task.baseline(length)
        print(f"\n{name}, T = {length}: remembering nothing costs {baseline:.4f} ({task.unit})")
        print(f"{'':8s}{'at the end':>12s}{'best':>10s}{'of baseline':>14s}{'seconds':>10s}")
        curves = {}
        for kind in options.cells:
            fitted = learn(name, task, length, kind, options)
            interrupted = fitted.stopped == "interrupted"
            if fitted.best is not None:
                losses = [record["validation"] for record in fitted.records]
                updates = [record["epoch"] * MEASURED_EVERY for record in fitted.records]
                curves[kind.upper()] = (updates, losses)
                share, seconds = fitted.best / baseline, fitted.records[-1]["seconds"]
                print(
                    f"{kind.upper():8s}{losses[-1]:12.4f}{fitted.best:10.4f}{100 * share:12.1f} %"
                    f"{seconds:10.1f}",
                    flush=True,
                )
                metrics |= {f"{name}, {kind}": fitted.best, f"{name}, baseline": baseline}
            if interrupted:
                break
        if curves:
            picture = options.out / f"{name}.png"
            levels = {f"remembering nothing, {baseline:.3f}": baseline}
            label = f"{task.unit}, T = {length}"
            drawn = training.plot_curves(picture, curves, "updates", label, levels=levels)
            say_picture(drawn, picture)
        if interrupted:
            break
    return Outcome(metrics, interrupted)


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("Learn to remember: the adding problem and the copy task.")
    add = parser.add_argument
    add("--task", choices=("both", *TASKS), default="both", help="what to learn")
    add("--length", type=int, help="T (adding: 50, copy: 10)")
    add("--cells", nargs="+", choices=KINDS, default=list(KINDS), help="who learns")
    add("--updates", type=int, default=1500, help="of each")
    add("--batch", type=int, default=64, help="sequences an update")
    add("--hidden", type=int, default=64, help="units")
    return run(long_memory, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
