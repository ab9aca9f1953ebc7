"""Invariants of several processes on a diagram: each level is mapped to what is observed of its values; what remains is a small diagram of
the combinations that are reachable, and each of these is evaluated once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.events import FULL
from pmmc_check.checker.symbolic.layout import NO_VECTOR, PROJECTS, UNIT
from pmmc_check.checker.symbolic.members import SeenFacts
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.observe import Fact, Observed
from pmmc_check.protocol.values import ProcessId


class BrokenFacts(NamedTuple):
    """A relation that some vectors break: those of which exactly `seen` is observed, `sees` saying what is observed of each value."""

    violated: Violated
    seen: SeenFacts
    sees: Mapping[int, SeenFacts]


class Showing(Protocol):
    """What says of each value what is observed of it."""

    def facts(self, level: int, value: int) -> tuple[ProcessId, frozenset[Fact]]:
        """The facts, and of which process they are."""


class Relations:
    """The combinations of facts that have been evaluated: `observed` by what was seen, for a test to compare."""

    def __init__(self, checks: Checks) -> None:
        self.checks = checks
        self.observed: dict[SeenFacts, Observed] = {}
        self._at_once: dict[SeenFacts, Observed] = {}

    def broken(self, diagrams: Diagrams, root: int, system: Showing, slots: int) -> BrokenFacts | None:
        """The first violated relation among the vectors of `root`.

        What is false where nothing is observed is false in the initial state, which the caller has looked at.

        Raises:
            Stopped: a limit was reached.
        """
        values = diagrams.values()
        for slot in (*range(1, slots + 1), *((0,) if self.checks.at_once else ())):
            known = self.observed if slot else self._at_once
            seen_of = {value: self._seen(system, level, value, slot) for level in values for value in values[level]}
            image = diagrams.image(root, relabelling(diagrams, values, seen_of))
            for seen in combinations(diagrams, image, seen_of):
                if seen and seen not in known and (violated := self._evaluate(seen, slot)):
                    return BrokenFacts(violated, seen, seen_of)
        return None

    def _seen(self, system: Showing, level: int, value: int, slot: int) -> SeenFacts:
        process, facts = system.facts(level, value)
        asked = self.checks.seen_at_once(facts) if slot == 0 else (fact for fact in facts if fact.slot == slot)
        return frozenset((process, fact) for fact in asked)

    def _evaluate(self, seen: SeenFacts, slot: int) -> Violated | None:
        observed: dict[ProcessId, set[Fact]] = {}
        for process, fact in seen:
            observed.setdefault(process, set()).add(fact)
        known = self.observed if slot else self._at_once
        known[seen] = {process: frozenset(observed[process]) for process in sorted(observed)}
        return self.checks.of_facts(known[seen], slot)


def relabelling(diagrams: Diagrams, values: dict[int, list[int]], seen_of: dict[int, SeenFacts]) -> int:
    """The event that maps each value to the first one of its level of which the same is observed; other values to none."""
    events = diagrams.events
    functions: dict[int, int] = {}
    for level, found in values.items():
        functions[level] = events.function(is_open=False)
        first: dict[SeenFacts, int] = {}
        if (absent := events.absent(level)) != FULL:
            first[frozenset()] = absent
            events.enter(functions[level], absent, (absent,))
        for value in found:
            if value != absent:
                events.enter(functions[level], value, (first.setdefault(seen_of[value], value),))
    return events.event(functions, PROJECTS)


def combinations(diagrams: Diagrams, image: int, seen_of: dict[int, SeenFacts]) -> Iterator[SeenFacts]:
    """All that is seen in some vector, once each but for the same seen on several paths."""
    visited: set[tuple[int, SeenFacts]] = set()
    pending: list[tuple[int, SeenFacts]] = [(image, frozenset())] if image != NO_VECTOR else []
    while pending:
        a, seen = pending.pop()
        if a == UNIT:
            yield seen
            continue
        for value, child in diagrams.edges(a):
            key = (child, seen | seen_of.get(value, frozenset()))
            if key not in visited:
                visited.add(key)
                pending.append(key)
