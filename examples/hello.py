"""The smallest recurrent network that has to remember: spelling "hello" one letter at a time.

    python examples/hello.py                        the word of the lectures
    python examples/hello.py 안녕하세요 --hidden 8  a word of your own

The network reads h, e, l, l and is to answer e, l, l, o. After the first l comes an l, after the
second an o: the letter at hand is not enough, so the hidden state must tell the two apart.

    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h),   h_0 = 0
    y_t = W_hy h_t + b_y                         logits
    p_t = softmax(y_t)
    loss = mean over t of -ln p_t[target_t]
"""

import argparse
import math
import sys

import tinygrad_rnn as tg
from tinygrad_rnn import Tensor, nn, optim
from tinygrad_rnn.errors import DataError, TinygradRnnError
from tinygrad_rnn.nn import functional
from tinygrad_rnn.text import Vocabulary


class Network(nn.Module):
    """The equations above, as they stand."""

    def __init__(self, symbols: int, hidden: int) -> None:
        super().__init__()

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter((tg.rand(shape) * 2.0 - 1.0) / math.sqrt(hidden))

        self.W_xh = parameter(hidden, symbols)
        self.W_hh = parameter(hidden, hidden)
        self.b_h = parameter(hidden)
        self.W_hy = parameter(symbols, hidden)
        self.b_y = parameter(symbols)
        self.h_0 = tg.zeros(hidden)

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next hidden state and the logits."""
        h = (self.W_xh @ x + self.W_hh @ h + self.b_h).tanh()
        return h, self.W_hy @ h + self.b_y

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Unroll over one-hot vectors (T, V): hidden states (T, H) and logits (T, V)."""
        steps = [self.step(inputs[0], self.h_0)]
        for x in inputs[1:]:
            h, _ = steps[-1]
            steps.append(self.step(x, h))
        return tg.stack([h for h, _ in steps]), tg.stack([y for _, y in steps])


def train(network: Network, inputs: Tensor, targets: Tensor, updates: int, jit: bool) -> None:
    optimizer = optim.Adam(network.parameters(), lr=0.05)

    def update(inputs: Tensor, targets: Tensor) -> Tensor:
        _, logits = network(inputs)
        loss = functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()  # backpropagation through time: back through every step above
        optimizer.step()
        return loss

    if jit:
        # Recorded at its first call, and one compiled call from then on.
        update = tg.jit(update)
    for number in range(1, updates + 1):
        loss = update(inputs, targets)
        if jit and number == 1:
            recorded, *others = update.seconds.values()
            print(
                f"  compiled the update: {len(update.program.calls)} kernel calls, "
                f"{recorded + sum(others):.1f} s ({recorded:.1f} recording, "
                f"{sum(others):.1f} compiling)"
            )
        if number % max(1, updates // 5) == 0:
            print(f"  after {number:4d} updates the loss is {loss.item():.4f}")


@tg.no_grad()
def spell(network: Network, vocabulary: Vocabulary, first: str, length: int) -> str:
    """Feed each prediction back as the next input."""
    numbers = [vocabulary.index(first)]
    h = network.h_0
    for _ in range(length - 1):
        x = functional.one_hot(tg.tensor(numbers[-1]), len(vocabulary), dtype=tg.float32)
        h, y = network.step(x, h)
        numbers.append(y.argmax().item())
    return vocabulary.decode(numbers)


def line(vector: Tensor) -> str:
    return " ".join(f"{value:7.3f}" for value in vector.tolist())


@tg.no_grad()
def show(network: Network, inputs: Tensor, targets: Tensor, word: str) -> None:
    """Print everything that the network computes on its way through the word."""
    h, y = network(inputs)
    for t in range(len(inputs)):
        print(f"  t={t + 1}  input {word[t]!r}, target {word[t + 1]!r}")
        print(f"       x  one-hot      {line(inputs[t])}")
        print(f"       h  hidden       {line(h[t])}")
        print(f"       y  logits       {line(y[t])}")
        print(f"       p  probability  {line(y[t].softmax(0))}")
    print(f"  loss {functional.cross_entropy(y, targets).item():.4f}")


@tg.no_grad()
def show_memory(network: Network, inputs: Tensor, word: str) -> None:
    """Print the hidden states at each symbol that is followed by different ones."""
    h, _ = network(inputs)
    for symbol in dict.fromkeys(word):
        places = [t for t in range(len(word) - 1) if word[t] == symbol]
        if len({word[t + 1] for t in places}) > 1:
            print(f"\nThe same input {symbol!r}, told apart by the hidden state:")
            for t in places:
                print(f"  t={t + 1}  h  {line(h[t])}  before {word[t + 1]!r}")


def lesson(word: str, hidden: int, updates: int, seed: int, jit: bool = True) -> int:
    if len(set(word)) < 2:
        raise DataError(
            f"{word!r} has fewer than two different symbols, so there is nothing to predict; "
            "give a word such as hello"
        )
    if hidden < 1 or updates < 1:
        raise DataError(f"--hidden is {hidden}, --steps {updates}; both must be 1 or more")
    tg.manual_seed(seed)
    vocabulary = Vocabulary(dict.fromkeys(word))
    numbers = tg.tensor(vocabulary.encode(word))
    inputs = functional.one_hot(numbers[:-1], len(vocabulary), dtype=tg.float32)
    targets = numbers[1:]
    network = Network(len(vocabulary), hidden)
    print(f"Vocabulary, in this order: {' '.join(vocabulary)}")
    print(f"Hidden size {hidden}, h_0 = 0, {network.parameter_count()} parameters")
    print("\nBefore training:")
    show(network, inputs, targets, word)
    print("\nTraining:")
    train(network, inputs, targets, updates, jit)
    print("\nAfter training:")
    show(network, inputs, targets, word)
    show_memory(network, inputs, word)
    spelled = spell(network, vocabulary, word[0], len(word))
    print(f"\nFrom {word[0]!r}, feeding each prediction back, it spells: {spelled}")
    if spelled == word:
        return 0
    print(f"That is not {word}: hidden size {hidden} did not learn it in {updates} updates.")
    print(f"Try --hidden {2 * hidden}, --steps {3 * updates}, or another --seed.")
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Teach a recurrent network to spell a word.")
    parser.add_argument("word", nargs="?", default="hello", help="any word; hello by default")
    parser.add_argument("--hidden", type=int, default=3, help="length of the hidden state")
    parser.add_argument("--steps", type=int, default=300, help="updates")
    parser.add_argument("--seed", type=int, default=0, help="for the initial weights")
    parser.add_argument("--no-jit", action="store_true", help="run every operation by itself")
    options = parser.parse_args()
    jit = not options.no_jit
    try:
        return lesson(options.word, options.hidden, options.steps, options.seed, jit)
    except TinygradRnnError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
