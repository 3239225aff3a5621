"""One ONNX RNN, LSTM or GRU node as a module of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn import nn
from tinygrad_rnn.arguments import Array
from tinygrad_rnn.creation import arange
from tinygrad_rnn.errors import ArgumentError, ShapeError, StateDictError, UnsupportedError
from tinygrad_rnn.interchange.layout import array_of
from tinygrad_rnn.interchange.onnx_arrays import KINDS, from_onnx
from tinygrad_rnn.interchange.onnx_cells import cell_of, without_forget_rows
from tinygrad_rnn.methods.arithmetic import where
from tinygrad_rnn.nn.state import map_state, state_tensors
from tinygrad_rnn.tensor import Tensor

# Where an attribute keeps its value, by its type; see AttributeProto in onnx.proto.
_FIELDS = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}

_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
_WEIGHTS = ("W", "R", "B", "P")
_KNOWN = {
    "RNN": {"activations", "clip", "direction", "hidden_size", "layout"},
    "LSTM": {"activations", "clip", "direction", "hidden_size", "input_forget", "layout"},
    "GRU": {"activations", "clip", "direction", "hidden_size", "layout", "linear_before_reset"},
}
_ACTIVATIONS = {
    "RNN": (["Tanh"], ["Relu"]),
    "LSTM": (["Sigmoid", "Tanh", "Tanh"],),
    "GRU": (["Sigmoid", "Tanh"],),
}
_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


class OnnxLayer(nn.Module):
    """`nn.Recurrent` with the inputs, outputs and layout of an ONNX operator.

    Args:
        recurrent: what computes, one layer.
        reverse: whether the only direction is that from the last step to the first.
        layout: 0 for X (T, B, in), Y (T, D, B, H) and states (D, B, H); 1 for X (B, T, in),
            Y (B, T, D, H) and states (B, D, H).
    """

    def __init__(self, recurrent: nn.Recurrent, reverse: bool = False, layout: int = 0) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.reverse = reverse
        self.layout = layout

    def forward(
        self,
        x: Tensor,
        sequence_lens: Tensor | None = None,
        initial_h: Tensor | None = None,
        initial_c: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Return Y, Y_h and, of an LSTM, Y_c. A state that is not given is zero."""
        if self.layout:
            x = x.transpose(0, 1)
        if x.ndim != 3:
            raise ShapeError(f"X has the axes time, batch and features, not shape {x.shape}")
        x = self._turned(x, sequence_lens)
        zero = self.recurrent.initial_state(x.shape[1])
        given = iter((initial_h, initial_c))

        def begun(s: Tensor) -> Tensor:
            state = next(given)
            if state is None:
                return s
            return state.transpose(0, 1) if self.layout else state

        initial = map_state(begun, zero)
        output, final = self.recurrent(x, initial, lengths=sequence_lens)
        output = self._turned(output, sequence_lens)
        D = self.recurrent.num_directions
        Y = output.reshape(*output.shape[:2], D, output.shape[2] // D)
        states = state_tensors(final)
        if self.layout:
            return (Y.transpose(0, 1), *(s.transpose(0, 1) for s in states))
        return (Y.transpose(1, 2), *states)

    def _turned(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Return x with the steps of each row in the other order, and its padding where it was."""
        if not self.reverse:
            return x
        if lengths is None:
            return x.flip(0)
        t = arange(x.shape[0]).unsqueeze(1)
        last = lengths.long() - 1
        return x.gather(0, where(t > last, t, last - t).unsqueeze(-1).expand(x.shape))


def from_onnx_node(node: Any, arrays: Mapping[str, Any]) -> OnnxLayer:
    """Return a module that computes what an ONNX RNN, LSTM or GRU node does.

    Either form of the GRU, peepholes, coupled gates (`input_forget`), clip, all directions and both
    layouts are read; of activation functions the default ones, and Relu for RNN.

    Args:
        node: a `onnx.NodeProto`.
        arrays: the weights by the names under which the node has them, such as
            `{t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}`.

    Raises:
        ArgumentError, UnsupportedError: for another operator, and for attributes that our cells do
            not have, naming them.
        StateDictError, ShapeError, DtypeError: for weights that are missing or do not fit.
    """
    kind = getattr(node, "op_type", None)
    if kind not in KINDS:
        raise ArgumentError(
            f"from_onnx_node reads an ONNX node of the type {', '.join(KINDS)}, not "
            f"{kind or type(node).__name__}"
        )
    given = {a.name: getattr(a, _FIELDS.get(a.type, "f")) for a in node.attribute}
    weights = _weights(kind, node, arrays)
    attributes = _attributes(kind, given, weights)
    cell_settings = {
        "bias": "B" in weights,
        "clip": given.get("clip"),
        "dtype": weights["W"].dtype,
    }
    features = weights["W"].shape[2]
    recurrent = nn.Recurrent(
        lambda size: cell_of(kind, size, attributes, cell_settings),
        features,
        bidirectional=attributes["direction"] == "bidirectional",
    )
    state_dict = from_onnx(kind, weights)
    if attributes["input_forget"]:
        state_dict = {name: without_forget_rows(rows) for name, rows in state_dict.items()}
    recurrent.load_state_dict(state_dict)
    return OnnxLayer(recurrent, attributes["direction"] == "reverse", attributes["layout"])


def _weights(kind: str, node: Any, arrays: Mapping[str, Any]) -> dict[str, Array]:
    if not isinstance(arrays, Mapping):
        raise ArgumentError(
            f"the weights are a mapping of names to arrays, not {type(arrays).__name__}"
        )
    named = {role: name for role, name in zip(_INPUTS, node.input, strict=False) if name}
    missing = [named[role] for role in _WEIGHTS if role in named and named[role] not in arrays]
    if missing or not {"W", "R"} <= named.keys():
        raise StateDictError(
            f"the {kind} node has the inputs {list(node.input)}; the arrays lack "
            f"{', '.join(missing) or 'W and R'}"
        )
    weights = {r: array_of(arrays[named[r]], named[r]) for r in _WEIGHTS if r in named}
    # Halves become float32, which holds each of their values.
    wide = np.result_type(*(array.dtype for array in weights.values()), np.float32)
    return {role: array.astype(wide) for role, array in weights.items()}


def _attributes(
    kind: str, given: Mapping[str, Any], weights: Mapping[str, Array]
) -> dict[str, Any]:
    """Return an operator's attributes with their defaults. Raises for what our cells lack."""
    attributes = {
        "direction": "forward",
        "layout": 0,
        "input_forget": 0,
        "linear_before_reset": 0,
        "activations": _ACTIVATIONS[kind][0],
        "peepholes": "P" in weights,
        "hidden_size": weights["R"].shape[-1],
        **{k: v.decode() if isinstance(v, bytes) else v for k, v in given.items()},
    }
    unknown = sorted(set(given) - _KNOWN[kind])
    if unknown:
        raise UnsupportedError(
            f"the {kind} node has {', '.join(unknown)}, which no cell here has; read are "
            f"{', '.join(sorted(_KNOWN[kind]))}"
        )
    if attributes["direction"] not in _DIRECTIONS:
        raise ArgumentError(
            f"direction is {', '.join(_DIRECTIONS)}, not {attributes['direction']!r}"
        )
    directions = _DIRECTIONS[attributes["direction"]]
    if weights["R"].ndim != 3 or len(weights["R"]) != directions:
        raise ShapeError(
            f"R of an ONNX {kind} with direction={attributes['direction']} has the shape "
            f"({directions}, gates * hidden, hidden), not {weights['R'].shape}"
        )
    attributes["activations"] = _read_activations(kind, attributes["activations"], directions)
    if attributes["input_forget"] and attributes["peepholes"]:
        raise UnsupportedError(
            "the LSTM node has peepholes and input_forget=1; no cell here has both, but "
            "nn.CoupledLSTMCell and nn.PeepholeLSTMCell show how to write it"
        )
    return attributes


def _read_activations(kind: str, given: Sequence[Any], directions: int) -> list[str]:
    """Return the activation functions of one direction, the same in both."""
    names = [n.decode() if isinstance(n, bytes) else n for n in given]
    lowered = [name.lower() for name in names]
    for known in _ACTIVATIONS[kind]:
        if lowered in ([k.lower() for k in known] * n for n in (1, directions)):
            return known
    known_names = " or ".join(str(known) for known in _ACTIVATIONS[kind])
    raise UnsupportedError(
        f"the {kind} node has activations={names}; the cells here have {known_names} in every "
        "direction. Write a cell of your own for nn.Recurrent"
    )
