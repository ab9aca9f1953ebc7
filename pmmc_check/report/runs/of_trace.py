"""The run that a trace records: its events, in an order in which each receive comes after its send, with the states that a replay knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.report.runs.causality import causal_past
from pmmc_check.report.runs.explained import explanation_of, title_of
from pmmc_check.report.runs.reader import TraceReader
from pmmc_check.report.runs.run import EventMark, Run, RunEvent
from pmmc_check.trace.events import DROP, RECEIVE, SEND, Event, Header, Names, Perform, RecordedItem
from pmmc_check.trace.readers.reader import open_trace
from pmmc_check.trace.sources import Source
from pmmc_check.validation.rare_collections import rare_collections
from pmmc_check.validation.replay.diagnosis import Rejected
from pmmc_check.validation.replay.inflight import Ambiguous
from pmmc_check.validation.replay.interleaving import Interleaving, Log
from pmmc_check.validation.replay.observed import Happened, ObservedReplay
from pmmc_check.validation.verdict import TraceVerdict


def run_of_trace(source: Source, verdict: TraceVerdict, protocol: Protocol | None = None) -> Run:
    """The recorded run, with the verdict on it and, if it was rejected, what is wrong and the causal past of that.

    Raises:
        TraceError: it cannot be read.
    """
    trace = open_trace(source.path, source.parts)
    with rare_collections():
        reader, to_the_end = _replayed(trace.header, trace.names, trace.streams, protocol or PMMC)
        if not to_the_end:
            again = open_trace(source.path, source.parts, names=trace.names)
            left = [each for stream in again.streams for each in _events(stream, reader) if each.at not in reader.index_at]
            _take_loosely(reader, left, _failing_place(verdict))
    return _judged(reader, verdict, _is_by_host(reader))


def run_of_events(header: Header, names: Names, events: Iterable[Event], protocol: Protocol | None = None) -> Run:
    """A run of which every event is known, such as a simulated one."""
    with rare_collections():
        reader, _ = _replayed(header, names, [iter(events)], protocol or PMMC)
    return reader.run("simulation", "a simulated run", "simulated")


def _replayed(header: Header, names: Names, streams: Iterable[Iterator[RecordedItem]], protocol: Protocol) -> tuple[TraceReader, bool]:
    """What a replay can tell, and whether it has taken all events."""
    reader = TraceReader(header, names)
    replay = ObservedReplay(header, names, protocol, reader)
    reader.begin(replay.processes.running.values())
    with suppress(Rejected, Ambiguous):
        replay.run([_events(stream, reader) for stream in streams])
        return reader, True
    return reader, False


def _events(items: Iterator[RecordedItem], reader: TraceReader) -> Iterator[Event]:
    """The events among some items. What replicas performed goes to the reader by itself."""
    last: dict[str, Event] = {}
    for item in items:
        if isinstance(item, Event):
            last[item.log] = item
            yield item
        elif isinstance(item, Perform):
            reader.performed(item, last.get(item.log))


def _failing_place(verdict: TraceVerdict) -> tuple[str, int] | None:
    return None if verdict.failure is None else (verdict.failure.at.file, verdict.failure.at.line)


def _take_loosely(reader: TraceReader, left: Sequence[Event], failing: tuple[str, int] | None) -> None:
    """Adds events that no replay has judged: first the failing one, then the others, receives after their sends where these are there."""
    first = [each for each in left if each.at == failing]
    for each in first:
        reader.happened(_as_recorded(reader, each))
    rest = [each for each in left if each.at != failing]
    to_come: dict[Any, int] = {}
    for event in rest:
        for key in _keys_sent(reader, event):
            to_come[key] = to_come.get(key, 0) + 1

    def advance(log: Log, event: Event) -> bool:
        if event.action in (RECEIVE, DROP) and event.message is not None:
            key = reader.key_of(event.process, event.message)
            if to_come.get(key) and not reader.is_on_its_way(key):
                return interleaving.wait(key, log)
        reader.happened(_as_recorded(reader, event), unjudged=True)
        for key in _keys_sent(reader, event):
            to_come[key] -= 1
            interleaving.wake(key)
        return True

    interleaving = Interleaving(advance)
    interleaving.take_all([iter(rest)])
    for log in interleaving.logs.values():
        for event in log.queue:
            reader.happened(_as_recorded(reader, event), unjudged=True)


def _keys_sent(reader: TraceReader, event: Event) -> Iterator[Any]:
    if event.action == SEND and event.message is not None:
        yield from (reader.key_of(to, event.message) for to in reader.recipients(event))


def _as_recorded(reader: TraceReader, event: Event) -> Happened:
    """An event at its word."""
    message = event.message
    sent = tuple((to, message) for to in reader.recipients(event)) if event.action == SEND and message is not None else ()
    return Happened(event, message if event.action in (RECEIVE, DROP) else None, sent)


def _is_by_host(reader: TraceReader) -> bool:
    """Whether all that a leader's machine does is in one log, and so in one order."""
    return not reader.own_logs


def _judged(reader: TraceReader, verdict: TraceVerdict, by_host: bool) -> Run:
    at = reader.index_at
    run = reader.run("trace", title_of(verdict), verdict.verdict)
    place = _failing_place(verdict)
    failing = [at[place]] if place is not None and place in at else []
    broken = [at[each.file, each.line] for violation in verdict.violations for each in violation.places if (each.file, each.line) in at]
    led = [at[each.file, each.line] for each in (verdict.failure.past if verdict.failure else ()) if (each.file, each.line) in at]
    wrong = failing or ([max(broken)] if broken else [])
    past = causal_past(run.events, run.messages, {*wrong, *broken}, by_host)
    marks: dict[int, set[EventMark]] = {}
    for indices, mark in ((wrong, EventMark.FAILING), ([*broken, *led], EventMark.CITED), (past, EventMark.PAST)):
        for index in indices:
            marks.setdefault(index, set()).add(mark)
    events: list[RunEvent] = [
        replace(each, marks=(each.marks | marks[each.index]) - ({EventMark.UNJUDGED} if each.index in wrong else set()))
        if each.index in marks
        else each
        for each in run.events
    ]
    return replace(run, events=events, explanation=tuple(explanation_of(verdict, at)))
