"""A run of 100,000 events stays usable: what a browser takes to show it, to step, to jump and to scroll."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pages.conftest import Opened
from pmmc_check.api.simulating import simulate
from pmmc_check.report.page.page import page_html
from pmmc_check.report.page.sheets import run_sheet
from pmmc_check.report.runs.of_trace import run_of_trace
from pmmc_check.trace.sources import Source
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED

EVENTS = 100_000
_FRAME = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Two frames: what was changed has been painted."""


@pytest.fixture(scope="session")
def long_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    made = simulate(events=EVENTS, commands=EVENTS, seed=3, leaders=3, network=["reliable"])
    source = Source(made.write(folder / "long.pmmc"))
    run = run_of_trace(source, TraceVerdict(str(source.path), ACCEPTED, EVENTS))
    assert len(run.events) == EVENTS + 1
    page = folder / "long.html"
    page.write_text(page_html("long", [run_sheet("long", run)]), encoding="utf-8")
    return page


def _milliseconds(page: Any, action: str) -> float:
    """From before an action until what it changed is painted."""
    script = f"async () => {{ const start = performance.now(); {action}; await {_FRAME}; return performance.now() - start; }}"
    return float(page.evaluate(script))


@pytest.mark.slow
def test_a_run_of_100_000_events_opens_steps_jumps_and_scrolls_at_once(opened: Callable[..., Opened], long_page: Path) -> None:
    shown = opened(long_page, "#step=50000")
    page = shown.page
    page.wait_for_selector(".event.current")
    first_paint = page.evaluate(f"async () => {{ await {_FRAME}; return performance.now(); }}")
    assert shown.step == 50_000
    assert shown.count(".event") < 100, "only what is in sight is in the document"
    key = "document.querySelector('.events').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))"
    steps = sorted(_milliseconds(page, key) for _ in range(9))
    assert shown.step == 50_009
    jump = _milliseconds(page, "location.hash = '#step=99999'; await new Promise(done => setTimeout(done))")
    assert shown.step == 99_999
    back = _milliseconds(page, "location.hash = '#step=1'; await new Promise(done => setTimeout(done))")
    scrolls = sorted(
        _milliseconds(page, f"document.querySelector('.timeline').scrollTop = {top}") for top in range(100_000, 1_000_000, 100_000)
    )
    search = _milliseconds(
        page, "const box = document.querySelector('.query'); box.value = 'decision s=77 '; box.dispatchEvent(new Event('input'))"
    )
    assert "decision s=77 " in page.locator(".event.current .label").inner_text()
    told = {
        "file_mib": round(long_page.stat().st_size / 2**20, 1),
        "first_paint_ms": round(first_paint),
        "step_ms": round(steps[4]),
        "jump_to_the_end_ms": round(jump),
        "back_to_the_beginning_ms": round(back),
        "scroll_ms": round(scrolls[4]),
        "search_ms": round(search),
    }
    print(json.dumps(told))
    if target := os.environ.get("PMMC_PAGE_TIMES"):
        Path(target).write_text(json.dumps(told), encoding="utf-8")
    assert first_paint < 20_000 and steps[4] < 500 and scrolls[4] < 500 and jump < 3_000 and search < 3_000
