"""The committed script and style are what web/ builds to; and every page can be read without seeing it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT

from pages.conftest import Opened
from pages.runs import counterexample, searched
from pmmc_check.report.page.page import embedded, page_html, sheets_in
from pmmc_check.report.page.sheets import lines_sheet, run_sheet, search_sheet

WEB = ROOT / "web"
BUILT = ROOT / "pmmc_check" / "report" / "page"
AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
needs_npm = pytest.mark.skipif(
    shutil.which("node") is None or not AXE.exists(), reason="web/ is not installed: it takes node, and `npm ci` in web/"
)


@needs_npm
def test_the_committed_script_and_style_are_what_the_source_builds_to(tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=WEB, check=True, capture_output=True)
    for name in ("page.js", "page.css"):
        built = (tmp_path / name).read_text(encoding="utf-8")
        assert built == (BUILT / name).read_text(encoding="utf-8"), f"{name}: run `npm run build` in web/"


@needs_npm
def test_the_source_has_no_type_errors() -> None:
    checked = subprocess.run(["npx", "--no-install", "tsc", "--noEmit"], cwd=WEB, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@needs_npm
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_no_violations(opened: Callable[..., Opened], scheme: str) -> None:
    result, _ = searched(None, "reliable")
    sheets = [run_sheet("counterexample", counterexample()), search_sheet(result), lines_sheet("lines", "bad input", ["a line"])]
    for fragment, index in (("#sheet=0&step=12", True), ("#sheet=1", True), ("#sheet=2", True), ("", True), ("#sheet=0&step=0", False)):
        page = opened(sheets, fragment, index=index, color_scheme=scheme).page
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run().then(result => result.violations.map(each => [each.id, each.nodes.map(node => node.html)]))")
        assert found == [], fragment


def test_neither_script_nor_style_can_end_its_element() -> None:
    for name in ("page.js", "page.css"):
        text = (BUILT / name).read_text(encoding="utf-8").lower()
        assert "</script" not in text and "</style" not in text and "<!--" not in text


def test_the_script_makes_elements_and_never_markup() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((WEB / "src").glob("*.ts")))
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "fetch(", "import("):
        assert risky not in source, risky


def test_data_comes_back_from_a_page_packed_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    sheets = [lines_sheet("a </script> & <!-- b", "bad input", ["\u2028", "é"])]
    assert sheets_in(page_html("t", sheets)) == sheets
    assert "<" not in embedded({"a": "<!-- </script>"})[1]
    monkeypatch.setattr("pmmc_check.report.page.page.PACKED_FROM_BYTES", 1)
    assert sheets_in(page_html("t", sheets)) == sheets
    assert sheets_in("<html>something else</html>") == []


def test_a_page_is_the_same_each_time() -> None:
    sheets = [run_sheet("counterexample", counterexample())]
    assert page_html("t", sheets) == page_html("t", sheets)
