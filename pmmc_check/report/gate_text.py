"""`pmmc-check gate`: a line for each check as it ends, and a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pmmc_check.gating.checks import ALLOWED, AS_EXPECTED, STATUSES, UNDECIDED, CheckResult
from pmmc_check.report.layout import Layout, rendered
from pmmc_check.words import counted

_STYLES = {AS_EXPECTED: "green", ALLOWED: "yellow", UNDECIDED: "yellow"}
_BAD = "bold red"


def gate_line(result: CheckResult, number: int, total: int) -> str:
    """One line on a check that has ended."""
    time = "remembered" if result.remembered else f"{result.outcome.seconds:.1f} s"
    return f"[{number}/{total}] {result.status}: {result.check.name}: {result.sentence} ({time})"


def gate_table(results: Sequence[CheckResult], layout: Layout) -> str:
    """All checks, and the count of each status."""
    return rendered(_parts(results), layout)


def gate_counts(results: Sequence[CheckResult]) -> str:
    """How many checks ended how."""
    counts = Counter(each.status for each in results)
    told = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status]) or "none to run"
    remembered = sum(each.remembered for each in results)
    return f"{counted(len(results), 'check')}: {told}" + (f"; {remembered} remembered, unchanged" if remembered else "")


def _parts(results: Sequence[CheckResult]) -> Iterator[RenderableType]:
    if results:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("check", overflow="fold")
        for title in ("expected", "verdict"):
            table.add_column(title, overflow="fold")
        for title in ("states", "seconds", "MiB"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("", overflow="fold")
        for each in results:
            table.add_row(*map(Text, _row(each)), Text(each.status, style=_STYLES.get(each.status, _BAD)))
        yield table
    yield Text(gate_counts(results), style="bold")


def _row(result: CheckResult) -> tuple[str, ...]:
    outcome = result.outcome
    return (
        result.check.name,
        result.expected,
        outcome.verdict,
        "" if outcome.states is None else f"{outcome.states:,}",
        "-" if result.remembered else f"{outcome.seconds:.1f}",
        "-" if result.remembered else f"{outcome.peak_bytes / 2**20:.0f}",
    )
