"""Many to many over time: tomorrow's value of a daily series from the days until today.

    python examples/next_day.py                                        a generated series
    python examples/next_day.py --data path/to/prices.csv              columns Date and Close
    python examples/next_day.py --data path/to/vix.csv --date DATE --value CLOSE

The last part of the series is predicted day by day, walking forward: the network is trained on what
lies before a piece, predicts that piece, is trained on, and so forth. Scales are those of the first
training part. The same LSTM sees the series in three ways:

    levels    v_t                 -> v_{t+1}
    returns   ln v_t - ln v_{t-1} -> ln v_{t+1} - ln v_t
    both      both of these       -> ln v_{t+1} - ln v_t

Beside it stand "tomorrow equals today", which is hard to beat on prices, and a straight line fitted
to the last five days. The generated series has known rules, so its best prediction is known, too.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from common import Outcome, parser_of, run, say_picture

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn, optim, training
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import read_csv

Values = np.ndarray
ROWS, WINDOW = 16, 32
"""Pieces of the series learned side by side, and steps of backpropagation between updates."""
WARM_UP = 250
"""Days that are read before the first one predicted."""
DRAWN = ("LSTM, both", "the best there can be")


class Series(NamedTuple):
    """Days, their values, and the best prediction of the next one where that is known."""

    days: Values
    values: Values
    best: Values | None = None


class View(NamedTuple):
    """How the network sees a series.

    Attributes:
        inputs: (T, F), known at the end of each day.
        targets: (T - 1,), what is to be predicted at the end of each day.
        values_of: makes values of the next days from predictions (n,) and the values of today (n,).
    """

    inputs: Values
    targets: Values
    values_of: Callable[[Values, Values], Values]


def views(values: Values, known: int) -> dict[str, View]:
    """Return the three views, scaled by the first `known` days."""
    level, logs = values, np.log(values)
    returns = np.diff(logs, prepend=logs[0])
    center, scale = level[:known].mean(), level[:known].std()
    step = returns[:known].std()
    low_high = (logs - logs[:known].mean()) / logs[:known].std()
    levels, steps = (level - center) / scale, returns / step

    def grown(out: Values, today: Values) -> Values:
        return today * np.exp(out * step)

    return {
        "levels": View(levels[:, None], levels[1:], lambda out, today: out * scale + center),
        "returns": View(steps[:, None], steps[1:], grown),
        "both": View(np.stack([steps, low_high], 1), steps[1:], grown),
    }


class Forecaster(nn.Module):
    """An LSTM whose state is carried from window to window of a pass through the series."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden)
        self.readout = nn.Linear(hidden, 1)
        for name in ("h", "c"):
            self.register_buffer(name, tg.zeros(1, ROWS, hidden))

    def forward(self, x: Tensor, state: Any = None, reset: Any = None) -> tuple[Tensor, Any]:
        """Return predictions (T, B), and the state after the last step."""
        h, state = self.lstm(x, state, reset=reset)
        return self.readout(h).squeeze(-1), state

    def loss(self, x: Tensor, targets: Tensor, begins: Tensor) -> Tensor:
        """Return the mean squared error; where the series begins, the state begins anew."""
        predicted, state = self(x, (self.h, self.c), begins)
        self.h.assign(state.h.detach())
        self.c.assign(state.c.detach())
        return functional.mse_loss(predicted, targets)


def predictions(model: Forecaster, view: View, first: int, last: int) -> Values:
    """Return what is predicted at the end of the days first … last - 1."""
    begin = max(first - WARM_UP, 0)
    with training.inference(model):
        out, _ = model(tg.tensor(view.inputs[begin:last, None].astype(np.float32)))
    return out.numpy()[first - begin :, 0].astype(np.float64)


