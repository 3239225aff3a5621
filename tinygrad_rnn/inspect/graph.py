"""The recorded graph as data: operations and leaves, with shapes, memory, module, step and line.

`graph_of(loss, model)` reads what was recorded and changes nothing. Drawing it is left to `text`,
`dot` and `svg`, which fold it first (`folding`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.context import quiet
from tinygrad_rnn.engine import Node
from tinygrad_rnn.errors import ArgumentError, DtypeError
from tinygrad_rnn.inspect.arguments import Array, name_of, recorded_nodes, tensors_of
from tinygrad_rnn.nn import Module
from tinygrad_rnn.tensor import Changes, Operation, Tensor

Shape = tuple[int, ...]

_CELL = re.compile(r"l\d+(_reverse)?")


class Source(NamedTuple):
    """Where an input comes from: the number of a vertex, and which of its outputs it is."""

    vertex: int
    slot: int


@dataclass(frozen=True)
class Vertex:
    """An operation or a leaf of the graph.

    Attributes:
        index: its number; operations follow all that they depend on.
        kind: "operation", "parameter" (a leaf that requires a gradient) or "constant".
        name: of an operation the primitive's ("linear"), of a leaf the name in the module or among
            `names`, or "".
        label: what the user's cell calls the result by `nn.record` ("f"), or "".
        shapes: the shape of each output; None for one that nothing uses.
        dtype: the type of the outputs, such as "float32".
        bytes: the memory of the outputs; 0 for views, which share their input's.
        path: the module that computed it ("lstm.l0").
        layer: the part of the path that stands for a layer ("lstm.l0" also for "lstm.l0.gate").
        step: the time step, or None.
        site: file and line of the user's code, "" for leaves.
        inputs: where its inputs come from.
        tracked: for each input whether a gradient flows to it.
    """

    index: int
    kind: str
    name: str
    label: str
    shapes: tuple[Shape | None, ...]
    dtype: str
    bytes: int
    path: str
    layer: str
    step: int | None
    site: str
    inputs: tuple[Source, ...]
    tracked: tuple[bool, ...]

    @property
    def shape(self) -> Shape | None:
        """The shape of the first output that is used."""
        return next((shape for shape in self.shapes if shape is not None), None)

    @property
    def title(self) -> str:
        """What it is called in pictures."""
        return self.label or self.name or self.kind


class Graph:
    """What `graph_of` returns.

    Attributes:
        vertices: leaves and operations, each after all that it depends on.
        outputs: where the outputs come from.
        held_bytes: memory that the graph keeps alive for backward, each array counted once;
            parameters and other leaves are among it.
    """

    def __init__(
        self,
        vertices: Sequence[Vertex],
        outputs: Sequence[Source],
        objects: Sequence[Any],
    ) -> None:
        self.vertices = tuple(vertices)
        self.outputs = tuple(outputs)
        self._objects = tuple(objects)
        self._values: dict[Source, Array | None] | None = None
        self.held_bytes = _held_bytes([o for o in objects if isinstance(o, Node)])

    def __len__(self) -> int:
        return len(self.vertices)

    def __repr__(self) -> str:
        steps = f", {len(self.steps())} time steps" if self.steps() else ""
        return f"<graph of {len(self.operations())} operations{steps}>"

    def operations(self) -> list[Vertex]:
        """Return the operations in the order in which they were recorded."""
        return [v for v in self.vertices if v.kind == "operation"]

    def leaves(self) -> list[Vertex]:
        """Return parameters and constants."""
        return [v for v in self.vertices if v.kind != "operation"]

    def steps(self) -> list[int]:
        """Return the time steps in order."""
        return sorted({v.step for v in self.vertices if v.step is not None})

    def layers(self) -> list[str]:
        """Return the layers that run over time, in the order in which they first appear."""
        found = [v.layer for v in self.operations() if v.step is not None]
        return list(dict.fromkeys(found))

    def bytes(self) -> int:
        """Return the memory that the results of all operations take, views not counted."""
        return sum(v.bytes for v in self.operations())

    def counts(self) -> dict[str, int]:
        """Return how often each primitive was applied, the most frequent first."""
        found: dict[str, int] = {}
        for vertex in self.operations():
            found[vertex.name] = found.get(vertex.name, 0) + 1
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def object_of(self, vertex: Vertex) -> Any:
        """Return the engine's node of an operation, or the tensor of a leaf."""
        return self._objects[vertex.index]

    def value(self, vertex: Vertex, slot: int = 0) -> Array | None:
        """Return the numbers of an output, read from the graph or computed again from it.

        None where the graph does not keep what is needed: large constants whose numbers no
        gradient reads, checkpointed parts, and what an optimizer has overwritten since.
        """
        if self._values is None:
            self._values = _values(self)
        return self._values.get(Source(vertex.index, slot))


