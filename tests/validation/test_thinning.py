"""Recording more never explains less: rejected traces, thinned to what real systems record, against the same traces with whole logs.

One event of a legal run is corrupted. Whatever is left out of such a trace, it must not turn from accepted to rejected; where it is still
rejected, the event that is cited is the corrupted one or follows from it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import ALL, KINDS, NOTHING, Contract, partial
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.simulate import thinned
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, INCONCLUSIVE, REJECTED
from tests.validation.runs import Run, plan, run
from tests.validation.test_corruptions import corruptions
from tests.validation.test_explanation_quality import DOWNSTREAM, ELSEWHERE, THE_EVENT, caused_by

BUDGET = SearchBudget(300, 1)
WITHOUT_CALLS = partial(frozenset(KINDS) - {"adopted", "preempted"})
RECEIVED_BY_REPLICAS = partial(frozenset({"request", "propose", "decision"}))


def all_but(letters: str) -> Callable[[str], Contract]:
    return lambda name: NOTHING if name[0] in letters else ALL


CONTRACTS: dict[str, Callable[[str], Contract]] = {
    "without adopted and preempted": lambda name: WITHOUT_CALLS if name[0] == "L" else ALL,
    "without clients": all_but("C"),
    "without leaders": all_but("L"),
    "acceptors and replicas": all_but("CL"),
    "what replicas learn": lambda name: RECEIVED_BY_REPLICAS if name[0] == "R" else NOTHING,
}


def thin(whole: Run, contract: Callable[[str], Contract]) -> tuple[Run, list[int]]:
    """The trace with less recorded, and which line of the whole one each of its lines is."""
    names, events = whole.read()
    header = replace(whole.header, logs={name: contract(name) for name in whole.header.logs}, restarts="any")
    if not any("crash" in line or "restart" in line for line in whole.lines):
        header = replace(header, restarts="logged")
    writer, left, lines = DslWriter(Values(names)), [], []
    for index, event in enumerate(events):
        for kept in thinned([event], header.contract, names):
            left.append(index)
            lines.append(writer.item(kept))
    return Run(header, lines), left


def cited(run: Run, verdict: TraceVerdict) -> list[int]:
    """The lines (from 0) that an explanation puts first: the mismatch, or what breaks an invariant."""
    above = len(run.text().splitlines()) - len(run.lines) + 1
    if verdict.failure is not None:
        return [verdict.failure.at.line - above]
    return [place.line - above for violation in verdict.violations for place in violation.places]


def changed(original: list[str], lines: list[str]) -> list[int]:
    """Where in the corrupted trace the corruption is: the changed lines; after a loss, the rest of that log."""
    if len(lines) == len(original):
        return [index for index, (a, b) in enumerate(zip(original, lines, strict=True)) if a != b]
    at = next((index for index, (a, b) in enumerate(zip(original, lines, strict=False)) if a != b), min(len(original), len(lines)) - 1)
    if len(lines) > len(original):
        return [at, at - 1]
    log = original[at].split(" ", 1)[0]
    return [index for index in range(at, len(lines)) if lines[index].split(" ", 1)[0] == log][:1] or [len(lines) - 1]


def relation(corrupted: Run, lines: list[int], faults: list[int]) -> str:
    if set(lines) & set(faults):
        return THE_EVENT
    _, events = corrupted.read()
    logs = {events[fault].log for fault in faults}
    after = set().union(*(caused_by(events, fault) for fault in faults))
    return DOWNSTREAM if any(line in after or events[line].log in logs for line in lines) else ELSEWHERE


def rejected_traces(seeds: range, share: float) -> Iterator[tuple[Run, list[int]]]:
    """Corrupted complete traces that are rejected, and the lines of their corruption."""
    for seed in seeds:
        whole = run(plan(seed, 60, commands=4))
        for lines in corruptions(whole.lines, random.Random(seed), share):
            corrupted = Run(whole.header, lines)
            try:
                if corrupted.judged().verdict == REJECTED:
                    yield corrupted, changed(whole.lines, lines)
            except TraceError:
                continue


def measured(seeds: range, share: float) -> dict[str, Counter[str]]:
    tables: dict[str, Counter[str]] = {name: Counter() for name in CONTRACTS}
    for corrupted, faults in rejected_traces(seeds, share):
        for name, contract in CONTRACTS.items():
            less, left = thin(corrupted, contract)
            if not less.lines:
                continue
            verdict = less.judged(BUDGET)
            if verdict.verdict != REJECTED:
                tables[name][verdict.verdict] += 1
                continue
            lines = [left[line] for line in cited(less, verdict) if 0 <= line < len(left)]
            tables[name][relation(corrupted, lines, faults)] += 1
    return tables


def test_thinned_rejections_cite_the_fault_or_what_follows() -> None:
    tables = measured(range(300, 306), 0.02)
    total: Counter[str] = sum(tables.values(), Counter())
    found = total[THE_EVENT] + total[DOWNSTREAM]
    assert found > 10, tables
    assert total[ELSEWHERE] <= 0.2 * (found + total[ELSEWHERE]), tables


@pytest.mark.slow
def test_three_hundred_rejected_traces() -> None:
    tables = measured(range(400, 430), 0.04)
    for name, table in tables.items():
        print(name, dict(table))
    total: Counter[str] = sum(tables.values(), Counter())
    assert total[ELSEWHERE] <= 0.1 * total.total(), tables


def test_what_is_rejected_thinned_is_rejected_whole() -> None:
    """Step by step: with each log that is recorded again, a rejection stays one, and is never left to the search."""
    for seed in range(320, 330):
        rng = random.Random(seed)
        whole = run(plan(seed, 40, commands=3))
        for lines in corruptions(whole.lines, rng, 0.02):
            corrupted = Run(whole.header, lines)
            try:
                corrupted.read()
            except TraceError:
                continue
            order = rng.sample(sorted(corrupted.header.logs), len(corrupted.header.logs))
            rejected = False
            for count in range(1, len(order) + 1):
                kept = order[:count]
                more, _ = thin(corrupted, lambda name: ALL if name in kept else NOTHING)  # noqa: B023  (used at once)
                if more.lines:
                    verdict = more.judged(BUDGET).verdict
                    assert not rejected or verdict == REJECTED, f"seed {seed}: {verdict} with {kept}\n{more.text()}"
                    rejected = rejected or verdict == REJECTED
                    assert verdict in (ACCEPTED, REJECTED, INCONCLUSIVE)
