"""Recurrent cells: what happens at one time step, as plain tensor math.

A cell is any module that maps `(x_t, state)` to `(output, state)`, with `initial_state(batch)`.
The cells here keep PyTorch's call, `cell(x, state) -> new state`, and offer the same mathematics
to the unrolling wrapper in two halves, so that the half that does not depend on the state is
computed for all time steps at once: `project(x)` and `step(projected, state) -> (output, state)`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.creation import empty, zeros
from tinygrad_rnn.errors import ArgumentError, ShapeError
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.nn.state import State, map_state, state_tensors
from tinygrad_rnn.tensor import Tensor


class LSTMState(NamedTuple):
    """Hidden state h and cell state c."""

    h: Tensor
    c: Tensor


class GatedCell(Module):
    """What the built-in cells share: parameters by PyTorch's names, U(-1/√H, 1/√H).

    Parameters, for G gates: weight_ih (G·H, in), weight_hh (G·H, H), bias_ih and bias_hh (G·H).

    Args:
        input_size: length of x_t.
        hidden_size: H, length of h_t.
        bias: whether there are biases.
        dtype: float32 (default) or float64.
    """

    gates: int

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = positive(input_size, "input_size")
        self.hidden_size = positive(hidden_size, "hidden_size")
        self.bias = bool(bias)
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def initial_state(self, batch: int) -> State:
        """Return h_0 = 0 of shape (batch, H)."""
        return zeros(batch, self.hidden_size, dtype=self.weight_hh.dtype)

    def project(self, x: Tensor) -> Tensor:
        """Return W_ih x + b_ih + b_hh for any number of leading axes."""
        bias = self.bias_ih + self.bias_hh if self.bias else None
        return functional.linear(x, self.weight_ih, bias)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the output and the next state. Every cell defines this."""
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def forward(self, x: Tensor, state: State = None) -> State:
        """Return the next state, from x (B, in) or (in,) and a state (zeros if None)."""
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{type(self).__name__} takes x (batch, {self.input_size}) or "
                f"({self.input_size},), not {x.shape}"
            )
        single = x.ndim == 1
        if single:
            x = x.unsqueeze(0)
        if state is None:
            state = self.initial_state(x.shape[0])
        elif single:
            state = map_state(lambda s: s.unsqueeze(0), state)
        self._check(state, x.shape[0])
        _, after = self.step(self.project(x), state)
        return map_state(lambda s: s.squeeze(0), after) if single else after

    def _check(self, state: State, batch: int) -> None:
        wanted = (batch, self.hidden_size)
        shapes = [s.shape for s in state_tensors(state)]
        expected = [s.shape for s in state_tensors(self.initial_state(batch))]
        if shapes != expected:
            raise ShapeError(
                f"{type(self).__name__} takes {len(expected)} state tensor(s) of shape {wanted}, "
                f"not {shapes}"
            )

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(GatedCell):
    """The vanilla recurrent cell (Elman, 1990).

    h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu instead of tanh.
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Return h' twice: as output and as state."""
        total = projected + functional.linear(state, self.weight_hh)
        h = total.tanh() if self.nonlinearity == "tanh" else total.relu()
        return h, h

    def extra_repr(self) -> str:
        """Return the sizes and the nonlinearity."""
        return super().extra_repr() + f", nonlinearity={self.nonlinearity}"


class LSTMCell(GatedCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000).

    i, f, g, o = the four quarters of W_ih x + b_ih + W_hh h + b_hh
    c' = σ(f) c + σ(i) tanh(g)
    h' = σ(o) tanh(c')
    """

    gates = 4

    def initial_state(self, batch: int) -> LSTMState:
        """Return h_0 = c_0 = 0 of shape (batch, H)."""
        return LSTMState(super().initial_state(batch), super().initial_state(batch))

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, LSTMState]:
        """Return h' as output, and the state (h', c')."""
        h, c = state
        i, f, g, o = (projected + functional.linear(h, self.weight_hh)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, LSTMState(h, c)


class GRUCell(GatedCell):
    """Gated recurrent unit, the reset gate after the product (Cho et al., 2014, version 1).

    r = σ(W_ir x + b_ir + W_hr h + b_hr)
    z = σ(W_iz x + b_iz + W_hz h + b_hz)
    n = tanh(W_in x + b_in + r (W_hn h + b_hn))
    h' = (1 - z) n + z h
    """

    gates = 3

    def project(self, x: Tensor) -> Tensor:
        """Return W_ih x + b_ih; b_hn has to wait for the reset gate."""
        return functional.linear(x, self.weight_ih, self.bias_ih)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Return h' twice: as output and as state."""
        sizes = (2 * self.hidden_size, self.hidden_size)
        x_rz, x_n = projected.split(sizes, -1)
        h_rz, h_n = functional.linear(state, self.weight_hh, self.bias_hh).split(sizes, -1)
        r, z = (x_rz + h_rz).sigmoid().chunk(2, -1)
        n = (x_n + r * h_n).tanh()
        h = n + z * (state - n)
        return h, h
