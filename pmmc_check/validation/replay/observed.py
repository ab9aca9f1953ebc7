"""A replay that is watched: what each event sent, took out of the network and changed, in the order in which the replay took them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.values import LEADER, ProcessId, host_of
from pmmc_check.trace.events import DROP, RECEIVE, SEND, Event, Header, Names
from pmmc_check.validation.replay.interleaving import Log
from pmmc_check.validation.replay.process import Process
from pmmc_check.validation.replay.replay import Replay


class Happened(NamedTuple):
    """An event that took place. `sent` is what it put on the network, with recipients; `taken` the message that was received or dropped, as
    it was sent."""

    event: Event
    taken: Message | None
    sent: tuple[tuple[ProcessId, Message], ...]


class ObservedReplay(Replay):
    """Replays as `Replay` does, and tells `observe` of each event as soon as it has happened."""

    def __init__(
        self, header: Header, names: Names, protocol: Protocol = PMMC, observe: Callable[[Happened], None] = lambda _: None
    ) -> None:
        super().__init__(header, names, protocol)
        self._observe = observe
        self._sent: list[tuple[ProcessId, Message]] = []
        self._taken: Message | None = None
        self._put, self._take = self._put_watched, self._take_watched

    def _advance(self, log: Log, event: Event) -> bool:
        self._sent.clear()
        self._taken = None
        done = super()._advance(log, event)
        if done:
            if event.action == SEND and not self._sent and event.message is not None:
                self._sent = [(to, event.message) for to in self.deliveries.everyone(event)]
            taken = self._taken if event.action == RECEIVE else event.message if event.action == DROP else None
            self._observe(Happened(event, taken or event.message if event.action == RECEIVE else taken, tuple(self._sent)))
        return done

    def _put_watched(self, event: Event, to: ProcessId, sent: Any, process: Process) -> None:
        self._sent.append((to, sent))
        self.deliveries.put(event, to, sent, process)

    def _take_watched(self, event: Event) -> Message | None:
        self._taken = self.deliveries.take(event)
        return self._taken

    def touched(self, event: Event) -> Iterator[Process]:
        """The running processes whose state an event can have changed: its own, and of a leader's machine all that run there."""
        if host_of(event.process).role == LEADER:
            yield from self.processes.hosted_by(host_of(event.process))
        elif event.process in self.processes.running:
            yield self.processes.running[event.process]
