"""Why recurrent networks forget: how a gradient shrinks or grows on its way back through time.

    python examples/vanishing_gradients.py                 seconds
    python examples/vanishing_gradients.py --no-training   only what is measured at initialisation

Four studies. (1) Three steps of h_t = tanh(W h_{t-1} + U x_t), where by the chain rule

    ∂h_3/∂h_1 = diag(1 - h_3²) W diag(1 - h_2²) W,

by hand and by the engine. (2) The norm of ∂L/∂h_t against the distance from t to the loss: plain
networks whose W has a spectral radius below, at and above 1, with tanh and without; LSTMs by the
bias of their forget gate; a GRU. (3) Clipping, where gradients explode: the same training with and
without. (4) What helps without gates: orthogonal and identity initialisation, and residual
connections, over time and between layers; and which of all these networks learns to recall the
first symbol of a sequence.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

import numpy as np
from common import Outcome, parser_of, run, say_picture

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, inspect, nn, optim, training
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn import functional

SYMBOLS, NOISE = 4, 4
"""Inputs of the task: the symbol one-hot in the first step, noise in all others."""
FEATURES = SYMBOLS + NOISE
DISTANCES = (1, 10, 20, 50, 99)
RADII = (0.8, 1.0, 1.5)


class PlainCell(nn.Module):
    """h' = φ(W h + U x + b), the spectral radius of W (its largest |eigenvalue|) as asked for."""

    def __init__(
        self, input_size: int, hidden_size: int, radius: float, squash: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, hidden_size)
        self.weight_hh = nn.Parameter(tg.randn(hidden_size, hidden_size))
        eigenvalues = np.linalg.eigvals(self.weight_hh.detach().numpy())
        with tg.no_grad():
            self.weight_hh.assign(self.weight_hh * (radius / float(np.abs(eigenvalues).max())))
        self.squash = squash

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return h' as output and as state."""
        h = self.squash(self.input(x) + functional.linear(h, self.weight_hh))
        return h, h


class ResidualCell(nn.Module):
    """h' = h + tanh(W h + U x + b) / 10: whatever the weights are, the way through + is open."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.inner = nn.RNNCell(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return h' as output and as state."""
        h = h + 0.1 * self.inner(x, h)
        return h, h


def plain(radius: float, squash: Callable[[Tensor], Tensor], H: int) -> nn.Module:
    return nn.Recurrent(PlainCell(FEATURES, H, radius, squash))


def lstm(forget_bias: float, H: int) -> nn.Module:
    return nn.init.recurrent_(nn.LSTM(FEATURES, H), None, None, None, forget_bias)


HELPERS: dict[str, Callable[[int], nn.Module]] = {
    "RNN, U(-1/√H, 1/√H)": lambda H: nn.RNN(FEATURES, H),
    "RNN, orthogonal W": lambda H: nn.init.recurrent_(nn.RNN(FEATURES, H), None),
    "RNN, relu, W = I": lambda H: nn.Recurrent(nn.IRNNCell(FEATURES, H)),
    "RNN, residual in time": lambda H: nn.Recurrent(ResidualCell(FEATURES, H)),
}
GATED: dict[str, Callable[[int], nn.Module]] = {
    "LSTM, forget bias 0": lambda H: lstm(0.0, H),
    "LSTM, forget bias 1": lambda H: lstm(1.0, H),
    "LSTM, forget bias 2": lambda H: lstm(2.0, H),
    "LSTM, forget bias 4": lambda H: lstm(4.0, H),
    "GRU": lambda H: nn.GRU(FEATURES, H),
}
PLAIN: dict[str, Callable[[int], nn.Module]] = {
    f"{name}, radius {radius}": lambda H, radius=radius, squash=squash: plain(radius, squash, H)
    for name, squash in (("tanh", Tensor.tanh), ("no tanh", lambda x: x))
    for radius in RADII
}


