"""What the nodes of a cluster say of themselves, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from pmmc_check.report.layout import Layout, rendered


def cluster_text(answers: Mapping[str, dict[str, Any] | str], layout: Layout) -> str:
    """A row a node."""
    table = Table(box=None, pad_edge=False)
    for heading in ("node", "state", "ballot", "decided", "performed", "leaders", "received", "refused"):
        table.add_column(heading, justify="right" if heading in ("decided", "performed", "received", "refused") else "left")
    for name, answer in answers.items():
        if isinstance(answer, str):
            table.add_row(name, "no answer")
            continue
        counts: dict[str, int] = answer["counts"]
        received = sum(count for kind, count in counts.items() if kind.startswith("received "))
        replica = name.startswith("R")
        table.add_row(
            name,
            _state(answer),
            answer["ballot"],
            f"{answer['decided']:,}" if replica else "",
            f"{answer['performed']:,}" if replica else "",
            ",".join(answer["leaders"]),
            f"{received:,}",
            f"{counts.get('bad frames', 0):,}",
        )
    return rendered([table], layout)


def _state(answer: Mapping[str, Any]) -> str:
    return "stopping" if answer.get("stopping") else "paused" if answer["paused"] else "running"
