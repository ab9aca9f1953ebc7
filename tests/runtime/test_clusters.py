"""Clusters of several machines: nodes by a cluster file, orders by ctl, and who is believed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from helpers import ROOT
from helpers import in_process as helpers_in_process

from pmmc_check.errors import UsageError
from pmmc_check.runtime.client_session import ClientSession, NotAdmitted, Unanswered
from pmmc_check.runtime.cluster_file import ClusterFile, read_cluster_file
from pmmc_check.runtime.control import order_all
from pmmc_check.runtime.inward import Inward
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.runtime.signals import Alive
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.runtime.wire import Framing, encode
from pmmc_check.trace.sources import sources
from pmmc_check.validation.judge import judge
from pmmc_check.verdicts import ACCEPTED

COMMAND = [sys.executable, "-m", "pmmc_check"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
SMALL = ("A1", "L1", "R1")
TWO = ("A1", "A2", "L1", "L2", "R1")
CONFIGURATIONS = "".join(f'[[configurations]]\nleaders = ["L{n}"]\nacceptors = ["A{n}"]\n' for n in (1, 2))


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def cluster_file(folder: Path, more: str = "", nodes: tuple[str, ...] = SMALL, name: str = "shop", tables: str = "") -> Path:
    listed = "".join(f'{node} = "127.0.0.1:{port}"\n' for node, port in zip(nodes, free_ports(len(nodes)), strict=True))
    path = folder / "cluster.toml"
    path.write_text(f'name = "{name}"\nwindow = 3\n{more}\n[nodes]\n{listed}{tables}')
    return path


def started(path: Path, node: str) -> subprocess.Popen[str]:
    folder = path.parent
    words = [*COMMAND, "node", "--config", str(path), "--id", node, "--data-dir", str(folder / "data"), "--trace-dir", str(folder / "logs")]
    return subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


@contextmanager
def running(path: Path, nodes: tuple[str, ...] = SMALL) -> Iterator[dict[str, subprocess.Popen[str]]]:
    processes = {node: started(path, node) for node in nodes}
    try:
        for process in processes.values():
            listens(process)
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()


def listens(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "listens on 127.0.0.1:" in line, line


Told = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """The command, in this process."""
    return partial(helpers_in_process, capsys)


async def asked(cluster: ClusterFile, *operations: str, seconds: float = 20.0) -> list[str]:
    session = ClientSession(cluster, seconds)
    await session.open()
    try:
        return [await session.ask(each) for each in operations]
    finally:
        session.close()


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("makes certificates with openssl, which is not there")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ours", "theirs"):
        new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        ca = "-addext basicConstraints=critical,CA:TRUE"
        for words in (
            f"{new} -x509 -keyout {name}-ca.key -out {name}-ca.pem -subj /CN={name} {ca}",
            f"{new} -keyout {name}.key -out {name}.csr -subj /CN=node",
            f"x509 -req -in {name}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -CAcreateserial -days 2 -out {name}.pem",
        ):
            subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    return folder


def tls(folder: Path, name: str) -> str:
    return f'[tls]\ncertificate = "{folder}/{name}.pem"\nprivate_key = "{folder}/{name}.key"\nauthority = "{folder}/{name}-ca.pem"\n'


def test_over_tls_only_certificates_of_the_clusters_authority_are_answered(tmp_path: Path, certificates: Path, told: Told) -> None:
    path = cluster_file(tmp_path, tls(certificates, "ours"))
    cluster = read_cluster_file(path)
    with running(path) as processes:
        assert asyncio.run(asked(cluster, "put x 1", "get x")) == ["-", "1"]
        text = path.read_text()
        rogue = tls(certificates, "theirs").replace("theirs-ca.pem", "ours-ca.pem")  # it believes us, and we do not believe it
        for line in (tls(certificates, "theirs"), rogue, ""):
            path.write_text(text.replace(tls(certificates, "ours"), line))
            answer = told("ctl", "status", "--config", str(path))
            assert answer.returncode == 3
            assert answer.stderr.count("\n") == 3, answer.stderr
            assert "certificate" in answer.stderr
            with pytest.raises(NotAdmitted, match=r"'get x' was not asked, and has no effect: R1: .*certificate"):
                asyncio.run(asked(read_cluster_file(path), "get x", seconds=1.0))
        path.write_text(text)
        rows = [line.split() for line in told("ctl", "status", "--config", str(path)).stdout.splitlines()[1:]]
        assert [int(row[-1]) >= 2 for row in rows] == [True] * 3, rows  # refused, by each node
        time.sleep(1.1)  # strangers are looked for once a second
        for process in processes.values():
            process.terminate()
            said = process.communicate()[1]
            for reason in ("certificate verify failed", "wrong version number"):
                assert (
                    f"refuses what somebody sends: a connection that is no TLS, or shows no certificate of our authority ({reason})" in said
                )


async def _served(cluster: ClusterFile, folder: Path) -> RunningNode:
    me = cluster.node("R1")
    node = RunningNode(NodeSpec(me, "R1", cluster.roster, cluster.name, 1, "kv", folder, security=cluster.security))
    await node.open(cluster.addresses[me], paused=False)
    return node


def _with_key(folder: Path, key: str, name: str = "shop", text: str = "") -> ClusterFile:
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text(key)
    path = folder / "cluster.toml"
    if text:
        path.write_text(text.replace('"shop"', f'"{name}"'))
    else:
        cluster_file(folder, 'key_file = "key"')
    return read_cluster_file(path)


def test_orders_are_obeyed_where_all_clients_are_known_too(tmp_path: Path) -> None:
    cluster = read_cluster_file(cluster_file(tmp_path))

    async def scene() -> None:
        node = await _served(replace(cluster, roster=replace(cluster.roster, clients=2)), tmp_path)
        answers = await order_all(cluster, "status", (cluster.node("R1"),))
        node.close()
        assert isinstance(answers[cluster.node("R1")], dict), answers

    asyncio.run(scene())


@pytest.mark.parametrize(("key", "name"), [("another key of 32 bytes, or more!", "shop"), ("0123456789abcdef", "shopping")])
def test_a_wrong_key_or_a_foreign_cluster_gets_nothing_and_is_told_why(tmp_path: Path, key: str, name: str) -> None:
    ours = _with_key(tmp_path / "ours", "0123456789abcdef")
    theirs = _with_key(tmp_path / "theirs", key, name, (tmp_path / "ours" / "cluster.toml").read_text())

    async def scene() -> None:
        node, me = await _served(ours, tmp_path), ours.node("R1")
        assert isinstance((await order_all(ours, "status", (me,)))[me], dict)
        answer = (await order_all(theirs, "stop", (me,)))[me]
        assert "another key, belongs to another cluster" in str(answer)
        with pytest.raises(NotAdmitted, match=r"'put x 1' was not asked, and has no effect: R1: .* it has another key"):
            await asked(theirs, "put x 1", seconds=4.0)
        assert "wrong check sum" in node.framing.refused
        assert node.transport.counts["bad frames"] >= 2
        assert not node.over.done()
        assert node.report().counts["received request"] == 0
        node.close()

    asyncio.run(scene())


def test_a_replica_that_hangs_up_may_have_taken_what_was_asked_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections are all in use when the client looks why nobody answers: that is no proof that nothing takes effect."""
    cluster = read_cluster_file(cluster_file(tmp_path))

    async def scene() -> None:
        node, me = await _served(cluster, tmp_path), cluster.node("R1")
        session = ClientSession(cluster, 2.0)
        await session.open()
        asking = asyncio.ensure_future(session.ask("put x 1"))
        while not node.report().counts["received request"]:
            await asyncio.sleep(0.01)
        monkeypatch.setattr("pmmc_check.runtime.inward.CONNECTIONS_MAX", 1)
        assert "refuses us" in str((await order_all(cluster, "status", (me,)))[me])
        with pytest.raises(Unanswered, match="it may or may not have taken effect") as unanswered:
            await asking
        assert unanswered.type is Unanswered
        session.close()
        node.close()

    asyncio.run(scene())


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


