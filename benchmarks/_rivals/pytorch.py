"""PyTorch: its fused layers, and the same cells as plain tensor math in a loop over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks import _sampling
from benchmarks._steps import CLIP, RATE, Arrays, Step, data_of, weights_of
from benchmarks._workers import UnavailableError, Work

Forward = Callable[[Tensor], Tensor]


def train_step(threads: int, step: dict[str, Any], fused: bool) -> Work:
    """One training step."""
    torch.set_num_threads(threads)
    size = Step(**step)
    parameters, forward = (fused_network if fused else plain_network)(size, weights_of(size))
    optimizer = torch.optim.SGD(parameters, lr=RATE)
    x, targets = (torch.from_numpy(array) for array in data_of(size))
    loss_of = functional.cross_entropy if size.kind == "hello" else functional.mse_loss

    def call() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(forward(x), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return loss

    return Work(call, lambda first: [loss.item() for loss in (first, call(), call())])


def fused_network(step: Step, weights: Arrays) -> tuple[list[Tensor], Forward]:
    """The parameters and outputs of nn.LSTM, nn.GRU or nn.RNN."""
    if step.kind == "peephole":
        raise UnavailableError("no such layer")
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    if step.kind == "hello":
        return _fused_hello(tensors)
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[step.kind]
    module = layer(step.hidden, step.hidden, step.layers)
    module.load_state_dict(tensors)
    return list(module.parameters()), lambda x: module(x)[0]


def _fused_hello(tensors: dict[str, Tensor]) -> tuple[list[Tensor], Forward]:
    hidden, symbols = tensors["W_xh"].shape
    recurrent = torch.nn.RNN(symbols, hidden)
    output = torch.nn.Linear(hidden, symbols)
    recurrent.load_state_dict(
        {
            "weight_ih_l0": tensors["W_xh"],
            "weight_hh_l0": tensors["W_hh"],
            "bias_ih_l0": tensors["b_h"],
            "bias_hh_l0": torch.zeros(hidden),
        }
    )
    output.load_state_dict({"weight": tensors["W_hy"], "bias": tensors["b_y"]})
    # The network has one bias, the layer has two: the second one stays 0.
    recurrent.bias_hh_l0.requires_grad_(False)
    both = [*recurrent.parameters(), *output.parameters()]
    return [p for p in both if p.requires_grad], lambda x: output(recurrent(x)[0])


def plain_network(step: Step, weights: Arrays) -> tuple[list[Tensor], Forward]:
    """The parameters, and the outputs of a loop over time in Python."""
    leaves = {
        name: torch.from_numpy(array.copy()).requires_grad_() for name, array in weights.items()
    }
    if step.kind == "hello":
        return list(leaves.values()), lambda x: _hello(leaves, x)
    cell = CELLS[step.kind]

    def forward(x: Tensor) -> Tensor:
        for layer in range(step.layers):
            suffix = f"_l{layer}"
            p = {
                name.removesuffix(suffix): leaf
                for name, leaf in leaves.items()
                if name.endswith(suffix)
            }
            zero = torch.zeros(step.batch, step.hidden)
            state = (zero, zero) if step.kind in ("lstm", "peephole") else (zero,)
            outputs = []
            for x_t in x.unbind(0):
                state = cell(p, x_t, *state)
                outputs.append(state[0])
            x = torch.stack(outputs)
        return x

    return list(leaves.values()), forward


def _hello(p: dict[str, Tensor], x: Tensor) -> Tensor:
    h = torch.zeros(len(p["b_h"]))
    logits = []
    for x_t in x:
        h = torch.tanh(p["W_xh"] @ x_t + p["W_hh"] @ h + p["b_h"])
        logits.append(p["W_hy"] @ h + p["b_y"])
    return torch.stack(logits)


def _lstm(p: dict[str, Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    total = functional.linear(x, p["weight_ih"], p["bias_ih"])
    total = total + functional.linear(h, p["weight_hh"], p["bias_hh"])
    i, f, g, o = total.chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _peephole(p: dict[str, Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    total = functional.linear(x, p["weight_ih"], p["bias"])
    i, f, g, o = (total + functional.linear(h, p["weight_hh"])).chunk(4, -1)
    i = (i + p["peephole_i"] * c).sigmoid()
    f = (f + p["peephole_f"] * c).sigmoid()
    c = f * c + i * g.tanh()
    o = (o + p["peephole_o"] * c).sigmoid()
    return o * c.tanh(), c


def _gru(p: dict[str, Tensor], x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    x_r, x_z, x_n = functional.linear(x, p["weight_ih"], p["bias_ih"]).chunk(3, -1)
    h_r, h_z, h_n = functional.linear(h, p["weight_hh"], p["bias_hh"]).chunk(3, -1)
    r = (x_r + h_r).sigmoid()
    z = (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return (n + z * (h - n),)


def _rnn(p: dict[str, Tensor], x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    total = functional.linear(x, p["weight_ih"], p["bias_ih"])
    return ((total + functional.linear(h, p["weight_hh"], p["bias_hh"])).tanh(),)


CELLS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn": _rnn,
    "peephole": _peephole,
}


def sampler(threads: int, settings: dict[str, Any], fused: bool) -> Work:
    """Text, drawn character by character from nn.LSTM, or from an nn.LSTMCell a layer.

    Where no gradient is wanted, nn.LSTM goes through oneDNN, which rearranges all the weights at
    each call: it is made for sequences. The cells do not.
    """
    torch.set_num_threads(threads)
    size = _sampling.Sampling(**settings)
    weights = {k: torch.from_numpy(w) for k, w in _sampling.weights_of(size).items()}
    advance = (_fused_state if fused else _state_of_cells)(size, _below("recurrent.", weights))
    output = torch.nn.Linear(size.hidden, _sampling.SYMBOLS)
    output.load_state_dict(_below("output.", weights))
    one_hot = torch.eye(_sampling.SYMBOLS).unsqueeze(1)

    @torch.inference_mode()
    def text(length: int, greedy: bool) -> str:
        pieces = []
        number = _sampling.ALPHABET.index(_sampling.PRIME)
        state = None
        for _ in range(length):
            h, state = advance(one_hot[number], state)
            logits = output(h)[0]
            if greedy:
                number = int(logits.argmax().item())
            else:
                p = torch.softmax(logits / _sampling.TEMPERATURE, -1)
                number = int(torch.multinomial(p, 1).item())
            pieces.append(_sampling.ALPHABET[number])
        return "".join(pieces)

    return Work(
        lambda: text(size.length, greedy=False),
        lambda first: text(_sampling.CHECKED, greedy=True),
    )


def _fused_state(size: _sampling.Sampling, weights: dict[str, Tensor]) -> Callable[..., Any]:
    recurrent = torch.nn.LSTM(_sampling.SYMBOLS, size.hidden, size.layers)
    recurrent.load_state_dict(weights)

    def advance(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        h, state = recurrent(x.unsqueeze(0), state)
        return h[0], state

    return advance


def _state_of_cells(size: _sampling.Sampling, weights: dict[str, Tensor]) -> Callable[..., Any]:
    cells = []
    for layer in range(size.layers):
        cell = torch.nn.LSTMCell(size.hidden if layer else _sampling.SYMBOLS, size.hidden)
        suffix = f"_l{layer}"
        own = {k.removesuffix(suffix): w for k, w in weights.items() if k.endswith(suffix)}
        cell.load_state_dict(own)
        cells.append(cell)

    def advance(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        after = []
        for layer, cell in enumerate(cells):
            after.append(cell(x, None if state is None else state[layer]))
            x = after[-1][0]
        return x, after

    return advance


def _below(prefix: str, named: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): w for k, w in named.items() if k.startswith(prefix)}
