"""Progress under weak fairness: cycles that only keep somebody waiting do not count, and those that do are shown as a stem and a loop."""

from __future__ import annotations

import json
import random
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from helpers import assert_one_clear_line, in_process, reference, small
from hypothesis import given
from hypothesis import strategies as st

from pmmc_check.checker.endless import OUTSIDE, graph_of
from pmmc_check.checker.fair_cycles import Edge, components_of, fair_way_around, is_fair
from pmmc_check.checker.fairness import starving
from pmmc_check.checker.matrix import config_of, searched
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control, Limits, Violation
from pmmc_check.checker.state_graph import TooManyStates, state_graph
from pmmc_check.config import Config
from pmmc_check.model.faults import FaultStep
from pmmc_check.model.model import Model, State
from pmmc_check.model.network import NETWORKS
from pmmc_check.properties.checks import Checks
from pmmc_check.properties.invariants import invariants_named
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.variants.catalogue import VARIANTS, combined, protocol_with
from pmmc_check.verdicts import HOLDS, VIOLATED

WITHOUT_LOSS = ("reliable", "fifo")
FAULTS = ("after-you", "waits-for-work", "forget-proposals")
PATIENT = ("back-off", "send-back", "no-ballot-bump")
"""In some run these go on for ever, and keep others waiting; in a fair run they decide everything."""

Action = tuple[Hashable, ...]


def actions_possible(model: Model, state: State) -> list[tuple[frozenset[Action], State]]:
    """The steps of a state and the actions that each takes, by the letter of the definition."""
    found = []
    for index, process in enumerate(model.processes):
        for delivery in model.deliveries(process, state[index]):
            after = model.taken(state, index, delivery)
            if after is not None and after != state:
                taken = {(process, delivery.message, delivery.sender), (process,)}
                found.append((frozenset(taken if not isinstance(delivery.message, FaultStep) else ()), after))
    return found


def assert_endless_and_fair(violation: Violation, model: Model) -> None:
    """The loop is a cycle of steps of the model, something is left in each state, and each action is taken or somewhere impossible."""
    states = [violation.initial, *(each.after for each in violation.trace)]
    checks = Checks(model, invariants_named([violation.invariant]))
    before = model.initial()
    for each in violation.trace:
        assert (each.step, each.after) in list(model.steps(before)), "every step is one of the unreduced model"
        before = each.after
    around = states[-1 - violation.loop :]
    assert around[0] == around[-1] and len(around) > 1, "the loop comes back to where it began"
    assert all(checks.left_in(state) for state in around)
    possible = [frozenset[Action]().union(*(taken for taken, _ in actions_possible(model, state))) for state in around[:-1]]
    waiting = set(frozenset.intersection(*possible))
    for here, after in pairwise(around):
        for taken, reached in actions_possible(model, here):
            if reached == after:
                assert taken, "no message is lost again and again"
                waiting -= taken
    assert not waiting


def fair_verdict(model: Model, states_max: int) -> str:
    """By brute force over all states: an end, or a component that starves nobody, in which something is left."""
    checks = Checks(model, invariants_named(["FairProgress"]))
    graph = state_graph(model, [], Control(), states_max)
    is_open = [checks.left_in(state) is not None for state in graph.states]
    if any(is_open[each] for each in graph.ended):
        return VIOLATED
    numbers = {state: number for number, state in enumerate(graph.states)}
    steps = [[(taken, numbers[after]) for taken, after in actions_possible(model, state)] for state in graph.states]
    within = nx.DiGraph(
        (here, after) for here, row in enumerate(steps) for taken, after in row if is_open[here] and is_open[after] and taken
    )
    for component in nx.strongly_connected_components(within):
        inner = [taken for here in component for taken, after in steps[here] if after in component and within.has_edge(here, after)]
        always = frozenset.intersection(*(frozenset[Action]().union(*(taken for taken, _ in steps[here])) for here in component))
        if inner and always <= frozenset().union(*inner):
            return VIOLATED
    return HOLDS


