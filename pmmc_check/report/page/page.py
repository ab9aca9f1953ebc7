"""The page as text: one HTML file with everything in it, which asks nothing of the network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from pmmc_check import __version__

PACKED_FROM_BYTES = 300_000
"""Data from this size on is compressed; the browser unpacks it."""

_DATA = re.compile(r'id="data" data-packed="(?P<packed>\w+)">(?P<data>[^<]*)</script>')

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""What could end the element that the data is in; as JSON escapes it means the same."""

_POLICY = "default-src 'none'; script-src '{script}'; style-src '{style}'; base-uri 'none'; form-action 'none'"
"""What a browser lets the page do: run its own script, use its own style, and nothing else."""

_HTML = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="pmmc-check {version}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<div id="app"><noscript>This page shows a run of pmmc-check and needs JavaScript. It loads nothing from anywhere.</noscript></div>
<script type="application/json" id="data" data-packed="{packed}">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def page_html(title: str, sheets: Sequence[dict[str, Any]], index: bool = False) -> str:
    """The whole page; `sheets` are made by `report.page.sheets`. With `index` it begins with a table of all, else with the first."""
    script, style = _asset("page.js"), _asset("page.css")
    packed, data = embedded({"title": title, "version": __version__, "index": index, "sheets": list(sheets)})
    return _HTML.format(
        policy=_POLICY.format(script=_hash(script), style=_hash(style)),
        version=__version__,
        title=escape(title),
        style=style,
        packed=packed,
        data=data,
        script=script,
    )


def embedded(data: dict[str, Any]) -> tuple[str, str]:
    """How the data is packed (`no` or `gzip`), and its text, in which nothing can end the element around it."""
    text = json.dumps(data, separators=(",", ":"))
    if len(text) >= PACKED_FROM_BYTES:
        return "gzip", base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
    for sign, safe in _UNSAFE.items():
        text = text.replace(sign, safe)
    return "no", text


def sheets_in(html: str) -> list[dict[str, Any]]:
    """The sheets of a page that `page_html` has made; none where it is no such page."""
    found = _DATA.search(html)
    if found is None:
        return []
    text = gzip.decompress(base64.b64decode(found["data"])).decode() if found["packed"] == "gzip" else found["data"]
    sheets: list[dict[str, Any]] = json.loads(text)["sheets"]
    return sheets


def _asset(name: str) -> str:
    return (files("pmmc_check.report.page") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
