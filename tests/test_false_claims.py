"""No claim is believed: a role that claims what is not true ends the search with exit code 2 and the step that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from helpers import small

from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Result
from pmmc_check.errors import ProtocolError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import (
    Acceptor,
    AcceptorState,
    Commander,
    CommanderState,
    Decision,
    Leader,
    LeaderState,
    Message,
    Outcome,
    P1b,
    P2a,
    P2b,
    Preempted,
    ProcessId,
    Propose,
    PValue,
    Replica,
    ReplicaState,
    Request,
    Role,
    Scout,
    ScoutState,
    Send,
    System,
    variant,
)
from pmmc_check.protocol.role import Outcomes, replace
from pmmc_check.protocol.values import Command, Proposals
from pmmc_check.protocol.variants.acceptors import AcceptLowerBallot
from pmmc_check.protocol.variants.leaders import NoBallotBump, OverwriteProposal

TWO = {"leaders": 2, "commands": 2}


class Picky(Leader):
    """Loses what it adopts of one client."""

    symmetric = True
    starts_once = True

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Any:
        """Client 1 has no luck."""
        return super().merge(proposals, frozenset(each for each in pvalues if each.command.client.number != 1))


class FirstAcceptorNods(Acceptor):
    """One acceptor says yes to everything, because of what its constructor has looked at."""

    symmetric = True

    def __init__(self, me: ProcessId, system: System) -> None:
        super().__init__(me, system)
        self.nods = me.number == 1

    def p2b(self, state: AcceptorState, asked: P2a) -> Send:
        """The p2a's own ballot."""
        return super().p2b(replace(state, ballot=asked.ballot) if self.nods else state, asked)


class LuckySlot(Replica):
    """Forgets to perform one command, and only in the last slot, after the other: deep in the search."""

    symmetric = True

    def perform(self, state: ReplicaState, command: Command) -> Outcome:
        """Client 2 is passed over where it comes second."""
        if state.slot_out == 2 and command.client.number == 2:
            return Outcome(replace(state, slot_out=3))
        return super().perform(state, command)


class DeafReplica(Replica):
    """Claims to ignore requests."""

    def ignores(self, state: ReplicaState, message: Message) -> bool:
        """False from the start."""
        return isinstance(message, Request)


class BusyLeader(Leader):
    """Takes no proposals while it is passive. That is true of the state; but it does not stay passive."""

    def propose(self, state: LeaderState, message: Propose) -> Outcome:
        """Only while active."""
        return super().propose(state, message) if state.active else Outcome(state)

    def ignores(self, state: LeaderState, message: Message) -> bool:
        """True now, and false later: the message would have left the view for good."""
        return isinstance(message, Propose) and not state.active


class ForgetfulReplica(Replica):
    """Takes no decision for slot 2 before slot 1 is performed, and claims to ignore it: false two decisions later."""

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        """Decisions out of order are passed over."""
        if self.ignores(state, message):
            return [Outcome(state)]
        return super().step(state, message)

    def ignores(self, state: ReplicaState, message: Message) -> bool:
        """True until slot 1 is performed."""
        return isinstance(message, Decision) and message.slot > state.slot_out


class AcceptsAfterAll(AcceptLowerBallot):
    """Takes the paper's claim over, though it accepts lower ballots."""

    only_halts = Acceptor.only_halts


class QuietScout(Scout):
    """Claims that a preemption stops it and nothing else."""

    def only_halts(self, state: ScoutState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """It tells its leader, too."""
        return () if isinstance(message, P1b) and message.ballot != self.ballot else None


class UnmovedLeader(Leader):
    """Claims of every state that a preemption can only stop it, as if there were no further round."""

    starts_once = True

    def only_halts(self, state: LeaderState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """Only true in the last round."""
        return () if isinstance(message, Preempted) else None


class PatientCommander(Commander):
    """Takes any ballot for an acceptance once it has one acceptance; claims of the first state that any other ballot stops it."""

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        """The second answer counts, whatever it says."""
        if isinstance(message, P2b) and len(state.waitfor) < len(self.acceptors):
            return super().step(state, replace(message, ballot=self.ballot))
        return super().step(state, message)

    def only_halts(self, state: CommanderState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """True of the first state, not of the second."""
        fresh = state is not None and len(state.waitfor) == len(self.acceptors)
        return self.preempted(message.ballot) if fresh and isinstance(message, P2b) and message.ballot != self.ballot else None


class OverwritesOnce(OverwriteProposal):
    """Creates a slot's commander a second time, and denies it."""

    starts_once = True


class TriesOnce(NoBallotBump):
    """Creates the same scout again and again, and denies it."""

    starts_once = True


FALSE: dict[str, tuple[tuple[type[Role], ...], dict[str, Any], list[str]]] = {
    "symmetric, of commands": ((Picky,), TWO, ["Picky claims symmetric", "does not treat c1 and c2 alike"]),
    "symmetric, of acceptors": ((FirstAcceptorNods,), {"acceptors": 2, "leaders": 2}, ["FirstAcceptorNods claims symmetric", "A1 and A2"]),
    "symmetric, deep": ((LuckySlot,), {"slots": 2, "commands": 2}, ["LuckySlot claims symmetric", "decision(", "slot_out 3"]),
    "ignores, at once": ((DeafReplica,), TWO, ["DeafReplica claims ignores request(", "takes notice of it;"]),
    "ignores, in the next state": ((BusyLeader,), TWO, ["BusyLeader claims ignores propose(1", "in a state that follows", "claimed in"]),
    "ignores, deep": (
        (ForgetfulReplica,),
        {"slots": 2, "commands": 2},
        ["ForgetfulReplica claims ignores decision(2", "in a state that follows", "slot_out 2"],
    ),
    "only_halts, but it changes": ((AcceptsAfterAll,), TWO, ["AcceptsAfterAll claims only_halts of p2a(", "the state changes"]),
    "only_halts, but it sends": ((QuietScout,), TWO, ["QuietScout claims only_halts of p1b(", "is not like what the claim says is sent"]),
    "only_halts, of every state": (
        (UnmovedLeader,),
        {"leaders": 2, "rounds": 2},
        ["UnmovedLeader claims only_halts of preempted(", "the state changes", "every state that it may have once the sender exists"],
    ),
    "only_halts, in a later state": (
        (PatientCommander,),
        {"leaders": 2, "acceptors": 3},
        ["PatientCommander claims only_halts of p2b(", "decision(1, c1)"],
    ),
    "starts_once, of a commander": (
        (OverwritesOnce,),
        {"commands": 2, "replicas": 2},
        ["OverwritesOnce claims starts_once", "a second time"],
    ),
    "starts_once, of a scout": ((TriesOnce,), {"leaders": 2, "acceptors": 2}, ["TriesOnce claims starts_once", "a second time"]),
}
"""Roles, the counts of the configuration, and what the message must say."""

every_false_claim = pytest.mark.parametrize(("roles", "counts", "said"), FALSE.values(), ids=FALSE)


def searched(roles: Sequence[type[Role]], counts: dict[str, Any], **how: Any) -> Result:
    model, invariants = Model(small(**counts), variant(*roles)), invariants_named([])
    reductions, _ = applicable(reductions_named("all"), model, invariants)
    return CompiledSearch(model, invariants, Control(), reductions, **how).run()


@every_false_claim
def test_a_false_claim_ends_the_search_and_its_step_is_shown(roles: Sequence[type[Role]], counts: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ProtocolError) as caught:
        searched(roles, counts)
    for text in said:
        assert text in str(caught.value)
