"""Sets that grow in place, and forget old slots: a running role looks only at its newest state, so that copies at every step would be
waste.

The paper's roles run unchanged on them, since they only ever ask what is in a set, add to it, or take something out. Scouts and leaders are
those of the variant `garbage-collection`, which know that acceptors forget. Another variant's roles may do with their states what they
like; they keep frozen sets, and forget nothing.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pmmc_check.protocol.acceptor import Acceptor, AcceptorState
from pmmc_check.protocol.leader import Leader
from pmmc_check.protocol.replica import Replica, ReplicaState
from pmmc_check.protocol.role import Outcome, Role, Send, replace
from pmmc_check.protocol.scout import Scout
from pmmc_check.protocol.values import Ballot, Command, ProcessId, Proposals, PValue, Reconfigure, SlotCommand, scout_id
from pmmc_check.protocol.variants.optimised import CollectedLeader, CollectedLeaderState, CollectedScout, P1bCollected
from pmmc_check.runtime.collecting import ForgottenCommands, ReplicaSnapshot, characters_of, decode_application
from pmmc_check.runtime.sessions import is_forgotten


class AcceptedPValues:
    """The pvalues that an acceptor has accepted, whose operations are so many `characters` long; `fresh` are those since it was last looked
    at."""

    __slots__ = ("_items", "characters", "fresh")

    def __init__(self) -> None:
        self._items: dict[PValue, None] = {}
        self.characters = 0
        self.fresh: list[PValue] = []

    def __or__(self, others: Iterable[PValue]) -> AcceptedPValues:
        for each in others:
            if each not in self._items:
                self._items[each] = None
                self.characters += characters_of(each.command)
                self.fresh.append(each)
        return self

    def forget(self, slot: int) -> None:
        """Forgets all up to a slot."""
        self._items = {each: None for each in self._items if each.slot > slot}
        self.characters = sum(characters_of(each.command) for each in self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[PValue]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


class CommandsBySlot:
    """Proposals or decisions, found by slot and by command. Slots up to `forgotten` are known no more; of their commands it is known that
    they were there."""

    __slots__ = ("_places", "_slots", "forgotten", "forgotten_commands")

    def __init__(self, items: Iterable[SlotCommand] = (), forgotten: int = 0, commands: ForgottenCommands | None = None) -> None:
        self._slots: dict[int, list[Command]] = {}
        self._places: dict[Command, list[int]] = {}
        self.forgotten, self.forgotten_commands = forgotten, commands or ForgottenCommands()
        self |= items

    def __or__(self, others: Iterable[SlotCommand]) -> CommandsBySlot:
        for each in others:
            if each.slot > self.forgotten and each.command not in self._slots.setdefault(each.slot, []):
                self._enter(each)
        return self

    def _enter(self, new: SlotCommand) -> None:
        self._slots[new.slot].append(new.command)
        insort(self._places.setdefault(new.command, []), new.slot)

    def difference(self, others: Iterable[SlotCommand]) -> CommandsBySlot:
        """Takes `others` out, in place."""
        for slot, command in others:
            self._slots[slot].remove(command)
            if not self._slots[slot]:
                del self._slots[slot]
            self._leave(command, slot)
        return self

    def _leave(self, command: Command, slot: int) -> None:
        places = self._places[command]
        places.remove(slot)
        if not places:
            del self._places[command]

    def forget(self, slot: int) -> None:
        """Forgets all up to a slot."""
        for each in [each for each in self._slots if each <= slot]:
            for command in self._slots.pop(each):
                self.forgotten_commands.add(command)
                self._leave(command, each)
        self.forgotten = max(self.forgotten, slot)

    def __contains__(self, item: object) -> bool:
        return isinstance(item, SlotCommand) and (item.slot <= self.forgotten or item.command in self._slots.get(item.slot, ()))

    def __iter__(self) -> Iterator[SlotCommand]:
        return (SlotCommand(slot, command) for slot, commands in self._slots.items() for command in commands)

    def __len__(self) -> int:
        """How many slots are known; those that are forgotten were."""
        return self.forgotten + len(self._slots)

    @property
    def kept(self) -> int:
        """How many slots are kept."""
        return len(self._slots)

    def at_slot(self, slot: int) -> list[Command]:
        """The commands of one slot."""
        return self._slots.get(slot, [])

    def lowest_slot(self, command: Command) -> int | None:
        """The first slot that has `command`, as far as it is known: 0 is one that is forgotten."""
        if command in self.forgotten_commands:
            return 0
        places = self._places.get(command)
        return places[0] if places else None


class StoredDecisions(CommandsBySlot):
    """Decisions that are written down; `fresh` are those since it was last looked at."""

    __slots__ = ("fresh",)

    def __init__(self, items: Iterable[SlotCommand] = (), forgotten: int = 0, commands: ForgottenCommands | None = None) -> None:
        self.fresh: list[SlotCommand] = []
        super().__init__(items, forgotten, commands)

    def _enter(self, new: SlotCommand) -> None:
        super()._enter(new)
        self.fresh.append(new)


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


class RequestsByContent(frozenset[Command]):
    """For a variant's replica: frozen, but looked through in the same order in every process."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Command]:
        return iter(sorted(super().__iter__(), key=lambda each: each[:2]))

    def __or__(self, others: AbstractSet[Any]) -> RequestsByContent:
        return RequestsByContent(super().__or__(others))

    def __sub__(self, others: AbstractSet[Any]) -> RequestsByContent:
        return RequestsByContent(super().__sub__(others))