@pytest.mark.parametrize("network", WITHOUT_LOSS)
def test_a_duel_with_back_off_is_a_cycle_and_decides_everything_in_every_fair_run(network: str) -> None:
    config, protocol = small(leaders=2, network=network), protocol_with(["back-off"])
    for result in (searched(config, protocol, ["Progress"]), reference(config, protocol, ["Progress"])):
        assert result.violation is not None and result.violation.loop == 2
        assert {each.step.message.kind for each in result.violation.trace[-2:]} == {"ping", "pong"}
    assert searched(config, protocol, ["FairProgress"]).verdict == HOLDS
    assert searched(config, PMMC, ["FairProgress"]).verdict == HOLDS


@pytest.mark.parametrize("name", PATIENT)
@pytest.mark.parametrize("leaders", [2, 3])
def test_what_only_keeps_others_waiting_is_no_fault_under_fairness(name: str, leaders: int) -> None:
    config, protocol = small(leaders=leaders, network="reliable"), protocol_with([name])
    unfair = searched(config, protocol, ["Progress"]).violation
    assert unfair is not None and unfair.loop
    with pytest.raises(AssertionError):
        assert_endless_and_fair(replace(unfair, invariant="FairProgress"), Model(config, protocol))
    assert searched(config, protocol, ["FairProgress"]).verdict == HOLDS


@pytest.mark.parametrize("name", FAULTS)
def test_a_seeded_liveness_fault_is_found_by_both_engines(name: str) -> None:
    variant = VARIANTS[name]
    config, protocol = config_of(variant.smallest), combined([variant])
    model = Model(config, protocol)
    for result in (searched(config, protocol, ["FairProgress"]), reference(config, protocol, ["FairProgress"])):
        assert result.violation is not None and result.violation.invariant == "FairProgress"
        if result.violation.loop:
            assert "keeps no process and no message waiting" in result.violation.how
            assert_endless_and_fair(result.violation, model)
        else:
            assert next(model.steps(result.violation.trace[-1].after), None) is None
    assert searched(config, PMMC, ["FairProgress"]).verdict == HOLDS


def test_two_of_the_faults_never_end_and_one_does() -> None:
    loops = {name: searched(config_of(VARIANTS[name].smallest), protocol_with([name]), ["FairProgress"]).violation for name in FAULTS}
    assert {name: found.loop for name, found in loops.items() if found} == {"after-you": 4, "waits-for-work": 2, "forget-proposals": 0}


@pytest.mark.parametrize(("network", "names", "verdict"), [
    ("duplicating", [], HOLDS),
    ("duplicating", ["forget-proposals"], HOLDS),
    ("duplicating", ["back-off"], HOLDS),
    ("duplicating", ["after-you"], VIOLATED),
    ("lossy", [], VIOLATED),
])  # fmt: skip
def test_on_a_duplicating_network_whatever_was_sent_arrives_and_on_a_lossy_one_losses_end(
    network: str, names: list[str], verdict: str
) -> None:
    """One loss is enough for the paper's protocol: nothing is sent a second time."""
    config, protocol = small(leaders=2, network=network), protocol_with(names)
    found = searched(config, protocol, ["FairProgress"])
    assert found.verdict == verdict
    if found.violation and found.violation.loop:
        assert_endless_and_fair(found.violation, Model(config, protocol))


def test_the_stuck_slot_is_one_of_fair_runs_too() -> None:
    for network in ("reliable", "duplicating"):
        found = searched(small(acceptors=3, network=network), PMMC, ["FairProgress"])
        assert found.violation is not None and "commander(0.L1,1) has exited" in found.violation.how
        assert searched(small(acceptors=3, network=network), protocol_with(["raise-on-accept"]), ["FairProgress"]).verdict == HOLDS


COMBINED = [(), *((name,) for name in (*FAULTS, *PATIENT)), ("back-off", "ignore-lower-p2b"), ("after-you", "raise-on-accept"),
            ("no-ballot-bump", "raise-on-accept"), ("no-ballot-bump", "drop-loser"), ("stays-active",), ("overwrite-proposal",),
            ("send-back", "raise-on-accept"), ("drop-loser",), ("fill-holes",), ("informed-leaders",)]  # fmt: skip


