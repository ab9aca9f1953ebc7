"""Logs that leave a little out, as real ones do: what replay makes of them without a search, and what it must not."""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with
from pmmc_check.trace.events import KINDS, Contract, partial
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.replay import inflight
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from tests.validation.runs import Run, plan, run

WITHOUT_CALLS = partial(frozenset(KINDS) - {"adopted", "preempted"})

HEADER = """pmmc-trace 1
config replicas=R1,R2 leaders=L1,L2 acceptors=A1 window=5 network=lossy,duplicating {settings}
log R1,R2,L1,L2,A1 {contract}
"""


def judged(tmp_path: Path, events: str, settings: str = "", contract: str = "complete") -> TraceVerdict:
    file = tmp_path / "t.pmmc"
    file.write_text(HEADER.format(settings=settings, contract=contract) + events)
    return judge(Source(file))


def without_calls(name: str) -> Contract:
    return WITHOUT_CALLS if name.startswith("L") else partial(frozenset(KINDS))


@pytest.mark.parametrize("seed", range(40))
def test_logs_without_function_calls_are_accepted_mostly_without_search(seed: int) -> None:
    thin = run(plan(seed, 80, crash_rate=0), without_calls)
    names, events = thin.read()
    replay = Replay(thin.header, names)
    try:
        replay.run([iter(events)])
        assert replay.exact
    except Rejected:
        assert replay.guessed, "only a guess may be wrong"
    assert thin.judged().verdict != REJECTED


def test_most_of_them_need_no_search() -> None:
    exact = 0
    for seed in range(60):
        thin = run(plan(seed, 80, crash_rate=0), without_calls)
        names, events = thin.read()
        replay = Replay(thin.header, names)
        try:
            replay.run([iter(events)])
            exact += replay.exact
        except Rejected:
            pass
    assert exact >= 54


@pytest.mark.parametrize("seed", range(40))
def test_a_field_that_a_receive_leaves_out_is_found_among_what_was_sent(seed: int) -> None:
    rng = random.Random(seed)
    legal = run(plan(seed, 60))
    candidates = [index for index, line in enumerate(legal.lines) if re.search(r" < (p1b|p2b|propose|decision|p2a) ", line)]
    if not candidates:
        pytest.skip("nothing of the kind was received")
    index = rng.choice(candidates)
    lines = list(legal.lines)
    lines[index] = re.sub(r"\b(a|s|accepted|c)=\S+", r"\1=?", lines[index], count=1)
    thin = Run(legal.header, lines)
    assert thin.judged().verdict in (ACCEPTED, INCONCLUSIVE)


def test_a_leader_may_begin_any_higher_ballot_only_if_the_header_says_so(tmp_path: Path) -> None:
    events = "L1 > p1a b=3.L1\nA1 < p1a b=3.L1\nA1 > p1b b=3.L1 accepted={} to=3.L1\nL1 > p1a b=7.L1\n"
    assert judged(tmp_path, events).verdict == REJECTED
    assert judged(tmp_path, events, "ballots=any").verdict == ACCEPTED


def test_no_ballot_begins_twice_but_a_slow_scout_may_show_itself_late(tmp_path: Path) -> None:
    assert judged(tmp_path, "L1 > p1a b=3.L1\nL1 > p1a b=3.L1\n", "ballots=any").verdict == REJECTED
    assert judged(tmp_path, "L1 > p1a b=3.L1\nL1 > p1a b=2.L1\n", "ballots=any").verdict == ACCEPTED


def test_an_unlogged_replica_may_have_restarted_only_if_the_header_says_so(tmp_path: Path) -> None:
    """It proposes another command for the slot that it had already proposed one for."""
    events = """C1 > request c=C1:1
C1 > request c=C1:2
L1 < propose s=1 c=C1:1 from=R1
L1 < propose s=1 c=C1:2 from=R1
"""
    text = HEADER.format(settings="clients=C1 slots=2 rounds=1 {}", contract="complete").replace("log R1,R2,L1,L2,A1", "log L1,L2,A1,C1")
    file = tmp_path / "t.pmmc"
    for settings, expected in (("", REJECTED), ("restarts=any", ACCEPTED)):
        file.write_text(text.replace("{}", settings) + events)
        assert judge(Source(file)).verdict == expected


