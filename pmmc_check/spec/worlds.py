"""What is observed of a state, in the form in which expressions look at it: sets of records, and variables of processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED, VARIABLES, Observed
from pmmc_check.protocol.messages import Addressed, Adopted, Decision, Message, P1a, P1b, P2b, Preempted, Propose, Request, Response
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA, Command, ProcessId, PValue, SlotCommand
from pmmc_check.spec.evaluate import World
from pmmc_check.spec.names import STATE
from pmmc_check.spec.observes import Reads
from pmmc_check.spec.terms import RecordValue, record_value


class Worlds:
    """Makes worlds of what is observed where something is read that `reads` says."""

    def __init__(self, reads: Reads, system: System) -> None:
        processes = {ACCEPTOR: system.acceptors, LEADER: system.leaders, REPLICA: system.replicas}
        self._absent = {
            (process, name): STATE[role][name].without_state for role, name in reads.variables for process in processes.get(role, ())
        }
        self._commands = {(each.client, each.cid): each for each in system.commands}
        self._known: dict[Message, Any] = {}

    def of(self, observed: Observed) -> World:
        """The world that these facts are."""
        decided: set[SlotCommand] = set()
        p2a: set[PValue] = set()
        accepted: dict[ProcessId, frozenset[PValue]] = {}
        sent: dict[str, set[Any]] = {}
        variables: dict[tuple[ProcessId, str], Any] = dict(self._absent)
        for process, facts in observed.items():
            own: set[PValue] = set()
            for kind, slot, ballot, command in facts:
                if kind == DECIDED:
                    decided.add(SlotCommand(slot, command))
                elif kind == P2A_SENT:
                    p2a.add(PValue(ballot, slot, command))
                elif kind == PVALUE_ACCEPTED:
                    own.add(PValue(ballot, slot, command))
                elif kind == VARIABLES:
                    pairs: Any = command
                    variables.update(((process, name), as_set(name, value)) for name, value in pairs)
                elif isinstance(command, Message):
                    sent.setdefault(kind, set()).add(self.record(command))
            if own:
                accepted[process] = frozenset(own)
        return World(frozenset(decided), frozenset(p2a), accepted, variables, {kind: frozenset(found) for kind, found in sent.items()})

    def record(self, kept: Message) -> Any:
        """A message that was sent as a record, made once."""
        if kept not in self._known:
            self._known[kept] = self._made(kept.to, kept.message) if isinstance(kept, Addressed) else _RECORDS[_base(kept)](kept)
        return self._known[kept]

    def _made(self, to: ProcessId, message: Message) -> RecordValue:
        """Of a message that does not say to whom it went."""
        match message:
            case P1b(acceptor, ballot, accepted):
                return record_value(acceptor=acceptor, ballot=ballot, accepted=accepted, to=to.ballot)
            case P2b(acceptor, ballot):
                return record_value(acceptor=acceptor, ballot=ballot, to=record_value(ballot=to.ballot, slot=to.slot))
            case Preempted(ballot):
                return record_value(ballot=ballot, to=to)
            case Response(cid, result):
                command = self._commands.get((to, cid), Command(to, cid, "unknown"))
                return record_value(cid=cid, result=result, command=command)
        raise AssertionError(f"{message} has a recipient of its own")


_RECORDS: dict[type[Message], Callable[[Any], Any]] = {
    Request: lambda message: record_value(command=message.command),
    Propose: lambda message: SlotCommand(message.slot, message.command),
    P1a: lambda message: record_value(ballot=message.ballot),
    Adopted: lambda message: record_value(ballot=message.ballot, pvalues=message.pvalues),
    Decision: lambda message: SlotCommand(message.slot, message.command),
}
"""Messages whose fields say all, as records."""


def _base(message: Message) -> type[Message]:
    """The protocol's class that a variant's message is one of."""
    return next(each for each in _RECORDS if isinstance(message, each))


def as_set(name: str, value: Any) -> Any:
    """A replica keeps its leaders in a tuple; to expressions they are a set."""
    return frozenset(value) if name == "leaders" else value
