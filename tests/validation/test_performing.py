"""What replicas say that they performed is checked: decided commands, in the order of slots, each once, before they are answered."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from helpers import ROOT

from pmmc_check.api.following import Follower
from pmmc_check.explorer.loading import loaded, recording_in
from pmmc_check.protocol import PMMC
from pmmc_check.report.runs.of_trace import run_of_trace
from pmmc_check.report.runs.run import EventKind, EventMark
from pmmc_check.trace.convert import converted
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.recorder import TraceWriter
from pmmc_check.trace.sources import Source, sources
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.performing import Misperformed, Performing
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, INCONCLUSIVE, REJECTED

HEADER = (
    "pmmc-trace 1\nconfig replicas=R1,R2 leaders=L1,L2 acceptors=A1,A2,A3 window=5 "
    "configurations={L1;A1,A2,A3},{L2;A1,A2,A3}\nlog R1 partial "
)
KINDS = "decision,response"
ONE, TWO, AGAIN = ("R1 < decision s={} c=C1:{}\n".format(*each) for each in ((1, 1), (2, 2), (2, 1)))
CHANGE = "R1 < decision s=2 c=C1:9:reconfigure(L2)\n"
THREE = "R1 < decision s=3 c=C1:3\n"


def did(slot: int, number: int | str) -> str:
    return f"R1 perform s={slot} c=C1:{number}\n"


def answered(number: int) -> str:
    return f"R1 > response cid={number} result=ok to=C1\n"


GOOD = {
    "one by one": ONE + did(1, 1) + answered(1) + TWO + did(2, 2) + answered(2),
    "later": ONE + TWO + did(1, 1) + answered(1) + did(2, 2) + answered(2),
    "answered later": ONE + TWO + did(1, 1) + did(2, 2) + answered(2) + answered(1),
    "a command that is decided twice": ONE + did(1, 1) + answered(1) + AGAIN + THREE + did(3, 3) + answered(3),
    "a change of the configuration": ONE + did(1, 1) + answered(1) + CHANGE + THREE + did(3, 3) + answered(3),
    "again after a restart": ONE + did(1, 1) + answered(1) + "R1 crash\nR1 restart\n" + did(1, 1) + TWO + did(2, 2) + answered(2),
    "on after a restart": ONE + did(1, 1) + answered(1) + "R1 crash\nR1 restart\n" + TWO + did(2, 2) + answered(2),
    "nothing said": ONE + answered(1) + TWO + answered(2),
    "a command that was not recorded": ONE + "R1 perform s=1 c=?\n" + answered(1),
    "decided and not performed yet": ONE + did(1, 1) + answered(1) + TWO,
}
BAD = {
    "before it is decided": (did(1, 1) + ONE, 1, "a decision of slot 1 first"),
    "another command": (ONE + did(1, 2), 2, "slot 1 decided as C1:1"),
    "a slot is left out": (ONE + TWO + did(2, 2), 3, "perform s=1 c=C1:1 first"),
    "out of order": (ONE + TWO + did(1, 1) + did(2, 2) + did(1, 1), 5, "a slot from 3 on"),
    "twice in two slots": (ONE + did(1, 1) + answered(1) + AGAIN + did(2, 1), 5, "nothing: C1:1 was decided in an earlier slot"),
    "a change of the configuration": (ONE + did(1, 1) + answered(1) + CHANGE + did(2, "9:reconfigure(L2)"), 5, "nothing: C1:9:reconf"),
    "answered before": (ONE + TWO + did(1, 1) + answered(2) + answered(1), 4, "a perform line of its command before it"),
    "answered before anything": (ONE + answered(1) + did(1, 1), 2, "a perform line before the response"),
    "a slot that is not decided in between": (ONE + did(1, 1) + answered(1) + THREE + did(3, 3), 5, "a decision of slot 2 first"),
}  # fmt: skip


SHORTLY = JudgeOptions(SearchBudget(20, 1))
"""What is performed is looked at whether or not a search finds a run."""


def faults(file: Path) -> list[Misperformed]:
    trace = open_trace(file)
    return list(Performing(trace.header, trace.names).faults(trace.streams))


def judged(folder: Path, events: str, kinds: str = KINDS) -> TraceVerdict:
    (file := folder / "t.pmmc").write_text(HEADER + kinds + "\n" + events)
    return judge(Source(file), SHORTLY)


@pytest.mark.parametrize("name", GOOD)
def test_what_pmmc_performs_is_accepted_in_both_formats(tmp_path: Path, name: str) -> None:
    verdict = judged(tmp_path, GOOD[name])
    assert verdict.verdict != REJECTED, verdict
    assert faults(tmp_path / "t.pmmc") == []
    lines = list(converted(open_trace(tmp_path / "t.pmmc"), "jsonl"))
    schema = jsonschema.Draft202012Validator(json.loads((ROOT / "pmmc_check/trace/trace.schema.json").read_text()))
    for line in lines:
        schema.validate(json.loads(line))
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    assert faults(tmp_path / "t.jsonl") == []
    back = "\n".join(converted(open_trace(tmp_path / "t.jsonl"), "dsl"))
    assert back.endswith(GOOD[name].rstrip())


@pytest.mark.parametrize("name", BAD)
def test_what_it_does_not_is_rejected_at_its_line(tmp_path: Path, name: str) -> None:
    events, line, expected = BAD[name]
    verdict = judged(tmp_path, events)
    assert verdict.verdict == REJECTED
    assert verdict.failure is not None
    assert verdict.failure.at.line == 3 + line
    assert expected in verdict.failure.expected


def test_logs_of_decisions_alone_and_whole_logs_are_checked_too(tmp_path: Path) -> None:
    assert judged(tmp_path, ONE + TWO + did(1, 1) + did(2, 2), "decision").verdict == ACCEPTED
    assert judged(tmp_path, ONE + TWO + did(2, 2) + did(1, 1), "decision").verdict == REJECTED
    whole = (ROOT / "traces" / "good-one-command.pmmc").read_text()
    response = next(line for line in whole.splitlines() if "> response" in line and line.startswith("R1"))
    (file := tmp_path / "whole.pmmc").write_text(whole.replace(response, f"R1 perform s=1 c=C1:1:put\n{response}"))
    assert judge(Source(file)).verdict == ACCEPTED
    file.write_text(whole.replace(response, f"R1 perform s=2 c=C1:1:put\n{response}"))
    assert judge(Source(file)).verdict == REJECTED


def test_without_the_decisions_only_the_order_is_known(tmp_path: Path) -> None:
    assert judged(tmp_path, did(4, 1) + answered(1) + did(6, 2), "response").verdict != REJECTED
    assert judged(tmp_path, did(4, 1) + answered(1) + did(3, 2), "response").verdict == REJECTED
    assert judged(tmp_path, did(4, 1) + answered(1) + did(5, 1), "response").verdict == REJECTED


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("A1 perform s=1 c=C1:1", "an acceptor performs nothing; that is a replica's"),
        ("R2 perform s=1 c=C1:1", "R2 performs, but the header promises nothing of it; add a line: log R2 complete"),
        ("R1 perform s=? c=C1:1", "s= cannot be ? here"),
        ("R1 perform s=0 c=C1:1", "0 is no slot"),
        ("R1 perform c=C1:1", "expected s="),
        ("R1 perform s=1", "expected c="),
        ("R1 perform s=1 c=X", "a command such as C1:7"),
    ],
)
def test_lines_that_cannot_be_are_bad_input(tmp_path: Path, line: str, problem: str) -> None:
    verdict = judged(tmp_path, ONE + line + "\n")
    assert verdict.verdict == BAD_INPUT
    assert problem in str(verdict.reason)
    assert ":5:" in str(verdict.reason) or ":5: " in str(verdict.reason)


@pytest.mark.parametrize("change", [{"s": None}, {"s": "1"}, {"c": 3}, {"x": 1}, {"at": 1}])
def test_the_same_in_json(tmp_path: Path, change: dict[str, object]) -> None:
    header = '{"pmmc-trace":1,"replicas":["R1"],"leaders":["L1"],"acceptors":["A1"],"window":1,"logs":{"R1":["decision"]}}'
    (file := tmp_path / "t.jsonl").write_text(f"{header}\n{json.dumps({'at': 'R1', 'do': 'perform', 's': 1, 'c': 'C1:1', **change})}\n")
    assert judge(Source(file)).verdict == BAD_INPUT


def test_both_readers_of_the_dsl_agree(tmp_path: Path) -> None:
    lines = 'R1 perform s=1 c=C1:1 id=a t=5\nR1 perform s=2 c=C1:2:"put x" # note\nR1 perform s=3 c=C1:3:put\nR1 perform s=4 c=?\n'
    (file := tmp_path / "t.pmmc").write_text(HEADER + KINDS + "\n" + lines)
    both = [[item for stream in open_trace(file, grammar_only=only).streams for item in stream] for only in (False, True)]
    assert both[0] == both[1]
    assert len(both[0]) == 4


def test_the_recorder_writes_it(tmp_path: Path) -> None:
    TraceWriter.header(tmp_path / "config.jsonl", {"R1": ["decision"]}, replicas=["R1"], leaders=["L1"], acceptors=["A1"], window=5)
    with TraceWriter(tmp_path / "R1.jsonl", "R1") as log:
        log.receive("decision", s=1, c="C1:1")
        log.perform(1, "C1:1")
    (source,) = sources([str(tmp_path)])
    assert judge(source).verdict == ACCEPTED


# ---- where runs are followed, shown and stepped through ----


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_it_is_checked_while_a_trace_is_written(tmp_path: Path, name: str) -> None:
    events = GOOD[name] if name in GOOD else BAD[name][0]
    file = tmp_path / "t.pmmc"
    file.write_text(HEADER + KINDS + "\n")
    follower = Follower(str(file))
    for line in events.splitlines():
        with file.open("a") as stream:
            print(line, file=stream)
        follower.poll()
    verdict = follower.finish()
    if name in GOOD:
        assert verdict.verdict == INCONCLUSIVE  # such logs prove nothing while they are written
    else:
        assert verdict.verdict == REJECTED
        assert verdict.failure is not None
        assert verdict.failure == judged(tmp_path, events).failure


def whole(folder: Path, *performs: str) -> Path:
    """A complete run in which R1 performs, after its decision."""
    lines = (ROOT / "traces/good-one-command.pmmc").read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("R1 < decision"))
    lines[at + 1 : at + 1] = performs
    (file := folder / "t.pmmc").write_text("\n".join(lines) + "\n")
    return file


def test_a_run_that_is_shown_has_it_where_its_log_says_it(tmp_path: Path) -> None:
    source = Source(whole(tmp_path, "R1 perform s=1 c=C1:1:put"))
    run = run_of_trace(source, judge(source))
    own = [each for each in run.events if each.process is not None and run.names[each.process] == "R1"]
    assert [each.place[1] for each in own if each.place] == sorted(each.place[1] for each in own if each.place)
    kinds = [each.kind for each in own]
    at = kinds.index(EventKind.PERFORM)
    assert kinds[at - 1 : at + 2] == [EventKind.DELIVER, EventKind.PERFORM, EventKind.SEND]
    assert own[at].label == "R1 performs C1:1:put of slot 1"


@pytest.mark.parametrize("performed", ["R1 perform s=1 c=C1:1:other", "R1 perform s=2 c=C1:1:put"])
def test_what_was_not_performed_is_where_a_shown_run_goes_wrong(tmp_path: Path, performed: str) -> None:
    source = Source(whole(tmp_path, performed))
    run = run_of_trace(source, judge(source))
    (failing,) = [each for each in run.events if EventMark.FAILING in each.marks]
    assert failing.kind is EventKind.PERFORM


def test_a_session_follows_it_and_stops_where_it_is_not_so(tmp_path: Path) -> None:
    for line, followed in (("s=1 c=C1:1:put", True), ("s=1 c=?", True), ("s=1 c=C1:1:other", False), ("s=2 c=C1:1:put", False)):
        file = whole(tmp_path, f"R1 perform {line}")
        _, told = loaded(recording_in(str(file)), PMMC, (), {})
        assert ("21 of 21 events" in told[0]) == followed, told
        assert any(f"goes no further: {file}:22: R1 perform {line}" in each for each in told) != followed, told
