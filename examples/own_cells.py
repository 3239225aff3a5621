"""Cells of your own: three from papers that the library does not have, trained and timed.

    python examples/own_cells.py                    on the text that comes with the package
    python examples/own_cells.py --data my.txt --hidden 256 --epochs 20

A cell is plain tensor math: a module that maps (x_t, state) to (output, state). `nn.Recurrent`
unrolls it over time, and `tg.jit` compiles forward, backward and update. The built-in LSTM, beside
which they are measured, is written in the same way. Copy one and change it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from common import Outcome, parser_of, run, say_picture

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, lm, nn, optim, training
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import Vocabulary, embedded_text, find_text, split


class UGRNN(nn.Module):
    """The update gate RNN: one gate between the old state and a new one.

    g = σ(W_g [x, h] + b_g + 1)
    n = tanh(W_n [x, h] + b_n)
    h' = g h + (1 - g) n

    Collins, Sohl-Dickstein and Sussillo, 2017, "Capacity and trainability in recurrent neural
    networks".
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.sums = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return h' twice: as output and as state."""
        g, n = self.sums(tg.cat([x, h], -1)).chunk(2, -1)
        g, n = (g + 1.0).sigmoid(), n.tanh()
        h = g * h + (1.0 - g) * n
        return h, h


class JANET(nn.Module):
    """An LSTM with its forget gate only.

    s = W_f [x, h] + b_f
    c = tanh(W_c [x, h] + b_c)
    h' = σ(s) h + (1 - σ(s - β)) c,     β = 1

    At the start b_f = ln u with u drawn from 1 … T - 1, so that units remember for up to T steps.

    Van der Westhuizen and Lasenby, 2018, "The unreasonable effectiveness of the forget gate".
    """

    def __init__(self, input_size: int, hidden_size: int, T: int = 64) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.sums = nn.Linear(input_size + hidden_size, 2 * hidden_size)
        with tg.no_grad():
            self.sums.bias[:hidden_size].copy_((tg.rand(hidden_size) * (T - 2) + 1.0).log())

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return h' twice: as output and as state."""
        s, c = self.sums(tg.cat([x, h], -1)).chunk(2, -1)
        h = s.sigmoid() * h + (1.0 - (s - 1.0).sigmoid()) * c.tanh()
        return h, h


class RHN(nn.Module):
    """The recurrent highway network: several layers of gated steps within one time step.

    s_0 = h
    n_k = tanh(W_n x [k = 1] + R_nk s_{k-1} + b_nk)
    t_k = σ(W_t x [k = 1] + R_tk s_{k-1} + b_tk),     b_tk = -2 at the start
    s_k = t_k n_k + (1 - t_k) s_{k-1}
    h' = s_L

    Zilly, Srivastava, Koutník and Schmidhuber, 2017, "Recurrent highway networks", with the carry
    gate coupled to t.
    """

    def __init__(self, input_size: int, hidden_size: int, depth: int = 2) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.seen = nn.Linear(input_size, 2 * hidden_size, bias=False)
        self.deep = nn.ModuleList(nn.Linear(hidden_size, 2 * hidden_size) for _ in range(depth))
        with tg.no_grad():
            for linear in self.deep:
                linear.bias[hidden_size:].fill_(-2.0)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return h' twice: as output and as state."""
        for k, linear in enumerate(self.deep):
            sums = linear(h) + self.seen(x) if k == 0 else linear(h)
            n, t = sums.chunk(2, -1)
            h = h + t.sigmoid() * (n.tanh() - h)
        return h, h


CELLS: dict[str, Any] = {"LSTM": nn.LSTMCell, "UGRNN": UGRNN, "JANET": JANET, "RHN": RHN}


# --------------------------------------------------------------------------- the example


