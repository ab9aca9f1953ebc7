"""Progress: the paper's stuck slot, its two fixes, and runs that never end."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from helpers import C1, C2, L1, R1, R2, reference, small, system
from hypothesis import given
from hypothesis import strategies as st

from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.cycles import find_cycle
from pmmc_check.checker.endless import OUTSIDE, graph_of, number, shortest
from pmmc_check.checker.matrix import searched
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control
from pmmc_check.config import Config
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.properties.observe import DECIDED, HELD, Fact, held
from pmmc_check.properties.progress import Left, left_to_decide
from pmmc_check.protocol import PMMC, Ballot, LeaderState, Lifecycle, Propose, ReplicaState, Request, SlotCommand
from pmmc_check.protocol.values import BOTTOM
from pmmc_check.protocol.variants.catalogue import VARIANTS, protocol_with
from pmmc_check.verdicts import HOLDS, VIOLATED

WITHOUT_LOSS = ("reliable", "fifo")


@pytest.mark.parametrize("network", WITHOUT_LOSS)
@pytest.mark.parametrize("reduce", ["all", "none"])
def test_the_stuck_slot_of_the_paper_is_found(network: str, reduce: str) -> None:
    config = small(acceptors=3, network=network)
    result = searched(config, PMMC, ["Progress"], reduce)
    assert result.verdict == VIOLATED and result.violation is not None
    assert "no command is decided in slot 1" in result.violation.how
    assert "commander(0.L1,1) has exited" in result.violation.how
    model = Model(config)
    last = result.violation.trace[-1].after
    assert next(model.steps(last), None) is None, "nothing can move in the last state"
    assert len(result.violation.trace) == len(reference(config, invariants=["Progress"]).violation.trace)  # type: ignore[union-attr]


@pytest.mark.parametrize("network", WITHOUT_LOSS)
@pytest.mark.parametrize("fix", ["ignore-lower-p2b", "raise-on-accept"])
@pytest.mark.parametrize("commands", [1, 2])
def test_either_fix_removes_it(network: str, fix: str, commands: int) -> None:
    config = small(acceptors=3, commands=commands, network=network)
    for reduce in ("all", "none"):
        assert searched(config, protocol_with([fix]), ["Progress"], reduce).verdict == HOLDS


def test_two_acceptors_cannot_get_stuck() -> None:
    assert searched(small(acceptors=2, leaders=2, replicas=2, network="reliable"), PMMC, ["Progress"]).verdict == HOLDS


SAFE = [[], *([each.name] for each in VARIANTS.values() if each.safe)]
NOT_STUCK = [
    Config(1, 1, 2, 2, 2, 1),
    Config(1, 1, 2, 2, 2, 1, window=1),
    Config(1, 2, 2, 1, 2, 1),
    Config(1, 1, 2, 2, 1, 1, window=1, reconfigurations=1),
    Config(1, 1, 1, 3, 1, 1, window=1, reconfigurations=2),
]
"""With one acceptor a set there is no stuck slot."""


@pytest.mark.one_in(3)
@pytest.mark.parametrize("network", WITHOUT_LOSS)
@pytest.mark.parametrize("config", NOT_STUCK, ids=str)
@pytest.mark.parametrize("names", SAFE, ids=str)
def test_neither_the_protocol_nor_what_is_safe_loses_a_command(config: Config, names: list[str], network: str) -> None:
    asked = "FairProgress" if any(VARIANTS[name].promises for name in names) else "Progress"
    assert searched(replace(config, network=network), protocol_with(names), [asked]).verdict == HOLDS


@pytest.mark.parametrize("reduce", ["all", "none"])
def test_a_command_that_nobody_holds_any_more_is_lost_though_no_slot_is_left(reduce: str) -> None:
    config = Config(1, 1, 2, 2, 2, 1, network="reliable")
    found = searched(config, protocol_with(["drop-loser"]), ["Progress"], reduce)
    assert found.violation is not None and "is decided nowhere, and no replica holds it any more" in found.violation.how
    assert "requests nothing" in found.violation.how
    waits = replace(config, replicas=1)
    assert searched(waits, protocol_with(["drop-loser"]), ["Progress"], reduce).verdict == HOLDS, "with one replica nothing loses its slot"


def decided(slot: int) -> Fact:
    return Fact(DECIDED, slot, BOTTOM, C1)


def holds(*commands: object) -> set[Fact]:
    return {Fact(HELD, 0, BOTTOM, command) for command in commands}  # type: ignore[arg-type]


BUSY, RETIRED = LeaderState(Ballot(0, 1)), Lifecycle.EXITED


@pytest.mark.parametrize(
    ("facts", "leader", "left"),
    [
        (holds(C1, C2), BUSY, Left((1, 2), (C1, C2))),
        ({decided(1)}, BUSY, Left((2,), (C2,))),
        ({decided(1), *holds(C2)}, BUSY, Left((2,), (C2,))),
        ({decided(1), decided(2)}, BUSY, Left((), (C2,))),
        ({decided(1), decided(2), *holds(C1)}, BUSY, Left((), (C2,))),
        ({decided(1), decided(2), *holds(C2)}, BUSY, None),
        ({decided(1), decided(2)}, RETIRED, None),
        (holds(C1, C2), RETIRED, None),
    ],
)
def test_what_is_left_is_a_command_with_a_slot_or_a_command_that_is_lost(facts: set[Fact], leader: object, left: Left | None) -> None:
    assert left_to_decide(system(leaders=1), {L1: leader}, facts) == left


def test_a_replica_holds_what_it_has_requested_or_proposed_and_what_is_on_its_way_to_it() -> None:
    state = ReplicaState((L1,), (), requests=frozenset({C1}))
    assert held(R1, state, []) == holds(C1)
    assert held(R1, replace(state, requests=frozenset(), proposals=frozenset({SlotCommand(1, C2)})), []) == holds(C2)
    assert held(R2, state, [Request(C2), Propose(1, C2)]) == holds(C1, C2)
    assert held(L1, BUSY, [Propose(1, C2)]) == frozenset()


def test_a_run_that_never_ends_is_found_by_both_engines() -> None:
    config = small(leaders=2, network="reliable")
    protocol = protocol_with(["no-ballot-bump"])
    for result in (searched(config, protocol, ["Progress"]), reference(config, protocol, ["Progress"])):
        assert result.violation is not None and "repeated for ever" in result.violation.how
        states = [result.violation.initial, *(each.after for each in result.violation.trace)]
        assert states[-1] in states[:-1], "the run comes back to where it was"


def test_reductions_that_leave_steps_out_switch_themselves_off() -> None:
    model, progress = Model(small(network="reliable")), invariants_named(["Progress"])
    left, notes = applicable(reductions_named("all"), model, progress)
    assert left.names == ("inert", "symmetry")
    assert any("halting and deferral are off" in note for note in notes)


@pytest.mark.parametrize("options", [{"network": "duplicating"}, {"network": "lossy"}, {"network": "reliable", "crashes": 1}])
def test_progress_is_not_promised_where_messages_or_processes_may_be_lost(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="--invariant Progress"):
        searched(small(**options), PMMC, ["Progress"])


def test_progress_is_checked_only_when_asked_for() -> None:
    assert "Progress" not in [each.name for each in invariants_named([])]
    assert [each.name for each in invariants_named(["progress", "Agreement"])] == ["Agreement", "Progress"]


def test_a_cycle_is_found_where_there_is_one() -> None:
    edges = {0: [1, 2], 1: [3], 2: [3], 3: [4], 4: [2]}
    assert find_cycle(0, lambda node: edges.get(node, [])) == [3, 4, 2]
    assert find_cycle(0, lambda node: [node + 1] if node < 5 else []) is None


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    """The successors of each node; one of -1 leads out of the graph."""
    size = draw(st.integers(1, 9))
    return draw(st.lists(st.lists(st.integers(-1, size - 1), max_size=4), min_size=size, max_size=size))


@given(graphs())
def test_the_compiled_search_for_cycles_finds_all_components_and_a_shortest_cycle(graph: list[list[int]]) -> None:
    states = np.arange(1, len(graph) + 1, dtype=np.uint64)
    leads_to = np.array([each + 1 for row in graph for each in row], np.uint64)
    compact = graph_of(states, np.array([len(row) for row in graph]), leads_to)
    plain = nx.DiGraph((node, after) for node, row in enumerate(graph) for after in row if after != OUTSIDE)
    cyclic = [each for each in nx.strongly_connected_components(plain) if len(each) > 1 or plain.has_edge(*2 * list(each))]
    found = [np.flatnonzero(compact.component == each).tolist() for each in set(compact.component.tolist()) - {OUTSIDE}]
    assert sorted(found) == sorted(map(sorted, cyclic))
    if found:
        cycle = shortest(np.flatnonzero(compact.component != OUTSIDE), compact)
        assert all(plain.has_edge(*edge) for edge in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        assert len(cycle) == min(map(len, nx.simple_cycles(plain)))


def test_fingerprints_become_numbers() -> None:
    states = np.array([7, 7 + 16, 3, 1 << 63], np.uint64)
    leads_to = np.array([3, 1 << 63, 7 + 16, 7 + 32, 7], np.uint64)
    successors = np.empty(5, np.int32)
    number(states, leads_to, np.zeros(16, np.int32), successors)
    assert successors.tolist() == [2, 3, 1, OUTSIDE, 0]


@pytest.mark.parametrize("names", [["no-ballot-bump"], ["no-ballot-bump", "ignore-lower-p2b"]], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_that_never_ends_has_the_same_length_with_every_reduction(names: list[str], threads: int) -> None:
    model = Model(small(leaders=2, replicas=2, commands=2, network="reliable"), protocol_with(names))
    invariants = invariants_named(["Progress"])
    found = []
    for reduce in ("none", "inert", "symmetry", "all"):
        reductions, _ = applicable(reductions_named(reduce), model, invariants)
        violation = CompiledSearch(model, invariants, Control(), reductions, threads).run().violation
        assert violation is not None and "repeated for ever" in violation.how
        states = [violation.initial, *(each.after for each in violation.trace)]
        assert states[-1] in states[:-1], "the run comes back to where it was"
        found.append(len(violation.trace))
    assert len(set(found)) == 1


def test_steps_that_lead_no_deeper_make_the_search_look_for_cycles() -> None:
    model = Model(small(leaders=2, network="reliable"), protocol_with(["no-ballot-bump"]))
    invariants = invariants_named(["Progress"])
    search = CompiledSearch(model, invariants, Control(), applicable(reductions_named("all"), model, invariants)[0])
    search.run()
    assert search.steps_not_deeper > 0
