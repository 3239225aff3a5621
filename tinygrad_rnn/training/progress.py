"""What the training loop tells while it goes on."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class Progress:
    """A bar of epochs on standard error, where that is a terminal; a line an epoch on output."""

    def __init__(self, epochs: int, shown: bool) -> None:
        self._epochs = epochs
        self._shown = shown
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if self._shown and sys.stderr.isatty():
            # Imported here because a silent run needs no bar.
            from tqdm import tqdm

            self._bar = tqdm(unit="batch", dynamic_ncols=True, mininterval=0.2, leave=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def batch(self, epoch: int, loss: float) -> None:
        """A batch was learned."""
        if self._bar is not None:
            self._bar.set_postfix_str(
                f"epoch {epoch + 1} of {self._epochs}, loss {loss:.4f}", refresh=False
            )
            self._bar.update()

    def epoch(self, record: dict[str, float], best: bool) -> None:
        """An epoch is over."""
        if not self._shown:
            return
        numbers = ", ".join(
            f"{name} {value:.4f}" for name, value in record.items() if name not in _OWN
        )
        text = (
            f"epoch {int(record['epoch'])} of {self._epochs}: {numbers}, "
            f"{record['seconds']:.1f} s{', the best so far' if best else ''}"
        )
        if self._bar is None:
            print(text, flush=True)
        else:
            self._bar.write(text, file=sys.stdout)


_OWN = ("epoch", "seconds")
