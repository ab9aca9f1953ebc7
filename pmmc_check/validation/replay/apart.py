"""Replays some logs of a trace by themselves: all that they share with the others is what they put on the network and take out of it.

The logs of acceptors, replicas and clients can be replayed so, since what they receive is recorded as it was sent. What such a log did are
its **deeds**: each message that it takes or puts, in its order, and what must be the same in all logs. They are plain values, to be sent
to the process that has the leaders' logs; that takes them up in an order in which each receive comes after its send (`together.py`).

So a trace can only be accepted. Where anything is not as usual, `NotApart` is raised, and the whole is judged in one process, which says
what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pmmc_check.protocol.messages import Message, P1b
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import ACCEPTOR, CLIENT, REPLICA, Command, ProcessId
from pmmc_check.trace.events import Delta, Event, Header, Names
from pmmc_check.trace.matching import undetermined
from pmmc_check.validation.promises import Promises
from pmmc_check.validation.replay.deliveries import Deliveries
from pmmc_check.validation.replay.diagnosis import Diagnosis
from pmmc_check.validation.replay.interleaving import Interleaving, Log
from pmmc_check.validation.replay.plain import Plain
from pmmc_check.validation.replay.replay import Replay

DEED_TAKEN, DEED_SENT, DEED_LOST, DEED_P1B, DEED_RESULT, DEED_NUMBER = range(6)
"""What a deed is: a message is received, sent or lost; a p1b is sent, with what it adds; a result, or a number of a client, is shown."""

Deed = tuple[Any, ...]
"""What it is, then plain values."""

ROLES_APART: Final = (ACCEPTOR, REPLICA, CLIENT)
"""Whose logs can be replayed by themselves. What a scout receives may be recorded as what it adds to what only the acceptor's log knows."""


class NotApart(Exception):
    """These logs cannot be replayed apart."""


class _Written:
    """A network that lets everything through, and writes it down."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self.deeds: list[Deed] = []

    def put(self, sender: ProcessId, to: ProcessId, message: Message, event: Event) -> None:
        """A message is sent; a p1b has been written down with what it adds."""
        if type(message) is not P1b:
            plain = self.plain
            self.deeds.append((DEED_SENT, plain.process(sender), plain.process(to), plain.message(message)))

    def take(self, sender: ProcessId | None, to: ProcessId, message: Message) -> bool:
        """A message is received: it must have been sent."""
        return self._write(DEED_TAKEN, sender, to, message)

    def drop(self, sender: ProcessId | None, to: ProcessId, message: Message) -> bool:
        """A message is lost: it must have been sent."""
        return self._write(DEED_LOST, sender, to, message)

    def _write(self, what: int, sender: ProcessId | None, to: ProcessId, message: Message) -> bool:
        if undetermined(message):
            raise NotApart
        plain = self.plain
        self.deeds.append((what, None if sender is None else plain.process(sender), plain.process(to), plain.message(message)))
        return True


class _DeliveriesApart(Deliveries):
    """Lets everything through, and leaves to the others what must be the same in all logs."""

    def __init__(self, header: Header, system: System, promises: Promises, interleaving: Interleaving, diagnosis: Diagnosis) -> None:
        super().__init__(header, system, promises, interleaving, diagnosis)
        self.plain = Plain(promises.names)
        self.written = _Written(self.plain)
        self.network: Any = self.written

    def expect_p1b(self, to: ProcessId, delta: Delta, whole: P1b) -> None:
        """Writes it down as what it adds."""
        plain = self.plain
        added = tuple(map(plain.pvalue, delta))
        self.written.deeds.append(
            (DEED_P1B, plain.process(to), plain.process(whole.acceptor), tuple(whole.ballot), added, len(whole.accepted))
        )

    def agreed_result(self, position: int, result: Any) -> Any:
        """Writes it down."""
        self.written.deeds.append((DEED_RESULT, position, result))
        return result

    def agree_number(self, command: Command) -> bool:
        """Writes it down."""
        self.written.deeds.append((DEED_NUMBER, self.plain.command(command)))
        return True


class ReplayApart(Replay):
    """Replays logs of `ROLES_APART`. All methods raise `NotApart`, `Rejected` or `Ambiguous` where they cannot."""

    def __init__(self, header: Header, names: Names, *, late: bool) -> None:
        super().__init__(header, names, make_deliveries=_DeliveriesApart, late=late)
        assert isinstance(self.deliveries, _DeliveriesApart), "made above"
        self._written = self.deliveries.written
        self._by_log: dict[str, list[Deed]] = {}

    def deeds(self, events: Iterable[Event]) -> dict[str, list[Deed]]:
        """What the next events of a file are, by log."""
        self._by_log = {}
        self.interleaving.take_all([iter(events)])
        if self.interleaving.blocked:
            raise NotApart
        return self._by_log

    def _advance(self, log: Log, event: Event) -> bool:
        if event.process.role not in ROLES_APART:
            raise NotApart
        deeds = self._by_log.get(log.name)
        if deeds is None:
            deeds = self._by_log[log.name] = []
        self._written.deeds = deeds
        return super()._advance(log, event)
