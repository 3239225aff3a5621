"""Vocabulary: any text survives encoding and decoding; every misuse is named."""

import copy
import json
import pickle
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinygrad_rnn.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    OutOfRangeError,
    VocabularyError,
)
from tinygrad_rnn.text import LEVELS, Vocabulary

any_text = st.text(st.characters() | st.characters(categories=["Cs"]), min_size=1)
levels = st.sampled_from(LEVELS)
STRANGE = "h\0é\n한글 🙂\ud800\U0010ffff\r\n\u200d👩‍👩‍👧"


@settings(deadline=None)
@given(any_text, levels)
@example(STRANGE, "char")
@example(STRANGE, "word")
@example("\ud83d\ude00 x", "word")
def test_any_text_survives(text: str, level: str) -> None:
    """Some character is lost, changed or refused."""
    vocabulary = Vocabulary.from_text(text, level)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int64
    assert vocabulary.decode(ids) == text
    saved = json.loads(json.dumps(vocabulary.to_json()))
    assert Vocabulary.from_json(saved) == vocabulary


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab ,\n🙂한"), max_size=6), levels)
def test_chunks_equal_the_whole(chunks: list[str], level: str) -> None:
    """A text read in chunks gives another vocabulary or other numbers than the text at once."""
    text = "".join(chunks)
    if not text:
        return
    vocabulary = Vocabulary.from_text(iter(chunks), level)
    assert vocabulary == Vocabulary.from_text(text, level)
    pieces = list(vocabulary.encode_chunks(iter(chunks)))
    joined = np.concatenate([np.empty(0, np.int64), *pieces])
    np.testing.assert_array_equal(joined, vocabulary.encode(text))


def test_numbers_follow_the_symbols() -> None:
    """Numbers do not match the symbols that are shown."""
    vocabulary = Vocabulary.from_text("hello")
    assert vocabulary.symbols == ("e", "h", "l", "o")
    assert vocabulary.encode("hello").tolist() == [1, 0, 2, 2, 3]
    assert vocabulary.index("l") == 2
    assert list(vocabulary) == ["e", "h", "l", "o"]
    assert len(vocabulary) == 4
    assert "h" in vocabulary
    assert "x" not in vocabulary
    assert Vocabulary("helo").encode("hello").tolist() == [0, 1, 2, 2, 3]


def test_bytes_are_utf8() -> None:
    """A byte vocabulary is not the 256 bytes."""
    vocabulary = Vocabulary(level="byte")
    assert len(vocabulary) == 256
    assert vocabulary.encode("é").tolist() == [0xC3, 0xA9]
    assert vocabulary.encode(b"\xff\0").tolist() == [255, 0]
    assert vocabulary.decode([0xC3]) == "\ufffd"
    assert vocabulary.decode_bytes([0xC3, 0]) == b"\xc3\0"
    assert vocabulary.symbols[0x41] == "A"
    assert vocabulary.symbols[0xC3] == "<0xC3>"
    assert Vocabulary.from_text(iter([]), "byte") == vocabulary
    assert Vocabulary.from_text("é").decode_bytes([0]) == "é".encode()


def test_min_count_leaves_rare_symbols_to_a_replacement() -> None:
    """Rare symbols stay, or nothing stands for them."""
    characters = Vocabulary.from_text("aab", min_count=2)
    assert characters.symbols == ("a", "\ufffd")
    assert characters.decode(characters.encode("aba", unknown="replace")) == "a\ufffda"
    words = Vocabulary.from_text("to be to do", "word", min_count=2)
    assert words.symbols == ("<join>", "<unk>", "to")
    assert words.decode(words.encode("to be", unknown="replace")) == "to <unk>"


def test_unknown_character_is_named_with_its_place() -> None:
    """The error does not say which character, where, or what to do."""
    vocabulary = Vocabulary.from_text("abc\n")
    with pytest.raises(VocabularyError) as caught:
        vocabulary.encode("abc\nab한")
    message = str(caught.value)
    for part in ("'한' (U+D55C)", "index 6", "line 2, column 3", '"skip"', '"replace"'):
        assert part in message
    with pytest.raises(VocabularyError, match=r"U\+1F642\), found at index 5 .*line 3, column 2"):
        list(vocabulary.encode_chunks(["a\n", "b\nc", "🙂"]))


def test_unknown_word_is_named_with_its_place() -> None:
    """The error does not say which word or where."""
    vocabulary = Vocabulary.from_text("to be or", "word")
    with pytest.raises(VocabularyError, match=r"'not', found at index 12 .*line 1, column 13"):
        list(vocabulary.encode_chunks(["to be or be ", "no", "t"]))


@pytest.mark.parametrize(
    ("text", "unknown", "replacement", "result"),
    [
        ("aXbY", "skip", None, "ab"),
        ("aXbY", "replace", None, "a b "),
        ("aXbY", "replace", "b", "abbb"),
        ("XY", "skip", None, ""),
        ("", "error", None, ""),
    ],
)
def test_unknown_characters_are_skipped_or_replaced(
    text: str, unknown: str, replacement: str | None, result: str
) -> None:
    """What was asked for unknown characters is not what happens."""
    vocabulary = Vocabulary(["a", "b", " "])
    assert vocabulary.decode(vocabulary.encode(text, unknown, replacement)) == result


def test_unknown_beyond_and_between_the_symbols() -> None:
    """The look-up table answers for characters that lie outside it or in its gaps."""
    vocabulary = Vocabulary("bd")
    assert vocabulary.encode("abcde\U0010ffff", unknown="skip").tolist() == [0, 1]


