"""Texts are found, checked and read in chunks; nothing waits long for a network."""

import hashlib
import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_rnn.errors import DataError, VocabularyError
from tinygrad_rnn.text import Corpus, Vocabulary, corpora, find_text

STAND_IN = b"First Citizen:\nBefore we proceed any further, hear me speak.\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of the test's own, and a short text in place of tiny-shakespeare."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("TINYGRAD_RNN_CACHE_DIR", str(directory))
    monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", hashlib.sha256(STAND_IN).hexdigest())
    monkeypatch.delenv("TINYGRAD_RNN_OFFLINE", raising=False)
    return directory


def kept(cache: Path, content: bytes) -> Path:
    path = cache / "text" / "tinyshakespeare.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def no_download(url: str) -> bytes:
    raise AssertionError("nothing was to be downloaded")


def failing_download(url: str) -> bytes:
    raise DataError("no answer from the network within 5 seconds")


def written(tmp_path: Path, content: bytes) -> Corpus:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    return find_text(path)


def memory(content: bytes) -> Corpus:
    return Corpus("a text", "file", None, len(content), lambda: io.BytesIO(content))


def test_a_file_is_taken_as_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of the user's own is not what is trained on, or is announced as something else."""
    corpus = written(tmp_path, "zwölf\r\n".encode())
    assert (corpus.origin, corpus.path, corpus.size) == ("file", tmp_path / "text.txt", 8)
    assert corpus.read() == "zwölf\r\n"
    assert find_text(str(tmp_path / "text.txt")).read() == "zwölf\r\n"
    assert capsys.readouterr().out == ""


def test_the_cached_text_is_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is in the cache is downloaded again."""
    path = kept(cache, STAND_IN)
    monkeypatch.setattr(corpora, "_download", no_download)
    corpus = find_text(announce=pytest.fail)
    assert (corpus.origin, corpus.path, corpus.size) == ("cache", path, len(STAND_IN))
    assert corpus.read() == STAND_IN.decode()


def test_a_wrong_cached_text_is_replaced(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged text in the cache is trained on, or stays there for good."""
    path = kept(cache, STAND_IN[:-1])
    monkeypatch.setattr(corpora, "_download", lambda url: STAND_IN)
    lines: list[str] = []
    corpus = find_text(announce=lines.append)
    assert corpus.origin == "download"
    assert path.read_bytes() == STAND_IN
    assert str(path) in lines[0]
    assert "SHA-256" in lines[0]


def test_a_download_is_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is downloaded every time, or parts of files are left in the cache."""
    monkeypatch.setattr(corpora, "_download", lambda url: STAND_IN)
    lines: list[str] = []
    assert find_text(announce=lines.append).read() == STAND_IN.decode()
    assert len(lines) == 1
    assert corpora.SHAKESPEARE_URL in lines[0]
    assert find_text(announce=pytest.fail).origin == "cache"
    assert os.listdir(cache / "text") == ["tinyshakespeare.txt"]


@pytest.mark.parametrize("obstacle", ["cache", "cache/text"])
def test_a_download_without_a_cache_stays_in_memory(
    cache: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    """Where nothing can be written, the downloaded text is lost."""
    file = cache.parent / obstacle
    file.parent.mkdir(exist_ok=True)
    file.write_text("a file where a folder should be")
    monkeypatch.setattr(corpora, "_download", lambda url: STAND_IN)
    corpus = find_text(announce=lambda line: None)
    assert (corpus.origin, corpus.path) == ("download", None)
    assert corpus.read() == corpus.read() == STAND_IN.decode()


@pytest.mark.parametrize("download", [failing_download, lambda url: STAND_IN + b"!"])
def test_the_package_text_is_the_last_resort(
    cache: Path, monkeypatch: pytest.MonkeyPatch, download: object
) -> None:
    """Without a network, or with a wrong answer, there is no text, or its use is not said."""
    monkeypatch.setattr(corpora, "_download", download)
    lines: list[str] = []
    corpus = find_text(announce=lines.append)
    assert corpus.origin == "embedded"
    assert len(lines) == 2
    assert "--data" in lines[1]
    assert "\n" not in lines[1]
    assert not any(cache.rglob("*"))


def test_the_package_text_is_shakespeare(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text in the package is missing, short, not UTF-8, or not announced."""
    monkeypatch.setenv("TINYGRAD_RNN_OFFLINE", "1")
    monkeypatch.setattr(corpora, "_download", no_download)
    corpus = find_text()
    text = corpus.read()
    assert len(text) >= 60_000
    assert "Shall I compare thee to a summer" in text
    assert corpus.size == len(text.encode())
    announced = capsys.readouterr().out
    assert announced.count("\n") == 1
    assert "TINYGRAD_RNN_OFFLINE" in announced
    assert find_text(announce=lambda line: None).origin == "embedded"


def test_offline_set_to_zero_means_online(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TINYGRAD_RNN_OFFLINE=0 switches the network off."""
    monkeypatch.setenv("TINYGRAD_RNN_OFFLINE", "0")
    monkeypatch.setattr(corpora, "_download", lambda url: STAND_IN)
    assert find_text(announce=lambda line: None).origin == "download"


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.fixture
def slow_server() -> Iterator[str]:
    """A server that answers at once and never finishes."""
    done = threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not done.wait(0.05):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        done.set()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def test_silence_is_given_up(silent_server: str) -> None:
    """A network that swallows everything makes the program hang."""
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"0\.2 seconds|timed out"):
        corpora._download(silent_server, answer_seconds=0.2)
    assert time.perf_counter() - start < 3


def test_name_look_up_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name look-up that does not return makes the program hang."""
    release = threading.Event()

    def look_up(*arguments: object, **named: object) -> None:
        release.wait(30)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    start = time.perf_counter()
    with pytest.raises(DataError, match="no answer from the network"):
        corpora._download("http://example.invalid/", answer_seconds=0.2)
    assert time.perf_counter() - start < 3
    release.set()


def test_a_trickle_is_given_up(slow_server: str) -> None:
    """A server that never finishes makes the program hang."""
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"more than 0\.3 seconds"):
        corpora._download(slow_server, download_seconds=0.3)
    assert time.perf_counter() - start < 3


