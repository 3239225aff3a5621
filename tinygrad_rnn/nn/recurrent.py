"""Unrolling a cell over time: one wrapper for the built-in cells and for anyone's own.

The graph of a sequence is the cell's graph once a step. Backpropagation through time is nothing
more than `backward` through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tinygrad_rnn.arguments import positive, probability
from tinygrad_rnn.context import Scope, quiet, state
from tinygrad_rnn.creation import zeros
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from tinygrad_rnn.functions import cat, stack
from tinygrad_rnn.nn import functional
from tinygrad_rnn.nn.cells import GatedCell, GRUCell, LSTMCell, RNNCell
from tinygrad_rnn.nn.module import Module, Place
from tinygrad_rnn.nn.state import State, map_state, state_tensors
from tinygrad_rnn.tensor import Tensor


class Recurrent(Module):
    """Layers of recurrent cells, unrolled over time in one or both directions.

    Args:
        cells: a cell; or a sequence of cells, one a layer (with `bidirectional`, a forward and a
            backward one a layer); or a function that makes a cell for a given input size, called
            for every layer and direction.
        input_size: length of x_t; needed where `cells` is a function.
        num_layers: number of layers; counted from `cells` where that is a sequence.
        bidirectional: run a second cell from the last step to the first in each layer, and join
            both outputs.
        batch_first: take and return (B, T, ...) instead of (T, B, ...). States stay as they are.
        dropout: probability with which outputs between layers are dropped in training.

    A cell is a module that maps `(x_t, state)` to `(output, state)`. Its `initial_state(batch)`
    gives the state before the first step; a cell with `hidden_size` and no such method starts from
    zeros (batch, hidden_size). A cell may split itself into `project(x)`, which is then computed
    for all steps at once, and `step(projected_t, state)`.

    Parameters appear under the cell's names with the layer appended, as PyTorch's do:
    `weight_ih_l0`, `weight_ih_l0_reverse`, `weight_ih_l1`, ...
    """

    def __init__(
        self,
        cells: Module | Sequence[Module] | Callable[[int], Module],
        input_size: int | None = None,
        num_layers: int = 1,
        bidirectional: bool = False,
        batch_first: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.bidirectional = bool(bidirectional)
        self.batch_first = bool(batch_first)
        self.dropout = probability(dropout)
        self.num_directions = 2 if bidirectional else 1
        made = self._make(cells, input_size, positive(num_layers, "num_layers"))
        self.num_layers = len(made) // self.num_directions
        for i, cell in enumerate(made):
            layer, backward = divmod(i, self.num_directions)
            self.add_module(f"l{layer}" + ("_reverse" if backward else ""), cell)
        shapes = {tuple(s.shape for s in state_tensors(initial_state(cell, 1))) for cell in made}
        # States of one shape are stacked, as PyTorch does; others stay a tuple, one a cell.
        self._stacks_states = len(shapes) == 1

    def _make(
        self,
        cells: Module | Sequence[Module] | Callable[[int], Module],
        input_size: int | None,
        num_layers: int,
    ) -> list[Module]:
        if isinstance(cells, Module):
            made = [cells]
        elif isinstance(cells, Sequence):
            made = list(cells)
        else:
            if input_size is None:
                raise ArgumentError("input_size is needed where cells are made by a function")
            made = []
            for _ in range(num_layers):
                layer = [cells(input_size) for _ in range(self.num_directions)]
                input_size = sum(_output_size(cell) for cell in layer)
                made += layer
        if not made or len(made) % self.num_directions:
            raise ArgumentError(
                f"{len(made)} cells do not make layers of {self.num_directions} direction(s)"
            )
        if len({id(cell) for cell in made}) != len(made):
            raise ArgumentError("a cell stands twice in the stack; make one for each place")
        for cell in made:
            if not isinstance(cell, Module):
                raise DtypeError(f"a cell is a Module, not {type(cell).__name__}")
        return made

    def cells(self) -> list[Module]:
        """Return the cells: layer by layer, forward before backward."""
        return list(self.children())

    def initial_state(self, batch: int, dtype: Any = None) -> State:
        """Return the state before the first step, in the form that calling takes and returns.

        `dtype` is that of the input; it matters to cells that do not say themselves how they
        begin, and defaults to that of the parameters.
        """
        if dtype is None:
            parameter = next(self.parameters(), None)
            dtype = None if parameter is None else parameter.dtype
        states = [initial_state(cell, batch, dtype) for cell in self.cells()]
        return self._packed(states)

    def _packed(self, states: Sequence[State]) -> State:
        if self._stacks_states:
            return map_state(lambda *s: stack(s), *states)
        return tuple(states)

    # ------------------------------------------------------------------ computing

    def forward(self, x: Tensor, initial: State = None) -> tuple[Tensor, State]:
        """Run over a sequence.

        Args:
            x: (T, B, in), or (B, T, in) with `batch_first`; or (T, in) for a single sequence.
            initial: state before the first step, each tensor (layers * directions, B, H); zeros if
                None. Cells whose states differ in shape take a tuple with one state a cell.

        Returns:
            The last layer's outputs (T, B, directions * H), laid out as x, and the final states,
            in the form of `initial`: pass them on to continue the sequence.
        """
        cells = self.cells()
        if x.ndim not in (2, 3):
            layout = "(batch, time, features)" if self.batch_first else "(time, batch, features)"
            raise ShapeError(
                f"{type(self).__name__} takes {layout} or (time, features), not shape {x.shape}"
            )
        single = x.ndim == 2
        batch_axis = 1 if self._stacks_states else 0
        if single:
            x = x.unsqueeze(1)
            initial = map_state(lambda s: s.unsqueeze(batch_axis), initial)
        elif self.batch_first:
            x = x.transpose(0, 1)
        self._check_features(x, cells[0])
        states = self._unpacked(initial, cells, x.shape[1], x)
        finals: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.num_directions):
                i = layer * self.num_directions + direction
                output, final = unroll(cells[i], x, states[i], reverse=direction == 1)
                outputs.append(output)
                finals.append(final)
            x = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
            if layer + 1 < self.num_layers:
                x = functional.dropout(x, self.dropout, self.training)
        final = self._packed(finals)
        if single:
            return x.squeeze(1), map_state(lambda s: s.squeeze(batch_axis), final)
        return (x.transpose(0, 1) if self.batch_first else x), final

    def _check_features(self, x: Tensor, cell: Module) -> None:
        wanted = getattr(cell, "input_size", None)
        if wanted is not None and x.shape[-1] != wanted:
            raise ShapeError(
                f"{type(self).__name__} takes {wanted} features, the input has {x.shape[-1]} "
                f"(shape {x.shape} as time, batch, features)"
            )
        parameter = next(self.parameters(), None)
        if parameter is not None and x.dtype != parameter.dtype:
            raise DtypeError(
                f"the input is {x.dtype}, the parameters are {parameter.dtype}; convert the input "
                "with .float(), or the module with .double()"
            )

    def _unpacked(
        self, initial: State, cells: Sequence[Module], batch: int, x: Tensor
    ) -> list[State]:
        """Return one state a cell, and check their shapes."""
        zero = [initial_state(cell, batch, x.dtype) for cell in cells]
        if initial is None:
            return zero
        if not self._stacks_states:
            if not isinstance(initial, (tuple, list)) or len(initial) != len(cells):
                raise ShapeError(
                    f"the initial state needs one state for each of {len(cells)} cells"
                )
            states = list(initial)
        else:
            wanted = [(len(cells), *s.shape) for s in state_tensors(zero[0])]
            try:
                matched = map_state(lambda _, s: s, zero[0], initial)
            except ShapeError as error:
                raise ShapeError(
                    f"{type(self).__name__} takes an initial state of {len(wanted)} tensor(s) with "
                    f"the shapes {wanted}: {error}"
                ) from error
            given = [s.shape for s in state_tensors(matched)]
            if given != wanted:
                hint = "; batch_first does not change the layout of states" * self.batch_first
                raise ShapeError(
                    f"the initial state needs the shapes {wanted} (layers * directions, batch, "
                    f"...), not {given}{hint}"
                )
            states = [
                map_state(lambda _, s, i=i: s.select(0, i), zero[0], initial)
                for i in range(len(cells))
            ]
        for given_state in states:
            for s in state_tensors(given_state):
                if s.dtype != x.dtype:
                    raise DtypeError(f"the initial state is {s.dtype}, the input {x.dtype}")
        return states

    # ------------------------------------------------------------------ parameters by layer

    def _places(self, register: str, prefix: str = "") -> Iterator[Place]:
        for suffix, cell in self.named_children():
            for place in cell._places(register):
                yield place._replace(name=f"{prefix}{place.name}_{suffix}")

    def __getattr__(self, name: str) -> Any:
        place = self._place(name)
        return super().__getattr__(name) if place is None else place.tensor

    def __setattr__(self, name: str, value: Any) -> None:
        place = self._place(name)
        if place is None:
            super().__setattr__(name, value)
        else:
            setattr(place.owner, place.key, value)

    def _place(self, name: str) -> Place | None:
        if "_l" not in name or "_modules" not in self.__dict__:
            return None
        return next((p for p in self._places("_parameters") if p.name == name), None)

    def flatten_parameters(self) -> None:
        """Do nothing: here for scripts that call it, nothing needs rearranging."""

    def extra_repr(self) -> str:
        """Return the settings that differ from their defaults."""
        shown = {
            "num_layers": (self.num_layers, 1),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0.0),
            "bidirectional": (self.bidirectional, False),
        }
        return ", ".join(f"{k}={v}" for k, (v, default) in shown.items() if v != default)


def initial_state(cell: Module, batch: int, dtype: Any = None) -> State:
    """Return a cell's state before the first step: its own `initial_state`, or zeros of `dtype`."""
    own = getattr(cell, "initial_state", None)
    if own is not None:
        return own(batch)
    size = getattr(cell, "hidden_size", None)
    if size is None:
        name = type(cell).__name__
        raise ArgumentError(
            f"{name} says nothing of its state before the first step; give it a method "
            "`initial_state(self, batch)` that returns a tensor or a tuple of tensors, or an "
            "attribute `hidden_size`"
        )
    return zeros(batch, size, dtype=dtype)


