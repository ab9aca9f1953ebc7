"""Steps taken alone: the same verdicts, counterexamples as short, no combination of facts lost; and what is taken alone, state by state."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from helpers import COUNTS, PMMC, commuting, compiled, small

import pmmc_check
from pmmc_check.checker.chains import NOT_ALONE
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.counterexample import fingerprint_of
from pmmc_check.checker.matrix import config_of
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Limits, Result
from pmmc_check.checker.symmetry import renamings
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol.acceptor import Acceptor
from pmmc_check.protocol.variants.catalogue import VARIANTS, Variant, check_needs, combined, protocol_with, variants_named
from pmmc_check.report.coverage import untaken


class Own(Acceptor):
    """A role that is not of the package."""


OTHERS = ("inert", "deferral", "halting", "symmetry")
NETWORKS = ("duplicating", "reliable", "lossy")
SMALL = [
    (1, 1, 1, 2, 2, 1),
    (2, 1, 2, 1, 2, 1),
    (1, 2, 1, 1, 2, 1),
    (1, 2, 2, 1, 1, 1),
    (2, 2, 1, 1, 1, 1),
    (3, 1, 1, 1, 1, 1),
    (1, 2, 1, 1, 1, 2),
]
Observed = dict[Any, frozenset[Any]]


def _observed(search: CompiledSearch) -> list[Observed]:
    """The combinations of facts that a search has met, with all renamed ones where states count up to renaming."""
    return [
        {
            renaming.get(process, process): frozenset(f._replace(command=renaming.get(f.command, f.command)) for f in facts)
            for process, facts in combination.items()
        }
        for renaming in (renamings(search.model.system) if search.reductions.symmetry else [{}])
        for combination in search.known.observed.values()
    ]


def _contained(one: Observed, other: Observed) -> bool:
    return all(facts <= other.get(process, frozenset()) for process, facts in one.items())


@lru_cache(maxsize=8)
def _unreduced(counts: tuple[int, ...], network: str) -> tuple[Result, list[Observed]]:
    search, result = compiled(Config(**dict(zip(COUNTS, counts, strict=True)), network=network), reduce="none")
    return result, _observed(search)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("counts", SMALL, ids=["-".join(map(str, each)) for each in SMALL])
@pytest.mark.parametrize("others", ["", "inert,deferral,halting,symmetry", "deferral", "halting", "inert,symmetry"])
def test_every_combination_found_is_reachable_and_every_reachable_one_is_contained_in_one_found(
    counts: tuple[int, ...], network: str, others: str
) -> None:
    plain, reachable = _unreduced(counts, network)
    search, reduced = commuting(Config(**dict(zip(COUNTS, counts, strict=True)), network=network), reduce=f"commuting,{others}".strip(","))
    assert reduced.verdict == plain.verdict == "holds"
    assert "commuting" in reduced.reductions
    assert reduced.distinct_states <= plain.distinct_states
    found = _observed(search.search)
    assert all(any(each == other for other in reachable) for each in found)
    assert all(any(_contained(each, other) for other in found) for each in reachable)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_kernel_takes_alone_what_the_tables_say(network: str) -> None:
    """The same search once more, in plain Python: levels, states and steps."""
    search, result = commuting(
        Config(acceptors=2, leaders=2, replicas=1, slots=1, commands=2, network=network), reduce="commuting,inert,halting"
    )
    tables = search.search.tables
    initial = tables.state_of(search.search.model.initial())
    level_of = {fingerprint_of(initial, tables): 1}
    waiting = {1: [initial]}
    steps, sizes, chained = 1, [], 0
    for level in range(1, result.depth + 1):
        here = {tuple(each) for each in waiting.get(level, ()) if level_of[fingerprint_of(each, tables)] == level}
        sizes.append(len(here))
        for vector in here:
            for first in _steps_of(list(vector), search.search):
                after, at = first, level + 1
                while (alone := _taken_alone(after, search.search)) is not None:
                    after, at, chained = alone, at + 1, chained + 1
                steps += at - level
                if at < level_of.get(fingerprint := fingerprint_of(after, tables), 1000):
                    level_of[fingerprint] = at
                    waiting.setdefault(at, []).append(after)
    assert max(waiting) == result.depth
    assert (len(level_of), steps, tuple(sizes)) == (result.distinct_states, result.generated_states, result.level_sizes)
    assert chained > len(level_of) / 4


def _steps_of(vector: list[int], search: CompiledSearch) -> list[list[int]]:
    """The states after a state's steps, or after the first that may be taken alone."""
    alone = _taken_alone(vector, search)
    return [after for after, _ in _moves_of(vector, search)] if alone is None else [alone]


