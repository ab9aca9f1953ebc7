"""Sets that grow in place, for replaying long logs through the roles' own step functions.

The roles write `state.decisions | {entry}` on immutable sets, which copies the set each time and takes quadratic time over a long log. The
sets here add in place and return themselves, so a step costs only what it adds. That is sound because a replay never goes back and looks
only at the newest state of a process. Old entries move to an `Archive`, where each takes one bit. The states below answer the roles'
questions ("what is decided in this slot?") from an index instead of by a scan. The roles' code runs unchanged: these classes only say
how their states are kept. Where a log leaves open what a process wrote before a crash, there are two newest states (`versions.py`),
each with a copy of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from pmmc_check.protocol.acceptor import Acceptor
from pmmc_check.protocol.leader import Leader, LeaderState
from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Outcome, Role, System, replace
from pmmc_check.protocol.values import Command, ProcessId, Proposals, PValue, SlotCommand
from pmmc_check.validation.compact_sets import RECENT, Archive, Bits, Ledger
from pmmc_check.validation.replay.open_requests import OpenRequests

Mark = tuple[tuple[dict[Any, Bits], dict[Any, int]], frozenset[PValue]]
"""What an acceptor's set had at some time."""


class GrowingPValues:
    """The pvalues that an acceptor has accepted."""

    __slots__ = ("_archive", "_recent")

    def __init__(self, ledger: Ledger, items: Iterable[PValue] = ()) -> None:
        self._archive = Archive(ledger)
        self._recent: dict[PValue, None] = dict.fromkeys(items)

    def __or__(self, others: Iterable[PValue]) -> GrowingPValues:
        for item in others:
            if item.slot > self._archive.highest or item not in self:
                self._recent[item] = None
        if len(self._recent) > 2 * RECENT:
            self._file(RECENT)
        return self

    def _file(self, count: int) -> None:
        for item in list(islice(self._recent, count)):
            del self._recent[item]
            self._archive.add(*item)

    def __contains__(self, item: object) -> bool:
        return item in self._recent or (isinstance(item, PValue) and self._archive.has(*item))

    def __iter__(self) -> Iterator[PValue]:
        if not len(self._archive):
            return iter(self._recent)
        archived = (PValue(*item) for item in self._archive)  # type: ignore[arg-type]  # the families are the ballots
        return chain(archived, self._recent)

    def __len__(self) -> int:
        return len(self._archive) + len(self._recent)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GrowingPValues | frozenset):
            return NotImplemented
        if not len(self._archive) and isinstance(other, frozenset):
            return self._recent.keys() == other
        return len(self) == len(other) and all(item in self for item in other)

    def __hash__(self) -> int:
        return hash(frozenset(self))

    def newest(self, count: int) -> list[PValue]:
        """The `count` that were added last; fewer, if some of them are archived."""
        return list(islice(reversed(self._recent), count))

    def copy(self) -> GrowingPValues:
        """A copy that later additions leave alone."""
        other = GrowingPValues(self._archive.ledger)
        other._archive, other._recent = self._archive.copy(), dict(self._recent)
        return other

    def mark(self) -> Mark:
        """Remembers what is there now, for `since`."""
        return self._archive.mark(), frozenset(self._recent)

    def since(self, mark: Mark | None) -> frozenset[PValue]:
        """What was added after `mark`, or at all."""
        if mark is None:
            return frozenset(self)
        archived, recent = mark
        added = {PValue(*item) for item in self._archive.since(archived)}  # type: ignore[arg-type]  # as above
        return frozenset((added | self._recent.keys()) - recent)


