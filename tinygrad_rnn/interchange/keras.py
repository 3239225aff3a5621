"""Weights of Keras' recurrent layers, as state dicts and back.

Keras multiplies from the other side, so its kernels are transposed, and its GRU has the update gate
before the reset gate (keras.io/api/layers/recurrent_layers and the layers' docstrings; Keras 2.1 to
3). Its gates are sigmoids by default since 2.3; a layer with `hard_sigmoid` is another function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.errors import ArgumentError, ShapeError
from tinygrad_rnn.interchange.layout import (
    GATES,
    Direction,
    array_of,
    directions_of,
    kind_of,
    reordered,
    require_shape,
    state_dict_of,
)

_KINDS = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}

# Keras' i, f, c, o are i, f, g, o; its z, r, h are z, r, n. Each order is its own inverse.
_ORDERS = {"RNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}


def from_keras(
    kind: str, arrays: Sequence[Any], layer: int | None = 0, reset_after: bool = True
) -> dict[str, Array]:
    """Return what Keras' `layer.get_weights()` gives as a state dict by PyTorch's names.

    For each direction Keras has kernel (in, G·u), recurrent_kernel (u, G·u) and, with `use_bias`,
    bias: (G·u,), or (2, 3u) for a GRU with `reset_after`. `Bidirectional(layer).get_weights()`
    has those of the forward direction first. A single bias becomes `bias_ih`, beside a `bias_hh`
    of zeros: only their sum matters.

    Args:
        kind: "SimpleRNN", "LSTM" or "GRU".
        arrays: the list that Keras returns.
        layer: number of the layer, for names such as weight_ih_l0; None for a cell's.
        reset_after: the GRU's setting, True by default since Keras 3 (in TensorFlow's, since 2),
            as that of `nn.GRU`, which has to be made with the same one.

    Raises:
        ArgumentError, ShapeError, DtypeError: for another kind, number of arrays or shape.
    """
    ours = kind_of(kind, _KINDS)
    if isinstance(arrays, Mapping) or not isinstance(arrays, Sequence):
        raise ArgumentError(
            "the arrays are the list that Keras' layer.get_weights() returns, not "
            f"{type(arrays).__name__}"
        )
    parts = _parts(kind, [array_of(a, f"array {i} of {kind}") for i, a in enumerate(arrays)])
    return state_dict_of([_read(kind, ours, part, reset_after) for part in parts], layer)


def to_keras(
    kind: str, state_dict: Mapping[str, Any], layer: int | None = 0, reset_after: bool = True
) -> list[Array]:
    """Return a layer of a state dict as the list that Keras' `layer.set_weights()` takes.

    The inverse of `from_keras`. A layer with a reverse direction gives the arrays of
    `Bidirectional`. Two biases are added up where Keras has one.

    Raises:
        ArgumentError, StateDictError, ShapeError, DtypeError: for another kind, and for what is
            missing in the state dict or has another shape.
    """
    ours = kind_of(kind, _KINDS)
    order = _ORDERS[ours]
    arrays: list[Array] = []
    for direction in directions_of(ours, state_dict, layer):
        weights = (direction.weight_ih, direction.weight_hh)
        arrays += [np.ascontiguousarray(reordered(w, order).T) for w in weights]
        if direction.bias_ih is None or direction.bias_hh is None:
            continue
        biases = [reordered(b, order) for b in (direction.bias_ih, direction.bias_hh)]
        two = ours == "GRU" and reset_after
        arrays.append(np.stack(biases) if two else biases[0] + biases[1])
    return arrays


def _parts(kind: str, arrays: list[Array]) -> list[list[Array]]:
    """Cut the list into its directions."""
    if len(arrays) in (2, 3):
        return [arrays]
    # Two directions without biases are four arrays, with them six.
    if len(arrays) in (4, 6):
        half = len(arrays) // 2
        return [arrays[:half], arrays[half:]]
    raise ArgumentError(
        f"{kind} has kernel, recurrent_kernel and, with use_bias, bias; Bidirectional has twice as "
        f"many; {len(arrays)} given"
    )


def _read(kind: str, ours: str, arrays: list[Array], reset_after: bool) -> Direction:
    kernel, recurrent = arrays[:2]
    if kernel.ndim != 2 or recurrent.ndim != 2:
        raise ShapeError(
            f"kernel and recurrent_kernel of {kind} have two axes each, not the shapes "
            f"{kernel.shape} and {recurrent.shape}"
        )
    units = recurrent.shape[0]
    columns = GATES[ours] * units
    require_shape(recurrent, (units, columns), f"recurrent_kernel of {kind}")
    require_shape(kernel, (kernel.shape[0], columns), f"kernel of {kind}")
    order = _ORDERS[ours]
    turned, own = (np.ascontiguousarray(reordered(w.T, order)) for w in (kernel, recurrent))
    if len(arrays) == 2:
        return Direction(turned, own)
    bias = arrays[2]
    if ours == "GRU" and reset_after:
        if bias.shape == (columns,):
            raise ShapeError(
                f"a bias of shape {bias.shape} is that of a GRU with reset_after=False: pass "
                "reset_after=False here, and load into nn.GRU(..., reset_after=False)"
            )
        require_shape(bias, (2, columns), "bias of a GRU with reset_after=True")
        return Direction(turned, own, reordered(bias[0], order), reordered(bias[1], order))
    require_shape(bias, (columns,), f"bias of {kind}" + " with reset_after=False" * (ours == "GRU"))
    bias = reordered(bias, order)
    return Direction(turned, own, bias, np.zeros_like(bias))
