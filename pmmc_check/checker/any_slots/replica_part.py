"""The replica's part of `--slots any`: R2 to R5 and Validity of one replica, in all surroundings that Agreement and Validity allow.

The one-slot system has no replicas: there, everything that replicas could propose is in flight from the start. That is sound if a
replica proposes only what was requested, and sends nothing but `propose` to leaders and `response` to clients. Both are checked here, in
every step. What is left of the protocol's invariants speaks of one replica. And since replicas meet only through decisions, one
replica in the most general surroundings (see `surroundings`) stands for every replica of every run, within the bounds given there.

The search is breadth-first and complete: in every pair of log and replica's state that can be reached within the bounds, every message
that may come next is delivered, and the replica restarts. All windows are searched together, level by level, so that the run that is
shown is a shortest of all. No claim of the class is believed:

- `symmetric`: states that differ only in the names of commands stand for each other, and every replica for every other. For each step the
  replica is asked for the renamed one as well, and must answer alike. (The paper's own is tested for it, and asked once.) Where
  it is not claimed, a second replica is asked the same; if it ever answers otherwise, it is searched, too.
- `ignores`: only of the paper's own replica a decision is not delivered again where it would be ignored.

Restarts are no part of a state: what can be reached with one restart and also without is searched once, without. A state is searched again
only where it is reached later with more restarts left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pmmc_check.checker.any_slots.one_slot import OF_ONE_REPLICA
from pmmc_check.checker.any_slots.setting import FOREIGN_SEND, Setting
from pmmc_check.checker.any_slots.surroundings import DecisionLog, ReplicaBounds
from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.result import Control, Snapshot
from pmmc_check.model.faults import Restart
from pmmc_check.properties.checks import Violated
from pmmc_check.properties.invariants import INVARIANTS, Invariant
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import Lifecycle, Outcome, Role
from pmmc_check.protocol.values import REPLICA, ProcessId
from pmmc_check.users_code import Interrupted
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

REPLICA_INVARIANTS = ("Validity", *OF_ONE_REPLICA)
"""Those that are checked of one replica."""
_DEFAULT_BOUNDS = ReplicaBounds()
_DEFAULT_INVARIANTS = tuple(INVARIANTS[name] for name in REPLICA_INVARIANTS)
_LOOK_EVERY_STATES = 256


@dataclass(frozen=True)
class ReplicaStep:
    """`message` was delivered to the replica, or it restarted, with this outcome."""

    message: Message
    outcome: Outcome


@dataclass(frozen=True)
class ReplicaViolation:
    """From `initial`, `run` leads `replica`, with this WINDOW, to what breaks `invariant`. No shorter run within the bounds does."""

    invariant: str
    how: str
    replica: ProcessId
    window: int
    initial: Any
    run: tuple[ReplicaStep, ...]


@dataclass(frozen=True)
class ReplicaResult:
    """The outcome of the replica part.

    `bounds` are those that applied: without restarts where the class does not say what a restart keeps. `states` are the
    different pairs of log and replica's state, of all windows, up to the names of commands where the class claims `symmetric`;
    `steps` are the deliveries and restarts that were tried. `foreign_send` is set, and the verdict inconclusive, where the replica
    sends what the one-slot system does not know of; its `invariant` is `FOREIGN_SEND`.
    """

    verdict: str
    bounds: ReplicaBounds
    states: int
    steps: int
    depth: int
    seconds: float
    invariants: tuple[str, ...]
    violation: ReplicaViolation | None = None
    foreign_send: ReplicaViolation | None = None
    limit: str | None = None


def check_replica(
    protocol: Protocol,
    control: Control,
    bounds: ReplicaBounds = _DEFAULT_BOUNDS,
    invariants: Sequence[Invariant] = _DEFAULT_INVARIANTS,
) -> ReplicaResult:
    """Checks the replica of `protocol` in all surroundings within `bounds`.

    Raises:
        ProtocolError: the class broke the contract of roles.
    """
    if protocol[REPLICA].restart is Role.restart:
        bounds = replace(bounds, restarts=0)
    settings = [Setting(protocol, bounds, window, invariants) for window in bounds.windows]
    result = ReplicaSearch(settings, bounds, control).run()
    if result.verdict == HOLDS and not all(each.alike for each in settings):
        others = [Setting(protocol, bounds, window, invariants, number=2) for window in bounds.windows]
        other = ReplicaSearch(others, bounds, control).run()
        depth = max(result.depth, other.depth)
        result = replace(other, states=result.states + other.states, steps=result.steps + other.steps, depth=depth)
    return replace(result, seconds=control.seconds())


class ReplicaPoint(NamedTuple):
    """A point of the search: the setting's number, what has been decided, the replica's state, and how many restarts are left."""

    setting: int
    log: DecisionLog
    state: Any
    restarts: int


class ReplicaSearch:
    """Explores one replica in each of `settings`, level by level."""

    def __init__(self, settings: Sequence[Setting], bounds: ReplicaBounds, control: Control) -> None:
        self.settings = settings
        self.bounds = bounds
        self.control = control
        self.left: dict[tuple[int, DecisionLog, Any], int] = {}
        """The restarts that were left where (setting, log, state) was reached, the most; also for what only stands for another."""
        self.states = self.steps = 0
        self.depth = 1

    def run(self) -> ReplicaResult:
        """Searches until there is an answer or a limit is reached."""
        try:
            return self.explored()
        except Interrupted as stopped:
            return self.result(INCONCLUSIVE, limit=str(stopped))

    def explored(self) -> ReplicaResult:
        """Level after level, up to whatever ends the search."""
        frontier = [ReplicaPoint(i, frozenset(), each.start().state, self.bounds.restarts) for i, each in enumerate(self.settings)]
        broken = any(self.wrong_at_start(point) for point in frontier)
        for point in frontier:
            self.is_new(point)
        while frontier and not broken:
            following: list[ReplicaPoint] = []
            for count, point in enumerate(frontier):
                if count % _LOOK_EVERY_STATES == 0 and (limit := self.limit_reached(len(frontier))):
                    return self.result(INCONCLUSIVE, limit=limit)
                broken |= self.expand(point, following)
            self.depth += bool(following) or broken
            frontier = following
        if not broken:
            return self.result(HOLDS)
        found = ShortestRun(self.settings, self.bounds).find()
        if found.invariant == FOREIGN_SEND:
            return self.result(INCONCLUSIVE, foreign_send=found, limit=f"{found.how}, which is no message of the paper's replicas")
        return self.result(VIOLATED, violation=found)

    def expand(self, point: ReplicaPoint, following: list[ReplicaPoint]) -> bool:
        """Tries everything that may come next; new nodes go to `following`. Whether something is broken: this level is its first."""
        setting = self.settings[point.setting]
        broken = False
        for message, log, left, outcomes in next_steps(setting, point):
            for outcome in outcomes:
                self.steps += 1
                after = ReplicaPoint(point.setting, log, outcome.state, left)
                broken |= setting.wrong_step(point.state, message, outcome) is not None
                if self.is_new(after):
                    broken |= setting.wrong_state(log, outcome.state) is not None
                    following.append(after)
        return broken

    def is_new(self, point: ReplicaPoint) -> bool:
        """Whether nothing that stands for `point` has been reached with as many restarts left; remembers it."""
        key = point[:3]
        known = self.left.get(key, -1)
        if known >= point.restarts:
            return False
        for image in self.settings[point.setting].images(point.log, point.state):
            known = max(known, self.left.get((point.setting, *image), -1))
        self.left[key] = point.restarts
        self.states += known < 0
        return known < point.restarts

    def wrong_at_start(self, point: ReplicaPoint) -> bool:
        """Whether the first state is broken, or what the replica sends on its creation."""
        setting = self.settings[point.setting]
        return bool(setting.wrong_sends(setting.start().sends) or setting.wrong_state(point.log, point.state))

    def limit_reached(self, frontier: int) -> str | None:
        """Looks at the limits, and reports progress."""
        memory_bytes = resident_bytes()
        self.control.report(Snapshot(self.depth, self.states, self.steps, frontier, memory_bytes))
        return self.control.limit_reached(self.states, memory_bytes)

    def result(self, verdict: str, **found: Any) -> ReplicaResult:
        """What is known now."""
        invariants = tuple(each.name for each in self.settings[0].checks.invariants)
        counts = (self.states, self.steps, self.depth, self.control.seconds())
        return ReplicaResult(verdict, self.bounds, *counts, invariants, **found)


def next_steps(setting: Setting, point: ReplicaPoint) -> Iterator[tuple[Message, DecisionLog, int, tuple[Outcome, ...]]]:
    """Each message that may come next, and a restart: with the log after it, the restarts left, and all outcomes."""
    if isinstance(point.state, Lifecycle):
        return
    for message, log in setting.messages(point.log, point.state):
        yield message, log, point.restarts, setting.answers(point.state, message)
    if point.restarts:
        yield Restart(), point.log, point.restarts - 1, setting.answers(point.state, Restart())


class ShortestRun:
    """The same search once more, after something was found, in its plainest form: without symmetry, in an order that depends on
    content only, and with the way back from each point. So the run that is shown is a shortest one and the same every time."""

    def __init__(self, settings: Sequence[Setting], bounds: ReplicaBounds) -> None:
        self.settings = settings
        self.came_from: dict[ReplicaPoint, tuple[ReplicaStep, ReplicaPoint] | None] = {}
        self.first = [ReplicaPoint(i, frozenset(), each.start().state, bounds.restarts) for i, each in enumerate(settings)]

    def find(self) -> ReplicaViolation:
        """The first violation."""
        for point in self.first:
            setting = self.settings[point.setting]
            if broken := setting.wrong_sends(setting.start().sends) or setting.wrong_state(point.log, point.state):
                return self.violation(broken, point)
        self.came_from.update(dict.fromkeys(self.first))
        frontier = self.first
        while frontier:
            following: list[ReplicaPoint] = []
            for point in frontier:
                if found := self.expand(point, following):
                    return found
            frontier = following
        raise AssertionError("a violation that was found is found again")

    def expand(self, point: ReplicaPoint, following: list[ReplicaPoint]) -> ReplicaViolation | None:
        """Takes every step from `point`."""
        setting = self.settings[point.setting]
        for message, log, left, outcomes in next_steps(setting, point):
            for outcome in setting.in_order(outcomes):
                after, step = ReplicaPoint(point.setting, log, outcome.state, left), ReplicaStep(message, outcome)
                broken = setting.wrong_step(point.state, message, outcome)
                if after not in self.came_from:
                    self.came_from[after] = (step, point)
                    following.append(after)
                    broken = broken or setting.wrong_state(log, outcome.state)
                if broken:
                    return self.violation(broken, point, step)
        return None

    def violation(self, broken: Violated, point: ReplicaPoint, *last: ReplicaStep) -> ReplicaViolation:
        """The run to `point`, and the step that breaks something."""
        run = list(last)
        while (origin := self.came_from.get(point)) is not None:
            step, point = origin
            run.insert(0, step)
        setting = self.settings[point.setting]
        return ReplicaViolation(*broken, setting.process, setting.window, point.state, tuple(run))
