"""Many to many without delay: who is speaking, said anew with every frame of sound that arrives.

    python examples/frames.py                                 generated recordings
    python examples/frames.py --data path/to/japanese_vowels  a folder with ae.train and ae.test

A label that is due at once cannot wait for what comes later, so the network reads forward only, one
frame a call, and all that it remembers is the state that it is handed back:

    h_t = GRU(x_t, h_{t-1})        p_t = softmax(W h_t + b)        label_t = argmax p_t

The label after the last frame is that of the utterance. Beside it stands logistic regression, which
knows the frame at hand only; and its log-probabilities, summed over the frames until then.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import Outcome, data_files, parser_of, run, say_picture

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn, optim, training
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import BucketedBatches, find_text, pad

NO_LABEL = -100
TRAIN_COUNTS, TEST_COUNTS = "30,30,30,30,30,30,30,30,30", "31,35,88,44,29,24,40,50,29"
"""Utterances of each speaker in ae.train and ae.test, which stand in the order of the speakers."""


class Recordings(NamedTuple):
    """Utterances (T_i, F), and the number of the speaker of each, from 0."""

    frames: list[np.ndarray]
    speakers: np.ndarray

    def chosen(self, rows: np.ndarray) -> Recordings:
        """Return some of them."""
        return Recordings([self.frames[row] for row in rows], self.speakers[rows])


class Listener(nn.Module):
    """A GRU that is called frame by frame, or for many frames at once; hidden 0 has no memory."""

    def __init__(self, features: int, speakers: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(features, hidden) if hidden else None
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(hidden or features, speakers)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return log-probabilities (T, B, speakers) for frames (T, B, F), and the state."""
        if self.gru is not None:
            x, state = self.gru(x, state)
        return self.readout(self.dropout(x)).log_softmax(-1), state


# --------------------------------------------------------------------------- data


def generated(count: int, random: np.random.Generator, speakers: int = 6) -> Recordings:
    """Return recordings in which speakers differ mostly in what cannot be seen in one frame.

    Four pairs of coefficients turn in circles. How fast tells the speaker; where they begin does
    not. The other four coefficients have a mean of the speaker's own, below the noise.
    """
    habits = np.random.default_rng(0)
    speeds = np.stack([habits.permutation(speakers) for _ in range(4)], 1) * 0.25 + 0.2
    means = habits.normal(0.0, 0.25, (speakers, 4))
    found, who = [], np.arange(count) % speakers
    for speaker in who:
        t = np.arange(random.integers(8, 27))[:, None]
        angles = speeds[speaker] * t + random.uniform(0, 2 * np.pi, 4)
        still = np.broadcast_to(means[speaker], (len(t), 4))
        clean = np.concatenate([np.cos(angles), np.sin(angles), still], 1)
        found.append(clean + random.normal(0.0, 0.6, clean.shape))
    return Recordings(found, who)


def read(path: Path, counts: list[int]) -> Recordings:
    """Read utterances of one frame a line; a line of ones alone, or an empty one, ends each."""
    corpus = find_text(path)
    found: list[list[list[float]]] = [[]]
    for number, line in enumerate(corpus.read().split("\n"), 1):
        try:
            frame = [float(value) for value in line.split()]
        except ValueError:
            raise DataError(f"{corpus.name}, line {number}: {line[:40]!r} is no numbers") from None
        if not frame or set(frame) == {1.0}:
            found += [[]] if found[-1] else []
            continue
        if found[0] and len(frame) != len(found[0][0]):
            raise DataError(
                f"{corpus.name}, line {number}: {len(frame)} numbers, where the first frame has "
                f"{len(found[0][0])}"
            )
        found[-1].append(frame)
    several = [np.array(frames) for frames in found if frames]
    if len(several) != sum(counts):
        raise DataError(
            f"{corpus.name} has {len(several)} utterances, and {sum(counts)} are expected, "
            f"{', '.join(map(str, counts))} of each speaker; say how many by --counts and "
            "--test-counts"
        )
    return Recordings(several, np.repeat(np.arange(len(counts)), counts))


