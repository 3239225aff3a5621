"""The sizes that the design notes name are those of the code."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tinygrad_rnn import lm
from tinygrad_rnn.kernels import gemm, team, tile, ufuncs
from tinygrad_rnn.kernels.simd import Host
from tinygrad_rnn.lm import drawing, generation
from tinygrad_rnn.tensor import _WORTH_FREEING

NOTES = Path(__file__).parents[2] / "docs" / "design-notes" / "README.md"

SIZES: dict[str, Callable[[], str]] = {
    "kept inputs": lambda: f"Arrays below {_WORTH_FREEING / 1024:g} KiB are kept",
    "dropped inputs": lambda: f"drops inputs of {_WORTH_FREEING / 1024:g} KiB and more",
    "held out": lambda: f"the last {100 * lm.TrainingSettings().fractions[1]:g} % of the windows",
    "threads": lambda: f"fewer than {gemm.THREADED_PRODUCTS / 1e6:g} million multiplications",
    "depth": lambda: f"equal blocks of at most {gemm.DEPTH_BLOCK} of the depth",
    "panels": lambda: f"packed {gemm.GROUP} panels at a time",
    "ufuncs": lambda: f"from {ufuncs.THREADED_ELEMENTS:,} elements on",
    "looks": lambda: f"has waited for {team._SPINS:,} looks",
    "block": lambda: f"## Text is drawn {generation.BLOCK} symbols a call",
    "block again": lambda: f"call draws a block of {generation.BLOCK} symbols",
    "order": lambda: f"a table of comparisons up to {drawing.COMPARED} symbols",
}


def notes() -> str:
    """Return the notes, each paragraph in one line."""
    return " ".join(NOTES.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("which", SIZES)
def test_sizes_are_those_of_the_code(which: str) -> None:
    """A constant was changed, and the notes were not."""
    assert SIZES[which]() in notes()


def test_the_register_tile_is_the_one_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tile of a CPU with 32 vector registers has another shape, or does not fit into them."""
    monkeypatch.setattr(tile, "host", lambda: Host("", "", bits=512, registers=32, has_fma=True))
    rows, vectors = tile.tallest(), tile.PANEL_VECTORS
    claim = f"({rows} rows by {vectors} vectors: {rows * vectors} multiply-adds, {rows} broadcasts "
    assert f"{claim}and {vectors} loads a step" in notes()
    assert rows * vectors + vectors + 1 <= 32


def test_the_programs_it_names_are_there() -> None:
    """The notes send a reader to a program or a test that does not exist."""
    words = notes().replace("`", " ").split()
    named = {word for word in words if "/" in word and word.endswith(".py")}
    assert len(named) > 5
    root = NOTES.parents[2]
    for path in named:
        assert any((folder / path).exists() for folder in (root, root / "tinygrad_rnn")), path
