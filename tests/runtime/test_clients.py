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
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import pytest
from helpers import ROOT, heed_ctrl_c
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pmmc_check.client import AsyncClusterClient, ClusterClient, Refused, Unanswered
from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ACCEPTOR, LEADER, ProcessId
from pmmc_check.runtime.client_session import ClientSession, new_number
from pmmc_check.runtime.cluster_file import read_cluster_file
from pmmc_check.runtime.control import order_all
from pmmc_check.runtime.http_front import HttpFront, Statuses
from pmmc_check.runtime.machines import loaded_machine
from pmmc_check.runtime.operations import text_of, word_of
from pmmc_check.runtime.reconfiguring import reconfigure
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.runtime.sessions import Sessions
from pmmc_check.runtime.signals import Lacking
from pmmc_check.runtime.surroundings import Envelope

from .test_clusters import CONFIGURATIONS, SMALL, TWO, cluster_file

_T = TypeVar("_T")


class Nodes:
    """A1, L1 and R1 of a cluster file, in a thread of this process; and an HTTP front."""

    def __init__(self, folder: Path, machine: str = "kv", names: tuple[str, ...] = SMALL, tables: str = "") -> None:
        self.path = cluster_file(folder, f'machine = "{machine}"', names, tables=tables)
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
        connection.request(
            method,
            path,
            body.encode() if isinstance(body, str) else body,
            {name.replace("_", "-"): value for name, value in headers.items()},
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def remember_sessions(self, most: int) -> None:
        for each in self.nodes:
            application = each.node.setting.system.application
            assert isinstance(application, Sessions)
            application.sessions_max = most


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


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda store: store.put("typed", None), TypeError, r"^value: expected a text \(str\), got NoneType$"),
        (lambda store: store.put("typed", 5), TypeError, "^value: .* got int$"),
        (lambda store: store.put(1, "x"), TypeError, "^key: .* got int$"),
        (lambda store: store.put("typed", b"1"), TypeError, "^value: .* got bytes$"),
        (lambda store: store.get(b"typed"), TypeError, "^key: .* got bytes$"),
        (lambda store: store.delete(None), TypeError, "^key: .* got NoneType$"),
        (lambda store: store.compare_and_set("typed", "1", None), TypeError, "^value: .* got NoneType$"),
        (lambda store: store.compare_and_set("typed", 1, "2"), TypeError, r"^expected: expected a text \(str\) or None, got int$"),
        (lambda store: store.compare_and_set(None, "1", "2"), TypeError, "^key: "),
        (lambda store: store.ask(None), TypeError, "^operation: .* got NoneType$"),
        (lambda store: store.ask(""), ValueError, "^operation: .* got an empty one$"),
        (lambda store: store.ask(" \n"), ValueError, "^operation: .* got an empty one$"),
        (lambda store: store.ask("<again>1 1 get x"), ValueError, r"^operation: .* must not begin with <again>"),
        (lambda store: store.ask("x" * (2**20 + 1)), ValueError, "^operation: too long: 1,048,577 bytes, at most 1,048,576$"),
        (lambda store: store.put("typed", "\ud800"), ValueError, "^value: .* character 1 is half of a surrogate pair$"),
        (lambda store: store.put("é" * 2**18, "1"), ValueError, "^operation: too long"),
    ],
)
def test_what_is_no_text_is_refused_before_anything_is_sent(
    nodes: Nodes, call: Callable[[Any], Any], error: type[Exception], says: str
) -> None:
    async def scene() -> None:
        async with AsyncClusterClient(nodes.path) as store:
            await call(store)

    with ClusterClient(nodes.path) as store:
        store.put("typed", "untouched")
        with pytest.raises(error, match=says):
            call(store)
        with pytest.raises(error, match=says):
            asyncio.run(scene())
        assert store.get("typed") == "untouched"


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


@pytest.mark.parametrize(
    ("lingers", "says"), [(0.1, r"answered .get x. \(the session was closed\)"), (600.0, "the client was closed before an answer came")]
)
def test_a_thread_that_waits_when_the_client_is_closed_hears_of_it_however_long_that_takes(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, lingers: float, says: str
) -> None:
    asked = threading.Event()
    monkeypatch.setattr("pmmc_check.client._END_SECONDS", 10.0 if lingers < 1 else 0.1)

    async def ask_and_linger(operation: str) -> str:
        asyncio.get_running_loop().call_later(0.1, asked.set)
        try:
            return await AsyncClusterClient.ask(client._client, operation)
        finally:
            await asyncio.sleep(lingers)

    def wait() -> None:
        try:
            client.get("x")
        except Exception as error:
            heard.put(error)

    heard: SimpleQueue[Exception] = SimpleQueue()
    nodes.do(order_all(nodes.cluster, "pause", tuple(nodes.cluster.addresses)))
    try:
        with ClusterClient(nodes.path, timeout=60) as client:
            monkeypatch.setattr(client._client, "ask", ask_and_linger)
            threading.Thread(target=wait, daemon=True).start()
            assert asked.wait(10)
        with pytest.raises(Unanswered, match=says):
            raise heard.get(timeout=10)
    finally:
        nodes.do(order_all(nodes.cluster, "resume", tuple(nodes.cluster.addresses)))


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), "5", None, True])
def test_a_timeout_is_a_number_of_seconds(nodes: Nodes, timeout: Any) -> None:
    with pytest.raises(ValueError, match="timeout: expected a number of seconds above 0, got"):
        ClusterClient(nodes.path, timeout=timeout)


