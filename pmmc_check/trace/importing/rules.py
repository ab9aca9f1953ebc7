"""What a mapping says of each line: conditions, and the events that a line stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pmmc_check.trace.errors import Unfit
from pmmc_check.trace.importing.rewriting import Rewriting
from pmmc_check.trace.importing.templates import NOT_THERE, Fields, Filled, Getter, shown_plainly

RawField = str | tuple[bool, list[str]] | None
"""A field as an event builder takes it: its text, or (is it a delta, members) of a set; None: it is left out."""
Maker = Callable[[Fields, Rewriting], RawField]
"""Makes a field of an event from those of a line. Raises `Unfit`."""


@dataclass(frozen=True)
class LineCondition:
    """A key of the line that is one of some texts, or matches an expression, or is there at all, or is not."""

    path: str
    get: Getter
    texts: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    present: bool | None = None

    def holds(self, fields: Fields) -> bool:
        """Whether it does."""
        value = self.get(fields)
        if self.present is not None:
            return (value is not NOT_THERE) == self.present
        if value is NOT_THERE:
            return False
        text = value if type(value) is str else shown_plainly(value)
        return text in self.texts if self.pattern is None else self.pattern.search(text) is not None


@dataclass(frozen=True)
class EventPattern:
    """An event that a line stands for. `kind` is None for crash, restart and end; `line` is where the mapping says it."""

    action: str
    kind: str | None
    at: Filled
    fields: tuple[tuple[str, Maker], ...]
    post: tuple[tuple[str, Maker], ...]
    line: int


@dataclass(frozen=True)
class ImportRule:
    """One `[[rule]]`. `drops`: its lines are no events. `once`: repetitions of an event are left out.

    `needs_answer`: a receive counts only if its process sends something before the next one. `members`: the line stands for the events
    once for each member of that list.
    """

    name: str
    line: int
    when: tuple[LineCondition, ...]
    match: re.Pattern[str] | None
    drops: bool
    once: bool
    needs_answer: bool
    members: Getter | None
    events: tuple[EventPattern, ...]

    def matches(self, fields: Fields, message: Getter) -> Fields | None:
        """The fields, with those that the expression finds; None where the rule is not about this line."""
        for condition in self.when:
            if not condition.holds(fields):
                return None
        if self.match is None:
            return fields
        text = message(fields)
        found = self.match.search(text) if type(text) is str else None
        return None if found is None else {**fields, **{key: each for key, each in found.groupdict().items() if each is not None}}


def each_member(value: Any, expression: re.Pattern[str] | None = None) -> Iterator[dict[str, Any]]:
    """The members of a list, each as fields; of an object those by key (`@key`); of a text those that `expression` finds.

    Raises:
        Unfit: it has no members, or something between them that the expression leaves out.
    """
    if isinstance(value, str):
        if expression is None:
            raise Unfit(f"{value[:40]!r} is a text; match = says how one member of it looks, with named groups")
        rest = expression.sub("", value)
        if re.search(r"\w", rest):
            raise Unfit(f"the expression leaves {rest.strip()[:40]!r} of {value[:60]!r} out")
        yield from (match.groupdict() for match in expression.finditer(value))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield {"@key": key, **_member(each, expression)}
    elif isinstance(value, list):
        for each in value:
            yield _member(each, expression)
    else:
        raise Unfit(f"{shown_plainly(value)[:40]} is no list, object or text")


def _member(value: Any, expression: re.Pattern[str] | None) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(number): each for number, each in enumerate(value)}
    if isinstance(value, str) and expression is not None:
        match = expression.fullmatch(value)
        if match is None:
            raise Unfit(f"{value[:60]!r} is not as match = says")
        return match.groupdict()
    return {"@value": value}
