"""Faults of real processes: what the transports do wrong, and who is killed, or stands still, how often."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Protocol

from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA, ProcessId
from pmmc_check.runtime.scenario import Scenario
from pmmc_check.runtime.tcp import Disturbance


class Breakable(Protocol):
    """A cluster of processes."""

    faults: Counter[str]
    children: Any
    scenario_is_over: bool

    def kill(self, me: ProcessId) -> None:
        """`kill -9`."""

    def come_back(self, me: ProcessId) -> None:
        """Starts it again."""

    def signal(self, me: ProcessId, number: int) -> None:
        """Sends a signal."""

    def order_all(self, *words: Any) -> None:
        """Tells every node."""

    def order(self, me: ProcessId, *words: Any) -> None:
        """Tells one node."""

    def may_fail(self, me: ProcessId) -> None:
        """From now on it is no error if the node ends."""


class ProcessAffliction:
    """A scenario in a cluster of processes."""

    def __init__(self, cluster: Breakable, disturbance: Disturbance) -> None:
        self.cluster, self.disturbance = cluster, disturbance
        self._deaf: dict[ProcessId, frozenset[ProcessId]] = {}

    def _disturb(self) -> None:
        for me in self.cluster.children:
            self.cluster.order(me, "disturb", replace(self.disturbance, deaf_to=self._deaf.get(me, frozenset())))

    def weather(self, name: str, value: float) -> None:
        """Of the transports, where delays reorder."""
        self.cluster.faults[name] += 1
        change: dict[str, Any] = {"delay" if name == "reordering" else name: value}
        self.disturbance = replace(self.disturbance, **change)
        self._disturb()

    def deed(self, name: str, me: ProcessId) -> None:
        """As `Afflicted` has it."""
        cluster = self.cluster
        cluster.faults[name.replace("_", "-")] += 1
        if name == "kill":
            cluster.kill(me)
        elif name == "restart":
            cluster.order(me, "disk", 0.0, False)
            cluster.come_back(me)
            cluster.order(me, "disturb", replace(self.disturbance, deaf_to=self._deaf.get(me, frozenset())))
        elif name == "full_disk":
            cluster.may_fail(me)
            cluster.order(me, "disk", 0.0, True)
        else:
            cluster.signal(me, signal.SIGSTOP if name == "pause" else signal.SIGCONT)

    def block(self, pairs: set[tuple[ProcessId, ProcessId]]) -> None:
        """Each sends nothing to those that it shall not reach."""
        self.cluster.faults["partition"] += 1
        for one, other in pairs:
            self._deaf[one] = self._deaf.get(one, frozenset()) | {other}
        self._disturb()

    def amount(self, name: str, me: ProcessId, seconds: float) -> None:
        """As `Afflicted` has it."""
        self.cluster.faults[name.replace("_", "-")] += 1
        if name == "slow_disk":
            self.cluster.order(me, "disk", seconds, False)
        else:
            self.cluster.order(me, "clock", seconds)

    def mend(self) -> None:
        """Of the transports."""
        self.disturbance = Disturbance()
        self._deaf.clear()
        self._disturb()


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
    scenario: Scenario | None = None

    def tasks(self, cluster: Breakable) -> Iterator[Coroutine[Any, Any, None]]:
        """What goes on beside the run."""
        for role in self.kill:
            yield self._kill(cluster, role, Random(f"{self.seed} kill {role}"))
        for role in self.pause:
            yield self._pause(cluster, role, Random(f"{self.seed} pause {role}"))
        if self.partition:
            yield self._partition(cluster, Random(f"{self.seed} partition"))
        if self.scenario is not None:
            yield self._play(cluster, self.scenario)

    async def _play(self, cluster: Breakable, scenario: Scenario) -> None:
        affliction, began = ProcessAffliction(cluster, self.disturbance), time.monotonic()
        for moment in scenario.moments:
            await asyncio.sleep(began + moment.seconds - time.monotonic())
            moment.happens(affliction)
        cluster.scenario_is_over = True

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
