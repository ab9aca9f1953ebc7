"""Judges a trace while it is written: says what is wrong as soon as it shows, in memory that does not follow the trace's length.

The replay is the same as afterwards, fed with what is there. A mismatch shows at once, but for one kind: a receive whose send is not there
(yet). A process that logs before it sends has the send in its log before anybody receives the message; one that writes its log in batches
is late by as much as that takes. So a log that has waited for longer than the `lag` waits for ever, unless what it waits for is in another
log that waits itself.

Where replay has to guess, as with leaders that may begin ballots on their own, a second one runs beside it, whose leaders may do whatever
there is reason for (`replay/any_calls.py`): what that rejects is wrong for certain; what only the first rejects is suspected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.values import LEADER, ProcessId
from pmmc_check.trace.events import DROP, RECEIVE, UNKNOWN, Event, Header, Names, Perform
from pmmc_check.trace.fields import FIELDS, NAMES_ITS_SENDER
from pmmc_check.trace.system import system_of
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.citation import violation_of
from pmmc_check.validation.compact_sets import Ledger
from pmmc_check.validation.habits import as_legal_runs, proposes_late
from pmmc_check.validation.performing import Misperformed, Performing
from pmmc_check.validation.recorded_facts import Facts
from pmmc_check.validation.replay.deadlock import cycle
from pmmc_check.validation.replay.diagnosis import Mismatch, Rejected
from pmmc_check.validation.replay.explain import failure_of
from pmmc_check.validation.replay.inflight import Ambiguous
from pmmc_check.validation.replay.replay import Replay
from pmmc_check.validation.verdict import CitedViolation, Failure

_PAUSE = Event("", ProcessId("nobody", 0), DROP, None, None)
"""Nothing more is there now: whatever passes events on passes it on, too."""

_RECENT = 256
_MAY_NAME_ITS_SENDER = frozenset(FIELDS) - NAMES_ITS_SENDER


class Alarm(NamedTuple):
    """What is wrong: `certain`, or suspected, since the replay may have guessed wrong."""

    certain: bool
    reason: str
    failure: Failure | None = None
    violations: tuple[CitedViolation, ...] = ()


class LiveJudge:
    """Judges one trace. `take` what has been written, and look at `alarms`; `time` is any clock, in seconds."""

    def __init__(self, header: Header, names: Names, protocol: Protocol = PMMC, lag_seconds: float = 0.5) -> None:
        self.header, self.names, self.lag_seconds = header, names, lag_seconds
        self.alarms: list[Alarm] = []
        """In the order in which they were found; nothing is judged after one that is certain."""
        self.events = 0
        self.heard: set[str] = set()
        self._late = proposes_late(header, protocol)
        first = Replay(header, names, protocol)
        able = protocol[LEADER] is PMMC[LEADER] and bool(first.promises.leaves_out_calls or header.ballots == "any")
        self._replays = [_Running(first), *([_Running(Replay(header, names, protocol, relaxed=True))] if able else [])]
        self._proves = first.exact and protocol is PMMC and header.quorums_meet
        self._facts = None if self._proves else _LiveFacts(header, names)
        self._sources: dict[str, _Pausing] = {}
        self._senders = _Senders()
        self._performing = Performing(header, names)

    @property
    def rejected(self) -> bool:
        """Whether something is wrong for certain."""
        return bool(self.alarms) and self.alarms[-1].certain

    @property
    def accepted(self) -> bool:
        """Whether all that was taken has been replayed, and proves that it is part of a legal run."""
        return self._proves and not self.alarms and not self._replays[0].replay.interleaving.blocked

    def waits(self, file: str) -> bool:
        """Whether events of a file wait for those of others."""
        source = self._sources.get(file)
        if source is None or not self._replays or not self._replays[0].replay.interleaving.blocked:
            return False
        log = self._replays[0].replay.interleaving.logs.get(source.log)
        return log is not None and bool(log.queue)

    def take(self, batches: Iterable[tuple[str, list[Event | Perform]]]) -> None:
        """Takes what came next in some files."""
        ready = []
        misperformed: Misperformed | None = None
        for file, items in batches:
            if not self.rejected:
                misperformed = misperformed or next(filter(None, map(self._performing.look_at, items)), None)
            events = [each for each in items if type(each) is Event]
            self.events += len(events)
            self.heard.update({event.log for event in events})
            ready.append(list(self._as_legal_run(file, events)))
        if self.rejected:
            return
        if not self.header.duplicates:
            self._senders.look_at(ready)
        for each in list(self._replays):
            self._try(each, lambda replay: replay.interleaving.take_all(map(iter, ready)))
        if self._facts is not None and not self.rejected:
            self._look_at_facts(ready)
        if misperformed is not None and not self.rejected:
            self._replays = []
            self.alarms.append(Alarm(True, "", misperformed.failure(DslWriter(Values(self.names)))))

    def _as_legal_run(self, file: str, events: list[Event]) -> Iterator[Event]:
        source = self._sources.get(file)
        if source is None:
            source = self._sources[file] = _Pausing(self.header, self._late)
        return source.passed_on(events)

    def _try(self, running: _Running, advance: Any) -> None:
        """Advances one of the replays; one that rejects goes no further."""
        if running not in self._replays or self.rejected:
            return
        replay = running.replay
        try:
            advance(replay)
        except Rejected as rejected:
            guess = replay.guessed or self._senders.guess
            failure = failure_of(replay, rejected.mismatch)
            self._found(running, Alarm(not guess, guess, failure))
        except Ambiguous as ambiguous:
            self._found(running, Alarm(False, str(ambiguous)))

    def _found(self, running: _Running, alarm: Alarm) -> None:
        """An alarm that is certain ends everything. A suspicion ends this replay; the other goes on."""
        self._replays = [] if alarm.certain else [each for each in self._replays if each is not running]
        self.alarms.append(alarm)

    def _look_at_facts(self, ready: Sequence[list[Event]]) -> None:
        assert self._facts is not None, "only called with facts"
        for events in ready:
            for event in events:
                self._facts.add(event)
        if self._facts.found:
            writer = DslWriter(Values(self.names))
            self._replays = []
            self.alarms.append(Alarm(True, "", violations=tuple(violation_of(each, writer) for each in self._facts.found.values())))

    def look_at_waiting(self, time: float) -> None:
        """Logs that have waited for too long are stuck for good. To be called often, after all that is written has been taken."""
        for each in list(self._replays):
            self._try(each, lambda replay, running=each: _check_waiting(running, time, self.lag_seconds))

    def finish(self) -> None:
        """Nothing will be written any more."""
        ready = [list(source.rest()) for source in self._sources.values()]
        for each in list(self._replays):
            self._try(each, lambda replay: replay.interleaving.take_all(map(iter, ready)))
            self._try(each, Replay.finish)


def _check_waiting(running: _Running, time: float, lag_seconds: float) -> None:
    """Raises `Rejected` where a log has waited too long for something that no waiting log has."""
    mismatch = running.stuck(time, lag_seconds)
    if mismatch is not None:
        raise Rejected(mismatch)


class _Running:
    """A replay, and since when its logs wait."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self._since: dict[str, tuple[tuple[str, int], float]] = {}

    def stuck(self, time: float, lag_seconds: float) -> Mismatch | None:
        """Why a log waits for ever, if one does."""
        if not self.replay.interleaving.blocked:
            self._since = {}
            return None
        heads = {log.name: log.queue[0].at for log in self.replay.interleaving.logs.values() if log.queue}
        known = self._since
        self._since = {name: known[name] if name in known and known[name][0] == at else (at, time) for name, at in heads.items()}
        overdue = {name for name, (_, since) in self._since.items() if time - since >= lag_seconds}
        if not overdue:
            return None
        late = [wait for wait in self.replay.waiting() if wait.event.log in overdue]
        reason = [wait for wait in late if wait.ender is None] or cycle(late)
        return self.replay.diagnosis.stuck(reason) if reason else None