def test_nobody_with_another_cluster_file_takes_part(tmp_path: Path, told: Told) -> None:
    path = cluster_file(tmp_path, nodes=("A1", "L1", "R1", "R2"))
    text = path.read_text()
    other = text.replace("window = 3", 'window = 4\nmachine = "integer"')
    with running(path, ("A1", "L1", "R1")) as processes:
        cluster = read_cluster_file(path)
        assert asyncio.run(asked(cluster, "put x 1")) == ["-"]
        path.write_text(other)
        with running(path, ("R2",)) as stranger:
            answer = told("ctl", "status", "--config", str(path), "--id", "R1")
            assert answer.returncode == 3
            assert "refuses us: R1 has other settings in its cluster file: machine, window; all need the same file" in answer.stderr
            with pytest.raises(NotAdmitted, match="other settings in its cluster file: machine, window"):
                replicas = read_cluster_file(path)
                asyncio.run(
                    asked(replace(replicas, addresses={cluster.node("R1"): cluster.addresses[cluster.node("R1")]}), "get x", seconds=1.0)
                )
            time.sleep(1.5)
            stranger["R2"].terminate()
            assert "R1 has other settings in its cluster file: machine, window" in stranger["R2"].communicate()[1]
        path.write_text(text)
        processes["R1"].terminate()
        assert "R2 has other settings in its cluster file: machine, window" in processes["R1"].communicate()[1]
    path.write_text(other)
    done = told("node", "--config", str(path), "--id", "R1", "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert "R1.sqlite: belongs to a cluster with machine kv, not integer; " in done.stderr


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


def test_strangers_get_no_byte_and_an_order_cannot_be_repeated(tmp_path: Path) -> None:
    ours = _with_key(tmp_path / "ours", "0123456789abcdef")

    async def scene() -> None:
        node, me = await _served(ours, tmp_path), ours.node("R1")
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, (2**31).to_bytes(4, "big"), b""):
            reader, writer = await asyncio.open_connection(*ours.addresses[me])
            writer.write(data)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        heard: list[Envelope] = []
        received = node._received

        def listening(envelopes: list[Envelope], connection: Inward) -> None:
            heard.extend(envelopes)
            received(envelopes, connection)

        node._received = listening  # type: ignore[method-assign]
        await order_all(ours, "status", (me,))
        assert len(heard) == 2
        framing = Framing(ours.name, ours.security.key)
        reader, writer = await asyncio.open_connection(*ours.addresses[me])
        for each in heard:  # what somebody has recorded, word by word
            writer.write(framing.frame(encode(each)))
        await asyncio.sleep(0.1)
        assert b"performed" not in await reader.read(10_000)
        writer.close()
        node.close()

    asyncio.run(scene())


