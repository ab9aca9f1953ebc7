"""Harmless habits that the header states are read as legal runs; without the setting they are none, and faults stay faults."""

from __future__ import annotations

import random
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from pmmc_check.api.validating import validate
from pmmc_check.protocol import variant
from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Outcome, Outcomes, Send
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.trace.convert import converted
from pmmc_check.trace.events import ALL, NOTHING
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source
from pmmc_check.validation.habits import as_legal_runs, may_propose_later
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, REJECTED
from tests.validation.runs import Run, plan, run

BOTH = ["state-reduction", "raise-on-accept"]


class Case(NamedTuple):
    """Events of R1, and of L1 or A1 where they matter: legal with the setting, and not without it."""

    setting: str
    logs: str
    events: str


def asked(*numbers: int) -> str:
    return "".join(f"R1 < request c=C1:{number}\n" for number in numbers)


def proposed(slot: int, number: int) -> str:
    return f"R1 > propose s={slot} c=C1:{number}\n"


def decided(*slots: int) -> str:
    return "".join(f"R1 < decision s={slot} c=C1:{slot}\n" for slot in slots)


def answered(*numbers: int) -> str:
    return "".join(f"R1 > response cid={number} result=ok to=C1\n" for number in numbers)


TWO = asked(1) + proposed(1, 1) + asked(2) + proposed(2, 2)
SCOUT = "L1 > p1a b=0.L1\n"
PROMISED = SCOUT + "A1 < p1a b=0.L1\nA1 > p1b b=0.L1 accepted={} to=0.L1\n"
ADOPTED = "L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1\nL1 > adopted b=0.L1 pvalues={}\nL1 < adopted b=0.L1 pvalues={}\n"
COMMANDER = "L1 < propose s=1 c=C1:1 from=R1\nL1 > p2a b=0.L1 s=1 c=C1:1\n"
CASES = {
    "two requests before any is proposed": Case("proposals=lazy", "R1", asked(1, 2) + proposed(1, 1) + proposed(2, 2)),
    "in another order": Case("proposals=lazy", "R1", asked(1, 2, 3) + proposed(1, 3) + proposed(2, 1) + proposed(3, 2)),
    "across a decision": Case("proposals=lazy", "R1", asked(1, 2) + proposed(1, 1) + decided(1) + answered(1) + proposed(2, 2)),
    "requests that are never proposed": Case("proposals=lazy", "R1", asked(1, 2, 3) + proposed(1, 2) + "R1 end\n"),
    "each to one leader after the other": Case(
        "proposals=lazy", "R1", asked(1, 2) + "R1 > propose s=1 c=C1:1 to=L1\nR1 > propose s=1 c=C1:1 to=L2\n" + proposed(2, 2)
    ),
    "a copy that waits is proposed as well": Case(
        "requests=list window=1",
        "R1",
        asked(1)
        + proposed(1, 1)
        + asked(2, 2)
        + decided(1)
        + answered(1)
        + proposed(2, 2)
        + "R1 < decision s=2 c=C1:2\n"
        + answered(2)
        + proposed(3, 2),
    ),
    "two copies": Case(
        "requests=list window=1",
        "R1",
        asked(1)
        + proposed(1, 1)
        + asked(2, 2, 2)
        + decided(1)
        + answered(1)
        + proposed(2, 2)
        + decided(2)
        + answered(2)
        + proposed(3, 2)
        + "R1 < decision s=3 c=C1:2\n"
        + proposed(4, 2),
    ),
    "lazy copies": Case("requests=list proposals=lazy", "R1", asked(1, 1) + proposed(1, 1) + proposed(2, 1)),
    "a batch in order": Case("decisions=batched", "R1", TWO + decided(1, 2) + answered(1, 2)),
    "a batch with a decision that is known": Case("decisions=batched", "R1", TWO + decided(1) + answered(1) + decided(2, 1) + answered(2)),
    "a batch with the known one in the middle": Case(
        "decisions=batched", "R1", TWO + asked(3) + proposed(3, 3) + decided(1) + answered(1) + decided(2, 1, 3) + answered(2, 3)
    ),
    "a batch whose last event has the state": Case(
        "decisions=batched", "R1", TWO + decided(1) + "R1 < decision s=2 c=C1:2 | slot_out=3\n" + answered(1, 2)
    ),
    "a p1b with a higher ballot is ignored": Case(
        "answers=ignored",
        "L1",
        SCOUT + "L1 < p1b a=A2 b=0.L2 accepted={} to=0.L1\n" + "L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1\nL1 < p1b a=A3 b=0.L1"
        " accepted={} to=0.L1\nL1 > adopted b=0.L1 pvalues={}\n",
    ),
    "a p2b with a higher ballot is ignored": Case(
        "answers=ignored acceptors=A1",
        "L1,A1",
        PROMISED
        + ADOPTED
        + COMMANDER
        + "A1 < p2a b=0.L1 s=1 c=C1:1\nA1 > p2b b=0.L1 to=0.L1/1\nA1 < p1a b=0.L2\nA1 > p1b b=0.L2 accepted={0.L1/1/C1:1} to=0.L2\n"
        "A1 < p2a b=0.L1 s=1 c=C1:1\nA1 > p2b b=0.L2 to=0.L1/1\nL1 < p2b a=A1 b=0.L2 to=0.L1/1\n"
        "L1 < p2b a=A1 b=0.L1 to=0.L1/1\nL1 > decision s=1 c=C1:1 from=0.L1/1\n",
    ),
    "a p2b with a lower ballot is ignored": Case(
        "answers=ignored acceptors=A1",
        "L1",
        SCOUT + ADOPTED + COMMANDER + "L1 < p2b a=A1 b=- to=0.L1/1\nL1 < p2b a=A1 b=0.L1 to=0.L1/1\nL1 > decision s=1 c=C1:1 from=0.L1/1\n",
    ),
    "p1a again": Case("sends=repeated", "L1", SCOUT + SCOUT + "L1 > p1a b=0.L1 to=A2\n"),
    "p2a again": Case(
        "sends=repeated acceptors=A1", "L1", SCOUT + ADOPTED + COMMANDER + "L1 > p2a b=0.L1 s=1 c=C1:1 to=A1\nL1 > p2a b=0.L1 s=1 c=C1:1\n"
    ),
    "a decision again": Case(
        "sends=repeated acceptors=A1",
        "L1",
        SCOUT + ADOPTED + COMMANDER + "L1 < p2b a=A1 b=0.L1 to=0.L1/1\n" + "L1 > decision s=1 c=C1:1 from=0.L1/1\n" * 3,
    ),
    "a proposal again": Case("sends=repeated", "R1", TWO + proposed(1, 1) + "R1 > propose s=2 c=C1:2 to=L2\n"),
}

