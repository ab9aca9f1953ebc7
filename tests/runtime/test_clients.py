"""Clients of a cluster on real sockets and disks, from Python."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmmc_check.client import AsyncClusterClient, ClusterClient, Refused, Unanswered
from pmmc_check.errors import UsageError
from pmmc_check.protocol.values import ACCEPTOR, LEADER, ProcessId
from pmmc_check.runtime.client_session import ClientSession, new_number
from pmmc_check.runtime.cluster_file import read_cluster_file
from pmmc_check.runtime.control import order_all
from pmmc_check.runtime.machines import loaded_machine
from pmmc_check.runtime.operations import text_of, word_of
from pmmc_check.runtime.reconfiguring import reconfigure
from pmmc_check.runtime.running_node import NodeSpec, RunningNode
from pmmc_check.runtime.signals import Lacking
from pmmc_check.runtime.surroundings import Envelope

from .cluster_files import CONFIGURATIONS, TWO, cluster_file
from .nodes_in_thread import Nodes


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
