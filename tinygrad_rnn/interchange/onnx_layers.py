"""How recurrent layers are written: an ONNX operator a layer, with its states in and out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_rnn import nn
from tinygrad_rnn.errors import UnsupportedError
from tinygrad_rnn.interchange.onnx_cells import operator_of
from tinygrad_rnn.interchange.onnx_writer import Writer
from tinygrad_rnn.interchange.tracing import Step
from tinygrad_rnn.nn.state import state_tensors
from tinygrad_rnn.nn.unrolling import initial_state


def write_layers(w: Writer, a: Step, b: Step) -> list[str]:
    """Write recurrent layers: one node a layer, and what lies between. A `Rule`."""
    module = a.module
    assert module is not None
    _refuse_wiring(module, a)
    graph, path = w.graph, a.path
    x = w.name(a.inputs[0], a)
    if module.batch_first:
        x = graph.node("Transpose", x, perm=[1, 0, 2])
    lengths = "" if a.inputs[1] is None else w.cast(w.name(a.inputs[1], a), np.int32)
    cells = module.cells()
    labels = list(module._names)
    initial = _initial_states(w, a, module)
    finals: list[list[str]] = []
    for layer in range(module.num_layers):
        at = slice(layer * module.num_directions, (layer + 1) * module.num_directions)
        made = [operator_of(c, f"{path}.{n}") for c, n in zip(cells[at], labels[at], strict=True)]
        kind, attributes = made[0].kind, dict(made[0].attributes)
        for other in made[1:]:
            alike = other.arrays.keys() == made[0].arrays.keys()
            if not alike or (other.kind, other.attributes) != (kind, made[0].attributes):
                raise UnsupportedError(
                    f"{path} has cells of different kinds in the two directions of layer {layer}, "
                    "which no operator of ONNX has"
                )
        if len(made) == 2:
            attributes["direction"] = "bidirectional"
            attributes |= {k: v * 2 for k, v in attributes.items() if k == "activations"}
        arrays = {}
        for key in made[0].arrays:
            joined = np.concatenate([operator.arrays[key] for operator in made])
            arrays[key] = graph.weight(f"{path}.l{layer}.{key}", joined)
        # What stands for an input that is absent: the empty name.
        states = _start(w, module, path, layer, x, initial, labels[at])
        inputs = [x, arrays["W"], arrays["R"], arrays.get("B", ""), lengths]
        inputs += [*(states or [""] * (2 if kind == "LSTM" else 1))]
        inputs += [arrays["P"]] if "P" in arrays else []
        while not inputs[-1]:
            inputs.pop()
        outputs = graph.nodes(kind, inputs, 3 if kind == "LSTM" else 2, **attributes)
        finals.append(outputs[1:])
        # (T, D, B, H) becomes (T, B, D·H).
        swapped = graph.node("Transpose", outputs[0], perm=[0, 2, 1, 3])
        output = graph.node("Reshape", swapped, graph.constant([0, 0, -1]))
        x = graph.node("Add", output, x) if module.residual and layer else output
    if module.batch_first:
        x = graph.node("Transpose", x, perm=[1, 0, 2])
    return [x, *_final_states(w, module, finals)]


def _refuse_wiring(module: nn.Recurrent, step: Step) -> None:
    found = []
    if module.attention is not None:
        found.append("attention")
    if any(module.zoneout):
        found.append("zoneout")
    if found:
        raise UnsupportedError(
            f"{step.path} has {' and '.join(found)}, which works inside "
            "each step; no operator of ONNX does"
        )


def _initial_states(w: Writer, a: Step, module: nn.Recurrent) -> list[str] | None:
    """Return the initial states by name, "" for one that is zero; None where none is given."""
    given = a.inputs[2:]
    if not given:
        return None
    held = [w.held(reference) for reference in given]
    zero = [h is not None and not h[0].any() and not h[1].any() for h in held]
    if not module._stacks_states and not all(zero):
        # Those of two directions are joined, and one of them may be there.
        zero = [False] * len(given)
    return ["" if is_zero else w.name(r, a) for r, is_zero in zip(given, zero, strict=True)]


def _start(
    w: Writer,
    module: nn.Recurrent,
    path: str,
    layer: int,
    x: str,
    initial: Sequence[str] | None,
    labels: Sequence[str],
) -> list[str]:
    """Return the initial states of a layer, each (D, B, H); none where they are zero."""
    graph, D = w.graph, module.num_directions
    first = layer * D
    if initial is None and module.learn_initial_state:
        return _learned(w, module, path, x, labels)
    if initial is None or not any(initial):
        return []
    if module._stacks_states:
        if module.num_layers == 1:
            return list(initial)
        bounds = [graph.constant([n]) for n in (first, first + D, 0)]
        return [name and graph.node("Slice", name, *bounds) for name in initial]
    counts = [len(state_tensors(initial_state(cell, 1))) for cell in module.cells()]
    zero = graph.constant([0])
    states = []
    for k in range(counts[first]):
        names = [initial[sum(counts[: first + d]) + k] for d in range(D)]
        parts = [graph.node("Unsqueeze", name, zero) for name in names]
        states.append(parts[0] if D == 1 else graph.node("Concat", *parts, axis=0))
    return states


def _learned(
    w: Writer, module: nn.Recurrent, path: str, x: str, labels: Sequence[str]
) -> list[str]:
    """Return the learned initial states of a layer, one copy for each row of x (T, B, in)."""
    graph = w.graph
    batch = graph.node("Slice", graph.node("Shape", x), *(graph.constant([n]) for n in (1, 2)))
    names = [name for name, _ in module.named_parameters() if name.startswith("initial_")]
    states = []
    for kind in ("h", "c"):
        own = [f"initial_{kind}_{label}" for label in labels]
        if own[0] not in names:
            continue
        rows = np.stack([getattr(module, name).detach().numpy() for name in own])[:, None]
        stored = graph.weight(f"{path}.initial_{kind}_{labels[0]}", rows)
        one = graph.constant([1])
        shape = graph.node("Concat", one, batch, one, axis=0)
        states.append(graph.node("Expand", stored, shape))
    return states


def _final_states(w: Writer, module: nn.Recurrent, finals: Sequence[Sequence[str]]) -> list[str]:
    """Return the final states in the order of the module's own result."""
    graph = w.graph
    if module._stacks_states:
        by_tensor = zip(*finals, strict=True)
        return [
            names[0] if len(names) == 1 else graph.node("Concat", *names, axis=0)
            for names in by_tensor
        ]
    return [
        graph.node("Gather", name, graph.constant(d), axis=0)
        for names in finals
        for d in range(module.num_directions)
        for name in names
    ]