def _output_size(cell: Module) -> int:
    for name in ("output_size", "hidden_size"):
        size = getattr(cell, name, None)
        if size is not None:
            return int(size)
    raise ArgumentError(
        f"{type(cell).__name__} says nothing of the length of its output, which the next layer "
        "needs; give it an attribute `hidden_size` or `output_size`"
    )


@quiet()
def unroll(
    cell: Module, x: Tensor, initial: State, reverse: bool = False
) -> tuple[Tensor, State]:
    """Apply a cell at each step of x (T, B, in), and return outputs (T, B, ...) and final state.

    With `reverse` the last step comes first; outputs stay in the order of x.
    """
    outside = state.scope
    if hasattr(cell, "project"):
        path = ".".join(part for part in (outside.path, cell._name) if part)
        state.scope = Scope(path, None)
        inputs = cell.project(x).unbind(0)
        step = cell.step
    else:
        path = outside.path
        inputs = x.unbind(0)
        step = cell
    outputs: list[Any] = [None] * len(inputs)
    current = initial
    try:
        for t in reversed(range(len(inputs))) if reverse else range(len(inputs)):
            state.scope = Scope(path, t)
            result = step(inputs[t], current)
            if not isinstance(result, tuple) or len(result) != 2:
                raise ArgumentError(
                    f"{type(cell).__name__} has to return (output, state) at each step, not "
                    f"{type(result).__name__}"
                )
            outputs[t], current = result
            if not isinstance(outputs[t], Tensor):
                raise DtypeError(
                    f"the output of {type(cell).__name__} is a Tensor, not "
                    f"{type(outputs[t]).__name__}; it has to return (output, state)"
                )
    finally:
        state.scope = outside
    if not outputs:
        size = _output_size(cell)
        return zeros(0, x.shape[1], size, dtype=x.dtype), current
    return stack(outputs), current