LOST = asked(1, 2) + proposed(1, 1) + "R1 < decision s=1 c=C2:9\n" + "R1 > response cid=9 result=ok to=C2\n"
AGAIN = {
    "at once": LOST + proposed(2, 1) + proposed(3, 2),
    "after another request": LOST + proposed(2, 2) + proposed(3, 1),
    "after a request that came later": LOST + asked(3) + proposed(2, 3) + proposed(3, 1),
    "after other decisions": LOST
    + proposed(2, 2)
    + decided(2)
    + answered(2)
    + "R1 < decision s=3 c=C2:10\nR1 > response cid=10 result=ok to=C2\n"
    + proposed(4, 1),
    "never": LOST + proposed(2, 2) + "R1 end\n",
    "lost twice": LOST
    + proposed(2, 1)
    + "R1 < decision s=2 c=C2:10\nR1 > response cid=10 result=ok to=C2\n"
    + asked(3)
    + proposed(3, 3)
    + proposed(4, 1),
}
"""R1's command C1:1 has lost slot 1: a replica that proposes late may propose it again at any time."""
NEVER_AGAIN = {
    "a command that has lost nothing": LOST + proposed(2, 1) + proposed(3, 1),
    "for a slot that is not next": LOST + proposed(3, 1),
    "for a slot that is decided": LOST + "R1 < decision s=2 c=C2:10\nR1 > response cid=10 result=ok to=C2\n" + proposed(2, 1),
    "a command that nobody requested": LOST + proposed(2, 7),
    "the window is full": LOST + asked(*range(3, 12)) + "".join(proposed(slot, slot) for slot in range(2, 12)),
}

FAULTS = {
    "a request that nobody took is proposed": Case("proposals=lazy", "R1", asked(1, 2) + proposed(1, 3)),
    "a slot is left out": Case("proposals=lazy", "R1", asked(1, 2) + proposed(2, 1)),
    "one request is proposed twice": Case("proposals=lazy", "R1", asked(1) + proposed(1, 1) + proposed(2, 1)),
    "more often than it was asked for": Case("requests=list", "R1", asked(1, 1) + proposed(1, 1) + proposed(2, 1) + proposed(3, 1)),
    "performed before it is decided": Case("decisions=batched", "R1", TWO + decided(2) + answered(2) + decided(1) + answered(1)),
    "a decision with an answer that was ignored": Case(
        "answers=ignored acceptors=A1",
        "L1",
        SCOUT + ADOPTED + COMMANDER + "L1 < p2b a=A1 b=0.L2 to=0.L1/1\nL1 > decision s=1 c=C1:1 from=0.L1/1\n",
    ),
    "another command is sent again": Case(
        "sends=repeated acceptors=A1", "L1", SCOUT + ADOPTED + COMMANDER + "L1 < propose s=1 c=C1:2 from=R1\nL1 > p2a b=0.L1 s=1 c=C1:2\n"
    ),
    "a proposal with another command is sent again": Case("sends=repeated", "R1", TWO + proposed(1, 2)),
}