def test_a_refused_connection_is_an_error() -> None:
    """A failed download is not told from one that worked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DataError, match="the download failed"):
        corpora._download(f"http://127.0.0.1:{port}/")


def test_a_download_is_read_whole(tmp_path: Path) -> None:
    """What is downloaded is not what is at the address."""
    path = tmp_path / "text"
    path.write_bytes(STAND_IN)
    assert corpora._download(path.as_uri()) == STAND_IN


def test_missing_folder_and_empty_are_named(tmp_path: Path) -> None:
    """A path that cannot be read gives an error that does not say why."""
    with pytest.raises(DataError, match=r"no file .*absent"):
        find_text(tmp_path / "absent")
    with pytest.raises(DataError, match="is a folder"):
        find_text(tmp_path)
    with pytest.raises(DataError, match="is empty"):
        written(tmp_path, b"")
    with pytest.raises(DataError, match="not a regular file"):
        find_text(os.devnull)


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without permission, or one that vanishes, gives an untyped error."""
    corpus = written(tmp_path, b"abc")
    with monkeypatch.context() as patch:

        def refuse(*arguments: object) -> None:
            raise PermissionError(13, "Permission denied")

        patch.setattr(Path, "open", refuse)
        with pytest.raises(DataError, match=r"text\.txt cannot be read: Permission denied"):
            find_text(tmp_path / "text.txt")
    (tmp_path / "text.txt").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        corpus.read()


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize(
    ("content", "offset", "line"),
    [
        (b"caf\xe9 noir", 3, 1),
        (b"one\ntwo\n\xff", 8, 3),
        ("한\n한".encode() + b"\x80", 7, 2),
        ("ab\n한".encode()[:-1], 3, 2),
        (b"\xff\xfea\0", 0, 1),
        (b"\n" + "한".encode()[:2] + b"x", 1, 2),
    ],
)
def test_what_is_not_utf8_is_named_with_its_place(
    content: bytes, offset: int, line: int, chunk_bytes: int
) -> None:
    """The error does not lead to the byte that is wrong, or to a remedy."""
    expected = rf"0x{content[offset]:02x} at offset {offset} \(line {line}\).*--level byte.*iconv"
    with pytest.raises(DataError, match=expected):
        list(memory(content).chunks(chunk_bytes))


@settings(deadline=None)
@given(st.text(alphabet="aé한🙂\n\ufeff"), st.integers(1, 9))
def test_chunks_are_the_text(text: str, chunk_bytes: int) -> None:
    """A character that spans two chunks is lost or refused."""
    corpus = memory(text.encode())
    assert "".join(corpus.chunks(chunk_bytes)) == text.removeprefix("\ufeff")
    assert b"".join(corpus.byte_chunks(chunk_bytes)) == text.encode()


@pytest.mark.parametrize("level", ["char", "byte", "word"])
@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_a_text_encodes_as_its_string_does(
    cache: Path, level: str, memory_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that is mapped from a file, or read in chunks, has other numbers."""
    monkeypatch.setattr(Corpus.byte_chunks, "__defaults__", (5,))
    text = "Ich möchte, 한글!\nund so weiter\n" * 20
    corpus = memory(text.encode())
    vocabulary = corpus.vocabulary(level)
    assert vocabulary == Vocabulary.from_text(text, level)
    ids = corpus.encode(vocabulary, memory_bytes=memory_bytes)
    assert isinstance(ids, np.memmap) == (memory_bytes == 0)
    assert ids.dtype == np.uint8
    np.testing.assert_array_equal(ids, vocabulary.encode(text))
    assert not any(cache.rglob("*"))


def test_the_smallest_type_that_holds_the_numbers(cache: Path) -> None:
    """Texts take more memory than they need, or numbers wrap around."""
    for symbols, dtype in ((256, np.uint8), (257, np.uint16), (65537, np.uint32)):
        text = "".join(map(chr, range(0xE000, 0xE000 + symbols)))
        ids = memory(text.encode()).encode(Vocabulary(text))
        assert ids.dtype == dtype
        np.testing.assert_array_equal(ids, np.arange(symbols))


def test_bytes_need_not_be_utf8() -> None:
    """The remedy that errors about encodings name does not work."""
    corpus = memory(b"caf\xe9\0")
    ids = corpus.encode(corpus.vocabulary("byte"))
    assert ids.tolist() == [99, 97, 102, 0xE9, 0]


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
def test_unknown_symbols_of_a_text(cache: Path, memory_bytes: int) -> None:
    """Another text than the vocabulary's cannot be encoded, or is so silently."""
    corpus = memory(b"abc abc")
    with pytest.raises(VocabularyError, match="index 2"):
        corpus.encode(Vocabulary("ab "), memory_bytes=memory_bytes)
    ids = corpus.encode(Vocabulary("ab "), "skip", memory_bytes=memory_bytes)
    assert ids.tolist() == [0, 1, 2, 0, 1]
    assert corpus.encode(Vocabulary("z"), "skip", memory_bytes=memory_bytes).shape == (0,)


def test_a_mapped_text_without_a_usable_cache(cache: Path) -> None:
    """A large text cannot be encoded where there is no cache directory."""
    cache.write_text("a file where the folder should be")
    assert memory(b"aba").encode(Vocabulary("ab"), memory_bytes=0).tolist() == [0, 1, 0]
