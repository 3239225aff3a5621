"""Models on a short text, as runs for the page, one of them with a cell of a user's own."""

from typing import Any

import tinygrad_rnn as tg
from tests.inspection.models import H, OwnCell
from tinygrad_rnn import inspect, nn
from tinygrad_rnn.inspect.pages import Run
from tinygrad_rnn.nn import functional

TEXT = "hello"
KINDS = ("RNN", "LSTM", "own")


class Network(nn.Module):
    """Layers over one-hot symbols, and logits."""

    def __init__(self, kind: str, symbols: int, layers: int = 1) -> None:
        super().__init__()
        made: dict[str, Any] = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
        if kind == "own":
            self.recurrent = nn.Recurrent(OwnCell, symbols, layers)
        else:
            self.recurrent = made[kind](symbols, H, layers, dtype=tg.float64)
        self.readout = nn.Linear(H, symbols, dtype=tg.float64)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        output, _ = self.recurrent(x)
        logits: tg.Tensor = self.readout(output)
        return logits


def run_of(kind: str, text: str = TEXT, layers: int = 1, seed: int = 0) -> Run:
    """A model of this kind, run on a text, in float64."""
    tg.manual_seed(seed)
    symbols = list(dict.fromkeys(text))
    numbers = tg.tensor([symbols.index(symbol) for symbol in text])
    x = functional.one_hot(numbers[:-1], len(symbols), dtype=tg.float64).unsqueeze(1)
    network = Network(kind, len(symbols), layers)
    with inspect.observe() as seen:
        each = functional.cross_entropy(network(x)[:, 0], numbers[1:], reduction="none")
        losses = list(each.unbind())
        objectives = {"all steps": each.mean(), "last step": losses[-1]}
    return Run(kind, objectives, network, seen, losses, {"x": x})
