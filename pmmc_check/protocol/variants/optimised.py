"""The paper's optimisations (its section 4), no-ops for holes, and the two fixes of the stuck slot: variants that must stay safe.

Where acceptors forget pvalues on purpose, A3 is not what is asked of them; A5 and C2 speak of what a quorum *has* accepted, so these
acceptors carry a ghost variable, `ever`, with all that they ever accepted. Nothing but invariants reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from pmmc_check.protocol.acceptor import Acceptor, AcceptorState
from pmmc_check.protocol.commander import Commander, CommanderState
from pmmc_check.protocol.leader import Leader, LeaderState
from pmmc_check.protocol.messages import Adopted, Decision, Message, P1b, P2a, P2b, Propose
from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Outcome, Outcomes, Send, broadcast
from pmmc_check.protocol.scout import Scout, ScoutState
from pmmc_check.protocol.values import NOOP, Ballot, Command, ProcessId, Proposals, PValue, SlotCommand, scout_id, update


class IgnoreLowerP2b(Commander):
    """Fix of the stuck slot: a lower ballot in p2b says only that the p2a came before the p1a, and is ignored."""

    symmetric = True

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        """`p2b(a, b')` with b' < b changes nothing."""
        if isinstance(message, P2b) and message.ballot < self.ballot:
            return [Outcome(state)]
        return super().step(state, message)

    def ignores(self, state: CommanderState, message: Message) -> bool:
        """A lower ballot is ignored in every state; else as in the paper."""
        return isinstance(message, P2b) and (message.ballot < self.ballot or super().ignores(state, message))

    def only_halts(self, state: CommanderState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """A lower ballot does nothing, a higher one ends the commander."""
        if isinstance(message, P2b) and message.ballot < self.ballot:
            return ()
        return super().only_halts(state, message, sender)


class RaiseOnAccept(Acceptor):
    """The other fix: a p2a of a ballot that is not lower is accepted, and raises the ballot as a p1a would."""

    symmetric = True
    only_halts = Acceptor.only_halts

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: accepts when b ≥ ballot."""
        return super().accept(replace(state, ballot=max(state.ballot, message.ballot)), message)


@dataclass(frozen=True)
class ForgettingState(AcceptorState):
    """`ever`: a ghost, all pvalues ever accepted. `performed`: how far each replica has performed; `collected`: how far all have."""

    ever: frozenset[PValue] = frozenset()
    performed: frozenset[tuple[ProcessId, int]] = frozenset()
    collected: int = 0


class StateReduction(Acceptor):
    """Keeps only the pvalue with the highest ballot of each slot: pmax needs no other."""

    symmetric = True
    only_halts = Acceptor.only_halts

    def start(self, command: Command | None = None) -> Outcome:
        """Nothing accepted."""
        return Outcome(ForgettingState())

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: b is the acceptor's ballot, so what it had for the slot is not higher."""
        outcome = super().accept(state, message)
        new = outcome.state.accepted - state.accepted
        if not new:
            return outcome
        accepted = new | {each for each in state.accepted if each.slot != message.slot}
        return outcome._replace(state=replace(outcome.state, accepted=accepted, ever=outcome.state.ever | new))


@dataclass(frozen=True, slots=True)
class Performed(Message):
    """replica → every acceptor: it has performed all slots up to `slot`."""

    replica: ProcessId
    slot: int


@dataclass(frozen=True, slots=True)
class P1bCollected(P1b):
    """A p1b that also says up to which slot pvalues have been collected."""

    kind: ClassVar[str] = "p1b"
    collected: int


@dataclass(frozen=True, slots=True)
class AdoptedCollected(Adopted):
    """An adopted with the highest collected slot among its p1bs."""

    kind: ClassVar[str] = "adopted"
    collected: int


class ReportingReplica(Replica):
    """Tells the acceptors how far it has performed."""

    symmetric = True
    ignores = Replica.ignores

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        """As in the paper; whenever slot_out has moved, a report."""
        for after, sends in super().step(state, message):
            report = broadcast(self.system.acceptors, Performed(self.me, after.slot_out - 1)) if after.slot_out > state.slot_out else ()
            yield Outcome(after, sends + report)


class CollectingAcceptor(Acceptor):
    """Discards the pvalues of slots that every replica has performed, and says so in p1b."""

    symmetric = True
    only_halts = Acceptor.only_halts

    def start(self, command: Command | None = None) -> Outcome:
        """Nothing accepted, nothing collected."""
        return Outcome(ForgettingState())

    def step(self, state: AcceptorState, message: Message) -> Outcomes:
        """Also takes reports."""
        return [self.collect(state, message)] if isinstance(message, Performed) else super().step(state, message)

    def collect(self, state: AcceptorState, message: Performed) -> Outcome:
        """`performed(r, s)`: forgets what all replicas have performed."""
        assert isinstance(state, ForgettingState)
        slots = dict(state.performed)
        slots[message.replica] = max(message.slot, slots.get(message.replica, 0))
        collected = min(slots.get(replica, 0) for replica in self.system.replicas)
        accepted = frozenset(each for each in state.accepted if each.slot > collected)
        return Outcome(replace(state, performed=frozenset(slots.items()), collected=collected, accepted=accepted))

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: as in the paper."""
        outcome = super().accept(state, message)
        return outcome._replace(state=replace(outcome.state, ever=outcome.state.ever | outcome.state.accepted))

    def p1b(self, state: AcceptorState, asked: Ballot) -> Send:
        """The answer to the scout, with the collected slot."""
        assert isinstance(state, ForgettingState)
        return Send(scout_id(asked), P1bCollected(self.me, state.ballot, state.accepted, state.collected))


class CollectingAcceptorSilent(CollectingAcceptor):
    """Seeded fault: discards pvalues without saying so."""

    symmetric = True
    only_halts = Acceptor.only_halts

    def p1b(self, state: AcceptorState, asked: Ballot) -> Send:
        """The paper's p1b."""
        return Send(scout_id(asked), P1b(self.me, state.ballot, state.accepted))


@dataclass(frozen=True)
class CollectedScoutState(ScoutState):
    """Also the highest collected slot so far."""

    collected: int = 0


class CollectedScout(Scout):
    """Passes the highest collected slot on."""

    symmetric = True
    only_halts = Scout.only_halts

    def step(self, state: ScoutState, message: Message) -> Outcomes:
        """`p1b(a, b', r, collected)`."""
        for after, sends in super().step(state, message):
            collected = max(getattr(state, "collected", 0), getattr(message, "collected", 0))
            adopted = tuple(
                Send(to, AdoptedCollected(sent.ballot, sent.pvalues, collected)) if isinstance(sent, Adopted) else Send(to, sent)
                for to, sent in sends
            )
            keeps = isinstance(after, ScoutState)
            yield Outcome(CollectedScoutState(after.waitfor, after.pvalues, collected) if keeps else after, adopted)


@dataclass(frozen=True)
class CollectedLeaderState(LeaderState):
    """Also the highest collected slot that it knows of."""

    collected: int = 0


class CollectedLeader(Leader):
    """Proposes nothing for slots that have been collected: they are decided, and every replica has performed them."""

    symmetric = True
    starts_once = True

    def start(self, command: Command | None = None) -> Outcome:
        """Knows of no collected slot."""
        outcome = super().start(command)
        return outcome._replace(state=CollectedLeaderState(outcome.state.ballot))

    def propose(self, state: LeaderState, message: Propose) -> Outcome:
        """`propose(s, c)`, unless s has been collected."""
        return Outcome(state) if message.slot <= getattr(state, "collected", 0) else super().propose(state, message)

    def adopted(self, state: LeaderState, message: Adopted) -> Outcomes:
        """`adopted(b, pvals, collected)`."""
        collected = max(getattr(state, "collected", 0), getattr(message, "collected", 0))
        open_slots = frozenset(each for each in state.proposals if each.slot > collected)
        pvalues = frozenset(each for each in message.pvalues if each.slot > collected)
        if message.ballot != state.ballot or state.active:
            return [Outcome(state)]
        assert isinstance(state, CollectedLeaderState)
        return super().adopted(replace(state, collected=collected, proposals=open_slots), replace(message, pvalues=pvalues))


class TellingCommander(Commander):
    """Sends the decision to the leaders, too."""

    symmetric = True
    ignores = Commander.ignores
    only_halts = Commander.only_halts

    def decide(self, command: Command) -> tuple[Send, ...]:
        """Tells every replica and every leader."""
        return super().decide(command) + broadcast(self.system.leaders, Decision(self.me.slot, command))


@dataclass(frozen=True)
class InformedLeaderState(LeaderState):
    """Also the decisions that it knows."""

    decisions: Proposals = frozenset()


class InformedLeader(Leader):
    """Knows decisions: a decided slot keeps its command, and needs no commander any more."""

    symmetric = True
    starts_once = True

    def start(self, command: Command | None = None) -> Outcome:
        """Knows no decision."""
        outcome = super().start(command)
        return outcome._replace(state=InformedLeaderState(outcome.state.ballot))

    def step(self, state: LeaderState, message: Message) -> Outcomes:
        """Also takes decisions."""
        if not isinstance(message, Decision):
            return super().step(state, message)
        assert isinstance(state, InformedLeaderState)
        known = state.decisions | {SlotCommand(message.slot, message.command)}
        return [Outcome(replace(state, decisions=known, proposals=update(state.proposals, known)))]

    def adopted(self, state: LeaderState, message: Adopted) -> Outcomes:
        """`adopted(b, pvals)`: commanders for what is not known to be decided."""
        assert isinstance(state, InformedLeaderState)
        decided = {slot for slot, _ in state.decisions}
        for after, _ in super().adopted(state, message):
            if after == state:
                yield Outcome(state)
                continue
            proposals = update(after.proposals, state.decisions)
            undecided = frozenset(each for each in proposals if each.slot not in decided)
            yield Outcome(replace(after, proposals=proposals), self.spawn_commanders(after.ballot, undecided))


class FillHoles(Leader):
    """Proposes the no-op for every hole below the highest slot that it learns of when it is adopted.

    Else such a slot waits until some replica proposes a request for it, and the slots behind it with it. After a reconfiguration the slots
    before the lowest that it learns of may be those of the configuration before: they are for other leaders, and other acceptors, to fill.
    """

    symmetric = True
    starts_once = True
    ignores = Leader.ignores
    only_halts = Leader.only_halts

    def adopted(self, state: LeaderState, message: Adopted) -> Outcomes:
        """`adopted(b, pvals)`: as in the paper, with no-ops for the slots below the last of pvals that have no proposal."""
        learnt = [pvalue.slot for pvalue in message.pvalues]
        highest = max(learnt, default=0)
        first = 1 if self.me in self.system.initial_leaders else min(learnt, default=1)
        for after, sends in super().adopted(state, message):
            holes = {SlotCommand(slot, NOOP) for slot in range(first, highest) if not after.proposes_for(slot)}
            if after == state or not holes:
                yield Outcome(after, sends)
            else:
                proposals = after.proposals | holes
                yield Outcome(replace(after, proposals=proposals), self.spawn_commanders(after.ballot, proposals))