def _taken_alone(vector: list[int], search: CompiledSearch) -> list[int] | None:
    """The state after the first step that may be taken alone."""
    tables = search.tables
    for after, step in _moves_of(vector, search):
        condition = int(tables.step_alone.data[step])
        if condition != NOT_ALONE and (condition < 0 or tables.exited.data[vector[condition]]):
            return after
    return None


def _moves_of(vector: list[int], search: CompiledSearch) -> Iterator[tuple[list[int], int]]:
    """The state after each step of a state, with the step."""
    tables = search.tables
    for process, view in enumerate(vector):
        for step in range(*tables.step_range.data[view].tolist()):
            after = tables.taken(vector, process, step)
            if after is None or (
                [*after[:process], *after[process + 1 :]] == [*vector[:process], *vector[process + 1 :]]
                and (after == vector or tables.step_halts.data[step])
            ):
                continue
            yield after, step


def test_a_step_taken_alone_that_gives_something_up_is_taken_back() -> None:
    """With one acceptor's answer known, a scout seems to lose nothing by it; later it turns out that other answers may come."""
    search, result = commuting(Config(acceptors=2, leaders=2, replicas=1, slots=1, commands=2))
    assert result.verdict == "holds"
    assert search.begun > 1


@pytest.mark.parametrize("threads", [1, 2])
def test_the_default_configuration_has_an_eighteenth_of_the_states(threads: int) -> None:
    _, result = commuting(Config(), threads=threads)
    assert (result.verdict, result.distinct_states, result.generated_states) == ("holds", 15_301, 103_863)


@pytest.mark.parametrize("variant", ["commander-half", "scout-half", "promise-not-kept", "ignore-pmax"])
def test_a_counterexample_is_as_short_and_the_result_the_same(variant: str) -> None:
    protocol = protocol_with([variant])
    config = small(acceptors=3, leaders=2, replicas=2, commands=2) if "half" in variant else small(leaders=2, replicas=2, commands=2)
    _, plain = compiled(config, protocol)
    _, reduced = commuting(config, protocol)
    assert plain.verdict == "violated"
    assert _shown(reduced) == _shown(plain)


def test_a_violation_is_shown_as_it_was_found_where_a_limit_stops_the_search_for_a_shorter_one() -> None:
    protocol, config = protocol_with(["commander-half"]), small(acceptors=3, leaders=2, replicas=2, commands=2)
    _, found = commuting(config, protocol, limits=Limits(states_max=400))
    assert found.verdict == "violated"
    assert found.violation is not None
    assert not found.violation.shortest
    assert "400 states" in (found.limit or "")


