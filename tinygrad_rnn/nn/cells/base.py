"""What the built-in cells share: parameters, PyTorch's call, and the two halves of a step."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinygrad_rnn.arguments import Shape, positive
from tinygrad_rnn.creation import empty, zeros
from tinygrad_rnn.devices import require_cpu
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.nn.module import Module, Parameter
from tinygrad_rnn.nn.state import State, map_state, state_tensors
from tinygrad_rnn.tensor import Tensor


class GatedCell(Module):
    """What the built-in cells share: parameters by PyTorch's names, U(-1/√H, 1/√H).

    Parameters, for G gates: weight_ih (G·H, in), weight_hh (G·H, H), bias_ih and bias_hh (G·H).
    The gates' blocks of H rows lie in the order of `gate_names`.

    Args:
        input_size: length of x_t.
        hidden_size: H, length of h_t.
        bias: whether there are biases.
        dtype: float32 (default) or float64.
        clip: the sum that goes into a gate's σ, tanh or relu is limited to [-clip, clip], as by
            ONNX's `clip`; None for no limit.
    """

    gate_names: ClassVar[tuple[str, ...]]
    """The gates, in the order in which their blocks of rows lie in the parameters."""

    keep_gate: ClassVar[tuple[str, float] | None] = None
    """The gate that says how much of the state is kept, and its sign: the part σ(sign · a)."""

    ungated: ClassVar[tuple[str, ...]] = ()
    """Parameters that are no blocks of gates, which initialisation by gates leaves alone."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = None,
        *,
        clip: float | None = None,
        device: Any = None,
    ) -> None:
        super().__init__()
        require_cpu(device)
        if not getattr(self, "gate_names", None):
            raise ArgumentError(
                f'{type(self).__name__} needs a class attribute gate_names, such as ("r", "z", "n")'
            )
        self.input_size = positive(input_size, "input_size")
        self.hidden_size = positive(hidden_size, "hidden_size")
        self.bias = bool(bias)
        number = isinstance(clip, (int, float, np.number)) and not isinstance(clip, bool)
        if clip is not None and not (number and clip > 0.0):
            raise ArgumentError(f"clip is a number above 0, or None for no limit, not {clip!r}")
        self.clip = None if clip is None else float(clip)
        for name, shape in self.shapes().items():
            absent = name.startswith("bias") and not bias
            self.register_parameter(name, None if absent else Parameter(empty(shape, dtype=dtype)))
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        """The length of h."""
        return self.hidden_size

    def shapes(self) -> dict[str, Shape]:
        """Return the shape of every parameter; without `bias`, those of the biases too."""
        rows = len(self.gate_names) * self.hidden_size
        weights = {"weight_ih": (rows, self.input_size), "weight_hh": (rows, self.output_size)}
        return {**weights, "bias_ih": (rows,), "bias_hh": (rows,)}

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def initial_state(self, batch: int) -> State:
        """Return h_0 = 0 of shape (batch, H)."""
        return zeros(batch, self.output_size, dtype=self.weight_hh.dtype)

    def project(self, x: Tensor) -> Tensor:
        """Return W_ih x + b_ih + b_hh for any number of leading axes."""
        bias = self.bias_ih + self.bias_hh if self.bias else None
        return functional.linear(x, self.weight_ih, bias)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the output and the next state. Every cell defines this."""
        raise ArgumentError(
            f"{type(self).__name__} does not define step(projected, state), which returns the "
            "output and the next state"
        )

    def limited(self, total: Tensor) -> Tensor:
        """Return a gate's sum, limited by `clip`."""
        return total if self.clip is None else total.clamp(-self.clip, self.clip)

    def forward(self, x: Tensor, state: State = None, *, hx: State = None) -> State:
        """Return the next state, from x (B, in) or (in,) and a state (zeros if None).

        `hx` is PyTorch's name of the state.
        """
        state = hx if state is None else state
        if not isinstance(x, Tensor):
            name = type(self).__name__
            raise DtypeError(f"{name} takes a tensor, not {type(x).__name__}; see tensor()")
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
        shapes = [s.shape for s in state_tensors(state)]
        expected = [s.shape for s in state_tensors(self.initial_state(batch))]
        if shapes != expected:
            raise ShapeError(
                f"{type(self).__name__} takes {len(expected)} state tensor(s) of the shapes "
                f"{expected}, not {shapes}"
            )

    def extra_repr(self) -> str:
        """Return the sizes and the settings that differ from their defaults."""
        bias = "" if self.bias else ", bias=False"
        clip = "" if self.clip is None else f", clip={self.clip}"
        return f"{self.input_size}, {self.hidden_size}{bias}{clip}"
