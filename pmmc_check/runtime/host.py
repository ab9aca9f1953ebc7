"""The role processes of one node, and their steps: what each step sends is in the log, and what must outlive a crash in the batch,
before anybody sees it."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from pmmc_check.protocol import PMMC
from pmmc_check.protocol import Protocol as RoleClasses
from pmmc_check.protocol.messages import Adopted, Decision, Message, P1b, Response, Start
from pmmc_check.protocol.role import Lifecycle, Outcome, Role, Send, System, replace, states_claim
from pmmc_check.protocol.values import ACCEPTOR, LEADER, REPLICA, Ballot, ProcessId, SlotCommand, host_of, new_tuple
from pmmc_check.runtime.collecting import decode_snapshot
from pmmc_check.runtime.growing import LIVE, RequestsByContent, from_snapshot
from pmmc_check.runtime.surroundings import Envelope, Record, Stored, Timing
from pmmc_check.trace.events import CRASH, RECEIVE, RESTART, SEND, UNKNOWN, Event, Names
from pmmc_check.trace.fields import BROADCASTS, CALLS, RECIPIENT

_KEEPS: dict[str, tuple[str | None, bool]] = {ACCEPTOR: ("accepted", True), REPLICA: ("decisions", False), LEADER: (None, True)}
"""What of a role's state outlives a crash: a set, whose members are records, and whether its ballot does. Ballots and accepted pvalues are
promises. Decisions are none: acceptors keep what was decided, until replicas say that they have it (`ReplicaDriver`)."""
_OUTCOMES_MAX = 24
"""Of a step of a variant's role so many outcomes, and two, are made."""
_SENDER_IS_TOLD = ("propose", "p1b", "p2b")
"""Kinds of which a receive says who sent it. Decisions come by many ways."""


@dataclass(frozen=True)
class ClusterSetting:
    """What all nodes of a cluster have in common. `answers_first` is a fault on purpose: answers leave before what they promise is on
    the disk. `keep`: so many slots are kept behind that which a majority of the replicas has performed."""

    system: System
    names: Names
    protocol: RoleClasses = field(default_factory=lambda: PMMC)
    timing: Timing = field(default_factory=Timing)
    answers_first: bool = False
    keep: int = 1000

    @property
    def forgets(self) -> bool:
        """Whether old slots are forgotten, which only the paper's own roles are known to bear."""
        return all(role in LIVE or role is PMMC[name] for name, role in self.protocol.items())


class Habits(Protocol):
    """What a driver decides about the steps of its node."""

    def observe(self, message: Message) -> None:
        """A process of this node sends `message`."""

    def transmits(self, envelope: Envelope) -> bool:
        """Whether a message that was sent leaves now. What does not leave now is on its way until it is sent again."""

    def runs(self, me: ProcessId, start: Start) -> bool:
        """Whether a scout or commander that was created runs now."""


@dataclass
class Running:
    """A role process of this node, and its newest state. `born` is the clock's time."""

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
    forgotten: int | None = None
    snapshot: bytes | None = None
    promises: bool = False

    @property
    def is_written(self) -> bool:
        """Whether something of it goes to the disk."""
        return bool(self.events or self.records) or self.promises or self.forgotten is not None


