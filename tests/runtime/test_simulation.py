"""The nodes of the live cluster in virtual time: whatever the faults, all is answered, and what was recorded is a legal run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import A1, ROOT

from pmmc_check.errors import UsageError
from pmmc_check.protocol.messages import P1b
from pmmc_check.protocol.values import scout_id
from pmmc_check.protocol.variants.catalogue import protocol_with
from pmmc_check.runtime.machines import IntegerRegister, KeyValueStore
from pmmc_check.runtime.replica_driver import ReplicaDriver
from pmmc_check.runtime.results import RunResult
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.simulated_faults import FAULTS_BY_NAME, faults_named
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.trace.sources import Source, sources
from pmmc_check.validation.judge import judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED

ROSTER = Roster(timing=SIMULATED_TIMING)


def simulated(
    folder: Path, seed: int, faults: str = "none", seconds: float = 20.0, *, variant: str = "", answers_first: bool = False
) -> tuple[RunResult, TraceVerdict]:
    machine = KeyValueStore() if seed % 2 else IntegerRegister()
    protocol = protocol_with([variant] if variant else [])
    cluster = SimulatedCluster(SimulationPlan(ROSTER, machine, seed, 10, seconds, faults_named(faults), protocol, answers_first))
    result = cluster.run()
    (source,) = sources([str(cluster.write_trace(folder / f"{seed}"))])
    return result, judge(source)


def assert_right(result: RunResult, trace: TraceVerdict) -> None:
    assert result.failures == []
    assert result.linearizability.holds is True
    assert trace.verdict == ACCEPTED, trace


def test_without_faults_every_request_takes_one_slot(tmp_path: Path) -> None:
    result, trace = simulated(tmp_path, 1)
    assert_right(result, trace)
    assert (result.answered, result.decided, result.counts["preemptions"]) == (50, 50, 0)


@pytest.mark.parametrize("fault", FAULTS_BY_NAME)
def test_with_each_fault(tmp_path: Path, fault: str) -> None:
    result, trace = simulated(tmp_path, 3, fault, 10.0)
    assert result.faults[fault] > 0
    assert_right(result, trace)


@pytest.mark.parametrize("seed", [1])
def test_with_all_faults(tmp_path: Path, seed: int) -> None:
    assert_right(*simulated(tmp_path, seed, "all", 40.0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_with_all_faults_and_many_seeds(tmp_path: Path, seed: int) -> None:
    assert_right(*simulated(tmp_path, seed, "all", 60.0))


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (2, 2, 5, 5), (5, 1, 2, 4)])
def test_clusters_of_other_sizes(tmp_path: Path, sizes: tuple[int, int, int, int]) -> None:
    roster = Roster(*sizes, timing=SIMULATED_TIMING)
    cluster = SimulatedCluster(SimulationPlan(roster, IntegerRegister(), 1, 5, 10.0, faults_named("loss,kill")))
    result = cluster.run()
    (source,) = sources([str(cluster.write_trace(tmp_path))])
    assert_right(result, judge(source))


@pytest.mark.parametrize("seed", [1])
def test_leaders_and_acceptors_are_replaced_in_the_middle_of_it(tmp_path: Path, seed: int) -> None:
    roster = ROSTER.again(2)
    cluster = SimulatedCluster(SimulationPlan(roster, KeyValueStore(), seed, 10, 30.0, faults_named("all"), reconfigure=15.0))
    result = cluster.run()
    (source,) = sources([str(cluster.write_trace(tmp_path))])
    assert_right(result, judge(source))
    for me in cluster.world.setting.system.replicas:
        driver = cluster.world.nodes[me].driver
        assert isinstance(driver, ReplicaDriver)
        assert driver.leaders_of(driver.state.slot_out) == roster.configurations[1].leaders
    accepts = {me: sum("> p2b" in line for line in cluster.world.logs[me].lines) for me in cluster.world.setting.system.acceptors}
    assert all(accepts.values()), accepts


def test_the_same_seed_gives_the_same_run_in_any_process(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pmmc_check",
        "run",
        "--simulated",
        "--seed",
        "5",
        "--faults",
        "all",
        "--virtual-seconds",
        "10",
        "--quiet",
    ]
    traces = []
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        subprocess.run([*command, "--trace-dir", str(folder)], env=environment, check=True, capture_output=True, timeout=60)
        traces.append({each.name: each.read_text() for each in (folder / "seed-5").iterdir()})
    assert traces[0] == traces[1]


def test_answering_before_the_write_is_found(tmp_path: Path) -> None:
    verdicts = (simulated(tmp_path, seed, "kill,slow-disk", 20.0, answers_first=True)[1].verdict for seed in range(11, 40))
    assert REJECTED in verdicts


def test_a_node_that_is_stopped_as_soon_as_it_comes_back_does_not_say_that_its_log_is_complete(tmp_path: Path) -> None:
    cluster = SimulatedCluster(SimulationPlan(ROSTER, KeyValueStore(), 1))
    cluster.run()
    world, log = cluster.world, cluster.world.logs[A1]
    assert log.lines[-1] == "A1 end"
    log.lines.pop()
    world.crash(A1)
    world.start(A1)
    world.nodes[A1].stop()
    assert not log.lines[-1].endswith("end")


def test_an_answer_to_an_earlier_scout_is_no_promise_to_this_one() -> None:
    """An acceptor answers a p1a that was long on its way with the ballot that it has by now, perhaps the leader's newest; the answer to
    that one may be lost, and is asked for again."""
    world = SimulatedCluster(SimulationPlan(Roster(leaders=1, timing=SIMULATED_TIMING), KeyValueStore(), 1)).world
    leader = world.setting.system.leaders[0]
    acceptors = world.setting.system.acceptors_of(leader.number)
    world.weather.blocked |= {(each, leader) for each in acceptors}
    world.run(1.0)
    newest = world.nodes[leader].state.ballot
    for each in acceptors:
        earlier = scout_id(newest._replace(round=newest.round + 7))
        world.nodes[leader].receive(Envelope(each, earlier, P1b(each, newest, frozenset())))
    world.run(2.0)
    world.weather.blocked.clear()
    world.run(10.0)
    assert world.nodes[leader].state.active


def test_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean kill"):
        faults_named("kil")


def test_a_trace_is_kept_as_one_log_a_node(tmp_path: Path) -> None:
    simulated(tmp_path, 2)
    names = {each.stem for each in (tmp_path / "2").iterdir()}
    assert names == {
        "cluster",
        *(f"{letter}{number}" for letter, most in (("C", 5), ("R", 3), ("L", 3), ("A", 3)) for number in range(1, most + 1)),
    }
    assert isinstance(sources([str(tmp_path / "2")])[0], Source)
