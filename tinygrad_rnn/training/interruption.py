"""Ctrl-C during training: the first is a wish, the second an order."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interruption:
    """Inside the block, the first Ctrl-C sets `requested`, and a second raises KeyboardInterrupt.

    Outside the main thread, where signals cannot be handled, Ctrl-C is left as it is.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # The signal may have come in the middle of a print, where another one is an error.
        with contextlib.suppress(OSError):
            os.write(2, b"\nFinishing this step, then saving; Ctrl-C again stops at once.\n")
