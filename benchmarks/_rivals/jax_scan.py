"""JAX: forward, gradient and update in one jitted function, `lax.scan` over time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks import _sampling
from benchmarks._steps import CLIP, RATE, Step, data_of, weights_of
from benchmarks._workers import Work

Parameters = dict[str, Any]


def train_step(threads: int, step: dict[str, Any]) -> Work:
    """One training step. JAX takes its thread count from the environment and the CPUs."""
    size = Step(**step)
    loss_of = _hello_loss if size.kind == "hello" else _layers_loss(size)

    def take(p: Parameters, x: Any, targets: Any) -> tuple[Parameters, Any]:
        loss, gradients = jax.value_and_grad(loss_of)(p, x, targets)
        norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients.values()))
        factor = jnp.minimum(1.0, CLIP / (norm + 1e-6))
        return {name: p[name] - RATE * (factor * g) for name, g in gradients.items()}, loss

    # The old parameters' memory may hold the new ones.
    compiled = jax.jit(take, donate_argnums=0)
    parameters = {name: jnp.array(array) for name, array in weights_of(size).items()}
    x, targets = (jnp.array(array) for array in data_of(size))

    def call() -> Any:
        nonlocal parameters
        parameters, loss = compiled(parameters, x, targets)
        jax.block_until_ready((parameters, loss))
        return loss

    return Work(call, lambda first: [loss.item() for loss in (first, call(), call())])


def _hello_loss(p: Parameters, x: Any, targets: Any) -> Any:
    def advance(h: Any, x_t: Any) -> tuple[Any, Any]:
        h = jnp.tanh(p["W_xh"] @ x_t + p["W_hh"] @ h + p["b_h"])
        return h, p["W_hy"] @ h + p["b_y"]

    _, logits = lax.scan(advance, jnp.zeros_like(p["b_h"]), x)
    return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(targets)), targets])


def _layers_loss(step: Step) -> Callable[[Parameters, Any, Any], Any]:
    def loss(p: Parameters, x: Any, targets: Any) -> Any:
        for layer in range(step.layers):
            suffix = f"_l{layer}"
            own = {k.removesuffix(suffix): w for k, w in p.items() if k.endswith(suffix)}
            x = _layer(step, own, x)
        return jnp.mean((x - targets) ** 2)

    return loss


def _layer(step: Step, p: Parameters, x: Any) -> Any:
    """Outputs of one layer. The built-in cells' input products are taken for all steps at once."""
    zero = jnp.zeros((step.batch, step.hidden), x.dtype)
    if step.kind == "lstm":
        read = x @ p["weight_ih"].T + (p["bias_ih"] + p["bias_hh"])
        _, outputs = lax.scan(lambda state, x_t: _lstm(p, state, x_t), (zero, zero), read)
    elif step.kind == "peephole":
        _, outputs = lax.scan(lambda state, x_t: _peephole(p, state, x_t), (zero, zero), x)
    elif step.kind == "gru":
        read = x @ p["weight_ih"].T + p["bias_ih"]
        _, outputs = lax.scan(lambda h, x_t: _gru(p, h, x_t), zero, read)
    else:
        read = x @ p["weight_ih"].T + (p["bias_ih"] + p["bias_hh"])
        _, outputs = lax.scan(lambda h, x_t: _rnn(p, h, x_t), zero, read)
    return outputs


def _lstm(p: Parameters, state: Any, read: Any) -> Any:
    h, c = state
    i, f, g, o = jnp.split(read + h @ p["weight_hh"].T, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def _peephole(p: Parameters, state: Any, x: Any) -> Any:
    h, c = state
    total = x @ p["weight_ih"].T + p["bias"] + h @ p["weight_hh"].T
    i, f, g, o = jnp.split(total, 4, -1)
    i = jax.nn.sigmoid(i + p["peephole_i"] * c)
    f = jax.nn.sigmoid(f + p["peephole_f"] * c)
    c = f * c + i * jnp.tanh(g)
    o = jax.nn.sigmoid(o + p["peephole_o"] * c)
    h = o * jnp.tanh(c)
    return (h, c), h


def _gru(p: Parameters, h: Any, read: Any) -> Any:
    x_r, x_z, x_n = jnp.split(read, 3, -1)
    h_r, h_z, h_n = jnp.split(h @ p["weight_hh"].T + p["bias_hh"], 3, -1)
    r = jax.nn.sigmoid(x_r + h_r)
    z = jax.nn.sigmoid(x_z + h_z)
    n = jnp.tanh(x_n + r * h_n)
    h = n + z * (h - n)
    return h, h


def _rnn(p: Parameters, h: Any, read: Any) -> Any:
    h = jnp.tanh(read + h @ p["weight_hh"].T)
    return h, h


def sampler(threads: int, settings: dict[str, Any], block: int) -> Work:
    """Text, so many characters at each call of a jitted function, the draws within it."""
    size = _sampling.Sampling(**settings)
    weights = {name: jnp.array(array) for name, array in _sampling.weights_of(size).items()}

    def advance(p: Parameters, states: Any, number: Any) -> tuple[Any, Any]:
        x = None
        after = []
        for layer, state in enumerate(states):
            own = {
                name: p[f"recurrent.{name}_l{layer}"]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            # A one-hot vector picks a column of the weights.
            read = own["weight_ih"][:, number] if x is None else own["weight_ih"] @ x
            state, x = _lstm(own, state, read + own["bias_ih"] + own["bias_hh"])
            after.append(state)
        return after, p["output.weight"] @ x + p["output.bias"]

    def one(p: Parameters, carried: Any, greedy: bool) -> Any:
        states, number, key = carried
        states, logits = advance(p, states, number)
        if greedy:
            number = jnp.argmax(logits)
        else:
            key, now = jax.random.split(key)
            number = jax.random.categorical(now, logits / _sampling.TEMPERATURE)
        return (states, number, key), number

    @partial(jax.jit, static_argnums=2)
    def draw(p: Parameters, carried: Any, greedy: bool) -> Any:
        if block == 1:
            carried, number = one(p, carried, greedy)
            return carried, number[None]
        return lax.scan(lambda held, _: one(p, held, greedy), carried, length=block)

    def text(length: int, greedy: bool) -> str:
        numbers: list[int] = []
        states = [(jnp.zeros(size.hidden), jnp.zeros(size.hidden)) for _ in range(size.layers)]
        number = jnp.array(_sampling.ALPHABET.index(_sampling.PRIME))
        carried = (states, number, jax.random.key(0))
        while len(numbers) < length:
            carried, drawn = draw(weights, carried, greedy)
            numbers += drawn.tolist()
        return "".join(_sampling.ALPHABET[number] for number in numbers[:length])

    return Work(
        lambda: text(size.length, greedy=False),
        lambda first: text(_sampling.CHECKED, greedy=True),
    )
