"""Token vocabularies: numbers in a fixed order, padding and the unknown among them."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinygrad_rnn.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    OutOfRangeError,
    VocabularyError,
)
from tinygrad_rnn.text import PADDING, UNKNOWN, TokenVocabulary

SENTENCES = [["the", "cat", "sat"], ["the", "dog", "sat"], ["a", "cat"], []]


def test_the_order_is_by_count_then_alphabet() -> None:
    """Numbers differ from run to run, or padding is not 0."""
    vocabulary = TokenVocabulary.from_sequences(SENTENCES)
    assert vocabulary.tokens == (PADDING, UNKNOWN, "cat", "sat", "the", "a", "dog")
    assert TokenVocabulary.from_sequences(reversed(SENTENCES)) == vocabulary
    assert TokenVocabulary.from_sequences(["abba"], specials=()).tokens == ("a", "b")


def test_rare_tokens_are_left_out() -> None:
    """A token below the minimum count is kept, or one that reaches it is not."""
    vocabulary = TokenVocabulary.from_sequences(SENTENCES, min_count=2)
    assert vocabulary.tokens == (PADDING, UNKNOWN, "cat", "sat", "the")
    assert vocabulary.encode(["the", "dog"]).tolist() == [4, 1]
    assert TokenVocabulary.from_sequences(SENTENCES, most=1).tokens[2:] == ("cat",)


@given(st.lists(st.lists(st.text(max_size=3), max_size=5), min_size=1, max_size=5))
@example([["\ud83d\ude00", "\ud83d", "a"]])  # JSON would join the two surrogates.
def test_what_was_collected_comes_back(sequences: list[list[str]]) -> None:
    """A token is lost on its way through the numbers or through JSON."""
    if not any(sequences):
        with pytest.raises(DataError, match="empty"):
            TokenVocabulary.from_sequences(sequences)
        return
    vocabulary = TokenVocabulary.from_sequences(sequences)
    for sequence in sequences:
        ids = vocabulary.encode(sequence)
        assert ids.dtype == np.int64
        assert vocabulary.decode(ids) == sequence
    again = TokenVocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary
    assert hash(again) == hash(vocabulary)


def test_without_the_unknown_a_strange_token_is_an_error() -> None:
    """A tag that is not held becomes another one."""
    tags = TokenVocabulary(["NOUN", "VERB"])
    with pytest.raises(VocabularyError, match="'ADJ', token 1 of 2"):
        tags.encode(["NOUN", "ADJ"])
    with pytest.raises(VocabularyError, match="'ADJ'"):
        tags.index("ADJ")
    assert "VERB" in tags
    assert list(tags) == ["NOUN", "VERB"]
    with pytest.raises(ArgumentError, match="specials"):
        TokenVocabulary.from_sequences(SENTENCES, min_count=2, specials=[PADDING])


def test_what_cannot_be_a_vocabulary_is_refused() -> None:
    """Two tokens share a number, or numbers stand for nothing."""
    with pytest.raises(ArgumentError, match="'a' stands"):
        TokenVocabulary(["a", "b", "a"])
    with pytest.raises(ArgumentError, match="at least one"):
        TokenVocabulary([])
    with pytest.raises(DtypeError, match="5"):
        TokenVocabulary(["a", 5])  # type: ignore[list-item]
    with pytest.raises(OutOfRangeError, match="position 1"):
        TokenVocabulary(["a"]).decode([0, 1])
    with pytest.raises(DtypeError, match="float"):
        TokenVocabulary(["a"]).decode([0.5])
    for bad in ({}, {"tokens": "ab"}, {"tokens": ["a", "a"]}):
        with pytest.raises(VocabularyError):
            TokenVocabulary.from_json(bad)
