"""`gate --format github`: annotations at lines, and the summary of a workflow's step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pmmc_check.gating.checks import UNDECIDED, CheckResult
from pmmc_check.report.gate_text import gate_counts

_ANNOTATED_MAX = 5
"""Annotations for one check; GitHub shows ten of each level for a step."""


def workflow_commands(result: CheckResult) -> Iterator[str]:
    """The workflow commands that annotate the lines of a check that stops the gate."""
    if result.good:
        return
    level = "warning" if result.status == UNDECIDED else "error"
    title = _property(f"pmmc-check: {result.check.name}")
    for index, each in enumerate(result.findings[:_ANNOTATED_MAX]):
        text = result.sentence if index == 0 else each.text
        yield f"::{level} file={_property(each.file)},line={max(each.line, 1)},title={title}::{_data(text)}"


def step_summary(results: Sequence[CheckResult]) -> str:
    """Markdown: a table of all checks."""
    rows = [
        f"| {_cell(each.check.name)} | {each.expected} | {each.outcome.verdict} | {_cell(each.status)} | {_cell(each.sentence)} |"
        for each in results
    ]
    head = ["## pmmc-check gate", "", gate_counts(results), "", "| check | expected | verdict | | |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
