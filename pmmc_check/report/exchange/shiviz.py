"""Runs as logs for ShiViz: each event in two lines, what happened, then the host with its vector clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pmmc_check.protocol.values import ProcessId
from pmmc_check.report.exchange import NotExpressible
from pmmc_check.report.exchange.sequence import changes_told
from pmmc_check.report.exchange.text import one_line
from pmmc_check.report.runs.run import EventKind, Run, RunEvent

PARSER = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})"
"""The regular expression that ShiViz takes by default: these logs need no other."""

NETWORK = "(network)"
"""The host where messages get lost: no process knows of it."""

ENTRIES_MAX = 2_000_000
"""So many entries all clocks together may have: about 40 MB."""


@dataclass(frozen=True)
class HostEvent:
    """One event of one host, with its vector clock; `index` is the number of the run's event."""

    index: int
    host: str
    text: str
    clock: dict[str, int]


def run_as_shiviz(run: Run) -> str:
    """The log. What is never delivered shows only where it is sent.

    Raises:
        NotExpressible: its clocks would be too large.
    """
    entries = len(run.events) * len(run.processes)
    if entries > ENTRIES_MAX:
        raise NotExpressible(
            f"a vector clock names every process: {len(run.events):,} events of {len(run.processes):,} processes are {entries:,} entries, "
            f"and at most {ENTRIES_MAX:,} are written"
        )
    return "".join(f"{each.text}\n{each.host} {json.dumps(each.clock, ensure_ascii=False)}\n" for each in host_events(run))


def host_events(run: Run) -> Iterator[HostEvent]:
    """The events of all hosts, each with what it causally follows in its clock.

    A step of a leader that creates a scout, say, is an event of both: the scout's follows the leader's. Scouts and commanders are hosts.
    """
    hosts = _Hosts(run)
    for event in run.events:
        if event.kind is EventKind.START:
            yield from hosts.started(event)
        elif event.kind is EventKind.DROP:
            yield hosts.happened(event, None, (event.message,))
        elif event.process is not None:
            yield hosts.happened(event, event.process, (event.message,))
            others = dict.fromkeys(change.process for change in event.changes if change.process != event.process)
            for other in others:
                yield hosts.happened(event, other, (), follows=event.process)


class _Hosts:
    """The newest clock of each host, and the clocks with which messages left."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._now: dict[str, dict[str, int]] = {}
        self._sent: dict[tuple[int, ProcessId | None], dict[str, int]] = {}

    def started(self, event: RunEvent) -> Iterator[HostEvent]:
        """All that exist at the start, or send something then; scouts after their leaders."""
        there = {change.process for change in event.changes} | {self._run.messages[each].sender for each in event.sends}
        for each in sorted(self._run.processes, key=lambda each: each.owner is not None):
            if each.id in there:
                yield self.happened(event, each.id, (), follows=each.owner)

    def happened(
        self, event: RunEvent, process: ProcessId | None, messages: tuple[int | None, ...], follows: ProcessId | None = None
    ) -> HostEvent:
        """One event of a host: None is the network. It follows what it receives, and the event of `follows` with the same number."""
        host = NETWORK if process is None else _host(self._run, process)
        known = [self._now.get(host, {})]
        if follows is not None:
            known.append(self._sent.get((event.index, follows), {}))
        known += [self._left(number) for number in messages if number is not None]
        clock: dict[str, int] = {}
        for each in known:
            for name, count in each.items():
                clock[name] = max(count, clock.get(name, 0))
        clock = {host: clock.get(host, 0) + 1, **{name: count for name, count in sorted(clock.items()) if name != host}}
        self._now[host] = self._sent[event.index, process] = clock
        return HostEvent(event.index, host, _text(event, process, self._run), clock)

    def _left(self, number: int) -> dict[str, int]:
        """The clock of the event in which a message was sent; nothing where nobody records that."""
        message = self._run.messages[number]
        if message.sent_at is None:
            return {}
        by = self._run.events[message.sent_at].process
        return self._sent.get((message.sent_at, message.sender)) or self._sent.get((message.sent_at, by)) or {}


def _text(event: RunEvent, process: ProcessId | None, run: Run) -> str:
    """What happened, what changes, what is sent: in one line."""
    own, begins = process == event.process or process is None, event.kind is EventKind.START
    said = [f"{event.index} {'(inferred) ' * event.inferred}{event.label}" if own and not begins else str(event.index)]
    if process is not None:
        said += ["starts"] if begins else changes_told(event).get(process, ())
        sends: dict[str, list[str]] = {}
        for number in event.sends:
            message = run.messages[number]
            if message.sender == process or (message.sender is None and own):
                sends.setdefault(message.text, []).append(_host(run, message.to))
        if event.kind is not EventKind.SEND:
            said += [f"sends {text} to {', '.join(to)}" for text, to in sends.items()]
    return one_line(": ".join([said[0], "; ".join(said[1:])] if said[1:] else said))


def _host(run: Run, process: ProcessId) -> str:
    """A name without blanks: ShiViz ends it there."""
    return one_line(run.names.get(process, str(process))).replace(" ", "_")
