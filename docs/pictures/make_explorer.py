"""Makes docs/pictures/explorer.png: the explorer in a headless Chromium, where ignoring pmax breaks an invariant.

python docs/pictures/make_explorer.py        (needs the extra `serve`, Playwright for Python and Chromium)
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars"


def main() -> None:
    """Serves, steps to the counterexample, and takes the picture."""
    arguments = [sys.executable, "-m", "pmmc_check", "explore", "specs/seeded-fault.spec", "--serve", ":0"]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS.split())
            page = browser.new_page(viewport={"width": 1440, "height": 820})
            page.goto(url)
            page.locator("#counterexample").click()
            page.locator(".alert.is-broken").wait_for()
            page.fill("#why", "p2a(0.L2, 1, c2) to A1")
            page.press("#why", "Enter")
            page.locator(".said", has_text=re.compile("Nobody has sent")).wait_for()
            page.screenshot(path=ROOT / "docs" / "pictures" / "explorer.png")
            browser.close()
        server.terminate()


if __name__ == "__main__":
    main()
