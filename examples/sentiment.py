"""Many to one: whether a sentence praises or blames, from the last state of a recurrent network.

    python examples/sentiment.py                                sentences made of phrases
    python examples/sentiment.py --data path/to/uci_sentiment   a folder of TSV files
    python examples/sentiment.py --data path/to/reviews.tsv --level char --cell gru

Sentences of unequal length stand side by side in one batch; the state of each stays as it is after
its last word, so that it is the same as if the sentence were read alone:

    h_t = cell(E[word_t], h_{t-1}),  t = 1 … length        p(praise) = σ(w · h_length + b)

Vanilla RNN, LSTM, GRU and a GRU in both directions are compared with each other, and with logistic
regression on the bag of words, which knows how often each word occurs and not where. h_length is
a vector for the whole sentence: nearest neighbours and a map are made of it.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import Outcome, parser_of, picture, run

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn, optim, training
from tinygrad_rnn.errors import DataError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import BucketedBatches, TokenVocabulary, read_tsv, split_words

CELLS = {
    "rnn": lambda size, hidden: nn.RNN(size, hidden),
    "lstm": lambda size, hidden: nn.LSTM(size, hidden),
    "gru": lambda size, hidden: nn.GRU(size, hidden),
    "bidirectional": lambda size, hidden: nn.GRU(size, hidden, bidirectional=True),
}


class Labelled(NamedTuple):
    """Sentences, and 1 for each that praises, 0 for each that blames."""

    texts: list[str]
    labels: np.ndarray

    def chosen(self, rows: np.ndarray) -> Labelled:
        """Return some of them."""
        return Labelled([self.texts[row] for row in rows], self.labels[rows])


class Reader(nn.Module):
    """A recurrent network over the tokens of a sentence, and the logit of praise."""

    def __init__(self, symbols: int, cell: str, options: argparse.Namespace) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, options.embedding, padding_idx=0)
        self.layer = CELLS[cell](options.embedding, options.hidden)
        self.dropout = nn.Dropout(options.dropout)
        self.readout = nn.Linear(options.hidden * self.layer.num_directions, 1)

    def sentence(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the last states of sentences (T, B), both directions side by side: (B, H)."""
        _, last = self.layer(self.dropout(self.embedding(ids)), lengths=lengths)
        h = last.h if isinstance(last, tuple) else last
        return tg.cat(list(h), -1)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return logits (B,)."""
        return self.readout(self.dropout(self.sentence(ids, lengths))).squeeze(-1)


# --------------------------------------------------------------------------- data

THINGS = "the food|the phone|this movie|the battery|our waiter|the sound|the story|the service"
PRAISE = "great|wonderful|a delight|excellent|really good|worth every cent|lovely"
BLAME = "awful|terrible|a disaster|boring|really bad|a waste of money|broken"
PLAINLY, NEGATED = "was|is|turned out to be", "was not|is hardly|was never"
BEFORE = "|honestly ,|as a friend told me ,|for the price ,|after two weeks i can say"
AFTER = "|, as i said|when i came here with my sister in may|, and we were not the only ones"
TURNS = "and|and also|yet|but in the end"


def generated(count: int, random: np.random.Generator) -> Labelled:
    """Return sentences in which the order of words matters: negations, and "but in the end".

    A sentence has one or two clauses; where they disagree, the last one is meant.
    """

    def one(phrases: str) -> str:
        return str(random.choice(phrases.split("|")))

    texts, labels = [], random.integers(0, 2, count)
    for label in labels.astype(bool):
        said = []
        for meant in [random.random() < 0.5, label][random.integers(0, 2) :]:
            plain = random.random() < 0.7
            verb = one(PLAINLY if plain else NEGATED)
            said.append(f"{one(THINGS)} {verb} {one(PRAISE if meant == plain else BLAME)}")
        texts.append(f"{one(BEFORE)} {f' {one(TURNS)} '.join(said)} {one(AFTER)} .".strip())
    return Labelled(texts, labels)


def read(path: Path) -> Labelled:
    """Read sentences and labels 0 or 1 from a TSV file, or from all .txt and .tsv of a folder."""
    paths = sorted([*path.glob("*.txt"), *path.glob("*.tsv")]) if path.is_dir() else [path]
    if not paths:
        raise DataError(f"{path} has no .txt or .tsv files")
    texts: list[str] = []
    labels: list[np.ndarray] = []
    for each in paths:
        table = read_tsv(each, {0: str, 1: int})
        wrong = ~np.isin(table[1], (0, 1))
        if wrong.any():
            place = int(wrong.argmax())
            raise DataError(
                f"{each}, sentence {place + 1}: the label is {table[1][place]}, not 0 or 1"
            )
        texts += [text.strip() for text in table[0]]
        labels.append(table[1])
    return Labelled(texts, np.concatenate(labels))


def words_of(text: str) -> list[str]:
    return [token for token, _ in split_words(text.lower())]


# --------------------------------------------------------------------------- learning


def counts(bag: TokenVocabulary, data: Labelled) -> np.ndarray:
    """Return which words sentences have, (N, words)."""
    found = np.zeros((len(data.texts), len(bag)), np.float32)
    for row, text in zip(found, data.texts, strict=True):
        row[bag.encode(words_of(text))] = 1.0
    return found


def learn(
    model: nn.Module,
    batches: Any,
    validation: Any,
    lr: float,
    decay: float,
    epochs: int,
    folder: Path,
    options: argparse.Namespace,
) -> bool:
    """Train a model whose batches end with the labels; return whether Ctrl-C ended it."""
    optimizer = optim.Adam(model.parameters(), lr=lr, weight_decay=decay)

    def loss_of_batch(*batch: Tensor) -> Tensor:
        *inputs, labels = batch
        logits = model(*inputs).flatten()
        return functional.binary_cross_entropy_with_logits(logits, labels)

    def validate() -> float:
        losses = [loss_of_batch(*map(tg.tensor, batch)).item() for batch in validation]
        return float(np.mean(losses))

    fitted = training.fit(
        model,
        optimizer,
        loss_of_batch,
        batches,
        validate,
        epochs=epochs,
        patience=options.patience,
        clip=1.0,
        folder=folder,
        progress=False,
        jit=not options.no_jit,
    )
    epochs_run = f"best after epoch {fitted.best_epoch} of {len(fitted.records)}"
    print(f"  {folder.name}: {model.parameter_count():,} parameters, {epochs_run}")
    return fitted.stopped == "interrupted"


def sentiment(options: argparse.Namespace) -> Outcome:
    random = np.random.default_rng(options.seed)
    data = generated(options.sentences, random) if options.data is None else read(options.data)
    order, tenth = random.permutation(len(data.texts)), len(data.texts) // 10
    if not tenth or len(np.unique(data.labels)) < 2:
        raise DataError("10 sentences are the fewest, and both labels are needed among them")
    test, validation, train = (
        data.chosen(rows) for rows in np.split(order, [2 * tenth, 3 * tenth])
    )
    print(f"{len(train.texts)} sentences to learn from, {len(validation.texts)} to choose the")
    print(f"epoch by, {len(test.texts)} to test with; read by {options.level}s")
    scores = {"always the same": max(test.labels.mean(), 1.0 - test.labels.mean())}

    bag = TokenVocabulary.from_sequences(map(words_of, train.texts), options.min_count)
    logistic = nn.Linear(len(bag), 1)
    parts = (train, validation)
    known, unseen = ((counts(bag, part), part.labels.astype(np.float32)) for part in parts)

    def dealt(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        order = np.random.default_rng((options.seed, epoch)).permutation(len(known[1]))
        size = min(options.batch, len(order))
        for begin in range(0, len(order) - size + 1, size):
            yield tuple(part[order[begin : begin + size]] for part in known)

    folder = options.out / "bag-of-words"
    interrupted = learn(logistic, dealt, [unseen], 1e-2, 1e-4, 40, folder, options)
    with training.inference(logistic):
        praised = logistic(tg.tensor(counts(bag, test))).numpy()[:, 0] > 0
    scores["bag of words"] = float((praised == test.labels).mean())

    cut = list if options.level == "char" else words_of
    vocabulary = TokenVocabulary.from_sequences(map(cut, train.texts), options.min_count)

    def batches_of(part: Labelled, shuffle: bool) -> BucketedBatches:
        # Of very long sentences the end, or the recording for them would be as long.
        ids = [vocabulary.encode(cut(text) or [" "])[-options.longest :] for text in part.texts]
        return BucketedBatches(
            ids,
            part.labels.astype(np.float32),
            batch_size=min(options.batch, len(ids)),
            buckets=4,
            shuffle=shuffle,
            seed=options.seed,
        )

    vectors = {}
    for cell in options.cell:
        if interrupted:
            break
        model = Reader(len(vocabulary), cell, options)
        batches = batches_of(train, shuffle=True)
        checks = list(batches_of(validation, shuffle=False))
        settings = (options.lr, options.decay, options.epochs, options.out / cell, options)
        interrupted = learn(model, batches, checks, *settings)
        vectors[cell], praised = embedded(model, batches_of(test, shuffle=False))
        scores[cell] = float((praised == test.labels).mean())
    print(f"\nOn {len(test.texts)} sentences held out: right labels")
    for name, score in scores.items():
        # Of a share p of n the standard error is sqrt(p (1 - p) / n).
        error = np.sqrt(score * (1.0 - score) / len(test.texts))
        print(f"  {name:18s}{100 * score:6.1f} % ± {100 * error:.1f}")
    if vectors:
        best = max(vectors, key=lambda cell: scores[cell])
        neighbours(vectors[best], test, best)
        picture(
            options.out / "sentences.png", lambda figure: draw(figure, vectors[best], test, best)
        )
    return Outcome({name: float(score) for name, score in scores.items()}, interrupted)


def embedded(model: Reader, batches: BucketedBatches) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of sentences (N, H), and which of them the model takes for praise."""
    rows = np.concatenate(batches.rows())
    with training.inference(model):
        h = [model.sentence(tg.tensor(ids), tg.tensor(lengths)) for ids, lengths, _ in batches]
        logits = [model.readout(vectors).numpy()[:, 0] for vectors in h]
    back = np.argsort(rows)
    return np.concatenate([v.numpy() for v in h])[back], np.concatenate(logits)[back] > 0


