"""What the pages of docs/ show in Python prompts is what comes out."""

import doctest
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["index.md", "recurrent.md"])
def test_every_prompt_prints_what_the_page_says(name: str) -> None:
    """A reader who copies an example sees something else."""
    text = (PAGES / name).read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    assert test.examples
    printed: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=printed.append)
    assert not failed, "".join(printed)
