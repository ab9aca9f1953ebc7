"""Evaluates a term as far as is known: three truth values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pmmc_check.spec.evaluate import OPERATIONS
from pmmc_check.spec.terms import Term


class _Unknown:
    pass


NOT_KNOWN = _Unknown()
"""The value of what is not known."""
EMPTY_SET: frozenset[Any] = frozenset()
NEUTRAL = {"forall": True, "exists": False, "filter": False}
"""What binds a variable, with the value of its body that makes a member of its set as good as none."""
_COMPARISONS = {name: OPERATIONS[name] for name in ("=", "#", "<", "<=", ">", ">=", "\\in", "\\notin")}


class Partly:
    """The connectives and quantifiers. Subclasses say what is known of the rest."""

    def value(self, term: Term, known: dict[int, Any]) -> Any:
        """The value, or NOT_KNOWN; `known` are values of variables, by their numbers."""
        evaluate = getattr(self, "_" + term.kind, None)
        return evaluate(term, known) if evaluate else NOT_KNOWN

    def _variable(self, term: Term, known: dict[int, Any]) -> Any:
        return known.get(term.value, NOT_KNOWN)

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
        if term.value in ("\\in", "\\notin") and other == EMPTY_SET:
            return term.value == "\\notin"
        if term.value not in _COMPARISONS or NOT_KNOWN in (one, other):
            return NOT_KNOWN
        return _COMPARISONS[term.value](one, other)

    def _if(self, term: Term, known: dict[int, Any]) -> Any:
        condition, *branches = (self.value(part, known) for part in term.parts)
        if condition is NOT_KNOWN:
            return branches[0] if branches[0] == branches[1] else NOT_KNOWN
        return branches[0] if condition else branches[1]

    def _let(self, term: Term, known: dict[int, Any]) -> Any:
        return self.value(term.parts[1], {**known, term.value: self.value(term.parts[0], known)})

    def _forall(self, term: Term, known: dict[int, Any]) -> Any:
        members = self.value(term.parts[0], known)
        if members is not NOT_KNOWN:
            return _all(self.value(term.parts[1], {**known, term.value: each}) for each in members)
        return True if self._within(term, known) is True else NOT_KNOWN

    def _exists(self, term: Term, known: dict[int, Any]) -> Any:
        members = self.value(term.parts[0], known)
        if members is not NOT_KNOWN:
            return _not(_all(_not(self.value(term.parts[1], {**known, term.value: each})) for each in members))
        return False if self._within(term, known) is False else NOT_KNOWN

    def _filter(self, term: Term, known: dict[int, Any]) -> Any:
        return EMPTY_SET if self._exists(term, known) is False else NOT_KNOWN

    def _collect(self, term: Term, known: dict[int, Any]) -> Any:
        return EMPTY_SET if self.value(term.parts[0], known) == EMPTY_SET else NOT_KNOWN

    def _size(self, term: Term, known: dict[int, Any]) -> Any:
        return 0 if self.value(term.parts[0], known) == EMPTY_SET else NOT_KNOWN

    def _quorum(self, term: Term, known: dict[int, Any]) -> Any:
        return False if self.value(term.parts[0], known) == EMPTY_SET else NOT_KNOWN

    def _within(self, term: Term, known: dict[int, Any]) -> Any:
        """The body of what binds a variable whose set is not known."""
        return self.value(term.parts[1], {number: each for number, each in known.items() if number != term.value})


def _not(value: Any) -> Any:
    return NOT_KNOWN if value is NOT_KNOWN else not value


def _all(values: Iterable[Any]) -> Any:
    known = list(values)
    return False if False in known else NOT_KNOWN if NOT_KNOWN in known else True
