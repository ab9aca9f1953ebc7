"""The acceptor (figure 4 of the paper): the fault-tolerant memory of Paxos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pmmc_check.protocol.messages import Message, P1a, P1b, P2a, P2b
from pmmc_check.protocol.role import Outcome, Outcomes, Role, Send, replace
from pmmc_check.protocol.values import ACCEPTOR, BOTTOM, Ballot, Command, ProcessId, PValue, commander_id, scout_id


@dataclass(frozen=True)
class AcceptorState:
    """The promised ballot, and all pvalues ever accepted."""

    ballot: Ballot = BOTTOM
    accepted: frozenset[PValue] = frozenset()


class Acceptor(Role):
    """Promises (`p1a`) and accepts (`p2a`); the ballot never decreases, accepted never shrinks."""

    role = ACCEPTOR
    symmetric = True

    def start(self, command: Command | None = None) -> Outcome:
        """Below every ballot, nothing accepted."""
        return Outcome(AcceptorState())

    def step(self, state: AcceptorState, message: Message) -> Outcomes:
        """Answers every p1a and p2a with its own ballot."""
        if isinstance(message, P1a):
            return [self.promise(state, message)]
        if isinstance(message, P2a):
            return [self.accept(state, message)]
        return [Outcome(state)]

    def promise(self, state: AcceptorState, message: P1a) -> Outcome:
        """`p1a(b)`: raises the ballot to b if b is higher."""
        after = replace(state, ballot=max(state.ballot, message.ballot))
        return Outcome(after, (self.p1b(after, message.ballot),))

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`: accepts only while b is its ballot."""
        if message.ballot == state.ballot:
            state = replace(state, accepted=state.accepted | {PValue(message.ballot, message.slot, message.command)})
        return Outcome(state, (self.p2b(state, message),))

    def restart(self, state: AcceptorState) -> Outcome:
        """Ballot and accepted are durable: a promise or an acceptance was written before it was answered."""
        return Outcome(state)

    def p1b(self, state: AcceptorState, asked: Ballot) -> Send:
        """The answer to the scout of ballot `asked`."""
        return Send(scout_id(asked), P1b(self.me, state.ballot, state.accepted))

    def p2b(self, state: AcceptorState, asked: P2a) -> Send:
        """The answer to the commander that sent `asked`."""
        return Send(commander_id(asked.ballot, asked.slot), P2b(self.me, state.ballot))

    def only_halts(self, state: AcceptorState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """A ballot below its own stays below: the acceptor never changes for it, and answers with a ballot that only grows."""
        if state is not None and isinstance(message, P1a) and message.ballot < state.ballot:
            return (self.p1b(state, message.ballot),)
        if state is not None and isinstance(message, P2a) and message.ballot < state.ballot:
            return (self.p2b(state, message),)
        return None
