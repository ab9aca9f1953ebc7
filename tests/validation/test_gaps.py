"""What a gap in a log may hide: small traces whose verdict the text of docs/trace-format.md decides, and that the oracle confirms."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import ACCEPTED, REJECTED
from tests.validation.partial_oracle import PartialOracle

CASES = {
    "a step that a crash cut short is nowhere recorded": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1,C2 window=2 network=reliable slots=2 rounds=1
        log R1 partial propose
        log C1,C2 partial request
        C1 > request c=C1:1
        R1 crash
        C2 > request c=C2:1
        R1 restart
        R1 > propose s=1 c=C2:1
        """,
    ),
    "a receive without from= leaves the copy that a later one needs": (
        ACCEPTED,
        """
        config replicas=R1,R2 leaders=L1 acceptors=A1 clients=C1 window=1 network=reliable slots=1 rounds=1
        log L1,R1,C1 complete
        log R2 none
        C1 > request c=C1:1
        R1 < request c=C1:1
        R1 > propose s=1 c=C1:1
        L1 > p1a b=0.L1
        L1 < propose s=1 c=C1:1
        L1 < propose s=1 c=C1:1 from=R1
        """,
    ),
    "a client's request whose command is not recorded": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy
        log C1,R1 complete
        C1 > request c=?
        R1 < request c=C1:1
        R1 > propose s=1 c=C1:1
        """,
    ),
    "a client's request of which nothing else speaks": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy
        log C1 complete
        C1 > request c=?
        """,
    ),
    "a received request of which nothing else speaks": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy
        log R1 complete
        R1 < request c=?
        R1 > propose s=1 c=?
        """,
    ),
    "a proposal whose slot is not recorded": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1,L2 acceptors=A1 clients=C1 window=3 network=lossy
        log R1 complete
        R1 < request c=C1:1
        R1 > propose s=? c=C1:1
        R1 < request c=C1:2
        R1 > propose s=2 c=C1:2
        """,
    ),
    "a proposal whose command is not recorded": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=3 network=lossy
        log R1,L1 complete
        L1 > p1a b=0.L1
        R1 < request c=C1:1
        R1 > propose s=1 c=?
        L1 < propose s=1 c=C1:1
        """,
    ),
    "a proposal whose command is not recorded is one that was requested": (
        REJECTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=3 network=lossy
        log R1,L1,C1 complete
        L1 > p1a b=0.L1
        C1 > request c=C1:1
        C1 > request c=C1:2
        R1 < request c=C1:1
        R1 > propose s=1 c=?
        L1 < propose s=1 c=C1:2
        """,
    ),
    "one of two proposals of a step that was cut short": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=2 network=lossy
        log R1 complete
        R1 < request c=C1:1
        R1 > propose s=1 c=C1:1
        R1 < request c=C1:2
        R1 > propose s=2 c=C1:2
        R1 < request c=C1:3
        R1 < request c=C1:4
        R1 < decision s=2 c=C1:2
        R1 < decision s=1 c=C1:1
        R1 > response cid=1 result=a to=C1
        R1 > response cid=2 result=b to=C1
        R1 > propose s=4 c=C1:4
        """,
    ),
    "two responses of one step, one without its cid": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=2 network=lossy
        log R1 complete
        R1 < request c=C1:1
        R1 > propose s=1 c=C1:1
        R1 < request c=C1:2
        R1 > propose s=2 c=C1:2
        R1 < decision s=2 c=C1:2
        R1 < decision s=1 c=C1:1
        R1 > response cid=? result=b to=C1
        R1 > response cid=1 result=a to=C1
        """,
    ),
    "a delta received of a p1b that was sent whole": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy
        log L1 complete
        log A1 partial p1b
        L1 > p1a b=0.L1
        A1 > p1b b=0.L1 accepted={} to=0.L1
        L1 < p1b a=A1 b=0.L1 accepted=+{}
        """.replace("+{}", "+{} to=0.L1"),
    ),
    "one opaque result, received differently from two replicas": (
        REJECTED,
        """
        config replicas=R1,R2 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy slots=1 rounds=1
        log L1,A1,C1 complete
        log R1,R2 partial request,propose,decision
        C1 > request c=C1:1
        R1 < request c=C1:1
        R1 > propose s=1 c=C1:1
        L1 > p1a b=0.L1
        A1 < p1a b=0.L1
        A1 > p1b b=0.L1 accepted={} to=0.L1
        L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1
        L1 > adopted b=0.L1 pvalues={}
        L1 < adopted b=0.L1 pvalues={}
        L1 < propose s=1 c=C1:1
        L1 > p2a b=0.L1 s=1 c=C1:1
        A1 < p2a b=0.L1 s=1 c=C1:1
        A1 > p2b b=0.L1 to=0.L1/1
        L1 < p2b a=A1 b=0.L1 to=0.L1/1
        L1 > decision s=1 c=C1:1 from=0.L1/1
        R1 < decision s=1 c=C1:1
        R2 < decision s=1 c=C1:1
        C1 < response cid=1 result=yes from=R1
        C1 < response cid=1 result=no from=R2
        """,
    ),
    "one response, received twice with different results": (
        REJECTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy,duplicating slots=1 rounds=1
        log C1 partial response
        C1 < response cid=1 result=yes from=R1
        C1 < response cid=1 result=no from=R1
        """,
    ),
    "on fifo, the sends of one step come in any order": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=2 network=fifo
        log R1 partial request,decision
        log L1,A1 complete
        L1 > p1a b=0.L1
        A1 < p1a b=0.L1
        A1 > p1b b=0.L1 accepted={} to=0.L1
        L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1
        L1 > adopted b=0.L1 pvalues={}
        L1 < adopted b=0.L1 pvalues={}
        R1 < request c=C1:1
        R1 < request c=C1:2
        R1 < request c=C1:3
        R1 < request c=C1:4
        L1 < propose s=1 c=C1:1
        L1 > p2a b=0.L1 s=1 c=C1:1
        A1 < p2a b=0.L1 s=1 c=C1:1
        A1 > p2b b=0.L1 to=0.L1/1
        L1 < propose s=2 c=C1:2
        L1 > p2a b=0.L1 s=2 c=C1:2
        A1 < p2a b=0.L1 s=2 c=C1:2
        A1 > p2b b=0.L1 to=0.L1/2
        L1 < p2b a=A1 b=0.L1 to=0.L1/1
        L1 > decision s=1 c=C1:1 from=0.L1/1
        L1 < p2b a=A1 b=0.L1 to=0.L1/2
        L1 > decision s=2 c=C1:2 from=0.L1/2
        R1 < decision s=2 c=C1:2
        R1 < decision s=1 c=C1:1
        L1 < propose s=4 c=C1:4
        L1 < propose s=3 c=C1:3
        """,
    ),
    "on fifo, a crash can have kept what nobody recorded from being sent": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=2 network=fifo slots=2 rounds=1
        log R1 partial request,decision
        log L1 complete
        L1 > p1a b=0.L1
        R1 < request c=C1:1
        R1 crash
        R1 restart
        R1 < request c=C1:2
        L1 < propose s=1 c=C1:2 from=R1
        """,
    ),
    "on fifo, without a crash every step is whole": (
        REJECTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=2 network=fifo slots=2 rounds=1
        log R1 partial request,decision
        log L1 complete
        L1 > p1a b=0.L1
        R1 < request c=C1:1
        R1 < request c=C1:2
        L1 < propose s=2 c=C1:2 from=R1
        """,
    ),
    "a reconfiguration that nobody recorded": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1,L2 acceptors=A1 clients=C1 window=1 network=lossy slots=2 rounds=1 configurations={L1,L2;A1},{L2;A1}
        log R1,A1,L1 complete
        R1 < request c=?
        R1 > propose s=1 c=? to=L1,L2
        L1 > p1a b=0.L1
        A1 < p1a b=0.L1
        A1 > p1b b=0.L1 accepted={} to=0.L1
        L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1
        L1 > adopted b=0.L1 pvalues={}
        L1 < adopted b=0.L1 pvalues={}
        L1 < propose s=1 c=?
        L1 > p2a b=0.L1 s=1 c=?
        A1 < p2a b=0.L1 s=1 c=?
        A1 > p2b b=0.L1 to=0.L1/1
        L1 < p2b a=A1 b=0.L1 to=0.L1/1
        L1 > decision s=1 c=? from=0.L1/1
        R1 < decision s=1 c=?
        R1 < request c=C1:2
        R1 > propose s=2 c=C1:2 to=L2
        R1 end
        """,
    ),
    "a decision whose slot is not recorded": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy
        log R1 complete
        R1 < request c=C1:1
        R1 > propose s=1 c=C1:1
        R1 < decision s=? c=C1:1 | slot_in=2 slot_out=2
        R1 > response cid=1 result=ok to=C1
        """,
    ),
    "a command and a reconfiguration of the same number in one slot": (
        REJECTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy configurations={L1;A1}
        log A1 partial p2a
        A1 < p2a b=0.L1 s=1 c=C1:1
        A1 < p2a b=0.L1 s=1 c=C1:1:reconfigure(L1)
        """,
    ),
    "of two copies, the one received without from= may be the one sent last": (
        ACCEPTED,
        """
        config replicas=R1,R2 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy
        log R1,R2,L1,A1,C1 complete
        L1 > p1a b=0.L1
        C1 > request c=C1:1
        R1 < request c=C1:1
        R1 > propose s=1 c=C1:1
        L1 < propose s=1 c=C1:1
        R2 < request c=C1:1
        R2 > propose s=1 c=C1:1
        L1 < propose s=1 c=C1:1 from=R1
        """,
    ),
    "of two copies, only two are received": (
        REJECTED,
        """
        config replicas=R1,R2 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy
        log R1,R2,L1,A1,C1 complete
        L1 > p1a b=0.L1
        C1 > request c=C1:1
        R1 < request c=C1:1
        R1 > propose s=1 c=C1:1
        L1 < propose s=1 c=C1:1
        L1 < propose s=1 c=C1:1 from=R1
        """,
    ),
    "a lost p1b, recorded as the delta that was sent": (
        ACCEPTED,
        """
        config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=1 network=lossy
        log R1,L1,A1,C1 complete
        L1 > p1a b=0.L1
        A1 < p1a b=0.L1
        A1 > p1b b=0.L1 accepted=+{} to=0.L1
        L1 drop p1b a=A1 b=0.L1 accepted=+{} to=0.L1
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_gap_hides_what_the_contract_allows_and_no_more(name: str, tmp_path: Path) -> None:
    expected, text = CASES[name]
    path = tmp_path / "gap.pmmc"
    path.write_text("pmmc-trace 1\n" + "\n".join(map(str.strip, text.strip().splitlines())) + "\n")
    trace = open_trace(path)
    events = [event for stream in trace.events() for event in stream]
    assert PartialOracle(trace.header, trace.names, events).verdict() == expected
    verdict = judge(Source(path))
    assert verdict.verdict == expected, verdict


assert {expected for expected, _ in CASES.values()} <= {ACCEPTED, REJECTED}
