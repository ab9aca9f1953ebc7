"""The events by which a process came to its state, picked from its log when a rejected trace is read again.

A replay keeps only its last events, but what counts may be far back: the promise that an acceptor forgot, the adoption that should have
fixed a slot's command. Which events count follows from the mismatch, so one more pass finds them, and only they are kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from pmmc_check.protocol.values import ACCEPTOR, REPLICA, ProcessId
from pmmc_check.trace.diagnosis import Mismatch
from pmmc_check.trace.events import CRASH, RECEIVE, RESTART, UNKNOWN, Event, Names


class Evidence:
    """What explains one mismatch. Takes all events that come before it, those of one log in their order."""

    def __init__(self, mismatch: Mismatch, names: Names, replayed: Iterable[Event]) -> None:
        self.at = mismatch.event
        self.names = names
        self.host = names.log_of(self.at.process)
        self.promise = _promise(mismatch)
        self.open = not mismatch.awaited and not mismatch.circle
        self._first: dict[Hashable, Event] = {}
        self._last: dict[Hashable, Event] = {}
        for event in replayed:
            if event.log != self.at.log:
                self._take(event)

    def add(self, event: Event) -> None:
        """Takes an event of the log of the mismatch; of other logs only the replay knows what came before."""
        if self.open and event.log == self.at.log:
            self.open = event[-2:] != self.at[-2:]
            if self.open:
                self._take(event)

    def events(self) -> list[Event]:
        """What was found: the first and the last of each kind of event that counts."""
        return list({event[-2:]: event for event in (*self._first.values(), *self._last.values())}.values())

    def _take(self, event: Event) -> None:
        if not self.open or self.names.log_of(event.process) != self.host:
            return
        key = self._fault(event) or (self._of_acceptor(event) if self.promise is not None else self._of_leader(event))
        if key is not None:
            self._first.setdefault(key, event)
            if key not in self.first_only:
                self._last[key] = event

    first_only: frozenset[Hashable] = frozenset({"promise", "answer"})
    """A promise is made once; repeating it adds nothing."""

    def _fault(self, event: Event) -> Hashable:
        """Crashes and restarts, the last of each."""
        if event.action not in (CRASH, RESTART):
            return None
        self._first.pop(event.action, None)
        return event.action

    def _of_acceptor(self, event: Event) -> Hashable:
        """The p1a by which it has its ballot, and its answer."""
        message: Any = event.message
        if message is None or message.kind not in ("p1a", "p1b") or message.ballot != self.promise:
            return None
        return "promise" if event.action == RECEIVE else "answer"

    def _of_leader(self, event: Event) -> Hashable:
        """What a leader has for the slot in question: proposals, the pvalues of its scout's p1bs, and what made it active or not."""
        message: Any = event.message
        me, slot = self.at.process, self.at.process.slot
        if event.action != RECEIVE or not self._concerns_leaders(me):
            return None
        if message.kind == "propose":
            return ("propose", slot) if message.slot == slot else None
        if message.kind in ("adopted", "preempted"):
            self._first.pop(message.kind, None)
            return str(message.kind)
        if message.kind == "p1b" and event.process.ballot == me.ballot and message.accepted is not UNKNOWN:
            return ("p1b", message.acceptor) if any(each.slot == slot for each in message.accepted) else None
        return None

    def _concerns_leaders(self, process: ProcessId) -> bool:
        message = self.at.message
        return process.role not in (ACCEPTOR, REPLICA) and message is not None and message.kind in ("p1a", "p2a")


def _promise(mismatch: Mismatch) -> Any:
    """The ballot that an acceptor has."""
    process = mismatch.process
    if process is None or process.me.role != ACCEPTOR:
        return None
    return process.state.ballot
