"""Makes the pictures of docs/seeing.md: `python benchmarks/screenshots.py` (takes Chromium and playwright)."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from pmmc_check.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
FAULT = [
    "explore",
    "--acceptors",
    "3",
    "--slots",
    "1",
    "--commands",
    "2",
    "--variant",
    "ignore-pmax",
    "--invariant",
    "Agreement",
    "--quiet",
]
RUN = ["simulate", "--leaders", "3", "--seed", "12", "--events", "260", "--loss-rate", "0.04", "--crash-rate", "0.01"]

WITHOUT_REQUESTS = """
for (const line of document.querySelectorAll('.choice')) {
  if (['request', 'propose', 'response'].includes(line.querySelector('label').textContent)) line.querySelector('input').click();
}
location.hash = '#step=150';
"""

# name, command, address, theme, height, what to do before the picture is taken
PICTURES: list[tuple[str, list[str], str, str, int, str]] = [
    ("counterexample", FAULT, "", "light", 860, ""),
    ("rejected", ["validate", "traces/bad-pmax-ignored.pmmc", "--quiet"], "", "dark", 760, ""),
    ("three-leaders", [*RUN, "--out", "{folder}/run.pmmc"], "#step=150", "light", 860, WITHOUT_REQUESTS),
    ("search", ["explore", "--quiet"], "", "light", 860, ""),
    ("any-slots", ["explore", "--slots", "any", "--quiet"], "", "light", 1000, ""),
    ("gate", ["gate", "runs", "--no-cache"], "", "light", 430, ""),
]


def _traces(folder: Path) -> None:
    """The example traces, and some of them for a gate that has something to show."""
    shutil.copytree(ROOT / "pmmc_check" / "examples" / "traces", folder / "traces")
    (folder / "runs").mkdir()
    for name in ("bad-window", "bad-pmax-ignored", "good-duplicate", "good-one-command", "good-stuck-slot", "partial-acceptor-only"):
        shutil.copy(folder / "traces" / f"{name}.pmmc", folder / "runs")


def taken(browser: Any, folder: Path) -> None:
    """Writes all pictures."""
    _traces(folder)
    os.chdir(folder)
    for name, command, address, theme, height, action in PICTURES:
        page_file = folder / f"{name}.html"
        main([*(word.format(folder=folder) for word in command), "--html", str(page_file)])
        page = browser.new_page(viewport={"width": 1440, "height": height}, color_scheme=theme)
        page.goto(f"{page_file.as_uri()}{address}")
        page.wait_for_selector("main")
        if action:
            page.evaluate(action)
        page.wait_for_timeout(300)
        page.screenshot(path=IMAGES / f"{name}.png")
        page.close()


if __name__ == "__main__":
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no chromium: install it (apt-get install chromium)")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as temporary:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        taken(started, Path(temporary))
        started.close()
