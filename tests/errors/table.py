"""Write the table of errors as Markdown: `python -m tests.errors.table`."""

import re
from pathlib import Path

from tests.errors.cases import FOLDER, TABLE, Mistake
from tinygrad_rnn.errors import TinygradRnnError

PATH = Path(__file__).parents[2] / "docs" / "errors.md"

HEAD = """# Errors

What each public call says to bad input. Every error is a `tinygrad_rnn.errors.TinygradRnnError`,
and also the built-in exception that fits. Where a message quotes NumPy or
the system, whose words differ between versions, this page has … for them. Written by
`python -m tests.errors.table` from `tests/errors/cases/`; a test checks that it is up to date.
"""


def message_of(mistake: Mistake) -> tuple[str, str]:
    """Return the name of the error that a mistake raises, and its message."""
    try:
        mistake.make()
    except TinygradRnnError as error:
        return type(error).__name__, own_words(error)
    raise AssertionError(f"{mistake.call} with {mistake.mistake} raised nothing")


def own_words(error: TinygradRnnError) -> str:
    """Return a message without what it quotes of NumPy or the system, which differs by version."""
    message = str(error)
    quoted = error.__cause__ or error.__context__
    # Our own messages stay, and so do the names that a KeyError is about.
    if quoted is None or isinstance(quoted, TinygradRnnError | KeyError):
        return message
    words = quoted.strerror if isinstance(quoted, OSError) else str(quoted)
    return message.replace(words, "…") if words else message


def portable(message: str) -> str:
    """Replace what differs between machines and edits: paths, line numbers, thread counts."""
    message = re.sub(rf"[^\s'\"]*{FOLDER}[^/\\]*[/\\]", "", message)
    message = re.sub(r"[^\s()`'\"]*cases[/\\]\w+\.py:\d+", "model.py:12", message)
    message = re.sub(r"set_num_threads\(\d+\)", "set_num_threads(n)", message)
    return re.sub(r"0x[0-9a-f]+", "0x…", message)


def cell(text: str) -> str:
    """Return text as a cell of a Markdown table."""
    text = re.sub(r"[\\|<\[]", r"\\\g<0>", text)
    return text.replace("\n", "<br>")


def markdown() -> str:
    """Return the whole page."""
    lines = [HEAD]
    for heading, mistakes in TABLE.items():
        lines += [
            f"## {heading}",
            "",
            "| call | mistake | error | message |",
            "| --- | --- | --- | --- |",
        ]
        for mistake in mistakes:
            error, message = message_of(mistake)
            shown = cell(portable(message))
            lines.append(f"| `{cell(mistake.call)}` | {mistake.mistake} | {error} | {shown} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PATH.write_text(markdown(), encoding="utf-8")
    print(f"wrote {PATH.name}")
