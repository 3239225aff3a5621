"""Annotated sentences: the CoNLL-U format of Universal Dependencies (Nivre et al., 2020)."""

import os
from typing import NamedTuple

from tinygrad_rnn.errors import DataError
from tinygrad_rnn.text.corpora import find_text

UNIVERSAL_TAGS = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM"),
    *("PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"),
)
"""The universal part-of-speech tags, A to Z."""

_COLUMNS = 10


class Sentence(NamedTuple):
    """A sentence, one entry for each syntactic word.

    Attributes:
        words: the forms as they stand in the text.
        tags: universal part-of-speech tags, "_" where none is given.
        lemmas: dictionary forms.
        language_tags: tags of the language's own.
        features: morphological features, as they are written.
        heads: number of each word's head, from 1; 0 is the root, -1 where none is given.
        relations: relation to the head.
        comments: what stands in lines that begin with #, without it.
        line: the line of the file at which the sentence begins.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    lemmas: tuple[str, ...]
    language_tags: tuple[str, ...]
    features: tuple[str, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]
    comments: tuple[str, ...]
    line: int


def read_conllu(path: str | os.PathLike[str]) -> list[Sentence]:
    """Return the sentences of a CoNLL-U file.

    Of a token that stands for several words ("don't", 1-2) the words are read, and empty nodes
    (1.1), which are nowhere in the text, are left out.

    Raises:
        DataError: names file and line of whatever cannot be read: a missing or empty file, bytes
            that are not UTF-8, a line that has not ten columns, words that are not numbered 1, 2,
            …, a tag that is none of UNIVERSAL_TAGS, a head that is no number, no sentences.
        ArgumentError: when `path` is no path.
    """
    corpus = find_text(path)
    sentences = []
    comments: list[str] = []
    rows: list[list[str]] = []
    begun = 1
    # A final empty line ends the last sentence of a file that lacks it.
    for number, text in enumerate([*corpus.read().split("\n"), ""], 1):
        where = f"{corpus.name}, line {number}"
        line = text.removesuffix("\r")
        if not line.strip():
            if rows:
                sentences.append(_sentence(rows, comments, begun))
            comments, rows = [], []
            continue
        if not rows and not comments:
            begun = number
        if line.startswith("#") and not rows:
            comments.append(line[1:].strip())
            continue
        values = _values(line, where)
        if "-" not in values[0] and "." not in values[0]:
            if values[0] != str(len(rows) + 1):
                raise DataError(
                    f"{where}: the word is numbered {values[0]!r}, and {len(rows) + 1} comes next; "
                    "an empty line stands between two sentences"
                )
            rows.append(values)
    if not sentences:
        raise DataError(f"{corpus.name} has no sentences")
    return sentences


def _values(line: str, where: str) -> list[str]:
    values = line.split("\t")
    if len(values) != _COLUMNS:
        raise DataError(
            f"{where}: {len(values)} columns, where CoNLL-U has {_COLUMNS}, with a tab between two"
        )
    if "-" in values[0] or "." in values[0]:
        return values
    if values[3] != "_" and values[3] not in UNIVERSAL_TAGS:
        raise DataError(
            f"{where}: the tag is {values[3]!r}, which is none of the universal tags, "
            f"{', '.join(UNIVERSAL_TAGS)}"
        )
    if values[6] != "_" and not values[6].isdecimal():
        raise DataError(f"{where}: the head is {values[6]!r}; it must be a word's number, or _")
    return values


def _sentence(rows: list[list[str]], comments: list[str], line: int) -> Sentence:
    columns = [tuple(column) for column in zip(*rows, strict=True)]
    heads = tuple(-1 if head == "_" else int(head) for head in columns[6])
    return Sentence(
        words=columns[1],
        tags=columns[3],
        lemmas=columns[2],
        language_tags=columns[4],
        features=columns[5],
        heads=heads,
        relations=columns[7],
        comments=tuple(comments),
        line=line,
    )
