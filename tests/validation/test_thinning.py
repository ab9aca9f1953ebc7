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


class Corruption:
    """A corrupted trace, and which of its lines are the corrupted ones, or follow from them or from what they replace."""

    def __init__(self, whole: Run, lines: list[str]) -> None:
        self.run = Run(whole.header, lines)
        pairs = zip(whole.lines, lines, strict=False)
        apart = [index for index, (a, b) in enumerate(pairs) if a != b] or [min(len(whole.lines), len(lines))]
        at, longer = apart[0], len(lines) - len(whole.lines)
        if longer < 0:  # the next line of a log that lost one stands for that
            log = log_of(whole.lines[at])
            self.faults = set([index for index in range(at, len(lines)) if log_of(lines[index]) == log][:1])
        else:
            self.faults = {at, at - 1} if longer else set(apart)
        events, original = self.run.read()[1], whole.read()[1]
        follows = {index for fault in self.faults for index in caused_by(events, fault)}
        followed = {index for fault in ([at + min(0, -longer)] if longer else apart) for index in caused_by(original, fault)}
        self.after = follows | {index + longer if index >= at + (longer < 0) else index for index in followed if longer >= 0 or index != at}

    def relation(self, lines: list[int]) -> str:
        """What some lines are to the fault."""
        if self.faults & set(lines):
            return THE_EVENT
        return DOWNSTREAM if self.after & set(lines) else ELSEWHERE


def log_of(line: str) -> str:
    return line.split(" ", 1)[0]


def rejected_traces(seeds: range, share: float) -> Iterator[Corruption]:
    """Corrupted complete traces that are rejected."""
    for seed in seeds:
        whole = run(plan(seed, 60, commands=4))
        for lines in corruptions(whole.lines, random.Random(seed), share):
            corrupted = Run(whole.header, lines)
            try:
                if corrupted.judged().verdict == REJECTED:
                    yield Corruption(whole, lines)
            except TraceError:
                continue


def measured(seeds: range, share: float) -> dict[str, Counter[str]]:
    tables: dict[str, Counter[str]] = {name: Counter() for name in CONTRACTS}
    for corrupted in rejected_traces(seeds, share):
        for name, contract in CONTRACTS.items():
            less, left = thin(corrupted.run, contract)
            if not less.lines:
                continue
            verdict = less.judged(BUDGET)
            if verdict.verdict != REJECTED:
                tables[name][verdict.verdict] += 1
                continue
            lines = [left[line] for line in cited(less, verdict) if 0 <= line < len(left)]
            tables[name][corrupted.relation(lines)] += 1
    return tables


def test_thinned_rejections_cite_the_fault_or_what_follows() -> None:
    tables = measured(range(300, 304), 0.02)
    total: Counter[str] = sum(tables.values(), Counter())
    found = total[THE_EVENT] + total[DOWNSTREAM]
    assert found > 10, tables
    assert total[ELSEWHERE] <= 0.05 * (found + total[ELSEWHERE]), tables


@pytest.mark.slow
def test_three_hundred_rejected_traces() -> None:
    tables = measured(range(400, 450), 0.04)
    for name, table in tables.items():
        print(name, dict(table))
    total: Counter[str] = sum(tables.values(), Counter())
    assert total[ELSEWHERE] <= 0.01 * total.total(), tables


def test_what_is_rejected_thinned_is_rejected_whole() -> None:
    """Step by step: with each log that is recorded again, a rejection stays one, and is never left to the search."""
    for seed in range(320, 325):
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
