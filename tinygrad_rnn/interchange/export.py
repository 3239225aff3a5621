"""A model written as an ONNX file, for any length and batch, and compared with ONNX Runtime."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import nn
from tinygrad_rnn.arguments import Array
from tinygrad_rnn.checkpoints import write_whole
from tinygrad_rnn.context import no_grad
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    NumericalError,
    ShapeError,
    UnsupportedError,
)
from tinygrad_rnn.interchange.extras import required
from tinygrad_rnn.interchange.onnx_graph import Axis, Graph
from tinygrad_rnn.interchange.onnx_layers import write_layers
from tinygrad_rnn.interchange.onnx_rules import RULES
from tinygrad_rnn.interchange.onnx_writer import Writer
from tinygrad_rnn.interchange.tracing import LAYERS, Reference, traced
from tinygrad_rnn.nn.state import State, map_state, named_tensors, state_tensors
from tinygrad_rnn.paths import path_of
from tinygrad_rnn.tensor import Tensor

_SECOND = (1, 2)
"""What the second size of the example has more, in length and batch; different on purpose."""

_CHECKED = ((0, 0), (2, 1), (5, 3))
"""The sizes at which the file is compared with the model, as what they have more."""


def export_onnx(
    model: nn.Module,
    path: str | os.PathLike[str],
    x: Tensor,
    state: State = None,
    *,
    lengths: Tensor | None = None,
    states: bool = True,
    check: bool = True,
) -> None:
    """Write what a model computes in evaluation mode as an ONNX file (operators of version 17).

    Length and batch are free in the file, whatever they are in the example. Inputs are named
    "input", for the state "h_0", "c_0", and "lengths"; outputs "output", "h_n", "c_n". The model
    may be one recurrent layer, a language model, or a module of your own: layers, and tensor
    operations between them, are followed as they are computed. Recurrent layers become ONNX' RNN,
    LSTM and GRU where their cells are RNNCell, IRNNCell, LSTMCell, PeepholeLSTMCell,
    CoupledLSTMCell or GRUCell (either form); a cell of your own has no operator there.

    Args:
        model: called as `model(x)`, `model(x, state)` where there is a state, and with `lengths=`
            where those are given.
        path: the file to write, whole or not at all.
        x: an example: (T, B, in), (B, T, in) for a model with `batch_first`, (B, in), or integers
            without the axis of features.
        state: an example of the initial state; of a model with `initial_state(batch)` that is
            taken. Without that, its tensors have the batch on their last axis but one.
        lengths: an example of the steps of each row, (B,) integers, for a model that takes them.
        states: whether initial and final states are inputs and outputs. If not, the model begins
            as it does without a state.
        check: run the file in ONNX Runtime, at three lengths and batches, and compare.

    Raises:
        UnsupportedError: for what has no form in ONNX, or depends on the size of the example, with
            the line that computes it; and where the extra `onnx` is not installed.
        NumericalError: when ONNX Runtime computes something else.
        ArgumentError, DtypeError, ShapeError, CheckpointError: for a wrong model, example, path.
    """
    path = path_of(path)
    example = _Example(model, x, state, states, lengths)
    with _evaluating(model):
        content = _written(model, example).SerializeToString()
        if check:
            _compare(content, model, example)
    write_whole(path, content)


def _written(model: nn.Module, example: _Example) -> Any:
    """Return the ONNX model."""
    graph = Graph()
    (first, result), (second, other) = (
        traced(model, *example.at(*more)) for more in ((0, 0), _SECOND)
    )
    writer = Writer(graph, {**RULES, LAYERS: write_layers}, first, second)
    outputs = example.outputs(result)
    graph.reserve([name for name, _ in outputs])
    for i, (name, tensor, free) in enumerate(example.inputs()):
        axes: list[Axis] = [free.get(axis, n) for axis, n in enumerate(tensor.shape)]
        writer.names[i] = graph.input(name, tensor.dtype, axes)
    writer.write()
    for (name, tensor), (_, at_other) in zip(outputs, example.outputs(other), strict=True):
        given = Reference(first.number_of(tensor))
        if second.number_of(at_other) != given.number:
            raise writer.varies(None, f"which tensor the {name} is")
        lengths = zip(tensor.shape, at_other.shape, strict=True)
        axes = [
            n if n == m else example.labels.get((n, m), f"{name}_axis_{axis}")
            for axis, (n, m) in enumerate(lengths)
        ]
        graph.output(name, writer.name(given, None), tensor.dtype, axes)
    return graph.model(type(model).__name__)


class _Example:
    """The example, at any length and batch: it is repeated, or cut, along both axes."""

    def __init__(
        self, model: nn.Module, x: Any, state: State, states: bool, lengths: Any
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ArgumentError(f"export_onnx writes a Module, not {type(model).__name__}")
        if not isinstance(x, Tensor):
            raise DtypeError(f"the example is a Tensor, not {type(x).__name__}")
        if state is not None and not states:
            raise ArgumentError("a state was given, and states=False leaves states out")
        free = x.ndim - (1 if x.is_floating_point() else 0)
        if free not in (1, 2) or 0 in x.shape:
            raise ShapeError(
                "the example is (time, batch, features), (batch, features), or integers without "
                f"the features, with nothing empty, not {x.shape}"
            )
        layers = [m.batch_first for m in model.modules() if isinstance(m, nn.Recurrent)]
        self.x = x
        self._batch_axis = 0 if free == 1 or any(layers) else 1
        self._time_axis = 1 - self._batch_axis if free == 2 else None
        own = getattr(model, "initial_state", None)
        if state is None and states and own is not None:
            state = own(x.shape[self._batch_axis])
        self.state = state
        rows = x.shape[self._batch_axis]
        axes = _batch_axes(own, rows) if own is not None else {}
        # By name: the axis of each tensor of the state that has the batch.
        self._axes = {n: axes.get(n, s.ndim - 2) for n, s in named_tensors(state).items()}
        for name, s in named_tensors(state).items():
            axis = self._axes[name]
            if not 0 <= axis < s.ndim or s.shape[axis] != rows:
                raise ShapeError(
                    f"the state {name} has the batch on axis {axis}, with {rows} rows as the "
                    f"example, not shape {s.shape}"
                )
        self.lengths = lengths
        if lengths is not None and (
            not isinstance(lengths, Tensor) or lengths.shape != (x.shape[self._batch_axis],)
        ):
            raise ShapeError(
                f"lengths are a tensor with one integer for each of {x.shape[self._batch_axis]} "
                f"rows, not {getattr(lengths, 'shape', lengths)}"
            )
        self.names = list(named_tensors(state))
        self.labels = {(n, n + more): label for n, more, label in self._lengths()}

    def _lengths(self) -> Iterator[tuple[int, int, str]]:
        """Yield the example's time and batch, what the second size has more, and their names."""
        if self._time_axis is not None:
            yield self.x.shape[self._time_axis], _SECOND[0], "time"
        yield self.x.shape[self._batch_axis], _SECOND[1], "batch"

    def inputs(self) -> Iterator[tuple[str, Tensor, dict[int, str]]]:
        """Yield the name of each input, the example's tensor, and its axes of any length."""
        free = {self._batch_axis: "batch"}
        yield "input", self.x, free | ({} if self._time_axis is None else {self._time_axis: "time"})
        for name, s in named_tensors(self.state).items():
            yield f"{name}_0", s, {self._axes[name]: "batch"}
        if self.lengths is not None:
            yield "lengths", self.lengths, {0: "batch"}

    def at(self, time: int, batch: int) -> tuple[tuple[Any, ...], dict[str, Tensor]]:
        """Return what the model is called with, `time` steps longer and with `batch` more rows."""
        x = _longer(self.x, self._batch_axis, batch)
        if self._time_axis is not None:
            x = _longer(x, self._time_axis, time)
        axes = iter(self._axes.values())
        state = map_state(lambda s: _longer(s, next(axes), batch), self.state)
        options = {}
        if self.lengths is not None:
            options["lengths"] = _longer(self.lengths, 0, batch)
        return ((x,) if state is None else (x, state)), options

    def outputs(self, result: Any) -> list[tuple[str, Tensor]]:
        """Return the tensors of a result with their names; those built as the state are named so.

        Raises DtypeError for a result that is not made of tensors.
        """
        try:
            return _named(self.names, self.state, result)
        except ArgumentError as error:
            raise DtypeError(
                f"the model has to return tensors, in tuples or dicts: {error}"
            ) from error


