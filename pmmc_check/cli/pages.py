"""`--html FILE`: what a verb has found, as one page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pmmc_check.cli.outputs import OutputFile

if TYPE_CHECKING:
    from pmmc_check.checker.result import Result
    from pmmc_check.model.model import Model
    from pmmc_check.protocol import Protocol
    from pmmc_check.report.page.sheets import Sheet
    from pmmc_check.report.runs.run import Run
    from pmmc_check.trace.sources import Source
    from pmmc_check.validation.verdict import TraceVerdict

_RUNS_MAX, _EVENTS_MAX = 40, 400_000
"""So many runs, with so many events, one page holds; of further traces it has the report only."""


def configure_html(out: argparse._ActionsContainer, what: str) -> None:
    """Declares `--html`; `what` is shown."""
    out.add_argument("--html", metavar="FILE", help=f"also write {what} as one HTML page to look at in a browser (docs/seeing.md)")


class PageFile:
    """The file that `--html` names, opened before the work that it is to show; without a name it does nothing.

    Raises:
        UsageError: it cannot be written.
    """

    def __init__(self, name: str | None) -> None:
        self._file = None if name is None else OutputFile("--html", name)

    def __enter__(self) -> PageFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.__exit__(kind, error, trace)

    def write(self, title: str, sheets: Callable[[], Iterable[Sheet]], index: bool = False) -> None:
        """Writes the page; the sheets are made only if it was asked for."""
        if self._file is None:
            return
        from pmmc_check.report.page.page import page_html
        from pmmc_check.validation.judge import rare_collections

        with rare_collections():  # a long run is a million small lists, and none of them is garbage
            self._file.write(page_html(title, list(sheets()), index))
        self._file.commit()


def sheets_of_search(result: Result, witnesses: Iterable[Any], model: Model, notes: Sequence[str]) -> list[Sheet]:
    """Counterexamples, witnesses, and what was searched. A witness has a `name`, a `result` and a `model`."""
    from pmmc_check.report.page.sheets import search_sheet, search_sheets, witness_sheet

    sheets = search_sheets(result, model, notes) if result.invariants else []
    for each in witnesses:
        if each.result.violation is not None:
            sheets.insert(0, witness_sheet(each.name, each.result.violation, each.model))
        sheets.append({**search_sheet(each.result, notes), "name": f"the search for {each.name}"})
    return sheets or [search_sheet(result, notes)]


def sheets_of_every_slot(result: Any) -> list[Sheet]:
    """The counterexample that confirms a violation, and the argument for every number of slots."""
    from pmmc_check.report.page.any_slots_sheets import sheets_for_every_slot

    return sheets_for_every_slot(result)


def sheets_of_traces(found: Sequence[Source], verdicts: Sequence[TraceVerdict], protocol: Protocol | None) -> list[Sheet]:
    """A sheet for each trace, with its run as far as there is room: runs that are not accepted come first."""
    from pmmc_check.report.page.sheets import trace_sheet
    from pmmc_check.report.runs.of_trace import run_of_trace
    from pmmc_check.trace.errors import TraceError
    from pmmc_check.verdicts import ACCEPTED, BAD_INPUT

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


def sheet_of_run(name: str, run: Run) -> Sheet:
    """One run."""
    from pmmc_check.report.page.sheets import run_sheet

    return run_sheet(name, run)
