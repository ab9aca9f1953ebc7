"""Faults of a simulated cluster: what a seed lets happen, and when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from pmmc_check.errors import UsageError, did_you_mean
from pmmc_check.protocol.values import ProcessId
from pmmc_check.runtime.scenario import Scenario
from pmmc_check.runtime.simulated_world import SimulatedWorld

_CLEAR = {"loss": 0.0, "duplication": 0.0, "delay": 0.002, "spread": 0.003}


class Nemesis:
    """Begins a fault every few seconds, and ends each after a while; after `until` all is well, and stays so."""

    def __init__(self, world: SimulatedWorld, kinds: Sequence[str], seed: int, until: float, every: float = 2.0) -> None:
        self.world, self.kinds, self.until, self.every = world, kinds, until, every
        self.rng = Random(seed)
        self.done: Counter[str] = Counter()
        system = world.setting.system
        self.servers: list[ProcessId] = [*system.acceptors, *system.leaders, *system.replicas]
        if kinds:
            world.at(self.rng.expovariate(1 / every), self._next)
            world.at(until, self.end)

    def _next(self) -> None:
        if self.world.time >= self.until:
            return
        kind = self.rng.choice(self.kinds)
        self.done[kind] += 1
        FAULTS_BY_NAME[kind](self)
        self.world.at(self.rng.expovariate(1 / self.every), self._next)

    def end(self) -> None:
        """Everything is mended."""
        world = self.world
        self._clear()
        world.weather.blocked.clear()
        for me in self.servers:
            world.disks[me].full, world.disks[me].slowness = False, 1.0
            world.wake(me)
            world.start(me)

    def _clear(self) -> None:
        for name, value in _CLEAR.items():
            setattr(self.world.weather, name, value)

    def _later(self, call: Callable[[], None], mean: float = 3.0) -> None:
        self.world.at(self.rng.expovariate(1 / mean), call)

    # ---- the kinds ----

    def lose(self) -> None:
        """A network that loses up to 40 % of all messages for a while."""
        self._weather("loss", self.rng.uniform(0.05, 0.4))

    def duplicate(self) -> None:
        """A network that doubles up to half of all messages for a while."""
        self._weather("duplication", self.rng.uniform(0.1, 0.5))

    def delay(self) -> None:
        """Messages take up to 300 ms longer for a while."""
        self._weather("delay", self.rng.uniform(0.01, 0.3))

    def reorder(self) -> None:
        """Delays that differ by up to a second for a while."""
        self._weather("spread", self.rng.uniform(0.02, 0.5))

    def _weather(self, name: str, value: float) -> None:
        setattr(self.world.weather, name, value)
        self._later(lambda: setattr(self.world.weather, name, _CLEAR[name]))

    def partition(self) -> None:
        """Two sides that do not hear each other; clients stay with everybody."""
        side = {each for each in self.servers if self.rng.random() < 0.4}
        others = set(self.servers) - side
        self._block({(one, other) for one in side for other in others} | {(other, one) for one in side for other in others})

    def one_way(self) -> None:
        """One side that is heard and does not hear."""
        side = {each for each in self.servers if self.rng.random() < 0.3}
        self._block({(other, one) for one in side for other in set(self.servers) - side})

    def _block(self, pairs: set[tuple[ProcessId, ProcessId]]) -> None:
        self.world.weather.blocked |= pairs
        self._later(partial(self.world.weather.blocked.difference_update, pairs))

    def kill(self) -> None:
        """One node, sometimes several, crash and come back."""
        for me in self.rng.sample(self.servers, 1 if self.rng.random() < 0.7 else min(4, len(self.servers))):
            self.world.crash(me)
            self._later(partial(self.world.start, me), 2.0)

    def pause(self) -> None:
        """One node stands still and goes on."""
        me = self.rng.choice(self.servers)
        self.world.sleep(me)
        self._later(partial(self.world.wake, me))

    def slow_disk(self) -> None:
        """The commits of about half of the nodes take up to some hundred times as long."""
        for me in self.servers:
            if self.rng.random() < 0.5:
                disk = self.world.disks[me]
                disk.slowness = self.rng.uniform(10, 500)
                self._later(partial(setattr, disk, "slowness", 1.0))

    def full_disk(self) -> None:
        """One node cannot write any more, stops, and comes back when there is space again."""
        disk = self.world.disks[self.rng.choice(self.servers)]
        disk.full = True
        self._later(partial(self._space_again, disk.me))

    def _space_again(self, me: ProcessId) -> None:
        self.world.disks[me].full = False
        self.world.start(me)

    def power(self) -> None:
        """The power fails for all nodes, or for some, and comes back for one after the other."""
        everywhere = self.rng.random() < 0.3
        for me in self.servers:
            if everywhere or self.rng.random() < 0.4:
                self.world.fail_power(me)
                self._later(partial(self.world.start, me), 2.0)

    def clock_jump(self) -> None:
        """The clock of one node jumps by up to a minute, forwards or backwards."""
        self.world.clocks[self.rng.choice(list(self.world.clocks))].offset += self.rng.uniform(-60, 60)


class SimulatedAffliction:
    """A scenario in a simulated cluster; after its last moment, and when `until` has come, all is well."""

    def __init__(self, world: SimulatedWorld, scenario: Scenario, until: float, done: Counter[str]) -> None:
        self.world, self.done = world, done
        for moment in scenario.moments:
            world.at(moment.seconds, partial(moment.happens, self))
        world.at(until, self._end)

    def _end(self) -> None:
        """All is mended, which no fault is, and so is not counted."""
        self.mend()
        for me, disk in self.world.disks.items():
            disk.slowness, disk.delay = 1.0, 0.0
            self._do("resume", me)
            self._do("restart", me)

    def weather(self, name: str, value: float) -> None:
        """Of the world's network."""
        self.done[name] += 1
        setattr(self.world.weather, {"reordering": "spread"}.get(name, name), _CLEAR.get(name, 0.0) + value)

    def deed(self, name: str, me: ProcessId) -> None:
        """As `Afflicted` has it."""
        self.done[name.replace("_", "-")] += 1
        self._do(name, me)

    def _do(self, name: str, me: ProcessId) -> None:
        world = self.world
        if name == "kill":
            world.crash(me)
        elif name == "restart":
            world.disks[me].full = False
            world.start(me)
        elif name == "full_disk":
            world.disks[me].full = True
        else:
            (world.sleep if name == "pause" else world.wake)(me)

    def block(self, pairs: set[tuple[ProcessId, ProcessId]]) -> None:
        """Of the world's network."""
        self.done["partition"] += 1
        self.world.weather.blocked |= pairs

    def amount(self, name: str, me: ProcessId, seconds: float) -> None:
        """As `Afflicted` has it."""
        self.done[name.replace("_", "-")] += 1
        if name == "slow_disk":
            self.world.disks[me].delay = seconds
        else:
            self.world.clocks[me].offset += seconds

    def mend(self) -> None:
        """Of the world's network."""
        for name, value in _CLEAR.items():
            setattr(self.world.weather, name, value)
        self.world.weather.blocked.clear()


FAULTS_BY_NAME: dict[str, Callable[[Nemesis], None]] = {
    "loss": Nemesis.lose,
    "duplication": Nemesis.duplicate,
    "delay": Nemesis.delay,
    "reordering": Nemesis.reorder,
    "partition": Nemesis.partition,
    "one-way": Nemesis.one_way,
    "kill": Nemesis.kill,
    "pause": Nemesis.pause,
    "slow-disk": Nemesis.slow_disk,
    "full-disk": Nemesis.full_disk,
    "clock-jump": Nemesis.clock_jump,
    "power": Nemesis.power,
}
"""The faults, by the names that options use."""


def faults_named(text: str) -> tuple[str, ...]:
    """`all`, `none`, or a list of faults.

    Raises:
        UsageError: one of them is none.
    """
    if text in ("all", "none"):
        return tuple(FAULTS_BY_NAME) if text == "all" else ()
    listed = tuple(text.split(","))
    for each in listed:
        if each not in FAULTS_BY_NAME:
            guess, known = did_you_mean(each, FAULTS_BY_NAME), ",".join(FAULTS_BY_NAME)
            raise UsageError(f"--faults {each}: no such fault{guess}; expected all, none or some of {known}")
    return listed
