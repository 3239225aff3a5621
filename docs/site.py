"""What the site needs beyond mkdocs: formulas without JavaScript, and no links out of docs/."""

from __future__ import annotations

import html
import re
from typing import Any

import latex2mathml.converter

_FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\([(\[])(.+?)\\[)\]]</\1>', flags=re.DOTALL
)
_OUTSIDE = re.compile(
    r"\[([^\]]+)\]\((?:\.\./)+(?:benchmarks|examples|tests|tinygrad_rnn|README)[^)]*\)"
)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Keep only the text of links to files of the repository that are no pages."""
    if page.file.src_uri == "errors.md":
        # Messages are plain text, in which settings['losses'][0] is no reference.
        markdown = markdown.replace("][", "]\\[")
    return _OUTSIDE.sub(r"\1", markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Turn LaTeX into MathML, which browsers draw by themselves."""
    return _FORMULA.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    kind, bracket, formula = found.groups()
    display = "block" if bracket == "[" else "inline"
    math = latex2mathml.converter.convert(html.unescape(formula).strip(), display=display)
    return f"<{kind}>{math}</{kind}>"
