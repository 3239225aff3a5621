"""Where compiled code is kept, and the one decorator that compiles and keeps it.

Numba's own cache looks at the file of the decorated function only, lives beside the source, and
fails where nothing can be written. Ours lives in a directory of the user's, whose name covers the
source text of the whole kernels package, the versions of what compiles it and the CPU; where
nothing can be written there is no cache, and nothing fails. This module knows no kernel.
"""

import functools
import hashlib
import os
import pickle
import platform
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numba.core.caching
import numba.core.compiler
import numba.core.serialize
import numpy as np

from tinygrad_rnn.kernels.simd import config, host

DIRECTORY_VARIABLE = "TINYGRAD_RNN_CACHE_DIR"
QUIET_VARIABLE = "TINYGRAD_RNN_QUIET"
_DIGEST_BYTES = 32

_CompileResult: Any = numba.core.compiler.CompileResult
_dumps: Any = numba.core.serialize.dumps
_lock = threading.RLock()


def _usual_directory() -> Path:
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        chosen = os.environ.get("XDG_CACHE_HOME")
        base = Path(chosen) if chosen else Path.home() / ".cache"
    return base / "tinygrad_rnn"


def _writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except (OSError, ValueError):
        return False


def user_cache_dir() -> Path | None:
    """The per-user directory for what can be made or fetched again, or None if none can be written.

    `$TINYGRAD_RNN_CACHE_DIR` if set, else `tinygrad_rnn` in the platform's cache directory
    (`$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`). Created if missing.
    """
    try:
        directory = _usual_directory()
    except RuntimeError:  # no home directory
        return None
    return directory if _writable(directory) else None


def _package_source() -> bytes:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.digest()


class _Store:
    """The directory that holds this version's code for this CPU, and the one-line announcement."""

    def __init__(self) -> None:
        self.directory: Path | None = None
        self.is_new = True
        self.announced = False
        base = user_cache_dir()
        if base is None:
            return
        try:
            source = _package_source()
        except OSError:  # imported from a place whose source cannot be read
            return
        versions = (
            sys.version,
            platform.machine(),
            numba.__version__,
            llvmlite.__version__,
            np.__version__,
            config.OPT,
            host(),
        )
        digest = hashlib.sha256(source + repr(versions).encode()).hexdigest()[:24]
        directory = base / "kernels" / digest
        self.is_new = not directory.exists()
        if _writable(directory):
            self.directory = directory

    def announce(self) -> None:
        """Say once, and only where nothing is kept yet, that compiling takes a moment."""
        if self.announced or not self.is_new or os.environ.get(QUIET_VARIABLE):
            return
        self.announced = True
        where = "once; kept in " + str(self.directory)
        if self.directory is None:
            where = f"each time: no writable cache directory; set {DIRECTORY_VARIABLE} to one"
        print(f"tinygrad_rnn: compiling kernels for {host().name} ({where})", file=sys.stderr)


@functools.cache
def _store() -> _Store:
    return _Store()


class _KernelCache(numba.core.caching.NullCache):
    """Keeps one kernel's compiled code in one file: a digest, then the pickled result."""

    def __init__(self, name: str, key: str) -> None:
        self._name = name
        self._key = key

    def _path(self) -> Path | None:
        directory = _store().directory
        if directory is None:
            return None
        digest = hashlib.sha256(self._key.encode()).hexdigest()[:16]
        return directory / f"{self._name}-{digest}.bin"

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The compiled code, or None if it is not there or not whole."""
        target_context.refresh()
        result = None
        path = self._path()
        try:
            content = b"" if path is None else path.read_bytes()
        except OSError:
            content = b""
        body = content[_DIGEST_BYTES:]
        if body and hashlib.sha256(body).digest() == content[:_DIGEST_BYTES]:
            try:
                result = _CompileResult._rebuild(target_context, *pickle.loads(body))
            except Exception:  # whatever an old or foreign file raises, compiling is the cure
                result = None
        if result is None:
            _store().announce()
        return result

    def save_overload(self, signature: Any, result: Any) -> None:
        """Write beside and rename, so that no reader ever sees half a file."""
        path = self._path()
        if path is None:
            return
        body = _dumps(result._reduce())
        try:
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(body).digest() + body)
                os.replace(temporary, path)
            except OSError:
                os.unlink(temporary)
        except OSError:
            return


def _renamed(function: Any, key: str) -> Any:
    """The function under a name that no other code has.

    Numba numbers the functions of a process. Code that was compiled in another process can have
    the same name and number as code of this one, and the linker would take either for both.
    """
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    function.__name__ = f"{function.__name__}_{digest}"
    function.__qualname__ = function.__name__
    return function


def inner(key: str) -> Callable[[Any], Any]:
    """Decorate a function that kernels call and that closes over values, which `key` tells apart.

    Functions that close over nothing may use `numba.njit` itself.
    """

    def decorate(function: Any) -> Any:
        name = f"{function.__module__}.{function.__name__} {key}"
        return numba.njit(error_model="numpy")(_renamed(function, name))

    return decorate


class Kernel:
    """A function of one signature, compiled (or loaded) when it is first needed.

    `compiled` is what Python calls; `address` is what compiled code calls, with the C calling
    convention. Both compile at first use.
    """

    def __init__(self, function: Any, signature: Any, key: str, options: dict[str, Any]) -> None:
        self._function = function
        self._signature = signature
        self._key = key
        self._options = options
        self._dispatcher: Any = None
        self._address = 0

    @property
    def compiled(self) -> Any:
        """The Numba dispatcher, with its single overload ready."""
        if self._dispatcher is None:
            with _lock:
                if self._dispatcher is None:
                    self._dispatcher = self._compile()
        return self._dispatcher

    def _compile(self) -> Any:
        function = self._function
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        code = function.__code__
        parts = (name, str(self._signature), self._key, sorted(self._options.items()), code.co_code)
        dispatcher = numba.njit(**self._options)(_renamed(function, repr(parts)))
        dispatcher._cache = _KernelCache(name, repr(parts))
        dispatcher.compile(self._signature)
        dispatcher.disable_compile()
        return dispatcher

    @property
    def address(self) -> int:
        """Address of the C function."""
        if not self._address:
            (result,) = self.compiled.overloads.values()
            name = result.fndesc.llvm_cfunc_wrapper_name
            self._address = result.library.get_pointer_to_function(name)
        return self._address


def kernel(signature: Any, key: str = "", **options: Any) -> Callable[[Any], Kernel]:
    """Decorate a function as a kernel: compiled on first use for `signature`, and kept on disk.

    `key` must tell apart kernels of one name, code and signature that differ in values they close
    over (element type, generated text). `options` go to `numba.njit`; the GIL is released unless
    `nogil=False`. Code outside the kernels package that a kernel calls must be part of its `key`.
    """
    options.setdefault("nogil", True)
    options.setdefault("error_model", "numpy")

    def decorate(function: Any) -> Kernel:
        return Kernel(function, signature, key, options)

    return decorate
