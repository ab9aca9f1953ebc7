"""The explanation of a verdict on a trace, in paragraphs whose pieces refer to events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pmmc_check.report.runs.run import Paragraph, Span
from pmmc_check.validation.verdict import CitedViolation, Failure, Place, TraceVerdict
from pmmc_check.verdicts import ACCEPTED

Places = Mapping[tuple[str, int], int]
"""The events by where they stand."""


def title_of(verdict: TraceVerdict) -> str:
    """What the verdict says, in a line."""
    if verdict.failure is not None:
        return f"violates the rule: {verdict.failure.rule}"
    if verdict.violations:
        return f"breaks {', '.join(each.invariant for each in verdict.violations)}"
    if verdict.verdict == ACCEPTED:
        return "a legal run of the protocol"
    return (verdict.reason or "").partition("\n")[0]


def explanation_of(verdict: TraceVerdict, at: Places) -> Iterator[Paragraph]:
    """What the text report says, one paragraph a line."""
    for note in verdict.notes:
        yield (Span(f"Note: {note}"),)
    if verdict.reason:
        yield (Span(verdict.reason),)
    if verdict.failure is not None:
        yield from _failure(verdict.failure, at)
    for violation in verdict.violations:
        yield from _violation(violation, at)


def _failure(failure: Failure, at: Places) -> Iterator[Paragraph]:
    yield (Span("At "), *_place(failure.at, at))
    yield (Span(f"The rule: {failure.rule}"),)
    yield (Span(f"Expected: {failure.expected}"),)
    yield (Span(f"Observed: {failure.observed}"),)
    if failure.state:
        yield (Span(f"State: {failure.state}"),)
    yield from _listed("In a cycle: ", failure.cycle)
    yield from _listed("Nearest send: ", failure.nearest)
    yield from _listed("Possible instead: ", failure.enabled)
    for place in failure.past:
        yield (Span("Led here: "), *_place(place, at))


def _listed(label: str, lines: Sequence[str]) -> Iterator[Paragraph]:
    for line in lines:
        yield (Span(label + line),)


def _violation(violation: CitedViolation, at: Places) -> Iterator[Paragraph]:
    yield (Span(f"{violation.invariant} is broken: {violation.statement}"),)
    yield (Span(violation.how),)
    for place in violation.places:
        yield tuple(_place(place, at))


def _place(place: Place, at: Places) -> Iterator[Span]:
    yield Span(f"{place.file}:{place.line}", at.get((place.file, place.line)))
    yield Span(f": {place.text}")
