"""What the process of a check said: its exit code, one JSON object on stdout, messages on stderr."""

from __future__ import annotations

import json
import signal
from typing import Any

from pmmc_check.gate.checks import CRASHED, TRACE, Check, CheckOutcome, GateFinding
from pmmc_check.verdicts import ACCEPTED, BAD_INPUT, HOLDS, INCONCLUSIVE, REJECTED, VIOLATED

_USAGE, _INCONCLUSIVE = 2, 3
_CODES = {HOLDS: 0, VIOLATED: 1, ACCEPTED: 0, REJECTED: 1, BAD_INPUT: _USAGE, INCONCLUSIVE: _INCONCLUSIVE}
"""A verdict counts only with its exit code."""


def outcome_of(check: Check, code: int, stdout: str, stderr: str) -> CheckOutcome:
    """The outcome of a process that ended by itself with `code`; without a verdict that makes sense it has crashed."""
    answer = _object(stdout)
    read = _trace_outcome if check.kind == TRACE else _search_outcome
    try:
        outcome = read(check, answer) if answer is not None else None
    except (KeyError, TypeError, IndexError, AttributeError):
        outcome = None
    if outcome is not None and outcome.verdict in _CODES and code in _codes(outcome):
        return outcome
    said = _last_line(stderr)
    if code == _USAGE:
        return CheckOutcome(BAD_INPUT, said or "no message")
    if code == _INCONCLUSIVE:
        return CheckOutcome(INCONCLUSIVE, said or "stopped")
    return CheckOutcome(CRASHED, f"{_how_it_ended(code)}{': ' + said if said else ''}")


def _codes(outcome: CheckOutcome) -> tuple[int, ...]:
    """The exit codes that go with an outcome; that of a spec may also say whether it is what the spec expects."""
    told = () if outcome.as_expected is None else (0 if outcome.as_expected else 1,)
    return (_CODES[outcome.verdict], *told)


def _search_outcome(check: Check, answer: dict[str, Any]) -> CheckOutcome:
    violation = answer.get("violation")
    reason = f"{violation['property']}: {violation['message']}" if violation else (answer.get("limit") or "")
    expected = answer.get("expected") or {}
    return CheckOutcome(
        answer["verdict"],
        _one_line(str(reason)),
        answer.get("distinct_states"),
        expected=expected.get("verdict"),
        as_expected=answer.get("as_expected"),
    )


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


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return _one_line(lines[-1].removeprefix("pmmc-check ").removeprefix("explore: ").removeprefix("validate: ")) if lines else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code} and no verdict"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"
