"""What a model computes, as a list of steps: its primitives, and its recurrent layers as a whole.

The model runs once, on an example, with a listener at the door through which every primitive goes.
A value is known by the array that holds it. What does not depend on the inputs is computed at
once and stays a constant. Knows nothing of ONNX.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tinygrad_rnn import nn
from tinygrad_rnn.arguments import Array
from tinygrad_rnn.context import Site, caller, no_grad
from tinygrad_rnn.context import state as context
from tinygrad_rnn.errors import UnsupportedError
from tinygrad_rnn.nn.state import state_tensors
from tinygrad_rnn.tensor import Tensor

INPUT, COMPUTED, CONSTANT = "input", "computed", "constant"
LAYERS = "recurrent layers"
"""The name of the step that recurrent layers are."""


class Value(NamedTuple):
    """A tensor that was seen: its numbers, where it comes from, and a parameter's name."""

    array: Array
    origin: str
    name: str = ""


class Reference(NamedTuple):
    """A value by its number."""

    number: int


class Step(NamedTuple):
    """A primitive, or the recurrent layers `module`, applied to values and plain numbers."""

    name: str
    module: nn.Recurrent | None
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    outputs: tuple[int, ...]
    path: str
    site: Site


class Trace:
    """What `context.context.recorder` holds while a model runs for the export."""

    def __init__(self, model: nn.Module, inputs: Sequence[Tensor]) -> None:
        self.values: list[Value] = []
        self.steps: list[Step] = []
        self._numbers: dict[int, int] = {}
        # A module in a list that is not called itself does not know the whole of its path.
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._parameters = {id(t._array): name for name, t in model.state_dict().items()}
        for tensor in inputs:
            self._new(tensor._array, INPUT)

    def _new(self, array: Array, origin: str, name: str = "") -> int:
        # The list keeps the array, so that no other one can take its place in memory.
        self.values.append(Value(array, origin, name))
        self._numbers[id(array)] = len(self.values) - 1
        return len(self.values) - 1

    def number_of(self, tensor: Tensor) -> int:
        """Return the number of a value; one that was not seen before is a constant."""
        array = tensor._array
        known = self._numbers.get(id(array))
        if known is not None:
            return known
        return self._new(array, CONSTANT, self._parameters.get(id(array), ""))

    def _folds(self, numbers: Sequence[int]) -> bool:
        values = [self.values[number] for number in numbers]
        return all(value.origin == CONSTANT and not value.name for value in values)

    def layers(
        self, module: nn.Recurrent, x: Tensor, initial: Any, lengths: Any, result: Any
    ) -> None:
        """Recurrent layers were applied as a whole. Their inputs: x, lengths or None, the state."""
        given = [x, lengths, *state_tensors(initial)]
        inputs = tuple([t if t is None else Reference(self.number_of(t)) for t in given])
        made = tuple([self._new(t._array, COMPUTED) for t in state_tensors(tuple(result))])
        path = self._paths[id(module)] or type(module).__name__
        self.steps.append(Step(LAYERS, module, inputs, {}, made, path, caller()))

    # ------------------------------------------------------------------ what the engine tells

    def record(self, primitive: Any, inputs: Any, params: Any, outputs: Any) -> None:
        """A primitive was applied."""
        given = [Reference(self.number_of(x)) if isinstance(x, Tensor) else x for x in inputs]
        folds = self._folds([part.number for part in given if isinstance(part, Reference)])
        if folds and primitive.name != "uniform":
            for out in outputs:
                self._new(out._array, CONSTANT)
            return
        made = tuple([self._new(out._array, COMPUTED) for out in outputs])
        step = Step(primitive.name, None, tuple(given), params, made, context.scope.path, caller())
        self.steps.append(step)

    def constant(self, tensor: Tensor) -> None:
        """A tensor was made of plain numbers."""
        self._new(tensor._array, CONSTANT)

    def reads(self, tensor: Tensor, how: str) -> None:
        """A number is about to be read back."""
        number = self._numbers.get(id(tensor._array))
        if number is None or self.values[number].origin == CONSTANT:
            return
        raise UnsupportedError(
            f"{how} at {caller()} reads a number back, and the file would have the example's for "
            "ever. In place of `if`, use where()"
        )

    def visits(self, module: nn.Module) -> None:
        """A module was called."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*told: Any) -> None:
            raise UnsupportedError(
                f"the model changes tensors, differentiates or draws numbers at {caller()}; a file "
                "holds the forward computation alone"
            )

        return refuse


def traced(
    model: nn.Module, args: Sequence[Any], options: Mapping[str, Tensor]
) -> tuple[Trace, Any]:
    """Return what `model(*args, **options)` computes, and its result."""
    trace = Trace(model, state_tensors((*args, *options.values())))
    with no_grad(), _layers_as_a_whole(model, trace):
        context.recorder = trace
        try:
            result = model(*args, **options)
        finally:
            context.recorder = None
    return trace, result


@contextlib.contextmanager
def _layers_as_a_whole(model: nn.Module, trace: Trace) -> Iterator[None]:
    """Let the recurrent layers below `model` tell the trace of themselves, and not of each step."""
    known = nn.Recurrent.forward
    layers: list[Any] = [m for m in model.modules() if getattr(type(m), "forward", None) is known]
    for module in layers:
        # What stands in `__dict__` is found before the class' method.
        module.__dict__["forward"] = _told(module, trace)
    try:
        yield
    finally:
        for module in layers:
            del module.__dict__["forward"]


def _told(module: nn.Recurrent, trace: Trace) -> Callable[..., Any]:
    forward = module.forward

    def told(x: Any, initial: Any = None, *, lengths: Any = None, **options: Any) -> Any:
        given = [name for name, value in options.items() if not (value is None or value is False)]
        if given or not isinstance(x, Tensor) or x.ndim != 3:
            what = f"{', '.join(given)}=" if given else "something else"
            raise UnsupportedError(
                f"recurrent layers are written for a batch of sequences (three axes), an initial "
                f"state and lengths; at {caller()} they get {what}"
            )
        if lengths is not None and not isinstance(lengths, Tensor):
            lengths = Tensor(lengths)
        context.recorder = None
        try:
            result = forward(x, initial, lengths=lengths)
        finally:
            context.recorder = trace
        trace.layers(module, x, initial, lengths, result)
        return result

    return told
