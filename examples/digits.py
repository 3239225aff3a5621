"""One to many: from an 8×8 image of a digit to its English name, letter by letter.

    python examples/digits.py                                  drawn digits, no file needed
    python examples/digits.py --data path/to/optdigits         a folder with optdigits.tra and .tes
    python examples/digits.py --data path/to/optdigits.tra --test path/to/optdigits.tes
    python examples/digits.py --feed-back                      each letter is the next input

The network sees the image at the first step only; the inputs of all later steps are zeros, so the
hidden state must remember which digit it was and how far the name has been written.

    x_1 = image, x_2 = x_3 = … = 0          h_t, c_t = LSTM(x_t, h_{t-1}, c_{t-1})
    p_t = softmax(W h_t + b)                one of the letters, or the end of the name

With --feed-back the letter written at t - 1 is a part of x_t.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import Outcome, data_files, parser_of, run

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn, optim, training
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import Vocabulary, read_csv

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
END = "."
STEPS = max(map(len, NAMES)) + 1
PIXELS = 64
INK = 16
"""The darkest pixel, in optdigits and here."""

GLYPHS = """
.###. ..#.. .###. .###. ...#. ##### ..##. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... .#... ....# #...# #...#
#...# ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#...# ..#.. ...#. ..##. #..#. ....# ####. ..#.. .###. .####
#...# ..#.. ..#.. ....# ##### ....# #...# ..#.. #...# ....#
#...# ..#.. .#... #...# ...#. #...# #...# .#... #...# ...#.
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .##..
"""


class Images(NamedTuple):
    """Pixels (N, 64) from 0 to 16, and the digits (N,)."""

    pixels: np.ndarray
    digits: np.ndarray


class Speller(nn.Module):
    """An LSTM that is shown an image once, and then writes."""

    def __init__(self, vocabulary: Vocabulary, hidden: int, feed_back: bool) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.feed_back = feed_back
        self.lstm = nn.LSTM(PIXELS + (len(vocabulary) if feed_back else 0), hidden)
        self.dropout = nn.Dropout(0.3)
        self.readout = nn.Linear(hidden, len(vocabulary))

    def forward(self, images: Tensor, letters: Tensor) -> Tensor:
        """Return logits (T, B, V), given the right letters (T, B), which are used to feed back."""
        x = tg.cat([images.unsqueeze(0), tg.zeros(len(letters) - 1, *images.shape)])
        if self.feed_back:
            before = functional.one_hot(letters[:-1], len(self.vocabulary), dtype=x.dtype)
            x = tg.cat([x, tg.cat([tg.zeros(1, *before.shape[1:]), before])], -1)
        h, _ = self.lstm(x)
        return self.readout(self.dropout(h))

    def write(self, images: Tensor) -> list[str]:
        """Return the name that it writes for each image, the most probable letter at each step."""
        state, x = None, images
        fed = tg.zeros(len(images), len(self.vocabulary))
        columns = []
        for _ in range(STEPS):
            h, state = self.lstm((tg.cat([x, fed], -1) if self.feed_back else x)[None], state)
            letters = self.readout(h[0]).argmax(-1)
            columns.append(letters.numpy())
            x, fed = tg.zeros(*x.shape), functional.one_hot(letters, fed.shape[1], dtype=fed.dtype)
        written = (self.vocabulary.decode(row) for row in np.stack(columns, 1).tolist())
        return [name.partition(END)[0] for name in written]


# --------------------------------------------------------------------------- data


def drawn(count: int, random: np.random.Generator) -> Images:
    """Return digits drawn at random places, with strokes of unequal ink, gaps and noise."""
    rows = np.array([list(row.replace(" ", "")) for row in GLYPHS.split("\n")[1:-1]]) == "#"
    glyphs = rows.reshape(7, 10, 5).swapaxes(0, 1)
    digits = random.integers(0, 10, count)
    pixels = np.zeros((count, 8, 8))
    for image, digit in zip(pixels, digits, strict=True):
        top, left = random.integers(0, 2), random.integers(0, 4)
        strokes = glyphs[digit] * (random.random((7, 5)) > 0.1)
        image[top : top + 7, left : left + 5] = strokes * random.uniform(8, 16, (7, 5))
    pixels += random.normal(0.0, 2.0, pixels.shape)
    return Images(pixels.clip(0, INK).round().astype(int).reshape(count, PIXELS), digits)


def read(path: Path) -> Images:
    """Read a file of optdigits: 64 pixels from 0 to 16 and the digit on each line."""
    table = read_csv(path, dict.fromkeys(range(PIXELS + 1), int), header=False)
    pixels = np.stack([table[column] for column in range(PIXELS)], 1)
    digits = table[PIXELS]
    wrong = ((pixels < 0) | (pixels > INK)).any(1) | (digits < 0) | (digits > 9)
    if wrong.any():
        raise DataError(
            f"{path}, row {wrong.argmax() + 1}: 64 pixels from 0 to {INK} and a digit from 0 to 9 "
            "are expected"
        )
    return Images(pixels, digits)


def find(options: argparse.Namespace) -> tuple[Images, Images]:
    """Return the images to learn from, and others to be tested with."""
    if options.data is None:
        random = np.random.default_rng(options.seed)
        return drawn(options.images, random), drawn(1000, random)
    train, test = data_files(options, "optdigits.tra", "optdigits.tes")
    return read(train), read(test)


def inputs_of(images: Images) -> np.ndarray:
    return (images.pixels / (INK / 2) - 1.0).astype(np.float32)


def nearest_mean(train: Images, test: Images) -> float:
    """Return the accuracy of naming the digit whose mean image is the nearest."""
    means = np.stack([train.pixels[train.digits == d].mean(0) for d in np.unique(train.digits)])
    nearest = ((test.pixels[:, None] - means) ** 2).sum(-1).argmin(1)
    return float((np.unique(train.digits)[nearest] == test.digits).mean())


# --------------------------------------------------------------------------- learning


def digits(options: argparse.Namespace) -> Outcome:
    if options.batch < 1 or options.images < 1:
        raise ArgumentError(
            f"--batch is {options.batch} and --images {options.images}; both must be 1 or more"
        )
    train, test = find(options)
    # Every tenth image to learn from decides which epoch was the best.
    held = np.arange(len(train.digits)) % 10 == 9
    known, unknown = (Images(train.pixels[rows], train.digits[rows]) for rows in (~held, held))
    if not len(unknown.digits):
        raise DataError(f"there are {len(train.digits)} images to learn from; 10 are the fewest")
    vocabulary = Vocabulary(sorted({*END, *"".join(NAMES)}))
    # After its end a name goes on with ends.
    letters = np.array([vocabulary.encode(name.ljust(STEPS, END)) for name in NAMES]).T
    model = Speller(vocabulary, options.hidden, options.feed_back)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    counts = (len(images.digits) for images in (known, unknown, test))
    print("{} images to learn from, {} to choose the epoch by, {} to test with".format(*counts))
    print(f"{model.parameter_count():,} parameters")

    def batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        random = np.random.default_rng((options.seed, epoch))
        order = random.permutation(len(known.digits))
        size = min(options.batch, len(order))
        for begin in range(0, len(order) - size + 1, size):
            rows = order[begin : begin + size]
            # Other noise in every epoch, or the writers are learned by heart with their images.
            noisy = inputs[rows] + options.noise * random.normal(size=(size, PIXELS))
            yield noisy.astype(np.float32), letters[:, known.digits[rows]]

    def loss_of_batch(images: Tensor, targets: Tensor) -> Tensor:
        logits = model(images, targets)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def names_for(images: Images) -> list[str]:
        with training.inference(model):
            return model.write(tg.tensor(inputs_of(images)))

    inputs = inputs_of(known)
    fitted = training.fit(
        model,
        optimizer,
        loss_of_batch,
        batches,
        lambda: {"exact": exact(names_for(unknown), unknown)},
        epochs=options.epochs,
        mode="max",
        clip=5.0,
        schedule=optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        folder=options.out,
        jit=not options.no_jit,
    )
    written = names_for(test)
    show(test, written)
    metrics = {
        "exact match": exact(written, test),
        "not a digit's name": sum(name not in NAMES for name in written) / len(written),
        "nearest mean image": nearest_mean(known, test),
        "always the same name": max(Counter(test.digits.tolist()).values()) / len(test.digits),
    }
    print(f"\nOn {len(test.digits)} images that it has not seen:")
    for name, value in metrics.items():
        print(f"  {name:22s} {100 * value:6.2f} %")
    return Outcome(metrics, fitted.stopped == "interrupted")


def exact(written: list[str], images: Images) -> float:
    """Return the share of names without a wrong letter."""
    pairs = zip(written, images.digits, strict=True)
    return sum(name == NAMES[digit] for name, digit in pairs) / len(written)


def show(images: Images, written: list[str], count: int = 6) -> None:
    """Print the first few images side by side with their names, and the first wrong ones."""
    right = np.array([NAMES[d] == name for d, name in zip(images.digits, written, strict=True)])
    for rows in (np.arange(len(written))[:count], np.flatnonzero(~right)[:count]):
        if not len(rows):
            continue
        print()
        shades = np.array(list(" .:-=+*#%@"))
        levels = np.rint(images.pixels[rows] / INK * 9).astype(int).reshape(-1, 8, 8)
        for y in range(8):
            print("  " + "  ".join("".join(2 * shade for shade in shades[i[y]]) for i in levels))
        told = (
            written[r] if right[r] else f"{written[r]} (is {NAMES[images.digits[r]]})" for r in rows
        )
        print("  " + "".join(f"{text:18s}" for text in told).rstrip())


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of(
        "Write the name of a digit from its image.",
        "optdigits.tra, or a folder with it and optdigits.tes; drawn digits by default",
    )
    add = parser.add_argument
    add("--test", type=Path, help="optdigits.tes, or another file of images to test with")
    add("--images", type=int, default=4000, help="how many to draw, without --data")
    add("--feed-back", action="store_true", help="make each letter a part of the next input")
    add("--noise", type=float, default=0.5, help="added to images to learn from, which are -1 … 1")
    add("--hidden", type=int, default=256, help="units of the LSTM")
    add("--epochs", type=int, default=40, help="passes through the images")
    add("--batch", type=int, default=64, help="images an update")
    add("--lr", type=float, default=4e-3, help="learning rate of Adam at the start")
    return run(digits, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