def test_messages_quote_the_beginning_of_what_is_long(nodes: Nodes) -> None:
    with ClusterClient(nodes.path) as client, pytest.raises(Refused) as refused:
        client.ask("x" * 10**6)
    assert len(str(refused.value)) < 300


def test_what_no_cluster_can_perform_is_refused_at_once(nodes: Nodes) -> None:
    with ClusterClient(nodes.path, timeout=20) as store:
        for operation in ("put x \ud800", "<again>2 1 get x", "x" * (2**20 + 1)):
            with pytest.raises(ValueError, match="operation: "):
                store.ask(operation)
        assert store.put("x", "1") in (None, "1")


def test_what_nobody_waits_for_any_more_is_not_asked_for_either(nodes: Nodes) -> None:
    async def scene() -> tuple[list[str], int, int]:
        session = ClientSession(nodes.cluster, 20.0)
        await session.open()
        await session.ask("put withdrawn no")
        session.seconds = 0.3
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
    assert asked("GET", "/kv/a%20b/c") == (200, "some text")
    assert asked("PUT", "/kv/a%20b/c", "more", if_match="text") == (412, "not changed: the value is some text\n")
    assert asked("PUT", "/kv/a%20b/c", "more", if_match="some text") == (200, "ok\n")
    assert asked("PUT", "/kv/a%20b/c", "most", if_none_match="*") == (412, "not changed: the value is more\n")
    assert asked("DELETE", "/kv/a%20b/c") == (200, "more")
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
        (("PUT", "/kv/x", "é" * (2**18)), {}, 413),  # %C3%A9 each
        (("PUT", "/kv/%ff", "1"), {}, 400),
        (("GET", "/kv/a%fe", None), {}, 400),
        (("PUT", "/kv/what?now", "1"), {}, 400),
        (("PUT", "/kv/x", "1"), {"if_match": "*"}, 400),
        (("PUT", "/kv/x", "1"), {"if_match": "gr\xfcn"}, 400),  # Latin-1
        (("PUT", "/kv/x", "1"), {"if_none_match": "1"}, 400),
        (("PUT", "/kv/x", "1"), {"if_match": "1", "if_none_match": "*"}, 400),
        (("PUT", "/kv/x", "1"), {"if_unmodified_since": "Sat, 29 Oct 1994 19:43:31 GMT"}, 400),
        (("DELETE", "/kv/x", None), {"if_match": "*"}, 400),
        (("DELETE", "/kv/x", None), {"if_none_match": "*"}, 400),
        (("GET", "/kv/x", None), {"if_match": "1"}, 400),
        (("GET", "/kv/x", None), {"if_none_match": "1"}, 400),
        (("GET", "/kv/x", None), {"if_modified_since": "Sat, 29 Oct 1994 19:43:31 GMT"}, 400),
        (("POST", "/operation", "put x 1"), {"if_match": "0"}, 400),
        (("PUT", "/kv/x", "1"), {"content_range": "bytes 0-0/9"}, 400),
        (("PUT", "/kv/x", "1"), {"content_encoding": "gzip"}, 415),
        (("POST", "/operation", "add 5"), {}, 400),
        (("POST", "/operation", ""), {}, 400),
        (("POST", "/operation", " \n"), {}, 400),
        (("POST", "/operation", "again 2 x"), {}, 400),
        (("POST", "/operation", "<again>2 1 get x"), {}, 400),
        (("POST", "/operation", f"<again>{'1' * 5000} 1 get x"), {}, 400),
        (("PUT", "/kv/x", "1"), {"origin": "http://elsewhere"}, 403),
        (("GET", "/kv/x", None), {"host": "elsewhere.com"}, 403),
    ],
)
def test_what_makes_no_sense_over_http_is_refused(
    nodes: Nodes, request_: tuple[str, str, str | bytes | None], headers: dict[str, str], status: int
) -> None:
    assert nodes.asked("PUT", "/kv/x", "untouched") == (200, "ok\n")
    assert nodes.asked(*request_, **headers)[0] == status
    assert nodes.asked("GET", "/kv/x") == (200, "untouched")


