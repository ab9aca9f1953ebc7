"""`--export FILE`, on every verb that has a run to show."""

from __future__ import annotations

import json
import re
from pathlib import Path

import itf_py
import pytest
from helpers import ROOT, VARYING, assert_one_clear_line, in_process, options

from pmmc_check.report.exchange.formats import FORMATS

ENDS = (".itf.json", ".shiviz", ".mmd", ".puml")
FAULTY = options(acceptors=1, slots=1, commands=2, variant="ignore-pmax", invariant="Agreement")
TINY = options(acceptors=1, leaders=1, replicas=1, slots=1, network="reliable", engine="reference")
GOOD = str(ROOT / "traces" / "good-one-command.pmmc")


def exports(folder: Path, ends: tuple[str, ...] = ENDS) -> list[str]:
    return [part for end in ends for part in ("--export", str(folder / f"run{end}"))]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["explore", *FAULTY, "--quiet"], 1),
        (["explore", *TINY, "--find", r"\E c \in Commands : Decided(1, c)", "--quiet"], 0),
        (["validate", GOOD], 0),
        (["validate", str(ROOT / "traces" / "bad-window.pmmc"), "--quiet"], 1),
        (["show", GOOD], 0),
        (["simulate", "--events", "60", "--network", "lossy,duplicating"], 0),
    ],
    ids=["counterexample", "witness", "accepted", "rejected", "shown", "simulated"],
)
def test_each_verb_writes_its_run_in_all_formats(
    arguments: list[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = in_process(capsys, *arguments, *exports(tmp_path))
    assert done.returncode == code, done.stderr
    starts = {"run.mmd": "sequenceDiagram\n", "run.puml": "@startuml\n", "run.shiviz": ""}
    assert {name: (tmp_path / name).read_text()[: len(start)] for name, start in starts.items()} == starts
    assert re.match(r"\d+.*\n\S+ \{", (tmp_path / "run.shiviz").read_text())
    assert len(itf_py.trace_from_json(json.loads((tmp_path / "run.itf.json").read_text())).states) > 1


def test_the_json_result_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["explore", *FAULTY, "--quiet", "--format", "json"]
    plain, exporting = (json.loads(in_process(capsys, *asked, *more).stdout) for more in ([], exports(tmp_path)))
    assert [{k: v for k, v in each.items() if k not in VARYING} for each in (plain, exporting)] == [
        {k: v for k, v in plain.items() if k not in VARYING}
    ] * 2


def test_a_simulated_trace_is_the_same_with_and_without_an_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["simulate", "--events", "60", "--contract", "A*=none"]
    plain, exporting = (in_process(capsys, *asked, *more).stdout for more in ([], exports(tmp_path)))
    assert plain == exporting
    assert " p1b a=A1" in (tmp_path / "run.shiviz").read_text()  # the export has what the trace leaves out


def test_without_a_run_a_sentence_says_so_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *TINY, "--quiet", *exports(tmp_path, (".mmd",)))
    assert done.returncode == 0
    assert "there is no run to show, so " in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["explore", *TINY, "--export", "x.svg"], ".itf.json for ITF; .shiviz for a ShiViz log; .mmd for a Mermaid diagram; .puml for"),
        (["explore", *TINY, "--export", "x.shivz"], "did you mean .shiviz?"),
        (["explore", *TINY, "--export", "x.tla"], "explore --export-tla"),
        (["explore", *TINY, "--export", "x"], "the name's end says what is written"),
        (["explore", *TINY, "--export", "no/x.mmd"], "give a file in a folder that exists"),
        (["explore", *TINY, "--export", "x.mmd", "--export", "./x.mmd"], "--export and --export both name ./x.mmd"),
        (["explore", *TINY, "--export", "x.mmd", "--trace-out", "x.mmd"], "--trace-out and --export both name x.mmd"),
        (
            ["validate", GOOD, GOOD.replace("good-one-command", "good-duplicate"), "--export", "x.mmd"],
            "there are 2 traces; give one of them",
        ),
        (["simulate", "--traces", "2", "--out", "d", "--export", "x.mmd"], "leave --traces out"),
    ],
)
def test_bad_input_is_told_in_one_line(
    arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_clear_line(in_process(capsys, *arguments), expected)
    assert list(tmp_path.iterdir()) == []


def test_the_page_lists_every_end_of_a_name() -> None:
    page = (ROOT / "docs" / "exchange.md").read_text()
    assert all(f"| {', '.join(f'`{end}`' for end in each.ends)} |" in page for each in FORMATS)
