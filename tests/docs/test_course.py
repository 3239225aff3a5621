"""The course runs as it is written, and its code makes its pictures."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

COURSE = Path(__file__).parents[2] / "docs" / "course"
PICTURE = re.compile(r"!\[([^\]]*)\]\((images/[^)]+)\)")


def runner() -> ModuleType:
    specification = importlib.util.spec_from_file_location("course", COURSE / "run.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


CHAPTERS: list[Path] = runner().chapters()


def pictures(chapter: Path) -> list[tuple[str, str]]:
    """Return what each picture is said to show, and its file."""
    return PICTURE.findall(chapter.read_text(encoding="utf-8"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_the_code_prints_what_the_chapter_says(chapter: Path, tmp_path: Path) -> None:
    """A reader sees something else, or a picture is not what the code draws."""
    prompts, wrong = runner().run(chapter, tmp_path)
    assert prompts > 20
    assert not wrong, "".join(wrong)
    drawn = {f"images/{path.name}" for path in (tmp_path / "images").iterdir()}
    assert drawn == {picture for _, picture in pictures(chapter)}
    for picture in drawn:
        assert (tmp_path / picture).stat().st_size > 1000


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)
def test_every_picture_is_there_and_described(chapter: Path) -> None:
    """A page lacks a picture, or words for those who cannot see it."""
    found = pictures(chapter)
    assert found
    for words, picture in found:
        assert (COURSE / picture).stat().st_size > 1000
        assert len(words.split()) >= 6


def test_there_are_no_others() -> None:
    """A picture that no chapter shows is kept."""
    shown = {picture for chapter in CHAPTERS for _, picture in pictures(chapter)}
    assert {f"images/{path.name}" for path in (COURSE / "images").iterdir()} == shown


def test_a_wrong_chapter_is_told(tmp_path: Path) -> None:
    """The runner finds every chapter right."""
    chapter = tmp_path / "wrong.md"
    chapter.write_text("```python\n>>> 1 + 1\n3\n\n```\n", encoding="utf-8")
    prompts, wrong = runner().run(chapter, tmp_path)
    assert prompts == 1
    assert "Expected:\n    3" in "".join(wrong)


def test_the_contents_name_all_chapters() -> None:
    """A chapter is missing in the contents of the course or of the site."""
    contents = (COURSE / "README.md").read_text(encoding="utf-8")
    site = (COURSE.parents[1] / "mkdocs.yml").read_text(encoding="utf-8")
    assert len(CHAPTERS) == 6
    for chapter in CHAPTERS:
        assert f"]({chapter.name})" in contents
        assert f"course/{chapter.name}" in site


def test_the_reference_has_every_public_module() -> None:
    """A module that users import is left out of the reference."""
    folder = COURSE.parent / "reference"
    pages = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.md"))
    described = set(re.findall(r"^::: ([\w.]+)$", pages, flags=re.MULTILINE))
    for name in described:
        parent, _, last = name.rpartition(".")
        assert importlib.util.find_spec(name if parent else last) or last == "Tensor"
    package = COURSE.parents[1] / "tinygrad_rnn"
    private = {"arguments", "compatibility", "context", "devices", "dtypes", "engine", "functions"}
    private |= {"creation", "generator", "kernels", "methods", "ops", "paths", "serialization"}
    found = {path.stem for path in package.iterdir() if path.suffix == ".py" or path.is_dir()}
    found -= {"__init__", "__pycache__", "text", "tensor"}
    for name in found - private:
        assert any(d == f"tinygrad_rnn.{name}" or d.startswith(f"tinygrad_rnn.{name}.")
                   for d in described), name  # fmt: skip
