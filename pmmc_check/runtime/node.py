"""The driver of one node: a message goes into `Role.step`; what must outlive a crash is on the disk, and what is sent is in the log, before anything leaves.

A node works in batches: all messages that have come in are delivered, one commit makes what they changed durable, and only then the answers go
out. Timers, retransmission and giving way live here and in the subclasses. Each is something that the protocol's network may do anyway (delay a
message, lose it, deliver it twice), or a leader at any time (begin a higher ballot): so every run of a node is a run of PMMC.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Message, P1b, Response, Start
from pmmc_check.protocol.role import Lifecycle, Outcome, Role, Send, System, replace, states_claim
from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA, Ballot, ProcessId, host_of
from pmmc_check.runtime.growing import LIVE
from pmmc_check.runtime.signals import Signal
from pmmc_check.runtime.surroundings import Change, Envelope, Record, Stored, Surroundings, Timing
from pmmc_check.trace.events import CRASH, END, RECEIVE, RESTART, SEND, Event, Names
from pmmc_check.trace.fields import BROADCASTS, CALLS, RECIPIENT
from pmmc_check.trace.values import Values
from pmmc_check.trace.writer import DslWriter


@dataclass(frozen=True)
class Setting:
    """What all nodes of a cluster have in common. `answers_first` is a fault on purpose: answers leave before what they promise is on the disk."""

    system: System
    names: Names
    protocol: Protocol = field(default_factory=lambda: PMMC)
    timing: Timing = field(default_factory=Timing)
    answers_first: bool = False


@dataclass
class Running:
    """A role process of this node, and its newest state."""

    role: Role
    state: Any
    born: float


@dataclass
class Pending:
    """What a batch has done so far and nobody has seen yet."""

    events: list[Event] = field(default_factory=list)
    sends: list[Envelope] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    ballot: Ballot | None = None


class Node:
    """One node, with all role processes on it: an acceptor, a replica, or a leader with its scouts and commanders."""

    DURABLE: str | None = None
    """The set in the role's state whose members outlive a crash."""
    BALLOT = False
    """Whether the ballot in the role's state outlives a crash."""

    def __init__(self, me: ProcessId, setting: Setting, around: Surroundings) -> None:
        self.me, self.setting, self.around = me, setting, around
        self.system, self.timing = setting.system, setting.timing
        self.processes: dict[ProcessId, Running] = {}
        self.counts: Counter[str] = Counter()
        self.stopped = self.paused = self._busy = self._scheduled = False
        self._inbox: deque[Callable[[], None]] = deque()
        self._local: deque[Envelope] = deque()
        self._batch = Pending()
        self._writer = DslWriter(Values(setting.names))
        self._log = setting.names.log_of(me)
        self._kept: tuple[Ballot | None, Any] = (None, frozenset())
        self._claims = {name: states_claim(role, "ignores") for name, role in setting.protocol.items()}
        self._audience = {REPLICA: self.system.replicas, LEADER: self.system.leaders, ACCEPTOR: self.system.acceptors}

    # ---- beginning and ending ----

    def start(self) -> None:
        """Begins, or comes back from a crash with what its role keeps."""
        stored = self.around.storage.load()
        self.around.recorder.open(stored.mark if stored is not None else 0)
        role = self._made(self.me)
        outcome: Outcome | None = role.start()
        assert outcome is not None
        if stored is not None:
            self._batch.events += [Event(self._log, self.me, action, None, None) for action in (CRASH, RESTART)]
            recovered = self._recovered(outcome.state, stored)
            self._note_kept(recovered)
            outcome = role.restart(recovered)
            assert outcome is not None, f"{self.me.role} cannot restart"
        self.processes[self.me] = Running(role, outcome.state, self.now)
        self._settle(self.me, outcome.sends)
        self._keep()
        self._enter(self.begun)
        self._tick_later()

    def begun(self) -> None:
        """The first thing in the first batch."""

    def stop(self) -> None:
        """Stops in good order: takes nothing in any more; what is in the log is complete."""
        self.stopped = True
        if not self._busy:
            self.around.recorder.write([self._writer.item(Event(self._log, self.me, END, None, None))])

    def pause(self, paused: bool) -> None:
        """While it is paused a node delivers nothing; what comes in waits."""
        self.paused = paused
        self._wake()

    @property
    def state(self) -> Any:
        """The newest state of the node's own role."""
        return self.processes[self.me].state if self.me in self.processes else Lifecycle.EXITED

    @property
    def now(self) -> float:
        """The clock's time in seconds."""
        return self.around.clock.now()

    # ---- what comes in ----

    def receive(self, envelope: Envelope) -> None:
        """Something came off the wire."""
        self._enter(partial(self._take, envelope))

    def _enter(self, call: Callable[[], None]) -> None:
        self._inbox.append(call)
        self._wake()

    def _wake(self) -> None:
        if self._inbox and not (self._scheduled or self._busy or self.stopped or self.paused):
            self._scheduled = True
            self.around.clock.after(0, self._flush)

    def _tick_later(self) -> None:
        self.around.clock.after(self.timing.tick * (0.9 + 0.2 * self.around.rng.random()), self._ticked)

    def _ticked(self) -> None:
        if not self.stopped:
            if not self._busy and not self.paused:
                self._enter(self.tick)
            self._tick_later()

    def tick(self) -> None:
        """Looks at what is overdue."""

    def admits(self, envelope: Envelope) -> bool:
        """Whether a message is delivered now. What is not may come again later, or never, as on the protocol's network."""
        return True

    def signal(self, sender: ProcessId, signal: Signal) -> None:
        """A signal of another driver."""

    def _take(self, envelope: Envelope) -> None:
        if isinstance(envelope.content, Signal):
            self.signal(envelope.sender, envelope.content)
        elif self.admits(envelope):
            self.deliver(*envelope)  # type: ignore[arg-type]  # a message, for it is no signal
        while self._local:
            local = self._local.popleft()
            if self.admits(local):
                self.deliver(*local)  # type: ignore[arg-type]  # likewise

    # ---- steps ----

    def deliver(self, sender: ProcessId, to: ProcessId, message: Message) -> None:
        """One step of one role process, recorded."""
        process = self.processes.get(to)
        if process is None or (self._claims[to.role] and process.role.ignores(process.state, message)):
            return
        outcome = chosen(process.role.step(process.state, message))
        self.counts[f"received {message.kind}"] += 1
        peers = (sender,) if message.kind in ("propose", "p1b", "p2b") else None
        self._batch.events.append(Event(self._log, to, RECEIVE, message, peers))
        self._became(process, outcome)

    def _became(self, process: Running, outcome: Outcome) -> None:
        """A process has taken a step."""
        process.state = outcome.state
        if isinstance(outcome.state, Lifecycle):
            del self.processes[process.role.me]
        self._settle(process.role.me, outcome.sends)
        if process.role.me == self.me:
            self._keep()

    def _settle(self, me: ProcessId, sends: Iterable[Send]) -> None:
        """Creates the processes, and sends the messages, that a step of `me` asks for."""
        groups: dict[int, tuple[Message, list[ProcessId]]] = {}
        for to, message in sends:
            if isinstance(message, Start):
                self._create(to, message)
            else:
                groups.setdefault(id(message), (message, []))[1].append(to)
        for message, recipients in groups.values():
            self._sent(me, _frozen(message), recipients)

    def _create(self, me: ProcessId, start: Start) -> None:
        role = self._made(me)
        outcome = role.start(start.command)
        self.processes[me] = Running(role, outcome.state, self.now)
        self._settle(me, outcome.sends)

    def _made(self, me: ProcessId) -> Role:
        role_class = self.setting.protocol[me.role]
        return LIVE.get(role_class, role_class)(me, self.system)

    def _sent(self, me: ProcessId, message: Message, recipients: list[ProcessId]) -> None:
        everybody = message.kind in BROADCASTS and len(recipients) == len(self._audience[RECIPIENT[message.kind]])
        peers = None if everybody or message.kind in CALLS else tuple(recipients)
        self._batch.events.append(Event(self._log, me, SEND, message, peers))
        self.counts[f"sent {message.kind}"] += 1
        self.observe(me, message)
        for to in recipients:
            envelope = Envelope(me, to, message)
            if host_of(to) == self.me:
                self._local.append(envelope)
            elif self.transmits(envelope):
                self._batch.sends.append(envelope)

    def observe(self, me: ProcessId, message: Message) -> None:
        """A process of this node sends `message`."""

    def transmits(self, envelope: Envelope) -> bool:
        """Whether a message that was sent leaves now. What does not leave now is on its way until it is sent again."""
        return True

    def again(self, sender: ProcessId, recipients: Iterable[ProcessId], content: Message | Signal) -> None:
        """Sends what was sent before once more, or a signal; neither is an event of the protocol."""
        self._batch.sends += [Envelope(sender, to, content) for to in recipients]
        self.counts["signals" if isinstance(content, Signal) else "sent again"] += 1

    # ---- what outlives a crash ----

    def _recovered(self, fresh: Any, stored: Stored) -> Any:
        changes: dict[str, Any] = {}
        if self.BALLOT and stored.ballot is not None:
            changes["ballot"] = stored.ballot
        if self.DURABLE is not None:
            changes[self.DURABLE] = getattr(fresh, self.DURABLE) | frozenset(stored.records)
        return replace(fresh, **changes)

    def _note_kept(self, state: Any) -> None:
        """What is on the disk need not be written again."""
        kept = getattr(state, self.DURABLE) if self.DURABLE is not None else frozenset()
        if hasattr(kept, "fresh"):
            kept.fresh.clear()
        self._kept = (getattr(state, "ballot", None) if self.BALLOT else None, kept)

    def _keep(self) -> None:
        """Takes what the last step added to what outlives a crash into the batch."""
        state = self.state
        if isinstance(state, Lifecycle):
            return
        if self.BALLOT and state.ballot != self._kept[0]:
            self._batch.ballot = state.ballot
            self._kept = (state.ballot, self._kept[1])
        if self.DURABLE is None:
            return
        kept = getattr(state, self.DURABLE)
        if hasattr(kept, "fresh"):
            self._batch.records += kept.fresh
            kept.fresh.clear()
        elif kept is not self._kept[1]:
            self._batch.records += sorted(kept - self._kept[1], key=lambda each: each[:-1])
            self._kept = (self._kept[0], kept)

    def _flush(self) -> None:
        """One batch: delivers what has come in, then commits."""
        self._scheduled = False
        if self.stopped or self.paused or self._busy:
            return
        for _ in range(len(self._inbox)):
            self._inbox.popleft()()
        batch, self._batch = self._batch, Pending()
        if self.setting.answers_first:
            self.around.transport.send(batch.sends)
            batch.sends = []
        if not batch.events:
            self._committed(batch)
            return
        self._busy = True
        mark = self.around.recorder.write([self._writer.item(each) for each in batch.events])
        self.around.storage.commit(Change(batch.ballot, batch.records, mark), partial(self._committed, batch))

    def _committed(self, batch: Pending) -> None:
        self._busy = False
        if batch.sends:
            self.around.transport.send(batch.sends)
        self._wake()


def chosen(outcomes: Iterable[Outcome]) -> Outcome:
    """The one that is taken where the protocol leaves a choice: a replica's request that has waited longest.

    A set that a variant keeps has no order of its own; there the choice goes by content, so that a run can be repeated."""
    listed = iter(outcomes)
    first = next(listed)
    if hasattr(getattr(first.state, "requests", None), "_items") or (second := next(listed, None)) is None:
        return first
    return min((first, second, *listed), key=lambda each: repr(each.sends))


def _frozen(message: Any) -> Message:
    """What a message says at the moment when it is sent: an acceptor's set goes on growing."""
    if isinstance(message, P1b) and not isinstance(message.accepted, frozenset):
        return P1b(message.acceptor, message.ballot, frozenset(message.accepted))
    if isinstance(message, Response) and not isinstance(message.result, str):
        return Response(message.cid, str(message.result))
    assert isinstance(message, Message)
    return message