class Host:
    """An acceptor, a replica, a client, or a leader with its scouts and commanders. `records`: whether anybody will read its log."""

    def __init__(self, me: ProcessId, setting: ClusterSetting, now: Callable[[], float], counts: Counter[str], records: bool) -> None:
        self.me, self.setting, self.system = me, setting, setting.system
        self._records = records
        self.processes: dict[ProcessId, Running] = {}
        self._own: Running | None = None
        self.batch = Pending()
        self.local: deque[Envelope] = deque()
        """Messages from this node to itself."""
        self.log = setting.names.log_of(me)
        self.habits: Habits
        self._now, self._counts = now, counts
        self._set, self._ballot = _KEEPS.get(me.role, (None, False))
        self._kept: tuple[Ballot | None, Any] = (None, frozenset())
        self._claims = {name: states_claim(role, "ignores") for name, role in setting.protocol.items()}
        self._audience = {REPLICA: self.system.replicas, LEADER: self.system.leaders, ACCEPTOR: self.system.acceptors}

    @property
    def state(self) -> Any:
        """The newest state of the node's own role."""
        return self._own.state if self._own is not None else Lifecycle.EXITED

    def begin(self, stored: Stored | None, on_disk: bool = True) -> None:
        """Starts the node's own role, or brings it back from a crash with what it keeps, which may be `on_disk` already."""
        role = self._made(self.me)
        outcome: Outcome | None = role.start()
        assert outcome is not None
        if stored is not None:
            for action in (CRASH, RESTART):
                self.note(self.me, action)
            recovered = self._recovered(outcome.state, stored)
            if on_disk:
                self._note_kept(recovered)
            outcome = role.restart(recovered)
            assert outcome is not None, f"{self.me.role} cannot restart"
        self._own = self.processes[self.me] = Running(role, outcome.state, self._now())
        self._settle(self.me, outcome.sends)
        self._keep()

    # ---- steps ----

    def note(self, process: ProcessId, action: str, message: Message | None = None, peers: tuple[ProcessId, ...] | None = None) -> None:
        """An event for the log."""
        if self._records:
            recorded = _recorded(message) if message is not None else None
            self.batch.events.append(Event(self.log, process, action, recorded, peers))

    def deliver(self, sender: ProcessId, to: ProcessId, message: Message) -> None:
        """One step of one role process, recorded."""
        process = self.processes.get(to)
        if process is None or (self._claims[to.role] and process.role.ignores(process.state, message)):
            return
        outcome = chosen(process.role.step(_in_order(process.state), message))
        self._counts[f"received {message.kind}"] += 1
        self.note(to, RECEIVE, message, (sender,) if message.kind in _SENDER_IS_TOLD else None)
        self.became(process, outcome)

    def became(self, process: Running, outcome: Outcome) -> None:
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
                if self.habits.runs(to, message):
                    self.create(to, message)
            else:
                groups.setdefault(id(message), (message, []))[1].append(to)
        for message, recipients in groups.values():
            self.send(me, _frozen(message), recipients)

    def create(self, me: ProcessId, start: Start) -> None:
        """A scout or commander takes its first step."""
        role = self._made(me)
        outcome = role.start(start.command)
        self.processes[me] = Running(role, outcome.state, self._now())
        self._settle(me, outcome.sends)

    def _made(self, me: ProcessId) -> Role:
        role_class = self.setting.protocol[me.role]
        return LIVE.get(role_class, role_class)(me, self.system)

    def send(self, me: ProcessId, message: Message, recipients: list[ProcessId]) -> None:
        """Records that `me` sends `message`, and sends it when the batch is on the disk."""
        kind, habits = message.kind, self.habits
        everybody = kind in BROADCASTS and len(recipients) == len(self._audience[RECIPIENT[kind]])
        self.note(me, SEND, message, None if everybody or kind in CALLS else tuple(recipients))
        self._counts[f"sent {kind}"] += 1
        habits.observe(message)
        for to in recipients:
            envelope: Envelope = new_tuple(Envelope, (me, to, message))
            if host_of(to) == self.me:
                self.local.append(envelope)
            elif habits.transmits(envelope):
                self.batch.sends.append(envelope)

    # ---- what outlives a crash, and what is forgotten ----

    def forget(self, state: Any, slot: int, snapshot: bytes | None = None) -> None:
        """From now on the node's own role has `state`, which knows nothing of slots up to `slot`. For the protocol it is the same state."""
        self.processes[self.me].state = state
        self.batch.forgotten, self.batch.snapshot = slot, snapshot
        self.batch.records = [each for each in self.batch.records if each.slot > slot]

    def become(self, decisions: Sequence[SlotCommand], stored: Stored) -> None:
        """A replica goes on with a snapshot of another: as if it had received these decisions, crashed before it answered, and come back
        with `stored`."""
        for each in decisions:
            self.note(self.me, RECEIVE, Decision(each.slot, each.command))
        self.batch.records, self.batch.forgotten, self.batch.snapshot = [], stored.forgotten, stored.snapshot
        self.begin(stored, on_disk=False)

    def _recovered(self, fresh: Any, stored: Stored) -> Any:
        changes: dict[str, Any] = {}
        if self._ballot and stored.ballot is not None:
            changes["ballot"] = stored.ballot
        if stored.snapshot is not None:
            kept = [each for each in stored.records if isinstance(each, SlotCommand)]
            return from_snapshot(fresh, decode_snapshot(stored.snapshot), kept)
        if self._set is not None:
            changes[self._set] = getattr(fresh, self._set) | frozenset(stored.records)
        if stored.forgotten:
            changes["collected"] = stored.forgotten
        return replace(fresh, **changes)

    def _note_kept(self, state: Any) -> None:
        """What is on the disk need not be written again."""
        kept = getattr(state, self._set) if self._set is not None else frozenset()
        if hasattr(kept, "fresh"):
            kept.fresh.clear()
        self._kept = (getattr(state, "ballot", None) if self._ballot else None, kept)

    def _keep(self) -> None:
        """Takes what the last step added to what outlives a crash into the batch."""
        state = self.state
        if isinstance(state, Lifecycle):
            return
        if self._ballot and state.ballot != self._kept[0]:
            self.batch.ballot, self.batch.promises = state.ballot, True
            self._kept = (state.ballot, self._kept[1])
        if self._set is None:
            return
        kept = getattr(state, self._set)
        if hasattr(kept, "fresh"):
            fresh = list(kept.fresh)
            kept.fresh.clear()
        else:
            fresh = sorted(kept - self._kept[1], key=lambda each: each[:-1]) if kept is not self._kept[1] else []
            self._kept = (self._kept[0], kept)
        if fresh:
            self.batch.records += fresh
            self.batch.promises = self.batch.promises or self.me.role != REPLICA


