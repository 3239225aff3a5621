"""The tape: what a step did, primitive by primitive, in the order in which it did it.

Forward, backward, clipping and the optimizer stand one after the other, because they are the same
primitives. Printed, it is backpropagation through time written out. Nothing here computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tinygrad_rnn.arguments import Array, Shape
from tinygrad_rnn.context import Scope, Site
from tinygrad_rnn.ops import Primitive
from tinygrad_rnn.tensor import Tensor

ARGUMENT, CAPTURED, CONSTANT, COMPUTED = "argument", "captured", "constant", "computed"


class Value:
    """A tensor on the tape.

    `origin` says where it comes from: an argument of the step, a tensor that the step found
    outside (a parameter, say), a constant it made, or an operation. `root` is the number of the
    value whose memory it is a view of, or its own.
    """

    __slots__ = ("array", "chain", "dtype", "number", "origin", "place", "root", "shape", "tensor")

    def __init__(self, number: int, shape: Shape, dtype: Any, origin: str) -> None:
        self.number = number
        self.shape = shape
        self.dtype = dtype
        self.origin = origin
        self.root = number
        # The operations that make this view of the root, first to last.
        self.chain: tuple[Link, ...] = ()
        self.tensor: Tensor | None = None
        self.array: Array | None = None
        # Which argument it is.
        self.place = -1


@dataclass(eq=False, slots=True)
class Entry:
    """One primitive applied: to the numbers of values or to Python constants."""

    primitive: Primitive
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    outputs: tuple[int, ...]
    scope: Scope
    site: Site
    backward: bool
    region: int
    # For random numbers: how far the generator had been read since the step began.
    offset: int = 0

    def describe(self) -> str:
        """Name the operation, the module, the time step and the user's line."""
        scope = str(self.scope)
        where = f" in {scope}" if scope else ""
        kind = "the gradient of " if self.backward else ""
        return f"`{self.primitive.name}`{' of ' + kind if kind else ''}{where} ({self.site})"


class Link(NamedTuple):
    """One operation of those that make a view, and which of its outputs goes on."""

    primitive: Primitive
    inputs: tuple[Any, ...]
    params: dict[str, Any]
    outputs: tuple[int, ...]
    slot: int


class Reference(int):
    """The number of a value, as the input of an entry (a plain number is a constant)."""


@dataclass(eq=False, slots=True)
class Gradient:
    """`.grad` of an argument or captured tensor, as the step found it and as it left it.

    `before` is the value that it read, or None; `after` the value that it set, or None.
    """

    owner: int
    read: bool = False
    before: int | None = None
    written: bool = False
    after: int | None = None


@dataclass(eq=False)
class Tape:
    """Everything recorded of one step."""

    values: list[Value] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    # (root, its last value) of arguments and captured tensors that the step assigned to.
    writes: list[tuple[int, int]] = field(default_factory=list)
    gradients: list[Gradient] = field(default_factory=list)
    # The random streams that were read, and how far.
    generators: list[tuple[Any, int]] = field(default_factory=list)
    # The seeds of those that the step itself seeds, by their place in `generators`.
    seeds: dict[int, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.entries)

    def begins(self) -> list[dict[str, int]]:
        """The states at which a call that starts now begins to read the random streams."""
        return [
            {"seed": self.seeds[i], "counter": 0} if i in self.seeds else generator.get_state()
            for i, (generator, _) in enumerate(self.generators)
        ]

    def name(self, number: int) -> str:
        """The name by which a value goes in the printed tape."""
        known = self.names.get(number)
        if known is not None:
            return known
        value = self.values[number]
        if value.origin == ARGUMENT:
            return f"argument{value.place}"
        return {CAPTURED: "outside", CONSTANT: "constant"}.get(value.origin, "") + f"%{number}"

    def lines(self) -> Iterator[str]:
        """The tape as text, a line an operation, with a heading where module or step changes."""
        before = None
        for entry in self.entries:
            heading = (entry.scope, entry.backward)
            if heading != before:
                before = heading
                scope = str(entry.scope) or "(no module)"
                yield f"── {'backward through ' if entry.backward else ''}{scope}"
            yield "  " + self.line(entry)
        for root, last in self.writes:
            yield f"  {self.name(root)} ← {self.name(last)}"
        for gradient in self.gradients:
            if gradient.written:
                after = "none" if gradient.after is None else self.name(gradient.after)
                yield f"  {self.name(gradient.owner)}.grad ← {after}"
        if self.results:
            yield "  return " + ", ".join(self.name(number) for number in self.results)

    def line(self, entry: Entry) -> str:
        """One operation as text: outputs = primitive(inputs, params)  type shape  user's line."""
        shown = [
            self.name(x) if isinstance(x, Reference) else repr(x) for x in entry.inputs
        ] + [f"{name}={_short(value)}" for name, value in entry.params.items()]
        outputs = ", ".join(self.name(number) for number in entry.outputs[:4])
        more = f", … ({len(entry.outputs)})" if len(entry.outputs) > 4 else ""
        first = self.values[entry.outputs[0]] if entry.outputs else None
        kind = "" if first is None else f"{first.dtype} {first.shape}"
        if len(shown) > 8:
            shown = [*shown[:6], f"… ({len(shown)} in all)"]
        text = f"{outputs}{more} = {entry.primitive.name}({', '.join(shown)})"
        return f"{text:<72}  {kind:<24} {entry.site.file.rpartition('/')[2]}:{entry.site.line}"

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
