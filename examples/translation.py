"""Sequence to sequence: translation by an encoder, a decoder and the attention between them.

    python examples/translation.py                                written-out dates to ISO dates
    python examples/translation.py --data path/to/kor.txt         English to Korean
    python examples/translation.py --data path/to/kor.txt --reverse
    python examples/translation.py --no-attention

The encoder reads the whole input in both directions before the decoder starts from what it kept:

    m_s = [GRU forward, GRU backward] over x_1 … x_S         h_0 = tanh(W [last of both] + b)
    h_t = GRU([y_{t-1}, context_t], h_{t-1})                 p_t = softmax(V h_t + a)

With attention, context_t = Σ_s weight_ts m_s is read from the input anew for every symbol written
(Bahdanau, Cho and Bengio, 2015); without, all that is known of the input is h_0. In training the
right symbol is y_{t-1} (teacher forcing); in use it is what was written before: the most probable
symbol (greedy), or one of the best few (beam search).

Beside it stand the translation of the sentence most alike among those learned from, and always the
most frequent translation.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
from common import Outcome, legible, parser_of, picture, run

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, lm, nn, optim, training
from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import PADDING, UNKNOWN, BucketedBatches, TokenVocabulary, read_tsv
from tinygrad_rnn.text.words import join_words, split_words

BEGIN, END = "⟨", "⟩"
Pairs = list[tuple[str, str]]

FOR_LANGUAGES = {
    "levels": ["word", "char"],
    "min_count": 2,
    "hidden": 256,
    "dropout": 0.5,
    "epochs": 40,
    "batch": 32,
    "lr": 2e-3,
}
"""Other defaults with --data: the first column by words, the second by characters."""


class Language(NamedTuple):
    """How a text is cut into tokens and put together again, and which tokens there are."""

    level: str
    vocabulary: TokenVocabulary

    @classmethod
    def of_texts(cls, level: str, texts: Sequence[str], min_count: int) -> Language:
        """Collect the tokens of texts."""
        tokens = [cut(level, text) for text in texts]
        specials = (PADDING, UNKNOWN, BEGIN, END)
        return cls(level, TokenVocabulary.from_sequences(tokens, min_count, specials=specials))

    def encode(self, text: str) -> np.ndarray:
        """Return the numbers of a text, with its beginning and end marked."""
        return self.vocabulary.encode([BEGIN, *cut(self.level, text), END])

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of numbers, without the marks of its beginning and end."""
        tokens = self.vocabulary.decode(np.array(ids, np.int64))
        return join_words(tokens) if self.level == "word" else "".join(tokens)


def cut(level: str, text: str) -> list[str]:
    return [token for token, _ in split_words(text)] if level == "word" else list(text)


