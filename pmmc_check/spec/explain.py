"""Why an expression is false: which part of it, for which values of the bound variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pmmc_check.properties.observe import DECIDED, P2A_SENT
from pmmc_check.protocol.messages import in_order, show
from pmmc_check.protocol.role import System
from pmmc_check.spec.evaluate import Frame, World, compiled_term
from pmmc_check.spec.terms import Term

_TEXT_MAX, _VALUE_MAX = 160, 60


Bound = dict[int, tuple[str, str]]
"""The variables that have a value: by their numbers, their names and the values as text."""


def why_false(term: Term, system: System, world: World, frame: Frame, bound: Mapping[int, tuple[str, str]] | None = None) -> str:
    """A sentence: the smallest part that fails, for which values of bound variables, and what the names in it stand for there.

    `term` is false in `world`; `bound` are variables that have a value already."""
    values: Bound = dict(bound or {})
    part = term
    while (inner := _false_part(part, system, world, frame, values)) is not None:
        part = inner
    text = part.text if len(part.text) <= _TEXT_MAX else part.text[: _TEXT_MAX - 3] + "..."
    used = {each.value for each in part.all_parts() if each.kind == "variable"}
    named = dict(_named(part, system, world, frame, values))
    shown = [f"{name} = {value}" for number, (name, value) in values.items() if number in used or not used]
    shown += [f"{name} = {value}" for name, value in named.items()]
    return f"{text} is false" + (f" for {', '.join(shown)}" if shown else "")


def _named(part: Term, system: System, world: World, frame: Frame, bound: Bound) -> Iterator[tuple[str, str]]:
    """What is defined under a name, or is a set of facts, with its value, where it has one here that is short.

    Of messages only those that matter are known (`spec.relevant`), so their sets are not shown; all p2a are."""
    if part.kind == "facts" and part.value not in (DECIDED, P2A_SENT):
        return
    if not part.text.isidentifier() or part.kind in ("variable", "constant"):
        for each in part.parts:
            yield from _named(each, system, world, frame, bound)
    elif bound.keys() >= {each.value for each in part.all_parts() if each.kind == "variable"}:
        value = show(_value(part, system, world, frame))
        if len(value) <= _VALUE_MAX:
            yield part.text, value


def _false_part(term: Term, system: System, world: World, frame: Frame, bound: Bound) -> Term | None:
    """A part whose falsehood makes `term` false; enters it."""
    if term.kind == "and":
        return next(part for part in term.parts if not _value(part, system, world, frame))
    if term.kind == "operation" and term.value == "=>":
        return term.parts[1] if term.parts[1].kind in ("and", "forall", "let") else None  # else the whole implication says more
    if term.kind == "forall":
        for frame[term.value] in _members(term, system, world, frame):  # noqa: B020
            if not _value(term.parts[1], system, world, frame):
                bound[term.value] = (term.names[0], show(frame[term.value]))
                return term.parts[1]
    if term.kind == "let":
        frame[term.value] = _value(term.parts[0], system, world, frame)
        bound[term.value] = (term.names[0], show(frame[term.value]))
        return term.parts[1]
    if term.kind == "if":
        return term.parts[1] if _value(term.parts[0], system, world, frame) else term.parts[2]
    return None


def _members(term: Term, system: System, world: World, frame: Frame) -> Iterator[object]:
    yield from in_order(_value(term.parts[0], system, world, frame))


def _value(term: Term, system: System, world: World, frame: Frame) -> Any:
    return compiled_term(term, system)(world, frame)
