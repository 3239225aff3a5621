"""Write a page on which backpropagation through time can be seen, played and compared.

    python examples/study_bptt.py                         "hello", as RNN, LSTM and GRU
    python examples/study_bptt.py --text "so long" --hidden 8 --layers 2 --open
    python examples/study_bptt.py --model my_models:build your own model, as runs on its input

The page is one HTML file that needs no network: the unrolled graph with its numbers, the forward
pass and then the backward pass step by step, full and truncated, each step's share in the gradient
of each weight, and how the gradient fades with the distance.

The cells are written out below, so that the page can show which line made which node.
"""

import argparse
import importlib
import os
import sys
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, inspect, nn, optim
from tinygrad_rnn.errors import DataError, TinygradRnnError
from tinygrad_rnn.inspect.pages import Run, study_page
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import Vocabulary

DTYPES = {"float32": tg.float32, "float64": tg.float64}


class RNN(nn.Module):
    """h' = tanh(W_xh x + W_hh h + b)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.W_xh = nn.Linear(input_size, hidden_size, bias=False)
        self.W_hh = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return h' twice: it is both output and state."""
        a = self.W_xh(x) + self.W_hh(h)
        h = a.tanh()
        nn.record(a=a, h=h)
        return h, h


class LSTM(nn.Module):
    """c' = f c + i g, h' = o tanh(c'); the gates i, f, o and the candidate g from x and h."""

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float = 1.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.W_x = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.W_h = nn.Linear(hidden_size, 4 * hidden_size)
        with tg.no_grad():
            self.W_h.bias[hidden_size : 2 * hidden_size] = forget_bias

    def initial_state(self, batch: int) -> nn.LSTMState:
        """Return zeros."""
        zeros = tg.zeros(batch, self.hidden_size, dtype=self.W_h.weight.dtype)
        return nn.LSTMState(zeros, zeros)

    def forward(self, x: Tensor, state: nn.LSTMState) -> tuple[Tensor, nn.LSTMState]:
        """Return h' and the state (h', c')."""
        a_i, a_f, a_g, a_o = (self.W_x(x) + self.W_h(state.h)).chunk(4, -1)
        i = a_i.sigmoid()
        f = a_f.sigmoid()
        g = a_g.tanh()
        o = a_o.sigmoid()
        c = f * state.c + i * g
        h = o * c.tanh()
        nn.record(i=i, f=f, g=g, o=o, c=c, h=h)
        return h, nn.LSTMState(h, c)


class GRU(nn.Module):
    """h' = z h + (1 - z) n, with the reset gate r inside the candidate n."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.W_x = nn.Linear(input_size, 3 * hidden_size)
        self.W_h = nn.Linear(hidden_size, 3 * hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return h' twice: it is both output and state."""
        x_r, x_z, x_n = self.W_x(x).chunk(3, -1)
        h_r, h_z, h_n = self.W_h(h).chunk(3, -1)
        r = (x_r + h_r).sigmoid()
        z = (x_z + h_z).sigmoid()
        n = (x_n + r * h_n).tanh()
        h = z * h + (1.0 - z) * n
        nn.record(r=r, z=z, n=n, h=h)
        return h, h


CELLS: dict[str, Callable[[int, int], nn.Module]] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


