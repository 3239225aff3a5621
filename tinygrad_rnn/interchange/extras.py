"""Packages that only part of this unit needs: asked for when they are used."""

from __future__ import annotations

import importlib
from typing import Any

from tinygrad_rnn.errors import UnsupportedError


def required(name: str, what: str) -> Any:
    """Return a package of the extra `onnx`. Raises UnsupportedError that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise UnsupportedError(
            f'{what} needs the package {package}: pip install "tinygrad_rnn[onnx]"'
        ) from error