@pytest.mark.parametrize("level", LEVELS)
def test_empty_text_encodes_to_nothing(level: str) -> None:
    """An empty text fails, or gives an array of another type."""
    vocabulary = Vocabulary.from_text("a", level)
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.encode("").dtype == np.int64
    assert vocabulary.decode([]) == ""


def test_decode_takes_every_integer_type_and_a_single_number() -> None:
    """Numbers of a small type, or one alone, cannot be decoded."""
    vocabulary = Vocabulary.from_text("abc")
    assert vocabulary.decode(np.array([0, 2], np.uint8)) == "ac"
    assert vocabulary.decode(np.int32(1)) == "b"
    assert Vocabulary(level="byte").decode(np.array([65], np.uint8)) == "A"


@pytest.mark.parametrize(
    ("ids", "named"), [([0, 3], "3 at position 1"), ([-1], "-1 at position 0")]
)
def test_decode_names_a_number_outside(ids: list[int], named: str) -> None:
    """A number outside wraps around, or the error does not say which it is."""
    with pytest.raises(OutOfRangeError, match=f"number {named}.*3 symbols"):
        Vocabulary.from_text("abc").decode(ids)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda v: v.decode([0.5]), DtypeError, "float64"),
        (lambda v: v.decode([True]), DtypeError, "bool"),
        (lambda v: v.decode([[0]]), ArgumentError, r"\(1, 1\)"),
        (lambda v: v.encode("a", unknown="ignore"), ArgumentError, "'ignore'"),
        (lambda v: v.encode("a", "replace", "z"), VocabularyError, "'z'"),
        (lambda v: v.encode("a", "replace"), VocabularyError, "replacement="),
        (lambda v: v.encode(b"a"), DtypeError, "bytes"),
        (lambda v: v.encode(5), DtypeError, "int"),
        (lambda v: Vocabulary(level="byte").encode(5), DtypeError, "int"),
        (lambda v: v.index("z"), VocabularyError, r"U\+007A"),
        (lambda v: Vocabulary("aa"), ArgumentError, "more than once"),
        (lambda v: Vocabulary(["ab"]), ArgumentError, "one character"),
        (lambda v: Vocabulary([]), ArgumentError, "at least one"),
        (lambda v: Vocabulary([""], "word"), ArgumentError, "not empty"),
        (lambda v: Vocabulary(["a"], "word"), ArgumentError, "<unk>"),
        (lambda v: Vocabulary("ab", "byte"), ArgumentError, "256"),
        (lambda v: Vocabulary("ab", "letter"), ArgumentError, "'letter'"),
        (lambda v: Vocabulary.from_text("a", "letter"), ArgumentError, "'letter'"),
        (lambda v: Vocabulary.from_text("a", min_count=0), ArgumentError, "min_count"),
        (lambda v: Vocabulary.from_text(""), DataError, "empty"),
        (lambda v: Vocabulary.from_text(["", ""], "word"), DataError, "empty"),
        (lambda v: Vocabulary.from_text([b"a"]), DtypeError, "bytes"),
        (lambda v: Vocabulary.from_json([]), VocabularyError, "level"),
        (lambda v: Vocabulary.from_json({"symbols": ["a"]}), VocabularyError, "level"),
        (
            lambda v: Vocabulary.from_json({"level": "char", "symbols": "ab"}),
            VocabularyError,
            "str",
        ),
        (lambda v: Vocabulary.from_json({"level": "x", "symbols": ["a"]}), VocabularyError, "'x'"),
        (lambda v: Vocabulary.from_json({"level": "char"}), VocabularyError, "at least one"),
        (
            lambda v: Vocabulary.from_json({"level": "char", "symbols": ["a", "a"]}),
            VocabularyError,
            "more than once",
        ),
        (
            lambda v: Vocabulary.from_json({"level": "char", "symbols": ["a", 7]}),
            VocabularyError,
            "symbol 1 .* 7",
        ),
        (
            lambda v: Vocabulary.from_json({"level": "char", "symbols": [[0x110000]]}),
            VocabularyError,
            "code points",
        ),
    ],
)
def test_misuse_is_named(call, error, words) -> None:  # type: ignore[no-untyped-def]
    """A wrong argument passes, or its error does not name it."""
    with pytest.raises(error, match=words):
        call(Vocabulary("ab"))


def test_equality_hash_copies_and_repr() -> None:
    """Vocabularies cannot be compared, kept in sets, copied, or read by a person."""
    vocabulary = Vocabulary.from_text("hello\n")
    assert vocabulary == Vocabulary.from_text("olleh\n")
    assert vocabulary != Vocabulary("helo\n")
    assert vocabulary != "hello"
    assert {vocabulary: 1}[Vocabulary.from_text("hello\n")] == 1
    assert pickle.loads(pickle.dumps(vocabulary)) == copy.deepcopy(vocabulary) == vocabulary
    assert repr(vocabulary) == "Vocabulary(level='char', 5 symbols: '\\n', 'e', 'h', 'l', 'o')"
    many = Vocabulary.from_text("abcdefghijkl")
    assert repr(many) == "Vocabulary(level='char', 12 symbols: 'a', 'b', 'c', 'd', …, 'k', 'l')"
    assert repr(Vocabulary(level="byte")) == "Vocabulary(level='byte', 256 symbols)"


def test_a_megabyte_takes_milliseconds() -> None:
    """Encoding has become a loop over characters."""
    text = "To be, or not to be: 🙂\n" * 50_000
    vocabulary = Vocabulary.from_text(text)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        vocabulary.encode(text)
        seconds.append(time.perf_counter() - start)
    # A loop over characters takes some 50 ms; this takes 3 on an idle machine.
    assert min(seconds) < 0.03
