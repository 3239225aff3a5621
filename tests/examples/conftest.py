"""Examples as modules, and as programs."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
Program = Callable[..., "subprocess.CompletedProcess[str]"]


def load(name: str) -> ModuleType:
    """Import an example, which is in no package."""
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
