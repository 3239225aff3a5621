"""Coloured text: the right colour for each character, and nothing of the text gets loose."""

import html
import re
import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.tools import examples
from tinygrad_rnn import inspect


@examples(60)
@given(text=st.text(max_size=40), seed=st.integers(0, 999))
def test_the_text_is_all_there(text: str, seed: int) -> None:
    """Colouring drops, repeats or runs characters of the text."""
    values = np.random.default_rng(seed).normal(size=len(text))
    shown = inspect.colour_html(text, values)
    bare = html.unescape(re.sub(r'<span style="[^"<>]*">|</span>', "", shown))
    assert len(bare) == len(text)
    assert "<" not in re.sub(r'<span style="[^"<>]*">|</span>', "", shown)
    kept = [(a, b) for a, b in zip(bare, text, strict=True) if a != b]
    assert all(ord(b) < 32 or 127 <= ord(b) < 160 for _, b in kept)
    terminal = re.sub(r"\x1b\[[0-9;]*m", "", inspect.colour_ansi(text, values))
    assert terminal == bare
    assert "\x1b" not in terminal


def test_a_script_is_shown_and_not_run() -> None:
    """A corpus can put tags into the page, or control codes into the terminal."""
    text = '<script>alert("x")</script>\x1b[2J'
    shown = inspect.colour_html(text, np.linspace(-1, 1, len(text)))
    assert "<script" not in shown
    assert "&lt;" in shown
    assert "␛" in shown
    assert "\x1b[2J" not in inspect.colour_ansi(text, np.zeros(len(text)))


def test_red_is_positive_and_blue_negative() -> None:
    """The colours are swapped, or do not follow the size of the value."""
    shown = inspect.colour_html("abcd", [1.0, -1.0, 0.5, 0.0])
    a, b, c = re.findall(r"rgba\((\d+,\d+,\d+),([\d.]+)\)", shown)
    assert a[0] == c[0] == "214,39,40"
    assert b[0] == "31,119,180"
    assert float(a[1]) == float(b[1]) > float(c[1]) > 0
    assert shown.endswith("d")
    half = inspect.colour_html("a", [0.5], scale=1.0)
    assert half != inspect.colour_html("a", [0.5])


def test_a_picture_has_each_character_on_its_colour() -> None:
    """A picture loses letters, or a colour stands under another letter than its own."""
    text = "ab\tc<d\n\nlonger & more\x1b\n"
    values = np.where(np.arange(len(text)) % 2, -1.0, 1.0)
    values[0] = 0.0
    picture = ET.fromstring(inspect.colour_svg(text, values, columns=10))
    name = "{http://www.w3.org/2000/svg}"
    lines = [(line.text or "").replace("\u00a0", " ") for line in picture.iter(f"{name}text")]
    assert lines == ["ab  c<d", "longer & m", "ore␛"]
    ground, *marks = picture.iter(f"{name}rect")
    assert ground.get("fill") == "#fff"
    assert len(marks) == len(text) - 1 - text.count("\n")
    places = [(float(m.get("x", "")), float(m.get("y", ""))) for m in marks]
    assert places == sorted(places, key=lambda place: (place[1], place[0]))
    assert places[0][0] == 12 + 8
    reds = [int(m.get("fill", "")[4:].split(",")[0]) for m in marks]
    blues = [int(m.get("fill", "")[:-1].split(",")[2]) for m in marks]
    shown = [v for c, v in zip(text, values, strict=True) if v and c != "\n"]
    assert [r > b for r, b in zip(reds, blues, strict=True)] == [v > 0 for v in shown]
    assert ET.fromstring(inspect.colour_svg("", [])) is not None
