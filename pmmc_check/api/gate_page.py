"""`gate --html`: a table of all checks, and the run of each that shows what is wrong."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pmmc_check.gating.checks import CheckResult
from pmmc_check.gating.processes import CheckProcess
from pmmc_check.report.page.page import page_html, sheets_in
from pmmc_check.report.page.sheets import Sheet, check_sheet
from pmmc_check.verdicts import REJECTED, VIOLATED

_RUNS_MAX = 20


def gate_page(results: Sequence[CheckResult]) -> str:
    """The page. Checks that are not as expected and found a run are made once more, to have it; up to `_RUNS_MAX` of them."""
    wrong = [each for each in results if not each.good and each.outcome.verdict in (VIOLATED, REJECTED)]
    again = set(map(id, wrong[:_RUNS_MAX]))
    sheets = [check_sheet(each, _sheets_of(each) if id(each) in again else ()) for each in results]
    return page_html("gate", sheets, index=True)


def _sheets_of(result: CheckResult) -> list[Sheet]:
    """What the page of one check shows; nothing where this time it came to no end."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "check.html")
        process = CheckProcess(result.check, ("--html", str(page)))
        try:
            while process.poll() is None:
                time.sleep(0.02)
        finally:
            process.kill()
        return sheets_in(page.read_text(encoding="utf-8")) if page.is_file() else []
