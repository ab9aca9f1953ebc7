"""Clients of a cluster on real sockets and disks: from Python, and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar

import pytest
from helpers import ROOT, heed_ctrl_c
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pmmc_check.client import AsyncClusterClient, ClusterClient, Refused, Unanswered
from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ACCEPTOR, ProcessId
from pmmc_check.runtime.client_session import ClientSession
from pmmc_check.runtime.cluster_file import read_cluster_file
from pmmc_check.runtime.control import order_all
from pmmc_check.runtime.http_front import HttpFront, Statuses
from pmmc_check.runtime.machines import loaded_machine, text_of, word_of
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.runtime.signals import Lacking
from pmmc_check.runtime.surroundings import Envelope

from .test_clusters import cluster_file

_T = TypeVar("_T")


class Nodes:
    """A1, L1 and R1 of a cluster file, in a thread of this process; and an HTTP front."""

    def __init__(self, folder: Path, machine: str = "kv") -> None:
        self.path = cluster_file(folder, f'machine = "{machine}"')
        self.cluster = read_cluster_file(self.path)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.nodes = self.do(self._open(folder))

    def do(self, call: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(call, self.loop).result(20)

    async def _open(self, folder: Path) -> list[RunningNode]:
        nodes = []
        for me, address in self.cluster.addresses.items():
            node = RunningNode(NodeSpec(me, str(me), self.cluster.roster, self.cluster.name, 1, self.cluster.machine, folder))
            node.transport.know(self.cluster.addresses)
            await node.open(address, paused=False)
            nodes.append(node)
        self.session = ClientSession(self.cluster)
        await self.session.open()
        self.front = HttpFront(self.session.ask, self._statuses)
        self.http = self.front.open(("127.0.0.1", 0))
        return nodes

    async def _statuses(self) -> Statuses:
        answers = await order_all(self.cluster, "status", tuple(self.cluster.addresses))
        return {str(node): answer for node, answer in answers.items()}

    async def _close(self) -> None:
        await self.front.close()
        self.session.close()
        for node in self.nodes:
            node.close()

    def close(self) -> None:
        self.do(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def asked(self, method: str, path: str, body: str | bytes | None = None, **headers: str) -> tuple[int, str]:
        connection = HTTPConnection(*self.http, timeout=20)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    made = Nodes(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


def test_a_client_gets_puts_deletes_and_compares_and_sets(nodes: Nodes) -> None:
    with ClusterClient(nodes.path) as store:
        assert store.get("colour") is None
        assert store.put("colour", "green") is None
        assert store.put("colour", "light blue") == "green"
        assert store.compare_and_set("colour", "green", "red") is False
        assert store.compare_and_set("colour", "light blue", "") is True
        assert store.get("colour") == ""
        assert store.delete("colour") == ""
        assert store.compare_and_set("colour", None, "-") is True
        assert store.get("colour") == "-"
        assert store.delete("colour") == "-"
        with pytest.raises(Refused, match="expected put KEY VALUE"):
            store.ask("add 5")


def test_many_operations_of_one_client_go_on_at_the_same_time(nodes: Nodes) -> None:
    async def scene() -> list[str | None]:
        async with AsyncClusterClient(nodes.path) as store:
            await asyncio.gather(*(store.put(f"many {n}", str(n)) for n in range(250)))
            return list(await asyncio.gather(*(store.get(f"many {n}") for n in range(250))))

    assert asyncio.run(scene()) == [str(n) for n in range(250)]


def test_a_client_may_be_shared_by_threads_and_increments_are_never_lost(nodes: Nodes) -> None:
    with ClusterClient(nodes.path) as store, ThreadPoolExecutor(4) as threads:
        store.put("count", "0")

        def increment() -> None:
            while not store.compare_and_set("count", value := store.get("count"), str(int(value or 0) + 1)):
                pass

        for each in [threads.submit(increment) for _ in range(20)]:
            each.result()
        assert store.get("count") == "20"


def test_no_answer_and_a_client_that_is_not_open_are_said(nodes: Nodes) -> None:
    client = ClusterClient(nodes.path, timeout=0.2)
    with pytest.raises(UsageError, match="is not open"):
        client.get("x")
    nodes.do(order_all(nodes.cluster, "pause", tuple(nodes.cluster.addresses)))
    try:
        with client, pytest.raises(Unanswered, match="may or may not"):
            client.get("x")
        assert nodes.asked("GET", "/metrics")[1].count("pmmc_paused{") == 3
    finally:
        nodes.do(order_all(nodes.cluster, "resume", tuple(nodes.cluster.addresses)))
    with client:
        assert client.get("x") is None


def test_what_no_cluster_can_perform_is_refused_at_once(nodes: Nodes) -> None:
    with ClusterClient(nodes.path, timeout=20) as store:
        for operation in ("put x \ud800", "\x012 1 get x", "x" * (2**21 + 1)):
            with pytest.raises(ValueError, match="an operation"):
                store.ask(operation)
        assert store.put("x", "1") in (None, "1")


def test_what_nobody_waits_for_any_more_is_not_asked_for_either(nodes: Nodes) -> None:
    async def scene() -> tuple[list[str], int, int]:
        session = ClientSession(nodes.cluster, 0.3)
        await session.open()
        await session.ask("put withdrawn no")
        replica = nodes.nodes[2].node
        replica.pause(True)
        try:
            for _ in range(2):
                asked = [session.ask(f"put withdrawn {number}") for number in range(1000)]
                errors = await asyncio.gather(*asked, return_exceptions=True)
            waits = len(replica._inbox)
        finally:
            replica.pause(False)
        await asyncio.sleep(0.3)
        driver = session.driver
        session.close()
        return [str(each) for each in errors], len(driver._open) + len(driver._waiting) + len(driver._questions), waits

    errors, asked_for, waits = nodes.do(scene())
    assert all("may or may not" in each or "never asked" in each for each in errors)
    assert sum("may or may not" in each for each in errors) >= 100
    assert asked_for == 0
    assert waits < 1100


def test_messages_that_wait_for_a_paused_node_are_bounded(nodes: Nodes) -> None:
    replica = nodes.nodes[2].node
    heard = Envelope(ProcessId(ACCEPTOR, 1), replica.me, Lacking(1))

    async def scene() -> int:
        replica.pause(True)
        for _ in range(3000):
            replica.receive(heard)
        waits = len(replica._inbox)
        replica.pause(False)
        return waits

    assert nodes.do(scene()) <= 1010
    assert replica.counts["lost while paused"] > 1900


@given(st.text())
def test_any_text_is_one_word_of_an_operation(text: str) -> None:
    word = word_of(text)
    assert text_of(word) == text
    assert len(word.split()) == 1
    assert word != "-"


def test_the_store_over_http(nodes: Nodes) -> None:
    asked = nodes.asked
    assert asked("GET", "/kv/a%20b/c") == (404, "there is no a b/c\n")
    assert asked("PUT", "/kv/a%20b/c", "some text") == (200, "ok\n")
    assert asked("GET", "/kv/a%20b/c") == (200, "some text\n")
    assert asked("PUT", "/kv/a%20b/c", "more", if_match="text") == (412, "not changed: the value is some text\n")
    assert asked("PUT", "/kv/a%20b/c", "more", if_match="some text") == (200, "ok\n")
    assert asked("PUT", "/kv/a%20b/c", "most", if_none_match="*") == (412, "not changed: the value is more\n")
    assert asked("DELETE", "/kv/a%20b/c") == (200, "more\n")
    assert asked("PUT", "/kv/a%20b/c", "new", if_none_match="*") == (200, "ok\n")
    assert asked("POST", "/operation", "get a%20b/c\n") == (200, "new\n")
    assert asked("GET", "/")[1].startswith("GET    /kv/KEY")
    assert asked("GET", "/nosuch") == (404, "no GET /nosuch here; / lists all that there is\n")
    assert asked("POST", "/kv/x", "1") == (405, "no POST /kv/x here; / lists all that there is\n")


@pytest.mark.parametrize(
    ("request_", "headers", "status"),
    [
        (("GET", "/kv/", None), {}, 404),
        (("POST", "/kv/x", "1"), {}, 405),
        (("PUT", "/kv/x", b"\xff"), {}, 400),
        (("PUT", "/kv/x", "x" * (2**20 + 1)), {}, 413),
        (("PUT", "/kv/x", "1"), {"if_match": "*"}, 400),
        (("POST", "/operation", "add 5"), {}, 400),
        (("POST", "/operation", "again 2 x"), {}, 400),
        (("POST", "/operation", "\x012 1 get x"), {}, 400),
        (("POST", "/operation", f"\x01{'1' * 5000} 1 get x"), {}, 400),
        (("PUT", "/kv/x", "1"), {"origin": "http://elsewhere"}, 403),
        (("GET", "/kv/x", None), {"host": "elsewhere.com"}, 403),
    ],
)
def test_what_makes_no_sense_over_http_is_refused(
    nodes: Nodes, request_: tuple[str, str, str | bytes | None], headers: dict[str, str], status: int
) -> None:
    assert nodes.asked(*request_, **headers)[0] == status


def test_metrics_and_status_tell_how_each_node_is_doing(nodes: Nodes) -> None:
    nodes.asked("PUT", "/kv/x", "1")
    text = nodes.asked("GET", "/metrics")[1]
    found = {each.name: each for each in text_string_to_metric_families(text)}
    up = {sample.labels["node"]: sample.value for sample in found["pmmc_up"].samples}
    assert up == {"A1": 1.0, "L1": 1.0, "R1": 1.0}
    status = json.loads(nodes.asked("GET", "/status")[1])
    (performed,) = found["pmmc_performed_slots"].samples
    assert 0 < performed.value <= status["R1"]["performed"]
    decisions = [each for each in found["pmmc_messages_sent"].samples if each.labels == {"node": "L1", "kind": "decision"}]
    assert decisions[0].value > 0
    assert found["pmmc_request_seconds"].samples


SHOUTING = """
class Shouting:
    def initial(self): return ""
    def apply(self, state, operation): return state + operation.upper(), state + operation.upper()
    def key(self, operation): return None
    def sample(self, choose): return "abc"[choose(3)]
"""


def test_a_run_with_an_http_front_goes_on_until_ctrl_c_and_is_judged_with_a_machine_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "shouting.py").write_text(SHOUTING)
    words = [
        sys.executable,
        "-m",
        "pmmc_check",
        "run",
        "--machine",
        "shouting:Shouting",
        "--http",
        "0",
        "--requests",
        "1",
        "--format",
        "json",
    ]
    process = subprocess.Popen(
        [*words, "--clients", "1", "--replicas", "2", "--leaders", "1"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        preexec_fn=heed_ctrl_c,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        found = re.search(r"http://127.0.0.1:(\d+)/", process.stderr.readline())
        assert found is not None
        connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=20)
        connection.request("POST", "/operation", "xyz")
        assert connection.getresponse().read().decode().strip().endswith("XYZ")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, output + errors
    told = json.loads(output)
    assert (told["verdict"], told["answered"], told["asked"], told["linearizable"]) == ("accepted", 2, 2, True)


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        ("nowhere:Machine", "No module named"),
        ("json:nothing", "has no attribute"),
        ("json:dumps", "has no method initial"),
        ("kvs", "no such state machine"),
    ],
)
def test_a_machine_that_cannot_be_loaded_is_refused(machine: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        loaded_machine(machine)