def compared(seed: int, states_max: int) -> bool:
    """Whether a random system was small enough; both engines then say what brute force says."""
    chance = random.Random(seed)
    config = Config(
        acceptors=chance.choice((1, 1, 2)),
        leaders=chance.choice((1, 2, 2)),
        replicas=chance.choice((1, 1, 2)),
        slots=chance.choice((1, 1, 2)),
        commands=chance.choice((1, 1, 2)),
        rounds=chance.choice((1, 1, 2)),
        network=chance.choice(list(NETWORKS)),
    )
    protocol = protocol_with(chance.choice(COMBINED))
    model = Model(config, protocol)
    try:
        expected = fair_verdict(model, states_max)
    except TooManyStates:
        return False
    plain = reference(config, protocol, ["FairProgress"])
    assert plain.verdict == expected, (seed, config, protocol)
    for reduce in ("none", "all"):
        found = searched(config, protocol, ["FairProgress"], reduce)
        assert found.verdict == expected, (seed, config, protocol, reduce)
        for violation in (found.violation, plain.violation):
            if violation is not None and violation.loop:
                assert_endless_and_fair(violation, model)
    return True


def test_random_systems_are_judged_as_by_brute_force() -> None:
    assert sum(compared(seed, states_max=250) for seed in range(16)) >= 4


@pytest.mark.slow
def test_many_random_systems_are_judged_as_by_brute_force() -> None:
    assert sum(compared(seed, states_max=1500) for seed in range(1000, 1120)) >= 40


@st.composite
def labelled_graphs(draw: st.DrawFn) -> list[list[tuple[int, int]]]:
    """The steps of each node: (the action that it takes or OUTSIDE for none, where it leads; -1 leads out of the graph)."""
    size, actions = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    step = st.tuples(st.integers(-1, actions - 1), st.integers(-1, size - 1))
    return draw(st.lists(st.lists(step, max_size=4), min_size=size, max_size=size))


@given(labelled_graphs())
def test_components_that_starve_an_action_are_told_from_fair_ones(graph: list[list[tuple[int, int]]]) -> None:
    def edges(node: int) -> Sequence[Edge[int]]:
        if node == OUTSIDE:
            return ()
        return [Edge(frozenset({action} if action != OUTSIDE else ()), after, None) for action, after in graph[node]]

    fair = {node for each in components_of(range(len(graph)), edges) if is_fair(each, edges) for node in each}
    followed = [[after + 1 if action != OUTSIDE else 0 for action, after in row] for row in graph]
    compact = graph_of(
        np.arange(1, len(graph) + 1, dtype=np.uint64),
        np.array([len(row) for row in graph]),
        np.array([after for row in followed for after in row], np.uint64),
    )
    steps = np.array([action for row in graph for action, _ in row], np.int32)
    most = max(steps, default=0) + 1
    numbers = np.array([*([each, most + each] for each in range(most)), [OUTSIDE, OUTSIDE]], np.int32)
    on_cycles = (compact.component != OUTSIDE) & ~np.isin(compact.component, starving(compact, steps, numbers))
    assert set(np.flatnonzero(on_cycles).tolist()) == fair
    for start in fair:
        home = next(each for each in components_of(range(len(graph)), edges) if start in each)
        walk, here = fair_way_around(start, home.__contains__, edges), start
        waiting = frozenset[Hashable]().union(*(each.actions for each in edges(start)))
        for edge in walk:
            assert edge in edges(here) and edge.actions
            waiting = (waiting - edge.actions) & frozenset[Hashable]().union(*(each.actions for each in edges(edge.after)))
            here = edge.after
        assert walk and here == start and not waiting


def test_only_what_is_sound_under_fairness_is_reduced() -> None:
    left, notes = applicable(reductions_named("all"), Model(small(network="reliable")), invariants_named(["FairProgress"]))
    assert left.names == ("inert",)
    assert any("symmetry is off: FairProgress" in note for note in notes)


DUEL = ["--acceptors", "1", "--leaders", "2", "--replicas", "1", "--slots", "1", "--network", "reliable", "--invariant", "Progress"]


