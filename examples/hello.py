"""The smallest recurrent network that has to remember: spelling "hello" one letter at a time.

    python examples/hello.py            the word of the lectures
    python examples/hello.py 안녕하세요 --hidden 8

The network reads h, e, l, l and is to answer e, l, l, o. After the first l comes an l, after the
second an o: the letter at hand is not enough, so the hidden state must tell the two apart.

    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h),   h_0 = 0
    y_t = W_hy h_t + b_y                         logits
    p_t = softmax(y_t)
    loss = mean over t of -ln p_t[target_t]
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import NamedTuple

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn, optim
from tinygrad_rnn.errors import DataError, TinygradRnnError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import Vocabulary


class Step(NamedTuple):
    """What happens at one time step."""

    x: Tensor
    h: Tensor
    y: Tensor


class Network(nn.Module):
    """The equations above, as they stand."""

    def __init__(self, symbols: int, hidden: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(hidden)
        for name, shape in {
            "W_xh": (hidden, symbols),
            "W_hh": (hidden, hidden),
            "b_h": (hidden,),
            "W_hy": (symbols, hidden),
            "b_y": (symbols,),
        }.items():
            self.register_parameter(name, nn.Parameter((tg.rand(shape) * 2.0 - 1.0) * bound))
        self.h_0 = tg.zeros(hidden)

    def forward(self, x: Tensor, h: Tensor) -> Step:
        h = (self.W_xh @ x + self.W_hh @ h + self.b_h).tanh()
        return Step(x, h, self.W_hy @ h + self.b_y)


def read(network: Network, inputs: Tensor) -> list[Step]:
    """Unroll the network over a sequence of one-hot vectors."""
    steps = []
    h = network.h_0
    for x in inputs:
        steps.append(network(x, h))
        h = steps[-1].h
    return steps


def loss_of(steps: list[Step], targets: Tensor) -> Tensor:
    return functional.cross_entropy(tg.stack([step.y for step in steps]), targets)


def train(network: Network, inputs: Tensor, targets: Tensor, steps: int) -> None:
    """Forward, backward through time, update; `steps` times."""
    optimizer = optim.Adam(network.parameters(), lr=0.05)
    for number in range(1, steps + 1):
        loss = loss_of(read(network, inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number % max(1, steps // 5) == 0:
            print(f"  after {number:4d} updates the loss is {loss.item():.4f}")


def spell(network: Network, vocabulary: Vocabulary, first: str, length: int) -> str:
    """Feed each prediction back as the next input."""
    number = vocabulary.index(first)
    numbers = [number]
    h = network.h_0
    with tg.no_grad():
        while len(numbers) < length:
            x = functional.one_hot(tg.tensor(number), len(vocabulary), dtype=tg.float32)
            _, h, y = network(x, h)
            number = y.argmax().item()
            numbers.append(number)
    return vocabulary.decode(numbers)


def show(network: Network, inputs: Tensor, targets: Tensor, word: str) -> None:
    """Print everything that the network computes on its way through the word."""
    with tg.no_grad():
        steps = read(network, inputs)
        for t, step in enumerate(steps):
            print(f"  t={t + 1}  input {word[t]!r}   target {word[t + 1]!r}")
            for name, vector in (
                ("x (one-hot)    ", step.x),
                ("h (hidden)     ", step.h),
                ("y (logits)     ", step.y),
                ("p (probability)", step.y.softmax(-1)),
            ):
                print(f"       {name}  " + " ".join(f"{v:7.3f}" for v in vector.tolist()))
        print(f"  loss {loss_of(steps, targets).item():.4f}")


def show_memory(network: Network, inputs: Tensor, word: str) -> None:
    """Print the hidden states at a symbol that is followed by different ones."""
    with tg.no_grad():
        states = [step.h for step in read(network, inputs)]
    for symbol in dict.fromkeys(word[:-1]):
        places = [t for t in range(len(word) - 1) if word[t] == symbol]
        if len({word[t + 1] for t in places}) > 1:
            print(f"The same {symbol!r}, told apart by what the network remembers:")
            for t in places:
                h = " ".join(f"{v:7.3f}" for v in states[t].tolist())
                print(f"  t={t + 1}  h = {h}   comes before {word[t + 1]!r}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Teach a recurrent network to spell a word.")
    parser.add_argument("word", nargs="?", default="hello", help="any word; hello by default")
    parser.add_argument("--hidden", type=int, default=3, help="length of the hidden state")
    parser.add_argument("--steps", type=int, default=300, help="updates")
    parser.add_argument("--seed", type=int, default=0, help="for the initial weights")
    options = parser.parse_args()
    word = options.word
    try:
        if len(set(word)) < 2:
            raise DataError(
                f"{word!r} has fewer than two different symbols, so there is nothing to predict; "
                "give a word such as hello"
            )
        if options.hidden < 1 or options.steps < 1:
            raise DataError("--hidden and --steps are 1 or more")
        return lesson(word, options.hidden, options.steps, options.seed)
    except TinygradRnnError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def lesson(word: str, hidden: int, updates: int, seed: int) -> int:
    tg.manual_seed(seed)
    vocabulary = Vocabulary(dict.fromkeys(word))
    numbers = tg.tensor(vocabulary.encode(word))
    inputs = functional.one_hot(numbers[:-1], len(vocabulary), dtype=tg.float32)
    targets = numbers[1:]
    network = Network(len(vocabulary), hidden)
    print(f"Vocabulary: {', '.join(vocabulary)}. Inputs {word[:-1]}, targets {word[1:]}.")
    print(f"Hidden size {hidden}, h_0 = 0, {network.parameter_count()} parameters.")
    print("\nBefore training:")
    show(network, inputs, targets, word)
    print("\nTraining by backpropagation through time:")
    train(network, inputs, targets, updates)
    print("\nAfter training:")
    show(network, inputs, targets, word)
    show_memory(network, inputs, word)
    spelled = spell(network, vocabulary, word[0], len(word))
    print(f"\nFrom {word[0]!r}, each prediction fed back, it spells: {spelled}")
    if spelled == word:
        return 0
    print(
        f"That is not {word}: with hidden size {hidden} it was not learned in {updates} updates. "
        f"Try --hidden {2 * hidden}, more --steps, or another --seed."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
