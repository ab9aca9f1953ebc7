"""A leader's log without adopted and preempted explains a local fault as well as a complete one: the faulty event is cited."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED
from tests.validation.runs import plan, run
from tests.validation.test_thin_logs import without_calls

WITHOUT_CALLS = "partial propose,p1a,p1b,p2a,p2b,decision"
HEADER = "config replicas=R1 leaders=L1,L2 acceptors=A1,A2,A3 window=5 network={network} clients=C1\nlog A1,A2,A3,R1,C1 complete\n"
ASKED = "C1 > request c=C1:1\nR1 < request c=C1:1\nR1 > propose s=1 c=C1:1\nL1 < propose s=1 c=C1:1\n"


def answer(acceptor: str, ballot: str = "0.L1", scout: str = "0.L1") -> str:
    promise = f"{acceptor} < p1a b={scout}\n{acceptor} > p1b b={ballot} accepted={{}} to={scout}\n"
    return f"{promise}L1 < p1b a={acceptor} b={ballot} accepted={{}} to={scout}\n"


def vote(acceptor: str) -> str:
    return f"{acceptor} < p2a b=0.L1 s=1 c=C1:1\n{acceptor} > p2b b=0.L1 to=0.L1/1\nL1 < p2b a={acceptor} b=0.L1 to=0.L1/1\n"


SCOUT = ASKED + "L1 > p1a b=0.L1\n" + answer("A1")
ADOPTED = SCOUT + answer("A2")
COMMANDER = ADOPTED + "L1 > p2a b=0.L1 s=1 c=C1:1\n"
SECOND = "C1 > request c=C1:2\nR1 < request c=C1:2\nR1 > propose s=2 c=C1:2\nL1 < propose s=2 c=C1:2\nL1 > p2a b=0.L1 s=2 c=C1:2\n"
DECISION = "L1 > decision s=1 c=C1:1 from=0.L1/1\nR1 < decision s=1 c=C1:1\n"
PERFORMED = "R1 > response cid=1 result=ok to=C1\nC1 < response cid=1 result=ok\n"
FAULTS = {
    "a decision after one answer of three": (COMMANDER + vote("A1") + DECISION + PERFORMED, "L1 > decision"),
    "a decision after the same answer twice": (COMMANDER + vote("A1") + "L1 < p2b a=A1 b=0.L1 to=0.L1/1\n" + DECISION, "L1 > decision"),
    "a decision after no answer": (COMMANDER + DECISION + PERFORMED, "L1 > decision"),
    "a response before its slot is decided": (COMMANDER + PERFORMED + vote("A1") + vote("A2") + DECISION, "R1 > response"),
    "a response before its slot is decided, of another slot": (
        COMMANDER + vote("A1") + vote("A2") + DECISION + PERFORMED + "R1 > response cid=2 result=ok to=C1\n",
        "R1 > response cid=2",
    ),
    "a response of a slot after one that is not decided": (
        COMMANDER
        + SECOND
        + "A1 < p2a b=0.L1 s=2 c=C1:2\nA1 > p2b b=0.L1 to=0.L1/2\nL1 < p2b a=A1 b=0.L1 to=0.L1/2\n"
        + "A2 < p2a b=0.L1 s=2 c=C1:2\nA2 > p2b b=0.L1 to=0.L1/2\nL1 < p2b a=A2 b=0.L1 to=0.L1/2\n"
        + "L1 > decision s=2 c=C1:2 from=0.L1/2\nR1 < decision s=2 c=C1:2\nR1 > response cid=2 result=ok to=C1\n",
        "R1 > response cid=2",
    ),
    "a ballot used twice by a scout": (ADOPTED + "L1 > p1a b=0.L1\n", "L1 > p1a"),
    "a ballot used twice in a slot": (COMMANDER + "L1 > p2a b=0.L1 s=1 c=C1:1\n", "L1 > p2a"),
    "a ballot used for another command": (COMMANDER + "L1 > p2a b=0.L1 s=1 c=C1:2\n", "L1 > p2a b=0.L1 s=1 c=C1:2"),
    "a scout that adopts after one answer": (SCOUT + "L1 > p2a b=0.L1 s=1 c=C1:1\n" + vote("A1"), "L1 > p2a"),
    "a scout that adopts under another ballot": (
        SCOUT + answer("A2") + "L1 > p2a b=1.L1 s=1 c=C1:1\n",
        "L1 > p2a b=1.L1",
    ),
    "a scout that goes on after another ballot": (
        SCOUT
        + "A3 < p1a b=0.L2\nA3 > p1b b=0.L2 accepted={} to=0.L2\n"
        + answer("A3", "0.L2")
        + answer("A2")
        + "L1 > p2a b=0.L1 s=1 c=C1:1\n",
        "L1 > p2a",
    ),
    "a command that nobody proposed": (ADOPTED + "L1 > p2a b=0.L1 s=1 c=C1:7\n", "L1 > p2a b=0.L1 s=1 c=C1:7"),
    "a ballot that no preemption asked for": (ADOPTED + "L1 > p1a b=3.L1\n", "L1 > p1a b=3.L1"),
}


def judged(folder: Path, contract: str, events: str, network: str = "duplicating") -> TraceVerdict:
    file = folder / "t.pmmc"
    second = "L2 > p1a b=0.L2\n" if "0.L2" in events else ""
    file.write_text(f"pmmc-trace 1\n{HEADER.format(network=network)}log L1,L2 {contract}\n{second}{events}")
    return judge(Source(file))


@pytest.mark.parametrize("name", FAULTS)
def test_the_faulty_event_is_cited(tmp_path: Path, name: str) -> None:
    events, cited = FAULTS[name]
    verdict = judged(tmp_path, WITHOUT_CALLS, events)
    assert (verdict.verdict, verdict.states) == (REJECTED, 0)
    assert verdict.failure is not None
    assert verdict.failure.at.text.startswith(cited), verdict.failure


def test_what_is_legal_stays_so(tmp_path: Path) -> None:
    assert judged(tmp_path, WITHOUT_CALLS, COMMANDER + vote("A1") + vote("A2") + DECISION + PERFORMED).verdict == ACCEPTED


@pytest.mark.parametrize("first", [0, 30])
def test_no_legal_run_is_rejected(first: int) -> None:
    for seed in range(first, first + 30):
        thin = run(plan(seed, 120, crash_rate=0.03 * (seed % 2), commands=8), without_calls)
        names, events = thin.read()
        try:
            Replay(thin.header, names, relaxed=True).run([iter(events)])
        except Rejected as rejected:
            pytest.fail(f"seed {seed}: {rejected.mismatch}")
