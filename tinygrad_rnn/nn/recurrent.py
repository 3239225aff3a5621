"""Layers of recurrent cells: one wrapper for the built-in cells and for anyone's own.

It arranges cells in layers and directions, lays inputs and states out, and says what happens
between steps and between layers. The steps themselves are `unrolling`.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tinygrad_rnn.arguments import positive, probability
from tinygrad_rnn.context import state as context
from tinygrad_rnn.creation import ones
from tinygrad_rnn.devices import require_cpu
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.functions import cat, stack
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn import functional
from tinygrad_rnn.nn.attention import Attention
from tinygrad_rnn.nn.cells import GatedCell, GRUCell, LSTMCell, RNNCell
from tinygrad_rnn.nn.layout import Layout, choices
from tinygrad_rnn.nn.module import Module, Parameter, Place
from tinygrad_rnn.nn.recording import Observation, observe
from tinygrad_rnn.nn.state import State, map_state, named_tensors, state_tensors
from tinygrad_rnn.nn.unrolling import (
    Padding,
    Reading,
    Reset,
    Rule,
    StateDropout,
    Zoneout,
    begun_anew,
    initial_state,
    output_size,
    unroll,
)
from tinygrad_rnn.nn.utils.rnn import PackedSequence, pad_packed_sequence
from tinygrad_rnn.tensor import Tensor


class Recurrent(Module):
    """Layers of recurrent cells, unrolled over time in one or both directions.

    Args:
        cells: a cell; or a sequence of cells, one a layer (with `bidirectional`, a forward and a
            backward one a layer), which may be of different kinds; or a function that makes a cell
            for a given input size, called for every layer and direction.
        input_size: length of x_t; needed where `cells` is a function.
        num_layers: number of layers; counted from `cells` where that is a sequence.
        bidirectional: run a second cell from the last step to the first in each layer, and join
            both outputs.
        batch_first: take and return (B, T, ...) instead of (T, B, ...). States stay as they are.
        dropout: probability with which outputs between layers are dropped in training.
        input_dropout: the same for the input of the first layer.
        output_dropout: the same for the outputs of the last layer.
        variational: let these three use one mask for all steps (Gal and Ghahramani, 2016).
        recurrent_dropout: dropout on h as the cell reads it, one mask for all steps.
        zoneout: probability with which a number of the state keeps its old value, for all tensors
            of the state or one for each, as (z_h, z_c) (Krueger et al., 2016).
        weight_drop: probability with which the numbers of the hidden-to-hidden weights are dropped,
            one mask a call (Merity et al., 2017); or probabilities by parameter name.
        residual: add the input of every layer after the first to its output.
        learn_initial_state: make the state before the first step a parameter of each cell.
        attention: read from a `memory` at each step: the first layer's cells get [x_t, context],
            with h of the step before as the query.

    A cell is a module that maps `(x_t, state)` to `(output, state)`. Its `initial_state(batch)`
    gives the state before the first step; a cell with `hidden_size` and no such method starts from
    zeros (batch, hidden_size). A cell may split itself into `project(x)`, which is then computed
    for all steps at once, and `step(projected_t, state)`. What it hands to `nn.record` can be asked
    for.

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
        *,
        input_dropout: float = 0.0,
        output_dropout: float = 0.0,
        variational: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: float | Sequence[float] = 0.0,
        weight_drop: float | Mapping[str, float] = 0.0,
        residual: bool = False,
        learn_initial_state: bool = False,
        attention: Attention | None = None,
    ) -> None:
        super().__init__()
        # First, because attributes with a layer in their name are looked up in the cells.
        self._names: list[str] = []
        self.attention = None
        self.bidirectional = bool(bidirectional)
        self.batch_first = bool(batch_first)
        self.dropout = probability(dropout)
        self.input_dropout = probability(input_dropout)
        self.output_dropout = probability(output_dropout)
        self.variational = bool(variational)
        self.recurrent_dropout = probability(recurrent_dropout)
        rates = zoneout if isinstance(zoneout, Sequence) else (zoneout,)
        self.zoneout = tuple(probability(rate) for rate in rates)
        self.residual = bool(residual)
        self.learn_initial_state = bool(learn_initial_state)
        self.num_directions = 2 if bidirectional else 1
        if attention is not None and not isinstance(attention, Attention):
            raise DtypeError(
                f"attention is one of nn's attention modules, not {type(attention).__name__}"
            )
        read = 0 if attention is None else attention.memory_size
        made = self._make(cells, input_size, positive(num_layers, "num_layers"), read)
        self.num_layers = len(made) // self.num_directions
        for i, cell in enumerate(made):
            layer, backward = divmod(i, self.num_directions)
            self._names.append(f"l{layer}" + ("_reverse" if backward else ""))
            self.add_module(self._names[-1], cell)
        self.attention = attention
        starts = [initial_state(cell, 1) for cell in made]
        # States of one shape are stacked, as PyTorch does; others stay a tuple, one a cell.
        shapes = {tuple(s.shape for s in state_tensors(start)) for start in starts}
        self._stacks_states = len(shapes) == 1
        if learn_initial_state:
            for label, start in zip(self._names, starts, strict=True):
                for name, s in named_tensors(start).items():
                    # Past __setattr__, which looks names with a layer up in the cells.
                    key = f"initial_{name}_{label}"
                    self._register("_parameters", key, Parameter(s.squeeze(0).clone()))
        self.weight_drop = self._weights_to_drop(weight_drop)
        if residual:
            self._check_residual()

    def _make(
        self,
        cells: Module | Sequence[Module] | Callable[[int], Module],
        input_size: int | None,
        num_layers: int,
        read: int,
    ) -> list[Module]:
        if isinstance(cells, Module):
            made = [cells]
        elif isinstance(cells, Sequence):
            made = list(cells)
        else:
            if input_size is None:
                raise ArgumentError("input_size is needed where cells are made by a function")
            _check_maker(cells)
            made = []
            size = positive(input_size, "input_size") + read
            for _ in range(num_layers):
                layer = [cells(size) for _ in range(self.num_directions)]
                size = sum(output_size(cell) for cell in layer)
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

    def _check_residual(self) -> None:
        cells, n = self.cells(), self.num_directions
        sizes = [sum(output_size(c) for c in cells[i : i + n]) for i in range(0, len(cells), n)]
        if len(set(sizes)) > 1:
            raise ShapeError(
                f"residual connections add equal sizes, but the layers put out {sizes} features"
            )

    def _weights_to_drop(self, weight_drop: float | Mapping[str, float]) -> dict[str, float]:
        if isinstance(weight_drop, Mapping):
            rates = {name: probability(rate) for name, rate in weight_drop.items()}
        else:
            rates = {"weight_hh": weight_drop} if probability(weight_drop) else {}
        for cell in self.cells():
            for name in rates:
                if cell._parameters.get(name) is None:
                    raise ArgumentError(
                        f"weight_drop names '{name}', which is no parameter of "
                        f"{type(cell).__name__}; it has {list(cell._parameters)}. Name others: "
                        "weight_drop={'name': probability}"
                    )
        return rates

    def cells(self) -> list[Module]:
        """Return the cells: layer by layer, forward before backward."""
        return [self._modules[label] for label in self._names]  # type: ignore[misc]

    def initial_state(self, batch: int, dtype: Any = None) -> State:
        """Return the state before the first step, in the form that calling takes and returns.

        `dtype` is that of the input; it matters to cells that do not say themselves how they
        begin, and defaults to that of the parameters.
        """
        if dtype is None:
            parameter = next(self.parameters(), None)
            dtype = None if parameter is None else parameter.dtype
        return self._packed(self._starts(batch, dtype))

    def reset_state(self, state: State, rows: Any) -> State:
        """Return a carried state that starts anew in some rows: `rows` (B,), True where it does."""
        chosen = choices(rows, "rows")
        starts = self._starts(len(chosen), state_tensors(state)[0].dtype)
        states = self._unpacked(state, starts)
        return self._packed(
            [begun_anew(s, start, chosen) for s, start in zip(states, starts, strict=True)]
        )

    def _starts(self, batch: int, dtype: Any) -> list[State]:
        """Return every cell's state before the first step."""
        starts = [initial_state(cell, batch, dtype) for cell in self.cells()]
        if not self.learn_initial_state:
            return starts
        learned = []
        for label, start in zip(self._names, starts, strict=True):
            names = iter(named_tensors(start))

            def begun(s: Tensor, label: str = label, names: Iterator[str] = names) -> Tensor:
                begin = self._parameters[f"initial_{next(names)}_{label}"]
                assert begin is not None
                return begin.expand(s.shape)

            learned.append(map_state(begun, start))
        return learned

    def _packed(self, states: Sequence[State]) -> State:
        if self._stacks_states:
            return map_state(lambda *s: stack(s), *states)
        return tuple(states)

    # ------------------------------------------------------------------ computing

    def forward(
        self,
        x: Tensor | PackedSequence,
        initial: State = None,
        *,
        lengths: Any = None,
        mask: Any = None,
        reset: Any = None,
        memory: Tensor | None = None,
        memory_mask: Any = None,
        record: bool = False,
        hx: State = None,
    ) -> Any:
        """Run over a sequence.

        Args:
            x: (T, B, in), or (B, T, in) with `batch_first`; or (T, in) for a single sequence; or a
                PackedSequence.
            initial: state before the first step, each tensor (layers * directions, B, H); zeros
                (or what was learned) if None. Cells whose states differ in shape take a tuple with
                one state a cell.
            lengths: (B,) integers 0 ... T, the steps of each row; the rest, at the end, is padding.
            mask: booleans laid out as (T, B), or (B, T) with `batch_first`: True at real steps, in
                any pattern. Where there is no step the state stays as it is and the output is 0,
                so that the result is that of each sequence alone.
            reset: booleans: (B,) for rows that start anew instead of from `initial`, or laid out as
                `mask`, True at steps before which the state starts anew.
            memory: what `attention` reads, (S, B, D), or (B, S, D) with `batch_first`.
            memory_mask: which of it may be read, (S, B) or (B, S); all of it if None.
            record: also return what every cell named at every step.
            hx: `initial` under PyTorch's name.

        Returns:
            The last layer's outputs (T, B, directions * H), laid out as x, and the final states,
            in the form of `initial`: pass them on to continue the sequence. With `record` also
            `{"l0": {"h": (T, B, H), "i": ..., "output": ...}, "l0_reverse": ..., "l1": ...}`:
            states, outputs, and what the cells handed to `nn.record`.
        """
        initial = hx if initial is None else initial
        if isinstance(x, PackedSequence):
            if lengths is not None or mask is not None:
                raise ArgumentError("a PackedSequence has its own lengths; pass no others")
            layout = Layout(batch_first=False, single=False)
            steps, lengths = pad_packed_sequence(x)
        else:
            layout = Layout.of(x, self.batch_first, type(self).__name__)
            steps = layout.time_major(x)
        self._check_features(steps)
        real = layout.real_steps(steps, lengths, mask)
        starts = self._starts(steps.shape[1], steps.dtype)
        if layout.single:
            initial = map_state(lambda s: s.unsqueeze(self._batch_axis), initial)
        states = self._unpacked(initial, starts)
        begins = None if reset is None else layout.begins(steps, reset)
        if begins is not None and begins.ndim == 1:
            states = [begun_anew(s, s0, begins) for s, s0 in zip(states, starts, strict=True)]
            begins = None
        reading = self._reading(layout, steps, memory, memory_mask)
        if real is not None:
            # What stands in the padding, NaN included, must not reach a gradient either.
            steps = where(real.unsqueeze(-1), steps, 0.0)
        with contextlib.ExitStack() as watch:
            seen = watch.enter_context(observe()) if record else None
            outputs, finals = self._run(steps, states, starts, real, begins, reading)
        if real is not None:
            outputs = where(real.unsqueeze(-1), outputs, 0.0)
        final = self._packed(finals)
        if layout.single:
            final = map_state(lambda s: s.squeeze(self._batch_axis), final)
        result: Any = layout.restored(outputs)
        if isinstance(x, PackedSequence):
            result = x.with_steps(outputs)
        return (result, final) if seen is None else (result, final, self._recording(seen, layout))

    def _run(
        self,
        x: Tensor,
        states: Sequence[State],
        starts: Sequence[State],
        real: Tensor | None,
        begins: Tensor | None,
        reading: Reading | None,
    ) -> tuple[Tensor, list[State]]:
        """Return the outputs of the last layer, and every cell's final state."""
        cells = self.cells()
        finals: list[State] = []
        for layer in range(self.num_layers):
            inputs = self._dropped(x, self.dropout if layer else self.input_dropout)
            outputs = []
            for direction in range(self.num_directions):
                i = len(finals)
                rules = self._rules(states[i], starts[i], real, begins, direction, x.shape[0])
                with self._weights_dropped(cells[i]):
                    output, final = unroll(
                        cells[i],
                        inputs,
                        states[i],
                        reverse=direction == 1,
                        rules=rules,
                        reading=None if layer else reading,
                    )
                outputs.append(output)
                finals.append(final)
            joined = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
            x = joined + x if self.residual and layer else joined
        return self._dropped(x, self.output_dropout), finals

    def _rules(
        self,
        state: State,
        start: State,
        real: Tensor | None,
        begins: Tensor | None,
        direction: int,
        steps: int,
    ) -> list[Rule]:
        """Return what happens around the steps of one cell, in the order in which it does."""
        rules: list[Rule] = []
        if begins is not None:
            rules.append(Reset(begins, start, reverse=direction == 1))
        if self.training and self.recurrent_dropout:
            rules.append(StateDropout(self.recurrent_dropout, state))
        if any(self.zoneout):
            rules.append(Zoneout(self.zoneout, state, steps, self.training))
        if real is not None:
            rules.append(Padding(real))
        return rules

    def _dropped(self, x: Tensor, p: float) -> Tensor:
        if not self.training or p == 0.0 or not self.variational:
            return functional.dropout(x, p, self.training)
        return x * functional.dropout(ones(1, *x.shape[1:], dtype=x.dtype), p)

    @contextlib.contextmanager
    def _weights_dropped(self, cell: Module) -> Iterator[None]:
        """Let a cell find its weights masked: what stands in `__dict__` is found first."""
        rates = self.weight_drop if self.training else {}
        try:
            for name, rate in rates.items():
                cell.__dict__[name] = functional.dropout(getattr(cell, name), rate)
            yield
        finally:
            for name in rates:
                cell.__dict__.pop(name, None)

    def _reading(
        self, layout: Layout, x: Tensor, memory: Tensor | None, mask: Any
    ) -> Reading | None:
        if self.attention is None:
            if memory is not None:
                raise ArgumentError(
                    "there is no attention to read the memory with; make the layer with attention="
                )
            return None
        if memory is None:
            raise ArgumentError("the attention of this layer has nothing to read; pass memory=")
        if not isinstance(memory, Tensor) or memory.ndim != (2 if layout.single else 3):
            raise ShapeError(
                f"memory is a tensor laid out as the input, not {getattr(memory, 'shape', memory)}"
            )
        memory = layout.time_major(memory)
        if memory.shape[1:] != (x.shape[1], self.attention.memory_size):
            raise ShapeError(
                f"the memory is {self.attention.memory_size} features for each of {x.shape[1]} "
                f"rows, not {memory.shape} as time, batch, features"
            )
        readable = None
        if mask is not None:
            readable = layout.step_choices(mask, memory, "memory_mask").transpose(0, 1)
        return Reading(self.attention, memory.transpose(0, 1), readable)

    def _recording(self, seen: Observation, layout: Layout) -> dict[str, dict[str, Tensor]]:
        """Return what was named at each step, stacked over time, by cell and name."""
        prefix = f"{context.scope.path}." if context.scope.path else ""
        recording: dict[str, dict[str, Tensor]] = {label: {} for label in self._names}
        for path, named in seen.values.items():
            label, _, inner = path.removeprefix(prefix).partition(".")
            for name, by_step in named.items():
                stacked = stack([by_step[t] for t in sorted(s for s in by_step if s is not None)])
                recording[label][f"{inner}.{name}" if inner else name] = layout.restored(stacked)
        return recording

    @property
    def _batch_axis(self) -> int:
        return 1 if self._stacks_states else 0

    def _check_features(self, x: Tensor) -> None:
        wanted = getattr(self.cells()[0], "input_size", None)
        if wanted is not None and self.attention is not None:
            wanted -= self.attention.memory_size
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

    def _unpacked(self, initial: State, starts: Sequence[State]) -> list[State]:
        """Return one state a cell, and check their shapes."""
        if initial is None:
            return list(starts)
        if not self._stacks_states:
            if not isinstance(initial, (tuple, list)) or len(initial) != len(starts):
                raise ShapeError(
                    f"the initial state needs one state for each of {len(starts)} cells"
                )
            states = list(initial)
        else:
            wanted = [(len(starts), *s.shape) for s in state_tensors(starts[0])]
            try:
                matched = map_state(lambda _, s: s, starts[0], initial)
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
                map_state(lambda _, s, i=i: s.select(0, i), starts[0], initial)
                for i in range(len(starts))
            ]
        for given_state, start in zip(states, starts, strict=True):
            for s, s0 in zip(state_tensors(given_state), state_tensors(start), strict=True):
                if s.dtype != s0.dtype:
                    raise DtypeError(f"the initial state is {s.dtype}, the input {s0.dtype}")
        return states

    # ------------------------------------------------------------------ parameters by layer

    def _places(self, register: str, prefix: str = "") -> Iterator[Place]:
        for label, cell in zip(self._names, self.cells(), strict=True):
            for place in cell._places(register):
                yield place._replace(name=f"{prefix}{place.name}_{label}")
        for key, tensor in getattr(self, register).items():
            if tensor is not None:
                yield Place(prefix + key, self, key, tensor)
        if self.attention is not None:
            yield from self.attention._places(register, f"{prefix}attention.")

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


