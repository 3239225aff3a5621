"""The page that plays backpropagation through time: its data, from models run on one input.

`study_page` writes everything that the page shows; the page itself computes no number of a model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_rnn.arguments import positive
from tinygrad_rnn.creation import ones_like, zeros_like
from tinygrad_rnn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_rnn.inspect.arguments import norm_of, tensors_of
from tinygrad_rnn.inspect.backward import trace, window_cut
from tinygrad_rnn.inspect.flow import credit, series
from tinygrad_rnn.inspect.graph import graph_of
from tinygrad_rnn.inspect.pages.assembly import page, script_json
from tinygrad_rnn.inspect.reporting import report
from tinygrad_rnn.nn import Module
from tinygrad_rnn.nn.recording import Observation
from tinygrad_rnn.tensor import Tensor

FORMAT = "tinygrad_rnn.inspect.study/1"
MAX_CHARACTERS = 2_600_000
"""The size that the data of a page is kept below, by showing fewer numbers of large arrays."""

STATE_NUMBERS = 16
"""Numbers of each state that are kept in any case: the page draws them in every step."""

CREDIT_ROWS = 16
"""Losses that the credit matrix of a long sequence is about; each costs a backward pass."""

_DIGITS = 4
_SCRIPTS = ("graph", "layout", "drawing", "detail", "plots")


@dataclass(frozen=True)
class Run:
    """A model, run on the page's input, that the page can switch to.

    Attributes:
        name: shown on the switch, such as "LSTM".
        objectives: what can be differentiated, each one number, of one graph: {"all steps": loss}.
        module: gives parameters their names.
        seen: from `observe` around the run: states and gates by name.
        losses: L_t of every step, each one number, for the credit matrix; may be empty.
        names: names of other leaves, such as {"x": x}.
        about: a line about the model.
    """

    name: str
    objectives: Mapping[str, Tensor]
    module: Module
    seen: Observation
    losses: Sequence[Tensor] = ()
    names: Mapping[str, Tensor] = field(default_factory=dict)
    about: str = ""


def study_page(
    runs: Sequence[Run],
    inputs: Sequence[str] = (),
    targets: Sequence[str] = (),
    windows: Sequence[int] = (),
    title: str = "Backpropagation through time",
    numbers: int = 64,
) -> str:
    """Return a self-contained HTML page that plays the runs forward and backward.

    The graphs are kept, and `.grad` is not touched.

    Args:
        runs: models on the same input, to switch between.
        inputs, targets: what stands below and above each time step, such as characters.
        windows: lengths of windows of truncated BPTT to choose from, besides full BPTT.
        title: heading of the page.
        numbers: how many numbers of each array to show; fewer where the page would grow too large.

    Raises:
        ArgumentError: without any run, or for a run without an objective or with a used name.
        GraphError: if there is no graph, or it was released.
        ShapeError: for an objective that is not one number.
    """
    data = study_data(runs, inputs, targets, windows, title, numbers)
    return page("study", title, data, _SCRIPTS)


def study_data(
    runs: Sequence[Run],
    inputs: Sequence[str] = (),
    targets: Sequence[str] = (),
    windows: Sequence[int] = (),
    title: str = "Backpropagation through time",
    numbers: int = 64,
) -> dict[str, Any]:
    """Return the data of `study_page`, whose arguments it takes.

    Columns instead of records, as there are thousands of nodes: `nodes`, `slots` and `edges` hold
    lists of equal length. Texts and shapes are numbers of entries in `texts` and `shapes`. A slot
    is an output of a node; `value` and each variant's `gradient` hold for every slot the number of
    an entry in `arrays`: None or [norm, smallest, largest, first numbers]. Many are equal, such as
    the gradients of both sides of a sum. A variant is one objective with one window.
    """
    positive(numbers, "numbers")
    _check(runs, inputs, targets)
    for window in windows:
        positive(window, "a window")
    chosen = [None, *sorted(set(windows))]
    columns = [_Columns(run, chosen, numbers).data for run in runs]
    data = {
        "format": FORMAT,
        "title": title,
        "inputs": list(inputs),
        "targets": list(targets),
        "windows": chosen,
        "runs": columns,
    }
    while numbers > 1 and len(script_json(data)) > MAX_CHARACTERS:
        numbers //= 2
        for one in columns:
            _shorten(one, numbers)
    return data


def _check(runs: Sequence[Run], inputs: Sequence[str], targets: Sequence[str]) -> None:
    if not runs:
        raise ArgumentError("a page needs at least one run")
    for run in runs:
        if not isinstance(run, Run):
            raise DtypeError(f"runs holds Runs, not {type(run).__name__}")
        if not run.objectives:
            raise ArgumentError(f"the run {run.name!r} has no objective, such as {{'loss': loss}}")
        for name, objective in run.objectives.items():
            (tensor,) = tensors_of([objective], f"the objectives of {run.name!r}")
            if tensor.numel() != 1:
                raise ShapeError(f"the objective {name!r} has shape {tensor.shape}, not one number")
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        raise ArgumentError(f"runs have different names, not {names}")
    for what, given in (("inputs", inputs), ("targets", targets)):
        if not all(isinstance(symbol, str) for symbol in given):
            raise DtypeError(f"{what} holds strings, one for each time step")


class _Columns:
    """The data of one run."""

    def __init__(self, run: Run, windows: Sequence[int | None], numbers: int) -> None:
        self._texts: dict[Any, int] = {None: 0}
        self._shapes: dict[Any, int] = {None: 0}
        self._arrays: dict[Any, int] = {None: 0}
        roots = list(run.objectives.values())
        variants = []
        first: dict[str, Any] = {}
        for i, objective in enumerate(run.objectives):
            # All objectives are ends of one graph; those not chosen start with a gradient of 0.
            seeds = [ones_like(x) if i == j else zeros_like(x) for j, x in enumerate(roots)]
            for window in windows:
                found = report(
                    roots, run.module, run.names, run.seen, window, numbers, grad_outputs=seeds
                )
                first = first or found
                variants.append(self._variant(found, objective, window))
        nodes, edges = first["nodes"], first["edges"]
        ends = [source.vertex for source in graph_of(roots).outputs]
        self.data = {
            "name": run.name,
            "about": run.about,
            "summary": first["summary"],
            "rows": first["rows"],
            "nodes": {
                **{name: [node[name] for node in nodes] for name in ("step", "row", "line")},
                **{
                    name: [self._text(node[name]) for node in nodes]
                    for name in ("kind", "name", "label", "path", "layer", "file", "code", "dtype")
                },
                "output": [int(node["output"]) for node in nodes],
            },
            "slots": {
                "node": [node["id"] for node in nodes for _ in node["slots"]],
                "slot": [i for node in nodes for i, _ in enumerate(node["slots"])],
                "shape": [self._shape(slot["shape"]) for node in nodes for slot in node["slots"]],
                "value": [self._array(slot["value"]) for node in nodes for slot in node["slots"]],
            },
            "edges": {
                **{name: [edge[name] for edge in edges] for name in ("source", "slot", "target")},
                **{name: [int(edge[name]) for edge in edges] for name in ("time", "tracked")},
            },
            "states": {
                name: {key: found[key] for key in ("steps", "nodes", "slots")}
                for name, found in first["flow"].items()
            },
            "variants": variants,
            "losses": [_rounded(loss.item()) for loss in run.losses],
            "credit": _credit(run, windows),
            "outputs": dict(zip(run.objectives, ends, strict=True)),
            "texts": list(self._texts),
            "shapes": [None if shape is None else list(shape) for shape in self._shapes],
            "arrays": [None if array is None else list(array) for array in self._arrays],
            "parameters": run.module.parameter_count(),
        }

    def _variant(
        self, found: dict[str, Any], objective: str, window: int | None
    ) -> dict[str, Any]:
        slots = [slot for node in found["nodes"] for slot in node["slots"]]
        return {
            "objective": objective,
            "window": window,
            "gradient": [self._array(slot["gradient"]) for slot in slots],
            "by_step": {
                place: [_rounded(norm) for norm in slot["by_step"]]
                for place, slot in enumerate(slots)
                if slot["by_step"] is not None
            },
            "passed": [_rounded(edge["gradient"]) for edge in found["edges"]],
            "cut": [i for i, edge in enumerate(found["edges"]) if edge["cut"]],
            "weights": [
                {
                    "name": weight["name"],
                    "node": weight["node"],
                    "norm": _rounded(weight["norm"]),
                    "steps": [share["step"] for share in weight["shares"]],
                    "norms": [_rounded(share["norm"]) for share in weight["shares"]],
                }
                for weight in found["weights"]
            ],
            "flow": {
                name: [_rounded(norm) for norm in states["norms"]]
                for name, states in found["flow"].items()
            },
        }

    def _text(self, text: str | None) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _shape(self, shape: Sequence[int] | None) -> int:
        key = None if shape is None else tuple(shape)
        return self._shapes.setdefault(key, len(self._shapes))

    def _array(self, summary: dict[str, Any] | None) -> int:
        key = None
        if summary is not None:
            totals = [_rounded(summary[name]) for name in ("norm", "min", "max")]
            key = (*totals, *[_rounded(x) for x in summary["numbers"]])
        return self._arrays.setdefault(key, len(self._arrays))


def _credit(run: Run, windows: Sequence[int | None]) -> dict[str, Any] | None:
    """Return ‖∂L_t/∂s_k‖ for the last layer's first state: rows t, columns k, by window."""
    states = {n: s for n, s in series(run.seen).items() if n.rpartition(".")[2] == "h"}
    if not states or not run.losses:
        return None
    name = list(states)[-1]
    steps = states[name]
    losses = tensors_of(run.losses, "losses")
    every = math.ceil(len(losses) / CREDIT_ROWS)
    rows = list(range(len(losses) - 1, -1, -every))[::-1]
    matrices = []
    for window in windows:
        if window is None:
            matrix = credit({t: losses[t] for t in rows}, steps).tolist()
        else:
            matrix = [_norms(losses[t], steps.values(), window) for t in rows]
        matrices.append([[_rounded(norm) for norm in row] for row in matrix])
    return {"state": name, "rows": rows, "columns": list(steps), "matrices": matrices}


