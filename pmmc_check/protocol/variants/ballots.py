"""The seeded fault "ballot without leader id": two leaders use one and the same ballot. It concerns four roles.

Identities stay (every leader has its own scouts and commanders, which say in their messages where the answer goes);
what is compared, and recorded, has lost the leader."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from pmmc_check.protocol.acceptor import Acceptor, AcceptorState
from pmmc_check.protocol.commander import Commander, CommanderState
from pmmc_check.protocol.leader import Leader
from pmmc_check.protocol.messages import P1a, P1b, P2a, P2b, Start
from pmmc_check.protocol.role import Outcome, Send, System, broadcast
from pmmc_check.protocol.scout import Scout, ScoutState
from pmmc_check.protocol.values import COMMANDER, SCOUT, Ballot, Command, ProcessId, Proposals, PValue

NO_LEADER = 0


@dataclass(frozen=True, slots=True)
class P1aOf(P1a):
    """A p1a that says whose scout sent it."""

    kind: ClassVar[str] = "p1a"
    leader: int


@dataclass(frozen=True, slots=True)
class P2aOf(P2a):
    """A p2a that says whose commander sent it."""

    kind: ClassVar[str] = "p2a"
    leader: int


def asking(message: P1a | P2a) -> int:
    """The number of the leader whose scout or commander sent `message`."""
    return message.leader if isinstance(message, P1aOf | P2aOf) else message.ballot.leader


class SharedBallotLeader(Leader):
    """Its ballot is the round alone."""

    symmetric = True
    starts_once = True
    ignores = Leader.ignores

    def own_ballot(self, round_number: int) -> Ballot:
        """The same for every leader."""
        return Ballot(round_number, NO_LEADER)

    def spawn_scout(self, ballot: Ballot) -> tuple[Send, ...]:
        """Its own scout."""
        return (Send(ProcessId(SCOUT, self.me.number, ballot.round), Start()),)

    def spawn_commanders(self, ballot: Ballot, proposals: Proposals) -> tuple[Send, ...]:
        """Its own commanders."""
        mine = self.me.number
        return tuple(Send(ProcessId(COMMANDER, mine, ballot.round, slot), Start(command)) for slot, command in sorted(proposals))


class SharedBallotScout(Scout):
    """Asks for the round alone."""

    symmetric = True
    ignores = Scout.ignores

    def __init__(self, me: ProcessId, system: System) -> None:
        super().__init__(me, system)
        self.ballot = Ballot(me.round, NO_LEADER)

    def start(self, command: Command | None = None) -> Outcome:
        """Asks every acceptor to promise its ballot."""
        return Outcome(ScoutState(frozenset(self.acceptors)), broadcast(self.acceptors, P1aOf(self.ballot, self.me.number)))


class SharedBallotCommander(Commander):
    """Proposes under the round alone."""

    symmetric = True
    ignores = Commander.ignores

    def __init__(self, me: ProcessId, system: System) -> None:
        super().__init__(me, system)
        self.ballot = Ballot(me.round, NO_LEADER)

    def start(self, command: Command | None = None) -> Outcome:
        """Asks every acceptor to accept `(b, s, command)`."""
        assert command is not None, "a commander is created with a command"
        proposal = P2aOf(self.ballot, self.me.slot, command, self.me.number)
        return Outcome(CommanderState(command, frozenset(self.acceptors)), broadcast(self.acceptors, proposal))


class SharedBallotAcceptor(Acceptor):
    """Answers whoever asked; compares rounds alone, because that is all that a ballot is."""

    symmetric = True

    def promise(self, state: AcceptorState, message: P1a) -> Outcome:
        """`p1a(b)`."""
        after = replace(state, ballot=max(state.ballot, message.ballot))
        return Outcome(after, (Send(ProcessId(SCOUT, asking(message), message.ballot.round), P1b(self.me, after.ballot, after.accepted)),))

    def accept(self, state: AcceptorState, message: P2a) -> Outcome:
        """`p2a(b, s, c)`."""
        after = state
        if message.ballot == state.ballot:
            after = replace(state, accepted=state.accepted | {PValue(message.ballot, message.slot, message.command)})
        to = ProcessId(COMMANDER, asking(message), message.ballot.round, message.slot)
        return Outcome(after, (Send(to, P2b(self.me, after.ballot)),))
