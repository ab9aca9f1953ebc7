"""A world for nodes in one process: virtual time, a network and disks that a seed decides. The same seed gives the same run on every
machine."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random

from pmmc_check.protocol.values import Ballot, ProcessId, host_of
from pmmc_check.runtime.host import ClusterSetting
from pmmc_check.runtime.node import LiveNode
from pmmc_check.runtime.roster import node_for, nodes_of
from pmmc_check.runtime.surroundings import Commit, Envelope, NodeSurroundings, Record, Stored


@dataclass
class Weather:
    """What the network and the disks do at the moment. Rates are probabilities a message; times are in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.002
    spread: float = 0.003
    disk: float = 0.001
    blocked: set[tuple[ProcessId, ProcessId]] = field(default_factory=set)


class SimulatedDisk:
    """Outlives the node. What was committed is there after a crash; a commit under way is lost."""

    def __init__(self, world: SimulatedWorld, me: ProcessId) -> None:
        self.world, self.me = world, me
        self.ballot: Ballot | None = None
        self.records: list[Record] = []
        self.mark: int | None = None
        self.forgotten, self.snapshot = 0, b""
        self.full, self.slowness, self.delay = False, 1.0, 0.0

    def load(self) -> Stored | None:
        """All commits."""
        return None if self.mark is None else Stored(self.ballot, tuple(self.records), self.mark, self.forgotten, self.snapshot or None)

    def commit(self, change: Commit, done: Callable[[], None]) -> None:
        """Takes its time; on a full disk a node that has to promise something stops instead."""
        if self.full and change.promises:
            self.world.crash(self.me)
            return
        seconds = self.world.weather.disk * self.slowness * self.world.rng.expovariate(1.0) + self.delay if change.promises else 0.0
        self.world.call(self.me, seconds, partial(self._written, change, done))

    def _written(self, change: Commit, done: Callable[[], None]) -> None:
        self.ballot = change.ballot if change.ballot is not None else self.ballot
        self.records += change.records
        self.mark = change.mark
        self.snapshot = change.snapshot or self.snapshot
        if change.forgotten is not None:
            self.forgotten = change.forgotten
            self.records = [each for each in self.records if each.slot > change.forgotten]
        done()


class SimulatedLog:
    """The lines of one node's log; a crash leaves all of them, whether they were committed or not."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def open(self, mark: int) -> None:
        """Cuts off what follows `mark`."""
        del self.lines[mark:]

    def write(self, lines: Sequence[str]) -> int:
        """Appends."""
        self.lines += lines
        return len(self.lines)


class SimulatedClock:
    """Virtual time as one node sees it."""

    def __init__(self, world: SimulatedWorld, me: ProcessId) -> None:
        self.world, self.me = world, me
        self.offset = 0.0

    def now(self) -> float:
        """The world's time, and all jumps of this clock."""
        return self.world.time + self.offset

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Durations are right whatever the clock shows."""
        self.world.call(self.me, seconds, call)


class SimulatedWorld:
    """All nodes of one cluster, and what is going to happen, in order of time."""

    def __init__(self, setting: ClusterSetting, seed: int) -> None:
        self.setting, self.rng = setting, Random(seed)
        self.time = 0.0
        self.weather = Weather()
        self.nodes: dict[ProcessId, LiveNode] = {}
        self.lives = dict.fromkeys(nodes_of(setting.system), 0)
        self.disks = {me: SimulatedDisk(self, me) for me in self.lives}
        self.logs = {me: SimulatedLog() for me in self.lives}
        self.clocks = {me: SimulatedClock(self, me) for me in self.lives}
        self.asleep: dict[ProcessId, list[Callable[[], None]]] = {}
        self.steps = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._links: dict[tuple[ProcessId, ProcessId], float] = {}
        for me in self.lives:
            self.start(me)

    # ---- time ----

    def at(self, seconds: float, call: Callable[[], None]) -> None:
        """Calls `call` so many seconds from now, whatever becomes of the nodes."""
        heapq.heappush(self._agenda, (self.time + seconds, next(self._serial), call))

    def call(self, me: ProcessId, seconds: float, call: Callable[[], None]) -> None:
        """Calls `call` so many seconds from now, if the node is still the same by then; while it sleeps that waits."""
        self.at(seconds, partial(self._on, me, self.lives[me], call))

    def _on(self, me: ProcessId, life: int, call: Callable[[], None]) -> None:
        if self.lives[me] != life or me not in self.nodes:
            return
        if me in self.asleep:
            self.asleep[me].append(partial(self._on, me, life, call))
        else:
            call()

    def run(self, until: float, finished: Callable[[], bool] = lambda: False) -> None:
        """Goes on until that time, or until it has finished."""
        while self._agenda and self._agenda[0][0] <= until and not finished():
            self.time, _, call = heapq.heappop(self._agenda)
            self.steps += 1
            call()
        self.time = max(self.time, until) if not finished() else self.time

    # ---- nodes ----

    def start(self, me: ProcessId) -> None:
        """Starts a node that is down; it finds its disk and its log as they were."""
        if me in self.nodes:
            return
        around = NodeSurroundings(self.clocks[me], self, self.disks[me], self.logs[me], Random(self.rng.getrandbits(64)))
        node = self.nodes[me] = node_for(me, self.setting, around)
        node.start()

    def crash(self, me: ProcessId) -> None:
        """As `kill -9` does."""
        self.lives[me] += 1
        self.nodes.pop(me, None)
        self.asleep.pop(me, None)

    def sleep(self, me: ProcessId) -> None:
        """As SIGSTOP does."""
        if me in self.nodes:
            self.asleep.setdefault(me, [])

    def wake(self, me: ProcessId) -> None:
        """As SIGCONT does."""
        for call in self.asleep.pop(me, ()):
            self.at(0, call)

    # ---- the network ----

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """Loses, doubles and delays; what is not held up keeps its order, as on a connection."""
        for envelope in envelopes:
            ends = host_of(envelope.sender), host_of(envelope.to)
            if ends in self.weather.blocked or self.rng.random() < self.weather.loss:
                continue
            for _ in range(2 if self.rng.random() < self.weather.duplication else 1):
                self.at(self._delay(), partial(self._arrived, ends, envelope))

    def _delay(self) -> float:
        return self.weather.delay + self.rng.expovariate(1.0) * self.weather.spread

    def _arrived(self, ends: tuple[ProcessId, ProcessId], envelope: Envelope) -> None:
        node = self.nodes.get(ends[1])
        if node is not None and ends not in self.weather.blocked:
            self._on(ends[1], self.lives[ends[1]], partial(node.receive, envelope))
