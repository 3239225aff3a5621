"""Ctrl-C at a moment that does not depend on how fast a machine is."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tinygrad_rnn.text import BucketedBatches


def interrupt_second_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C when the second epoch of a training begins."""
    deal = BucketedBatches.__call__

    def dealt(self: BucketedBatches, epoch: int = 0) -> Iterator[tuple[Any, ...]]:
        if epoch == 1:
            signal.raise_signal(signal.SIGINT)
        return deal(self, epoch)

    monkeypatch.setattr(BucketedBatches, "__call__", dealt)
