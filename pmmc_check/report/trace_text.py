"""What `validate` prints for people: one line a trace, and an explanation of at most about thirty lines for each that is not accepted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pmmc_check.validation.verdict import CitedViolation, Failure, Place, TraceVerdict
from pmmc_check.verdicts import BAD_INPUT, INCONCLUSIVE
from pmmc_check.words import counted

LINES_MAX = 30
_VIOLATIONS_MAX = 3


def summary(verdict: TraceVerdict) -> str:
    """The verdict on one trace, in one line."""
    if verdict.verdict == BAD_INPUT:
        return f"{verdict.file}: bad input"
    broken = f", breaks {', '.join(each.invariant for each in verdict.violations)}" if verdict.violations else ""
    searched = f", {counted(verdict.states, 'state')} searched" if verdict.states else ""
    return f"{verdict.file}: {verdict.verdict} ({counted(verdict.events, 'event')}{broken}{searched}, {verdict.seconds:.2f} s)"


def explanation(verdict: TraceVerdict, whole: bool = False) -> Iterator[str]:
    """Notes, and why: often nothing for an accepted trace. Cut to `LINES_MAX` lines unless `whole`, what led to it first."""
    notes = [f"  note: {note}" for note in verdict.notes]
    lines = [*notes, *_why(verdict)]
    for shorter in () if whole or verdict.failure is None or not verdict.violations else _shorter(verdict.failure):
        if len(lines) > LINES_MAX:
            lines = [*notes, *_why(replace(verdict, failure=shorter))]
    if whole or len(lines) <= LINES_MAX:
        yield from lines
        return
    yield from lines[: LINES_MAX - 1]
    yield f"  ... {len(lines) - LINES_MAX + 1} more lines; --explain FILE writes all of them"


def _shorter(failure: Failure) -> Iterator[Failure]:
    """The same with less and less around it, so that there is room for the invariants that are broken."""
    yield (failure := replace(failure, enabled=()))
    yield (failure := replace(failure, past=failure.past[-4:], nearest=failure.nearest[:1]))
    yield replace(failure, past=(), nearest=(), cycle=failure.cycle[:4])


def _why(verdict: TraceVerdict) -> Iterator[str]:
    if verdict.verdict in (BAD_INPUT, INCONCLUSIVE):
        label = "" if verdict.verdict == BAD_INPUT else "inconclusive: "
        yield from (f"  {line}" for line in f"{label}{verdict.reason}".splitlines())
    if verdict.failure is not None:
        yield from _failure(verdict.failure)
    if verdict.legal_run and verdict.violations:
        broken = ", ".join(each.invariant for each in verdict.violations)
        yield f"  a legal run of the changed protocol, and it breaks {broken}"
    for violation in verdict.violations[:_VIOLATIONS_MAX]:
        yield from _violation(violation)
    if len(verdict.violations) > _VIOLATIONS_MAX:
        yield f"  also broken: {', '.join(each.invariant for each in verdict.violations[_VIOLATIONS_MAX:])}"


def _failure(failure: Failure) -> Iterator[str]:
    yield f"  {failure.at.file}:{failure.at.line}: {failure.at.text}"
    yield f"    rule      {failure.rule}"
    yield f"    expected  {failure.expected}"
    yield f"    observed  {failure.observed}"
    if failure.state:
        yield f"    state     {failure.state}"
    yield from _block("in a cycle", failure.cycle)
    yield from _block("nearest sends", failure.nearest)
    yield from _block("possible instead", [line for line in failure.enabled if line.removeprefix("send ") not in failure.expected])
    yield from _block("what led here", tuple(map(_place, failure.past)))


def _block(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"    {title}:"
        yield from (f"      {line}" for line in lines)


def _violation(violation: CitedViolation) -> Iterator[str]:
    yield f"  {violation.invariant} is broken: {violation.statement}"
    yield f"    {violation.how}"
    yield from (f"      {_place(place)}" for place in violation.places)


def _place(place: Place) -> str:
    return f"{place.file}:{place.line}: {place.text}"
