"""From the states of roles to the texts of their fields, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import Crashed, Lifecycle
from pmmc_check.protocol.values import COMMANDER, Ballot, ProcessId
from pmmc_check.report.runs.run import STATUS_FIELD, FieldChange, FieldValue, Status

ShowValue = Callable[[Any], str]


def fields_of(state: Any, show: ShowValue) -> dict[str, FieldValue]:
    """The fields of a local state, `STATUS_FIELD` first; none before the process exists. A state that is no dataclass is one field."""
    if isinstance(state, Lifecycle):
        return {STATUS_FIELD: Status.EXITED} if state is Lifecycle.EXITED else {}
    if isinstance(state, Crashed):
        return {**fields_of(state.state, show), STATUS_FIELD: Status.DOWN}
    if not is_dataclass(state):
        return {STATUS_FIELD: Status.RUNNING, "state": show(state)}
    return {STATUS_FIELD: Status.RUNNING} | {each.name: field_value(getattr(state, each.name), show) for each in fields(state)}


def field_value(value: Any, show: ShowValue) -> FieldValue:
    """A set as its members, anything else as text."""
    return members_of(value, show) if isinstance(value, frozenset) else show(value)


def members_of(values: Iterable[Any], show: ShowValue) -> tuple[str, ...]:
    """The texts of the members, by value where they can be compared."""
    listed = list(values)
    try:
        return tuple(show(each) for each in sorted(listed))
    except TypeError:
        return tuple(sorted(map(show, listed)))


def changed_fields(process: ProcessId, before: Mapping[str, FieldValue], after: Mapping[str, FieldValue]) -> Iterator[FieldChange]:
    """The fields that differ."""
    for name, old in before.items():
        if name not in after:
            yield FieldChange(process, name, None if isinstance(old, tuple) else old, None)
    for name, new in after.items():
        known = before.get(name)
        if known == new:
            continue
        if isinstance(new, str):
            yield FieldChange(process, name, known if isinstance(known, str) else None, new)
        elif isinstance(known, tuple):
            yield FieldChange(process, name, None, None, True, _without(new, known), _without(known, new))
        else:
            if known is not None:
                yield FieldChange(process, name, known, None)
            yield FieldChange(process, name, None, None, True, new)


def _without(members: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    known = set(others)
    return tuple(each for each in members if each not in known)


def ballot_of(message: Message, sender: ProcessId | None, to: ProcessId) -> Ballot | None:
    """The ballot that a message is about: its own, or that of the commander that sends it."""
    own = getattr(message, "ballot", None)
    if isinstance(own, Ballot):
        return own
    return sender.ballot if sender is not None and sender.role == COMMANDER else None


def slot_of(message: Message, sender: ProcessId | None, to: ProcessId) -> int | None:
    """The slot that a message is about: its own, or that of the commander at one of its ends."""
    own = getattr(message, "slot", None)
    if isinstance(own, int):
        return own
    return next((each.slot for each in (to, sender) if each is not None and each.role == COMMANDER), None)
