"""What logs that stand still wait for: who will send it, and the shortest cycle."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pmmc_check.protocol.messages import P1a
from pmmc_check.protocol.values import ACCEPTOR, Ballot, ProcessId
from pmmc_check.trace.events import RECEIVE, SEND, Event
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import judge
from pmmc_check.validation.replay.deadlock import Wait, cycle
from pmmc_check.validation.verdict import Failure
from pmmc_check.verdicts import REJECTED


def wait(log: str, ender: str | None) -> Wait:
    line = int(log.strip("L"))
    event = Event(log, ProcessId(ACCEPTOR, line), RECEIVE, P1a(Ballot(0, 1)), None, "run", line)
    return Wait(event, True, ender, event._replace(action=SEND, log=ender) if ender else None)


@pytest.mark.parametrize(
    ("enders", "expected"),
    [
        ({1: 1}, [1]),
        ({1: 2, 2: 3, 3: 2}, [2, 3]),
        ({4: 2, 2: 3, 3: 4, 9: 8, 8: 9}, [8, 9]),
        ({5: 3, 3: 5, 1: 5, 2: 1}, [3, 5]),
        ({1: 2, 2: 3}, []),
    ],
)
def test_the_shortest_cycle_is_found_and_begins_with_its_first_event(enders: dict[int, int], expected: list[int]) -> None:
    found = cycle(wait(f"L{log}", f"L{ender}") for log, ender in enders.items())
    assert [each.event.line for each in found] == expected


def test_a_cycle_is_closed_in_random_graphs() -> None:
    rng = random.Random(1)
    for size in range(1, 60):
        waiting = [wait(f"L{log}", f"L{rng.randrange(size)}") for log in range(size)]
        found = cycle(waiting)
        assert found
        following = [*found[1:], found[0]]
        assert all(each.ender == after.event.log for each, after in zip(found, following, strict=True))


HEADER = "pmmc-trace 1\nconfig replicas=R1 leaders=L1 acceptors=A1 window=2 network=reliable\nlog L1,A1,R1 complete\n"
CIRCLE = """\
R1 < request c=C1:1
R1 > propose s=1 c=C1:1
L1 > p1a b=0.L1
L1 < propose s=1 c=C1:1 from=R1
L1 < p1b a=A1 b=0.L1 accepted={received} to=0.L1
L1 > adopted b=0.L1 pvalues={{}}
L1 < adopted b=0.L1 pvalues={{}}
L1 > p2a b=0.L1 s=1 c=C1:1
A1 < p2a b=0.L1 s=1 c=C1:1
A1 > p2b b=- to=0.L1/1
A1 < p1a b=0.L1
A1 > p1b b=0.L1 accepted={sent} to=0.L1
"""


def failure(tmp_path: Path, events: str, header: str = HEADER) -> Failure:
    path = tmp_path / "run.pmmc"
    path.write_text(header + events)
    verdict = judge(Source(path))
    assert verdict.verdict == REJECTED
    assert verdict.failure is not None
    return verdict.failure


@pytest.mark.parametrize(("sent", "received"), [("{}", "{}"), ("+{}", "{}"), ("{}", "+{}"), ("+{}", "+{}")])
def test_a_p1b_is_found_whether_its_set_is_shown_whole_or_as_what_was_added(tmp_path: Path, sent: str, received: str) -> None:
    found = failure(tmp_path, CIRCLE.format(sent=sent, received=received))
    assert [line.split(": ")[1].split(" ")[0] for line in found.cycle] == ["L1", "A1"]


def test_what_is_never_sent_comes_before_a_cycle(tmp_path: Path) -> None:
    found = failure(tmp_path, CIRCLE.format(sent="{}", received="{}") + "R1 < decision s=2 c=C1:1\n")
    assert found.at.text == "R1 < decision s=2 c=C1:1"
    assert not found.cycle


def test_another_senders_copy_does_not_end_a_wait(tmp_path: Path) -> None:
    header = HEADER.replace("R1 leaders=L1", "R1,R2 leaders=L1").replace("L1,A1,R1 complete", "L1,R1,R2 complete")
    events = "L1 < propose s=1 c=C1:1 from=R1\nL1 > p1a b=0.L1\nR2 < decision s=9 c=C1:9\nR2 < request c=C1:1\nR2 > propose s=1 c=C1:1\n"
    found = failure(tmp_path, events, header)
    assert found.rule == "no message is received that was not sent"
    assert found.at.text.startswith(("L1 < propose", "R2 < decision"))
