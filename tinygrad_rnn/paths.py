"""Paths as arguments: what every function that takes the name of a file checks first."""

import os
from pathlib import Path

from tinygrad_rnn.errors import ArgumentError


def path_of(path: object) -> Path:
    """Return `path` as a Path. Raises ArgumentError if it is neither a string nor a path."""
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise ArgumentError(f"a path is a string or a pathlib.Path, not {path!r}")
    if "\0" in text:
        raise ArgumentError(f"a path has no NUL character in it, as {text!r} has")
    return Path(text)
