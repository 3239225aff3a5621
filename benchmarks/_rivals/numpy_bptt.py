"""Backpropagation through time by hand, in plain NumPy.

What someone writes who knows the cell and wants it fast: the products with the input are one
product for all time steps, and so are, after the loop backward, those for the weights' gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks._steps import CLIP, RATE, Arrays, Step, data_of, weights_of
from benchmarks._workers import Work

Array = npt.NDArray[Any]


class Saved(NamedTuple):
    """What a layer's backward needs of its forward, each (T, B, …)."""

    x: Array
    before: Array  # h_{t-1}
    gates: Array
    more: tuple[Array, ...]


def sigmoid(x: Array) -> Array:
    """Return σ(x) through tanh, which does not overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def _flat(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _input_gradients(
    p: Arrays, x: Array, d: Array, want_input: bool
) -> tuple[Array, Array, Array | None]:
    """Gradients of weight_ih, of its bias and of the input, from those of the products d."""
    d_x = (_flat(d) @ p["weight_ih"]).reshape(x.shape) if want_input else None
    return _flat(d).T @ _flat(x), _flat(d).sum(0), d_x


# ---------------------------------------------------------------------- LSTM


def lstm_forward(p: Arrays, x: Array) -> tuple[Array, Saved]:
    """Return the outputs (T, B, H), and what backward needs."""
    T, B, _ = x.shape
    H = p["weight_hh"].shape[1]
    gates = (_flat(x) @ p["weight_ih"].T).reshape(T, B, 4 * H)
    gates += p["bias"] if "bias" in p else p["bias_ih"] + p["bias_hh"]
    peephole = "peephole_i" in p
    h = np.zeros((T + 1, B, H), x.dtype)
    c = np.zeros((T + 1, B, H), x.dtype)
    tanh_c = np.empty((T, B, H), x.dtype)
    weight = p["weight_hh"].T
    for t in range(T):
        here = gates[t]
        here += h[t] @ weight
        i, f, g, o = (here[:, k * H : (k + 1) * H] for k in range(4))
        if peephole:
            i += p["peephole_i"] * c[t]
            f += p["peephole_f"] * c[t]
        here[:, : 2 * H] = sigmoid(here[:, : 2 * H])
        np.tanh(g, out=g)
        np.multiply(f, c[t], out=c[t + 1])
        c[t + 1] += i * g
        if peephole:
            o += p["peephole_o"] * c[t + 1]
        o[...] = sigmoid(o)
        np.tanh(c[t + 1], out=tanh_c[t])
        np.multiply(o, tanh_c[t], out=h[t + 1])
    return h[1:], Saved(x, h[:-1], gates, (c, tanh_c))


def lstm_backward(
    p: Arrays, saved: Saved, d_outputs: Array, want_input: bool
) -> tuple[Arrays, Array | None]:
    """Return the gradients of the parameters and of the input."""
    T, B, H = saved.before.shape
    c, tanh_c = saved.more
    peephole = "peephole_i" in p
    d = np.empty_like(saved.gates)
    d_h = np.zeros((B, H), saved.x.dtype)
    d_c = np.zeros((B, H), saved.x.dtype)
    for t in reversed(range(T)):
        i, f, g, o = (saved.gates[t][:, k * H : (k + 1) * H] for k in range(4))
        d_i, d_f, d_g, d_o = (d[t][:, k * H : (k + 1) * H] for k in range(4))
        d_h = d_h + d_outputs[t]
        d_o[...] = d_h * tanh_c[t] * (o * (1.0 - o))
        d_c += d_h * o * (1.0 - tanh_c[t] * tanh_c[t])
        if peephole:
            d_c += d_o * p["peephole_o"]
        d_i[...] = d_c * g * (i * (1.0 - i))
        d_f[...] = d_c * c[t] * (f * (1.0 - f))
        d_g[...] = d_c * i * (1.0 - g * g)
        d_c *= f
        if peephole:
            d_c += d_i * p["peephole_i"]
            d_c += d_f * p["peephole_f"]
        d_h = d[t] @ p["weight_hh"]
    d_weight, d_bias, d_x = _input_gradients(p, saved.x, d, want_input)
    gradients = {"weight_ih": d_weight, "weight_hh": _flat(d).T @ _flat(saved.before)}
    if not peephole:
        return gradients | {"bias_ih": d_bias, "bias_hh": d_bias}, d_x
    gradients["bias"] = d_bias
    for name, k, cells in (("i", 0, c[:-1]), ("f", 1, c[:-1]), ("o", 3, c[1:])):
        gradients[f"peephole_{name}"] = (d[..., k * H : (k + 1) * H] * cells).sum((0, 1))
    return gradients, d_x


# ---------------------------------------------------------------------- GRU


def gru_forward(p: Arrays, x: Array) -> tuple[Array, Saved]:
    """Return the outputs (T, B, H), and what backward needs."""
    T, B, _ = x.shape
    H = p["weight_hh"].shape[1]
    gates = (_flat(x) @ p["weight_ih"].T).reshape(T, B, 3 * H)
    gates += p["bias_ih"]
    h = np.zeros((T + 1, B, H), x.dtype)
    h_n = np.empty((T, B, H), x.dtype)
    weight = p["weight_hh"].T
    for t in range(T):
        here = gates[t]
        r, z, n = (here[:, k * H : (k + 1) * H] for k in range(3))
        product = h[t] @ weight
        product += p["bias_hh"]
        h_n[t] = product[:, 2 * H :]
        here[:, : 2 * H] = sigmoid(here[:, : 2 * H] + product[:, : 2 * H])
        n += r * h_n[t]
        np.tanh(n, out=n)
        np.subtract(h[t], n, out=h[t + 1])
        h[t + 1] *= z
        h[t + 1] += n
    return h[1:], Saved(x, h[:-1], gates, (h_n,))


def gru_backward(
    p: Arrays, saved: Saved, d_outputs: Array, want_input: bool
) -> tuple[Arrays, Array | None]:
    """Return the gradients of the parameters and of the input."""
    T, B, H = saved.before.shape
    (h_n,) = saved.more
    d = np.empty_like(saved.gates)
    d_recurrent = np.empty_like(saved.gates)
    d_h = np.zeros((B, H), saved.x.dtype)
    for t in reversed(range(T)):
        r, z, n = (saved.gates[t][:, k * H : (k + 1) * H] for k in range(3))
        d_r, d_z, d_n = (d[t][:, k * H : (k + 1) * H] for k in range(3))
        d_h = d_h + d_outputs[t]
        d_n[...] = d_h * (1.0 - z) * (1.0 - n * n)
        d_z[...] = d_h * (saved.before[t] - n) * (z * (1.0 - z))
        d_r[...] = d_n * h_n[t] * (r * (1.0 - r))
        d_recurrent[t][:, : 2 * H] = d[t][:, : 2 * H]
        np.multiply(d_n, r, out=d_recurrent[t][:, 2 * H :])
        d_h = d_h * z + d_recurrent[t] @ p["weight_hh"]
    d_weight, d_bias, d_x = _input_gradients(p, saved.x, d, want_input)
    gradients = {
        "weight_ih": d_weight,
        "weight_hh": _flat(d_recurrent).T @ _flat(saved.before),
        "bias_ih": d_bias,
        "bias_hh": _flat(d_recurrent).sum(0),
    }
    return gradients, d_x


# ---------------------------------------------------------------------- RNN


def rnn_forward(p: Arrays, x: Array) -> tuple[Array, Saved]:
    """Return the outputs (T, B, H), and what backward needs."""
    T, B, _ = x.shape
    H = p["weight_hh"].shape[1]
    h = np.zeros((T + 1, B, H), x.dtype)
    read = (_flat(x) @ p["weight_ih"].T).reshape(T, B, H)
    read += p["bias_ih"] + p["bias_hh"]
    weight = p["weight_hh"].T
    for t in range(T):
        np.tanh(read[t] + h[t] @ weight, out=h[t + 1])
    return h[1:], Saved(x, h[:-1], h[1:], ())


def rnn_backward(
    p: Arrays, saved: Saved, d_outputs: Array, want_input: bool
) -> tuple[Arrays, Array | None]:
    """Return the gradients of the parameters and of the input."""
    T, B, H = saved.before.shape
    d = np.empty_like(saved.gates)
    d_h = np.zeros((B, H), saved.x.dtype)
    for t in reversed(range(T)):
        h = saved.gates[t]
        np.multiply(d_h + d_outputs[t], 1.0 - h * h, out=d[t])
        d_h = d[t] @ p["weight_hh"]
    d_weight, d_bias, d_x = _input_gradients(p, saved.x, d, want_input)
    d_recurrent = _flat(d).T @ _flat(saved.before)
    return {
        "weight_ih": d_weight,
        "weight_hh": d_recurrent,
        "bias_ih": d_bias,
        "bias_hh": d_bias,
    }, d_x


LAYERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "lstm": (lstm_forward, lstm_backward),
    "peephole": (lstm_forward, lstm_backward),
    "gru": (gru_forward, gru_backward),
    "rnn": (rnn_forward, rnn_backward),
}

# ---------------------------------------------------------------------- losses and the step


def loss_and_gradients(
    step: Step, weights: Arrays, x: Array, targets: Array
) -> tuple[float, Arrays]:
    """Return the loss, and its gradient by each of the weights."""
    if step.kind == "hello":
        return _hello(weights, x, targets)
    forward, backward = LAYERS[step.kind]
    own = [
        {
            name.removesuffix(f"_l{layer}"): array
            for name, array in weights.items()
            if name.endswith(f"_l{layer}")
        }
        for layer in range(step.layers)
    ]
    saved = []
    for p in own:
        x, kept = forward(p, x)
        saved.append(kept)
    difference = x - targets
    loss = float(np.mean(difference * difference))
    d = difference * (2.0 / difference.size)
    gradients: Arrays = {}
    for layer in reversed(range(step.layers)):
        found, d = backward(own[layer], saved[layer], d, want_input=layer > 0)
        gradients |= {f"{name}_l{layer}": g for name, g in found.items()}
    return loss, gradients


def _hello(p: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
    T = len(x)
    h = np.zeros((T + 1, len(p["b_h"])), x.dtype)
    for t in range(T):
        h[t + 1] = np.tanh(p["W_xh"] @ x[t] + p["W_hh"] @ h[t] + p["b_h"])
    logits = h[1:] @ p["W_hy"].T + p["b_y"]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    d_y = powers / powers.sum(1, keepdims=True)
    rows = np.arange(T)
    loss = -float(np.log(d_y[rows, targets]).mean())
    d_y[rows, targets] -= 1.0
    d_y /= T
    d = np.empty_like(h[1:])
    d_h = np.zeros_like(h[0])
    for t in reversed(range(T)):
        d[t] = (d_h + d_y[t] @ p["W_hy"]) * (1.0 - h[t + 1] * h[t + 1])
        d_h = d[t] @ p["W_hh"]
    return loss, {
        "W_xh": d.T @ x,
        "W_hh": d.T @ h[:-1],
        "b_h": d.sum(0),
        "W_hy": d_y.T @ h[1:],
        "b_y": d_y.sum(0),
    }


def train_step(threads: int, step: dict[str, Any]) -> Work:
    """One training step. NumPy's BLAS takes its thread count from the environment."""
    size = Step(**step)
    weights = weights_of(size)
    x, targets = data_of(size)

    def call() -> float:
        loss, gradients = loss_and_gradients(size, weights, x, targets)
        norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))
        rate = RATE * min(1.0, CLIP / (norm + 1e-6))
        for name, g in gradients.items():
            weights[name] -= rate * g
        return loss

    return Work(call, lambda first: [first, call(), call()])
