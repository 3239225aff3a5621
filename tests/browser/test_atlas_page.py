"""The cell atlas in a browser: what is seen is what was recorded, by mouse, keys and search."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.conftest import Opened
from tinygrad_rnn import inspect
from tinygrad_rnn.inspect.pages import atlas_page
from tinygrad_rnn.inspect.pages.atlas import quantised

PIECE = (
    'He said "no (not I)" and left.\n\t<script>document.title = "run"</script>\n\n🙂 & SHE?\x1b\n'
)
TEXT = PIECE * 30
SYMBOLS = sorted(set(TEXT))
UNITS = 6
NAMES = ("recurrent.l0.h", "recurrent.l0.c", "recurrent.l1.h", "recurrent.l1.c")
SHADES = 20
QUOTES = inspect.PROPERTIES["inside quotes"](TEXT)


def recorded() -> inspect.Reading:
    random = np.random.default_rng(1)
    values = {
        name: (3.0 if name.endswith("c") else 1.0) * random.normal(size=(len(TEXT), UNITS))
        for name in NAMES
    }
    values["recurrent.l1.c"][:, 4] += 9.0 * QUOTES - 4.0
    top = np.stack([random.permutation(len(SYMBOLS))[:5] for _ in TEXT])
    shares = np.sort(random.random((len(TEXT), 5)), 1)[:, ::-1] / 5
    return inspect.Reading(values, top, shares)


READING = recorded()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("atlas") / "atlas.html"
    found = inspect.search_units(READING, TEXT, shifts=30)
    path.write_text(
        atlas_page(READING, TEXT, SYMBOLS, found, title="Atlas <b>", about="<i>x</i>"), "utf-8"
    )
    return path


def shades(name: str, unit: int, threshold: int = 0) -> list[int]:
    """What the page should show, by the definition of a shade."""
    steps = quantised(READING.values[name])[0][:, unit].astype(int)
    full = fullest(steps)
    levels = np.sign(steps) * np.floor(np.minimum(np.abs(steps) / full, 1) * SHADES + 0.5)
    return [int(x) for x in np.where(np.abs(steps) * 100 >= threshold * full, levels, 0)]


def fullest(steps: np.ndarray[Any, Any]) -> int:
    """The size that 99 of 100 characters stay within."""
    return int(np.sort(np.abs(steps))[int(np.ceil(0.99 * len(steps))) - 1])


def shown(page: Any) -> dict[int, int]:
    """The shades on the screen, by character."""
    found = page.eval_on_selector_all(
        "#text i[data-at]", "all => all.map((x) => [Number(x.dataset.at), x.className])"
    )
    return {at: level_of(classes) for at, classes in found}


def level_of(classes: str) -> int:
    match = re.search(r"(?:^| )([pn])(\d+)(?: |$)", classes)
    return 0 if match is None else int(match[2]) * (1 if match[1] == "p" else -1)


def choose(page: Any, name: str, unit: int) -> None:
    layer, state = name[-3], name[-1]
    page.get_by_role("radio", name=f"layer {layer} · {state}").check(force=True)
    page.get_by_label("number", exact=True).fill(str(unit))


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", ""))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1366])
def test_it_opens_without_errors_and_fits(
    opened: Opened, file: Path, scheme: str, width: int
) -> None:
    """The page has an error, asks a network for something, or is wider than the screen."""
    page = opened(file, width, 740, scheme)
    assert page.title() == "Atlas <b>"
    assert page.locator("h1").inner_text() == "Atlas <b>"
    for view in ("nothing", "predictions"):
        page.get_by_role("radio", name=view).check(force=True)
        page.locator("#text").scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(int(x) for x in re.findall(r"\d+", ground)[:3]) > 3 * 128
    assert light == (scheme == "light")


def test_the_text_is_shown_and_not_run(opened: Opened, file: Path) -> None:
    """A corpus with a script in it runs it, or its characters are lost on the way."""
    page = opened(file)
    text = page.locator("#text").evaluate("x => x.textContent")
    assert text == TEXT.replace("\x1b", "␛")
    assert page.title() == "Atlas <b>"
    assert page.locator("#text script").count() == 0


@pytest.mark.parametrize("name", NAMES)
def test_colours_are_the_recorded_values(opened: Opened, file: Path, name: str) -> None:
    """A character has the colour of another value, unit, layer or state than the one chosen."""
    page = opened(file)
    for unit in (0, UNITS - 1):
        choose(page, name, unit)
        expected = shades(name, unit)
        found = shown(page)
        assert len(found) > 500
        assert found == {at: expected[at] for at in found}
    layer, state = name[-3], name[-1]
    assert page.locator("#shown").inner_text() == f"layer {layer} · {state} · unit {UNITS - 1}"


def test_red_is_positive_and_blue_negative(opened: Opened, file: Path) -> None:
    """The shades are painted in another colour, or not deeper for larger values."""
    page = opened(file)
    found = page.eval_on_selector_all(
        "#text i[data-at]",
        "all => all.map((x) => [x.className, getComputedStyle(x).backgroundColor])",
    )
    depth: dict[int, float] = {}
    for classes, colour in found:
        level = level_of(classes)
        parts = [float(x) for x in re.findall(r"[\d.]+(?:e-?\d+)?", colour.replace("srgb", ""))]
        red, _, blue, alpha = parts if len(parts) == 4 else (*parts, 1.0)
        depth[level] = alpha
        if level:
            assert (red > blue) == (level > 0)
    assert depth[0] == 0.0
    for sign in (1, -1):
        levels = sorted(abs(level) for level in depth if level * sign > 0)
        alphas = [depth[sign * level] for level in levels]
        assert len(alphas) > 5
        assert alphas == sorted(alphas)
        np.testing.assert_allclose(np.array(alphas) / levels, alphas[-1] / levels[-1], rtol=0.02)


def test_hovering_tells_the_value(opened: Opened, file: Path) -> None:
    """Without seeing colours one cannot learn a value, or it is not the one recorded."""
    page = opened(file)
    choose(page, "recurrent.l0.c", 3)
    scale = float(np.abs(READING.values["recurrent.l0.c"][:, 3]).max())
    for at in (0, 7, 30, 101):
        page.locator(f"#text [data-at='{at}']").hover(force=True, position={"x": 2, "y": 8})
        value = number(page.locator("#value").inner_text())
        assert abs(value - READING.values["recurrent.l0.c"][at, 3]) <= scale / 254 + 6e-4
        assert f"character {at} of" in page.locator("#place").inner_text()


def test_any_unit_by_number(opened: Opened, file: Path) -> None:
    """A unit that does not exist is shown, or the buttons beside the number do not turn round."""
    page = opened(file)
    field = page.get_by_label("number", exact=True)
    choose(page, "recurrent.l0.h", 2)
    field.fill(str(UNITS))
    assert "unit 2" in page.locator("#shown").inner_text()
    field.fill("0")
    page.get_by_role("button", name="Unit before").click()
    assert f"unit {UNITS - 1}" in page.locator("#shown").inner_text()
    page.get_by_role("button", name="Next unit").click()
    assert "unit 0" in page.locator("#shown").inner_text()


def test_the_threshold_hides_what_is_below(opened: Opened, file: Path) -> None:
    """Characters below the threshold are coloured, or others are not."""
    page = opened(file)
    choose(page, "recurrent.l0.h", 1)
    slider = page.get_by_role("slider")
    for threshold in (40, 100, 0):
        slider.fill(str(threshold))
        expected = shades("recurrent.l0.h", 1, threshold)
        found = shown(page)
        assert found == {at: expected[at] for at in found}
    assert "0 %" in page.locator("#threshold-shown").inner_text()


def test_search_finds_and_jumps(opened: Opened, file: Path) -> None:
    """A passage is not found, the wrong one is shown, or the page does not go there."""
    page = opened(file)
    query = page.get_by_label("Find a passage")
    query.fill("SHE?")
    assert page.locator("#matches").inner_text() == "30 found"
    places = [match.start() for match in re.finditer(r"SHE\?", TEXT)]
    for count in (1, 2):
        query.press("Enter")
        assert page.locator("#matches").inner_text() == f"{count} of 30"
        sought = page.locator("#text .sought")
        assert [int(sought.nth(i).get_attribute("data-at")) for i in range(4)] == [
            places[count - 1] + i for i in range(4)
        ]
    for _ in range(2):
        page.get_by_role("button", name="‹ Before").click()
    assert page.locator("#matches").inner_text() == "30 of 30"
    box = page.locator(f"#text [data-at='{places[-1]}']").bounding_box()
    assert 0 < box["y"] < 900
    expected = shades("recurrent.l1.c", 4)
    page.wait_for_function(f"document.querySelector('[data-at=\"{places[-1]}\"]').className")
    found = shown(page)
    assert found == {at: expected[at] for at in found}
    query.fill("nowhere")
    query.press("Enter")
    assert page.locator("#matches").inner_text() == "not found"


def test_the_keyboard_reaches_everything(opened: Opened, file: Path) -> None:
    """The text cannot be read by keys, or a screen reader is not told the value."""
    page = opened(file)
    choose(page, "recurrent.l0.h", 0)
    text = page.get_by_role("textbox", name="Coloured text")
    text.focus()

    def place() -> int:
        return int(page.locator("#text .here").get_attribute("data-at"))

    lines = [0, *(match.end() for match in re.finditer(r"\n", TEXT))]
    for key, expected in (
        ("ArrowRight", 1),
        ("ArrowDown", lines[1] + 1),
        ("End", lines[2] - 1),
        ("Home", lines[1]),
        ("ArrowLeft", lines[1] - 1),
        ("ArrowUp", lines[1] - 1 - lines[0]),
        ("PageDown", None),
        ("PageUp", None),
    ):
        text.press(key)
        assert page.locator("#text .here").count() == 1
        if expected is not None:
            assert place() == expected, key
    values = READING.values["recurrent.l0.h"][:, 0]
    told = page.locator("#spoken").inner_text()
    assert f"{abs(values[place()]):.1f}"[:-1] in told
    assert "Next:" in told
    steps = quantised(READING.values["recurrent.l0.h"])[0][:, 0].astype(int)
    strong = np.abs(steps) * 100 >= 50 * fullest(steps)
    begins = [i for i in range(1, len(TEXT)) if strong[i] and not strong[i - 1]]
    text.press("Home")
    text.press("n")
    first = place()
    assert first in begins
    text.press("n")
    assert place() == begins[begins.index(first) + 1]
    text.press("p")
    assert place() == first
    text.press("]")
    assert "unit 1" in page.locator("#shown").inner_text()
    text.press("[")
    text.press("[")
    assert f"unit {UNITS - 1}" in page.locator("#shown").inner_text()
    text.press("/")
    assert page.evaluate("document.activeElement.id") == "query"


def test_predictions_stand_under_each_character(opened: Opened, file: Path) -> None:
    """Other predictions are shown than the model's, or the one that came is not marked."""
    page = opened(file)
    page.get_by_role("radio", name="predictions").check(force=True)
    page.wait_for_selector("#text .column")
    expected = shades("recurrent.l1.c", 4)
    columns = page.eval_on_selector_all(
        "#text .column",
        "all => all.slice(0, 150).map((x) => [Number(x.dataset.at), x.children[0].className,"
        " [...x.querySelectorAll('b')].map((b) => [b.textContent, b.className])])",
    )
    marks = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥", "\x1b": "␛"})
    assert len(columns) == 150
    for at, classes, predictions in columns:
        assert level_of(classes) == expected[at]
        symbols = [SYMBOLS[i] for i in READING.top[at]]
        assert [text for text, _ in predictions] == [s.translate(marks) for s in symbols]
        assert [kind == "came" for _, kind in predictions] == [s == TEXT[at + 1] for s in symbols]
    # The end of the text is there, too, when one goes there.
    page.get_by_role("textbox", name="Coloured text").focus()
    for _ in range(7):
        page.keyboard.press("PageDown")
    page.wait_for_selector(f"#text [data-at='{len(TEXT) - 1}']")


