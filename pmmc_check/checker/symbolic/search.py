"""The symbolic search: all reachable states as one decision diagram, then what it says.

A violation that shows in the diagram, or in one process's view on the way, is a fact; the run that leads there is
looked for by the compiled search, which finds a shortest one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pmmc_check.checker.claims import Claims
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.coverage import exercised
from pmmc_check.checker.local_steps import LocalSteps
from pmmc_check.checker.memory import peak_memory_bytes, resident_bytes
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Action, Control, Diagram, Result, Snapshot
from pmmc_check.checker.symbolic.diagrams import Diagrams
from pmmc_check.checker.symbolic.events import FULL, Events, Stopped
from pmmc_check.checker.symbolic.measure import Measure
from pmmc_check.checker.symbolic.messages import MessageSystem
from pmmc_check.checker.symbolic.nodes import UNIT
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

    `wanted` are the reductions for the run that shows a violation, which the compiled search looks for. `messages` says whether each
    message has a level of its own, which is not possible with reductions, and otherwise usual. `order` gives the
    processes their levels, the highest first; without it `symbolic.order` does.
    """

    def __init__(
        self,
        model: Model,
        invariants: Sequence[Invariant],
        control: Control,
        wanted: Reductions,
        threads: int = 1,
        *,
        trust_claims: bool = False,
        order: Sequence[int] = (),
        messages: bool | None = None,
    ) -> None:
        self.model = model
        self.invariants = tuple(invariants)
        self.control = control
        self.wanted = wanted
        self.threads = threads
        self.trust_claims = trust_claims
        self.checks = Checks(model, invariants)
        self.reductions = replace(wanted, symmetry=False)
        self.claims = Claims(model, self.reductions, symmetric=False, trusted=trust_claims)
        self.locals = LocalSteps(model, self.checks, self.claims, Digest(({},)))
        self.relations = Relations(self.checks)
        self.events = Events()
        self.tables: Tables | None = None
        self.system: ViewSystem | MessageSystem
        if not self.reductions.names if messages is None else messages:
            self.system = MessageSystem(self.locals, order or order_of_states(model.processes), self.events)
        else:
            self.tables = Tables(self.locals, self.reductions, model.config.slots)
            self.system = ViewSystem(self.tables, order or level_order(model.processes, self.reductions.inert), self.events)
        self.diagrams = Diagrams(self.events, self.system, self._watch)
        self.limit: str | None = None
        self._reported_at = 0.0

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""
        if at_once := self.checks.of_state(self.model.initial()):
            return self._with_run(at_once)
        try:
            root = self._reachable()
        except Interrupted as stopped:
            self.limit, root = str(stopped), self._reached_so_far()
        except Stopped:
            if self.system.violated:
                return self._with_run(self.system.violated)
            root = self._reached_so_far()
        result = self._result(Measure(self.diagrams, root))
        if self.limit is None:
            try:
                if broken := self.relations.broken(self.diagrams, root, self.system, self.model.config.slots):
                    return self._with_run(broken.violated)
            except Interrupted as stopped:
                self.limit = str(stopped)
            except Stopped:
                assert self.limit is not None
        return replace(
            result,
            verdict=INCONCLUSIVE if self.limit else HOLDS,
            limit=self.limit,
            seconds=self.control.seconds(),
            peak_memory_bytes=peak_memory_bytes(),
        )

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
        """The violation with a shortest run that leads there."""
        found = CompiledSearch(self.model, self.invariants, self.control, self.wanted, self.threads, trust_claims=self.trust_claims).run()
        assert found.verdict != HOLDS, f"the compiled search does not find what breaks {broken.invariant}: {broken.how}"
        result = replace(found, engine="symbolic", diagram=self._diagram())
        if found.verdict == VIOLATED:
            return result
        return replace(
            result, limit=f"{broken.invariant} is violated ({broken.how}), but the search for a run that shows it: {found.limit}"
        )

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

    def _result(self, measure: Measure) -> Result:
        counted, put_off = self._counted(measure)
        return Result(
            verdict=INCONCLUSIVE,
            config=self.model.config,
            engine="symbolic",
            reductions=self.reductions.names,
            distinct_states=measure.states,
            generated_states=1 + sum(counted.values()) if counted else measure.states,
            depth=0,
            seconds=self.control.seconds(),
            peak_memory_bytes=peak_memory_bytes(),
            collision_probability=0.0,
            invariants=tuple(each.name for each in self.checks.invariants),
            coverage=counted + put_off,
            unneeded=frozenset(Action(role, kind) for role, kind in self.claims.left_out),
            claims=self.claims.report(),
            exercised=exercised(self.model, put_off, self.claims),
            diagram=self._diagram(),
        )
