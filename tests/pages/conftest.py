"""Pages in a real browser: Chromium without a window, and what must be true of every page that it opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pmmc_check.report.page.page import page_html


class Opened:
    """A page that is open; `complaints` are errors on its console and requests for anything but its own file."""

    def __init__(self, browser: Any, path: Path, fragment: str = "", **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, **options})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._asked(request.url, path))
        self.page.goto(f"{path.as_uri()}{fragment}")
        self.page.wait_for_selector("main")

    def _asked(self, url: str, path: Path) -> None:
        if url.partition("#")[0] != path.as_uri():
            self.complaints.append(f"request: {url}")

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def texts(self, selector: str) -> list[str]:
        found: list[str] = self.page.locator(selector).all_inner_texts()
        return found

    @property
    def step(self) -> int:
        return int(self.page.locator(".event.current").get_attribute("data-event"))

    def close(self) -> None:
        self.context.close()
        assert self.complaints == []


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Opens sheets (or a file) as a page; in the end none of the pages may have complained."""
    pages: list[Opened] = []

    def opening(sheets: list[dict[str, Any]] | Path, fragment: str = "", *, index: bool = False, **options: Any) -> Opened:
        path = sheets if isinstance(sheets, Path) else tmp_path / f"page-{len(pages)}.html"
        if not isinstance(sheets, Path):
            path.write_text(page_html("a test", sheets, index), encoding="utf-8")
        pages.append(Opened(chromium, path, fragment, **options))
        return pages[-1]

    yield opening
    for each in pages:
        each.close()
