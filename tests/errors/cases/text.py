"""Bad input of token vocabularies, padded batches, and readers of tables and sentences."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.errors.cases.core import in_a_folder
from tests.errors.cases.mistake import Mistake
from tinygrad_rnn.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    OutOfRangeError,
    ShapeError,
    VocabularyError,
)
from tinygrad_rnn.text import (
    BucketedBatches,
    TokenVocabulary,
    pad,
    read_conllu,
    read_csv,
    read_tsv,
)


def reading(read: Callable[..., Any], content: str | bytes, *arguments: Any) -> Callable[[], Any]:
    """Return a function that reads a file with this content."""
    data = content if isinstance(content, bytes) else content.encode()
    return lambda: in_a_folder(lambda: read("data.txt", *arguments), {"data.txt": data})


def tags() -> TokenVocabulary:
    return TokenVocabulary(["NOUN", "VERB"])


WORD = "1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n"

FILES = [
    Mistake("read_csv", "an empty file", reading(read_csv, ""), DataError, ("data.txt", "empty")),
    Mistake(
        "read_csv",
        "bytes that are not UTF-8",
        reading(read_csv, b"a\n\xff\n"),
        DataError,
        ("data.txt", "line 2", "iconv"),
    ),
    Mistake(
        "read_csv",
        "a row that is too short",
        reading(read_csv, "a,b\n1,2\n3\n"),
        DataError,
        ("data.txt, line 3", "1 values", "2"),
    ),
    Mistake(
        "read_csv",
        "a quotation mark inside of a value",
        reading(read_csv, 'a,b\n"1"x,2\n'),
        DataError,
        ("data.txt, line 2",),
    ),
    Mistake(
        "read_csv",
        "a column that is not there",
        reading(read_csv, "a,b\n1,2\n", ["Close"]),
        DataError,
        ("'Close'", "a, b"),
    ),
    Mistake(
        "read_csv",
        "a word for a number",
        reading(read_csv, "a,b\n1,x\n", {"b": float}),
        DataError,
        ("data.txt, line 2", "'b'", "'x'", "not a number"),
    ),
    Mistake(
        "read_csv",
        "a missing number",
        reading(read_csv, "a,b\n1,\n", {"b": float}),
        DataError,
        ("data.txt, line 2", "skip_missing"),
    ),
    Mistake(
        "read_csv",
        "a type that no column has",
        reading(read_csv, "a\n1\n", {"a": bool}),
        ArgumentError,
        ("'a'", "str, int or float"),
    ),
    Mistake(
        "read_tsv",
        "a name without a header",
        reading(read_tsv, "a\tb\n", ["a"]),
        DataError,
        ("'a'", "header=False", "0 … 1"),
    ),
    Mistake(
        "read_tsv",
        "no file",
        lambda: in_a_folder(lambda: read_tsv("none.tsv")),
        DataError,
        ("no file", "none.tsv"),
    ),
    Mistake(
        "read_conllu",
        "spaces for tabs",
        reading(read_conllu, WORD.replace("\t", " ")),
        DataError,
        ("data.txt, line 1", "1 columns", "10", "tab"),
    ),
    Mistake(
        "read_conllu",
        "no empty line between sentences",
        reading(read_conllu, WORD + WORD),
        DataError,
        ("data.txt, line 2", "'1'", "empty line"),
    ),
    Mistake(
        "read_conllu",
        "a tag of another set",
        reading(read_conllu, WORD.replace("VERB", "VB")),
        DataError,
        ("data.txt, line 1", "'VB'", "VERB"),
    ),
]

BATCHES = [
    Mistake(
        "TokenVocabulary",
        "a token twice",
        lambda: TokenVocabulary(["a", "a"]),
        ArgumentError,
        ("'a'", "more than once"),
    ),
    Mistake(
        "TokenVocabulary.from_sequences",
        "nothing",
        lambda: TokenVocabulary.from_sequences([[]]),
        DataError,
        ("no tokens",),
    ),
    Mistake(
        "TokenVocabulary.encode",
        "an unknown tag",
        lambda: tags().encode(["NOUN", "ADJ"]),
        VocabularyError,
        ("'ADJ'", "token 1", "<unk>"),
    ),
    Mistake(
        "TokenVocabulary.decode",
        "a number that is too large",
        lambda: tags().decode([0, 2]),
        OutOfRangeError,
        ("2", "position 1", "0 … 1"),
    ),
    Mistake("pad", "no sequences", lambda: pad([]), DataError, ("no sequences",)),
    Mistake("pad", "words", lambda: pad([["a", "b"]]), DtypeError, ("sequence 0", "encode")),
    Mistake(
        "pad",
        "vectors of unequal length",
        lambda: pad([np.ones((2, 3)), np.ones((2, 4))]),
        ShapeError,
        ("(3,)", "(4,)"),
    ),
    Mistake(
        "BucketedBatches",
        "labels first",
        lambda: BucketedBatches([0, 1], [[1], [2, 3]]),
        ArgumentError,
        ("first column", "sequences"),
    ),
    Mistake(
        "BucketedBatches",
        "a label too few",
        lambda: BucketedBatches([[1], [2, 3]], [0]),
        ShapeError,
        ("[2, 1]",),
    ),
    Mistake("text.pad", "a number", lambda: pad(5), DtypeError, ("int",)),
    Mistake(
        "text.pad", "text as padding", lambda: pad([[1]], "a"), ArgumentError, ("value", "'a'")
    ),
    Mistake(
        "text.pad", "NaN among integers", lambda: pad([[1]], float("nan")), ArgumentError, ("nan",)
    ),
    Mistake(
        "text.pad",
        "text as length",
        lambda: pad([[1]], length="a"),
        ArgumentError,
        ("length", "'a'"),
    ),
    Mistake(
        "text.BucketedBatches", "a number", lambda: BucketedBatches(5, 2), DtypeError, ("int",)
    ),
    Mistake(
        "text.BucketedBatches",
        "one number as padding of all",
        lambda: BucketedBatches([[1]], values=-1),
        ArgumentError,
        ("values", "-1"),
    ),
    Mistake(
        "text.TokenVocabulary.from_sequences",
        "a number",
        lambda: TokenVocabulary.from_sequences(3),
        DtypeError,
        ("3",),
    ),
]

TABLE = {"Files of tables and sentences": FILES, "Tokens and batches": BATCHES}
