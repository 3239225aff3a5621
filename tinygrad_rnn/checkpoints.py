"""Files of arrays: training checkpoints of our own, and weights exchanged with PyTorch.

Both are safetensors files. A checkpoint has, in the file's `__metadata__`, the format's name and
version, its settings as JSON and a SHA-256 over everything, so that it says what it is and
whether it is whole. Nothing is ever pickled, and nothing read from a file is executed. This
module sees names and arrays, never a model.
"""

import contextlib
import hashlib
import io
import json
import os
import secrets
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from tinygrad_rnn.errors import ArgumentError, CheckpointError, DtypeError
from tinygrad_rnn.paths import path_of

FORMAT = "tinygrad_rnn checkpoint"
VERSION = 1

Array = npt.NDArray[Any]

_deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize

_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "C64": "complex64",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
}
_FROM_PYTORCH = "save its state_dict there with safetensors.torch.save_file, then load_weights"
_MAGIC = {
    b"\x93NUMPY": "a NumPy .npy file; numpy.load reads it",
    b"\x89HDF": "an HDF5 file, as Keras writes",
    b"\x1f\x8b": "a gzip archive",
    b"GGUF": "a GGUF file",
}
_SHARED = "tinygrad_rnn.shared"
"""The metadata that names arrays which the file holds under another name."""

_LONGEST_HEADER = 100_000_000  # safetensors' own limit


class Checkpoint(NamedTuple):
    """What a checkpoint holds: its arrays by name, in sorted order, and its settings."""

    arrays: dict[str, Array]
    settings: dict[str, Any]


def save_checkpoint(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], settings: Mapping[str, Any]
) -> None:
    """Write arrays and settings to one file, whole or not at all.

    The file is written under a temporary name beside `path`, flushed to the disk and renamed, so
    whoever reads `path`, at any moment and after any crash, finds the old file or the new one.
    (A process killed while it writes leaves the temporary file, `.NAME.….tmp`, behind.) Missing
    folders are made. Equal contents give equal bytes.

    Arrays may be booleans, integers, float16, float32, float64 or complex64 of any shape; every
    bit is kept. Settings are a mapping of what JSON has: None, booleans, integers,
    floats (NaN and infinities too), strings, lists, and mappings with string keys. A tuple is
    read back as a list. An array given under several names (tied weights) is written once, and
    read back as one under all of them.

    Raises DtypeError or ArgumentError that names what cannot be saved, CheckpointError when the
    file cannot be written.
    """
    path = path_of(path)
    prepared = _prepare(arrays)
    settings_text = _settings_to_text(settings)
    metadata = {
        "format": f"{FORMAT} {VERSION}",
        "settings": settings_text,
        "sha256": _digest(prepared, settings_text),
    }
    write_whole(path, _serialize(prepared, metadata))


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read what `save_checkpoint` wrote, or raise CheckpointError that says what is wrong.

    It tells apart: no such file, a folder, an empty file, a truncated one, a damaged one, a file
    of another kind (which it names where it can), and one of a newer version of the format.
    Raises ArgumentError when `path` is no path.
    """
    path = path_of(path)
    content = _read(path)
    metadata = _metadata(path, content)
    version = _version(path, metadata)
    if version > VERSION:
        raise CheckpointError(
            f"{path} is a checkpoint of format version {version}, and this library reads up to "
            f"version {VERSION}: it was written by a newer tinygrad_rnn; upgrade to read it"
        )
    if version < 1:
        raise CheckpointError(
            f"{path} is damaged: it says format version {version}, and the first was 1. Restore it "
            "from a copy, or go back to an earlier checkpoint"
        )
    arrays = _arrays(path, content, metadata)
    settings_text = metadata.get("settings", "")
    if metadata.get("sha256") != _digest(arrays, settings_text):
        raise CheckpointError(
            f"{path} is damaged: its contents do not match their SHA-256. Restore it from a copy, "
            "or go back to an earlier checkpoint"
        )
    try:
        settings = json.loads(settings_text)
    except ValueError:
        raise CheckpointError(f"{path} is damaged: its settings are not JSON") from None
    return Checkpoint(arrays, settings)


def save_weights(
    path: str | os.PathLike[str],
    arrays: Mapping[str, Array],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a plain safetensors file, such as `safetensors.torch.load_file` reads.

    Written whole or not at all, as `save_checkpoint` does. `metadata` maps strings to strings and
    is put into the file's header; some readers want {"format": "pt"} there. An array given under
    several names (tied weights) is written once, under the first in sorted order, as
    `safetensors.torch.load_model` expects it; `load_weights` gives it under all of them.

    Raises DtypeError or ArgumentError that names what cannot be saved, CheckpointError when the
    file cannot be written.
    """
    path = path_of(path)
    if metadata is not None and not isinstance(metadata, Mapping):
        raise ArgumentError(
            f"metadata is a mapping of strings to strings, not {type(metadata).__name__}"
        )
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ArgumentError(
                f"safetensors metadata maps strings to strings, but {key!r} maps to {value!r}"
            )
    write_whole(path, _serialize(_prepare(arrays), dict(metadata or {})))