def learn(
    model: Forecaster, view: View, known: int, epochs: int, options: argparse.Namespace, place: str
) -> bool:
    """Train on the first `known` days, the last tenth to choose the epoch; whether to go on."""
    train = known - 1 - known // 10
    steps = train // ROWS // WINDOW * WINDOW
    # The oldest days that do not fill a window are left out. Row after row in order of time.
    chosen = slice(train - ROWS * steps, train)
    x = view.inputs[chosen].reshape(ROWS, steps, -1).swapaxes(0, 1).astype(np.float32)
    targets = view.targets[chosen].reshape(ROWS, steps).T.astype(np.float32)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)

    def batches(epoch: int) -> Iterator[tuple[Values, Values, Values]]:
        for t in range(0, steps, WINDOW):
            yield x[t : t + WINDOW], targets[t : t + WINDOW], np.full(ROWS, t == 0)

    def validate() -> float:
        errors = predictions(model, view, train, known - 1) - view.targets[train : known - 1]
        return float((errors**2).mean())

    fitted = training.fit(
        model,
        optimizer,
        model.loss,
        batches,
        validate,
        epochs=epochs,
        patience=options.patience,
        clip=1.0,
        folder=options.out / place,
        progress=False,
        jit=not options.no_jit,
    )
    best = "" if fitted.best is None else f", validation loss {fitted.best:.4f}"
    print(f"  {place}: best after epoch {fitted.best_epoch} of {len(fitted.records)}{best}")
    return fitted.stopped != "interrupted"


# --------------------------------------------------------------------------- series and baselines


def generated(count: int, random: np.random.Generator) -> Series:
    """Return a series with momentum that falls back the faster the higher it stands.

    u_{t+1} = 0.95 u_t + 0.35 (u_t - u_{t-1}) - 0.6 max(u_t - 0.3, 0) + 0.06 e_t
    v_t = 20 exp(u_t), with e_t drawn from N(0, 1), so the mean of v_{t+1} is known.
    """
    noise = 0.06
    u, expected = np.zeros(count), np.zeros(count)
    for t in range(1, count):
        u[t] = expected[t - 1] + noise * random.normal()
        expected[t] = 0.95 * u[t] + 0.35 * (u[t] - u[t - 1]) - 0.6 * max(u[t] - 0.3, 0.0)
    days = np.arange("1990-01-01", count, dtype="datetime64[D]")
    return Series(days, 20 * np.exp(u), 20 * np.exp(expected + noise**2 / 2))


def read(options: argparse.Namespace) -> Series:
    """Read a file of days and values, put in order; days without a value are left out."""
    kinds = {options.date: str, options.value: float}
    table = read_csv(options.data, kinds, skip_missing=True)
    dates, form = table[options.date], options.date_format
    try:
        days = [datetime.strptime(text.strip(), form) for text in dates]
    except ValueError as error:
        raise DataError(
            f"{options.data}: {error}; say how days are written by --date-format"
        ) from None
    order = np.argsort(days, kind="stable")
    found = Series(np.array(days, "datetime64[D]")[order], table[options.value][order])
    if (np.diff(found.days).astype(int) == 0).any():
        raise DataError(f"{options.data} has two values for one day; it must be a daily series")
    if not (np.isfinite(found.values) & (found.values > 0)).all():
        raise DataError(f"{options.data}: values above 0 are needed, because logarithms are taken")
    return found


def straight_line(values: Values, known: int, first: int, days: int = 5) -> Values:
    """Predict ln v by least squares from its last five values, fitted to the first `known` days."""
    logs = np.log(values)
    past = np.stack([logs[days - 1 - k : len(logs) - k] for k in range(days)], 1)
    past = np.concatenate([past, np.ones((len(past), 1))], 1)
    weights, *_ = np.linalg.lstsq(past[: known - days], logs[days:known], rcond=None)
    return np.exp(past[first - days + 1 : -1] @ weights)


def measured(predicted: Values, today: Values, truth: Values) -> dict[str, float]:
    """Return RMSE, MAE, the share of directions foreseen, and t of the gain on today's value.

    t is the mean gain in squared error over its standard error (Diebold and Mariano, 1995); beyond
    ±2 a difference is hardly chance.
    """
    errors, moved = predicted - truth, truth != today
    right = np.sign(predicted - today) == np.sign(truth - today)
    gain = (today - truth) ** 2 - errors**2
    spread = gain.std() / math.sqrt(len(gain))
    return {
        "RMSE": math.sqrt((errors**2).mean()),
        "MAE": float(np.abs(errors).mean()),
        "direction": float(right[moved].mean()) if (predicted != today).any() else math.nan,
        "t": float(gain.mean() / spread) if spread > 0 else math.nan,
    }


# --------------------------------------------------------------------------- the example


