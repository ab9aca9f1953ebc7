"""What makes a verdict say less than it seems to: nothing holds vacuously in silence."""

from __future__ import annotations

from collections.abc import Iterator

from pmmc_check.checker.result import Result
from pmmc_check.report.coverage import named, untaken
from pmmc_check.verdicts import VIOLATED


def vacuous(result: Result) -> list[str]:
    """A sentence for each reason why invariants hold that is no merit of the protocol.

    Of a search that was stopped, they say what has not happened so far. Of a violation there is nothing to say: it did happen; but of
    what holds beside it there is, where the search went on.
    """
    return [] if result.verdict == VIOLATED and not result.complete else list(_reasons(result))


def _reasons(result: Result) -> Iterator[str]:
    complete = result.complete
    run = "run within the constraint" if result.constraints else "run"
    if not result.exercised.decided:
        yield (
            f"no command is decided in any {run}, so whatever is asked of decisions holds of none"
            if complete
            else "no command has been decided so far"
        )
    if "Agreement" in result.invariants and result.exercised.commands == 1 and result.invariant_verdict("Agreement") != VIOLATED:
        yield "there is only one command, so Agreement cannot be violated; give --commands 2"
    for name, kind in result.exercised.unsent:
        yield (
            f"no {kind} is sent in any {run}, so whatever {name} asks of these holds of none"
            if complete
            else f"no {kind}, of which {name} asks, has been sent so far"
        )
    for name, role in result.exercised.unchanged:
        yield (
            f"{name} does nothing in any {run} that the paper's {role} would not do: the verdict is that of the paper's {role}"
            if complete
            else f"{name} has done nothing so far that the paper's {role} would not have done"
        )
    counted = result.coverage or complete
    if counted and (never := untaken(result).never):
        yield (
            f"no {run} has these steps, so nothing was checked about them: {named(never)}"
            if complete
            else f"no step of these kinds has been taken so far: {named(never)}"
        )