def _batch_axes(initial_state: Callable[[int], State], rows: int) -> dict[str, int]:
    """Return the axis of each tensor of a model's state that grows with the batch."""
    pair = [named_tensors(initial_state(n)) for n in (rows, rows + 1)]
    axes = {}
    for name, s in pair[0].items():
        for axis, (n, more) in enumerate(zip(s.shape, pair[1][name].shape, strict=True)):
            if n != more:
                axes[name] = axis
    return axes


def _longer(x: Tensor, axis: int, more: int) -> Tensor:
    n = x.shape[axis]
    return Tensor(np.take(x.detach().numpy(), np.arange(n + more) % n, axis))


def _named(names: Sequence[str], state: State, result: Any) -> list[tuple[str, Tensor]]:
    finals = [f"{name}_n" for name in names]
    if isinstance(result, Tensor):
        return [("output", result)]
    if _alike(state, result):
        return list(zip(finals, state_tensors(result), strict=True))
    parts = list(result.values()) if isinstance(result, dict) else result
    if isinstance(parts, (tuple, list)) and len(parts) == 2 and isinstance(parts[0], Tensor):
        if not _alike(state, parts[1]):
            finals = [f"{name}_n" for name in named_tensors(parts[1])]
        return [("output", parts[0]), *zip(finals, state_tensors(parts[1]), strict=True)]
    return [(f"output_{i}", tensor) for i, tensor in enumerate(state_tensors(parts))]


