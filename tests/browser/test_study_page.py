"""The page that plays backpropagation through time, driven as a reader drives it."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.browser.conftest import Opened, overflow
from tests.browser.studies import KINDS, TEXT, run_of
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.inspect.pages import Run, study_page

WINDOWS = (1, 2)


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [run_of(kind) for kind in KINDS]


@pytest.fixture(scope="module")
def file(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = study_page(runs, TEXT[:-1], TEXT[1:], WINDOWS, "A study")
    return written(tmp_path_factory.mktemp("study"), page)


def written(folder: Path, page: str) -> Path:
    path = folder / "study.html"
    path.write_text(page, encoding="utf-8")
    return path


def choose(page: Any, text: str) -> None:
    page.locator(".choice label", has_text=text).first.click()


def event_count(page: Any) -> int:
    return int(page.locator("#position").get_attribute("max")) // 2


def end(page: Any) -> None:
    page.locator("#position").fill(page.locator("#position").get_attribute("max"))


def step_box(page: Any, t: int) -> Any:
    return page.locator(".node.step").nth(t)


def shown_numbers(page: Any, name: str, block: int = 0) -> list[float]:
    """The numbers of an array in the panel of details, "value" or "gradient"."""
    texts = page.locator(f"#detail .array.{name}").nth(block).locator("li").all_inner_texts()
    return [number(text) for text in texts]


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("∞", "inf"))


def states(run: Run, name: str) -> Sequence[Any]:
    (found,) = inspect.series(run.seen, [name]).values()
    return list(found.values())


def test_forward_and_backward_are_played(opened: Opened, file: Path) -> None:
    """A step of a pass is left out, or the page stands still, or says nothing of what it does."""
    page = opened(file)
    assert page.title() == page.locator("h1").inner_text() == "A study"
    count = event_count(page)
    assert page.locator(".node.done:not(.leaf):not(.constant)").count() == 0
    said = set()
    for i in range(1, count + 1):
        page.keyboard.press("ArrowRight")
        said.add(page.locator("#status").inner_text())
        assert page.locator("#status b").inner_text().startswith(f"Forward {i} of {count}")
        assert page.locator(".node.done:not(.leaf):not(.constant)").count() == i
        assert page.locator(".node.now.forward").count() == 1
    assert page.locator(".link.passed").count() == 0
    for i in range(1, count + 1):
        page.locator("#next").click()
        said.add(page.locator("#status").inner_text())
        assert page.locator("#status b").inner_text().startswith(f"Backward {i} of {count}")
        assert page.locator(".node.now.backward").count() == 1
    assert len(said) == 2 * count
    assert page.locator(".link.time.passed").count() == len(TEXT) - 2
    assert page.locator("#next").is_disabled()
    page.keyboard.press("ArrowLeft")
    assert f"Backward {count - 1} of" in page.locator("#status").inner_text()
    page.keyboard.press("Home")
    assert "Start." in page.locator("#status").inner_text()
    page.locator("h1").click()
    page.keyboard.press("Space")
    page.locator("#status", has_text="Forward 2 of").wait_for()
    assert page.locator("#play").inner_text() == "⏸ Pause"
    page.keyboard.press("Space")
    assert page.locator("#play").inner_text() == "▶ Play"
    page.locator("#position").fill(str(2 * count - 2))
    page.locator("#play").click()
    page.locator("#status", has_text=f"Backward {count} of").wait_for()
    assert page.locator("#play").inner_text() == "▶ Play"


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_those_of_the_model(
    opened: Opened, file: Path, runs: list[Run], kind: str
) -> None:
    """Hovering over a step shows other values or gradients than those computed in Python."""
    page = opened(file)
    choose(page, kind)
    run = runs[KINDS.index(kind)]
    names = ["h", "c"] if kind == "LSTM" else ["h"]
    for objective, loss in run.objectives.items():
        choose(page, objective)
        for name, t in itertools.product(names, range(len(TEXT) - 1)):
            step_box(page, t).hover()
            flow = inspect.gradient_flow(loss, {"s": states(run, name)}).gradients["s"][t]
            value = states(run, name)[t].detach().numpy().reshape(-1)
            headings = page.locator("#detail h3").all_inner_texts()
            block = next(i for i, h in enumerate(headings) if h.startswith(name))
            assert shown_numbers(page, "value", block) == pytest.approx(value, rel=1e-3)
            if flow.any():
                expected = pytest.approx(flow.reshape(-1), rel=1e-3)
                assert shown_numbers(page, "gradient", block) == expected
            assert page.locator("#detail .mono").first.inner_text() == f"{(1, value.size)}"


def test_a_line_shows_what_passes_along_it(opened: Opened, file: Path, runs: list[Run]) -> None:
    """The colour, or the number, of a line is not the gradient that passes from step to step."""
    page = opened(file)
    end(page)
    (run,) = [run for run in runs if run.name == "RNN"]
    h = states(run, "h")
    factors = inspect.state_jacobians(h)
    gradients = inspect.gradient_flow(run.objectives["all steps"], {"h": h}).gradients["h"]
    found: list[tuple[float, float]] = []
    for t in range(len(h) - 1):
        line = page.locator(".link.time").nth(t)
        strength = float(line.evaluate("e => e.style.getPropertyValue('--s')"))
        line.locator(".hit").dispatch_event("pointerover", {"bubbles": True})
        passed = float(np.linalg.norm(factors[t].T @ gradients[t + 1, 0]))
        shown = page.locator("#detail .gradient-norm").inner_text()
        assert number(shown) == pytest.approx(passed, rel=1e-3)
        found.append((passed, strength))
    strengths = [strength for _, strength in sorted(found)]
    assert strengths == sorted(set(strengths))


def test_a_gradient_enters_where_the_loss_is(opened: Opened, file: Path) -> None:
    """The loss of the last step seems to send a gradient into every step."""
    page = opened(file)
    end(page)
    lanes = page.locator(".link.passed:has(.lane)").first.locator(".lane")
    assert ["none" in classes for classes in classes_of(lanes)] == [False] * 4
    choose(page, "last step")
    assert ["none" in classes for classes in classes_of(lanes)] == [True, True, True, False]


def classes_of(found: Any) -> list[str]:
    classes: list[str] = found.evaluate_all("all => all.map(e => e.getAttribute('class'))")
    return classes


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_cuts_and_changes_gradients(
    opened: Opened, file: Path, runs: list[Run], window: int
) -> None:
    """Truncated BPTT cuts other lines than those between windows, or shows full gradients."""
    page = opened(file)
    choose(page, "LSTM")
    end(page)
    assert page.locator(".link.cut").count() == 0
    choose(page, f"window {window}")
    T = len(TEXT) - 1
    assert page.locator(".link.cut").count() == 2 * ((T - 1) // window)
    assert page.locator(".link.cut.passed").count() == 0
    (run,) = [run for run in runs if run.name == "LSTM"]
    cut = inspect.window_cut(window)
    passed = inspect.trace(run.objectives["all steps"], cut=cut)
    for t, h in enumerate(states(run, "h")):
        step_box(page, t).hover()
        backward = page.locator("#detail table.back td.figure").all_inner_texts()
        assert all(("cut" in text) == (t % window == 0) for text in backward)
        assert len(backward) == (2 if t else 0)
        headings = page.locator("#detail h3").all_inner_texts()
        block = next(i for i, heading in enumerate(headings) if heading.startswith("h"))
        found = passed.of(h)
        assert found is not None
        expected = pytest.approx(found.numpy().reshape(-1), rel=1e-3)
        assert shown_numbers(page, "gradient", block) == expected


def test_a_step_unfolds_to_its_operations(opened: Opened, file: Path, runs: list[Run]) -> None:
    """Operations are missing, their line of code is, or the pass loses its place."""
    page = opened(file)
    choose(page, "own")
    end(page)
    step_box(page, 1).click()
    page.locator("#unfold").click()
    operations = page.locator(".node.operation")
    (run,) = [run for run in runs if run.name == "own"]
    graph = inspect.graph_of(list(run.objectives.values()))
    assert operations.count() == sum(vertex.step == 1 for vertex in graph.operations())
    assert "now" in (page.locator(".node.step:not(.container)").first.get_attribute("class") or "")
    z = operations.filter(has_text="z").first
    z.hover()
    value = states(run, "z")[1].detach().numpy().reshape(-1)
    assert shown_numbers(page, "value") == pytest.approx(value, rel=1e-3)
    assert "tests/inspection/models.py:" in page.locator("#detail").inner_text()
    assert page.locator("#detail .source").inner_text() == "z = self.gate(xh).sigmoid()"
    z.click()
    page.locator("#unfold").click()
    assert operations.count() == 0


def test_keys_move_between_nodes(opened: Opened, file: Path) -> None:
    """Who has no mouse cannot reach a node, or is not told what it holds."""
    page = opened(file)
    assert page.locator(".node[tabindex='0']").count() == 1
    page.locator(".node[tabindex='0']").focus()
    first = page.evaluate("document.activeElement.dataset.key")
    assert page.locator("#detail").get_attribute("data-key") == first
    labels = set()
    for key in ("Shift+ArrowRight", "ArrowUp", "ArrowDown", "Shift+ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
        labels.add(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert len(labels) >= 3
    assert any("gradient norm" in label for label in labels)
    step_box(page, 1).focus()
    page.keyboard.press("u")
    assert page.locator(".node.operation").count() > 0
    assert page.evaluate("document.activeElement.classList.contains('operation')")
    page.keyboard.press("Enter")
    assert page.locator(".node.pinned").count() == 1
    page.keyboard.press("Space")
    assert page.locator(".node.pinned").count() == 0
    outline = "getComputedStyle(document.activeElement.querySelector('.shape')).strokeWidth"
    assert page.evaluate(outline) == "3.5px"


def test_shares_are_those_of_the_weight(opened: Opened, file: Path, runs: list[Run]) -> None:
    """The bars are not the norms of each step's share in the weight's gradient."""
    page = opened(file)
    for run in runs:
        choose(page, run.name)
        for name, weight in list(run.module.named_parameters())[:2]:
            page.locator("#weight").select_option(name)
            page.locator("#shares details").evaluate("e => { e.open = true; }")
            page.locator("#shares table").wait_for()
            cells = page.locator("#shares tbody td").all_inner_texts()
            norms = inspect.contributions_of(run.objectives["all steps"], weight).norms()
            assert [number(c) for c in cells] == pytest.approx(list(norms.values()), rel=1e-3)
            page.locator("#shares details").evaluate("e => { e.open = false; }")


def test_flow_and_credit_are_those_of_the_model(
    opened: Opened, file: Path, runs: list[Run]
) -> None:
    """The plots show other numbers than the flow and the credit matrix."""
    page = opened(file)
    run = runs[0]
    for place in ("flow", "credit"):
        page.locator(f"#{place} summary").click()
        page.locator(f"#{place} table").wait_for()
    rows = page.locator("#flow tbody tr")
    assert rows.locator("th").all_inner_texts() == ["h", "LSTM", "own"]
    h = states(run, "h")
    norms = inspect.gradient_flow(run.objectives["all steps"], {"h": h}).norms["h"]
    shown = [number(cell) for cell in rows.first.locator("td").all_inner_texts()]
    assert shown == pytest.approx(norms, rel=1e-3)
    cells = [number(cell) for cell in page.locator("#credit tbody td").all_inner_texts()]
    expected = inspect.credit(list(run.losses), h)
    np.testing.assert_allclose(np.reshape(cells, expected.shape), expected, rtol=1e-3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(opened: Opened, file: Path, scheme: str) -> None:
    """The page must be pushed sideways on a phone, or a tap does nothing."""
    page = opened(file, 360, 740, scheme)
    for kind in KINDS:
        choose(page, kind)
        assert overflow(page) == 0
        end(page)
        assert overflow(page) == 0
    step_box(page, 2).tap()
    assert page.locator(".node.pinned").count() == 1
    page.locator("#unfold").tap()
    assert page.locator(".node.operation").count() > 0
    assert overflow(page) == 0


def luminance(page: Any, what: str) -> float:
    colour = page.evaluate(f"getComputedStyle(document.body).{what}")
    return sum(float(part) for part in colour.strip("rgb()").split(",")) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(opened: Opened, file: Path, scheme: str) -> None:
    """The system's wish is not heeded, the switch does nothing, or text cannot be read."""
    page = opened(file, scheme=scheme)

    def is_dark() -> bool:
        ground, ink = luminance(page, "backgroundColor"), luminance(page, "color")
        assert abs(ground - ink) > 150
        return ground < ink

    assert is_dark() == (scheme == "dark")
    page.locator("#theme").click()
    assert is_dark() == (scheme == "light")
    page.locator("#theme").click()
    assert is_dark() == (scheme == "dark")