class _Layers(Recurrent):
    """What RNN, LSTM and GRU share: a built-in cell, and PyTorch's arguments."""

    _cell: type[GatedCell]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
        **cell_settings: Any,
    ) -> None:
        def make_cell(size: int) -> GatedCell:
            return self._cell(size, hidden_size, bias=bias, dtype=dtype, **cell_settings)

        super().__init__(make_cell, input_size, num_layers, bidirectional, batch_first, dropout)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bool(bias)

    def reset_parameters(self) -> None:
        """Draw the parameters of every layer and direction anew."""
        for cell in self.cells():
            cell.reset_parameters()

    def extra_repr(self) -> str:
        """Return the sizes and the settings that differ from their defaults."""
        rest = super().extra_repr()
        bias = "" if self.bias else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{bias}" + (f", {rest}" if rest else "")

    def _shown_children(self) -> Iterator[tuple[str, Module]]:
        return iter(())


class RNN(_Layers):
    """Vanilla recurrent layers: `RNNCell`, unrolled.

    Args:
        input_size: length of x_t.
        hidden_size: H.
        num_layers: number of layers.
        nonlinearity: "tanh" or "relu".
        bias: whether there are biases.
        batch_first: (B, T, ...) instead of (T, B, ...).
        dropout: probability between layers, in training.
        bidirectional: both directions of time.
        dtype: float32 (default) or float64.

    Called with x (T, B, in) and h_0 (layers * directions, B, H), it returns the outputs
    (T, B, directions * H) and h_n.
    """

    _cell = RNNCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = None,
    ) -> None:
        sizes = (input_size, hidden_size, num_layers)
        settings = (bias, batch_first, dropout, bidirectional, dtype)
        super().__init__(*sizes, *settings, nonlinearity=nonlinearity)
        self.nonlinearity = nonlinearity


class LSTM(_Layers):
    """Long short-term memory layers: `LSTMCell`, unrolled.

    Args and shapes are those of `RNN` without `nonlinearity`; the state is the pair (h, c).
    """

    _cell = LSTMCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        dtype: Any = None,
    ) -> None:
        if proj_size:
            raise UnsupportedError(
                "proj_size is not offered; use a cell of your own in nn.Recurrent, with a Linear "
                "on its output"
            )
        sizes = (input_size, hidden_size, num_layers)
        super().__init__(*sizes, bias, batch_first, dropout, bidirectional, dtype)


class GRU(_Layers):
    """Gated recurrent layers: `GRUCell`, unrolled.

    Args and shapes are those of `RNN` without `nonlinearity`.
    """

    _cell = GRUCell
