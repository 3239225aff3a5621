"""Examples as modules, and as programs."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
Program = Callable[..., "subprocess.CompletedProcess[str]"]
Help = Callable[[str], str]


class Ran(NamedTuple):
    """What running an example came to; `results` is its results.json, empty without one."""

    status: int
    out: str
    err: str
    results: dict[str, Any]


Run = Callable[..., Ran]


def load(name: str) -> ModuleType:
    """Import an example, which is in no package."""
    if str(EXAMPLES) not in sys.path:
        # As for a program in that folder, which finds what the examples share beside it.
        sys.path.insert(0, str(EXAMPLES))
    specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def environment() -> dict[str, str]:
    """Return the environment of an example as a program: it finds this library and writes UTF-8."""
    path = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


def assert_refused(status: int, err: str, words: str = "") -> None:
    """Fail unless an example ended with a mistake, told in one line that has these words."""
    assert status == 2, err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err


@pytest.fixture
def help_of(capsys: pytest.CaptureFixture[str]) -> Help:
    """Return what `--help` of an example prints."""

    def told(name: str) -> str:
        with pytest.raises(SystemExit) as end:
            load(name).main(["--help"])
        assert end.value.code == 0
        return capsys.readouterr().out

    return told


@pytest.fixture(scope="session")
def program() -> Program:
    """Run an example as a user would, warnings as errors."""

    def run(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
            env=environment(),
        )

    return run


@pytest.fixture
def run_main(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the `main` of a loaded example in this process, in a folder of its own each time."""
    count = 0

    def run(module: ModuleType, *arguments: object) -> Ran:
        nonlocal count
        count += 1
        folder = tmp_path / f"run{count}"
        capsys.readouterr()
        status = module.main([*map(str, arguments), "--out", str(folder), "--threads", "1"])
        out, err = capsys.readouterr()
        found = folder / "results.json"
        results = json.loads(found.read_text(encoding="utf-8")) if found.exists() else {}
        return Ran(status, out, err, results)

    return run
