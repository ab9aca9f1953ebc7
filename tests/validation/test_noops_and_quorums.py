"""Traces of implementations that fill holes with no-ops, and of those whose quorums are no majorities."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from helpers import ROOT, assert_one_clear_line, in_process

import pmmc_check.trace
from pmmc_check.protocol.values import NOOP
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.recorder import TraceWriter
from pmmc_check.trace.sources import Source, sources
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.simulate import complete_logs
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED
from tests.validation.runs import Run, plan, run

HEADER = "pmmc-trace 1\nconfig replicas=R1 leaders=L1,L2 acceptors=A1 clients=C1 window=5 network=lossy\n"
FILLED = """\
A1 < p1a b=0.L1
A1 > p1b b=0.L1 accepted={} to=0.L1
A1 < p2a b=0.L1 s=2 c=C1:2
A1 > p2b b=0.L1 to=0.L1/2
A1 < p1a b=0.L2
A1 > p1b b=0.L2 accepted={0.L1/2/C1:2} to=0.L2
A1 < p2a b=0.L2 s=2 c=C1:2
A1 > p2b b=0.L2 to=0.L2/2
A1 < p2a b=0.L2 s=1 c=noop
A1 > p2b b=0.L2 to=0.L2/1
"""
"""L2 learns of slot 2 and fills slot 1."""
PERFORMED = "R1 < decision s=1 c=noop from=0.L2/1\nR1 < decision s=2 c=C1:2 from=0.L2/2\n"


def judged(folder: Path, text: str, *variants: str) -> TraceVerdict:
    path = folder / "run.pmmc"
    path.write_text(text, encoding="utf-8")
    return judge(
        Source(path), JudgeOptions(SearchBudget(20000, 20), protocol=protocol_with(variants) if variants else None, variants=variants)
    )


def filling(seed: int) -> Run:
    """A random run of leaders that fill holes; some have any."""
    header = replace(plan(0).header, replicas=("R1", "R2"), leaders=("L1", "L2", "L3"), acceptors=("A1", "A2", "A3"), clients=("C1",))
    header = replace(header, window=10, network=frozenset({"lossy"}))
    header = replace(header, logs=complete_logs(header))
    whole = plan(seed, 1500, header=header, commands=30, loss_rate=0.05, crash_rate=0.0, reconfiguration_rate=0.0, own_logs=False)
    return run(replace(whole, protocol=protocol_with(["fill-holes"])))


WITH_HOLES = [10, 11, 18]
"""Seeds of runs in which a no-op is proposed."""


@pytest.mark.parametrize("seed", WITH_HOLES)
def test_a_run_of_fill_holes_is_a_run_of_that_variant_only(seed: int, tmp_path: Path) -> None:
    walked = filling(seed)
    assert any("c=noop" in line for line in walked.lines)
    verdict = judged(tmp_path, walked.text(), "fill-holes")
    assert (verdict.verdict, verdict.method) == (ACCEPTED, "replay")
    plain = judged(tmp_path, walked.text())
    assert plain.verdict == REJECTED and plain.failure is not None and "noop" in plain.failure.at.text
    assert any("--variant fill-holes" in note for note in plain.notes)


@pytest.mark.parametrize("logs", ["log A1 complete\n", "log A1 complete\nlog R1 partial decision\n"])
def test_logs_with_gaps_show_the_same(logs: str, tmp_path: Path) -> None:
    events = FILLED + (PERFORMED if "R1" in logs else "")
    assert judged(tmp_path, HEADER + logs + events, "fill-holes").verdict == ACCEPTED
    plain = judged(tmp_path, HEADER + logs + events)
    assert plain.verdict == REJECTED and "--variant fill-holes" in plain.notes[0]
    assert plain.failure is not None and plain.failure.at.text == "A1 < p2a b=0.L2 s=1 c=noop"


def test_the_note_is_only_for_traces_that_have_a_no_op_and_are_not_accepted(tmp_path: Path) -> None:
    rejected = HEADER + "log A1 complete\nA1 > p2b b=0.L1 to=0.L1/1\n"
    assert judged(tmp_path, rejected).notes == ()
    assert judged(tmp_path, HEADER + "log A1 complete\n" + FILLED, "fill-holes").notes == ("judged by the protocol with fill-holes",)


def test_a_replica_that_answers_for_a_no_op_or_proposes_it_is_rejected(tmp_path: Path) -> None:
    logs = "log R1 complete\n"
    performs = HEADER + logs + PERFORMED.replace("\n", "\nR1 > response cid=1 result=a to=C1\n", 1)
    proposes = HEADER + logs + "R1 < request c=C1:2\nR1 > propose s=1 c=noop\n"
    for text in (performs, proposes):
        assert judged(tmp_path, text, "fill-holes").verdict == REJECTED


def test_nobody_requests_a_no_op(tmp_path: Path) -> None:
    for number in (1, 2):  # the second time by the fast reader's memory
        text = HEADER + "log R1 complete\n" + "R1 < request c=C1:1\n" * (number - 1) + "R1 < request c=noop\n"
        verdict = judged(tmp_path, text)
        assert verdict.verdict == "bad input" and "noop is nobody's request" in str(verdict.reason)


def test_a_client_may_be_called_noop(tmp_path: Path) -> None:
    text = HEADER.replace("C1", "noop") + "log A1 complete\n" + FILLED.replace("c=C1:2", "c=noop:2").replace("/C1:2", "/noop:2")
    assert judged(tmp_path, text, "fill-holes").verdict == ACCEPTED


def test_both_formats_write_and_read_the_no_op(tmp_path: Path) -> None:
    dsl = tmp_path / "a.pmmc"
    dsl.write_text(HEADER + "log A1 complete\n" + FILLED + "A1 < p1a b=1.L1\nA1 > p1b b=1.L1 accepted={0.L2/1/noop,0.L1/2/C1:2} to=1.L1\n")
    from pmmc_check.trace.convert import converted  # noqa: PLC0415

    lines = list(converted(open_trace(dsl), "jsonl"))
    schema = json.loads((Path(pmmc_check.trace.__file__).parent / "trace.schema.json").read_text())
    for line in lines:
        jsonschema.Draft202012Validator(schema).validate(json.loads(line))
    assert json.loads(lines[9])["c"] == "noop" and "0.L2/1/noop" in json.loads(lines[12])["accepted"]
    (tmp_path / "b.jsonl").write_text("\n".join(lines) + "\n")
    both = [[event for stream in open_trace(path).events() for event in stream] for path in (dsl, tmp_path / "b.jsonl")]
    assert [event[:5] for event in both[0]] == [event[:5] for event in both[1]]
    assert any(getattr(event.message, "command", None) == NOOP for event in both[0])


def test_the_recorder_writes_no_ops(tmp_path: Path) -> None:
    TraceWriter.header(tmp_path / "h.jsonl", {"A1": "complete"}, replicas=["R1"], leaders=["L1"], acceptors=["A1"], window=5, quorum2=1)
    with TraceWriter(tmp_path / "A1.jsonl", "A1") as log:
        log.receive("p1a", b="0.L1")
        log.send("p1b", b="0.L1", accepted=[], to="0.L1")
        log.receive("p2a", b="0.L1", s=1, c="noop")
        log.send("p2b", b="0.L1", to="0.L1/1")
    (source,) = sources([str(tmp_path)])
    trace = open_trace(source.path, source.parts)
    assert trace.header.quorum2 == 1
    assert NOOP in [getattr(event.message, "command", None) for stream in trace.events() for event in stream]


# --- quorums

QUORUMS = "pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1,A2,A3 clients=C1 window=5 network=lossy {}\nlog L1 complete\n"
ADOPTED_BY_ONE = """\
L1 > p1a b=0.L1
L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1
L1 > adopted b=0.L1 pvalues={}
L1 < adopted b=0.L1 pvalues={}
L1 < propose s=1 c=C1:1 from=R1
L1 > p2a b=0.L1 s=1 c=C1:1
L1 < p2b a=A1 b=0.L1 to=0.L1/1
L1 < p2b a=A2 b=0.L1 to=0.L1/1
L1 < p2b a=A3 b=0.L1 to=0.L1/1
L1 > decision s=1 c=C1:1 from=0.L1/1
"""


@pytest.mark.parametrize(
    ("settings", "verdict"), [("quorum1=1 quorum2=3", ACCEPTED), ("", REJECTED), ("quorum1=1", REJECTED), ("quorum2=3", REJECTED)]
)
def test_scouts_and_commanders_wait_for_the_quorums_of_the_header(settings: str, verdict: str, tmp_path: Path) -> None:
    assert judged(tmp_path, QUORUMS.format(settings) + ADOPTED_BY_ONE).verdict == verdict


CONTRADICTED = """\
pmmc-trace 1
config replicas=R1 leaders=L1,L2 acceptors=A1,A2,A3 clients=C1 window=5 network=lossy {}
log A1,A2,A3 complete
A1 < p1a b=0.L1
A1 > p1b b=0.L1 accepted={{}} to=0.L1
A1 < p2a b=0.L1 s=1 c=C1:1
A1 > p2b b=0.L1 to=0.L1/1
A2 < p1a b=0.L2
A2 > p1b b=0.L2 accepted={{}} to=0.L2
A2 < p2a b=0.L2 s=1 c=C1:2
A2 > p2b b=0.L2 to=0.L2/1
A3 crash
A3 < p1a b=0.L2
"""
"""One acceptor has accepted one command, another a second; what A3 does is no run."""


@pytest.mark.parametrize(("settings", "broken"), [("quorum1=3 quorum2=1", {"A5", "C2"}), ("", set()), ("quorum2=2", set())])
def test_a5_and_c2_go_by_the_quorums_of_the_header(settings: str, broken: set[str], tmp_path: Path) -> None:
    verdict = judged(tmp_path, CONTRADICTED.format(settings))
    assert verdict.verdict == REJECTED
    assert {each.invariant for each in verdict.violations} == broken


@pytest.mark.parametrize("setting", ["quorum1=4", "quorum2=0"])
def test_a_quorum_has_from_one_to_all_acceptors(setting: str, tmp_path: Path) -> None:
    verdict = judged(tmp_path, QUORUMS.format(setting) + ADOPTED_BY_ONE)
    assert verdict.verdict == "bad input" and setting.partition("=")[0] in str(verdict.reason)
    with pytest.raises(TraceError):
        open_trace(tmp_path / "run.pmmc")


def test_a_counterexample_with_quorums_is_a_trace_of_the_same_quorums(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "c.pmmc")
    size = ("--slots", "1", "--commands", "2", "--quorum1", "2", "--quorum2", "1", "--invariant", "Agreement")
    assert in_process(capsys, "explore", *size, "--trace-out", out).returncode == 1
    assert "quorum1=2 quorum2=1" in (tmp_path / "c.pmmc").read_text()
    verdict = judge(Source(tmp_path / "c.pmmc"))
    assert verdict.failure is None and verdict.legal_run, "every step is one of the protocol with these quorums"
    assert verdict.verdict == REJECTED and "Agreement" in [each.invariant for each in verdict.violations]
    assert verdict.notes == ("its quorums need not have an acceptor in common, so legal runs may break invariants",)


def test_simulated_quorums_are_accepted_and_read_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "s.pmmc"
    done = in_process(capsys, "simulate", "--quorum1", "1", "--quorum2", "3", "--events", "300", "--network", "reliable", "--out", str(out))
    assert done.returncode == 0 and open_trace(out).header.quorum1 == 1
    assert judge(Source(out)).verdict == ACCEPTED
    assert_one_clear_line(in_process(capsys, "simulate", "--quorum1", "4"), "quorum1=4: must be at most the number of acceptors, 3")


def test_the_format_page_names_noop_and_quorums() -> None:
    page = (ROOT / "docs" / "trace-format.md").read_text()
    assert "`noop`" in page and "`quorum1=N` `quorum2=N`" in page
