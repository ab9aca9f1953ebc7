"""Whatever happens to the processes of a run, or to the command, the run ends in order and says what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers import A1, heed_ctrl_c, in_process

from pmmc_check.runtime.children import Child, Children
from pmmc_check.runtime.history import Linearizability
from pmmc_check.runtime.results import RunResult
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.running_node import NodeSpec
from pmmc_check.runtime.storage import FULL_ON_PURPOSE
from pmmc_check.runtime.supervisor import RunPlan, run_cluster
from pmmc_check.runtime.tcp import Disturbance
from pmmc_check.verdicts import ACCEPTED
from runtime.run_command import COMMAND, ENVIRONMENT, nodes_of_command, ran


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow), pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_no_process_is_left_behind_when_the_command_is_killed_or_interrupted(number: signal.Signals) -> None:
    with _endless_run() as process:
        nodes = _all_nodes(process)
        time.sleep(0.5)
        if number != signal.SIGKILL:
            process.send_signal(number)
            output, errors = process.communicate(timeout=30)
            assert process.returncode == 3, errors
            assert "Traceback" not in errors
            found = json.loads(output)
            assert found["answered"] > 0
            assert found["failures"][0] == "interrupted"
            assert found["trace"]["verdict"] == ACCEPTED
        else:
            next(
                each for each in reversed(nodes) if each.net_connections()
            ).suspend()  # one that stands still cannot see that its parent has gone
            process.kill()
        _, alive = psutil.wait_procs(nodes, timeout=15)
        assert not alive


@contextmanager
def _endless_run(*options: str) -> Iterator[subprocess.Popen[str]]:
    words = [*COMMAND, "--requests", "100000", "--format", "json", *options]
    process = subprocess.Popen(
        words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c, start_new_session=True
    )
    nodes: list[psutil.Process] = []
    try:
        yield process
        nodes = nodes_of_command(psutil.Process(process.pid)) if process.poll() is None else []
    finally:
        process.kill()
        for each in nodes:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.communicate()


def _all_nodes(process: subprocess.Popen[str]) -> list[psutil.Process]:
    started, end = psutil.Process(process.pid), time.monotonic() + 30
    while len(nodes_of_command(started)) < 15 and time.monotonic() < end:
        time.sleep(0.05)
    nodes = nodes_of_command(started)
    assert len(nodes) >= 15, "14 and what forks them"
    return nodes


def test_a_signal_to_the_whole_group_as_of_timeout_has_the_nodes_stopped_in_order_and_judged() -> None:
    with _endless_run() as process:
        _all_nodes(process)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 3, errors
        found = json.loads(output)
        assert [each for each in found["failures"] if "not answered" not in each] == ["interrupted"]
        assert found["answered"] > 0
        assert len(found["replicas"]) == 3
        assert found["trace"]["verdict"] == ACCEPTED


@pytest.mark.parametrize("seconds", [0.1, 0.4, pytest.param(0.6, marks=pytest.mark.slow), pytest.param(0.8, marks=pytest.mark.slow)])
def test_ctrl_c_while_processes_start_ends_them_and_is_no_bug(seconds: float) -> None:
    with _endless_run() as process:
        end = time.monotonic() + 30
        while not psutil.Process(process.pid).children() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(seconds)
        nodes = nodes_of_command(psutil.Process(process.pid))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 3, errors
        assert "internal error" not in errors
        _, alive = psutil.wait_procs(nodes, timeout=15)
        assert not alive


def test_replicas_that_are_ended_early_may_be_behind_but_may_not_differ() -> None:
    def made(states: dict[str, str], performed: dict[str, int]) -> RunResult:
        return RunResult(1, [], states, Counter(), 1.0, Counter(), Linearizability(True, 0), performed=performed)

    behind = made({"R1": "5", "R2": "3"}, {"R1": 4, "R2": 3})
    assert behind.replicas_agree
    assert "replicas have not performed equally many slots: R1 4, R2 3" in behind.failures
    assert not made({"R1": "5", "R2": "3", "R3": "3"}, {"R1": 4, "R2": 4, "R3": 3}).replicas_agree
    assert made({"R1": "5", "R2": "5"}, {"R1": 4, "R2": 4}).replicas_agree
    assert made({}, {}).replicas_agree


def test_a_node_that_somebody_else_kills_comes_back_and_is_counted() -> None:
    with _endless_run() as process:
        nodes, end, files = _all_nodes(process)[1:], time.monotonic() + 30, dict[str, psutil.Process]()
        log = Path()
        while not (log.is_file() and "< response" in log.read_text()) and time.monotonic() < end:
            time.sleep(0.05)  # a node that ends before all have begun ends the run
            opened = [(Path(file.path), each) for each in nodes for file in each.open_files()]
            files = {path.name: each for path, each in opened}
            log = next((path for path, _ in opened if path.name == "C1.pmmc"), log)
        files["A1.sqlite"].kill()
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
        found = json.loads(output)
        assert found["faults"] == {"acceptors killed by somebody else": 1}
        assert found["failures"][0] == "interrupted"
        assert found["trace"]["verdict"] == ACCEPTED


def test_no_order_waits_for_a_node_that_stands_still() -> None:
    async def scene() -> list[tuple[Any, ...]]:
        children, (ours, theirs) = Children([NodeSpec(A1, "A1", Roster(), "c", 1)], lambda address: None), Pipe()
        child = children.by_id[A1]
        child.pipe = ours
        for number in range(5000):
            children.ask_all()
            children.order(A1, "peers", number)
            children.order(A1, "disturb", Disturbance(loss=number / 10_000))
        assert len(child.waiting) == 2
        heard = []
        while child.waiting or theirs.poll():  # it goes on
            heard += [theirs.recv()] if theirs.poll() else []
            await asyncio.sleep(0)
        children._forget(child)
        return heard

    heard = asyncio.run(asyncio.wait_for(scene(), 30))
    assert [each[0] for each in heard].count("report") == 1
    assert {each[0]: each[1] for each in heard[-2:]} == {"peers": 4999, "disturb": Disturbance(loss=0.4999)}


def test_the_time_limit_holds_while_a_node_stands_still(tmp_path: Path) -> None:
    (tmp_path / "still.toml").write_text('[[at]]\nseconds = 0.2\npause = ["A1"]\n')
    found = ran("--scenario", str(tmp_path / "still.toml"), "--requests", "10000", "--time-limit", "2", code=3)
    assert found["faults"]["pause"] == 1


def test_a_scenario_that_was_not_played_to_its_end_is_not_passed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "late.toml").write_text('[[at]]\nseconds = 30\nkill = ["A1"]\n')
    done = in_process(capsys, "run", "--quiet", "--scenario", str(tmp_path / "late.toml"), "--time-limit", "4")
    assert (done.returncode, "--time-limit: must be above 30, when the last of" in done.stderr) == (2, True), done.stderr
    with _endless_run("--scenario", str(tmp_path / "late.toml")) as process:
        _all_nodes(process)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 3, errors
        assert json.loads(output)["failures"][:2] == ["interrupted", "the scenario was not played to its end"]


def test_a_node_that_ends_while_it_is_being_stopped_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    ordered = Children._order

    def order(self: Children, child: Child, *words: Any) -> None:
        ordered(self, child, *words)
        if words == ("stop",) and child.spec.name == "R3":
            self.signal(child.spec.me, signal.SIGSTOP)
            self.signal(child.spec.me, signal.SIGKILL)

    monkeypatch.setattr(Children, "_order", order)
    result = run_cluster(RunPlan(requests=1))
    assert result.answered == 5
    assert result.failures in ([], ["R3: its process ended while it was being stopped"])
    assert (result.failures == []) is ("R3" in result.states), "it may have stopped before it was killed"


def test_only_a_disk_that_was_filled_excuses_a_node() -> None:
    async def scene(reason: str) -> list[str]:
        children, (ours, theirs) = Children([NodeSpec(A1, "A1", Roster(), "c", 1)], lambda address: None), Pipe()
        child = children.by_id[A1]
        child.pipe = ours
        children.fill_disk(A1)
        theirs.send(("failed", reason))
        theirs.recv()
        theirs.close()
        while child.pipe is not None:
            children._heard(child)
        return children.errors

    assert asyncio.run(scene(f"A1.sqlite: cannot be written: {FULL_ON_PURPOSE}")) == []
    assert asyncio.run(scene("AssertionError: no")) == ["A1: AssertionError: no"]


def test_interrupted_simulations_tell_what_was_judged(tmp_path: Path) -> None:
    words = [*COMMAND, "--simulated", "--seeds", "100000", "--requests", "2"]
    process = subprocess.Popen(
        [*words, "--trace-dir", str(tmp_path)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
    )
    end = time.monotonic() + 60
    while not (tmp_path / "seed-3").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 3
    assert re.fullmatch(r"(\d+) runs?: \1 accepted, 0 rejected, 0 inconclusive; interrupted, so [\d,]+ of 100,000 were not made\n", output)
