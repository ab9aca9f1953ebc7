"""Each reason why a message is not among the choices."""

from __future__ import annotations

import pytest
from helpers import A1, small

from explorer.test_session import session_of
from pmmc_check.config import Config
from pmmc_check.explorer.faults import crash_of, drop_of
from pmmc_check.explorer.patterns import pattern_from
from pmmc_check.explorer.session import Session, take
from pmmc_check.explorer.until import until
from pmmc_check.explorer.why_not import why_not
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import ProcessId


def answer(session: Session, text: str) -> str:
    return " ".join(why_not(session.here, pattern_from(text, session.subject.model)))


def taken(session: Session, *texts: str) -> Session:
    """Takes the first step that fits each text."""
    for text in texts:
        pattern = pattern_from(text, session.subject.model)
        choice = next(each for each in session.here.choices if not each.is_fault and pattern.matches(each.step.message, each.step.process))
        session = take(session, choice.number)
    return session


def test_what_can_be_delivered_is_said_to_be() -> None:
    assert answer(session_of(small()), "p1a to A1") == "It can be delivered now: step 2."


def test_what_was_not_sent_yet_with_the_rule_and_what_is_missing() -> None:
    session = session_of(small())
    told = answer(session, "p2a(0.L1, 1, c1) to A1")
    assert told.startswith("Nobody has sent p2a(0.L1, 1, c1) → A1 yet.")
    assert "once b is adopted, one for each proposal" in told
    assert "L1 is waiting for ballot 0.L1 to be adopted." in told
    active = taken(session, "p1a", "p1b", "adopted")
    assert "it has received no propose for it" in answer(active, "p2a(0.L1, 1)")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("adopted(0.L1)", "scout(0.L1) still waits for answers; A1, A2 and A3 have not answered."),
        ("p1a(3.L1)", "There is no ballot 3.L1"),
        ("decision(1)", "No leader has created a commander for slot 1 yet."),
        ("propose(1)", "R1 has slot_in = 1, slot_out = 1"),
        ("p1b(A1, 0.L1)", "The acceptor has not received p1a(0.L1) yet."),
        ("p2b to commander(0.L1, 1)", "commander(0.L1,1) does not exist yet."),
        ("preempted", "when an acceptor answers with another ballot"),
        ("response", "in the order of the slots"),
    ],
)
def test_for_each_message_it_says_what_is_missing(text: str, missing: str) -> None:
    assert missing in answer(session_of(small(acceptors=3)), text)


def test_what_was_delivered_once_is_gone() -> None:
    session = taken(session_of(small(network="reliable")), "p1a")
    assert "was delivered in step 1, and this network delivers it once" in answer(session, "p1a")


def test_what_was_lost_is_gone() -> None:
    session = session_of(small(network="lossy"))
    lost = take(session, drop_of(session.here, pattern_from("p1a", session.subject.model)).number)
    assert "was lost in step 1" in answer(lost, "p1a")


def test_nothing_reaches_a_process_that_is_down() -> None:
    session = session_of(small(crashes=1))
    down = take(session, crash_of(session.here, A1).number)
    assert "waits: A1 has crashed in step 1" in answer(down, "p1a")


def test_on_a_fifo_network_it_must_wait_its_turn() -> None:
    session = taken(session_of(small(slots=2, commands=2, network="fifo")), "request(c1)", "request(c2)")
    assert "must wait its turn: propose(1, c1) of R1 is before it" in answer(session, "propose(2, c2)")


def test_an_exited_process_ignores_it_since_its_exit() -> None:
    session = taken(session_of(small(acceptors=3)), "p1a to A1", "p1a to A2", "p1a to A3", "p1b(A1)", "p1b(A2)")
    assert "is ignored since step 5: scout(0.L1) has exited" in answer(session, "p1b(A3)")


def test_a_delivery_without_effect_is_explained_by_the_rule_and_the_state() -> None:
    session = taken(session_of(small(leaders=2, replicas=2, commands=2)), "request(c1) to R1", "request(c2) to R2", "propose(1, c1) to L1")
    told = answer(session, "propose(1, c2) to L1")
    assert "would change nothing since step 3" in told
    assert "L1 already proposes c1 for slot 1." in told
    assert "a leader keeps the first command that is proposed for a slot" in told
    again = answer(session, "propose(1, c1) to L1")
    assert "It was delivered in step 3; a second time it has nothing new to say." in again


def test_every_message_that_is_no_choice_gets_a_reason_in_long_random_runs() -> None:
    """Whatever was sent is either a choice, or there is a sentence; and the sentence is never that it can be delivered."""
    from pmmc_check.explorer.session import at_random  # noqa: PLC0415
    from pmmc_check.explorer.why_not import sendings  # noqa: PLC0415

    for network in ("duplicating", "reliable", "lossy", "fifo"):
        session = at_random(session_of(Config(acceptors=2, rounds=2, network=network)), 40, 5)
        enabled: set[tuple[Message, ProcessId]] = {
            (each.step.message, each.step.process) for each in session.here.choices if not each.is_fault
        }
        for each in sendings(session.here):
            told = answer(session, f"{each.message} to {each.to}")
            assert told.startswith("It can be delivered now") == ((each.message, each.to) in enabled), told
            assert len(told) > 20


def test_the_paper_s_stuck_slot_is_explained() -> None:
    session = until(session_of(small(acceptors=3, network="reliable"), invariants=("Progress",)), "violated")
    assert "commander(0.L1,1) has exited." in answer(session, "decision(1, c1)")
