"""Keras' and ONNX' recurrent equations as NumPy loops, written from their documentation.

Independent of the library: what the converters are measured against.
"""

from typing import Any

import numpy as np

Array = Any


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def keras_step(
    kind: str, x: Array, state: list[Array], weights: list[Array], reset_after: bool
) -> list[Array]:
    """One step of SimpleRNN, LSTM or GRU as their cells' `call` computes it (keras.io/api)."""
    kernel, recurrent = weights[:2]
    units = recurrent.shape[0]
    bias = weights[2] if len(weights) > 2 else np.zeros(kernel.shape[1])
    h = state[0]
    if kind == "SimpleRNN":
        return [np.tanh(x @ kernel + bias + h @ recurrent)]
    if kind == "LSTM":
        i, f, c, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
        carry = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(c)
        return [sigmoid(o) * np.tanh(carry), carry]
    if reset_after:
        input_bias, recurrent_bias = bias if bias.ndim == 2 else (bias, bias)
        x_z, x_r, x_h = np.split(x @ kernel + input_bias, 3, axis=1)
        h_z, h_r, h_h = np.split(h @ recurrent + recurrent_bias, 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        candidate = np.tanh(x_h + r * h_h)
    else:
        x_z, x_r, x_h = np.split(x @ kernel + bias, 3, axis=1)
        u_z, u_r, u_h = recurrent[:, :units], recurrent[:, units:-units], recurrent[:, -units:]
        z, r = sigmoid(x_z + h @ u_z), sigmoid(x_r + h @ u_r)
        candidate = np.tanh(x_h + (r * h) @ u_h)
    return [z * h + (1 - z) * candidate]


def keras_layer(
    kind: str, x: Array, weights: list[Array], reset_after: bool = True, backwards: bool = False
) -> tuple[Array, list[Array]]:
    """Run x (B, T, in), as Keras lays it out; return all outputs and the last state."""
    units = weights[1].shape[0]
    state = [np.zeros((len(x), units)) for _ in range(2 if kind == "LSTM" else 1)]
    outputs = np.zeros((*x.shape[:2], units))
    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        state = keras_step(kind, x[:, t], state, weights, reset_after)
        outputs[:, t] = state[0]
    return outputs, state


def onnx_step(
    kind: str,
    x: Array,
    state: list[Array],
    weights: dict[str, Array],
    linear_before_reset: int = 0,
    clip: float | None = None,
    input_forget: int = 0,
    activation: Any = np.tanh,
) -> list[Array]:
    """One step by the equations at onnx.ai/onnx/operators, for one direction.

    `weights` holds W (G·H, in), R (G·H, H), B (2·G·H) and, for LSTM, P (3·H).
    """

    def bounded(x: Array) -> Array:
        return x if clip is None else np.clip(x, -clip, clip)

    W, R = weights["W"], weights["R"]
    H = R.shape[1]
    Wb, Rb = np.split(weights.get("B", np.zeros(2 * len(R))), 2)
    h = state[0]
    if kind == "RNN":
        return [activation(bounded(x @ W.T + h @ R.T + Wb + Rb))]
    if kind == "LSTM":
        c = state[1]
        P_i, P_o, P_f = np.split(weights.get("P", np.zeros(3 * H)), 3)
        x_i, x_o, x_f, x_c = np.split(x @ W.T + h @ R.T + Wb + Rb, 4, axis=1)
        i = sigmoid(bounded(x_i + P_i * c))
        f = 1 - i if input_forget else sigmoid(bounded(x_f + P_f * c))
        c = f * c + i * np.tanh(bounded(x_c))
        o = sigmoid(bounded(x_o + P_o * c))
        # The memory is not bounded: as ONNX Runtime has it, clip is for the sums in the gates.
        return [o * np.tanh(c), c]
    W_z, W_r, W_h = np.split(W, 3)
    R_z, R_r, R_h = np.split(R, 3)
    Wb_z, Wb_r, Wb_h = np.split(Wb, 3)
    Rb_z, Rb_r, Rb_h = np.split(Rb, 3)
    z = sigmoid(bounded(x @ W_z.T + h @ R_z.T + Rb_z + Wb_z))
    r = sigmoid(bounded(x @ W_r.T + h @ R_r.T + Rb_r + Wb_r))
    if linear_before_reset:
        candidate = np.tanh(bounded(x @ W_h.T + r * (h @ R_h.T + Rb_h) + Wb_h))
    else:
        candidate = np.tanh(bounded(x @ W_h.T + (r * h) @ R_h.T + Rb_h + Wb_h))
    return [(1 - z) * candidate + z * h]


def onnx_operator(
    kind: str,
    x: Array,
    weights: dict[str, Array],
    initial: list[Array] | None = None,
    lengths: Array | None = None,
    backwards: tuple[bool, ...] = (False,),
    **settings: Any,
) -> tuple[Array, list[Array]]:
    """Run x (T, B, in), row by row; return Y (T, D, B, H) and the final states (D, B, H).

    `backwards` says of each direction whether it runs from the end. Past a row's length Y is 0.
    """
    T, B, _ = x.shape
    D, H = len(backwards), weights["R"].shape[2]
    states = 2 if kind == "LSTM" else 1
    start = initial or [np.zeros((D, B, H))] * states
    Y = np.zeros((T, D, B, H))
    finals = [np.array(s) for s in start]
    for d in range(D):
        own = {name: array[d] for name, array in weights.items()}
        for b in range(B):
            length = T if lengths is None else int(lengths[b])
            state = [s[d, b : b + 1] for s in start]
            for t in reversed(range(length)) if backwards[d] else range(length):
                state = onnx_step(kind, x[t, b : b + 1], state, own, **settings)
                Y[t, d, b] = state[0]
            for final, last in zip(finals, state, strict=True):
                final[d, b] = last[0]
    return Y, finals