def replayed(file: Path) -> Replay:
    """The replay of all logs. Raises `Rejected`."""
    trace = open_trace(file)
    replay = Replay(trace.header, trace.names)
    replay.run(as_legal_runs(trace.events(), trace.header, late=True))
    return replay


def judged(folder: Path, case: Case, with_setting: bool = True, options: JudgeOptions | None = None) -> TraceVerdict:
    settings = {"acceptors": "A1,A2,A3", "window": "9"}
    given = dict(each.split("=") for each in case.setting.split())
    habits = ("proposals", "requests", "decisions", "answers", "sends")
    settings |= {key: value for key, value in given.items() if with_setting or key not in habits}
    file = folder / "t.pmmc"
    config = " ".join(f"{key}={value}" for key, value in settings.items())
    file.write_text(f"pmmc-trace 1\nconfig replicas=R1 leaders=L1,L2 {config}\nlog {case.logs} complete\n{case.events}")
    return judge(Source(file), options)


@pytest.mark.parametrize("name", CASES)
def test_a_habit_is_legal_where_the_header_states_it(tmp_path: Path, name: str) -> None:
    verdict = judged(tmp_path, CASES[name])
    assert verdict.verdict == ACCEPTED, verdict
    assert judged(tmp_path, CASES[name], with_setting=False).verdict == REJECTED


@pytest.mark.parametrize(
    "name",
    [
        "two requests before any is proposed",
        "in another order",
        "across a decision",
        "a batch in order",
        "a batch with a decision that is known",
        "a batch with the known one in the middle",
    ],
)
def test_without_the_setting_the_explanation_names_it(tmp_path: Path, name: str) -> None:
    failure = judged(tmp_path, CASES[name], with_setting=False).failure
    assert failure is not None
    assert f"say so by {CASES[name].setting} in the config line" in failure.observed


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_no_habit(tmp_path: Path, name: str) -> None:
    assert judged(tmp_path, FAULTS[name]).verdict == REJECTED


@pytest.mark.parametrize(
    "name", ["two requests before any is proposed", "two copies", "a batch in order", "p1a again", "a p2b with a lower ballot is ignored"]
)
def test_both_formats_know_them(tmp_path: Path, name: str) -> None:
    judged(tmp_path, CASES[name])
    (tmp_path / "t.jsonl").write_text("\n".join(converted(open_trace(tmp_path / "t.pmmc"), "jsonl")))
    assert open_trace(tmp_path / "t.jsonl").header == open_trace(tmp_path / "t.pmmc").header
    assert judge(Source(tmp_path / "t.jsonl")).verdict == ACCEPTED


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("proposals=lazy network=fifo", "proposals=lazy means that messages are received later, which network=fifo does not allow"),
        ("answers=ignored network=fifo", "answers=ignored means"),
        ("sends=repeated network=lossy", "add duplicating to network="),
    ],
)
def test_a_habit_needs_a_network_on_which_it_is_legal(tmp_path: Path, setting: str, problem: str) -> None:
    verdict = judged(tmp_path, Case(setting, "R1", asked(1)))
    assert verdict.verdict == BAD_INPUT
    assert problem in str(verdict.reason)


@pytest.mark.parametrize("seed", range(2, 40, 7))
def test_legal_runs_stay_legal_with_every_habit(seed: int) -> None:
    """A process may have a habit and not show it."""
    whole = run(plan(seed, 120, crash_rate=0.0), lambda name: NOTHING if name[0] == "C" else ALL)
    header = replace(whole.header, network=frozenset({"duplicating"}))
    for setting in ({"proposals": "lazy"}, {"requests": "list"}, {"decisions": "batched"}, {"answers": "ignored"}, {"sends": "repeated"}):
        assert Run(replace(header, **setting), whole.lines).judged().verdict == ACCEPTED, setting


@pytest.mark.parametrize("seed", range(2, 40, 7))
def test_requests_may_be_taken_at_any_time_before_they_are_proposed(seed: int) -> None:
    rng = random.Random(seed)
    whole = run(plan(seed, 120, crash_rate=0.0, post_rate=0.0), lambda name: NOTHING if name[0] == "C" else ALL)
    lines = list(whole.lines)
    for _ in range(10):
        requests = [index for index, line in enumerate(lines) if " < request " in line and index]
        if requests:
            line = lines.pop(index := rng.choice(requests))
            lines.insert(rng.randrange(index), line)
    header = replace(whole.header, network=frozenset({"duplicating"}), proposals="lazy")
    assert Run(header, lines).judged().verdict == ACCEPTED


