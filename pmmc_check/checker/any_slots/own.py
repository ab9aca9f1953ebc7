"""An invariant of the user, as it is asked of the one-slot system, and of the ordinary ones that confirm a violation."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pmmc_check.model.model import Model
from pmmc_check.properties.invariants import Invariant


@dataclass(frozen=True)
class OwnInvariant:
    """An invariant that was shown to speak of one slot, or will be: `in_one_slot` raises a `PmmcError` where it does not.

    `in_one_slot` makes what is asked of the one-slot system; it is told whether each ballot is a leader of its own there.
    `in_configuration` makes what is asked of an ordinary system. `slots_named` are the slots that it names by their numbers."""

    name: str
    in_one_slot: Callable[[Model, bool], Invariant]
    in_configuration: Callable[[Model], Invariant]
    slots_named: Callable[[Model], Collection[int]]
