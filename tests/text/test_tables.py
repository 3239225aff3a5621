"""CSV, TSV and CoNLL-U: the values as they stand, and errors that name file and line."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.errors import ArgumentError, DataError
from tinygrad_rnn.text import read_conllu, read_csv, read_tsv

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_columns_by_name_with_types(tmp_path: Path) -> None:
    """A column is taken for another, or numbers stay text."""
    path = written(tmp_path / "a.csv", "\ufeffDate,Close,N\r\n2020-01-02,1.5,3\r\n\r\nx,-2e3,4\r\n")
    table = read_csv(path, {"Close": float, "Date": str, "N": int})
    assert list(table) == ["Close", "Date", "N"]
    assert table["Date"] == ["2020-01-02", "x"]
    assert (table["Close"].dtype, table["Close"].tolist()) == (np.float64, [1.5, -2000.0])
    assert (table["N"].dtype, table["N"].tolist()) == (np.int64, [3, 4])
    dates, closes = ["2020-01-02", "x"], ["1.5", "-2e3"]
    assert read_csv(path) == {"Date": dates, "Close": closes, "N": ["3", "4"]}
    assert read_csv(path, [1]) == {1: ["1.5", "-2e3"]}
    assert read_csv(path, header=False)[0] == ["Date", "2020-01-02", "x"]


@given(rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=5))
def test_quoted_values_come_back(rows: list[tuple[str, str]], tmp_path_factory: Any) -> None:
    """Commas, quotes or line ends inside of values break a row."""
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    table = read_csv(path)
    assert list(zip(table["a"], table["b"], strict=True)) == rows


def test_in_tsv_quotes_mean_nothing(tmp_path: Path) -> None:
    """A quotation mark in a sentence swallows the lines after it."""
    path = written(tmp_path / "a.tsv", '"Wow\t1\nIt said "no".\t0\na\x85b\t1\n')
    table = read_tsv(path, {0: str, 1: int})
    assert table[0] == ['"Wow', 'It said "no".', "a\x85b"]
    assert table[1].tolist() == [1, 0, 1]


def test_rows_without_a_number_may_be_left_out(tmp_path: Path) -> None:
    """A missing value becomes a number, or takes its row's neighbours along."""
    path = written(tmp_path / "a.csv", "d,v\na,1\nb,\nc,3\n")
    assert read_csv(path, {"d": str, "v": float}, skip_missing=True)["d"] == ["a", "c"]
    with pytest.raises(DataError, match=r"a\.csv, line 3: column 'v' has ''.*skip_missing"):
        read_csv(path, {"v": float})


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("", None, "empty"),
        ("\n\n", None, "no rows"),
        ("a,b\n", None, "no rows of values"),
        ("a,b\n1,2\n3\n", None, "line 3: 1 values, where the first line has 2"),
        ('a,b\n"x\ny",2\n3,4,5\n', None, "line 4: 3 values"),
        ('a,b\n"x" y,2\n', None, "line 2: "),
        ("a,b\n1,2\n", ["c"], "no column 'c'; it has a, b"),
        ("a,b\n1,2\n", [2], "no column 2; its columns are 0 … 1"),
        ("a,b\n1,x\n", {"b": float}, "line 2: column 'b' has 'x', which is not a number"),
        ("a,b\n1,1.5\n", {"b": int}, "which is not an integer"),
        (b"a,b\n1,\xff\n", None, r"not UTF-8.*line 2"),
    ],
)
def test_errors_name_file_and_line(
    tmp_path: Path, text: str | bytes, columns: Any, words: str
) -> None:
    """A malformed file ends in a traceback, or without saying where it is wrong."""
    with pytest.raises(DataError, match=words) as caught:
        read_csv(written(tmp_path / "a.csv", text), columns)
    assert "a.csv" in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """A missing file or a folder ends in an OSError."""
    for read in (read_csv, read_tsv, read_conllu):
        with pytest.raises(DataError, match="no file"):
            read(tmp_path / "none")
        with pytest.raises(DataError, match="folder"):
            read(tmp_path)
        with pytest.raises(ArgumentError, match="path"):
            read(5)
    path = written(tmp_path / "a.csv", "a\n1\n")
    with pytest.raises(ArgumentError, match="delimiter"):
        read_csv(path, delimiter=";;")
    with pytest.raises(ArgumentError, match="int or float"):
        read_csv(path, {"a": bool})
    with pytest.raises(ArgumentError, match="columns"):
        read_csv(path, "a")
    with pytest.raises(DataError, match="header=False"):
        read_csv(path, ["a"], header=False)


WORDS = """# sent_id = 1
# text = I don't.
1\tI\tI\tPRON\tPRP\tCase=Nom\t2\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_
4\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_

1\tGo\tgo\t_\t_\t_\t_\t_\t_\t_
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_sentences_are_read(tmp_path: Path, ends: str) -> None:
    """Words that share a token are lost or doubled, or the last sentence is missing."""
    text = WORDS.rstrip("\n").replace("\n", ends)
    first, second = read_conllu(written(tmp_path / "a.conllu", text))
    assert first.words == ("I", "do", "n't", ".")
    assert first.tags == ("PRON", "AUX", "PART", "PUNCT")
    assert first.lemmas == ("I", "do", "not", ".")
    assert first.language_tags == ("PRP", "VBP", "RB", ".")
    assert first.features[0] == "Case=Nom"
    assert first.heads == (2, 0, 2, 2)
    assert first.relations == ("nsubj", "root", "advmod", "punct")
    assert first.comments == ("sent_id = 1", "text = I don't.")
    assert (first.line, second.line) == (1, 10)
    assert (second.words, second.tags, second.heads) == (("Go",), ("_",), (-1,))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("2\tdo\tdo\tAUX", "2\tdo\tdo AUX", "line 5: 9 columns"),
        ("2\tdo\tdo\tAUX", "3\tdo\tdo\tAUX", "line 5: the word is numbered '3', and 2"),
        ("\tAUX\t", "\tauxiliary\t", "line 5: the tag is 'auxiliary'"),
        ("\t0\troot", "\tzero\troot", "line 5: the head is 'zero'"),
        (WORDS, "# nothing\n\n", "no sentences"),
        (WORDS, "", "empty"),
    ],
)
def test_errors_of_sentences_name_the_line(
    tmp_path: Path, before: str, after: str, words: str
) -> None:
    """A malformed sentence is read as another one, or nobody is told where it is."""
    path = written(tmp_path / "a.conllu", WORDS.replace(before, after))
    with pytest.raises(DataError, match=words) as caught:
        read_conllu(path)
    assert "a.conllu" in str(caught.value)
