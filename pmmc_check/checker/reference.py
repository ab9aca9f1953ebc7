"""The reference search: breadth-first search in its plainest form, the oracle of all others.

No tables, no fingerprints, no reductions: states are kept whole and compared by value, so its counts are exact and
its first counterexample is a shortest one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from pmmc_check.checker.coverage import exercised
from pmmc_check.checker.cycles import find_cycle
from pmmc_check.checker.fair_cycles import Edge, actions_of, components_of, fair_way_around, is_fair
from pmmc_check.checker.memory import peak_memory_bytes, resident_bytes
from pmmc_check.checker.result import Action, Control, Result, Snapshot, TraceStep, Violation, constraints_of
from pmmc_check.model.model import Model, State, Step
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.invariants import Invariant
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.users_code import Interrupted
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

_REPORT_EVERY_STATES = 2000


class ReferenceSearch:
    """Explores `model` level by level until it is exhausted, an invariant is broken or a limit is reached."""

    def __init__(
        self, model: Model, invariants: Sequence[Invariant], control: Control, constraints: Sequence[WrittenInvariant] = ()
    ) -> None:
        self.checks = Checks(model, invariants, constraints)
        self.model = self.checks.model
        self.control = control
        self.came_from: dict[State, tuple[Step, State] | None] = {}
        self.coverage: Counter[Action] = Counter()
        self.generated_states = 1
        self.depth = 1
        self.expanded_states = self.outside_states = 0
        self.level_sizes: list[int] = []

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""
        try:
            return self.explored()
        except Interrupted as stopped:
            return self.result(INCONCLUSIVE, limit=str(stopped))

    def explored(self) -> Result:
        """Level after level, up to whatever ends the search."""
        initial = self.model.initial()
        self.came_from[initial] = None
        if broken := self.checks.of_state(initial):
            return self.result(VIOLATED, violation=Violation(*broken, initial, ()))
        frontier = [initial]
        while frontier:
            self.level_sizes.append(len(frontier))
            following: list[State] = []
            for state in frontier:
                if limit := self.limit_reached(len(frontier)):
                    return self.result(INCONCLUSIVE, limit=limit)
                if violation := self.expand(state, following):
                    self.depth += 1
                    return self.result(VIOLATED, violation=violation)
            if following and self.depth == self.control.limits.depth_max:
                return self.result(INCONCLUSIVE, limit=f"depth {self.depth} (--max-depth) was reached; deeper states exist")
            self.depth += bool(following)
            frontier = following
        if self.checks.progress and (violation := self.endless_run(initial)):
            return self.result(VIOLATED, violation=violation)
        return self.result(HOLDS)

    def expand(self, state: State, following: list[State]) -> Violation | None:
        """Takes every step from `state`; new states go to `following`."""
        self.expanded_states += 1
        if not self.checks.within(state):
            self.outside_states += 1
            return None
        ended = True
        for step, after in self.model.steps(state):
            ended = False
            self.generated_states += 1
            self.coverage[Action(step.process.role, step.message.kind)] += 1
            broken = self.checks.of_step(state, step)
            if after not in self.came_from:
                self.came_from[after] = (step, state)
                following.append(after)
                broken = broken or self.checks.of_state(after)
            if broken:
                return self.violation(broken, state, TraceStep(step, after))
        if ended and (broken := self.checks.of_global_end(state)):
            return self.violation(broken, state)
        return None

    def endless_run(self, initial: State) -> Violation | None:
        """A run that comes back to a state while something is left to decide."""

        def open_steps(state: State) -> Iterator[State]:
            return (after for _, after in self.model.steps(state)) if self.checks.left_in(state) else iter(())

        if self.checks.progress and self.checks.progress.fair:
            return self.fair_run(initial)
        cycle = find_cycle(initial, open_steps)
        if cycle is None:
            return None
        around = [
            TraceStep(next(step for step, reached in self.model.steps(state) if reached == after), after)
            for state, after in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
        ]
        broken = self.checks.of_global_cycle(cycle[0], len(cycle))
        return Violation(*broken, initial, (*self.path_to(cycle[0]), *around), loop=len(around))

    def fair_run(self, initial: State) -> Violation | None:
        """A fair run that goes on for ever while something is left to decide."""

        @cache
        def edges(state: State) -> Sequence[Edge[State]]:
            return self._edges(state) if self.checks.left_in(state) else ()

        fair = [each for each in components_of(self.came_from, edges) if is_fair(each, edges)]
        if not fair:
            return None
        starts = {state: component for component in fair for state in component}
        first = next(state for state in self.came_from if state in starts)  # they are in the order of their depth
        around = [TraceStep(each.how, each.after) for each in fair_way_around(first, starts[first].__contains__, edges)]
        broken = self.checks.of_global_cycle(first, len(around))
        return Violation(*broken, initial, (*self.path_to(first), *around), shortest=False, loop=len(around))

    def _edges(self, state: State) -> list[Edge[State]]:
        found = []
        for index, process in enumerate(self.model.processes):
            for delivery in self.model.deliveries(process, state[index]):
                after = self.model.taken(state, index, delivery)
                if after is not None and after != state:
                    step = Step(process, delivery.message, delivery.outcome)
                    found.append(Edge(actions_of(process, delivery.message, delivery.sender), after, step))
        return found

    def violation(self, broken: Violated, state: State, *last: TraceStep) -> Violation:
        """The path to `state`, and the last step, which breaks the invariant."""
        return Violation(*broken, self.model.initial(), (*self.path_to(state), *last))

    def path_to(self, state: State) -> tuple[TraceStep, ...]:
        """A shortest path from the initial state to `state`."""
        trace = []
        while (origin := self.came_from[state]) is not None:
            trace.append(TraceStep(origin[0], state))
            state = origin[1]
        return tuple(reversed(trace))

    def limit_reached(self, frontier_states: int) -> str | None:
        """Looks at the limits, and reports progress now and then."""
        memory_bytes = resident_bytes() if self.expanded_states % _REPORT_EVERY_STATES == 0 else 0
        if memory_bytes:
            self.control.report(Snapshot(self.depth, len(self.came_from), self.generated_states, frontier_states, memory_bytes))
        return self.control.limit_reached(len(self.came_from), memory_bytes)

    def result(self, verdict: str, violation: Violation | None = None, limit: str | None = None) -> Result:
        """The result, as far as the search has got."""
        return Result(
            verdict=verdict,
            config=self.model.config,
            engine="reference",
            reductions=(),
            distinct_states=len(self.came_from),
            generated_states=self.generated_states,
            depth=self.depth,
            seconds=self.control.seconds(),
            peak_memory_bytes=peak_memory_bytes(),
            collision_probability=0.0,
            invariants=tuple(each.name for each in self.checks.invariants),
            coverage=dict(self.coverage),
            unneeded=frozenset(),
            exercised=exercised(self.checks),
            constraints=constraints_of(self.checks),
            outside_states=self.outside_states,
            violation=violation,
            limit=limit,
            level_sizes=tuple(self.level_sizes),
        )
