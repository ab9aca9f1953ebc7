"""Each handler of each role, sentence by sentence as section "Roles" of the protocol page has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers import A1, A2, A3, B01, B02, B11, B12, C1, C2, C3, L1, L2, R1, R2, entries, pv, system

from pmmc_check.protocol import (
    Acceptor,
    AcceptorState,
    Adopted,
    Ballot,
    Client,
    Command,
    Commander,
    CommanderState,
    Decision,
    Leader,
    LeaderState,
    Lifecycle,
    Message,
    Outcome,
    P1a,
    P1b,
    P2a,
    P2b,
    Preempted,
    Propose,
    Replica,
    ReplicaState,
    Request,
    Response,
    Role,
    Scout,
    ScoutState,
    Send,
    Start,
    broadcast,
)
from pmmc_check.protocol.values import BOTTOM, Reconfigure, commander_id, scout_id

SYSTEM = system()
SCOUT, COMMANDER = scout_id(B01), commander_id(B01, 1)
EXITED = Lifecycle.EXITED


def replica(**bounds: Any) -> Replica:
    return Replica(R1, system(**{"commands": 3, "slots": 3, **bounds}))


def at_start(**changed: Any) -> ReplicaState:
    return replace(ReplicaState(SYSTEM.leaders, ()), **changed)


def only(role: Role, state: Any, message: Message) -> Outcome:
    """The outcome of a step that leaves no choice."""
    (outcome,) = role.step(state, message)
    return outcome


def proposals_of(outcome: Outcome) -> list[Propose]:
    """The proposals sent, each once."""
    return list(dict.fromkeys(message for _, message in outcome.sends if isinstance(message, Propose)))


# --- replica


def test_a_replica_starts_with_nothing_and_the_initial_configuration() -> None:
    assert replica().start() == Outcome(ReplicaState((L1, L2), (), 1, 1, frozenset(), frozenset(), frozenset()))


def test_a_requested_command_is_proposed_for_slot_in_to_every_leader_of_the_configuration() -> None:
    outcome = only(replica(), at_start(slot_in=2, slot_out=2), Request(C1))
    assert outcome.sends == broadcast((L1, L2), Propose(2, C1))
    assert outcome.state == at_start(slot_in=3, slot_out=2, proposals=entries((2, C1)))


@pytest.mark.parametrize("known", [{"proposals": entries((1, C1))}, {"decisions": entries((1, C1)), "slot_out": 2, "application": (C1,)}])
def test_a_command_that_was_proposed_or_decided_before_is_requested_again(known: dict[str, Any]) -> None:
    outcome = only(replica(), at_start(slot_in=2, **known), Request(C1))
    assert proposals_of(outcome) == [Propose(2, C1)]


def test_any_request_may_be_picked_so_there_is_one_successor_for_each() -> None:
    outcomes = list(replica(window=1).step(at_start(requests=frozenset({C1, C2})), Request(C3)))
    assert {tuple(proposals_of(each)) for each in outcomes} == {(Propose(1, c),) for c in (C1, C2, C3)}
    assert all(each.state.requests | {each.sends[0].message.command} == {C1, C2, C3} for each in outcomes)


@pytest.mark.parametrize(("window", "slot_in", "proposed"), [(1, 1, True), (1, 2, False), (2, 2, True), (2, 3, False)])
def test_nothing_is_proposed_once_slot_in_reaches_slot_out_plus_window(window: int, slot_in: int, proposed: bool) -> None:
    outcome = only(replica(window=window), at_start(slot_in=slot_in), Request(C1))
    assert bool(outcome.sends) is proposed
    assert (C1 in outcome.state.requests) is not proposed


def test_nothing_is_proposed_for_a_slot_beyond_the_bound() -> None:
    outcome = only(replica(slots=2, window=5), at_start(slot_in=3), Request(C1))
    assert outcome == Outcome(at_start(slot_in=3, requests=frozenset({C1})))


def test_a_slot_that_is_decided_already_is_passed_over() -> None:
    outcome = only(replica(), at_start(decisions=entries((1, C2)), slot_out=1), Request(C1))
    assert proposals_of(outcome) == [Propose(2, C1)]


def test_slot_in_stays_while_there_are_no_requests() -> None:
    outcome = only(replica(), at_start(), Decision(1, C1))
    assert (outcome.state.slot_in, outcome.state.slot_out) == (1, 2)


def test_a_decision_for_slot_out_is_performed_and_the_client_is_sent_its_result() -> None:
    outcome = only(replica(), at_start(), Decision(1, C1))
    assert outcome == Outcome(at_start(slot_out=2, application=(C1,), decisions=entries((1, C1))), (Send(C1.client, Response(1, 1)),))


def test_a_decision_above_slot_out_waits_for_those_below() -> None:
    outcome = only(replica(), at_start(), Decision(2, C2))
    assert outcome == Outcome(at_start(decisions=entries((2, C2))))


def test_all_consecutive_decisions_are_performed_in_slot_order() -> None:
    outcome = only(replica(), at_start(decisions=entries((2, C2), (3, C3))), Decision(1, C1))
    assert outcome.state.application == (C1, C2, C3)
    assert outcome.state.slot_out == 4
    assert [message for _, message in outcome.sends] == [Response(1, 1), Response(1, 2), Response(1, 3)]


def test_the_winning_proposal_for_slot_out_is_removed_and_not_requested_again() -> None:
    outcome = only(replica(), at_start(slot_in=2, proposals=entries((1, C1))), Decision(1, C1))
    assert outcome.state.proposals == frozenset()
    assert outcome.state.requests == frozenset()


def test_the_losing_proposal_for_slot_out_is_put_back_into_requests() -> None:
    outcome = only(replica(window=1, slots=1), at_start(slot_in=2, proposals=entries((1, C1))), Decision(1, C2))
    assert outcome.state.proposals == frozenset()
    assert outcome.state.requests == {C1}


def test_a_loser_that_was_put_back_is_proposed_again_in_the_same_step() -> None:
    outcome = only(replica(), at_start(slot_in=2, proposals=entries((1, C1))), Decision(1, C2))
    assert proposals_of(outcome) == [Propose(2, C1)]
    assert outcome.state.proposals == entries((2, C1))


def test_a_proposal_for_another_slot_is_left_alone() -> None:
    outcome = only(replica(), at_start(slot_in=3, proposals=entries((1, C1), (2, C2))), Decision(1, C1))
    assert outcome.state.proposals == entries((2, C2))


def test_a_command_decided_in_two_slots_is_performed_once_and_answered_once() -> None:
    outcome = only(replica(), at_start(decisions=entries((2, C1))), Decision(1, C1))
    assert outcome.state.application == (C1,)
    assert outcome.state.slot_out == 3
    assert outcome.sends == (Send(C1.client, Response(1, 1)),)


RECONFIGURE = Command(C3.client, 1, Reconfigure((L2,)))


def test_a_reconfiguration_is_not_performed_and_not_answered() -> None:
    outcome = only(replica(), at_start(), Decision(1, RECONFIGURE))
    assert outcome == Outcome(at_start(slot_out=2, decisions=entries((1, RECONFIGURE))))


@pytest.mark.parametrize(("window", "slot_in", "leaders"), [(1, 2, (L2,)), (2, 2, (L1, L2)), (2, 3, (L2,)), (3, 3, (L1, L2))])
def test_a_reconfiguration_takes_effect_window_slots_later(window: int, slot_in: int, leaders: tuple[Any, ...]) -> None:
    state = at_start(slot_in=slot_in, slot_out=2, decisions=entries((1, RECONFIGURE)))
    outcome = only(replica(window=window), state, Request(C1))
    assert outcome.sends == broadcast(leaders, Propose(slot_in, C1))
    assert outcome.state.leaders == leaders


def test_a_reconfiguration_is_taken_over_even_where_the_slot_that_it_begins_with_is_decided() -> None:
    state = at_start(slot_in=2, slot_out=2, decisions=entries((1, RECONFIGURE), (2, C2)))
    outcome = only(replica(window=1), state, Decision(2, C2))
    assert outcome.state.slot_out == 3
    outcome = only(replica(window=1), replace(outcome.state, slot_in=2), Request(C1))
    assert outcome.sends == broadcast((L2,), Propose(3, C1))


# --- acceptor

ACCEPTOR = Acceptor(A1, SYSTEM)
HAS = frozenset({pv(B01, 1, C1)})


def test_an_acceptor_starts_below_every_ballot_with_nothing_accepted() -> None:
    assert ACCEPTOR.start() == Outcome(AcceptorState(BOTTOM, frozenset()))


@pytest.mark.parametrize(("before", "asked", "after"), [(BOTTOM, B01, B01), (B01, B02, B02), (B01, B01, B01), (B12, B01, B12)])
def test_p1a_raises_the_ballot_if_it_is_higher_and_is_answered_with_ballot_and_accepted(
    before: Ballot, asked: Ballot, after: Ballot
) -> None:
    outcome = only(ACCEPTOR, AcceptorState(before, HAS), P1a(asked))
    assert outcome == Outcome(AcceptorState(after, HAS), (Send(scout_id(asked), P1b(A1, after, HAS)),))


def test_p2a_of_its_own_ballot_is_accepted() -> None:
    outcome = only(ACCEPTOR, AcceptorState(B01, HAS), P2a(B01, 2, C2))
    assert outcome.state == AcceptorState(B01, HAS | {pv(B01, 2, C2)})
    assert outcome.sends == (Send(commander_id(B01, 2), P2b(A1, B01)),)


@pytest.mark.parametrize("own", [B02, B11, BOTTOM])
def test_p2a_of_any_other_ballot_is_not_accepted_but_answered_with_its_own(own: Ballot) -> None:
    outcome = only(ACCEPTOR, AcceptorState(own, HAS), P2a(B01, 2, C2))
    assert outcome == Outcome(AcceptorState(own, HAS), (Send(commander_id(B01, 2), P2b(A1, own)),))


# --- scout


def test_a_scout_asks_all_acceptors_and_waits_for_all() -> None:
    outcome = Scout(SCOUT, SYSTEM).start()
    assert outcome == Outcome(ScoutState(frozenset({A1, A2, A3})), broadcast((A1, A2, A3), P1a(B01)))


def test_a_promise_is_counted_and_its_pvalues_are_kept() -> None:
    outcome = only(Scout(SCOUT, SYSTEM), ScoutState(frozenset({A1, A2, A3})), P1b(A2, B01, HAS))
    assert outcome == Outcome(ScoutState(frozenset({A1, A3}), HAS))


def test_a_majority_of_promises_is_reported_with_all_their_pvalues_and_ends_the_scout() -> None:
    more = frozenset({pv(B02, 2, C2)})
    outcome = only(Scout(SCOUT, SYSTEM), ScoutState(frozenset({A1, A3}), HAS), P1b(A1, B01, more))
    assert outcome == Outcome(EXITED, (Send(L1, Adopted(B01, HAS | more)),))


def test_a_second_promise_of_one_acceptor_is_not_counted_but_what_it_brings_is_kept() -> None:
    outcome = only(Scout(SCOUT, SYSTEM), ScoutState(frozenset({A1, A3})), P1b(A2, B01, HAS))
    assert outcome == Outcome(ScoutState(frozenset({A1, A3}), HAS))


@pytest.mark.parametrize("other", [B02, B12, BOTTOM])
def test_a_promise_of_any_other_ballot_preempts_the_scout(other: Ballot) -> None:
    outcome = only(Scout(SCOUT, SYSTEM), ScoutState(frozenset({A1})), P1b(A1, other, HAS))
    assert outcome == Outcome(EXITED, (Send(L1, Preempted(other)),))


# --- commander


def test_a_commander_asks_all_acceptors_to_accept_and_waits_for_all() -> None:
    outcome = Commander(COMMANDER, SYSTEM).start(C1)
    assert outcome == Outcome(CommanderState(C1, frozenset({A1, A2, A3})), broadcast((A1, A2, A3), P2a(B01, 1, C1)))


def test_an_acceptance_is_counted() -> None:
    outcome = only(Commander(COMMANDER, SYSTEM), CommanderState(C1, frozenset({A1, A2, A3})), P2b(A2, B01))
    assert outcome == Outcome(CommanderState(C1, frozenset({A1, A3})))


def test_a_majority_of_acceptances_is_a_decision_for_all_replicas_and_ends_the_commander() -> None:
    outcome = only(Commander(COMMANDER, SYSTEM), CommanderState(C1, frozenset({A1, A3})), P2b(A1, B01))
    assert outcome == Outcome(EXITED, broadcast((R1, R2), Decision(1, C1)))


def test_a_second_acceptance_of_one_acceptor_is_not_counted() -> None:
    state = CommanderState(C1, frozenset({A1, A3}))
    assert only(Commander(COMMANDER, SYSTEM), state, P2b(A2, B01)) == Outcome(state)


@pytest.mark.parametrize("other", [B02, B12, BOTTOM])
def test_an_acceptance_of_any_other_ballot_preempts_the_commander(other: Ballot) -> None:
    outcome = only(Commander(COMMANDER, SYSTEM), CommanderState(C1, frozenset({A1})), P2b(A1, other))
    assert outcome == Outcome(EXITED, (Send(L1, Preempted(other)),))


@pytest.mark.parametrize(
    ("role", "counts", "needed"),
    [
        *((role, {"acceptors": n}, n // 2 + 1) for role in (Scout, Commander) for n in (1, 2, 3, 4, 5)),
        *((Scout, {"acceptors": 3, "quorum1": n, "quorum2": 1}, n) for n in (1, 2, 3)),
        *((Commander, {"acceptors": 3, "quorum1": 1, "quorum2": n}, n) for n in (1, 2, 3)),
    ],
)
def test_a_quorum_is_a_majority_of_all_acceptors_or_as_many_as_the_configuration_says(
    role: type[Role], counts: dict[str, int], needed: int
) -> None:
    bounds = system(**counts)
    process = role(SCOUT if role is Scout else COMMANDER, bounds)
    state, answers = process.start(C1).state, 0
    while state is not EXITED:
        answer = P1b(bounds.acceptors[answers], B01, frozenset()) if role is Scout else P2b(bounds.acceptors[answers], B01)
        state = only(process, state, answer).state
        answers += 1
    assert answers == needed


# --- leader

LEADER = Leader(L1, SYSTEM)


def test_a_leader_starts_passive_in_round_0_with_a_scout() -> None:
    assert LEADER.start() == Outcome(LeaderState(B01, False, frozenset()), (Send(scout_id(B01), Start()),))


def test_a_passive_leader_records_a_proposal() -> None:
    assert only(LEADER, LeaderState(B01), Propose(1, C1)) == Outcome(LeaderState(B01, False, entries((1, C1))))


def test_an_active_leader_spawns_a_commander_for_a_proposal() -> None:
    outcome = only(LEADER, LeaderState(B01, True, entries((2, C2))), Propose(1, C1))
    assert outcome == Outcome(LeaderState(B01, True, entries((1, C1), (2, C2))), (Send(commander_id(B01, 1), Start(C1)),))


@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("command", [C1, C2])
def test_the_first_command_proposed_for_a_slot_stays(active: bool, command: Command) -> None:
    state = LeaderState(B01, active, entries((1, C1)))
    assert only(LEADER, state, Propose(1, command)) == Outcome(state)


def test_an_adopted_leader_yields_to_pmax_keeps_its_other_proposals_and_spawns_a_commander_for_every_one() -> None:
    pvalues = frozenset({pv(B01, 1, C1), pv(B02, 1, C2)})
    outcome = only(LEADER, LeaderState(B11, False, entries((1, C1), (2, C1))), Adopted(B11, pvalues))
    assert outcome.state == LeaderState(B11, True, entries((1, C2), (2, C1)))
    assert set(outcome.sends) == {Send(commander_id(B11, 1), Start(C2)), Send(commander_id(B11, 2), Start(C1))}


def test_where_pmax_leaves_a_choice_there_is_one_successor_for_each() -> None:
    tie = frozenset({pv(B02, 1, C1), pv(B02, 1, C2)})
    outcomes = list(LEADER.step(LeaderState(B11), Adopted(B11, tie)))
    assert {each.state.proposals for each in outcomes} == {entries((1, C1)), entries((1, C2))}


@pytest.mark.parametrize(("state", "ballot"), [(LeaderState(B11), B01), (LeaderState(B01, True, entries((1, C2))), B01)])
def test_an_adopted_that_is_stale_or_repeated_changes_nothing(state: LeaderState, ballot: Ballot) -> None:
    assert only(LEADER, state, Adopted(ballot, HAS)) == Outcome(state)


@pytest.mark.parametrize("active", [False, True])
def test_a_preempted_leader_becomes_passive_moves_one_round_above_and_spawns_a_scout(active: bool) -> None:
    outcome = only(LEADER, LeaderState(B01, active, entries((1, C1))), Preempted(B02))
    assert outcome == Outcome(LeaderState(B11, False, entries((1, C1))), (Send(scout_id(B11), Start()),))


@pytest.mark.parametrize("ballot", [BOTTOM, B01, B02, B11])
def test_a_preemption_by_a_ballot_that_is_not_higher_changes_nothing(ballot: Ballot) -> None:
    state = LeaderState(B11, True)
    assert only(LEADER, state, Preempted(ballot)) == Outcome(state)


def test_a_leader_that_would_need_a_round_beyond_the_bound_retires() -> None:
    assert only(LEADER, LeaderState(B11), Preempted(B12)) == Outcome(EXITED)
    assert only(Leader(L1, system(rounds=1)), LeaderState(B01), Preempted(B02)) == Outcome(EXITED)


# --- client


def test_a_client_has_sent_each_of_its_commands_to_every_replica_and_keeps_no_state() -> None:
    client = Client(C1.client, SYSTEM)
    state, sends = client.start()
    assert sends == broadcast((R1, R2), Request(C1))
    assert only(client, state, Response(1, 1)) == Outcome(state)


# --- what no role handles


@pytest.mark.parametrize(
    ("role", "state", "message"),
    [
        (replica(), at_start(), P1a(B01)),
        (ACCEPTOR, AcceptorState(), Request(C1)),
        (Scout(SCOUT, SYSTEM), ScoutState(frozenset({A1})), P2b(A1, B01)),
        (Commander(COMMANDER, SYSTEM), CommanderState(C1, frozenset({A1})), P1b(A1, B01, HAS)),
        (LEADER, LeaderState(B01), Decision(1, C1)),
    ],
)
def test_a_message_for_another_role_changes_and_sends_nothing(role: Role, state: Any, message: Message) -> None:
    assert only(role, state, message) == Outcome(state)


# --- errata


def test_stuck_slot_an_acceptor_that_gets_p2a_before_p1a_answers_with_a_lower_ballot_and_the_commander_gives_up_for_good() -> None:
    rejected = only(ACCEPTOR, AcceptorState(), P2a(B01, 1, C1))
    (answer,) = rejected.sends
    assert answer == Send(COMMANDER, P2b(A1, BOTTOM))
    gone = only(Commander(COMMANDER, SYSTEM), CommanderState(C1, frozenset({A1, A2, A3})), answer.message)
    assert gone == Outcome(EXITED, (Send(L1, Preempted(BOTTOM)),))
    state = LeaderState(B01, True, entries((1, C1)))
    assert only(LEADER, state, gone.sends[0].message) == Outcome(state)