def test_rankings_lead_to_their_units(opened: Opened, file: Path) -> None:
    """The planted unit is not the first, or choosing a score shows another unit."""
    page = opened(file)
    # The first property with a unit better than chance is chosen at the start.
    assert page.locator("#shown").inner_text() == "layer 1 · c · unit 4"
    holds = page.eval_on_selector_all("#text i.holds", "all => all.map((x) => +x.dataset.at)")
    on_screen = shown(page)
    assert holds == [at for at in sorted(on_screen) if QUOTES[at]]
    page.get_by_label("line under").uncheck()
    assert page.locator("#text i.holds").count() == 0
    row = page.locator("#ranking tbody tr").nth(1)
    button = row.get_by_role("button")
    layer, state, unit = re.match(
        r"layer (\d) · (\w) (\d+)", button.inner_text()
    ).groups()  # type: ignore[union-attr]
    button.click()
    assert page.locator("#shown").inner_text() == f"layer {layer} · {state} · unit {unit}"
    assert row.get_by_role("button").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="position in the line").click()
    assert "rank correlation" in page.locator("#ranking").inner_text()
    assert page.get_by_label("line under").is_disabled()


def test_signs_can_be_seen_without_colours(opened: Opened, file: Path) -> None:
    """Who does not tell red from blue cannot tell the signs."""
    page = opened(file)
    page.get_by_label("underline the sign").check()
    for kind, style in (("plus", "solid"), ("minus", "dotted")):
        node = page.locator(f"#text i.{kind}").first
        assert node.evaluate("x => getComputedStyle(x).textDecorationStyle") == style
        assert "underline" in node.evaluate("x => getComputedStyle(x).textDecorationLine")


def test_units_change_at_once_in_a_long_text(opened: Opened, tmp_path: Path) -> None:
    """With 20,000 characters of 2 × 128 units of h and c the page is slow or too large."""
    count = 20_000
    random = np.random.default_rng(0)
    text = (PIECE * (count // len(PIECE) + 1))[:count]
    values = {name: random.normal(size=(count, 128)).astype(np.float32) for name in NAMES}
    top = np.zeros((count, 5), np.int64)
    reading = inspect.Reading(values, top, np.full((count, 5), 0.1))
    path = tmp_path / "long.html"
    path.write_text(atlas_page(reading, text, SYMBOLS, {}), "utf-8")
    assert path.stat().st_size < 15e6
    page = opened(path)
    for _ in range(9):
        page.get_by_role("button", name="Next unit").click()
    took = page.evaluate("performance.getEntriesByName('choose unit').map((x) => x.duration)")
    assert len(took) == 10
    # The fastest, because other programs may be busy, too.
    assert min(took) < 100
