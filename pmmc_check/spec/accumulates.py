"""Whether what an expression says can only go from true to false as facts accumulate, as Agreement does: `commuting` keeps its verdict.

Facts are decisions, p2a sent and acceptances; they are never taken back. Of each part it is told in which direction it goes when there
are more of them: a truth that becomes true, a set or a number that grows, goes up. What the rules do not see is taken to go anywhere."""

from __future__ import annotations

from collections.abc import Mapping

from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED
from pmmc_check.spec.terms import Term

UNMOVED, RISING, FALLING, EITHER_WAY = 0, 1, -1, 2
_FACTS = (DECIDED, P2A_SENT, PVALUE_ACCEPTED)
_ALIKE = ("and", "or", "union", "size", "quorum", "exists", "filter", "collect")
"""What goes where all of its parts go."""
_OPERANDS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("=>", "<", "<=", "\\subseteq"), (FALLING, RISING)),
    **dict.fromkeys((">", ">=", "-", "\\"), (RISING, FALLING)),
    **dict.fromkeys(("+", "\\cup", "\\cap"), (RISING, RISING)),
}
"""Operators, with where the whole goes when an operand rises."""


def direction(term: Term, known: Mapping[int, int] | None = None) -> int:
    """Where `term` goes as facts accumulate; `known` says it of variables that stand for a part."""
    known = known or {}
    if term.kind == "constant":
        return UNMOVED
    if term.kind == "variable":
        return known.get(term.value, UNMOVED)
    if term.kind == "let":
        return direction(term.parts[1], {**known, term.value: direction(term.parts[0], known)})
    binds = term.kind in ("forall", "exists", "filter", "collect", "choose")
    inner = {**known, term.value: UNMOVED} if binds else known
    parts = [direction(part, inner if number else known) for number, part in enumerate(term.parts)]
    if term.kind in ("facts", "fact") and term.value in _FACTS and not any(parts):
        return RISING
    if term.kind in ("facts", "fact", "state"):
        return EITHER_WAY
    if not any(parts):
        return UNMOVED
    return _of_parts(term, parts)


def _of_parts(term: Term, parts: list[int]) -> int:
    """Where it goes, given where its parts go, some of which do not stay."""
    if term.kind in _ALIKE:
        return _together(parts)
    if term.kind == "not":
        return _turned(parts[0], FALLING)
    if term.kind == "forall":
        return _together([_turned(parts[0], FALLING), parts[1]])
    if term.kind == "if" and parts[0] == UNMOVED:
        return _together(parts[1:])
    if term.kind == "operation" and term.value in _OPERANDS:
        return _together([_turned(part, sign) for part, sign in zip(parts, _OPERANDS[term.value], strict=True)])
    if term.kind == "operation" and term.value in ("\\in", "\\notin") and parts[0] == UNMOVED:
        return _turned(parts[1], RISING if term.value == "\\in" else FALLING)
    return EITHER_WAY


def _turned(one: int, sign: int) -> int:
    return one if one == EITHER_WAY else one * sign


def _together(parts: list[int]) -> int:
    """Where all of them go that do not stay."""
    going = {each for each in parts if each != UNMOVED}
    return going.pop() if len(going) == 1 else EITHER_WAY if going else UNMOVED
