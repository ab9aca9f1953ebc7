"""Does it matter to a quantifier over Ballots that there are ballots which nobody uses? Evaluated with what is known of these.

Of an unused ballot no pvalue was sent or accepted, and no acceptor is in it. If with that alone, and all else unknown, the body is
true for `\\A b` (false for `\\E b` and `{b \\in Ballots : ...}`), then the quantifier has the same value over the ballots that are used."""

from __future__ import annotations

from typing import Any

from pmmc_check.properties.observe import P2A_SENT, PVALUE_ACCEPTED
from pmmc_check.spec.evaluate import OPERATIONS
from pmmc_check.spec.terms import Term
from pmmc_check.spec.types import BALLOT


class _Unknown:
    pass


_UNKNOWN = _Unknown()
"""The value of what is not known."""
_NOTHING: frozenset[Any] = frozenset()
_NEUTRAL = {"forall": True, "exists": False, "filter": False}
_BALLOT_AT = {P2A_SENT: 0, PVALUE_ACCEPTED: 1}
_COMPARISONS = {name: OPERATIONS[name] for name in ("=", "#", "<", "<=", ">", ">=", "\\in", "\\notin")}


def ignores_unused(term: Term) -> bool:
    """Whether `term`, which binds a variable that ranges over Ballots, is the same if that ranges over the used ones only."""
    return term.kind in _NEUTRAL and _Partly(term.value).value(term.parts[1], {}) is _NEUTRAL[term.kind]


class _Partly:
    """Evaluates as far as is known when variable number `ballot` is an unused ballot."""

    def __init__(self, ballot: int) -> None:
        self.ballot = ballot

    def value(self, term: Term, known: dict[int, Any]) -> Any:
        """The value, or _UNKNOWN; `known` are values of other variables."""
        evaluate = getattr(self, "_" + term.kind, None)
        return evaluate(term, known) if evaluate else _UNKNOWN

    def _is_it(self, term: Term) -> bool:
        return term.kind == "variable" and bool(term.value == self.ballot)

    def _constant(self, term: Term, known: dict[int, Any]) -> Any:
        return _UNKNOWN if term.names and term.type.parts else term.value  # the system's sets have other sizes elsewhere

    def _variable(self, term: Term, known: dict[int, Any]) -> Any:
        return known.get(term.value, _UNKNOWN)

    def _fact(self, term: Term, known: dict[int, Any]) -> Any:
        at = _BALLOT_AT.get(term.value)
        return False if at is not None and self._is_it(term.parts[at]) else _UNKNOWN

    def _and(self, term: Term, known: dict[int, Any]) -> Any:
        return _all(self.value(part, known) for part in term.parts)

    def _or(self, term: Term, known: dict[int, Any]) -> Any:
        return _not(_all(_not(self.value(part, known)) for part in term.parts))

    def _not(self, term: Term, known: dict[int, Any]) -> Any:
        return _not(self.value(term.parts[0], known))

    def _operation(self, term: Term, known: dict[int, Any]) -> Any:
        one, other = (self.value(part, known) for part in term.parts)
        if term.value == "=>":
            return _not(_all((one, _not(other))))
        states = any(part.kind == "state" and part.type == BALLOT for part in term.parts)
        if term.value in ("=", "#") and states and any(map(self._is_it, term.parts)):
            return term.value == "#"
        if term.value in ("\\in", "\\notin") and other == _NOTHING:
            return term.value == "\\notin"
        if term.value not in _COMPARISONS or _UNKNOWN in (one, other):
            return _UNKNOWN
        return _COMPARISONS[term.value](one, other)

    def _if(self, term: Term, known: dict[int, Any]) -> Any:
        condition, *branches = (self.value(part, known) for part in term.parts)
        if condition is _UNKNOWN:
            return branches[0] if branches[0] == branches[1] else _UNKNOWN
        return branches[0] if condition else branches[1]

    def _let(self, term: Term, known: dict[int, Any]) -> Any:
        return self.value(term.parts[1], {**known, term.value: self.value(term.parts[0], known)})

    def _forall(self, term: Term, known: dict[int, Any]) -> Any:
        none = self.value(term.parts[0], known) == _NOTHING
        return True if none or self._within(term, known) is True else _UNKNOWN

    def _exists(self, term: Term, known: dict[int, Any]) -> Any:
        none = self.value(term.parts[0], known) == _NOTHING
        return False if none or self._within(term, known) is False else _UNKNOWN

    def _filter(self, term: Term, known: dict[int, Any]) -> Any:
        return _NOTHING if self._exists(term, known) is False else _UNKNOWN

    def _collect(self, term: Term, known: dict[int, Any]) -> Any:
        return _NOTHING if self.value(term.parts[0], known) == _NOTHING else _UNKNOWN

    def _size(self, term: Term, known: dict[int, Any]) -> Any:
        return 0 if self.value(term.parts[0], known) == _NOTHING else _UNKNOWN

    def _quorum(self, term: Term, known: dict[int, Any]) -> Any:
        return False if self.value(term.parts[0], known) == _NOTHING else _UNKNOWN

    def _within(self, term: Term, known: dict[int, Any]) -> Any:
        """The body of what binds another variable; one of the same number hides the ballot."""
        if term.value == self.ballot:
            return _UNKNOWN
        return self.value(term.parts[1], {number: each for number, each in known.items() if number != term.value})


def _not(value: Any) -> Any:
    return _UNKNOWN if value is _UNKNOWN else not value


def _all(values: Any) -> Any:
    known = list(values)
    return False if False in known else _UNKNOWN if _UNKNOWN in known else True
