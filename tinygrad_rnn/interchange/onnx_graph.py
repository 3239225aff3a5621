"""An ONNX graph under construction: nodes, named weights, small constants.

Knows names and arrays, never a Tensor. The `onnx` package is needed for the finished model alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.interchange.extras import required

OPSET = 17
"""The version of ONNX' operators that is written."""

_IR_VERSION = 8  # the file format that belongs to it

Axis = int | str


class Node(NamedTuple):
    """An operator with the names of what it takes and gives. Types in attributes are NumPy's."""

    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


class Declared(NamedTuple):
    """An input or output of the graph; an axis is a length, or a name if it varies."""

    name: str
    dtype: Any
    axes: list[Axis]


class Graph:
    """Nodes in order, and what they need. Every name stands for one value."""

    def __init__(self) -> None:
        self.path = ""
        self._nodes: list[Node] = []
        self._weights: dict[str, Array] = {}
        self._constants: dict[Any, str] = {}
        self._inputs: list[Declared] = []
        self._outputs: list[Declared] = []
        self._taken: set[str] = set()

    def _unique(self, name: str) -> str:
        made, count = name, 1
        while made in self._taken:
            count += 1
            made = f"{name}_{count}"
        self._taken.add(made)
        return made

    def reserve(self, names: Sequence[str]) -> None:
        """Keep names free for outputs that are declared later."""
        self._taken.update(names)

    def input(self, name: str, dtype: Any, axes: Sequence[Axis]) -> str:
        """Declare an input, and return its name."""
        self._inputs.append(Declared(self._unique(name), dtype, list(axes)))
        return self._inputs[-1].name

    def output(self, name: str, value: str, dtype: Any, axes: Sequence[Axis]) -> None:
        """Declare an output: a value of the graph under a name that was reserved."""
        self._nodes.append(Node("Identity", [value], [name], {}))
        self._outputs.append(Declared(name, dtype, list(axes)))

    def weight(self, name: str, array: Array) -> str:
        """Store an array in the file, once for each name, and return the name."""
        if name not in self._weights:
            self._taken.add(name)
            self._weights[name] = np.array(array, order="C")
        return name

    def constant(self, value: Any, dtype: Any = np.int64) -> str:
        """Return the name of a number or a few of them; equal ones are stored once."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.weight(self._unique("constant"), array)
        return self._constants[key]

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one result, and return its name."""
        return self.nodes(operator, inputs, 1, **attributes)[0]

    def nodes(
        self, operator: str, inputs: Sequence[str], results: int, **attributes: Any
    ) -> list[str]:
        """Add a node, and return the names of its results."""
        base = f"{self.path or 'model'}/{operator}"
        names = [self._unique(base) for _ in range(results)]
        self._nodes.append(Node(operator, list(inputs), names, attributes))
        return names

    def model(self, name: str) -> Any:
        """Return the finished model, checked by ONNX' own rules. Needs the extra `onnx`."""
        onnx = required("onnx", "export_onnx")
        helper = onnx.helper

        def type_of(value: Any) -> Any:
            is_type = isinstance(value, np.dtype)
            return helper.np_dtype_to_tensor_dtype(value) if is_type else value

        def declared(those: Sequence[Declared]) -> list[Any]:
            return [helper.make_tensor_value_info(d.name, type_of(d.dtype), d.axes) for d in those]

        nodes = [
            helper.make_node(
                node.operator,
                node.inputs,
                node.outputs,
                node.outputs[0],
                **{key: type_of(value) for key, value in node.attributes.items()},
            )
            for node in self._nodes
        ]
        weights = [onnx.numpy_helper.from_array(a, n) for n, a in self._weights.items()]
        inputs, outputs = declared(self._inputs), declared(self._outputs)
        graph = helper.make_graph(nodes, name, inputs, outputs, weights)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="tinygrad_rnn",
        )
        onnx.checker.check_model(model, full_check=True)
        return model
