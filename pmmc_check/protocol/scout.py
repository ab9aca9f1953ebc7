"""The scout (figure 6a of the paper): collects promises for one ballot, with all that was accepted below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pmmc_check.protocol.messages import Adopted, Message, P1a, P1b, Preempted
from pmmc_check.protocol.role import Lifecycle, Outcome, Outcomes, Role, Send, System, broadcast
from pmmc_check.protocol.values import SCOUT, Ballot, Command, ProcessId, PValue, leader_id


@dataclass(frozen=True)
class ScoutState:
    """Who has not answered yet, and the pvalues of those who have."""

    waitfor: frozenset[ProcessId]
    pvalues: frozenset[PValue] = frozenset()


class Scout(Role):
    """`Scout(b)`; its ballot is its identity."""

    role = SCOUT
    symmetric = True

    def __init__(self, me: ProcessId, system: System) -> None:
        super().__init__(me, system)
        self.acceptors = system.acceptors_of(me.number)
        self._asked = frozenset(self.acceptors)
        self.quorum_size = system.quorum1_of(len(self.acceptors))
        self.ballot = me.ballot

    @property
    def leader(self) -> ProcessId:
        """Who created it."""
        return leader_id(self.me.ballot)

    def start(self, command: Command | None = None) -> Outcome:
        """Asks every acceptor to promise its ballot."""
        return Outcome(ScoutState(frozenset(self.acceptors)), broadcast(self.acceptors, P1a(self.ballot)))

    def step(self, state: ScoutState, message: Message) -> Outcomes:
        """`p1b(a, b', r)`: counts a promise of its own ballot, exits on any other."""
        if not isinstance(message, P1b):
            return [Outcome(state)]
        if message.ballot != self.ballot:
            return [Outcome(Lifecycle.EXITED, self.preempted(message.ballot))]
        pvalues = self.collect(state, message)
        waitfor = state.waitfor - {message.acceptor}
        if self.is_quorum(self._asked - waitfor):
            return [Outcome(Lifecycle.EXITED, (Send(self.leader, Adopted(self.ballot, pvalues)),))]
        return [Outcome(ScoutState(waitfor, pvalues))]

    def collect(self, state: ScoutState, message: P1b) -> frozenset[PValue]:
        """All pvalues that the answers so far have brought."""
        return state.pvalues | message.accepted

    def is_quorum(self, acceptors: frozenset[ProcessId]) -> bool:
        """Whether the promises of these acceptors are a quorum (of phase 1). Override it for quorums of your own."""
        return self.enough(len(acceptors))

    def enough(self, answers: int) -> bool:
        """Whether so many promises are counted as a quorum."""
        return answers >= self.quorum_size

    def preempted(self, ballot: Ballot) -> tuple[Send, ...]:
        """Tells the leader of the ballot that was met."""
        return (Send(self.leader, Preempted(ballot)),)

    def ignores(self, state: ScoutState, message: Message) -> bool:
        """A second answer of one acceptor that brings nothing new: pvalues only grow, waitfor only shrinks."""
        return (
            isinstance(message, P1b)
            and message.ballot == self.ballot
            and message.acceptor not in state.waitfor
            and message.accepted <= state.pvalues
        )

    def only_halts(self, state: ScoutState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """An answer with another ballot ends the scout, whatever its state."""
        if isinstance(message, P1b) and message.ballot != self.ballot:
            return self.preempted(message.ballot)
        return None