def _alike(state: State, other: Any) -> bool:
    if state is None:
        return False
    try:
        map_state(lambda s, _: s, state, other)
    except (ShapeError, ArgumentError):
        return False
    return True


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _compare(content: bytes, model: nn.Module, example: _Example) -> None:
    """Raise NumericalError where ONNX Runtime's results are not the model's."""
    runtime = required("onnxruntime", "export_onnx with check=True")
    options = runtime.SessionOptions()
    # What it has to say comes as an exception.
    options.log_severity_level = 4
    names = [name for name, _, _ in example.inputs()]
    for more in _CHECKED:
        args, given = example.at(*more)
        tensors = state_tensors((*args, *given.values()))
        arrays = {n: t.detach().numpy() for n, t in zip(names, tensors, strict=True)}
        try:
            session = runtime.InferenceSession(content, options, ["CPUExecutionProvider"])
            labels = [declared.name for declared in session.get_outputs()]
            # An input that nothing reads is none of the session's.
            read = {declared.name: arrays[declared.name] for declared in session.get_inputs()}
            found = session.run(labels, read)
        except Exception as error:
            raise UnsupportedError(
                f"ONNX Runtime does not run this model: {error}. Its recurrent operators take "
                "float32: convert with model.float() first, or pass check=False for another runtime"
            ) from error
        with no_grad():
            wanted = example.outputs(model(*args, **given))
        for label, got, (_, tensor) in zip(labels, found, wanted, strict=True):
            _require_close(label, got, tensor.numpy(), tensors[0].shape)


def _require_close(name: str, got: Array, wanted: Array, shape: tuple[int, ...]) -> None:
    fits = got.shape == wanted.shape
    if not fits or not np.allclose(got, wanted, rtol=1e-4, atol=1e-4, equal_nan=True):
        how = f"up to {np.abs(got - wanted).max():.2g} apart" if fits else f"shape {got.shape}"
        raise NumericalError(
            f"ONNX Runtime's {name} for an input of {shape} is not the model's, {how}; nothing was "
            "written. Please report the model"
        )
