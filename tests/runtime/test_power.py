"""A power failure takes with it what the disk was not waited for, and nothing that was promised."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import A1, B01, B12, C1, C2, in_process, pv

from pmmc_check.protocol.values import REPLICA, ProcessId, SlotCommand
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.results import RunResult
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.simulated_faults import faults_named
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.runtime.surroundings import Commit, Stored
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import judge
from pmmc_check.validation.verdict import TraceVerdict
from pmmc_check.verdicts import ACCEPTED, REJECTED

R1 = ProcessId(REPLICA, 1)


def cluster_of(seed: int, faults: str = "power", keep: int = 1000, waits_for_disk: bool = True) -> SimulatedCluster:
    roster = Roster(timing=SIMULATED_TIMING, keep=keep)
    return SimulatedCluster(SimulationPlan(roster, KeyValueStore(), seed, 10, 20.0, faults_named(faults), waits_for_disk=waits_for_disk))


def judged(cluster: SimulatedCluster, folder: Path) -> tuple[RunResult, TraceVerdict]:
    result = cluster.run()
    (source,) = sources([str(cluster.write_trace(folder))])
    return result, judge(source)


@pytest.mark.parametrize("keep", [1000, 5])
@pytest.mark.parametrize("seed", [1, 2, 3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 31))])
def test_replicas_lose_decisions_and_get_them_back(tmp_path: Path, seed: int, keep: int) -> None:
    cluster = cluster_of(seed, keep=keep)
    result, trace = judged(cluster, tmp_path)
    assert result.failures == []
    assert trace.verdict == ACCEPTED, trace
    assert result.faults["power"] > 0
    assert any(log.earlier for log in cluster.world.logs.values()), "some replica had decisions that it did not wait for"


def test_what_was_waited_for_is_there_and_of_what_came_later_a_first_part() -> None:
    world, found = cluster_of(1, "none").world, set()
    records = [pv(B01, slot, C1) for slot in range(1, 5)]
    for _ in range(20):
        disk = world.disks[A1]
        disk.__init__(world, A1)  # type: ignore[misc]
        disk._written(Commit(B01, records[:1], 10, promises=False), lambda: None)
        disk._written(Commit(B12, records[1:2], 20), lambda: None)
        disk._written(Commit(None, records[2:3], 30, promises=False), lambda: None)
        disk._written(Commit(None, records[3:], 40, 1, b"all", promises=False), lambda: None)
        assert disk.load() == Stored(B12, tuple(records[1:]), 40, 1, b"all")
        disk.lose_power()
        found.add(disk.load())
    assert found == {
        Stored(B12, tuple(records[:2]), 40),
        Stored(B12, tuple(records[:3]), 40),
        Stored(B12, tuple(records[1:]), 40, 1, b"all"),
    }


def test_a_replica_that_has_lost_decisions_is_another_one_for_the_protocol() -> None:
    cluster = cluster_of(1, "none")
    world = cluster.world
    world.crash(R1)
    lines = ["R1 < request c=C1:1", "R1 < decision s=1 c=C1:1", "R1 > response cid=1 result=ok to=C1", "R1 < decision s=2 c=C2:1"]
    world.logs[R1].lines = [*lines, "R1 < decision s=3 c=C1:2", "R1 > written but not committed"]
    for mark, slots, promises in ((4, ((1, C1), (2, C2)), True), (5, ((3, C1),), False)):
        world.disks[R1]._written(Commit(None, [SlotCommand(*each) for each in slots], mark, promises=promises), lambda: None)
    while not world.logs[R1].earlier:
        world.fail_power(R1)
    world.logs[A1].lines = ["L1 < propose s=1 c=C1:1 from=R1", "L1 < propose s=1 c=C1:1 from=R2"]
    written = "\n".join(cluster.trace_lines())
    assert "replicas=R1,R2,R3,R1-2" in written
    assert "\n".join([*lines, "R1 < decision s=3 c=C1:2"]) in written
    assert "\n".join(["R1-2 < decision s=2 c=C2:1", "R1-2 < decision s=1 c=C1:1"]) in written, "so that it has answered nothing"
    assert "L1 < propose s=1 c=C1:1\nL1 < propose s=1 c=C1:1 from=R2" in written
    assert "not committed" not in written


def test_who_never_waits_for_the_disk_is_found_by_power_failures_and_by_nothing_else(tmp_path: Path) -> None:
    assert judged(cluster_of(1, waits_for_disk=False), tmp_path / "power")[1].verdict == REJECTED
    assert judged(cluster_of(1, "kill,full-disk,slow-disk", waits_for_disk=False), tmp_path / "kill")[1].verdict == ACCEPTED


def test_so_says_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("run", "--simulated", "--quiet", "--faults", "power", "--virtual-seconds", "20", "--requests", "5")
    assert in_process(capsys, *words).returncode == 0
    assert in_process(capsys, *words, "--no-sync").returncode == 1
