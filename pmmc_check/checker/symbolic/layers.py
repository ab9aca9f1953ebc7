"""A shortest run to a violation, by layers: the states that are met within 0, 1, 2, ... deliveries, each set a diagram.

All is done with single deliveries, unreduced: the first layer in which something is broken is so many deliveries away, and no fewer
will do. From there the run is found backwards, a state at a time: some event leads to it from a state of the layer
before. The model then executes the deliveries, and its invariants must say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from pmmc_check.checker.counterexample import delivered
from pmmc_check.checker.local_steps import LocalSteps
from pmmc_check.checker.result import TraceStep, Violation
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.events import FULL, Events
from pmmc_check.checker.symbolic.members import Vector, Wanted, contains, member
from pmmc_check.checker.symbolic.messages import MessageSystem, Taken
from pmmc_check.checker.symbolic.observed import Relations
from pmmc_check.checker.symbolic.order import order_of_states
from pmmc_check.checker.tables import PathDelivery
from pmmc_check.properties.checks import Checks


class Broken(NamedTuple):
    """Which states of a layer break something; `last` is the step that does, where the states alone do not."""

    states: Wanted
    last: Taken | None = None


class Layers:
    """The layers of the model that `locals_` knows, one after the other; it must know no reductions. `watch` is as for `Diagrams`."""

    def __init__(self, locals_: LocalSteps, checks: Checks, watch: Callable[[int], bool]) -> None:
        self.locals = locals_
        self.model = locals_.model
        self.checks = checks
        self.events = Events(closes=False)
        self.system = MessageSystem(locals_, order_of_states(self.model.processes), self.events, goes_on=True)
        self.diagrams = Diagrams(self.events, self.system, watch)
        self.relations = Relations(checks)
        self._explored: set[int] = set()
        self._layers = self.diagrams.collect([self.diagrams.vector(self.system.initial())])

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return len(self._layers)

    def shortest(self) -> Violation:
        """A shortest run to something broken, of which it is known that it can be reached.

        Raises:
            Stopped: `watch` said so.
        """
        while (broken := self._broken_state() or self._breaking_step()) is None:
            self._advance()
        return self._executed(self._run_to(broken))

    def _broken_state(self) -> Broken | None:
        """States of the last layer that break something."""
        for level, values in self.diagrams.values().items():
            for value in values if self.events.absent(level) == FULL else ():
                if value not in self._explored:
                    self._explored.add(value)
                    self.system.explore(value)
        for each in self.system.breaking:
            if each.last is None:
                return Broken(Wanted(each.where))
        facts = self.relations.broken(self.diagrams, self._layers[-1], self.system, self.model.config.slots)
        return Broken(Wanted({}, facts.seen, facts.sees)) if facts else None

    def _breaking_step(self) -> Broken | None:
        """States of the last layer from which a step breaks something. All steps are known then."""
        for event in self.system.probes:  # grows meanwhile, but nothing that is sent from here can be delivered here
            self.diagrams.image(self._layers[-1], event)
        return next((Broken(Wanted(each.where), each.last) for each in self.system.breaking), None)

    def _advance(self) -> None:
        """Adds the layer that one more delivery leads to."""
        diagrams, last = self.diagrams, self._layers[-1]
        diagrams.kept = np.array([*self._layers, 0])
        for event in list(self.system.known):
            image = diagrams.image(last, event)
            diagrams.kept[-1] = diagrams.union(int(diagrams.kept[-1]), image)
        assert diagrams.kept[-1] != last, "no run leads to what the search has found broken"
        self._layers = diagrams.collect(diagrams.kept.tolist())

    def _run_to(self, broken: Broken) -> list[Taken]:
        """Steps that lead from the initial state to a broken one, one for each layer, and what breaks it."""
        vector = member(self.diagrams, self._layers[-1], broken.states)
        assert vector is not None, "the layer has what was found in it"
        steps = [broken.last] if broken.last else []
        for layer in reversed(self._layers[:-1]):
            taken, vector = next(self._before(vector, layer))
            steps.append(taken)
        return steps[::-1]

    def _before(self, after: Vector, layer: int) -> Iterator[tuple[Taken, Vector]]:
        """The steps to a state from states of a layer."""
        for (number, value, moved), taken in self.system.steps.items():
            own = self.system.level[taken.process]
            if after[own] != moved:
                continue
            others = self.system.known[number].others
            sources = [self._sources(level, function, after) for level, function in others.items()]
            for chosen in product(*sources):
                before = after | {own: value} | dict(zip(others, chosen, strict=True))
                if contains(self.diagrams, layer, before):
                    yield taken, before

    def _sources(self, level: int, function: int, after: Vector) -> list[int]:
        """The values of a level that a function maps to the one that it has afterwards."""
        wanted = after.get(level, self.events.absent(level))
        return [value for value in self.system.values_of(level) if wanted in (self.events.entry(function, value) or ())]

    def _executed(self, steps: list[Taken]) -> Violation:
        """The run, as the model takes it."""
        state, trace = self.model.initial(), []
        broken = self.checks.of_state(state)
        for each in steps:
            message = self.locals.messages[each.message]
            chosen = PathDelivery(each.message, each.choice, each.sender)
            step, after = delivered(self.model, state, self.model.processes[each.process], message, chosen)
            broken = broken or self.checks.of_step(state, step) or self.checks.of_state(after)
            trace.append(TraceStep(step, after))
            state = after
        assert broken is not None, "the counterexample does not break an invariant when it is executed again"
        return Violation(broken.invariant, broken.how, self.model.initial(), tuple(trace))
