"""The oracle of the one-slot system: what a run of several slots shows of one slot, the one-slot system shows, too.

Each reachable combination of local states of a larger system, projected to a slot, must be reachable in the one-slot system. Both are
searched without regard to the premises, which say the same of single steps: a few by visiting each state, all small ones as diagrams."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import pytest
from helpers import PMMC, Config, Model, label

from any_slots.combinations import combinations, missing, projected
from any_slots.shadows import Label, Whole
from pmmc_check.checker.any_slots.environment import Environment, ballots_of
from pmmc_check.checker.any_slots.one_slot import Scope
from pmmc_check.checker.any_slots.projection import Projection
from pmmc_check.protocol import Ballot, Outcome, Preempted, Protocol, Role
from pmmc_check.protocol.values import LEADER, REPLICA, SCOUT
from pmmc_check.protocol.variants.catalogue import protocol_with

Counts = dict[str, Any]
SECONDS_MAX = 60
SAFE = ("ignore-lower-p2b", "raise-on-accept", "state-reduction", "informed-leaders")
FEW: list[Counts] = [
    {"acceptors": 1, "leaders": 2, "replicas": 1, "slots": 2, "commands": 2, "rounds": 1, "window": 1},
    {"acceptors": 1, "leaders": 2, "replicas": 1, "slots": 1, "commands": 2, "rounds": 2},
    {"acceptors": 1, "leaders": 1, "replicas": 2, "slots": 2, "commands": 2, "rounds": 2},
]
ALL: list[Counts] = [
    dict(zip(("acceptors", "leaders", "replicas", "slots", "commands", "rounds"), counts, strict=True))
    for counts in product((1, 2), repeat=6)
]


def left_out(counts: Counts, protocol: Protocol = PMMC, ballotwise: bool = False, environment: type[Role] = Environment) -> int | None:
    """How many projected combinations the one-slot system lacks; None where one of the two is too large."""
    model = Model(Config(**counts), protocol)
    met = combinations(model, "none", SECONDS_MAX)
    config = Scope(model.config, model.config.leaders * model.config.rounds if ballotwise else None).one_slot_config()
    one = combinations(Model(config, {**protocol, REPLICA: environment}), "inert", SECONDS_MAX)
    if met is None or one is None:
        return None
    ballots = {ballot: Ballot(0, number) for number, ballot in enumerate(ballots_of(model.system), 1)} if ballotwise else {}
    projections = [Projection(slot, ballots=ballots, one_replica=True) for slot in range(1, model.config.slots + 1)]
    return sum(1 for projection in projections for _ in missing(projected(met, projection), one))


@pytest.mark.parametrize("counts", FEW, ids=label)
def test_the_one_slot_system_shows_all_that_two_slots_show_of_each(counts: Counts) -> None:
    assert left_out(counts) == 0


@pytest.mark.parametrize("counts", [FEW[0], FEW[2]], ids=label)
def test_so_it_does_where_each_ballot_is_a_leader_of_its_own(counts: Counts) -> None:
    assert left_out(counts, ballotwise=True) == 0


class WithoutPreemptions(Environment):
    """E1 alone."""

    symmetric = True

    def start(self, command: Any = None) -> Outcome:
        outcome = super().start(command)
        return outcome._replace(sends=tuple(each for each in outcome.sends if not isinstance(each.message, Preempted)))


def test_without_preemptions_from_other_slots_it_would_not() -> None:
    lacking = left_out(FEW[0], environment=WithoutPreemptions)
    assert lacking is not None
    assert lacking > 0


@lru_cache(maxsize=2)
def whole(config: Config, variants: tuple[str, ...], environment: type[Role] | None = None) -> Whole:
    protocol = protocol_with(variants)
    return Whole(Model(config, {**protocol, REPLICA: environment} if environment else protocol), SECONDS_MAX)


def left_out_of_shadows(counts: Counts, *variants: str, environment: type[Role] = Environment) -> list[Label]:
    """What the one-slot system lacks, if anything: one combination."""
    larger = whole(Model(Config(**counts), protocol_with(variants)).config, variants)
    one = whole(Scope(larger.model.config, None).one_slot_config(), variants, environment)
    for system in (larger, one):
        if not system.ended:
            pytest.skip(f"not explored to the end: {system.limit}")
    for slot in range(1, larger.model.config.slots + 1):
        shadow = larger.shadow(Projection(slot, one_replica=True))
        if lacking := one.shadow(Projection(1, one_replica=True), shadow.processes()).lacks(shadow):
            return lacking
    return []


@pytest.mark.parametrize("counts", FEW, ids=label)
def test_shadows_say_the_same(counts: Counts) -> None:
    assert left_out_of_shadows(counts) == []


def test_shadows_without_preemptions_lack_something_as_well() -> None:
    lacking = left_out_of_shadows(FEW[0], environment=WithoutPreemptions)
    assert {process.role for combined in lacking for process, _ in combined} >= {LEADER, SCOUT}


@pytest.mark.slow
@pytest.mark.parametrize("counts", ALL, ids=label)
def test_every_small_configuration(counts: Counts) -> None:
    assert left_out_of_shadows(counts) == []


@pytest.mark.slow
@pytest.mark.parametrize("variant", SAFE)
@pytest.mark.parametrize("counts", ALL, ids=label)
def test_every_small_configuration_of_the_safe_variants(counts: Counts, variant: str) -> None:
    assert left_out_of_shadows(counts, variant) == []