@pytest.mark.parametrize(("arguments", "said"), [
    (["--fair"], "add --invariant Progress"),
    (["--fair", "--invariant", "Agreement"], "add --invariant Progress"),
    (["--invariant", "Progress"], "or add --fair"),
    (["--invariant", "FairProgress", "--invariant", "Progress", "--network", "fifo"], "leave one of them out"),
    (["--invariant", "Progress", "--fair", "--crashes", "1"], "leave --crashes out"),
    (["--invariant", "Progress", "--fair", "--engine", "symbolic"], "leave --engine symbolic out"),
    (["--invariant", "Progress", "--fair", "--slots", "any"], "give a number of slots"),
    (["--invariant", "Progress", "--fair", "--constraint", "TRUE"], "cuts runs off"),
])  # fmt: skip
def test_what_fairness_does_not_go_with_ends_with_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert_one_clear_line(in_process(capsys, "explore", *arguments), said)


def test_a_loop_is_shown_in_every_view_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    looping = ["explore", *DUEL, "--variant", "after-you", "--fair", "--quiet"]
    text = in_process(capsys, *looping, "--view", "list").stdout
    assert "A run that breaks it, 10 steps from the initial state, then the 4 steps that are repeated for ever:" in text
    assert "↻  from here on, for ever:\n11" in text and "↻  and again from step 11" in text
    assert "fairness     what stays possible happens some time" in text
    for view in ("table", "lanes"):
        lines = in_process(capsys, *looping, "--view", view).stdout.splitlines()
        assert [line.split()[0] for line in lines if "↻" in line] == ["11", "12", "13", "14"]
    answer = json.loads(in_process(capsys, *looping, "--format", "json").stdout)
    assert answer["properties"] == [{"name": "FairProgress", "verdict": "violated"}]
    assert answer["violation"]["loop"] == {"from": 11, "to": 14} and len(answer["violation"]["steps"]) == 14


def test_a_run_that_ends_has_no_loop(capsys: pytest.CaptureFixture[str]) -> None:
    stuck = ["--acceptors", "3", "--leaders", "1", "--replicas", "1", "--slots", "1", "--network", "fifo", "--invariant", "Progress"]
    answer = json.loads(in_process(capsys, "explore", *stuck, "--fair", "--format", "json").stdout)
    assert answer["verdict"] == VIOLATED and answer["violation"]["loop"] is None


def test_a_trace_has_a_run_that_never_ends_once_around(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "explore", *DUEL, "--variant", "no-ballot-bump", "--trace-out", str(tmp_path / "run.pmmc"))
    assert done.returncode == 1 and "ends after the last 3 steps of the run: that they are repeated for ever is nothing that" in done.stderr
    assert in_process(capsys, "validate", str(tmp_path / "run.pmmc"), "--variant", "no-ballot-bump").returncode == 0
    done = in_process(capsys, "explore", *DUEL, "--variant", "no-ballot-bump", "--trace-out", str(tmp_path / "run.json"))
    assert json.loads((tmp_path / "run.json").read_text())["loop"] == {"from": 2, "to": 4}


def test_exports_say_what_is_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {end: tmp_path / f"run.{end}" for end in ("mmd", "puml", "itf.json", "html")}
    exports: list[Any] = [part for end, file in files.items() for part in ("--html" if end == "html" else "--export", file)]
    in_process(capsys, "explore", *DUEL, "--variant", "after-you", "--fair", *map(str, exports))
    assert "loop for ever" in files["mmd"].read_text() and "loop for ever" in files["puml"].read_text()
    assert json.loads(files["itf.json"].read_text())["loop"] == 11
    assert "steps 11 to 14, for ever" in files["html"].read_text()


def test_a_spec_can_ask_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "duel.spec"
    spec.write_text(
        "ACCEPTORS 1\nLEADERS 2\nREPLICAS 1\nSLOTS 1\nNETWORK reliable\nVARIANT back-off\nINVARIANT FairProgress\nEXPECT holds\n"
    )
    assert in_process(capsys, "explore", str(spec)).returncode == 0
    spec.write_text(spec.read_text().replace("FairProgress", "Progress").replace("holds", "violated"))
    assert in_process(capsys, "explore", str(spec)).returncode == 1
    assert in_process(capsys, "explore", str(spec), "--fair").returncode == 0


def test_a_limit_ends_the_search_without_a_verdict() -> None:
    config = small(leaders=2, network="reliable")
    cut = reference(config, protocol_with(["after-you"]), ["FairProgress"], Limits(states_max=50))
    assert cut.limit is not None and cut.violation is None
