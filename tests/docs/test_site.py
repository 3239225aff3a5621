"""The site of the documentation is built whole, and its own small tools do what they say."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_it_is_built_without_a_warning(tmp_path: Path) -> None:
    """A link leads nowhere, a docstring cannot be read, or a public name has no entry."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    pytest.importorskip("latex2mathml")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    built = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    chapter = (tmp_path / "course" / "4-vanishing-gradients.html").read_text(encoding="utf-8")
    assert chapter.count("<math") > 5
    assert "arithmatex" not in chapter
    assert (tmp_path / "course" / "images" / "radius.svg").exists()
    for page, name in (
        ("index", "tinygrad_rnn.einsum"),
        ("tensor", "tinygrad_rnn.Tensor.softmax"),
        ("nn", "tinygrad_rnn.nn.LSTM"),
        ("functional", "tinygrad_rnn.nn.functional.cross_entropy"),
        ("init", "tinygrad_rnn.nn.init.recurrent_"),
        ("optim", "tinygrad_rnn.optim.Adam"),
        ("inspect", "tinygrad_rnn.inspect.gradient_flow"),
        ("errors", "tinygrad_rnn.errors.ShapeError"),
    ):
        text = (tmp_path / "reference" / f"{page}.html").read_text(encoding="utf-8")
        assert f'id="{name}"' in text, name


def test_formulas_need_no_script() -> None:
    """A formula stays LaTeX, which no browser draws by itself."""
    pytest.importorskip("latex2mathml")
    site = load("site")
    given = '<p>so <span class="arithmatex">\\(a &lt; h_t\\)</span></p>'
    given += '<div class="arithmatex">\\[\n\\frac{1}{2}\n\\]</div>'
    made = site.on_page_content(given)
    assert made.count("<math") == 2
    assert "arithmatex" not in made
    assert "<mfrac>" in made
    assert "&lt;" in made or "&#x0003C;" in made


def test_links_out_of_the_pages_become_text() -> None:
    """The site has links to files that it does not have."""
    pytest.importorskip("latex2mathml")
    site = load("site")

    def shown(markdown: str, page: str = "jit.md") -> str:
        file = SimpleNamespace(src_uri=page)
        return site.on_page_markdown(markdown, page=SimpleNamespace(file=file))

    assert shown("see [hello](../examples/hello.py).") == "see hello."
    assert shown("see [jit](../jit.md).") == "see [jit](../jit.md)."
    assert shown("a['b'][0]", "errors.md") == "a['b']\\[0]"


def test_docstrings_are_plain_text() -> None:
    """Equations run together in one line, or an index becomes a link."""
    pytest.importorskip("griffe")
    markdown = load("docstrings")._markdown
    assert markdown("c' = f c + i g\nh' = o tanh(c')") == "    c' = f c + i g\n    h' = o tanh(c')"
    assert markdown("y = x, where\nx is given.") == "y = x, where\nx is given."
    assert markdown("out[i][j] = 1") == "out[i]\\[j] = 1"
