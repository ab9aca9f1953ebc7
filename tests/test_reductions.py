"""The conformance suite: each reduction, and all together, against the unreduced search on every small configuration.

They must agree in the verdict and in the reachable combinations of observed facts; with symmetry these are closed
under renaming on both sides, since a state stands for its orbit."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import pytest
from helpers import COUNTS, NETWORKS, REDUCTIONS, compiled, label

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.result import Limits, Result
from pmmc_check.checker.symmetry import renamings
from pmmc_check.config import Config
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.variants.catalogue import protocol_with

REDUCTIONS_IN_ORDER = ("inert", "deferral", "halting", "symmetry")
STATES_MAX = 3_000_000
Combinations = frozenset[frozenset[Any]]

SMALL = [
    (1, 1, 1, 1, 1, 1),
    (2, 1, 1, 1, 1, 1),
    (1, 1, 1, 2, 2, 1),
    (2, 1, 1, 1, 2, 1),
    (1, 1, 2, 1, 2, 1),
    (1, 2, 1, 1, 1, 1),
    (2, 1, 1, 2, 1, 1),
    (1, 2, 1, 1, 2, 1),
    (1, 2, 2, 1, 1, 1),
    (2, 1, 2, 1, 2, 1),
    (3, 1, 1, 1, 1, 1),
]
"""The default run; the slow run takes every configuration up to two of everything."""


def _cases() -> list[Any]:
    everything = sorted({*SMALL, *product((1, 2), repeat=6)}, key=lambda counts: (counts not in SMALL, counts))
    return [
        pytest.param(
            {**dict(zip(COUNTS, counts, strict=True)), "network": network},
            id=label({**dict(zip(COUNTS, counts, strict=True)), "network": network}),
            marks=[] if counts in SMALL else [pytest.mark.slow],
        )
        for counts in everything
        for network in NETWORKS
    ]


def _observed(search: CompiledSearch, closed: bool) -> Combinations:
    """The reachable combinations of observed facts; `closed` adds all renamed ones."""
    combinations = [frozenset(each.items()) for each in search.known.observed.values()]
    return frozenset(
        frozenset(
            (renaming.get(process, process), frozenset(f._replace(command=renaming.get(f.command, f.command)) for f in facts))
            for process, facts in combination
        )
        for renaming in (renamings(search.model.system) if closed else [{}])
        for combination in combinations
    )


@lru_cache(maxsize=4)
def _unreduced(names: tuple[str, ...], counts: tuple[tuple[str, Any], ...]) -> tuple[Result, Combinations, Combinations]:
    search, result = compiled(Config(**dict(counts)), protocol_with(names), "none", limits=Limits(states_max=STATES_MAX), threads=2)
    if result.verdict == "inconclusive":
        pytest.skip(f"the unreduced search has more than {STATES_MAX:,} states")
    return result, _observed(search, closed=False), _observed(search, closed=True)


def _compared(names: tuple[str, ...], counts: dict[str, Any], reduce: str) -> tuple[Result, Result]:
    """Both results, after checking that verdict and observed facts agree."""
    plain, as_they_are, closed = _unreduced(names, tuple(counts.items()))
    protocol: Protocol = protocol_with(names)
    search, reduced = compiled(Config(**counts), protocol, reduce)
    assert reduced.verdict == plain.verdict
    if plain.verdict == "holds":
        by_orbit = "symmetry" in reduced.reductions
        assert _observed(search, by_orbit) == (closed if by_orbit else as_they_are)
    return plain, reduced


@pytest.mark.one_in(3)
@pytest.mark.parametrize("counts", _cases())
@pytest.mark.parametrize("reduce", [*REDUCTIONS, "all"])
def test_a_reduced_search_has_the_same_verdict_and_observed_facts_and_no_more_states(counts: dict[str, Any], reduce: str) -> None:
    plain, reduced = _compared((), counts, reduce)
    assert plain.verdict == "holds"
    assert reduced.reductions == (REDUCTIONS_IN_ORDER if reduce == "all" else (reduce,))
    assert reduced.distinct_states <= plain.distinct_states


@pytest.mark.parametrize(
    "counts", [pytest.param(c, id=label(c)) for c in ({"acceptors": 2, "leaders": 1, "replicas": 2, "slots": 1, "commands": 2},)]
)
@pytest.mark.parametrize("reduce", [",".join(pair) for pair in product(REDUCTIONS, repeat=2) if pair[0] < pair[1]])
def test_any_two_reductions_go_together(counts: dict[str, Any], reduce: str) -> None:
    _, reduced = _compared((), counts, reduce)
    assert set(reduced.reductions) == set(reduce.split(","))


@pytest.mark.parametrize("reduce", [*REDUCTIONS, "all"])
def test_each_reduction_saves_states_somewhere(reduce: str) -> None:
    counts = {"acceptors": 1, "leaders": 2, "replicas": 1, "slots": 1, "commands": 2}
    plain, reduced = _compared((), counts, reduce)
    assert reduced.distinct_states < plain.distinct_states


@pytest.mark.parametrize("network", NETWORKS)
def test_where_deferral_gives_up_nothing_is_lost(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(acceptors=2, leaders=2, replicas=1, slots=2, commands=2, rounds=1, network=network)
    whole, held = compiled(config)
    monkeypatch.setattr("pmmc_check.checker.tables.INTERNAL_VIEWS_MAX", 1)
    partly, also_held = compiled(config)
    assert held.verdict == also_held.verdict == "holds"
    assert also_held.distinct_states > held.distinct_states
    assert _observed(partly, closed=True) == _observed(whole, closed=True)
