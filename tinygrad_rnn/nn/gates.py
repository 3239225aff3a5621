"""Which part of which parameter belongs to which gate, for whatever treats gates one by one.

A recurrent cell is a module that says how its state begins, by `initial_state` or `hidden_size`,
and holds no other one. It declares its gates by a class attribute `gate_names` if its parameters
have PyTorch's names and lie in blocks, or by a method `gate_blocks()`. Knows modules, no cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tinygrad_rnn.errors import ArgumentError
from tinygrad_rnn.nn.module import Module
from tinygrad_rnn.tensor import Tensor

ROLES = {
    "weight_ih": "input",
    "weight_hh": "hidden",
    "bias_ih": "bias",
    "bias_hh": "bias",
    "bias": "bias",
}


class GateBlock(NamedTuple):
    """The part of a parameter that belongs to one gate.

    Args:
        role: "input" for weights of x, "hidden" for weights of h, "bias".
        gate: the gate's name.
        parameter: what it is a part of.
        rows: which rows; all if None.
        columns: which columns; all if None.
    """

    role: str
    gate: str
    parameter: Tensor
    rows: slice | None = None
    columns: slice | None = None

    def view(self) -> Tensor:
        """Return the part as a tensor that shares the parameter's memory."""
        part = self.parameter.detach()
        part = part if self.rows is None else part[self.rows]
        return part if self.columns is None else part[:, self.columns]


def recurrent_cells(module: Module) -> list[tuple[str, Module]]:
    """Return every recurrent cell in a module, once, with its path.

    Raises:
        ArgumentError: if a cell does not declare its gates.
    """
    found: list[tuple[str, Module]] = []
    seen: set[int] = set()

    def walk(path: str, module: Module) -> bool:
        """Collect the cells, and return whether there are any at or below this module."""
        if id(module) in seen:
            return True
        names = getattr(module, "gate_names", None)
        if names or hasattr(module, "gate_blocks"):
            seen.add(id(module))
            found.append((path, module))
            return True
        below = [
            walk(f"{path}.{name}" if path else name, child)
            for name, child in module.named_children()
        ]
        if any(below):
            return True
        begins = hasattr(module, "initial_state") or hasattr(module, "hidden_size")
        if begins and names is None and next(module.parameters(), None) is not None:
            raise _undeclared(path, module, "does not declare its gates")
        return False

    walk("", module)
    return found


def gate_blocks(path: str, cell: Module) -> list[GateBlock]:
    """Return the blocks of a cell's gates, which cover every parameter not named in `ungated`.

    Raises:
        ArgumentError: if they do not.
    """
    own = getattr(cell, "gate_blocks", None)
    blocks = list(_by_name(path, cell) if own is None else own())
    ungated = getattr(cell, "ungated", ())
    for name, parameter in cell.named_parameters():
        if any(name == other or name.startswith(f"{other}.") for other in ungated):
            continue
        covered = sum(block.view().numel() for block in blocks if block.parameter is parameter)
        if covered != parameter.numel():
            gates = f"of which gates own {covered} numbers out of {parameter.numel()}"
            raise _undeclared(path, cell, f"has a parameter {name} {parameter.shape}, {gates}")
    return blocks


def _by_name(path: str, cell: Module) -> Iterator[GateBlock]:
    """Yield the blocks of parameters with PyTorch's names: one after the other, gate by gate."""
    names = tuple(cell.gate_names)
    for key, role in ROLES.items():
        parameter = cell._parameters.get(key)
        if parameter is None:
            continue
        length, rest = divmod(parameter.shape[0], len(names))
        if rest:
            raise _undeclared(
                path, cell, f"has {key} {parameter.shape}, which {len(names)} gates do not divide"
            )
        for k, gate in enumerate(names):
            yield GateBlock(role, gate, parameter, slice(k * length, (k + 1) * length))


def _undeclared(path: str, cell: Module, what: str) -> ArgumentError:
    name = f"{path} ({type(cell).__name__})" if path else type(cell).__name__
    return ArgumentError(
        f"{name} {what}. With parameters weight_ih (gates * H, in), weight_hh (gates * H, H), "
        "bias_ih and bias_hh, give the class an attribute gate_names = (...), in the order of "
        "their blocks; with others, a method gate_blocks(self) that yields nn.init.GateBlock(role, "
        "gate, parameter, rows, columns) for each. ungated = (...) names parameters to leave "
        "alone; gate_names = () says that the module is no cell"
    )