def _norms(loss: Tensor, states: Iterable[Tensor], window: int) -> list[float]:
    passed = trace(loss, cut=window_cut(window))
    found = [passed.of(state) for state in states]
    return [0.0 if gradient is None else norm_of(gradient._array) for gradient in found]


def _rounded(x: Any) -> Any:
    """Return a number with as many digits as the page shows; infinities as strings."""
    if isinstance(x, bool) or not isinstance(x, float):
        return x
    if not math.isfinite(x):
        return str(x)
    rounded = float(f"{x:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e6 else rounded


def _shorten(run: dict[str, Any], numbers: int) -> None:
    """Keep fewer numbers of each array that is no state or gradient of one."""
    nodes, slots = run["slots"]["node"], run["slots"]["slot"]
    places = {
        place
        for states in run["states"].values()
        for place in zip(states["nodes"], states["slots"], strict=True)
    }
    of_states = [i for i, at in enumerate(zip(nodes, slots, strict=True)) if at in places]
    columns = [run["slots"]["value"], *(variant["gradient"] for variant in run["variants"])]
    kept = {column[i] for column in columns for i in of_states}
    for i, array in enumerate(run["arrays"]):
        if array is not None:
            del array[3 + (max(numbers, STATE_NUMBERS) if i in kept else numbers) :]
