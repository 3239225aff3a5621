"""Scripts written for PyTorch run with their imports changed, and give the same numbers."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tinygrad_rnn as tg

torch = pytest.importorskip("torch")

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


def ported(source: str) -> str:
    """Change the import statements, and nothing else."""
    source = re.sub(r"^import torch$", "import tinygrad_rnn as torch", source, flags=re.M)
    return re.sub(r"^(import|from) torch\b", r"\1 tinygrad_rnn", source, flags=re.M)


def results(source: str, name: str) -> list[float]:
    names: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"{name}.py", "exec"), names)
    found: list[float] = names["main"]()
    return found


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(before)
    tg.set_default_dtype(tg.float32)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_gives_the_same_numbers_with_other_imports(path: Path) -> None:
    """A call is missing, or one of them does something else than PyTorch's of the same name."""
    source = path.read_text(encoding="utf-8")
    assert "import tinygrad_rnn as torch\n" in ported(source)
    expected = results(source, path.stem)
    found = results(ported(source), path.stem)
    assert len(found) == len(expected) > 20
    assert all(math.isfinite(number) for number in expected)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-10)
