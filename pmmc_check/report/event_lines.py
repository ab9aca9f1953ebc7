"""A run as text: one line an event, what it changes below it."""

from __future__ import annotations

from collections.abc import Iterator

from pmmc_check.report.runs.run import EventMark, Run, RunEvent

_SIGNS = {
    EventMark.FAILING: "here the run goes wrong",
    EventMark.DEVIATION: "the paper's protocol would not have taken this step",
    EventMark.DECISION: "a command is decided",
    EventMark.RECONFIGURATION: "a reconfiguration takes effect",
    EventMark.UNJUDGED: "not judged",
}


def event_lines(run: Run) -> Iterator[str]:
    """The facts, then the events; `*` marks what is in the causal past of what goes wrong, `!` where it does."""
    width = len(str(len(run.events)))
    label = max((len(name) for name, _ in run.facts), default=0)
    for name, text in run.facts:
        yield f"{name:{label}}  {text}"
    if run.facts:
        yield ""
    for event in run.events:
        yield f"{event.index:{width}} {_sign(event)} {event.label}{_notes(event)}"
        if event.index:
            yield from (f"{'':{width}}     {run.names[change.process]}: {change}" for change in event.changes)


def _sign(event: RunEvent) -> str:
    return "!" if EventMark.FAILING in event.marks else "*" if EventMark.PAST in event.marks else " "


def _notes(event: RunEvent) -> str:
    notes = [*(["inferred"] if event.inferred else []), *(text for mark, text in _SIGNS.items() if mark in event.marks)]
    place = f"  {event.place[0]}:{event.place[1]}" if event.place is not None else ""
    return place + (f"  ({'; '.join(notes)})" if notes else "")
