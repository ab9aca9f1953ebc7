"""The no-op: a command that a leader may propose for a hole without anybody's request, and that no application ever performs."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import A1, B01, B02, C1, C2, L2, R1, compiled, entries, pv, reference, small, system

from pmmc_check.checker.matrix import searched
from pmmc_check.checker.result import HOLDS, VIOLATED
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.properties.observe import Fact
from pmmc_check.protocol import (
    AcceptorState,
    Adopted,
    Command,
    Decision,
    LeaderState,
    Outcome,
    P2a,
    Propose,
    Replica,
    ReplicaState,
    Send,
    Start,
    variant,
)
from pmmc_check.protocol.values import NOBODY, NOOP, Reconfigure, commander_id
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.protocol.variants.optimised import FillHoles

SYSTEM = system(slots=3, leaders=2)
FILLING = protocol_with(["fill-holes"])


def test_there_is_one_no_op_and_it_is_no_clients() -> None:
    assert str(NOOP) == "noop" and str(pv(B01, 2, NOOP)) == "(0.L1, 2, noop)" and str(P2a(B01, 2, NOOP)) == "p2a(0.L1, 2, noop)"
    assert NOOP.client == NOBODY and NOBODY not in SYSTEM.clients
    assert NOOP.is_internal and C1._replace(operation=Reconfigure((L2,))).is_internal and not C1.is_internal


def test_a_replica_passes_over_a_no_op_as_often_as_it_is_decided() -> None:
    replica = Replica(R1, SYSTEM)
    state: Any = replica.start().state
    for slot, command in ((1, NOOP), (2, C1), (3, NOOP)):
        ((state, sends),) = replica.step(state, Decision(slot, command))
        assert [type(message).__name__ for _, message in sends] == ["Response"] * (command == C1)
    assert (state.slot_out, state.application) == (4, (C1,))


def test_a_request_that_loses_its_slot_to_a_no_op_is_proposed_again() -> None:
    replica = Replica(R1, SYSTEM)
    state = ReplicaState(SYSTEM.initial_leaders, (), slot_in=2, proposals=entries((1, C1)))
    ((after, sends),) = replica.step(state, Decision(1, NOOP))
    assert after.proposals == entries((2, C1)) and {message for _, message in sends} == {Propose(2, C1)}


@pytest.mark.parametrize(("application", "broken"), [((C1,), False), ((), True), ((NOOP, C1), True)])
def test_r3_skips_no_ops(application: tuple[Command, ...], broken: bool) -> None:
    state = ReplicaState(SYSTEM.initial_leaders, application, slot_out=4, decisions=entries((1, NOOP), (2, C1), (3, NOOP)))
    checks = Checks(Model(small()), invariants_named(["R3"]))
    assert (checks.of_local_state(R1, state) is not None) is broken


@pytest.mark.parametrize(("command", "valid"), [(NOOP, True), (NOOP._replace(cid=1), False), (NOOP._replace(operation="put"), False)])
def test_validity_allows_the_no_op_and_nothing_else_that_nobody_requested(command: Command, valid: bool) -> None:
    checks = Checks(Model(small()), invariants_named(["Validity"]))
    assert (checks.of_local_state(A1, AcceptorState(B01, frozenset({pv(B01, 1, command)}))) is None) is valid


def test_an_adopted_leader_fills_holes_below_the_highest_slot_that_it_learns_of() -> None:
    leader = FillHoles(L2, SYSTEM)
    state = LeaderState(B02, proposals=entries((1, C1)))
    ((after, sends),) = leader.step(state, Adopted(B02, frozenset({pv(B01, 3, C2)})))
    assert after == LeaderState(B02, True, entries((1, C1), (2, NOOP), (3, C2)))
    assert sends == tuple(Send(commander_id(B02, slot), Start(command)) for slot, command in ((1, C1), (2, NOOP), (3, C2)))
    assert list(leader.step(after, Propose(2, C1))) == [Outcome(after)], "the slot is taken"


@pytest.mark.parametrize("pvalues", [frozenset(), frozenset({pv(B01, 1, C2)})])
def test_without_a_hole_it_does_what_the_paper_says(pvalues: frozenset[Any]) -> None:
    state, message = LeaderState(B02, proposals=entries((3, C1))), Adopted(B02, pvalues)
    assert list(FillHoles(L2, SYSTEM).step(state, message)) == list(variant()["leader"](L2, SYSTEM).step(state, message))


@pytest.mark.parametrize("other", ["garbage-collection", "informed-leaders"])
def test_variants_that_know_of_decided_slots_do_not_combine_with_it(other: str) -> None:
    with pytest.raises(UsageError, match="changes adopted of the leader"):
        protocol_with(["fill-holes", other])


# --- searches

HOLE = {"acceptors": 1, "leaders": 2, "slots": 2, "commands": 2}


def facts_in(search: Any) -> set[Fact]:
    return {fact for observed in search.known.observed.values() for facts in observed.values() for fact in facts}


def test_both_engines_agree_and_the_no_op_gets_decided() -> None:
    config = small(**HOLE, network="fifo")
    plain, (search, fast) = reference(config, FILLING), compiled(config, FILLING, reduce="none")
    assert (plain.verdict, plain.distinct_states, plain.depth, plain.generated_states) == (
        HOLDS,
        fast.distinct_states,
        fast.depth,
        fast.generated_states,
    )
    assert {kind for kind, _, _, command in facts_in(search) if command == NOOP} == {"accepted", "p2a sent", "decided"}


@pytest.mark.parametrize("network", ["reliable", "fifo", "lossy"])
def test_no_reduction_hides_what_no_ops_show(network: str) -> None:
    config = small(**HOLE, network=network)
    unreduced = facts_in(compiled(config, FILLING, reduce="none")[0])
    for reduce in ("inert", "halting", "deferral", "inert,deferral"):
        assert facts_in(compiled(config, FILLING, reduce=reduce)[0]) == unreduced
    symmetric = facts_in(compiled(config, FILLING, reduce="all")[0])
    assert symmetric <= unreduced and {fact.slot for fact in symmetric if fact.command == NOOP} == {1}


class PerformNoop(Replica):
    """Puts the no-op into the application's log, as an implementation does that forgets to look."""

    def perform(self, state: ReplicaState, command: Command) -> Outcome:
        if command != NOOP:
            return super().perform(state, command)
        application, _ = self.system.application.apply(state.application, command)
        return Outcome(state.__class__(**{**state.__dict__, "slot_out": state.slot_out + 1, "application": application}))


def test_a_replica_that_performs_the_no_op_breaks_r3() -> None:
    protocol = variant(PerformNoop, base=FILLING)
    result = searched(small(**HOLE), protocol, ["R3"])
    assert result.verdict == VIOLATED and result.violation is not None
    assert "[noop" in result.violation.how