def find(options: argparse.Namespace) -> tuple[Recordings, Recordings]:
    """Return recordings to learn from, and others to be tested with."""
    if options.data is None:
        random = np.random.default_rng(options.seed)
        return generated(options.utterances, random), generated(300, random)
    train, test = data_files(options, "ae.train", "ae.test")
    found = read(train, options.counts), read(test, options.test_counts)
    if len({recordings.frames[0].shape[1] for recordings in found}) > 1:
        raise DataError(f"{train} and {test} have frames of different length")
    return found


# --------------------------------------------------------------------------- learning


def learn(
    model: Listener, known: Recordings, unknown: Recordings, options: argparse.Namespace, name: str
) -> bool:
    """Train on every frame; return whether Ctrl-C ended it."""
    optimizer = optim.Adam(model.parameters(), lr=options.lr, weight_decay=options.decay)
    labels = [np.full(len(f), who) for f, who in zip(*known, strict=True)]
    frames = [f.astype(np.float32) for f in known.frames]
    batches = BucketedBatches(
        frames,
        labels,
        values=(0, NO_LABEL),
        batch_size=min(options.batch, len(frames)),
        buckets=3,
        seed=options.seed,
    )

    def loss_of_batch(x: Tensor, lengths: Tensor, labels: Tensor, _: Tensor) -> Tensor:
        noisy = x + options.noise * tg.randn(*x.shape)
        # Nothing reads backward, so what stands in the padding cannot reach a frame before it.
        log_p, _ = model(noisy)
        return functional.nll_loss(log_p.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL)

    def validate() -> float:
        x, lengths = pad(unknown.frames)
        log_p, _ = model(tg.tensor(x.astype(np.float32)))
        real = np.arange(len(x))[:, None] < lengths
        rows = np.arange(len(lengths))
        return float(-log_p.numpy()[:, rows, unknown.speakers][real].mean())

    fitted = training.fit(
        model,
        optimizer,
        loss_of_batch,
        batches,
        validate,
        epochs=options.epochs,
        clip=1.0,
        schedule=optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        folder=options.out / name,
        progress=False,
        jit=not options.no_jit,
    )
    print(f"  {name}: best after epoch {fitted.best_epoch} of {len(fitted.records)}")
    return fitted.stopped == "interrupted"


def streamed(model: Listener, recordings: Recordings, jit: bool) -> tuple[np.ndarray, np.ndarray]:
    """Hear utterances one frame a call: log-probabilities (T, B, speakers), and lengths (B,)."""
    x, lengths = pad([f.astype(np.float32) for f in recordings.frames])
    call = tg.jit(model) if jit else model
    with training.inference(model):
        state, found = model.gru.initial_state(len(lengths)) if model.gru else None, []
        for frame in tg.tensor(x):
            log_p, state = call(frame.unsqueeze(0), state)
            found.append(log_p.numpy()[0])
    return np.stack(found), lengths


def frames(options: argparse.Namespace) -> Outcome:
    if options.hidden < 1:
        raise ArgumentError(f"--hidden is {options.hidden}; it must be 1 or more")
    train, test = find(options)
    features, speakers = train.frames[0].shape[1], int(train.speakers.max()) + 1
    every = np.concatenate(train.frames)
    center, scale = every.mean(0), every.std(0) + 1e-9
    train, test = (
        Recordings([(f - center) / scale for f in given.frames], given.speakers)
        for given in (train, test)
    )
    # Every sixth utterance of each speaker decides which epoch was the best.
    order = np.concatenate([np.flatnonzero(train.speakers == who) for who in range(speakers)])
    held = np.arange(len(order)) % 6 == 5
    known, unknown = train.chosen(order[~held]), train.chosen(order[held])
    if not len(unknown.frames):
        raise DataError(f"{len(train.frames)} utterances are too few; 6 are the fewest")
    print(f"{len(known.frames)} utterances to learn from, {len(unknown.frames)} to choose the")
    print(f"epoch by, {len(test.frames)} to test with; {speakers} speakers")
    models = {
        "GRU": Listener(features, speakers, options.hidden, options.dropout),
        "logistic regression": Listener(features, speakers, 0, 0.0),
    }
    interrupted = False
    for name, model in models.items():
        interrupted = interrupted or learn(model, known, unknown, options, name.split()[0].lower())
    heard = {name: streamed(model, test, not options.no_jit) for name, model in models.items()}
    alone, lengths = heard["logistic regression"]
    heard["the same, summed"] = np.cumsum(alone, 0), lengths
    metrics = report({name: log_p for name, (log_p, _) in heard.items()}, lengths, test, options)
    listen(models["GRU"], test.chosen(np.array([lengths.argmax()])), not options.no_jit)
    return Outcome(metrics, interrupted)


