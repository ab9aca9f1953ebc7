"""`gate --sarif FILE`: the Static Analysis Results Interchange Format, version 2.1.0, which code hosts show beside the lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pmmc_check import __version__
from pmmc_check.gating.checks import UNDECIDED, UNEXPECTED, UNUSABLE, CheckResult, GateFinding

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_RULES = {
    UNEXPECTED: ("unexpected-verdict", "error", "A spec, a search or a trace does not have the verdict that is expected of it."),
    UNUSABLE: ("bad-input", "error", "A spec, a trace or an option cannot be used, so that nothing was checked."),
    UNDECIDED: ("inconclusive", "warning", "A limit was reached before there was a verdict."),
}
"""The rule, the level and the description for each status that stops a gate."""


def gate_as_sarif(results: Sequence[CheckResult], interrupted: bool = False) -> dict[str, Any]:
    """One run, with a result for each check that stops the gate. Paths are relative to the current folder."""
    statuses = list(_RULES)
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "pmmc-check",
                        "version": __version__,
                        "rules": [
                            {"id": rule, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
                            for rule, level, text in _RULES.values()
                        ],
                    }
                },
                "originalUriBaseIds": {_ROOT: {"uri": Path.cwd().as_uri().rstrip("/") + "/"}},
                "invocations": [{"executionSuccessful": not interrupted}],
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, statuses.index(each.status)) for each in results if not each.good],
            }
        ],
    }


def _result(result: CheckResult, rule: int) -> dict[str, Any]:
    identifier, level, _ = _RULES[result.status]
    first, *others = result.findings
    answer = {
        "ruleId": identifier,
        "ruleIndex": rule,
        "level": level,
        "message": {"text": f"{result.check.name}: {result.sentence}"},
        "locations": [_location(first)],
        "partialFingerprints": {"check/v1": sha256(f"{result.check.name}\0{result.status}".encode()).hexdigest()},
    }
    if others:
        answer["relatedLocations"] = [_location(each) for each in others]
    return answer


def _location(finding: GateFinding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(finding.file), "region": {"startLine": max(finding.line, 1)}}
    return {"physicalLocation": place, "message": {"text": finding.text}} if finding.text else {"physicalLocation": place}


def _artifact(name: str) -> dict[str, str]:
    relative = os.path.relpath(name)
    if relative.startswith(os.pardir):
        return {"uri": Path(name).absolute().as_uri()}
    return {"uri": quote(Path(relative).as_posix()), "uriBaseId": _ROOT}
