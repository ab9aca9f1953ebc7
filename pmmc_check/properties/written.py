"""Invariants that a user wrote as an expression, in the form in which searches take them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pmmc_check.properties.observe import Observed
from pmmc_check.protocol.messages import Message


@dataclass(frozen=True)
class WrittenInvariant:
    """Holds of what it observes: facts of the kinds `observes`, and the `variables` of processes, given as (role, variable).

    With `by_slot` it is asked of the facts about one slot at a time, and reads no variables; else of everything at once, with 0 for
    the slot. `check` is also asked where nothing is observed yet. `sees_stops`: whether it can tell that a process has stopped.
    `matters`: whether a message of a kind that it observes, as histories keep it, can make a difference; None: any can.
    `accumulates`: it reads decisions, p2a and acceptances alone, and what breaks it stays broken when there are more of them."""

    name: str
    statement: str
    observes: frozenset[str]
    variables: frozenset[tuple[str, str]]
    by_slot: bool
    check: Callable[[int, Observed], str | None]
    tells_apart: str | None = None
    sees_stops: bool = False
    matters: Callable[[Message], bool] | None = None
    accumulates: bool = False
