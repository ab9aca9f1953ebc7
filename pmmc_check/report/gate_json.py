"""The JSON of `gate`: one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pmmc_check import __version__
from pmmc_check.gating.checks import CheckResult, gate_exit_code

_GATE_VERDICTS = {0: "as expected", 1: "not as expected", 2: "bad input", 3: "inconclusive"}


def gate_as_json(results: Sequence[CheckResult], interrupted: bool = False) -> dict[str, Any]:
    """`verdict`, `interrupted`, `checks`, each with what was expected and what was found, and `version`, which is the tool's."""
    return {
        "verdict": gate_verdict(results, interrupted),
        "interrupted": interrupted,
        "checks": [_check(each) for each in results],
        "version": __version__,
    }


def gate_verdict(results: Sequence[CheckResult], interrupted: bool = False) -> str:
    """The worst of all, in words; an interrupted gate is inconclusive."""
    return _GATE_VERDICTS[3 if interrupted else gate_exit_code(results)]


def _check(result: CheckResult) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "name": result.check.name,
        "kind": result.check.kind,
        "file": result.check.file,
        "line": result.check.line,
        "command": ["pmmc-check", *result.check.arguments],
        "expected": result.expected,
        "expected_states": result.check.states,
        "verdict": outcome.verdict,
        "as_expected": result.good,
        "status": result.status,
        "reason": result.difference or outcome.reason or None,
        "distinct_states": outcome.states,
        "findings": [asdict(each) for each in outcome.findings],
        "seconds": round(outcome.seconds, 3),
        "peak_memory_bytes": outcome.peak_bytes,
        "remembered": result.remembered,
    }
