"""What the replica part reaches is what brute force reaches, and holds whatever the ordinary search reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers import R1, rename

from any_slots.replica_faults import FAULTS, STOCK_INVARIANTS, TINY
from pmmc_check.checker.any_slots.replica_part import ReplicaSearch, check_replica
from pmmc_check.checker.any_slots.setting import Setting
from pmmc_check.checker.any_slots.surroundings import ReplicaBounds
from pmmc_check.checker.reference import ReferenceSearch
from pmmc_check.checker.result import Control
from pmmc_check.checker.symmetry import renamings
from pmmc_check.config import Config
from pmmc_check.model.faults import Restart
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks
from pmmc_check.protocol import PMMC, Decision, Message, Protocol, Replica, ReplicaState, Request, Role, SlotCommand, variant
from pmmc_check.protocol.role import Crashed
from pmmc_check.protocol.values import REPLICA
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.verdicts import HOLDS


def reached(protocol: Protocol, bounds: ReplicaBounds) -> tuple[set[tuple[Any, ...]], set[str]]:
    """By brute force: every sequence of messages, tried one after the other on the class itself, and what the states and steps of
    it break. Only a sequence that has come to a (log, state, restarts) where an earlier one was is not continued."""
    model = Model(bounds.config(bounds.windows[0], 1), protocol)
    role, checks = model.roles[R1], Checks(model, STOCK_INVARIANTS)
    commands, seen, broken = model.system.commands, set(), set()
    stack: list[tuple[frozenset[SlotCommand], Any, int]] = [(frozenset(), role.start().state, bounds.restarts)]
    while stack:
        point = stack.pop()
        if point in seen:
            continue
        seen.add(point)
        log, state, left = point
        broken.add(checks.of_local_state(R1, state))
        moves: list[tuple[Message, Any, frozenset[SlotCommand], int]] = [
            (Request(c), role.step(state, Request(c)), log, left) for c in commands
        ]
        for slot in range(1, bounds.slots + 1):
            for c in [dict(log)[slot]] if slot in dict(log) else commands:
                moves.append((Decision(slot, c), role.step(state, Decision(slot, c)), log | {SlotCommand(slot, c)}, left))
        if left:
            moves.append((Restart(), [role.restart(state)], log, left - 1))
        for message, outcomes, after, restarts in moves:
            for outcome in outcomes:
                before = Crashed(state) if isinstance(message, Restart) else state
                broken.add(checks.of_local_step(R1, before, message, outcome))
                stack.append((after, outcome.state, restarts))
    return {point[:2] for point in seen}, {each.invariant for each in broken if each}


def searched(protocol: Protocol, bounds: ReplicaBounds) -> ReplicaSearch:
    search = ReplicaSearch([Setting(protocol, bounds, window, STOCK_INVARIANTS) for window in bounds.windows], bounds, Control())
    search.run()
    return search


def unclaimed(role: type[Role]) -> type[Role]:
    """The same class without its claims."""
    return type(role.__name__, (role,), {})


@pytest.mark.parametrize("bounds", [TINY, replace(TINY, slots=3), replace(TINY, slots=3, commands=2, reconfigurations=0, windows=(2,))])
@pytest.mark.parametrize("claims", [True, False])
def test_what_is_reached_is_what_brute_force_reaches(bounds: ReplicaBounds, claims: bool) -> None:
    expected, broken = reached(PMMC, bounds)
    assert not broken
    search = searched(PMMC if claims else variant(unclaimed(Replica)), bounds)
    found = {(log, state) for _, log, state in search.left}
    if claims:
        group = renamings(bounds.config(bounds.windows[0], 1).system())
        found = {(rename(log, each), rename(state, each)) for log, state in found for each in group}
    assert found == expected
    assert claims or search.states == len(expected)


@pytest.mark.parametrize("name", [*FAULTS, "drop-loser"])
def test_brute_force_and_search_agree_on_what_is_broken(name: str) -> None:
    bounds = replace(TINY, slots=2)
    _, broken = reached(protocol_with([name]), bounds)
    result = check_replica(protocol_with([name]), Control(), bounds)
    assert (result.violation is not None) == bool(broken)
    assert result.violation is None or result.violation.invariant in broken


ORDINARY = [
    Config(acceptors=1, leaders=1, replicas=1, slots=2, commands=2, rounds=1, window=1),
    Config(acceptors=1, leaders=1, replicas=1, slots=2, commands=2, rounds=1, window=2),
    Config(acceptors=1, leaders=1, replicas=1, slots=2, commands=1, rounds=1, window=1, reconfigurations=1),
    Config(acceptors=1, leaders=1, replicas=1, slots=2, commands=1, rounds=1, crashes=1, restarts=1, faulty=(REPLICA,)),
]


@pytest.mark.parametrize("config", ORDINARY, ids=range(len(ORDINARY)))
def test_whatever_a_replica_is_in_an_ordinary_search_it_is_in_the_replica_part(config: Config) -> None:
    ordinary = ReferenceSearch(Model(config), STOCK_INVARIANTS, Control())
    assert ordinary.run().verdict == HOLDS
    position = ordinary.model.index[R1]
    states = {state[position].state for state in ordinary.came_from}
    alive = {each for each in states if isinstance(each, ReplicaState)}
    bounds = ReplicaBounds(config.slots, config.commands, (config.window,), config.reconfigurations, config.restarts, None, None)
    reachable = {_with_leaders(state) for _, state in reached(PMMC, bounds)[0]}
    assert {_with_leaders(state) for state in alive} <= reachable
    assert len(alive) > 10


def _with_leaders(state: ReplicaState) -> Any:
    """The state; leaders are numbered otherwise where a set has two of them, so only how often they changed counts."""
    changes = sorted(slot for slot, command in state.decisions if not isinstance(command.operation, str))
    shown = [frozenset((slot, c.client) for slot, c in entries) for entries in (state.proposals, state.decisions)]
    requests, performed = frozenset(c.client for c in state.requests), [c.client for c in state.application]
    return (state.slot_in, state.slot_out, requests, *shown, *performed, *changes)


def test_bounds_on_order_only_withhold_messages() -> None:
    bounds = replace(TINY, slots=3, windows=(2,), commands=2, reconfigurations=0)
    every = set(searched(variant(unclaimed(Replica)), bounds).left)
    for less in ({"early": 0}, {"early": 1}, {"waiting": 1}, {"early": 1, "waiting": 1}):
        fewer = set(searched(variant(unclaimed(Replica)), replace(bounds, **less)).left)
        assert fewer < every
