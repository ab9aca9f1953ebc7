"""The compiled search with steps that are taken alone: begun anew where too much was left out, and run again without for a shortest run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pmmc_check.checker.commuting import MessagesReceived, Retracted
from pmmc_check.checker.compiled import CompiledSearch
from pmmc_check.checker.reductions import Reductions
from pmmc_check.checker.result import Control, Result
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant
from pmmc_check.verdicts import VIOLATED


class CommutingSearch:
    """Explores `model` as `CompiledSearch` does, with `commuting` where the reductions say so; `search` is the last search that it ran."""

    def __init__(
        self, model: Model, invariants: Sequence[Invariant], control: Control, reductions: Reductions, threads: int = 1, **how: Any
    ) -> None:
        self._model, self._invariants, self._control, self._reductions = model, invariants, control, reductions
        self._threads, self._how = threads, how
        self.search: CompiledSearch
        self.begun = 0
        """How many searches were begun."""

    def run(self) -> Result:
        """Searches until there is an answer or a limit is reached."""
        bounded, kept = self._control.limits.depth_max is not None, self._control.checkpoints is not None
        if not self._reductions.commuting or bounded or kept:  # a bound is to mean all runs up to there
            return self._searched(self._control, None)
        result = self._exhausted()
        return self._shortest(result) if result.verdict == VIOLATED else result

    def _exhausted(self) -> Result:
        received: MessagesReceived = ()
        while True:
            try:
                return self._searched(self._control, received)
            except Retracted as retracted:
                received = retracted.received

    def _shortest(self, found: Result) -> Result:
        """The result of the search without commuting, which goes no deeper than `found`; or that, if a limit is reached before."""
        assert found.violation is not None
        within = replace(self._control.limits, depth_max=1 + len(found.violation.trace))
        result = self._searched(replace(self._control, limits=within), None)
        if result.verdict == VIOLATED:
            return result
        return replace(found, violation=replace(found.violation, shortest=False), limit=result.limit)

    def _searched(self, control: Control, received: MessagesReceived | None) -> Result:
        self.begun += 1
        self.search = CompiledSearch(
            self._model, self._invariants, control, self._reductions, self._threads, received=received, **self._how
        )
        return self.search.run()
