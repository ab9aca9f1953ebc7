"""Throughput and latency of the live cluster, recorded or not, beside PySyncObj (Raft) in the same run. Prints a table.

    PYTHONPATH=. python benchmarks/run.py [--requests 3000] [--rounds 3]

Ours: 5 clients, 3 replicas, 3 leaders, 3 acceptors, 14 processes in all; each client has 20 requests under way. PySyncObj: 3 processes
that are server and client in one; the leader has 100 requests under way. Of several rounds, which take turns, the best of each kind
counts: others use the machine, too.

What is promised is written, and is kept through
- a power failure: the disk has been waited for;
- a kill -9: it has been handed to the operating system;
- nothing: it is in memory.
PySyncObj's journal is a mapped file that it never synchronises, so that a kill -9 is all it stands. For the first row of the table it is
made to synchronise the journal, here, before it sends anything after a change of it.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pmmc_check.runtime.results import percentile
from pmmc_check.runtime.roster import Roster
from pmmc_check.runtime.supervisor import RunPlan, run_cluster

CLIENTS, UNDER_WAY = 5, 100
POWER_FAILURE, KILL, NOTHING = "a power failure", "a kill -9", "nothing"
KEPT_THROUGH = (POWER_FAILURE, KILL, NOTHING)


def ours(requests: int, recorded: bool, kept: str, under_way: int = UNDER_WAY) -> tuple[float, float]:
    """Requests a second, and the median latency in seconds."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plan = RunPlan(
            Roster(clients=CLIENTS if under_way > 1 else 1, window=2 * UNDER_WAY),
            "kv",
            requests // CLIENTS,
            max(1, under_way // CLIENTS),
            seconds_max=300,
            logs=folder / "logs" if recorded else None,
            data=folder / "data" if kept != NOTHING else None,
            waits_for_disk=kept == POWER_FAILURE,
        )
        for made in filter(None, (plan.logs, plan.data)):
            made.mkdir()
        result = run_cluster(plan)
        assert not result.failures, result.failures
        return result.answered / result.seconds, result.latency(0.5)


def peer(requests: int, kept: str, period: float, under_way: int = UNDER_WAY) -> tuple[float, float]:
    """The same for PySyncObj."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, "--peer", json.dumps([addresses, requests, under_way, folder, kept, period])]
        nodes = [subprocess.Popen([*words, str(number)], stdout=subprocess.PIPE, text=True) for number in range(3)]
        try:
            pipes = [each.stdout for each in nodes if each.stdout is not None]
            ready, _, _ = select.select(pipes, (), (), 120)
            found: list[float] = json.loads(ready[0].readline())
        finally:
            for each in nodes:
                each.kill()
                each.wait()
    return found[0], found[1]


def peer_node(text: str, number: int) -> None:
    """One node of PySyncObj; the leader asks."""
    from pysyncobj import SyncObj, SyncObjConf, replicated  # noqa: PLC0415  (only this benchmark needs it)

    addresses, requests, under_way, folder, kept, period = json.loads(text)
    if kept == POWER_FAILURE:
        _synchronise_before_sending()

    class Store(SyncObj):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            journal = f"{folder}/journal{number}" if kept != NOTHING else None
            others = [each for each in addresses if each != addresses[number]]
            super().__init__(addresses[number], others, SyncObjConf(journalFile=journal, appendEntriesPeriod=period))
            self.held: dict[str, str] = {}

        @replicated  # type: ignore[untyped-decorator]  # likewise
        def put(self, key: str, value: str) -> str | None:
            before = self.held.get(key)
            self.held[key] = value
            return before

    store = Store()
    while not store.isReady() or store._getLeader() is None:
        time.sleep(0.01)
    if str(store._getLeader()) == addresses[number]:
        print(json.dumps(_asks(store, requests, under_way)), flush=True)
    time.sleep(300)  # until it is killed


def _synchronise_before_sending() -> None:
    """Makes PySyncObj's journal as durable as Raft asks: at most one wait for the disk for all that one message answers."""
    from pysyncobj.journal import FileJournal  # noqa: PLC0415  (likewise only here)
    from pysyncobj.transport import TCPTransport  # noqa: PLC0415  (likewise)

    add, send = FileJournal.add, TCPTransport.send
    changed: set[Any] = set()

    def added(journal: Any, *entry: Any) -> None:
        add(journal, *entry)
        changed.add(journal)

    def sent(transport: Any, node: Any, message: Any) -> Any:
        while changed:
            changed.pop().flush()
        return send(transport, node, message)

    FileJournal.add, TCPTransport.send = added, sent


def _asks(store: Any, requests: int, under_way: int) -> list[float]:
    latencies: list[float] = []
    sent = 0
    began = time.perf_counter()

    def ask() -> None:
        nonlocal sent
        sent += 1
        called = time.perf_counter()
        store.put(f"k{sent % 5}", str(sent), callback=lambda result, error: answered(called))

    def answered(called: float) -> None:
        latencies.append(time.perf_counter() - called)
        if sent < requests:
            ask()

    for _ in range(under_way):
        ask()
    while len(latencies) < requests:
        time.sleep(0.001)
    return [requests / (time.perf_counter() - began), percentile(latencies, 0.5)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        peer_node(arguments.peer[0], int(arguments.peer[1]))
        return
    found: dict[str, list[tuple[float, float]]] = {}

    def note(name: str, measured: tuple[float, float]) -> None:
        found.setdefault(name, []).append(measured)
        print(f"{name}: {measured[0]:,.0f} a second, median {measured[1] * 1000:,.1f} ms", file=sys.stderr, flush=True)

    for _ in range(arguments.rounds):
        for kept in KEPT_THROUGH:
            for recorded in (True, False):
                note(f"{kept} | pmmc-check, {'recorded' if recorded else 'not recorded'}", ours(arguments.requests, recorded, kept))
            for name, period in (("as it comes", 0.1), ("append period 5 ms", 0.005)):
                note(f"{kept} | PySyncObj, {name}", peer(arguments.requests, kept, period))
    print("| kept through | | requests a second | median latency, ms |\n|---|---|---|---|")
    for name, listed in found.items():
        rate, latency = max(listed)
        print(f"| {name} | {rate:,.0f} | {latency * 1000:,.1f} |")


if __name__ == "__main__":
    main()
