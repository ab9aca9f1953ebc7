"""The premises: stock roles satisfy them, and roles for which one slot does not stand for all are refused, with a witness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from helpers import A1, B01, B02, B11, C1, C2, C3, L1, PMMC, R2, Config, compiled, pv, small

from pmmc_check.checker.any_slots.environment import Environment
from pmmc_check.checker.any_slots.one_slot import OF_ONE_SLOT, Scope
from pmmc_check.checker.any_slots.premises import PremiseFailed, PremisesReport, check_premises
from pmmc_check.checker.any_slots.projection import GONE, Projection
from pmmc_check.checker.any_slots.simulation import Comparison
from pmmc_check.errors import ProtocolError
from pmmc_check.protocol import (
    Acceptor,
    AcceptorState,
    Command,
    Commander,
    Decision,
    Leader,
    LeaderState,
    Message,
    Outcome,
    P1b,
    P2a,
    Preempted,
    Propose,
    Protocol,
    PValue,
    Scout,
    Send,
    SlotCommand,
    variant,
)
from pmmc_check.protocol.role import Lifecycle, Outcomes
from pmmc_check.protocol.values import Ballot, ProcessId, Proposals, commander_id, scout_id
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.verdicts import HOLDS

BALLOTWISE = Scope(Config(acceptors=3, slots=1), ballots=4)
BOUNDED = Scope(Config(acceptors=3, slots=1, leaders=2, rounds=2))


def checked(protocol: Protocol, scope: Scope = BALLOTWISE) -> PremisesReport:
    return check_premises(scope, protocol)


@pytest.mark.parametrize("scope", [BALLOTWISE, BOUNDED], ids=["ballots", "leaders and rounds"])
def test_the_papers_roles_satisfy_them(scope: Scope) -> None:
    report = checked(PMMC, scope)
    assert report.complete
    assert [each.name for each in report.results if each.name != "ballotwise"] == [
        "slotwise",
        "opaque commands",
        "replicas alike",
        "all at once",
    ]
    assert all(each.steps > report.local_steps / 4 and not each.weaker for each in report.results)


def test_an_acceptor_that_raises_its_ballot_on_a_p2a_needs_the_weaker_form() -> None:
    report = checked(protocol_with(["raise-on-accept"]))
    assert sum(each.weaker for each in report.results) > 0


def refused(protocol: Protocol, scope: Scope = BALLOTWISE) -> str:
    with pytest.raises(PremiseFailed) as caught:
        checked(protocol, scope)
    return str(caught.value)


class ReportsHighestSlot(Acceptor):
    """Two slots: a p1b tells of the highest slot only, so what was accepted in a lower one is forgotten."""

    symmetric = True

    def p1b(self, state: AcceptorState, asked: Ballot) -> Send:
        highest = max((each.slot for each in state.accepted), default=0)
        return Send(scout_id(asked), P1b(self.me, state.ballot, frozenset(each for each in state.accepted if each.slot == highest)))


class KeepsOne(Acceptor):
    """Two slots: a log of one entry, which the next slot's overwrites."""

    symmetric = True

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        outcome = super().accept(state, message)
        kept = frozenset(each for each in outcome.state.accepted if each.slot == message.slot)
        return outcome._replace(state=replace(outcome.state, accepted=kept)) if kept else outcome


class TakesAnySlot(Leader):
    """Two slots: what it adopts for one slot it takes for the slot that it has a proposal for."""

    symmetric = True
    starts_once = True

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Iterable[Proposals]:
        if not (proposals and pvalues):
            return super().merge(proposals, pvalues)
        slot = min(proposals).slot
        return super().merge(proposals, frozenset(each._replace(slot=slot) for each in pvalues))


class DecidesBoth(Commander):
    """Two slots: a commander of slot 2 decides for slot 1 as well."""

    symmetric = True

    def decide(self, command: Command) -> tuple[Send, ...]:
        both = [Send(replica, Decision(slot, command)) for replica in self.system.replicas for slot in range(1, self.me.slot + 1)]
        return tuple(both)


class CountsProposals(Leader):
    """Two slots: it takes no second proposal, whatever slot that is for. Safe, but slots are not independent."""

    symmetric = True
    starts_once = True

    def propose(self, state: LeaderState, message: Propose) -> Outcome:
        return Outcome(state) if state.proposals else super().propose(state, message)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("faulty", [ReportsHighestSlot, KeepsOne, TakesAnySlot, CountsProposals, DecidesBoth])
def test_what_shows_in_two_slots_only_is_refused(faulty: type) -> None:
    """In one slot nothing is wrong with them. Of each role one is tried by default."""
    roles = variant(faulty)
    _, one_slot = compiled(small(acceptors=1, leaders=2, commands=2), variant(Environment, base=roles), invariants=OF_ONE_SLOT)
    assert one_slot.verdict == HOLDS
    assert "“slotwise” does not hold" in refused(roles)


def test_a_p2b_that_is_not_matched_on_its_slot_is_refused_with_the_step_that_shows_it() -> None:
    text = refused(protocol_with(["p2b-any-slot"]))
    assert "“slotwise” does not hold: A1 with (ballot 0.L1, accepted {}) receives p2a(0.L1, 2, c2), which is about another slot" in text
    assert "and sends p2b(A1, 0.L1) → commander(0.L1,1)" in text
    assert "--slots 2" in text


class PrefersFirst(Scout):
    """Looks at commands: drops a pvalue of the second."""

    symmetric = False

    def collect(self, state, message: P1b) -> frozenset[PValue]:  # type: ignore[no-untyped-def]
        return frozenset(each for each in super().collect(state, message) if each.command != self.system.commands[1])


def test_a_role_that_looks_at_commands_is_refused() -> None:
    assert "“opaque commands” does not hold" in refused(variant(PrefersFirst))


