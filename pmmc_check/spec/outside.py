"""What an expression names and only a larger configuration has: what is asked of it could never be found, which would be no answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pmmc_check.properties.invariants import PROPERTIES
from pmmc_check.protocol.role import System
from pmmc_check.protocol.values import COMMANDER
from pmmc_check.spec.place import SpecError, TextPlace
from pmmc_check.spec.terms import Term

_KINDS = {"A": "Acceptors", "L": "Leaders", "R": "Replicas", "c": "Commands"}


def outsider(name: str, names: Mapping[str, Any]) -> str | None:
    """What is wrong with an unknown name that a process or a command of a larger configuration has; `names` are those of this one."""
    kind, number = _KINDS.get(name[0]), name[1:]
    if kind is None or not number.isdecimal():
        return None
    count, option = len(names[kind].value), f"--{kind.lower()}"
    has = f"{count} {kind.lower() if count != 1 else kind.lower().removesuffix('s')}"
    also = f"; for the built-in invariant give --invariant {name}" if name in PROPERTIES else ""
    return f"there is no {name} in this configuration, which has {has} ({option}){also}"


def check_within(term: Term, system: System) -> None:
    """Looks for slots by number, in facts, where a commander is named and where a record's slot is compared; and for rounds that a
    ballot's is compared with.

    Raises:
        SpecError: there is one outside the configuration.
    """
    for number, within in _compared(term, "ballot part", "round"):
        if system.rounds is not None and number.value >= system.rounds:
            has = "round 0 only" if system.rounds == 1 else f"rounds 0 to {system.rounds - 1}"
            raise SpecError(
                number.place or within.place or TextPlace("<expression>", 1, 1, ""),
                f"{within.text}: there is no round {number.value} in this configuration, which has {has}; "
                f"name one of these, or give it more rounds (--rounds)",
            )
    last = system.slots or 0
    for slot, within in _slots_named(term):
        if not 1 <= slot.value <= last:
            has = "slot 1 only" if last == 1 else f"slots 1 to {last}"
            raise SpecError(
                slot.place or within.place or TextPlace("<expression>", 1, 1, ""),
                f"{within.text}: there is no slot {slot.value} in this configuration, which has {has}; "
                f"name one of these, or give it more slots (--slots)",
            )


def _slots_named(term: Term) -> Iterator[tuple[Term, Term]]:
    """Numbers that stand for slots, each with the part that it stands in."""
    for part in term.all_parts():
        if part.kind == "fact" or (part.kind == "state" and part.value[0] == COMMANDER):
            slot = part.parts[-2 if part.kind == "fact" else -1]
            yield from ((each, part) for each in (slot,) if _is_number(each))
    yield from _compared(term, "field", "slot")


def _compared(term: Term, kind: str, name: str) -> Iterator[tuple[Term, Term]]:
    """Numbers that a part of a value is said to be, each with the comparison."""
    for part in term.all_parts():
        if part.kind == "operation" and part.value == "=":
            one, other = part.parts
            for number, of in ((one, other), (other, one)):
                if _is_number(number) and (of.kind, of.value) == (kind, name):
                    yield number, part


def _is_number(term: Term) -> bool:
    """Whether it is a number, written as such."""
    return term.kind == "constant" and not term.names
