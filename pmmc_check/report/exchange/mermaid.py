"""Runs as sequence diagrams of Mermaid, which GitHub and GitLab draw."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pmmc_check.report.exchange import NotExpressible
from pmmc_check.report.exchange.sequence import UNRECORDED, Aliases, Arrow, Moment, lifelines, moments, stem_and_loop
from pmmc_check.report.exchange.text import one_line
from pmmc_check.report.runs.run import EventMark, Run

CHARACTERS_MAX = 50_000
"""Mermaid draws no longer text, unless a site says otherwise."""

_COLOURS = {
    EventMark.FAILING: "rgb(255, 205, 210)",
    EventMark.DEVIATION: "rgb(255, 236, 179)",
    EventMark.DECISION: "rgb(200, 230, 201)",
}
_SPECIAL = re.compile(r"[#;<>%&$@\"\\`]|(?i:\bend\b)|(?<=^wrap):|(?<=^nowrap):")


def run_as_mermaid(run: Run) -> str:
    """The diagram.

    Raises:
        NotExpressible: it is longer than Mermaid allows.
    """
    text = "\n".join(_lines(run)) + "\n"
    if len(text) > CHARACTERS_MAX:
        raise NotExpressible(
            f"Mermaid draws at most {CHARACTERS_MAX:,} characters, and this run takes {len(text):,}; PlantUML (.puml) has no such limit"
        )
    return text


def _lines(run: Run) -> Iterator[str]:
    yield "sequenceDiagram"
    aliases = Aliases.of(run)
    for name, members in lifelines(run):
        if name:
            yield f"  box whitesmoke {_text(name)} with its scouts and commanders"
        for each in members:
            yield f"  participant {aliases.names[each.id]} as {_text(each.name)}"
        if name:
            yield "  end"
    drawn = list(moments(run))
    if aliases.any_unrecorded(drawn):
        yield f"  participant {UNRECORDED} as not recorded"
    stem, loop, rest = stem_and_loop(run, drawn)
    for moment in stem:
        yield from _moment(moment, aliases)
    if loop:
        yield "  loop for ever"
        for moment in loop:
            yield from _moment(moment, aliases)
        yield "  end"
    for moment in rest:
        yield from _moment(moment, aliases)


def _moment(moment: Moment, aliases: Aliases) -> Iterator[str]:
    if moment.mark is not None:
        yield f"  rect {_COLOURS[moment.mark]}"
    for part in moment.parts:
        if isinstance(part, Arrow):
            arrow = "-x" if part.lost else "-->>" if part.again else "->>"
            yield f"  {aliases.sender(part)}{arrow}{aliases.names[part.to]}: {_text(part.text)}{' is lost' * part.lost}"
        else:
            yield f"  Note over {','.join(aliases.beside(part))}: {'<br/>'.join(map(_text, part.lines))}"
    if moment.mark is not None:
        yield "  end"


def _text(text: str) -> str:
    """Text that means nothing to Mermaid: what could is written as entities, in its own notation."""
    return _SPECIAL.sub(lambda found: f"#{ord(found.group()[0])};{found.group()[1:]}", one_line(text)) or "-"
