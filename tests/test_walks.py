"""Random walks go where the model goes: each move is a step of it, an end is an end, and nothing is out of their reach."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from helpers import label, reference, small

from pmmc_check.checker.met_states import MetStates
from pmmc_check.checker.result import Control, Limits, Result
from pmmc_check.checker.walk_tables import LOST
from pmmc_check.checker.walks import EndedWalk, RandomWalks
from pmmc_check.config import Config
from pmmc_check.model.faults import Drop
from pmmc_check.model.model import Delivery, Model, State
from pmmc_check.model.network import Fifo
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.verdicts import INCONCLUSIVE

CONFIGURATIONS: list[dict[str, Any]] = [
    {"acceptors": 2, "leaders": 2, "slots": 2, "commands": 2, "rounds": 2},
    {"acceptors": 2, "leaders": 2, "replicas": 2, "slots": 2, "commands": 2, "network": "reliable"},
    {"acceptors": 3, "leaders": 2, "network": "fifo", "rounds": 2},
    {"acceptors": 2, "leaders": 2, "network": "lossy", "rounds": 2, "crashes": 2, "restarts": 1},
    {"acceptors": 2, "leaders": 2, "network": "fifo", "crashes": 1},
    {"reconfigurations": 1, "slots": 2, "commands": 1, "window": 1},
]


def ended(walks: RandomWalks, count: int) -> list[EndedWalk]:
    return list(islice((walk for walk in walks.ended() if walk is not None), count))


def taken_by(walks: RandomWalks, walk: EndedWalk) -> Iterator[State]:
    """The states of a walk, each made by the model; fails when a move is no step of it."""
    model, state = walks.model, walks.model.initial()
    yield state
    for process, number, choice, sender, _ in walk.moves.tolist():
        identity, message = model.processes[process], walks.locals.messages[number]
        message = Drop(message) if choice == LOST else message
        outcome = model.outcomes(identity, state[process].state, message)[max(choice, 0)]
        origin = model.processes[sender] if isinstance(model.network, Fifo) and sender >= 0 else None
        possible = model.deliveries(identity, state[process])
        (delivery,) = (each for each in possible if (each.message, each.outcome, each.sender) == (message, outcome, origin))
        state = changed(model, state, process, delivery)
        yield state


def changed(model: Model, state: State, process: int, delivery: Delivery) -> State:
    after = model.taken(state, process, delivery)
    assert after is not None and after != state
    return after


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=label)
def test_each_move_is_a_step_of_the_model_and_each_end_is_its_end(options: dict[str, Any]) -> None:
    walks = RandomWalks(Model(small(**options)), invariants_named([]), Control())
    digests: dict[State, int] = {}
    for walk in ended(walks, 12):
        states = list(taken_by(walks, walk))
        assert not walk.broken and len(walk.met) == len(states)
        for state, digest in zip(states, walk.met.tolist(), strict=True):
            assert digests.setdefault(state, digest) == digest
        assert next(walks.model.steps(states[-1]), None) is None
    assert len(set(digests.values())) == len(digests), "different states have different digests"


@pytest.mark.parametrize("options", CONFIGURATIONS[:4], ids=label)
def test_walks_do_not_depend_on_what_the_tables_hold_already(options: dict[str, Any]) -> None:
    walks = RandomWalks(Model(small(**options)), invariants_named([]), Control())
    learning, learnt = ended(walks, 20), ended(walks, 20)
    for one, other in zip(learning, learnt, strict=True):
        assert np.array_equal(one.moves, other.moves) and np.array_equal(one.met, other.met)
    assert len({walk.moves.tobytes() for walk in learnt}) > 1


@pytest.mark.parametrize("network", ["duplicating", "reliable", "lossy", "fifo"])
def test_in_the_long_run_walks_meet_every_state(network: str) -> None:
    commands = 1 if network == "lossy" else 2  # where much can be lost, a run to its end is rare
    config = Config(acceptors=1, leaders=1, replicas=1, slots=1, commands=commands, network=network)
    walks = RandomWalks(Model(config), invariants_named([]), Control())
    for walk in ended(walks, 3_000):
        walks._account(walk)
    assert walks.met.count == reference(config, PMMC).distinct_states
    assert walks.steps_taken == sum(walks.coverage().values()) + (network == "lossy") * int(losses(walks))


def losses(walks: RandomWalks) -> int:
    return walks.steps_taken - int(walks._counted.sum())


@pytest.mark.parametrize("network", ["duplicating", "reliable", "lossy", "fifo"])
def test_each_delivery_that_changes_something_is_as_likely_as_another(network: str) -> None:
    walks = RandomWalks(Model(small(leaders=2, network=network)), invariants_named([]), Control())
    taken: dict[State, Counter[tuple[int, int, int]]] = defaultdict(Counter)
    for walk in ended(walks, 500):
        for state, (process, message, choice, *_) in islice(zip(taken_by(walks, walk), walk.moves.tolist(), strict=False), 8):
            taken[state][process, message, min(choice, 0)] += 1
    compared = 0
    for state, counts in sorted(taken.items(), key=lambda each: -each[1].total())[:40]:
        possible = {(each.process, each.message) for each, _ in walks.model.steps(state)}
        expected = counts.total() / len(possible)
        if expected > 20 and len(possible) > 1:
            compared += 1
            assert len(counts) == len(possible)
            assert all(abs(count - expected) < 5 * expected**0.5 for count in counts.values()), (counts, expected)
    assert compared > 2


def test_walks_go_on_as_they_were_when_tables_are_emptied() -> None:
    def result(entries_max: int) -> Result:
        walks = RandomWalks(Model(small(acceptors=2, leaders=2, rounds=2)), invariants_named([]), Control(Limits(states_max=8_000)))
        walks._entries_max = entries_max
        found = replace(walks.run(), seconds=0, peak_memory_bytes=0)
        assert (walks._emptied_at > 0) == (entries_max < 1_000)
        return found

    assert result(100) == result(10**9)


def test_tables_are_emptied_early_when_half_of_the_memory_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmmc_check.checker.walks.resident_bytes", lambda: 600)
    walks = RandomWalks(Model(small()), invariants_named([]), Control(Limits(states_max=20, memory_bytes_max=1_000)))
    assert walks.run().verdict == INCONCLUSIVE and walks._entries_max == 100_000


@pytest.mark.parametrize("states", [900, 50_000])
def test_met_states_are_counted_exactly_as_long_as_all_are_kept_and_then_closely(states: int) -> None:
    fingerprints = np.random.default_rng(1).integers(1, 2**64, states, np.uint64)
    met = MetStates(kept_max=4_000)
    for some in np.array_split(np.concatenate([fingerprints, fingerprints]), 37):
        met.add(some)
    assert met.count == states if states <= 4_000 else abs(met.count - states) < 4 * states / 2_000**0.5
    assert len(met.fingerprints()) <= 4_000
    again = MetStates(kept_max=4_000)
    again.restore(met.fingerprints(), met.count)
    again.add(fingerprints)
    assert (again.count, again.rarity) == (met.count, met.rarity)


def test_an_inbox_has_the_room_that_it_needs() -> None:
    walks = RandomWalks(Model(small(acceptors=2, leaders=2, rounds=3, slots=2)), invariants_named([]), Control())
    roomy = ended(walks, 10)
    walks._inbox_max = 2
    walks._walkers = walks._room()
    for one, other in zip(roomy, ended(walks, 10), strict=True):
        assert np.array_equal(one.moves, other.moves)
    assert walks._inbox_max > 2


def test_walks_use_no_claims_so_a_false_one_does_no_harm() -> None:
    result = RandomWalks(Model(small(leaders=2, acceptors=2), protocol_with([])), invariants_named([]), Control()).claims.report()
    assert result.used == () and result.checked == 0
