"""The engine that chooses: states one by one first, and a decision diagram where there turn out to be too many.

The rule, with what it rests on in docs/performance.md. The compiled search begins. It finds violations sooner than any other, and ends
first where there are few states. If it has met `STATES_FIRST` states, no reduction leaves steps out and the network keeps what it has
delivered, the symbolic search begins anew and answers. (Inert, deferral, halting and commuting leave few states that have little in
common, and so do networks that forget what they have delivered: there a diagram gains nothing, or loses.)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pmmc_check.checker.commuting_search import CommutingSearch
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Control, Result
from pmmc_check.checker.symbolic.search import SymbolicSearch
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant

STATES_FIRST = 1_000_000
"""States that the compiled search meets before it is given up: a second of work."""


@dataclass
class FirstTry(Control):
    """The control of a search that may be given up for another."""

    whole: Control | None = None
    given_up: bool = False

    def limit_reached(self, distinct_states: int, memory_bytes: int) -> str | None:
        """As of the whole search; and that there are too many states for a first try."""
        assert self.whole is not None
        limit = self.whole.limit_reached(distinct_states, memory_bytes)
        self.given_up = limit is None and distinct_states >= STATES_FIRST
        return f"{STATES_FIRST:,} states were reached" if self.given_up else limit


class ChosenSearch:
    """Explores `model` with the engine that suits it."""

    def __init__(
        self, model: Model, invariants: Sequence[Invariant], control: Control, wanted: Reductions, threads: int = 1, **how: Any
    ) -> None:
        self._arguments = (model, invariants)
        self._control = control
        self._wanted, self._threads, self._how = wanted, threads, how

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""
        forgets = not self._arguments[0].network.keeps_delivered
        if forgets or replace(self._wanted, symmetry=False).names:
            return CommutingSearch(*self._arguments, self._control, self._wanted, self._threads, **self._how).run()
        first = FirstTry(self._control.limits, self._control.report, started_at=self._control.started_at, whole=self._control)
        result = CompiledSearch(*self._arguments, first, self._wanted, self._threads, **self._how).run()
        if not first.given_up:
            return result
        return SymbolicSearch(*self._arguments, self._control, self._wanted, **self._how).run()
