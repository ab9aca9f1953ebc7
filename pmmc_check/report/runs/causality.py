"""Which events of a run can have caused which: Lamport's happened-before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pmmc_check.protocol.values import ProcessId, host_of
from pmmc_check.report.runs.run import RunEvent, RunMessage


def causes(events: Sequence[RunEvent], messages: Sequence[RunMessage], by_host: bool = False) -> Iterator[tuple[int, ...]]:
    """For each event the events directly before it: the latest of each process that takes part in it, and the send of what it receives.

    With `by_host` a leader, its scouts and its commanders are one process, as where they share a log. The start comes before everything.
    """
    latest: dict[ProcessId, int] = {}
    for event in events:
        taking_part = {process if not by_host else host_of(process) for process in _taking_part(event)}
        before = {latest.get(process, 0) for process in taking_part}
        if event.message is not None and (sent_at := messages[event.message].sent_at) is not None:
            before.add(sent_at)
        for process in taking_part:
            latest[process] = event.index
        yield tuple(sorted(each for each in before if each < event.index))


def _taking_part(event: RunEvent) -> Iterator[ProcessId]:
    """The process of the event, and those that it creates or stops. At the start that is everybody, and each comes after it anyway."""
    if event.process is not None:
        yield event.process
        yield from (change.process for change in event.changes)


def causal_past(events: Sequence[RunEvent], messages: Sequence[RunMessage], of: Collection[int], by_host: bool = False) -> frozenset[int]:
    """The events without which those numbered `of` could not have happened, these left out."""
    if not of:
        return frozenset()
    before = list(causes(events, messages, by_host))
    found: set[int] = set()
    left = list(of)
    while left:
        for each in before[left.pop()]:
            if each not in found:
                found.add(each)
                left.append(each)
    return frozenset(found - set(of))
