"""Recurrent cells: what happens at one time step, as plain tensor math.

A cell is any module that maps `(x_t, state)` to `(output, state)`, with `initial_state(batch)`.
The cells here keep PyTorch's call, `cell(x, state) -> new state`, and offer the same mathematics
to the unrolling wrapper in two halves, so that the half that does not depend on the state is
computed for all time steps at once: `project(x)` and `step(projected, state) -> (output, state)`.
"""

from tinygrad_rnn.nn.cells.base import GatedCell
from tinygrad_rnn.nn.cells.gru import GRUCell, MGUCell
from tinygrad_rnn.nn.cells.lstm import (
    CoupledLSTMCell,
    LayerNormGatesLSTMCell,
    LayerNormLSTMCell,
    LSTMCell,
    LSTMState,
    PeepholeLSTMCell,
)
from tinygrad_rnn.nn.cells.rnn import IRNNCell, RNNCell

__all__ = [
    "CoupledLSTMCell",
    "GRUCell",
    "GatedCell",
    "IRNNCell",
    "LSTMCell",
    "LSTMState",
    "LayerNormGatesLSTMCell",
    "LayerNormLSTMCell",
    "MGUCell",
    "PeepholeLSTMCell",
    "RNNCell",
]