def load_weights(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read the arrays of any safetensors file, by name in sorted order.

    float16 and bfloat16, which models here do not compute in, are converted to float32, which
    holds each of their values exactly. Every other type is kept.

    Raises CheckpointError as `load_checkpoint` does, and for a type that NumPy lacks (the 8-bit
    floats), naming the array.
    """
    path = path_of(path)
    content = _read(path)
    arrays = _arrays(path, content, _metadata(path, content))
    halves = {n: a.astype(np.float32) for n, a in arrays.items() if a.dtype == np.float16}
    return arrays | halves


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the metadata of any safetensors file: {} where it has none. No array is looked at.

    Raises CheckpointError as `load_checkpoint` does.
    """
    path = path_of(path)
    return _metadata(path, _read(path))


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file at `path`, following a symbolic link, in one step: whole or not at all.

    Raises CheckpointError when it cannot be written; what was there before is unchanged then.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be written: {error.strerror or error}. What was there before is "
            "unchanged"
        ) from error
    _flush_directory(target.parent)


def _prepare(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays by sorted name, each in C order and native byte order."""
    if not isinstance(arrays, Mapping):
        raise ArgumentError(
            f"arrays are a mapping of names to arrays, not {type(arrays).__name__}; "
            "give each array a name"
        )
    for name in arrays:
        if not isinstance(name, str) or name == "__metadata__" or not _is_utf8(name):
            raise ArgumentError(
                f"an array cannot be saved under the name {name!r}; a name is a string of "
                'characters that UTF-8 has, and not "__metadata__"'
            )
    prepared = {}
    # The given arrays are kept, so that no other can come to lie where one of them lay.
    seen: dict[Any, tuple[Array, Array]] = {}
    for name in sorted(arrays):
        try:
            array = np.asarray(arrays[name])
        except ValueError:
            raise DtypeError(
                f"array {name!r} is no array: its rows differ in length; save each under a name "
                "of its own"
            ) from None
        if array.dtype.name not in _DTYPES.values():
            raise DtypeError(
                f"array {name!r} has dtype {array.dtype}, which safetensors does not hold; "
                f"it holds {', '.join(_DTYPES.values())}"
            )
        # Not ascontiguousarray, which makes one dimension of none.
        ordered = np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
        memory = (array.ctypes.data, array.shape, array.strides, array.dtype)
        # An empty array has no memory of its own.
        prepared[name] = seen.setdefault(memory, (array, ordered))[1] if array.size else ordered
    return prepared


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _settings_to_text(settings: Mapping[str, Any]) -> str:
    if not isinstance(settings, Mapping):
        raise ArgumentError(f"settings are a mapping, not {type(settings).__name__}")
    try:
        _check_settings(settings, "settings")
        return json.dumps(settings)
    except RecursionError:
        raise ArgumentError("settings are nested too deeply, or hold themselves") from None


def _check_settings(value: object, place: str) -> None:
    """Raise ArgumentError at the first thing that JSON would refuse or silently change."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ArgumentError(f"{place} has the key {key!r}; keys of settings are strings")
            _check_settings(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_settings(item, f"{place}[{number}]")
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise ArgumentError(
            f"{place} is of type {type(value).__name__}, which JSON does not have; convert it "
            "(int(), float(), .tolist()), or save it among the arrays"
        )


def _digest(arrays: Mapping[str, Array], settings_text: str) -> str:
    """Return the SHA-256 over the settings and every name, type, shape and byte."""
    digest = hashlib.sha256(settings_text.encode())
    for name, array in arrays.items():
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _serialize(arrays: dict[str, Array], metadata: dict[str, str]) -> bytes:
    first: dict[int, str] = {}
    shared = {n: kept for n, a in arrays.items() if (kept := first.setdefault(id(a), n)) != n}
    if shared:
        arrays = {name: array for name, array in arrays.items() if name not in shared}
        metadata = metadata | {_SHARED: json.dumps(shared)}
    content = safetensors.numpy.save(arrays, metadata or None)
    # safetensors writes the metadata in an order that changes from call to call.
    data_start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:data_start])
    if metadata:
        header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[data_start:]


