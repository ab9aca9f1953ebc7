"""Every seeded fault is found, no reduction hides it, and the protocol, its fixes and its optimisations hold."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from helpers import ROOT, assert_one_clear_line, counterexample_of, in_process, reference

from pmmc_check.checker.matrix import config_of, searched
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import INVARIANTS, PROPERTIES, invariants_named
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.variants.catalogue import VARIANTS, Variant, check_needs, combined, protocol_with
from pmmc_check.verdicts import HOLDS, VIOLATED

SLOW = {("stays-active", "C2"), ("pmax-previous", "C2")}
"""Large searches, of faults that are found by another invariant as well."""
FAULTS = [
    pytest.param(each, name, marks=[pytest.mark.slow] * ((each.name, name) in SLOW)) for each in VARIANTS.values() for name in each.breaks
]
SAFE = [each for each in VARIANTS.values() if each.safe]
OF_WHOLE_RUNS = ("Progress", "FairProgress")
SENDS_MUCH = ("fill-holes", "garbage-collection")
NOT_IN_TIME = {
    "commander-counts-twice",
    "commander-half",
    "p2b-any-slot",
    "pmax-last-seen",
    "pmax-lowest",
    "pmax-previous",
    "scout-counts-twice",
    "scout-half",
    "scout-keeps-last",
    "stays-active",
}
"""The faults that a search without reductions finds late, if at all; the slow test below looks for them with one replica."""


def named(value: object) -> str:
    return value.name if isinstance(value, Variant) else str(value)


@pytest.mark.parametrize(("variant", "invariant"), FAULTS, ids=named)
def test_a_seeded_fault_is_found_and_replays(variant: Variant, invariant: str) -> None:
    result = counterexample_of(variant.name, invariant)
    assert result.verdict == VIOLATED
    assert result.violation is not None and result.violation.invariant == invariant
    model = Model(result.config, combined([variant]))
    checks = Checks(model, invariants_named([invariant]))
    state, broken = model.initial(), None
    for each in result.violation.trace:
        assert broken is None, "a counterexample ends with the first violation"
        assert (each.step, each.after) in list(model.steps(state)), "every step is one of the unreduced model"
        if invariant not in OF_WHOLE_RUNS:
            broken = checks.of_step(state, each.step) or checks.of_state(each.after)
        state = each.after
    if invariant in OF_WHOLE_RUNS:
        assert checks.left_in(state) is not None
        visited = [result.violation.initial, *(each.after for each in result.violation.trace[:-1])]
        assert next(model.steps(state), None) is None or state in visited
    else:
        assert broken is not None and broken.invariant == invariant


@pytest.mark.parametrize(
    ("variant", "invariant"),
    [(each, each.breaks[0]) for each in VARIANTS.values() if not each.safe and each.name not in NOT_IN_TIME],
    ids=named,
)
def test_no_reduction_hides_a_fault(variant: Variant, invariant: str) -> None:
    unreduced = searched(config_of(variant.smallest), combined([variant]), [invariant], reduce="none")
    assert unreduced.violation is not None
    reduced = counterexample_of(variant.name, invariant)
    assert reduced.violation is not None
    assert len(reduced.violation.trace) == len(unreduced.violation.trace), "both counterexamples are shortest"


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "invariant"), FAULTS, ids=named)
def test_no_reduction_hides_a_fault_with_one_replica(variant: Variant, invariant: str) -> None:
    """One replica less keeps most unreduced searches within a minute; some faults need both, and then neither search finds them."""
    config, protocol = replace(config_of(variant.smallest), replicas=1), combined([variant])
    unreduced = searched(config, protocol, [invariant], reduce="none", seconds_max=60)
    if unreduced.limit is not None:
        pytest.skip("the unreduced search does not end in a minute")
    reduced = searched(config, protocol, [invariant])
    assert reduced.verdict == unreduced.verdict
    if reduced.violation and unreduced.violation:
        assert len(reduced.violation.trace) == len(unreduced.violation.trace)


@pytest.mark.parametrize("name", ["accept-lower-ballot", "overwrite-proposal", "restart-loses-ballot", "skip-hole"])
def test_the_reference_search_agrees(name: str) -> None:
    variant = VARIANTS[name]
    invariant = variant.breaks[0]
    plain = reference(config_of(variant.smallest), combined([variant]), [invariant])
    fast = searched(config_of(variant.smallest), combined([variant]), [invariant])
    assert plain.violation is not None and fast.violation is not None
    assert len(plain.violation.trace) == len(fast.violation.trace)


@pytest.mark.parametrize("variant", SAFE, ids=named)
@pytest.mark.parametrize("network", ["duplicating", "reliable"])
def test_fixes_and_optimisations_hold(variant: Variant, network: str) -> None:
    config = replace(config_of(variant.smallest), network=network)
    names = [name for name in INVARIANTS if name not in variant.waives]
    assert searched(config, combined([variant]), names).verdict == HOLDS


@pytest.mark.parametrize("variant", [pytest.param(each, marks=[pytest.mark.slow] * (each.name in SENDS_MUCH)) for each in SAFE], ids=named)
def test_optimisations_hold_with_two_leaders_and_a_restart(variant: Variant) -> None:
    config = replace(config_of(variant.smallest), acceptors=1, leaders=2, rounds=2, commands=2, network="duplicating")
    names = [name for name in INVARIANTS if name not in variant.waives]
    assert searched(config, combined([variant]), names).verdict == HOLDS
    crashing = replace(config, crashes=1, restarts=1, faulty=("acceptor", "leader"))
    assert searched(crashing, combined([variant]), names).verdict == HOLDS


@pytest.mark.parametrize("config", sorted({config_of(each.smallest) for each in VARIANTS.values()}, key=str), ids=str)
def test_the_unmodified_protocol_holds_where_faults_are_found(config: object) -> None:
    assert searched(config, PMMC, []).verdict == HOLDS  # type: ignore[arg-type]


def test_every_variant_names_invariants_and_options_that_exist() -> None:
    for each in VARIANTS.values():
        assert set(each.breaks) | set(each.waives) | set(each.restores) | set(each.promises) <= set(PROPERTIES)
        config = config_of(each.smallest)
        check_needs([each], vars(config))


def test_variants_of_different_methods_combine_and_those_of_one_method_do_not() -> None:
    both = protocol_with(["echo-ballot", "hide-accepted"])["acceptor"]
    assert {"EchoBallot", "HideAccepted"} <= {each.__name__ for each in both.__mro__}
    assert both.symmetric
    with pytest.raises(UsageError, match="give only one of them"):
        protocol_with(["echo-ballot", "accept-lower-ballot"])


def test_a_combination_breaks_what_its_parts_break() -> None:
    config = config_of(VARIANTS["hide-accepted"].smallest)
    assert searched(config, protocol_with(["hide-accepted", "commander-any-ballot"]), ["C2"]).verdict == VIOLATED


def test_the_verb_lists_every_variant(capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(in_process(capsys, "variants", "--format", "json").stdout)["variants"]
    assert [each["name"] for each in listed] == list(VARIANTS)
    text = in_process(capsys, "variants").stdout
    assert all(each.summary.split()[0] in text and each.name in text for each in VARIANTS.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--variant", "scout-counts-twice", "--network", "fifo"], "needs --network duplicating"),
        (["--variant", "restart-loses-ballot"], "add that option"),
        (["--variant", "reconfigure-late", "--slots", "3", "--window", "1"], "--reconfigurations"),
        (["--variant", "no-such"], "no such variant"),
        (["--invariant", "Progress"], "take --network reliable or fifo"),
        (["--invariant", "Progress", "--network", "lossy"], "take --network reliable or fifo"),
        (["--invariant", "Progress", "--network", "fifo", "--crashes", "1"], "leave --crashes out"),
        (["--crashes", "1", "--faulty", "commander"], "go down with their leader"),
        (["--restarts", "1"], "add --crashes 1"),
        (["--window", "0"], "at least 1"),
    ],
)
def test_contradicting_options_end_with_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(in_process(capsys, "explore", *arguments), said)


def test_the_page_of_variants_names_every_variant() -> None:
    page = (ROOT / "docs" / "variants.md").read_text()
    assert all(f"`{name}`" in page for name in VARIANTS)
