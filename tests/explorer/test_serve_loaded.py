"""`explore --serve --load`: the explorer begins at the end of a recorded run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, command

from explorer.test_serve import Served, opened, started, step_of, takes

REJECTED = ROOT / "traces" / "bad-pmax-ignored.pmmc"


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[Served, str]]:
    """The server, and the path in the address that it printed."""
    served = started("--load", str(REJECTED))
    url, _, path = served.url.partition("#")
    yield replace(served, url=url), path
    served.process.kill()
    served.process.wait()


def test_the_address_names_the_last_state_that_could_be_followed(loaded: tuple[Served, str]) -> None:
    served, path = loaded
    recorded = served.asked("about")["recorded"]
    assert recorded["path"] == path and len(path.split(".")) == 11
    assert recorded["told"][0] == "bad-pmax-ignored.pmmc: rejected. 12 of 13 events, 11 steps."
    assert any("It goes no further" in each for each in recorded["told"])
    state = served.asked(f"state?path={path}")
    assert state["depth"] == 11 and state["choices"]
    assert served.asked("search") is None
    assert served.post(path, "until decided")["path"].startswith(f"{path}.")


def test_the_page_tells_of_the_run_goes_on_from_it_and_back_to_it(chromium: Any, loaded: tuple[Served, str]) -> None:
    served, path = loaded
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    tab = opened(context, served, f"#{path}")
    tab.locator(".alert.loaded summary", has_text="rejected. 12 of 13 events").wait_for()
    assert step_of(tab) == "Step 11" and tab.locator(".event").count() == 12
    takes(tab, "p1a(0.L1)", 12)
    assert tab.locator(".alert.loaded").count() == 0
    tab.click("#recorded")
    tab.locator(".alert.loaded").wait_for()
    assert tab.url.endswith(f"#{path}")
    assert tab.complaints == []
    context.close()


def test_a_counterexample_of_explore_can_be_loaded(tmp_path: Path) -> None:
    found = tmp_path / "found.pmmc"
    assert command("explore", "specs/seeded-fault.spec", "--quiet", "--trace-out", str(found)).returncode == 1
    served = started("--load", str(found))
    assert re.search(r"/#[\d.]+$", served.url)
    assert served.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--load", "x.pmmc"), "it goes with --serve; in the terminal: pmmc-check step --load x.pmmc"),
        (("--load", "x.pmmc", "--serve", ":0"), "x.pmmc: no such file"),
        (("--load", str(REJECTED), "--acceptors", "3", "--serve", ":0"), "leave --acceptors out"),
    ],
)
def test_what_cannot_be_loaded_is_refused(arguments: tuple[str, ...], told: str) -> None:
    done = command("explore", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr and done.stderr.count("\n") == 1
