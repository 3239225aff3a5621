"""tinygrad_rnn, eager and through `tg.jit`."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import tinygrad_rnn as tg
from benchmarks import _sampling
from benchmarks._steps import CLIP, HELLO_SYMBOLS, RATE, Arrays, Step, data_of, weights_of
from benchmarks._workers import ROOT, Work, peak_memory
from tinygrad_rnn import Tensor, lm, nn, optim
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import Vocabulary

Loss = Callable[[Tensor, Tensor], Tensor]


class Peephole(nn.Module):
    """An LSTM whose gates also see the cell state (Gers and Schmidhuber, 2000)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(tg.zeros(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(tg.zeros(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(tg.zeros(4 * hidden_size))
        self.peephole_i = nn.Parameter(tg.zeros(hidden_size))
        self.peephole_f = nn.Parameter(tg.zeros(hidden_size))
        self.peephole_o = nn.Parameter(tg.zeros(hidden_size))

    def initial_state(self, batch: int) -> tuple[Tensor, Tensor]:
        """Return h_0 = c_0 = 0."""
        zero = tg.zeros(batch, self.hidden_size, dtype=self.bias.dtype)
        return zero, zero

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return h' and (h', c')."""
        h, c = state
        total = functional.linear(x, self.weight_ih, self.bias)
        i, f, g, o = (total + functional.linear(h, self.weight_hh)).chunk(4, -1)
        i = (i + self.peephole_i * c).sigmoid()
        f = (f + self.peephole_f * c).sigmoid()
        c = f * c + i * g.tanh()
        o = (o + self.peephole_o * c).sigmoid()
        h = o * c.tanh()
        return h, (h, c)


def network(step: Step, weights: Arrays | None = None) -> tuple[nn.Module, Loss]:
    """The network with its starting weights, and the loss as a function of inputs and targets."""
    module: nn.Module
    H = step.hidden
    if step.kind == "hello":
        module = _hello().Network(HELLO_SYMBOLS, H)
    elif step.kind == "peephole":
        module = nn.Recurrent(lambda size: Peephole(size, H), H, step.layers)
    else:
        layers = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[step.kind]
        module = layers(H, H, step.layers)
    if weights is None:
        weights = weights_of(step)
    elif all(array.dtype == "float64" for array in weights.values()):
        module.double()
    module.load_state_dict(weights)

    def loss(x: Tensor, targets: Tensor) -> Tensor:
        if step.kind == "hello":
            _, logits = module(x)
            return functional.cross_entropy(logits, targets)
        outputs, _ = module(x)
        return functional.mse_loss(outputs, targets)

    return module, loss


def _hello() -> Any:
    path = ROOT / "examples" / "hello.py"
    specification = importlib.util.spec_from_file_location("hello", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def train_step(threads: int, step: dict[str, Any], jit: bool) -> Work:
    """One training step."""
    tg.set_num_threads(threads)
    module, loss_of = network(Step(**step))
    parameters = list(module.parameters())
    optimizer = optim.SGD(parameters, lr=RATE)

    def take(x: Tensor, targets: Tensor) -> Tensor:
        loss = loss_of(x, targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return loss

    compiled = tg.jit(take) if jit else take
    x, targets = (tg.from_numpy(array) for array in data_of(Step(**step)))

    def call() -> Tensor:
        return compiled(x, targets)

    return Work(call, lambda first: [loss.item() for loss in (first, call(), call())])


def growing(threads: int, step: dict[str, Any], checkpointed: bool) -> Work:
    """A gradient computed once; `facts` holds the peak memory before it, in bytes.

    Both ways split the steps into √T pieces and add up the pieces' losses; what differs is that
    one checkpoints them.
    """
    tg.set_num_threads(threads)
    size = Step(**step)
    module, _ = network(size)
    x, targets = (tg.from_numpy(array) for array in data_of(size))

    def piece(x: Tensor, targets: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        outputs, after = module(x, nn.LSTMState(*state))
        return ((outputs - targets).square().sum(), *after)

    def gradient(length: int) -> None:
        loss = tg.zeros(())
        state = module.initial_state(size.batch)
        chunk = math.isqrt(length - 1) + 1
        for start in range(0, length, chunk):
            here = slice(start, min(start + chunk, length))
            arguments = (x[here], targets[here], *state)
            if checkpointed:
                added, *state = tg.checkpoint(piece, *arguments)
            else:
                added, *state = piece(*arguments)
            loss = loss + added
        loss.backward()

    # The kernels that the gradient needs are loaded before memory is read for the first time.
    gradient(2)
    before = peak_memory()

    calls = 0

    def call() -> None:
        nonlocal calls
        # Whatever is called later may find memory that is not returned; the first call counts.
        if calls == 0:
            gradient(size.steps)
        calls += 1

    return Work(call, lambda first: peak_memory(), {"before": before})


def sampler(threads: int, settings: dict[str, Any], jit: bool) -> Work:
    """Text, drawn character by character."""
    tg.set_num_threads(threads)
    size = _sampling.Sampling(**settings)
    model = lm.RecurrentLanguageModel(
        _sampling.SYMBOLS, "lstm", hidden_size=size.hidden, num_layers=size.layers
    )
    model.load_state_dict(_sampling.weights_of(size))
    vocabulary = Vocabulary(_sampling.ALPHABET)

    def text(length: int, **more: Any) -> str:
        pieces = lm.generate(model, vocabulary, _sampling.PRIME, length=length, jit=jit, **more)
        return "".join(pieces)

    return Work(
        lambda: text(size.length, temperature=_sampling.TEMPERATURE),
        lambda first: text(_sampling.CHECKED, greedy=True),
    )
