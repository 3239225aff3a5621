"""A row of the table of errors."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_rnn.errors import TinygradRnnError

FOLDER = "tinygrad_rnn-mistakes-"
"""What the names of temporary folders begin with; the table leaves the folders out."""


class Mistake(NamedTuple):
    """A row of the table."""

    call: str
    mistake: str
    make: Callable[[], Any]
    error: type[TinygradRnnError]
    fragments: tuple[str, ...] = ()
