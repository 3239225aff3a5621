"""Truncated backpropagation through time: what a window of 5, 25 or 100 steps can learn.

    python examples/truncation.py                half a minute
    python examples/truncation.py --gap 40       with longer dependencies

A stream shows one of four symbols, goes on with noise, and after a gap asks which symbol it was;
then comes the next. So it is known how far back each answer lies. The same GRU learns three such
streams: with a short gap, with a long one, and with gaps of all lengths between. Gradients flow
back through k2 steps, with an update every k1; the state is carried on from window to window, or is
set to zero at each edge.

Where every gap is longer than the window, no gradient ever leads from an answer to its symbol, and
nothing is learned. But where some gaps are short, the network learns from these to hold a symbol,
and the carried state then holds it for longer than any gradient has reached.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, NamedTuple

import numpy as np
from common import Outcome, parser_of, run, say_picture

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, inspect, nn, optim, training
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn import functional

SYMBOLS, ROWS = 4, 32
SHORT = 4
WINDOWS = ((5, 5), (25, 25), (100, 100), (5, 25))
"""(k1, k2): an update every k1 steps, gradients through k2."""


class Stream(NamedTuple):
    """Many rows side by side, as time goes on.

    Attributes:
        x: (T, B, 6): four places for the symbol, one that asks for it, and noise.
        symbols: (T, B), what is to be answered.
        asked: (T, B), 1 where an answer is asked for, 0 elsewhere.
        gaps: (T, B), how many steps before the symbol was shown.
    """

    x: np.ndarray
    symbols: np.ndarray
    asked: np.ndarray
    gaps: np.ndarray


def stream(seed: int, steps: int, shortest: int, longest: int) -> Stream:
    """Return a stream with gaps from `shortest` to `longest` steps."""
    random = np.random.default_rng(seed)
    x = np.zeros((steps, ROWS, SYMBOLS + 2), np.float32)
    x[:, :, -1] = 0.3 * random.normal(size=(steps, ROWS))
    symbols, gaps = np.zeros((2, steps, ROWS), np.int64)
    for row in range(ROWS):
        shown = random.integers(longest + 1)
        while (asked := shown + random.integers(shortest, longest + 1)) < steps:
            symbols[asked, row] = symbol = random.integers(SYMBOLS)
            gaps[asked, row] = asked - shown
            x[shown, row, symbol] = x[asked, row, SYMBOLS] = 1.0
            shown = asked + 1
    return Stream(x, symbols, (gaps > 0).astype(np.float32), gaps)


class Answerer(nn.Module):
    """A GRU that says at each step which symbol it would answer."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(SYMBOLS + 2, hidden)
        self.readout = nn.Linear(hidden, SYMBOLS)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return logits (T, B, SYMBOLS) and the state after the last step."""
        h, state = self.gru(x, state)
        return self.readout(h), state


class Trained(NamedTuple):
    """What came of one training run.

    Attributes:
        within: accuracy where the gap is shorter than the window, nan if no gap is.
        beyond: accuracy where it is longer, nan if no gap is.
        all: accuracy wherever an answer is asked for.
        kept: bytes that the graph of one window keeps for the way back.
        milliseconds: of an update, the median.
        interrupted: whether Ctrl-C ended it.
    """

    within: float
    beyond: float
    all: float
    kept: int
    milliseconds: float
    interrupted: bool


def loss_of(model: Answerer, window: nn.TruncatedWindow, state: Any) -> tuple[Tensor, Any]:
    """Return the mean loss of the answers asked for in the new steps, and the next state."""
    x, symbols, asked = window.steps
    logits, state = window.run(model, x, state)
    each = functional.cross_entropy(
        logits.flatten(0, 1), window.new(symbols).flatten(), reduction="none"
    )
    weights = window.new(asked).flatten()
    return (each * weights).sum() / weights.sum().clamp(min=1.0), state


def train(
    gaps: tuple[int, int], k1: int, k2: int, carried: bool, options: argparse.Namespace
) -> Trained:
    tg.manual_seed(options.seed)
    model = Answerer(options.hidden)
    optimizer = optim.Adam(model.parameters(), lr=5e-3)

    def update(window: nn.TruncatedWindow, state: Any) -> tuple[Tensor, Any]:
        loss, state = loss_of(model, window, state)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach(), state

    step = update if options.no_jit else tg.jit(update)
    data = stream(options.seed + 1, options.updates * k1, *gaps)[:3]
    zero = model.gru.initial_state(ROWS)
    state, seconds = zero, []
    with training.Interruption() as interruption:
        for window in nn.truncated_windows(data, k1, k2):
            begun = time.perf_counter()
            _, after = step(window, state)
            seconds.append(time.perf_counter() - begun)
            state = after if carried else zero
            if interruption.requested:
                break
    # Of a copy, because the window itself is a part of the whole stream.
    alone = window._replace(steps=tuple(part.clone() for part in window.steps))
    kept = inspect.graph_of(loss_of(model, alone, state)[0]).held_bytes
    test = stream(options.seed + 2, 1000, *gaps)
    right = answers(model, test, None if carried else k1) == test.symbols

    def accuracy(chosen: np.ndarray) -> float:
        return float(right[chosen].mean()) if chosen.any() else float("nan")

    asked = test.gaps > 0
    within, beyond = asked & (test.gaps < k2), asked & (test.gaps >= k2)
    measured = (accuracy(within), accuracy(beyond), accuracy(asked))
    middle = 1000.0 * float(np.median(seconds))
    return Trained(*measured, kept, middle, interruption.requested)


def answers(model: Answerer, test: Stream, window: int | None) -> np.ndarray:
    """Return the answer at every step; with a window, the state is set to zero at its edges."""
    edges = range(window or len(test.x), len(test.x), window or len(test.x))
    with training.inference(model):
        parts = [model(tg.tensor(part))[0].numpy() for part in np.split(test.x, list(edges))]
    return np.concatenate(parts).argmax(-1)


def shown(share: float) -> str:
    return "      -" if np.isnan(share) else f"{share:7.1%}"


def truncation(options: argparse.Namespace) -> Outcome:
    if min(options.updates, options.hidden) < 1 or options.gap <= SHORT:
        raise ArgumentError(f"--updates and --hidden are 1 or more, --gap more than {SHORT}")
    mixed = f"2 … {options.gap}"
    streams = {
        f"{SHORT}": (SHORT, SHORT),
        f"{options.gap}": (options.gap, options.gap),
        mixed: (2, options.gap),
    }
    runs = [(name, k1, k2, True) for name in streams for k1, k2 in WINDOWS]
    runs += [(mixed, k1, k2, False) for k1, k2 in WINDOWS if k1 == k2]
    print(f"Accuracy after {options.updates} updates; a guess is right in {1 / SYMBOLS:.1%}.\n")
    print("                                  gap shorter   gap as long       kB kept   ms an")
    print("gap        k1    k2  state         than k2       or longer   all  for a window  update")
    metrics: dict[str, float] = {"accuracy of a guess": 1 / SYMBOLS}
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for name, k1, k2, carried in runs:
        found = train(streams[name], k1, k2, carried, options)
        kind = "carried" if carried else "zero at edges"
        print(
            f"{name:9} {k1:4} {k2:5}  {kind:14} {shown(found.within)}       {shown(found.beyond)}"
            f" {shown(found.all)} {found.kept / 1000:9.0f} {found.milliseconds:9.2f}",
            flush=True,
        )
        label = f"gap {name}, k1 {k1}, k2 {k2}, {kind}"
        metrics |= {f"accuracy, {label}": found.all, f"kB, {label}": found.kept / 1000}
        metrics[f"ms an update, {label}"] = found.milliseconds
        if k1 == k2 and name != f"{SHORT}":
            x, y = curves.setdefault(f"gap {name}" + ("" if carried else ", " + kind), ([], []))
            x.append(k1)
            y.append(found.all)
        if found.interrupted:
            return Outcome(metrics, True)
    picture = options.out / "truncation.png"
    labels = ("steps of the window (k1 = k2)", "accuracy")
    chance = {"a guess": 1 / SYMBOLS}
    say_picture(training.plot_curves(picture, curves, *labels, curves, chance), picture)
    return Outcome(metrics)


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("See what windows of truncated backpropagation can and cannot learn.")
    add = parser.add_argument
    add("--gap", type=int, default=20, help="the longest gap, in steps")
    add("--hidden", type=int, default=32, help="units")
    add("--updates", type=int, default=600, help="updates of each training run")
    return run(truncation, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
