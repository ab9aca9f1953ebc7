"""The order in which the search tries unrecorded steps: it decides nothing, and it is worth having."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pmmc_check.validation.search import search
from pmmc_check.validation.search.completion import Completion
from pmmc_check.validation.search.relevance import Relevance
from pmmc_check.validation.search.search import SearchBudget
from pmmc_check.validation.search.steps import Point
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import INCONCLUSIVE
from tests.validation.runs import Run, plan, run, some_contract

SEEDS = range(300, 318)


class Reversed(Relevance):
    """The least promising first."""

    def of(self, node: Point) -> Callable[[Any], float]:
        score = super().of(node)
        return lambda step: -score(step)


class Shuffled:
    """Any order."""

    def __init__(self, system: Completion) -> None:
        self.rng = random.Random(1)

    def of(self, node: Point) -> Callable[[Any], float]:
        return lambda step: self.rng.random()


def thinned() -> Iterator[Run]:
    for seed in SEEDS:
        rng, contracts = random.Random(seed), {}
        made = run(plan(seed, 30), lambda name, rng=rng, contracts=contracts: contracts.setdefault(name, some_contract(rng)))  # type: ignore[misc]
        if made.lines:
            yield made


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[TraceVerdict]]:
    """The verdicts on the same logs, searched in three orders."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        for order in (Relevance, Shuffled, Reversed):
            patch.setattr(search, "Relevance", order)
            found[order.__name__] = [each.judged(SearchBudget(120, 10)) for each in thinned()]
    return found


def test_the_order_changes_no_verdict(verdicts: dict[str, list[TraceVerdict]]) -> None:
    for alike in zip(*verdicts.values(), strict=True):
        assert len({each.verdict for each in alike} - {INCONCLUSIVE}) <= 1


def test_the_promising_first_finds_runs_in_fewer_states_than_the_unpromising_first(verdicts: dict[str, list[TraceVerdict]]) -> None:
    states = {order: sum(each.states for each in judged) for order, judged in verdicts.items()}
    assert 3 * states["Relevance"] < 2 * states["Reversed"], states
