"""Checkpoints come back bit for bit or not at all, and say what is wrong with a bad file."""

import contextlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_rnn import checkpoints
from tinygrad_rnn.checkpoints import (
    load_checkpoint,
    load_metadata,
    load_weights,
    save_checkpoint,
    save_weights,
)
from tinygrad_rnn.errors import ArgumentError, CheckpointError, DtypeError

ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "lstm.weight_ih_l0": np.arange(12, dtype=np.float32).reshape(3, 4),
    "step": np.array(7, dtype=np.int64),
    "empty": np.empty((0, 3), dtype=np.float64),
    "mask": np.array([True, False, True]),
}
SETTINGS = {"vocabulary": {"level": "char", "symbols": ["\0", "한", "🙂", "\ud800"]}, "epoch": 3}

dtypes = st.sampled_from(
    ["bool", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "c8", "u8", "i8", "f8", ">f4", ">i8"]
).map(np.dtype)
arrays = dtypes.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def assert_same_bits(actual: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> None:
    assert actual.dtype == expected.dtype.newbyteorder("=")
    assert actual.shape == expected.shape
    native = expected.astype(expected.dtype.newbyteorder("="))
    assert actual.tobytes() == native.tobytes()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, ARRAYS, SETTINGS)
    return path


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(max_size=8), arrays, max_size=4),
    st.dictionaries(st.text(), json_values),
)
def test_everything_comes_back(
    tmp_path_factory: pytest.TempPathFactory, held: dict[str, Any], told: dict[str, Any]
) -> None:
    """An array or a setting is changed by being saved."""
    held.pop("__metadata__", None)
    path = tmp_path_factory.getbasetemp() / "roundtrip"
    save_checkpoint(path, held, told)
    checkpoint = load_checkpoint(path)
    assert checkpoint.settings == told
    assert list(checkpoint.arrays) == sorted(held)
    for name, array in held.items():
        assert_same_bits(checkpoint.arrays[name], array)
        assert checkpoint.arrays[name].flags.writeable


def test_payloads_signs_and_layouts_survive(tmp_path: Path) -> None:
    """NaN payloads or negative zeros are normalised, or strided arrays are written wrong."""
    bits = np.array([0x7FF8000000000123, 0xFFF0000000000001, 1 << 63], dtype=np.uint64)
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    held = {
        "nan": bits.view(np.float64),
        "transposed": whole.T,
        "strided": whole[::2, ::-3],
        "fortran": np.asfortranarray(whole),
        "broadcast": np.broadcast_to(np.float32(2), (3, 2)),
        "scalar": np.array(-0.0),
    }
    save_checkpoint(tmp_path / "a", held, {})
    save_weights(tmp_path / "b", held)
    for read in (load_checkpoint(tmp_path / "a").arrays, load_weights(tmp_path / "b")):
        for name, array in held.items():
            assert_same_bits(read[name], array)


def test_infinite_settings_and_tuples(tmp_path: Path) -> None:
    """A best loss that is still infinite cannot be saved."""
    save_checkpoint(tmp_path / "a", {}, {"best": float("inf"), "pair": (1, 2)})
    assert load_checkpoint(tmp_path / "a").settings == {"best": float("inf"), "pair": [1, 2]}


def test_equal_contents_give_equal_bytes(tmp_path: Path) -> None:
    """Runs that are equal cannot be compared by their files."""
    contents = set()
    for number in range(10):
        path = tmp_path / str(number)
        save_checkpoint(path, dict(reversed(ARRAYS.items())) if number % 2 else ARRAYS, SETTINGS)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_missing_folders_are_made_and_links_followed(tmp_path: Path) -> None:
    """The first save of a long run fails for want of a folder, or a link becomes a file."""
    path = tmp_path / "runs" / "first" / "model"
    save_checkpoint(path, ARRAYS, SETTINGS)
    link = tmp_path / "latest"
    link.symlink_to(path)
    save_checkpoint(link, {}, {"epoch": 4})
    assert link.is_symlink()
    assert load_checkpoint(path).settings == {"epoch": 4}