def test_a_text_with_markup_is_shown_and_not_run(opened: Opened, tmp_path: Path) -> None:
    """A text that looks like a program runs in the page, or breaks it."""
    attack = "</script><script>alert(1)</script><!--"
    symbols = ["<img src=x onerror=alert(2)>", attack, "]]>", "a\n\x00"]
    html = study_page([run_of("RNN")], symbols, [attack] * 4, (), f"{attack}&amp;")
    page = opened(written(tmp_path, html))
    assert page.locator("h1").inner_text() == f"{attack}&amp;"
    shown = page.locator("#graph .symbol").all_text_contents()
    assert any(attack in text for text in shown)
    assert any("a↵␀" in text for text in shown)
    assert page.locator("img").count() == 0
    page.keyboard.press("End")
    assert page.locator(".link.passed").count() > 0


def exploded() -> Run:
    """A computation without any time step, whose numbers are infinite."""
    x = tg.tensor([1e30, 1.0], requires_grad=True)
    with inspect.observe() as seen:
        loss = (x * x * x).sum()
    return Run("exploded", {"loss": loss}, nn.Identity(), seen, (), {"x": x})


def bidirectional() -> Run:
    """Two layers in both directions over two rows, and no losses by step."""
    model = nn.LSTM(2, 3, 2, bidirectional=True)
    with inspect.observe() as seen:
        output, _ = model(tg.randn(9, 2, 2))
    return Run("bidirectional", {"square": (output * output).mean()}, model, seen)


