"""Facts that need no search: where whole logs would show a ground and do not, the event without it is cited."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from pmmc_check.report.trace_text import LINES_MAX, explanation
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED


class Case(NamedTuple):
    """`logs`: contracts, one a line; `cited`: how the cited event begins; `said`: what the explanation says of it."""

    logs: str
    events: str
    cited: str
    said: str


def promises(*acceptors: str, ballot: str = "0.L1") -> str:
    return "".join(f"{each} < p1a b={ballot}\n{each} > p1b b={ballot} accepted={{}} to={ballot}\n" for each in acceptors)


def votes(*acceptors: str, ballot: str = "0.L1", slot: int = 1, command: str = "C1:1") -> str:
    return "".join(f"{each} < p2a b={ballot} s={slot} c={command}\n{each} > p2b b={ballot} to={ballot}/{slot}\n" for each in acceptors)


ALL_THREE = promises("A1", "A2", "A3")
ACCEPTORS = "log A1,A2,A3 complete\n"
CASES = {
    "decided with one acceptance of three": Case(
        ACCEPTORS + "log R1 partial decision\n", ALL_THREE + votes("A2") + "R1 < decision s=1 c=C1:1\n", "R1 < decision", "only A2 accepted"
    ),
    "decided with acceptances under two ballots": Case(
        ACCEPTORS + "log R1 partial decision\n",
        ALL_THREE + votes("A1") + promises("A2", "A3", ballot="0.L2") + votes("A2", ballot="0.L2") + "R1 < decision s=1 c=C1:1\n",
        "R1 < decision",
        "accepted for slot 1 under",
    ),
    "decided in a slot in which nothing was accepted": Case(
        ACCEPTORS + "log R1 partial decision\n",
        ALL_THREE + votes("A1", "A2") + "R1 < decision s=2 c=C1:1\n",
        "R1 < decision s=2",
        "nobody accepted for slot 2",
    ),
    "a commander decides with another's acceptances": Case(
        "log A1,A2,A3 partial p2b\nlog L1 partial decision\nlog R1 partial decision\n",
        "A1 > p2b b=0.L1 to=0.L1/1\nA2 > p2b b=0.L1 to=0.L1/1\nR1 < decision s=1 c=C1:1\nL1 > decision s=1 c=C1:1 from=1.L1/1\n",
        "L1 > decision",
        "nobody accepted",
    ),
    "proposed under a ballot that one acceptor promised": Case(
        ACCEPTORS + "log L1 partial p2a\n", promises("A1") + "L1 > p2a b=0.L1 s=1 c=C1:1\n", "L1 > p2a", "only A1 promised 0.L1"
    ),
    "adopted under a ballot that nobody promised": Case(
        ACCEPTORS + "log L1 partial adopted\n",
        ALL_THREE.replace("0.L1", "0.L2") + "L1 > adopted b=0.L1 pvalues={}\n",
        "L1 > adopted",
        "nobody promised 0.L1",
    ),
    "a command that no client requested is decided": Case(
        "log C1,C2 complete\nlog R1 partial decision\n",
        "C1 > request c=C1:1\nR1 < decision s=1 c=C1:2\n",
        "R1 < decision",
        "no such request",
    ),
    "a command that no client requested is accepted": Case(
        "log C1,C2 partial request\nlog A1 partial p1b\n",
        "C1 > request c=C1:1\nA1 > p1b b=0.L1 accepted={0.L1/1/C1:1,0.L1/2/C2:1} to=0.L1\n",
        "A1 > p1b",
        "C2 to have requested C2:1",
    ),
    "a command that no client requested is proposed": Case(
        "log C1,C2 complete\nlog R1 partial propose\n", "C1 > request c=C1:1\nR1 > propose s=1 c=C1:3\n", "R1 > propose", "no such request"
    ),
    "one number with two operations, sent": Case(
        "log C1 complete\n", "C1 > request c=C1:1:put\nC1 > request c=C1:1:del\n", "C1 > request c=C1:1:del", "stands for two operations"
    ),
    "one number with two operations, received": Case(
        "log R1 partial request\n", "R1 < request c=C1:1:put\nR1 < request c=C1:1:get\n", "R1 < request c=C1:1:get", "two operations"
    ),
    "one number with and without an operation": Case(
        "log R1 complete\n",
        "R1 < request c=C1:1\nR1 > propose s=1 c=C1:1\nR1 < request c=C1:1:put\n",
        "R1 < request c=C1:1:put",
        "two operations",
    ),
    "one number with two operations in whole logs": Case(
        "log R1,C1,C2 complete\n",
        "C1 > request c=C1:1:put\nC1 > request c=C1:1:del\nR1 < request c=C1:1:put\nR1 > propose s=1 c=C1:1:put\nR1 < request c=C1:1:del\n"
        "R1 > propose s=2 c=C1:1:del\nR1 < decision s=1 c=C1:1:put\nR1 > response cid=1 result=ok to=C1\n"
        "R1 < decision s=2 c=C1:1:del\nR1 > response cid=1 result=ok to=C1\n",
        "C1 > request c=C1:1:del",
        "two operations",
    ),
}


def judged(folder: Path, logs: str, events: str) -> TraceVerdict:
    file = folder / "t.pmmc"
    config = "config replicas=R1 leaders=L1,L2 acceptors=A1,A2,A3 clients=C1,C2 window=5"
    file.write_text(f"pmmc-trace 1\n{config}\n{logs}{events}")
    return judge(Source(file))


@pytest.mark.parametrize("name", CASES)
def test_what_has_no_ground_is_cited(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    verdict = judged(tmp_path, case.logs, case.events)
    assert verdict.verdict == REJECTED
    assert verdict.states == 0, "no search"
    assert verdict.failure is not None
    assert verdict.failure.at.text.startswith(case.cited)
    assert case.said in "\n".join(explanation(verdict))
    assert "R3" not in [each.invariant for each in verdict.violations]


@pytest.mark.parametrize(
    ("logs", "events"),
    [
        (ACCEPTORS + "log R1 partial decision\n", ALL_THREE + votes("A1", "A3") + "R1 < decision s=1 c=C1:1\n"),
        ("log A1,A3 complete\nlog R1 partial decision\n", promises("A1", "A3") + votes("A1") + "R1 < decision s=1 c=C1:1\n"),
        (
            "log A1,A2,A3 partial p1b\nlog R1 partial decision\n",
            "A1 > p1b b=0.L1 accepted={} to=0.L1\nA2 > p1b b=0.L1 accepted={} to=0.L1\nR1 < decision s=1 c=C1:1\n",
        ),
        ("log C1 complete\nlog R1 partial decision\n", "C1 > request c=C1:1\nR1 < decision s=1 c=C2:2\n"),
        ("log C1,C2 complete\nlog R1 partial decision\n", "R1 < decision s=1 c=C1:1\nC1 > request c=C1:1\n"),
        ("log R1 partial request\n", "R1 < request c=C1:1:put\nR1 < request c=C1:2:put\nR1 < request c=C2:1:del\n"),
    ],
)
def test_nothing_is_concluded_from_logs_with_gaps(tmp_path: Path, logs: str, events: str) -> None:
    assert judged(tmp_path, logs, events).verdict == ACCEPTED


CONFLICTS = {
    "C2": (
        "log L1,L2 partial p2a\nlog A1,A2 partial p2b\n",
        "L1 > p2a b=0.L1 s=1 c=C1:1\nA1 > p2b b=0.L1 to=0.L1/1\nA2 > p2b b=0.L1 to=0.L1/1\n"
        + "".join(f"L1 > p2a b={n}.L1 s=1 c=C1:1\n" for n in range(1, 30))
        + "L2 > p2a b=30.L2 s=1 c=C2:1\n",
        ["L2 > p2a b=30.L2", "A1 > p2b", "A2 > p2b"],
    ),
    "A5": (
        "log A1,A2,A3 partial p1b\n",
        "A3 > p1b b=9.L2 accepted={5.L2/1/C2:2} to=9.L2\n"
        + "".join(f"A{n} > p1b b=8.L1 accepted={{{','.join(f'{r}.L1/1/C1:1' for r in range(2, 9))}}} to=8.L1\n" for n in (1, 2)),
        ["A3 > p1b", "A1 > p1b", "A2 > p1b"],
    ),
    "A4": (
        "log A1,A2,A3 partial p1b\n",
        "A1 > p1b b=0.L1 accepted={0.L1/1/C1:1} to=0.L1\nA2 > p1b b=0.L1 accepted={0.L1/1/C1:1} to=0.L1\n"
        "A3 > p1b b=0.L1 accepted={0.L1/1/C1:2} to=0.L1\n",
        ["A1 > p1b", "A3 > p1b"],
    ),
    "Agreement": (
        "log R1 partial decision\nlog L1,L2 partial decision\n",
        "L1 > decision s=1 c=C1:1 from=0.L1/1\nR1 < decision s=1 c=C1:1\nL2 > decision s=1 c=C1:2 from=3.L2/1\n",
        ["L1 > decision", "L2 > decision"],
    ),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_the_conflicting_pair_is_named_and_the_quorum(tmp_path: Path, name: str) -> None:
    logs, events, cited = CONFLICTS[name]
    verdict = judged(tmp_path, logs, events)
    broken = {each.invariant: each for each in verdict.violations}
    texts = [place.text for place in broken[name].places]
    assert [text.startswith(begins) for text, begins in zip(texts, cited, strict=True)] == [True] * len(cited), texts
    lines = list(explanation(verdict))
    assert len(lines) <= LINES_MAX
    assert all(any(text[:60] in line for line in lines) for text in texts)


def test_an_explanation_of_a_mismatch_leaves_room_for_the_pair(tmp_path: Path) -> None:
    """A replay that gets stuck has much to say; what breaks an invariant is said all the same."""
    logs = "log A1 complete\nlog L1,L2 partial p2a\n"
    config = f"config replicas=R1 leaders=L1,L2 acceptors=A1 clients=C1,C2 window=50 network=duplicating\n{logs}"
    accepted = promises("A1") + "".join(votes("A1", slot=s, command=f"C1:{s}") for s in range(1, 20))
    asked = "".join(f"L1 > p2a b=0.L1 s={s} c=C1:{s}\n" for s in range(1, 20))
    file = tmp_path / "t.pmmc"
    wrong = "L2 > p2a b=1.L2 s=1 c=C2:1\nA1 < p2a b=1.L2 s=1 c=C2:1\nA1 > p2b b=1.L2 to=1.L2/1\n"
    file.write_text(f"pmmc-trace 1\n{config}{asked}{accepted}{wrong}")
    verdict = judge(Source(file))
    assert verdict.failure is not None
    lines = list(explanation(verdict))
    assert len(lines) <= LINES_MAX
    assert any("C2 is broken" in line for line in lines)
    assert any("L2 > p2a b=1.L2 s=1 c=C2:1" in line for line in lines)
