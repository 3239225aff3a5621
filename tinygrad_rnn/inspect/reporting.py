"""The unrolled graph with values and gradients as plain data, for a page that plays it.

The result holds dicts, lists, strings, numbers and None only; `json.dumps` takes it as it is.
"""

from __future__ import annotations

import linecache
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.inspect.arguments import Array, norm_of
from tinygrad_rnn.inspect.backward import Cut, Trace, Use, trace, window_cut
from tinygrad_rnn.inspect.contributions import Contributions, Shares
from tinygrad_rnn.inspect.flow import series
from tinygrad_rnn.inspect.folding import Folded, fold
from tinygrad_rnn.inspect.graph import Graph, Vertex, graph_of
from tinygrad_rnn.inspect.timeline import Labels
from tinygrad_rnn.nn import Module
from tinygrad_rnn.nn.recording import Observation
from tinygrad_rnn.tensor import Tensor

FORMAT = "tinygrad_rnn.inspect.report/1"


def report(
    outputs: Tensor | Sequence[Tensor],
    module: Module | None = None,
    names: Mapping[str, Tensor] | None = None,
    seen: Observation | None = None,
    window: int | None = None,
    numbers: int = 64,
    kept: Iterable[str] = ("h", "c"),
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
) -> dict[str, Any]:
    """Return everything that a page needs to play a graph forward and backward.

    The graph is kept, and `.grad` is not touched.

    Args:
        outputs: the loss; several are added up.
        module: gives parameters their names.
        names: names of other leaves, such as {"x": x}.
        seen: from `observe`, for the flow of gradients by state.
        window: with a number, the gradients of truncated BPTT: nothing passes back between windows
            of so many steps, and the edges concerned are marked.
        numbers: how many numbers of each array to include; all arrays come with their statistics.
        kept: which observed states the flow is about.
        grad_outputs: the gradient of each output; may be left out where it has one element.

    The structure:

    - `format`: "tinygrad_rnn.inspect.report/1".
    - `summary`: `operations`, `bytes` (of all results), `held_bytes` (kept for backward), `steps`
      (list of time steps), `layers` (list of names), `counts` (by primitive), `window`.
    - `rows`: from the bottom to the top of a drawing, `title` and `over_time`: a layer with a box
      for each step (True), or operations for all steps at once.
    - `nodes`: in the order of computing, so that playing them by `id` is the forward pass, and from
      the last to the first the backward pass. Each has `id`, `kind` ("operation", "parameter",
      "constant"), `name` (primitive, or the leaf's name), `label` (what the cell calls it, or ""),
      `path`, `layer`, `step` (or None), `row` (number in `rows`; None for what no drawing shows),
      `file`, `line` and `code` (its text) of the user's code (None for leaves), `dtype`, `bytes`,
      `output` (whether it is one of the outputs), and `slots`: its outputs, each `shape`, `value`,
      `gradient`, which are None (unknown, or no gradient arrived) or {`norm`, `min`, `max`, `mean`,
      `numbers`}, the last being the first numbers in row-major order. `by_step`, for what is
      computed for all steps at once, holds the norm of each step's part of the gradient.
    - `edges`: `source` and `slot` (a node's output), `target` and `input` (its place among the
      target's inputs), `time` (whether it leads from one step to another), `tracked` (whether a
      gradient flows along it at all), `cut` (stopped by the window) and `gradient` (the norm of
      what passes back along it, None if nothing does).
    - `weights`: for each parameter `name`, `node`, `norm` (of its gradient) and `shares`: a list of
      {`step`, `norm`}, each step's share of it.
    - `flow`: for each observed state (such as "l0.h") `steps`, `norms` of ∂L/∂s_t, and `nodes` with
      `slots`, where in the graph each stands.

    Raises:
        GraphError: if there is no graph, or it was released.
    """
    positive(numbers, "numbers")
    graph = graph_of(outputs, module, names)
    cut = None if window is None else window_cut(window)
    passed = trace(outputs, grad_outputs, cut)
    folded = fold(graph, show=max(len(graph.steps()), 1))
    shares = Shares(passed)
    at = {id(graph.object_of(vertex)): vertex for vertex in graph.vertices}
    return {
        "format": FORMAT,
        "summary": {
            "operations": len(graph.operations()),
            "bytes": graph.bytes(),
            "held_bytes": graph.held_bytes,
            "steps": graph.steps(),
            "layers": graph.layers(),
            "counts": graph.counts(),
            "window": window,
        },
        "rows": [{"title": row.title, "over_time": row.over_time} for row in folded.rows],
        "nodes": [
            _node(graph, vertex, passed, folded, shares, numbers) for vertex in graph.vertices
        ],
        "edges": _edges(graph, passed, cut),
        "weights": _weights(graph, passed, shares),
        "flow": {} if seen is None else _flow(seen, passed, at, kept),
    }