def _flush_directory(directory: Path) -> None:
    """Make a rename in `directory` survive a power failure, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise CheckpointError(f"{path} is a folder; give the path of a file in it")
        if not path.exists():
            raise CheckpointError(f"there is no file {path.absolute()}")
        if not path.is_file():
            raise CheckpointError(f"{path} is not a regular file")
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    if not content:
        raise CheckpointError(f"{path} is empty")
    return content


def _metadata(path: Path, content: bytes) -> dict[str, Any]:
    """Return the metadata of a safetensors file that is as long as its header says."""
    length = int.from_bytes(content[:8], "little")
    if length > _LONGEST_HEADER or (len(content) > 8 and content[8:9] != b"{"):
        kind = _kind(content)
        if kind is None:
            raise CheckpointError(
                f"{path} is not a safetensors file, or its first bytes are damaged"
            )
        raise CheckpointError(f"{path} is not a safetensors file: it looks like {kind}")
    data_start = 8 + length
    if len(content) <= 8 or len(content) < data_start:
        raise CheckpointError(
            f"{path} is truncated in its header: it has {len(content)} bytes, and at least "
            f"{max(data_start, 10)} are expected"
        )
    try:
        header = json.loads(content[8:data_start])
        ends = [header[name]["data_offsets"][1] for name in header if name != "__metadata__"]
        expected = data_start + max(ends, default=0)
    except (ValueError, TypeError, LookupError, RecursionError):
        raise CheckpointError(f"{path} is damaged: its header cannot be read") from None
    if len(content) < expected:
        raise CheckpointError(
            f"{path} is truncated: it has {len(content)} bytes of the {expected} expected"
        )
    if len(content) > expected:
        raise CheckpointError(
            f"{path} is damaged: it has {len(content)} bytes, more than the {expected} expected"
        )
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path} is damaged: its metadata is not an object")
    return metadata


def _version(path: Path, metadata: dict[str, Any]) -> int:
    name, _, version = str(metadata.get("format", "")).rpartition(" ")
    if name != FORMAT or not version.isdecimal():
        raise CheckpointError(
            f"{path} is a safetensors file but not a checkpoint of tinygrad_rnn; "
            "load_weights reads the arrays of any safetensors file"
        )
    return int(version)


def _arrays(path: Path, content: bytes, metadata: dict[str, Any]) -> dict[str, Array]:
    """Return a copy of every array by name, in order; bfloat16, which NumPy lacks, as float32."""
    try:
        entries = _deserialize(content)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    arrays = {}
    for name, entry in sorted(entries, key=lambda entry: entry[0]):
        kind, shape, data = entry["dtype"], entry["shape"], entry["data"]
        if kind == "BF16":
            upper = np.frombuffer(data, "<u2").astype(np.uint32)
            array = (upper << 16).view(np.float32)
        elif kind in _DTYPES:
            dtype = np.dtype(_DTYPES[kind])
            array = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
        else:
            raise CheckpointError(
                f"array {name!r} of {path} is of type {kind}, which NumPy does not have; convert "
                "it to float32 where the file was made"
            )
        arrays[name] = array.reshape(shape)
    try:
        shared = json.loads(metadata.get(_SHARED, "{}"))
        arrays |= {name: arrays[kept] for name, kept in shared.items()}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise CheckpointError(f"{path} is damaged: what it shares is not there") from None
    return dict(sorted(arrays.items()))


def _kind(content: bytes) -> str | None:
    """Name the kind of file by its first bytes, without unpacking or unpickling anything."""
    if content.startswith(b"PK\x03\x04"):
        return _kind_of_zip(content)
    if content[0] == 0x80 and content[1] in range(2, 6):
        return f"a Python pickle, or an old torch.save file, which is one; {_FROM_PYTORCH}"
    for magic, kind in _MAGIC.items():
        if content.startswith(magic):
            return kind
    with contextlib.suppress(UnicodeDecodeError):
        if content[:1024].decode("ascii").replace("\n", "").isprintable():
            return "a text file"
    return None


def _kind_of_zip(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        names = []
    if any(name.endswith("data.pkl") for name in names):
        return f"a PyTorch file written by torch.save; {_FROM_PYTORCH}"
    if any(name.endswith(".npy") for name in names):
        return "a NumPy .npz file; numpy.load reads it"
    return "a zip archive (torch.save and numpy.savez write such)"