def graph_of(
    outputs: Tensor | Sequence[Tensor],
    module: Module | None = None,
    names: Mapping[str, Tensor] | None = None,
    layer_of: Callable[[str], str] | None = None,
) -> Graph:
    """Return the graph that one or several tensors were computed by.

    It works for any recorded computation: the library's layers, cells of your own, plain loops
    (name their steps by `with tg.scope("cell", t):`), and graphs made by `create_graph`. The
    graph is as large as what was recorded: show it before `backward`, which releases it, or keep
    it with `backward(retain_graph=True)`.

    Args:
        outputs: usually the loss.
        module: gives parameters their names.
        names: names of other leaves, such as {"x": x}.
        layer_of: maps a module path to the layer that it is drawn in. By default a path ends at
            a cell of `nn.Recurrent`, or else at the shortest path that takes part in the loop.

    Raises:
        GraphError: if there is no graph, or it was released.
    """
    roots = tensors_of(outputs, "outputs")
    nodes = recorded_nodes(roots, "the output")
    shapes = _shapes(nodes, roots)
    layer_of = _layers(nodes) if layer_of is None else layer_of
    called = _names(module, names)
    vertices: list[Vertex] = []
    objects: list[Any] = []
    at: dict[Any, int] = {}

    def source(x: Any) -> Source:
        key = id(x) if x._node is None else x._node
        if key not in at:
            at[key] = len(vertices)
            vertices.append(_leaf(len(vertices), x, called.get(id(x), "")))
            objects.append(x)
        return Source(at[key], x._slot)

    for node in nodes:
        inputs, tracked = [], []
        for x, wanted in zip(node.inputs or (), node.tracked, strict=True):
            if hasattr(x, "_node"):
                inputs.append(source(x))
                tracked.append(bool(wanted))
        at[node] = len(vertices)
        described = _operation(len(vertices), node, shapes, layer_of)
        vertices.append(described(tuple(inputs), tuple(tracked)))
        objects.append(node)
    return Graph(vertices, [source(root) for root in roots], objects)


def _operation(
    index: int,
    node: Node,
    shapes: Mapping[tuple[Node, int], tuple[Shape, str, int]],
    layer_of: Callable[[str], str],
) -> Callable[..., Vertex]:
    known = [shapes.get((node, slot)) for slot in range(node.outputs)]
    used = [aspects for aspects in known if aspects is not None]
    scope = node.scope if isinstance(node, Operation) else None
    view = isinstance(node, Operation) and node.primitive.view
    path = "" if scope is None else scope.path

    def vertex(inputs: tuple[Source, ...], tracked: tuple[bool, ...]) -> Vertex:
        return Vertex(
            index,
            "operation",
            name_of(node),
            getattr(node, "name", ""),
            tuple([None if aspects is None else aspects[0] for aspects in known]),
            used[0][1] if used else "",
            0 if view else sum(size for _, _, size in used),
            path,
            layer_of(path),
            None if scope is None else scope.step,
            str(getattr(node, "site", "")),
            inputs,
            tracked,
        )

    return vertex


def _leaf(index: int, x: Any, name: str) -> Vertex:
    kind = "parameter" if getattr(x, "_requires_grad", False) else "constant"
    shape, dtype = tuple(x.shape), np.dtype(x.dtype)
    size = math.prod(shape) * dtype.itemsize
    return Vertex(index, kind, name, "", (shape,), str(dtype), size, "", "", None, "", (), ())