@dataclass(frozen=True)
class LiveReplicaState(ReplicaState):
    """A replica's state over `CommandsBySlot` and `WaitingRequests`."""

    def decided_in(self, slot: int) -> list[Command]:
        """Looks it up."""
        decisions: Any = self.decisions
        return list(decisions.at_slot(slot))

    def proposed_in(self, slot: int) -> list[Command]:
        """Looks it up."""
        proposals: Any = self.proposals
        return list(proposals.at_slot(slot))

    def performed(self, command: Command) -> bool:
        """Looks it up. A request whose session is forgotten when it is decided first is performed, and answered, as the protocol has it:
        the application does nothing for it, and says so."""
        decisions: Any = self.decisions
        lowest = decisions.lowest_slot(command)
        return lowest is not None and lowest < self.slot_out


@dataclass(frozen=True)
class LiveLeaderState(CollectedLeaderState):
    """A leader's state over `CommandsBySlot`."""

    def proposes_for(self, slot: int) -> bool:
        """Looks it up."""
        proposals: Any = self.proposals
        return bool(proposals.at_slot(slot))


@dataclass(frozen=True)
class LiveAcceptorState(AcceptorState):
    """`collected`: pvalues of slots up to this one were forgotten."""

    collected: int = 0


class LiveAcceptor(Acceptor):
    """The acceptor over a set that grows in place. A p1b says what was forgotten: only so is it safe (the variant `garbage-collection`)."""

    def start(self, command: Command | None = None) -> Outcome:
        """As the acceptor."""
        accepted: Any = AcceptedPValues()
        return Outcome(LiveAcceptorState(accepted=accepted))

    def p1b(self, state: AcceptorState, asked: Ballot) -> Send:
        """As the acceptor, with the last slot that was forgotten."""
        assert isinstance(state, LiveAcceptorState)
        return Send(scout_id(asked), P1bCollected(self.me, state.ballot, state.accepted, state.collected))


class LiveReplica(Replica):
    """The replica over sets that grow in place."""

    def start(self, command: Command | None = None) -> Outcome:
        """As the replica."""
        state = super().start(command).state
        requests: Any = WaitingRequests()
        proposals: Any = CommandsBySlot()
        decisions: Any = StoredDecisions()
        return Outcome(LiveReplicaState(state.leaders, state.application, requests=requests, proposals=proposals, decisions=decisions))

    def restart(self, state: ReplicaState) -> Outcome:
        """As the replica, from the last snapshot on: performed and passed over is what follows it."""
        return Outcome(self.perform_decided(state)[0].state)


class LiveLeader(CollectedLeader):
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


LIVE: dict[type[Role], type[Role]] = {Acceptor: LiveAcceptor, Replica: LiveReplica, Leader: LiveLeader, Scout: CollectedScout}
"""By the class that each stands in for."""


def without_old_slots(state: LiveReplicaState, slot: int, window: int) -> LiveReplicaState:
    """A replica's state that has passed over all slots up to `slot`, which are performed, as it would with its next request; and that has
    forgotten those which no later slot depends on."""
    decisions: Any = state.decisions
    leaders, slot_in = state.leaders, state.slot_in
    while slot_in <= slot:
        for command in decisions.at_slot(slot_in - window):
            if isinstance(command.operation, Reconfigure):
                leaders = command.operation.leaders
        slot_in += 1
    decisions.forget(slot - window)
    decisions.forgotten_commands.keep_only(lambda client: not is_forgotten(state.application, client))
    return replace(state, leaders=leaders, slot_in=slot_in)


def snapshot_of(state: LiveReplicaState, application: bytes, leaders_of: Callable[[int], tuple[ProcessId, ...]]) -> ReplicaSnapshot:
    """The state as it can be stored and sent; `application` is its state machine's, `leaders_of` says whose a slot is."""
    decisions: Any = state.decisions
    slot_in, performed = min(state.slot_in, state.slot_out), decisions.forgotten_commands.listed()
    return ReplicaSnapshot(state.slot_out, slot_in, decisions.forgotten, leaders_of(slot_in), performed, application)


def from_snapshot(fresh: LiveReplicaState, snapshot: ReplicaSnapshot, kept: Iterable[SlotCommand]) -> LiveReplicaState:
    """What a replica that begins anew has, with the decisions that it keeps besides.

    Raises:
        ValueError: the application is none.
    """
    decisions: Any = StoredDecisions(kept, snapshot.forgotten, ForgottenCommands(snapshot.performed))
    application = decode_application(snapshot.application)
    return replace(
        fresh, leaders=snapshot.leaders, application=application, slot_in=snapshot.slot_in, slot_out=snapshot.slot_out, decisions=decisions
    )
