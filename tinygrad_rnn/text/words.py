"""The word level's tokenisation: text to words and back, losing nothing.

A token is one of

- a word: letters, digits and underscores, with apostrophes and hyphens inside it (`don't`,
  `well-known`);
- any other single character that is not white space (`,`, `(`, an emoji);
- one character of white space, where white space is not what the spacing rule expects;
- `JOIN`, where the rule expects a space and the text has none.

The spacing rule: between two tokens stands one space, except before a character of
`NO_SPACE_BEFORE` and after a character of `NO_SPACE_AFTER`. A space that the rule expects costs
no token, so "To be, or not" is four words and a comma, and joining the tokens by the same rule
gives the text back exactly. This module knows nothing of vocabularies.
"""

import re
from collections.abc import Iterable, Iterator

from tinygrad_rnn.errors import DtypeError

JOIN = "<join>"
"""Stands between two tokens that the spacing rule would have set apart."""

NO_SPACE_BEFORE = frozenset(".,;:!?)]}%…’”»")
NO_SPACE_AFTER = frozenset("([{“‘«\"'")

_WHITE_SPACE = re.compile(r"\s")
_PIECE = re.compile(r"\s+|\w+(?:['’-]\w+)*|[^\w\s]")


def split_words(text: str, before: str = "") -> Iterator[tuple[str, int]]:
    """Yield every token of `text` with the index at which it begins.

    `before` is the last word or mark in front of `text`, where `text` continues another.
    `<join>` written in a text is no marker: it is the tokens `<`, `join` and `>`.
    """
    if not isinstance(text, str):
        raise DtypeError(f"a text is split that is a str, not {type(text).__name__}")
    gap = ""
    gap_start = 0
    for match in _PIECE.finditer(text):
        piece = match.group()
        if piece.isspace():
            gap = piece
            gap_start = match.start()
            continue
        if space_expected(before, piece) and gap in ("", " "):
            if not gap:
                yield JOIN, match.start()
        else:
            yield from _characters(gap, gap_start)
        yield piece, match.start()
        before = piece
        gap = ""
    yield from _characters(gap, gap_start)


def join_words(tokens: Iterable[str]) -> str:
    """Return the text of `tokens`: the inverse of `split_words`."""
    parts: list[str] = []
    before = ""
    for token in tokens:
        if token == JOIN:
            before = ""
            continue
        if space_expected(before, token):
            parts.append(" ")
        parts.append(token)
        before = token
    return "".join(parts)


def space_expected(before: str, after: str) -> bool:
    """Whether the spacing rule puts a space between the tokens `before` and `after`."""
    if not before or before.isspace() or after.isspace():
        return False
    return after not in NO_SPACE_BEFORE and before not in NO_SPACE_AFTER


def split_chunks(chunks: Iterable[str]) -> Iterator[tuple[str, list[str], list[int]]]:
    """Split the chunks of a long text: the tokens are those of the chunks joined together.

    Yields pieces of the text, cut anew so that no word is cut in two, each with its tokens and
    the indices in the piece at which they begin.
    """
    before = ""
    for text in _cut_between_words(chunks):
        pairs = list(split_words(text, before))
        tokens = [token for token, _ in pairs]
        # Every piece but the last ends with a word or mark, so this is never white space.
        before = tokens[-1]
        yield text, tokens, [start for _, start in pairs]


def _cut_between_words(chunks: Iterable[str]) -> Iterator[str]:
    """Yield pieces of the text that are cut where a run of white space begins.

    So every piece but the first begins with white space, and only the last may end with it.
    """
    pending: list[str] = []
    for chunk in chunks:
        pending.append(chunk)
        if not _WHITE_SPACE.search(chunk):
            continue
        text = "".join(pending)
        cut = _last_gap(text)
        if cut:
            yield text[:cut]
        pending = [text[cut:]]
    rest = "".join(pending)
    if rest:
        yield rest


def _last_gap(text: str) -> int:
    """Return where the last run of white space begins, or 0 when nothing stands before it."""
    stripped = text.rstrip()
    if len(stripped) < len(text):
        return len(stripped)
    parts = stripped.rsplit(None, 1)
    return len(parts[0]) if len(parts) == 2 else 0


def _characters(gap: str, start: int) -> Iterator[tuple[str, int]]:
    for offset, character in enumerate(gap):
        yield character, start + offset
