"""A vocabulary of tokens that are already apart: words of a sentence, tags, letters of a word.

`Vocabulary` cuts a running text into symbols and puts it together again; this one numbers the
tokens of sequences, with padding and the unknown among its numbers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

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
from tinygrad_rnn.text.symbols import symbol_from_json, symbol_to_json

PADDING = "<pad>"
"""Fills the steps after a sequence's end. Where it is held, its number is 0."""

UNKNOWN = "<unk>"
"""Stands for every token that the vocabulary does not hold."""

Ids = npt.NDArray[np.int64]


class TokenVocabulary:
    """Tokens numbered from 0.

    Args:
        tokens: all tokens in the order of their numbers, the special ones among them. Where
            `<unk>` is among them, tokens that are not held are encoded as it; else they are an
            error.

    Raises:
        ArgumentError: for repeated tokens, or none.
        DtypeError: for anything but strings.
    """

    __slots__ = ("_index", "_tokens")

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = _strings(tokens, "the tokens of a vocabulary")
        if not self._tokens:
            raise ArgumentError("a vocabulary needs at least one token")
        self._index = {token: number for number, token in enumerate(self._tokens)}
        if len(self._index) < len(self._tokens):
            twice = next(t for t, count in Counter(self._tokens).items() if count > 1)
            raise ArgumentError(f"the token {twice!r} stands in the vocabulary more than once")

    @classmethod
    def from_sequences(
        cls,
        sequences: Iterable[Sequence[str]],
        min_count: int = 1,
        most: int | None = None,
        specials: Sequence[str] = (PADDING, UNKNOWN),
    ) -> Self:
        """Collect the tokens of sequences: the special ones, then by falling count, then A to Z.

        Args:
            sequences: lists of tokens; a string is a sequence of its characters.
            min_count: tokens that occur less often are left out.
            most: keep so many of the most frequent at most, special ones not counted.
            specials: tokens that come first, whether they occur or not; `()` for a set of tags.

        Raises:
            DataError: when there are no tokens.
            ArgumentError: for sizes below 1, or special tokens without `<unk>` where tokens are
                left out.
        """
        size_of("min_count", min_count)
        if most is not None:
            size_of("most", most)
        if not isinstance(sequences, Iterable):
            raise DtypeError(f"a list of sequences is needed, not {sequences!r}")
        held = _strings(specials, "specials")
        counts: Counter[str] = Counter()
        for sequence in sequences:
            counts.update(_strings(sequence, "a sequence"))
        if not counts:
            raise DataError("there are no tokens to make a vocabulary of: every sequence is empty")
        frequent = [t for t, count in counts.items() if count >= min_count and t not in held]
        frequent.sort(key=lambda token: (-counts[token], token))
        kept = frequent if most is None else frequent[:most]
        if UNKNOWN not in held and len(kept) < len(counts.keys() - set(held)):
            raise ArgumentError(
                f"min_count and most leave tokens out, and specials has no {UNKNOWN!r} to stand "
                "for them; put it there"
            )
        return cls([*held, *kept])

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens in the order of their numbers."""
        return self._tokens

    def index(self, token: str) -> int:
        """Return the number of `token`; VocabularyError when it is not held."""
        number = self._index.get(token) if isinstance(token, str) else None
        if number is None:
            raise VocabularyError(
                f"{self!r} has no {token!r}; `token in vocabulary` tells whether one is held"
            )
        return number

    def encode(self, tokens: Sequence[str]) -> Ids:
        """Return the numbers of tokens, (N,) int64; those not held get the number of `<unk>`.

        Raises VocabularyError that names the token and its place where there is no `<unk>`.
        """
        given = _strings(tokens, "tokens")
        unknown = self._index.get(UNKNOWN, -1)
        ids = np.array([self._index.get(token, unknown) for token in given], dtype=np.int64)
        if unknown < 0 and (ids < 0).any():
            place = int((ids < 0).argmax())
            raise VocabularyError(
                f"{self!r} has no {given[place]!r}, token {place} of {len(given)}, and no "
                f"{UNKNOWN!r} to stand for it; make the vocabulary with that among its specials"
            )
        return ids

    def decode(self, ids: npt.ArrayLike) -> list[str]:
        """Return the tokens of numbers (N,). Raises OutOfRangeError that names the first wrong."""
        numbers = np.atleast_1d(array_of(ids))
        if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            raise DtypeError(
                f"decode takes one row of integers, not {numbers.dtype} of shape {numbers.shape}"
            )
        wrong = (numbers < 0) | (numbers >= len(self))
        if wrong.any():
            place = int(wrong.argmax())
            raise OutOfRangeError(
                f"number {numbers[place]} at position {place} is outside the vocabulary, whose "
                f"{len(self)} tokens are numbered 0 … {len(self) - 1}"
            )
        return [self._tokens[number] for number in numbers]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads, in types that JSON has.

        A token is a string, or the list of its code points where it holds a surrogate.
        """
        return {"tokens": [symbol_to_json(token) for token in self._tokens]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the vocabulary that `to_json` described; VocabularyError says what is wrong."""
        if not isinstance(data, Mapping) or not isinstance(data.get("tokens"), list):
            raise VocabularyError('a saved vocabulary is a JSON object with a list of "tokens"')
        held = [symbol_from_json(entry, number) for number, entry in enumerate(data["tokens"])]
        try:
            return cls(held)
        except ArgumentError as error:
            raise VocabularyError(f"the saved vocabulary cannot be used: {error}") from None

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and token in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenVocabulary):
            return NotImplemented
        return self._tokens == other._tokens

    def __hash__(self) -> int:
        return hash(self._tokens)

    def __repr__(self) -> str:
        shown = ", ".join(repr(token) for token in self._tokens[:5])
        return f"TokenVocabulary({len(self)} tokens: {shown}{', …' if len(self) > 5 else ''})"


def _strings(tokens: Iterable[str], name: str) -> tuple[str, ...]:
    held = tuple(tokens) if isinstance(tokens, Iterable) else (tokens,)
    wrong = next((token for token in held if not isinstance(token, str)), None)
    if wrong is not None:
        raise DtypeError(f"{name} are strings, not {wrong!r}")
    return held
