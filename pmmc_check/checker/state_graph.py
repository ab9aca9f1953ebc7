"""The graph of all reachable states: what a search walks through and throws away, kept to be looked at.

As plain as the reference search, and with the same counts. It goes on behind a violation: the graph shows every state that breaks
something."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pmmc_check.checker.memory import resident_bytes
from pmmc_check.checker.result import Control, Snapshot
from pmmc_check.model.model import Model, State, Step
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.invariants import Invariant
from pmmc_check.properties.observe import messages_in
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol.values import ProcessId

_LOOK_EVERY_STATES = 1000

Observation = TypeVar("Observation", bound=Hashable)


@dataclass(frozen=True)
class Transition:
    """A step from one state to another, both by number; `broken` is what the step itself breaks."""

    source: int
    target: int
    step: Step
    broken: Violated | None = None


@dataclass
class StateGraph:
    """States are numbered in the order in which a breadth-first search meets them; 0 is the initial one.

    `depths` counts states on a shortest path, the initial state being 1. `violations` are the states that break an invariant, `reached`
    those that are witnesses of something, with its name; `ended` those without a step. Those from number `expanded` on were not looked
    into, because of `limit`; None: there is no such state. `outside` lie outside a constraint: no step is taken from them.
    """

    states: list[State] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    violations: dict[int, Violated] = field(default_factory=dict)
    reached: dict[int, tuple[str, ...]] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    outside: set[int] = field(default_factory=set)
    expanded: int = 0
    limit: str | None = None


class TooManyStates(Exception):
    """The graph has more states than were allowed."""


def state_graph(  # noqa: PLR0917
    model: Model,
    invariants: Sequence[Invariant],
    control: Control,
    states_max: int,
    witnesses: Sequence[Invariant] = (),
    constraints: Sequence[WrittenInvariant] = (),
    observes: Collection[str] = (),
) -> StateGraph:
    """Every state and every transition, as far as the limits of `control` go. `witnesses` are negations: what breaks one is marked.
    `observes` are kinds of facts that the states must show beside what is checked.

    Raises:
        TooManyStates: there are more than `states_max`.
        ProtocolError: a role breaks its contract.
    """
    observed = Checks(model, (*invariants, *witnesses), constraints).observed_kinds | {*observes}
    model = model.recording(messages_in(observed))
    checks, graph = Checks(model, invariants, constraints), StateGraph()
    wanted = [Checks(model, [each]) for each in witnesses]
    numbers: dict[State, int] = {}

    def number_of(state: State, depth: int) -> int:
        known = numbers.setdefault(state, len(graph.states))
        if known == len(graph.states):
            if known == states_max:
                raise TooManyStates
            graph.states.append(state)
            graph.depths.append(depth)
            if broken := checks.of_state(state):
                graph.violations[known] = broken
            if reached := tuple(each.invariants[0].name for each in wanted if each.of_state(state)):
                graph.reached[known] = reached
        return known

    number_of(model.initial(), 1)
    while graph.expanded < len(graph.states):
        graph.limit = _limit(graph, control)
        if graph.limit is not None:
            break
        source, before = graph.expanded, len(graph.transitions)
        graph.expanded += 1
        state = graph.states[source]
        if not checks.within(state):
            graph.outside.add(source)
            continue
        for step, after in model.steps(state):
            target = number_of(after, graph.depths[source] + 1)
            graph.transitions.append(Transition(source, target, step, checks.of_step(state, step)))
        if len(graph.transitions) == before:
            graph.ended.add(source)
            if broken := checks.of_global_end(state):
                graph.violations.setdefault(source, broken)
    return graph


def _limit(graph: StateGraph, control: Control) -> str | None:
    """Why the next state is not expanded; looks at memory, and reports, now and then."""
    depth, met, memory_bytes = graph.depths[graph.expanded], len(graph.states), 0
    if control.limits.depth_max is not None and depth > control.limits.depth_max:
        return f"depth {control.limits.depth_max} (--max-depth) was reached; deeper states exist"
    if graph.expanded % _LOOK_EVERY_STATES == 0:
        memory_bytes = resident_bytes()
        control.report(Snapshot(depth, met, len(graph.transitions) + 1, met - graph.expanded, memory_bytes))
    return control.limit_reached(met, memory_bytes)


@dataclass(frozen=True)
class Crossing:
    """The transitions from one class of states to another: how often a step of each process, on each kind of message, makes it, and how
    many of them break something."""

    source: int
    target: int
    steps: dict[tuple[ProcessId, str], int]
    broken: int


@dataclass(frozen=True)
class Quotient(Generic[Observation]):
    """The graph as one sees it who sees of each state only what is observed: one class for each observation, in the order in which the
    search meets them. `members` are the states of each class. Transitions within a class are not seen; `unseen` counts them."""

    observations: tuple[Observation, ...]
    members: tuple[tuple[int, ...], ...]
    crossings: tuple[Crossing, ...]
    unseen: int


def quotient(graph: StateGraph, observe: Callable[[State], Observation]) -> Quotient[Observation]:
    """The quotient of `graph` by what `observe` sees."""
    classes: dict[Observation, int] = {}
    class_of = [classes.setdefault(observe(state), len(classes)) for state in graph.states]
    members: list[list[int]] = [[] for _ in classes]
    for number, its_class in enumerate(class_of):
        members[its_class].append(number)
    crossings: dict[tuple[int, int], Crossing] = {}
    unseen = 0
    for each in graph.transitions:
        pair = class_of[each.source], class_of[each.target]
        if pair[0] == pair[1]:
            unseen += 1
            continue
        known = crossings.get(pair, Crossing(*pair, {}, 0))
        made = (each.step.process, each.step.message.kind)
        known.steps[made] = known.steps.get(made, 0) + 1
        crossings[pair] = Crossing(*pair, known.steps, known.broken + (each.broken is not None))
    return Quotient(tuple(classes), tuple(map(tuple, members)), tuple(crossings.values()), unseen)
