"""What a gap in a log may hide: small traces whose verdict the text of docs/trace-format.md decides, and that the oracle confirms."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmmc_check.trace.judge import Source, judge
from pmmc_check.trace.reader import open_trace
from pmmc_check.trace.verdict import ACCEPTED, REJECTED
from tests.trace.partial_oracle import PartialOracle

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
        R1 > propose s=2 c=C2:1
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