@pytest.mark.parametrize(
    ("config", "protocol", "invariants", "why"),
    [
        (small(network="fifo"), PMMC, [], "on the fifo network a delivery makes way for others"),
        (small(crashes=1), PMMC, [], "crashes share a budget"),
        (small(network="reliable"), PMMC, ["Progress"], "Progress asks for runs to their very end"),
        (small(), protocol_with(["no-ballot-bump"]), [], "may create a process twice"),
    ],
)
def test_what_switches_it_off(config: Config, protocol: Any, invariants: list[str], why: str) -> None:
    model = Model(config, protocol)
    usable, notes = applicable(reductions_named("commuting"), model, invariants_named(invariants))
    assert not usable.commuting
    assert any(note.startswith("commuting is off: ") and why in note for note in notes)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_depth": 30}, "--max-depth is about all runs up to there"),
        ({"checkpoint": "kept"}, "which checkpoints do not keep"),
        ({"network": "fifo"}, "on the fifo network"),
        ({"crashes": 1}, "crashes share a budget"),
        ({"network": "reliable", "invariants": ["Progress"]}, "Progress asks for runs to their very end"),
        ({"roles": [Own]}, "Own would be asked for steps that no run takes"),
        ({}, None),
        ({"engine": "symbolic", "network": "fifo"}, None),
        ({"reduce": "inert", "network": "fifo"}, None),
    ],
)
def test_the_report_says_why_it_is_off_as_text_and_as_json(
    options: dict[str, Any], why: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = pmmc_check.explore(**{"acceptors": 1, "leaders": 1, "replicas": 1, "slots": 1, "commands": 1} | options)
    said = [each for each in found.to_json().get("notes", []) if each.startswith("commuting")]
    assert [each.partition(": ")[0] for each in said] == (["commuting is off"] if why else [])
    assert ("commuting" in found.to_json()["reductions"]) == (not options)
    assert all(why in each for each in said if why)
    assert ("commuting is off" in found.text()) == bool(why)


@pytest.mark.parametrize("counts", SMALL, ids=["-".join(map(str, each)) for each in SMALL])
@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_said_to_be_left_out_some_run_has_and_what_is_said_to_be_in_no_run_none_has(counts: tuple[int, ...], network: str) -> None:
    """Steps that were only thought of are told apart."""
    config = Config(**dict(zip(COUNTS, counts, strict=True)), network=network)
    _, plain = compiled(config, reduce=",".join(OTHERS))
    _, reduced = commuting(config)
    assert reduced.unneeded <= plain.unneeded
    assert set(untaken(reduced).never) <= set(untaken(plain).never)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=lambda each: each.name)
def test_every_seeded_fault_is_found_with_a_run_as_short(variant: Variant) -> None:
    for invariant in variant.breaks[:1] or [""]:
        asked = [invariant] if invariant else []
        config, protocol = config_of(variant.smallest), combined([variant])
        model = Model(config, protocol)
        usable, _ = applicable(reductions_named("all"), model, invariants_named(asked))
        others = ",".join(each for each in usable.names if each != "commuting")
        _, plain = compiled(config, protocol, others, asked)
        _, reduced = commuting(config, protocol, "all", asked)
        assert _shown(reduced) == _shown(plain)


# At random


def _shown(result: Result) -> tuple[Any, ...]:
    violation = result.violation
    return (result.verdict, violation and (violation.invariant, len(violation.trace), violation.shortest))


def _drawn(seed: int) -> tuple[Config, list[str], str] | None:
    """A configuration, one or two variants or none, and reductions beside commuting."""
    draw = random.Random(seed)
    variants = draw.sample(sorted(VARIANTS), draw.choice([0, 1, 1, 1, 2]))
    counts = {
        name: draw.choice(choices)
        for name, choices in zip(COUNTS, ((1, 1, 2, 3), (1, 2, 2), (1, 1, 2), (1, 1, 2), (1, 2), (1, 1, 2)), strict=True)
    }
    others = [each for each in OTHERS if draw.random() < 0.75]
    try:
        config = Config(**counts, network=draw.choice(NETWORKS), crashes=draw.choice([0] * 9 + [1]))
        check_needs(variants_named(variants), vars(config))
        protocol_with(variants)
    except UsageError:
        return None
    return config, variants, ",".join(others)


def compared_at_random(seed: int, states_max: int) -> str:
    """Searches with and without: what came of it, or why there is nothing to compare. The results must be the same."""
    drawn = _drawn(seed)
    if drawn is None:
        return "refused"
    config, variants, others = drawn
    protocol = protocol_with(variants)
    waived = [name for each in variants_named(variants) for name in each.waives]
    asked = [each.name for each in invariants_named([], waived)]
    _, plain = compiled(config, protocol, others or "none", asked, limits=Limits(states_max=states_max))
    if plain.limit is not None:  # also where a violation was found that may not be the shortest
        return "too large"
    search, reduced = commuting(config, protocol, f"commuting,{others}".strip(","), asked)
    assert _shown(reduced) == _shown(plain), (seed, config, variants, others)
    return plain.verdict if search.begun > 1 or "commuting" in reduced.reductions else "off"


@pytest.mark.parametrize("first", [0, *(pytest.param(each, marks=pytest.mark.slow) for each in range(40, 3000, 40))])
def test_verdicts_and_lengths_are_the_same_at_random(first: int) -> None:
    outcomes = Counter(compared_at_random(seed, 10_000) for seed in range(first, first + 40))
    assert outcomes["holds"]
    assert outcomes["violated"] or first  # not each forty that are drawn have a fault that shows
