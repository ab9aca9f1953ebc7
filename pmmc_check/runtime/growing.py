"""Sets that grow in place: a running role looks only at its newest state, so copying them at every step would be waste.

The paper's roles run unchanged on them, since they only ever ask what is in a set, add to it, or take something out. A variant's roles
may do
with their states what they like; they keep frozen sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pmmc_check.protocol.acceptor import Acceptor, AcceptorState
from pmmc_check.protocol.leader import Leader, LeaderState
from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Outcome, Role
from pmmc_check.protocol.values import Command, Proposals, PValue, SlotCommand


class AcceptedPValues:
    """The pvalues that an acceptor has accepted; `fresh` are those since it was last looked at."""

    __slots__ = ("_items", "fresh")

    def __init__(self) -> None:
        self._items: dict[PValue, None] = {}
        self.fresh: list[PValue] = []

    def __or__(self, others: Iterable[PValue]) -> AcceptedPValues:
        for each in others:
            if each not in self._items:
                self._items[each] = None
                self.fresh.append(each)
        return self

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[PValue]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class CommandsBySlot:
    """Proposals or decisions, found by slot and by command; `fresh` are those since it was last looked at."""

    __slots__ = ("_lowest", "_slots", "fresh")

    def __init__(self, items: Iterable[SlotCommand] = ()) -> None:
        self._slots: dict[int, list[Command]] = {}
        self._lowest: dict[Command, int] = {}
        self.fresh: list[SlotCommand] = []
        self |= items

    def __or__(self, others: Iterable[SlotCommand]) -> CommandsBySlot:
        for each in others:
            slot, command = each
            if command not in self._slots.setdefault(slot, []):
                self._slots[slot].append(command)
                self._lowest[command] = min(slot, self._lowest.get(command, slot))
                self.fresh.append(each)
        return self

    def difference(self, others: Iterable[SlotCommand]) -> CommandsBySlot:
        """Takes `others` out, in place."""
        for slot, command in others:
            self._slots[slot].remove(command)
            if not self._slots[slot]:
                del self._slots[slot]
            if self._lowest.get(command) == slot:
                del self._lowest[command]
        return self

    def __contains__(self, item: object) -> bool:
        return isinstance(item, SlotCommand) and item.command in self._slots.get(item.slot, ())

    def __iter__(self) -> Iterator[SlotCommand]:
        return (SlotCommand(slot, command) for slot, commands in self._slots.items() for command in commands)

    def __len__(self) -> int:
        return len(self._slots)

    def at_slot(self, slot: int) -> list[Command]:
        """The commands of one slot."""
        return self._slots.get(slot, [])

    def lowest_slot(self, command: Command) -> int | None:
        """The first slot that has `command`."""
        return self._lowest.get(command)


class WaitingRequests:
    """Requests in the order in which they came."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: dict[Command, None] = {}

    def __or__(self, others: Iterable[Command]) -> WaitingRequests:
        self._items.update(dict.fromkeys(others))
        return self

    def __sub__(self, others: Iterable[Command]) -> WaitingRequests:
        for each in others:
            self._items.pop(each, None)
        return self

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Command]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


@dataclass(frozen=True)
class LiveReplicaState(ReplicaState):
    """A replica's state over `CommandsBySlot` and `WaitingRequests`."""

    def decided_in(self, slot: int) -> list[Command]:
        """Looks it up."""
        decisions: Any = self.decisions
        return list(decisions.at_slot(slot))

    def performed(self, command: Command) -> bool:
        """Looks it up."""
        decisions: Any = self.decisions
        lowest = decisions.lowest_slot(command)
        return lowest is not None and lowest < self.slot_out


@dataclass(frozen=True)
class LiveLeaderState(LeaderState):
    """A leader's state over `CommandsBySlot`."""

    def proposes_for(self, slot: int) -> bool:
        """Looks it up."""
        proposals: Any = self.proposals
        return bool(proposals.at_slot(slot))


class LiveAcceptor(Acceptor):
    """The acceptor over a set that grows in place."""

    def start(self, command: Command | None = None) -> Outcome:
        """As the acceptor."""
        accepted: Any = AcceptedPValues()
        return Outcome(AcceptorState(accepted=accepted))


class LiveReplica(Replica):
    """The replica over sets that grow in place."""

    def start(self, command: Command | None = None) -> Outcome:
        """As the replica."""
        state = super().start(command).state
        requests: Any = WaitingRequests()
        proposals: Any = CommandsBySlot()
        decisions: Any = CommandsBySlot()
        return Outcome(LiveReplicaState(state.leaders, state.application, requests=requests, proposals=proposals, decisions=decisions))


class LiveLeader(Leader):
    """The leader over a set that grows in place."""

    def start(self, command: Command | None = None) -> Outcome:
        """As the leader."""
        state, sends = super().start(command)
        proposals: Any = CommandsBySlot()
        return Outcome(LiveLeaderState(state.ballot, state.active, proposals), sends)

    def merge(self, proposals: Proposals, pvalues: frozenset[PValue]) -> Iterable[Proposals]:
        """As the leader."""
        merged: Any = [CommandsBySlot(each) for each in super().merge(proposals, pvalues)]
        return merged  # type: ignore[no-any-return]  # they stand in for frozen sets


LIVE: dict[type[Role], type[Role]] = {Acceptor: LiveAcceptor, Replica: LiveReplica, Leader: LiveLeader}
"""By the class that each stands in for."""
