"""The worked mappings, on the logs of programs in Go, Rust and Java that come with the package; and the Go program, built and run anew."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from helpers import ROOT, in_process

from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED

LOGS = ROOT / "pmmc_check" / "examples" / "logs"
GO = LOGS / "go-slog"
RUNS = {"go-slog/logs": 238, "rust-tracing/logs": 244, "java-log4j/logs": 265}
"""Recorded runs, and how many events they have."""
BUGS = ("forgets-promise", "forgets-accepted", "decides-early")
Lines = list[dict[str, object]]


def imported(capsys: pytest.CaptureFixture[str], folder: Path, mapping: Path, target: Path) -> TraceVerdict:
    """The verdict on a folder of logs."""
    logs = sorted(str(each) for each in folder.iterdir())
    done = in_process(capsys, "convert", "--map", str(mapping), *logs, f"{target}/")
    assert done.returncode == 0, done.stderr
    (source,) = sources([str(target)])
    return judge(source)


@pytest.mark.parametrize("run", RUNS)
def test_a_recorded_run_is_imported_and_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str], run: str) -> None:
    verdict = imported(capsys, LOGS / run, (LOGS / run).parent / "mapping.toml", tmp_path / "trace")
    assert (verdict.verdict, verdict.legal_run, verdict.events) == (ACCEPTED, True, RUNS[run])


@pytest.mark.parametrize("run", RUNS)
def test_a_dry_run_finds_every_line(capsys: pytest.CaptureFixture[str], run: str) -> None:
    logs = sorted(str(each) for each in (LOGS / run).iterdir())
    done = in_process(capsys, "convert", "--map", str((LOGS / run).parent / "mapping.toml"), "--dry-run", *logs)
    assert done.returncode == 0
    unmatched = [line for line in done.stdout.splitlines() if "is not as [input] line" in line]
    assert len(unmatched) == (2 if "log4j" in run else 0), "the stack trace of the warning"
    assert "lines that make no event" not in done.stdout


@pytest.mark.parametrize("mapping", sorted(LOGS.rglob("*.toml")), ids=lambda path: path.parent.name)
def test_the_mappings_fit_the_schema(mapping: Path) -> None:
    if mapping.name == "mapping.toml":
        schema = json.loads((ROOT / "pmmc_check/trace/importing/mapping.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(tomllib.loads(mapping.read_text()), schema)


# ---- seeded faults: the line where each shows is looked for in the logs, without the validator ----


def read_logs(folder: Path) -> Iterator[tuple[str, Lines]]:
    for log in sorted(folder.iterdir()):
        text = gzip.decompress(log.read_bytes()).decode() if log.suffix == ".gz" else log.read_text()
        yield log.name, [json.loads(line) for line in text.splitlines()]


def _ballot(value: object) -> tuple[int, str]:
    return (-1, "") if value is None else (value["n"], value["node"])  # type: ignore[index]


def forgets_promise(lines: Lines) -> Iterator[int]:
    """An acceptor answers with a ballot below an earlier one."""
    highest = (-1, "")
    for number, line in enumerate(lines, 1):
        if line["msg"] in ("promise", "accepted") and line.get("dir") == "out":
            if _ballot(line["ballot"]) < highest:
                yield number
            highest = max(highest, _ballot(line["ballot"]))


def forgets_accepted(lines: Lines) -> Iterator[int]:
    """A leader asks to accept something else than the highest of what it found, in the slots of which it found something."""
    found: dict[object, tuple[tuple[int, str], object]] = {}
    for number, line in enumerate(lines, 1):
        if line["msg"] == "elected":
            found = {}
            for each in line["found"] or ():  # type: ignore[attr-defined]
                found[each["slot"]] = max(
                    found.get(each["slot"], ((-1, ""), None)), (_ballot(each["ballot"]), each["cmd"]), key=lambda known: known[0]
                )
        if (
            line["msg"] == "accept"
            and line.get("dir") == "out"
            and "retry" not in line
            and found.get(line["slot"], (0, line["cmd"]))[1] != line["cmd"]
        ):
            yield number


def decides_early(lines: Lines) -> Iterator[int]:
    """A leader decides before two acceptors have answered with its ballot."""
    votes: Counter[object] = Counter()
    for number, line in enumerate(lines, 1):
        about = json.dumps([line.get("attempt"), line.get("slot")])
        if line["msg"] == "accepted" and line.get("dir") == "in" and line["ballot"] == line["attempt"]:
            votes[about, line["from"]] = 1
        if line["msg"] == "chosen" and line.get("dir") == "out" and sum(key[0] == about for key in votes) < 2:  # type: ignore[index]
            yield number


SHOWS = dict(zip(BUGS, (forgets_promise, forgets_accepted, decides_early), strict=True))


def faulty_lines(folder: Path, bug: str) -> set[str]:
    """The first line of each log in which the fault shows, as events name it."""
    first = ((name, next(SHOWS[bug](lines), None)) for name, lines in read_logs(folder))
    return {f"{name}+{number}" for name, number in first if number is not None}


def cited(verdict: TraceVerdict) -> str:
    assert verdict.failure is not None
    return verdict.failure.at.text.partition(" id=")[2].partition(" ")[0]


@pytest.mark.parametrize("bug", BUGS)
def test_a_recorded_fault_is_rejected_where_it_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str], bug: str) -> None:
    verdict = imported(capsys, GO / bug, GO / "mapping.toml", tmp_path / "trace")
    assert verdict.verdict == REJECTED
    assert cited(verdict) in faulty_lines(GO / bug, bug)


def test_where_nothing_is_wrong_no_fault_is_seen() -> None:
    """The searches of this test are no alarm for themselves."""
    assert not any(faulty_lines(GO / "logs", bug) for bug in BUGS)


# ---- the program itself ----

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("go")
    shutil.copytree(GO / "implementation", folder / "source")
    subprocess.run(["go", "build", "-o", str(folder / "paxos"), "."], cwd=folder / "source", check=True, timeout=300, env=_go(folder))
    return folder / "paxos"


def _go(folder: Path) -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOCACHE": str(folder / "cache")}


def run(program: Path, out: Path, *options: str) -> None:
    subprocess.run([str(program), "-out", str(out), "-limit", "5s", *options], check=True, timeout=60)


@needs_go
def test_a_fresh_run_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str], program: Path) -> None:
    run(program, tmp_path / "logs", "-commands", "4")
    assert imported(capsys, tmp_path / "logs", GO / "mapping.toml", tmp_path / "trace").verdict == ACCEPTED


@pytest.mark.slow
@needs_go
@pytest.mark.parametrize("seed", range(20))
def test_fresh_runs_are_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str], program: Path, seed: int) -> None:
    run(program, tmp_path / "logs", "-commands", "16", "-seed", str(seed))
    assert imported(capsys, tmp_path / "logs", GO / "mapping.toml", tmp_path / "trace").verdict == ACCEPTED


@pytest.mark.slow
@needs_go
@pytest.mark.parametrize("bug", BUGS)
def test_fresh_runs_with_a_fault_are_rejected_where_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], program: Path, bug: str
) -> None:
    shown = 0
    for seed in range(10):
        logs = tmp_path / f"logs{seed}"
        run(program, logs, "-commands", "8", "-seed", str(seed), "-bug", bug)
        verdict = imported(capsys, logs, GO / "mapping.toml", tmp_path / f"trace{seed}")
        lines = faulty_lines(logs, bug)
        shown += bool(lines)
        assert verdict.verdict == (REJECTED if lines else ACCEPTED), (seed, verdict)
        assert not lines or cited(verdict) in lines
    assert shown > 5
