"""Docstrings are plain text; here they become the Markdown that the reference is made of."""

from __future__ import annotations

from typing import Any

import griffe


class PlainText(griffe.Extension):
    """Keeps equations line by line, and takes no index for a link."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of every module, class, function and attribute."""
        if obj.docstring is not None:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(_markdown(text) for text in paragraphs)


def _markdown(paragraph: str) -> str:
    lines = paragraph.split("\n")
    if len(lines) > 1 and all(" = " in line and line[0] != " " for line in lines):
        return "\n".join(f"    {line}" for line in lines)
    return paragraph.replace("][", "]\\[")
