"""Symbols of a vocabulary as JSON, which joins a pair of lone surrogates into one character."""

from tinygrad_rnn.errors import VocabularyError

CODE_POINTS = range(0x110000)
_SURROGATES = range(0xD800, 0xE000)


def symbol_to_json(symbol: str) -> str | list[int]:
    """Return a symbol as a string, or as its code points where one of them is a surrogate."""
    code_points = [ord(character) for character in symbol]
    if any(code_point in _SURROGATES for code_point in code_points):
        return code_points
    return symbol


def symbol_from_json(entry: object, number: int) -> str:
    """Return what `symbol_to_json` described; VocabularyError names the symbol by its number."""
    if isinstance(entry, str):
        return entry
    if isinstance(entry, list) and all(type(c) is int and c in CODE_POINTS for c in entry):
        return "".join(map(chr, entry))
    raise VocabularyError(
        f"symbol {number} of a saved vocabulary is {shorten(entry)}; it must be a string or a "
        "list of code points"
    )


def shorten(value: object) -> str:
    """Return the repr of a value, or its beginning."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
