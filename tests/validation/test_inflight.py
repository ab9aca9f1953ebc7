"""What may be received, on every network: copies, gaps, order, repetition."""

from __future__ import annotations

import pytest

from pmmc_check.protocol.messages import Decision, Message, Propose, Request, Response
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, REPLICA, Command, ProcessId
from pmmc_check.trace.events import SEND, UNKNOWN, Event
from pmmc_check.validation.compact_sets import RECENT
from pmmc_check.validation.replay.inflight import Ambiguous, InFlight, in_flight

A, B, TO = ProcessId(ACCEPTOR, 1), ProcessId(ACCEPTOR, 2), ProcessId(REPLICA, 1)
ONE, TWO, THREE = (Decision(slot, Command(ProcessId(CLIENT, 1), slot, "")) for slot in (1, 2, 3))


def network(flags: str, *sent: Message, sender: ProcessId = A) -> InFlight:
    made = in_flight("duplicating" in flags, "lossy" in flags or "duplicating" in flags, "fifo" in flags)
    for message in sent:
        put(made, sender, message)
    return made


def put(made: InFlight, sender: ProcessId, message: Message) -> None:
    made.put(sender, TO, message, Event("A1", sender, SEND, message, None, "f", 1))


def taken(made: InFlight, *wanted: Message) -> list[bool]:
    return [made.take(A, TO, message) for message in wanted]


def test_a_copy_is_received_once() -> None:
    assert taken(network("reliable", ONE, ONE), ONE, ONE, ONE) == [True, True, False]


def test_with_duplication_a_message_is_received_ever_again() -> None:
    assert taken(network("duplicating", ONE), ONE, ONE, ONE) == [True, True, True]


@pytest.mark.parametrize("flags", ["reliable", "lossy", "duplicating"])
def test_without_order_any_message_may_come_first(flags: str) -> None:
    assert taken(network(flags, ONE, TWO), TWO, ONE) == [True, True]


@pytest.mark.parametrize(
    "pattern",
    [Decision(UNKNOWN, ONE.command), Decision(1, UNKNOWN), Request(UNKNOWN), Propose(UNKNOWN, ONE.command), Response(UNKNOWN, "x")],
)
@pytest.mark.parametrize("count", [3, 3 * RECENT])
def test_what_leaves_a_field_open_is_none_of_what_was_sent(pattern: Message, count: int) -> None:
    """Also where what was sent long ago is filed."""
    sent = [kind(slot, ONE.command) for slot in range(1, count) for kind in (Decision, Propose)]
    made = network("duplicating", *sent, *(Response(number, "x") for number in range(count)), Request(ONE.command))
    assert not made.take(None, TO, pattern)


def test_with_order_only_the_next_may_come() -> None:
    assert taken(network("fifo", ONE, TWO), TWO, ONE, TWO) == [False, True, True]


def test_with_order_and_loss_what_was_passed_over_is_lost() -> None:
    assert taken(network("fifo lossy", ONE, TWO, THREE), TWO, ONE, THREE) == [True, False, True]


def test_with_order_and_duplication_the_last_may_come_again_but_none_before_it() -> None:
    assert taken(network("fifo duplicating", ONE, TWO), ONE, ONE, TWO, ONE, TWO) == [True, True, True, False, True]


def test_order_is_kept_for_each_pair_and_not_between_pairs() -> None:
    made = network("fifo", ONE, TWO)
    put(made, B, THREE)
    assert made.take(B, TO, THREE)
    assert taken(made, ONE, TWO) == [True, True]


@pytest.mark.parametrize("flags", ["reliable", "lossy", "duplicating", "fifo", "fifo lossy", "fifo duplicating"])
def test_nothing_comes_that_was_not_sent_by_this_sender(flags: str) -> None:
    assert not network(flags, ONE).take(B, TO, ONE)
    assert not network(flags, ONE).take(A, B, ONE)
    assert not network(flags, ONE).take(A, TO, TWO)


def test_a_receive_without_sender_takes_anybodys_copy() -> None:
    made = network("reliable", ONE)
    put(made, B, ONE)
    assert [made.take(None, TO, ONE) for _ in range(3)] == [True, True, False]


def test_named_and_unnamed_receives_of_one_message_are_left_to_the_search() -> None:
    made = network("reliable", ONE)
    put(made, B, ONE)
    assert made.take(None, TO, ONE)
    with pytest.raises(Ambiguous, match="name their sender"):
        made.take(A, TO, ONE)


def test_with_order_every_receive_must_name_its_sender() -> None:
    for act in ("take", "drop"):
        with pytest.raises(Ambiguous, match="does not name its sender"):
            getattr(network("fifo", ONE), act)(None, TO, ONE)


@pytest.mark.parametrize(("flags", "left"), [("lossy", [False, True]), ("fifo lossy", [False, True]), ("duplicating", [True, True])])
def test_a_dropped_copy_is_gone_unless_the_network_duplicates(flags: str, left: list[bool]) -> None:
    made = network(flags, ONE, TWO)
    assert made.drop(A, TO, ONE)
    assert taken(made, ONE, TWO) == left


@pytest.mark.parametrize("flags", ["reliable", "fifo"])
def test_what_is_in_flight_to_a_process_is_listed_with_its_send(flags: str) -> None:
    made = network(flags, ONE, TWO)
    assert taken(made, ONE) == [True]
    assert [(message, at and at.place) for message, at in made.to(TO)] == [(TWO, "f:1")]
    assert made.to(A) == []