def chosen(outcomes: Iterable[Outcome]) -> Outcome:
    """The one that is taken where the protocol leaves a choice: a replica's request that has waited longest.

    A set that a variant keeps has no order of its own; there the choice goes by content, so that a run can be repeated. It is one of the
    first outcomes: a variant without a window has as many as there are orders of all that waits."""
    listed = iter(outcomes)
    first = next(listed)
    if hasattr(getattr(first.state, "requests", None), "_items") or (second := next(listed, None)) is None:
        return first
    return min((first, second, *islice(listed, _OUTCOMES_MAX)), key=lambda each: repr(each.sends))


def _in_order(state: Any) -> Any:
    """The state of a replica whose requests are a frozen set, with these in an order."""
    requests = getattr(state, "requests", None)
    return replace(state, requests=RequestsByContent(requests)) if type(requests) is frozenset else state


def _frozen(message: Any) -> Message:
    """What a message says at the moment when it is sent: an acceptor's set goes on growing."""
    if isinstance(message, P1b) and not isinstance(message.accepted, frozenset):
        return dataclasses.replace(message, accepted=frozenset(message.accepted))
    if isinstance(message, Response) and not isinstance(message.result, str):
        return Response(message.cid, str(message.result))
    assert isinstance(message, Message)
    return message


def _recorded(message: Message) -> Message:
    """What the log says: where pvalues were forgotten it cannot say which there are."""
    if getattr(message, "collected", 0):
        if isinstance(message, P1b):
            return P1b(message.acceptor, message.ballot, UNKNOWN)
        if isinstance(message, Adopted):
            return Adopted(message.ballot, UNKNOWN)
    return message
