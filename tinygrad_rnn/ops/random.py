"""Random numbers, which depend on no tensor but on a stream and a place in it."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.ops.primitive import Primitive


def _uniform(generator: Any, start: int, shape: tuple[int, ...], dtype: Any) -> Any:
    return generator.uniform_from(start, shape, dtype)


uniform = Primitive("uniform", _uniform)
