"""Which of our cells are an ONNX operator, with which attributes and weights, and the way back.

Only a cell's own class counts: a class derived from one of these may compute something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn import nn
from tinygrad_rnn.arguments import Array
from tinygrad_rnn.errors import UnsupportedError
from tinygrad_rnn.interchange.onnx_arrays import to_onnx

REMEDY = (
    "ONNX has RNN, LSTM (with peepholes or coupled gates, without projection) and GRU (either "
    "form). Unrolled step by step a cell would fix the length, so that is not done"
)


class Operator(NamedTuple):
    """An ONNX operator that is one of our cells: its attributes, and W, R, B and P."""

    kind: str
    attributes: dict[str, Any]
    arrays: dict[str, Array]


def operator_of(cell: nn.Module, place: str) -> Operator:
    """Return the operator that computes what a cell does over a sequence, for one direction.

    Raises UnsupportedError, naming `place`, where ONNX has none.
    """
    made = _OPERATORS.get(type(cell))
    projects: Any = getattr(cell, "proj_size", 0)
    if made is None or projects:
        what = "has a projection" if made else "is no cell that ONNX has"
        raise UnsupportedError(f"{place} cannot be written: {type(cell).__name__} {what}. {REMEDY}")
    kind, attributes = made(cell)
    if cell.clip is not None:
        attributes["clip"] = cell.clip
    weights: dict[str, Any] = dict(cell.state_dict())
    if type(cell) is nn.CoupledLSTMCell:
        weights = {name: _with_forget_rows(held.numpy()) for name, held in weights.items()}
    attributes["hidden_size"] = cell.hidden_size
    return Operator(kind, attributes, to_onnx(kind, weights, None))


def cell_of(
    kind: str, features: int, attributes: Mapping[str, Any], settings: Mapping[str, Any]
) -> nn.Module:
    """Return a new cell for an operator's attributes. `settings` are bias, clip and dtype."""
    size = attributes["hidden_size"]
    if kind == "RNN":
        activation = attributes["activations"][0].lower()
        return nn.RNNCell(features, size, nonlinearity=activation, **settings)
    if kind == "GRU":
        after = bool(attributes["linear_before_reset"])
        return nn.GRUCell(features, size, reset_after=after, **settings)
    if attributes["input_forget"]:
        return nn.CoupledLSTMCell(features, size, **settings)
    peepholes = attributes["peepholes"]
    return (nn.PeepholeLSTMCell if peepholes else nn.LSTMCell)(features, size, **settings)


def without_forget_rows(rows: Array) -> Array:
    """Return a weight or bias of i, f, g, o as one of i, g, o."""
    i, _, g, o = np.split(rows, 4)
    return np.concatenate([i, g, o])


def _with_forget_rows(rows: Array) -> Array:
    i, g, o = np.split(rows, 3)
    return np.concatenate([i, np.zeros_like(i), g, o])


def _rnn(cell: Any) -> tuple[str, dict[str, Any]]:
    return "RNN", {"activations": [cell.nonlinearity.capitalize()]}


def _lstm(cell: Any) -> tuple[str, dict[str, Any]]:
    return "LSTM", {}


def _coupled(cell: Any) -> tuple[str, dict[str, Any]]:
    return "LSTM", {"input_forget": 1}


def _gru(cell: Any) -> tuple[str, dict[str, Any]]:
    return "GRU", {"linear_before_reset": int(cell.reset_after)}


_OPERATORS: dict[type, Callable[[Any], tuple[str, dict[str, Any]]]] = {
    nn.RNNCell: _rnn,
    nn.IRNNCell: _rnn,
    nn.LSTMCell: _lstm,
    nn.PeepholeLSTMCell: _lstm,
    nn.CoupledLSTMCell: _coupled,
    nn.GRUCell: _gru,
}
