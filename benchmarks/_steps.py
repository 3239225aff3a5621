"""The training steps that are measured: sizes, starting weights, data, and work to be done.

Every contender takes the same step from the same weights: forward over all time steps, loss,
backward, the norm of all gradients clipped to `CLIP`, and p ← p - `RATE` · g.
"""

from __future__ import annotations

import dataclasses
from typing import Any

CLIP = 5.0
RATE = 0.1
GATES = {"lstm": 4, "gru": 3, "rnn": 1, "peephole": 4}
TITLES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "peephole": "peephole LSTM", "hello": "hello"}
# "h", "e", "l", "l" is read, "e", "l", "l", "o" is to be predicted.
HELLO_READ = [0, 1, 2, 2]
HELLO_NEXT = [1, 2, 2, 3]
HELLO_SYMBOLS = 4

Arrays = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Step:
    """One kind and size of training step.

    Kinds "lstm", "gru", "rnn" (tanh) and "peephole" read H numbers at each time step; their loss
    is the mean squared difference between outputs and targets. "hello" is the network of
    examples/hello.py with its cross-entropy.
    """

    kind: str
    hidden: int
    layers: int = 1
    batch: int = 32
    steps: int = 50

    @property
    def title(self) -> str:
        """Kind, layers × hidden size, and what else differs from row to row."""
        return f"{TITLES[self.kind]} {self.layers}x{self.hidden}"

    @property
    def characters(self) -> int:
        """Time steps × batch."""
        return self.steps * self.batch

    @property
    def operations(self) -> int:
        """Floating-point operations of the matrix products, two for each multiplication.

        Backward counts twice forward: one product for the gradient of either factor. That includes
        the gradient of the input, which nobody asks for and few compute.
        """
        H = self.hidden
        if self.kind == "hello":
            products = H * HELLO_SYMBOLS + H * H + HELLO_SYMBOLS * H
        else:
            products = self.layers * GATES[self.kind] * H * (H + H)
        return 3 * 2 * products * self.characters


HELLO = Step("hello", hidden=3, layers=1, batch=1, steps=len(HELLO_READ))


def weights_of(step: Step) -> Arrays:
    """Starting weights U(-1/√H, 1/√H) by PyTorch's names, layer by layer."""
    import numpy as np

    H = step.hidden
    random = np.random.default_rng(0)
    if step.kind == "hello":
        V = HELLO_SYMBOLS
        shapes = {"W_xh": (H, V), "W_hh": (H, H), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    else:
        rows = GATES[step.kind] * H
        if step.kind == "peephole":
            others = {"bias": (rows,), "peephole_i": (H,), "peephole_f": (H,), "peephole_o": (H,)}
        else:
            others = {"bias_ih": (rows,), "bias_hh": (rows,)}
        cell = {"weight_ih": (rows, H), "weight_hh": (rows, H)} | others
        shapes = {
            f"{name}_l{layer}": shape
            for layer in range(step.layers)
            for name, shape in cell.items()
        }
    bound = H**-0.5
    return {
        name: random.uniform(-bound, bound, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def data_of(step: Step) -> tuple[Any, Any]:
    """Inputs and targets: (T, B, H) both; for "hello" one-hot vectors (T, V) and numbers (T,)."""
    import numpy as np

    if step.kind == "hello":
        return np.eye(HELLO_SYMBOLS, dtype=np.float32)[HELLO_READ], np.array(HELLO_NEXT)
    random = np.random.default_rng(1)
    shape = (step.steps, step.batch, step.hidden)
    x = random.standard_normal(shape, dtype=np.float32)
    # In place: passing memory would count as peak memory that the contender did not ask for.
    targets = random.random(shape, dtype=np.float32)
    targets *= 2.0
    targets -= 1.0
    return x, targets
