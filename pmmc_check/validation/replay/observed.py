"""A replay that is watched: what each event sent, took out of the network and changed, in the order in which the replay took them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from pmmc_check.protocol import Protocol as ProtocolRoles
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


class ReplayObserver(Protocol):
    """Is told what happens."""

    def acted(self, process: Process) -> None:
        """What `process` received last has been acted on: its log goes on, so the process did not crash before."""

    def happened(self, happened: Happened, touched: Iterable[Process]) -> None:
        """An event took place. `touched` are the running processes whose states it can have changed."""


class ObservedReplay(Replay):
    """Replays as `Replay` does, and tells its observer of each event as soon as it has happened."""

    def __init__(self, header: Header, names: Names, protocol: ProtocolRoles, observer: ReplayObserver) -> None:
        super().__init__(header, names, protocol)
        self._observer = observer
        self._sent: list[tuple[ProcessId, Message]] = []
        self._taken: Message | None = None
        self._put, self._take = self._put_watched, self._take_watched

    def finish(self) -> None:
        """Who has not crashed by the end has acted on what it received last."""
        for process in self.processes.running.values():
            self._act(process)
        super().finish()

    def _act(self, process: Process) -> None:
        if process.received is not None and not process.others:
            process.act()
            self._observer.acted(process)

    def _advance(self, log: Log, event: Event) -> bool:
        self._sent.clear()
        self._taken = None
        own = self.processes.running.get(event.process)
        if own is not None and event.action in (SEND, RECEIVE):
            self._act(own)  # `Replay` would do it now, but tell nobody
        done = super()._advance(log, event)
        if done:
            if event.action == SEND and not self._sent and event.message is not None:
                self._sent = [(to, event.message) for to in self.deliveries.everyone(event)]
            taken = event.message if event.action in (RECEIVE, DROP) else None
            self._observer.happened(Happened(event, self._taken or taken, tuple(self._sent)), self._touched(event))
        return done

    def _put_watched(self, event: Event, to: ProcessId, sent: Any, process: Process) -> None:
        self._sent.append((to, sent))
        self.deliveries.put(event, to, sent, process)

    def _take_watched(self, event: Event) -> Message | None:
        self._taken = self.deliveries.take(event)
        return self._taken

    def _touched(self, event: Event) -> Iterator[Process]:
        """Its own process, and of a leader's machine all that run there."""
        if host_of(event.process).role == LEADER:
            yield from self.processes.hosted_by(host_of(event.process))
        elif event.process in self.processes.running:
            yield self.processes.running[event.process]
