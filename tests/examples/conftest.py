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


class Ran(NamedTuple):
    """What running an example came to; `results` is its results.json, empty without one."""

    status: int
    out: str
    err: str
    results: dict[str, Any]


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


@pytest.fixture(scope="session")
def program() -> Program:
    """Run an example as a user would, warnings as errors."""

    def run(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        )

    return run


@pytest.fixture
def run_main(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ran]:
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
