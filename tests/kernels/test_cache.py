"""Compiled code is kept, found again, and never the cause of a failure."""

import os
import subprocess
import sys

import pytest

import tinygrad_rnn.kernels.cache as cache

WORK = """
import numpy as np
from tinygrad_rnn import kernels
kernels.set_num_threads(1)
x = np.linspace(-3, 3, 50, dtype=np.float32)
assert np.allclose(kernels.tanh(x), np.tanh(x), rtol=1e-5)
"""
COMPILED = """
from numba.core import event
seen = []
class Listener(event.Listener):
    def on_start(self, happened): seen.append(happened.data["dispatcher"].py_func.__name__)
    def on_end(self, happened): pass
with event.install_listener("numba:compile", Listener()):
    exec(WORK)
print(*seen)
"""


def run(code=WORK, **environment):
    """Run in a new process; a variable set to None is removed."""
    merged = {**os.environ, **environment}
    merged.pop(cache.QUIET_VARIABLE, None)
    merged = {name: str(value) for name, value in merged.items() if value is not None}
    if environment.get(cache.QUIET_VARIABLE):
        merged[cache.QUIET_VARIABLE] = environment[cache.QUIET_VARIABLE]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=merged, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.DIRECTORY_VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def entries(directory):
    return sorted(directory.glob("kernels/*/*.bin"))


def test_second_run_compiles_nothing_and_says_nothing(directory):
    """Wrong if every process compiled anew, or spoke on every start."""
    first = run()
    assert first.stdout == ""
    (line,) = first.stderr.splitlines()
    assert line.startswith("tinygrad_rnn: compiling kernels for ")
    assert str(directory) in line
    kept = [(path, path.read_bytes()) for path in entries(directory)]
    assert kept
    second = run(f"WORK = {WORK!r}\n{COMPILED}")
    assert second.stdout.split() == []
    assert second.stderr == ""
    assert [(path, path.read_bytes()) for path in entries(directory)] == kept


def test_other_cpu_other_code(directory):
    """Wrong if code for one CPU could be loaded on another."""
    run()
    before = set(entries(directory))
    run(NUMBA_CPU_NAME="generic")
    after = set(entries(directory))
    assert before < after
    assert len({path.parent for path in after}) == 2


def test_can_be_silenced(directory):
    """Wrong if programs whose stderr is read by others could not be quiet."""
    assert run(**{cache.QUIET_VARIABLE: "1"}).stderr == ""


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_damaged_entries_are_compiled_again(directory, damage):
    """Wrong if a disk that filled up, or a flipped bit, broke every later start."""
    run()
    for path in entries(directory):
        content = path.read_bytes()
        broken = bytearray(content)
        broken[len(broken) // 2] ^= 1
        path.write_bytes(bytes(broken) if damage is None else damage)
    run()
    assert all(path.stat().st_size > 1000 for path in entries(directory))


def test_foreign_pickle_is_compiled_again(directory):
    """Wrong if an entry that is whole but of no use raised."""
    import hashlib
    import pickle

    run()
    body = pickle.dumps(("not", "code"))
    for path in entries(directory):
        path.write_bytes(hashlib.sha256(body).digest() + body)
    run()


def test_unwritable_directory_means_no_cache(tmp_path):
    """Wrong if a read-only home, a container or a sandbox made importing or calling fail."""
    blocker = tmp_path / "file"
    blocker.write_text("a file, so nothing can be below it")
    result = run(**{cache.DIRECTORY_VARIABLE: blocker / "below"})
    (line,) = result.stderr.splitlines()
    assert "no writable cache directory" in line


def test_home_that_cannot_be_written(tmp_path):
    """Wrong if anything but the home directory were needed, or needed to be writable."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    nothing = {cache.DIRECTORY_VARIABLE: None, "XDG_CACHE_HOME": None, "LOCALAPPDATA": None}
    run(HOME=blocker / "home", USERPROFILE=blocker / "home", **nothing)


def test_two_processes_at_once(directory):
    """Wrong if one process could read what another had half written."""
    command = [sys.executable, "-c", WORK]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert run().stderr == ""
    assert not list(directory.glob("kernels/*/*.tmp"))


@pytest.mark.skipif(sys.platform != "linux", reason="the Linux convention")
def test_directory_follows_the_platform(tmp_path, monkeypatch):
    """Wrong if files were put elsewhere than users and their backups expect."""
    monkeypatch.delenv(cache.DIRECTORY_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.user_cache_dir() == tmp_path / "xdg" / "tinygrad_rnn"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.user_cache_dir() == tmp_path / "home" / ".cache" / "tinygrad_rnn"
    assert (tmp_path / "home" / ".cache" / "tinygrad_rnn").is_dir()
    (tmp_path / "file").touch()
    monkeypatch.setenv(cache.DIRECTORY_VARIABLE, str(tmp_path / "file" / "below"))
    assert cache.user_cache_dir() is None


def test_import_does_nothing(directory):
    """Wrong if importing compiled, printed, or touched the cache."""
    result = run("import tinygrad_rnn.kernels")
    assert result.stdout == result.stderr == ""
    assert not directory.exists()


DRAWN = """
import numpy as np
from tinygrad_rnn import kernels
kernels.set_num_threads(1)
for dtype in ({types},):
    out = np.empty(8, dtype)
    kernels.fill_uniform(out, 1, 2)
    print(*out.tolist())
"""


def test_code_from_several_processes_fits_together(directory):
    """Wrong if two kernels of one name, compiled by different processes, were taken for another."""
    # Each of these numbers its functions alike, so only their names can tell them apart.
    alone = [run(DRAWN.format(types=types)).stdout for types in ("np.float32", "np.float64")]
    together = run(DRAWN.format(types="np.float32, np.float64")).stdout
    assert together == "".join(alone)
