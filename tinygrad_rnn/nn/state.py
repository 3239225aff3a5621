"""Recurrent state: a tensor, or a (named) tuple, list or dict of states."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_rnn.errors import ArgumentError, ShapeError
from tinygrad_rnn.tensor import Tensor

State = Any


def map_state(function: Callable[..., Any], state: State, *others: State) -> State:
    """Apply `function` to each tensor of a state (and its counterparts), keeping the structure."""
    if state is None:
        return None
    if isinstance(state, Tensor):
        if not all(isinstance(o, Tensor) for o in others):
            raise _different(state, others)
        return function(state, *others)
    if isinstance(state, dict):
        if any(not isinstance(o, dict) or o.keys() != state.keys() for o in others):
            raise _different(state, others)
        return {key: map_state(function, state[key], *(o[key] for o in others)) for key in state}
    if isinstance(state, (tuple, list)):
        if any(not isinstance(o, (tuple, list)) or len(o) != len(state) for o in others):
            raise _different(state, others)
        parts = [map_state(function, *group) for group in zip(state, *others, strict=True)]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    raise ArgumentError(
        f"a state is a tensor, or a tuple, list or dict of states, not {type(state).__name__}"
    )


def _different(state: State, others: tuple[State, ...]) -> ShapeError:
    return ShapeError(
        f"a state built as {_structure(state)} does not go with {[_structure(o) for o in others]}"
    )


def _structure(state: State) -> str:
    if isinstance(state, dict):
        return "{" + ", ".join(f"{key!r}: {_structure(s)}" for key, s in state.items()) + "}"
    if isinstance(state, (tuple, list)):
        return "(" + ", ".join(_structure(s) for s in state) + ")"
    return type(state).__name__


def state_tensors(state: State) -> list[Tensor]:
    """Return the tensors of a state in order."""
    found: list[Tensor] = []
    map_state(found.append, state)
    return found


def detach_state(state: State) -> State:
    """Return the state outside the graph: the edge of a window in truncated BPTT.

    What follows starts from the same numbers, and no gradient flows back past this point.
    """
    return map_state(Tensor.detach, state)


def named_tensors(state: State) -> dict[str, Tensor]:
    """Return the tensors of a state by name, in order.

    Fields and keys give their names; a lone tensor is "h", a part of a plain tuple "state_0", ...
    """
    if state is None:
        return {}
    if isinstance(state, Tensor):
        return {"h": state}
    if isinstance(state, dict):
        parts = {str(key): part for key, part in state.items()}
    elif hasattr(state, "_fields"):
        parts = dict(zip(state._fields, state, strict=True))
    else:
        parts = {f"state_{i}": part for i, part in enumerate(state)}
    named = {}
    for name, part in parts.items():
        for inner, tensor in named_tensors(part).items():
            named[name if isinstance(part, Tensor) else f"{name}_{inner}"] = tensor
    return named
