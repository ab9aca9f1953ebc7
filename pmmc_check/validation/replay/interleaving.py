"""Finds an order for the events of several logs without search, by advancing any log whose next event can happen.

That is enough because no event takes anything away from another log (`replay.py` says why): what can happen once can also happen later,
so if this gets stuck, every order does. A log that cannot go on says what it waits for and is tried again when that happens; nothing is
polled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pmmc_check.trace.events import DROP, RESTART, Event


class Log:
    """The events of one log that have not happened yet."""

    __slots__ = ("crashed", "ended", "name", "queue")

    def __init__(self, name: str) -> None:
        self.name = name
        self.queue: deque[Event] = deque()
        self.crashed = self.ended = False

    def allows(self, action: str) -> bool:
        """Whether such an event may come now: after a crash a restart, or messages lost meanwhile; after the end nothing."""
        return not self.ended and (not self.crashed or action in (RESTART, DROP))


class Interleaving:
    """Takes events from streams, and carries each out when its turn comes.

    `advance(log, event)` carries an event out and returns True; or it calls `wait` and returns that, which is False.
    """

    def __init__(self, advance: Callable[[Log, Event], bool]) -> None:
        self.logs: dict[str, Log] = {}
        self.waiting: dict[Any, list[Log]] = {}
        """Logs that cannot go on, by what they wait for."""
        self.events = 0
        self._advance = advance
        self._ready: deque[Log] = deque()
        self.blocked = 0
        """How many logs cannot go on."""

    def take_all(self, streams: Iterable[Iterator[Event]]) -> None:
        """Takes all events of all streams. Those that never can happen stay in their logs' queues."""
        active = [iter(stream) for stream in streams]
        while active:
            for stream in list(active):
                if not self._pull(stream, alone=len(active) == 1):
                    active.remove(stream)

    def _pull(self, stream: Iterator[Event], alone: bool) -> bool:
        """Takes the events of one stream; False at its end.

        Of several streams one is left when it blocks, so that none is read far ahead of the others.
        """
        logs, advance = self.logs, self._advance
        for event in stream:
            self.events += 1
            log = logs.get(event.log)
            if log is None:
                log = logs[event.log] = Log(event.log)
            if log.queue:
                log.queue.append(event)
            elif not advance(log, event):
                log.queue.append(event)
                self.blocked += 1
            if self._ready:
                self._go_on()
            if self.blocked and not alone:
                return True
        return False

    def take(self, event: Any) -> Log:
        """Takes one event, or what stands for some of one log; returns the log, which may have to wait."""
        log = self.logs.get(event.log)
        if log is None:
            log = self.logs[event.log] = Log(event.log)
        if log.queue or not self._advance(log, event):
            self.blocked += not log.queue
            log.queue.append(event)
        if self._ready:
            self._go_on()
        return log

    def wait(self, key: Any, log: Log) -> bool:
        """The log's next event can happen once `wake(key)` is called at the earliest."""
        self.waiting.setdefault(key, []).append(log)
        return False

    def wake(self, key: Any) -> None:
        """What `key` stands for has happened."""
        self._ready.extend(self.waiting.pop(key, ()))

    def _go_on(self) -> None:
        """Advances the logs that were woken as far as they get."""
        while self._ready:
            log = self._ready.popleft()
            while log.queue and self._advance(log, log.queue[0]):
                log.queue.popleft()
            self.blocked -= not log.queue
