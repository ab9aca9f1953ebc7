"""A message may be received and lost with the process that received it; what was shown of its step is never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source
from pmmc_check.validation.judge import JudgeOptions, judge
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.replay.versions import VERSIONS_MAX
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from tests.validation.oracle import Oracle

HEADER = """pmmc-trace 1
config replicas=R1 leaders=L1,L2 acceptors=A1 clients=C1 window=5 network={network}
log {logs} complete
"""
BOTH_SCOUTS = "L1 > p1a b=0.L1\nL2 > p1a b=0.L2\n"
LEADER = (
    BOTH_SCOUTS
    + """\
C1 > request c=C1:1
R1 < request c=C1:1
R1 > propose s=1 c=C1:1
A1 < p1a b=0.L1
A1 > p1b b=0.L1 accepted={} to=0.L1
L1 < p1b a=A1 b=0.L1 accepted={} to=0.L1
L1 > adopted b=0.L1 pvalues={}
L1 < adopted b=0.L1 pvalues={}
L1 < propose s=1 c=C1:1
L1 > p2a b=0.L1 s=1 c=C1:1
"""
)
DECIDED = (
    LEADER
    + """\
A1 < p2a b=0.L1 s=1 c=C1:1
A1 > p2b b=0.L1 to=0.L1/1
L1 < p2b a=A1 b=0.L1 to=0.L1/1
L1 > decision s=1 c=C1:1 from=0.L1/1
"""
)
KILLED = "{0} crash\n{0} restart\n"
REJOINS = "A1 < p1a b=0.L2\nA1 > p1b b=0.L2 accepted={} to=0.L2\n"
PREEMPTED = (
    BOTH_SCOUTS
    + "A1 < p1a b=0.L2\nA1 > p1b b=0.L2 accepted={} to=0.L2\nA1 < p1a b=0.L1\nA1 > p1b b=0.L2 accepted={} to=0.L1\n"
    + ("L1 < p1b a=A1 b=0.L2 accepted={} to=0.L1\nL1 > preempted b=0.L2 from=0.L1\nL1 < preempted b=0.L2\n")
)

LEGAL = {
    "a promise that was not written": BOTH_SCOUTS + "A1 < p1a b=0.L2\n" + KILLED.format("A1") + "A1 < p1a b=0.L1\n"
    "A1 > p1b b=0.L1 accepted={} to=0.L1\n",
    "a promise that was written and not sent": BOTH_SCOUTS + "A1 < p1a b=0.L2\n" + KILLED.format("A1") + "A1 < p1a b=0.L1\n"
    "A1 > p1b b=0.L2 accepted={} to=0.L1\n",
    "a restart without a crash in the log": BOTH_SCOUTS + "A1 < p1a b=0.L2\nA1 restart | ballot=-\n",
    "an acceptance that was not written": LEADER + "A1 < p2a b=0.L1 s=1 c=C1:1\n" + KILLED.format("A1") + REJOINS,
    "an acceptance that was not written, shown as a delta": LEADER
    + "A1 < p2a b=0.L1 s=1 c=C1:1\n"
    + KILLED.format("A1")
    + REJOINS.replace("accepted={}", "accepted=+{}"),
    "an acceptance that was written and not sent": LEADER
    + "A1 < p2a b=0.L1 s=1 c=C1:1\n"
    + KILLED.format("A1")
    + REJOINS.replace("{}", "{{0.L1/1/C1:1}}".replace("{{", "{").replace("}}", "}")),
    "an acceptance that is written the second time": LEADER
    + ("A1 < p2a b=0.L1 s=1 c=C1:1\n" + KILLED.format("A1")) * 2
    + "A1 < p2a b=0.L1 s=1 c=C1:1\nA1 > p2b b=0.L1 to=0.L1/1\n",
    "a decision that was not written": DECIDED + "R1 < decision s=1 c=C1:1\n" + KILLED.format("R1") + "R1 < decision s=1 c=C1:1\n"
    "R1 > response cid=1 result=a to=C1\n",
    "a decision that was written and not answered": DECIDED
    + "R1 < decision s=1 c=C1:1\n"
    + KILLED.format("R1")
    + "R1 < decision s=1 c=C1:1\nR1 end\n",
    "a decision that was not written, and another state after the restart": DECIDED + "R1 < decision s=1 c=C1:1\nR1 crash\n"
    "R1 restart | slot_out=1\n",
    "a preemption that was not written": PREEMPTED + KILLED.format("L1") + "L1 > p1a b=1.L1\n",
    "a preemption that was written": PREEMPTED + KILLED.format("L1") + "L1 > p1a b=2.L1\n",
}
"""On a network that duplicates, with all logs complete."""

ILLEGAL = {
    "a promise that was sent is forgotten": (
        BOTH_SCOUTS + "A1 < p1a b=0.L2\nA1 > p1b b=0.L2 accepted={} to=0.L2\n" + KILLED.format("A1") + "A1 < p1a b=0.L1\n"
        "A1 > p1b b=0.L1 accepted={} to=0.L1\n",
        "A1 > p1b b=0.L1",
    ),
    "a promise whose state was shown is forgotten": (
        BOTH_SCOUTS + "A1 < p1a b=0.L2 | ballot=0.L2\n" + KILLED.format("A1") + "A1 < p1a b=0.L1\nA1 > p1b b=0.L1 accepted={} to=0.L1\n",
        "A1 > p1b b=0.L1",
    ),
    "the one before the last is forgotten": (
        LEADER + "A1 < p2a b=0.L1 s=1 c=C1:1\nA1 > p2b b=0.L1 to=0.L1/1\nA1 < p1a b=0.L2\n" + KILLED.format("A1") + REJOINS,
        "A1 > p1b b=0.L2",
    ),
    "neither of both": (
        BOTH_SCOUTS + "A1 < p1a b=0.L2\n" + KILLED.format("A1") + "A1 < p1a b=0.L1\nA1 > p1b b=- accepted={} to=0.L1\n",
        "A1 > p1b b=-",
    ),
    "a decision that was answered is forgotten": (
        DECIDED
        + "R1 < decision s=1 c=C1:1\nR1 > response cid=1 result=a to=C1\n"
        + KILLED.format("R1")
        + "R1 < decision s=1 c=C1:1\nR1 > response cid=1 result=a to=C1\n",
        "R1 > response",
    ),
    "without a crash nothing is forgotten": (
        BOTH_SCOUTS + "A1 < p1a b=0.L2\nA1 < p1a b=0.L1\nA1 > p1b b=0.L1 accepted={} to=0.L1\n",
        "A1 < p1a b=0.L1",
    ),
    "a ballot of neither": (PREEMPTED + KILLED.format("L1") + "L1 > p1a b=3.L1\n", "L1 > p1a b=3.L1"),
    "a ballot of before the last restart": (BOTH_SCOUTS + (KILLED.format("L1") * 2) + "L1 > p1a b=1.L1\n", "L1 > p1a b=1.L1"),
    "ballots of both": (PREEMPTED + KILLED.format("L1") + "L1 > p1a b=1.L1\nL1 > p1a b=2.L1\n", "L1 > p1a b=2.L1"),
}
"""With what the event that is cited begins with."""


def judged(
    folder: Path, events: str, logs: str = "R1,L1,L2,A1,C1", network: str = "duplicating", budget: SearchBudget | None = None
) -> TraceVerdict:
    file = folder / "t.pmmc"
    file.write_text(HEADER.format(logs=logs, network=network) + events)
    return judge(Source(file), JudgeOptions(budget or SearchBudget()))


def by_oracle(folder: Path) -> bool:
    trace = open_trace(folder / "t.pmmc")
    events = [event for stream in trace.events() for event in stream]
    return Oracle(trace.header, trace.names, [each for each in events if each.message is None or each.message.kind != "response"]).legal()


@pytest.mark.parametrize("name", LEGAL)
def test_a_crash_between_receipt_and_write_is_legal(tmp_path: Path, name: str) -> None:
    verdict = judged(tmp_path, LEGAL[name])
    assert verdict.verdict == ACCEPTED, name
    assert verdict.method == "replay", "complete logs need no search"


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_was_shown_is_not_lost(tmp_path: Path, name: str) -> None:
    events, cited = ILLEGAL[name]
    verdict = judged(tmp_path, events)
    assert verdict.verdict == REJECTED
    assert verdict.failure is not None
    assert verdict.failure.at.text.startswith(cited)


@pytest.mark.parametrize("name", [name for name, events in LEGAL.items() if "result=" not in events])
def test_the_oracle_agrees(tmp_path: Path, name: str) -> None:
    judged(tmp_path, LEGAL[name])
    assert by_oracle(tmp_path)


@pytest.mark.parametrize("logs", ["A1", "A1,C1", "R1", "A1,R1"])
@pytest.mark.parametrize("name", LEGAL)
def test_with_fewer_logs_as_well(tmp_path: Path, name: str, logs: str) -> None:
    events = "".join(line for line in LEGAL[name].splitlines(keepends=True) if line.split()[0] in logs)
    if events:
        verdict = judged(tmp_path, events, logs, budget=SearchBudget(2000, 3)).verdict
        assert verdict == ACCEPTED or (verdict == INCONCLUSIVE and "R1" in logs)


@pytest.mark.parametrize("network", ["reliable", "lossy", "fifo", "fifo,lossy"])
@pytest.mark.parametrize(
    "name", ["a promise that was not written", "an acceptance that was not written", "a preemption that was not written"]
)
def test_on_every_network(tmp_path: Path, network: str, name: str) -> None:
    assert judged(tmp_path, LEGAL[name], network=network).verdict == ACCEPTED
    if "acceptance" in name:
        events = "".join(line for line in LEGAL[name].splitlines(keepends=True) if line.startswith("A1"))
        assert judged(tmp_path, events, "A1", network).verdict == ACCEPTED


def test_after_many_crashes_nothing_is_held_open_that_an_event_has_settled(tmp_path: Path) -> None:
    kept = "A1 < p2a b=0.L1 s=1 c=C1:1\n" + KILLED.format("A1")
    verdict = judged(tmp_path, LEADER + kept * 200 + REJOINS.replace("{}", "{0.L1/1/C1:1}"))
    assert verdict.verdict == ACCEPTED
    assert verdict.method == "replay"


def test_too_many_open_ways_are_left_to_the_search(tmp_path: Path) -> None:
    leader = LEADER.replace("L1 > p2a b=0.L1 s=1 c=C1:1\n", "")
    slots = range(1, VERSIONS_MAX.bit_length() + 2)
    asked = "".join(f"C1 > request c=C1:{s}\nR1 < request c=C1:{s}\nR1 > propose s={s} c=C1:{s}\n" for s in slots[1:])
    proposed = "".join(f"L1 < propose s={s} c=C1:{s}\n" for s in slots[1:]) + "".join(f"L1 > p2a b=0.L1 s={s} c=C1:{s}\n" for s in slots)
    accepted = "".join(f"A1 < p2a b=0.L1 s={s} c=C1:{s}\n" + KILLED.format("A1") for s in slots)
    events = (leader + asked + proposed + accepted).replace("window=5", "window=50")
    file = tmp_path / "t.pmmc"
    file.write_text((HEADER.format(logs="R1,L1,L2,A1,C1", network="reliable") + events).replace("window=5", "window=50"))
    verdict = judge(Source(file))
    assert verdict.verdict in (ACCEPTED, INCONCLUSIVE)
    assert verdict.method == "search"


def test_a_replay_does_not_guess_what_acceptors_and_replicas_wrote(tmp_path: Path) -> None:
    judged(tmp_path, ILLEGAL["a promise that was sent is forgotten"][0])
    trace = open_trace(tmp_path / "t.pmmc")
    replay = Replay(trace.header, trace.names)
    with pytest.raises(Rejected):
        replay.run(trace.events())
    assert not replay.guessed
