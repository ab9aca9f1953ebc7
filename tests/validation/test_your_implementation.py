"""The table of docs/your-implementation.md, row by row: as an implementation logs it, and as a converter should write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers import ROOT

from pmmc_check.cli.main import main

HEADER = "pmmc-trace 1\nconfig replicas=R1 leaders=L1,L2 acceptors=A1,A2,A3 window=2\n"
PROMISED = "A1 < p1a b=0.L1\nA1 > p1b b=0.L1 accepted={} to=0.L1\n"
ADOPTED = """\
L1 > p1a b=0.L1
L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1
L1 < p1b a=A2 b=0.L1 accepted={} to=0.L1
L1 > adopted b=0.L1 pvalues={}
L1 < adopted b=0.L1 pvalues={}
"""
COMMANDER = ADOPTED + "L1 < propose s=1 c=C1:1 from=R1\nL1 > p2a b=0.L1 s=1 c=C1:1\n"
VOTES = "L1 < p2b a=A2 b=0.L1 to=0.L1/1\nL1 < p2b a=A3 b=0.L1 to=0.L1/1\n"
DECISION = "L1 > decision s=1 c=C1:1 from=0.L1/1\n"
PROPOSED = "R1 < request c=C1:1\nR1 > propose s=1 c=C1:1\n"
WINDOW_FULL = PROPOSED + "R1 < request c=C1:2\nR1 > propose s=2 c=C1:2\nR1 < request c=C1:3\nR1 < request c=C1:4\n"
BOTH_DECIDED = "R1 < decision s={} c=C1:{}\nR1 < decision s={} c=C1:{}\n"
AFTER_BOTH = """\
R1 > response cid=1 result=a to=C1
R1 > response cid=2 result=b to=C1
R1 > propose s=3 c=C1:3
R1 > propose s=4 c=C1:4
"""


class Row(NamedTuple):
    """One row: the contract, the events that are rejected with what is said, and how they are accepted."""

    contract: str
    logged: str
    said: str
    converted: str


def nacked(ballot: str) -> str:
    return f"{COMMANDER}L1 < p2b a=A1 b={ballot} to=0.L1/1\n{VOTES}{DECISION}"


ROWS = {
    "an acceptor accepts a higher ballot and raises its own": Row(
        "A1 complete",
        PROMISED + "A1 < p2a b=0.L2 s=1 c=C1:1\nA1 > p2b b=0.L2 to=0.L2/1\n",
        "expected  p2b a=A1 b=0.L1 to 0.L2/1",
        PROMISED + "A1 < p1a b=0.L2\nA1 > p1b b=0.L2 accepted=? to=0.L2\nA1 < p2a b=0.L2 s=1 c=C1:1\nA1 > p2b b=0.L2 to=0.L2/1\n",
    ),
    "p1a is sent again": Row(
        "L1,A1 complete",
        "L1 > p1a b=0.L1\nL1 > p1a b=0.L1 to=A1\n" + PROMISED + PROMISED,
        "expected  no send: 0.L1 must receive a message first",
        "L1 > p1a b=0.L1\n" + PROMISED + PROMISED,
    ),
    "p2a is sent again": Row("L1 complete", COMMANDER + "L1 > p2a b=0.L1 s=1 c=C1:1\n", "expected  no send: 0.L1/1 must", COMMANDER),
    "propose is sent again": Row("R1 complete", PROPOSED + "R1 > propose s=1 c=C1:1\n", "expected  no send: R1 must", PROPOSED),
    "decision is sent again": Row(
        "L1 complete", COMMANDER + VOTES + DECISION + DECISION, "an exited process sends nothing", COMMANDER + VOTES + DECISION
    ),
    "p2a goes to a majority only": Row(
        "L1 complete",
        COMMANDER.replace("p2a b=0.L1 s=1 c=C1:1", "p2a b=0.L1 s=1 c=C1:1 to=A2,A3") + VOTES + DECISION,
        "expected  0.L1/1 to send p2a b=0.L1 s=1 c=C1:1 to A1",
        COMMANDER + VOTES + DECISION,
    ),
    "a lower p2b is ignored": Row(
        "L1 complete",
        nacked("-"),
        "expected  0.L1/1 to send preempted b=- to L1",
        COMMANDER + VOTES + DECISION,
    ),
    "a commander goes on after another ballot": Row(
        "L1 complete",
        nacked("0.L2"),
        "expected  0.L1/1 to send preempted b=0.L2 to L1",
        COMMANDER + VOTES + DECISION,
    ),
    "a decision is sent after more answers have come": Row(
        "L1 complete",
        COMMANDER + VOTES + "L1 < p2b a=A1 b=0.L1 to=0.L1/1\n" + DECISION,
        "expected  0.L1/1 to send decision s=1 c=C1:1 to R1",
        COMMANDER + VOTES + DECISION + "L1 < p2b a=A1 b=0.L1 to=0.L1/1\n",
    ),
    "one pvalue a slot": Row(
        "A1 complete",
        PROMISED
        + "A1 < p2a b=0.L1 s=1 c=C1:1\nA1 > p2b b=0.L1 to=0.L1/1\nA1 < p1a b=0.L2\nA1 > p1b b=0.L2 accepted={0.L1/1/C1:1} to=0.L2\n"
        + "A1 < p2a b=0.L2 s=1 c=C1:1\nA1 > p2b b=0.L2 to=0.L2/1\nA1 < p1a b=1.L1\nA1 > p1b b=1.L1 accepted={0.L2/1/C1:1} to=1.L1\n",
        "expected  p1b a=A1 b=1.L1 accepted={0.L1/1/C1:1,0.L2/1/C1:1} to 1.L1",
        PROMISED
        + "A1 < p2a b=0.L1 s=1 c=C1:1\nA1 > p2b b=0.L1 to=0.L1/1\nA1 < p1a b=0.L2\nA1 > p1b b=0.L2 accepted=+{0.L1/1/C1:1} to=0.L2\n"
        + "A1 < p2a b=0.L2 s=1 c=C1:1\nA1 > p2b b=0.L2 to=0.L2/1\nA1 < p1a b=1.L1\nA1 > p1b b=1.L1 accepted=+{0.L2/1/C1:1} to=1.L1\n",
    ),
    "a leader fills a hole with a no-op": Row(
        "L1 complete",
        ADOPTED + "L1 > p2a b=0.L1 s=1 c=NOOP:1\n",
        "expected  its leader to create 0.L1/1 first",
        ADOPTED + "L1 < propose s=1 c=NOOP:1 from=R1\nL1 > p2a b=0.L1 s=1 c=NOOP:1\n",
    ),
    "a leader takes a new ballot after a timeout": Row(
        "L1 complete",
        ADOPTED + "L1 > p1a b=1.L1\n",
        "expected  its leader to create 1.L1 first",
        ADOPTED + "L1 crash\nL1 restart\nL1 > p1a b=1.L1\n",
    ),
    "a replica ignores a repeated request": Row(
        "R1 complete",
        PROPOSED + "R1 < request c=C1:1\nR1 < request c=C1:2\nR1 > propose s=2 c=C1:2\n",
        "expected  R1 to send propose s=2 c=C1:1 to L1,L2",
        PROPOSED + "R1 < request c=C1:2\nR1 > propose s=2 c=C1:2\n",
    ),
    "an acceptor takes a batch": Row(
        "A1 complete",
        PROMISED + "A1 < p2a b=0.L1 s=5 c=C1:5\nA1 < p2a b=0.L1 s=6 c=C1:6\nA1 > p2b b=0.L1 to=0.L1/5\nA1 > p2b b=0.L1 to=0.L1/6\n",
        "expected  A1 to send p2b a=A1 b=0.L1 to 0.L1/5",
        PROMISED + "A1 < p2a b=0.L1 s=5 c=C1:5\nA1 > p2b b=0.L1 to=0.L1/5\nA1 < p2a b=0.L1 s=6 c=C1:6\nA1 > p2b b=0.L1 to=0.L1/6\n",
    ),
    "a replica takes a batch of decisions": Row(
        "R1 complete",
        WINDOW_FULL + BOTH_DECIDED.format(1, 1, 2, 2) + AFTER_BOTH,
        "expected  R1 to send response cid=1 result=? to C1, propose s=3 c=(C1:3 or C1:4) to L1,L2",
        WINDOW_FULL + BOTH_DECIDED.format(2, 2, 1, 1) + AFTER_BOTH,
    ),
}
Validated = Callable[..., tuple[int, str]]


@pytest.fixture
def validated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Validated:
    def validated(logs: str, events: str, header: str = HEADER) -> tuple[int, str]:
        path = tmp_path / "run.pmmc"
        path.write_text(header + "".join(f"log {contract}\n" for contract in logs.split("; ")) + events)
        code = main(["validate", str(path)])
        return code, "".join(capsys.readouterr())

    return validated


def test_the_page_has_every_row() -> None:
    page = (ROOT / "docs" / "your-implementation.md").read_text(encoding="utf-8")
    assert [name for name in ROWS if f"| {name} |" not in page] == []


@pytest.mark.parametrize("name", ROWS)
def test_it_is_rejected_as_logged_and_accepted_as_converted(validated: Validated, name: str) -> None:
    row = ROWS[name]
    code, text = validated(row.contract, row.logged)
    assert (code, row.said in text) == (1, True), text
    assert validated(row.contract, row.converted)[0] == 0


WHOLE = (
    PROPOSED
    + COMMANDER
    + "".join(f"{name} < p1a b=0.L1\n{name} > p1b b=0.L1 accepted={{}} to=0.L1\n" for name in ("A1", "A2", "A3"))
    + "".join(f"{name} < p2a b=0.L1 s=1 c=C1:1\n{name} > p2b b=0.L1 to=0.L1/1\n" for name in ("A2", "A3"))
    + VOTES
    + DECISION
    + "R1 < decision s=1 c=C1:1\nR1 > response cid=1 result=ok to=C1\n"
)


def test_a_catch_up_from_another_replica_is_the_commanders_decision_received_late(validated: Validated) -> None:
    decided = PROPOSED + COMMANDER + VOTES + DECISION
    learned = "R1 < decision s=1 c=C1:1\nR1 > response cid=1 result=ok to=C1\n"
    again = "R1 < decision s=1 c=C1:1\n"
    assert validated("L1,L2,R1 complete", decided + learned + again)[0] == 0
    assert validated("L1,L2,R1 complete", decided + learned.replace("c=C1:1", "c=C1:2") + again)[0] == 1


def test_a_no_op_in_complete_logs_of_replicas_is_a_request_with_an_answer(validated: Validated) -> None:
    replica = "R1 < request c=NOOP:1\nR1 > propose s=1 c=NOOP:1\nR1 < decision s=1 c=NOOP:1\n"
    leader = (COMMANDER + VOTES + DECISION).replace("C1:1", "NOOP:1")
    assert validated("L1,L2,R1 complete", leader + replica + "R1 > response cid=1 result=none to=NOOP\n")[0] == 0
    assert validated("L1,L2,R1 complete", leader + replica + "R1 end\n")[0] == 1


def test_after_a_timeout_a_leader_still_has_what_it_is_proposed_again(validated: Validated) -> None:
    again = "L1 crash\nL1 restart\nL1 > p1a b=1.L1\nL1 < propose s=1 c=C1:1 from=R1\n"
    promises = "".join(f"L1 < p1b a={name} b=1.L1 accepted={{}} to=1.L1\n" for name in ("A1", "A2"))
    adopted = "L1 > adopted b=1.L1 pvalues={}\nL1 < adopted b=1.L1 pvalues={}\nL1 > p2a b=1.L1 s=1 c=C1:1\n"
    assert validated("L1 complete", COMMANDER + again + promises + adopted)[0] == 0
    assert validated("L1 complete", COMMANDER + again.rpartition("L1 <")[0] + promises + adopted)[0] == 1


def test_logs_of_receives_only(validated: Validated) -> None:
    contract = "A1,A2,A3 partial p1a,p2a; L1,L2 partial propose,p1b,p2b; R1 partial request,decision"
    receives = "".join(f"{line}\n" for line in WHOLE.splitlines() if " < " in line and "adopted" not in line)
    assert validated(contract, receives)[0] == 0
    other = receives.replace("R1 < decision s=1 c=C1:1", "R1 < decision s=1 c=C1:2")
    assert validated(contract, other)[0] != 0


def test_a_leader_that_assigns_slots(validated: Validated) -> None:
    contract = "A1,A2,A3 complete; L1,L2 partial p1a,p1b,p2a,p2b; R1 partial decision"
    kinds = ("p1a", "p1b", "p2a", "p2b")
    shown = "".join(
        f"{line}\n"
        for line in WHOLE.splitlines()
        if line[0] == "A" or (line[0] == "L" and line.split()[2] in kinds) or line.startswith("R1 < decision")
    )
    assert validated(contract, shown)[0] == 0


@pytest.mark.parametrize("name", ["10.0.0.1:7000", "3f2a", "node.1"])
def test_names_that_the_format_does_not_have(validated: Validated, name: str) -> None:
    code, text = validated("A1 complete", PROMISED, HEADER.replace("R1", name))
    assert code == 2
    assert "run.pmmc:2:" in text


def test_a_line_that_was_cut_is_bad_input_until_it_is_removed(validated: Validated) -> None:
    assert validated("A1 complete", PROMISED + "A1 < p2a b=0.L")[0] == 2
    assert validated("A1 complete", PROMISED)[0] == 0
