"""What a search is asked for and what it answers; the same for every engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pmmc_check.config import Config
from pmmc_check.model.model import Model, State, Step
from pmmc_check.properties.checks import Checks
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED
from pmmc_check.words import counted

if TYPE_CHECKING:  # most searches are not kept
    from pmmc_check.checker.checkpoints.folder import Checkpoints


@dataclass(frozen=True)
class Limits:
    """Where a search gives up. None is no limit."""

    states_max: int | None = None
    depth_max: int | None = None
    seconds_max: float | None = None
    memory_bytes_max: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """A moment of a running search."""

    depth: int
    distinct_states: int
    generated_states: int
    frontier_states: int
    memory_bytes: int
    diagram_nodes: int = 0
    """Of a symbolic search, which knows no other count before its end."""


@dataclass(frozen=True)
class ResumedFrom:
    """The checkpoint from which a search went on: when it was written, and how far the search had come."""

    written_at: str
    depth: int
    distinct_states: int
    seconds: float


@dataclass(frozen=True)
class CheckpointsUsed:
    """Where a search is kept, in how many bytes, and from where it went on. `failed`: why the last checkpoint could not be written;
    `began_anew`: it was to go on, but there was no checkpoint of it."""

    folder: str
    written: int
    bytes: int
    resumed: ResumedFrom | None = None
    failed: str | None = None
    began_anew: bool = False


@dataclass(frozen=True)
class DiskUsed:
    """States that were kept on disk: where, in how many bytes at most, and how many were met before."""

    folder: str
    bytes: int
    states_before: int


@dataclass
class Control:
    """How the caller watches and stops a search: `report` is called now and then, `stop` ends it with what is known so far.

    `checkpoints`: where it is kept, to go on later."""

    limits: Limits = field(default_factory=Limits)
    report: Callable[[Snapshot], None] = lambda snapshot: None
    stop: bool = False
    started_at: float = field(default_factory=time.monotonic)
    checkpoints: Checkpoints | None = None

    def seconds(self) -> float:
        """Seconds since the search was set up."""
        return time.monotonic() - self.started_at

    def limit_reached(self, distinct_states: int, memory_bytes: int) -> str | None:
        """Which limit has been reached, as a sentence that says what to do."""
        limits = self.limits
        if self.stop:
            return "interrupted"
        if limits.states_max is not None and distinct_states >= limits.states_max:
            return f"{counted(limits.states_max, 'state')} (--max-states) {'was' if limits.states_max == 1 else 'were'} reached"
        if limits.seconds_max is not None and self.seconds() >= limits.seconds_max:
            return seconds_have_passed(limits.seconds_max)
        if limits.memory_bytes_max is not None and memory_bytes >= limits.memory_bytes_max:
            return (
                f"memory: the search uses {memory_bytes / 2**20:,.0f} MiB and may use {limits.memory_bytes_max / 2**20:,.0f} MiB; "
                f"take a smaller configuration, or raise --max-memory"
            )
        return None


def seconds_have_passed(seconds: float) -> str:
    """What ended a search that takes this long."""
    return f"{counted(seconds, 'second')} (--time-limit) {'has' if seconds == 1 else 'have'} passed"


@dataclass(frozen=True)
class TraceStep:
    """One delivery of a counterexample, and the global state after it."""

    step: Step
    after: State


@dataclass(frozen=True)
class Violation:
    """A counterexample: from `initial`, `trace` leads to a state or takes a step that breaks `invariant`."""

    invariant: str
    how: str
    initial: State
    trace: tuple[TraceStep, ...]
    shortest: bool = True
    """Whether no run is shorter: where a limit stopped the search, or walks found the run, there may be one."""
    loop: int = 0
    """Of a run that never ends: so many steps at the end of `trace` lead back to the state before them, and are repeated for ever."""


@dataclass(frozen=True)
class Action:
    """One kind of step: messages of kind `message` delivered to processes of `role`."""

    role: str
    message: str


@dataclass(frozen=True)
class Walks:
    """How a random search walked: how many walks, of at most `steps_max` steps, and how many states they had on average; whether the
    number of different states is an estimate."""

    count: int
    seed: int
    steps_max: int
    mean_depth: float
    estimated: bool = False


@dataclass(frozen=True)
class Diagram:
    """The decision diagram of a symbolic search: its nodes and edges, the most nodes that there were on the way, and all its memory."""

    nodes: int
    edges: int
    peak_nodes: int
    memory_bytes: int


@dataclass(frozen=True)
class ClaimsUsed:
    """The claims of roles that a search relied on (`used`), and on how many local steps they were `checked`; None: they were trusted."""

    used: tuple[str, ...] = ()
    checked: int | None = 0


@dataclass(frozen=True)
class Exercised:
    """What a search has had occasion to see.

    `decided`: whether any command was ever decided. `commands`: how many there are, no-ops included that were proposed. `put_off`: the
    deliveries in `Result.coverage` that deferral put off. `offered`: the kinds of messages that could be delivered, to whatever effect.
    `unchanged`: the roles that are not the paper's (class and role) and have done nothing that the paper's would not have done.
    `unsent`: messages that an invariant reads and nobody has sent (the invariant's name, the kind of message).
    """

    decided: bool = True
    commands: int = 0
    put_off: dict[Action, int] = field(default_factory=dict)
    offered: frozenset[Action] = frozenset()
    unchanged: tuple[tuple[str, str], ...] = ()
    unsent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CrewUsed:
    """The workers of a search that was shared out, at its end, and how many times it went back a level because some had died."""

    workers: int
    replaced: int


@dataclass(frozen=True)
class StateConstraint:
    """What bounds a search: no step is taken from a state in which the expression `statement` is false."""

    name: str
    statement: str


def constraints_of(checks: Checks) -> tuple[StateConstraint, ...]:
    """The constraints under which a search with these checks runs."""
    return tuple(StateConstraint(each.name, each.statement) for each in checks.constraints)


@dataclass(frozen=True)
class Result:
    """The outcome of a search.

    `distinct_states` are the states expanded or checked, `generated_states` the initial state and all transitions
    explored; `depth` counts the states on the longest of the shortest paths, the initial state being 1; a symbolic search has
    no levels, its depth is 0. `coverage` says how often each kind of step was taken, in deliveries, and `unneeded` which kinds a
    reduction left out because nothing that is checked depends on them; of `perhaps_unneeded` it is not known whether a run has them."""

    verdict: str
    config: Config
    engine: str
    reductions: tuple[str, ...]
    distinct_states: int
    generated_states: int
    depth: int
    seconds: float
    peak_memory_bytes: int
    collision_probability: float
    invariants: tuple[str, ...]
    coverage: dict[Action, int]
    unneeded: frozenset[Action]
    perhaps_unneeded: frozenset[Action] = frozenset()
    violation: Violation | None = None
    limit: str | None = None
    bytes_per_state: float = 0.0
    symmetry_order: int = 1
    walks: Walks | None = None
    diagram: Diagram | None = None
    claims: ClaimsUsed = ClaimsUsed()
    exercised: Exercised = field(default_factory=Exercised)
    level_sizes: tuple[int, ...] = ()
    """How many distinct states there are at each depth, from 1 on; empty where a search has no levels."""
    smaller_completed: int | None = None
    """By an iterative search: how many smaller configurations were checked to the end before this one."""
    further: tuple[Violation, ...] = ()
    """The violations of other invariants that were found after the first."""
    constraints: tuple[StateConstraint, ...] = ()
    outside_states: int = 0
    """How many of the distinct states lie outside a constraint: they were checked, but no step was taken from them."""
    continued: bool = False
    """Whether the search went on after a violation. Then the counts are those of its last part."""
    checkpoints: CheckpointsUsed | None = None
    crew: CrewUsed | None = None
    """Where it is kept, and from where it went on; `seconds` are then those of all parts together."""
    disk: DiskUsed | None = None
    """What was on disk, where memory was short."""

    @property
    def violations(self) -> tuple[Violation, ...]:
        """All that were found, in their order; of each invariant one."""
        return (self.violation, *self.further) if self.violation else ()

    @property
    def complete(self) -> bool:
        """Whether every reachable state was checked, for all invariants that are not violated."""
        broken = {each.invariant for each in self.violations}
        went_on = self.continued and self.limit is None and not broken.issuperset(self.invariants)
        return self.verdict == HOLDS or (self.verdict == VIOLATED and went_on)

    def invariant_verdict(self, name: str) -> str:
        """What this search says of one invariant."""
        if any(each.invariant == name for each in self.violations):
            return VIOLATED
        return HOLDS if self.complete else INCONCLUSIVE


class Search(Protocol):
    """One search over one model. Every engine makes such searches, and whoever runs them needs to know no more:

    >>> def engine(model: Model) -> Search:
    ...     return ReferenceSearch(model, invariants_named([]), Control(Limits(seconds_max=60)))
    >>> engine(Model(Config(acceptors=1, leaders=1, replicas=1, slots=1, commands=1))).run().verdict
    'holds'
    """

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""


Engine = Callable[[Model], Search]
"""What makes a search over a model."""
