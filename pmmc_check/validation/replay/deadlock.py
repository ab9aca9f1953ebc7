"""Why a replay comes to a standstill: what each log waits for, which log will send that, and which logs wait for each other in a cycle.

The first event of every blocked log waits for one thing: a message, or the creation of its process. If nobody will ever provide it, that is
the mismatch. Otherwise each log waits for another blocked log, so some of them wait in a cycle, and following them from log to log finds
it. One pass over the remaining events is enough, though there may be millions of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pmmc_check.protocol.messages import P1b
from pmmc_check.protocol.values import ProcessId
from pmmc_check.trace.events import SEND, Delta, Event
from pmmc_check.validation.replay.interleaving import Log


class Wait(NamedTuple):
    """The first event of a log that stands still, and what would end that."""

    event: Event
    created: bool
    """Whether its process exists: then it waits for a message, else to be created."""
    ender: str | None = None
    """The log that would end it: it sends the message later, or it is the leader's."""
    sent: Event | None = None
    """The send of the message, the first in `ender`."""


def waits(logs: Sequence[Log], created: Callable[[Event], bool], host: Callable[[ProcessId], str]) -> list[Wait]:
    """What each of `logs` waits for; `host` names the log of the leader that creates a process."""
    heads = [log.queue[0] for log in logs]
    names = {log.name for log in logs}
    sends = _sends([event for event in heads if created(event)], logs)
    found = []
    for event in heads:
        if created(event):
            sent = sends.get(event.log)
            found.append(Wait(event, True, sent.log if sent is not None else None, sent))
        else:
            leader = host(event.process)
            found.append(Wait(event, False, leader if leader in names and leader != event.log else None))
    return found


def cycle(waiting: Iterable[Wait]) -> list[Wait]:
    """The shortest cycle of logs of which each waits for the next; empty when some wait is never ended."""
    by_log = {wait.event.log: wait for wait in waiting}
    seen: dict[str, int] = {}
    shortest: list[Wait] = []
    for start in by_log:
        path: list[Wait] = []
        begun, log = len(seen), start
        while log in by_log and log not in seen:
            seen[log] = len(seen)
            path.append(by_log[log])
            log = by_log[log].ender or ""
        if seen.get(log, -1) >= begun:
            found = path[seen[log] - begun :]
            shortest = found if not shortest or len(found) < len(shortest) else shortest
    first = min(range(len(shortest)), key=lambda index: shortest[index].event.at, default=0)
    return shortest[first:] + shortest[:first]


def _sends(heads: Iterable[Event], logs: Iterable[Log]) -> dict[str, Event]:
    """By log: the first send of what its first event waits for."""
    wanted: dict[Any, list[Event]] = {}
    for event in heads:
        for message in _asked(event.message):
            for to in (event.process, None):
                wanted.setdefault((to, message), []).append(event)
    found: dict[str, Event] = {}
    for log in logs:
        for event in log.queue:
            if event.action == SEND:
                for head in _answered(event, wanted):
                    found.setdefault(head.log, event)
    return found


def _answered(send: Event, wanted: dict[Any, list[Event]]) -> Iterator[Event]:
    """The first events that wait for `send`."""
    for message in _offered(send.message):
        for to in send.peers if send.peers is not None else (None,):
            for head in wanted.get((to, message), ()):
                if head.peers is None or head.peers[0] == send.process:
                    yield head


def _asked(message: Any) -> tuple[Any, ...]:
    """What a receive of `message` may be sent as: a p1b may show its set whole where the other end shows what was added."""
    if type(message) is not P1b:
        return (message,)
    return message, (message.acceptor, message.ballot, type(message.accepted) is Delta)


def _offered(message: Any) -> tuple[Any, ...]:
    """As `_asked`, for the send."""
    if type(message) is not P1b:
        return (message,)
    alike = message.acceptor, message.ballot
    return (message, (*alike, True), (*alike, False)) if type(message.accepted) is Delta else (message, (*alike, True))
