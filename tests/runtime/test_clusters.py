"""Clusters of several machines: nodes by a cluster file, and orders by ctl."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from pathlib import Path

import pytest

from pmmc_check.errors import UsageError
from pmmc_check.runtime.client_session import ClientSession, Unanswered
from pmmc_check.runtime.cluster_file import read_cluster_file
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import ACCEPTED

from .cluster_files import (
    CONFIGURATIONS,
    TWO,
    Told,
    asked,
    cluster_file,
    listens,
    running,
    started,
)


def test_a_cluster_answers_survives_kill_9_changes_its_leaders_and_stops_when_it_is_told_to(tmp_path: Path, told: Told) -> None:
    (tmp_path / "key").write_text("0123456789abcdef" * 2)
    path = cluster_file(tmp_path, 'key_file = "key"', TWO, tables=CONFIGURATIONS)
    cluster = read_cluster_file(path)
    with running(path, TWO) as processes:
        assert asyncio.run(asked(cluster, "put x 1", "cas x 1 2")) == ["-", "1"]
        for node in ("A1", "R1"):
            processes[node].send_signal(signal.SIGKILL)
            processes[node].wait()
            processes[node] = started(path, node)
            listens(processes[node])
        assert asyncio.run(asked(cluster, "get x")) == ["2"]
        changed = told("ctl", "reconfigure", "--config", str(path), "--to", "L2", "--format", "json")
        assert changed.returncode == 0, changed.stderr
        assert '"leaders": ["L2"]' in changed.stdout
        told("ctl", "stop", "--config", str(path), "--id", "A1")  # it belongs to the configuration before
        assert asyncio.run(asked(cluster, "get x", "put x 3")) == ["2", "2"]
        assert "paused" in told("ctl", "pause", "--config", str(path), "--id", "R1").stdout
        with pytest.raises(Unanswered, match="may or may not have"):
            asyncio.run(asked(cluster, "get x", seconds=0.3))
        told("ctl", "resume", "--config", str(path), "--id", "R1")
        assert asyncio.run(asked(cluster, "get x")) == ["3"]
        stopped = told("ctl", "stop", "--config", str(path))
        assert stopped.returncode == 3  # A1 is gone already
        assert stopped.stdout.count("stopping") == 4 and "running" not in stopped.stdout
        assert "A1: 127.0.0.1:" in stopped.stderr
        assert [process.wait(20) for process in processes.values()] == [0] * 5
    (source,) = sources([str(tmp_path / "logs")])
    assert judge(source).verdict == ACCEPTED


def test_an_answer_is_handed_over_when_it_comes_though_another_replica_is_silent(tmp_path: Path) -> None:
    nodes = ("A1", "L1", "R1", "R2")
    cluster = read_cluster_file(cluster_file(tmp_path, nodes=nodes))
    looked = asyncio.Event()

    async def node(name: str) -> RunningNode:
        me = cluster.node(name)
        made = RunningNode(NodeSpec(me, name, cluster.roster, cluster.name, 1, "kv", tmp_path))
        made.transport.know(cluster.addresses)
        await made.open(cluster.addresses[me], paused=False)
        return made

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append((reader, writer))
        await reader.read(100)
        if len(connections) > 2:  # R1 has one, and that for requests is another
            looked.set()

    connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def scene() -> None:
        server = await asyncio.start_server(silent, *cluster.addresses[cluster.node("R2")])
        begun = [await node("R1")]
        session = ClientSession(cluster, 60.0)
        await session.open()
        asking = asyncio.ensure_future(session.ask("put x 1"))
        await asyncio.wait_for(looked.wait(), 30)
        begun += [await node("A1"), await node("L1")]
        assert await asyncio.wait_for(asking, 30) == "-", "not only when R2 has not answered for a minute"
        session.close()
        for each in begun:
            each.close()
        for _, writer in connections:
            writer.close()
        server.close()

    asyncio.run(scene())


def test_the_data_of_one_node_are_used_by_one_process(tmp_path: Path, told: Told) -> None:
    path = cluster_file(tmp_path)
    with running(path, ("A1",)) as processes:
        other = cluster_file(tmp_path)  # other ports
        done = told("node", "--config", str(other), "--id", "A1", "--data-dir", str(tmp_path / "data"))
        assert done.returncode == 2
        assert "A1.commits: is in use by another process" in done.stderr
        processes["A1"].kill()
        done = started(other, "A1")
        listens(done)
        done.kill()
        done.communicate()


def test_a_taken_port_and_the_data_of_another_cluster_are_refused_in_one_sentence(tmp_path: Path, told: Told) -> None:
    path = cluster_file(tmp_path)
    words = ("node", "--config", str(path), "--id", "A1", "--data-dir", str(tmp_path / "data"))
    host, port = read_cluster_file(path).addresses[read_cluster_file(path).node("A1")]
    with socket.create_server((host, port)):
        done = told(*words)
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1" in done.stderr
    path.write_text(path.read_text().replace("shop", "other"))
    done = told(*words)
    assert done.returncode == 2
    assert "belongs to cluster shop, not other" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name: expected a text"),
        ("name = 3", "name: expected a text"),
        ("nam = 'x'", "nam: no such key (did you mean name?)"),
        ("name = 'a b'\n[nodes]\nA1 = '127.0.0.1:1'", "name = 'a b'"),
        ("name = 'x'", "[nodes]: is missing"),
        ("name = 'x'\n[nodes]\nA1 = '127.0.0.1:1'\nL1 = '127.0.0.1:2'", "expected R1"),
        ("name = 'x'\n[nodes]\nA2 = '127.0.0.1:1'\nL1 = '127.0.0.1:2'\nR1 = '127.0.0.1:3'", "expected A1, A2 and so on"),
        ("name = 'x'\n[nodes]\nB1 = '127.0.0.1:1'", "[nodes] B1"),
        ("name = 'x'\n[nodes]\nA1 = '127.0.0.1'", "expected HOST:PORT"),
        ("name = 'x'\n[nodes]\nA1 = '127.0.0.1:99999'", "expected HOST:PORT"),
        ("name = 'x'\n[nodes]\nA1 = 'a..b:7001'", "[nodes] A1 = 'a..b:7001': expected HOST:PORT"),
        ("name = 'x'\n[nodes]\nA1 = '[]:7001'", "expected HOST:PORT"),
        ("name = 'x'\n[nodes]\nA1 = 'a b:7001'", "expected HOST:PORT"),
        ('name = "x"\n[nodes]\nA1 = "a\\u0000b:7001"', "expected HOST:PORT"),
        ("name = 'x'\n[nodes]\nA1 = '127.0.0.1:1'\nL1 = '127.0.0.1:1'\nR1 = '127.0.0.1:3'", "two nodes have one address"),
        ("name = 'x'\nwindow = 0\n[nodes]\nA1 = 'h:1'\nL1 = 'h:2'\nR1 = 'h:3'", "window = 0"),
        ("name = 'x'\nkey_file = 'none'\n[nodes]\nA1 = 'h:1'\nL1 = 'h:2'\nR1 = 'h:3'", "cannot be read"),
        ("name = 'x'\ntls = 1\n[nodes]\nA1 = 'h:1'\nL1 = 'h:2'\nR1 = 'h:3'", "[tls]: expected"),
        ("name = 'x'\n[nodes]\nA1 = 'h:1'\nL1 = 'h:2'\nR1 = 'h:3'\n[[configurations]]\nleaders = ['L1']", "[[configurations]] leaders"),
        (
            "name = 'x'\n[nodes]\nA1 = 'h:1'\nL1 = 'h:2'\nR1 = 'h:3'\n[[configurations]]\nleaders = ['L1']\nacceptors = ['A2']",
            "'A2' is none of A1",
        ),
        ("= 1", "is no TOML"),
        (
            "name = 'x'\n\nmachine = 'zz'\n[nodes]\nA1 = 'h:1'\nL1 = 'h:2'\nR1 = 'h:3'",
            "cluster.toml:3: machine = 'zz': no such state machine",
        ),
        ("name = 'x'\n[nodes]\nA1 = 'h:1'\nL1 = 'h'\nR1 = 'h:3'", "cluster.toml:4: [nodes] L1 = 'h': expected HOST:PORT"),
        (
            "name = 'x'\n[nodes]\nA1 = 'h:1'\nA2 = 'h:4'\nL1 = 'h:2'\nR1 = 'h:3'\n[[configurations]]\nleaders = ['L1']\nacceptors = ['A1']",
            "cluster.toml:7: [[configurations]]: each of the 2 acceptors must be in exactly one of them",
        ),
    ],
)
def test_what_is_wrong_in_a_cluster_file_is_said_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "cluster.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as found:
        read_cluster_file(path)
    assert says in str(found.value)
    assert str(path) in str(found.value) or "key_file" in str(found.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ctl", "halt"), "there is no order halt; expected one of status"),
        (("ctl", "status", "--id", "A9"), "--id A9: no node of this cluster"),
        (("ctl", "reconfigure"), "needs --to"),
        (("ctl", "status", "--to", "L1"), "needs --to"),
        (("ctl", "reconfigure", "--to", "L2"), "--to L2: expected the leaders of one of the configurations"),
        (("node", "--id", "R9", "--data-dir", "x"), "--id R9"),
    ],
)
def test_wrong_orders_are_refused(tmp_path: Path, words: tuple[str, ...], says: str, told: Told) -> None:
    done = told(*words, "--config", str(cluster_file(tmp_path)))
    assert done.returncode == 2
    assert says in done.stderr


def test_a_state_machine_that_cannot_be_loaded_is_said_with_the_file(tmp_path: Path, told: Told) -> None:
    path = cluster_file(tmp_path, 'machine = "no_such_module:x"')
    done = told("node", "--config", str(path), "--id", "R1", "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert f"{path}: machine no_such_module:x: " in done.stderr
    assert "--machine" not in done.stderr


def test_nobody_who_answers_is_waited_for_no_longer_than_a_few_seconds(tmp_path: Path, told: Told) -> None:
    path = cluster_file(tmp_path)
    began = time.monotonic()
    done = told("ctl", "status", "--config", str(path))
    assert done.returncode == 3
    assert time.monotonic() - began < 10
    assert done.stderr.count("cannot be reached: nobody listens there; is the node running?") == 3


def test_a_node_without_a_data_folder_is_told_so_once_its_file_is_right(tmp_path: Path, told: Told) -> None:
    path = cluster_file(tmp_path)
    assert "--data-dir is missing: --id A1 needs --data-dir DIR" in told("node", "--config", str(path), "--id", "A1").stderr
    path.write_text("nam = 3")
    assert "did you mean name?" in told("node", "--config", str(path), "--id", "A1").stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--requests", "0"), "--requests: must be at least 1; 0 only with --http"),
        (("--requests", "nope"), "expected a whole number, got 'nope'"),
        (("--machine", "nosuch:x"), "there is no module nosuch; run in its folder, or set PYTHONPATH"),
    ],
)
def test_what_a_run_cannot_do_is_said_in_a_sentence(words: tuple[str, ...], says: str, told: Told) -> None:
    done = told("run", *words)
    assert done.returncode == 2
    assert says in done.stderr
