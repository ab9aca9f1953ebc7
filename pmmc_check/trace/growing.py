"""Sets that only grow, for replaying long logs through the roles' own step functions.

The roles write `state.decisions | {entry}` on immutable sets: a copy each time, quadratic over a log of many slots.
The sets here share one table between versions: `|` appends to it and gives a new version, an older version ignores
what came later, and joining to a version that is no longer the newest copies. So they behave as immutable sets, and a
chain of steps costs what it adds. The two states below answer the roles' questions ("what is decided in this slot?")
from an index instead of by a scan; the roles' code runs unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pmmc_check.protocol.leader import LeaderState
from pmmc_check.protocol.replica import ReplicaState
from pmmc_check.protocol.values import Command


class GrowingSet:
    """A set of items in order of arrival; see the module's docstring."""

    __slots__ = ("_size", "_table")

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._table: dict[Any, int] = {}
        for item in items:
            self._table.setdefault(item, len(self._table))
        self._size = len(self._table)

    def __or__(self, others: Iterable[Any]) -> GrowingSet:
        base = self if self._size == len(self._table) else type(self)(self)
        grown = object.__new__(type(self))
        grown._share(base)
        for item in others:
            if item not in grown._table:
                grown._append(item)
        grown._size = len(grown._table)
        return grown

    __ror__ = __or__

    def _share(self, base: GrowingSet) -> None:
        self._table = base._table

    def _append(self, item: Any) -> None:
        self._table[item] = len(self._table)

    def __contains__(self, item: object) -> bool:
        return self._table.get(item, self._size) < self._size

    def __iter__(self) -> Iterator[Any]:
        return islice(self._table, self._size)

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GrowingSet | frozenset):
            return NotImplemented
        return len(self) == len(other) and all(item in other for item in self)

    def __hash__(self) -> int:
        return hash(frozenset(self))

    def since(self, size: int) -> frozenset[Any]:
        """What was added after the set had `size` items."""
        return frozenset(islice(self._table, size, self._size))


class GrowingSlots(GrowingSet):
    """A growing set of `SlotCommand`s with indexes by slot and by command."""

    __slots__ = ("_by_slot", "_first_slot")

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._table = {}
        self._by_slot: dict[int, list[Command]] = {}
        self._first_slot: dict[Command, int] = {}
        for item in items:
            if item not in self._table:
                self._append(item)
        self._size = len(self._table)

    def _share(self, base: GrowingSet) -> None:
        assert isinstance(base, GrowingSlots), "versions of one set share a table"
        self._table, self._by_slot, self._first_slot = base._table, base._by_slot, base._first_slot

    def _append(self, item: Any) -> None:
        slot, command = item
        self._table[item] = len(self._table)
        self._by_slot.setdefault(slot, []).append(command)
        self._first_slot[command] = min(slot, self._first_slot.get(command, slot))

    def in_slot(self, slot: int) -> list[Command]:
        """The commands in one slot."""
        commands = self._by_slot.get(slot, [])
        if self._size == len(self._table):
            return list(commands)
        return [command for command in commands if (slot, command) in self]

    def first_slot(self, command: Command) -> int | None:
        """The lowest slot that has `command`."""
        if self._size == len(self._table):
            return self._first_slot.get(command)
        return min((slot for slot, each in self if each == command), default=None)


@dataclass(frozen=True, slots=True)
class IndexedReplicaState(ReplicaState):
    """A replica's state whose decisions are `GrowingSlots`."""

    def decided_in(self, slot: int) -> list[Command]:
        """From the index."""
        found: list[Command] = self.decisions.in_slot(slot)  # type: ignore[attr-defined]
        return found

    def performed(self, command: Command) -> bool:
        """From the index."""
        first = self.decisions.first_slot(command)  # type: ignore[attr-defined]
        return first is not None and first < self.slot_out


@dataclass(frozen=True, slots=True)
class IndexedLeaderState(LeaderState):
    """A leader's state whose proposals are `GrowingSlots`."""

    def proposes_for(self, slot: int) -> bool:
        """From the index."""
        return bool(self.proposals.in_slot(slot))  # type: ignore[attr-defined]
