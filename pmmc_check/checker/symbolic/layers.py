"""A shortest run to a violation, by layers: the states that are met within 0, 1, 2, ... deliveries, each set a diagram.

Each event is one delivery, and no image is closed: so the first layer in which something is broken is so many deliveries away, and no
fewer will do. From there the run is found backwards, a state at a time: some step leads to it from a state of the layer
before. The model then executes the deliveries, and its invariants must say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from pmmc_check.checker.counterexample import Move, executed
from pmmc_check.checker.result import Violation
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.ends import stuck_states
from pmmc_check.checker.symbolic.events import FULL, Events
from pmmc_check.checker.symbolic.layout import NO_VECTOR
from pmmc_check.checker.symbolic.measure import Measure
from pmmc_check.checker.symbolic.members import Member, Wanted, contains, member
from pmmc_check.checker.symbolic.messages import MessageSystem
from pmmc_check.checker.symbolic.notes import Notes
from pmmc_check.checker.symbolic.observed import Relations
from pmmc_check.checker.symbolic.views import ViewSystem
from pmmc_check.properties.checks import Checks


class Target(NamedTuple):
    """Which states of a layer break something; `last` is the step that does, where the states alone do not."""

    states: Wanted
    last: Move | None = None


class Layers:
    """The layers of a system, one after the other. Its events do not close, and each of its steps is one delivery. `watch` is as for
    `Diagrams`."""

    def __init__(self, system: ViewSystem | MessageSystem, checks: Checks, watch: Callable[[int], bool]) -> None:
        assert system.notes is not None, "the way back is found by what is noted"
        self.system = system
        self.notes: Notes = system.notes
        self.locals = system.locals
        self.checks = checks
        self.events: Events = system.events
        self.diagrams = Diagrams(system.events, system, watch)
        self.relations = Relations(checks)
        self._explored: set[int] = set()
        self._layers = self.diagrams.collect([self.diagrams.vector(system.initial())])

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return len(self._layers)

    def shortest(self) -> Violation:
        """A shortest run to something broken, of which it is known that it can be reached.

        Raises:
            Stopped: `watch` said so.
        """
        while (broken := self.broken()) is None:
            self.advance()
        return executed(self._run_to(broken), self.locals, self.checks)

    def measures(self) -> tuple[Measure, Measure]:
        """Counts in the last layer, and in the last one from which all steps were taken. Then the layers are at their end."""
        self.diagrams.give_up()
        self._layers = self.diagrams.collect(self._layers)
        return Measure(self.diagrams, self._layers[-1]), Measure(self.diagrams, self._layers[max(0, self.depth - 2)])

    def broken(self) -> Target | None:
        """What is broken in the last layer, or by a step from it; all its steps are known then.

        Raises:
            Stopped: `watch` said so.
        """
        return self._broken_state() or self._breaking_step()

    def advance(self) -> None:
        """Adds the layer that one more delivery leads to; the steps from the last one must be known.

        Raises:
            Stopped: `watch` said so.
        """
        last = self._layers[-1]
        self._add_following(last)
        assert self._layers[-1] != last, "no run leads to what the search has found broken"

    def all_runs_end(self) -> bool:
        """Whether no run is endless: whether for some k there is no state that exactly k deliveries lead to. Such sets are then the
        layers, of which only the last is kept, and one to compare with: if there are endless runs, the sets repeat themselves.

        Raises:
            Stopped: `watch` said so.
        """
        mark, steps, power = self._layers[-1], 0, 1
        while True:
            self._explore()
            self._look()
            self._layers = [mark, self._layers[-1]]
            self._add_following(NO_VECTOR)
            mark, _, last = self._layers
            if last in (NO_VECTOR, mark):
                return last == NO_VECTOR
            steps += 1
            if steps == power:
                mark, steps, power = last, 0, 2 * power
            mark, last = self._layers = self.diagrams.collect([mark, last])

    def _add_following(self, first: int) -> None:
        """Adds the union of `first` and what one more delivery leads to from the last layer."""
        diagrams, last = self.diagrams, self._layers[-1]
        diagrams.kept = np.array([*self._layers, first])
        for event in self.system.fired():
            image = diagrams.image(last, event)
            diagrams.kept[-1] = diagrams.union(int(diagrams.kept[-1]), image)
        self._layers = diagrams.collect(diagrams.kept.tolist())

    def _explore(self) -> None:
        for level, values in self.diagrams.values().items():
            for value in values if self.events.absent(level) == FULL else ():
                if value not in self._explored:
                    self._explored.add(value)
                    self.system.explore(value)

    def _look(self) -> None:
        """Makes all steps from the last layer known."""
        for event in self.system.probes:  # there will be more, of messages that are only sent from here
            self.diagrams.image(self._layers[-1], event)

    def _broken_state(self) -> Target | None:
        """States of the last layer that break something."""
        self._explore()
        for each in self.notes.breaking:
            if each.last is None:
                return Target(Wanted(each.where))
        facts = self.relations.broken(self.diagrams, self._layers[-1], self.system, self.locals.model.config.slots)
        if facts:
            return Target(Wanted({}, facts.seen, facts.sees))
        ends = stuck_states(self.diagrams, self._layers[-1], self.system, self.checks) if self.checks.progress else None
        return Target(ends) if ends else None

    def _breaking_step(self) -> Target | None:
        """States of the last layer from which a step breaks something."""
        self._look()
        return next((Target(Wanted(each.where), each.last) for each in self.notes.breaking), None)

    def _run_to(self, broken: Target) -> list[Move]:
        """Steps that lead from the initial state to a broken one, one for each layer, and what breaks it."""
        vector = member(self.diagrams, self._layers[-1], broken.states)
        assert vector is not None, "the layer has what was found in it"
        values = self.diagrams.values()
        steps = [broken.last] if broken.last else []
        for layer in reversed(self._layers[:-1]):
            move, vector = next(self._before(vector, layer, values))
            steps.append(move)
        return steps[::-1]

    def _before(self, after: Member, layer: int, values: dict[int, list[int]]) -> Iterator[tuple[Move, Member]]:
        """The steps to a state from states of a layer; `values` are those that levels have in any layer."""
        for process, own in self.system.level.items():
            for way in self.notes.ways.get((process, after[own]), ()):
                others = {level: function for level, function in self.events.functions(way.event).items() if level != own}
                sources = [self._sources(level, function, after, values) for level, function in others.items()]
                for chosen in product(*sources):
                    before = after | {own: way.value} | dict(zip(others, chosen, strict=True))
                    if contains(self.diagrams, layer, before):
                        yield Move(process, way.path), before

    def _sources(self, level: int, function: int, after: Member, values: dict[int, list[int]]) -> list[int]:
        """The values of a level that a function maps to the one that it has afterwards."""
        absent = self.events.absent(level)
        possible = {*values.get(level, ()), *(() if absent == FULL else (absent,))}
        return [each for each in sorted(possible) if after.get(level, absent) in (self.events.entry(function, each) or ())]
