"""The run that a search has found: a counterexample, or a witness."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.model.faults import Crash, Drop, Restart
from pmmc_check.model.model import Item, Model, State
from pmmc_check.model.network import Fifo, network_named
from pmmc_check.protocol.messages import Decision, Instant, Message, Start, show
from pmmc_check.protocol.values import COMMANDER, FAULTS, REPLICA, SCOUT, Ballot, ProcessId, host_of
from pmmc_check.report.counterexample import delivered_text
from pmmc_check.report.explore_text import size_of
from pmmc_check.report.runs.causality import causal_past
from pmmc_check.report.runs.fields import ballot_of, changed_fields, fields_of, slot_of
from pmmc_check.report.runs.run import (
    EventKind,
    EventMark,
    Fate,
    FieldChange,
    FieldValue,
    Paragraph,
    Run,
    RunEvent,
    RunMessage,
    RunProcess,
    Span,
)
from pmmc_check.report.why import why
from pmmc_check.verdicts import VIOLATED

_STEP = re.compile(r"\b[Ss]teps? \d+(?:(?:, | and )\d+)*")
_KINDS = {Drop: EventKind.DROP, Crash: EventKind.CRASH, Restart: EventKind.RESTART}


def run_of_violation(violation: Violation, model: Model) -> Run:
    """A counterexample, with the reasons why it went wrong."""
    reasons = why(violation, model)
    marks = {each.index: EventMark.DEVIATION for each in reasons.deviations if each.index}
    run = _run(violation, model, marks, failing=True)
    explanation = tuple(paragraph_of(each, len(run.events)) for each in reasons.sentences)
    cited = {span.event for paragraph in explanation for span in paragraph}
    return replace(
        run,
        events=[_marked(each, [EventMark.CITED if each.index in cited else None]) for each in run.events],
        title=f"{violation.invariant}: {violation.how}",
        verdict=VIOLATED,
        explanation=explanation,
    )


def run_of_witness(name: str, found: Violation, model: Model) -> Run:
    """A run that reaches what was asked for."""
    return replace(_run(found, model, {}, failing=False), title=name, verdict="reached")


def paragraph_of(sentence: str, events: int) -> Paragraph:
    """A sentence in pieces: where it names steps, each number is a reference."""
    spans, end = list[Span](), 0
    for found in _STEP.finditer(sentence):
        for number in re.finditer(r"\d+", found.group()):
            start = found.start() + number.start()
            if int(number.group()) < events:
                first = found.start() if not spans or end <= found.start() else start
                spans += [Span(sentence[end:first]), Span(sentence[first : start + len(number.group())], int(number.group()))]
                end = start + len(number.group())
    spans.append(Span(sentence[end:]))
    return tuple(each for each in spans if each.text)


def _run(found: Violation, model: Model, marks: dict[int, EventMark], failing: bool) -> Run:
    reader = _Reader(model)
    events = [reader.start(found.initial)]
    before = found.initial
    for index, each in enumerate(found.trace, 1):
        events.append(reader.taken(index, before, each))
        before = each.after
    messages = [reader.finished(each) for each in reader.messages]
    last = len(events) - 1
    past = causal_past(events, messages, {last}) if failing else frozenset()
    events = [_marked(each, [marks.get(each.index), EventMark.PAST if each.index in past else None]) for each in events]
    if failing:
        events[last] = _marked(events[last], [EventMark.FAILING])
    loop = last - found.loop + 1 if found.loop else 0
    endless = (("repeated", f"step{f's {loop} to' * (loop < last)} {last}, for ever"),) if loop else ()
    return Run(
        source="search",
        title="",
        verdict="",
        processes=tuple(_processes(model, events)),
        events=events,
        messages=messages,
        ballots=tuple(map(str, sorted(reader.ballots))),
        facts=(
            ("configuration", size_of(model.config)),
            ("network", f"{model.config.network}: {network_named(model.config.network).explanation}"),
            *endless,
        ),
        loop=loop,
    )


def _marked(event: RunEvent, marks: Iterable[EventMark | None]) -> RunEvent:
    return replace(event, marks=event.marks | {each for each in marks if each is not None})


def _processes(model: Model, events: Iterable[RunEvent]) -> Iterator[RunProcess]:
    """All but scouts and commanders that never live in this run."""
    lives = {change.process for event in events for change in event.changes}
    for process in model.processes:
        if process.role != FAULTS and (process in lives or process.role not in (SCOUT, COMMANDER)):
            yield RunProcess(process, str(process), host_of(process) if process.role in (SCOUT, COMMANDER) else None)


class _Reader:
    """Follows a run, step by step, and keeps the messages."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.messages: list[RunMessage] = []
        self.ballots: set[Ballot] = set()
        self._on_the_way: dict[tuple[ProcessId, Message], list[int]] = {}
        self._fields: dict[ProcessId, dict[str, FieldValue]] = {}

    def start(self, initial: State) -> RunEvent:
        """The initial state, with what is on its way in it."""
        model = self.model
        outsets = [each for each in model.processes if each.role not in (SCOUT, COMMANDER)]
        items = [item for process in outsets for item in model.items(process, model.started(process, Start()).sends)]
        sends = self._sent(0, items)
        return RunEvent(0, EventKind.START, None, "the start", sends=sends, changes=self._changes(initial))

    def taken(self, index: int, before: State, taken: TraceStep) -> RunEvent:
        """One step."""
        step = taken.step
        kind = _KINDS.get(type(step.message), EventKind.DELIVER)
        message = None
        if kind in (EventKind.DELIVER, EventKind.DROP):
            message = self._arrived(index, kind, before, taken)
        items = list(self.model.items(step.process, step.outcome.sends))
        sends = self._sent(index, items)
        changes = self._changes(taken.after)
        marks = (
            {EventMark.DECISION} if any(isinstance(each.message, Decision) and each.sender.role == COMMANDER for each in items) else set()
        )
        if any(each.process.role == REPLICA and each.field == "leaders" for each in changes) and kind is EventKind.DELIVER:
            marks.add(EventMark.RECONFIGURATION)
        return RunEvent(index, kind, step.process, delivered_text(step), message, sends, changes, marks=frozenset(marks))

    def finished(self, message: RunMessage) -> RunMessage:
        """A message as the run leaves it."""
        fate = Fate.DELIVERED if message.received_at else Fate.DROPPED if message.dropped_at is not None else Fate.PENDING
        return replace(message, fate=fate)

    def _sent(self, index: int, items: Iterable[Item]) -> tuple[int, ...]:
        sent = []
        for to, sender, message in items:
            if isinstance(message, Instant):
                continue
            number = len(self.messages)
            ballot = ballot_of(message, sender, to)
            if ballot is not None:
                self.ballots.add(ballot)
            self.messages.append(
                RunMessage(
                    number,
                    message.kind,
                    str(message),
                    sender,
                    to,
                    index,
                    ballot=None if ballot is None else str(ballot),
                    slot=slot_of(message, sender, to),
                    payload=message,
                )
            )
            self._on_the_way.setdefault((to, message), []).append(number)
            sent.append(number)
        return tuple(sent)

    def _arrived(self, index: int, kind: EventKind, before: State, taken: TraceStep) -> int | None:
        """Which message is delivered or dropped: the first that was sent and has not arrived, else (doubled) the last that did."""
        delivered = taken.step.message
        content = delivered.message if isinstance(delivered, Drop) else delivered
        known = self._on_the_way.get((taken.step.process, content), [])
        sender = sender_of(self.model, before, taken)
        fitting = [each for each in known if sender is None or self.messages[each].sender == sender]
        if not fitting:
            return None
        fresh = [each for each in fitting if not self.messages[each].received_at and self.messages[each].dropped_at is None]
        number = fresh[0] if fresh else max(fitting, key=lambda each: self.messages[each].received_at)
        message = self.messages[number]
        self.messages[number] = (
            replace(message, dropped_at=index) if kind is EventKind.DROP else replace(message, received_at=(*message.received_at, index))
        )
        return number

    def _changes(self, after: State) -> tuple[FieldChange, ...]:
        found: list[FieldChange] = []
        for process, view in zip(self.model.processes, after, strict=True):
            if process.role != FAULTS:
                fields = fields_of(view.state, show)
                found += changed_fields(process, self._fields.get(process, {}), fields)
                self._fields[process] = fields
        return tuple(found)


def sender_of(model: Model, before: State, taken: TraceStep) -> ProcessId | None:
    """Who sent what a step received, where that matters: on a network that keeps the order between two processes."""
    if model.config.network != Fifo.name:
        return None
    index = model.index[taken.step.process]
    for each in model.deliveries(taken.step.process, before[index]):
        same = (each.message, each.outcome) == (taken.step.message, taken.step.outcome)
        if same and each.sender is not None and model.taken(before, index, each) == taken.after:
            return each.sender
    return None
