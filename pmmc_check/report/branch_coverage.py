"""`validate --coverage` for people: the branches that no run took, then the others with how often."""

from __future__ import annotations

from collections.abc import Iterator

from pmmc_check.validation.corpus import CorpusCoverage
from pmmc_check.words import counted

LITTLE_PERCENT = 50
"""Below this an accepted corpus is told to show little."""


def branch_lines(coverage: CorpusCoverage, *, rows: bool = True) -> Iterator[str]:
    """A headline, what says how much it counts for, and with `rows` a line for each branch."""
    branches, never = coverage.branches, coverage.never
    traces = counted(coverage.traces, "trace")
    reached = len(branches) - len(never)
    yield f"coverage: {reached} of {len(branches)} branches of the protocol ({coverage.percent:.0f} %), in {traces}"
    if coverage.partial:
        yield f"  {counted(coverage.partial, 'trace')} with partial logs: only what complete logs show is counted"
    if coverage.uncounted:
        yield f"  {counted(coverage.uncounted, 'trace')} not accepted: there is no run to count"
    if coverage.percent < LITTLE_PERCENT:
        yield "  This is little: what no run does is not tested. Runs with duelling leaders, lost messages and crashes reach more."
    if not rows:
        return
    width = max(len(each.name) for each in branches)
    for each in never:
        yield f"  {'never':>12}  {each.name:<{width}}  {each.meaning}"
    for each in branches:
        if each not in never:
            yield f"  {coverage.steps[each.name]:>12,}  {each.name:<{width}}  {each.meaning}"
