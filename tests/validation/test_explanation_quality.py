"""Does an explanation point at what was corrupted? One event is corrupted at a time, and the event that is cited compared with it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from pmmc_check.protocol.messages import P1b
from pmmc_check.protocol.values import COMMANDER, SCOUT
from pmmc_check.report.trace_text import LINES_MAX, explanation
from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import RECEIVE, SEND, Event
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import REJECTED
from tests.validation.runs import Run, plan, run
from tests.validation.test_corruptions import corruptions

THE_EVENT, DOWNSTREAM, CITED, ELSEWHERE = "the event itself", "causally after it", "in what led there", "elsewhere"


def caused_by(events: list[Event], index: int) -> set[int]:
    """The events that come after one of them, itself among them: in its log, or in another by way of a message or of its creation."""
    found: set[int] = set()
    logs: set[str] = {events[index].log}
    before = {event.log for event in events[:index]}
    sent: list[Event] = []
    for position, event in enumerate(events[index:], index):
        created = event.process.role in (SCOUT, COMMANDER) and event.log not in before and f"L{event.process.number}" in logs
        if event.log in logs or created or (event.action == RECEIVE and any(arrives(send, event) for send in sent)):
            found.add(position)
            logs.add(event.log)
            sent += [event] if event.action == SEND else []
    return found


def arrives(send: Event, receive: Event) -> bool:
    return said(send) == said(receive) and (send.peers is None or receive.process in send.peers)


def said(event: Event) -> Any:
    """A message but for its set, which a log may show whole or as a delta."""
    return replace(event.message, accepted=frozenset()) if isinstance(event.message, P1b) else event.message


def touched(original: list[str], lines: list[str]) -> list[int]:
    """The positions in `original` of what was changed: one, or two that were exchanged."""
    if len(lines) == len(original):
        return [i for i, (a, b) in enumerate(zip(original, lines, strict=True)) if a != b]
    return [next((i for i, (a, b) in enumerate(zip(original, lines, strict=False)) if a != b), len(original) - 1)]


def pointed_at(whole: Run, lines: list[str], verdict: TraceVerdict) -> str:
    assert verdict.failure is not None
    above = len(whole.text().splitlines()) - len(whole.lines) + 1
    changes = touched(whole.lines, lines)
    shift = len(whole.lines) - len(lines)
    at, *past = (
        min(line - above + (shift if line - above > changes[0] or (shift > 0 and line - above == changes[0]) else 0), len(whole.lines) - 1)
        for line in (verdict.failure.at.line, *(place.line for place in verdict.failure.past))
    )
    if at in changes:
        return THE_EVENT
    _, events = whole.read()
    logs = {lines[index].split(" ")[0] for index in changes if index < len(lines)}
    if any(at in caused_by(events, index) for index in changes) or whole.lines[at].split(" ")[0] in logs:
        return DOWNSTREAM
    return CITED if set(past) & set(changes) else ELSEWHERE


def measured(seeds: range, share: float) -> Counter[str]:
    answers: Counter[str] = Counter()
    for seed in seeds:
        rng = random.Random(seed)
        whole = run(plan(seed, 120))
        for lines in corruptions(whole.lines, rng, share):
            corrupted = Run(whole.header, lines)
            try:
                verdict = corrupted.judged()
            except TraceError:
                continue
            if verdict.verdict == REJECTED and verdict.failure is not None and verdict.method == "replay":
                answers[pointed_at(whole, lines, verdict)] += 1
                assert len(list(explanation(verdict))) <= LINES_MAX
    return answers


def test_an_explanation_points_at_the_corruption_or_at_what_follows_from_it() -> None:
    answers = measured(range(40, 50), share=0.02)
    assert answers.total() > 40
    assert answers[THE_EVENT] > 0.3 * answers.total(), answers
    assert answers[ELSEWHERE] <= 0.05 * answers.total(), answers


@pytest.mark.slow
def test_thousands_of_explanations() -> None:
    answers = measured(range(1000, 1150), share=0.1)
    print(answers)
    assert answers.total() > 3000
    assert answers[ELSEWHERE] <= 0.05 * answers.total(), answers
