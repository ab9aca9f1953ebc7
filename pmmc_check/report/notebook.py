"""What a notebook shows of a result: a piece of HTML that stands by itself, without a script, and asks nothing of the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from pmmc_check.verdicts import ACCEPTED, HOLDS, REJECTED, VIOLATED

_COLOURS = {HOLDS: "#2e7d32", ACCEPTED: "#2e7d32", "as expected": "#2e7d32", "reached": "#2e7d32"}
_COLOURS |= dict.fromkeys((VIOLATED, REJECTED, "not as expected", "bad input", "none"), "#c62828")
_OTHER_COLOUR = "#b26a00"
_ROWS_MAX = 500
"""Of a longer table the first rows are shown; the report has all."""


@dataclass(frozen=True)
class TableOfHtml:
    """A table to fold out under its title."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    open: bool = False


def summary_html(verdict: str, explanation: str, tables: Iterable[TableOfHtml], report: str) -> str:
    """The verdict in colour and the explanation; tables, and the whole report, fold out."""
    colour = _COLOURS.get(verdict, _OTHER_COLOUR)
    parts = [
        f'<p><strong style="color: {colour}">{escape(verdict)}</strong></p>',
        f'<pre style="white-space: pre-wrap">{escape(explanation.strip())}</pre>',
        *(_folded(each.title, _table(each), each.open) for each in tables if each.rows),
        _folded("the whole report", f"<pre>{escape(report)}</pre>"),
    ]
    return f'<div class="pmmc-check">{"".join(parts)}</div>'


def steps_table(title: str, steps: Sequence[dict[str, Any]]) -> TableOfHtml:
    """A run, from its steps as JSON has them."""
    rows = [
        (
            str(each["index"]),
            f"{each['message']} → {each['process']}",
            "; ".join(f"{one['process']}: {one['field']} {one['before']} → {one['after']}" for one in each["changes"]),
            ", ".join(f"{one['message']} → {one['to']}" for one in each["sends"]),
        )
        for each in steps
    ]
    return TableOfHtml(title, ("", "delivered", "changes", "sent"), rows, open=True)


def _table(table: TableOfHtml) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in table.heads)
    shown = table.rows[:_ROWS_MAX]
    body = "".join("<tr>" + "".join(f'<td style="text-align: left">{escape(cell)}</td>' for cell in row) + "</tr>" for row in shown)
    left = len(table.rows) - len(shown)
    more = f"<p>... and {left:,} more</p>" if left else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _folded(title: str, content: str, unfolded: bool = False) -> str:
    return f"<details{' open' if unfolded else ''}><summary>{escape(title)}</summary>{content}</details>"