def _check_maker(make_cell: Any) -> None:
    """Raise ArgumentError unless cells can be made by calling this with the size of an input."""
    if not callable(make_cell):
        raise ArgumentError(
            f"cells is a cell, a sequence of them, or a function that makes one, not {make_cell!r}"
        )
    try:
        signature = inspect.signature(make_cell)
    except ValueError:
        # What is built in may not tell.
        return
    try:
        signature.bind(1)
    except TypeError as error:
        name = getattr(make_cell, "__name__", "make_cell")
        raise ArgumentError(
            f"cells is called with the size of its input alone, and {name} does not take that: "
            f"{error}. Pass lambda size: {name}(size, ...)"
        ) from None


class _Layers(Recurrent):
    """What RNN, LSTM and GRU share: a built-in cell, and PyTorch's arguments."""

    _cell: type[GatedCell]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        dtype: Any,
        cell_settings: Mapping[str, Any],
        wiring: Mapping[str, Any],
    ) -> None:
        def make_cell(size: int) -> GatedCell:
            return self._cell(size, hidden_size, bias=bias, dtype=dtype, **cell_settings)

        options = (num_layers, bidirectional, batch_first, dropout)
        rest = {name: value for name, value in wiring.items() if name != "device"}
        require_cpu(wiring.get("device"))
        super().__init__(make_cell, input_size, *options, **rest)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bool(bias)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction: weights of x, of h, biases, the rest."""
        return [list(cell.parameters()) for cell in self.cells()]

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
        wiring: what else `Recurrent` offers: zoneout, residual, attention, ...

    Called with x (T, B, in) and h_0 (layers * directions, B, H), it returns the outputs
    (T, B, directions * H) and h_n; see `Recurrent` for lengths, masks and the rest.
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
        **wiring: Any,
    ) -> None:
        sizes = (input_size, hidden_size, num_layers)
        settings = (bias, batch_first, dropout, bidirectional, dtype)
        super().__init__(*sizes, *settings, {"nonlinearity": nonlinearity}, wiring)
        self.nonlinearity = nonlinearity


class LSTM(_Layers):
    """Long short-term memory layers: `LSTMCell`, unrolled.

    Args and shapes are those of `RNN` without `nonlinearity`; the state is the pair (h, c). With
    `proj_size` P, h has P numbers: h = W_hr (σ(o) tanh(c)) (Sak, Senior and Beaufays, 2014).
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
        **wiring: Any,
    ) -> None:
        sizes = (input_size, hidden_size, num_layers)
        settings = (bias, batch_first, dropout, bidirectional, dtype)
        super().__init__(*sizes, *settings, {"proj_size": proj_size}, wiring)
        self.proj_size = proj_size


class GRU(_Layers):
    """Gated recurrent layers: `GRUCell`, unrolled.

    Args and shapes are those of `RNN` without `nonlinearity`. `reset_after=False` puts the reset
    gate before the product.
    """

    _cell = GRUCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        reset_after: bool = True,
        dtype: Any = None,
        **wiring: Any,
    ) -> None:
        sizes = (input_size, hidden_size, num_layers)
        settings = (bias, batch_first, dropout, bidirectional, dtype)
        super().__init__(*sizes, *settings, {"reset_after": reset_after}, wiring)
        self.reset_after = reset_after
