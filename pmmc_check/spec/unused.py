"""Does it matter to a quantifier over Ballots that there are ballots which nobody uses? Evaluated with what is known of these.

Of an unused ballot no pvalue was sent or accepted, and no acceptor is in it. If with that alone, and all else unknown, the body is
true for `\\A b` (false for `\\E b` and `{b \\in Ballots : ...}`), then the quantifier has the same value over the ballots that are used."""

from __future__ import annotations

from typing import Any

from pmmc_check.properties.observe import P2A_SENT, PVALUE_ACCEPTED
from pmmc_check.spec.partly import NEUTRAL, NOT_KNOWN, Partly
from pmmc_check.spec.terms import Term
from pmmc_check.spec.types import BALLOT

_BALLOT_AT = {P2A_SENT: 0, PVALUE_ACCEPTED: 1}


def ignores_unused(term: Term) -> bool:
    """Whether `term`, which binds a variable that ranges over Ballots, is the same if that ranges over the used ones only."""
    return term.kind in NEUTRAL and _WithUnused(term.value).value(term.parts[1], {}) is NEUTRAL[term.kind]


class _WithUnused(Partly):
    """Evaluates as far as is known when variable number `ballot` is an unused ballot."""

    def __init__(self, ballot: int) -> None:
        self.ballot = ballot

    def _is_it(self, term: Term) -> bool:
        return term.kind == "variable" and bool(term.value == self.ballot)

    def _constant(self, term: Term, known: dict[int, Any]) -> Any:
        return NOT_KNOWN if term.names and term.type.parts else term.value  # the system's sets have other sizes elsewhere

    def _fact(self, term: Term, known: dict[int, Any]) -> Any:
        at = _BALLOT_AT.get(term.value)
        return False if at is not None and self._is_it(term.parts[at]) else NOT_KNOWN

    def _operation(self, term: Term, known: dict[int, Any]) -> Any:
        states = any(part.kind == "state" and part.type == BALLOT for part in term.parts)
        if term.value in ("=", "#") and states and any(map(self._is_it, term.parts)):
            return term.value == "#"
        return super()._operation(term, known)

    def _within(self, term: Term, known: dict[int, Any]) -> Any:
        """One of the same number hides the ballot."""
        return NOT_KNOWN if term.value == self.ballot else super()._within(term, known)
