"""What a process may be after a crash: with or without the message that it received last.

A receive is one moment, and what the process makes of it another. Killed in between, it comes back as if the message had been lost. If it
had written its new state, it comes back with that. As long as it has sent nothing of that step, its log shows neither. So from the
restart on it is replayed as several `versions`, until an event tells which of them it was.

A message that was acted on, and one whose receive shows the state after it, is never lost so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pmmc_check.protocol.messages import P1b
from pmmc_check.protocol.role import Send
from pmmc_check.trace.events import Event
from pmmc_check.validation.replay.deliveries import Deliveries
from pmmc_check.validation.replay.diagnosis import Diagnosis, Rejected
from pmmc_check.validation.replay.inflight import Ambiguous
from pmmc_check.validation.replay.process import Process, Processes

VERSIONS_MAX = 64
"""How many versions of one process are kept before the search has to decide."""


class Versions:
    """The events of processes that have more than one version. `check_post` rejects a version whose state is not the recorded one."""

    def __init__(
        self, processes: Processes, deliveries: Deliveries, diagnosis: Diagnosis, check_post: Callable[[Event, Process], None]
    ) -> None:
        self.processes, self.deliveries, self.diagnosis, self.check_post = processes, deliveries, diagnosis, check_post

    def restart(self, event: Event, process: Process) -> None:
        """An acceptor or replica comes back, in each way that its log allows."""
        found: list[Process] = []
        for version in process.versions:
            unwritten = version.twin() if version.received is not None else None
            version.act()
            for each in (version, unwritten) if unwritten is not None else (version,):
                each.pending, each.received = (), None
                sends = each.restart()
                if sends is None:
                    raise self.diagnosis.may_not_restart(event, each)
                each.pending = sends
                found.append(each)
        self._keep(found, event)
        if event.post is not None:
            self._narrow(event, self.processes.running[process.me], lambda version: self.check_post(event, version))

    def receive(self, event: Event, process: Process) -> bool:
        """A receive, by all versions that are ready for it; False if the message is not there yet."""

        def ready(version: Process) -> None:
            version.act()
            if version.pending:
                raise self.diagnosis.unfinished(event, version)

        process = self._narrow(event, process, ready)
        delivered = self.deliveries.take(event)
        if delivered is None:
            return False
        for version in process.versions:
            version.last, version.received = event, delivered
        if event.post is not None:
            self._narrow(event, process, lambda version: self._acts_and_holds(event, version))
        return True

    def _acts_and_holds(self, event: Event, version: Process) -> None:
        version.act()
        self.check_post(event, version)

    def send(self, event: Event, process: Process) -> None:
        """A send, by all versions that have it to send."""
        found: list[tuple[Send, ...]] = []

        def sends(version: Process) -> None:
            version.act()
            sent = version.sent(event.message, event.peers)
            if sent is None:
                raise self.diagnosis.not_enabled(event, version)
            if event.post is not None:
                self.check_post(event, version)
            if sent not in found:
                found.append(tuple(sent))

        process = self._narrow(event, process, sends)
        if len({tuple(sent) for sent in found}) > 1:
            raise Ambiguous(f"{event.place} sends what {self.diagnosis.show(process.me)} had written before a crash, and does not say what")
        for other in process.others:
            for _, message in found[0]:
                if isinstance(message, P1b):
                    other.remember(message.accepted)
        for to, message in found[0]:
            self.deliveries.put(event, to, message, process)

    def _narrow(self, event: Event, process: Process, check: Callable[[Process], None]) -> Process:
        """Keeps the versions that `check` does not reject, and returns the first; rejects if none is left."""
        kept, refused = [], None
        for version in process.versions:
            try:
                check(version)
            except Rejected as rejected:
                refused = refused or rejected
            else:
                kept.append(version)
        if not kept and refused is not None:
            raise refused
        return self._keep(kept, event)

    def _keep(self, found: Iterable[Process], event: Event) -> Process:
        """Those of the versions that differ from each other, as the versions of the process; returns the first."""
        kept: list[Process] = []
        for version in found:
            if not any(version.same_as(each) for each in kept):
                kept.append(version)
        if len(kept) > VERSIONS_MAX:
            raise Ambiguous(f"{event.place}: {self.diagnosis.show(event.process)} may have come out of its crashes in too many ways")
        first, *others = kept
        for each in others:
            each.others = ()
        first.others = others
        self.processes.running[first.me] = first
        return first
