"""What a person reads after `conform`: whether the roles do what the paper's do, and where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from pmmc_check.checker.conformance import DifferingStep
from pmmc_check.model.calls import shown_outcomes
from pmmc_check.model.model import Model
from pmmc_check.protocol import PMMC
from pmmc_check.protocol.messages import show
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.report.conform_json import message_shown
from pmmc_check.report.layout import Layout, labelled, rendered
from pmmc_check.report.rules import done_instead, rule_of
from pmmc_check.verdicts import CONFORMS, DIFFERS
from pmmc_check.words import counted

_LABEL = 11


def conformity_as_text(  # noqa: PLR0917
    verdict: str,
    model: Model,
    counts: tuple[int, int],
    differing: Sequence[DifferingStep],
    limit: str | None,
    notes: Sequence[str],
    layout: Layout,
    shown_max: int,
) -> str:
    """The report; `counts` are the steps that were compared, and the states of the search."""
    roles = [f"{model.protocol[role].__name__} ({role})" for role, paper in PMMC.items() if model.protocol[role] is not paper]
    return rendered(_parts(verdict, roles, counts, differing, [*notes, *filter(None, [limit])], shown_max), layout)


def _parts(  # noqa: PLR0917
    verdict: str, roles: Sequence[str], counts: tuple[int, int], differing: Sequence[DifferingStep], notes: Sequence[str], shown_max: int
) -> Iterator[RenderableType]:
    names = ", ".join(roles)
    if verdict == CONFORMS:
        yield Text.assemble(("CONFORMS", "bold green"), f": {names}: every step that the search asked for is one of the paper's")
    elif verdict == DIFFERS:
        found = f"{counted(len(differing), 'step')} that the paper's protocol would not take"
        yield Text.assemble(("DIFFERS", "bold red"), f": {names}: {found}, the shortest way there first")
    else:
        yield Text.assemble(("INCONCLUSIVE", "bold yellow"), f": {names}: no difference so far, but the search was stopped before the end")
    yield ""
    for number, each in enumerate(differing[:shown_max], 1):
        yield Text(f"{number}  {each.process}, {_after(each)}", style="bold")
        yield labelled(_lines(each), _LABEL)
        yield ""
    if len(differing) > shown_max:
        yield Text(f"... and {len(differing) - shown_max} more (--differences N shows N)")
        yield ""
    yield labelled(
        [("compared", f"{counted(counts[0], 'step')}, in a search of {counted(counts[1], 'state')}"), *(("note", each) for each in notes)],
        _LABEL,
    )


def _after(each: DifferingStep) -> str:
    if isinstance(each.state, Lifecycle):
        return "at its start"
    return f"after it has received {', '.join(map(str, each.received))}" if each.received else "before it has received anything"


def _lines(each: DifferingStep) -> Iterator[tuple[str, str]]:
    if not isinstance(each.state, Lifecycle):
        yield "   state", show(each.state)
    yield "   message", message_shown(each)
    yield "   paper", shown_outcomes(each.paper)
    yield "   yours", f"fails: {each.failed}" if each.failed else shown_outcomes(each.yours)
    if each.told:
        yield "   so", f"{each.process} {done_instead(each.told)}. The rule: {rule_of(each.told)}"
