"""What a node process does when it is told to, and that faults made on purpose really happen: real sockets, real disks, real signals."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers import A1, B01, B12, C1, pv

from pmmc_check.protocol.messages import P1a
from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA, ProcessId, scout_id
from pmmc_check.runtime.children import Child, Children
from pmmc_check.runtime.machines import KeyValueStore
from pmmc_check.runtime.node_process import _NodeProcess
from pmmc_check.runtime.process_faults import ProcessAffliction
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.running_node import NodeReport, NodeSpec, RunningNode
from pmmc_check.runtime.simulated_run import SIMULATED_TIMING, SimulatedCluster, SimulationPlan
from pmmc_check.runtime.storage import SqliteStorage
from pmmc_check.runtime.supervisor import RunPlan, run_cluster
from pmmc_check.runtime.surroundings import Commit, Envelope
from pmmc_check.runtime.tcp import Disturbance
from pmmc_check.runtime.wire import FRAME_BYTES_MAX

L1 = ProcessId(LEADER, 1)
ROSTER = Roster(1, 1, 1, 1)


class Told:
    """A node process within this one, and the supervisor's end of its pipe."""

    def __init__(self, me: ProcessId, data: Path | None = None) -> None:
        self.ours, theirs = Pipe()
        self.node = _NodeProcess(NodeSpec(me, str(me), ROSTER, "c", 1, data=data), theirs)

    async def hears(self) -> Any:
        while not self.ours.poll():
            await asyncio.sleep(0.002)
        return self.ours.recv()

    async def report(self) -> NodeReport:
        self.ours.send(("report", Counter()))
        word, report = await self.hears()
        assert word == "report"
        assert isinstance(report, NodeReport)
        return report

    async def counts(self, name: str) -> int:
        """Waits until there is something to count."""
        while not (found := (await self.report()).counts[name]):
            await asyncio.sleep(0.01)
        return found


def scene(me: ProcessId, play: Callable[[Told], Awaitable[None]], data: Path | None = None) -> None:
    async def made() -> None:
        told = Told(me, data)
        running = asyncio.create_task(told.node.run())
        assert (await told.hears())[0] == "listening"
        try:
            await asyncio.wait_for(play(told), 30)
        finally:
            told.ours.send(("stop",))
            await running

    asyncio.run(made())


def test_a_node_is_set_up_paused_and_begins_when_it_is_told_to() -> None:
    async def play(told: Told) -> None:
        told.ours.send(("peers", {A1: ("127.0.0.1", 9)}))
        for _ in range(5):
            assert (await told.report()).counts == {"sent p1a": 1}, "its role has taken its first step, and nothing has left"
        told.ours.send(("run", True))
        assert await told.counts("sent again") == 1

    scene(L1, play)


def test_a_message_that_is_lost_or_doubled_on_purpose_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(told: Told) -> None:
        transport, written = told.node.running.transport, Counter[ProcessId]()
        monkeypatch.setattr(transport, "_write", lambda peer, encoded: written.update({peer: len(encoded)}))
        for disturbance, copies, lost in (
            (Disturbance(), 1, 0),
            (Disturbance(duplication=1.0), 2, 0),
            (Disturbance(loss=1.0), 0, 1),
            (Disturbance(deaf_to=frozenset({A1})), 0, 1),
        ):
            told.ours.send(("disturb", disturbance))
            await told.report()
            written.clear()
            transport.counts.clear()
            transport.send([Envelope(scout_id(B01), A1, P1a(B01))])
            await asyncio.sleep(0)
            await told.report()
            assert (written[A1], transport.counts["lost on purpose"]) == (copies, lost), disturbance

    scene(L1, play)


def test_a_slow_disk_takes_its_time_and_a_full_one_ends_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("pmmc_check.runtime.storage.time.sleep", slept.append)

    async def play(told: Told) -> None:
        told.ours.send(("disk", 0.25, False))
        told.ours.send(("run", True))
        told.node.running.node.receive(Envelope(scout_id(B01), A1, P1a(B01)))
        await told.counts("received p1a")
        assert slept
        assert set(slept) == {0.25}
        told.ours.send(("disk", 0.0, True))
        await told.report()
        told.node.running.node.receive(Envelope(scout_id(B12), A1, P1a(B12)))
        word, reason = await told.hears()
        assert word == "failed"
        assert "A1.sqlite: cannot be written: no space is left, on purpose" in reason

    scene(A1, play, tmp_path)


def test_a_clock_jumps() -> None:
    async def play(told: Told) -> None:
        before = told.node.running.clock.now()
        told.ours.send(("clock", -1000.0))
        await told.report()
        assert told.node.running.clock.now() < before - 900

    scene(L1, play)


def test_a_frame_that_is_too_long_is_dropped_and_counted() -> None:
    async def made() -> None:
        node = RunningNode(NodeSpec(A1, "A1", ROSTER, "c", 1))
        address = await node.open(("127.0.0.1", 0), paused=False)
        assert address is not None
        reader, writer = await asyncio.open_connection(*address)
        writer.write((FRAME_BYTES_MAX + 1).to_bytes(4, "big") + b"x" * 1000)
        assert await asyncio.wait_for(reader.read(), 30) == b"", "whoever sends it is hung up on"
        assert (node.transport.counts["bad frames"], node.framing.refused) == (
            1,
            f"a frame that is too short, or longer than {FRAME_BYTES_MAX:,} bytes",
        )
        writer.close()
        node.close()

    asyncio.run(made())


