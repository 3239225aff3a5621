"""What of a model and its optimizer is kept in a checkpoint, under which names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinygrad_rnn.checkpoints import Array
from tinygrad_rnn.errors import CheckpointError
from tinygrad_rnn.nn import Module
from tinygrad_rnn.optim import Optimizer


def arrays_of(model: Module, optimizer: Optimizer) -> dict[str, Array]:
    """Return the arrays of both by name; they share memory with them."""
    arrays = {f"model.{name}": t.numpy() for name, t in model.state_dict().items()}
    for number, parts in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{number}.{name}": t.numpy() for name, t in parts.items()}
    return arrays


def settings_of(optimizer: Optimizer) -> dict[str, Any]:
    """Return the settings of an optimizer, and the names of its arrays, as JSON types."""
    held = optimizer.state_dict()
    groups = [
        {name: value for name, value in group.items() if name != "params"}
        for group in held["param_groups"]
    ]
    names = [f"{number}.{name}" for number, parts in held["state"].items() for name in parts]
    return {"groups": groups, "arrays": sorted(names)}


def put_back_optimizer(
    optimizer: Optimizer, arrays: Mapping[str, Array], saved: Mapping[str, Any]
) -> None:
    """Give an optimizer what `arrays_of` and `settings_of` returned.

    Raises CheckpointError that names what is missing, and what `load_state_dict` raises.
    """
    found = named(arrays, "optimizer")
    missing = sorted(set(saved["arrays"]) - set(found))
    if missing:
        raise CheckpointError(f"the optimizer's state lacks {', '.join(missing)}")
    state: dict[int, dict[str, Array]] = {}
    for name, array in found.items():
        number, _, part = name.partition(".")
        state.setdefault(int(number), {})[part] = array
    own = [group["params"] for group in optimizer.state_dict()["param_groups"]]
    groups = [{**group, "params": p} for group, p in zip(saved["groups"], own, strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def named(arrays: Mapping[str, Array], section: str) -> dict[str, Array]:
    """Return the arrays whose names begin with `section` and a dot, under the rest of the name."""
    prefix = f"{section}."
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
