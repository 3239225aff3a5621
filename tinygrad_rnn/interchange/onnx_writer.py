"""Two traces of one model, at two sizes of its example, on their way into one ONNX graph.

What differs between the two depends on the size: a length that differs has to be found anew in the
file, and never becomes a number in it. The rules that write single steps come from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.errors import UnsupportedError
from tinygrad_rnn.interchange.onnx_graph import Graph
from tinygrad_rnn.interchange.tracing import CONSTANT, Reference, Step, Trace

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
Rule = Callable[["Writer", Step, Step], Any]
"""Writes a step, seen at both sizes, and returns the name or names of its results."""


class Sum(NamedTuple):
    """What a sum was taken of, and how many numbers it added at each size of the example."""

    source: str
    axes: tuple[int, ...]
    keepdims: int
    counts: tuple[int, int]


class Writer:
    """Writes the steps of two traces of one model into a graph."""

    def __init__(
        self, graph: Graph, rules: Mapping[str, Rule], first: Trace, second: Trace
    ) -> None:
        self.graph = graph
        self._rules = rules
        self.traces = (first, second)
        self.names: dict[int, str] = {}
        self.sums: dict[str, Sum] = {}

    def write(self) -> None:
        """Write every step in turn."""
        first, second = (trace.steps for trace in self.traces)
        for a, b in zip(first, second, strict=False):
            if (a.name, _references(a), a.outputs) != (b.name, _references(b), b.outputs):
                raise self.varies(a, "what is computed")
            self.graph.path = a.path.replace(".", "/")
            rule = self._rules.get(a.name)
            if rule is None:
                raise UnsupportedError(
                    f"`{a.name}`{in_module(a)} at {a.site} has no form in ONNX here; compute it "
                    "outside of the exported model"
                )
            made = rule(self, a, b)
            names = [made] if isinstance(made, str) else made
            self.names |= dict(zip(a.outputs, names, strict=True))
        if len(first) != len(second):
            last = first[-1] if len(first) > len(second) else second[-1]
            raise self.varies(last, "the number of operations")

    def varies(self, step: Step | None, what: str) -> UnsupportedError:
        """Return the error for something that the file would hold for the example's size alone."""
        where = f", at {step.site}{in_module(step)}" if step is not None else ""
        return UnsupportedError(
            f"{what} depends on the size of the example{where}: a file would fit no other length "
            "or batch. Loop over time in nn.Recurrent, and take sizes out of the computation"
        )

    # ------------------------------------------------------------------ values

    def shapes(self, reference: Reference) -> Shapes:
        """Return the shape of a value at both sizes."""
        first, second = (t.values[reference.number].array.shape for t in self.traces)
        return first, second

    def dtype(self, reference: Reference) -> Any:
        """Return the element type of a value."""
        return self.traces[0].values[reference.number].array.dtype

    def held(self, reference: Reference) -> tuple[Array, Array] | None:
        """Return the numbers of a constant at both sizes."""
        first, second = (t.values[reference.number] for t in self.traces)
        return (first.array, second.array) if first.origin == CONSTANT else None

    def name(self, reference: Reference, step: Step | None, spreads: bool = False) -> str:
        """Return the name of a value; a constant is stored when it is first asked for.

        One that has another shape at the other size is refused, unless `spreads` says that one
        number does in its place, if all are the same.
        """
        known = self.names.get(reference.number)
        if known is not None:
            return known
        held = self.held(reference)
        assert held is not None
        a, b = held
        numbers = {*a.flat, *b.flat} if spreads and a.shape != b.shape else set()
        if len(numbers) == 1:
            return self.graph.constant(a.flat[0], a.dtype)
        if a.shape != b.shape or not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            raise self.varies(step, "a tensor that the model makes")
        name = self.traces[0].values[reference.number].name
        made = self.graph.weight(name, a) if name else self.graph.constant(a, a.dtype)
        self.names[reference.number] = made
        return made

    def operand(self, a: Step, b: Step, place: int, dtype: Any) -> str:
        """Return an input of an element-wise operation, a tensor or a number, as `dtype`."""
        given, other = a.inputs[place], b.inputs[place]
        if not isinstance(given, Reference):
            if given != other and not (given != given and other != other):
                raise self.varies(a, f"the number {given}")
            return self.graph.constant(given, dtype)
        name = self.name(given, a, spreads=True)
        return name if self.dtype(given) == dtype else self.cast(name, dtype)

    def cast(self, name: str, dtype: Any) -> str:
        """Return a value as another element type."""
        return self.graph.node("Cast", name, to=np.dtype(dtype))

    def result_dtype(self, a: Step) -> Any:
        """Return the element type of a step's result."""
        return self.dtype(Reference(a.outputs[0]))

    def same(self, a: Step, b: Step, name: str) -> Any:
        """Return a setting of a step, which must not depend on the size."""
        if a.params[name] != b.params[name]:
            raise self.varies(a, f"{name} of `{a.name}`")
        return a.params[name]


def in_module(step: Step) -> str:
    """Return " in path" for a step inside a module."""
    return f" in {step.path}" if step.path else ""


def _references(step: Step) -> list[Reference | None]:
    return [x if isinstance(x, Reference) else None for x in step.inputs]
