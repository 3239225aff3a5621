"""Many to many: the part of speech of every word, by a network that reads in both directions.

    python examples/tagging.py                                sentences of a small grammar
    python examples/tagging.py --data path/to/ud_english_ewt  a folder of CoNLL-U files
    python examples/tagging.py --no-letters                   words only

A word is its vector, and what an RNN makes of its letters, so that "blorbishly" can be an adverb:

    e_t = [E[word_t], GRU forward and backward over its letters]
    h_t = [LSTM forward, LSTM backward] over e_1 … e_T        p_t = softmax(W h_t + b)

In training a word is unknown now and then, or its letters would not be needed. Beside it stands the
tag that each word has most often; for words never seen, the tag that is most frequent among rare
ones.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import Outcome, parser_of, run

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn, optim, training
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import UNIVERSAL_TAGS, BucketedBatches, TokenVocabulary, read_conllu

NO_TAG = -100
"""Stands in the padding, and for words without a tag."""
LETTERS = 12
"""Letters that are read of a word: of a longer one the first four and the last eight."""
UNKNOWN_WORD = 1

Tagged = tuple[tuple[str, ...], tuple[str, ...]]


class Tagger(nn.Module):
    """The equations above."""

    def __init__(self, words: int, letters: int, options: argparse.Namespace) -> None:
        super().__init__()
        size, self.word_dropout = 100, options.word_dropout
        self.words = nn.Embedding(words, size, padding_idx=0)
        self.letters = self.spelling = None
        if options.letters:
            self.letters = nn.Embedding(letters, 32, padding_idx=0)
            self.spelling = nn.GRU(32, 64, bidirectional=True)
            size += 128
        self.lstm = nn.LSTM(size, options.hidden, options.layers, bidirectional=True)
        self.readout = nn.Linear(2 * options.hidden, len(UNIVERSAL_TAGS))
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, words: Tensor, lengths: Tensor, letters: Tensor) -> Tensor:
        """Return logits (T, B, 17) for words (T, B) with letters (T, B, L), padded with 0."""
        if self.training:
            unknown = (tg.rand(*words.shape) < self.word_dropout) & (words != 0)
            words = tg.where(unknown, UNKNOWN_WORD, words)
        e = self.words(words)
        if self.spelling is not None:
            # Each word is a sequence by itself: (T, B, L) -> (L, T B).
            spelled = letters.flatten(0, 1).T
            _, last = self.spelling(self.letters(spelled), lengths=(spelled != 0).sum(0))
            e = tg.cat([e, tg.cat([last[0], last[1]], -1).reshape(*words.shape, -1)], -1)
        h, _ = self.lstm(self.dropout(e), lengths=lengths)
        return self.readout(self.dropout(h))


class Encoder:
    """Numbers for words, letters and tags. Words are numbered in lower case; letters have both."""

    def __init__(self, sentences: Sequence[Tagged], min_count: int) -> None:
        words = [word for words, _ in sentences for word in words]
        self.words = TokenVocabulary.from_sequences([[w.lower() for w in words]], min_count)
        self.letters = TokenVocabulary.from_sequences(words)
        self.tags = {tag: number for number, tag in enumerate(UNIVERSAL_TAGS)}

    def batches(
        self, sentences: Sequence[Tagged], shuffle: bool, **settings: int
    ) -> BucketedBatches:
        """Return batches of words and their lengths, letters and theirs, tags and theirs."""
        words = [self.words.encode([word.lower() for word in words]) for words, _ in sentences]
        letters = [np.stack([self._spelled(word) for word in words]) for words, _ in sentences]
        tags = [np.array([self.tags.get(tag, NO_TAG) for tag in tags]) for _, tags in sentences]
        padding = (0, 0, NO_TAG)
        return BucketedBatches(words, letters, tags, values=padding, shuffle=shuffle, **settings)

    def _spelled(self, word: str) -> np.ndarray:
        shown = word if len(word) <= LETTERS else word[:4] + word[4 - LETTERS :]
        return np.pad(self.letters.encode(shown), (0, LETTERS - len(shown)))


# --------------------------------------------------------------------------- data

STEMS = "blor fen gral hin jask kel lum mord nab oss pim quil rast sef tov ul varn wex yor zan"
LEXICON = {
    "DET": "the a every some this that",
    "PRON": "she he they it that this her",
    "ADP": "in on under over by like past",
    "CCONJ": "and or but",
    "SCONJ": "that because while if like",
    "NOUN": "light watch walk well stone fire water cook past book plant play",
    "VERB": "light watch walk saw like cook book plant play fire water sleep",
    "ADJ": "light well past red cold young firm",
    "ADV": "well past often never here",
}
ENDINGS = {"NOUN": "ness ment er ity", "VERB": "ize ifies ated", "ADJ": "ous able ish", "ADV": "ly"}
RULES = {
    "S": ["NP VP .", "NP VP .", "NP VP SCONJ NP VP .", "NP VP CCONJ VP .", "ADV , NP VP ."],
    "NP": ["DET NOUN", "DET ADJ NOUN", "PRON", "PROPN", "NP ADP NP"],
    "VP": ["VERB NP", "VERB", "VERB NP ADP NP", "VERB ADV", "VERB SCONJ NP VERB", "ADV VERB NP"],
}


def generated(count: int, random: np.random.Generator) -> list[Tagged]:
    """Return sentences of a grammar in which many words may be several parts of speech.

    A third of nouns, verbs, adjectives and adverbs are made of random stems and a telling ending.
    """

    def written(symbol: str, depth: int) -> list[tuple[str, str]]:
        if symbol in RULES:
            # Deep inside, the first rules, which end soon.
            rules = RULES[symbol][: 2 if depth > 4 else None]
            parts = rules[random.integers(len(rules))].split()
            return [pair for part in parts for pair in written(part, depth + 1)]
        if symbol in ".,":
            return [(symbol, "PUNCT")]
        stem = "".join(random.choice(STEMS.split(), random.integers(1, 4)))
        if symbol == "PROPN":
            return [(stem.capitalize(), symbol)]
        if symbol in ENDINGS and random.random() < 1 / 3:
            return [(stem + random.choice(ENDINGS[symbol].split()), symbol)]
        return [(str(random.choice(LEXICON[symbol].split())), symbol)]

    return [tuple(zip(*written("S", 0), strict=True)) for _ in range(count)]


def find(options: argparse.Namespace) -> tuple[list[Tagged], list[Tagged], list[Tagged]]:
    """Return sentences to learn from, to choose the epoch by, and to be tested with."""
    if options.data is None:
        several = generated(options.sentences, np.random.default_rng(options.seed))
    elif options.data.is_dir():
        paths = [sorted(options.data.glob(f"*{part}*.conllu")) for part in ("train", "dev", "test")]
        if not all(paths):
            raise DataError(
                f"{options.data} must have three files, *train*.conllu, *dev*.conllu and "
                "*test*.conllu; or name one file, of which a tenth will be tested with"
            )
        return tuple(read(found[0]) for found in paths)
    else:
        several = read(options.data)
    if len(several) < 10:
        raise DataError(f"{len(several)} sentences are too few; 10 are the fewest")
    tenth = len(several) // 10
    return several[: -2 * tenth], several[-2 * tenth : -tenth], several[-tenth:]


def read(path: Path) -> list[Tagged]:
    """Read words and tags of a CoNLL-U file."""
    sentences = [(sentence.words, sentence.tags) for sentence in read_conllu(path)]
    if not any(tag in UNIVERSAL_TAGS for _, tags in sentences for tag in tags):
        raise DataError(f"{path} has no tags in its fourth column")
    return sentences


def most_frequent(train: Sequence[Tagged], sentences: Sequence[Tagged]) -> list[list[str]]:
    """Return for every word the tag that it has most often in the sentences learned from."""
    counts: dict[str, Counter[str]] = {}
    for words, tags in train:
        for word, tag in zip(words, tags, strict=True):
            counts.setdefault(word, Counter())[tag] += 1
    rare: Counter[str] = Counter()
    for count in counts.values():
        if count.total() == 1:
            rare += count
    other = (rare or sum(counts.values(), Counter())).most_common(1)[0][0]
    usual = {word: count.most_common(1)[0][0] for word, count in counts.items()}
    return [[usual.get(word, other) for word in words] for words, _ in sentences]


# --------------------------------------------------------------------------- learning


def tagging(options: argparse.Namespace) -> Outcome:
    if not 0.0 <= options.word_dropout < 1.0:
        raise ArgumentError(f"--word-dropout is {options.word_dropout}, not from 0 to 1")
    train, validation, test = find(options)
    encoder = Encoder(train, options.min_count)
    model = Tagger(len(encoder.words), len(encoder.letters), options)
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    print(f"{len(train)} sentences to learn from, {len(validation)} to choose the epoch by,")
    print(f"{len(test)} to test with; {model.parameter_count():,} parameters")

    def loss_of_batch(*batch: Tensor) -> Tensor:
        words, lengths, letters, _, tags, _ = batch
        logits = model(words, lengths, letters)
        return functional.cross_entropy(logits.flatten(0, 1), tags.flatten(), ignore_index=NO_TAG)

    def tags_of(sentences: Sequence[Tagged]) -> list[list[str]]:
        batches = encoder.batches(sentences, shuffle=False, batch_size=64)
        found: list[list[str]] = [[]] * len(sentences)
        with training.inference(model):
            for rows, (words, lengths, letters, *_) in zip(batches.rows(), batches, strict=True):
                best = model(*map(tg.tensor, (words, lengths, letters))).argmax(-1).numpy()
                for row, length, numbers in zip(rows, lengths, best.T, strict=True):
                    found[row] = [UNIVERSAL_TAGS[number] for number in numbers[:length]]
        return found

    # A step is compiled for every length of a batch; for the few longest it would not be worth it.
    short = [sentence for sentence in train if len(sentence[0]) <= options.longest]
    if not short:
        raise DataError(f"no sentence to learn from has --longest {options.longest} words or fewer")
    batches = encoder.batches(
        short, True, batch_size=min(options.batch, len(short)), buckets=4, seed=options.seed
    )
    fitted = training.fit(
        model,
        optimizer,
        loss_of_batch,
        batches,
        lambda: {"accuracy": share(right(tags_of(validation), validation))},
        epochs=options.epochs,
        mode="max",
        clip=5.0,
        schedule=optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        folder=options.out,
        jit=not options.no_jit,
    )
    found = {"network": tags_of(test), "most frequent tag": most_frequent(train, test)}
    return Outcome(report(found, train, test), fitted.stopped == "interrupted")


def right(found: Sequence[Sequence[str]], sentences: Sequence[Tagged]) -> list[bool]:
    """Return for every word that has a tag whether it was found."""
    return [
        tag == guess
        for (_, tags), guesses in zip(sentences, found, strict=True)
        for tag, guess in zip(tags, guesses, strict=True)
        if tag in UNIVERSAL_TAGS
    ]


def share(several: Sequence[bool]) -> float:
    return sum(several) / max(len(several), 1)


def report(
    found: dict[str, list[list[str]]], train: Sequence[Tagged], test: Sequence[Tagged]
) -> dict[str, float]:
    """Print a sentence, the accuracies and the most frequent mistakes; return the accuracies."""
    held = {word for words, _ in train for word in words}
    unseen = [
        word not in held
        for words, tags in test
        for word, tag in zip(words, tags, strict=True)
        if tag in UNIVERSAL_TAGS
    ]
    print(f"\n{len(unseen)} words to test with, {sum(unseen)} of them never seen in training")
    print(f"{'':20s}{'all words':>12s}{'never seen':>12s}")
    metrics = {}
    for name, tags in found.items():
        hits = right(tags, test)
        scores = share(hits), share([hit for hit, new in zip(hits, unseen, strict=True) if new])
        print(f"{name:20s}" + "".join(f"{100 * score:10.2f} %" for score in scores))
        metrics |= {name: scores[0], f"{name}, words never seen": scores[1]}
    pairs = zip(test, found["network"], strict=True)
    mistakes = Counter(
        (tag, guess)
        for (_, tags), guesses in pairs
        for tag, guess in zip(tags, guesses, strict=True)
        if tag != guess and tag in UNIVERSAL_TAGS
    )
    print("\nMost frequent mistakes of the network:")
    for (tag, guess), count in mistakes.most_common(5):
        print(f"  {count:4d} x {tag} taken for {guess}")
    (words, tags), guesses = test[0], found["network"][0]
    print(
        "\n"
        + " ".join(
            f"{word}/{guess}" + ("" if guess == tag else f" (is {tag})")
            for word, tag, guess in zip(words, tags, guesses, strict=True)
        )
    )
    return metrics


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of(
        "Tag every word with its part of speech.",
        "a folder with *train*, *dev* and *test* .conllu, or one file; a grammar by default",
    )
    add = parser.add_argument
    add("--sentences", type=int, default=2000, help="how many to generate, without --data")
    add("--letters", action=argparse.BooleanOptionalAction, default=True, help="read letters, too")
    add("--min-count", type=int, default=2, help="words that occur less often are unknown")
    add("--word-dropout", type=float, default=0.1, help="share of words made unknown in training")
    add("--hidden", type=int, default=128, help="units of the LSTM in each direction")
    add("--layers", type=int, default=1, help="layers of it")
    add("--dropout", type=float, default=0.4, help="of its inputs and outputs")
    add("--longest", type=int, default=40, help="words of a sentence to learn from at most")
    add("--epochs", type=int, default=6, help="passes through the sentences")
    add("--batch", type=int, default=32, help="sentences an update")
    add("--lr", type=float, default=3e-3, help="learning rate of Adam at the start")
    return run(tagging, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
