"""Which of the messages that were sent an expression can tell from none: a search need not remember the others.

Where an expression reads a set of messages as `\\A m \\in p1b : P`, a message for which P is true whatever the state is makes no
difference; nor does one for which P is false in `\\E m \\in p1b : P` and `{m \\in p1b : P}`. P is evaluated with the message known and all
that it reads unknown. A message is remembered unless it makes no difference in any of the places where its set is read. So
`\\A m \\in p1b : \\A v \\in m.accepted : v.ballot <= m.ballot` remembers none but those that break it, and
`{m \\in p2b : m.ballot = m.to.ballot /\\ ...}` no refusals.

Of an expression that may have no value everything is remembered: whether it has one may depend on a message that has no say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import COMMANDER
from pmmc_check.spec.evaluate import World, compiled_term, frame_size
from pmmc_check.spec.partly import NEUTRAL, NOT_KNOWN, Partly
from pmmc_check.spec.terms import Term

_READING = ("facts", "fact", "state")


def relevance(term: Term, system: System) -> Callable[[str, Any], bool]:
    """Whether a message matters to `term`: told the kind of fact that it was sent, and the record that it is."""
    places: dict[str, list[Term | None]] = defaultdict(list)
    for part in term.all_parts():
        for number, each in enumerate(part.parts):
            if each.kind == "facts":
                places[each.value].append(part if number == 0 and part.kind in NEUTRAL else None)
    if any(map(_may_have_no_value, term.all_parts())) or term.kind == "facts":
        return lambda kind, record: True
    partly = _OfOneMessage(system)

    def matters(kind: str, record: Any) -> bool:
        return any(
            place is None or partly.value(place.parts[1], {place.value: record}) is not NEUTRAL[place.kind] for place in places[kind]
        )

    return matters


def _may_have_no_value(part: Term) -> bool:
    return part.kind in ("choose", "item") or (part.kind, part.value) in (("operation", ".."), ("state", (COMMANDER, "command")))


class _OfOneMessage(Partly):
    """What can be told of the body of what binds a message, when that is known."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._closures: dict[Term, tuple[frozenset[int], Callable[..., Any], int] | None] = {}

    def value(self, term: Term, known: dict[int, Any]) -> Any:
        """Where all that a term needs is known, its value."""
        needs = self._needs(term)
        values = [known.get(number, NOT_KNOWN) for number in needs[0]] if needs else [NOT_KNOWN]
        if needs is None or NOT_KNOWN in values:
            return super().value(term, known)
        frame: list[Any] = [None] * needs[2]
        for number, each in zip(needs[0], values, strict=True):
            frame[number] = each
        return needs[1](World(), frame)

    def _needs(self, term: Term) -> tuple[frozenset[int], Callable[..., Any], int] | None:
        """The numbers of the variables that a term needs, what evaluates it, and the size of a frame; None: it reads the state."""
        if term not in self._closures:
            reads = any(each.kind in _READING for each in term.all_parts())
            closure = None if reads else (_free(term), compiled_term(term, self._system), frame_size(term))
            self._closures[term] = closure
        return self._closures[term]


def _free(term: Term) -> frozenset[int]:
    """The variables that are not bound within a term."""
    if term.kind == "variable":
        return frozenset({term.value})
    *others, body = [_free(part) for part in term.parts] or [frozenset[int]()]
    bound = {term.value} if term.kind in ("forall", "exists", "filter", "collect", "choose", "let") else set[int]()
    return frozenset().union(*others) | (body - bound)
