"""However long a cluster runs, it takes no more room; and for the protocol nothing is ever forgotten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from helpers import A1, ROOT
from hypothesis import given
from hypothesis import strategies as st

from pmmc_check.protocol.values import LEADER, REPLICA, Command, ProcessId
from pmmc_check.runtime.client_driver import ClientDriver
from pmmc_check.runtime.collecting import NumberSet, decode_application, decode_snapshot, encode_application
from pmmc_check.runtime.growing import AcceptedPValues, CommandsBySlot
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.replica_driver import ReplicaDriver
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.sessions import Remembered, SessionsState
from pmmc_check.runtime.simulated_faults import faults_named
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.runtime.simulated_world import SimulatedWorld
from pmmc_check.runtime.surroundings import Commit
from pmmc_check.trace.sources import sources
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import ACCEPTED

KEEP = 10
ROSTER = Roster(timing=SIMULATED_TIMING, keep=KEEP)
R1, R2, R3 = (ProcessId(REPLICA, n) for n in (1, 2, 3))
L1 = ProcessId(LEADER, 1)


def simulated(seed: int, faults: str, requests: int = 60, seconds: float = 60.0, roster: Roster = ROSTER) -> SimulatedCluster:
    half = seconds / 2 if roster.configurations else None
    return SimulatedCluster(SimulationPlan(roster, KeyValueStore(), seed, requests, seconds, faults_named(faults), reconfigure=half))


def assert_accepted(cluster: SimulatedCluster, folder: Path) -> None:
    (source,) = sources([str(cluster.write_trace(folder))])
    verdict = judge(source)
    assert (verdict.verdict, verdict.method) == (ACCEPTED, "replay")


@given(st.lists(st.integers(0, 40)))
def test_a_number_set_is_a_set(numbers: list[int]) -> None:
    made = NumberSet()
    for each in numbers:
        made.add(each)
    assert [each for each in range(-1, 43) if each in made] == sorted(set(numbers))
    ranges = made.ranges()
    assert all(left[1] + 1 < right[0] for left, right in pairwise(ranges))
    assert NumberSet(ranges).ranges() == ranges


@pytest.mark.parametrize(
    ("inner", "can"), [({"k": "v"}, True), (10**12, True), ([1, {"a": [None, 2.5]}], True), ((1, 2), False), ({1, 2}, False)]
)
def test_a_state_is_written_down_only_if_it_comes_back_as_it_was(inner: object, can: bool) -> None:
    state = SessionsState(inner, {3: Remembered(1, {1: "ok", 7: "-"})})
    data = encode_application(state)
    assert (data is not None) is can
    assert data is None or decode_application(data) == state


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))])
def test_with_all_faults_no_node_ever_holds_more_than_what_is_recent(tmp_path: Path, seed: int) -> None:
    cluster = simulated(seed, "all")
    world, most = cluster.world, dict.fromkeys(("memory", "disk"), 0)

    def look() -> None:
        for me, node in world.nodes.items():
            held = [getattr(node.state, name, None) for name in ("accepted", "decisions", "proposals")]
            sizes = [each.kept if isinstance(each, CommandsBySlot) else len(each) for each in held if each is not None]
            most["memory"] = max(most["memory"], *sizes, 0)
            most["disk"] = max(most["disk"], len(world.disks[me].kept.records))
        world.at(0.5, look)

    world.at(0.5, look)
    result = cluster.run()
    assert result.failures == []
    assert result.decided >= 300
    assert 0 < most["memory"] < 130, most  # nodes that are cut off, or asleep, forget later
    assert 0 < most["disk"] < 130, most
    assert_accepted(cluster, tmp_path)


def commands_held_by(thing: object, seen: set[int]) -> int:
    """How many commands can be reached from it, in whatever it is made of; but neither in the simulated world, nor in what writes the log,
    whose memory has a limit."""
    if isinstance(thing, Command):
        return 1
    if id(thing) in seen or isinstance(thing, SimulatedWorld | DslWriter | type | ModuleType) or callable(thing):
        return 0
    seen.add(id(thing))
    parts: list[object] = []
    if isinstance(thing, dict):
        parts = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset | deque):
        parts = list(thing)
    elif type(thing).__module__.startswith("pmmc_check."):
        slots = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
        parts = [*getattr(thing, "__dict__", {}).values(), *(getattr(thing, name, None) for name in slots)]
    return sum(commands_held_by(each, seen) for each in parts)


def test_whatever_a_node_is_made_of_does_not_grow_with_the_slots() -> None:
    def held(requests: int) -> dict[str, int]:
        cluster = simulated(1, "none", requests)
        assert cluster.run().answered == 5 * requests
        return {str(me): commands_held_by(node, set()) for me, node in cluster.world.nodes.items()}

    few, many = held(60), held(240)
    assert min(few[name] for name in ("A1", "L1", "R1")) > 5, few
    assert {name: count for name, count in many.items() if count > few[name] + 60} == {}, few


def test_a_replica_that_was_away_for_long_gets_a_snapshot(tmp_path: Path) -> None:
    cluster = simulated(1, "none", 40)
    world = cluster.world
    world.at(0.3, lambda: world.crash(R3))
    world.at(20, lambda: world.start(R3))
    result = cluster.run()
    assert result.failures == []
    assert world.nodes[R3].counts["snapshots taken over"] == 1
    assert sum("c=?" in line for line in world.logs[R3].lines) > 100
    world.run(world.time + 1)
    world.crash(R3)  # and its own disk holds it now
    world.start(R3)
    assert world.nodes[R3].state.application == world.nodes[R1].state.application
    assert_accepted(cluster, tmp_path)


def test_a_snapshot_knows_who_leads(tmp_path: Path) -> None:
    roster = ROSTER.again(2)
    cluster = simulated(1, "none", 40, 1.0, roster)
    world = cluster.world
    world.at(0.2, lambda: world.crash(R3))
    world.at(10, lambda: world.start(R3))
    for me in (R1, R2):  # so that R3 must propose itself
        world.at(40, lambda me=me: world.crash(me))  # type: ignore[misc]
        world.at(60, lambda me=me: world.start(me))  # type: ignore[misc]
    assert cluster.run().failures == []
    driver = world.nodes[R3].driver
    assert isinstance(driver, ReplicaDriver)
    assert world.nodes[R3].counts["snapshots taken over"] == 1
    assert driver.leaders_of(driver.state.slot_out) == driver.state.leaders == roster.configurations[1].leaders
    assert_accepted(cluster, tmp_path)


def test_a_new_leader_is_told_what_was_forgotten_and_proposes_nothing_there(tmp_path: Path) -> None:
    cluster = simulated(1, "none", 40)
    world = cluster.world
    world.at(1.0, lambda: world.crash(L1))
    result = cluster.run()
    assert result.failures == []
    log = [line for me in (2, 3) for line in world.logs[ProcessId(LEADER, me)].lines]
    assert any("< p1b" in line and "accepted=?" in line for line in log)
    accepted = world.nodes[A1].state.accepted
    assert isinstance(accepted, AcceptedPValues)
    assert len(accepted) < 150
    assert_accepted(cluster, tmp_path)


def test_a_state_machine_that_cannot_be_written_down_forgets_nothing_and_works(tmp_path: Path) -> None:
    class Sums:
        def initial(self) -> tuple[int, ...]:
            return ()

        def apply(self, state: tuple[int, ...], operation: str) -> tuple[tuple[int, ...], str]:
            return (*state, int(operation)), str(sum(state) + int(operation))

        def key(self, operation: str) -> None:
            return None

        def sample(self, choose: Callable[[int], int]) -> str:
            return str(choose(9))

    cluster = SimulatedCluster(SimulationPlan(ROSTER, Sums(), 1, 20))
    result = cluster.run()
    assert result.failures == []
    assert cluster.world.nodes[R1].state.decisions.kept == 100
    assert_accepted(cluster, tmp_path)


@pytest.mark.slow
def test_real_processes_forget_and_come_back_with_a_snapshot(tmp_path: Path) -> None:
    options = [
        "--keep",
        "5",
        "--requests",
        "40",
        "--kill",
        "replica",
        "--every",
        "0.5",
        "--clients",
        "3",
        "--machine",
        "kv",
        "--format",
        "json",
    ]
    words = [sys.executable, "-m", "pmmc_check", "run", "--quiet", *options, "--loss", "0.1", "--trace-dir", str(tmp_path)]
    done = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["faults"]["replicas killed"] > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_snapshot_needs_no_decision_that_is_forgotten_with_it(seed: int) -> None:
    """With a reconfiguration among them, the replica would go on with the leaders of before."""
    cluster = simulated(seed, "all", roster=ROSTER.again(2))
    world, seen = cluster.world, []
    for me in world.setting.system.replicas:
        disk = world.disks[me]

        def written(change: Commit, done: Callable[[], None], write: Callable[..., None] = disk._written) -> None:
            if change.snapshot is not None:
                seen.append((change.forgotten, decode_snapshot(change.snapshot)))
            write(change, done)

        disk._written = written  # type: ignore[method-assign]
    assert cluster.run().failures == []
    assert len(seen) > 10
    for forgotten, snapshot in seen:
        assert snapshot.forgotten == forgotten
        assert snapshot.slot_in > forgotten + world.setting.system.window


class Asking:
    """A simulated cluster with one client, who asks whatever is wanted."""

    def __init__(self, keep: int, window: int = 5) -> None:
        roster = Roster(clients=1, timing=SIMULATED_TIMING, keep=keep, window=window)
        self.world = SimulatedCluster(SimulationPlan(roster, KeyValueStore(), 1, 1, 1.0)).world
        self.world.run(1.0)

    def ask(self, operations: list[str]) -> list[str]:
        driver = self.world.nodes[self.world.setting.system.clients[0]].driver
        assert isinstance(driver, ClientDriver)
        results: list[str] = []
        for each in operations:
            driver.ask(each, results.append)
        self.world.run(self.world.time + 60, lambda: len(results) == len(operations))
        return results

    def replica(self, me: ProcessId) -> ReplicaDriver:
        driver = self.world.nodes[me].driver
        assert isinstance(driver, ReplicaDriver)
        return driver


def test_a_replica_gets_a_snapshot_that_is_longer_than_a_frame() -> None:
    scene = Asking(KEEP)
    scene.ask([f"put k{number} v" for number in range(30)])
    scene.world.crash(R3)
    for _ in range(3):
        scene.ask([f"put k{number} w" for number in range(30)])
    scene.ask([f"put big{number} {'v' * 2**20}" for number in range(9)])
    scene.world.run(scene.world.time + 5)
    scene.world.start(R3)
    scene.world.run(scene.world.time + 20)
    assert scene.world.nodes[R3].state.application == scene.world.nodes[R1].state.application
    assert scene.world.nodes[R3].counts["snapshots taken over"] >= 1


def test_large_values_are_not_kept_longer_than_they_must_be() -> None:
    """What an acceptor keeps it must be able to send to a new leader."""
    scene = Asking(1000)
    for number in range(40):
        scene.ask([f"put k{number % 3} {'v' * 2**19}"])
        scene.world.run(scene.world.time + 0.5)
    scene.world.run(scene.world.time + 2)
    for me in (A1, L1, R1):
        state = scene.world.nodes[me].state
        held = state.accepted if me == A1 else state.decisions if me == R1 else state.proposals
        kept = held.kept if isinstance(held, CommandsBySlot) else len(held)
        assert 1 <= kept <= 30, me
    scene.world.crash(L1)
    assert scene.ask(["get k1"]) == ["v" * 2**19]


def test_a_state_that_is_too_large_for_a_snapshot_is_said_and_may_be_small_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmmc_check.runtime.replica_driver._SNAPSHOT_BYTES_MAX", 10_000)
    scene = Asking(KEEP)
    scene.ask([f"put big {'v' * 10_000}"])
    for _ in range(3):
        scene.ask([f"put k{number} w" for number in range(30)])
        scene.world.run(scene.world.time + 1)
    driver = scene.replica(R1)
    assert driver.counts["snapshots too large"] >= 1
    assert driver.state.decisions.forgotten == 0
    scene.ask(["delete big"])
    for _ in range(5):
        scene.ask([f"put k{number} x" for number in range(30)])
        scene.world.run(scene.world.time + 10)
    assert driver.state.decisions.forgotten > 100
