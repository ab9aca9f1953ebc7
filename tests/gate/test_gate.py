"""The gate on a folder with good and bad traces: exit code, table, JUnit, SARIF, annotations, and a second run that executes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from helpers import ROOT, assert_one_clear_line, in_process
from junitparser import Error, Failure, JUnitXml

from pmmc_check.cli.parser import parser
from pmmc_check.gating.configuration import CHECK_OPTIONS, NOT_OF_CHECKS

GOOD, BAD = ROOT / "traces" / "good-one-command.pmmc", ROOT / "traces" / "bad-window.pmmc"
HEADER = "pmmc-trace 1\n"


def expecting(source: Path, target: Path, verdict: str) -> None:
    """A copy of a trace that says what its verdict should be; line numbers grow by one after the header."""
    target.write_text(source.read_text().replace(HEADER, f"{HEADER}config meta.expect={verdict}\n"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An accepted trace, a rejected one that should be, one that should not, and one that is no trace."""
    monkeypatch.chdir(tmp_path)
    traces = tmp_path / "traces"
    traces.mkdir()
    shutil.copy(GOOD, traces / "good.pmmc")
    expecting(BAD, traces / "known.pmmc", "rejected")
    shutil.copy(BAD, traces / "regression.pmmc")
    return traces


def test_all_outputs_tell_the_same_and_a_second_run_executes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = folder.parent / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    files = ("--junit", "out.xml", "--sarif", "out.sarif", "--json", "out.json")
    first = in_process(capsys, "gate", "traces", "--format", "github", *files)
    assert first.returncode == 1, first.stderr
    assert "ok: traces/good.pmmc: accepted" in first.stdout
    assert "ok: traces/known.pmmc: rejected" in first.stdout
    assert "NOT AS EXPECTED: traces/regression.pmmc: rejected, expected accepted: R5" in first.stdout
    assert "3 checks: 2 ok, 1 NOT AS EXPECTED" in first.stdout
    assert "\n\n\n" not in first.stdout
    assert (
        "::error file=traces/regression.pmmc,line=8,title=pmmc-check%3A traces/regression.pmmc::rejected, expected accepted: R5"
        in first.stdout
    )
    assert summary.read_text().startswith("before\n## pmmc-check gate")
    assert "| traces/regression.pmmc | accepted | rejected | NOT AS EXPECTED |" in summary.read_text()
    assert_junit(folder.parent / "out.xml")
    assert_sarif(json.loads((folder.parent / "out.sarif").read_text()))
    told = json.loads((folder.parent / "out.json").read_text())
    assert told["verdict"] == "not as expected"
    assert [each["as_expected"] for each in told["checks"]] == [True, True, False]

    def refuse(*arguments: Any) -> None:
        raise AssertionError("something was executed")

    monkeypatch.setattr("pmmc_check.gating.schedule.CheckProcess", refuse)
    again = in_process(capsys, "gate", "traces", "--format", "json")
    assert again.returncode == 1
    assert all(each["remembered"] for each in json.loads(again.stdout)["checks"])
    (folder / "good.pmmc").write_text(GOOD.read_text() + "# changed\n")
    changed = in_process(capsys, "gate", "traces")
    assert "something was executed" in changed.stderr
    assert "something was executed" in in_process(capsys, "gate", "traces/known.pmmc", "--no-cache").stderr


def assert_junit(path: Path) -> None:
    (suite,) = JUnitXml.fromfile(str(path))
    cases = {case.name: case.result for case in suite}
    assert (suite.tests, suite.failures, suite.errors) == (3, 1, 0)
    assert cases["traces/good.pmmc"] == [] and cases["traces/known.pmmc"] == []
    (failure,) = cases["traces/regression.pmmc"]
    assert isinstance(failure, Failure) and failure.type == "rejected"
    assert "traces/regression.pmmc:8" in failure.text


