"""What the page of a search, or of judged traces, holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pmmc_check.checker.result import Result
from pmmc_check.model.model import Model
from pmmc_check.protocol import Protocol
from pmmc_check.report.page.sheets import Sheet, search_sheet, search_sheets, trace_sheet, witness_sheet
from pmmc_check.report.runs.of_trace import run_of_trace
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.sources import Source
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT

_RUNS_MAX, _EVENTS_MAX = 40, 400_000
"""So many runs, with so many events, one page holds; of further traces it has the report only."""


def sheets_of_search(result: Result, witnesses: Iterable[Any], model: Model, notes: Sequence[str]) -> list[Sheet]:
    """Counterexamples, witnesses, and what was searched. A witness has a `name`, a `result` and a `model`."""
    sheets = search_sheets(result, model, notes) if result.invariants else []
    for each in witnesses:
        if each.result.violation is not None:
            sheets.insert(0, witness_sheet(each.name, each.result.violation, each.model))
        sheets.append({**search_sheet(each.result, notes), "name": f"the search for {each.name}"})
    return sheets or [search_sheet(result, notes)]


def sheets_of_traces(found: Sequence[Source], verdicts: Sequence[TraceVerdict], protocol: Protocol | None) -> list[Sheet]:
    """A sheet for each trace, with its run as far as there is room: runs that are not accepted come first."""
    sheets: dict[int, Sheet] = {}
    left = _EVENTS_MAX
    order = sorted(range(len(found)), key=lambda number: verdicts[number].verdict == ACCEPTED)
    for number in order:
        verdict, run = verdicts[number], None
        if verdict.verdict != BAD_INPUT and verdict.events <= left and number in order[:_RUNS_MAX]:
            try:
                run = run_of_trace(found[number], verdict, protocol)
                left -= verdict.events
            except TraceError:  # it has changed since it was judged
                run = None
        sheets[number] = trace_sheet(verdict, run)
    return [sheets[number] for number in range(len(found))]