class TestRestart:
    def test_a_replica_comes_back_with_its_decisions_only(self, tmp_path: Path) -> None:
        before = "R1 < request c=C1:1\nR1 > propose s=1 c=C1:1\nR1 < decision s=1 c=C2:1\nR1 > response cid=1 result=x to=C2\n"
        known = "R1 > propose s=2 c=C1:1\nR1 crash\n"
        decided = "L1 > p1a b=0.L1\nA1 < p1a b=0.L1\nA1 > p1b b=0.L1 accepted={} to=0.L1\nL1 < p1b a=A1 b=0.L1 accepted={} to=0.L1\n"
        decided += "L1 > adopted b=0.L1 pvalues={}\nL1 < adopted b=0.L1 pvalues={}\nR2 < request c=C2:1\nR2 > propose s=1 c=C2:1\n"
        decided += "L1 < propose s=1 c=C2:1 from=R2\nL1 > p2a b=0.L1 s=1 c=C2:1\nA1 < p2a b=0.L1 s=1 c=C2:1\nA1 > p2b b=0.L1 to=0.L1/1\n"
        decided += "L1 < p2b a=A1 b=0.L1 to=0.L1/1\nL1 > decision s=1 c=C2:1 from=0.L1/1\n"
        back = "R1 restart | slot_in=1 slot_out=2\nR1 < request c=C2:5\nR1 > propose s=2 c=C2:5\n"
        assert judged(tmp_path, decided + before + known + back).verdict == ACCEPTED
        kept = "R1 restart | slot_in=3 slot_out=2\n"
        assert judged(tmp_path, decided + before + known + kept).verdict == REJECTED

    def test_a_leader_comes_back_with_its_next_ballot(self, tmp_path: Path) -> None:
        start = "L1 > p1a b=0.L1\nL1 crash\nL1 restart | ballot=1.L1 active=no\n"
        assert judged(tmp_path, start + "L1 > p1a b=1.L1\n").verdict == ACCEPTED
        assert judged(tmp_path, start + "L1 > p1a b=0.L1\n").verdict == REJECTED

    def test_its_scouts_and_commanders_are_gone(self, tmp_path: Path) -> None:
        answer = "A1 < p1a b=0.L1\nA1 > p1b b=0.L1 accepted={} to=0.L1\n"
        received = "L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1\n"
        start = "L1 > p1a b=0.L1\n" + answer + "L1 crash\nL1 restart\n"
        assert judged(tmp_path, start + received).verdict == ACCEPTED, "what arrives for them changes nothing"
        assert judged(tmp_path, start + received + "L1 > adopted b=0.L1 pvalues={}\n").verdict == REJECTED


