"""The commander (figure 6b of the paper): gets one command accepted in one slot by a quorum, under one ballot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pmmc_check.protocol.messages import Decision, Message, P2a, P2b, Preempted
from pmmc_check.protocol.role import Lifecycle, Outcome, Outcomes, Role, Send, System, broadcast, replace
from pmmc_check.protocol.values import COMMANDER, Ballot, Command, ProcessId, leader_id


@dataclass(frozen=True)
class CommanderState:
    """The command, and who has not answered yet."""

    command: Command
    waitfor: frozenset[ProcessId]


class Commander(Role):
    """`Commander(b, s, c)`; `(b, s)` is its identity."""

    role = COMMANDER
    symmetric = True

    def __init__(self, me: ProcessId, system: System) -> None:
        super().__init__(me, system)
        self.acceptors = system.acceptors_of(me.number)
        self._asked = frozenset(self.acceptors)
        self.quorum_size = system.quorum2_of(len(self.acceptors))
        self.ballot = me.ballot

    @property
    def leader(self) -> ProcessId:
        """Who created it."""
        return leader_id(self.me.ballot)

    def start(self, command: Command | None = None) -> Outcome:
        """Asks every acceptor to accept `(b, s, command)`."""
        assert command is not None, "a commander is created with a command"
        proposal = P2a(self.ballot, self.me.slot, command)
        return Outcome(CommanderState(command, frozenset(self.acceptors)), broadcast(self.acceptors, proposal))

    def step(self, state: CommanderState, message: Message) -> Outcomes:
        """`p2b(a, b')`: counts an acceptance of its own ballot, exits on any other."""
        if not isinstance(message, P2b):
            return [Outcome(state)]
        if message.ballot != self.ballot:
            return [Outcome(Lifecycle.EXITED, self.preempted(message.ballot))]
        waitfor = state.waitfor - {message.acceptor}
        if self.is_quorum(self._asked - waitfor):
            return [Outcome(Lifecycle.EXITED, self.decide(state.command))]
        return [Outcome(replace(state, waitfor=waitfor))]

    def decide(self, command: Command) -> tuple[Send, ...]:
        """Tells every replica."""
        return broadcast(self.system.replicas, Decision(self.me.slot, command))

    def is_quorum(self, acceptors: frozenset[ProcessId]) -> bool:
        """Whether the acceptances of these acceptors are a quorum (of phase 2), which decides.

        Override it for quorums of your own, a grid's say: A5 and C2 then go by these, too.
        """
        return self.enough(len(acceptors))

    def enough(self, answers: int) -> bool:
        """Whether so many acceptances are counted as a quorum."""
        return answers >= self.quorum_size

    def preempted(self, ballot: Ballot) -> tuple[Send, ...]:
        """Tells the leader of the ballot that was met, even when it is lower: the paper's "stuck slot"."""
        return (Send(self.leader, Preempted(ballot)),)

    def ignores(self, state: CommanderState, message: Message) -> bool:
        """A second acceptance of one acceptor: waitfor only shrinks."""
        return isinstance(message, P2b) and message.ballot == self.ballot and message.acceptor not in state.waitfor

    def only_halts(self, state: CommanderState | None, message: Message, sender: ProcessId | None) -> Sequence[Send] | None:
        """An answer with another ballot ends the commander, whatever its state."""
        if isinstance(message, P2b) and message.ballot != self.ballot:
            return self.preempted(message.ballot)
        return None
