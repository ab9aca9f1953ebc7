"""Logs that begin in the middle of a run: named as what they are, and with the header's word judged from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pmmc_check.trace.convert import converted
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED

LATE = {
    "a replica that proposes": "R1 < request c=C1:900\nR1 > propose s=5001 c=C1:900\nR1 < decision s=5001 c=C1:900\n"
    "R1 > response cid=900 result=ok to=C1\n",
    "a replica that performs": "R1 < decision s=70 c=C1:9\nR1 > response cid=9 result=ok to=C1\nR1 < decision s=71 c=C1:10\n"
    "R1 > response cid=10 result=ok to=C1\n",
    "a replica that answers late": "R1 < decision s=71 c=C1:10\nR1 < decision s=70 c=C1:9\nR1 > response cid=9 result=ok to=C1\n",
}
WRONG = {
    "a command is performed twice": "R1 < decision s=70 c=C1:9\nR1 > response cid=9 result=ok to=C1\nR1 > response cid=9 result=ok to=C1\n",
    "two decisions in a slot": "R1 < decision s=70 c=C1:9\nR1 < decision s=70 c=C1:10\n",
    "slot_out falls": "R1 < decision s=70 c=C1:9 | slot_out=71\nR1 < decision s=71 c=C1:10 | slot_out=70\n",
}


def judged(folder: Path, events: str, contract: str = "complete", more: str = "") -> TraceVerdict:
    file = folder / "t.pmmc"
    file.write_text(f"pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1,A2,A3 window=5\nlog R1 {contract}\n{more}{events}")
    return judge(Source(file))


@pytest.mark.parametrize("name", LATE)
def test_it_is_said_that_the_log_does_not_begin_with_the_process(tmp_path: Path, name: str) -> None:
    verdict = judged(tmp_path, LATE[name])
    assert verdict.verdict == REJECTED
    assert verdict.failure is not None
    assert verdict.failure.rule == "a complete log begins with its process, and this one does not"
    assert "log R1 complete from=middle" in verdict.failure.expected
    assert not verdict.violations


@pytest.mark.parametrize("name", LATE)
def test_with_a_header_that_says_so_it_is_judged_from_there(tmp_path: Path, name: str) -> None:
    verdict = judged(tmp_path, LATE[name], "complete from=middle")
    assert verdict.verdict == ACCEPTED
    assert verdict.notes[0].startswith("R1 began before the log")


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_there_is_still_rejected(tmp_path: Path, name: str) -> None:
    assert judged(tmp_path, WRONG[name], "complete from=middle").verdict == REJECTED


def test_the_other_logs_are_replayed_against_it(tmp_path: Path) -> None:
    acceptor = "log A1 complete\n"
    promise = "A1 < p1a b=7.L1\nA1 > p1b b=7.L1 accepted={} to=7.L1\n"
    assert judged(tmp_path, LATE["a replica that performs"] + promise, "complete from=middle", acceptor).verdict == ACCEPTED
    wrong = promise.replace("p1b b=7.L1", "p1b b=6.L1")
    assert judged(tmp_path, LATE["a replica that performs"] + wrong, "complete from=middle", acceptor).verdict == REJECTED


@pytest.mark.parametrize(
    "events", ["R1 < decision s=2 c=C1:2\nR1 > response cid=2 result=ok to=C1\n", "R1 < request c=C1:1\nR1 > propose s=2 c=C1:1\n"]
)
def test_a_fault_near_the_beginning_is_no_late_log(tmp_path: Path, events: str) -> None:
    failure = judged(tmp_path, events).failure
    assert failure is not None
    assert "begins with its process" not in failure.rule


def test_both_formats_know_it(tmp_path: Path) -> None:
    judged(tmp_path, LATE["a replica that performs"], "complete from=middle")
    lines = list(converted(open_trace(tmp_path / "t.pmmc"), "jsonl"))
    assert json.loads(lines[0])["logs"] == {"R1": "complete from=middle"}
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    assert list(converted(open_trace(tmp_path / "t.jsonl"), "dsl"))[2] == "log R1 complete from=middle"
    assert judge(Source(tmp_path / "t.jsonl")).verdict == ACCEPTED
