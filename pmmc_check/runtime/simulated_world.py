"""A world for nodes in one process: virtual time, a network and disks that a seed decides. The same seed gives the same run on every
machine."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random

from pmmc_check.protocol.values import REPLICA, Ballot, ProcessId, host_of
from pmmc_check.runtime.host import ClusterSetting
from pmmc_check.runtime.node import LiveNode
from pmmc_check.runtime.roster import node_for, nodes_of
from pmmc_check.runtime.surroundings import Commit, Envelope, NodeSurroundings, Record, Stored

_DECIDED = re.compile(r"\S+ < decision s=(\d+)")


@dataclass
class Weather:
    """What the network and the disks do at the moment. Rates are probabilities a message; times are in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.002
    spread: float = 0.003
    disk: float = 0.001
    blocked: set[tuple[ProcessId, ProcessId]] = field(default_factory=set)


@dataclass
class Kept:
    """What commits have left on a disk, as `Stored` has it."""

    ballot: Ballot | None = None
    records: list[Record] = field(default_factory=list)
    forgotten: int = 0
    snapshot: bytes = b""

    def add(self, change: Commit) -> None:
        """One commit more."""
        self.ballot = change.ballot if change.ballot is not None else self.ballot
        self.records += change.records
        self.snapshot = change.snapshot or self.snapshot
        if change.forgotten is not None:
            self.forgotten = change.forgotten
            self.records = [each for each in self.records if each.slot > change.forgotten]

    def after(self, changes: Sequence[Commit]) -> Kept:
        """A copy, and some commits more."""
        copy = replace(self, records=list(self.records))
        for each in changes:
            copy.add(each)
        return copy

    @property
    def slots(self) -> set[int]:
        """Of which something is known."""
        return {*range(1, self.forgotten + 1), *(each.slot for each in self.records)}


class SimulatedDisk:
    """Outlives the node. What was committed is there after a crash; a commit under way is lost. A power failure leaves what was waited for,
    and of the commits since then as many, from the first, as the seed decides."""

    def __init__(self, world: SimulatedWorld, me: ProcessId) -> None:
        self.world, self.me = world, me
        self.mark: int | None = None
        self.full, self.slowness, self.delay = False, 1.0, 0.0
        self._safe = Kept()
        self._later: list[Commit] = []
        """What was committed since and is not waited for, without those commits that only say how long the log is."""

    @property
    def kept(self) -> Kept:
        """All commits."""
        return self._safe.after(self._later)

    def load(self) -> Stored | None:
        """All commits."""
        if self.mark is None:
            return None
        kept = self.kept
        return Stored(kept.ballot, tuple(kept.records), self.mark, kept.forgotten, kept.snapshot or None)

    def commit(self, change: Commit, done: Callable[[], None]) -> None:
        """Takes its time; on a full disk a node that has to promise something stops instead."""
        if self.full and change.promises:
            self.world.crash(self.me)
            return
        seconds = self.world.weather.disk * self.slowness * self.world.rng.expovariate(1.0) + self.delay if change.promises else 0.0
        self.world.at(seconds, partial(self._written, change, done), self.world.clocks[self.me].life)

    def _written(self, change: Commit, done: Callable[[], None]) -> None:
        self.mark = change.mark
        if change.records or change.ballot is not None or change.forgotten is not None or change.snapshot is not None:
            self._later.append(change)
        if change.promises and self.world.waits_for_disk:
            for each in self._later:
                self._safe.add(each)
            self._later.clear()
        done()

    def lose_power(self) -> None:
        """The node is down already. Its log was read until then, so that nothing of it is lost; but where decisions are, the log of another
        replica begins."""
        before = self.kept.slots
        del self._later[self.world.rng.randint(0, len(self._later)) :]
        left = self.kept.slots
        if self.me.role == REPLICA and not before <= left:
            self.mark = self.world.logs[self.me].begin_again(self.mark or 0, left)


class SimulatedLog:
    """The lines of one node's log; a crash leaves all of them, whether they were committed or not.

    A replica that has lost decisions with the power is, for the protocol, another replica: the one of before never comes back, and the new
    one has received those decisions that are left, and crashed before it answered. `earlier` are the logs of those before.
    """

    records = True

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.earlier: list[list[str]] = []

    def open(self, mark: int) -> None:
        """Cuts off what follows `mark`."""
        del self.lines[mark:]

    def write(self, lines: Sequence[str]) -> int:
        """Appends."""
        self.lines += lines
        return len(self.lines)

    def begin_again(self, mark: int, slots: set[int]) -> int:
        """Begins the log of a replica that has received what was decided in `slots`, the first one last, so that it has answered nothing;
        returns the mark."""
        self.open(mark)
        found = {int(match[1]): line for line in self.lines if (match := _DECIDED.match(line))}
        self.earlier.append(self.lines)
        self.lines = [found[slot] for slot in sorted(slots, key=lambda slot: (slot == 1, slot))]
        return len(self.lines)