@pytest.mark.parametrize("value", ["", "x", "x\n", "\n", "-", "%", "error: x", "grün", " a\r\n\0b "])
def test_over_http_a_value_is_got_exactly_as_it_was_put(nodes: Nodes, value: str) -> None:
    assert nodes.asked("PUT", "/kv/exact", value) == (200, "ok\n")
    assert nodes.asked("GET", "/kv/exact") == (200, value)
    assert nodes.asked("DELETE", "/kv/exact") == (200, value)


@pytest.mark.parametrize("key", ["%0A", "a%0Ab", "%2F", "-", "%25", "gr%C3%BCn", "%00"])
def test_over_http_any_text_is_a_key_of_its_own(nodes: Nodes, key: str) -> None:
    assert nodes.asked("PUT", f"/kv/{key}", key) == (200, "ok\n")
    assert nodes.asked("GET", f"/kv/{key}") == (200, key)


def test_over_http_a_delete_with_a_condition_is_one_operation_that_keeps_it(nodes: Nodes) -> None:
    nodes.asked("PUT", "/kv/colour", "grün")
    in_utf8 = "grün".encode().decode("latin-1")  # as it must be told to this library, which encodes headers in Latin-1
    assert nodes.asked("DELETE", "/kv/colour", if_match="nope") == (412, "not changed: the value is grün\n")
    assert nodes.asked("GET", "/kv/colour") == (200, "grün")
    assert nodes.asked("DELETE", "/kv/colour", if_match=in_utf8) == (200, "grün")
    assert nodes.asked("DELETE", "/kv/colour", if_match=in_utf8) == (412, "not changed: there is none\n")


def test_over_http_a_condition_is_read_as_utf8(nodes: Nodes) -> None:
    nodes.asked("PUT", "/kv/colour", "grün")
    assert nodes.asked("PUT", "/kv/colour", "", if_match="grün".encode().decode("latin-1")) == (200, "ok\n")
    assert nodes.asked("PUT", "/kv/colour", "blau", if_match="") == (200, "ok\n")


def test_head_is_answered_like_get_without_the_body_and_other_verbs_are_told_which_there_are(nodes: Nodes) -> None:
    nodes.asked("PUT", "/kv/colour", "green")
    connection = HTTPConnection(*nodes.http, timeout=20)
    connection.request("HEAD", "/kv/colour")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("content-length"), answer.read()) == (200, "5", b"")
    connection.request("PATCH", "/kv/colour", "x")
    answer = connection.getresponse()
    assert (answer.status, set(str(answer.getheader("allow")).split(", "))) == (405, {"GET", "HEAD", "PUT", "DELETE"})
    connection.close()
    assert nodes.asked("HEAD", "/kv/nosuch")[0] == 404


def test_results_of_operations_over_http_are_texts_of_the_store(nodes: Nodes) -> None:
    assert nodes.asked("POST", "/operation", "put said error:%20x") == (200, "-\n")
    assert nodes.asked("POST", "/operation", "get said") == (200, "error: x\n")


def test_the_help_over_http_fits_a_terminal(nodes: Nodes) -> None:
    assert max(map(len, nodes.asked("GET", "/")[1].splitlines())) <= 80


