"""What the process of a check said: its exit code, one JSON object on stdout, messages on stderr."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from typing import Any

from pmmc_check.gating.checks import CRASHED, TRACE, Check, CheckOutcome, GateFinding
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, HOLDS, INCONCLUSIVE, REJECTED, VIOLATED
from pmmc_check.words import counted

_USAGE, _INCONCLUSIVE = 2, 3
_CODES = {HOLDS: 0, VIOLATED: 1, ACCEPTED: 0, REJECTED: 1, BAD_INPUT: _USAGE, INCONCLUSIVE: _INCONCLUSIVE}
"""A verdict counts only with its exit code."""
_MESSAGE = re.compile(r"pmmc-check (?:explore|validate): (.*)")


def outcome_of(check: Check, code: int, stdout: str, stderr: str) -> CheckOutcome:
    """The outcome of a process that ended by itself with `code`; without a verdict that makes sense it has crashed."""
    answer = _object(stdout)
    read = _trace_outcome if check.kind == TRACE else _search_outcome
    try:
        outcome = read(check, answer) if answer is not None else None
    except (KeyError, TypeError, IndexError, AttributeError):
        outcome = None
    if outcome is not None and _CODES.get(outcome.verdict) == code:
        return outcome
    said = _last_message(stderr)
    if code == _USAGE:
        return CheckOutcome(BAD_INPUT, said or "no message", findings=_places(check, said))
    if code == _INCONCLUSIVE:
        return CheckOutcome(INCONCLUSIVE, said or "stopped")
    return CheckOutcome(CRASHED, f"{_how_it_ended(code)}{': ' + said if said else ''}")


def _search_outcome(check: Check, answer: dict[str, Any]) -> CheckOutcome:
    reasons = list(_broken(answer))
    findings = tuple(
        GateFinding(check.file, check.property_lines[name], f"{name}: {how}") for name, how in reasons if name in check.property_lines
    )
    reason = f"{reasons[0][0]}: {reasons[0][1]}" if reasons else answer.get("limit") or ""
    return CheckOutcome(answer["verdict"], _one_line(str(reason)), answer.get("distinct_states"), findings)


def _broken(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The properties that do not hold, and how that shows."""
    if violation := answer.get("violation"):
        yield violation["property"], _one_line(violation["message"])
    for witness in answer.get("witnesses", []):
        if witness["reached"] is False:
            yield witness["name"], f"reached in none of {counted(witness['distinct_states'], 'state')}"


def _trace_outcome(check: Check, answer: dict[str, Any]) -> CheckOutcome:
    trace = answer["traces"][0]
    findings, reasons = [], []
    for each in trace["violations"]:
        reasons.append(f"{each['invariant']}: {each['how']}")
        findings += [GateFinding(place["file"], place["line"], reasons[-1]) for place in each["places"][:1]]
    if failure := trace["failure"]:
        reasons.insert(0, failure["rule"])
        findings.insert(0, GateFinding(failure["at"]["file"], failure["at"]["line"], reasons[0]))
    reason = _one_line(reasons[0] if reasons else trace["reason"] or "")
    return CheckOutcome(trace["verdict"], reason, findings=tuple(findings) or _places(check, reason))


def _places(check: Check, reason: str) -> tuple[GateFinding, ...]:
    """The place that a message on bad input begins with: `FILE:LINE:COLUMN: ...`."""
    for name in map(str, check.files):
        line = reason.removeprefix(f"{name}:").split(":", 1)[0]
        if reason.startswith(f"{name}:") and line.isdecimal():
            return (GateFinding(name, int(line), reason),)
    return ()


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _last_message(text: str) -> str:
    """The last message of pmmc-check without the lines that show its place, else the last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    messages = [match.group(1) for line in lines if (match := _MESSAGE.match(line))] or lines
    return _one_line(messages[-1]) if messages else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code} and no verdict"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"