def three_steps() -> float:
    """Print ∂h_3/∂h_1 term by term; return the largest difference from the engine's."""
    W, U = np.array([[0.5, -0.3], [0.8, 0.2]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    x = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    h, states = tg.zeros(1, 2, dtype=tg.float64), []
    weight = tg.tensor(W, requires_grad=True)
    for t in range(3):
        h = (h @ weight.T + tg.tensor(x[t] @ U.T)).tanh()
        states.append(h)
    numbers = [h.detach().numpy()[0] for h in states]
    print("Three steps of h_t = tanh(W h_{t-1} + U x_t), h_0 = 0\n")
    for t, value in enumerate(numbers, 1):
        print(f"  h_{t} = [{value[0]:7.4f} {value[1]:7.4f}]")
    factors, largest = [], 0.0
    for t in (1, 2):
        slope = np.diag(1.0 - numbers[t] ** 2)
        factors.append(slope @ W)
        _side_by_side(f"diag(1 - h_{t + 1}²)", slope, "W", W)
        name = f"∂h_{t + 1}/∂h_{t}"
        largest = max(largest, _compare(name, factors[-1], states[t], states[t - 1]))
    return max(largest, _compare("∂h_3/∂h_1", factors[1] @ factors[0], states[2], states[0]))


def _compare(name: str, by_hand: np.ndarray, later: Tensor, earlier: Tensor) -> float:
    engine = inspect.state_jacobian(later, earlier)
    _side_by_side(f"{name} by hand", by_hand, "by the engine", engine)
    return float(np.abs(by_hand - engine).max())


def _side_by_side(left: str, a: np.ndarray, right: str, b: np.ndarray) -> None:
    print(f"\n  {left:24}{right}")
    for p, q in zip(a, b, strict=True):
        print(f"  {p[0]:9.5f} {p[1]:9.5f}     {q[0]:9.5f} {q[1]:9.5f}")


def flow(make: Callable[[int], nn.Module], H: int, steps: int, seed: int) -> np.ndarray:
    """Return ‖∂L/∂h_t‖ / ‖∂L/∂h_T‖ by the distance T - t; of an LSTM that of c_t, its memory."""
    tg.manual_seed(seed)
    model = make(H).double()
    x = 0.1 * tg.randn(steps, 8, FEATURES, dtype=tg.float64)
    with inspect.observe() as seen:
        output, _ = model(x)
    loss = (output[-1] * tg.randn(8, H, dtype=tg.float64)).sum()
    found = inspect.gradient_flow(loss, seen, ["c" if isinstance(model, nn.LSTM) else "h"])
    (norms,) = found.norms.values()
    return norms[::-1] / norms[-1]


def depth(residual: bool, H: int, seed: int) -> float:
    """Return ‖∂L/∂h_T‖ in the first of eight layers, as a share of that in the last."""
    tg.manual_seed(seed)
    model = nn.RNN(FEATURES, H, 8, residual=residual)
    with inspect.observe() as seen:
        output, _ = model(0.1 * tg.randn(20, 8, FEATURES))
    norms = inspect.gradient_flow((output[-1] * tg.randn(8, H)).sum(), seen, ["h"]).norms
    return float(norms["l0.h"][-1] / norms["l7.h"][-1])


def draw(options: argparse.Namespace, name: str, curves: dict[str, np.ndarray]) -> None:
    points = {label: (range(len(norms)), norms) for label, norms in curves.items()}
    labels = ("distance in steps", "gradient, relative to that at distance 0")
    picture = options.out / name
    say_picture(training.plot_curves(picture, points, *labels, log=True), picture)


class Recall(nn.Module):
    """Reads a sequence and says what its first symbol was."""

    def __init__(self, layer: nn.Module, H: int) -> None:
        super().__init__()
        self.layer, self.readout = layer, nn.Linear(H, SYMBOLS)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, SYMBOLS) after the last step."""
        output, _ = self.layer(x)
        return self.readout(output[-1])


def sequences(seed: tuple[int, ...], steps: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (T, B, FEATURES) and the first symbols (B,)."""
    random = np.random.default_rng(seed)
    symbols = random.integers(SYMBOLS, size=rows)
    x = np.zeros((steps, rows, FEATURES), np.float32)
    x[0, np.arange(rows), symbols] = 1.0
    x[:, :, SYMBOLS:] = 0.3 * random.normal(size=(steps, rows, NOISE))
    return x, symbols


def train(
    make: Callable[[int], nn.Module],
    optimizer: Callable[[nn.Module], optim.Optimizer],
    steps: int,
    clip: float | None,
    options: argparse.Namespace,
) -> tuple[list[float], float, bool]:
    """Return the losses of every ten updates, the accuracy, and whether Ctrl-C came."""
    tg.manual_seed(options.seed)
    model = Recall(make(options.hidden), options.hidden)

    def batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for i in range(10):
            yield sequences((options.seed, epoch, i), steps, 64)

    fitted = training.fit(
        model,
        optimizer(model),
        lambda x, symbols: functional.cross_entropy(model(x), symbols),
        batches,
        epochs=max(options.updates // 10, 1),
        clip=clip,
        progress=False,
        jit=not options.no_jit,
    )
    x, symbols = sequences((options.seed + 1,), steps, 1000)
    with training.inference(model):
        answers = model(tg.tensor(x)).numpy().argmax(1)
    losses = [record["loss"] for record in fitted.records]
    return losses, float((answers == symbols).mean()), fitted.stopped == "interrupted"


def vanishing_gradients(options: argparse.Namespace) -> Outcome:
    if options.steps < 2 or options.updates < 1 or options.hidden < 1:
        raise ArgumentError("--hidden and --updates are 1 or more, --steps 2 or more")
    metrics = {"difference from the engine": three_steps()}
    print(f"\n  largest difference {metrics['difference from the engine']:.1e}")

    print("\nThe gradient at a distance from the loss, relative to that at distance 0\n")
    shown = [d for d in DISTANCES if d < options.steps]
    print(f"  {'':24}" + "".join(f"{d:>10}" for d in shown) + "   a step")
    for group, name in ((PLAIN, "radius"), (GATED, "gates"), (HELPERS, "help")):
        curves = {}
        for label, make in group.items():
            norms = flow(make, options.hidden, options.steps, options.seed)
            curves[label] = norms
            rate = float(norms[-1] ** (1.0 / (len(norms) - 1)))
            values = "".join(f"{norms[d]:10.1e}" for d in shown)
            print(f"  {label:24}{values}{rate:9.3f}")
            metrics[f"{label}: factor a step"] = rate
        draw(options, f"{name}.png", curves)
    print("\nResidual connections between layers: ‖∂L/∂h_T‖ in the first of 8 layers, as a share")
    for residual, label in ((False, "without"), (True, "with")):
        share = depth(residual, options.hidden, options.seed)
        metrics[f"first of eight layers, {label} residual"] = share
        print(f"  of that in the last, {label:8} {share:9.2e}")
    if options.no_training:
        return Outcome(metrics)

    print("\nClipping: tanh, radius 1.5, learning to recall the first of 30 symbols by SGD")
    curves = {}
    for clip, label in ((None, "without clipping"), (1.0, "clipped to norm 1")):
        losses, accuracy, stopped = train(
            PLAIN["tanh, radius 1.5"], lambda m: optim.SGD(m.parameters(), 0.15), 30, clip, options
        )
        curves[label] = np.array(losses)
        metrics[f"accuracy {label}"] = accuracy
        if stopped:
            return Outcome(metrics, True)
        print(f"  {label:18} loss {losses[-1]:6.3f}, accuracy {accuracy:6.1%}")
    points = {k: (10 * np.arange(1, len(v) + 1), v) for k, v in curves.items()}
    picture = options.out / "clipping.png"
    chance = {"a guess": float(np.log(SYMBOLS))}
    labels = ("updates", "loss in nats")
    say_picture(training.plot_curves(picture, points, *labels, (), chance, log=True), picture)

    print(f"\nRecalling the first of {options.recall} symbols: accuracy after {options.updates}")
    print(f"updates by Adam, clipped to norm 1; a guess is right in {1 / SYMBOLS:.1%}")
    metrics["accuracy of a guess"] = 1 / SYMBOLS
    for label, make in (HELPERS | GATED).items():
        losses, accuracy, stopped = train(
            make, lambda m: optim.Adam(m.parameters(), 2e-3), options.recall, 1.0, options
        )
        if stopped:
            return Outcome(metrics, True)
        metrics[f"accuracy, {label}"] = accuracy
        print(f"  {label:24} loss {losses[-1]:6.3f}, accuracy {accuracy:6.1%}")
    return Outcome(metrics)


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("Watch gradients vanish and explode, and what helps.")
    add = parser.add_argument
    add("--hidden", type=int, default=64, help="units")
    add("--steps", type=int, default=100, help="steps through which gradients are measured")
    add("--recall", type=int, default=50, help="steps of the sequences to recall from")
    add("--updates", type=int, default=300, help="updates of each training run")
    add("--no-training", action="store_true", help="only measure gradients at initialisation")
    return run(vanishing_gradients, parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