def test_a_field_left_out_of_what_was_sent_long_ago_is_no_reason_to_reject(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a duplicating network old messages are filed, where nothing can be found by half of its fields."""
    monkeypatch.setattr(inflight, "RECENT", 1)
    found = set()
    for seed in range(2, 60, 7):
        legal = run(plan(seed, 60, crash_rate=0))
        for index, line in enumerate(legal.lines):
            blurred = re.sub(r" < (propose|decision|p2a) (.*)c=\S+", r" < \1 \2c=?", line)
            if blurred != line:
                found.add(Run(legal.header, [*legal.lines[:index], blurred, *legal.lines[index + 1 :]]).judged().verdict)
    assert ACCEPTED in found
    assert REJECTED not in found


def test_an_inconclusive_verdict_says_that_the_facts_hold(tmp_path: Path) -> None:
    file = tmp_path / "t.pmmc"
    file.write_text(
        HEADER.format(settings="", contract="partial decision,response").replace("log R1,R2,L1,L2,A1", "log R1")
        + "R1 < decision s=3 c=C1:1\n"
    )
    reason = judge(Source(file), JudgeOptions(SearchBudget(1, 5))).reason
    assert reason == "the search stopped after 1 state (--search-states); what is recorded breaks no invariant"


def test_the_search_keeps_its_time(tmp_path: Path) -> None:
    """With hundreds of requests a single point of the search takes long."""
    decisions = "".join(f"R1 < decision s={slot} c=C1:{slot}\n" for slot in range(1, 400))
    started = time.monotonic()
    file = tmp_path / "t.pmmc"
    file.write_text(HEADER.format(settings="", contract="partial decision,response").replace("log R1,R2,L1,L2,A1", "log R1") + decisions)
    found = judge(Source(file), JudgeOptions(SearchBudget(10**6, 1.0)))
    assert found.verdict == INCONCLUSIVE
    assert time.monotonic() - started < 10


def test_a_replica_may_lag_behind_by_thousands_of_slots(tmp_path: Path) -> None:
    """No step of the protocol recurses: the hole is filled last, and then all is performed at once."""
    slots = 3000
    base = run(plan(0, 4))
    header = replace(base.header, replicas=("R1",), leaders=("L1",), acceptors=("A1",), clients=None, window=slots + 1)
    lines = ["L1 > p1a b=0.L1", "A1 < p1a b=0.L1", "A1 > p1b b=0.L1 accepted={} to=0.L1", "L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1"]
    lines += ["L1 > adopted b=0.L1 pvalues={}", "L1 < adopted b=0.L1 pvalues={}"]
    for slot in range(1, slots + 1):
        lines += [f"R1 < request c=C1:{slot}", f"R1 > propose s={slot} c=C1:{slot}", f"L1 < propose s={slot} c=C1:{slot} from=R1"]
        lines += [f"L1 > p2a b=0.L1 s={slot} c=C1:{slot}", f"A1 < p2a b=0.L1 s={slot} c=C1:{slot}", f"A1 > p2b b=0.L1 to=0.L1/{slot}"]
        lines += [f"L1 < p2b a=A1 b=0.L1 to=0.L1/{slot}", f"L1 > decision s={slot} c=C1:{slot} from=0.L1/{slot}"]
    lines += [f"R1 < decision s={slot} c=C1:{slot} from=0.L1/{slot}" for slot in range(slots, 0, -1)]
    logs = {name: partial(frozenset(KINDS)) for name in ("R1", "L1", "A1")}
    lagging = Run(replace(header, network=frozenset({"reliable"}), logs=logs), lines)
    names, events = lagging.read()
    replay = Replay(lagging.header, names)
    replay.run([iter(events)])
    assert replay.exact


RECORDABLE = [name for name, each in VARIANTS.items() if not each.own_messages]


@pytest.mark.parametrize("name", RECORDABLE)
def test_what_a_variant_does_is_legal_for_it(name: str, tmp_path: Path) -> None:
    """An implementation with a known change is judged by the protocol with that change, and facts speak for themselves."""
    variant = VARIANTS[name]
    for seed in range(4):
        changed = replace(plan(seed, 60, crash_rate=0.02), protocol=protocol_with([name]))
        file = tmp_path / f"{seed}.pmmc"
        file.write_text(run(changed).text())
        options = JudgeOptions(SearchBudget(2000, 3), protocol=changed.protocol, variants=(name,), waived=frozenset(variant.waives))
        found = judge(Source(file), options)
        assert found.verdict in (ACCEPTED, INCONCLUSIVE) or found.violations, f"seed {seed}: {found.failure}"
        assert not variant.safe or found.verdict == ACCEPTED
        assert name in found.notes[0]


@pytest.mark.parametrize("name", ["raise-on-accept", "state-reduction", "ignore-lower-p2b"])
def test_an_optimisation_is_rejected_unless_it_is_named(name: str) -> None:
    """In these two runs it makes a difference."""
    changed = protocol_with([name])
    for seed in (21, 29):
        assert run(replace(plan(seed, 120, crash_rate=0), protocol=changed)).judged().verdict == REJECTED
