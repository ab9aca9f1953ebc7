"""Variants that concern progress alone: leaders that give way to each other, leaders that send proposals back, and faults of both.

All are safe. Those that are no faults decide everything in every fair run (FairProgress), though some run that keeps others waiting goes on
for ever; the faults go on for ever, or end, in a fair run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from pmmc_check.protocol.leader import Leader, LeaderState
from pmmc_check.protocol.messages import Adopted, Message, Preempted, Propose
from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Outcome, Outcomes, Send
from pmmc_check.protocol.values import Ballot, Command, ProcessId, SlotCommand, leader_id


@dataclass(frozen=True, slots=True)
class Ping(Message):
    """A leader that gives way → the one to which it does: are you there?"""

    leader: ProcessId


@dataclass(frozen=True, slots=True)
class Pong(Message):
    """The answer."""

    leader: ProcessId


@dataclass(frozen=True)
class PoliteState(LeaderState):
    """Also the leader to which it gives way."""

    gives_way_to: ProcessId | None = None


class BackOff(Leader):
    """Gives way when it is preempted: takes no higher ballot as long as the leader that preempted it answers, and asks it again and again.

    In the model nothing that is sent on a network without loss stays without an answer, so it gives way for good.
    """

    symmetric = True
    starts_once = True

    def start(self, command: Command | None = None) -> Outcome:
        """Gives way to nobody."""
        outcome = super().start(command)
        return outcome._replace(state=PoliteState(outcome.state.ballot))

    def step(self, state: LeaderState, message: Message) -> Outcomes:
        """Also answers, and goes on asking."""
        assert isinstance(state, PoliteState)
        if isinstance(message, Ping):
            return [self.pinged(state, message)]
        if isinstance(message, Pong):
            return [Outcome(state, self.ping(message.leader) if message.leader == state.gives_way_to else ())]
        return super().step(state, message)

    def adopted(self, state: LeaderState, message: Adopted) -> Outcomes:
        """`adopted(b, pvals)`, unless it gives way."""
        assert isinstance(state, PoliteState)
        return [Outcome(state)] if state.gives_way_to is not None else super().adopted(state, message)

    def preempted(self, state: LeaderState, message: Preempted) -> Outcome:
        """`preempted(b')`: gives way to the leader of b', if it gives way to nobody yet."""
        assert isinstance(state, PoliteState)
        if message.ballot <= state.ballot or state.gives_way_to is not None:
            return Outcome(state)
        return self.give_way(state, leader_id(message.ballot))

    def pinged(self, state: PoliteState, message: Ping) -> Outcome:
        """It is there."""
        return Outcome(state, (Send(message.leader, Pong(self.me)),))

    def give_way(self, state: PoliteState, other: ProcessId) -> Outcome:
        """Uses its ballot no more, and asks whether `other` is there."""
        return Outcome(replace(state, active=False, gives_way_to=other), self.ping(other))

    def ping(self, other: ProcessId) -> tuple[Send, ...]:
        """Asks `other`."""
        return (Send(other, Ping(self.me)),)


class AfterYou(BackOff):
    """Gives way also to a leader that asks whether it is there, which is giving way to it."""

    symmetric = True
    starts_once = True

    def pinged(self, state: PoliteState, message: Ping) -> Outcome:
        """It is there, and lets the other go first."""
        answer = super().pinged(state, message)
        if state.gives_way_to is not None:
            return answer
        waiting = self.give_way(state, message.leader)
        return waiting._replace(sends=answer.sends + waiting.sends)


@dataclass(frozen=True, slots=True)
class ProposeFrom(Propose):
    """A propose that says which replica sends it."""

    kind: ClassVar[str] = "propose"
    replica: ProcessId


@dataclass(frozen=True, slots=True)
class SentBack(Message):
    """leader → replica: not now."""

    slot: int
    command: Command
    leader: ProcessId


@dataclass(frozen=True, slots=True)
class ProposeAgain(Message):
    """replica → the leader that has sent its proposal back."""

    slot: int
    command: Command
    replica: ProcessId


class SendingBack(Leader):
    """Takes proposals only while it is active, and sends others back."""

    symmetric = True
    starts_once = True

    def step(self, state: LeaderState, message: Message) -> Outcomes:
        """A proposal may come again."""
        if isinstance(message, ProposeAgain):
            return super().step(state, ProposeFrom(message.slot, message.command, message.replica))
        return super().step(state, message)

    def propose(self, state: LeaderState, message: Propose) -> Outcome:
        """`propose(s, c)`: taken, or sent back."""
        if state.active or state.proposes_for(message.slot) or not isinstance(message, ProposeFrom):
            return super().propose(state, message)
        return Outcome(state, (Send(message.replica, SentBack(message.slot, message.command, self.me)),))


class ProposingAgain(Replica):
    """Proposes again what a leader sends back, as long as its slot is open."""

    symmetric = True

    def step(self, state: ReplicaState, message: Message) -> Outcomes:
        """Also takes what is sent back."""
        if not isinstance(message, SentBack):
            return super().step(state, message)
        still = SlotCommand(message.slot, message.command) in state.proposals
        return [Outcome(state, (Send(message.leader, ProposeAgain(message.slot, message.command, self.me)),) if still else ())]

    def assign(self, state: ReplicaState, command: Command, sends: tuple[Send, ...]) -> Outcome:
        """Says from whom its proposals come."""
        after, sent = super().assign(state, command, ())
        return Outcome(after, sends + tuple(self.signed(each) for each in sent))

    def signed(self, sent: Send) -> Send:
        """The same, with its name on it if it is a proposal."""
        message = sent.message
        return Send(sent.to, ProposeFrom(message.slot, message.command, self.me)) if isinstance(message, Propose) else sent


class WaitsForWork(SendingBack):
    """Begins its first ballot only when it has something to propose; but it takes no proposal before its ballot is adopted."""

    symmetric = True
    starts_once = True

    def start(self, command: Command | None = None) -> Outcome:
        """Without a scout."""
        return super().start(command)._replace(sends=())

    def propose(self, state: LeaderState, message: Propose) -> Outcome:
        """`propose(s, c)`: the first that is taken begins its ballot."""
        outcome = super().propose(state, message)
        first = not state.active and not state.proposals and bool(outcome.state.proposals)
        return outcome._replace(sends=outcome.sends + self.spawn_scout(state.ballot)) if first else outcome


class ForgetProposals(Leader):
    """Forgets what was proposed to it when it is preempted."""

    symmetric = True
    starts_once = True

    def campaign(self, state: LeaderState, ballot: Ballot) -> Outcome:
        """Begins `ballot` with nothing to propose."""
        return super().campaign(replace(state, proposals=frozenset()), ballot)
