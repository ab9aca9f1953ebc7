"""Terms to invariants, in the forms that searches take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pmmc_check.properties.invariants import Invariant, StateInvariant
from pmmc_check.properties.observe import DECIDED, P2A_SENT, PVALUE_ACCEPTED, VARIABLES, Observed
from pmmc_check.properties.written import WrittenInvariant
from pmmc_check.protocol import Protocol
from pmmc_check.protocol.role import Crashed, System
from pmmc_check.protocol.values import ProcessId, PValue, SlotCommand
from pmmc_check.spec.evaluate import World, compiled_term, frame_size
from pmmc_check.spec.explain import why_false
from pmmc_check.spec.names import ROLE_TYPES, STATE
from pmmc_check.spec.observes import Reads, about_one_process, about_one_slot, reads_of
from pmmc_check.spec.terms import Term
from pmmc_check.spec.types import BOOLEAN

REACHED = "reached"
"""What the negation of a witness says where it is broken."""


def invariant_of(name: str, term: Term, system: System, protocol: Protocol) -> Invariant:
    """The invariant that `term` is true."""
    reads = reads_of(term, protocol)
    if role := about_one_process(term, system, protocol):
        return StateInvariant(name, term.text, frozenset({role}), _of_one_process(term, system, role, reads), reads.tells_apart)
    by_slot = about_one_slot(term, system)
    check = _of_one_slot(term, system) if by_slot else _of_everything(term, system, reads)
    return WrittenInvariant(name, term.text, reads.facts, reads.variables, by_slot, check, reads.tells_apart, reads.sees_stops)


def never(name: str, term: Term, system: System, protocol: Protocol) -> Invariant:
    """The invariant that `term` is never true: a run that breaks it is a witness of `term`."""
    reads = reads_of(term, protocol)
    holds, size = compiled_term(term, system), frame_size(term)
    states = _every_variable(reads, system)

    def check(slot: int, observed: Observed) -> str | None:
        return REACHED if holds(_world(observed, states), [None] * size) else None

    negation = Term("not", BOOLEAN, (term,), text=f"~({term.text})")
    return WrittenInvariant(name, negation.text, reads.facts, reads.variables, False, check, reads.tells_apart, reads.sees_stops)


def _of_one_slot(term: Term, system: System) -> Callable[[int, Observed], str | None]:
    body, size, number = compiled_term(term.parts[1], system), frame_size(term), term.value

    def check(slot: int, observed: Observed) -> str | None:
        frame: list[Any] = [None] * size
        frame[number] = slot
        world = _world(observed, {})
        return None if body(world, frame) else why_false(term.parts[1], system, world, frame, {term.names[0]: str(slot)})

    return check


def _of_everything(term: Term, system: System, reads: Reads) -> Callable[[int, Observed], str | None]:
    holds, size = compiled_term(term, system), frame_size(term)
    states = _every_variable(reads, system)

    def check(slot: int, observed: Observed) -> str | None:
        world, frame = _world(observed, states), [None] * size
        return None if holds(world, frame) else why_false(term, system, world, frame)

    return check


def _of_one_process(term: Term, system: System, role: str, reads: Reads) -> Callable[[System, ProcessId, Any], str | None]:
    body, size, number = compiled_term(term.parts[1], system), frame_size(term), term.value
    names = [name for _, name in reads.variables]

    def check(_: System, process: ProcessId, state: Any) -> str | None:
        if isinstance(state, Crashed):
            state = state.state
        frame: list[Any] = [None] * size
        frame[number] = process
        world = World(variables={(process, name): _as_set(name, getattr(state, name)) for name in names})
        if body(world, frame):
            return None
        return why_false(term.parts[1], system, world, frame, {term.names[0]: str(process)})

    return check


def _world(observed: Observed, without_state: Mapping[tuple[ProcessId, str], Any]) -> World:
    """What is observed, in the form in which expressions look at it. `without_state`: what is read of processes that have exited."""
    decided: set[SlotCommand] = set()
    p2a: set[PValue] = set()
    accepted: dict[ProcessId, frozenset[PValue]] = {}
    variables: dict[tuple[ProcessId, str], Any] = dict(without_state)
    for process, facts in observed.items():
        own: set[PValue] = set()
        for kind, slot, ballot, command in facts:
            if kind == DECIDED:
                decided.add(SlotCommand(slot, command))
            elif kind == P2A_SENT:
                p2a.add(PValue(ballot, slot, command))
            elif kind == PVALUE_ACCEPTED:
                own.add(PValue(ballot, slot, command))
            elif kind == VARIABLES:
                pairs: Any = command
                variables.update(((process, name), _as_set(name, value)) for name, value in pairs)
        if own:
            accepted[process] = frozenset(own)
    return World(frozenset(decided), frozenset(p2a), accepted, variables)


def _as_set(name: str, value: Any) -> Any:
    """A replica keeps its leaders in a tuple; to expressions they are a set."""
    return frozenset(value) if name == "leaders" else value


def _every_variable(reads: Reads, system: System) -> dict[tuple[ProcessId, str], Any]:
    processes = dict(zip(ROLE_TYPES, (system.acceptors, system.leaders, system.replicas), strict=True))
    return {(process, name): STATE[role][name].without_state for role, name in reads.variables for process in processes[role]}
