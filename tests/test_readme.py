"""The README tells the truth: its examples print what it says they print."""

import doctest
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_every_example_prints_what_the_readme_shows() -> None:
    """Fails if a printed number, shape or text in README.md differs from what the code gives."""
    result = doctest.testfile(
        str(README), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.attempted > 20
    assert result.failed == 0