def test_a_role_that_tells_replicas_apart_is_refused() -> None:
    class OnlyLast(Commander):
        def decide(self, command: Command) -> tuple[Send, ...]:
            last = len(self.system.replicas) > 1
            return super().decide(command)[:1] + ((Send(self.me, P1b(ProcessId("acceptor", 1), B01, frozenset())),) if last else ())

    assert "“replicas alike” does not hold" in refused(variant(OnlyLast))


class RemembersAdoption(Leader):
    """Ballots: stays active when it enters a new one."""

    symmetric = True

    def preempted(self, state: LeaderState, message) -> Outcome:  # type: ignore[no-untyped-def]
        outcome = super().preempted(state, message)
        return outcome._replace(state=replace(outcome.state, active=state.active)) if isinstance(outcome.state, LeaderState) else outcome


class TrustsRoundOne(Acceptor):
    """Ballots: accepts whatever has round 1."""

    symmetric = True

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        if message.ballot.round == 1:
            state = replace(state, ballot=message.ballot)
        return super().accept(state, message)


@pytest.mark.parametrize("faulty", [TrustsRoundOne, pytest.param(RemembersAdoption, marks=pytest.mark.slow)])
def test_what_shows_in_later_rounds_only_is_refused_with_ballots_and_taken_with_leaders_and_rounds(faulty: type) -> None:
    text = refused(variant(faulty))
    assert "“ballotwise” does not hold" in text
    assert "--slots any --leaders 2 --rounds 2" in text


@pytest.mark.slow
def test_a_fault_of_later_rounds_can_be_looked_for_with_leaders_and_rounds() -> None:
    checked(variant(TrustsRoundOne), BOUNDED)


class ActsOnRetiring(Leader):
    """Ballots: creates a commander when it retires, but only in a later round, which the projected leader does not know."""

    symmetric = True

    def preempted(self, state: LeaderState, message: Preempted) -> Outcome:
        outcome = super().preempted(state, message)
        if outcome.state is Lifecycle.EXITED and state.ballot.round == 1 and state.proposals:
            return outcome._replace(sends=self.spawn_commanders(state.ballot, state.proposals))
        return outcome


def test_what_a_leader_does_on_retiring_is_compared_like_any_other_step() -> None:
    assert "“ballotwise” does not hold" in refused(variant(ActsOnRetiring))


class Tires(Acceptor):
    """Not a function of its arguments: it answers every pair of questions alike, and accepts nothing after the thirtieth."""

    asked = 0

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        self.asked += 1
        return super().accept(state, message) if self.asked <= 30 else Outcome(state, (self.p2b(state, message),))


def test_a_role_that_answers_otherwise_later_is_found_out() -> None:
    with pytest.raises(ProtocolError, match=r"Tires\.step is not deterministic"):
        checked(variant(Tires))


class Broken(Acceptor):
    """Cannot be asked about a system of many leaders."""

    def step(self, state: AcceptorState, message: Message) -> Outcomes:
        assert len(self.system.leaders) < 4
        return super().step(state, message)


def test_a_role_that_fails_in_the_projected_system_is_refused_by_name() -> None:
    assert "Broken.step of A1 raised AssertionError" in refused(variant(Broken))


@dataclass(frozen=True)
class DependsOnSlots:
    """A state whose ballot is none that it keeps: it is read off what was accepted, in whichever slot."""

    accepted: frozenset[PValue]

    @property
    def ballot(self) -> Ballot:
        return max(each.ballot for each in self.accepted)


def test_a_variable_that_depends_on_other_slots_is_found_out() -> None:
    comparison = Comparison(Projection(slot=1), BALLOTWISE.one_slot(PMMC))
    one, two = frozenset({pv(B01, 1, C1)}), frozenset({pv(B01, 1, C1), pv(B02, 2, C1)})
    assert comparison.variables(A1, DependsOnSlots(one)) is None
    assert "its ballot would be read as 0.L1 after projection" in (comparison.variables(A1, DependsOnSlots(two)) or "")


class TestProjection:
    """What is left of values."""

    state = LeaderState(B11, active=True, proposals=frozenset({SlotCommand(1, C1), SlotCommand(2, C2)}))

    def test_one_slot_is_left_and_is_called_the_first(self) -> None:
        left = Projection(slot=2).of(self.state)
        assert left == LeaderState(B11, active=True, proposals=frozenset({SlotCommand(1, C2)}))

    def test_what_is_of_another_slot_is_gone(self) -> None:
        projection = Projection(slot=1)
        assert projection.of(P2a(B01, 2, C1)) is GONE
        assert projection.of(commander_id(B01, 2)) is GONE
        assert projection.of(P1b(A1, B02, frozenset({pv(B01, 2, C1)}))) == P1b(A1, B02, frozenset())

    def test_commands_are_mapped_wherever_they_stand(self) -> None:
        assert Projection(commands={C3: C2, C1: C2}).of(self.state).proposals == frozenset({SlotCommand(1, C2), SlotCommand(2, C2)})

    def test_ballots_are_mapped_and_with_them_who_owns_them(self) -> None:
        projection = Projection(ballots={B01: B01, B11: B02})
        assert projection.of(scout_id(B11)) == scout_id(B02)
        assert projection.of(commander_id(B11, 2)) == commander_id(B02, 2)
        assert projection.of(self.state).ballot == B02
        assert projection.leader(L1, B11) == ProcessId("leader", 2)

    def test_replicas_become_one(self) -> None:
        assert Projection(one_replica=True).sends((Send(R2, Decision(1, C1)), Send(R2, Decision(1, C1)))) == {
            Send(ProcessId("replica", 1), Decision(1, C1))
        }
