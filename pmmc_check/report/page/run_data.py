"""A run as the page's script reads it: rows of short lists, small also for 100,000 events. Its types are in web/src/data.ts."""

from __future__ import annotations

from typing import Any

from pmmc_check.protocol.values import ProcessId
from pmmc_check.report.runs.run import EventKind, EventMark, Fate, FieldChange, Run, RunEvent, RunMessage

KIND_CODES = {kind: code for code, kind in enumerate(EventKind)}
FATE_CODES = {fate: code for code, fate in enumerate(Fate)}
MARK_BITS = {mark: 1 << bit for bit, mark in enumerate(EventMark)}
"""Numbers in the place of words; `as_data` sends the words along, so that the script need not know them by heart."""


def run_as_data(run: Run) -> dict[str, Any]:
    """The run as lists, numbers and strings."""
    process_number = {each.id: number for number, each in enumerate(run.processes)}
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys(each.kind for each in run.messages))}
    ballots = {ballot: number for number, ballot in enumerate(run.ballots)}
    files = {name: number for number, name in enumerate(dict.fromkeys(each.place[0] for each in run.events if each.place is not None))}
    fields = {name: number for number, name in enumerate(dict.fromkeys(c.field for each in run.events for c in each.changes))}
    return {
        "source": run.source,
        "title": run.title,
        "verdict": run.verdict,
        "facts": [list(each) for each in run.facts],
        "explanation": [[[span.text, span.event] for span in paragraph] for paragraph in run.explanation],
        "processes": [[each.name, each.id.role, None if each.owner is None else process_number[each.owner]] for each in run.processes],
        "eventKinds": [str(each) for each in EventKind],
        "fates": [str(each) for each in Fate],
        "marks": [str(each) for each in EventMark],
        "messageKinds": list(kinds),
        "ballots": list(run.ballots),
        "fields": list(fields),
        "files": list(files),
        "events": [_event(each, process_number, fields, files) for each in run.events],
        "messages": [_message(each, process_number, kinds, ballots) for each in run.messages],
    }


def _event(event: RunEvent, processes: dict[ProcessId, int], fields: dict[str, int], files: dict[str, int]) -> list[Any]:
    bits = sum(MARK_BITS[mark] for mark in event.marks)
    return [
        KIND_CODES[event.kind],
        -1 if event.process is None else processes[event.process],
        event.label,
        -1 if event.message is None else event.message,
        list(event.sends),
        [_change(each, processes, fields) for each in event.changes],
        bits,
        int(event.inferred),
        *(() if event.place is None else (files[event.place[0]], event.place[1])),
    ]


def _change(change: FieldChange, processes: dict[ProcessId, int], fields: dict[str, int]) -> list[Any]:
    """Four entries for a text (before, after), five for a set (what comes, what goes)."""
    head = [processes[change.process], fields[change.field]]
    return [*head, list(change.added), list(change.removed), 1] if change.is_set else [*head, change.before, change.after]


def _message(message: RunMessage, processes: dict[ProcessId, int], kinds: dict[str, int], ballots: dict[str, int]) -> list[Any]:
    return [
        kinds[message.kind],
        message.text,
        -1 if message.sender is None else processes[message.sender],
        processes[message.to],
        -1 if message.sent_at is None else message.sent_at,
        list(message.received_at),
        -1 if message.dropped_at is None else message.dropped_at,
        FATE_CODES[message.fate],
        -1 if message.ballot is None else ballots[message.ballot],
        message.slot or 0,
    ]
