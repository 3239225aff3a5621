"""The weights of one recurrent layer by PyTorch's names, and as arrays one direction at a time.

What the converters for other systems share. Knows names and arrays, never a module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.errors import (
    ArgumentError,
    DtypeError,
    ShapeError,
    StateDictError,
    UnsupportedError,
)

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
"""How many gates the rows of a kind's weights are made of."""

WEIGHTS = ("weight_ih", "weight_hh")
BIASES = ("bias_ih", "bias_hh")


class Direction(NamedTuple):
    """One direction of a layer: (G·H, in), (G·H, H), and both biases (G·H) or neither.

    The gates lie in PyTorch's order: i, f, g, o for LSTM, r, z, n for GRU.
    """

    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None = None
    bias_hh: Array | None = None


def kind_of(kind: Any, names: Mapping[str, str]) -> str:
    """Return our name of a layer's kind. Raises ArgumentError that lists the known ones."""
    if kind not in names:
        raise ArgumentError(
            f"the kind of layer is {', '.join(map(repr, names))}, not {kind!r}; other layers have "
            "no converter"
        )
    return names[kind]


def array_of(value: Any, name: str) -> Array:
    """Return a tensor or array of floats as a new array. Raises DtypeError that names it."""
    detached = value.detach() if hasattr(value, "detach") else value
    try:
        array = np.array(detached.numpy() if hasattr(detached, "numpy") else detached)
    except (TypeError, ValueError):
        raise DtypeError(f"{name} is an array of floats, not {type(value).__name__}") from None
    if array.dtype.kind != "f":
        raise DtypeError(f"{name} is an array of floats, not {array.dtype}")
    return array


def require_shape(array: Array, shape: tuple[int, ...], name: str) -> None:
    """Raise ShapeError unless `array` has the shape."""
    if array.shape != shape:
        raise ShapeError(f"{name} needs the shape {shape}, not {array.shape}")


def reordered(array: Array, order: Sequence[int]) -> Array:
    """Return the equal blocks of the first axis in another order: block `order[0]` first."""
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[i] for i in order])


def state_dict_of(directions: Sequence[Direction], layer: int | None) -> dict[str, Array]:
    """Return the names and arrays of a layer, or of a single cell where `layer` is None."""
    if layer is None and len(directions) > 1:
        raise ArgumentError("a cell has one direction; give the number of the layer as layer=")
    named = {}
    for direction, suffix in zip(directions, suffixes(layer), strict=False):
        for name, array in direction._asdict().items():
            if array is not None:
                named[name + suffix] = array
    return named


def suffixes(layer: int | None) -> tuple[str, ...]:
    """Return what PyTorch appends to the names of a layer's directions, or of a cell's."""
    if layer is None:
        return ("",)
    if isinstance(layer, bool) or not isinstance(layer, int) or layer < 0:
        raise ArgumentError(f"a layer is counted 0, 1, …, or None for a cell, not {layer!r}")
    return (f"_l{layer}", f"_l{layer}_reverse")


def directions_of(kind: str, state_dict: Mapping[str, Any], layer: int | None) -> list[Direction]:
    """Return the one or two directions that a state dict has of a layer.

    Raises StateDictError that lists every name that is missing, ShapeError, DtypeError.
    """
    if not isinstance(state_dict, Mapping):
        raise ArgumentError(
            f"a state dict maps names to tensors, not {type(state_dict).__name__}; call "
            "layer.state_dict()"
        )
    forward, *backward = suffixes(layer)
    present = [forward, *(s for s in backward if any(w + s in state_dict for w in WEIGHTS))]
    for suffix in present:
        if "weight_hr" + suffix in state_dict:
            raise UnsupportedError(
                f"weight_hr{suffix} is the projection of an LSTM with proj_size, which Keras' and "
                "ONNX' layers do not have; safetensors files hold it as it is"
            )
        wanted = [name + suffix for name in WEIGHTS]
        biases = [name + suffix for name in BIASES]
        if any(name in state_dict for name in biases):
            wanted += biases
        missing = [name for name in wanted if name not in state_dict]
        if missing:
            raise StateDictError(
                f"the state dict lacks {', '.join(missing)}; it has {', '.join(state_dict)}"
            )
    return [_direction(kind, state_dict, suffix) for suffix in present]


def _direction(kind: str, state_dict: Mapping[str, Any], suffix: str) -> Direction:
    arrays = {
        name: array_of(state_dict[name + suffix], name + suffix)
        for name in (*WEIGHTS, *BIASES)
        if name + suffix in state_dict
    }
    direction = Direction(**arrays)
    if direction.weight_hh.ndim != 2:
        raise ShapeError(
            f"weight_hh{suffix} needs two axes (gates * hidden, hidden), not shape "
            f"{direction.weight_hh.shape}"
        )
    size = direction.weight_hh.shape[1]
    rows = GATES[kind] * size
    features = direction.weight_ih.shape[-1] if direction.weight_ih.ndim else 0
    require_shape(direction.weight_hh, (rows, size), f"weight_hh{suffix} of {kind}")
    require_shape(direction.weight_ih, (rows, features), f"weight_ih{suffix} of {kind}")
    for name in BIASES:
        if name in arrays:
            require_shape(arrays[name], (rows,), f"{name}{suffix} of {kind}")
    return direction
