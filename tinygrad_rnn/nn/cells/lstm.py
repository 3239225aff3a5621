"""Cells with a memory c beside h: the LSTM and its variants."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from tinygrad_rnn.arguments import Shape, positive
from tinygrad_rnn.creation import zeros
from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn import functional, init
from tinygrad_rnn.nn.cells.base import GatedCell
from tinygrad_rnn.nn.recording import record
from tinygrad_rnn.nn.state import State
from tinygrad_rnn.tensor import Tensor


class LSTMState(NamedTuple):
    """Hidden state h and cell state c."""

    h: Tensor
    c: Tensor


class MemoryCell(GatedCell):
    """What LSTMs share: the state (h, c), and h' read from c', projected where asked for.

    h' = o tanh(c'), or W_hr (o tanh(c')) with a projection (Sak, Senior and Beaufays, 2014, "Long
    short-term memory recurrent neural network architectures for large scale acoustic modeling").

    Args: those of `GatedCell`, and proj_size: length of h if it is projected, below H; 0 for no
        projection. weight_hr is (proj_size, H) then, weight_hh has proj_size columns, and c stays
        of length H.
    """

    keep_gate = ("f", 1.0)
    ungated: ClassVar[tuple[str, ...]] = ("weight_hr",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = None,
        *,
        proj_size: int = 0,
        clip: float | None = None,
    ) -> None:
        whole = isinstance(proj_size, (int, np.integer)) and not isinstance(proj_size, bool)
        if not whole or not 0 <= proj_size < positive(hidden_size, "hidden_size"):
            raise ArgumentError(
                "proj_size is an integer from 0 (no projection) to hidden_size - 1, not "
                f"{proj_size!r} with hidden_size {hidden_size}"
            )
        # Before the parameters are made, whose shapes depend on it.
        self.proj_size = int(proj_size)
        super().__init__(input_size, hidden_size, bias, dtype, clip=clip)

    @property
    def output_size(self) -> int:
        """The length of h."""
        return self.proj_size or self.hidden_size

    def shapes(self) -> dict[str, Shape]:
        """Return the shape of every parameter; without `bias`, those of the biases too."""
        projection = {"weight_hr": (self.proj_size, self.hidden_size)} if self.proj_size else {}
        return {**super().shapes(), **projection}

    def initial_state(self, batch: int) -> LSTMState:
        """Return h_0 = 0 (batch, H or proj_size) and c_0 = 0 (batch, H)."""
        c = zeros(batch, self.hidden_size, dtype=self.weight_hh.dtype)
        return LSTMState(super().initial_state(batch), c)

    def seen(self, c: Tensor) -> Tensor:
        """Return c' as the output's tanh takes it."""
        return c

    def emit(self, o: Tensor, c: Tensor) -> tuple[Tensor, LSTMState]:
        """Return h' as output, and the state (h', c')."""
        h = o * self.seen(c).tanh()
        if self.proj_size:
            h = functional.linear(h, self.weight_hr)
        return h, LSTMState(h, c)

    def extra_repr(self) -> str:
        """Return the sizes and the settings that differ from their defaults."""
        return super().extra_repr() + (f", proj_size={self.proj_size}" if self.proj_size else "")


class LSTMCell(MemoryCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000).

    i, f, o = σ(the first, second and fourth quarter of W_ih x + b_ih + W_hh h + b_hh)
    g = tanh(the third quarter)
    c' = f c + i g
    h' = o tanh(c')

    Args: those of `MemoryCell`.
    """

    gate_names = ("i", "f", "g", "o")

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, LSTMState]:
        """Return h' as output, and the state (h', c')."""
        h, c = state
        i, f, g, o = self.limited(projected + functional.linear(h, self.weight_hh)).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        record(i=i, f=f, g=g, o=o)
        return self.emit(o, f * c + i * g)


class PeepholeLSTMCell(MemoryCell):
    """The LSTM whose gates see the memory.

    a = W_ih x + b_ih + W_hh h + b_hh, in quarters a_i, a_f, a_g, a_o
    i = σ(a_i + p_i c)
    f = σ(a_f + p_f c)
    g = tanh(a_g)
    c' = f c + i g
    o = σ(a_o + p_o c')
    h' = o tanh(c')

    Gers and Schmidhuber, 2000, "Recurrent nets that time and count".

    Parameters: those of `GatedCell`, and weight_ch (3·H): p_i, p_f and p_o one after the other, as
    the gates lie in the other parameters (ONNX's P has them in the order i, o, f).

    Args: those of `MemoryCell`.
    """

    gate_names = ("i", "f", "g", "o")
    ungated: ClassVar[tuple[str, ...]] = (*MemoryCell.ungated, "weight_ch")

    def shapes(self) -> dict[str, Shape]:
        """Return the shape of every parameter; without `bias`, those of the biases too."""
        return {**super().shapes(), "weight_ch": (3 * self.hidden_size,)}

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, LSTMState]:
        """Return h' as output, and the state (h', c')."""
        h, c = state
        i, f, g, o = (projected + functional.linear(h, self.weight_hh)).chunk(4, -1)
        p_i, p_f, p_o = self.weight_ch.chunk(3)
        i = self.limited(i + p_i * c).sigmoid()
        f = self.limited(f + p_f * c).sigmoid()
        g = self.limited(g).tanh()
        c = f * c + i * g
        o = self.limited(o + p_o * c).sigmoid()
        record(i=i, f=f, g=g, o=o)
        return self.emit(o, c)