def test_who_is_paused_stands_still_until_it_is_resumed_and_who_has_no_room_ends(tmp_path: Path) -> None:
    async def made() -> None:
        children = Children([NodeSpec(A1, "A1", ROSTER, "c", 1, data=tmp_path)], lambda _: None)
        affliction, child = ProcessAffliction(children, Disturbance()), children.by_id[A1]

        async def until(what: Callable[[], bool]) -> None:
            end = time.monotonic() + 30
            while not what() and time.monotonic() < end:
                await asyncio.sleep(0.01)
            assert what()

        try:
            children.start(A1)
            await until(lambda: child.address is not None)
            assert child.process is not None
            process = psutil.Process(child.process.pid)
            affliction.deed("pause", A1)
            await until(lambda: process.status() == psutil.STATUS_STOPPED)
            affliction.deed("resume", A1)
            await until(lambda: process.status() != psutil.STATUS_STOPPED)
            affliction.deed("full_disk", A1)
            children.order(A1, "run", True)
            await until(lambda: child.process is None)
            assert not process.is_running()
            assert children.errors == []
            assert children.faults == {"pause": 1, "resume": 1, "full-disk": 1}
        finally:
            children.kill_all()

    asyncio.run(made())


def test_what_an_affliction_orders_is_what_a_node_understands() -> None:
    class Recorded:
        def __init__(self) -> None:
            self.by_id, self.faults, self.orders = {A1: None, L1: None}, Counter[str](), list[Any]()

        def order(self, me: ProcessId, *words: Any) -> None:
            self.orders.append((me, *words))

        def signal(self, me: ProcessId, number: int) -> None:
            self.orders.append((me, number))

    cluster: Any = Recorded()
    affliction = ProcessAffliction(cluster, Disturbance(loss=0.1))
    affliction.amount("slow_disk", A1, 0.2)
    affliction.amount("clock_jump", L1, -30.0)
    affliction.deed("pause", A1)
    affliction.deed("resume", A1)
    assert cluster.orders == [(A1, "disk", 0.2, False), (L1, "clock", -30.0), (A1, signal.SIGSTOP), (A1, signal.SIGCONT)]
    cluster.orders.clear()
    affliction.weather("duplication", 0.5)
    affliction.block({(A1, L1)})
    assert cluster.orders[-2:] == [
        (A1, "disturb", Disturbance(0.1, 0.5, deaf_to=frozenset({L1}))),
        (L1, "disturb", Disturbance(0.1, 0.5)),
    ]
    assert cluster.faults == {"slow-disk": 1, "clock-jump": 1, "pause": 1, "resume": 1, "duplication": 1, "partition": 1}


def test_the_simulated_network_loses_and_doubles() -> None:
    world = SimulatedCluster(SimulationPlan(Roster(timing=SIMULATED_TIMING), KeyValueStore(), 1)).world
    world.run(2.0)
    came: list[Envelope] = []
    world.nodes[A1].receive = came.append  # type: ignore[method-assign]
    for name, copies in (("loss", 0), ("duplication", 20)):
        setattr(world.weather, name, 1.0)
        world.send([Envelope(scout_id(B01), A1, P1a(B01))] * 10)
        world.run(world.time + 1.0)
        setattr(world.weather, name, 0.0)
        assert sum(each.content == P1a(B01) for each in came) == copies


def test_nodes_are_stopped_in_an_order_in_which_nobody_is_asked_who_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[tuple[str, ...]] = []
    stop = Children.stop

    async def recorded(self: Children, listed: list[Child]) -> None:
        assert not any(each.stopped for each in listed)
        await stop(self, listed)
        assert all(each.stopped for each in listed)
        stopped.append(tuple(each.spec.name for each in listed))

    monkeypatch.setattr(Children, "stop", recorded)
    result = run_cluster(RunPlan(ROSTER, requests=2))
    assert result.failures == []
    assert stopped == [("C1",), ("R1",), ("L1",), ("A1",)]


def test_the_disk_is_waited_for_where_something_was_promised_and_only_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each commit SQLite synchronises its journal if `synchronous` is full (2), not if it is normal (1)."""
    said: list[str] = []
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        made = connect(*arguments, **options)
        made.set_trace_callback(said.append)
        return made

    monkeypatch.setattr("pmmc_check.runtime.storage.sqlite3.connect", connected)
    for waits_for_disk, expected in ((True, "normal full full normal full"), (False, "normal normal normal normal normal")):
        with closing(SqliteStorage(tmp_path / f"{waits_for_disk}.sqlite", "A1", "c", waits_for_disk)) as storage:
            level, levels = "", []
            for number, promises in enumerate((False, True, True, False, True), 1):
                storage.commit(Commit(None, [pv(B01, number, C1)], number, promises=promises), lambda: None)
        for each in said:
            level = each.split("=")[1].strip() if each.startswith("pragma synchronous=") else level
            if each.startswith("insert into record"):
                levels.append(level)
        assert " ".join(levels) == expected
        said.clear()


def test_orders_to_stop_go_to_replicas_first_and_acceptors_last(monkeypatch: pytest.MonkeyPatch) -> None:
    from pmmc_check.runtime import control  # noqa: PLC0415

    asked: list[str] = []

    async def order_all(cluster: Any, word: str, nodes: tuple[ProcessId, ...]) -> dict[ProcessId, Any]:
        asked.extend(f"{word} {each}" for each in nodes)
        return {each: {} for each in nodes}

    monkeypatch.setattr(control, "order_all", order_all)
    nodes = tuple(ProcessId(role, number) for number in (1, 2) for role in (ACCEPTOR, LEADER, REPLICA))
    assert set(asyncio.run(control.stop_all(None, nodes))) == set(nodes)  # type: ignore[arg-type]
    assert asked == ["stop R1", "stop R2", "stop L1", "stop L2", "stop A1", "stop A2"]
