"""save and load: tensors in dicts and lists, to one file and back, under PyTorch's names.

A state dict becomes a plain safetensors file, anything else a checkpoint; nothing is pickled, so
what is read from a file is never executed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn import checkpoints
from tinygrad_rnn.arguments import Array
from tinygrad_rnn.creation import tensor
from tinygrad_rnn.devices import require_cpu
from tinygrad_rnn.errors import CheckpointError, UnsupportedError
from tinygrad_rnn.tensor import Tensor

_FORMAT = "tinygrad_rnn.save"
_VERSION = 1


def save(obj: Any, f: Any) -> None:
    """Write dicts, lists and tuples of tensors, numbers, strings, booleans and None to a file.

    A dict of names and tensors, such as `model.state_dict()`, becomes a safetensors file that
    `safetensors.torch.load_file` reads.

    Args:
        obj: what is saved.
        f: a path, or a file open for writing in binary.

    Raises:
        UnsupportedError: for other objects, such as a module itself.
        CheckpointError: if the file cannot be written.
    """
    if _is_open(f, "write"):
        with tempfile.TemporaryDirectory() as folder:
            save(obj, Path(folder, "saved"))
            f.write(Path(folder, "saved").read_bytes())
        return
    if isinstance(obj, Mapping) and obj and _is_state(obj):
        checkpoints.save_weights(f, {name: _numbers(x) for name, x in obj.items()})
        return
    arrays: dict[str, Array] = {}
    tree = _packed(obj, arrays, "the object")
    settings = {"written by": _FORMAT, "version": _VERSION, "tree": tree}
    checkpoints.save_checkpoint(f, arrays, settings)


def load(f: Any, map_location: Any = None, weights_only: bool = True) -> Any:
    """Read what `save` wrote, or a safetensors file as a dict of tensors.

    Args:
        f: a path, or a file open for reading in binary, which is read to its end.
        map_location: "cpu".
        weights_only: changes nothing; there is never anything else in a file.

    Raises:
        CheckpointError: if the file is missing, damaged or of another kind, such as one that
            PyTorch wrote with torch.save.
    """
    require_cpu(map_location)
    if _is_open(f, "read"):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "saved").write_bytes(f.read())
            return load(Path(folder, "saved"))
    metadata = checkpoints.load_metadata(f)
    # Where one bit of the format is damaged, the others tell that these are no plain weights.
    named = metadata.get("format", "").startswith(checkpoints.FORMAT)
    if named or metadata.keys() >= {"settings", "sha256"}:
        arrays, settings = checkpoints.load_checkpoint(f)
        if settings.get("written by") != _FORMAT:
            raise CheckpointError(
                f"{f} is a checkpoint of a training run, not what save() wrote; "
                "tinygrad_rnn.checkpoints.load_checkpoint reads it"
            )
        return _unpacked(settings["tree"], arrays)
    return {name: tensor(array) for name, array in checkpoints.load_weights(f).items()}


def _is_open(f: Any, for_what: str) -> bool:
    return not isinstance(f, (str, os.PathLike)) and hasattr(f, for_what)


def _is_state(obj: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(x, Tensor) for name, x in obj.items())


def _numbers(x: Tensor) -> Array:
    return x.detach().numpy()


def _packed(obj: Any, arrays: dict[str, Array], place: str) -> Any:
    """Return what JSON can say of an object; tensors and arrays are put into `arrays`."""
    if isinstance(obj, (Tensor, np.ndarray)):
        name = str(len(arrays))
        arrays[name] = _numbers(obj) if isinstance(obj, Tensor) else obj
        return {"tensor" if isinstance(obj, Tensor) else "array": name}
    if isinstance(obj, np.generic):
        return obj.item()
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    if isinstance(obj, Mapping):
        return {
            "dict": [
                [_packed(key, arrays, place), _packed(value, arrays, f"{place}[{key!r}]")]
                for key, value in obj.items()
            ]
        }
    if isinstance(obj, (list, tuple)):
        kind = "list" if isinstance(obj, list) else "tuple"
        return {kind: [_packed(x, arrays, f"{place}[{i}]") for i, x in enumerate(obj)]}
    raise UnsupportedError(
        f"{place} is a {type(obj).__name__}, and objects are not pickled; save the state_dict() of "
        "a module or optimizer, and make the object anew before loading it"
    )


def _unpacked(tree: Any, arrays: Mapping[str, Array]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, held),) = tree.items()
    if kind == "tensor":
        return tensor(arrays[held])
    if kind == "array":
        return arrays[held]
    if kind == "dict":
        return {_unpacked(key, arrays): _unpacked(value, arrays) for key, value in held}
    several = [_unpacked(x, arrays) for x in held]
    return several if kind == "list" else tuple(several)
