"""`pmmc_check.gate`: the same checks as the command, as a typed result; nothing is printed, and no process is left."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path

import psutil
import pytest
from helpers import ROOT, in_process
from junitparser import JUnitXml

import pmmc_check

GOOD, BAD = ROOT / "traces" / "good-one-command.pmmc", ROOT / "traces" / "bad-window.pmmc"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "traces").mkdir()
    for each in (GOOD, BAD):
        shutil.copy(each, tmp_path / "traces")
    return tmp_path


def test_it_finds_what_the_command_finds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, int, int]] = []
    report = pmmc_check.gate("traces", progress=lambda result, ended, total: told.append((result.check.name, ended, total)))
    assert capsys.readouterr() == ("", "")
    assert (report.verdict, report.passed, [each.good for each in report.checks]) == ("not as expected", False, [False, True])
    assert [each.check.name for each in report.failures] == ["traces/bad-window.pmmc"]
    assert sorted((ended, total) for _, ended, total in told) == [(1, 2), (2, 2)]
    done = in_process(capsys, "gate", "traces", "--format", "json")
    assert json.loads(done.stdout) == json.loads(json.dumps(pmmc_check.gate(Path("traces")).to_json()))
    assert JUnitXml.fromstring(report.junit().encode()).tests == 2
    assert len(report.to_sarif()["runs"][0]["results"]) == 1
    assert "| traces/bad-window.pmmc | accepted | rejected |" in report.markdown()
    assert "2 checks: 1 ok, 1 NOT AS EXPECTED" in report.text()
    with pytest.raises(FrozenInstanceError):
        report.interrupted = True  # type: ignore[misc]


def test_a_failed_assertion_names_each_check_that_stops_the_gate(project: Path) -> None:
    with pytest.raises(pmmc_check.CheckFailed, match=r"NOT AS EXPECTED: traces/bad-window\.pmmc: rejected, expected accepted: R5"):
        pmmc_check.gate("traces").assert_passed()
    good = pmmc_check.gate("traces/good-one-command.pmmc").assert_passed()
    assert good.verdict == "as expected"


def test_what_progress_raises_ends_all_checks(project: Path) -> None:
    (project / "endless.py").write_text("import time\nwhile True: time.sleep(1)\n")
    entry = '[[check]]\nname = "endless"\nexplore = {protocol = "endless:Role"}\n[[check]]\nname = "good"\nfiles = ["traces/good*"]\n'
    (project / "pmmc-check.toml").write_text(entry)

    def enough(result: pmmc_check.CheckResult, ended: int, total: int) -> None:
        raise LookupError(result.check.name)

    began = time.monotonic()
    with pytest.raises(LookupError, match="good-one-command"):
        pmmc_check.gate(jobs=2, progress=enough)
    assert time.monotonic() - began < 60
    assert not [each for each in psutil.Process().children(recursive=True) if "endless" in " ".join(each.cmdline())]


def test_gates_in_several_threads_do_not_disturb_each_other(project: Path) -> None:
    names = ["traces/good-one-command.pmmc", "traces/bad-window.pmmc"] * 2
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda name: pmmc_check.gate(name, remember=False), names))
    assert [each.verdict for each in reports] == ["as expected", "not as expected"] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jobs": 0}, "--jobs"),
        ({"shard": "3/2"}, "--shard"),
        ({"time_limit": -1}, "must be positive"),
        ({"config": "no"}, "cannot be"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(project: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(pmmc_check.UsageError, match=message):
        pmmc_check.gate("traces", **arguments)  # type: ignore[arg-type]


def test_without_anything_to_check_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pmmc_check.UsageError, match="nothing to check"):
        pmmc_check.gate()
