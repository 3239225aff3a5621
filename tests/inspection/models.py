"""Models that the views are tried on, and what they should say, computed without them."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

Array = np.ndarray[Any, Any]
KINDS = ("rnn", "lstm", "gru", "own")
T, B, IN, H = 5, 2, 3, 4


class OwnCell(nn.Module):
    """A cell as a user writes one: sub-modules, a name for a gate, and nothing else."""

    def __init__(self, input_size: int, hidden_size: int = H) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size + hidden_size, hidden_size, dtype=tg.float64)
        self.new = nn.Linear(input_size + hidden_size, hidden_size, dtype=tg.float64)

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        xh = tg.cat([x, h], -1)
        z = self.gate(xh).sigmoid()
        nn.record(z=z)
        h = z * h + (1.0 - z) * self.new(xh).tanh()
        return h, h


def layers(kind: str, num_layers: int = 1, bidirectional: bool = False) -> nn.Recurrent:
    if kind == "own":
        return nn.Recurrent(OwnCell, IN, num_layers, bidirectional=bidirectional)
    made: Callable[..., nn.Recurrent] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
    return made(IN, H, num_layers, bidirectional=bidirectional, dtype=tg.float64)


def sequence(steps: int = T) -> tg.Tensor:
    return tg.randn(steps, B, IN, dtype=tg.float64)


def loss_of(output: tg.Tensor) -> tg.Tensor:
    """Weigh the outputs unevenly, so that no two steps are alike."""
    weights = tg.arange(1, output.numel() + 1).reshape(output.shape).to(output.dtype)
    return (output * output * weights).mean()


def unrolled_copies(
    model: nn.Recurrent, x: tg.Tensor
) -> tuple[tg.Tensor, list[dict[str, nn.Parameter]]]:
    """Run one direction by hand, with a copy of every weight at each step of each layer.

    Returns the outputs, and the copies of each step by the name of the weight.
    """
    copies: list[dict[str, nn.Parameter]] = [{} for _ in range(x.shape[0])]
    for number, cell in enumerate(model.cells()):
        state: Any = cell.initial_state(B) if hasattr(cell, "initial_state") else None
        if state is None:
            state = tg.zeros(B, H, dtype=tg.float64)
        outputs = []
        for t in range(x.shape[0]):
            own = copy.deepcopy(cell)
            for name, parameter in own.named_parameters():
                copies[t][f"{name}_l{number}"] = parameter
            if isinstance(cell, OwnCell):
                output, state = own(x[t], state)
            else:
                state = own(x[t], state)
                output = state[0] if isinstance(state, tuple) else state
            outputs.append(output)
        x = tg.stack(outputs)
    return x, copies
