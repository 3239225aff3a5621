"""Weights of ONNX' RNN, LSTM and GRU operators, as state dicts and back.

For D directions, the operators take W (D, G·H, in), R (D, G·H, H), B (D, 2·G·H), the input's biases
before the state's, and LSTM also peepholes P (D, 3·H). The gates lie in the order i, o, f, c (LSTM)
and z, r, h (GRU), the peepholes in the order i, o, f (onnx.ai/onnx/operators, versions 14 and 22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.errors import ArgumentError, ShapeError, StateDictError
from tinygrad_rnn.interchange.layout import (
    GATES,
    Direction,
    array_of,
    directions_of,
    kind_of,
    reordered,
    require_shape,
    state_dict_of,
    suffixes,
)

KINDS = {"RNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}

# ONNX' i, o, f, c into i, f, g, o, and its z, r, h into r, z, n; and back.
_READ = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
_WRITE = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}

# P has the gates in the order i, o, f, nn.PeepholeLSTMCell in the order i, f, o: to and fro.
_PEEPHOLES = "weight_ch"
_PEEPHOLE_ORDER = (0, 2, 1)


def from_onnx(kind: str, arrays: Mapping[str, Any], layer: int | None = 0) -> dict[str, Array]:
    """Return the weights of an ONNX operator as a state dict by PyTorch's names.

    Args:
        kind: "RNN", "LSTM" or "GRU".
        arrays: "W", "R" and, where the operator has them, "B" and "P". With P the state dict is
            one of `nn.PeepholeLSTMCell` under `nn.Recurrent`.
        layer: number of the layer, for names such as weight_ih_l0; None for a cell's.

    The form of a GRU (`linear_before_reset`) is no matter of the weights: 1 is `nn.GRU`, and 0,
    which is ONNX' default, is `nn.GRU(..., reset_after=False)`.

    Raises:
        ArgumentError, StateDictError, ShapeError, DtypeError: for another kind, and for arrays
            that are missing, unknown or of another shape.
    """
    kind = kind_of(kind, KINDS)
    given = _checked(kind, arrays)
    order = _READ[kind]
    directions = []
    for d in range(len(given["W"])):
        biases = []
        if "B" in given:
            biases = [reordered(b, order) for b in np.split(given["B"][d], 2)]
        weights = [reordered(given[name][d], order) for name in ("W", "R")]
        directions.append(Direction(*weights, *biases))
    state_dict = state_dict_of(directions, layer)
    if "P" in given:
        for rows, suffix in zip(given["P"], suffixes(layer), strict=False):
            state_dict[_PEEPHOLES + suffix] = reordered(rows, _PEEPHOLE_ORDER)
    return state_dict


def to_onnx(kind: str, state_dict: Mapping[str, Any], layer: int | None = 0) -> dict[str, Array]:
    """Return a layer of a state dict as the arrays W, R, B and P of an ONNX operator.

    The inverse of `from_onnx`: B is there if the layer has biases, P if it has peepholes.

    Raises:
        ArgumentError, StateDictError, ShapeError, DtypeError: for another kind, and for what is
            missing in the state dict or has another shape.
    """
    kind = kind_of(kind, KINDS)
    directions = directions_of(kind, state_dict, layer)
    order = _WRITE[kind]
    arrays = {
        "W": np.stack([reordered(d.weight_ih, order) for d in directions]),
        "R": np.stack([reordered(d.weight_hh, order) for d in directions]),
    }
    biases = [
        [reordered(d.bias_ih, order), reordered(d.bias_hh, order)]
        for d in directions
        if d.bias_ih is not None and d.bias_hh is not None
    ]
    if biases:
        arrays["B"] = np.stack([np.concatenate(pair) for pair in biases])
    names = [_PEEPHOLES + suffix for suffix in suffixes(layer)[: len(directions)]]
    if names[0] in state_dict:
        missing = [name for name in names if name not in state_dict]
        if missing:
            raise StateDictError(f"the state dict lacks {', '.join(missing)}")
        peepholes = [array_of(state_dict[name], name) for name in names]
        for name, array in zip(names, peepholes, strict=True):
            require_shape(array, (3 * arrays["R"].shape[2],), name)
        arrays["P"] = np.stack([reordered(p, _PEEPHOLE_ORDER) for p in peepholes])
    return arrays


def _checked(kind: str, arrays: Mapping[str, Any]) -> dict[str, Array]:
    if not isinstance(arrays, Mapping):
        raise ArgumentError(
            f'the arrays are a mapping such as {{"W": ..., "R": ..., "B": ...}}, not '
            f"{type(arrays).__name__}"
        )
    known = ("W", "R", "B", "P") if kind == "LSTM" else ("W", "R", "B")
    missing = [name for name in ("W", "R") if name not in arrays]
    unknown = [repr(name) for name in arrays if name not in known]
    if missing or unknown:
        problem = f"{', '.join(missing)} missing" if missing else f"{', '.join(unknown)} unknown"
        raise StateDictError(f"ONNX' {kind} has the arrays {', '.join(known)}: {problem}")
    given = {name: array_of(array, f"{name} of {kind}") for name, array in arrays.items()}
    for name in ("W", "R"):
        if given[name].ndim != 3:
            raise ShapeError(
                f"{name} of {kind} has the axes (directions, gates * hidden, ...), not shape "
                f"{given[name].shape}"
            )
    directions, _, size = given["R"].shape
    rows = GATES[kind] * size
    if directions not in (1, 2):
        raise ShapeError(f"R of {kind} has 1 or 2 directions, not {directions}")
    require_shape(given["R"], (directions, rows, size), f"R of {kind}")
    require_shape(given["W"], (directions, rows, given["W"].shape[2]), f"W of {kind}")
    for name, length in (("B", 2 * rows), ("P", 3 * size)):
        if name in given:
            require_shape(given[name], (directions, length), f"{name} of {kind}")
    return given
