"""The scout (figure 6a of the paper): collects promises for one ballot, with all that was accepted below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pmmc_check.protocol.messages import Adopted, Message, P1a, P1b, Preempted
from pmmc_check.protocol.role import Lifecycle, Outcome, Outcomes, Role, Send, broadcast
from pmmc_check.protocol.values import SCOUT, Ballot, Command, ProcessId, PValue, is_majority, leader_id


@dataclass(frozen=True, slots=True)
class ScoutState:
    """Who has not answered yet, and the pvalues of those who have."""

    waitfor: frozenset[ProcessId]
    pvalues: frozenset[PValue] = frozenset()


class Scout(Role):
    """`Scout(b)`; its ballot is its identity."""

    role = SCOUT
    symmetric = True

    def start(self, command: Command | None = None) -> Outcome:
        """Asks every acceptor to promise its ballot."""
        return Outcome(ScoutState(frozenset(self.system.acceptors)), broadcast(self.system.acceptors, P1a(self.me.ballot)))

    def step(self, state: ScoutState, message: Message) -> Outcomes:
        """`p1b(a, b', r)`: counts a promise of its own ballot, exits on any other."""
        if not isinstance(message, P1b):
            return [Outcome(state)]
        if message.ballot != self.me.ballot:
            return [Outcome(Lifecycle.EXITED, self.preempted(message.ballot))]
        pvalues = state.pvalues | message.accepted
        waitfor = state.waitfor - {message.acceptor}
        if is_majority(len(self.system.acceptors) - len(waitfor), len(self.system.acceptors)):
            return [Outcome(Lifecycle.EXITED, (Send(leader_id(self.me.ballot), Adopted(self.me.ballot, pvalues)),))]
        return [Outcome(ScoutState(waitfor, pvalues))]

    def preempted(self, ballot: Ballot) -> tuple[Send, ...]:
        """Tells the leader of the ballot that was met."""
        return (Send(leader_id(self.me.ballot), Preempted(ballot)),)

    def ignores(self, state: ScoutState, message: Message) -> bool:
        """A second answer of one acceptor that brings nothing new: pvalues only grow, waitfor only shrinks."""
        return (
            isinstance(message, P1b)
            and message.ballot == self.me.ballot
            and message.acceptor not in state.waitfor
            and message.accepted <= state.pvalues
        )

    def only_halts(self, state: ScoutState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """An answer with another ballot ends the scout, whatever its state."""
        if isinstance(message, P1b) and message.ballot != self.me.ballot:
            return self.preempted(message.ballot)
        return None
