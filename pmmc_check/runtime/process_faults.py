"""Faults of real processes: what the transports do wrong, and who is killed, or stands still, how often."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA, ProcessId
from pmmc_check.runtime.children import Children
from pmmc_check.runtime.scenario import Scenario
from pmmc_check.runtime.tcp import Disturbance

KILLED, PAUSED, CUT_OFF = "{}s killed", "{}s paused", "one-way partitions"
"""How these faults are counted."""
_TIMES = 3
"""So often what breaks the cluster now and then should at least do so."""


class ProcessAffliction:
    """A scenario in a cluster of processes."""

    def __init__(self, cluster: Children, disturbance: Disturbance) -> None:
        self.cluster, self.disturbance = cluster, disturbance
        self._times = {"delay": disturbance.delay, "reordering": 0.0}
        self._deaf: dict[ProcessId, frozenset[ProcessId]] = {}

    def _disturb(self) -> None:
        for me in self.cluster.by_id:
            self._disturb_node(me)

    def _disturb_node(self, me: ProcessId) -> None:
        self.cluster.order(me, "disturb", replace(self.disturbance, deaf_to=self._deaf.get(me, frozenset())))

    def weather(self, name: str, value: float) -> None:
        """Of the transports, where delays reorder: so both kinds of them add up."""
        self.cluster.faults[name] += 1
        change: dict[str, Any] = {name: value}
        if name in self._times:
            self._times[name] = value
            change = {"delay": sum(self._times.values())}
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
            self._disturb_node(me)
        elif name == "full_disk":
            cluster.fill_disk(me)
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
        self._times = dict.fromkeys(self._times, 0.0)
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

    @property
    def seconds(self) -> float:
        """For so long clients spread their requests: what breaks the cluster now and then shall meet some."""
        now_and_then = _TIMES * self.every if self.kill or self.pause or self.partition else 0.0
        return max(now_and_then, self.scenario.seconds if self.scenario is not None else 0.0)

    def missing(self, happened: Counter[str]) -> list[str]:
        """What was to happen now and then, and has never."""
        names = [*(KILLED.format(each) for each in self.kill), *(PAUSED.format(each) for each in self.pause)]
        return [each for each in (*names, *([CUT_OFF] if self.partition else [])) if not happened[each]]

    @asynccontextmanager
    async def afflicting(self, cluster: Children) -> AsyncIterator[asyncio.Task[None]]:
        """Within, all this happens; the task ends with the scenario, or at once."""
        scenario, *others = [asyncio.create_task(each) for each in (self._play(cluster), *self._without_end(cluster))]
        try:
            yield scenario
        finally:
            for task in (scenario, *others):
                task.cancel()
        failed = [task.exception() for task in (scenario, *others) if task.done() and not task.cancelled()]
        for exception in filter(None, failed):
            raise exception

    def _without_end(self, cluster: Children) -> Iterator[Coroutine[Any, Any, None]]:
        for role in self.kill:
            yield self._kill(cluster, role, Random(f"{self.seed} kill {role}"))
        for role in self.pause:
            yield self._pause(cluster, role, Random(f"{self.seed} pause {role}"))
        if self.partition:
            yield self._partition(cluster, Random(f"{self.seed} partition"))

    async def _play(self, cluster: Children) -> None:
        affliction, began = ProcessAffliction(cluster, self.disturbance), time.monotonic()
        for moment in self.scenario.moments if self.scenario is not None else ():
            await asyncio.sleep(began + moment.seconds - time.monotonic())
            moment.happens(affliction)

    async def _kill(self, cluster: Children, role: str, rng: Random) -> None:
        while True:
            await asyncio.sleep(self.every * rng.uniform(0.7, 1.3) - self.down)
            if (me := _one_that_is_up(cluster, role, rng)) is not None:
                cluster.faults[KILLED.format(role)] += 1
                cluster.kill(me)
                await asyncio.sleep(self.down)
                cluster.come_back(me)

    async def _pause(self, cluster: Children, role: str, rng: Random) -> None:
        while True:
            await asyncio.sleep(self.every * rng.uniform(0.7, 1.3))
            if (me := _one_that_is_up(cluster, role, rng)) is not None:
                cluster.faults[PAUSED.format(role)] += 1
                cluster.signal(me, signal.SIGSTOP)
                await asyncio.sleep(self.down)
                cluster.signal(me, signal.SIGCONT)

    async def _partition(self, cluster: Children, rng: Random) -> None:
        servers = [each for each in cluster.by_id if each.role in (ACCEPTOR, LEADER, REPLICA)]
        while True:
            cluster.faults[CUT_OFF] += 1
            cluster.order_all("disturb", replace(self.disturbance, deaf_to=frozenset({rng.choice(servers)})))
            await asyncio.sleep(self.every)


def _one_that_is_up(cluster: Children, role: str, rng: Random) -> ProcessId | None:
    up = [each for each in cluster.by_id if each.role == role and cluster.is_up(each)]
    return rng.choice(up) if up else None
