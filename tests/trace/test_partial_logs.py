"""Partial logs, whole and corrupted: the verdict is that of a search without forced steps and without any order, or inconclusive."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from pmmc_check.trace.errors import TraceError
from pmmc_check.trace.events import Contract, Event
from pmmc_check.trace.search import Budget, Search
from pmmc_check.trace.steps import Node
from pmmc_check.trace.verdict import INCONCLUSIVE
from tests.trace.runs import Run, plan, run, some_contract, verdict
from tests.trace.test_corruptions import corruptions


class BruteForce(Search):
    """Every move at every point, in the order in which they come."""

    def _forced(self, node: Node) -> Node:
        return node

    def _may_be_forced(self, event: Event) -> bool:
        return False


def compare(seed: int, share: float) -> Counter[tuple[str, str]]:
    rng = random.Random(seed)
    contracts: dict[str, Contract] = {}
    thinned = run(plan(seed, 24, commands=2), lambda name: contracts.setdefault(name, some_contract(rng)))
    answers: Counter[tuple[str, str]] = Counter()
    for lines in [thinned.lines, *corruptions(thinned.lines, rng, share)]:
        if not lines:
            continue
        corrupted = Run(thinned.header, lines)
        try:
            names, found = corrupted.read()
        except TraceError:
            continue
        judged = verdict(corrupted.header, names, found, Budget(1500, 3))
        brute = BruteForce(corrupted.header, names, found, Budget(3000, 3)).run().verdict
        answers[judged, brute] += 1
        if INCONCLUSIVE not in (judged, brute):
            assert judged == brute, f"seed {seed}: {judged}, brute force {brute}\n" + "\n".join(lines)
    return answers


def test_partial_logs_are_judged_as_brute_force_judges_them() -> None:
    answers = sum((compare(seed, 0.05) for seed in range(500, 508)), Counter())
    conclusive = sum(count for (judged, _), count in answers.items() if judged != INCONCLUSIVE)
    assert conclusive > 0.5 * sum(answers.values()), answers


@pytest.mark.slow
def test_hundreds_of_partial_logs() -> None:
    answers = sum((compare(seed, 0.2) for seed in range(3000, 3300)), Counter())
    print(answers)
    assert sum(answers.values()) > 1000
