"""Using a model as it is: without dropout and without a graph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tinygrad_rnn.context import no_grad
from tinygrad_rnn.nn import Module


@contextlib.contextmanager
def inference(model: Module) -> Iterator[None]:
    """Without dropout and without a graph inside; the model's mode is put back afterwards."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        with no_grad():
            yield
    finally:
        for module in training:
            module.training = True
