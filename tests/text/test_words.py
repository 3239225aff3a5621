"""The word level's tokenisation loses nothing, however the text is cut into chunks."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinygrad_rnn.text.words import JOIN, join_words, split_chunks, split_words

# Text in which words, marks and white space alternate often, and text of any kind.
prose = st.text(alphabet="ab' \n\t,.(\"-<>é한\u2003", max_size=40)
anything = st.text(st.characters(), max_size=40)
surrogates = st.text(st.characters(categories=["Cs", "L", "Zs"]), max_size=20)


def tokens_of(text: str) -> list[str]:
    return [token for token, _ in split_words(text)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("To be, or not", ["To", "be", ",", "or", "not"]),
        ("don't well-known", ["don't", "well-known"]),
        ("a  b", ["a", " ", " ", "b"]),
        ("a\nb", ["a", "\n", "b"]),
        ("and/or", ["and", JOIN, "/", JOIN, "or"]),
        ("(x)", ["(", "x", ")"]),
        ("wait !", ["wait", " ", "!"]),
        ("end ", ["end", " "]),
        (" start", [" ", "start"]),
        (JOIN, ["<", JOIN, "join", JOIN, ">"]),
        ("", []),
    ],
)
def test_tokens_are_the_stated_ones(text: str, tokens: list[str]) -> None:
    """The tokenisation differs from what the module states."""
    assert tokens_of(text) == tokens


@settings(deadline=None)
@given(prose | anything | surrogates)
@example("' 'a' \" b \"c\"")
def test_joining_gives_the_text_back(text: str) -> None:
    """A text does not survive being split and joined."""
    assert join_words(tokens_of(text)) == text


@settings(deadline=None)
@given(prose | anything)
def test_starts_are_where_the_tokens_stand(text: str) -> None:
    """Places in errors about unknown words would be wrong."""
    for token, start in split_words(text):
        if token != JOIN:
            assert text.startswith(token, start)


@settings(deadline=None)
@given(st.lists(prose, max_size=8))
@example(["a", "b ", " ", "\n", "", "c", "d"])
@example(["a b", " "])
@example([" ", " a"])
def test_chunks_split_as_the_whole(chunks: list[str]) -> None:
    """A word, or a run of white space, that spans two chunks is counted as two."""
    pieces = list(split_chunks(chunks))
    assert [t for _, tokens, _ in pieces for t in tokens] == tokens_of("".join(chunks))
    assert "".join(text for text, _, _ in pieces) == "".join(chunks)


def test_text_without_white_space_is_not_cut() -> None:
    """A long word made of many chunks falls apart."""
    assert [tokens for _, tokens, _ in split_chunks(["ab"] * 1000)] == [["ab" * 1000]]