def next_day(options: argparse.Namespace) -> Outcome:
    random = np.random.default_rng(options.seed)
    series = generated(max(options.days, 0), random) if options.data is None else read(options)
    if not 0.0 < options.test < 0.9 or options.folds < 1:
        raise ArgumentError(
            f"--test is {options.test}, between 0 and 0.9, and --folds {options.folds}, 1 or more"
        )
    values = series.values
    known = round(len(values) * (1.0 - options.test))
    if known * 0.9 < ROWS * WINDOW + 2 or len(values) - known < options.folds:
        raise DataError(
            f"{len(values)} days are too few: {math.ceil((ROWS * WINDOW + 2) / 0.9)} are needed to "
            f"learn from, and some to be tested with; {known} are left by --test {options.test}"
        )
    if values[:known].std() == 0.0:
        raise DataError("the series never changes in its first part, so there is nothing to learn")
    edges = np.linspace(known, len(values), options.folds + 1).round().astype(int)
    print(f"{len(values)} days, {series.days[0]} … {series.days[-1]}; the last")
    print(f"{len(values) - known} are predicted, walking forward in {options.folds} pieces")
    today, truth = values[known - 1 : -1], values[known:]
    found = {
        "tomorrow equals today": today,
        "straight line, 5 days": straight_line(values, known, known - 1),
    }
    going_on = True
    for name, view in views(values, known).items():
        model = Forecaster(view.inputs.shape[1], options.hidden)
        pieces = []
        for number, (begin, end) in enumerate(pairwise(edges), 1):
            epochs = options.epochs if number == 1 else max(1, options.epochs // 5)
            # After Ctrl-C what was learned until then predicts the rest.
            going_on = going_on and learn(
                model, view, int(begin), epochs, options, f"{name}-{number}"
            )
            out = predictions(model, view, begin - 1, end - 1)
            pieces.append(view.values_of(out, values[begin - 1 : end - 1]))
        found[f"LSTM, {name}"] = np.concatenate(pieces)
        if not going_on:
            break
    if series.best is not None:
        found["the best there can be"] = series.best[known - 1 : -1]
    metrics = report(found, today, truth)
    shown = slice(-min(120, len(truth)), None)
    days = np.arange(1 - len(truth[shown]), 1)
    lines = {"truth": truth, **{name: p for name, p in found.items() if name in DRAWN}}
    curves = {name: (days, line[shown]) for name, line in lines.items()}
    picture = options.out / "prediction.png"
    label = f"day, counted from {series.days[-1]}"
    say_picture(training.plot_curves(picture, curves, label, "value", ["truth"]), picture)
    return Outcome(metrics, not going_on)


def report(found: dict[str, Values], today: Values, truth: Values) -> dict[str, float]:
    """Print the table, and what it says; return its numbers."""
    table = {name: measured(predicted, today, truth) for name, predicted in found.items()}
    print(f"\n{'':24s}{'RMSE':>8s}{'MAE':>8s}{'direction':>12s}{'t':>7s}")
    for name, row in table.items():
        share = "" if math.isnan(row["direction"]) else f"{100 * row['direction']:.1f} %"
        t = "" if math.isnan(row["t"]) else f"{row['t']:+.1f}"
        print(f"{name:24s}{row['RMSE']:8.3f}{row['MAE']:8.3f}{share:>12s}{t:>7s}")
    up = float((truth > today)[truth != today].mean())
    print(f"{'always up, or down':24s}{'':16s}{100 * max(up, 1 - up):10.1f} %")
    naive = table["tomorrow equals today"]["RMSE"]
    print()
    for name, row in table.items():
        if name.startswith("LSTM"):
            than = "below" if row["RMSE"] < naive else "above"
            sure = "" if abs(row["t"]) > 2 else ", which may be chance"
            share = 100 * abs(row["RMSE"] / naive - 1)
            print(f'{name}: RMSE {share:.1f} % {than} that of "tomorrow equals today"{sure}')
    return {
        f"{name}: {measure}": value
        for name, row in table.items()
        for measure, value in row.items()
        if not math.isnan(value)
    }


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("Predict the next day's value.", "a CSV file; a generated series by default")
    add = parser.add_argument
    add("--date", default="Date", help="the column of days")
    add("--value", default="Close", help="the column of values")
    add("--date-format", default="%Y-%m-%d", help="how days are written, as for strptime")
    add("--days", type=int, default=6000, help="length of the generated series")
    add("--test", type=float, default=0.2, help="share of the days that are predicted")
    add("--folds", type=int, default=4, help="pieces of it, with training before each")
    add("--hidden", type=int, default=32, help="units of the LSTM")
    add("--epochs", type=int, default=60, help="passes before the first piece; a fifth of it later")
    add("--patience", type=int, default=15, help="epochs without a better one, after which to end")
    add("--lr", type=float, default=3e-3, help="learning rate of Adam")
    return run(next_day, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