def report(
    heard: dict[str, np.ndarray], lengths: np.ndarray, test: Recordings, options: argparse.Namespace
) -> dict[str, float]:
    """Print and draw the accuracy frame by frame; return that of frames and of utterances."""
    steps = np.arange(lengths.max())
    real = steps[:, None] < lengths
    # Where fewer than thirty utterances still go on, a share says little.
    shown = steps[real.sum(1) >= min(30, len(lengths))]
    places = [t for t in (0, 1, 3, 7, 11, 15, 19) if t in shown]
    print(f"\nOn {len(lengths)} utterances held out: right labels in percent")
    print(f"{'after frame':22s}" + "".join(f"{t + 1:7d}" for t in places) + "    all   last")
    metrics, curves = {}, {}
    for name, log_p in heard.items():
        right = (log_p.argmax(-1) == test.speakers) & real
        by_frame = right.sum(1) / np.maximum(real.sum(1), 1)
        scores = {
            "frames": right.sum() / real.sum(),
            "utterances": right[lengths - 1, np.arange(len(lengths))].mean(),
        }
        shares = [*by_frame[places], *scores.values()]
        print(f"{name:22s}" + "".join(f"{100 * share:7.1f}" for share in shares))
        metrics |= {f"{name}: {measure}": float(score) for measure, score in scores.items()}
        curves[name] = (shown + 1, 100 * by_frame[shown])
    path = options.out / "frames.png"
    drawn = training.plot_curves(path, curves, "frame", "right labels in percent", list(curves))
    say_picture(drawn, path)
    return metrics


def listen(model: Listener, one: Recordings, jit: bool) -> None:
    """Print what is said of one utterance as it goes on, and how long a frame takes."""
    log_p, _ = streamed(model, one, jit)
    said = " ".join(f"{who + 1}" for who in log_p[:, 0].argmax(-1))
    print(f"\nAn utterance by speaker {one.speakers[0] + 1}, as it is heard: {said}")
    call = tg.jit(model) if jit else model
    frame, state = tg.tensor(one.frames[0][None, :1].astype(np.float32)), model.gru.initial_state(1)
    with training.inference(model):
        for count in (2, 200):
            begun = time.perf_counter()
            for _ in range(count):
                _, state = call(frame, state)
    print(f"A frame takes {1e6 * (time.perf_counter() - begun) / count:.0f} µs.")


def counts_of(text: str) -> list[int]:
    counts = [int(part) for part in text.split(",")]
    if min(counts) < 1:
        raise ValueError
    return counts


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of(
        "Say who is speaking with every frame that arrives.",
        "ae.train, or a folder with it and ae.test; generated recordings by default",
    )
    add = parser.add_argument
    add("--test", type=Path, help="ae.test, or another file to test with")
    add("--counts", type=counts_of, default=TRAIN_COUNTS, help="utterances of each speaker")
    add("--test-counts", type=counts_of, default=TEST_COUNTS, help="the same of the test file")
    add("--utterances", type=int, default=360, help="how many to generate, without --data")
    add("--hidden", type=int, default=64, help="units of the GRU")
    add("--dropout", type=float, default=0.4, help="of its outputs")
    add("--noise", type=float, default=0.3, help="added to frames, whose deviation is 1")
    add("--decay", type=float, default=1e-4, help="weight decay")
    add("--epochs", type=int, default=60, help="passes through the recordings")
    add("--batch", type=int, default=32, help="utterances an update")
    add("--lr", type=float, default=5e-3, help="learning rate of Adam at the start")
    return run(frames, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
