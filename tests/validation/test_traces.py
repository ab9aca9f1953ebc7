"""The traces in `traces/` have the verdicts that their first comment says; reports and the recorder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pmmc_check.cli.main import main
from pmmc_check.errors import UsageError
from pmmc_check.report.trace_text import LINES_MAX, explanation
from pmmc_check.trace.recorder import TraceWriter
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge

FOLDER = Path(__file__).resolve().parent.parent.parent / "traces"
TRACES = sorted(FOLDER.glob("*.pmmc"))


def test_there_are_traces_of_all_kinds() -> None:
    assert len(TRACES) >= 15
    assert {path.name.split("-")[0] for path in TRACES} == {"good", "bad", "partial"}


@pytest.mark.parametrize("path", TRACES, ids=lambda path: str(path.stem))
def test_a_trace_has_the_verdict_it_says(path: Path) -> None:
    expected = re.match(r"# verdict: (\w+)\n# .+", path.read_text())
    assert expected is not None
    verdict = judge(Source(path))
    assert verdict.verdict == expected[1], verdict
    lines = list(explanation(verdict))
    assert len(lines) <= LINES_MAX
    assert bool(lines) == (verdict.verdict != "accepted")


@pytest.mark.parametrize(
    ("name", "invariant"),
    [
        ("bad-two-decisions", "Agreement"),
        ("bad-acceptance-below-promise", "A2"),
        ("bad-ballot-falls", "A1"),
        ("bad-pmax-ignored", "C2"),
        ("bad-window", "R5"),
    ],
)
def test_facts_name_the_invariant(name: str, invariant: str) -> None:
    verdict = judge(Source(FOLDER / f"{name}.pmmc"))
    assert invariant in [each.invariant for each in verdict.violations]


def test_the_worst_verdict_is_that_of_the_directory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    junit = tmp_path / "out.xml"
    assert main(["validate", str(FOLDER), "--format", "json", "--junit", str(junit), "--jobs", "2"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == "rejected"
    assert len(report["traces"]) == len(TRACES) + 1
    assert {"file", "verdict", "events", "violations", "failure"} <= set(report["traces"][0])
    suite = ElementTree.parse(junit).getroot()
    assert int(suite.get("failures", "0")) == sum(path.name.startswith("bad") for path in TRACES)


@pytest.mark.parametrize("jobs", ["0", "-1"])
def test_no_job_is_refused(capsys: pytest.CaptureFixture[str], jobs: str) -> None:
    assert main(["validate", str(FOLDER), "--jobs", jobs]) == 2
    assert "--jobs: must be at least 1" in capsys.readouterr().err


def test_an_explanation_shows_the_nearest_send(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(FOLDER / "bad-decision-changed.pmmc")]) == 1
    text = capsys.readouterr().out
    assert "no message is received that was not sent" in text
    assert "c=C1:1:put was sent, c=C1:2:put received" in text


def test_a_recorded_run_validates(tmp_path: Path) -> None:
    TraceWriter.header(
        tmp_path / "config.jsonl", {"A1": "complete"}, replicas=["R1"], leaders=["L1"], acceptors=["A1"], window=2, network=["lossy"]
    )
    with TraceWriter(tmp_path / "A1.jsonl", "A1") as log:
        log.receive("p1a", b="0.L1")
        log.send("p1b", b="0.L1", accepted=[], to="0.L1")
        with pytest.raises(UsageError):
            log.send("p9z")
        with pytest.raises(UsageError):
            log.send("p2b", ballot="0.L1")
        log.end()
    assert main(["validate", str(tmp_path)]) == 0


def test_simulate_is_reproducible_and_its_traces_validate(tmp_path: Path) -> None:
    options = ["--seed", "5", "--events", "300", "--network", "lossy,fifo", "--contract", "A*=p1b,p2b"]
    for name in ("a", "b"):
        assert main(["simulate", *options, "--out", str(tmp_path / f"{name}.pmmc")]) == 0
    assert (tmp_path / "a.pmmc").read_text() == (tmp_path / "b.pmmc").read_text()
    assert "meta.seed=5" in (tmp_path / "a.pmmc").read_text()
    assert main(["validate", "--quiet", "--search-seconds", "2", str(tmp_path / "a.pmmc")]) in (0, 3)


def test_simulate_refuses_nonsense(capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--contract", "X9=none"], ["--network", "carrier-pigeon"], ["--loss-rate", "2"], ["--variant", "no-such"]):
        assert main(["simulate", *options]) == 2
        assert "Traceback" not in capsys.readouterr().err