def test_strangers_in_crowds_end_no_node_and_keep_it_from_no_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmmc_check.runtime.inward.CONNECTIONS_MAX", 8)
    ours = _with_key(tmp_path / "ours", "0123456789abcdef")

    async def scene() -> None:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def leader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.set_result(await reader.read(1))
            writer.close()

        me, peer = ours.node("R1"), ours.node("L1")
        server = await asyncio.start_server(leader, *ours.addresses[peer])
        node = RunningNode(NodeSpec(me, "R1", ours.roster, ours.name, 1, "kv", security=ours.security))
        node.watch(asyncio.get_running_loop())
        await node.open(ours.addresses[me], paused=False)
        strangers = [await asyncio.open_connection(*ours.addresses[me]) for _ in range(10)]
        for reader, _ in strangers[8:]:
            assert await asyncio.wait_for(reader.read(), 30) == b"", "these are too many"
        node.transport.know({peer: ours.addresses[peer]})
        node.transport.send([Envelope(me, peer, Alive())])
        assert await asyncio.wait_for(heard, 30), "what the node turns to itself is not among them"
        assert not node.over.done()
        assert node.transport.counts["refused connections"] == 2
        for _, writer in strangers:
            writer.close()
        node.close()
        server.close()

    asyncio.run(scene())


@pytest.mark.parametrize("host", ["a..b", "a\0b"])
def test_a_peer_whose_connection_fails_at_once_or_has_no_possible_address_ends_no_node(tmp_path: Path, host: str) -> None:
    ours = _with_key(tmp_path / "ours", "0123456789abcdef")

    async def scene() -> None:
        node, peer, nowhere = await _served(ours, tmp_path), ours.node("L1"), ours.node("A1")
        node.watch(asyncio.get_running_loop())

        class AtOnceClosed(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                transport.abort()  # type: ignore[attr-defined]

        node.transport.hears = AtOnceClosed
        node.transport.know({peer: ours.addresses[ours.node("R1")], nowhere: (host, 7001)})
        node.transport.send([Envelope(node.spec.me, each, Alive()) for each in (peer, nowhere)])
        links = [node.transport._links[each] for each in (peer, nowhere)]
        async with asyncio.timeout(30):
            while links[0].transport is None or links[1].waiting:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert links[0].task is not None
        assert links[0].task.done()
        assert links[0].task.exception() is None
        assert links[1].task is not None
        assert not links[1].task.done(), "it is tried again"
        node.close()

    asyncio.run(scene())


def test_a_node_without_key_or_certificates_refuses_to_be_reached_by_others(tmp_path: Path, told: Told) -> None:
    path = cluster_file(tmp_path)
    path.write_text(path.read_text().replace("127.0.0.1", "0.0.0.0"))
    done = told("node", "--config", str(path), "--id", "A1", "--data-dir", str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "anybody who reaches it is believed" in done.stderr


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