@pytest.mark.parametrize(
    ("bound", "host", "origin", "answered"),
    [
        ("127.0.0.1", "127.0.0.1:8080", None, True),
        ("127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("127.0.0.1", "LOCALHOST:8080", "http://localhost:8080", True),
        ("127.0.0.1", "localhost", "http://localhost:80", True),
        ("::1", "[::1]:8080", "http://[::1]:8080", True),
        ("fd00::7", "[fd00::7]:8080", None, True),
        ("store.lan", "store.lan:8080", "http://store.lan:8080", True),
        ("0.0.0.0", "store.lan:8080", None, True),
        ("0.0.0.0", "10.0.0.1:8080", "http://10.0.0.1:8080", True),
        ("127.0.0.1", "127.0.0.1:8080", "http://localhost:8080", False),
        ("127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:8081", False),
        ("127.0.0.1", "127.0.0.1:8080", "https://127.0.0.1:8080", False),
        ("127.0.0.1", "127.0.0.1:8080", "http://evil.com", False),
        ("127.0.0.1", "127.0.0.1:8080", "null", False),
        ("127.0.0.1", "evil.com:8080", None, False),
        ("127.0.0.1", "evil.com:8080", "http://evil.com:8080", False),
        ("0.0.0.0", "evil.com:8080", "http://evil.com:8080", False),
    ],
)
def test_pages_of_the_front_itself_are_answered_and_those_of_other_sites_are_not(
    bound: str, host: str, origin: str | None, answered: bool
) -> None:
    async def ask(operation: str) -> str:
        return "asked"

    async def statuses() -> Statuses:
        return {}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"put x 1"}

    async def send(message: Any) -> None:
        told.append(message)

    told: list[Any] = []
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin is not None else [])
    asked = {"type": "http", "method": "POST", "path": "/operation", "raw_path": b"/operation", "query_string": b"", "headers": headers}
    asyncio.run(HttpFront(ask, statuses).application(bound)(asked, receive, send))
    assert told[0]["status"] == (200 if answered else 403)


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
        ("nowhere:Machine", "there is no module nowhere"),
        ("json:nothing", "module json has no nothing"),
        ("json:dumps", "has no method initial"),
        ("kvs", "no such state machine"),
    ],
)
def test_a_machine_that_cannot_be_loaded_is_refused(machine: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        loaded_machine(machine)


def test_a_new_leader_is_told_of_values_that_are_longer_than_a_frame(tmp_path: Path) -> None:
    """What an acceptor has accepted comes in parts."""

    async def scene() -> tuple[str, Counter[str]]:
        cluster = read_cluster_file(cluster_file(tmp_path))
        nodes: dict[str, RunningNode] = {}

        async def start(me: ProcessId) -> None:
            node = RunningNode(NodeSpec(me, str(me), cluster.roster, cluster.name, 1, "kv", tmp_path))
            node.transport.know(cluster.addresses)
            await node.open(cluster.addresses[me], paused=False)
            nodes[me.role] = node

        for me in cluster.addresses:
            await start(me)
        session = ClientSession(cluster, 30.0)
        await session.open()
        try:
            for number in range(9):  # a frame has no room for so much
                await session.ask(f"put k{number % 2} {'v' * (2**20 - 100)}")
            nodes[LEADER].close()
            await start(nodes[LEADER].spec.me)
            found = await session.ask("get k1")
            return found, nodes[ACCEPTOR].report().counts
        finally:
            session.close()
            for each in nodes.values():
                each.close()

    found, counts = asyncio.run(scene())
    assert found == "v" * (2**20 - 100)
    assert not counts["too large to send"]


def test_a_client_whose_session_is_forgotten_is_told_and_has_a_new_one(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path)
    try:
        nodes.remember_sessions(3)
        assert nodes.asked("PUT", "/kv/x", "1") == (200, "ok\n")
        for number in range(4):
            with ClusterClient(nodes.path) as store:
                store.put("y", str(number))
        status, text = nodes.asked("PUT", "/kv/x", "2")
        assert (status, "no longer knows what became of" in text) == (504, True)
        assert nodes.asked("GET", "/kv/x")[1] == "1"
        assert nodes.asked("PUT", "/kv/x", "3") == (200, "ok\n")
    finally:
        nodes.close()


def test_a_client_whose_clock_is_ahead_locks_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its session is forgotten all are that have a lower number, before they have asked anything: the next number is above it."""
    nodes = Nodes(tmp_path, "kv", TWO, CONFIGURATIONS)
    try:
        nodes.remember_sessions(3)
        with monkeypatch.context() as patched:
            next_year = time.time_ns() + 365 * 24 * 3600 * 10**9
            patched.setattr("time.time_ns", lambda: next_year)
            with ClusterClient(nodes.path) as store:
                store.put("x", "0")
        for number in range(3):
            with ClusterClient(nodes.path) as store:
                store.put("x", str(number))
        with ClusterClient(nodes.path) as store:
            with pytest.raises(Unanswered, match="no longer knows what became of"):
                store.put("x", "3")
            assert store.put("x", "4") == "2"
        assert nodes.asked("PUT", "/kv/x", "5")[0] == 504
        assert nodes.asked("PUT", "/kv/x", "6") == (200, "ok\n")
        answers = nodes.do(reconfigure(nodes.cluster, (ProcessId(LEADER, 2),), 15.0))
        assert [each["leaders"] for each in answers.values() if isinstance(each, dict)] == [["L2"]]
    finally:
        nodes.close()


def test_numbers_of_new_sessions_are_in_the_order_of_time_and_above_those_that_are_forgotten() -> None:
    now = new_number()
    assert now < new_number() + 2**20
    assert new_number(now) > now
    ahead = now + 2**50
    drawn = [new_number(ahead) for _ in range(2000)]
    assert len(set(drawn)) == 2000, "thousands may be told the same at the same time"
    assert min(drawn) > ahead
