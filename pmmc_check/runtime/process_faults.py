"""Faults of real processes: what the transports do wrong, and who is killed, or stands still, how often."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Protocol

from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA, ProcessId
from pmmc_check.runtime.tcp import Disturbance


class Breakable(Protocol):
    """A cluster of processes."""

    faults: Counter[str]
    children: Any

    def kill(self, me: ProcessId) -> None:
        """`kill -9`."""

    def come_back(self, me: ProcessId) -> None:
        """Starts it again."""

    def signal(self, me: ProcessId, number: int) -> None:
        """Sends a signal."""

    def order_all(self, *words: Any) -> None:
        """Tells every node."""


@dataclass(frozen=True)
class ProcessFaults:
    """`kill` and `pause` are roles of which one node at a time is killed, or stands still, every `every` seconds; `down` seconds later
    it goes on.
    `partition` cuts one node off at a time, in one direction, just as often."""

    disturbance: Disturbance = field(default_factory=Disturbance)
    kill: tuple[str, ...] = ()
    pause: tuple[str, ...] = ()
    partition: bool = False
    every: float = 1.0
    down: float = 0.4
    seed: int = 1

    def tasks(self, cluster: Breakable) -> Iterator[Coroutine[Any, Any, None]]:
        """What goes on beside the run."""
        for role in self.kill:
            yield self._kill(cluster, role, Random(f"{self.seed} kill {role}"))
        for role in self.pause:
            yield self._pause(cluster, role, Random(f"{self.seed} pause {role}"))
        if self.partition:
            yield self._partition(cluster, Random(f"{self.seed} partition"))

    async def _kill(self, cluster: Breakable, role: str, rng: Random) -> None:
        while True:
            await asyncio.sleep(self.every * rng.uniform(0.7, 1.3) - self.down)
            me = rng.choice([each for each in cluster.children if each.role == role])
            cluster.faults[f"{role}s killed"] += 1
            cluster.kill(me)
            await asyncio.sleep(self.down)
            cluster.come_back(me)

    async def _pause(self, cluster: Breakable, role: str, rng: Random) -> None:
        while True:
            await asyncio.sleep(self.every * rng.uniform(0.7, 1.3))
            me = rng.choice([each for each in cluster.children if each.role == role])
            cluster.faults[f"{role}s paused"] += 1
            cluster.signal(me, signal.SIGSTOP)
            await asyncio.sleep(self.down)
            cluster.signal(me, signal.SIGCONT)

    async def _partition(self, cluster: Breakable, rng: Random) -> None:
        servers = [each for each in cluster.children if each.role in (ACCEPTOR, LEADER, REPLICA)]
        while True:
            cluster.faults["one-way partitions"] += 1
            cluster.order_all("disturb", replace(self.disturbance, deaf_to=frozenset({rng.choice(servers)})))
            await asyncio.sleep(self.every)
