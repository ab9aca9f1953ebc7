"""The table that a page of several runs begins with: what is wrong comes first, and one can leave only that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT, in_process

from pages.conftest import Opened
from pages.test_bundle import AXE, needs_npm

Open = Callable[..., Opened]
NAMES = ("good-one-command", "bad-two-decisions", "good-stuck-slot")


@pytest.fixture(scope="module")
def gate_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a gate of three traces, one of which is not as expected."""
    folder = tmp_path_factory.mktemp("gate")
    for name in NAMES:
        lines = (ROOT / "traces" / f"{name}.pmmc").read_text().splitlines(keepends=True)
        (folder / f"{name}.pmmc").write_text("".join(line for line in lines if not line.startswith("#")))
    return folder


@pytest.fixture
def gated(gate_page: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    page = gate_page / "gate.html"
    if not page.exists():
        assert in_process(capsys, "gate", str(gate_page), "--html", str(page), "--no-cache").returncode == 1
    return page


def test_what_is_not_as_expected_comes_first_and_can_be_left_alone(opened: Open, gated: Path) -> None:
    page = opened(gated)
    assert page.texts("tbody .of-name a") == ["bad-two-decisions.pmmc", "good-one-command.pmmc", "good-stuck-slot.pmmc"]
    assert page.texts(".folder code") == [f"{gated.parent}/"]
    assert page.texts(".chip") == ["all 3", "1 NOT AS EXPECTED", "2 ok"]
    page.page.get_by_role("button", name="1 NOT AS EXPECTED").click()
    assert page.texts("tbody .of-name a") == ["bad-two-decisions.pmmc"]
    assert page.texts(".status-word") == ["✗ NOT AS EXPECTED"]
    assert page.texts(".of-summary") == ["Agreement: slot 1: C1:1 decided; C2:1 decided"]
    page.page.get_by_role("button", name="all 3").click()
    assert page.count("tbody tr") == 3
    page.page.locator("tbody a").first.click()
    page.page.wait_for_selector(".event.failing")
    assert page.texts(".page-head .expected") == ["expected: accepted"]


@pytest.mark.parametrize("width", [1400, 700, 380])
def test_nothing_sticks_out_of_a_page_however_narrow(opened: Open, gated: Path, width: int) -> None:
    for fragment in ("", "#sheet=0", "#sheet=1"):
        page = opened(gated, fragment, viewport={"width": width, "height": 800})
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width, fragment
        assert page.page.evaluate(_STICKING_OUT) == [], fragment


_STICKING_OUT = """() => [...document.querySelectorAll('h1, .verdict, .theme, .toolbar > *, tbody td, .card > *')].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width && box.right > innerWidth + 1;
}).map(each => each.outerHTML.slice(0, 120))"""


@needs_npm
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violations(opened: Open, gated: Path, scheme: str) -> None:
    for fragment, width in (("", 1400), ("", 700), ("#sheet=1", 1400), ("#sheet=1", 700), ("#sheet=0", 1400)):
        page = opened(gated, fragment, color_scheme=scheme, viewport={"width": width, "height": 900}).page
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(result => result.violations.map(each => [each.id, each.nodes.map(node => node.html)]))")
        assert found == [], (fragment, width)


@pytest.mark.parametrize("dark", ["of the system", "chosen"])
def test_on_paper_a_dark_page_is_light(opened: Open, gated: Path, dark: str) -> None:
    page = opened(gated, "#sheet=0", color_scheme="dark" if dark == "of the system" else "light").page
    if dark == "chosen":
        page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(_BACKGROUND) == "rgb(18, 22, 28)"
    page.emulate_media(media="print")
    assert page.evaluate(_BACKGROUND) == "rgb(255, 255, 255)"


_BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"