def test_numbers_are_results(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    header = '{"pmmc-trace":1,"replicas":["R1"],"leaders":["L1"],"acceptors":["A1"],"window":1,"logs":{"R1":["response"]}}'
    for result in ("5", "-3.5", "1e30", '"5"'):
        file.write_text(f'{header}\n{{"at":"R1","do":"send","msg":"response","cid":1,"result":{result},"to":"C1"}}\n')
        assert judge(Source(file)).verdict == ACCEPTED
    event = next(next(open_trace(file).events()))
    assert getattr(event.message, "result", None) == "5"


def test_state_reduction_and_raise_on_accept_combine(tmp_path: Path) -> None:
    """The code of the paper's authors does both."""
    both = protocol_with(BOTH)
    told = 0
    for seed in range(20, 30):
        walked = run(plan(seed, 150, protocol=both, crash_rate=0.0, reconfiguration_rate=0.0))
        (file := tmp_path / "t.pmmc").write_text(walked.text())
        assert validate(file, variants=BOTH).accepted
        told += sum(not validate(file, variants=[each]).accepted for each in BOTH)
    assert told, "in some run both make a difference"


@pytest.mark.parametrize("name", AGAIN)
def test_a_command_that_lost_its_slot_is_proposed_again_at_any_time(tmp_path: Path, name: str) -> None:
    """With R1's log alone the replay proves nothing; that whole runs are accepted is shown below."""
    judged(tmp_path, Case("proposals=lazy", "R1", AGAIN[name]), options=JudgeOptions(SearchBudget(50, 1)))
    replay = replayed(tmp_path / "t.pmmc")
    assert (replay.blocked, replay.guessed) == ([], "")


@pytest.mark.parametrize("name", NEVER_AGAIN)
def test_after_a_lost_slot_faults_are_rejected_at_their_line(tmp_path: Path, name: str) -> None:
    verdict = judged(tmp_path, Case("proposals=lazy", "R1", NEVER_AGAIN[name]))
    assert verdict.verdict == REJECTED, verdict.reason
    assert verdict.failure is not None
    assert verdict.failure.at.line == 3 + len(NEVER_AGAIN[name].splitlines()), verdict.failure


@pytest.mark.parametrize(
    ("more", "fits"), [(proposed(2, 1) + proposed(3, 1), True), (proposed(2, 1) + proposed(3, 1) + proposed(4, 1), False)]
)
def test_copies_that_wait_are_told_from_one_that_has_lost_its_slot(tmp_path: Path, more: str, fits: bool) -> None:
    """C1:1 was asked for twice; with the copy that has lost its slot two wait."""
    lost = asked(1) + proposed(1, 1) + asked(1) + "R1 < decision s=1 c=C2:9\nR1 > response cid=9 result=ok to=C2\n"
    judged(tmp_path, Case("requests=list proposals=lazy", "R1", lost + more), options=JudgeOptions(SearchBudget(50, 1)))
    with nullcontext() if fits else pytest.raises(Rejected):
        replayed(tmp_path / "t.pmmc")


class LateReplica(Replica):
    """Proposes as many of the requests as it likes, in any step, and the others some time later."""

    def propose(self, state: ReplicaState, sends: tuple[Send, ...] = ()) -> Outcomes:
        yield Outcome(state, sends)
        yield from super().propose(state, sends)


def late_run(seed: int, **changes: object) -> Run:
    whole = run(plan(seed, 150, protocol=variant(LateReplica), **changes), lambda name: NOTHING if name[0] == "C" else ALL)
    return Run(replace(whole.header, network=frozenset({"duplicating"}), proposals="lazy"), whole.lines)


def loses_slots(late: Run) -> bool:
    return may_propose_later(iter([iter(late.read()[1])]), late.header)


def test_runs_of_replicas_that_propose_late_are_accepted_whole_and_rejected_when_changed() -> None:
    """Whole logs are judged without a search: with lost slots, crashes and reconfigurations."""
    rng, lost, rejected = random.Random(7), 0, 0
    for seed in range(60):
        late = late_run(seed)
        verdict = late.judged()
        assert (verdict.verdict, verdict.method) == (ACCEPTED, "replay"), (seed, verdict)
        if loses_slots(late):
            lost += 1
            proposals = [index for index, line in enumerate(late.lines) if "> propose" in line]
            del late.lines[rng.choice(proposals)]
            rejected += late.judged().verdict == REJECTED
    assert lost > 10
    assert rejected > lost / 2
