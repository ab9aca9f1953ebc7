"""How reports cite events and values: short sets whole, long ones by what is missing and what is too many."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from pmmc_check.protocol.role import Send, replace
from pmmc_check.protocol.values import ProcessId, PValue
from pmmc_check.trace.events import Delta, Event
from pmmc_check.trace.fields import SET_FIELDS
from pmmc_check.trace.writer import DslWriter
from pmmc_check.validation.recorded_facts import FactViolation
from pmmc_check.validation.verdict import CitedViolation, Place

Show = Callable[[Any], str]

CITATION_WIDTH = 160
_SET_WIDTH, _MEMBERS = 60, 3
_NOTES = 60


def cut(text: str, width: int = CITATION_WIDTH) -> str:
    """`text`, cut to `width` characters."""
    return text if len(text) <= width else text[: width - 3] + "..."


def in_short(pvalues: Collection[PValue], show: Show) -> str:
    """A set of pvalues, if it is short, else how many it has."""
    shown = show(pvalues)
    return shown if len(shown) <= _SET_WIDTH else f"{shown.partition('{')[0]}{{{len(pvalues)} pvalues}}"


def sets_apart(expected: Collection[PValue], observed: Collection[PValue], show: Show) -> tuple[str, str]:
    """Two sets of pvalues: as they are if both are short, else by how many they have, and how the second differs."""
    first, second = in_short(expected, show), in_short(observed, show)
    if not observed or (first, second) == (show(expected), show(observed)):
        return first, second
    missing, extra = frozenset(expected).difference(observed), frozenset(observed).difference(expected)
    apart = [f"{what} {_some(members, show)}" for members, what in ((missing, "missing"), (extra, "too many")) if members]
    plus = "+" if isinstance(observed, Delta) else ""
    return first, f"{plus}{{{'; '.join((f'{len(observed)} pvalues', *apart))}}}"


def _some(members: frozenset[PValue], show: Show) -> str:
    first = ",".join(map(show, sorted(members, key=lambda each: (each.slot, each.ballot))[:_MEMBERS]))
    return first + (f" and {len(members) - _MEMBERS} more" if len(members) > _MEMBERS else "")


def by_message(sends: Iterable[Send]) -> Sequence[tuple[Any, list[ProcessId]]]:
    """Sends with their recipients together: a broadcast is one."""
    found: list[tuple[Any, list[ProcessId]]] = []
    for to, message in sends:
        if found and (found[-1][0] is message or found[-1][0] == message):
            found[-1][1].append(to)
        else:
            found.append((message, [to]))
    return found


def violation_of(found: FactViolation, writer: DslWriter) -> CitedViolation:
    """The report of a broken invariant."""
    places = dict.fromkeys(place_of(event, writer, found.slot) for event in found.events)
    return CitedViolation(found.invariant, found.statement, found.how, tuple(places))


def place_of(event: Event, writer: DslWriter, slot: int | None = None) -> Place:
    """An event with its text, as it is cited; of a long set what concerns `slot`, if one is given."""
    text = writer.item(event)
    if len(text) > CITATION_WIDTH:
        notes = "".join([f" id={event.id}" if event.id is not None else "", f" # {event.note}" if event.note is not None else ""])
        text = cut(_narrowed(event._replace(id=None, note=None), writer, slot)) + cut(notes, _NOTES)
    return Place(event.file, event.line, text)


def _narrowed(event: Event, writer: DslWriter, slot: int | None) -> str:
    message: Any = event.message
    for key in SET_FIELDS:
        whole = getattr(message, key, None)
        if slot is not None and isinstance(whole, frozenset):
            some = type(whole)(each for each in whole if each.slot == slot)
            text = writer.item(event._replace(message=replace(message, **{key: some})))
            return text.replace("}", ",...}" if some else "...}", 1)
    return writer.item(event)
