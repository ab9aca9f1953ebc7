"""Terms to invariants, in the forms that searches take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pmmc_check.properties.invariants import Invariant, StateInvariant
from pmmc_check.properties.observe import Observed, sent_kind
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.messages import Message
from pmmc_check.protocol.role import Crashed, System
from pmmc_check.protocol.values import ProcessId
from pmmc_check.spec.accumulates import FALLING, UNMOVED, direction
from pmmc_check.spec.evaluate import World, compiled_term, frame_size
from pmmc_check.spec.explain import why_false
from pmmc_check.spec.observes import Reads, about_one_process, about_one_slot, reads_of
from pmmc_check.spec.relevant import relevance
from pmmc_check.spec.terms import Term
from pmmc_check.spec.types import BOOLEAN
from pmmc_check.spec.worlds import Worlds, as_set

REACHED = "reached"
"""What the negation of a witness says where it is broken."""


def invariant_of(name: str, term: Term, system: System, protocol: Protocol) -> Invariant:
    """The invariant that `term` is true."""
    reads = reads_of(term, protocol)
    if role := about_one_process(term, system, protocol):
        return StateInvariant(name, term.text, frozenset({role}), _of_one_process(name, term, system, role, reads), reads.tells_apart)
    by_slot = about_one_slot(term, system)
    check = _of_one_slot(name, term, system, reads) if by_slot else _of_everything(name, term, system, reads)
    return replace(_written(name, term, reads, check, system, by_slot=by_slot), accumulates=direction(term) in (UNMOVED, FALLING))


def never(name: str, term: Term, system: System, protocol: Protocol) -> Invariant:
    """The invariant that `term` is never true: a run that breaks it is a witness of `term`."""
    reads = reads_of(term, protocol)
    holds, size = compiled_term(term, system, name), frame_size(term)
    worlds = Worlds(reads, system)

    def check(slot: int, observed: Observed) -> str | None:
        return REACHED if holds(worlds.of(observed), [None] * size) else None

    negation = Term("not", BOOLEAN, (term,), text=f"~({term.text})")
    return replace(_written(name, negation, reads, check, system), accumulates=direction(negation) in (UNMOVED, FALLING))


def constraint_of(name: str, term: Term, system: System, protocol: Protocol) -> WrittenInvariant:
    """The state constraint that `term` is true."""
    reads = reads_of(term, protocol)
    holds, size = compiled_term(term, system, name), frame_size(term)
    worlds = Worlds(reads, system)

    def check(slot: int, observed: Observed) -> str | None:
        return None if holds(worlds.of(observed), [None] * size) else "outside"

    return _written(name, term, reads, check, system)


def _written(
    name: str, term: Term, reads: Reads, check: Callable[[int, Observed], str | None], system: System, *, by_slot: bool = False
) -> WrittenInvariant:
    relevant, worlds = relevance(term, system), Worlds(reads, system)

    def matters(kept: Message) -> bool:
        return relevant(sent_kind(kept), worlds.record(kept))

    return WrittenInvariant(name, term.text, reads.facts, reads.variables, by_slot, check, reads.tells_apart, reads.sees_stops, matters)


def _of_one_slot(name: str, term: Term, system: System, reads: Reads) -> Callable[[int, Observed], str | None]:
    body, size, number = compiled_term(term.parts[1], system, name), frame_size(term), term.value
    worlds = Worlds(reads, system)

    def check(slot: int, observed: Observed) -> str | None:
        frame: list[Any] = [None] * size
        frame[number] = slot
        world = worlds.of(observed)
        return None if body(world, frame) else why_false(term.parts[1], system, world, frame, {number: (term.names[0], str(slot))})

    return check


def _of_everything(name: str, term: Term, system: System, reads: Reads) -> Callable[[int, Observed], str | None]:
    holds, size = compiled_term(term, system, name), frame_size(term)
    worlds = Worlds(reads, system)

    def check(slot: int, observed: Observed) -> str | None:
        world, frame = worlds.of(observed), [None] * size
        return None if holds(world, frame) else why_false(term, system, world, frame)

    return check


def _of_one_process(name: str, term: Term, system: System, role: str, reads: Reads) -> Callable[[System, ProcessId, Any], str | None]:
    body, size, number = compiled_term(term.parts[1], system, name), frame_size(term), term.value
    variables = [each for _, each in reads.variables]

    def check(_: System, process: ProcessId, state: Any) -> str | None:
        if isinstance(state, Crashed):
            state = state.state
        frame: list[Any] = [None] * size
        frame[number] = process
        world = World(variables={(process, each): as_set(each, getattr(state, each)) for each in variables})
        if body(world, frame):
            return None
        return why_false(term.parts[1], system, world, frame, {number: (term.names[0], str(process))})

    return check
