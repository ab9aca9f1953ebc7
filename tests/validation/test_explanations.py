"""What a rejection says: the event, the rule, the nearest sends field by field, what was possible, and what led there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pmmc_check.report.trace_text import LINES_MAX, explanation
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.verdict import Failure, TraceVerdict
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, INCONCLUSIVE, REJECTED

HEADER = """\
pmmc-trace 1
config replicas=R1 leaders=L1 acceptors=A1 clients=C1 window=3 network=reliable
log R1,L1,A1,C1 complete
"""
GOOD = """\
L1 > p1a b=0.L1
A1 < p1a b=0.L1 | ballot=0.L1
A1 > p1b b=0.L1 accepted={} to=0.L1
L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1
L1 > adopted b=0.L1 pvalues={}
L1 < adopted b=0.L1 pvalues={} | active=yes
C1 > request c=C1:1
C1 > request c=C1:2
R1 < request c=C1:1
R1 > propose s=1 c=C1:1
R1 < request c=C1:2
R1 > propose s=2 c=C1:2
L1 < propose s=1 c=C1:1
L1 > p2a b=0.L1 s=1 c=C1:1
L1 < propose s=2 c=C1:2
L1 > p2a b=0.L1 s=2 c=C1:2
A1 < p2a b=0.L1 s=1 c=C1:1
A1 > p2b b=0.L1 to=0.L1/1
A1 < p2a b=0.L1 s=2 c=C1:2
A1 > p2b b=0.L1 to=0.L1/2
L1 < p2b a=A1 b=0.L1 to=0.L1/1
L1 > decision s=1 c=C1:1 from=0.L1/1
L1 < p2b a=A1 b=0.L1 to=0.L1/2
L1 > decision s=2 c=C1:2 from=0.L1/2
R1 < decision s=1 c=C1:1 | slot_out=2
R1 > response cid=1 result=a to=C1
R1 < decision s=2 c=C1:2 | slot_out=3
R1 > response cid=2 result=b to=C1
C1 < response cid=1 result=a
C1 < response cid=2 result=b
"""


Judged = Callable[..., TraceVerdict]


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    def judged(events: str, header: str = HEADER, options: JudgeOptions | None = None) -> TraceVerdict:
        path = tmp_path / "run.pmmc"
        path.write_text(header + events)
        return judge(Source(path), options)

    return judged


def changed(old: str, new: str) -> str:
    assert old + "\n" in GOOD
    return GOOD.replace(old + "\n", new + "\n" if new else "", 1)


def failure(verdict: TraceVerdict) -> Failure:
    assert verdict.verdict == REJECTED, verdict
    assert verdict.failure is not None
    return verdict.failure


def test_the_good_run_needs_no_explanation(judged: Judged) -> None:
    verdict = judged(GOOD)
    assert verdict.verdict == ACCEPTED
    assert not list(explanation(verdict))


class Case(NamedTuple):
    """A change of the good run, and what is said of it; `at` is the event that is cited, where it is not the changed one."""

    old: str
    new: str
    rule: str
    expected: str
    at: str = ""


ADOPTED, DECIDED = "L1 < adopted b=0.L1 pvalues={} | active=", "R1 < decision s=2 c=C1:2 | slot_out="
CASES = {
    "another command is received than was sent": Case(
        "A1 < p2a b=0.L1 s=2 c=C1:2", "A1 < p2a b=0.L1 s=2 c=C1:1", "not sent", "a send of p2a b=0.L1 s=2 c=C1:1"
    ),
    "a send is missing, and its receipt is not": Case(
        "A1 > p2b b=0.L1 to=0.L1/2", "", "not sent", "a send of p2b a=A1 b=0.L1 to 0.L1/2", "L1 < p2b a=A1 b=0.L1 to=0.L1/2"
    ),
    "a send is missing in the middle of a log": Case(
        "R1 > propose s=1 c=C1:1", "", "sends all that it must", "R1 to send propose s=1 c=", "R1 < request c=C1:2"
    ),
    "another slot is sent": Case("R1 > propose s=2 c=C1:2", "R1 > propose s=3 c=C1:2", "sends only what its last step", "propose s=2 c="),
    "a leader's state": Case(ADOPTED + "yes", ADOPTED + "no", "the recorded active", "active=yes"),
    "a replica's state": Case(DECIDED + "3", DECIDED + "2", "the recorded slot_out", "slot_out=3"),
    "a request twice": Case("C1 > request c=C1:2", "C1 > request c=C1:1", "each of its requests once", "requests of C1, each once"),
    "a commander of nobody": Case(ADOPTED + "yes", "", "created", "its leader to create 0.L1/1 first", "L1 > p2a b=0.L1 s=1 c=C1:1"),
    "a loss without loss": Case("C1 < response cid=1 result=a", "C1 drop response cid=1 result=a", "loses nothing", "no drop"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_explanation_names_event_rule_and_what_was_expected(judged: Judged, name: str) -> None:
    case = CASES[name]
    text = HEADER + changed(case.old, case.new)
    found = failure(judged(changed(case.old, case.new)))
    assert found.at.text == text.splitlines()[found.at.line - 1] == (case.at or case.new)
    assert case.rule in found.rule
    assert case.expected in found.expected


def test_the_nearest_sends_come_first_and_differ_in_named_fields(judged: Judged) -> None:
    found = failure(judged(changed("A1 < p2a b=0.L1 s=2 c=C1:2", "A1 < p2a b=0.L1 s=2 c=C1:1")))
    assert [line.split(" (")[0] for line in found.nearest] == ["p2a b=0.L1 s=1 c=C1:1", "p2a b=0.L1 s=2 c=C1:2"]
    assert found.nearest[0].endswith(": s=1 was sent, s=2 received")
    assert found.nearest[1].endswith(": c=C1:2 was sent, c=C1:1 received")
    assert all(re.search(r"run\.pmmc:\d+\)", line) for line in found.nearest)


def test_a_second_copy_is_said_to_be_one(judged: Judged) -> None:
    twice = "A1 < p2a b=0.L1 s=1 c=C1:1\nA1 > p2b b=0.L1 to=0.L1/1"
    found = failure(judged(GOOD.replace(twice, f"{twice}\n{twice}")))
    assert found.at.line == 4 + GOOD.splitlines().index("A1 > p2b b=0.L1 to=0.L1/1") + 1
    assert "it was received before and the network does not duplicate" in found.observed
    assert "the same message: already received" in found.nearest[0]


def test_what_was_possible_instead_is_to_receive_what_is_in_flight(judged: Judged) -> None:
    found = failure(judged(changed("R1 < decision s=2 c=C1:2 | slot_out=3", "R1 < decision s=3 c=C1:2")))
    assert [line.split(" (")[0] for line in found.enabled] == ["receive decision s=2 c=C1:2"]


def test_or_to_finish_the_step(judged: Judged) -> None:
    found = failure(judged(changed("A1 > p2b b=0.L1 to=0.L1/1", "")))
    assert found.enabled == ("send p2b a=A1 b=0.L1 to 0.L1/1",)


def test_what_led_there_is_the_causal_past_of_its_slot_in_order(judged: Judged) -> None:
    found = failure(judged(changed("R1 < decision s=2 c=C1:2 | slot_out=3", "R1 < decision s=2 c=C1:9")))
    texts = [place.text for place in found.past]
    assert [place.line for place in found.past] == sorted(place.line for place in found.past)
    assert all(place.line < found.at.line for place in found.past)
    assert "R1 > propose s=2 c=C1:2" in texts
    own_last_step = {"R1 < decision s=1 c=C1:1 | slot_out=2", "R1 > response cid=1 result=a to=C1"}
    assert not [text for text in texts if re.search(r"s=1\b|0\.L1/1\b", text) and text not in own_last_step]
    assert not [text for text in texts if "C1" in text.split(" ")[0]]


def test_a_cycle_of_receipts_before_sends_is_called_one(judged: Judged) -> None:
    events = "L1 > p1a b=0.L1\nC1 < response cid=1 result=a\nC1 > request c=C1:1\nR1 < request c=C1:1\nR1 > propose s=1 c=C1:1\n"
    found = failure(judged(events + "R1 < decision s=1 c=C1:1\nR1 > response cid=1 result=a to=C1\n"))
    assert found.rule in ("no message is received before it is sent", "no message is received that was not sent")


def test_an_explanation_is_short_and_can_be_had_whole(judged: Judged) -> None:
    verbose = GOOD.replace("c=C1:1\n", f'c=C1:1:"{"x" * 500}"\n')
    verdict = judged(verbose.replace("A1 < p2a b=0.L1 s=2 c=C1:2", "A1 < p2a b=0.L1 s=2 c=C1:3"))
    lines = list(explanation(verdict))
    assert len(lines) <= LINES_MAX
    assert max(map(len, lines)) < 300
    assert len(list(explanation(verdict, whole=True))) >= len(lines)


# ---- judge ----

PARTIAL = HEADER.replace("log R1,L1,A1,C1 complete", "log R1 partial response")
NO_RUN = "R1 > response cid=1 result=a to=C1\nR1 > response cid=1 result=a to=C1\n"


def test_what_cannot_be_read_is_a_verdict_too(judged: Judged) -> None:
    verdict = judged("A1 ? nothing\n")
    assert (verdict.verdict, verdict.failure) == (BAD_INPUT, None)
    assert "run.pmmc:4:4: unexpected '?'" in verdict.reason


@pytest.mark.parametrize("header", [HEADER, PARTIAL])
def test_a_header_alone_shows_nothing(judged: Judged, header: str) -> None:
    assert judged("", header).verdict == BAD_INPUT


def test_complete_logs_are_replayed_and_partial_ones_searched(judged: Judged) -> None:
    assert judged(GOOD).method == "replay"
    verdict = judged("R1 > response cid=1 result=a to=C1\n", PARTIAL)
    assert (verdict.verdict, verdict.method) == (ACCEPTED, "search")
    assert verdict.states > 0


def test_facts_decide_before_any_search(judged: Judged) -> None:
    verdict = judged(NO_RUN, PARTIAL)
    assert (verdict.verdict, verdict.method, verdict.states) == (REJECTED, "facts", 0)
    assert [each.invariant for each in verdict.violations] == ["R3"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (JudgeOptions(search_events_max=0), "the search takes at most 0 events (--search-events), and the trace has 1"),
        (JudgeOptions(SearchBudget(states_max=2)), "the search stopped after 2 states (--search-states)"),
    ],
)
def test_a_limit_makes_the_verdict_inconclusive_and_is_named(judged: Judged, options: JudgeOptions, reason: str) -> None:
    verdict = judged("R1 > response cid=1 result=a to=C1\n", PARTIAL, options)
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.reason.startswith(reason)
    assert any(reason in line for line in explanation(verdict))


def test_violations_are_reported_beside_the_failure(judged: Judged) -> None:
    verdict = judged(changed("R1 < decision s=2 c=C1:2 | slot_out=3", "R1 < decision s=2 c=C1:1"))
    assert verdict.failure is not None
    assert "Agreement" in [each.invariant for each in verdict.violations]
    assert verdict.events == len(GOOD.splitlines())
