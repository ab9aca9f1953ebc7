"""`--html FILE`: what a verb has found, as one page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from pmmc_check.cli.outputs import OutputFile

if TYPE_CHECKING:
    from pmmc_check.report.page.sheets import Sheet
    from pmmc_check.report.runs.run import Run


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

        def page() -> str:
            from pmmc_check.report.page.page import page_html

            return page_html(title, list(sheets()), index)

        self.write_page(page)

    def write_page(self, page: Callable[[], str]) -> None:
        """Writes the page that `page` makes, if it was asked for."""
        if self._file is None:
            return
        from pmmc_check.validation.rare_collections import rare_collections

        with rare_collections():  # a long run is a million small lists, and none of them is garbage
            self._file.write(page())
        self._file.commit()


def sheet_of_run(name: str, run: Run) -> Sheet:
    """One run."""
    from pmmc_check.report.page.sheets import run_sheet

    return run_sheet(name, run)
