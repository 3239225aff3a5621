"""Gated cells with h as their only state."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.nn import functional
from tinygrad_rnn.nn.cells.base import GatedCell
from tinygrad_rnn.nn.recording import record
from tinygrad_rnn.nn.state import State
from tinygrad_rnn.tensor import Tensor


class GRUCell(GatedCell):
    """Gated recurrent unit (Cho et al., 2014), the reset gate after the product or before it.

    r = σ(W_ir x + b_ir + W_hr h + b_hr)
    z = σ(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r (W_hn h + b_hn)), or tanh(W_in x + b_in + W_hn (r h) + b_hn)
    h' = (1 - z) n + z h

    Args: those of `GatedCell`, and reset_after: whether r multiplies the product, as in PyTorch
        (the first form of n, the default), or h before it, as published (the second).
    """

    gate_names = ("r", "z", "n")
    keep_gate = ("z", 1.0)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = None,
        *,
        reset_after: bool = True,
        clip: float | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype, clip=clip)
        self.reset_after = bool(reset_after)

    def project(self, x: Tensor) -> Tensor:
        """Return W_ih x + b_ih, with b_hh too unless b_hn has to wait for the reset gate."""
        if not self.reset_after:
            return super().project(x)
        return functional.linear(x, self.weight_ih, self.bias_ih)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Return h' twice: as output and as state."""
        sizes = (2 * self.hidden_size, self.hidden_size)
        x_rz, x_n = projected.split(sizes, -1)
        if self.reset_after:
            h_rz, h_n = functional.linear(state, self.weight_hh, self.bias_hh).split(sizes, -1)
        else:
            weight_rz, weight_n = self.weight_hh.split(sizes)
            h_rz = functional.linear(state, weight_rz)
        r, z = self.limited(x_rz + h_rz).sigmoid().chunk(2, -1)
        h_n = r * h_n if self.reset_after else functional.linear(r * state, weight_n)
        n = self.limited(x_n + h_n).tanh()
        record(r=r, z=z, n=n)
        h = n + z * (state - n)
        return h, h

    def extra_repr(self) -> str:
        """Return the sizes and the settings that differ from their defaults."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")


class MGUCell(GatedCell):
    """Minimal gated unit: one gate resets and updates.

    f = σ(W_if x + b_if + W_hf h + b_hf)
    n = tanh(W_in x + b_in + W_hn (f h) + b_hn)
    h' = (1 - f) h + f n

    Zhou, Wu, Zhang and Zhou, 2016, "Minimal gated unit for recurrent neural networks".

    Args: those of `GatedCell`.
    """

    gate_names = ("f", "n")
    keep_gate = ("f", -1.0)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Return h' twice: as output and as state."""
        x_f, x_n = projected.chunk(2, -1)
        weight_f, weight_n = self.weight_hh.chunk(2)
        f = self.limited(x_f + functional.linear(state, weight_f)).sigmoid()
        n = self.limited(x_n + functional.linear(f * state, weight_n)).tanh()
        record(f=f, n=n)
        h = state + f * (n - state)
        return h, h
