"""The state of an optimizer in a safetensors file that PyTorch reads and writes, too.

What `optimizer.state_dict()` returns, here and in PyTorch, is laid out flat. The array
`state.0.exp_avg` is what "exp_avg" of parameter 0 is there; a list, such as LBFGS keeps, has a
number more: `state.0.old_dirs.2`. The file's metadata has, each as JSON, "param_groups" as the
state dict has them, and "state": what of the state is no array, by parameter and name, with an
empty list in place of each list of arrays. PyTorch needs no more than these two functions:

    import json
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    def write(path, optimizer):
        packed = optimizer.state_dict()
        tensors, rest = {}, {}
        for number, held in packed["state"].items():
            for name, value in held.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"state.{number}.{name}"] = value
                elif name != "al":  # LBFGS makes it anew
                    rest.setdefault(number, {})[name] = [] if isinstance(value, list) else value
                    for i, part in enumerate(value if isinstance(value, list) else ()):
                        tensors[f"state.{number}.{name}.{i}"] = part
        metadata = {"param_groups": packed["param_groups"], "state": rest}
        save_file(tensors, path, {name: json.dumps(value) for name, value in metadata.items()})

    def read(path, optimizer):
        with safe_open(path, "pt") as file:
            metadata = {name: json.loads(text) for name, text in file.metadata().items()
                        if name in ("param_groups", "state")}
            state = {int(number): held for number, held in metadata["state"].items()}
            lists = {}
            for key in file.keys():
                _, number, name, *place = key.split(".")
                held = state.setdefault(int(number), {})
                if place:
                    lists.setdefault((int(number), name), {})[int(place[0])] = file.get_tensor(key)
                else:
                    held[name] = file.get_tensor(key)
            for (number, name), parts in lists.items():
                state[number][name] = [parts[i] for i in sorted(parts)]
        optimizer.load_state_dict({"state": state, "param_groups": metadata["param_groups"]})

Parameters are numbered in the order in which the optimizer got them, so both sides have to give
them in the same order; that of `parameters()` is the same for the same layers.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tinygrad_rnn.arguments import Array
from tinygrad_rnn.checkpoints import load_metadata, load_weights, save_weights
from tinygrad_rnn.errors import ArgumentError, CheckpointError, StateDictError
from tinygrad_rnn.optim import Optimizer
from tinygrad_rnn.tensor import Tensor


def save_optimizer(path: str | os.PathLike[str], optimizer: Optimizer) -> None:
    """Write the state and the settings of an optimizer, in the form at the head of this file.

    Raises ArgumentError for what is no optimizer, CheckpointError when the file cannot be written.
    """
    _require_optimizer(optimizer)
    packed = optimizer.state_dict()
    arrays: dict[str, Array] = {}
    rest: dict[str, dict[str, Any]] = {}
    for number, held in packed["state"].items():
        for name, value in held.items():
            key = f"state.{number}.{name}"
            if isinstance(value, Tensor):
                arrays[key] = value.numpy()
            elif isinstance(value, list) and all(isinstance(part, Tensor) for part in value):
                arrays |= {f"{key}.{i}": part.numpy() for i, part in enumerate(value)}
                rest.setdefault(str(number), {})[name] = []
            else:
                rest.setdefault(str(number), {})[name] = value
    metadata = {"param_groups": _json(packed["param_groups"]), "state": _json(rest)}
    save_weights(path, arrays, {"format": "pt", **metadata})


def load_optimizer(path: str | os.PathLike[str], optimizer: Optimizer) -> None:
    """Give an optimizer the state and settings that `save_optimizer`, or PyTorch, wrote to a file.

    Raises:
        ArgumentError: for what is no optimizer.
        CheckpointError: when the file cannot be read, or holds no optimizer.
        StateDictError: when it holds other groups or shapes than the optimizer's. Nothing has been
            changed then.
    """
    _require_optimizer(optimizer)
    metadata = load_metadata(path)
    if "param_groups" not in metadata:
        raise CheckpointError(
            f'{path} holds no optimizer: its metadata lacks "param_groups". Write it with '
            "save_optimizer or, from PyTorch, as the documentation of "
            "tinygrad_rnn.interchange.optimizers shows"
        )
    try:
        groups = json.loads(metadata["param_groups"])
        rest = json.loads(metadata.get("state", "{}"))
        state: dict[int, dict[str, Any]] = {int(number): dict(rest[number]) for number in rest}
        if not isinstance(groups, list) or any("params" not in dict(group) for group in groups):
            raise ValueError
    except (ValueError, TypeError):
        raise CheckpointError(
            f"{path} is damaged: the settings of its optimizer cannot be read"
        ) from None
    arrays = load_weights(path)
    for key in sorted(arrays, key=_in_order):
        _, number, name, *place = _parts(path, key)
        held = state.setdefault(int(number), {})
        if not place:
            held[name] = arrays[key]
        else:
            held.setdefault(name, []).append(arrays[key])
    try:
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    except StateDictError as error:
        raise StateDictError(f"the optimizer in {path} does not fit: {error}") from error


def _require_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"an optimizer of tinygrad_rnn.optim is saved and loaded, not "
            f"{type(optimizer).__name__}; for PyTorch's see tinygrad_rnn.interchange.optimizers"
        )


def _parts(path: str | os.PathLike[str], key: str) -> list[str]:
    parts = key.split(".")
    right = len(parts) in (3, 4) and parts[0] == "state"
    if not right or not all(part.isdecimal() for part in (parts[1], *parts[3:])):
        raise CheckpointError(
            f"{path} holds the array {key!r}, which is no state of an optimizer: such are named "
            "state.NUMBER.NAME"
        )
    return parts


def _in_order(key: str) -> tuple[str, int]:
    """Sort the parts of a list by their number: 10 after 9."""
    head, _, last = key.rpartition(".")
    return (head, int(last)) if last.isdecimal() else (key, 0)


def _json(value: Any) -> str:
    try:
        return json.dumps(value)
    except TypeError as error:
        raise ArgumentError(
            f"the optimizer has a setting that JSON does not hold: {error}"
        ) from None