class Network(nn.Module):
    """Layers of a cell over one-hot symbols (T, 1, V), and logits (T, 1, V) of the next one."""

    def __init__(
        self, cell: Callable[[int, int], nn.Module], symbols: int, hidden: int, layers: int
    ) -> None:
        super().__init__()
        self.recurrent = nn.Recurrent(lambda size: cell(size, hidden), symbols, layers)
        self.readout = nn.Linear(hidden, symbols)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of each step."""
        h, _ = self.recurrent(x)
        logits: Tensor = self.readout(h)
        return logits


def losses_of(network: nn.Module, x: Tensor, targets: Tensor) -> Tensor:
    """Return L_t = -ln p_t[target_t] of every step."""
    logits = network(x)
    return functional.cross_entropy(logits[:, 0], targets, reduction="none")


def train(network: nn.Module, x: Tensor, targets: Tensor, updates: int) -> None:
    optimizer = optim.Adam(network.parameters(), lr=0.03)
    for _ in range(updates):
        loss = losses_of(network, x, targets).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def run_of(name: str, network: nn.Module, x: Tensor, targets: Tensor) -> Run:
    with inspect.observe() as seen:
        each = losses_of(network, x, targets)
        losses = list(each.unbind())
        objectives = {"all steps": each.mean(), "last step": losses[-1]}
    return Run(name, objectives, network, seen, losses, {"x": x, "targets": targets})


def factory_of(text: str) -> Callable[[int, int], nn.Module]:
    """Return the function that `module:factory` names; it takes V and H and gives a network."""
    module, colon, name = text.partition(":")
    if not colon:
        raise DataError(f"--model is {text!r}; write it as module:factory, such as mine:build")
    sys.path.insert(0, os.getcwd())
    try:
        found: Callable[[int, int], nn.Module] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataError(f"--model {text}: {error}") from error
    return found


def default_windows(steps: int) -> list[int]:
    """Return windows worth comparing: a short sequence is cut shorter."""
    offered = (1, 2) if steps <= 10 else (5, 10) if steps <= 50 else (25,)
    return [w for w in offered if w < steps]


def text_of(options: argparse.Namespace) -> str:
    text: str = options.text
    if options.input is not None:
        with open(options.input, encoding="utf-8", newline="") as file:
            text = file.read(options.steps + 1)
    text = text[: options.steps + 1]
    if len(text) < 2:
        raise DataError(f"{text!r} has no next symbol to predict; give two symbols or more")
    return text


def study(options: argparse.Namespace) -> Path:
    if min(options.hidden, options.layers, options.steps) < 1 or options.updates < 0:
        raise DataError("--hidden, --layers and --steps are 1 or more, --updates 0 or more")
    text = text_of(options)
    dtype = DTYPES[options.dtype]
    vocabulary = Vocabulary(dict.fromkeys(text))
    numbers = tg.tensor(vocabulary.encode(text))
    V, H = len(vocabulary), options.hidden
    x = functional.one_hot(numbers[:-1], V, dtype=dtype).unsqueeze(1)
    targets = numbers[1:]
    models: dict[str, Callable[[], nn.Module]] = {}
    if options.model is not None:
        name = options.model.rpartition(":")[2]
        models[name] = partial(factory_of(options.model), V, H)
    cells = CELLS | {"LSTM": partial(LSTM, forget_bias=options.forget_bias)}
    for name in options.cell if options.cell or options.model else cells:
        models[name] = partial(Network, cells[name], V, H, options.layers)
    runs = []
    for name, build in models.items():
        tg.manual_seed(options.seed)
        network = build().to(dtype)
        train(network, x, targets, options.updates)
        run = run_of(name, network, x, targets)
        loss = run.objectives["all steps"].item()
        print(f"{name}: {network.parameter_count():,} parameters, loss {loss:.4f}")
        runs.append(run)
    windows = default_windows(len(text) - 1) if options.window is None else options.window
    shown = text if len(text) <= 40 else text[:39] + "…"
    title = f"Backpropagation through time: “{shown}”"
    page = study_page(runs, list(text[:-1]), list(text[1:]), windows, title)
    path: Path = options.out
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Write a page that shows backpropagation through time.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--text", default="hello", help="what the models read; each symbol is to predict the next")
    add("--input", type=Path, help="a file to read the text from instead")
    add("--steps", type=int, default=100, help="time steps at most")
    add("--cell", action="append", choices=list(CELLS), default=[], help="one or several; or all")
    add("--hidden", type=int, default=3, help="units a layer")
    add("--layers", type=int, default=1, help="layers of the cell")
    add("--window", type=int, action="append", help="steps of a truncated window; may be repeated")
    add("--forget-bias", type=float, default=1.0, help="what the LSTM's forget gates start with")
    add("--updates", type=int, default=0, help="train for so many updates first")
    add("--model", help="module:factory, a function of (V, H): (T, 1, V) one-hot to logits")
    add("--dtype", choices=list(DTYPES), default="float32", help="type of the numbers")
    add("--seed", type=int, default=0, help="for the initial weights")
    add("--out", type=Path, default=Path("runs/study_bptt.html"), help="the page")
    add("--open", action="store_true", help="open the page in a browser")
    options = parser.parse_args()
    try:
        path = study(options)
    except (TinygradRnnError, OSError, UnicodeDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"Open {path} in a browser ({path.stat().st_size / 1e6:.1f} MB)")
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main())
