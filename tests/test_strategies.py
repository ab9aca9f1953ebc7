"""Random walks and growing configurations: what they find, that they repeat, and that a walk never proves anything."""

from __future__ import annotations

import doctest
import json

import pytest
from helpers import VARYING, assert_one_clear_line, command, in_process, small

from pmmc_check.checker import result as result_module
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.iterative import grow, smaller
from pmmc_check.checker.matrix import config_of, searched
from pmmc_check.checker.reductions import reductions_named
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control, Limits, Result, Search
from pmmc_check.checker.shorten import replayed, shortened
from pmmc_check.checker.walks import RandomWalks
from pmmc_check.config import Config
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.variants.catalogue import VARIANTS, combined, protocol_with
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

ENDLESS = ("no-ballot-bump", "after-you", "waits-for-work")
"""Walks end, so they know no run that does not."""

FOUND_LATE = ("accept-without-raise", "collect-silently", "scout-keeps-last")
"""It takes walks some seconds to meet these."""

FOUND_BY_WALKS = [
    pytest.param(each, each.breaks[-1], marks=[pytest.mark.slow] * (each.name in FOUND_LATE))
    for each in VARIANTS.values()
    if not each.safe and each.name not in (*ENDLESS, "reconfigure-at-once", "pmax-previous")
]


def walked(config: Config, protocol: Protocol, names: list[str], seed: int = 1, seconds: float = 120) -> tuple[Result, Model]:
    model = Model(config, protocol)
    return RandomWalks(model, invariants_named(names), Control(Limits(seconds_max=seconds)), seed=seed).run(), model


@pytest.mark.parametrize(("variant", "invariant"), FOUND_BY_WALKS, ids=lambda value: getattr(value, "name", value))
def test_walks_find_seeded_faults_and_show_no_step_that_is_not_needed(variant: object, invariant: str) -> None:
    config, protocol = config_of(variant.smallest), combined([variant])  # type: ignore[attr-defined,list-item]
    result, model = walked(config, protocol, [invariant])
    assert result.verdict == VIOLATED and result.violation is not None
    checks = Checks(model, invariants_named([invariant]))
    steps = [each.step for each in result.violation.trace]
    for left_out in range(len(steps)):
        rest = replayed([*steps[:left_out], *steps[left_out + 1 :]], invariant, model, checks)
        assert rest is None or len(rest.trace) >= len(steps), f"step {left_out + 1} is not needed"


@pytest.mark.slow
def test_walks_find_the_fault_that_needs_three_rounds() -> None:
    variant = VARIANTS["pmax-previous"]
    assert walked(config_of(variant.smallest), combined([variant]), ["Agreement"])[0].verdict == VIOLATED


def test_walks_find_the_stuck_slot() -> None:
    result, _ = walked(small(acceptors=3, network="reliable"), PMMC, ["Progress"])
    assert result.verdict == VIOLATED
    assert (
        walked(small(acceptors=3, network="reliable"), protocol_with(["ignore-lower-p2b"]), ["Progress"], seconds=0.5)[0].verdict
        == INCONCLUSIVE
    )


def test_the_same_seed_takes_the_same_walks_and_another_takes_others() -> None:
    config, protocol = config_of(VARIANTS["scout-half"].smallest), protocol_with(["scout-half"])
    first, again, other = (walked(config, protocol, ["Agreement"], seed)[0] for seed in (1, 1, 2))
    assert first.violation == again.violation
    assert (first.generated_states, first.walks) == (again.generated_states, again.walks)
    assert (first.generated_states, first.walks) != (other.generated_states, other.walks)


def test_walks_without_a_violation_are_inconclusive_however_small_the_model() -> None:
    result, _ = walked(small(), PMMC, [], seconds=0.5)
    assert result.verdict == INCONCLUSIVE
    assert "do not check everything" in str(result.limit)
    assert result.walks is not None and result.walks.count > 10
    assert result.distinct_states <= searched(small(), PMMC, [], "none").distinct_states


def test_shortening_keeps_the_invariant_and_drops_what_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmmc_check.checker.walks.shortened", lambda violation, model, checks: violation)
    config, protocol = config_of(VARIANTS["scout-half"].smallest), protocol_with(["scout-half"])
    wandering, model = walked(config, protocol, ["Agreement"])
    shortest = searched(config, protocol, ["Agreement"]).violation
    assert wandering.violation is not None and shortest is not None
    result = shortened(wandering.violation, model, Checks(model, invariants_named(["Agreement"])))
    assert result.invariant == "Agreement"
    assert len(shortest.trace) <= len(result.trace) < len(wandering.violation.trace)


def test_the_example_of_a_search_runs() -> None:
    names = {"ReferenceSearch": ReferenceSearch, "invariants_named": invariants_named, "Config": Config}
    assert doctest.testmod(result_module, extraglobs=names) == (0, 2)


def test_configurations_grow_from_one_of_everything_to_what_was_asked_for() -> None:
    config = small(acceptors=2, leaders=2, rounds=2)
    grown = list(smaller(config))
    assert grown[0] == small() and grown[-1] == config and len(grown) == len(set(grown)) == 8
    assert [each.process_count for each in grown] == sorted(each.process_count for each in grown)


def test_a_fault_is_found_in_the_smallest_configuration_that_shows_it() -> None:
    protocol = protocol_with(["hide-accepted"])

    def engine(model: Model) -> Search:
        return CompiledSearch(model, invariants_named(["Agreement"]), Control(), reductions_named("all"))

    result, model = grow(Config(acceptors=3, rounds=2), protocol, engine)
    assert result.verdict == VIOLATED and result.smaller_completed
    assert (model.config.acceptors, model.config.leaders, model.config.rounds, model.config.slots) == (1, 2, 1, 1)
    result, model = grow(small(acceptors=2), PMMC, lambda each: ReferenceSearch(each, invariants_named([]), Control()))
    assert (result.verdict, result.smaller_completed, model.config) == (HOLDS, 1, small(acceptors=2))


def test_the_command_walks_and_grows(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--slots", "1", "--commands", "2", "--variant", "commander-half", "--format", "json", "--invariant", "Agreement"]
    random = ["--strategy", "random", "--time-limit", "60", "--seed", "3"]
    first, again = (command("explore", *options, *random) for _ in range(2))
    assert first.returncode == again.returncode == 1
    one, two = (json.loads(each.stdout) for each in (first, again))
    assert {k: v for k, v in one.items() if k not in VARYING} == {k: v for k, v in two.items() if k not in VARYING}
    assert one["walks"]["seed"] == 3
    iterative = in_process(capsys, "explore", *options, "--strategy", "iterative")
    assert iterative.returncode == 1 and json.loads(iterative.stdout)["smaller_completed"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strategy", "random"], "give --time-limit SECONDS or --max-states N"),
        (["--strategy", "random", "--time-limit", "1", "--engine", "reference"], "leave --engine reference out"),
        (["--strategy", "random", "--time-limit", "1", "--max-depth", "4"], "--walk-steps"),
        (["--seed", "2"], "add --strategy random"),
        (["--walk-steps", "2"], "add --strategy random"),
    ],
)
def test_strategies_refuse_what_does_not_fit(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_one_clear_line(in_process(capsys, "explore", *arguments), said)
