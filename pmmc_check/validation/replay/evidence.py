"""The events that brought a process to its state, picked from its log when a rejected trace is read again.

A replay keeps only its last events, but what counts may be far back: the promise that an acceptor forgot, or the adoption that should have
fixed a slot's command. The mismatch determines which events count, so one more pass over the trace finds them and keeps nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pmmc_check.protocol.values import ACCEPTOR, REPLICA
from pmmc_check.trace.events import CRASH, RECEIVE, RESTART, SEND, UNKNOWN, Event, Names
from pmmc_check.validation.replay.diagnosis import Mismatch

_LATEST = frozenset({CRASH, RESTART, "adopted", "preempted", "last propose"})
"""Of these the last event counts, of the others the first: a promise that is repeated adds nothing."""


class Evidence:
    """What explains one mismatch. Takes all events of the trace, those of one log in their order."""

    def __init__(self, mismatch: Mismatch, names: Names, replayed: Iterable[Event]) -> None:
        self.event = mismatch.event
        self.names = names
        self.host = names.log_of(self.event.process)
        process = mismatch.process
        self.promise = process.state.ballot if process is not None and process.me.role == ACCEPTOR else None
        kind = self.event.message.kind if self.event.message is not None else ""
        self.of_leader = self.event.process.role not in (ACCEPTOR, REPLICA) and kind in ("p1a", "p2a")
        self.open = not mismatch.awaited and not mismatch.cycle
        self._kept: dict[Any, Event] = {}
        for event in replayed:
            if event.log != self.event.log:
                self._take(event)

    def add(self, event: Event) -> None:
        """Takes an event, if it is of the log of the mismatch and comes before it; of other logs only the replay knows what does."""
        if self.open and event.log == self.event.log:
            self.open = event.at != self.event.at
            self._take(event)

    def events(self) -> list[Event]:
        """What was found, in the order of the log."""
        return [event for _, event in sorted({event.at: event for event in self._kept.values()}.items())]

    def _take(self, event: Event) -> None:
        if self.open and self.names.log_of(event.process) == self.host:
            for key in self._roles(event):
                if key not in self._kept or key in _LATEST:
                    self._kept[key] = event

    def _roles(self, event: Event) -> tuple[Any, ...]:
        """What the event is in the story of this mismatch."""
        if event.action in (CRASH, RESTART):
            return (event.action,)
        if self.promise is not None:
            return self._of_acceptor(event)
        return self._of_leader(event) if self.of_leader and event.action == RECEIVE else ()

    def _of_acceptor(self, event: Event) -> tuple[Any, ...]:
        """The p1a by which it has its ballot, and its answer."""
        message: Any = event.message
        counts = event.action in (RECEIVE, SEND) and message.kind in ("p1a", "p1b") and message.ballot == self.promise
        return (event.action + message.kind,) if counts else ()

    def _of_leader(self, event: Event) -> tuple[Any, ...]:
        """What its leader has for the slot in question: proposals, what its scout's p1bs bring, and what made it active or not."""
        message: Any = event.message
        slot, ballot = self.event.process.slot, self.event.process.ballot
        if message.kind == "propose":
            return ("first propose", "last propose") if message.slot == slot else ()
        if message.kind in ("adopted", "preempted"):
            return (message.kind,)
        if message.kind == "p1b" and event.process.ballot == ballot and message.accepted is not UNKNOWN:
            return (message.acceptor,) if any(each.slot == slot for each in message.accepted) else ()
        return ()