@pytest.mark.parametrize(
    ("held", "told", "error", "words"),
    [
        ({"w": np.array(["a"])}, {}, DtypeError, "'w' has dtype <U1"),
        ({"w": np.zeros(1, complex)}, {}, DtypeError, "complex128"),
        ({"w": np.array([None])}, {}, DtypeError, "object"),
        ({"__metadata__": np.zeros(1)}, {}, ArgumentError, "__metadata__"),
        ({"\ud800": np.zeros(1)}, {}, ArgumentError, "name"),
        ({}, [], ArgumentError, "list"),
        ({}, {"a": {"b": [1, np.int64(3)]}}, ArgumentError, r"settings\['a'\]\['b'\]\[1\].*int64"),
        ({}, {"a": {1: 2}}, ArgumentError, r"settings\['a'\] has the key 1"),
        ({}, {"a": {1, 2}}, ArgumentError, "set"),
    ],
)
def test_what_cannot_be_saved_is_named(
    tmp_path: Path, held: Any, told: Any, error: type[Exception], words: str
) -> None:
    """Something is saved that will not come back the same, or the error does not name it."""
    with pytest.raises(error, match=words):
        save_checkpoint(tmp_path / "a", held, told)
    assert os.listdir(tmp_path) == []


def test_every_truncation_is_found(saved: Path, tmp_path: Path) -> None:
    """A file that lost its end is loaded, or called something else."""
    content = saved.read_bytes()
    cut = tmp_path / "cut"
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        expected = "is empty" if length == 0 else f"truncated.* has {length} bytes"
        with pytest.raises(CheckpointError, match=expected):
            load_checkpoint(cut)
    cut.write_bytes(content[:-1])
    with pytest.raises(
        CheckpointError, match=f"{len(content) - 1} bytes of the {len(content)} exp"
    ):
        load_checkpoint(cut)


def test_every_flipped_bit_is_found(saved: Path, tmp_path: Path) -> None:
    """A damaged file is loaded as if it were whole."""
    content = saved.read_bytes()
    bad = tmp_path / "bad"
    whole = load_checkpoint(saved)
    random = np.random.default_rng(0)
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        bad.write_bytes(damaged)
        try:
            loaded = load_checkpoint(bad)
        except CheckpointError:
            continue
        # Only the padding of the header may change without changing what the file says.
        assert chr(content[place]) == " "
        assert loaded.settings == whole.settings
        for name, array in whole.arrays.items():
            assert_same_bits(loaded.arrays[name], array)


def test_every_flipped_bit_of_the_version_is_found(saved: Path) -> None:
    """A digit that became another is taken for a version that never was."""
    content = saved.read_bytes()
    place = content.index(b"checkpoint 1") + len(b"checkpoint ")
    for bit in range(8):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        saved.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_checkpoint(saved)


def test_damage_in_the_data_is_called_damage(saved: Path) -> None:
    """A flipped bit in a weight is not told from other faults."""
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged: .*SHA-256"):
        load_checkpoint(saved)


def test_bytes_behind_the_end_are_damage(saved: Path) -> None:
    """A file that grew is loaded."""
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match=r"damaged: .* more than"):
        load_checkpoint(saved)


