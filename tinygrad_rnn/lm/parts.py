"""What of a text is trained on, and what is held out to measure the model."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import DataError
from tinygrad_rnn.lm.arguments import require
from tinygrad_rnn.lm.settings import TrainingSettings
from tinygrad_rnn.text import Streams, split
from tinygrad_rnn.text.arguments import text_of

Ids = npt.NDArray[Any]


class Parts(NamedTuple):
    """The parts of a text.

    Attributes:
        streams: the windows to train on.
        validation: held out, (N,), or (B, N) for B rows; empty where nothing is.
        test: likewise.
    """

    streams: Streams
    validation: Ids
    test: Ids


def cut(ids: npt.ArrayLike, settings: TrainingSettings) -> Parts:
    """Cut a text as `settings.split` says. Nothing is copied.

    - "rows", as char-rnn does: the text is laid out as B rows that follow each other, and the
      last windows of every row are held out. What is held out comes from all over the text.
    - "tail": the end of the text is held out, which may be of another kind than the rest.

    Raises DataError when a part comes out too short, ShapeError or DtypeError for anything but
    one row of symbol numbers.
    """
    require(settings, TrainingSettings, "settings")
    text = text_of(ids)
    if settings.split == "tail":
        train, validation, test = split(text, settings.fractions)
        streams = Streams(train, settings.batch_size, settings.window)
    else:
        streams, validation, test = _rows(text, settings)
    if settings.fractions[1] > 0 and validation.shape[-1] < 2:
        raise DataError(
            f"the validation part, {settings.fractions[1]:g} of {len(text)} symbols, is too short "
            f"to be measured; give more text or a larger share of it, lower batch_size "
            f"({settings.batch_size}) or window ({settings.window}), or train without validation "
            "by fractions=(1, 0, 0)"
        )
    return Parts(streams, validation, test)


def _rows(ids: Ids, settings: TrainingSettings) -> Parts:
    B, T = settings.batch_size, settings.window
    windows = len(Streams(ids, B, T))
    ends = [math.floor(windows * share + 1e-9) for share in np.cumsum(settings.fractions)]
    first, second = ends[0], ends[1] if settings.fractions[2] else windows
    if first < 1:
        raise DataError(
            f"the training part, {settings.fractions[0]:g} of {windows} windows, is empty; give "
            f"more text, or lower batch_size ({B}) or window ({T})"
        )

    def held_out(begin: int, end: int) -> Ids:
        if begin == end:
            return np.empty((B, 0), ids.dtype)
        # A row's last target is the symbol after it: rows overlap by that symbol.
        return np.lib.stride_tricks.as_strided(
            ids[begin * T :],
            (B, (end - begin) * T + 1),
            (windows * T * ids.strides[0], ids.strides[0]),
            writeable=False,
        )

    streams = Streams(ids, B, T, windows=first)
    return Parts(streams, held_out(first, second), held_out(second, windows))
