"""The character model that text is drawn from: sizes, weights and settings."""

from __future__ import annotations

import dataclasses
from typing import Any

ALPHABET = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SYMBOLS = len(ALPHABET)
PRIME = "\n"
TEMPERATURE = 0.8
# Characters that one compiled call draws: as many as in `lm.generate`.
BLOCK = 16
# How many characters, the most probable one each time, the contenders have to agree on.
CHECKED = 40
# Weights larger than at the start of a training, so that the most probable symbol changes.
SPREAD = 8.0


@dataclasses.dataclass(frozen=True)
class Sampling:
    """The size of an LSTM, and how many characters a call draws."""

    hidden: int
    layers: int
    length: int

    @property
    def title(self) -> str:
        """Layers × hidden size."""
        return f"LSTM {self.layers}x{self.hidden}"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The parameters of a language model, by name."""
        H = self.hidden
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            shapes[f"recurrent.weight_ih_l{layer}"] = (4 * H, H if layer else SYMBOLS)
            shapes[f"recurrent.weight_hh_l{layer}"] = (4 * H, H)
            shapes[f"recurrent.bias_ih_l{layer}"] = (4 * H,)
            shapes[f"recurrent.bias_hh_l{layer}"] = (4 * H,)
        return shapes | {"output.weight": (SYMBOLS, H), "output.bias": (SYMBOLS,)}


def weights_of(sampling: Sampling) -> dict[str, Any]:
    """Weights by name, the same for all contenders."""
    import numpy as np

    random = np.random.default_rng(0)
    bound = SPREAD * sampling.hidden**-0.5
    return {
        name: random.uniform(-bound, bound, shape).astype(np.float32)
        for name, shape in sampling.shapes.items()
    }