class Translator(nn.Module):
    """The equations above. Sources are (S, B) with their lengths (B,), what is written (T, B)."""

    def __init__(
        self, source: int, target: int, hidden: int, dropout: float, attention: bool
    ) -> None:
        super().__init__()
        reads = nn.AdditiveAttention(hidden, 2 * hidden, hidden) if attention else None
        self.source = nn.Embedding(source, hidden, padding_idx=0)
        self.encoder = nn.GRU(hidden, hidden, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.target = nn.Embedding(target, hidden, padding_idx=0)
        self.decoder = nn.GRU(hidden, hidden, attention=reads)
        self.readout = nn.Linear(hidden, target)
        self.dropout = nn.Dropout(dropout)

    def read(self, source: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Return what the decoder needs: h_0 (B, H), and all of the input for the attention."""
        m, last = self.encoder(self.dropout(self.source(source)), lengths=lengths)
        begun = {"h": self.bridge(tg.cat([last[0], last[1]], -1)).tanh()}
        if self.decoder.attention is None:
            return begun
        steps = tg.arange(len(source)).unsqueeze(0)
        return begun | {"m": self.dropout(m).transpose(0, 1), "mask": steps < lengths.unsqueeze(1)}

    def write(self, before: Tensor, state: dict[str, Tensor], record: bool = False) -> Any:
        """Return logits (T, B, V) of the symbols after `before` (T, B), and the state."""
        memory = {}
        if "m" in state:
            memory = {"memory": state["m"].transpose(0, 1), "memory_mask": state["mask"].T}
        embedded = self.dropout(self.target(before))
        h, last, *seen = self.decoder(embedded, state["h"].unsqueeze(0), record=record, **memory)
        logits = self.readout(self.dropout(h))
        return (logits, {**state, "h": last.squeeze(0)}, *seen)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        """Return the logits of target[1:], the right symbols before each being known."""
        return self.write(target[:-1], self.read(source, lengths))[0]

    def step(self, symbols: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the log-probabilities (B, V) of what follows: the step of a search."""
        logits, state = self.write(symbols.unsqueeze(0), state)
        return logits[0].log_softmax(-1), state


# --------------------------------------------------------------------------- data


def ordinal(n: int) -> str:
    ending = "th" if n // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


WRITINGS: tuple[Callable[[date], str], ...] = (
    lambda d: f"{d:%A} the {ordinal(d.day)} of {d:%B} {d.year}",
    lambda d: f"the {ordinal(d.day)} of {d:%B}, {d.year}",
    lambda d: f"{d:%A}, {d:%B} {d.day}, {d.year}",
    lambda d: f"{d:%B} {ordinal(d.day)}, {d.year}",
    lambda d: f"{d:%b} {d.day}, {d.year}",
    lambda d: f"{d:%a} {d.day} {d:%b} {d.year}",
    lambda d: f"{d.day} {d:%B} {d.year}".lower(),
    lambda d: f"{d.day}.{d.month}.{d.year}",
    lambda d: f"in {d.year}, on {d:%B} {d.day}",
    lambda d: f"{d:%A} of week {d.isocalendar().week}, {d:%d/%m/%Y}",
)


def dates(count: int, random: np.random.Generator) -> Pairs:
    """Return different dates, each written in one of ten ways, and as ISO has it."""
    first, days = date(1900, 1, 1), 73049
    if not 10 <= count <= days:
        raise ArgumentError(f"--dates is {count}; it is between 10 and {days}")
    chosen = [first + timedelta(int(day)) for day in random.permutation(days)[:count]]
    ways = random.integers(0, len(WRITINGS), count)
    return [(WRITINGS[way](day), day.isoformat()) for way, day in zip(ways, chosen, strict=True)]


def read(options: argparse.Namespace) -> Pairs:
    """Read pairs from the first two columns of a TSV file."""
    table = read_tsv(options.data, [0, 1])
    return [(a.strip(), b.strip()) for a, b in zip(table[0], table[1], strict=True)]


def split(pairs: Pairs, random: np.random.Generator) -> tuple[Pairs, Pairs, Pairs]:
    """Return pairs to learn from, a tenth to choose the epoch by, and a tenth to be tested with.

    All translations of one sentence of the first column come into the same part.
    """
    sentences = list(dict.fromkeys(first for first, _ in pairs))
    if len(sentences) < 10:
        raise DataError(f"{len(sentences)} different sentences are too few; 10 are the fewest")
    order, tenth = random.permutation(len(sentences)), len(sentences) // 10
    part = {sentences[i]: min(place // tenth, 2) for place, i in enumerate(order.tolist())}
    test, validation, train = ([p for p in pairs if part[p[0]] == number] for number in range(3))
    return train, validation, test


def nearest(train: Pairs, sources: Sequence[str], most: int = 3000) -> list[str]:
    """Return the translation of the sentence that shares the most character trigrams with each."""

    def trigrams(text: str) -> list[str]:
        return [f"^{text}$"[i : i + 3] for i in range(len(text))]

    known = TokenVocabulary.from_sequences([trigrams(a) for a, _ in train], most=most)

    def vectors(texts: Sequence[str]) -> np.ndarray:
        counts = np.zeros((len(texts), len(known)), np.float32)
        for row, text in zip(counts, texts, strict=True):
            np.add.at(row, known.encode(trigrams(text)), 1.0)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)

    alike = vectors(sources) @ vectors([a for a, _ in train]).T
    return [train[row][1] for row in alike.argmax(1)]


# --------------------------------------------------------------------------- learning and using


def translations(
    model: Translator,
    step: Any,
    source: Language,
    target: Language,
    texts: Sequence[str],
    width: int,
    longest: int,
) -> list[Sequence[int]]:
    """Return the symbols that the model writes for each text; width 1 is the greedy choice."""
    ids = [source.encode(text) for text in texts]
    batches = BucketedBatches(ids, batch_size=64, buckets=4, shuffle=False)
    found: list[Sequence[int]] = [()] * len(texts)
    begin, end = (target.vocabulary.index(mark) for mark in (BEGIN, END))
    for rows, (x, lengths) in zip(batches.rows(), batches, strict=True):
        start = np.full(len(rows), begin)
        with training.inference(model):
            state = model.read(tg.tensor(x), tg.tensor(lengths))
            searched = lm.beam_search(
                step, start, state, width=width, length=longest, end=end, length_penalty=1.0
            )
        for row, hypotheses in zip(rows, searched, strict=True):
            found[row] = hypotheses[0].symbols
    return found


def translation(options: argparse.Namespace) -> Outcome:
    if options.beam < 1:
        raise ArgumentError(f"--beam is {options.beam}; it must be 1 or more")
    random = np.random.default_rng(options.seed)
    pairs = dates(options.dates, random) if options.data is None else read(options)
    parts = split(pairs, random)
    if options.reverse:
        parts = tuple([(b, a) for a, b in part] for part in parts)
    # With so few sentences, "The" and "the" had better be one word where they are read.
    train, validation, test = ([(a.lower(), b) for a, b in part] for part in parts)
    train = [pair for pair in train if max(map(len, pair)) <= options.longest]
    if not train:
        raise DataError(f"no pair has --longest {options.longest} characters or fewer")
    levels = options.levels[::-1] if options.reverse else options.levels
    source = Language.of_texts(levels[0], [a for a, _ in train], options.min_count)
    target = Language.of_texts(levels[1], [b for _, b in train], options.min_count)
    model = Translator(
        len(source.vocabulary),
        len(target.vocabulary),
        options.hidden,
        options.dropout,
        options.attention,
    )
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    print(f"{len(train)} pairs to learn from, {len(validation)} to choose the epoch by,")
    print(f"{len(test)} to test with; {model.parameter_count():,} parameters")

    def batches_of(part: Pairs, shuffle: bool) -> BucketedBatches:
        columns = [source.encode(a) for a, _ in part], [target.encode(b) for _, b in part]
        return BucketedBatches(
            *columns,
            batch_size=min(options.batch, len(part)),
            shuffle=shuffle,
            buckets=4,
            seed=options.seed,
        )

    def loss_of_batch(x: Tensor, lengths: Tensor, y: Tensor, steps: Tensor) -> Tensor:
        logits = model(x, lengths, y)
        # Padding is number 0, in sources hidden by their lengths and in targets ignored.
        return functional.cross_entropy(logits.flatten(0, 1), y[1:].flatten(), ignore_index=0)

    def accuracy() -> dict[str, float]:
        right = total = 0
        for x, lengths, y, _ in batches_of(validation, shuffle=False):
            guessed = model(*map(tg.tensor, (x, lengths, y))).argmax(-1).numpy()
            right += ((guessed == y[1:]) & (y[1:] != 0)).sum()
            total += (y[1:] != 0).sum()
        return {"accuracy": right / total}

    fitted = training.fit(
        model,
        optimizer,
        loss_of_batch,
        batches_of(train, shuffle=True),
        accuracy,
        epochs=options.epochs,
        mode="max",
        clip=1.0,
        schedule=optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        folder=options.out,
        jit=not options.no_jit,
    )
    step = model.step if options.no_jit else tg.jit(model.step)
    sources, references = zip(*test, strict=True)
    longest = max(len(target.encode(b)) for _, b in train)
    usual = Counter(b for _, b in train).most_common(1)[0][0]
    written = {
        name: translations(model, step, source, target, sources, width, longest)
        for name, width in {"greedy": 1, f"beam of {options.beam}": options.beam}.items()
    }
    found = {name: [target.decode(ids) for ids in several] for name, several in written.items()}
    found["most alike sentence"] = nearest(train, sources)
    found["most frequent output"] = [usual] * len(test)
    print()
    spread = np.linspace(0, len(test) - 1, min(6, len(test))).astype(int)
    for number in spread:
        print(f"  {sources[number]}\n    {'is':11s}{references[number]}")
        for name in written:
            print(f"    {name:11s}{found[name][number]}")
    metrics = report(found, references)
    if options.attention:
        shown = [
            alignment(model, source, target, sources[number], written["greedy"][number])
            for number in spread[-4:]
        ]
        picture(options.out / "alignment.png", lambda figure: draw(figure, shown))
    return Outcome(metrics, fitted.stopped == "interrupted")


def report(found: dict[str, list[str]], references: Sequence[str]) -> dict[str, float]:
    """Print how near the translations come to the references, in percent; return the numbers."""
    measures: dict[str, Callable[[list[str]], float]] = {
        "exact match": lambda texts: 100 * sum(map(str.__eq__, texts, references)) / len(texts)
    }
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError:
        print("\nNo BLEU, which needs sacrebleu (the extra `bleu`)")
    else:
        scorers = {"BLEU": BLEU(), "BLEU of characters": BLEU(tokenize="char"), "chrF": CHRF()}
        for name, scorer in scorers.items():
            measures[name] = lambda texts, s=scorer: s.corpus_score(texts, [references]).score
    print(f"\nOn {len(references)} pairs held out:")
    print(" " * 22 + "".join(f"{name:>20s}" for name in measures))
    metrics = {}
    for system, texts in found.items():
        scores = {name: measure(texts) for name, measure in measures.items()}
        print(f"{system:22s}" + "".join(f"{score:20.2f}" for score in scores.values()))
        metrics |= {f"{system}: {name}": score for name, score in scores.items()}
    return metrics


class Alignment(NamedTuple):
    """The tokens of a source and its translation, and how strongly each read each: (T, S)."""

    source: list[str]
    target: list[str]
    weights: np.ndarray


def alignment(
    model: Translator, source: Language, target: Language, text: str, written: Sequence[int]
) -> Alignment:
    """Return what the decoder reads while it writes a translation, its end included."""
    begin, end = (target.vocabulary.index(mark) for mark in (BEGIN, END))
    x, y = source.encode(text), np.array([begin, *written, end])
    with training.inference(model):
        state = model.read(tg.tensor(x[:, None]), tg.tensor([len(x)]))
        *_, seen = model.write(tg.tensor(y[:-1, None]), state, record=True)
    tokens = source.vocabulary.decode(x), target.vocabulary.decode(y)[1:]
    return Alignment(*tokens, seen["l0"]["attention"].numpy()[:, 0])


def draw(figure: Any, shown: Sequence[Alignment]) -> None:
    """Draw alignments one beside the other; dark is read strongly."""
    figure.suptitle("What is read (across) while each symbol is written (down)", fontsize=10)
    for axes, (source, target, weights) in zip(figure.subplots(2, 2).flat, shown, strict=False):
        axes.imshow(weights, cmap="Greys", vmin=0.0, aspect="auto")
        across, down = ([legible(token) for token in tokens] for tokens in (source, target))
        turned = 90 if max(map(len, across)) > 1 else 0
        axes.set_xticks(range(len(across)), across, fontsize=8, rotation=turned)
        axes.set_yticks(range(len(down)), down, fontsize=8)
        axes.tick_params(length=0)


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("Translate.", "pairs as TSV; written-out dates by default")
    add = parser.add_argument
    add("--reverse", action="store_true", help="translate the second column into the first")
    switch = argparse.BooleanOptionalAction
    add("--attention", action=switch, default=True, help="read the input for each symbol")
    cuts = ("char", "word")
    add("--levels", nargs=2, choices=cuts, default=["char", "char"], help="of both columns")
    add("--min-count", type=int, default=1, help="tokens that occur less often are unknown")
    add("--dates", type=int, default=5000, help="how many to generate, without --data")
    add("--longest", type=int, default=50, help="characters of a text to learn from at most")
    add("--hidden", type=int, default=64, help="units of each GRU")
    add("--dropout", type=float, default=0.1, help="of embeddings and states")
    add("--epochs", type=int, default=6, help="passes through the pairs")
    add("--batch", type=int, default=64, help="pairs an update")
    add("--beam", type=int, default=4, help="width of the beam search")
    add("--lr", type=float, default=3e-3, help="learning rate of Adam at the start")
    if parser.parse_known_args(arguments)[0].data is not None:
        parser.set_defaults(**FOR_LANGUAGES)
    return run(translation, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
