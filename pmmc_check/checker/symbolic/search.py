"""The symbolic search: all reachable states as one decision diagram, then what it says.

A violation that shows in the diagram, or in one process's view on the way, is a fact; a shortest run that leads there is then
found by layers (`symbolic.layers`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pmmc_check.checker.claims import Claims
from pmmc_check.checker.coverage import exercised
from pmmc_check.checker.local_steps import LocalSteps
from pmmc_check.checker.memory import peak_memory_bytes, resident_bytes
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Action, Control, Diagram, Result, Snapshot, Violation
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.ends import STUCK, stuck_states
from pmmc_check.checker.symbolic.events import FULL, Events, Stopped
from pmmc_check.checker.symbolic.layers import Layers
from pmmc_check.checker.symbolic.layout import UNIT
from pmmc_check.checker.symbolic.measure import Measure
from pmmc_check.checker.symbolic.messages import MessageSystem
from pmmc_check.checker.symbolic.notes import Notes
from pmmc_check.checker.symbolic.observed import Relations
from pmmc_check.checker.symbolic.order import level_order, order_of_states
from pmmc_check.checker.symbolic.views import ViewSystem
from pmmc_check.checker.tables import Tables
from pmmc_check.model.content import Digest
from pmmc_check.model.model import Model
from pmmc_check.properties.checks import Checks, Violated
from pmmc_check.properties.invariants import Invariant
from pmmc_check.users_code import Interrupted
from pmmc_check.verdicts import HOLDS, INCONCLUSIVE, VIOLATED

_REPORT_SECONDS = 0.25
_COUNTED_AFTER_A_LIMIT_MAX = 10_000_000
"""Nodes times events: so much takes less than a second."""


class SymbolicSearch:
    """Explores `model` to the end, to a violation, or to a limit. Symmetry is not used: a diagram has no need of it.

    `messages` says whether each message has a level of its own, which is not possible with reductions, and otherwise usual. `order`
    gives the processes their levels, the highest first; without it `symbolic.order` does. One thread is used.
    """

    def __init__(
        self,
        model: Model,
        invariants: Sequence[Invariant],
        control: Control,
        wanted: Reductions,
        *,
        trust_claims: bool = False,
        order: Sequence[int] = (),
        messages: bool | None = None,
    ) -> None:
        self.control = control
        self.trust_claims = trust_claims
        self.checks = Checks(model, invariants)
        self.model = self.checks.model
        self.reductions = replace(wanted, symmetry=False, commuting=False)
        self.relations = Relations(self.checks)
        self.events = Events()
        self.system = self._system(self.events, None, order, messages)
        self.diagrams = Diagrams(self.events, self.system, self._watch)
        self.limit: str | None = None
        self._reported_at = 0.0

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""
        initial = self.model.initial()
        if at_once := self.checks.of_state(initial):
            measure = Measure(self.diagrams, self.diagrams.vector(self.system.initial()))
            return replace(self._result(measure, measure), verdict=VIOLATED, violation=Violation(*at_once, initial, ()), depth=1)
        try:
            root = self._reachable()
        except Interrupted as stopped:
            self.limit, root = str(stopped), self._reached_so_far()
        except Stopped as stopped:
            if self.system.violated:
                return self._with_run(self.system.violated)
            self.limit = self.limit or str(stopped)
            root = self._reached_so_far()
        measure = Measure(self.diagrams, root)
        result = self._result(measure, measure)
        if self.limit is None:
            try:
                if broken := self._broken(root):
                    return self._with_run(broken)
                self._look_for_endless_runs()
            except Interrupted as stopped:
                self.limit = str(stopped)
            except Stopped as stopped:
                self.limit = self.limit or str(stopped)
        verdict = INCONCLUSIVE if self.limit else HOLDS
        return replace(result, verdict=verdict, limit=self.limit, seconds=self.control.seconds(), peak_memory_bytes=peak_memory_bytes())

    def _broken(self, root: int) -> Violated | None:
        """What the states of `root` break together, or by being an end."""
        if broken := self.relations.broken(self.diagrams, root, self.system, self.model.config.slots):
            return broken.violated
        return STUCK if self.checks.progress and stuck_states(self.diagrams, root, self.system, self.checks) else None

    def _look_for_endless_runs(self) -> None:
        """For Progress, with a diagram of its own. Whether something is left to decide on an endless run is not known."""
        if self.checks.progress and not self._layered().all_runs_end():
            self.limit = "some run never ends, and the symbolic engine does not see whether something is left to decide on it; " + (
                "take --engine compiled"
            )

    def _layered(self) -> Layers:
        """The same system, one delivery after the other."""
        return Layers(self._system(Events(closes=False), Notes()), self.checks, self._watch)

    def _system(
        self, events: Events, notes: Notes | None, order: Sequence[int] = (), messages: bool | None = None
    ) -> ViewSystem | MessageSystem:
        """The model's steps as events, with the reductions that are on."""
        self.claims = Claims(self.model, self.reductions, symmetric=False, trusted=self.trust_claims)
        locals_ = LocalSteps(self.model, self.checks, self.claims, Digest(({},)))
        if not self.reductions.names if messages is None else messages:
            return MessageSystem(locals_, order or order_of_states(self.model.processes), events, notes)
        tables = Tables(locals_, self.reductions, self.model.config.slots)
        return ViewSystem(tables, order or level_order(self.model.processes, self.reductions.inert), events, notes)

    def _reachable(self) -> int:
        """The node of all reachable states, level by level from the lowest."""
        if self._watch(0):
            raise Stopped
        a = UNIT
        initial = self.system.initial()
        for level in sorted(initial, key=self.events.height):
            self.events.widen(initial[level])
            self.diagrams.kept = np.array([a], np.int64)
            a = self.diagrams.made(level, [(initial[level], a)])
            if self.events.absent(level) == FULL:
                a = self.diagrams.closed(a)
        return self.diagrams.collect([a])[0]

    def _reached_so_far(self) -> int:
        """The node of all states that were found before a limit stopped the search."""
        return self.diagrams.unfinished(self.system.initial())

    def _watch(self, more_bytes: int) -> bool:
        """Looks at the limits, and reports progress now and then."""
        memory_bytes = resident_bytes() + more_bytes
        if self.control.seconds() - self._reported_at >= _REPORT_SECONDS:
            self._reported_at = self.control.seconds()
            self.control.report(Snapshot(0, 0, 0, 0, memory_bytes, self.diagrams.nodes))
        self.limit = self.control.limit_reached(0, memory_bytes)
        return self.limit is not None

    def _with_run(self, broken: Violated) -> Result:
        """The violation with a shortest run that leads there; the counts are those of the layers. A step that puts others off is several
        deliveries, so deferral is off."""
        self.reductions = replace(self.reductions, deferral=False)
        layers = self._layered()
        self.system, self.diagrams = layers.system, layers.diagrams
        violation: Violation | None = None
        try:
            violation = layers.shortest()
        except Interrupted as stopped:
            self.limit = str(stopped)
        except Stopped as stopped:
            self.limit = self.limit or str(stopped)
        last, before = layers.measures()
        if violation is not None:
            return replace(self._result(last, before), verdict=VIOLATED, violation=violation, depth=len(violation.trace) + 1)
        how = f"{broken.invariant} is violated ({broken.how}), but the search for a run that shows it: {self.limit}"
        return replace(self._result(last, before), limit=how, depth=layers.depth)

    def _diagram(self) -> Diagram:
        return Diagram(self.diagrams.nodes, int(self.diagrams.edges_in_use), self.diagrams.peak_nodes, self.diagrams.bytes)

    def _counted(self, measure: Measure) -> tuple[Counter[Action], Counter[Action]]:
        """In how many states each kind of step can be taken, and those put off; nothing where a limit has no time for that."""
        if self.limit is not None and self.diagrams.nodes * self.system.work() > _COUNTED_AFTER_A_LIMIT_MAX:
            return Counter(), Counter()
        try:
            return self.system.taken(measure, self._or_stop)
        except Stopped:
            return Counter(), Counter()

    def _or_stop(self) -> None:
        if self.diagrams.watch(0):
            raise Stopped

    def _result(self, reached: Measure, expanded: Measure) -> Result:
        counted, put_off = self._counted(expanded)
        return Result(
            verdict=INCONCLUSIVE,
            config=self.model.config,
            engine="symbolic",
            reductions=self.reductions.names,
            distinct_states=reached.states,
            generated_states=1 + sum(counted.values()) if counted else reached.states,
            depth=0,
            seconds=self.control.seconds(),
            peak_memory_bytes=peak_memory_bytes(),
            collision_probability=0.0,
            invariants=tuple(each.name for each in self.checks.invariants),
            coverage=counted + put_off,
            unneeded=frozenset(Action(role, kind) for role, kind in self.claims.left_out),
            claims=self.claims.report(),
            exercised=exercised(self.checks, put_off, self.claims),
            diagram=self._diagram(),
        )
