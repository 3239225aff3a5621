"""Write the table of errors as Markdown: `python -m tests.errors.table`."""

import re
from pathlib import Path

from tests.errors.cases import TABLE, Mistake
from tinygrad_rnn.errors import TinygradRnnError

PATH = Path(__file__).parents[2] / "docs" / "errors.md"

HEAD = """# Errors

What each public call says to bad input. Every error is a `tinygrad_rnn.errors.TinygradRnnError`,
and also the built-in exception that fits. Written by `python -m tests.errors.table` from
`tests/errors/cases.py`; a test checks that it is up to date.
"""


def message_of(mistake: Mistake) -> tuple[str, str]:
    """Return the name of the error that a mistake raises, and its message."""
    try:
        mistake.make()
    except TinygradRnnError as error:
        return type(error).__name__, str(error)
    raise AssertionError(f"{mistake.call} with {mistake.mistake} raised nothing")


def portable(message: str) -> str:
    """Replace what differs between machines and edits: paths, line numbers, thread counts."""
    message = re.sub(r"[^\s()`'\"]*cases\.py:\d+", "model.py:12", message)
    message = re.sub(r"set_num_threads\(\d+\)", "set_num_threads(n)", message)
    return re.sub(r"0x[0-9a-f]+", "0x…", message)


def cell(text: str) -> str:
    """Return text as a cell of a Markdown table."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "<br>")


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
