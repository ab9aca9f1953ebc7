"""The driver of a replica: proposes again what is not decided in time, and gets the decisions that it has missed from others."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from pmmc_check.protocol.messages import Decision, Message, Propose, Request, Response
from pmmc_check.protocol.role import Lifecycle
from pmmc_check.protocol.values import CLIENT, Command, ProcessId, Reconfigure
from pmmc_check.runtime.node import Driver, LiveNode
from pmmc_check.runtime.retries import Retries
from pmmc_check.runtime.signals import Lacking, Signal
from pmmc_check.runtime.surroundings import Envelope

_DECISIONS_AT_ONCE = 200
_RESPONSES_KEPT = 10_000


class ReplicaDriver(Driver):
    """Keeps decisions on its disk."""

    def __init__(self, node: LiveNode) -> None:
        super().__init__(node)
        self._responses: OrderedDict[tuple[ProcessId, int], Message] = OrderedDict()
        self._proposed: dict[int, tuple[Message, list[ProcessId]]] = {}
        self._reconfigured: dict[int, tuple[ProcessId, ...]] = {}
        self._retries = Retries(self.timing.retransmit, self.timing.retransmit_max)
        self._highest = 0
        self._moved = self._asked = self._gossiped = self.now
        self._slot_out = 1
        self._by_slot: dict[int, Command] = {}
        self._decided: set[Command] = set()
        self._waiting: dict[Command, float] = {}
        self._heard = dict.fromkeys(self.system.replicas, self.now)

    def begun(self) -> None:
        """Knows again what it has decided."""
        for slot, command in self.state.decisions:
            self._learned(slot, command)
        self._slot_out = self.state.slot_out

    def _learned(self, slot: int, command: Command) -> None:
        self._by_slot[slot] = command
        if isinstance(command.operation, Reconfigure):
            self._reconfigured[slot] = command.operation.leaders
        self._decided.add(command)
        self._waiting.pop(command, None)
        self._highest = max(self._highest, slot)
        self._proposed.pop(slot, None)
        self._retries.forget(slot)

    def leaders_of(self, slot: int) -> tuple[ProcessId, ...]:
        """The leaders of a slot, as far as it is known: those of the last reconfiguration that is WINDOW slots or more before it."""
        changed = [each for each in self._reconfigured if each <= slot - self.system.window]
        return self._reconfigured[max(changed)] if changed else self.system.initial_leaders

    # ---- what is delivered ----

    def admits(self, envelope: Envelope) -> bool:
        """A request that is known is not taken a second time: it would be proposed for another slot, to no use."""
        message = envelope.content
        if isinstance(message, Decision):
            self._learned(message.slot, message.command)
            return True
        return not isinstance(message, Request) or not (self._knows(message.command) or self._leaves(message.command))

    def _leaves(self, command: Command) -> bool:
        """Whether a request waits here for a while: replicas that propose at the same time only take each other's slots away.

        The first replica that seems to live proposes at once; those behind it take a request when it was not decided in time.
        """
        first = next(each for each in self.system.replicas if each == self.me or abs(self.now - self._heard[each]) < 3 * self.timing.gossip)
        if first == self.me:
            self._waiting.pop(command, None)
            return False
        since = self._waiting.setdefault(command, self.now)
        rank = self.system.replicas.index(self.me)
        if abs(self.now - since) < rank * self.timing.retransmit_max:
            return True
        del self._waiting[command]
        return False

    def _knows(self, command: Command) -> bool:
        state: Any = self.state
        if isinstance(state, Lifecycle):
            return True
        response = self._responses.get((command.client, command.cid))
        if response is not None:
            self.again(self.me, (command.client,), response)
            return True
        if command in state.requests or any(command == each.command for each in state.proposals):
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
        """Remembers each response, and each proposal, with whom it was for: a later configuration has nothing to do with it."""
        content = envelope.content
        if isinstance(content, Propose):
            self._proposed[content.slot][1].append(envelope.to)
        if isinstance(content, Response) and envelope.to.role == CLIENT:
            self._responses[envelope.to, content.cid] = content
            if len(self._responses) > _RESPONSES_KEPT:
                self._responses.popitem(last=False)
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
            self._ask((*self.system.replicas, *self.system.leaders))
        if self._has_hole():
            self._fill_hole()
        for command in list(self._waiting):
            if not self._leaves(command):
                self.deliver(command.client, self.me, Request(command))

    def _ask(self, whom: tuple[ProcessId, ...]) -> None:
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
        if isinstance(signal, Lacking):
            if sender in self._heard:
                self._heard[sender] = self.now
            for slot in range(signal.slot, min(self._highest + 1, signal.slot + _DECISIONS_AT_ONCE)):
                if slot in self._by_slot:
                    self.again(self.me, (sender,), Decision(slot, self._by_slot[slot]))
