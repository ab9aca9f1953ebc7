"""What `conform` found, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pmmc_check.checker.conformance import DifferingStep
from pmmc_check.model.calls import shown_outcomes
from pmmc_check.model.model import Model
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.messages import Start, show
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.report.rules import done_instead, rule_of


def conformity_as_json(  # noqa: PLR0917
    verdict: str,
    model: Model,
    steps: int,
    distinct_states: int,
    differing: Iterable[DifferingStep],
    limit: str | None,
    notes: Sequence[str],
) -> dict[str, Any]:
    """One object; texts are the paper's notation, as in reports."""
    return {
        "verdict": verdict,
        "config": model.config.as_dict(),
        "roles": {role: model.protocol[role].__name__ for role, paper in PMMC.items() if model.protocol[role] is not paper},
        "steps": steps,
        "distinct_states": distinct_states,
        "limit": limit,
        "notes": list(notes),
        "differences": [_as_json(each) for each in differing],
    }


def _as_json(each: DifferingStep) -> dict[str, Any]:
    return {
        "process": str(each.process),
        "received": list(map(str, each.received)),
        "state": None if isinstance(each.state, Lifecycle) else show(each.state),
        "message": message_shown(each),
        "paper": shown_outcomes(each.paper),
        "yours": f"fails: {each.failed}" if each.failed else shown_outcomes(each.yours),
        "difference": f"{each.process} {done_instead(each.told)}" if each.told else None,
        "rule": rule_of(each.told) if each.told else None,
    }


def message_shown(each: DifferingStep) -> str:
    """The message, or what else befalls the process."""
    if isinstance(each.message, Start):
        return f"its creation with {each.message.command}" if each.message.command else "its creation"
    return str(each.message)
