"""The driver of a replica: proposes again what is not decided in time, and gets the decisions that it has missed from others."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from pmmc_check.protocol.messages import Decision, Message, Propose, Request, Response
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import CLIENT, COMMANDER, REPLICA, Command, ProcessId, Reconfigure, SlotCommand, host_of
from pmmc_check.runtime.collecting import (
    HELD_CHARACTERS_MAX,
    characters_of,
    decode_application,
    decode_snapshot,
    encode_application,
    encode_snapshot,
)
from pmmc_check.runtime.growing import LiveReplicaState, snapshot_of, without_old_slots
from pmmc_check.runtime.node import Driver, LiveNode
from pmmc_check.runtime.retries import HandingOn, RecentResponses, Retries
from pmmc_check.runtime.sessions import is_forgotten
from pmmc_check.runtime.signals import Forgotten, Lacking, Passed, Signal
from pmmc_check.runtime.surroundings import Envelope, Stored
from pmmc_check.runtime.wire import WHOLE_BYTES_MAX
from pmmc_check.trace.events import UNKNOWN

_ASKERS_KEPT = 10_000
_SNAPSHOT_BYTES_MAX = WHOLE_BYTES_MAX * 3 // 4
"""A larger one could not be sent, with the decisions beside it."""
_SNAPSHOT_BYTES_A_SLOT = 2**14
"""A large snapshot is worth so many slots that can be forgotten with it."""
_SNAPSHOT_SECONDS = 10.0
"""So long after a state was too large for a snapshot it is tried again."""


class ReplicaDriver(Driver):
    """Keeps decisions on its disk; of slots that are long performed a snapshot, with which it also helps others that are far behind."""

    def __init__(self, node: LiveNode) -> None:
        super().__init__(node)
        self._keep = node.setting.keep
        self._forgets = node.setting.forgets
        self._handing = HandingOn()
        self._passed = Retries(self.timing.retransmit_max, self.timing.retransmit_max)
        self._responses = RecentResponses()
        self._proposed: dict[int, tuple[Message, list[ProcessId]]] = {}
        self._reconfigured: dict[int, tuple[ProcessId, ...]] = {}
        self._retries = Retries(self.timing.retransmit, self.timing.retransmit_max)
        self._highest = 0
        self._moved = self._asked = self._gossiped = self.now
        self._slot_out = self._told = 1
        self._by_slot: dict[int, Command] = {}
        self._characters = self._snapshot_bytes = 0
        self._too_large = -_SNAPSHOT_SECONDS
        self._decided: set[Command] = set()
        self._waiting: dict[Command, float] = {}
        self._heard = dict.fromkeys(self.system.replicas, self.now)
        self._askers: OrderedDict[tuple[ProcessId, int], None] = OrderedDict()
        self._working: ProcessId | None = None

    def begun(self) -> None:
        """Knows again what it has decided."""
        self._by_slot, self._decided, self._highest, self._characters = {}, set(), self._forgotten, 0
        self._proposed.clear()
        self._reconfigured = {self._forgotten: self.state.leaders}
        for slot, command in self.state.decisions:
            self._learned(slot, command)
        self._slot_out, self._told = self.state.slot_out, 1

    def _learned(self, slot: int, command: Command) -> None:
        self._characters += characters_of(command) if slot not in self._by_slot else 0
        self._by_slot[slot] = command
        if isinstance(command.operation, Reconfigure):
            self._reconfigured[slot] = command.operation.leaders
        self._decided.add(command)
        self._waiting.pop(command, None)
        self._highest = max(self._highest, slot)
        self._proposed.pop(slot, None)
        self._retries.answered(slot, self.now)

    def leaders_of(self, slot: int) -> tuple[ProcessId, ...]:
        """The leaders of a slot, as far as it is known: those of the last reconfiguration that is WINDOW slots or more before it."""
        changed = [each for each in self._reconfigured if each <= max(self._forgotten, slot - self.system.window)]
        return self._reconfigured[max(changed)] if changed else self.system.initial_leaders

    @property
    def _forgotten(self) -> int:
        """What was decided in slots up to this one is forgotten."""
        return getattr(getattr(self.state, "decisions", None), "forgotten", 0)

    # ---- what is delivered ----

    def admits(self, envelope: Envelope) -> bool:
        """A request that is known is not taken a second time: it would be proposed for another slot, to no use."""
        message = envelope.content
        if isinstance(message, Decision):
            if message.slot <= self._forgotten:
                return False
            self._learned(message.slot, message.command)
            if envelope.sender.role == COMMANDER:
                self._working = host_of(envelope.sender)
            return True
        if isinstance(message, Request):
            return self._takes(message.command)
        return True

    def _takes(self, command: Command) -> bool:
        client = command.client
        if (
            client.role != CLIENT
            or not 0 < client.number < 2**63
            or not 0 < command.cid < 2**63
            or not self._may_change_to(command.operation)
        ):
            self.counts["bad frames"] += 1
            return False
        application: Any = getattr(self.state, "application", None)
        if is_forgotten(application, client.number):
            self.again(self.me, (client,), Forgotten(application.forgotten))
            return False
        self._askers[client, command.cid] = None
        if len(self._askers) > _ASKERS_KEPT:
            self._askers.popitem(last=False)
        return not (self._knows(command) or self._leaves(command))

    def _may_change_to(self, operation: str | Reconfigure) -> bool:
        return isinstance(operation, str) or operation.leaders in [each.leaders for each in self.system.configurations]

    def _leaves(self, command: Command) -> bool:
        """Whether a request waits here for a while: replicas that propose at the same time only take each other's slots away.

        The first replica that seems to live proposes at once; those behind it take a request when it was not decided in time.
        """
        since = self._waiting.setdefault(command, self.now)
        if abs(self.now - since) < self._reserve():
            return True
        del self._waiting[command]
        return False

    def _reserve(self) -> float:
        """How long a request waits here, in seconds."""
        now, replicas = self.now, self.system.replicas
        first = next(each for each in replicas if each == self.me or abs(now - self._heard[each]) < 3 * self.timing.gossip)
        return 0.0 if first == self.me else replicas.index(self.me) * self.timing.retransmit_max

    def _knows(self, command: Command) -> bool:
        state: Any = self.state
        if isinstance(state, Lifecycle):
            return True
        response = self._responses.get(command.client, command.cid)
        if response is not None:
            self.again(self.me, (command.client,), response)
            return True
        if command in state.requests or _proposes(state, command):
            return True
        return state.performed(command) or (command in self._decided and not self._has_hole())

    def _has_hole(self) -> bool:
        """Whether later slots wait for one that nobody may have proposed anything for."""
        state = self.state
        waits = state.slot_out <= self._highest and state.slot_out not in self._by_slot
        return waits and state.slot_out not in self._proposed and self.now - self._moved > 2 * self.timing.retransmit

    def observe(self, message: Message) -> None:
        """Remembers what may have to be sent again."""
        if isinstance(message, Propose):
            self._proposed[message.slot] = message, []
            self._retries.due(message.slot, self.now)

    def transmits(self, envelope: Envelope) -> bool:
        """Remembers each response, and each proposal, with whom it was for: a later configuration has nothing to do with it.

        A response leaves at once where the client has asked here, a proposal to the leader that has got the last decision made: the others
        get it when it is sent again."""
        to, content = envelope.to, envelope.content
        if isinstance(content, Propose):
            self._proposed[content.slot][1].append(to)
            return self._working in (None, to) or self._working not in self.state.leaders
        if isinstance(content, Response) and to.role == CLIENT:
            self._responses.add(to, content)
            return self._askers.pop((to, content.cid), True) is None
        return True

    # ---- what is overdue ----

    def tick(self) -> None:
        """Proposes again, asks for decisions, fills a hole."""
        state, now = self.state, self.now
        if isinstance(state, Lifecycle):
            return
        if state.slot_out != self._slot_out:
            self._slot_out, self._moved = state.slot_out, now
        overdue = [slot for slot in self._proposed if self._retries.due(slot, now)]
        for slot in overdue:
            message, leaders = self._proposed[slot]
            self.again(self.me, leaders, message)
        behind = bool(overdue) or self._highest >= state.slot_out
        if behind and abs(now - self._asked) > self.timing.retransmit and abs(now - self._moved) > self.timing.retransmit:
            self._ask((*self.system.replicas, *self.system.leaders))
        elif abs(now - self._gossiped) > self.timing.gossip:
            self._gossiped = now
            self._ask((*self.system.replicas, *self.system.leaders, *self.system.acceptors))
        if self._forgets and (last := self._collectable(state.slot_out - 1)) is not None:
            self._forget(last)
        if self._has_hole():
            self._fill_hole()
        if self._waiting:
            reserve = self._reserve()
            for command in [each for each, since in self._waiting.items() if abs(now - since) >= reserve]:
                del self._waiting[command]
                self.deliver(command.client, self.me, Request(command))

    def _collectable(self, performed: int) -> int | None:
        """The last slot that no later one is kept for, if it is worthwhile: `_forget` leaves WINDOW slots before it."""
        forgotten = self._forgotten + self.system.window
        least = max(10, self._keep // 4, self._snapshot_bytes // _SNAPSHOT_BYTES_A_SLOT)
        if performed - self._keep >= forgotten + least:
            return performed - self._keep
        if self._characters > HELD_CHARACTERS_MAX and performed > forgotten:
            to_go = sum(characters_of(command) for slot, command in self._by_slot.items() if slot <= performed - self.system.window)
            return performed if to_go > HELD_CHARACTERS_MAX else None
        return None

    def _forget(self, slot: int) -> None:
        """Forgets what was decided long ago, and takes a snapshot, if the state machine can be written down. It is of the state that has
        forgotten: one from before would ask for decisions that are gone, such as the last reconfiguration."""
        state = self.state
        assert isinstance(state, LiveReplicaState)
        if (application := self._application()) is None:
            return
        before = self.leaders_of(slot + 1)
        state = without_old_slots(state, slot, self.system.window)
        forgotten = slot - self.system.window
        self._reconfigured = {each: leaders for each, leaders in self._reconfigured.items() if each > forgotten} | {forgotten: before}
        data = encode_snapshot(snapshot_of(state, application, self.leaders_of))
        self._snapshot_bytes = len(data)
        self.host.forget(state, forgotten, data)
        self._decided -= {command for each, command in self._by_slot.items() if each <= forgotten}
        self._by_slot = {each: command for each, command in self._by_slot.items() if each > forgotten}
        self._characters = sum(map(characters_of, self._by_slot.values()))

    def _application(self) -> bytes | None:
        """The state machine as others can take it over. One that cannot be written down never will be; a large one may be small again."""
        if abs(self.now - self._too_large) < _SNAPSHOT_SECONDS:
            return None
        data = encode_application(self.state.application)
        if data is None:
            self._forgets = False
        elif len(data) > _SNAPSHOT_BYTES_MAX:
            self._too_large, data = self.now, None
            self.counts["snapshots too large"] += 1
        return data

    def _pass(self, replica: ProcessId) -> None:
        """Helps a replica that lacks what is forgotten here."""
        if self._passed.due(replica, self.now) and (application := self._application()) is not None:
            data = encode_snapshot(snapshot_of(self.state, application, self.leaders_of))
            kept = tuple(SlotCommand(*each) for each in self._by_slot.items())
            self.again(self.me, (replica,), Passed(data, kept))

    def _take_over(self, data: bytes, decisions: tuple[SlotCommand, ...]) -> None:
        """Goes on from the snapshot of another replica, if that is further."""
        snapshot, state = decode_snapshot(data), self.state
        if isinstance(state, Lifecycle) or snapshot.slot_out <= state.slot_out:
            return
        decode_application(snapshot.application)
        passed = dict(decisions)
        lacked = [slot for slot in range(state.slot_out, snapshot.slot_out) if slot not in self._by_slot]
        received = [SlotCommand(slot, passed.get(slot, UNKNOWN)) for slot in (*lacked[1:], lacked[0])]
        kept = {slot: command for slot, command in (self._by_slot | passed).items() if slot > snapshot.forgotten}
        records = [SlotCommand(*each) for each in sorted(kept.items())]
        self.host.become(received, Stored(None, records, 0, snapshot.forgotten, data))
        self.counts["snapshots taken over"] += 1
        self.begun()

    def _ask(self, whom: tuple[ProcessId, ...]) -> None:
        """Says how far it is, and that is a promise: when a majority has said so others forget what was decided before."""
        if self.state.slot_out > self._told:
            self._told, self.host.batch.promises = self.state.slot_out, True
        self._asked = self.now
        self.again(self.me, [each for each in whom if each != self.me], Lacking(self.state.slot_out))

    def _fill_hole(self) -> None:
        """Takes a request that is decided in a later slot once more: its client sent it to every replica, and it is performed only once."""
        for slot in range(self.state.slot_out + 1, self._highest + 1):
            command = self._by_slot.get(slot)
            if command is not None and not command.is_internal:
                self.deliver(command.client, self.me, Request(command))
                return

    def signal(self, sender: ProcessId, signal: Signal) -> None:
        """Hands decisions on: each was sent to every replica, so the network may bring it this way, too."""
        if isinstance(signal, Passed) and self._forgets:
            try:
                self._take_over(signal.snapshot, signal.decisions)
            except ValueError:
                self.counts["bad frames"] += 1
        if isinstance(signal, Lacking):
            if sender in self._heard:
                self._heard[sender] = self.now
            if sender.role == REPLICA and signal.slot <= self._forgotten:
                self._pass(sender)
            for slot in self._handing.slots_for(sender, signal.slot, self._highest):
                if slot in self._by_slot:
                    self.again(self.me, (sender,), Decision(slot, self._by_slot[slot]))


def _proposes(state: Any, command: Command) -> bool:
    if isinstance(state, LiveReplicaState):
        proposals: Any = state.proposals
        return proposals.lowest_slot(command) is not None
    return any(command == each.command for each in state.proposals)
