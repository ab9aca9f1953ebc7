"""--html on each verb, and `show`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, in_process

from pmmc_check.report.page.page import sheets_in

Capture = pytest.CaptureFixture[str]
TRACES = ROOT / "traces"
SMALL = ["--acceptors", "1", "--slots", "1", "--commands", "2", "--quiet"]


def _sheets(page: Path) -> list[dict[str, Any]]:
    return sheets_in(page.read_text(encoding="utf-8"))


def test_explore_shows_the_counterexample_and_the_search(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    assert in_process(capsys, "explore", *SMALL, "--variant", "ignore-pmax", "--html", str(page)).returncode == 1
    run, search = _sheets(page)
    assert run["verdict"] == "violated" and len(run["run"]["events"]) > 10 and search["search"]["levels"]


def test_explore_that_finds_nothing_shows_what_it_covered(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    assert in_process(capsys, "explore", *SMALL, "--html", str(page)).returncode == 0
    (search,) = _sheets(page)
    assert search["verdict"] == "holds" and sum(search["search"]["levels"]) > 10


def test_explore_shows_witnesses(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    find = "\\A l \\in Leaders : leader[l].active"
    assert in_process(capsys, "explore", *SMALL, "--find", find, "--html", str(page)).returncode == 0
    witness = next(each for each in _sheets(page) if "run" in each)
    assert witness["verdict"] == "reached" and len(witness["run"]["events"]) == 7


def test_validate_has_a_sheet_for_each_trace_with_its_run(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    names = ["good-one-command.pmmc", "bad-two-decisions.pmmc"]
    assert in_process(capsys, "validate", *(str(TRACES / name) for name in names), "--html", str(page), "--quiet").returncode == 1
    sheets = _sheets(page)
    assert [each["verdict"] for each in sheets] == ["accepted", "rejected"] and all("run" in each for each in sheets)


def test_validate_shows_also_what_cannot_be_read(tmp_path: Path, capsys: Capture) -> None:
    page, broken = tmp_path / "page.html", tmp_path / "broken.pmmc"
    broken.write_text("pmmc-trace 1\nnonsense\n")
    assert in_process(capsys, "validate", str(broken), "--html", str(page), "--quiet").returncode == 2
    (sheet,) = _sheets(page)
    assert sheet["verdict"] == "bad input" and any("broken.pmmc" in line for line in sheet["lines"])


def test_simulate_shows_the_whole_run_whatever_its_trace_leaves_out(tmp_path: Path, capsys: Capture) -> None:
    page, trace = tmp_path / "page.html", tmp_path / "run.pmmc"
    options = ["--seed", "3", "--events", "200", "--network", "reliable", "--contract", "R*=none", "--out", str(trace), "--html", str(page)]
    assert in_process(capsys, "simulate", *options).returncode == 0
    assert len(_sheets(page)[0]["run"]["events"]) == 201
    assert "--html" not in trace.read_text(), "the trace is the same with and without a page"


def test_simulate_shows_one_run(tmp_path: Path, capsys: Capture) -> None:
    result = in_process(capsys, "simulate", "--traces", "2", "--out", str(tmp_path / "runs"), "--html", str(tmp_path / "page.html"))
    assert result.returncode == 2 and "--html" in result.stderr


@pytest.mark.slow
def test_gate_shows_all_checks_with_the_runs_of_the_failing_ones(tmp_path: Path, capsys: Capture) -> None:
    wrong = (TRACES / "bad-two-decisions.pmmc").read_text().replace("meta.expect=rejected", "meta.expect=accepted")
    (tmp_path / "wrong.pmmc").write_text(wrong if "meta.expect" in wrong else wrong.replace("config ", "config meta.expect=accepted ", 1))
    (tmp_path / "right.pmmc").write_text((TRACES / "good-one-command.pmmc").read_text())
    page = tmp_path / "page.html"
    assert in_process(capsys, "gate", str(tmp_path), "--html", str(page), "--no-cache", "--quiet").returncode == 1
    sheets = {each["name"].rpartition("/")[2]: each for each in _sheets(page)}
    assert "run" in sheets["wrong.pmmc"] and not sheets["wrong.pmmc"]["good"]
    assert "run" not in sheets["right.pmmc"] and sheets["right.pmmc"]["good"]


def test_show_prints_the_events_and_the_verdict(capsys: Capture) -> None:
    result = in_process(capsys, "show", str(TRACES / "bad-pmax-ignored.pmmc"), "--quiet")
    assert result.returncode == 1
    assert "A1: ballot ⊥ → 0.L1" in result.stdout and "here the run goes wrong" in result.stdout
    assert "breaks C2" in result.stdout.splitlines()[-6]


def test_show_writes_the_page_instead(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "page.html"
    result = in_process(capsys, "show", str(TRACES / "good-one-command.pmmc"), "--html", str(page), "--quiet")
    assert result.returncode == 0 and len(result.stdout.splitlines()) == 1
    assert len(_sheets(page)[0]["run"]["events"]) == 21


@pytest.mark.parametrize("target", ["missing/page.html", "."])
def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path, target: str, capsys: Capture) -> None:
    result = in_process(capsys, "show", str(TRACES / "good-one-command.pmmc"), "--html", str(tmp_path / target), "--quiet")
    assert result.returncode == 2 and result.stderr.count("\n") == 1 and "--html" in result.stderr


def test_show_takes_one_readable_trace(tmp_path: Path, capsys: Capture) -> None:
    assert in_process(capsys, "show", str(TRACES), "--quiet").returncode == 2
    (tmp_path / "empty.pmmc").write_text("")
    result = in_process(capsys, "show", str(tmp_path / "empty.pmmc"), "--quiet")
    assert result.returncode == 2 and "is empty" in result.stderr