@dataclass(eq=False)
class Life:
    """A node from its start to its crash. `held`: while it sleeps, what waits for it to go on; else None."""

    over: bool = False
    held: list[Callable[[], None]] | None = None


class SimulatedClock:
    """Virtual time as one node sees it."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.offset = 0.0
        self.life = Life(over=True)

    def now(self) -> float:
        """The world's time, and all jumps of this clock."""
        return self.world.time + self.offset

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Durations are right whatever the clock shows. What a crashed node has asked for does not happen."""
        world = self.world
        if seconds:
            heappush(world.agenda, (world.time + seconds, next(world.serial), self.life, call))
        else:
            world.at_once.append((self.life, call))


class SimulatedWorld:
    """All nodes of one cluster, and what is going to happen, in order of time. Unless it `waits_for_disk`, a power failure may undo what
    was promised."""

    def __init__(self, setting: ClusterSetting, seed: int, waits_for_disk: bool = True) -> None:
        self.setting, self.rng, self.waits_for_disk = setting, Random(seed), waits_for_disk
        self.time = 0.0
        self.weather = Weather()
        self.nodes: dict[ProcessId, LiveNode] = {}
        self.lost: Counter[str] = Counter()
        """What nodes that have crashed had counted."""
        everybody = nodes_of(setting.system)
        self.disks = {me: SimulatedDisk(self, me) for me in everybody}
        self.logs = {me: SimulatedLog() for me in everybody}
        self.clocks = {me: SimulatedClock(self) for me in everybody}
        self.agenda: list[tuple[float, int, Life, Callable[[], None]]] = []
        self.at_once: deque[tuple[Life, Callable[[], None]]] = deque()
        """What happens before any time passes: most steps of a node follow each other so, and need no place in the heap."""
        self.serial = count()
        self._itself = Life()
        for me in everybody:
            self.start(me)

    # ---- time ----

    def at(self, seconds: float, call: Callable[[], None], life: Life | None = None) -> None:
        """Calls `call` so many seconds from now: in this `life` of a node or not at all, or whatever becomes of the nodes."""
        if seconds:
            heappush(self.agenda, (self.time + seconds, next(self.serial), life or self._itself, call))
        else:
            self.at_once.append((life or self._itself, call))

    def run(self, until: float, finished: Callable[[], bool] = lambda: False) -> None:
        """Goes on until that time, or until it has finished."""
        agenda, now = self.agenda, self.at_once
        while not finished():
            if now:
                life, call = now.popleft()
            elif agenda and agenda[0][0] <= until:
                self.time, _, life, call = heappop(agenda)
            else:
                self.time = max(self.time, until)
                return
            if life.held is not None:
                life.held.append(call)
            elif not life.over:
                call()

    # ---- nodes ----

    def start(self, me: ProcessId) -> None:
        """Starts a node that is down; it finds its disk and its log as they were."""
        if me in self.nodes:
            return
        self.clocks[me].life = Life()
        around = NodeSurroundings(self.clocks[me], self, self.disks[me], self.logs[me], Random(self.rng.getrandbits(64)))
        node = self.nodes[me] = node_for(me, self.setting, around)
        node.start()

    def crash(self, me: ProcessId) -> None:
        """As `kill -9` does."""
        life = self.clocks[me].life
        life.over, life.held = True, None
        node = self.nodes.pop(me, None)
        self.lost += node.counts if node is not None else Counter()

    def fail_power(self, me: ProcessId) -> None:
        """As when somebody pulls the plug: whether the node runs or not, its disk loses what was not waited for."""
        self.crash(me)
        self.disks[me].lose_power()

    def sleep(self, me: ProcessId) -> None:
        """As SIGSTOP does."""
        life = self.clocks[me].life
        if me in self.nodes and life.held is None:
            life.held = []

    def wake(self, me: ProcessId) -> None:
        """As SIGCONT does."""
        life = self.clocks[me].life
        held, life.held = life.held or (), None
        self.at_once.extend((life, call) for call in held)

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
        node, life = self.nodes.get(ends[1]), self.clocks[ends[1]].life
        if node is None or ends in self.weather.blocked:
            return
        if life.held is not None:
            life.held.append(partial(node.receive, envelope))
        else:
            node.receive(envelope)
