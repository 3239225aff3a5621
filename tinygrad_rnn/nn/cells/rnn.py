"""Cells without gates: one sum, one nonlinearity."""

from __future__ import annotations

from typing import Any

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.nn.cells.base import GatedCell
from tinygrad_rnn.nn.state import State
from tinygrad_rnn.tensor import Tensor


class RNNCell(GatedCell):
    """The vanilla recurrent cell (Elman, 1990).

    h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu instead of tanh.

    Args: those of `GatedCell`, and nonlinearity: "tanh" or "relu".
    """

    gate_names = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = None,
        *,
        clip: float | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"nonlinearity is 'tanh' or 'relu', not {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, dtype, clip=clip)
        self.nonlinearity = nonlinearity

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Return h' twice: as output and as state."""
        total = self.limited(projected + functional.linear(state, self.weight_hh))
        h = total.tanh() if self.nonlinearity == "tanh" else total.relu()
        return h, h

    def extra_repr(self) -> str:
        """Return the sizes and the settings."""
        return super().extra_repr() + f", nonlinearity={self.nonlinearity}"


class IRNNCell(RNNCell):
    """The vanilla cell of rectified units that starts as a sum over time.

    h' = relu(W_ih x + b_ih + W_hh h + b_hh), at the start with W_hh = I, biases 0 and W_ih drawn
    from N(0, σ²), σ = 0.001. Le, Jaitly and Hinton, 2015, "A simple way to initialize recurrent
    networks of rectified linear units".
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = None,
        *,
        clip: float | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, "relu", dtype, clip=clip)

    def reset_parameters(self) -> None:
        """Begin anew with the identity."""
        init.normal_(self.weight_ih, 0.0, 0.001)
        init.eye_(self.weight_hh)
        if self.bias:
            init.zeros_(self.bias_ih)
            init.zeros_(self.bias_hh)
