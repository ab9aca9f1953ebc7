"""The replica's part of `--slots any`: R2 to R5 and Validity of one replica, in all surroundings that Agreement and Validity allow.

The one-slot system has no replicas: there, everything that replicas could propose is in flight from the start. That is sound if a
replica proposes only what was requested, and sends nothing but `propose` to leaders and `response` to clients. Both are checked here, in
every step. What is left of the protocol's invariants speaks of one replica. And since replicas meet only through decisions, one
replica in the most general surroundings (see `surroundings`) stands for every replica of every run, within the bounds given there.

The search is breadth-first and complete: every (log, state of the replica) that can be reached within the bounds, from which every message that may
come next is delivered, and a restart. All windows are searched level by level together, so that the run shown is a
shortest of all. Nothing is assumed of the replica's class but what it claims:

- `symmetric`: states that differ only in the names of commands stand for each other. And a replica is like any other.
  Where it is not claimed, a second replica is asked the same questions; where it answers otherwise, it is searched, too.
- `ignores`: a decision is not delivered again where it would be ignored.

Restarts are no part of a state: what can be reached with one restart and also without is searched once, without. A state is searched again
only where it is reached later with more restarts left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pmmc_check.checker.any_slots.setting import FOREIGN_SEND, Setting
from pmmc_check.checker.any_slots.surroundings import Log, ReplicaBounds
from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.result import HOLDS, INCONCLUSIVE, VIOLATED, Control, Snapshot
from pmmc_check.model.faults import Restart
from pmmc_check.properties.checks import Violated
from pmmc_check.properties.invariants import INVARIANTS, Invariant
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import Lifecycle, Outcome, Role
from pmmc_check.protocol.values import REPLICA, ProcessId

REPLICA_INVARIANTS = ("Validity", "R2", "R3", "R4", "R5")
"""Those that speak of one replica."""
_LOOK_EVERY_STATES = 256


@dataclass(frozen=True)
class ReplicaStep:
    """`message` was delivered to the replica, or it restarted, with this outcome."""

    message: Message
    outcome: Outcome


@dataclass(frozen=True)
class ReplicaViolation:
    """From `initial`, `run` leads `replica`, with this WINDOW, to what breaks `invariant`. No run within the bounds that breaks anything is shorter."""

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
    different pairs of the log and the replica's state, of all windows, up to renaming commands where the class claims `symmetric`; `steps` are the
    deliveries and restarts that were tried. `foreign_send` is set, and the verdict inconclusive, where the replica sends what the one-slot
    system does not know of; its `invariant` is `FOREIGN_SEND`.
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
    bounds: ReplicaBounds = ReplicaBounds(),
    invariants: Sequence[Invariant] = tuple(INVARIANTS[name] for name in REPLICA_INVARIANTS),
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


class Node(NamedTuple):
    """A point of the search: the setting's number, what has been decided, the replica's state, and how many restarts are left."""

    setting: int
    log: Log
    state: Any
    restarts: int


class ReplicaSearch:
    """Explores one replica in each of `settings`, level by level."""

    def __init__(self, settings: Sequence[Setting], bounds: ReplicaBounds, control: Control) -> None:
        self.settings = settings
        self.bounds = bounds
        self.control = control
        self.left: dict[tuple[int, Log, Any], int] = {}
        """The restarts that were left where (setting, log, state) was reached, the most; also for what only stands for another."""
        self.states = self.steps = 0
        self.depth = 1

    def run(self) -> ReplicaResult:
        """The whole search."""
        frontier = [Node(i, frozenset(), each.start().state, self.bounds.restarts) for i, each in enumerate(self.settings)]
        broken = any([self.wrong_at_start(node) for node in frontier])
        for node in frontier:
            self.is_new(node)
        while frontier and not broken:
            following: list[Node] = []
            for count, node in enumerate(frontier):
                if count % _LOOK_EVERY_STATES == 0 and (limit := self.limit_reached(len(frontier))):
                    return self.result(INCONCLUSIVE, limit=limit)
                broken |= self.expand(node, following)
            self.depth += bool(following) or broken
            frontier = following
        if not broken:
            return self.result(HOLDS)
        found = ShortestRun(self.settings, self.bounds).find()
        if found.invariant == FOREIGN_SEND:
            return self.result(INCONCLUSIVE, foreign_send=found, limit=f"{found.how}, which is no message of the paper's replicas")
        return self.result(VIOLATED, violation=found)

    def expand(self, node: Node, following: list[Node]) -> bool:
        """Tries everything that may come next; new nodes go to `following`. Whether something is broken: this level is its first."""
        setting = self.settings[node.setting]
        broken = False
        for message, log, left, outcomes in next_steps(setting, node):
            for outcome in outcomes:
                self.steps += 1
                after = Node(node.setting, log, outcome.state, left)
                broken |= setting.wrong_step(node.state, message, outcome) is not None
                if self.is_new(after):
                    broken |= setting.wrong_state(log, outcome.state) is not None
                    following.append(after)
        return broken

    def is_new(self, node: Node) -> bool:
        """Whether nothing that stands for `node` has been reached with as many restarts left; remembers it."""
        key = node[:3]
        known = self.left.get(key, -1)
        if known >= node.restarts:
            return False
        for image in self.settings[node.setting].images(node.log, node.state):
            known = max(known, self.left.get((node.setting, *image), -1))
        self.left[key] = node.restarts
        self.states += known < 0
        return known < node.restarts

    def wrong_at_start(self, node: Node) -> bool:
        """Whether the first state is broken, or what the replica sends on its creation."""
        setting = self.settings[node.setting]
        return bool(setting.wrong_sends(setting.start().sends) or setting.wrong_state(node.log, node.state))

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


def next_steps(setting: Setting, node: Node) -> Iterator[tuple[Message, Log, int, tuple[Outcome, ...]]]:
    """Each message that may come next, and a restart: with the log after it, the restarts left, and all outcomes."""
    if isinstance(node.state, Lifecycle):
        return
    for message, log in setting.messages(node.log, node.state):
        yield message, log, node.restarts, setting.answers(node.state, message)
    if node.restarts:
        yield Restart(), node.log, node.restarts - 1, setting.answers(node.state, Restart())


class ShortestRun:
    """The same search once more, after something was found, in its plainest form: without symmetry, in an order that depends on content only,
    and with the way back from each node. So the run that is shown is a shortest one and the same every time."""

    def __init__(self, settings: Sequence[Setting], bounds: ReplicaBounds) -> None:
        self.settings = settings
        self.came_from: dict[Node, tuple[ReplicaStep, Node] | None] = {}
        self.first = [Node(i, frozenset(), each.start().state, bounds.restarts) for i, each in enumerate(settings)]

    def find(self) -> ReplicaViolation:
        """The first violation."""
        for node in self.first:
            setting = self.settings[node.setting]
            if broken := setting.wrong_sends(setting.start().sends) or setting.wrong_state(node.log, node.state):
                return self.violation(broken, node)
        self.came_from.update(dict.fromkeys(self.first))
        frontier = self.first
        while frontier:
            following: list[Node] = []
            for node in frontier:
                if found := self.expand(node, following):
                    return found
            frontier = following
        raise AssertionError("a violation that was found is found again")

    def expand(self, node: Node, following: list[Node]) -> ReplicaViolation | None:
        """Takes every step from `node`."""
        setting = self.settings[node.setting]
        for message, log, left, outcomes in next_steps(setting, node):
            for outcome in setting.in_order(outcomes):
                after, step = Node(node.setting, log, outcome.state, left), ReplicaStep(message, outcome)
                broken = setting.wrong_step(node.state, message, outcome)
                if after not in self.came_from:
                    self.came_from[after] = (step, node)
                    following.append(after)
                    broken = broken or setting.wrong_state(log, outcome.state)
                if broken:
                    return self.violation(broken, node, step)
        return None

    def violation(self, broken: Violated, node: Node, *last: ReplicaStep) -> ReplicaViolation:
        """The run to `node`, and the step that breaks something."""
        run = list(last)
        while (origin := self.came_from.get(node)) is not None:
            step, node = origin
            run.insert(0, step)
        setting = self.settings[node.setting]
        return ReplicaViolation(*broken, setting.process, setting.window, node.state, tuple(run))