def neighbours(vectors: np.ndarray, data: Labelled, name: str) -> None:
    """Print sentences, and those whose vectors point the most in the same direction."""
    centered = vectors - vectors.mean(0)
    unit = centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-9)
    print(f"\nSentences, and those nearest to them by the last state of {name}:")
    for row in range(min(3, len(unit))):
        alike = unit @ unit[row]
        alike[row] = -np.inf
        print(f"  {'+' if data.labels[row] else '-'} {data.texts[row][:90]}")
        for other in np.argsort(-alike)[:3]:
            sign = "+" if data.labels[other] else "-"
            print(f"      {alike[other]:.2f}  {sign} {data.texts[other][:80]}")


def draw(figure: Any, vectors: np.ndarray, data: Labelled, name: str) -> None:
    """Draw the two principal components of the vectors, the outermost with their sentences."""
    centered = vectors - vectors.mean(0)
    _, sizes, directions = np.linalg.svd(centered, full_matrices=False)
    places = centered @ directions[:2].T
    shares = 100 * sizes[:2] ** 2 / (sizes**2).sum()
    axes = figure.subplots()
    for label, sign in ((1, "praise"), (0, "blame")):
        x, y = places[data.labels == label].T
        axes.scatter(x, y, s=14, alpha=0.6, color=f"C{3 - 3 * label}", label=sign)
    axes.margins(0.1)
    ends = {int(row) for axis in places.T for row in (axis.argmin(), axis.argmax())}
    for row in sorted(ends):
        right = places[row, 0] > 0.0
        axes.annotate(
            textwrap.fill(data.texts[row][:120], 40),
            places[row],
            textcoords="offset points",
            xytext=(-8 if right else 8, 0),
            ha="right" if right else "left",
            va="center",
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1},
        )
    axes.set_xlabel(f"first principal component, {shares[0]:.0f} % of the variance")
    axes.set_ylabel(f"second, {shares[1]:.0f} %")
    axes.set_title(f"Held-out sentences by the last state of {name}")
    axes.legend()


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of(
        "Tell praise from blame.",
        "a TSV file of sentences and 0 or 1, or a folder of them; made of phrases by default",
    )
    add = parser.add_argument
    add("--level", choices=("word", "char"), default="word", help="what is read at each step")
    add("--cell", nargs="+", choices=CELLS, default=list(CELLS), help="which networks")
    add("--min-count", type=int, default=2, help="tokens that occur less often are unknown")
    add("--longest", type=int, default=200, help="tokens of a sentence at most, from its end")
    add("--sentences", type=int, default=1500, help="how many to generate, without --data")
    add("--embedding", type=int, default=32, help="length of a token's vector")
    add("--hidden", type=int, default=64, help="units in each direction")
    add("--dropout", type=float, default=0.3, help="of embeddings and of the last state")
    add("--decay", type=float, default=0.0, help="weight decay")
    add("--epochs", type=int, default=12, help="passes through the sentences at most")
    add("--patience", type=int, default=5, help="epochs without a better one, after which to end")
    add("--batch", type=int, default=32, help="sentences an update")
    add("--lr", type=float, default=3e-3, help="learning rate of Adam")
    return run(sentiment, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
