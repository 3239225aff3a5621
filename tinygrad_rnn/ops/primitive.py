"""What a primitive is. The tables beside this file hold the primitives themselves.

A primitive is a forward function on ndarrays and, for each input, a vjp: given the gradient `g` of
the output, the output and the inputs, the gradient of that input. A vjp uses only the methods of
the Tensors it is handed, so a gradient is a graph like any other and can be differentiated again;
where no method fits, `g.apply(primitive, ...)` applies another row of the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Value = Any
Vjp = Callable[..., Any]


class Primitive:
    """A row of the table.

    Args:
        name: what the operation is called in graphs, tapes and error messages.
        forward: `(*arrays, **params) -> array`. It never modifies its arguments.
        vjps: one function an input, `(g, out, *inputs, **params) -> gradient`. A gradient may have
            the broadcast shape; the engine sums it back. None where no gradient is defined, in
            which case the result never requires one.
        joint: instead of `vjps`, one function `(g, out, wanted, *inputs, **params) -> list` for
            primitives that take any number of inputs. `wanted` says which are needed.
        reads_inputs: whether the vjps read the numbers of the inputs (their shape and dtype can
            always be read). If not, the inputs' memory can be freed before backward.
        reads_output: whether they read `out`. If not, `out` is None.
        multiple: whether `forward` returns a tuple of results. `g` is then a list, with None for an
            output that received no gradient.
        view: whether the result may share memory with the first input.
    """

    __slots__ = (
        "differentiable",
        "forward",
        "joint",
        "multiple",
        "name",
        "reads_inputs",
        "reads_output",
        "view",
        "vjps",
    )

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        *vjps: Vjp | None,
        joint: Vjp | None = None,
        reads_inputs: bool = False,
        reads_output: bool = False,
        multiple: bool = False,
        view: bool = False,
    ) -> None:
        self.name = name
        self.forward = forward
        self.vjps = vjps
        self.joint = joint
        self.differentiable = bool(vjps) or joint is not None
        self.reads_inputs = reads_inputs
        self.reads_output = reads_output
        self.multiple = multiple
        self.view = view

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"
