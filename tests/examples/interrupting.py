"""Ctrl-C at a moment that does not depend on how fast a machine is."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.examples.conftest import EXAMPLES, environment
from tinygrad_rnn.text import BucketedBatches


def interrupted_program(moment: Callable[[], bool], name: str, *arguments: str) -> str:
    """Run an example, press Ctrl-C as soon as `moment` has come, and return what it printed.

    Fails unless it ends with the exit code of an interrupted program, and without a traceback.
    """
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not moment():
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    return out


def interrupt_second_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C when the second epoch of a training begins."""
    deal = BucketedBatches.__call__

    def dealt(self: BucketedBatches, epoch: int = 0) -> Iterator[tuple[Any, ...]]:
        if epoch == 1:
            signal.raise_signal(signal.SIGINT)
        return deal(self, epoch)

    monkeypatch.setattr(BucketedBatches, "__call__", dealt)
