"""Properties of texts, character by character, written out by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools import examples
from tinygrad_rnn.inspect import properties
from tinygrad_rnn.inspect.properties import PROPERTIES, property_of

CASES: list[tuple[Callable[[str], Any], str, str]] = [
    (properties.inside_quotes, 'a "bc" d', "  +++   "),
    (properties.inside_quotes, r'"a\"b" c', "+++++   "),
    (properties.inside_quotes, "“a” b", "++   "),
    (properties.inside_quotes, 'x "y\n\nz', "  +++  "),
    (properties.inside_brackets, "f(a[0]) {x}", " +++++     "),
    (properties.inside_comment, "a /* b */ c", "   +++++   "),
    (properties.inside_comment, "a // b\nc", "   +++  "),
    (properties.inside_comment, '"/*" b', "      "),
    (properties.inside_comment, "/**/x", " ++  "),
    (properties.inside_if_condition, "if (a(b)) c", "   +++++   "),
    (properties.inside_if_condition, "gif (a)", "       "),
    (properties.after_newline, "a\n\nb", " ++ "),
    (properties.upper_case, "aBÄ1", " ++ "),
    (properties.word_boundary, "it's a_b, c", "    +   ++ "),
]


@pytest.mark.parametrize(("of", "text", "expected"), CASES)
def test_truth_values(of: Callable[[str], Any], text: str, expected: str) -> None:
    """A property is found a character early or late, or where it does not hold."""
    shown = "".join("+" if value else " " for value in property_of(text, of))
    assert shown == expected


def test_numbers() -> None:
    """Depths, positions and indentation are counted wrongly."""
    assert list(properties.bracket_depth("(a[b]})")) == [1, 1, 2, 2, 1, 0, 0]
    assert list(properties.position_in_line("ab\nc")) == [1, 2, 0, 1]
    assert list(properties.indentation("  a b\n\tc\n")) == [1, 2, 2, 2, 2, 0, 8, 8, 0]
    assert list(properties.indentation("  \tx")) == [1, 2, 8, 8]


@examples(60)
@given(text=st.text(alphabet='ab"\\/*\n (){}[]if“”', max_size=60))
def test_every_property_gives_one_value_a_character(text: str) -> None:
    """Some text makes a property fail, or give too many or too few values."""
    for name, of in PROPERTIES.items():
        values = property_of(text, of, name)
        assert values.shape == (len(text),)
        assert np.isfinite(values.astype(float)).all()


@examples(40)
@given(
    text=st.text(alphabet='a"\\/*\n (){', max_size=40), more=st.text(alphabet='a"/*(', max_size=5)
)
def test_what_was_read_decides(text: str, more: str) -> None:
    """A property at a character depends on text that the model has not read yet."""
    for name, of in PROPERTIES.items():
        if name == "inside an if-condition":
            continue
        whole = property_of(text + more, of, name)
        np.testing.assert_array_equal(whole[: len(text)], property_of(text, of, name), name)
