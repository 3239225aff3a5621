"""Run the chapters of the course: every prompt is checked, and every picture is made anew.

    python docs/course/run.py            all chapters
    python docs/course/run.py 4 5        the fourth and the fifth

The code of a chapter writes its pictures to the folder `images` of where it runs: a temporary one,
from which they are copied here when all went well.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

COURSE = Path(__file__).resolve().parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.FAIL_FAST


def chapters() -> list[Path]:
    """Return the chapters in order."""
    return sorted(COURSE.glob("[0-9]*.md"))


def run(chapter: Path, folder: Path) -> tuple[int, list[str]]:
    """Run a chapter in a folder; return how many prompts it has, and what went wrong first."""
    (folder / "images").mkdir(exist_ok=True)
    text = chapter.read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(text, {}, chapter.name, str(chapter), 0)
    said: list[str] = []
    with contextlib.chdir(folder), _same_pictures_each_time():
        doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=said.append)
    return len(test.examples), said


@contextlib.contextmanager
def _same_pictures_each_time() -> Iterator[None]:
    """Leave dates and random names out of matplotlib's SVGs, and keep their text as text."""
    import matplotlib as mpl

    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    try:
        with mpl.rc_context({"svg.hashsalt": "course", "svg.fonttype": "none"}):
            yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


def main() -> int:
    """Run the chapters asked for; return 1 if one of them says what is not so."""
    parser = argparse.ArgumentParser(description="Run the course and make its pictures anew.")
    parser.add_argument("chapters", nargs="*", type=int, help="their numbers (all)")
    wanted = parser.parse_args().chapters
    wrong = 0
    for chapter in chapters():
        if wanted and int(chapter.name[0]) not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            prompts, said = run(chapter, Path(folder))
            if not said:
                shutil.copytree(Path(folder) / "images", COURSE / "images", dirs_exist_ok=True)
        print(f"{chapter.name}: {prompts} prompts{'' if said else ', all as written'}")
        print("".join(said), end="")
        wrong += bool(said)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
