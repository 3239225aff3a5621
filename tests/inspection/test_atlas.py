"""The cell atlas as data: values, predictions and rankings come back as they went in."""

import base64
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools import examples
from tinygrad_rnn import inspect
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.inspect.pages import atlas_data, atlas_page
from tinygrad_rnn.inspect.pages.atlas import quantised

TEXT = 'A "quote"\n\tand <script>alert(1)</script> & 🙂\x1b </p>\n' * 8
SYMBOLS = sorted(set(TEXT))


def reading(text: str = TEXT, units: int = 5) -> inspect.Reading:
    random = np.random.default_rng(0)
    values = {
        "recurrent.l0.h": np.tanh(random.normal(size=(len(text), units))),
        "recurrent.l0.c": 4.0 * random.normal(size=(len(text), units)),
    }
    values["recurrent.l0.c"][:, 2] = 0.0
    values["recurrent.l0.h"][:, 1] += 2.0 * inspect.PROPERTIES["inside quotes"](text)
    top = random.integers(0, len(SYMBOLS), (len(text), 3))
    shares = np.sort(random.random((len(text), 3)), 1)[:, ::-1] / 3
    return inspect.Reading(values, top, shares)


def decoded(text: str, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(text), dtype)


@examples(40)
@given(seed=st.integers(0, 999), size=st.floats(1e-30, 1e30))
def test_values_are_exact_to_half_a_step(seed: int, size: float) -> None:
    """A value in the page is another than the one recorded by more than half a step of 1/127."""
    values = size * np.random.default_rng(seed).normal(size=(17, 3))
    steps, scales = quantised(values)
    np.testing.assert_array_equal(scales, np.abs(values).max(0))
    error = np.abs(steps / 127 * scales - values)
    assert (error <= scales / 127 * (0.5 + 1e-6)).all()
    assert (np.abs(steps).max(0) == 127).all()


def test_what_went_in_comes_out() -> None:
    """Values, predictions, properties or the text belong to other places than in the reading."""
    read = reading()
    own = {"depth": lambda text: np.arange(len(text)) - 3.0}
    properties = {**inspect.PROPERTIES, **own}
    found = inspect.search_units(read, TEXT, properties, shifts=20)
    data = json.loads(json.dumps(atlas_data(read, TEXT, SYMBOLS, found, properties, "T", "about")))
    assert (data["text"], data["title"], data["about"]) == (TEXT, "T", "about")
    for array, (name, values) in zip(data["arrays"], read.values.items(), strict=True):
        assert array["name"] == name
        for unit, (scale, packed) in enumerate(zip(array["scales"], array["values"], strict=True)):
            shown = decoded(packed, np.int8) / 127 * scale
            np.testing.assert_allclose(shown, values[:, unit], atol=scale / 250)
    predictions = data["predictions"]
    numbers = decoded(predictions["numbers"], "<u4").reshape(-1, predictions["count"])
    np.testing.assert_array_equal(numbers, read.top)
    assert predictions["symbols"] == SYMBOLS
    shares = decoded(predictions["shares"]).reshape(read.top.shape) / 255
    np.testing.assert_allclose(shares, read.probabilities, atol=0.002)
    assert [p["name"] for p in data["properties"]] == list(found)
    first = data["properties"][data["start"]]["scores"][0]["held_out"]
    assert first > data["properties"][data["start"]]["chance"]
    chosen = atlas_data(read, TEXT, SYMBOLS, found, properties, start="depth")["start"]
    assert list(found)[chosen] == "depth"
    assert atlas_data(read, TEXT, SYMBOLS, {})["start"] is None
    for shown in data["properties"]:
        name = shown["name"]
        grades, expected = decoded(shown["values"]), properties[name](TEXT)
        if shown["boolean"]:
            np.testing.assert_array_equal(grades.astype(bool), expected)
        else:
            low, high = shown["minimum"], shown["maximum"]
            values = low + grades / 255 * (high - low)
            np.testing.assert_allclose(values, expected, atol=(high - low) / 500)
        best, ranked = shown["scores"][0], found[name].best()
        assert (best["array"], best["unit"], best["sign"]) == ranked[:3]
        assert (best["held_out"], shown["chance"]) == (ranked.held_out, found[name].chance)


def test_the_text_cannot_leave_its_place() -> None:
    """A corpus, a symbol or a title with tags in it changes the page, or loads from a network."""
    evil = '</script><img src=x onerror="document.title=1"><!--'
    read = reading(evil)
    page = atlas_page(read, evil, [*SYMBOLS, evil], {}, title=evil, about=evil)
    assert "<img" not in page
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "&lt;img" in page
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!#)', page)
    assert "default-src 'none'" in page
    assert not re.search(r"\$\{?(?:data|body|style|title|digest)\b", page)


def test_twenty_thousand_characters_fit() -> None:
    """The page for 20,000 characters and 2 × 128 units of h and c is larger than it was said."""
    text = TEXT * 3
    read = reading(text, 64)
    size = len(atlas_page(read, text, SYMBOLS, {}))
    empty = len(atlas_page(reading("x", 64), "x", SYMBOLS, {}))
    a_character = (size - empty) / len(text)
    assert a_character / (2 * 64) < 1.6
    assert empty < 120_000


def test_mistakes_are_told() -> None:
    """A page is made of a text that was not read, or of numbers that are none."""
    read = reading()
    found = inspect.search_units(read, TEXT, shifts=5)
    with pytest.raises(ShapeError, match="one character a symbol"):
        atlas_page(read, TEXT[1:], SYMBOLS, found)
    with pytest.raises(DtypeError, match="not dict"):
        atlas_page({}, TEXT, SYMBOLS, found)  # type: ignore[arg-type]
    with pytest.raises(DtypeError, match="a str"):
        atlas_page(read, 3, SYMBOLS, found)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="among the properties"):
        atlas_page(read, TEXT, SYMBOLS, found, {})
    with pytest.raises(ArgumentError, match="to start with"):
        atlas_page(read, TEXT, SYMBOLS, found, start="rhymes")
    with pytest.raises(ShapeError, match="do not cover"):
        atlas_page(read, TEXT, SYMBOLS[:1], found)
    read.values["recurrent.l0.h"][3, 1] = np.nan
    with pytest.raises(ArgumentError, match="unit 1 of 'recurrent"):
        atlas_page(read, TEXT, SYMBOLS, found)