def _names(module: Module | None, names: Mapping[str, Tensor] | None) -> dict[int, str]:
    """Return names by the id of the tensor."""
    found: dict[int, str] = {}
    if module is not None:
        if not isinstance(module, Module):
            raise DtypeError(f"module is a Module, not {type(module).__name__}")
        found = {id(p): name for name, p in module.named_parameters()}
    for name, tensor in (names or {}).items():
        if not isinstance(tensor, Tensor):
            raise DtypeError(f"names maps names to Tensors; {name!r} is a {type(tensor).__name__}")
        if tensor.grad_fn is not None:
            raise ArgumentError(
                f"{name!r} was computed by an operation; names are for leaves. Inside a cell, "
                "nn.record(name=tensor) names a result"
            )
        found[id(tensor)] = name
    return found


def _shapes(
    nodes: Sequence[Node], roots: Sequence[Tensor]
) -> dict[tuple[Node, int], tuple[Shape, str, int]]:
    """Return shape, type and bytes of every output that something uses."""
    found: dict[tuple[Node, int], tuple[Shape, str, int]] = {}
    for x in [*roots, *[x for node in nodes for x in node.inputs or ()]]:
        node = getattr(x, "_node", None)
        if node is not None:
            dtype = np.dtype(x.dtype)
            size = math.prod(x.shape) * dtype.itemsize
            found[node, x._slot] = (tuple(x.shape), str(dtype), size)
    return found


def _layers(nodes: Sequence[Node]) -> Callable[[str], str]:
    stepped = {n.scope.path for n in nodes if isinstance(n, Operation) and n.scope.step is not None}
    known: dict[str, str] = {}

    def layer_of(path: str) -> str:
        if path not in known:
            known[path] = _layer(path, stepped)
        return known[path]

    return layer_of


def _layer(path: str, stepped: set[str]) -> str:
    parts = path.split(".")
    prefixes = [".".join(parts[: i + 1]) for i in range(len(parts))]
    cells = [whole for part, whole in zip(parts, prefixes, strict=True) if _CELL.fullmatch(part)]
    return next(iter([*cells, *[whole for whole in prefixes if whole in stepped]]), path)


def _held_bytes(nodes: Sequence[Node]) -> int:
    buffers: dict[int, int] = {}
    for node in nodes:
        arrays = [x._array for x in node.inputs or () if isinstance(x, Tensor)]
        if isinstance(node, Operation) and node.output is not None:
            arrays.append(node.output)
        for array in arrays:
            while isinstance(array.base, np.ndarray):
                array = array.base
            buffers[id(array)] = array.nbytes
    return sum(buffers.values())


def _values(graph: Graph) -> dict[Source, Array | None]:
    found: dict[Source, Array | None] = {}
    for vertex in graph.vertices:
        kept = graph.object_of(vertex)
        for x, source in _inputs_of(kept, vertex):
            if isinstance(x, Tensor):
                changes = None if x._memory is None else x._memory.changes
                found[source] = None if _changed(changes, kept) else x._array
        if isinstance(kept, Operation) and kept.output is not None:
            changed = _changed(kept.changes, kept)
            found[Source(vertex.index, 0)] = None if changed else kept.output
    for vertex in graph.operations():
        needed = [Source(vertex.index, slot) for slot in range(len(vertex.shapes))]
        if all(source in found for source in needed):
            continue
        again = _compute(graph, vertex, found)
        for source in needed:
            found.setdefault(source, None if again is None else again[source.slot])
    return found


def _changed(changes: Changes | None, node: Node) -> bool:
    """Whether numbers were overwritten since a node was recorded."""
    return changes is not None and changes.mutated_at > node.order


def _inputs_of(kept: Any, vertex: Vertex) -> list[tuple[Any, Source]]:
    if not isinstance(kept, Node):
        return []
    tensors = [x for x in kept.inputs or () if hasattr(x, "_node")]
    return list(zip(tensors, vertex.inputs, strict=True))


def _compute(
    graph: Graph, vertex: Vertex, found: Mapping[Source, Array | None]
) -> Sequence[Array] | None:
    """Apply an operation again to the numbers of its inputs."""
    node = graph.object_of(vertex)
    if not isinstance(node, Operation):
        return None
    sources = iter(vertex.inputs)
    given = []
    for x in node.inputs or ():
        value = found.get(next(sources)) if hasattr(x, "_node") else x
        if value is None and hasattr(x, "_node"):
            return None
        given.append(value)
    with quiet():
        result = node.primitive.forward(*given, **node.params)
    return result if node.primitive.multiple else [np.asarray(result)]