def loss_of(model: lm.RecurrentLanguageModel, inputs: Tensor, targets: Tensor) -> Tensor:
    logits, _ = model(inputs)
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def milliseconds(
    model: lm.RecurrentLanguageModel, inputs: np.ndarray, targets: np.ndarray, jit: bool
) -> float:
    """Return the time of one training step: the shortest of several, as other programs only add."""
    optimizer = optim.Adam(model.parameters(), lr=0.0)

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        loss = loss_of(model, inputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    update = tg.jit(step) if jit else step
    given = tg.tensor(inputs), tg.tensor(targets)
    times = []
    for _ in range(20 if jit else 5):
        begun = time.perf_counter()
        update(*given).item()
        times.append(time.perf_counter() - begun)
    # Without the first, which records and compiles.
    return 1000 * min(times[1:])


def by_frequency(train: np.ndarray, test: np.ndarray, size: int) -> float:
    """Return the nats a character of who knows how often each occurs, and nothing else."""
    counts = np.bincount(train, minlength=size) + 1.0
    return float(-np.log(counts / counts.sum())[test[1:]].mean())


def own_cells(options: argparse.Namespace) -> Outcome:
    for name in ("hidden", "epochs", "batch", "window"):
        if getattr(options, name) < 1:
            raise ArgumentError(f"--{name} is {getattr(options, name)}; it must be 1 or more")
    corpus = embedded_text() if options.data is None else find_text(options.data)
    text = corpus.read()
    vocabulary = Vocabulary.from_text(text)
    parts = split(np.array(vocabulary.encode(text)), (0.9, 0.1, 0.0))
    T, B = options.window, options.batch
    rows = (len(parts.train) - 1) // T
    if rows < B or len(parts.validation) < 2:
        least = B * T * 10 // 9 + 20
        raise DataError(f"{corpus.name} has {len(text)} characters; {least} are needed")

    def batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        random = np.random.default_rng((options.seed, epoch))
        # Windows of the whole text, which begin at another place in every epoch.
        first = random.integers(0, min(T, len(parts.train) - rows * T))
        starts = first + T * random.permutation(rows)
        for begin in range(0, rows - B + 1, B):
            places = starts[begin : begin + B] + np.arange(T)[:, None]
            yield parts.train[places], parts.train[places + 1]

    def nats(model: lm.RecurrentLanguageModel) -> float:
        return lm.evaluate(model, parts.validation, T, 10, not options.no_jit).nats

    baseline = by_frequency(parts.train, parts.validation, len(vocabulary))
    metrics = {"frequencies of characters: nats": baseline}
    curves: dict[str, Any] = {}
    print(f"{corpus.name}: {len(text):,} characters, {len(vocabulary)} of them different")
    print(f"Knowing their frequencies costs {baseline:.3f} nats a character on text held out.")
    print(f"One training step is {T} characters of {B} rows; H = {options.hidden}\n")
    print(f"{'':8s}{'parameters':>11s}{'nats':>8s}{'ms a step':>12s}{'without jit':>13s}", end="")
    print(f"{'faster':>8s}{'to LSTM':>9s}")
    interrupted = False
    for name, cell in CELLS.items():
        tg.manual_seed(options.seed)
        model = lm.RecurrentLanguageModel(
            len(vocabulary), partial(cell, hidden_size=options.hidden), options.hidden, num_layers=1
        )
        fitted = training.fit(
            model,
            optim.Adam(model.parameters(), lr=options.lr),
            partial(loss_of, model),
            batches,
            partial(nats, model),
            epochs=options.epochs,
            clip=1.0,
            folder=options.out / name.lower(),
            progress=False,
            jit=not options.no_jit,
        )
        interrupted = fitted.stopped == "interrupted"
        if interrupted or fitted.best is None:
            break
        eager = milliseconds(model, *next(batches(0)), jit=False)
        compiled = eager if options.no_jit else milliseconds(model, *next(batches(0)), jit=True)
        metrics |= {
            f"{name}: nats": fitted.best,
            f"{name}: ms": compiled,
            f"{name}: ms without jit": eager,
        }
        share = compiled / metrics["LSTM: ms"]
        print(
            f"{name:8s}{model.parameter_count():11,}{fitted.best:8.3f}{compiled:12.2f}{eager:13.1f}"
            f"{eager / compiled:7.1f}×{share:8.2f}×",
            flush=True,
        )
        epochs = [record["epoch"] for record in fitted.records]
        curves[name] = (epochs, [record["validation"] for record in fitted.records])
    if curves:
        picture = options.out / "cells.png"
        levels = {"frequencies of characters": baseline}
        label = "nats a character, held out"
        drawn = training.plot_curves(picture, curves, "epoch", label, curves, levels)
        print()
        say_picture(drawn, picture)
    return Outcome(metrics, interrupted)


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of(
        "Train cells of your own beside an LSTM, and time them.",
        "a text file; the sonnets and speeches of the package by default",
    )
    add = parser.add_argument
    add("--hidden", type=int, default=128, help="units of each cell")
    add("--epochs", type=int, default=15, help="passes through the text")
    add("--batch", type=int, default=16, help="rows an update")
    add("--window", type=int, default=64, help="characters of backpropagation")
    add("--lr", type=float, default=4e-3, help="learning rate of Adam")
    return run(own_cells, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
