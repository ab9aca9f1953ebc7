"""Simulation: seeded random walks of the protocol that are written down as traces.

A walk delivers one random message after another on the chosen network; every step is a `Role.step`. What happens is recorded as an
implementation would record it, and then thinned to the observation contract. The same seed gives the same trace on every machine:
nothing depends on the order of Python's sets.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar

from pmmc_check.errors import UsageError
from pmmc_check.protocol import PMMC, Protocol
from pmmc_check.protocol.messages import Message, P1b, Propose, Request, Response, Start
from pmmc_check.protocol.role import Outcome, Send
from pmmc_check.protocol.values import ACCEPTOR, BOTTOM, LEADER, Command, ProcessId, Reconfigure, SlotCommand
from pmmc_check.trace.events import (
    ALL,
    CRASH,
    DROP,
    LOSSY,
    NOTHING,
    RECEIVE,
    RESTART,
    SEND,
    ConfigurationNames,
    Contract,
    Delta,
    Event,
    Header,
    Names,
    is_chosen,
)
from pmmc_check.trace.fields import BROADCASTS, CALLS, FIELDS, POST_FIELDS, RECIPIENT
from pmmc_check.trace.system import OpaqueResult, system_of
from pmmc_check.trace.values import Values
from pmmc_check.validation.replay.in_place import InPlaceReplica
from pmmc_check.validation.replay.open_requests import resolved
from pmmc_check.validation.replay.process import Process, Processes

_CHOICES_MAX = 50
"""A replica proposes one of the requests that have waited longest."""


@dataclass(frozen=True)
class Plan:
    """What to simulate. Rates are probabilities a step.

    Half as often as a process crashes in the middle or at the end of a step, one crashes between a receipt and its step.
    `own_logs`: scouts and commanders have logs of their own. `in_flight_max`: requests are sent when fewer messages
    than this are on their way. With a `reconfiguration_rate` the header has to state configurations.
    """

    header: Header
    seed: int
    events: int
    commands: int
    own_logs: bool = False
    loss_rate: float = 0.1
    duplication_rate: float = 0.2
    crash_rate: float = 0.0
    reconfiguration_rate: float = 0.0
    post_rate: float = 0.2
    delta_rate: float = 0.3
    in_flight_max: int = 30
    protocol: Protocol = field(default_factory=lambda: PMMC)


class Pool:
    """Messages in flight, kept in lists so that a random choice depends on the seed only."""

    def __init__(self, header: Header, plan: Plan, rng: random.Random) -> None:
        self.header, self.plan, self.rng = header, plan, rng
        self.free: list[tuple[ProcessId, ProcessId, Any]] = []
        self.queues: dict[tuple[ProcessId, ProcessId], deque[Any]] = {}
        self.pairs: list[tuple[ProcessId, ProcessId]] = []
        self.size = 0

    def put(self, sender: ProcessId, to: ProcessId, message: Any, back: bool = False) -> None:
        """One message more; `back` undoes a `take`."""
        self.size += 1
        if not self.header.ordered:
            self.free.append((sender, to, message))
            return
        queue = self.queues.setdefault((sender, to), deque())
        if not queue:
            self.pairs.append((sender, to))
        if back:
            queue.appendleft(message)
        else:
            queue.append(message)

    def take(self) -> tuple[ProcessId, ProcessId, Any]:
        """A random one; where messages are duplicated it may stay."""
        again = self.header.duplicates and self.rng.random() < self.plan.duplication_rate
        if not self.header.ordered:
            index = self.rng.randrange(len(self.free))
            chosen_one = self.free[index]
            if not again:
                self.free[index] = self.free[-1]
                self.free.pop()
                self.size -= 1
            return chosen_one
        index = self.rng.randrange(len(self.pairs))
        pair = self.pairs[index]
        queue = self.queues[pair]
        message = queue[0]
        if not again:
            queue.popleft()
            self.size -= 1
            if not queue:
                del self.queues[pair]
                self.pairs[index] = self.pairs[-1]
                self.pairs.pop()
        return (*pair, message)


class Simulation:
    """One random walk; `events()` is the complete trace."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.header = plan, plan.header
        self.names = Names(plan.header)
        self.values = Values(self.names)
        self.rng = random.Random(plan.seed)
        self.system = system_of(plan.header, self.names)
        self.processes = Processes(self.system, plan.protocol)
        self.pool = Pool(plan.header, plan, self.rng)
        self.stopped: set[str] = set()
        self.requests = self._requests()
        self.out: list[Event] = []
        self.made = 0
        """Events so far; a walk in which nothing can happen any more makes fewer than were planned."""

    def _requests(self) -> Iterator[Command]:
        for number in range(self.plan.commands):
            client = self.system.clients[number % len(self.system.clients)]
            operation: str | Reconfigure = ""
            if self.rng.random() < self.plan.reconfiguration_rate:
                operation = Reconfigure(self.rng.choice(self.system.configurations).leaders)
            yield Command(client, number // len(self.system.clients) + 1, operation)

    def events(self) -> Iterator[Event]:
        """All that happens, as complete logs would have it."""
        for process in list(self.processes.running.values()):
            self._send_all(process.me, process.pending, process)
        while self.made < self.plan.events:
            if self.pool.size < self.plan.in_flight_max and self._backlog() < self.plan.in_flight_max:
                for command in self.requests:
                    self._send_all(command.client, [Send(to, Request(command)) for to in self.system.replicas], None)
                    break
            if not self.pool.size and not self.out:
                return
            if self.pool.size:
                self._step()
            for event in self.out:
                if self.made < self.plan.events:
                    self.made += 1
                    yield event
            self.out.clear()

    def _backlog(self) -> int:
        """How many requests wait at the replica with most."""
        states = [self.processes.running[replica].state for replica in self.system.replicas]
        return max(len(getattr(state, "requests", ())) for state in states)

    def _step(self) -> None:
        """Delivers, or loses, one message."""
        sender, to, message = self.pool.take()
        if LOSSY in self.header.network and self.rng.random() < self.plan.loss_rate:
            if self.rng.random() < 0.5:
                self._record(to, DROP, self._as_received(message), self._sender(message, sender))
            return
        log = self._log(to)
        if log in self.stopped:
            self.pool.put(sender, to, message, back=True)
            if self.rng.random() < 0.1:
                self._restart_any()
            return
        self._deliver(sender, to, message, log)

    def _restart_any(self) -> None:
        """All that is left may be for crashed processes: start one of them again."""
        log = self.rng.choice(sorted(self.stopped))
        self.stopped.discard(log)
        me = self.values.process(log)
        for process in self.processes.hosted_by(me):
            if process.me != me and self._log(process.me) == log:
                self.processes.retire(process)
        own = self.processes.running[me]
        sends = own.restart() or ()
        self._record(me, RESTART, None, None)
        own.pending = self.processes.settle(sends)
        self._send_all(me, own.pending, own)
        self._send_first(sends)

    def _may_restart(self, log: str) -> bool:
        """Whether the process that a log belongs to comes back after a crash."""
        own = self.processes.running.get(self.values.process(log))
        return own is not None and not own.exited and own.role.restart(own.state) is not None

    def _deliver(self, sender: ProcessId, to: ProcessId, message: Message, log: str) -> None:
        process = self.processes.running.get(to)
        if process is not None and self._is_killed(log):
            self._record(to, RECEIVE, self._as_received(message), self._sender(message, sender))
            self._crash(log)
            return
        sends = process.step(message, self._pick) if process is not None else ()
        self._record(to, RECEIVE, self._as_received(message), self._sender(message, sender), process)
        crash = process is not None and self.rng.random() < self.plan.crash_rate and self._may_restart(log)
        messages = self.processes.settle(sends)
        if process is not None and isinstance(process.role, InPlaceReplica):
            messages = self._choose(process, messages)
        if crash:
            messages = messages[: self.rng.randint(0, len(messages))]
        self._send_all(to, messages, process)
        self._send_first(sends, skip_rate=0.5 if crash else 0.0)
        if crash:
            self._crash(log)

    def _is_killed(self, log: str) -> bool:
        """Whether a process that has just received a message crashes before it makes its step."""
        return self.plan.crash_rate > 0 and self.rng.random() < self.plan.crash_rate / 2 and self._may_restart(log)

    def _crash(self, log: str) -> None:
        self.stopped.add(log)
        self._record(self.values.process(log), CRASH, None, None)

    def _send_first(self, sends: Iterable[Send], skip_rate: float = 0.0) -> None:
        """What newly created processes send; some of it is not sent if their leader crashes meanwhile."""
        for created, message in sends:
            spawned = self.processes.running.get(created) if type(message) is Start else None
            if spawned is not None and spawned.pending and self.rng.random() >= skip_rate:
                self._send_all(created, spawned.pending, spawned)

    def _pick(self, outcomes: Iterable[Outcome]) -> Outcome:
        """A random outcome; the choice depends on the seed and the outcomes' content only."""
        listed = list(outcomes)
        return listed[0] if len(listed) == 1 else self.rng.choice(sorted(listed, key=lambda each: repr(each.sends)))

    def _choose(self, process: Process, messages: list[Send]) -> list[Send]:
        """Puts random requests in the place of the stand-ins."""
        settled = []
        for send in messages:
            message: Any = send.message
            if type(message) is Propose and not is_chosen(message.command):
                taken = [entry.command for entry in process.state.proposals if entry.slot == message.slot and is_chosen(entry.command)]
                command = taken[0] if taken else self.rng.choice(list(islice(process.state.requests.members(), _CHOICES_MAX)))
                process.state = resolved(process.state, SlotCommand(message.slot, message.command), command) if not taken else process.state
                message = replace(message, command=command)
            settled.append(Send(send.to, message))
        return settled

    def _send_all(self, me: ProcessId, messages: Sequence[Send], process: Process | None) -> None:
        """Sends as broadcasts or one by one; in any order, unless the network shows the order."""
        groups: dict[Any, list[ProcessId]] = {}
        for to, message in messages:
            self._check_expressible(to, message)
            groups.setdefault(message, []).append(to)
        listed = list(groups.items())
        if len(listed) > 1 and not self.header.ordered and self.rng.random() < 0.3:
            self.rng.shuffle(listed)
        for message, recipients in listed:
            shown = self._as_sent(message, process)
            kind = message.kind
            if (kind in BROADCASTS and len(recipients) == self._audience(kind, me) and self.rng.random() < 0.7) or kind in CALLS:
                self._record(me, SEND, shown, None, process)
            else:
                for to in recipients:
                    self._record(me, SEND, shown, (to,), process)
            for to in recipients:
                self.pool.put(me, to, self.wire)
        if process is not None:
            process.pending = ()

    def _audience(self, kind: str, sender: ProcessId) -> int:
        """How many a broadcast without recipients goes to; -1 where that depends on the configuration."""
        if kind == "propose":
            return -1 if self.system.configurations else len(self.system.leaders)
        return len(self.system.acceptors_of(sender.number) if RECIPIENT[kind] == ACCEPTOR else self.system.replicas)

    def _as_sent(self, message: Any, process: Process | None) -> Any:
        """The message as the log shows it; `wire` is what travels (p1b carries both of its forms)."""
        if type(message) is Response and type(message.result) is OpaqueResult:
            message = Response(message.cid, f"r{message.result.position}")
        self.wire = message
        if type(message) is not P1b or process is None:
            return message
        accepted: Any = message.accepted
        delta = process.added(accepted)
        process.remember(accepted)
        whole = P1b(message.acceptor, message.ballot, frozenset(accepted))
        self.wire = whole
        if self.rng.random() >= self.plan.delta_rate:
            return whole
        self.wire = DeltaP1b(message.acceptor, message.ballot, whole.accepted, delta)
        return P1b(message.acceptor, message.ballot, delta)

    def _check_expressible(self, to: ProcessId, message: Any) -> None:
        """Variants may send what the paper's roles never send.

        Raises:
            UsageError: the trace format cannot say it.
        """
        ballot = getattr(message, "ballot", BOTTOM)
        if message.kind not in FIELDS:
            raise UsageError(f"this protocol sends {message.kind}, which traces cannot record; use explore to check it")
        if RECIPIENT[message.kind] != to.role:
            raise UsageError(f"this protocol sends {message.kind} to a {to.role}, which traces cannot record; use explore to check it")
        if ballot != BOTTOM and ProcessId(LEADER, ballot.leader) not in self.names.name_of:
            raise UsageError(f"this protocol has a ballot of no leader, {ballot}, which traces cannot record; use explore to check it")

    def _as_received(self, message: Message) -> Message:
        return P1b(message.acceptor, message.ballot, message.delta) if isinstance(message, DeltaP1b) else message

    def _sender(self, message: Message, sender: ProcessId) -> tuple[ProcessId, ...] | None:
        if message.kind in ("propose", "decision", "preempted", "response") and not self.header.ordered and self.plan.seed % 2:
            return None
        return (sender,)

    def _log(self, process: ProcessId) -> str:
        return self.values.show_process(process) if self.plan.own_logs else self.names.log_of(process)

    def _record(
        self, me: ProcessId, action: str, message: Any, peers: tuple[ProcessId, ...] | None, process: Process | None = None
    ) -> None:
        post = None
        if process is not None and action == RECEIVE and not process.exited and self.rng.random() < self.plan.post_rate:
            has = [key for key in POST_FIELDS.get(me.role, ()) if hasattr(process.state, key)]
            keys = [key for key in has if key != "accepted" or len(process.state.accepted) < 20]
            post = tuple((key, _plain(getattr(process.state, key))) for key in keys) or None
        self.out.append(Event(self._log(me), me, action, message, peers, post=post))


class DeltaP1b(P1b):
    """A p1b that travels with what its log shows of it."""

    __slots__ = ("delta",)
    kind: ClassVar[str] = "p1b"
    delta: Delta

    def __init__(self, acceptor: ProcessId, ballot: Any, accepted: frozenset[Any], delta: Delta) -> None:
        super().__init__(acceptor, ballot, accepted)
        object.__setattr__(self, "delta", delta)


def thinned(events: Iterable[Event], contract: Callable[[str], Contract], names: Names) -> Iterator[Event]:
    """What logs under the given contracts show of complete logs."""
    for event in events:
        promised = contract(names.log_of(event.process))
        if promised is ALL or (promised is not NOTHING and (event.message is None or promised.records(event.message.kind))):
            yield event


def two_configurations(header: Header) -> tuple[ConfigurationNames, ...]:
    """Halves of the leaders and of the acceptors. One acceptor is in both; one leader makes one configuration."""
    if len(header.leaders) == 1:
        return (ConfigurationNames(header.leaders, header.acceptors),)
    halves = zip(_halves(header.leaders), _halves(header.acceptors), strict=True)
    return tuple(ConfigurationNames(leaders, acceptors) for leaders, acceptors in halves)


def _halves(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    middle = (len(names) + 1) // 2
    return names[:middle], names[middle:] or names


def complete_logs(header: Header) -> dict[str, Contract]:
    """Everything recorded, of everybody."""
    return dict.fromkeys((*header.replicas, *header.leaders, *header.acceptors, *(header.clients or ())), ALL)


def _plain(value: Any) -> Any:
    return frozenset(value) if hasattr(value, "since") else value
