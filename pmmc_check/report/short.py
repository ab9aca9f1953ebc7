"""A result in a few lines, as a failing test shows it: what is broken and why, without the run."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from pmmc_check.checker.any_slots.search import AnySlotsResult
from pmmc_check.checker.result import Result
from pmmc_check.model.model import Model
from pmmc_check.report.any_slots_text import headline_of_every_slot
from pmmc_check.report.explore_text import headline, reasons_why
from pmmc_check.report.layout import Layout, rendered
from pmmc_check.report.why import why
from pmmc_check.words import counted


def short_text(result: Result, model: Model, layout: Layout | None = None) -> str:
    """The headline, and the reasons and the length of the run where there is one."""
    return rendered(_short(result, model), layout or Layout())


def short_text_of_every_slot(result: AnySlotsResult, layout: Layout | None = None) -> str:
    """The same of a result for every number of slots."""
    shown = result.confirmation.shown if result.confirmation else None
    if shown is not None:
        return short_text(shown[0], shown[1], layout)
    return rendered([headline_of_every_slot(result)], layout or Layout())


def _short(result: Result, model: Model) -> Iterator[RenderableType]:
    yield headline(result)
    if result.violation is not None:
        yield ""
        yield from reasons_why(why(result.violation, model))
        yield Text(f"The run that shows it has {counted(len(result.violation.trace), 'step')}; the report has the whole of it.")