class CoupledLSTMCell(MemoryCell):
    """The LSTM that forgets as much as it takes in.

    i, o = σ(the first and third third of W_ih x + b_ih + W_hh h + b_hh)
    g = tanh(the second third)
    f = 1 - i
    c' = f c + i g
    h' = o tanh(c')

    CIFG in Greff, Srivastava, Koutník, Steunebrink and Schmidhuber, 2015, "LSTM: a search space
    odyssey". The gates of the parameters are i, g and o; 1 - σ(a) = σ(-a), so that a cell written
    as i = 1 - f is this one with the signs of that gate's rows turned. ONNX's `input_forget` is
    f = 1 - i, too; its blocks for f are not used.

    Args: those of `MemoryCell`.
    """

    gate_names = ("i", "g", "o")
    keep_gate = ("i", -1.0)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, LSTMState]:
        """Return h' as output, and the state (h', c')."""
        h, c = state
        i, g, o = self.limited(projected + functional.linear(h, self.weight_hh)).chunk(3, -1)
        i, g, o = i.sigmoid(), g.tanh(), o.sigmoid()
        f = 1.0 - i
        record(i=i, f=f, g=g, o=o)
        return self.emit(o, f * c + i * g)


class LayerNormGatesLSTMCell(MemoryCell):
    """The LSTM with layer normalisation of both products, and not of c.

    i, f, g, o = the four quarters of LN(W_ih x; gain_ih, bias_ih) + LN(W_hh h; gain_hh, bias_hh)
    c' = σ(f) c + σ(i) tanh(g)
    h' = σ(o) tanh(c')

    LN(a; gain, bias) = gain (a - μ) / √(σ² + eps) + bias, with μ and σ² those of all 4·H numbers
    of a row. It is `LayerNormLSTMCell`, the paper's cell, without its third normalisation.

    Parameters: those of `GatedCell`, and gain_ih and gain_hh (4·H). Gains start as 1, biases as 0.

    Args: those of `MemoryCell`, and eps: keeps the divisor above 0.
    """

    gate_names = ("i", "f", "g", "o")
    ungated: ClassVar[tuple[str, ...]] = (*MemoryCell.ungated, "gain_ih", "gain_hh")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: Any = None,
        *,
        proj_size: int = 0,
        clip: float | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype, proj_size=proj_size, clip=clip)
        self.eps = eps

    def shapes(self) -> dict[str, Shape]:
        """Return the shape of every parameter; without `bias`, those of the biases too."""
        rows = (len(self.gate_names) * self.hidden_size,)
        return {**super().shapes(), "gain_ih": rows, "gain_hh": rows}

    def reset_parameters(self) -> None:
        """Draw the weights anew; gains become 1, biases 0."""
        super().reset_parameters()
        for name, parameter in self.named_parameters():
            if not name.startswith("weight"):
                init.constant_(parameter, 1.0 if name.startswith("gain") else 0.0)

    def _normalized(self, total: Tensor, which: str) -> Tensor:
        gain, bias = getattr(self, f"gain_{which}"), getattr(self, f"bias_{which}")
        return functional.layer_norm(total, total.shape[-1], gain, bias, self.eps)

    def project(self, x: Tensor) -> Tensor:
        """Return LN(W_ih x) for any number of leading axes."""
        return self._normalized(functional.linear(x, self.weight_ih), "ih")

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, LSTMState]:
        """Return h' as output, and the state (h', c')."""
        h, c = state
        from_h = self._normalized(functional.linear(h, self.weight_hh), "hh")
        i, f, g, o = self.limited(projected + from_h).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        record(i=i, f=f, g=g, o=o)
        return self.emit(o, f * c + i * g)


class LayerNormLSTMCell(LayerNormGatesLSTMCell):
    """The LSTM with layer normalisation of both products and of c, as published.

    i, f, g, o = the four quarters of LN(W_ih x; gain_ih, bias_ih) + LN(W_hh h; gain_hh, bias_hh)
    c' = σ(f) c + σ(i) tanh(g)
    h' = σ(o) tanh(LN(c'; gain_ch, bias_ch))

    Ba, Kiros and Hinton, 2016, "Layer normalization", equations 20 to 22; their b is part of
    bias_ih + bias_hh. The c that is carried on is not normalised; only the one that h' is read from
    is. `LayerNormGatesLSTMCell` leaves that out.

    Parameters: those of `LayerNormGatesLSTMCell`, and gain_ch and bias_ch (H).

    Args: those of `LayerNormGatesLSTMCell`.
    """

    ungated: ClassVar[tuple[str, ...]] = (*LayerNormGatesLSTMCell.ungated, "gain_ch", "bias_ch")

    def shapes(self) -> dict[str, Shape]:
        """Return the shape of every parameter; without `bias`, those of the biases too."""
        return {**super().shapes(), "gain_ch": (self.hidden_size,), "bias_ch": (self.hidden_size,)}

    def seen(self, c: Tensor) -> Tensor:
        """Return LN(c')."""
        return self._normalized(c, "ch")
