"""Clusters of real processes over real sockets and real disks."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from helpers import ROOT, in_process

from pmmc_check.protocol.values import LEADER, Ballot
from pmmc_check.runtime.running_node import NodeReport
from pmmc_check.runtime.supervisor import RunPlan, Supervisor
from runtime.run_command import COMMAND, ENVIRONMENT, assert_right, nodes_of_command, ran


def test_the_default_run_answers_all_requests(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = ran("--trace-dir", str(tmp_path / "logs"), "--data-dir", str(tmp_path / "data"))
    assert_right(found)
    assert {each.name for each in (tmp_path / "logs").iterdir()} >= {"cluster.pmmc", "A1.pmmc", "L3.pmmc", "R2.pmmc", "C5.pmmc"}
    assert len(list((tmp_path / "data").glob("*.sqlite"))) == 9
    done = in_process(capsys, "run", "--trace-dir", str(tmp_path / "logs"))
    assert done.returncode == 2
    assert "is not empty" in done.stderr


def test_progress_tells_the_highest_ballot() -> None:
    told: list[str] = []
    supervisor = Supervisor(RunPlan(), told.append)
    for child, round_ in zip(supervisor.children.of_role(LEADER), (9, 10, 2), strict=True):
        child.report = NodeReport(Counter(), 0, 0, 0, Ballot(round_, child.spec.me.number), "")
    supervisor._report_progress()
    assert told == ["0 of 50 requests answered, 0 slots decided, ballot 10.L2, 0 messages"]


@pytest.mark.slow
def test_a_seeded_run_of_a_store() -> None:
    assert_right(ran("--seed", "7", "--machine", "kv"))


@pytest.mark.one_in(10)
@pytest.mark.parametrize("seed", range(1, 101))
def test_a_hundred_seeded_runs_in_a_row(seed: int) -> None:
    found = ran("--seed", str(seed))
    assert_right(found)
    assert found["seconds"] < 5


BAD = ("--loss", "0.2", "--duplication", "0.2", "--delay", "0.02", "--machine", "kv")


def test_kill_9_of_acceptors_and_leaders_on_a_bad_network_loses_nothing(tmp_path: Path) -> None:
    found = ran(*BAD, "--kill", "acceptor,leader", "--requests", "6", "--trace-dir", str(tmp_path))
    said = "--loss 0.2 --duplication 0.2 --delay 0.02 --kill acceptor,leader --every 1"
    assert f'meta.faults="{said}"' in (tmp_path / "cluster.pmmc").read_text()
    assert found["faults"]["acceptors killed"] > 0
    assert_right(found, 30)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize(
    "more",
    [
        ("--kill", "acceptor,leader", "--reconfigure", "1"),
        ("--kill", "acceptor,leader"),
        ("--partition",),
        ("--pause", "acceptor,leader,replica"),
        ("--kill", "replica"),
    ],
)
def test_twenty_seeds_of_each_fault_of_processes(seed: int, more: tuple[str, ...]) -> None:
    assert_right(ran(*BAD, *more, "--seed", str(seed)))


def test_faults_that_happen_now_and_then_do_happen_before_a_run_is_over() -> None:
    found = ran("--kill", "acceptor", "--pause", "replica", "--partition", "--every", "0.3")
    assert_right(found)
    assert set(found["faults"]) == {"acceptors killed", "replicas paused", "one-way partitions"}
    found = ran("--kill", "acceptor", "--every", "50", "--time-limit", "2", code=3)
    assert "asked for, but not once: acceptors killed" in found["failures"]


def test_a_reconfiguration_is_over_when_the_replicas_have_the_new_leaders(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("--reconfigure", "0.2")["leaders"] == ["L4", "L5", "L6"]
    done = in_process(capsys, "run", "--quiet", "--simulated", "--reconfigure", "5", "--virtual-seconds", "10", "--faults", "all")
    assert "leaders    L4, L5, L6 since the reconfiguration\n" in done.stdout


def test_a_seeded_fault_that_does_not_show_is_said_not_to(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "run", "--quiet", "--simulated", "--variant", "echo-ballot")
    assert done.returncode == 0
    assert "note: echo-ballot was switched on, and nothing of it has shown" in done.stdout


def test_simulated_runs_need_a_folder_of_their_own_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "seed-1").mkdir()
    done = in_process(capsys, "run", "--quiet", "--simulated", "--trace-dir", str(tmp_path))
    assert done.returncode == 2
    assert "is not empty; a run needs a folder of its own" in done.stderr


def test_a_simulated_node_that_crashed_has_counted_what_it_sent(capsys: pytest.CaptureFixture[str]) -> None:
    done = in_process(capsys, "run", "--quiet", "--simulated", "--faults", "kill", "--format", "json")
    found = json.loads(done.stdout)
    assert found["faults"]["kill"] > 0
    assert found["messages"]["decision"] >= found["slots_decided"]


@pytest.mark.slow
def test_strangers_who_talk_to_a_node_are_counted_and_do_no_harm(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--requests", "30", "--format", "json", "--trace-dir", str(tmp_path)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        ports: list[int] = []
        end = time.monotonic() + 30
        while len(ports) < 14 and time.monotonic() < end:
            time.sleep(0.1)
            nodes = nodes_of_command(psutil.Process(process.pid))
            ports = [each.laddr.port for node in nodes for each in node.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
        for port in ports:
            for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x10" + b"x" * 100, os.urandom(1000)):
                with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
                    stranger.sendall(data)
        output, _ = process.communicate(timeout=90)
    finally:
        process.kill()
    found = json.loads(output)
    assert_right(found, 150)
    assert found["counts"]["bad frames"] >= 1


def test_a_full_disk_ends_the_run_with_the_file_that_could_not_be_written_and_what_was_answered_until_then(tmp_path: Path) -> None:
    words = [*COMMAND, "--format", "json", "--no-record", "--data-dir", str(tmp_path), "--requests", "10000", "--at-once", "10"]

    def with_little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(words, env=ENVIRONMENT, preexec_fn=with_little_room, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["answered"] > 0
    told = [each for each in found["failures"] if ".sqlite: cannot be written: " in each]
    assert told
    assert len(found["failures"]) == len(told) + 1, "and that requests were not answered"


@pytest.mark.slow
def test_a_fault_is_said_while_the_cluster_runs_which_then_stops() -> None:
    words = [*COMMAND, "--live", "--variant", "commander-half", "--requests", "100000", "--format", "json", "--loss", "0.2"]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "--live: rejected after" in done.stderr
    assert json.loads(done.stdout)["trace"]["verdict"] == "rejected"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--machine", "kvs"), "no such state machine"),
        (("--clients", "0"), "--clients: must be at least 1"),
        (("--loss", "1"), "--loss"),
        (("--kill", "client"), "--kill 'client': expected some of acceptor, leader, replica"),
        (("--kill", ""), "--kill '': expected some of"),
        (("--reconfigure", "-1"), "--reconfigure: must be from 0 to below --time-limit, 60 seconds, got -1"),
        (("--reconfigure", "inf"), "--reconfigure: must be from 0 to below --time-limit"),
        (("--reconfigure", "inf", "--http", "0"), "--reconfigure: must be from 0 to below --time-limit"),
        (("--reconfigure", "60", "--simulated"), "--reconfigure: must be from 0 to below --virtual-seconds, 60 seconds, got 60"),
        (("--delay", "nan"), "--delay: must be from 0 to 3600 seconds, got nan"),
        (("--delay", "inf"), "--delay: must be from 0 to 3600 seconds, got inf"),
        (("--loss", "0", "--simulated"), "--loss: not with --simulated, which has --faults"),
        (("--partition", "--simulated"), "--partition: not with --simulated"),
        (("--at-once", "1", "--simulated"), "--at-once: not with --simulated"),
        (("--data-dir", "d", "--simulated"), "--data-dir: not with --simulated"),
        (("--time-limit", "3", "--simulated"), "--time-limit: not with --simulated, which has --virtual-seconds"),
        (("--virtual-seconds", "60"), "--virtual-seconds: needs --simulated"),
        (("--no-record", "--trace-dir", "d"), "--trace-dir: not with --no-record"),
        (("--not-durable", "--data-dir", "d"), "--data-dir: not with --not-durable"),
        (("--not-durable", "--no-sync"), "--no-sync: not with --not-durable"),
        (("--http", "0", "--simulated"), "--http: virtual time"),
        (("--live", "--no-record"), "--live: not with --no-record"),
        (("--scenario", "nowhere.toml"), "nowhere.toml: cannot be read"),
        (("--http", "x"), "--http x: expected PORT"),
        (("--kill", "leader", "--not-durable"), "--not-durable"),
        (("--faults", "all"), "--faults: needs --simulated"),
        (("--seeds", "1"), ": --seeds: needs --simulated"),
        (("--requests", "0"), "--requests"),
        (("--partition", "--scenario", "s.toml"), "--partition: not with --scenario"),
        (("--variant", "ignore-pmx"), "ignore-pmx"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str) -> None:
    done = in_process(capsys, "run", "--quiet", *options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stdout + done.stderr
    assert says in done.stderr


@pytest.mark.parametrize(("soft", "code"), [(64, 2), (40, 0)])
def test_open_files_are_allowed_where_that_can_be_and_else_it_is_said_in_one_sentence(soft: int, code: int) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {soft if code else 4096}))"
    words = ["run", *(["--clients", "30"] if code else ["--requests", "1"])]
    done = subprocess.run(
        [sys.executable, "-c", f"{limit}; import sys; from pmmc_check.cli.main import main; sys.exit(main({words}))"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    if code:
        need = "so many processes need 137 open files, and 64 are allowed: raise the limit (ulimit -n), or use fewer"
        assert done.stderr == f"pmmc-check run: {need}\n"
