"""What replicas performed, where their logs say it (`perform` lines): the commands of decided slots, in the order of slots, each once.

It is looked at in a reading of its own, since performing is no step of PMMC that could be replayed: there it is part of taking a decision.
A log that says what was performed once says it always: a slot between two others was performed, unless its command is a no-op, a
reconfiguration, or one that was decided in an earlier slot; and a response follows its `perform`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pmmc_check.protocol.values import REPLICA, ProcessId, SlotCommand
from pmmc_check.trace.events import MIDDLE, RECEIVE, RESTART, SEND, UNKNOWN, Event, Header, Names, Perform, RecordedItem
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.compact_sets import Ledger
from pmmc_check.validation.replay.in_place import GrowingSlots
from pmmc_check.validation.verdict import Failure, Place

UNANSWERED_MAX = 1000
"""After so many commands without a response a log is one of a replica that does not answer all of them."""


class Misperformed(NamedTuple):
    """A line at which what was performed is not what PMMC performs, and why."""

    item: Event | Perform
    rule: str
    expected: str
    observed: str

    def failure(self, writer: DslWriter) -> Failure:
        """It as an explanation."""
        at = Place(self.item.file, self.item.line, writer.item(self.item))
        return Failure(at, self.rule, self.expected, self.observed)


@dataclass
class _Log:
    """What the log of one replica has shown."""

    learned: GrowingSlots
    whole: bool
    """Whether all decisions that it takes are in its log."""
    next_slot: int | None
    """The slot after the last one that was performed or passed over; None where it is not known."""
    unanswered: list[Perform] = field(default_factory=list)
    answers: bool = True
    """Whether each response can be told from `unanswered`."""
    performs: bool = False
    restarted: bool = False
    first_response: Event | None = None
    """One before anything was performed."""


class Performing:
    """Goes through the logs of one trace."""

    def __init__(self, header: Header, names: Names) -> None:
        self.header, self.values = header, Values(names)
        self._ledger = Ledger()
        self._logs: dict[ProcessId, _Log] = {}

    def faults(self, streams: Iterable[Iterator[RecordedItem]]) -> Iterator[Misperformed]:
        """All that is wrong, in the order of the files."""
        for stream in streams:
            for item in stream:
                found = self.look_at(item) if isinstance(item, Event | Perform) else None
                if found is not None:
                    yield found

    def look_at(self, item: Event | Perform) -> Misperformed | None:
        """What is wrong with the next line of a log, if anything is."""
        if item.process.role != REPLICA:
            return None
        log = self._logs.get(item.process)
        if log is None:
            contract = self.header.contract(item.log)
            whole = contract.records("decision") and contract.form != MIDDLE
            log = self._logs[item.process] = _Log(GrowingSlots(self._ledger), whole, 1 if whole else None)
        if isinstance(item, Perform):
            return self._perform(item, log)
        message: Any = item.message
        if item.action == RESTART:
            log.restarted, log.unanswered = True, []
        elif item.action == RECEIVE and message.kind == "decision":
            if UNKNOWN in (message.slot, message.command):
                log.whole = False
            else:
                log.learned |= [SlotCommand(message.slot, message.command)]
        elif item.action == SEND and message.kind == "response":
            return self._respond(item, message, log)
        return None

    def _perform(self, item: Perform, log: _Log) -> Misperformed | None:
        slot, command = item.slot, item.command
        if log.first_response is not None:
            response, log.first_response = log.first_response, None
            return Misperformed(response, _ANSWER_LAST, "a perform line before the response, since this log has such lines", "none")
        if log.restarted and log.next_slot is not None and slot <= log.next_slot:
            log.next_slot = None  # it performs again what its stable storage tells
        log.restarted = False
        wrong = self._wrong_order(item, log) if log.next_slot is not None else None
        decided = log.learned.in_slot(slot)
        if wrong is None and log.whole and command not in decided and not (command is UNKNOWN and decided):
            known = (
                f"slot {slot} decided as {' or '.join(map(self.values.show, decided))}" if decided else f"a decision of slot {slot} first"
            )
            wrong = Misperformed(item, "what is performed in a slot is the command that is decided there", known, self._shown(item))
        if wrong is None and command is not UNKNOWN and (command.is_internal or log.learned.has_below(command, slot)):
            why = "changes the configuration or does nothing" if command.is_internal else "was decided in an earlier slot"
            wrong = Misperformed(
                item, "each command of a client is performed once", f"nothing: {self.values.show(command)} {why}", self._shown(item)
            )
        if not log.whole and command is not UNKNOWN:
            log.learned |= [SlotCommand(slot, command)]
        log.next_slot, log.performs = slot + 1, True
        log.unanswered.append(item)
        if len(log.unanswered) > UNANSWERED_MAX:  # others answer
            log.unanswered, log.answers = [], False
        return wrong

    def _wrong_order(self, item: Perform, log: _Log) -> Misperformed | None:
        assert log.next_slot is not None, "asked only where it is known"
        if item.slot < log.next_slot:
            return Misperformed(item, _IN_ORDER, f"a slot from {log.next_slot} on", self._shown(item))
        for slot in range(log.next_slot, item.slot) if log.whole else ():
            decided = log.learned.in_slot(slot)
            if not any(each.is_internal or log.learned.has_below(each, slot) for each in decided):
                first = f"perform s={slot} c={' or '.join(map(self.values.show, decided))}" if decided else f"a decision of slot {slot}"
                return Misperformed(item, _IN_ORDER, f"{first} first", self._shown(item))
        return None

    def _respond(self, event: Event, message: Any, log: _Log) -> Misperformed | None:
        if not log.performs:
            log.first_response = log.first_response or event  # a fault only where lines follow that say what was performed
            return None
        for index, each in enumerate(log.unanswered):
            command = each.command
            is_it = command is UNKNOWN or message.cid is UNKNOWN or command.cid == message.cid
            if is_it and (command is UNKNOWN or event.peers is None or command.client in event.peers):
                del log.unanswered[index]
                return None
        if not log.answers:
            return None
        return Misperformed(event, _ANSWER_LAST, "a perform line of its command before it", "none that was not answered already")

    def _shown(self, item: Perform) -> str:
        return f"perform s={item.slot} c={self.values.show(item.command)}"


_IN_ORDER = "slots are performed in their order, none is left out"
_ANSWER_LAST = "a client is answered after its command was performed"
