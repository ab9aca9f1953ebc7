"""What a page has to show, one sheet each: a run, a search that found none, or the lines of a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pmmc_check.checker.result import Result, Violation
from pmmc_check.gating.checks import CheckResult
from pmmc_check.model.model import Model
from pmmc_check.report.coverage import coverage, untaken
from pmmc_check.report.explore_text import facts_of, headline, size_of
from pmmc_check.report.page.run_data import run_as_data
from pmmc_check.report.runs.of_search import run_of_violation, run_of_witness
from pmmc_check.report.runs.run import Run
from pmmc_check.report.trace_text import explanation, summary
from pmmc_check.validation.verdict import TraceVerdict

Sheet = dict[str, Any]

_SHOWN_APART = ("steps taken", "invariants")
"""Facts that have a part of the sheet of their own."""


def run_sheet(name: str, run: Run) -> Sheet:
    """A run, to be looked at step by step."""
    return {"name": name, "verdict": run.verdict, "summary": run.title, "run": run_as_data(run)}


def lines_sheet(name: str, verdict: str, lines: Sequence[str], summary: str = "") -> Sheet:
    """What there is to read where no run can be shown."""
    return {"name": name, "verdict": verdict, "summary": summary, "lines": list(lines)}


def trace_sheet(verdict: TraceVerdict, run: Run | None) -> Sheet:
    """A judged trace; without a run, only what the report says of it."""
    if run is not None:
        return run_sheet(verdict.file, run)
    return lines_sheet(verdict.file, verdict.verdict, list(explanation(verdict, whole=True)), summary(verdict))


def search_sheets(result: Result, model: Model, notes: Sequence[str] = ()) -> list[Sheet]:
    """A search: its counterexample, if it has one, and what it covered."""
    return [*(violation_sheet(each, model) for each in result.violations), search_sheet(result, notes)]


def violation_sheet(violation: Violation, model: Model) -> Sheet:
    """A counterexample."""
    return run_sheet(f"counterexample: {violation.invariant}", run_of_violation(violation, model))


def witness_sheet(name: str, found: Violation, model: Model) -> Sheet:
    """A run that was asked for."""
    return run_sheet(f"witness: {name}", run_of_witness(name, found, model))


def search_sheet(result: Result, notes: Sequence[str] = ()) -> Sheet:
    """What a search covered: how its states grew, which steps it took, and under which bounds."""
    return {
        "name": "the search",
        "verdict": result.verdict,
        "summary": size_of(result.config),
        "search": {
            "headline": headline(result).plain,
            "facts": [[label, text] for label, text in grouped(facts_of(result, notes)) if label not in _SHOWN_APART],
            "levels": list(result.level_sizes),
            "coverage": coverage_rows(result),
            "invariants": [[name, result.invariant_verdict(name)] for name in result.invariants],
        },
    }


def coverage_rows(result: Result) -> list[list[Any]]:
    """For each kind of step: role, message, how often it was taken, how many of these were put off, and why it never was."""
    groups = untaken(result)
    why_not = {
        **dict.fromkeys(groups.left_out, "left out by a reduction"),
        **dict.fromkeys(groups.left_out_if_any, "left out by a reduction, if any run has it"),
        **dict.fromkeys(groups.idle, "delivered without any effect"),
        **dict.fromkeys(groups.never, "never taken"),
    }
    return [
        [action.role, action.message, count, result.exercised.put_off.get(action, 0), why_not.get(action, "")]
        for action, count in coverage(result).items()
    ]


def grouped(facts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Lines without a label go on with the one before."""
    label, texts = "", list[str]()
    for name, text in facts:
        if name and texts:
            yield label, "; ".join(texts)
            texts = []
        label = name or label
        texts.append(text)
    yield label, "; ".join(texts)


def check_sheet(result: CheckResult, sheets: Sequence[Sheet] = ()) -> Sheet:
    """One check of a gate: a line of the table, and the run that shows what is wrong, where there is one."""
    shown = next((each for each in sheets if "run" in each), None)
    told = {
        "name": result.check.name,
        "verdict": result.outcome.verdict,
        "expected": result.expected,
        "status": result.status,
        "good": result.good,
        "seconds": round(result.outcome.seconds, 2),
        "summary": result.difference or result.outcome.reason or "",
    }
    if shown is not None:
        return {**shown, **told}
    places = [f"{each.file}:{each.line}: {each.text}" for each in result.findings if each.text]
    return {**told, "lines": [result.sentence, *places, f"pmmc-check {' '.join(result.check.arguments)}"]}
