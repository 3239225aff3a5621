"""Vocabulary: symbols to integers and back, at the level of characters, bytes or words.

A vocabulary never changes once built. This module does not read files and knows nothing of
batches; it uses NumPy so that a megabyte of text is encoded in a few milliseconds.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tinygrad_rnn.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    OutOfRangeError,
    VocabularyError,
)
from tinygrad_rnn.text.arguments import array_of, size_of
from tinygrad_rnn.text.symbols import CODE_POINTS, shorten, symbol_from_json, symbol_to_json
from tinygrad_rnn.text.words import JOIN, join_words, split_chunks

LEVELS = ("char", "byte", "word")
"""What a symbol is: a Unicode code point, a byte of the UTF-8 form, or a word or mark."""

UNKNOWN_WORD = "<unk>"
"""The symbol of a word vocabulary that stands for every word it does not hold."""

UNKNOWN_CHARACTER = "\ufffd"
"""Unicode's REPLACEMENT CHARACTER, which stands for characters rarer than `min_count`."""

Ids = npt.NDArray[np.int64]

_BYTE_SYMBOLS = tuple(chr(i) if i < 128 else f"<0x{i:02X}>" for i in range(256))


class Vocabulary:
    """The symbols a model knows, numbered from 0.

    `level` is one of

    - "char": every symbol is one Unicode code point; no normalisation, nothing special about
      newlines, NUL, emoji or lone surrogates;
    - "byte": the 256 bytes of UTF-8, whatever the text; nothing is ever unknown;
    - "word": words, marks and white space as `tinygrad_rnn.text.words` states, with `<unk>` and
      `<join>` always among the symbols; `decode` gives the encoded text back exactly.

    The constructor takes the symbols in the order of their numbers; `from_text` collects them
    from a text and sorts them.

    Raises ArgumentError for an unknown level, repeated symbols, symbols that the level does not
    allow, or none at all.
    """

    __slots__ = ("_code_points", "_index", "_level", "_symbols", "_table")

    def __init__(self, symbols: Iterable[str] = (), level: str = "char") -> None:
        _check_level(level)
        held = tuple(_require_iterable(symbols, "the symbols of a vocabulary"))
        if level == "byte":
            if held not in ((), _BYTE_SYMBOLS):
                raise ArgumentError(
                    'a vocabulary of level "byte" always has the same 256 symbols; '
                    'write Vocabulary(level="byte")'
                )
            held = _BYTE_SYMBOLS
        _check_symbols(held, level)
        self._level = level
        self._symbols = held
        self._index = {symbol: number for number, symbol in enumerate(held)}
        self._code_points = np.empty(0, dtype="<u4")
        self._table = np.empty(0, dtype=np.int64)
        if level == "char":
            self._code_points = _code_points_of("".join(held))
            # The extra last entry stays -1: look-ups beyond the table are clipped to it.
            self._table = np.full(int(self._code_points.max()) + 2, -1, dtype=np.int64)
            self._table[self._code_points] = np.arange(len(held))

    @classmethod
    def from_text(cls, text: str | Iterable[str], level: str = "char", min_count: int = 1) -> Self:
        """Collect the symbols of `text`, a string or the chunks of one, in sorted order.

        Symbols that occur fewer than `min_count` times are left out. They can still be encoded
        with `unknown="replace"`: a word vocabulary always holds `<unk>`, and a character
        vocabulary holds U+FFFD when `min_count` is above 1. At level "byte" the text is not
        looked at.

        Raises ArgumentError for a wrong level or `min_count`, DataError for an empty text, and
        DtypeError for anything but text.
        """
        _check_level(level)
        size_of("min_count", min_count)
        if level == "byte":
            return cls(level="byte")
        chunks: Iterable[Any] = [text]
        if not isinstance(text, str | bytes):
            chunks = _require_iterable(text, "a text or its chunks")
        if level == "word":
            symbols = _frequent_words(chunks, min_count)
            extra = {UNKNOWN_WORD, JOIN}
        else:
            symbols = _frequent_characters(chunks, min_count)
            extra = {UNKNOWN_CHARACTER} if min_count > 1 else set()
        return cls(sorted(symbols | extra), level)

    @property
    def level(self) -> str:
        """What a symbol is: "char", "byte" or "word"."""
        return self._level

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in the order of their numbers.

        At level "byte", bytes below 128 are their ASCII character and the others are written
        `<0x80>` … `<0xFF>`.
        """
        return self._symbols

    def index(self, symbol: str) -> int:
        """Return the number of `symbol`; VocabularyError when it is not held."""
        number = self._index.get(symbol) if isinstance(symbol, str) else None
        if number is None:
            raise VocabularyError(
                f"{self!r} has no {_describe(symbol)}; "
                "`symbol in vocabulary` tells whether one is held"
            )
        return number

    def encode(
        self, text: str | bytes, unknown: str = "error", replacement: str | None = None
    ) -> Ids:
        """Return the numbers of the symbols of `text`, shape (number of symbols,), int64.

        `unknown` says what happens to a symbol that the vocabulary does not hold:

        - "error": VocabularyError names it, its code point and its place;
        - "skip": it is left out;
        - "replace": `replacement` is put in its place. By default that is `<unk>` for words, and
          for characters U+FFFD if the vocabulary holds it, otherwise a space.

        Bytes are taken at level "byte" only. Raises ArgumentError for another value of
        `unknown`, VocabularyError when the replacement is not held, DtypeError for a text of the
        wrong type.
        """
        pieces = list(self.encode_chunks([text], unknown, replacement))
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate([np.empty(0, dtype=np.int64), *pieces])

    def encode_chunks(
        self,
        chunks: Iterable[str | bytes],
        unknown: str = "error",
        replacement: str | None = None,
    ) -> Iterator[Ids]:
        """Encode a long text chunk by chunk: `encode`, without holding the whole text.

        The arrays joined together equal `encode` of the chunks joined together, and places in
        errors are those in the whole text.
        """
        substitute = self._substitute(unknown, replacement)
        chunks = _require_iterable(chunks, "the chunks of a text")
        if self._level == "byte":
            return (np.frombuffer(_utf8(chunk), np.uint8).astype(np.int64) for chunk in chunks)
        encode = self._encode_words if self._level == "word" else self._encode_characters
        return encode(chunks, unknown, substitute)

    def decode(self, ids: npt.ArrayLike) -> str:
        """Return the text of a sequence of numbers (or of a single one).

        At level "byte", bytes that are not UTF-8 become U+FFFD; `decode_bytes` keeps them.

        Raises OutOfRangeError that names the first number outside 0 … len - 1 and its position,
        DtypeError for numbers that are not integers, ArgumentError for more than one dimension.
        """
        numbers = self._check_ids(ids)
        if self._level == "byte":
            return _text_of_utf8(numbers.astype(np.uint8).tobytes())
        if self._level == "char":
            data: bytes = self._code_points[numbers].tobytes()
            return data.decode("utf-32-le", "surrogatepass")
        return join_words([self._symbols[number] for number in numbers])

    def decode_bytes(self, ids: npt.ArrayLike) -> bytes:
        """Return the UTF-8 bytes of a sequence of numbers; at level "byte", exactly those given."""
        if self._level != "byte":
            return self.decode(ids).encode("utf-8", "surrogatepass")
        return self._check_ids(ids).astype(np.uint8).tobytes()

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads, in types that JSON has.

        A symbol is a string, or the list of its code points where it holds a surrogate: JSON
        joins a pair of lone surrogates into one character.
        """
        if self._level == "byte":
            return {"level": "byte"}
        return {"level": self._level, "symbols": [symbol_to_json(s) for s in self._symbols]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the vocabulary that `to_json` described; VocabularyError says what is wrong."""
        if not isinstance(data, Mapping) or "level" not in data:
            raise VocabularyError(
                'a saved vocabulary is a JSON object with "level" and "symbols"; '
                f"this is {type(data).__name__} {shorten(data)}"
            )
        symbols = data.get("symbols", [])
        if not isinstance(symbols, list):
            raise VocabularyError(
                f'the "symbols" of a saved vocabulary are a list, not {type(symbols).__name__}'
            )
        held = [symbol_from_json(entry, number) for number, entry in enumerate(symbols)]
        try:
            return cls(held, data["level"])
        except ArgumentError as error:
            raise VocabularyError(f"the saved vocabulary cannot be used: {error}") from None

    def __len__(self) -> int:
        return len(self._symbols)

    def __contains__(self, symbol: object) -> bool:
        return isinstance(symbol, str) and symbol in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._symbols)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self._level == other._level and self._symbols == other._symbols

    def __hash__(self) -> int:
        return hash((self._level, self._symbols))

    def __repr__(self) -> str:
        if self._level == "byte":
            return "Vocabulary(level='byte', 256 symbols)"
        shown = [repr(symbol) for symbol in self._symbols]
        if len(shown) > 8:
            shown[4:-2] = ["…"]
        return f"Vocabulary(level={self._level!r}, {len(self)} symbols: {', '.join(shown)})"

    def _substitute(self, unknown: str, replacement: str | None) -> int:
        """Return the number put in place of unknown symbols; -1 where none is."""
        if unknown not in ("error", "skip", "replace"):
            raise ArgumentError(f'unknown is {unknown!r}; it must be "error", "skip" or "replace"')
        if unknown != "replace" or self._level == "byte":
            return -1
        if replacement is not None:
            return self.index(replacement)
        defaults = (UNKNOWN_WORD,) if self._level == "word" else (UNKNOWN_CHARACTER, " ")
        for symbol in defaults:
            if symbol in self._index:
                return self._index[symbol]
        raise VocabularyError(
            f'unknown="replace" needs a symbol to put in place of unknown ones, and {self!r} holds '
            "neither U+FFFD nor a space; name one of its symbols as replacement="
        )

    def _encode_characters(
        self, chunks: Iterable[str | bytes], unknown: str, substitute: int
    ) -> Iterator[Ids]:
        place = _Place()
        for chunk in chunks:
            text = _require_text(chunk, self._level)
            ids = self._table.take(_code_points_of(text), mode="clip")
            missing = ids < 0
            if unknown == "error" and missing.any():
                at = int(missing.argmax())
                raise self._unknown_symbol(text[at], place.after(text[:at]))
            yield _resolve(ids, missing, unknown, substitute)
            place = place.after(text)

    def _encode_words(
        self, chunks: Iterable[str | bytes], unknown: str, substitute: int
    ) -> Iterator[Ids]:
        place = _Place()
        texts = (_require_text(chunk, self._level) for chunk in chunks)
        for text, tokens, starts in split_chunks(texts):
            ids = np.array([self._index.get(token, -1) for token in tokens], dtype=np.int64)
            missing = ids < 0
            if unknown == "error" and missing.any():
                at = int(missing.argmax())
                raise self._unknown_symbol(tokens[at], place.after(text[: starts[at]]))
            yield _resolve(ids, missing, unknown, substitute)
            place = place.after(text)

    def _unknown_symbol(self, symbol: str, place: "_Place") -> VocabularyError:
        return VocabularyError(
            f"{self!r} has no {_describe(symbol)}, found at index {place.offset} of the text "
            f'(line {place.line}, column {place.column}). Encode with unknown="skip" to leave such '
            'symbols out, with unknown="replace" to put another in their place, or build the '
            "vocabulary from a text that has it."
        )

    def _check_ids(self, ids: npt.ArrayLike) -> npt.NDArray[Any]:
        numbers = np.atleast_1d(array_of(ids))
        if numbers.ndim != 1:
            raise ArgumentError(
                f"decode takes one sequence of numbers, not an array of shape {numbers.shape}; "
                "decode it row by row"
            )
        if numbers.size == 0:
            return np.empty(0, dtype=np.int64)
        if numbers.dtype.kind not in "iu":
            raise DtypeError(f"decode takes integers, not {numbers.dtype}")
        outside = (numbers < 0) | (numbers >= len(self))
        if outside.any():
            at = int(outside.argmax())
            raise OutOfRangeError(
                f"number {numbers[at]} at position {at} is outside the vocabulary, whose "
                f"{len(self)} symbols are numbered 0 … {len(self) - 1}"
            )
        return numbers


class _Place(NamedTuple):
    """A place in a text as a person counts: lines and columns from 1."""

    offset: int = 0
    line: int = 1
    column: int = 1

    def after(self, text: str) -> "_Place":
        """Return the place behind `text`, which begins here."""
        newlines = text.count("\n")
        column = len(text) - text.rindex("\n") if newlines else self.column + len(text)
        return _Place(self.offset + len(text), self.line + newlines, column)


def _require_iterable(value: Iterable[Any], name: str) -> Iterable[Any]:
    if not isinstance(value, Iterable):
        raise DtypeError(f"{name} are strings, not {shorten(value)}")
    return value


def _check_level(level: object) -> None:
    if level not in LEVELS:
        raise ArgumentError(f'level is {level!r}; it must be "char", "byte" or "word"')


def _check_symbols(symbols: tuple[str, ...], level: str) -> None:
    if not symbols:
        raise ArgumentError("a vocabulary needs at least one symbol")
    for symbol in symbols:
        if not isinstance(symbol, str) or not symbol or (level == "char" and len(symbol) != 1):
            wanted = "one character" if level == "char" else "a string that is not empty"
            raise ArgumentError(f'a symbol of level "{level}" is {wanted}, not {symbol!r}')
    if len(set(symbols)) != len(symbols):
        repeated = next(symbol for symbol, count in Counter(symbols).items() if count > 1)
        raise ArgumentError(f"{_describe(repeated)} occurs more than once among the symbols")
    if level == "word":
        for needed in (UNKNOWN_WORD, JOIN):
            if needed not in symbols:
                raise ArgumentError(
                    f"the symbols of a word vocabulary must include {needed!r}; "
                    "Vocabulary.from_text adds it"
                )


def _frequent_characters(chunks: Iterable[str], min_count: int) -> set[str]:
    counts = np.zeros(len(CODE_POINTS), dtype=np.int64)
    for chunk in chunks:
        found = np.bincount(_code_points_of(_require_text(chunk, "char")))
        counts[: found.size] += found
    if not counts.any():
        raise DataError("the text is empty: there is nothing to build a vocabulary from")
    return {chr(code_point) for code_point in np.flatnonzero(counts >= min_count).tolist()}


def _frequent_words(chunks: Iterable[str], min_count: int) -> set[str]:
    counts: Counter[str] = Counter()
    for _, tokens, _ in split_chunks(_require_text(chunk, "word") for chunk in chunks):
        counts.update(tokens)
    if not counts:
        raise DataError("the text is empty: there is nothing to build a vocabulary from")
    return {word for word, count in counts.items() if count >= min_count}


def _resolve(ids: Ids, missing: npt.NDArray[np.bool_], unknown: str, substitute: int) -> Ids:
    """Return `ids` with the missing ones left out or replaced, as `unknown` asks."""
    if unknown == "skip":
        return ids[~missing]
    ids[missing] = substitute
    return ids


def _require_text(chunk: object, level: str) -> str:
    if isinstance(chunk, str):
        return chunk
    raise DtypeError(
        f'a vocabulary of level "{level}" takes str, not {type(chunk).__name__}; '
        'decode the text first, or use level "byte"'
    )


def _code_points_of(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _utf8(text: object) -> bytes:
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    if isinstance(text, bytes | bytearray | memoryview):
        return bytes(text)
    raise DtypeError(f'a vocabulary of level "byte" takes str or bytes, not {type(text).__name__}')


def _text_of_utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def _describe(symbol: object) -> str:
    if isinstance(symbol, str) and len(symbol) == 1:
        return f"{symbol!r} (U+{ord(symbol):04X})"
    return repr(symbol)
