"""A program that plays a role and crashes in a step: no verdict, but the run that leads there."""

from __future__ import annotations

from pmmc_check.checker.result import Result, Violation
from pmmc_check.errors import FailedStep, ProtocolError
from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import ASSERTION
from pmmc_check.words import counted


class CrashedProgram(ProtocolError):
    """The text shows the question at which it crashed, and a run that leads to it."""

    in_lines = True


def check_no_crash(result: Result, model: Model) -> None:
    """Raises what a crash means, where a search has found one.

    Raises:
        CrashedProgram: it has.
    """
    for each in result.violations:
        failed = _failed_step(each, model) if each.invariant == ASSERTION.name else None
        if failed is not None and not failed.is_assertion:
            from pmmc_check.report.counterexample import list_view, shown_steps  # noqa: PLC0415  # hardly any search needs it
            from pmmc_check.report.layout import Layout, rendered  # noqa: PLC0415  # likewise

            kind = "A shortest run" if each.shortest else "A run"
            steps = rendered(list_view(shown_steps(each, model), Layout()), Layout()).rstrip()
            length = counted(len(each.trace), "step")
            raise CrashedProgram(f"{failed}\n{kind} that leads there, in {length} from the initial state:\n\n{steps}")


def _failed_step(violation: Violation, model: Model) -> FailedStep:
    step = violation.trace[-1].step
    before = violation.trace[-2].after if len(violation.trace) > 1 else violation.initial
    return model.failed_step(step.process, before[model.index[step.process]].state, step.message)
