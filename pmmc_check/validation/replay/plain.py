"""Between the values of a trace and plain ones, numbers, texts and tuples, which cross from one process to another fast (`marshal`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pmmc_check.protocol.messages import Decision, Message, P1a, P2a, P2b, Propose, Request, Response
from pmmc_check.protocol.values import ACCEPTOR, COMMANDER, NOOP, SCOUT, Ballot, Command, ProcessId, PValue, Reconfigure
from pmmc_check.trace.events import Names

PlainMessage = tuple[Any, ...]
"""Its kind, and the values of its fields."""
_KNOWN_MAX = 20_000
_REQUEST, _PROPOSE, _P1A, _P2A, _P2B, _DECISION, _RESPONSE = range(7)


class Plain:
    """The values of one trace. Processes are called by name: clients that no header lists have other numbers in each process that reads."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._messages: dict[PlainMessage, Message] = {}
        self._processes: dict[Any, ProcessId] = {}
        self._to_plain: dict[type[Message], Callable[[Any], PlainMessage]] = {
            Request: lambda message: (_REQUEST, *self.command(message.command)),
            Propose: lambda message: (_PROPOSE, message.slot, *self.command(message.command)),
            P1a: lambda message: (_P1A, *message.ballot),
            P2a: lambda message: (_P2A, *message.ballot, message.slot, *self.command(message.command)),
            P2b: lambda message: (_P2B, message.acceptor.number, *message.ballot),
            Decision: lambda message: (_DECISION, message.slot, *self.command(message.command)),
            Response: lambda message: (_RESPONSE, message.cid, message.result),
        }

    # ---- to plain values ----

    def process(self, process: ProcessId) -> Any:
        """A name; of a scout or commander the ballot and the slot, from 1."""
        role, number, round_number, slot = process
        return (number, round_number, slot) if role in (SCOUT, COMMANDER) else self.names.name_of[process]

    def command(self, command: Command) -> tuple[Any, ...]:
        """Client, number and operation; nothing of a no-op."""
        client, number, operation = command
        if type(operation) is str:
            return (self.names.name_of[client], number, operation) if command != NOOP else ()
        return self.names.name_of[client], number, tuple(map(self.process, operation.leaders))  # type: ignore[union-attr]  # a reconfiguration

    def pvalue(self, pvalue: PValue) -> tuple[Any, ...]:
        """Ballot, slot and command."""
        ballot, slot, command = pvalue
        return *ballot, slot, *self.command(command)

    def message(self, message: Message) -> PlainMessage:
        """Any message but those that carry pvalues, and none with an unrecorded field."""
        return self._to_plain[type(message)](message)

    # ---- and back ----

    def process_of(self, plain: Any) -> ProcessId:
        """The process that `process` made plain."""
        found = self._processes.get(plain)
        if found is None:
            if len(self._processes) >= _KNOWN_MAX:
                self._processes.clear()
            found = self._processes[plain] = self._named(plain) if isinstance(plain, str) else _spawned(*plain)
        return found

    def _named(self, name: str) -> ProcessId:
        process = self.names.process_of.get(name) or self.names.client(name)
        assert process is not None, "whoever wrote it has the same header"
        return process

    def command_of(self, *plain: Any) -> Command:
        """The command that `command` made plain."""
        if not plain:
            return NOOP
        client, number, operation = plain
        done = operation if isinstance(operation, str) else Reconfigure(tuple(map(self.process_of, operation)))
        return Command(self.process_of(client), number, done)

    def pvalue_of(self, round_number: int, leader: int, slot: int, *command: Any) -> PValue:
        """The pvalue that `pvalue` made plain."""
        return PValue(Ballot(round_number, leader), slot, self.command_of(*command))

    def message_of(self, plain: PlainMessage) -> Message:
        """The message that `message` made plain; what is broadcast is one object."""
        found = self._messages.get(plain)
        if found is None:
            if len(self._messages) >= _KNOWN_MAX:
                self._messages.clear()
            found = self._messages[plain] = self._new_message(*plain)
        return found

    def _new_message(self, kind: int, *fields: Any) -> Message:
        if kind == _P2B:
            acceptor, round_number, leader = fields
            return P2b(ProcessId(ACCEPTOR, acceptor), Ballot(round_number, leader))
        if kind == _P2A:
            return P2a(*self.pvalue_of(*fields))
        if kind == _RESPONSE:
            return Response(*fields)
        if kind == _REQUEST:
            return Request(self.command_of(*fields))
        if kind == _P1A:
            return P1a(Ballot(*fields))
        slot, *command = fields
        return (Propose if kind == _PROPOSE else Decision)(slot, self.command_of(*command))


def _spawned(number: int, round_number: int, slot: int) -> ProcessId:
    return ProcessId(COMMANDER if slot else SCOUT, number, round_number, slot)
