"""Puts a page together: one HTML file with its style, its program and its data inside.

A page needs no network and no other file. Whatever comes from a text or a model enters it as JSON,
and its own program writes it as text nodes: a corpus with `<script>` in it is shown, not run. By
its content policy the page could not load or run anything else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from html import escape
from importlib import resources
from string import Template
from typing import Any

_FOLDER = __package__


def page(name: str, title: str, data: Any, parts: Iterable[str] = ()) -> str:
    """Return a page made of `name`.html, .css and .js in this folder, after the common ones.

    Args:
        name: which page, such as "study".
        title: shown in the browser's tab.
        data: dicts, lists, strings, finite numbers and None; the page reads it by `Page.data()`.
        parts: scripts that `name`.js builds on, in order: "graph" is `name`.graph.js.
    """
    style = _file("common.css") + _file(f"{name}.css")
    scripts = ["common.js", *(f"{name}.{part}.js" for part in parts), f"{name}.js"]
    script = "\n" + "".join(map(_file, scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(_file("page.html")).substitute(
        digest=f"sha256-{digest}",
        title=escape(title),
        style=style,
        body=_file(f"{name}.html"),
        data=script_json(data),
        script=script,
    )


def script_json(data: Any) -> str:
    """Return data as JSON that may stand inside a `<script>` element, in ASCII."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _file(name: str) -> str:
    return resources.files(_FOLDER).joinpath(name).read_text(encoding="utf-8")