class GrowingSlots:
    """Commands by slot: what a replica has learned, or what a leader proposes."""

    __slots__ = ("_archive", "_cids", "_first_slot", "_recent")

    def __init__(self, ledger: Ledger, items: Iterable[SlotCommand] = ()) -> None:
        self._archive = Archive(ledger)
        self._recent: dict[int, list[Command]] = {}
        self._first_slot: dict[Command, int] = {}
        self._cids: dict[int, Bits] = {}
        """The cids of archived commands by client: most commands that are asked for were never there."""
        self |= items

    def __or__(self, others: Iterable[SlotCommand]) -> GrowingSlots:
        for slot, command in others:
            if command not in self.in_slot(slot):
                self._recent.setdefault(slot, []).append(command)
                self._first_slot[command] = min(slot, self._first_slot.get(command, slot))
        if len(self._recent) > 2 * RECENT:
            self._file()
        return self

    def _file(self) -> None:
        for slot in list(islice(self._recent, RECENT)):
            for command in self._recent.pop(slot):
                self._archive.add(None, slot, command)
                self._cids.setdefault(command.client.number, Bits()).add(command.cid)
                if self._first_slot.get(command) == slot:
                    del self._first_slot[command]

    def __iter__(self) -> Iterator[SlotCommand]:
        for _, slot, command in self._archive:
            yield SlotCommand(slot, command)
        for slot, commands in self._recent.items():
            for command in commands:
                yield SlotCommand(slot, command)

    def __len__(self) -> int:
        return len(self._archive) + sum(map(len, self._recent.values()))

    def newest(self, count: int) -> list[SlotCommand]:
        """`count` commands of the slots that came last; fewer, if some of them are archived."""
        last = (SlotCommand(slot, command) for slot, commands in reversed(self._recent.items()) for command in commands)
        return list(islice(last, count))

    def __contains__(self, item: object) -> bool:
        return isinstance(item, SlotCommand) and item.command in self.in_slot(item.slot)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GrowingSlots):
            return NotImplemented
        return len(self) == len(other) and all(item in self for item in other)

    def __hash__(self) -> int:
        return hash(frozenset(self))

    def copy(self) -> GrowingSlots:
        """A copy that later additions leave alone."""
        other = GrowingSlots(self._archive.ledger)
        other._archive = self._archive.copy()
        other._recent = {slot: list(commands) for slot, commands in self._recent.items()}
        other._first_slot = dict(self._first_slot)
        other._cids = {client: cids.copy() for client, cids in self._cids.items()}
        return other

    def in_slot(self, slot: int) -> list[Command]:
        """The commands in one slot."""
        recent = self._recent.get(slot, [])
        return recent if slot > self._archive.highest else self._archive.commands(None, slot) + recent

    def has_below(self, command: Command, slot: int) -> bool:
        """Whether a slot below `slot` has `command`."""
        first = self._first_slot.get(command)
        if first is not None and first < slot:
            return True
        cids = self._cids.get(command.client.number)
        return cids is not None and command.cid in cids and any(each < slot for each in self._archive.slots_of(None, command))


@dataclass(frozen=True)
class IndexedReplicaState(ReplicaState):
    """A replica's state whose decisions are `GrowingSlots`."""

    def decided_in(self, slot: int) -> list[Command]:
        """Looks it up in the index."""
        found: list[Command] = self.decisions.in_slot(slot)  # type: ignore[attr-defined]
        return found

    def performed(self, command: Command) -> bool:
        """Looks it up in the index."""
        found: bool = self.decisions.has_below(command, self.slot_out)  # type: ignore[attr-defined]
        return found


@dataclass(frozen=True)
class IndexedLeaderState(LeaderState):
    """A leader's state whose proposals are `GrowingSlots`."""

    def proposes_for(self, slot: int) -> bool:
        """Looks it up in the index."""
        return bool(self.proposals.in_slot(slot))  # type: ignore[attr-defined]


def copied(state: Any) -> Any:
    """A state that steps from `state` leave alone: all that they keep over a restart is its own."""
    growing = {key: each.copy() for key, each in vars(state).items() if isinstance(each, GrowingPValues | GrowingSlots)}
    return replace(state, **growing) if growing else state


class InPlace(Role):
    """What the classes below have in common."""

    def __init__(self, me: ProcessId, system: System, ledger: Ledger) -> None:
        super().__init__(me, system)
        self.ledger = ledger


class InPlaceAcceptor(InPlace, Acceptor):
    """The acceptor with growing sets."""

    def start(self, command: Command | None = None) -> Outcome:
        """Starts as the acceptor does, with a set that grows."""
        state, sends = super().start(command)
        return Outcome(replace(state, accepted=GrowingPValues(self.ledger)), sends)


class InPlaceReplica(InPlace, Replica):
    """The replica with growing sets; which requests it proposes is left to the log (`open_requests.py`)."""

    def start(self, command: Command | None = None) -> Outcome:
        """Starts as the replica does, with sets that grow and requests that are left open."""
        state, sends = super().start(command)
        decisions: Any = GrowingSlots(self.ledger)
        requests: Any = OpenRequests({})
        indexed = IndexedReplicaState(leaders=state.leaders, application=state.application, requests=requests, decisions=decisions)
        return Outcome(indexed, sends)


class InPlaceLeader(InPlace, Leader):
    """The leader with growing sets."""

    def start(self, command: Command | None = None) -> Outcome:
        """Starts as the leader does, with a set that grows."""
        state, sends = super().start(command)
        proposals: Any = GrowingSlots(self.ledger)
        return Outcome(IndexedLeaderState(state.ballot, state.active, proposals), sends)

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Iterable[Proposals]:
        """Merges as the leader does, into a set that grows."""
        merged: Any = [GrowingSlots(self.ledger, each) for each in super().merge(proposals, pvalues)]
        return merged  # type: ignore[no-any-return]  # they stand in for frozen sets


IN_PLACE: dict[type[Role], type[InPlace]] = {Acceptor: InPlaceAcceptor, Replica: InPlaceReplica, Leader: InPlaceLeader}
"""By the class that each stands in for. A variant's classes run as they are: they may do with their states what they like."""
