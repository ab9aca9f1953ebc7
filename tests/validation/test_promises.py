"""What logs promise to show: by process, by kind of message, and of messages whose sender is not named."""

from __future__ import annotations

from pmmc_check.protocol.values import ACCEPTOR, CLIENT, LEADER, REPLICA, Ballot, ProcessId, commander_id, scout_id
from pmmc_check.trace.events import ALL, KINDS, NOTHING, Header, Names, partial
from pmmc_check.trace.fields import CALLS, SENDERS
from pmmc_check.validation.promises import Promises

R1, R2, L1, L2, A1, C1 = (
    ProcessId(role, number) for role, number in ((REPLICA, 1), (REPLICA, 2), (LEADER, 1), (LEADER, 2), (ACCEPTOR, 1), (CLIENT, 1))
)
BALLOT = Ballot(0, 1)
LOGS = {
    "R1": ALL,
    "R2": partial(frozenset({"decision"})),
    "L1": partial(frozenset(KINDS) - set(CALLS)),
    "L2": partial(frozenset(KINDS) - {"p2b"}),
    "A1": NOTHING,
    "C1": partial(frozenset({"request"})),
}
HEADER = Header(replicas=("R1", "R2"), leaders=("L1", "L2"), acceptors=("A1",), clients=("C1",), window=1, logs=LOGS)
PROMISES = Promises(HEADER, Names(HEADER))


def test_scouts_and_commanders_are_shown_as_their_leader_is() -> None:
    for spawned in (scout_id(BALLOT), commander_id(BALLOT, 1)):
        assert PROMISES.contract(spawned) is LOGS["L1"]
        assert PROMISES.records(spawned, "p2b") and not PROMISES.records(spawned, "adopted")
        assert PROMISES.is_replayed(spawned)


def test_a_process_is_replayed_if_its_log_is_complete_and_a_leader_also_without_its_calls() -> None:
    assert PROMISES.replayed == {R1, L1}
    assert PROMISES.leaves_out_calls == {L1}


def test_a_process_shows_all_or_part_or_nothing() -> None:
    assert PROMISES.shows_all(R1) and not PROMISES.shows_part(R1) and not PROMISES.shows_nothing(R1)
    assert PROMISES.shows_part(R2) and PROMISES.shows_some_receives(R2) and not PROMISES.shows_all_receives(R2)
    assert PROMISES.shows_nothing(A1) and not PROMISES.shows_part(A1) and not PROMISES.shows_some_receives(A1)
    assert PROMISES.shows_part(C1)


def test_a_process_without_a_name_in_the_header_promises_nothing() -> None:
    assert PROMISES.contract(ProcessId(CLIENT, 7)) is NOTHING


def test_a_message_may_be_unsent_if_somebody_who_may_have_sent_it_does_not_record_it() -> None:
    assert not PROMISES.may_be_unsent(R1, "propose", L1) and PROMISES.may_be_unsent(R2, "propose", L1)
    assert PROMISES.may_be_unsent(None, "propose", L1), "R2 may have sent it"
    assert not PROMISES.may_be_unsent(None, "decision", R1), "both leaders record it"
    assert PROMISES.may_be_unsent(None, "preempted", L1) and not PROMISES.may_be_unsent(None, "preempted", L2)


def test_the_kinds_that_some_sender_may_leave_out() -> None:
    assert PROMISES.open_kinds(SENDERS) == {"propose", "response", "p1b", "p2b", "adopted", "preempted"}


def test_a_request_is_open_if_its_client_is_named_and_does_not_record_it() -> None:
    assert PROMISES.is_open_request("request", ProcessId(CLIENT, 7))
    assert not PROMISES.is_open_request("request", C1) and not PROMISES.is_open_request("request", None)