class _Pausing:
    """The events of one file as PMMC's own processes would have had them; what a habit holds back comes with later ones."""

    def __init__(self, header: Header, late: bool) -> None:
        self.log = ""
        """The log that had the last event."""
        self._events: list[Event] = []
        self._ended = False
        (self._stream,) = as_legal_runs(iter([self._endless()]), header, late)

    def _endless(self) -> Iterator[Event]:
        while not self._ended:
            events, self._events = self._events, []
            yield from events
            yield _PAUSE

    def passed_on(self, events: list[Event]) -> Iterator[Event]:
        """What comes of these events, and of those before them."""
        self._events = events
        self.log = events[-1].log if events else self.log
        return iter(self._stream.__next__, _PAUSE)

    def rest(self) -> Iterator[Event]:
        """What was held back to the end."""
        self._ended = True
        return (event for event in self._stream if event is not _PAUSE)


class _Senders:
    """Whether some receives of one kind name their sender and others do not: then a network that keeps count may be replayed wrongly."""

    def __init__(self) -> None:
        self._named: set[tuple[ProcessId, str]] = set()
        self._unnamed: set[tuple[ProcessId, str]] = set()

    def look_at(self, ready: Iterable[list[Event]]) -> None:
        """Takes note of receives."""
        for events in ready:
            for event in events:
                kind = event.message.kind if event.message is not None else ""
                if kind in _MAY_NAME_ITS_SENDER and event.action in (RECEIVE, DROP):
                    (self._unnamed if event.peers is None else self._named).add((event.process, kind))

    @property
    def guess(self) -> str:
        """What is uncertain because of it."""
        return "some receives of one kind name their sender and others do not" if self._named & self._unnamed else ""


class _LiveFacts(Facts):
    """Facts of which Agreement is judged at once: a slot's first decision is kept in 16 bytes."""

    def __init__(self, header: Header, names: Names) -> None:
        super().__init__(header, names, system_of(header, names))
        self._decided = Ledger()
        self._first: dict[int, Event] = {}

    def _decision(self, event: Event, message: Any) -> None:
        super()._decision(event, message)
        if UNKNOWN in (message.slot, message.command):
            return
        if not self._decided.file(message.slot, message.command):
            before = self._first.get(message.slot)
            how = f"slot {message.slot}: {self.show(self._decided.command(message.slot))} decided; {self.show(message.command)} decided"
            self._violated("Agreement", how, *((before, event) if before is not None else (event,)), slot=message.slot)
        elif message.slot not in self._first:
            self._first[message.slot] = event
            if len(self._first) > _RECENT:
                del self._first[next(iter(self._first))]
