"""Helpers under the names of torch.utils."""

from typing import TYPE_CHECKING, Any

from tinygrad_rnn.compatibility import missing
from tinygrad_rnn.utils import data

__all__ = ["data"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        raise missing(__name__, name)