def with_header(text: bytes, data: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        with_header(b"{not json}"),
        with_header(b'{"a": 5}'),
        with_header(b'{"a": {"data_offsets": [0]}}'),
        with_header(b'{"a": {"data_offsets": [0, "x"]}}'),
        with_header(b'{"__metadata__": []}'),
        with_header(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', b"1234"),
        with_header(b'{"\xff": 1}'),
        with_header(b"{" + b'"a":[' * 200_000),
    ],
)
def test_a_damaged_header_is_an_error_of_ours(tmp_path: Path, content: bytes) -> None:
    """A header that cannot be understood escapes as an error of the JSON reader."""
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load_weights(path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def zip_of(name: str) -> bytes:
    import zipfile

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, b"12345")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (pickle.dumps({"weights": [1.0]}), "pickle"),
        (zip_of("archive/data.pkl"), "torch.save"),
        (zip_of("w.npy"), "npz"),
        (zip_of("x"), "zip archive"),
        (zip_of("w.npy")[:40], "zip archive"),
        (b"\x93NUMPY\x01\x00v\x00{'descr'", ".npy"),
        (b"\x89HDF\r\n\x1a\n\0\0", "HDF5"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0", "gzip"),
        (b"To be, or not to be,\nthat is", "text file"),
        (bytes(range(200, 256)), "first bytes are damaged"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    """A file of another kind is called damaged, or is unpickled."""
    path = tmp_path / "foreign"
    path.write_bytes(content)
    for load in (load_checkpoint, load_weights):
        with pytest.raises(CheckpointError, match=kind):
            load(path)


def test_a_header_that_begins_like_a_pickle_is_no_pickle(tmp_path: Path) -> None:
    """A header of 640 bytes, 0x80 0x02, makes a good file look like a pickle."""
    for length in range(300, 600):
        save_checkpoint(tmp_path / "a", {}, {"filler": "x" * length})
        if (tmp_path / "a").read_bytes()[:2] == b"\x80\x02":
            break
    else:
        pytest.fail("no header of 640 bytes")
    assert load_checkpoint(tmp_path / "a").settings == {"filler": "x" * length}


def test_safetensors_of_others_are_foreign(tmp_path: Path) -> None:
    """Weights from elsewhere are taken for a training checkpoint."""
    path = tmp_path / "weights"
    save_weights(path, ARRAYS, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"not a checkpoint of tinygrad_rnn.*load_weights"):
        load_checkpoint(path)


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    """A file of a later library is called damaged."""
    path = tmp_path / "newer"
    metadata = {"format": f"{checkpoints.FORMAT} {checkpoints.VERSION + 1}"}
    path.write_bytes(safetensors.numpy.save({}, metadata))
    with pytest.raises(CheckpointError, match=r"version 2.*newer"):
        load_checkpoint(path)


def test_settings_that_are_not_json_are_damage(tmp_path: Path) -> None:
    """A file of another writer escapes as an error of the JSON reader."""
    path = tmp_path / "odd"
    metadata = {"format": "tinygrad_rnn checkpoint 1", "settings": "{", "sha256": ""}
    metadata["sha256"] = checkpoints._digest({}, "{")
    path.write_bytes(safetensors.numpy.save({}, metadata))
    with pytest.raises(CheckpointError, match="settings are not JSON"):
        load_checkpoint(path)


def test_missing_folder_and_device_are_named(tmp_path: Path) -> None:
    """A path with nothing to read gives an error that does not say why."""
    for load in (load_checkpoint, load_weights):
        with pytest.raises(CheckpointError, match=r"there is no file .*absent"):
            load(tmp_path / "absent")
        with pytest.raises(CheckpointError, match="is a folder"):
            load(tmp_path)
        with pytest.raises(CheckpointError, match="not a regular file"):
            load(os.devnull)


def test_a_file_that_cannot_be_read_is_named(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lack of permission gives an untyped error."""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CheckpointError, match="cannot be read: Permission denied"):
        load_checkpoint(saved)


def test_a_folder_cannot_be_written_over(tmp_path: Path) -> None:
    """Saving onto a folder destroys it or leaves a temporary file."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(tmp_path / "folder", ARRAYS, SETTINGS)
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_save_leaves_the_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: BaseException
) -> None:
    """A full disk or an interrupt loses the last good checkpoint, or leaves litter."""
    before = saved.read_bytes()

    def fail(*arguments: object) -> None:
        raise failure

    monkeypatch.setattr(os, call, fail)
    expected = CheckpointError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save_checkpoint(saved, {"new": np.zeros(3)}, {})
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_the_file_is_on_disk_before_it_gets_its_name(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power failure the name may lead to an empty file."""
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), real_fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), real_replace(a, b)))
    save_checkpoint(saved, ARRAYS, SETTINGS)
    assert calls[:2] == ["fsync", "replace"]


def test_many_savers_at_once(tmp_path: Path) -> None:
    """Two savers of one file mix their contents."""
    path = tmp_path / "shared"
    save_checkpoint(path, {}, {"writer": -1})
    seen = []

    def save(writer: int) -> None:
        for _ in range(10):
            save_checkpoint(path, {"w": np.full(1000, writer)}, {"writer": writer})

    threads = [threading.Thread(target=save, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        checkpoint = load_checkpoint(path)
        seen.append(checkpoint.settings["writer"])
        if seen[-1] >= 0:
            assert (checkpoint.arrays["w"] == seen[-1]).all()
    assert os.listdir(tmp_path) == ["shared"]


KILLED = """
import itertools, sys
import numpy as np
from tinygrad_rnn.checkpoints import save_checkpoint
print("ready", flush=True)
for number in itertools.count():
    save_checkpoint(sys.argv[1], {"w": np.full(300_000, number)}, {"number": number})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    """A process killed in the middle of saving leaves half a checkpoint."""
    random = np.random.default_rng(1)
    path = tmp_path / "victim"
    save_checkpoint(path, {"w": np.full(300_000, -1)}, {"number": -1})
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=-1) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(float(random.uniform(0.01, 0.1)))
            process.kill()
        checkpoint = load_checkpoint(path)
        assert (checkpoint.arrays["w"] == checkpoint.settings["number"]).all()


def test_weights_are_plain_safetensors(tmp_path: Path) -> None:
    """Other readers of the format cannot read our files."""
    path = tmp_path / "weights"
    save_weights(path, ARRAYS, {"format": "pt"})
    for name, array in safetensors.numpy.load_file(path).items():
        assert_same_bits(array, ARRAYS[name])
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == {"format": "pt"}
    assert load_metadata(path) == {"format": "pt"}
    save_weights(path, ARRAYS)
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() is None
    assert load_metadata(path) == {}
    with pytest.raises(ArgumentError, match="'epoch' maps to 3"):
        save_weights(path, {}, {"epoch": 3})  # type: ignore[dict-item]


def test_checkpoints_can_be_read_as_weights(saved: Path) -> None:
    """The weights of a checkpoint cannot be taken elsewhere."""
    assert load_weights(saved).keys() == ARRAYS.keys()


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    """Half-precision weights are refused, or their values change."""
    values = np.array([1.5, -0.0, np.inf, 3.140625], dtype=np.float32)
    halves = values.astype(np.float16).tobytes()
    upper = (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    header = {
        "b": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]},
        "h": {"dtype": "F16", "shape": [4], "data_offsets": [8, 16]},
    }
    path = tmp_path / "halves"
    path.write_bytes(with_header(json.dumps(header).encode(), upper + halves))
    weights = load_weights(path)
    assert_same_bits(weights["b"], values.reshape(2, 2))
    assert_same_bits(weights["h"], values)


def test_types_numpy_lacks_are_named(tmp_path: Path) -> None:
    """An 8-bit float escapes as an untyped error."""
    header = {"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}
    path = tmp_path / "eight"
    path.write_bytes(with_header(json.dumps(header).encode(), b"ab"))
    with pytest.raises(CheckpointError, match=r"'w' .* F8_E4M3"):
        load_weights(path)


def test_weights_move_to_pytorch_and_back(tmp_path: Path) -> None:
    """PyTorch reads other numbers than we wrote, or we other numbers than it wrote."""
    torch = pytest.importorskip("torch")
    safetensors_torch = pytest.importorskip("safetensors.torch")
    lstm = torch.nn.LSTM(3, 4)
    state = {name: tensor.detach() for name, tensor in lstm.state_dict().items()}
    safetensors_torch.save_file(state, tmp_path / "theirs")
    ours = load_weights(tmp_path / "theirs")
    assert ours.keys() == state.keys()
    save_weights(tmp_path / "ours", ours)
    theirs = safetensors_torch.load_file(tmp_path / "ours")
    for name, tensor in state.items():
        assert torch.equal(theirs[name], tensor)
        assert_same_bits(ours[name], tensor.numpy())
