"""`conform`: does a role what the paper's does, step by step?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pmmc_check.api.options import SearchOptions, in_every_slot
from pmmc_check.api.searching import configured, engine_for, protocol_of
from pmmc_check.checker.conformance import AnswersKept, DifferingStep, differing_steps
from pmmc_check.checker.false_claim import FalseClaim
from pmmc_check.checker.reductions import applicable, reductions_named
from pmmc_check.checker.result import Control
from pmmc_check.errors import UsageError
from pmmc_check.model.model import Model
from pmmc_check.protocol import PMMC
from pmmc_check.report.conform_json import conformity_as_json
from pmmc_check.report.conform_text import conformity_as_text
from pmmc_check.report.layout import Layout
from pmmc_check.verdicts import CONFORMS, DIFFERS, INCONCLUSIVE


@dataclass(frozen=True)
class Conformity:
    """What came of a comparison: `differences` with the paper, the shortest first, in `steps` steps that were compared.

    `limit` says what stopped the search; `notes` what else there is to say."""

    model: Model
    steps: int
    distinct_states: int
    differences: tuple[DifferingStep, ...]
    limit: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """`conforms`, `differs` or `inconclusive`."""
        return DIFFERS if self.differences else INCONCLUSIVE if self.limit else CONFORMS

    def to_json(self) -> dict[str, Any]:
        """As dictionaries and lists."""
        return conformity_as_json(self.verdict, self.model, self.steps, self.distinct_states, self.differences, self.limit, self.notes)

    def report(self, layout: Layout, shown_max: int) -> str:
        """The report, with so many differences."""
        counts = (self.steps, self.distinct_states)
        return conformity_as_text(self.verdict, self.model, counts, self.differences, self.limit, self.notes, layout, shown_max)


def compared(options: SearchOptions, controlled: Callable[[], AbstractContextManager[Control]]) -> Conformity:
    """Searches the configuration, without an invariant, and compares all that the roles were asked.

    Raises:
        UsageError: an option is wrong, or there is no role but the paper's.
        ProtocolError: a role breaks its contract.
    """
    if in_every_slot(options):
        raise UsageError("--slots any: what is compared are steps of a bounded model; give a number of slots")
    model = Model(configured(options), protocol_of(options))
    if all(model.protocol[role] is paper for role, paper in PMMC.items()):
        raise UsageError("there is nothing to compare with the paper's protocol; give --protocol, or a --variant")
    model.failing_ends_runs = True
    model.deviations = answers = AnswersKept(model)
    reductions, _ = applicable(reductions_named("all"), model)
    notes: tuple[str, ...] = ()
    with controlled() as control:
        try:
            result = engine_for(options, (), control, reductions)(model).run()
            limit, distinct_states = result.limit, result.distinct_states
            model.check_still_pure()
        except FalseClaim as false:
            if not (found := differing_steps(model, answers)):
                raise
            notes = (f"the search ended early: {str(false).splitlines()[0]}",)
            return Conformity(model, answers.count, 0, tuple(found), None, notes)
    return Conformity(model, answers.count, distinct_states, tuple(differing_steps(model, answers)), limit, notes)
