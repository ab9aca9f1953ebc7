"""Scenarios: what goes wrong, and when, from a file; in virtual time and with real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from helpers import ROOT, in_process

from pmmc_check.cli.parser import parsed
from pmmc_check.cli.run_faults import faults_asked_for
from pmmc_check.cli.run_options import check_options
from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ACCEPTOR, LEADER, ProcessId
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.scenario import Scenario, read_scenario
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import ACCEPTED, REJECTED

ROSTER = Roster(timing=SIMULATED_TIMING)
EVERYTHING = """
[[at]]
seconds = 0.3
loss = 0.2
duplication = 0.2
reordering = 0.02
kill = ["A1", "L1"]
[[at]]
seconds = 0.7
restart = ["A1", "L1"]
pause = ["R2"]
one_way = [["A3"], ["L1", "L2", "L3"]]
clock_jump = { nodes = ["L2"], seconds = -30.0 }
[[at]]
seconds = 1.1
mend = true
resume = ["R2"]
slow_disk = { nodes = ["A2"], seconds = 0.05 }
partition = [["A1", "R1"], ["A2", "A3", "L1", "L2", "L3", "R2", "R3"]]
full_disk = ["A3"]
[[at]]
seconds = 1.6
mend = true
restart = ["A3"]
slow_disk = { nodes = ["A2"], seconds = 0 }
"""


def scenario(folder: Path, text: str = EVERYTHING) -> Scenario:
    path = folder / "bad-day.toml"
    path.write_text(text)
    return read_scenario(path, ROSTER)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_simulated_cluster_survives_a_bad_day(tmp_path: Path, seed: int) -> None:
    plan = SimulationPlan(ROSTER, KeyValueStore(), seed, 10, 1.0, scenario=scenario(tmp_path))
    cluster = SimulatedCluster(plan)
    result = cluster.run()
    assert result.failures == []
    assert result.faults["kill"] == 2 and result.faults["partition"] == 2 and result.faults["clock-jump"] == 1
    (source,) = sources([str(cluster.write_trace(tmp_path / "logs"))])
    assert judge(source).verdict == ACCEPTED


def test_what_is_said_happens_when_it_is_said(tmp_path: Path) -> None:
    text = '[[at]]\nseconds = 5\nrestart = ["A1"]\nloss = 0\n[[at]]\nseconds = 2\nkill = ["A1"]\npartition = [["A2"], ["L1"]]\nloss = 0.5\n'
    cluster = SimulatedCluster(SimulationPlan(ROSTER, KeyValueStore(), 1, 10, 10.0, scenario=scenario(tmp_path, text)))
    world, a1, seen = cluster.world, ProcessId(ACCEPTOR, 1), []
    for at in (1, 3, 6):
        world.at(
            at,
            lambda: seen.append(
                (a1 in world.nodes, world.weather.loss, (ProcessId(LEADER, 1), ProcessId(ACCEPTOR, 2)) in world.weather.blocked)
            ),
        )
    assert cluster.run().failures == []
    assert seen == [(True, 0.0, False), (False, 0.5, True), (True, 0.0, True)]


def test_that_all_is_mended_at_the_end_is_no_fault(tmp_path: Path) -> None:
    text = '[[at]]\nseconds = 1.0\nloss = 0.2\nkill = ["A1"]\n'
    result = SimulatedCluster(SimulationPlan(ROSTER, KeyValueStore(), 1, 10, 2.0, scenario=scenario(tmp_path, text))).run()
    assert result.failures == []
    assert result.faults == {"kill": 1, "loss": 1}


def test_real_processes_survive_the_same_day(tmp_path: Path) -> None:
    scenario(tmp_path)
    words = [
        sys.executable,
        "-m",
        "pmmc_check",
        "run",
        "--quiet",
        "--live",
        "--scenario",
        str(tmp_path / "bad-day.toml"),
        "--machine",
        "kv",
    ]
    logs = tmp_path / "logs"
    done = subprocess.run(
        [*words, "--trace-dir", str(logs), "--clients", "2", "--requests", "8", "--format", "json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] | {"kill": 2, "full-disk": 1, "pause": 1, "clock-jump": 1} == found["faults"]
    assert "meta.scenario=bad-day.toml" in (logs / "cluster.pmmc").read_text()
    assert "A1 crash" in (logs / "A1.pmmc").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", ""),
        ("--loss 0.2 --duplication 0.1 --delay 0.02", "--loss 0.2 --duplication 0.1 --delay 0.02"),
        ("--kill acceptor,leader --every 2 --partition", "--kill acceptor,leader --partition --every 2"),
        ("--pause replica --variant perform-twice --answer-first", "--pause replica --variant perform-twice --answer-first --every 1"),
        ("--simulated", ""),
        ("--simulated --faults all", "--faults all --virtual-seconds 60"),
        ("--simulated --faults kill,power --no-sync --virtual-seconds 5", "--faults kill,power --virtual-seconds 5 --no-sync"),
    ],
)
def test_the_faults_that_were_asked_for(options: str, said: str) -> None:
    arguments = parsed(["run", *options.split()], "run")
    assert isinstance(arguments, Namespace)
    check_options(arguments)
    assert faults_asked_for(arguments) == said


def test_are_in_the_header_of_a_simulated_trace(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("--simulated", "--quiet", "--seed", "7", "--faults", "loss", "--virtual-seconds", "2", "--requests", "2")
    assert in_process(capsys, "run", *words, "--trace-dir", str(tmp_path)).returncode == 0
    header = (tmp_path / "seed-7" / "cluster.pmmc").read_text()
    assert "meta.seed=7" in header
    assert 'meta.faults="--faults loss --virtual-seconds 2"' in header


@pytest.mark.slow
def test_kill_9_finds_a_driver_that_answers_before_it_writes(tmp_path: Path) -> None:
    text = '[[at]]\nseconds = 0\nslow_disk = { nodes = ["A1", "A2", "A3"], seconds = 0.02 }\n'
    for number in range(4):
        node, at = f"A{number % 3 + 1}", 0.4 + 0.3 * number
        text += f'[[at]]\nseconds = {at}\nkill = ["{node}"]\n[[at]]\nseconds = {at + 0.2}\nrestart = ["{node}"]\n'
    scenario(tmp_path, text)
    words = [sys.executable, "-m", "pmmc_check", "run", "--quiet", "--scenario", str(tmp_path / "bad-day.toml"), "--machine", "kv"]
    words += ["--clients", "2", "--requests", "25", "--format", "json"]

    def verdict(*more: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run([*words, *more], env=environment, capture_output=True, text=True, timeout=90, check=False)
        found: str = json.loads(done.stdout)["trace"]["verdict"]
        return found

    assert verdict() == ACCEPTED
    assert REJECTED in (verdict("--answer-first", "--seed", str(seed)) for seed in range(1, 9))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected [[at]] tables"),
        ("at = 3", "expected [[at]] tables"),
        ("x = 3\n[[at]]\nseconds=1\nloss=0", "what happens then, but there is also x"),
        ("[[at]]\nloss = 0.1", "bad-day.toml:1: [[at]] number 1: seconds: missing"),
        ("[[at]]\nseconds = 1", "bad-day.toml:1: [[at]] number 1: nothing happens"),
        (
            "[[at]]\nseconds = 0\nloss = 0\n[[at]]\nseconds = 1\nlos = 0.1",
            "bad-day.toml:6: [[at]] number 2: los: nothing is called so (did you mean loss?)",
        ),
        ("[[at]]\nseconds = 1\nloss = 1.5", "loss = 1.5: expected a number from 0 to 0.99"),
        ("[[at]]\nseconds = -1\nloss = 0.5", "seconds = -1: expected"),
        ("[[at]]\nseconds = nan\nloss = 0.5", "seconds = nan: expected"),
        ("[[at]]\nseconds = 1\nkill = 'A1'", "kill: expected a list of nodes"),
        ("[[at]]\nseconds = 1\nkill = ['A9']", "kill: 'A9' is no node"),
        ("[[at]]\nseconds = 1\nkill = ['C1']", "C1 is a client"),
        ("[[at]]\nseconds = 1\npartition = [['A1']]", "two or more groups"),
        ("[[at]]\nseconds = 1\npartition = ['A1', 'R1']", "expected groups of nodes"),
        ("[[at]]\nseconds = 1\npartition = [['A1', 'R1'], ['R1']]", "bad-day.toml:3: [[at]] number 1: partition: R1 is in two groups"),
        ("[[at]]\nseconds = 1\none_way = [['A1'], ['A2'], ['A3']]", "expected two groups"),
        ("[[at]]\nseconds = 1\nslow_disk = 3", "slow_disk: expected {"),
        ("[[at]]\nseconds = 1\nslow_disk = { nodes = ['A1'], seconds = -3 }", "slow_disk.seconds = -3"),
        ("[[at]]\nseconds = 1\nmend = 3", "mend: expected true"),
        ("[[at", "is no TOML"),
    ],
)
def test_what_is_wrong_in_a_scenario_is_said_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as found:
        scenario(tmp_path, text)
    assert says in str(found.value)
    assert str(tmp_path / "bad-day.toml") in str(found.value)
