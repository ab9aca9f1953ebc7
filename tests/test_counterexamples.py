"""Faulty roles are caught by every engine and set of reductions, with shortest counterexamples that can be replayed."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from helpers import NETWORKS, REDUCTIONS, compiled, label, reference, small

from pmmc_check.checker.result import Result
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import INVARIANTS, invariants_named
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with
from pmmc_check.report.explore_json import violation_as_json
from pmmc_check.report.explore_text import as_text

SELECTIONS = {"Agreement": ("Agreement",), "C2": ("C2",), "A2": ("A2",), "all": ()}
LENGTHS: dict[tuple[str, int, int], dict[str, int]] = {
    ("accept-lower-ballot", 2, 2): {"A2": 7, "C2": 11, "Agreement": 14, "all": 7},
    ("ignore-pmax", 2, 2): {"C2": 11, "Agreement": 14, "all": 11},
    ("accept-lower-ballot", 2, 1): {"A2": 7, "all": 7},
    ("ignore-pmax", 2, 1): {},
    ("accept-lower-ballot", 1, 2): {},
    ("ignore-pmax", 1, 2): {},
}
"""By variant, leaders and replicas: what is broken with one acceptor, one slot and two commands, and by how many steps.

Agreement needs two leaders, and two replicas that propose different commands."""

HEAVY = {
    ("duplicating", 2, 1, "C2"),
    ("duplicating", 2, 1, "Agreement"),
    ("duplicating", 2, 2, "C2"),
    ("duplicating", 2, 2, "Agreement"),
    ("duplicating", 2, 2, "all"),
    ("reliable", 2, 2, "Agreement"),
    ("reliable", 2, 2, "all"),
    ("reliable", 2, 2, "C2"),
    ("duplicating", 2, 1, "all"),
}
"""What takes the reference search some seconds: network, leaders, replicas and selection."""

CASES = [(*key, network, selection) for key in LENGTHS for network in NETWORKS for selection in SELECTIONS]
NAMES = ["-".join(map(str, case)) for case in CASES]


def _slow_where_heavy(case: Any) -> Any:
    variant, leaders, replicas, network, selection = case
    heavy = (network, leaders, replicas, selection) in HEAVY or (
        network == "duplicating" and (leaders, selection) == (2, "A2") and variant == "ignore-pmax"
    )
    heavy = heavy or (replicas == 2 and leaders == 2 and variant == "ignore-pmax" and selection == "A2")
    return pytest.param(*case, marks=[pytest.mark.slow] if heavy else [])


def _one_acceptor(leaders: int, replicas: int, network: str) -> Config:
    return small(leaders=leaders, replicas=replicas, commands=2, network=network)


def _replayed(result: Result, variant: list[str], selection: tuple[str, ...]) -> None:
    """Every step is a delivery that the model allows and leads to the recorded state; only the last one breaks the invariant."""
    assert result.violation is not None
    model = Model(result.config, protocol_with(variant))
    checks = Checks(model, invariants_named(selection))
    state = model.initial()
    assert state == result.violation.initial
    for number, (step, after) in enumerate(((each.step, each.after) for each in result.violation.trace), 1):
        index = model.index[step.process]
        possible = [
            each for each in model.deliveries(step.process, state[index]) if (each.message, each.outcome) == (step.message, step.outcome)
        ]
        assert [model.taken(state, index, each) for each in possible] == [after]
        broken = checks.of_step(state, step) or checks.of_state(after)
        assert (broken is not None) == (number == len(result.violation.trace))
        state = after
    assert broken is not None
    assert broken == (result.violation.invariant, result.violation.how)


def _broken_by(result: Result) -> int | None:
    """How many steps the counterexample has, if there is one."""
    assert (result.verdict == "violated") == (result.violation is not None)
    assert result.violation or result.verdict == "holds"
    return len(result.violation.trace) if result.violation else None


@pytest.mark.parametrize(("variant", "leaders", "replicas", "network", "selection"), [_slow_where_heavy(case) for case in CASES], ids=NAMES)
def test_the_reference_search_finds_exactly_what_the_table_says(
    variant: str, leaders: int, replicas: int, network: str, selection: str
) -> None:
    result = reference(_one_acceptor(leaders, replicas, network), protocol_with([variant]), SELECTIONS[selection])
    assert _broken_by(result) == LENGTHS[variant, leaders, replicas].get(selection)
    if result.violation:
        _replayed(result, [variant], SELECTIONS[selection])


@pytest.mark.one_in(5)
@pytest.mark.parametrize("reduce", ["none", "all", *REDUCTIONS])
@pytest.mark.parametrize(("variant", "leaders", "replicas", "network", "selection"), CASES, ids=NAMES)
def test_the_compiled_search_finds_exactly_the_same_with_a_counterexample_of_the_same_length_that_can_be_replayed(  # noqa: PLR0917
    variant: str, leaders: int, replicas: int, network: str, selection: str, reduce: str
) -> None:
    _, result = compiled(_one_acceptor(leaders, replicas, network), protocol_with([variant]), reduce, SELECTIONS[selection])
    assert _broken_by(result) == LENGTHS[variant, leaders, replicas].get(selection)
    if result.violation:
        assert selection in ("all", result.violation.invariant)
        _replayed(result, [variant], SELECTIONS[selection])


def test_each_variant_breaks_first_what_its_description_says() -> None:
    for name in ("accept-lower-ballot", "ignore-pmax"):
        variant = VARIANTS[name]
        (first,) = {compiled(_one_acceptor(2, 2, "reliable"), protocol_with([name]), "none")[1].violation.invariant}  # type: ignore[union-attr]
        assert first == variant.breaks[0]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("reduce", ["none", "all", *REDUCTIONS])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"acceptors": n, "leaders": 2, "replicas": 2, "commands": 2}, marks=[pytest.mark.slow] if n == 3 else [])
        for n in (2, 3)
    ],
    ids=label,
)
@pytest.mark.parametrize("variant", sorted({variant for variant, _, _ in LENGTHS}))
def test_with_more_acceptors_every_reduction_finds_a_counterexample_of_the_length_that_no_reduction_finds(
    variant: str, counts: dict[str, Any], network: str, reduce: str
) -> None:
    plain, result = (_agreement(variant, tuple(counts.items()), network, each) for each in ("none", reduce))
    assert plain.violation is not None
    assert result.violation is not None
    assert len(plain.violation.trace) == len(result.violation.trace)
    _replayed(result, [variant], ("A2",) if variant == "accept-lower-ballot" else ("C2",))


@cache
def _agreement(variant: str, counts: tuple[tuple[str, Any], ...], network: str, reduce: str) -> Result:
    selection = ("A2",) if variant == "accept-lower-ballot" else ("C2",)
    return compiled(small(**dict(counts), network=network), protocol_with([variant]), reduce, selection)[1]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("leaders", "replicas"), [(2, 1), (2, 2), (1, 2)])
@pytest.mark.parametrize("reduce", ["none", "all", *REDUCTIONS])
def test_the_unmodified_protocol_never_violates(leaders: int, replicas: int, network: str, reduce: str) -> None:
    _, result = compiled(_one_acceptor(leaders, replicas, network), reduce=reduce)
    assert (result.verdict, result.violation) == ("holds", None)
    assert result.invariants == tuple(INVARIANTS)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("variant", sorted({variant for variant, _, _ in LENGTHS}))
def test_the_explanation_of_a_broken_agreement_names_the_slot_and_both_commands(variant: str, network: str) -> None:
    _, result = compiled(_one_acceptor(2, 2, network), protocol_with([variant]), invariants=("Agreement",))
    assert result.violation is not None
    assert result.violation.how == "two different commands are decided in slot 1: c1 and c2"
    model = Model(result.config, protocol_with([variant]))
    text = as_text(result, model)
    assert text.splitlines()[0] == "VIOLATED: Agreement: two different commands are decided in slot 1: c1 and c2"
    steps = violation_as_json(result.violation, model)["steps"]
    assert [each["index"] for each in steps] == list(range(1, len(result.violation.trace) + 1))
    for each in steps:
        assert f"{each['index']:>2}  " in text
    assert "(1, c1)" in text
    assert "(1, c2)" in text