def assert_sarif(log: dict[str, Any]) -> None:
    jsonschema.validate(log, json.loads((ROOT / "tests" / "gate" / "sarif-2.1.0-rtm.5.json").read_text()))
    (run,) = log["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "unexpected-verdict"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "traces/regression.pmmc", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 8}


def test_bad_input_is_exit_code_2_and_an_error_at_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.pmmc").write_text(GOOD.read_text() + "A1 ! nonsense\n")
    done = in_process(capsys, "gate", "traces/broken.pmmc", "--junit", "out.xml", "--format", "github")
    line = len(GOOD.read_text().splitlines()) + 1
    assert done.returncode == 2
    assert f"::error file=traces/broken.pmmc,line={line}," in done.stdout
    ((case,),) = map(list, JUnitXml.fromfile("out.xml"))
    assert isinstance(case.result[0], Error)


def test_an_accepted_trace_that_should_be_rejected_is_not_as_expected_in_json_lines_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expecting(GOOD, folder / "good.pmmc", "rejected")
    assert in_process(capsys, "convert", "traces/good.pmmc", "good.jsonl").returncode == 0
    assert '"expect":"rejected"' in Path("good.jsonl").read_text().replace(" ", "")
    done = in_process(capsys, "gate", "good.jsonl")
    assert done.returncode == 1
    assert "accepted, expected rejected" in done.stdout


def test_the_configuration_says_what_is_expected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pmmc-check.toml").write_text(
        '[[check]]\nname = "known"\nfiles = ["traces/[kr]*.pmmc"]\nexpect = "rejected"\n'
        '[[check]]\nname = "small"\nexplore = {acceptors = 1, leaders = 1, replicas = 1, slots = 1, engine = "reference"}\nstates = 7\n'
    )
    done = in_process(capsys, "gate", "--format", "json")
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert list(checks) == ["small", "traces/known.pmmc", "traces/regression.pmmc"]
    assert checks["traces/regression.pmmc"]["as_expected"] and checks["traces/known.pmmc"]["as_expected"]
    assert checks["small"]["verdict"] == "holds" and "7 states expected" in checks["small"]["reason"]
    assert in_process(capsys, "gate", "traces/regression.pmmc").returncode == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[chek]]\n", "there is no key chek (did you mean check?)"),
        ("\n\n[[chek]]\n", "pmmc-check.toml:3: there is no key chek"),
        ("[gate]\n\ntime-limit = 3\n", "pmmc-check.toml:3: [gate]: there is no key time-limit (did you mean time_limit?)"),
        ("[[check]]\n\nacceptors = 3\n", "pmmc-check.toml:3: there is no key acceptors; expected some of name, explore"),
        ('[[check]]\nnme = "a"\nexplore = {}\n', "pmmc-check.toml:2: there is no key nme (did you mean name?)"),
        (
            "[[check]]\n\nexplore = { slots = 1, acceptor = 3 }\n",
            "pmmc-check.toml:3: explore: there is no option acceptor (did you mean acceptors?)",
        ),
        ("[[check]]\nexplore = {}\n[[check]]\n[check.explore]\nacceptor = 3\n", "pmmc-check.toml:5: explore: there is no option acceptor"),
        (
            '[[check]]\nfiles = ["x"]\nvalidate.variants = "a"\n',
            "pmmc-check.toml:3: validate: there is no option variants (did you mean variant?)",
        ),
        ("[[check]]\nexplore = { serve = true }\n", "pmmc-check.toml:2: explore: serve cannot be set here"),
        ('[[check]]\nname = "a"\n', "expected explore = {...}"),
        ("[[check]]\nexplore = {}\n", 'pmmc-check.toml:1: [[check]] name: is missing; expected a text, such as name = "'),
        ('[gate]\npaths = ["x"]\n', "pmmc-check.toml: [gate] paths: x: no such file or directory"),
        ('[[check]]\nname = "a"\nexplore = {}\nexpect = "hold"\n', "(did you mean holds?)"),
        ('[[check]]\nname = "a"\nexplore = {format = "json"}\n', "format cannot be set here"),
        ('[[check]]\nname = "a"\nexplore = {slots = {}}\n', "expected a text, a number, true"),
        ('[[check]]\nname = "a"\nexplore = {}\n\n[[check]]\nname = "a"\nexplore = {}\n', "pmmc-check.toml:5: check 'a' has the name"),
        ('[[check]]\nname = "a"\nfiles = ["nothing-*.pmmc"]\n', "matches nothing"),
        ('[[check]]\nname = "a"\nexplore = {}\ntime_limit = -1\n', "expected a positive number of seconds"),
        ('[[check]]\nname = "a"\nexplore = {}\nstates = true\n', "exact number"),
        ("gate = 1\n", "a table [gate]"),
        ("[gate\n", "is no TOML"),
        ("", "nothing to check"),
    ],
)
def test_a_wrong_configuration_has_one_clear_line(folder: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str) -> None:
    Path("pmmc-check.toml").write_text(text)
    assert_one_clear_line(in_process(capsys, "gate"), expected)


@pytest.mark.parametrize("verb", CHECK_OPTIONS)
def test_a_check_may_set_every_option_that_the_gate_does_not_set_and_that_ends(verb: str) -> None:
    _, parsers = parser([verb])
    options = {each.removeprefix("--") for action in parsers[verb]._actions for each in action.option_strings if each.startswith("--")}
    assert set(CHECK_OPTIONS[verb]) == options - {"help", *NOT_OF_CHECKS}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "no such file or directory"),
        (["traces", "--shard", "3/2"], "--shard 3/2: expected I/N"),
        (["traces", "--jobs", "-1"], "--jobs"),
        (["traces", "--time-limit", "0"], "must be positive"),
        (["traces", "--config", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["traces", "--junit", "out", "--json", "out"], "same file"),
        (["traces", "--changed-since", "HEAD"], "--changed-since"),
    ],
)
def test_wrong_options_have_one_clear_line(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str) -> None:
    assert_one_clear_line(in_process(capsys, "gate", *arguments), expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--shard", "5/4"], "--shard 5/4: expected I/N"),
        (["--jobs", "0"], "--jobs: must be at least 1"),
        (["--time-limit", "0"], "must be positive"),
        (["--junit", "out", "--json", "out"], "same file"),
        ([], "is no TOML"),
    ],
)
def test_a_wrong_option_is_named_before_a_wrong_file(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    Path("pmmc-check.toml").write_text("[gate\n")
    assert_one_clear_line(in_process(capsys, "gate", "traces", *arguments), expected)


def test_a_trace_expects_only_verdicts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expecting(GOOD, folder / "good.pmmc", "acepted")
    done = in_process(capsys, "validate", "traces/good.pmmc")
    assert done.returncode == 2
    assert "meta.expect=acepted is no verdict (did you mean accepted?)" in done.stderr
