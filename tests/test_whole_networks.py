"""Networks lossy and fifo, crashes, restarts and reconfiguration: one suite over both engines and every reduction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import REDUCTIONS, ROOT, compiled, label, reference, small

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import INVARIANTS, invariants_named
from pmmc_check.properties.observe import DECIDED, Fact
from pmmc_check.protocol import Lifecycle, ProcessId
from pmmc_check.protocol.messages import Propose
from pmmc_check.protocol.role import Crashed
from pmmc_check.protocol.values import ACCEPTOR, FAULTS, LEADER, REPLICA
from pmmc_check.protocol.variants.catalogue import VARIANTS, Variant, combined
from pmmc_check.verdicts import HOLDS

CONFIRMED: list[dict[str, Any]] = json.loads((ROOT / "specs" / "golden-faults.json").read_text())
"""Networks, faults and reconfigurations: counts that TLC found for specs/PMMC.tla."""

REFERENCE_BELOW = 4_000
RECONFIGURATIONS = [
    {"slots": 2, "window": 1, "reconfigurations": 1},
    {"slots": 2, "window": 1, "reconfigurations": 1, "commands": 2},
    {"slots": 2, "window": 1, "reconfigurations": 1, "acceptors": 2},
    {"slots": 3, "window": 2, "reconfigurations": 1},
    {"slots": 3, "window": 1, "reconfigurations": 2},
    {"slots": 2, "window": 1, "reconfigurations": 1, "crashes": 1, "restarts": 1},
]


def _slow_where_heavy(counts: dict[str, Any], network: str) -> Any:
    heavy = network in ("duplicating", "lossy") and ("crashes" in counts or "acceptors" in counts)
    return pytest.param(counts, network, marks=pytest.mark.slow if heavy else ())


NETWORKS = ("duplicating", "reliable", "lossy", "fifo")
RECONFIGURED = [_slow_where_heavy(counts, network) for counts in RECONFIGURATIONS for network in NETWORKS]


def config_of(counts: tuple[int, int, int, int], network: str, crashes: int, restarts: int) -> Config:
    acceptors, leaders, replicas, commands = counts
    return small(
        acceptors=acceptors, leaders=leaders, replicas=replicas, commands=commands, network=network, crashes=crashes, restarts=restarts
    )


def _confirmed(golden: dict[str, Any]) -> tuple[Config, int, int]:
    counts = dict(golden)
    states, depth = counts.pop("distinct_states"), counts.pop("depth")
    return small(**counts), states, depth


@pytest.mark.parametrize("golden", CONFIRMED, ids=label)
def test_the_compiled_search_counts_the_states_that_tlc_counts(golden: dict[str, Any]) -> None:
    config, states, depth = _confirmed(golden)
    _, fast = compiled(config, reduce="none")
    assert (fast.verdict, fast.distinct_states, fast.depth) == (HOLDS, states, depth)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("golden", [each for each in CONFIRMED if each["distinct_states"] < REFERENCE_BELOW], ids=label)
def test_so_does_the_reference_search(golden: dict[str, Any]) -> None:
    config, states, depth = _confirmed(golden)
    plain, (_, fast) = reference(config), compiled(config, reduce="none")
    assert (plain.verdict, plain.distinct_states, plain.depth, plain.generated_states) == (HOLDS, states, depth, fast.generated_states)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("counts", "network"), RECONFIGURED, ids=lambda each: each if isinstance(each, str) else label(each))
def test_both_engines_agree_on_reconfigurations(counts: dict[str, Any], network: str) -> None:
    config = small(**counts, network=network)
    _, fast = compiled(config, reduce="none", limits=Limits(states_max=4 * REFERENCE_BELOW))
    if fast.limit:
        pytest.skip("too many states for the reference search")
    plain = reference(config)
    assert (plain.verdict, plain.distinct_states, plain.depth, plain.generated_states) == (
        fast.verdict,
        fast.distinct_states,
        fast.depth,
        fast.generated_states,
    )
    assert {a: n for a, n in plain.coverage.items() if n} == {a: n for a, n in fast.coverage.items() if n}


def facts_seen(config: Config, reduce: str) -> set[tuple[frozenset[Fact], tuple[frozenset[Fact], ...]]]:
    """The reachable combinations of observed facts: what is decided, no matter who shows it, and what each other process shows."""
    model = Model(config)
    invariants = invariants_named([])
    reductions, _ = applicable(reductions_named(reduce), model, invariants)
    search = CompiledSearch(model, invariants, Control(), reductions)
    assert search.run().verdict == HOLDS
    seen = set()
    for observed in search.known.observed.values():
        decided = frozenset(fact for facts in observed.values() for fact in facts if fact.kind == DECIDED)
        others = (facts - decided for facts in observed.values())
        seen.add((decided, tuple(sorted((facts for facts in others if facts), key=sorted))))
    return seen


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("faults", [(0, 0), (1, 0), (1, 1)])
def test_no_reduction_hides_an_observation(network: str, faults: tuple[int, int]) -> None:
    config = config_of((1, 2, 1, 2), network, *faults) if not faults[0] else config_of((2, 1, 1, 2), network, *faults)
    unreduced = facts_seen(config, "none")
    for reduce in REDUCTIONS[:3]:
        assert facts_seen(config, reduce) == unreduced, reduce
    assert facts_seen(config, "inert,halting,deferral") == unreduced


@pytest.mark.parametrize("network", NETWORKS)
def test_no_reduction_hides_an_observation_of_a_reconfiguration(network: str) -> None:
    config = small(slots=2, window=1, reconfigurations=1, network=network)
    unreduced = facts_seen(config, "none")
    for reduce in (*REDUCTIONS[:3], "inert,halting,deferral"):
        assert facts_seen(config, reduce) == unreduced, reduce


def test_losing_messages_shows_nothing_that_withholding_them_does_not() -> None:
    lossy = small(acceptors=2, leaders=2, commands=2, network="lossy")
    reliable = small(acceptors=2, leaders=2, commands=2, network="reliable")
    assert compiled(lossy)[1].distinct_states == compiled(reliable)[1].distinct_states


def test_the_order_between_two_processes_is_kept_on_fifo_only() -> None:
    for network, in_order_only in (("fifo", True), ("reliable", False)):
        model = Model(small(slots=2, commands=2, network=network))
        leader, replica = ProcessId(LEADER, 1), ProcessId(REPLICA, 1)
        inbox = model.network.empty
        first, second = (Propose(slot, model.system.commands[slot - 1]) for slot in (1, 2))
        for each in (first, second):
            inbox = model.network.put(inbox, replica, each)
        deliverable = {each.message for each in model.network.deliverable(inbox)}
        assert deliverable == ({first} if in_order_only else {first, second})
        assert leader in model.index


def test_the_fault_budget_bounds_a_whole_run() -> None:
    model = Model(small(acceptors=3, replicas=2, crashes=2, restarts=1))
    frontier, seen = [model.initial()], {model.initial()}
    down_most = 0
    for _ in range(5):
        following = []
        for state in frontier:
            down_most = max(down_most, sum(isinstance(view.state, Crashed) for view in state))
            for step, after in model.steps(state):
                if step.message.kind in ("crash", "restart") and after not in seen:
                    seen.add(after)
                    following.append(after)
        frontier = following
    assert down_most == 2
    assert not frontier, "two crashes and one restart are three steps, and no fourth"


def test_a_leader_that_crashes_takes_its_scouts_and_commanders_with_it_and_comes_back_in_a_new_round() -> None:
    model = Model(small(rounds=2, crashes=1, restarts=1, faulty=("leader",)))
    leader = ProcessId(LEADER, 1)
    state = model.initial()
    for kind in ("crash", "restart"):
        step, state = next((step, after) for step, after in model.steps(state) if step.message.kind == kind)
        assert step.process == leader
    by_process = dict(zip(model.processes, state, strict=True))
    assert by_process[leader].state.ballot == (1, 1)
    states = {str(process): view.state for process, view in by_process.items()}
    assert states["scout(0.L1)"] is Lifecycle.EXITED
    assert not isinstance(states["scout(1.L1)"], Lifecycle)


def test_a_leader_whose_rounds_are_used_up_retires_when_it_restarts() -> None:
    model = Model(small(crashes=1, restarts=1, faulty=("leader",)))
    state = model.initial()
    for kind in ("crash", "restart"):
        state = next(after for step, after in model.steps(state) if step.message.kind == kind)
    assert state[model.index[ProcessId(LEADER, 1)]].state is Lifecycle.EXITED


def test_without_faults_there_is_no_process_for_them() -> None:
    assert all(process.role != FAULTS for process in Model(small()).processes)
    assert any(process.role == FAULTS for process in Model(small(crashes=1)).processes)


def test_a_restarted_replica_has_performed_what_it_knows_decided() -> None:
    config = small(acceptors=1, replicas=1, slots=2, commands=2, crashes=1, restarts=1, faulty=("replica",))
    assert compiled(config)[1].verdict == HOLDS
    assert compiled(config, reduce="none")[1].verdict == HOLDS


RECONFIGURED_CONFIGS = [
    Config(1, 1, 2, 2, 1, 1, window=1, reconfigurations=1),
    Config(1, 1, 2, 3, 1, 1, window=2, reconfigurations=1),
    Config(1, 2, 1, 2, 1, 1, window=1, reconfigurations=1),
    Config(1, 1, 1, 3, 1, 1, window=1, reconfigurations=2),
    Config(1, 1, 1, 3, 1, 1, window=1, reconfigurations=1, crashes=1, restarts=1, faulty=("replica",)),
]


SEND_MORE = ("fill-holes", "garbage-collection")


def _paper_and_safe() -> Iterator[Any]:
    """No variant, in every configuration, and each that is safe. Of these a diagonal runs by default; the rest are slow tests, and so is
    all of what sends many messages more."""
    for row, variant in enumerate([None, *(each for each in VARIANTS.values() if each.safe)]):
        for column, config in enumerate(RECONFIGURED_CONFIGS):
            large = variant is not None and variant.name == "send-back" and config.slots * config.replicas > 4
            slow = variant is not None and (variant.name in SEND_MORE or large or (row + column) % 3 > 0)
            yield pytest.param(config, variant, id=f"{variant.name if variant else 'paper'}-{config}", marks=[pytest.mark.slow] * slow)


@pytest.mark.parametrize(("config", "variant"), [*_paper_and_safe()])
def test_every_replica_proposes_to_the_leaders_of_the_slot_that_it_proposes_for(config: Config, variant: Variant | None) -> None:
    chosen = [variant] if variant else []
    names = [name for name in INVARIANTS if not (variant and name in variant.waives)]
    assert compiled(config, combined(chosen), invariants=names)[1].verdict == HOLDS


@pytest.mark.parametrize("window", [1, 2])
def test_reconfiguration_is_safe_and_takes_effect(window: int) -> None:
    config = Config(1, 1, 1, slots=3, commands=2, window=window, reconfigurations=1)
    search, result = compiled(config)
    assert result.verdict == HOLDS
    accepted_by = {
        process.number
        for observed in search.known.observed.values()
        for process, facts in observed.items()
        if process.role == ACCEPTOR and any(fact.slot > window for fact in facts)
    }
    assert accepted_by == {1, 2}, "slots beyond the window are decided by the first set of acceptors or by the second"


def test_slots_within_the_window_belong_to_the_first_configuration() -> None:
    search, _ = compiled(Config(1, 1, 1, slots=3, commands=2, window=2, reconfigurations=1), reduce="inert,halting,deferral")
    for observed in search.known.observed.values():
        for process, facts in observed.items():
            if process == ProcessId(ACCEPTOR, 2):
                assert all(fact.slot > 2 for fact in facts)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"restarts": 1}, "add --crashes"),
        ({"faulty": ("acceptor",)}, "add --crashes"),
        ({"crashes": 1, "faulty": ("scout",)}, "go down with their leader"),
        ({"crashes": 1, "faulty": ("client",)}, "choose from acceptor, replica, leader"),
        ({"crashes": -1}, "at least 0"),
        ({"reconfigurations": 1}, "smaller than --slots"),
    ],
)
def test_options_that_contradict_each_other_say_what_to_change(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        small(**options)
