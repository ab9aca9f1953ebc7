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
from pmmc_check.words import counted

Witnessed = tuple[str, str, Result, Model]
"""A witness's name, its verdict, the result of the search for it, and the model that was searched last."""


def witnesses_text(found: Sequence[Witnessed], layout: Layout) -> str:
    """One paragraph for each witness."""
    return rendered(_paragraphs(found, layout), layout)


def witnesses_summary(found: Sequence[Witnessed], layout: Layout) -> str:
    """One line for each witness."""
    return rendered((_headline(*each[:3]) for each in found), layout)


def witnesses_as_json(found: Sequence[Witnessed]) -> list[dict[str, Any]]:
    """One object for each witness; `reached` is null where a limit stopped the search, `steps` is null where there is no run."""
    return [
        {
            "name": name,
            "reached": {HOLDS: True, VIOLATED: False}.get(verdict),
            "distinct_states": result.distinct_states,
            "limit": result.limit,
            "steps": violation_as_json(result.violation, model)["steps"] if result.violation else None,
        }
        for name, verdict, result, model in found
    ]


def _paragraphs(found: Sequence[Witnessed], layout: Layout) -> Iterator[RenderableType]:
    for number, (name, verdict, result, model) in enumerate(found):
        if number:
            yield ""
        yield _headline(name, verdict, result)
        if result.violation and result.violation.trace:
            yield ""
            yield from steps_view(shown_steps(result.violation, model, set()), layout)
        elif verdict == VIOLATED:
            within = "".join(f", within {each.name}" for each in result.constraints)
            yield Text(f"({size_of(result.config)}, {result.config.network} network{within})")


def _headline(name: str, verdict: str, result: Result) -> Text:
    if result.violation:
        steps, walked = len(result.violation.trace), result.walks is not None
        kind = "a run" if walked or result.limit else "a shortest run"
        how = f"{kind} takes {counted(steps, 'step')}:" if steps else "the initial state is one"
        return Text.assemble(("REACHED", "bold green"), f": {name}: {how}")
    if verdict == VIOLATED:
        none_of = "the only state" if result.distinct_states == 1 else f"none of the {result.distinct_states:,} states"
        none = f": {name}: {none_of} of this configuration, all checked, is one"
        return Text.assemble(("NONE", "bold red"), none)
    return Text.assemble(("INCONCLUSIVE", "bold yellow"), f": {name}: not reached before the search was stopped: {result.limit}")
