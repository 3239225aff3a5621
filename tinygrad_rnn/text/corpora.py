"""Where text comes from: a file, the user's cache, one download, or the text in the package.

Texts are read in chunks, so that one larger than memory can be counted and encoded. Nothing here
looks at the text beyond its encoding, and nothing is read or fetched when this is imported.
"""

import codecs
import contextlib
import hashlib
import io
import os
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import DataError, DtypeError
from tinygrad_rnn.paths import path_of
from tinygrad_rnn.text.arguments import size_of
from tinygrad_rnn.text.vocabulary import Vocabulary

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"

ANSWER_SECONDS = 5.0
"""How long the server may take to begin its answer, name look-up and connection included."""

DOWNLOAD_SECONDS = 20.0
"""How long the download may take once the server answers."""

CHUNK_BYTES = 1 << 20

MEMORY_BYTES = 256 << 20
"""Encoded texts above this size are kept in a temporary file and memory-mapped."""


@dataclass(frozen=True)
class Corpus:
    """A text: what it is called, where it came from, and the means to read it.

    `origin` is "file", "cache", "download" or "embedded"; `path` is None when the text is not in
    a file of its own; `size` is in bytes. A UTF-8 byte-order mark at the beginning is not part of
    the text; line ends are left as they are.
    """

    name: str
    origin: str
    path: Path | None
    size: int
    open: Callable[[], IO[bytes]] = field(repr=False, compare=False)

    def byte_chunks(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the bytes of the file as they are; ArgumentError for chunks of no bytes."""
        size_of("chunk_bytes", chunk_bytes)
        try:
            with self.open() as file:
                while chunk := file.read(chunk_bytes):
                    yield chunk
        except OSError as error:
            raise DataError(f"{self.name} cannot be read: {error.strerror or error}") from error

    def chunks(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[str]:
        """Yield the text in order.

        Raises DataError that names the byte offset and line of the first byte that is not UTF-8.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        consumed = 0
        line = 1
        first = True
        for chunk in self.byte_chunks(chunk_bytes):
            text = self._decode(decoder, chunk, consumed, line)
            consumed += len(chunk)
            line += chunk.count(b"\n")
            if first and text:
                text = text.removeprefix("\ufeff")
                first = False
            if text:
                yield text
        self._decode(decoder, b"", consumed, line, final=True)

    def read(self) -> str:
        """Return the whole text."""
        return "".join(self.chunks())

    def vocabulary(self, level: str = "char", min_count: int = 1) -> Vocabulary:
        """Return the vocabulary of this text, as `Vocabulary.from_text` does, read in chunks."""
        return Vocabulary.from_text(self.chunks(), level, min_count)

    def encode(
        self,
        vocabulary: Vocabulary,
        unknown: str = "error",
        memory_bytes: int = MEMORY_BYTES,
    ) -> npt.NDArray[Any]:
        """Return the numbers of the text's symbols, in the smallest unsigned type that holds them.

        Above `memory_bytes` the array is a read-only `numpy.memmap` over a temporary file, in the
        user's cache directory if there is one, that goes when the array does.
        At level "byte" the file need not be UTF-8. `unknown` is that of `Vocabulary.encode`.
        """
        if not isinstance(vocabulary, Vocabulary):
            raise DtypeError(
                f"a text is encoded with a Vocabulary, not {type(vocabulary).__name__}; "
                "corpus.vocabulary() makes one"
            )
        size_of("memory_bytes", memory_bytes, 0)
        dtype = np.min_scalar_type(len(vocabulary) - 1)
        source = self.byte_chunks() if vocabulary.level == "byte" else self.chunks()
        encoded = (ids.astype(dtype) for ids in vocabulary.encode_chunks(source, unknown))
        # A character is at least a byte, so this bounds the array from above.
        if self.size * dtype.itemsize <= memory_bytes:
            return np.concatenate([np.empty(0, dtype), *encoded])
        return _in_temporary_file(encoded, dtype)

    def _decode(
        self,
        decoder: codecs.IncrementalDecoder,
        chunk: bytes,
        consumed: int,
        line: int,
        final: bool = False,
    ) -> str:
        pending = len(decoder.getstate()[0])
        try:
            return decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            offset = consumed - pending + error.start
            line += error.object[: error.start].count(b"\n")
            raise DataError(
                f"{self.name} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset "
                f'{offset} (line {line}): {error.reason}. Read it as bytes (level "byte", '
                "--level byte), or convert it first, for example from Latin-1 with "
                "`iconv -f LATIN1 -t UTF-8`."
            ) from None


def find_text(
    path: str | os.PathLike[str] | None = None, *, announce: Callable[[str], None] = print
) -> Corpus:
    """Return the text to train on.

    That is the file at `path` if one is given. Otherwise it is tiny-shakespeare (1,115,394
    characters, public domain, collected by A. Karpathy for char-rnn, 2015): from the user's cache
    directory, or else downloaded into it once, and in both cases only if its SHA-256 is right.
    Where that fails, or TINYGRAD_RNN_OFFLINE is set to anything but 0, it is the shorter text
    that comes with this package. `announce` gets a line about a download and about the use of
    the package's own text.

    Raises DataError when `path` is missing, a folder, empty, or unreadable, ArgumentError when it
    is no path.
    """
    if path is not None:
        return _file(path_of(path))
    cached = _cached_path()
    kept = None if cached is None else _bytes_of(cached)
    if cached is not None and kept is not None:
        if hashlib.sha256(kept).hexdigest() == SHAKESPEARE_SHA256:
            return Corpus("tiny-shakespeare", "cache", cached, len(kept), _opener(cached))
        announce(f"{cached} is not tiny-shakespeare (its SHA-256 differs), so it is not used.")
    if os.environ.get("TINYGRAD_RNN_OFFLINE", "0") not in ("", "0"):
        reason = "TINYGRAD_RNN_OFFLINE is set"
    else:
        announce(f"Downloading tiny-shakespeare (1.1 MB) from {SHAKESPEARE_URL} …")
        try:
            return _downloaded(_download(SHAKESPEARE_URL), cached)
        except DataError as error:
            reason = str(error)
    corpus = embedded_text()
    announce(
        f"Using the {corpus.size // 1000} kB of Shakespeare that come with the package ({reason}); "
        "give a text file of your own with --data PATH (in Python: find_text(path))."
    )
    return corpus


def embedded_text() -> Corpus:
    """Return the text that comes with this package: some Shakespeare, in the public domain."""
    resource = resources.files("tinygrad_rnn.text") / "shakespeare.txt"
    path = resource if isinstance(resource, Path) else None
    size = len(resource.read_bytes())

    def open_resource() -> IO[bytes]:
        return resource.open("rb")

    return Corpus("the package's own Shakespeare", "embedded", path, size, open_resource)


def _file(path: Path) -> Corpus:
    try:
        path = path.expanduser()
    except RuntimeError:
        raise DataError(
            f"{path} names the home of a user who is not here; write the path in full"
        ) from None
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder; give the path of a text file in it")
        if not path.exists():
            raise DataError(f"there is no file {path.absolute()}")
        if not path.is_file():
            raise DataError(
                f"{path} is not a regular file, and a text is read more than once; "
                "save it to a file first"
            )
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if size == 0:
        raise DataError(f"{path} is empty: there is no text to train on")
    return Corpus(str(path), "file", path, size, _opener(path))


def _downloaded(data: bytes, cached: Path | None) -> Corpus:
    """Keep a download in the cache where there is one, and in memory where there is not."""
    if hashlib.sha256(data).hexdigest() != SHAKESPEARE_SHA256:
        raise DataError("what the server sent is not tiny-shakespeare: its SHA-256 differs")
    if cached is not None:
        with contextlib.suppress(OSError):
            _write_whole(cached, data)
            return Corpus("tiny-shakespeare", "download", cached, len(data), _opener(cached))
    return Corpus("tiny-shakespeare", "download", None, len(data), lambda: io.BytesIO(data))


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _cached_path() -> Path | None:
    directory = _cache_directory()
    return None if directory is None else directory / "text" / "tinyshakespeare.txt"


def _cache_directory() -> Path | None:
    # Imported here because the kernels take time to load, and most uses of text need none.
    from tinygrad_rnn.kernels.cache import user_cache_dir

    return user_cache_dir()


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(data)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            file.close()
            os.unlink(file.name)
            raise


def _download(
    url: str, answer_seconds: float = ANSWER_SECONDS, download_seconds: float = DOWNLOAD_SECONDS
) -> bytes:
    """Return what `url` holds, or raise DataError once a deadline has passed.

    Name look-up has no time limit of its own, so the work is done by a thread that is left behind
    when it takes too long.
    """
    answered = threading.Event()
    finished = threading.Event()
    received: list[bytes] = []
    failures: list[Exception] = []

    def fetch() -> None:
        try:
            with urllib.request.urlopen(url, timeout=answer_seconds) as response:
                answered.set()
                received.append(response.read())
        except Exception as error:
            failures.append(error)
        answered.set()
        finished.set()

    threading.Thread(target=fetch, daemon=True, name="download").start()
    if not answered.wait(answer_seconds):
        raise DataError(f"no answer from the network within {answer_seconds:g} seconds")
    if not finished.wait(download_seconds):
        raise DataError(f"the download took more than {download_seconds:g} seconds")
    if failures:
        raise DataError(f"the download failed: {failures[0]}")
    return received[0]


def _in_temporary_file(
    pieces: Iterator[npt.NDArray[Any]], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """Write arrays one after another to a nameless file and map it."""
    # The usual place for temporary files may be in memory, which is what is to be spared.
    with tempfile.TemporaryFile(dir=_cache_directory()) as file:
        for piece in pieces:
            piece.tofile(file)
        if file.tell() == 0:
            return np.empty(0, dtype)
        # The mapping holds the file open by itself.
        return np.memmap(file, dtype=dtype, mode="r")
