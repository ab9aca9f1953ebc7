"""Runs that reach what was asked for, as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pmmc_check.checker.result import Result
from pmmc_check.model.model import Model
from pmmc_check.report.counterexample import shown_steps, steps_view
from pmmc_check.report.explore_json import violation_as_json
from pmmc_check.report.explore_text import size_of
from pmmc_check.report.layout import Layout, rendered
from pmmc_check.verdicts import HOLDS, VIOLATED

Witnessed = tuple[str, str, Result]
"""A witness's name, its verdict, and the result of the search for it."""


def witnesses_text(found: Sequence[Witnessed], model: Model, layout: Layout) -> str:
    """One paragraph for each witness."""
    return rendered(_paragraphs(found, model, layout), layout)


def witnesses_as_json(found: Sequence[Witnessed], model: Model) -> list[dict[str, Any]]:
    """One object for each witness; `reached` is null where a limit stopped the search, `steps` is null where there is no run."""
    return [
        {
            "name": name,
            "reached": {HOLDS: True, VIOLATED: False}.get(verdict),
            "distinct_states": result.distinct_states,
            "limit": result.limit,
            "steps": violation_as_json(result.violation, model)["steps"] if result.violation else None,
        }
        for name, verdict, result in found
    ]


def _paragraphs(found: Sequence[Witnessed], model: Model, layout: Layout) -> Iterator[RenderableType]:
    for name, verdict, result in found:
        if result.violation:
            steps, walked = len(result.violation.trace), result.walks is not None
            kind = "a run" if walked or result.limit else "a shortest run"
            how = f"{kind} takes {steps} step{'s' * (steps != 1)}:" if steps else "the initial state is one"
            yield Text.assemble(("REACHED", "bold green"), f": {name}: {how}")
            yield ""
            if steps:
                yield from steps_view(shown_steps(result.violation, model, set()), layout)
                yield ""
        elif verdict == VIOLATED:
            yield Text.assemble(
                ("NONE", "bold red"), f": {name}: none of the {result.distinct_states:,} states of this configuration, all checked, is one"
            )
            yield Text(f"({size_of(result.config)}, {result.config.network} network)")
            yield ""
        else:
            yield Text.assemble(("INCONCLUSIVE", "bold yellow"), f": {name}: not reached before the search was stopped: {result.limit}")
            yield ""
