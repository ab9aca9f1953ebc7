"""Runs as sequence diagrams of PlantUML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pmmc_check.report.exchange.sequence import UNRECORDED, Aliases, Arrow, Moment, lifelines, moments, stem_and_loop
from pmmc_check.report.exchange.text import one_line
from pmmc_check.report.runs.run import EventMark, Run

_COLOURS = {EventMark.FAILING: "#FFCDD2", EventMark.DEVIATION: "#FFECB3", EventMark.DECISION: "#C8E6C9"}
_SPECIAL = re.compile(r"[~\\<>%$&@\"|`]|^[^\w(]|([*/_\-\[{^='])(?=\1)")
"""What means something anywhere, at the beginning of a line, or doubled."""


def run_as_plantuml(run: Run) -> str:
    """The diagram."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield "@startuml"
    yield "hide footbox"
    aliases = Aliases.of(run)
    for name, members in lifelines(run):
        if name:
            yield f'box "{_text(name)} with its scouts and commanders" #F5F5F5'
        for each in members:
            yield f'participant "{_text(each.name)}" as {aliases.names[each.id]}'
        if name:
            yield "end box"
    drawn = list(moments(run))
    if aliases.any_unrecorded(drawn):
        yield f'participant "not recorded" as {UNRECORDED}'
    stem, loop, rest = stem_and_loop(run, drawn)
    for moment in stem:
        yield from _moment(moment, aliases)
    if loop:
        yield "loop for ever"
        for moment in loop:
            yield from _moment(moment, aliases)
        yield "end"
    for moment in rest:
        yield from _moment(moment, aliases)
    yield "@enduml"


def _moment(moment: Moment, aliases: Aliases) -> Iterator[str]:
    colour = "" if moment.mark is None else f" {_COLOURS[moment.mark]}"
    for part in moment.parts:
        if isinstance(part, Arrow):
            line, head = ("--" if part.again else "-"), (">x" if part.lost else ">")
            yield f"{aliases.sender(part)} {line}{head} {aliases.names[part.to]} : {_text(part.text)}{' is lost' * part.lost}"
        else:
            lines = "\\n".join(map(_text, part.lines))
            yield f"note over {', '.join(aliases.beside(part))}{colour} : {lines}"


def _text(text: str) -> str:
    """Text that means nothing to PlantUML: what could is written by its number."""
    return _SPECIAL.sub(lambda found: f"<U+{ord(found.group()):04X}>", one_line(text)) or "."
