"""Who is believed, and what anybody else can do to a node: nothing."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pmmc_check.runtime.client_session import ClientSession, NotAdmitted, Unanswered
from pmmc_check.runtime.cluster_file import read_cluster_file
from pmmc_check.runtime.control import order_all
from pmmc_check.runtime.inward import Inward
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.runtime.signals import Alive
from pmmc_check.runtime.surroundings import Envelope
from pmmc_check.runtime.wire import Framing, encode

from .cluster_files import (
    Told,
    asked,
    cluster_file,
    running,
    served,
    with_key,
)


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


def test_orders_are_obeyed_where_all_clients_are_known_too(tmp_path: Path) -> None:
    cluster = read_cluster_file(cluster_file(tmp_path))

    async def scene() -> None:
        node = await served(replace(cluster, roster=replace(cluster.roster, clients=2)), tmp_path)
        answers = await order_all(cluster, "status", (cluster.node("R1"),))
        node.close()
        assert isinstance(answers[cluster.node("R1")], dict), answers

    asyncio.run(scene())


@pytest.mark.parametrize(("key", "name"), [("another key of 32 bytes, or more!", "shop"), ("0123456789abcdef", "shopping")])
def test_a_wrong_key_or_a_foreign_cluster_gets_nothing_and_is_told_why(tmp_path: Path, key: str, name: str) -> None:
    ours = with_key(tmp_path / "ours", "0123456789abcdef")
    theirs = with_key(tmp_path / "theirs", key, name, (tmp_path / "ours" / "cluster.toml").read_text())

    async def scene() -> None:
        node, me = await served(ours, tmp_path), ours.node("R1")
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
        node, me = await served(cluster, tmp_path), cluster.node("R1")
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


def test_strangers_get_no_byte_and_an_order_cannot_be_repeated(tmp_path: Path) -> None:
    ours = with_key(tmp_path / "ours", "0123456789abcdef")

    async def scene() -> None:
        node, me = await served(ours, tmp_path), ours.node("R1")
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
    ours = with_key(tmp_path / "ours", "0123456789abcdef")

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
    ours = with_key(tmp_path / "ours", "0123456789abcdef")

    async def scene() -> None:
        node, peer, nowhere = await served(ours, tmp_path), ours.node("L1"), ours.node("A1")
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
