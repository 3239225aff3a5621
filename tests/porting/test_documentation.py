"""What docs/from-pytorch.md says is so."""

import doctest
import re
from pathlib import Path

import pytest

import tinygrad_rnn as tg
from tests.porting.test_missing import PLACES
from tests.porting.test_scripts import SCRIPTS, ported
from tinygrad_rnn import compatibility

PAGE = Path(__file__).parents[2] / "docs" / "from-pytorch.md"
TEXT = PAGE.read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = TEXT.split(f"{heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_the_example_prints_what_it_shows() -> None:
    """The example cannot be copied and run, or an error reads differently."""
    tg.set_default_dtype(tg.float32)
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_imports_are_replaced_as_in_the_tests() -> None:
    """The table of imports shows others than those that the scripts were run with."""
    table = rows("# Moving from PyTorch")
    assert len(table) == 7
    for before, after in table:
        assert ported(before.strip("`")) == after.strip("`")
        exec(after.strip("`"), {})


def test_the_number_of_scripts_is_right() -> None:
    """A script was added or dropped, and the page does not say so."""
    assert len(SCRIPTS) == 8
    assert "Eight such scripts" in TEXT


def place_of(name: str) -> tuple[str, str]:
    """The place of the table of missing names that a name of the page is in."""
    path, _, last = name.rpartition(".")
    known = {"torch": "tinygrad_rnn", "Tensor": "Tensor"}
    return known.get(path, f"tinygrad_rnn.{path}"), last


@pytest.mark.parametrize("cells", rows("## What does not, and what to use instead"))
def test_what_is_missing_is_missing_and_the_rest_is_there(cells: list[str]) -> None:
    """The page calls something missing that is here, or the other way round."""
    absent, present = cells
    names = re.findall(r"`([\w.]+)`", absent)
    assert names
    for name in names:
        place, last = place_of(name)
        assert compatibility.instead(place, last) is not None, name
        assert not hasattr(PLACES[place], last)
    for name in re.findall(r"`((?:nn|F|optim|tg|tinygrad_rnn)\.[\w.]+)`", present):
        scope = {"nn": tg.nn, "F": tg.nn.functional, "optim": tg.optim, "tg": tg}
        if name.startswith("tinygrad_rnn."):
            module, _, last = name.rpartition(".")
            exec(f"from {module} import {last}", {})
        else:
            eval(name, scope)


def test_what_moves_over_is_there() -> None:
    """A layer, optimizer or helper that the page promises does not exist."""
    section = TEXT.split("## What moves over\n")[1].split("\n## ")[0]
    homes = [tg, tg.nn, tg.nn.functional, tg.optim, tg.utils.data, tg.Tensor, tg.nn.Module]
    names = re.findall(r"`([A-Za-z_]+)`", section)
    assert len(names) > 25
    for name in names:
        assert any(hasattr(home, name) for home in homes), name