def by_hand() -> Run:
    """A loop of a user's own, with names for its steps but not for its states."""
    cell = nn.RNNCell(2, 3)
    h = tg.zeros(1, 3)
    with inspect.observe() as seen:
        for t in range(4):
            with tg.scope("mine", t):
                h = cell(tg.ones(1, 2), h)
    return Run("by hand", {"sum": h.sum()}, cell, seen)


def test_any_graph_can_be_played(opened: Opened, tmp_path: Path) -> None:
    """Graphs without time steps, states or losses, backward in time, or infinite, break it."""
    runs = [exploded(), bidirectional(), by_hand()]
    page = opened(written(tmp_path, study_page(runs, windows=(2,))))
    for run in runs:
        choose(page, run.name)
        page.locator("#position").fill("0")
        for _ in range(2 * event_count(page)):
            page.locator("#next").click()
        assert page.locator(".link.passed").count() > 0
        for i in range(page.locator(".node").count()):
            page.locator(".node").nth(i).dispatch_event("pointerover", {"bubbles": True})
            assert page.locator("#detail h2").count() == 1
    choose(page, "exploded")
    page.locator(".node.parameter").dispatch_event("pointerover", {"bubbles": True})
    assert "∞" in page.locator("#detail").inner_text()


def test_a_long_sequence_is_folded_and_quick(opened: Opened, tmp_path: Path) -> None:
    """A hundred steps do not fold, cannot be opened, or a step of the player takes too long."""
    text = "the quick brown fox jumps over the lazy dog; " * 2
    runs = [run_of("LSTM", text[:81], 2)]
    page = opened(written(tmp_path, study_page(runs, text[:80], text[1:81], (20,))))
    assert page.locator(".node.step").count() == 2 * 6
    fold = page.locator(".node.fold").first
    fold.click()
    assert "t = 3 … 76" in page.locator("#detail").inner_text()
    page.locator("#detail button", has_text="Show this step").click()
    assert page.locator(".node.step").count() == 2 * 7
    page.locator("#ends").select_option(label="all")
    assert page.locator(".node.step").count() == 2 * 80
    assert page.locator(".node.fold").count() == 0
    milliseconds = page.evaluate(
        """() => {
            const next = document.getElementById("next"), times = [];
            for (let i = 0; i < 60; i++) {
                const begun = performance.now();
                next.click();
                document.body.getBoundingClientRect();
                times.push(performance.now() - begun);
            }
            return times.sort((a, b) => a - b)[30];
        }"""
    )
    # It takes a few milliseconds; the limit is for machines that do much else.
    assert milliseconds < 50
    end(page)
    choose(page, "window 20")
    assert page.locator(".link.cut").count() == 2 * 2 * 3