def _node(
    graph: Graph, vertex: Vertex, passed: Trace, folded: Folded, shares: Shares, numbers: int
) -> dict[str, Any]:
    kept = graph.object_of(vertex)
    slots = []
    for slot, shape in enumerate(vertex.shapes):
        if vertex.kind == "operation":
            gradient = passed.outputs.get((kept, slot))
        else:
            gradient = passed.leaves.get(kept) if isinstance(kept, Tensor) else None
        slots.append(
            {
                "shape": None if shape is None else list(shape),
                "value": _summary(graph.value(vertex, slot), numbers),
                "gradient": _summary(None if gradient is None else gradient._array, numbers),
                "by_step": None,
            }
        )
        whole = vertex.kind == "operation" and vertex.step is None and len(vertex.shapes) == 1
        if gradient is not None and whole:
            labels = shares.timeline.labels(kept, slot)
            slots[-1]["by_step"] = _by_step(gradient._array, labels, graph.steps())
    file, line, code = _site(vertex.site)
    return {
        "id": vertex.index,
        "kind": vertex.kind,
        "name": vertex.name,
        "label": vertex.label,
        "path": vertex.path,
        "layer": vertex.layer,
        "step": vertex.step,
        "row": folded.row_of(vertex),
        "file": file,
        "line": line,
        "code": code,
        "dtype": vertex.dtype,
        "bytes": vertex.bytes,
        "output": any(source.vertex == vertex.index for source in graph.outputs),
        "slots": slots,
    }


def _by_step(gradient: Array, labels: Labels, steps: Sequence[int]) -> list[Any] | None:
    if labels is None or labels.shape != gradient.shape:
        return None
    squares = np.square(gradient, dtype=np.float64)
    return [_finite(float(np.sqrt(squares[labels == step].sum()))) for step in steps]


def _summary(array: Array | None, numbers: int) -> dict[str, Any] | None:
    if array is None:
        return None
    flat = array.reshape(-1)[:numbers].tolist()
    if array.size == 0:
        return {"norm": 0.0, "min": None, "max": None, "mean": None, "numbers": []}
    return {
        "norm": _finite(norm_of(array)),
        "min": _finite(float(array.min())),
        "max": _finite(float(array.max())),
        "mean": _finite(float(array.mean(dtype=np.float64))),
        "numbers": [_finite(x) for x in flat],
    }


def _finite(x: Any) -> Any:
    """Return a number as JSON can write it; infinities and NaN become strings."""
    return x if not isinstance(x, float) or math.isfinite(x) else str(x)


def _site(site: str) -> tuple[str | None, int | None, str | None]:
    """Return file, line and its text; the file below the working directory, or else its name."""
    file, _, line = site.rpartition(":")
    if not file:
        return None, None, None
    relative = os.path.relpath(file) if os.path.isabs(file) else file
    shown = os.path.basename(file) if relative.startswith("..") else relative
    return shown, int(line), linecache.getline(file, int(line)).strip()


def _edges(graph: Graph, passed: Trace, cut: Cut | None) -> list[dict[str, Any]]:
    edges = []
    for vertex in graph.operations():
        node = graph.object_of(vertex)
        places = [i for i, x in enumerate(node.inputs or ()) if hasattr(x, "_node")]
        for i, source, tracked in zip(places, vertex.inputs, vertex.tracked, strict=True):
            start = graph.vertices[source.vertex]
            steps = (start.step, vertex.step)
            norm = passed.passed.get(Use(node, i))
            edges.append(
                {
                    "source": source.vertex,
                    "slot": source.slot,
                    "target": vertex.index,
                    "input": i,
                    "time": None not in steps and steps[0] != steps[1],
                    "tracked": tracked,
                    "cut": bool(tracked and cut is not None and cut(node, i)),
                    "gradient": None if norm is None else _finite(norm),
                }
            )
    return edges


def _weights(graph: Graph, passed: Trace, shares: Shares) -> list[dict[str, Any]]:
    found = []
    for vertex in graph.leaves():
        weight = graph.object_of(vertex)
        if vertex.kind != "parameter" or weight not in passed.leaves:
            continue
        parts = Contributions(shares.of(weight), weight.shape, weight.dtype)
        norms = [{"step": t, "norm": _finite(norm)} for t, norm in parts.norms().items()]
        total = _finite(norm_of(passed.leaves[weight]._array))
        found.append({"name": vertex.name, "node": vertex.index, "norm": total, "shares": norms})
    return found


def _flow(
    seen: Observation, passed: Trace, at: Mapping[int, Vertex], kept: Iterable[str]
) -> dict[str, Any]:
    wanted = [kept] if isinstance(kept, str) else list(kept)
    found = {}
    for name, steps in series(seen).items():
        if name not in wanted and name.rpartition(".")[2] not in wanted:
            continue
        gradients = [passed.of(x) for x in steps.values()]
        places = [at.get(id(x if x._node is None else x._node)) for x in steps.values()]
        found[name] = {
            "steps": list(steps),
            "norms": [0.0 if g is None else _finite(norm_of(g._array)) for g in gradients],
            "nodes": [None if vertex is None else vertex.index for vertex in places],
            "slots": [x._slot for x in steps.values()],
        }
    return found
